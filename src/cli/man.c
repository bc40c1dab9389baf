/*
 * The prose is a text with little markup, which is put into mdoc(7) here: "# SECTION",
 * "## Subsection", paragraphs with blank lines between them, "- TAG :: text" with further lines
 * indented by two, lines indented by four as they are, and "{{table}}" alone in its line for what
 * the program knows by a table. Escapes, line lengths and sentences are seen to here.
 */
#include "cli/man.h"

#include <unistr.h>

#include "cli/column_help.h"
#include "cli/help.h"
#include "cli/manual.h"
#include "cli/option_table.h"
#include "ledger/result_line.h"
#include "platform/delivery.h"
#include "platform/meaning.h"
#include "platform/problem.h"
#include "report/advice.h"
#include "report/metrics.h"
#include "sim/faults.h"

#define MAN_DATE "November 28, 2026"

/* Characters that mean themselves, also to be copied into a shell. Chinese stays UTF-8, as it is in
 * manual pages; what else is beyond ASCII is named, which any roff knows. */
static void add_characters(struct span text, struct buf *out)
{
    static const struct {
        char c;
        const char *escape;
    } escapes[] = {{'\\', "\\e"},  {'-', "\\-"},   {'\'', "\\(aq"}, {'"', "\\(dq"},
                   {'`', "\\(ga"}, {'^', "\\(ha"}, {'~', "\\(ti"}};

    while (text.len > 0) {
        ucs4_t c;
        int len = u8_mbtouc(&c, (const uint8_t *)text.ptr, text.len);
        size_t i = 0;
        while (i < ARRAY_LENGTH(escapes) && c != (ucs4_t)escapes[i].c)
            i++;
        if (i < ARRAY_LENGTH(escapes))
            buf_add_string(out, escapes[i].escape);
        else if (len == 1 || language_is_foreign)
            buf_add_bytes(out, text.ptr, (size_t)len);
        else
            buf_add_format(out, "\\[u%04X]", (unsigned)c);
        text = span_skip(text, (size_t)len);
    }
}

static void protect_start(struct span line, struct buf *out)
{
    if (line.len > 0 && (line.ptr[0] == '.' || line.ptr[0] == '\''))
        buf_add_string(out, "\\&");
}

/* A line as it is. */
static void add_literal(struct span line, struct buf *out)
{
    protect_start(line, out);
    add_characters(line, out);
    buf_add_char(out, '\n');
}

/* A line of what is filled, behind a macro or not; it ends at a space or with its string. man loads
 * no macros by which roff could break Chinese: where it may be is marked (\:). */
static void add_line(struct span line, struct buf *out)
{
    protect_start(line, out);
    while (line.len > 0) {
        size_t len = wrap_piece_length(line.ptr);
        add_characters(span_of(line.ptr, len), out);
        line = span_skip(line, len);
        if (line.len == 0)
            break;
        bool is_space = line.ptr[0] == ' ';
        buf_add_string(out, is_space ? " " : "\\:");
        line = span_skip(line, is_space);
    }
    buf_add_char(out, '\n');
}

enum { LINE_MAX_WIDTH = 72 };

static bool ends_sentence(struct span word)
{
    return word.len > 1 && word.ptr[word.len - 1] == '.' && word.ptr[word.len - 2] != '.';
}

/* Text as lines of the page's source: each sentence begins one, as mdoc wants it, and none is long
 * that has spaces. */
static void add_text(const char *text, struct buf *out)
{
    struct span line = span_of(text, 0);

    while (*text != '\0') {
        struct span word = span_of(text, strcspn(text, " "));
        if (line.len > 0 && (size_t)(text - line.ptr) + word.len > LINE_MAX_WIDTH) {
            add_line(line, out);
            line = span_of(text, 0);
        }
        text += word.len;
        line.len = (size_t)(text - line.ptr);
        text += *text == ' ';
        if (ends_sentence(word) || *text == '\0') {
            add_line(line, out);
            line = span_of(text, 0);
        }
    }
}

/* A mark between pieces, as wide as the language has it. */
static const char *mark(const char *english, const char *chinese)
{
    return language_is_foreign ? chinese : english;
}

static void add_item(const char *tag, const char *text, struct buf *out)
{
    buf_add_string(out, ".It ");
    add_line(span_string(tag), out);
    add_text(language_of(text), out);
}

/* Lines as they are. */
static void add_lines(struct span text, struct buf *out)
{
    buf_add_string(out, ".Bd -literal -offset indent\n");
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;
        add_literal(span_of(text.ptr, len), out);
        text = span_skip(text, len + (end != NULL));
    }
    buf_add_string(out, ".Ed\n");
}

static void add_synopsis(struct buf *out)
{
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        const char *usage = subcommands[i].usage;
        const char *operand = strstr(usage, "[options]");
        buf_add_format(out, ".Nm\n.Cm %s\n.Op Ar options\n", subcommands[i].name);
        operand = operand != NULL ? operand + strlen("[options]") : "";
        operand += *operand == ' ';
        if (*operand == '[')
            buf_add_format(out, ".Op Ar %.*s\n", (int)strcspn(operand + 1, "]"), operand + 1);
        else if (*operand != '\0')
            buf_add_format(out, ".Ar %s\n", operand);
    }
    buf_add_string(out, ".Nm\n.Cm template\n.Op Cm write | read | execute\n"
                        ".Nm\n.Cm help\n.Op Ar command | topic | word\n"
                        ".Nm\n.Cm completion bash | zsh | fish\n"
                        ".Nm\n.Cm version\n");
}

static void add_option(const struct option *option, struct buf *out)
{
    struct buf help;

    buf_add_string(out, ".It ");
    if (option->letter != '\0')
        buf_add_format(out, "Fl %c , ", option->letter);
    buf_add_format(out, "Fl \\-%s", option->name);
    if (option->value != NULL)
        buf_add_format(out, "%s Ar \"%s\"", option_is_optional(option) ? " Ns Op = Ns" : "",
                       option->value);
    buf_add_char(out, '\n');
    buf_init_text(&help, 4096);
    option_add_help(option, &help);
    add_text(buf_string(&help), out);
    buf_deinit(&help);
}

static void add_subcommand(enum subcommand subcommand, struct buf *out)
{
    const struct option *option = NULL;
    const char *group = "";

    buf_add_format(out, ".Ss nbatch %s\n", subcommands[subcommand].name);
    add_text(language_of(subcommands[subcommand].purpose), out);
    if (subcommand == COMMAND_CONFIG) {
        buf_add_string(out, ".Pp\n");
        add_text(language_of("Takes the options of nbatch run and nbatch check."), out);
        return;
    }
    while ((option = option_next(subcommand, option)) != NULL) {
        if (!option_is_used(subcommand, option))
            continue;
        if (strcmp(group, option_group(option)) != 0)
            buf_add_format(out, "%s.Pp\n%s%s\n.Bl -tag -width Ds\n",
                           group[0] != '\0' ? ".El\n" : "", language_of(option_group(option)),
                           mark(":", "："));
        group = option_group(option);
        add_option(option, out);
    }
    buf_add_string(out, ".El\n");
}

static void add_commands(struct buf *out)
{
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        add_subcommand((enum subcommand)i, out);
}

static void add_examples(struct buf *out)
{
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        add_lines(span_string(language_of(subcommands[i].examples)), out);
}

/* What follows adds items; the list around them is begun and ended by add_table. */

static void add_exit(struct buf *out)
{
    for (size_t i = 0; i < exit_meanings_count; i++)
        add_item(exit_meanings[i].status, exit_meanings[i].meaning, out);
}

static void add_columns(struct buf *out)
{
    struct column_text texts[COLUMN_TEXTS_MAX];
    size_t count = column_help_texts(texts);

    for (size_t i = 0; i < count; i++) {
        char text[sizeof(texts[i].what) + sizeof(texts[i].needed) + 32];
        buf_copy_format(text, sizeof(text), "%s. Needed: %s.", texts[i].what, texts[i].needed);
        add_item(texts[i].name, text, out);
    }
}

static void add_problems(struct buf *out)
{
    for (size_t i = 0; i < PROBLEM_CODE_COUNT; i++)
        add_item(problem_code_name((enum problem_code)i), problem_code_remedy((enum problem_code)i),
                 out);
}

static void add_results(struct buf *out)
{
    for (size_t i = 0; i < RESULT_COLUMN_COUNT; i++)
        add_item(result_column_names[i], result_column_texts[i], out);
}

static void add_statuses(struct buf *out)
{
    for (enum row_status i = 0; i < ROW_STATUS_COUNT; i++) {
        char text[512];
        buf_copy_format(text, sizeof(text), "%s. What to do: %s.", advice_status_meaning(i),
                        advice_status_remedy(i));
        add_item(row_status_name(i), text, out);
    }
}

static void add_errnos(struct buf *out)
{
    size_t count;
    const struct meaning *entries = meaning_all(&count);

    for (size_t i = 0; i < count; i++) {
        char tag[64], text[512];
        (void)snprintf(tag, sizeof(tag), "%lld %s", (long long)entries[i].number, entries[i].name);
        buf_copy_format(text, sizeof(text), "%s%s%s%s", entries[i].meaning, mark("; ", "；"),
                        entries[i].remedy,
                        meaning_is_again(entries[i].class) ? " (nbatch does, up to --max-attempts)"
                                                           : "");
        add_item(tag, text, out);
    }
}

/* What a command can have come to, and what to do then. */
static void add_states(struct buf *out)
{
    for (size_t i = 0; i < COMMAND_STATE_COUNT; i++) {
        bool asks = deliveries[i].remedy[0] != '\0';
        char text[512];
        if (asks)
            buf_copy_format(text, sizeof(text), "%s. What to do: %s.", deliveries[i].meaning,
                            deliveries[i].remedy);
        else
            buf_copy_format(text, sizeof(text), "%s%s", deliveries[i].meaning, mark(".", "。"));
        add_item(deliveries[i].word, text, out);
    }
}

/* What devices answer; the first is that it was done, the last two are no words of theirs. */
static void add_answers(struct buf *out)
{
    for (size_t i = 0; i < CONFIRM_OTHER; i++) {
        char text[512];
        if (delivery_answers[i].remedy[0] == '\0')
            continue;
        buf_copy_format(text, sizeof(text), "%s%s%s", delivery_answers[i].meaning, mark("; ", "；"),
                        delivery_answers[i].remedy);
        add_item(history_confirm_name((enum confirm)i), text, out);
    }
}

static void add_outcomes(struct buf *out)
{
    for (size_t i = 0; i < CANCEL_OUTCOME_COUNT; i++)
        add_item(cancel_words[i].word, cancel_words[i].meaning, out);
}

/* Their names and what is said of them, out of what is written for a run of which all applies. */
static void add_metrics(struct buf *out)
{
    static const char head[] = "# HELP ";
    static struct tally tally;
    const struct rollout_standing rollout = {.steps = 1, .commands = 1};
    const struct metrics metrics = {.version = "",
                                    .input = "",
                                    .tally = &tally,
                                    .results = tally.rows,
                                    .expected = 1,
                                    .rollout = &rollout,
                                    .rate_limit_per_s = 1,
                                    .last_success_s = 1,
                                    .ended = true};
    struct buf text;

    buf_init(&text, 64 * 1024);
    metrics_add_text(&metrics, &text);
    for (const char *at = buf_string(&text); (at = strstr(at, head)) != NULL;) {
        char tag[64], what[256];
        at += sizeof(head) - 1;
        size_t name = strcspn(at, " "), len = strcspn(at, "\n");
        const char *found = language_find(span_of(at + name + 1, len - name - 1));
        (void)snprintf(tag, sizeof(tag), "%.*s", (int)name, at);
        (void)snprintf(what, sizeof(what), "%.*s", (int)(len - name - 1), at + name + 1);
        add_item(tag, language_is_foreign && found != NULL ? found : what, out);
        at += len;
    }
    buf_deinit(&text);
}

static void add_faults(struct buf *out)
{
    for (size_t i = 0; i < fault_kinds_count; i++)
        add_item(fault_kinds[i].name, fault_kinds[i].help, out);
}

static const struct {
    const char *name;
    void (*add)(struct buf *out);
    bool is_list;
} tables[] = {
    {"synopsis", add_synopsis, false}, {"commands", add_commands, false},
    {"examples", add_examples, false}, {"exit", add_exit, true},
    {"columns", add_columns, true},    {"problems", add_problems, true},
    {"results", add_results, true},    {"statuses", add_statuses, true},
    {"errnos", add_errnos, true},      {"faults", add_faults, true},
    {"states", add_states, true},      {"answers", add_answers, true},
    {"outcomes", add_outcomes, true},  {"metrics", add_metrics, true},
};

/* A page that is being written. */
struct manual {
    struct buf *out;
    struct buf text; /* of the paragraph or item that goes on */
    bool in_list;
    bool is_first; /* behind a heading: no paragraph is to be begun there */
};

/* The paragraph or the item ends. */
static void flush(struct manual *page)
{
    add_text(buf_string(&page->text), page->out);
    buf_clear(&page->text);
}

static void set_list(struct manual *page, bool in_list)
{
    flush(page);
    if (in_list != page->in_list)
        buf_add_string(page->out, in_list ? ".Bl -tag -width Ds\n" : ".El\n");
    page->in_list = in_list;
}

static void add_heading(struct manual *page, const char *macro, struct span title)
{
    set_list(page, false);
    buf_add_format(page->out, "%s %.*s\n", macro, SPAN_ARG(title));
    page->is_first = true;
}

static void add_tagged(struct manual *page, struct span line)
{
    const char *colons = memmem(line.ptr, line.len, " :: ", 4);
    size_t len = colons != NULL ? (size_t)(colons - line.ptr) : line.len;

    set_list(page, true);
    buf_add_string(page->out, ".It ");
    add_literal(span_of(line.ptr, len), page->out);
    page->is_first = false;
    if (colons != NULL)
        buf_add(&page->text, span_skip(line, len + 4));
}

/* {{name}} */
static void add_table(struct manual *page, struct span line)
{
    struct span name = span_of(line.ptr + 2, line.len - 4);

    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
        if (!span_is(name, tables[i].name))
            continue;
        set_list(page, tables[i].is_list);
        tables[i].add(page->out);
        page->is_first = false;
        return;
    }
    page->out->status = STATUS_SYNTAX;
}

/* Lines of Chinese are joined as they are. */
static bool is_ascii_at_end(const struct buf *text)
{
    return (unsigned char)text->ptr[text->len - 1] < 0x80;
}

static void add_words(struct manual *page, struct span line)
{
    bool goes_on = page->text.len > 0 || (page->in_list && span_starts_with(line, "  "));

    if (!goes_on) {
        set_list(page, false);
        if (!page->is_first)
            buf_add_string(page->out, ".Pp\n");
    }
    page->is_first = false;
    if (page->text.len > 0 && is_ascii_at_end(&page->text))
        buf_add_char(&page->text, ' ');
    buf_add(&page->text, span_skip(line, strspn(line.ptr, " ")));
}

/* A line of the prose; returns how much of the text was taken. */
static size_t add_prose_line(struct manual *page, struct span rest)
{
    const char *end = memchr(rest.ptr, '\n', rest.len);
    struct span line = span_of(rest.ptr, end != NULL ? (size_t)(end - rest.ptr) : rest.len);
    size_t taken = line.len + 1;

    if (line.len == 0) {
        flush(page);
    } else if (span_starts_with(line, "# ")) {
        add_heading(page, ".Sh", span_skip(line, 2));
    } else if (span_starts_with(line, "## ")) {
        add_heading(page, ".Ss", span_skip(line, 3));
    } else if (span_starts_with(line, "- ")) {
        add_tagged(page, span_skip(line, 2));
    } else if (span_starts_with(line, "{{")) {
        add_table(page, line);
    } else if (span_starts_with(line, "    ")) {
        end = memmem(rest.ptr, rest.len, "\n\n", 2);
        taken = end != NULL ? (size_t)(end - rest.ptr) + 1 : rest.len;
        set_list(page, false);
        add_lines(span_of(rest.ptr, taken), page->out);
        page->is_first = false;
    } else {
        add_words(page, line);
    }
    return taken;
}

static void add_prose(struct span text, struct buf *out)
{
    struct manual page = {.out = out};

    buf_init(&page.text, 64 * 1024);
    while (text.len > 0) {
        size_t taken = add_prose_line(&page, text);
        text = span_skip(text, taken < text.len ? taken : text.len);
    }
    set_list(&page, false);
    if (page.text.status != STATUS_OK)
        out->status = page.text.status;
    buf_deinit(&page.text);
}

static const struct {
    const char *word; /* NULL: the page of the program */
    const char *title, *name, *about;
    int section;
    struct {
        const char *text;
        const size_t *len;
    } prose[LANGUAGE_COUNT];
} pages[] = {
    {NULL,
     "NBATCH",
     "nbatch",
     "send cached commands to NB-IoT devices on OneNET, in bulk",
     1,
     {{nbatch_text, &nbatch_text_len}, {nbatch_zh_text, &nbatch_zh_text_len}}},
    {"input",
     "NBATCH-INPUT",
     "nbatch-input",
     "the input of nbatch: columns, times, spreadsheets, problems",
     5,
     {{nbatch_input_text, &nbatch_input_text_len},
      {nbatch_input_zh_text, &nbatch_input_zh_text_len}}},
    {"results",
     "NBATCH-RESULTS",
     "nbatch-results",
     "the results of nbatch: columns, statuses, what devices did, errors",
     5,
     {{nbatch_results_text, &nbatch_results_text_len},
      {nbatch_results_zh_text, &nbatch_results_zh_text_len}}},
};

/* The title of a section that mdoc knows by its English name: groff has it in a string, since it
 * sets the head of the page and the lines of the synopsis by it. */
static const char *add_title(const char *string, const char *title, struct buf *out)
{
    if (language_is_foreign)
        buf_add_format(out, ".ds doc-section-%s %s\n", string, language_of(title));
    return language_of(title);
}

bool man_add_page(const char *name, struct buf *out)
{
    enum language language = language_is_foreign ? LANGUAGE_CHINESE : LANGUAGE_ENGLISH;
    size_t i = 0;

    while (i < ARRAY_LENGTH(pages) &&
           (name == NULL ? pages[i].word != NULL
                         : pages[i].word == NULL || strcmp(name, pages[i].word) != 0))
        i++;
    if (i == ARRAY_LENGTH(pages))
        return false;
    (void)buf_set_text(out, false);
    buf_add_format(out, ".\\\" Made by \"nbatch help man\"; change src/cli/%s%s.text.\n",
                   pages[i].name, language_is_foreign ? ".zh" : "");
    buf_add_format(out, ".Dd " MAN_DATE "\n.Dt %s %d\n.Os\n.nr doc-hyphen-flags 0\n",
                   pages[i].title, pages[i].section);
    add_title("synopsis", "SYNOPSIS", out);
    const char *title = add_title("name", "NAME", out);
    buf_add_format(out, ".Sh %s\n.Nm %s\n.Nd ", title, pages[i].name);
    add_line(span_string(language_of(pages[i].about)), out);
    add_prose(span_of(pages[i].prose[language].text, *pages[i].prose[language].len), out);
    return true;
}
