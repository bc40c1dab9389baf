#include "cli/help.h"

#include "cli/option_table.h"

enum { HELP_COLUMN = 28, HELP_WIDTH = 96 };

/* Appends text broken into lines that start at the help's right column. */
static void add_wrapped(const char *text, size_t column, struct buf *out)
{
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column + 1 + word > HELP_WIDTH) {
            buf_add_format(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            buf_add_char(out, ' ');
            column++;
        }
        buf_add_bytes(out, text, word);
        column += word;
        text += word;
        text += *text == ' ';
    }
}

static void add_help_line(const char *left, const char *help, const char *fallback, struct buf *out)
{
    size_t len = strlen(left);

    buf_add_string(out, left);
    if (len + 2 > HELP_COLUMN)
        buf_add_format(out, "\n%*s", HELP_COLUMN, "");
    else
        buf_add_format(out, "%*s", (int)(HELP_COLUMN - len), "");
    struct buf text;
    buf_init(&text, 4096);
    buf_add_string(&text, help);
    if (fallback != NULL)
        buf_add_format(&text, " (default: %s)", fallback);
    add_wrapped(buf_string(&text), HELP_COLUMN, out);
    buf_deinit(&text);
    buf_add_char(out, '\n');
}

static void add_option_help(const struct option *option, struct buf *out)
{
    char left[80];
    const char *before = option->kind == OPTION_OPTIONAL_TEXT ? "[=" : " ";
    const char *after = option->kind == OPTION_OPTIONAL_TEXT ? "]" : "";
    char letter[8] = "    ";

    if (option->letter != '\0')
        (void)snprintf(letter, sizeof(letter), "-%c, ", option->letter);
    (void)snprintf(left, sizeof(left), "  %s--%s%s%s%s", letter, option->name,
                   option->value != NULL ? before : "", option->value != NULL ? option->value : "",
                   option->value != NULL ? after : "");
    add_help_line(left, option->help, option->fallback, out);
}

void help_add_subcommand(enum subcommand subcommand, struct buf *out)
{
    buf_add_format(out, "%s\n\n%s\n\nExamples:\n%s\nOptions:\n", subcommands[subcommand].usage,
                   subcommands[subcommand].purpose, subcommands[subcommand].examples);
    for (size_t i = 0; subcommand == COMMAND_SIMULATE && i < sim_settings_count; i++) {
        char left[80];
        (void)snprintf(left, sizeof(left), "      --%s %s", sim_settings[i].name,
                       sim_settings[i].value);
        add_help_line(left, sim_settings[i].help, sim_settings[i].fallback, out);
    }
    for (size_t i = 0; i < options_count; i++)
        if (option_is_of(&options[i], subcommand))
            add_option_help(&options[i], out);
    if (subcommand == COMMAND_SIMULATE)
        return;
    buf_add_string(
        out, "\nINPUT is a CSV (.csv) or JSONL (.jsonl, .ndjson) file, or - for standard "
             "input; gzip\nand zstd are read as they are.\nDurations: 500ms, 30s, 5m. Each option "
             "can also come from the "
             "environment, such as\nNBATCH_MAX_ROW_BYTES for --max-row-bytes; a flag wins.\n");
}

void help_add_overview(struct buf *out)
{
    buf_add_string(out, "nbatch sends cached commands to NB-IoT devices on OneNET:\n"
                        "a file of rows in, a uuid or errno for each row out.\n\n");
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        add_help_line(subcommands[i].usage, subcommands[i].purpose, NULL, out);
    buf_add_string(out, "\nExamples:\n");
    buf_add_string(out, subcommands[COMMAND_RUN].examples);
    buf_add_string(
        out, "\nnbatch COMMAND --help says more, nbatch help problems what each problem of an "
             "input asks for,\n"
             "nbatch --version which one this is.\n"
             "Exit status: 0 every row accepted (check: valid), 1 some not accepted, 2 usage,\n"
             "3 input invalid and nothing sent, 4 credentials or configuration refused,\n"
             "5 stopped by --halt or an outage, 6 rows in doubt, 7 results could not be written,\n"
             "or an internal error, 130 or 143 interrupted by a signal.\n");
}
