#include "cli/man.h"

#include "cli/help.h"
#include "cli/option_table.h"
#include "platform/meaning.h"
#include "platform/problem.h"

#define MAN_DATE "November 25, 2026"

/* The character at the text's start, which is UTF-8; how many bytes it has in `ret_len`. */
static uint32_t decode(const char *text, size_t *ret_len)
{
    unsigned char lead = (unsigned char)text[0];
    size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t c = len == 1 ? lead : lead & (0x7fu >> len);

    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((unsigned char)text[i] & 0x3fu);
    *ret_len = len;
    return c;
}

/* A character that means itself, also to be copied into a shell. */
static void add_character(uint32_t c, struct buf *out)
{
    static const struct {
        char c;
        const char *escape;
    } escapes[] = {{'\\', "\\e"},  {'-', "\\-"},   {'\'', "\\(aq"}, {'"', "\\(dq"},
                   {'`', "\\(ga"}, {'^', "\\(ha"}, {'~', "\\(ti"}};

    for (size_t i = 0; i < ARRAY_LENGTH(escapes); i++) {
        if (c == (unsigned char)escapes[i].c) {
            buf_add_string(out, escapes[i].escape);
            return;
        }
    }
    if (c < 0x80)
        buf_add_char(out, (char)c);
    else
        buf_add_format(out, "\\[u%04X]", (unsigned)c);
}

/* Text on one line, which a macro may stand before. */
static void add_line(const char *text, struct buf *out)
{
    for (const char *at = text; *at != '\0';) {
        size_t len;
        uint32_t c = decode(at, &len);
        if (at == text && (c == '.' || c == '\''))
            buf_add_string(out, "\\&");
        add_character(c, out);
        at += len;
    }
    buf_add_char(out, '\n');
}

enum { LINE_MAX_WIDTH = 72 };

/* Text as lines of the page's source: each sentence begins one, as mdoc wants it, and none is long.
 */
static void add_text(const char *text, struct buf *out)
{
    char line[512];
    size_t len = 0;

    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (len > 0 && len + 1 + word > LINE_MAX_WIDTH) {
            add_line(line, out);
            len = 0;
        }
        len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%.*s", len > 0 ? " " : "",
                                (int)word, text);
        bool ends = word > 1 && text[word - 1] == '.' && text[word - 2] != '.';
        text += word;
        text += *text == ' ';
        if (ends || *text == '\0') {
            add_line(line, out);
            len = 0;
        }
    }
}

static void add_paragraph(const char *text, struct buf *out)
{
    buf_add_string(out, ".Pp\n");
    add_text(text, out);
}

static void add_item(const char *tag, const char *text, struct buf *out)
{
    buf_add_string(out, ".It ");
    add_line(tag, out);
    add_text(text, out);
}

/* Lines that stand as they are. */
static void add_display(const char *text, struct buf *out)
{
    buf_add_string(out, ".Bd -literal -offset indent\n");
    while (*text != '\0') {
        char line[256];
        size_t len = strcspn(text, "\n");
        size_t indent = strspn(text, " ");
        indent = indent < 2 ? indent : 2;
        (void)snprintf(line, sizeof(line), "%.*s", (int)(len - indent), text + indent);
        add_line(line, out);
        text += len;
        text += *text == '\n';
    }
    buf_add_string(out, ".Ed\n");
}

static void add_synopsis(struct buf *out)
{
    buf_add_string(out, ".Sh SYNOPSIS\n");
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
    buf_add_string(out, ".Nm\n.Cm help\n.Op Ar command | topic Op Ar word\n"
                        ".Nm\n.Cm completion bash | zsh | fish\n");
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
    buf_init(&help, 4096);
    option_add_help(option, &help);
    add_text(buf_string(&help), out);
    buf_deinit(&help);
}

static void add_subcommand(enum subcommand subcommand, struct buf *out)
{
    const struct option *option = NULL;
    const char *group = "";

    buf_add_format(out, ".Ss nbatch %s\n", subcommands[subcommand].name);
    add_text(subcommands[subcommand].purpose, out);
    if (subcommand == COMMAND_CONFIG) {
        add_paragraph("Takes the options of nbatch run and nbatch check.", out);
        return;
    }
    while ((option = option_next(subcommand, option)) != NULL) {
        if (!option_is_used(subcommand, option))
            continue;
        if (strcmp(group, option_group(option)) != 0)
            buf_add_format(out, "%s.Pp\n%s:\n.Bl -tag -width Ds\n", group[0] != '\0' ? ".El\n" : "",
                           option_group(option));
        group = option_group(option);
        add_option(option, out);
    }
    buf_add_string(out, ".El\n");
}

static void add_configuration(struct buf *out)
{
    buf_add_string(out, ".Sh CONFIGURATION\n");
    add_text("Every option but --help and --version can be set in four places. A flag goes before "
             "a variable, a variable before the file that --config names, the file before the "
             "default. Options that may be repeated add up over the places; of values with the "
             "same NAME= those of the highest place hold. nbatch config shows what holds and where "
             "it comes from.",
             out);
    add_paragraph("The file is YAML: names of options without dashes, and texts or lists of texts; "
                  "options without a value are true or false. "
                  "What another command takes is passed over, so that one file serves all. A key "
                  "cannot stand in it.",
                  out);
    add_display("  endpoint: https://api.heclouds.com\n"
                "  api-key-file: /etc/nbatch/onenet.key\n"
                "  rate: 20/s\n"
                "  skip-invalid: true\n"
                "  set:\n"
                "    - obj_id=3311\n"
                "    - 'data=[{\"res_id\":5850,\"val\":${level}}]'\n",
                out);
}

static void add_environment(struct buf *out)
{
    buf_add_string(out, ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n");
    add_item("NBATCH_API_KEY", "The MasterKey, where no option says where to find it.", out);
    add_item("NBATCH_ACCESS_KEY", "The product's access key, likewise, for --product-id.", out);
    add_item("CREDENTIALS_DIRECTORY",
             "Set by systemd: the files api-key and access-key in it are taken where nothing else "
             "gives a key.",
             out);
    add_item("NBATCH_CONFIG, NBATCH_RATE, NBATCH_MAX_ROW_BYTES and so on",
             "What --config, --rate, --max-row-bytes and so on would say.", out);
    add_item("https_proxy, all_proxy and the like", "The proxy, where --proxy names none.", out);
    add_item("NO_COLOR", "Where it is not empty, there are no colours on a terminal.", out);
    add_item("TERM", "Where it is dumb, there are neither colours nor a live line.", out);
    buf_add_string(out, ".El\n");
}

static void add_codes(struct buf *out)
{
    size_t count;
    const struct meaning *entries = meaning_all(&count);
    char tag[64];

    buf_add_string(out, ".Sh DIAGNOSTICS\n");
    add_text("Numbers that the platform answers with (nbatch help errno):", out);
    buf_add_string(out, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < count; i++) {
        char text[512];
        (void)snprintf(tag, sizeof(tag), "%lld %s", (long long)entries[i].number, entries[i].name);
        const char *again =
            meaning_is_again(entries[i].class) ? " (nbatch does, up to --max-attempts)" : "";
        (void)snprintf(text, sizeof(text), "%s; %s%s", entries[i].meaning, entries[i].remedy,
                       again);
        add_item(tag, text, out);
    }
    buf_add_string(out, ".El\n");
    add_paragraph("What is wrong with an input (nbatch help problems); codes with W- are warnings:",
                  out);
    buf_add_string(out, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < PROBLEM_CODE_COUNT; i++)
        add_item(problem_code_name((enum problem_code)i), problem_code_remedy((enum problem_code)i),
                 out);
    buf_add_string(out, ".El\n");
}

void man_add_page(struct buf *out)
{
    buf_add_string(out, ".\\\" Made by \"nbatch help man\"; change src/cli/man.c.\n"
                        ".Dd " MAN_DATE "\n.Dt NBATCH 1\n.Os\n"
                        ".Sh NAME\n.Nm nbatch\n.Nd send cached commands to NB-IoT devices on "
                        "OneNET, in bulk\n");
    add_synopsis(out);
    buf_add_string(out, ".Sh DESCRIPTION\n");
    add_text("Takes a CSV or JSONL file with a command in each row, checks all of it before "
             "anything is sent, sends every row, and writes a results file that maps each row to "
             "its uuid or errno. Every input row ends in exactly one result row, nothing is sent "
             "twice without being counted, and the commands for one device are sent in file order.",
             out);
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        add_subcommand((enum subcommand)i, out);
    add_configuration(out);
    add_environment(out);
    buf_add_string(out, ".Sh EXIT STATUS\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < exit_meanings_count; i++)
        add_item(exit_meanings[i].status, exit_meanings[i].meaning, out);
    buf_add_string(out, ".El\n.Sh EXAMPLES\n");
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        add_display(subcommands[i].examples, out);
    add_codes(out);
}
