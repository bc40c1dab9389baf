#include "cli/glossary.h"

#include <strings.h>

#include "cli/column_help.h"
#include "cli/help.h"
#include "cli/option_table.h"
#include "core/text.h"
#include "ledger/result_line.h"
#include "platform/delivery.h"
#include "platform/problem.h"
#include "report/advice.h"
#include "sim/faults.h"

enum { ENTRIES_MAX = 512, TEXT_COLUMN = 15, TEXT_WIDTH = 96, NEAR_LENGTH = 4 };

struct entry {
    const char *name, *kind, *meaning, *remedy; /* the last two: NULL where there is none */
};

struct glossary {
    struct entry entries[ENTRIES_MAX];
    size_t count;
    struct column_text columns[COLUMN_TEXTS_MAX];
};

static void add(struct glossary *glossary, const char *name, const char *kind, const char *meaning,
                const char *remedy)
{
    if (glossary->count < ENTRIES_MAX)
        glossary->entries[glossary->count++] = (struct entry){name, kind, meaning, remedy};
}

static void add_commands(struct glossary *glossary)
{
    const char *kind = "a command of nbatch";

    add(glossary, "template", kind,
        "nbatch template [write|read|execute]: a CSV to begin with, with the columns and a model "
        "row",
        NULL);
    add(glossary, "completion", kind,
        "nbatch completion bash|zsh|fish: completions for a shell, to source", NULL);
    add(glossary, "version", kind, "nbatch version: which one this is", NULL);
    add(glossary, "dry-run", kind, "nbatch check: looks at all rows, and sends nothing", NULL);
    add(glossary, "rehearsal", kind,
        "nbatch run FILE --simulate: sends to a simulator within the program; nothing leaves the "
        "machine",
        NULL);
}

static void add_rows(struct glossary *glossary)
{
    for (enum row_status i = 0; i < ROW_STATUS_COUNT; i++)
        add(glossary, row_status_name(i), "a status of a row", advice_status_meaning(i),
            advice_status_remedy(i));
    for (size_t i = 0; i < COMMAND_STATE_COUNT; i++)
        add(glossary, deliveries[i].word, "a state of a command (nbatch status)",
            deliveries[i].meaning, deliveries[i].remedy);
    for (size_t i = 0; i < CANCEL_OUTCOME_COUNT; i++)
        add(glossary, cancel_words[i].word, "what came of taking a command back (nbatch cancel)",
            cancel_words[i].meaning, NULL);
}

static void add_tables(struct glossary *glossary)
{
    size_t columns = column_help_texts(glossary->columns);

    for (size_t i = 0; i < columns; i++)
        add(glossary, glossary->columns[i].name, "a column of an input", glossary->columns[i].what,
            NULL);
    for (size_t i = 0; i < RESULT_COLUMN_COUNT; i++)
        add(glossary, result_column_names[i], "a column of the results", result_column_texts[i],
            NULL);
    for (size_t i = 0; i < PROBLEM_CODE_COUNT; i++)
        add(glossary, problem_code_name((enum problem_code)i), "a problem of an input", NULL,
            problem_code_remedy((enum problem_code)i));
    for (size_t i = 0; i < fault_kinds_count; i++)
        add(glossary, fault_kinds[i].name, "a fault of the simulator", fault_kinds[i].help, NULL);
}

static struct glossary *make_glossary(void)
{
    struct glossary *glossary = calloc(1, sizeof(*glossary));

    if (glossary == NULL)
        return NULL;
    add_commands(glossary);
    add_rows(glossary);
    add_tables(glossary);
    return glossary;
}

static void add_text(const char *label, const char *text, struct buf *out)
{
    if (text == NULL || text[0] == '\0')
        return;
    buf_add_format(out, "  %-*s", TEXT_COLUMN - 2, label);
    buf_add_wrapped(out, text, TEXT_COLUMN, TEXT_WIDTH);
    buf_add_char(out, '\n');
}

/* res and res:5850 for res:<id>, http-404 for http-NNN. */
static bool is_name(const char *name, const char *word)
{
    size_t len = strlen(name), stem = strcspn(name, ":"), before = strcspn(name, "-") + 1;
    bool takes_number = before < len && before + strspn(name + before, "N") == len;

    if (strcasecmp(name, word) == 0)
        return true;
    if (takes_number)
        return strncasecmp(name, word, before) == 0 && word[before] != '\0' &&
               word[before + strspn(word + before, "0123456789")] == '\0';
    return stem < len && strncasecmp(name, word, stem) == 0 &&
           (word[stem] == '\0' || word[stem] == ':');
}

bool glossary_add(const char *word, struct buf *out)
{
    struct glossary *glossary = make_glossary();
    size_t found = 0;

    for (size_t i = 0; glossary != NULL && i < glossary->count; i++) {
        const struct entry *entry = &glossary->entries[i];
        if (!is_name(entry->name, word))
            continue;
        found++;
        buf_add_format(out, "%s%s: %s\n", out->len > 0 ? "\n" : "", entry->name, entry->kind);
        add_text("meaning", entry->meaning, out);
        add_text("what to do", entry->remedy, out);
    }
    free(glossary);
    return found > 0;
}

static const char *nearest_of(const struct glossary *glossary, const char *word)
{
    const char *names[ENTRIES_MAX + SUBCOMMAND_COUNT * (size_t)OPTIONS_MAX + 64];
    size_t count = 0;

    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        const struct option *option = NULL;
        names[count++] = subcommands[i].name;
        while ((option = option_next((enum subcommand)i, option)) != NULL)
            names[count++] = option->name;
    }
    for (size_t i = 0; i < help_topics_count; i++)
        names[count++] = help_topics[i].name;
    for (size_t i = 0; i < glossary->count; i++)
        names[count++] = glossary->entries[i].name;
    return text_nearest(span_string(word), names, count);
}

void glossary_add_nearest(const char *word, struct buf *out)
{
    struct glossary *glossary = make_glossary();
    const char *nearest = glossary != NULL ? nearest_of(glossary, word) : NULL;

    if (nearest != NULL && strlen(word) >= NEAR_LENGTH)
        buf_add_string(out, nearest);
    free(glossary);
}
