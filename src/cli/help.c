#include "cli/help.h"

#include <ctype.h>

#include "cli/column_help.h"
#include "cli/glossary.h"
#include "cli/man.h"
#include "cli/option_table.h"
#include "core/text.h"
#include "ledger/result_line.h"
#include "platform/delivery.h"
#include "platform/meaning.h"
#include "platform/problem.h"
#include "report/advice.h"
#include "send/retry.h"
#include "sim/faults.h"

enum { HELP_COLUMN = 28, HELP_WIDTH = 96 };

static void add_help_line(const char *left, const char *help, struct buf *out)
{
    size_t columns = text_columns(span_string(left));

    buf_add_string(out, left);
    if (columns + 2 > HELP_COLUMN)
        buf_add_format(out, "\n%*s", HELP_COLUMN, "");
    else
        buf_add_format(out, "%*s", (int)(HELP_COLUMN - columns), "");
    buf_add_wrapped(out, help, HELP_COLUMN, HELP_WIDTH);
    buf_add_char(out, '\n');
}

static void add_option_help(const struct option *option, struct buf *out)
{
    const char *value = option->value != NULL ? option->value : "";
    bool is_optional = option_is_optional(option);
    char left[80], letter[8] = "    ";
    struct buf help;

    if (option->letter != '\0')
        (void)snprintf(letter, sizeof(letter), "-%c, ", option->letter);
    (void)snprintf(left, sizeof(left), "  %s--%s%s%s%s", letter, option->name,
                   is_optional        ? "[="
                   : value[0] != '\0' ? " "
                                      : "",
                   value, is_optional ? "]" : "");
    buf_init_text(&help, 4096);
    option_add_help(option, &help);
    add_help_line(left, buf_string(&help), out);
    buf_deinit(&help);
}

/* What the states of a status file mean, and what to do. */
static void add_states(struct buf *out)
{
    buf_add_string(out, "\nRESULTS is a results file, CSV or JSONL. The state of a command:\n");
    for (size_t i = 0; i < COMMAND_STATE_COUNT; i++) {
        const struct delivery *delivery = &deliveries[i];
        char word[32];
        (void)snprintf(word, sizeof(word), "  %s", delivery->word);
        struct buf text;
        buf_init_text(&text, 1024);
        buf_add_format(&text, "%s%s%s", delivery->meaning, delivery->remedy[0] != '\0' ? "; " : "",
                       delivery->remedy);
        add_help_line(word, buf_string(&text), out);
        buf_deinit(&text);
    }
    buf_add_string(out,
                   "\nExit status: 0 all delivered, 1 some ended otherwise, 8 some are open.\n");
}

/* What can come of taking a command back. */
static void add_cancel_words(struct buf *out)
{
    buf_add_string(out, "\nRESULTS is a results file, CSV or JSONL. What comes of a command:\n");
    for (size_t i = 0; i < CANCEL_OUTCOME_COUNT; i++) {
        char word[32];
        (void)snprintf(word, sizeof(word), "  %s", cancel_words[i].word);
        add_help_line(word, cancel_words[i].meaning, out);
    }
    buf_add_string(out, "\nExit status: 0 none of them waits any more, 1 some were too late or "
                        "missing, 6 some are open or\nin doubt: call it again.\n");
}

static void add_entry(const char *name, const char *text, struct buf *out)
{
    char left[32];

    (void)snprintf(left, sizeof(left), "  %s", name);
    add_help_line(left, text, out);
}

/* The columns of the results. */
static void add_result_columns(struct buf *out)
{
    buf_add_string(out, "\nColumns:\n");
    for (size_t i = 0; i < RESULT_COLUMN_COUNT; i++)
        add_entry(result_column_names[i], result_column_texts[i], out);
    add_entry("others", "what --pass carries along", out);
}

void help_add_subcommand(enum subcommand subcommand, struct buf *out)
{
    const struct option *option = NULL;
    const char *group = "";

    buf_add_format(out, "%s\n\n%s\n\nExamples:\n%s", subcommands[subcommand].usage,
                   subcommands[subcommand].purpose, subcommands[subcommand].examples);
    while ((option = option_next(subcommand, option)) != NULL) {
        if (!option_is_used(subcommand, option))
            continue;
        if (strcmp(group, option_group(option)) != 0)
            buf_add_format(out, "\n%s:\n", option_group(option));
        group = option_group(option);
        add_option_help(option, out);
    }
    if (subcommand == COMMAND_REPORT)
        buf_add_string(
            out,
            "\nRESULTS is a results file, CSV or JSONL, also of a run that goes on or was "
            "stopped. Each row\ncounts once, by the line that counts: an accepted one, else the "
            "latest. The keys of the rows are\nkept in memory, 14-18 bytes each, and nothing "
            "else. The page is one file that loads nothing; a\nfile that is no such page is "
            "never replaced.\n");
    if (subcommand == COMMAND_STATUS)
        add_states(out);
    if (subcommand == COMMAND_CANCEL)
        add_cancel_words(out);
    if (subcommand == COMMAND_CHECK)
        buf_add_string(out, "\nThe other options of nbatch run are taken too, so that one line of "
                            "words serves both: they are\nchecked for their form, and not used.\n");
    if (subcommand == COMMAND_RESULTS)
        add_result_columns(out);
    if (subcommand == COMMAND_BENCH || subcommand == COMMAND_REPORT ||
        subcommand == COMMAND_RESULTS)
        return;
    if (strstr(subcommands[subcommand].usage, "INPUT") != NULL)
        buf_add_string(
            out, "\nINPUT is a CSV (.csv), JSONL (.jsonl, .ndjson) or Excel (.xlsx) file, or - for "
                 "standard input;\ngzip and zstd are read as they are. Durations: 500ms, 30s, 5m.");
    buf_add_string(out, "\nEach option can also come from the environment, such as NBATCH_RATE for "
                        "--rate, and from the\nfile that --config names. Flags override "
                        "variables, which override the file.\n");
}

const struct exit_meaning exit_meanings[] = {
    {"0", "every row accepted (check: every row valid)"},
    {"1", "finished, some rows not accepted"},
    {"2", "usage, or a configuration that cannot be used"},
    {"3", "input invalid, nothing sent, or changed while it was being sent"},
    {"4", "credentials refused, a server that is not trusted, or an endpoint that was never "
          "reached"},
    {"5", "stopped by --halt, --canary, --rollout, an outage, or a shortage on this machine"},
    {"6", "finished, some rows in doubt: they may have been processed"},
    {"7", "results could not be written, or an internal error"},
    {"8", "status: some commands have not come to their end"},
    {"129, 130, 143", "interrupted by SIGHUP, SIGINT, SIGTERM"},
    {"141", "the reader of what was printed went away, as of | head"},
};
const size_t exit_meanings_count = ARRAY_LENGTH(exit_meanings);

void help_add_overview(struct buf *out)
{
    char left[16];

    buf_add_string(out, "nbatch sends cached commands to NB-IoT devices on OneNET:\n"
                        "a file of rows in, a uuid or errno for each row out.\n\nExamples:\n");
    buf_add_string(out, subcommands[COMMAND_RUN].examples);
    buf_add_string(out, "\nCommands:\n");
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        char usage[80];
        buf_copy_format(usage, sizeof(usage), "  %s", subcommands[i].usage);
        add_help_line(usage, subcommands[i].purpose, out);
    }
    buf_add_string(out, "\nHelp:\n");
    add_help_line("  nbatch COMMAND --help", "the command's options, after examples", out);
    for (size_t i = 0; i < help_topics_count; i++) {
        char topic[80];
        (void)snprintf(topic, sizeof(topic), "  nbatch help %s%s%s", help_topics[i].name,
                       help_topics[i].word != NULL ? " " : "",
                       help_topics[i].word != NULL ? help_topics[i].word : "");
        add_help_line(topic, help_topics[i].what, out);
    }
    add_help_line("  nbatch template [ACTION]",
                  "a CSV to begin with: the columns of write, read or execute, and a model row",
                  out);
    add_help_line("  nbatch completion SHELL", "completions for bash, zsh or fish, to source", out);
    add_help_line("  nbatch help WORD",
                  "any word of nbatch's: an option, status, column, code or errno", out);
    add_help_line("  nbatch version", "which one this is", out);
    buf_add_string(out, "\nExit status:\n");
    for (size_t i = 0; i < exit_meanings_count; i++) {
        (void)snprintf(left, sizeof(left), "  %s", exit_meanings[i].status);
        add_help_line(left, exit_meanings[i].meaning, out);
    }
}

/* Every code that a check can give, with what to do. */
static bool add_problems(const char *word, struct buf *out)
{
    if (word != NULL)
        return false;
    for (size_t i = 0; i < PROBLEM_CODE_COUNT; i++)
        buf_add_format(out, "%-16s  %s\n", problem_code_name((enum problem_code)i),
                       problem_code_remedy((enum problem_code)i));
    return true;
}

/* What follows from a number and its text for the row that it is given for. */
static const char *again_of(enum meaning_class class)
{
    static const char *const texts[] = {
        [MEANING_ACCEPTED] = "no: it was accepted",
        [MEANING_LATER] = "yes, after a random wait that doubles, up to --max-attempts; and the "
                          "run goes slower",
        [MEANING_AGAIN] = "yes, after a random wait that doubles, up to --max-attempts",
        [MEANING_REJECTED] = "no: it would be refused again",
        [MEANING_KEY] = "no; five such answers in a row stop the run, the first of a run does "
                        "by itself",
        [MEANING_DEVICE_KEY] = "no; five such answers in a row stop the run",
        [MEANING_AMBIGUOUS] = "yes for write and read, no for execute, unless --on-ambiguous "
                              "says otherwise: it may have been processed",
    };
    return texts[class];
}

static void add_errno(const struct meaning *entry, struct buf *out)
{
    buf_add_format(out,
                   "errno %lld, \"%s\"\n  meaning      %s\n  what to do   %s\n"
                   "  sent again   %s\n",
                   (long long)entry->number, entry->name, entry->meaning, entry->remedy,
                   again_of(entry->class));
}

/* The entries of a number, or all of them; how many there are. */
static size_t add_entries(const int64_t *number, struct buf *out)
{
    size_t count, shown = 0;
    const struct meaning *entries = meaning_all(&count);

    for (size_t i = 0; i < count; i++) {
        if (number != NULL && entries[i].number != *number)
            continue;
        if (shown++ > 0)
            buf_add_char(out, '\n');
        add_errno(&entries[i], out);
    }
    return shown;
}

static bool add_errnos(const char *word, struct buf *out)
{
    int64_t number;

    if (word == NULL)
        return add_entries(NULL, out) > 0;
    if (span_to_int64(span_string(word), &number) != STATUS_OK)
        return false;
    if (add_entries(&number, out) == 0)
        buf_add_format(out,
                       "errno %lld\n  meaning      the platform documents no such number; what it "
                       "says itself is in\n               the results' column error\n"
                       "  sent again   no: nothing says that it would succeed later\n",
                       (long long)number);
    return true;
}

/* Whether a row of the table is for the number: "129, 130, 143" is for each. */
static bool is_exit(const char *statuses, const char *word)
{
    for (struct span rest = span_string(statuses); rest.len > 0;)
        if (span_is(text_trim_blanks(text_take_piece(&rest)), word))
            return true;
    return false;
}

static bool add_exits(const char *word, struct buf *out)
{
    for (size_t i = 0; i < exit_meanings_count; i++)
        if (word == NULL || is_exit(exit_meanings[i].status, word))
            add_entry(exit_meanings[i].status, exit_meanings[i].meaning, out);
    if (word == NULL)
        buf_add_string(out, "nbatch status and nbatch cancel end with 0, 1, 6 or 8 for what they "
                            "found: see their --help.\n");
    return out->len > 0;
}

static bool add_columns(const char *word, struct buf *out)
{
    struct column_text texts[COLUMN_TEXTS_MAX];
    size_t count = column_help_texts(texts);

    for (size_t i = 0; i < count && word == NULL; i++) {
        char what[sizeof(texts[i].what) + sizeof(texts[i].needed) + 32];
        buf_copy_format(what, sizeof(what), "%s [needed: %s]", texts[i].what, texts[i].needed);
        add_entry(texts[i].name, what, out);
    }
    return word == NULL;
}

static bool add_statuses(const char *word, struct buf *out)
{
    for (enum row_status i = 0; i < ROW_STATUS_COUNT && word == NULL; i++)
        buf_add_format(out, "%s\n  meaning      %s\n  what to do   %s\n", row_status_name(i),
                       advice_status_meaning(i), advice_status_remedy(i));
    return word == NULL;
}

static bool add_faults(const char *word, struct buf *out)
{
    for (size_t i = 0; i < fault_kinds_count && word == NULL; i++)
        add_entry(fault_kinds[i].name, fault_kinds[i].help, out);
    return word == NULL;
}

const struct help_topic help_topics[] = {
    {"errno", "[NUMBER]", "what the platform's error numbers mean, and what to do", add_errnos},
    {"problems", NULL, "what each problem of an input asks for", add_problems},
    {"columns", NULL, "the columns of an input, who needs them, and what is in them", add_columns},
    {"statuses", NULL, "what can become of a row, and what to do then", add_statuses},
    {"faults", NULL, "what the simulator can be told to do wrong", add_faults},
    {"exit", "[STATUS]", "what nbatch ends with", add_exits},
    {"man", "[input|results]", "a manual page, for man -l or an installation", man_add_page},
};
const size_t help_topics_count = ARRAY_LENGTH(help_topics);

const struct help_topic *help_topic_find(const char *name)
{
    for (size_t i = 0; i < help_topics_count; i++)
        if (strcmp(name, help_topics[i].name) == 0)
            return &help_topics[i];
    return NULL;
}

/* The option of each command that has one of that name; those that say the same are one. */
static bool add_options_named(struct span name, struct buf *out)
{
    const char *last = NULL;

    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        const struct option *option = option_find((enum subcommand)i, name);
        if (i == COMMAND_CONFIG || option == NULL || option->help == last)
            continue;
        buf_add_format(out, "nbatch %s\n", subcommands[i].name);
        add_option_help(option, out);
        last = option->help;
    }
    return last != NULL;
}

/* NBATCH_RATE is the option rate. */
static bool add_variable(const char *word, struct buf *out)
{
    char name[64] = "";
    size_t prefix = strlen("NBATCH_");

    if (strncmp(word, "NBATCH_", prefix) != 0 || strlen(word) - prefix >= sizeof(name))
        return false;
    for (size_t i = 0; word[prefix + i] != '\0'; i++)
        name[i] = (char)(word[prefix + i] == '_' ? '-' : tolower((unsigned char)word[prefix + i]));
    return add_options_named(span_string(name), out);
}

bool help_add_word(const char *word, struct buf *out)
{
    int64_t number;

    (void)(add_options_named(span_string(word + strspn(word, "-")), out) ||
           add_variable(word, out));
    (void)glossary_add(word, out);
    if (span_to_int64(span_string(word), &number) == STATUS_OK)
        (void)add_errnos(word, out);
    return out->len > 0;
}
