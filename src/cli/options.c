#include "cli/options.h"

#include <ctype.h>
#include <stddef.h>

#include "core/text.h"
#include "core/when.h"
#include "send/ramp.h"
#include "sim/config.h"

#define RUN      FOR_COMMAND(COMMAND_RUN)
#define CHECK    FOR_COMMAND(COMMAND_CHECK)
#define SIMULATE FOR_COMMAND(COMMAND_SIMULATE)
#define BENCH    FOR_COMMAND(COMMAND_BENCH)

enum option_kind {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_LIST,          /* a text; may be given several times */
    OPTION_OPTIONAL_TEXT, /* --name or --name=VALUE, never --name VALUE */
    OPTION_COUNT,         /* min … max */
    OPTION_BYTES,         /* min … max; 64K, 1M */
    OPTION_DURATION,
    OPTION_RATE, /* 20/s, 600/m, 5000/h */
};

struct option {
    const char *name;
    char letter; /* '\0': none */
    enum option_kind kind;
    unsigned subcommands;
    const char *value;    /* what stands for the value in the help */
    const char *fallback; /* the default, as it would be typed; NULL: none */
    size_t offset;        /* into struct settings */
    int64_t min, max;
    const char *help;
};

#define FIELD(member) offsetof(struct settings, member)

static const struct option options[] = {
    {"output", 'o', OPTION_TEXT, RUN, "FILE", NULL, FIELD(output), 0, 0,
     "results file; CSV, or JSONL by its extension .jsonl; - for standard output "
     "(default: INPUT with .results.csv in place of its extension)"},
    {"endpoint", 0, OPTION_TEXT, RUN, "URL", "https://api.heclouds.com", FIELD(endpoint), 0, 0,
     "the platform's base URL"},
    {"simulate", 0, OPTION_OPTIONAL_TEXT, RUN | BENCH, "SPEC", NULL, FIELD(simulate), 0, 0,
     "send to a simulator within the process; SPEC sets it up, such as "
     "seed=7,fault=http-503:1% "
     "(see nbatch simulate --help)"},
    {"api-key-file", 0, OPTION_TEXT, RUN | BENCH, "FILE", NULL, FIELD(api_key_file), 0, 0,
     "file with the product's MasterKey; must be readable by you alone (else: NBATCH_API_KEY)"},
    {"api-key-command", 0, OPTION_TEXT, RUN | BENCH, "CMD", NULL, FIELD(api_key_command), 0, 0,
     "a shell command that prints the MasterKey, on one line, within ten seconds"},
    {"product-id", 0, OPTION_TEXT, RUN | BENCH, "ID", NULL, FIELD(product_id), 0, 0,
     "sign tokens for this product with its access key, instead of sending a MasterKey"},
    {"access-key-file", 0, OPTION_TEXT, RUN | BENCH, "FILE", NULL, FIELD(access_key_file), 0, 0,
     "file with the product's access key, as for --api-key-file (else: NBATCH_ACCESS_KEY)"},
    {"insecure-http", 0, OPTION_FLAG, RUN | BENCH, NULL, NULL, FIELD(insecure_http), 0, 0,
     "allow a plain http endpoint that is not on this machine: the key travels readable for all"},
    {"cacert", 0, OPTION_TEXT, RUN | BENCH, "FILE", NULL, FIELD(cacert), 0, 0,
     "trust the authorities whose certificates stand in FILE (PEM), instead of the system's"},
    {"insecure", 'k', OPTION_FLAG, RUN | BENCH, NULL, NULL, FIELD(insecure), 0, 0,
     "do not verify the platform's certificate: whoever sits on the way can read the key"},
    {"proxy", 0, OPTION_TEXT, RUN | BENCH, "URL", NULL, FIELD(proxy), 0, 0,
     "send through this proxy, or none; a user and password in it are better given by NBATCH_PROXY "
     "(default: as https_proxy and its like say)"},
    {"resolve", 0, OPTION_LIST, RUN | BENCH, "HOST:PORT:ADDRESS", NULL, FIELD(resolves), 0, 0,
     "connect to ADDRESS for HOST:PORT, whatever the resolver says; may be repeated"},
    {"http2", 0, OPTION_FLAG, RUN | BENCH, NULL, NULL, FIELD(http2), 0, 0,
     "offer HTTP/2 to an https endpoint; still one request at a time on each connection"},
    {"format", 0, OPTION_TEXT, RUN | CHECK, "csv|jsonl", NULL, FIELD(format), 0, 0,
     "the input's format (default: by its extension, before .gz or .zst)"},
    {"encoding", 0, OPTION_TEXT, RUN | CHECK, "NAME", NULL, FIELD(encoding), 0, 0,
     "the input's encoding, such as gb18030, gbk or utf-16 "
     "(default: by its byte order mark, else UTF-8)"},
    {"delimiter", 0, OPTION_TEXT, RUN | CHECK, "C", NULL, FIELD(delimiter), 0, 0,
     "what stands between the cells of a CSV: one character, or comma, semicolon, tab, pipe "
     "(default: comma)"},
    {"set", 0, OPTION_LIST, RUN | CHECK, "NAME=VALUE", NULL, FIELD(sets), 0, 0,
     "the value of column NAME for every row that has none of its own; ${column} in it stands for "
     "that column's value; may be repeated"},
    {"map", 0, OPTION_LIST, RUN | CHECK, "NAME=COLUMN", NULL, FIELD(maps), 0, 0,
     "the input's COLUMN is what the platform calls NAME; may be repeated"},
    {"pass", 0, OPTION_LIST, RUN | CHECK, "NAME[,NAME...]", NULL, FIELD(passes), 0, 0,
     "columns of the input to carry into the results as they are"},
    {"max-row-bytes", 0, OPTION_BYTES, RUN | CHECK, "N", "64K", FIELD(max_row_bytes), 64,
     64 * 1024 * 1024, "a longer row is an error"},
    {"concurrency", 'c', OPTION_COUNT, RUN, "N", "64", FIELD(concurrency), 1, 1024,
     "requests in flight at most"},
    {"endpoint", 0, OPTION_TEXT, BENCH, "URL", NULL, FIELD(bench_endpoint), 0, 0,
     "send to this platform (default: a simulator within the process)"},
    {"concurrency", 'c', OPTION_TEXT, BENCH, "N[,N...]", "1,16,64,256", FIELD(concurrencies), 0, 0,
     "requests in flight at most; each is measured"},
    {"rows", 0, OPTION_COUNT, BENCH, "N", "10000", FIELD(rows), 100, 10000000,
     "commands to make up and send each time"},
    {"rounds", 0, OPTION_COUNT, BENCH, "N", "3", FIELD(rounds), 1, 100,
     "how often each is measured; the median is shown"},
    {"connect-timeout", 0, OPTION_DURATION, RUN | BENCH, "D", "5s", FIELD(connect_timeout_ms), 1, 0,
     "time for a connection to come about"},
    {"request-timeout", 0, OPTION_DURATION, RUN | BENCH, "D", "30s", FIELD(request_timeout_ms), 1,
     0, "time for a whole attempt"},
    {"skip-invalid", 0, OPTION_FLAG, RUN, NULL, NULL, FIELD(skip_invalid), 0, 0,
     "send the valid rows although others are not; those are recorded as invalid"},
    {"strict", 0, OPTION_FLAG, RUN | CHECK, NULL, NULL, FIELD(strict), 0, 0, "warnings are errors"},
    {"allow-replace", 0, OPTION_FLAG, RUN | CHECK, NULL, NULL, FIELD(allow_replace), 0, 0,
     "writes with mode 1 are meant: they delete every resource that they do not name"},
    {"yes", 'y', OPTION_FLAG, RUN | BENCH, NULL, NULL, FIELD(yes), 0, 0,
     "answer every question with yes, as --allow-replace does for one"},
    {"rate", 0, OPTION_RATE, RUN | CHECK, "N/s|m|h", NULL, FIELD(rate), 0, 0,
     "how many requests start in a second, minute or hour at most, retries included; the check "
     "says "
     "how long that takes, and which rows would be too late"},
    {"burst", 0, OPTION_COUNT, RUN, "N", "1", FIELD(burst), 1, 1000000,
     "how many of them may start back to back"},
    {"ramp", 0, OPTION_TEXT, RUN, "R..R:D", NULL, FIELD(ramp), 0, 0,
     "a rate that changes evenly, such as 10/s..500/s:5m"},
    {"canary", 0, OPTION_TEXT, RUN, "N[:PAUSE]", NULL, FIELD(canary), 0, 0,
     "send N rows, wait for them to end (and PAUSE), then go on with the others"},
    {"halt", 0, OPTION_LIST, RUN, "RULE", NULL, FIELD(halts), 0, 0,
     "stop starting rows when crossed: failed=5%, rejected=100, in_doubt=..., errno:7=3%, min=N "
     "rows before a percentage counts; may be repeated"},
    {"no-adaptive", 0, OPTION_FLAG, RUN, NULL, NULL, FIELD(no_adaptive), 0, 0,
     "do not go slower when the platform asks for it"},
    {"max-attempts", 0, OPTION_COUNT, RUN, "N", "5", FIELD(max_attempts), 1, 1000,
     "attempts for a row, the first included"},
    {"retry-delay", 0, OPTION_DURATION, RUN, "D", "200ms", FIELD(retry_delay_ms), 1, 0,
     "wait before the second attempt at most; doubles with each, and is random below that"},
    {"retry-max-delay", 0, OPTION_DURATION, RUN, "D", "30s", FIELD(retry_max_delay_ms), 1, 0,
     "the longest wait between attempts"},
    {"on-ambiguous", 0, OPTION_TEXT, RUN, "resend|hold", NULL, FIELD(on_ambiguous), 0, 0,
     "a request may have been processed, and no answer says so: send it again, or end the row as "
     "in_doubt (default: resend for write and read, hold for execute)"},
    {"outage-wait", 0, OPTION_DURATION, RUN, "D", "10m", FIELD(outage_wait_ms), 1, 0,
     "how long to wait for a platform that fails, before the run stops"},
    {"explain-retries", 0, OPTION_FLAG, RUN, NULL, NULL, FIELD(explain_retries), 0, 0,
     "show what is sent again and when, and do nothing else"},
    {"seed", 0, OPTION_COUNT, RUN, "N", "0", FIELD(seed), 0, INT64_MAX,
     "of the random waits; 0: another one each time"},
    {"problems", 0, OPTION_TEXT, RUN | CHECK, "FILE", NULL, FIELD(problems), 0, 0,
     "list every problem in FILE; CSV, or JSONL by its extension; - for standard output"},
    {"split-valid", 0, OPTION_TEXT, CHECK, "FILE", NULL, FIELD(split_valid), 0, 0,
     "write the valid rows to FILE, as they stand in the input"},
    {"split-invalid", 0, OPTION_TEXT, CHECK, "FILE", NULL, FIELD(split_invalid), 0, 0,
     "the same for the others, to be mended"},
    {"progress", 0, OPTION_TEXT, RUN | CHECK, "WHEN", "auto", FIELD(progress), 0, 0,
     "auto: a live line on a terminal, else a plain one every ten seconds; always; never"},
    {"dry-run", 'n', OPTION_FLAG, RUN, NULL, NULL, FIELD(dry_run), 0, 0,
     "check only, as nbatch check"},
    {"json", 0, OPTION_FLAG, RUN | CHECK | BENCH, NULL, NULL, FIELD(json), 0, 0,
     "the summary as one JSON object on standard output"},
    {"quiet", 'q', OPTION_FLAG, RUN | CHECK | SIMULATE | BENCH, NULL, NULL, FIELD(quiet), 0, 0,
     "say nothing but what is wrong"},
    {"help", 'h', OPTION_FLAG, RUN | CHECK | SIMULATE | BENCH, NULL, NULL, FIELD(help), 0, 0,
     "this text"},
    {"version", 'V', OPTION_FLAG, RUN | CHECK | SIMULATE | BENCH, NULL, NULL, FIELD(version), 0, 0,
     "the program's version"},
};

static const struct {
    const char *name;
    const char *usage;
    const char *purpose;
    const char *examples;
} subcommands[SUBCOMMAND_COUNT] = {
    [COMMAND_RUN] =
        {"run", "nbatch run [options] INPUT",
         "Checks the whole input, then sends every row and maps each to its uuid or errno.",
         "  nbatch run fleet.csv --simulate                  rehearse, without network and key\n"
         "  nbatch run fleet.csv --api-key-file ~/onenet.key send it\n"
         "  nbatch run fleet.csv --dry-run                   check it only\n"
         "  nbatch run imeis.csv --set obj_id=3311 --set obj_inst_id=0 --set mode=2 \\\n"
         "    --set expired_time=+7d --set 'data=[{\"res_id\":5850,\"val\":true}]'\n"
         "  nbatch run big.jsonl.gz                          results in big.results.csv\n"},
    [COMMAND_CHECK] = {"check", "nbatch check [options] INPUT",
                       "The dry run: checks every row, without any network.",
                       "  nbatch check fleet.csv\n"
                       "  nbatch check fleet.csv --json | jq .invalid\n"
                       "  nbatch check fleet.csv --split-valid good.csv --split-invalid bad.csv\n"
                       "  nbatch check from-excel.csv --encoding gb18030 --delimiter ';'\n"},
    [COMMAND_SIMULATE] =
        {"simulate", "nbatch simulate [options]",
         "Serves a OneNET platform on loopback, to rehearse against. Ends on SIGINT or SIGTERM.",
         "  nbatch simulate --listen 127.0.0.1:8080 --latency 20ms\n"
         "  nbatch simulate --fault close-after:1% --fault http-503:2% --audit audit.jsonl\n"},
    [COMMAND_BENCH] =
        {"bench", "nbatch bench [options]",
         "Measures how fast this machine sends: made-up commands, to a simulator or --endpoint.",
         "  nbatch bench\n"
         "  nbatch bench --concurrency 8,64 --rows 50000 --simulate=latency=20ms\n"
         "  nbatch bench --endpoint http://127.0.0.1:8080 --json | jq .levels\n"},
};

bool subcommand_find(const char *name, enum subcommand *ret_subcommand)
{
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        if (strcmp(name, subcommands[i].name) == 0) {
            *ret_subcommand = (enum subcommand)i;
            return true;
        }
    }
    return false;
}

const char *subcommand_nearest(const char *name)
{
    const char *names[SUBCOMMAND_COUNT];
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        names[i] = subcommands[i].name;
    return text_nearest(span_string(name), names, SUBCOMMAND_COUNT);
}

static bool in_subcommand(const struct option *option, enum subcommand subcommand)
{
    return (option->subcommands & FOR_COMMAND(subcommand)) != 0;
}

static const struct option *find_option(enum subcommand subcommand, struct span name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(options); i++)
        if (in_subcommand(&options[i], subcommand) && span_is(name, options[i].name))
            return &options[i];
    return NULL;
}

static const struct option *find_letter(enum subcommand subcommand, char letter)
{
    for (size_t i = 0; i < ARRAY_LENGTH(options); i++)
        if (in_subcommand(&options[i], subcommand) && options[i].letter == letter)
            return &options[i];
    return NULL;
}

static const struct sim_setting *find_sim_setting(struct span name)
{
    for (size_t i = 0; i < sim_settings_count; i++)
        if (span_is(name, sim_settings[i].name))
            return &sim_settings[i];
    return NULL;
}

/* "--concurrency 0: …", or "NBATCH_CONCURRENCY=0: …". */
static enum status refuse_value(const struct option *option, const char *origin, const char *value,
                                const char *wanted, struct buf *message)
{
    if (origin != NULL)
        buf_add_format(message, "%s=", origin);
    else
        buf_add_format(message, "--%s ", option->name);
    buf_add_printable(message, span_string(value));
    buf_add_format(message, ": %s", wanted);
    return STATUS_USAGE;
}

static enum status parse_bytes(struct span text, int64_t *ret_bytes)
{
    int64_t factor = 1, value = 0;

    if (text.len > 0 && (text.ptr[text.len - 1] == 'K' || text.ptr[text.len - 1] == 'k'))
        factor = 1024;
    else if (text.len > 0 && (text.ptr[text.len - 1] == 'M' || text.ptr[text.len - 1] == 'm'))
        factor = 1024 * 1024;
    if (factor > 1)
        text.len--;
    enum status status = span_to_int64(text, &value);
    if (status != STATUS_OK)
        return status;
    if (value > INT64_MAX / factor)
        return STATUS_RANGE;
    *ret_bytes = value * factor;
    return STATUS_OK;
}

static enum status set_number(const struct option *option, const char *origin, const char *value,
                              struct settings *settings, struct buf *message)
{
    int64_t number = 0;
    char wanted[128];
    enum status status;

    if (option->kind == OPTION_DURATION) {
        status = when_parse_duration(span_string(value), &number);
        if (status != STATUS_OK || number < option->min)
            return refuse_value(option, origin, value,
                                "must be a duration such as 500ms, 30s, 5m or 24h", message);
    } else {
        status = option->kind == OPTION_BYTES ? parse_bytes(span_string(value), &number)
                                              : span_to_int64(span_string(value), &number);
        (void)snprintf(wanted, sizeof(wanted), "must be a whole number of %lld–%lld",
                       (long long)option->min, (long long)option->max);
        if (status != STATUS_OK || number < option->min || number > option->max)
            return refuse_value(option, origin, value, wanted, message);
    }
    *(int64_t *)(void *)((char *)settings + option->offset) = number;
    return STATUS_OK;
}

static enum status add_to_list(const struct option *option, const char *origin, const char *value,
                               struct word_list *list, struct buf *message)
{
    if (list->count == WORD_LIST_MAX)
        return refuse_value(option, origin, value, "it is given too often", message);
    list->items[list->count++] = value;
    return STATUS_OK;
}

/* Sets an option from its text; `origin` names the environment variable that it comes from, NULL
 * for a flag. */
static enum status set_option(const struct option *option, const char *origin, const char *value,
                              struct settings *settings, struct buf *message)
{
    void *field = (char *)settings + option->offset;
    struct rate *rate;

    switch (option->kind) {
    case OPTION_FLAG:
        if (value != NULL && strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
            return refuse_value(option, origin, value, "must be 0 or 1", message);
        *(bool *)field = value == NULL || strcmp(value, "1") == 0;
        return STATUS_OK;
    case OPTION_TEXT:
        if (value[0] == '\0')
            return refuse_value(option, origin, value, "the value is empty", message);
        *(const char **)field = value;
        return STATUS_OK;
    case OPTION_OPTIONAL_TEXT:
        *(const char **)field = value != NULL ? value : "";
        return STATUS_OK;
    case OPTION_RATE:
        rate = field;
        if (!rate_parse(span_string(value), &rate->count, &rate->per_ms))
            return refuse_value(option, origin, value,
                                "must be a number and its unit, such as 20/s, 600/m or 5000/h",
                                message);
        return STATUS_OK;
    case OPTION_LIST:
        return add_to_list(option, origin, value, field, message);
    case OPTION_COUNT:
    case OPTION_BYTES:
    case OPTION_DURATION:
        break;
    }
    return set_number(option, origin, value, settings, message);
}

/* NBATCH_MAX_ROW_BYTES for --max-row-bytes. */
static void variable_name(const struct option *option, char out[64])
{
    size_t len = (size_t)snprintf(out, 64, "NBATCH_%s", option->name);
    for (size_t i = 0; i < len; i++)
        out[i] = out[i] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
}

/* Where a benchmark sends to and how much is said each time, never inherited. */
static bool has_variable(const struct option *option)
{
    return option->subcommands != BENCH && strcmp(option->name, "help") != 0 &&
           strcmp(option->name, "version") != 0;
}

static enum status set_defaults(enum subcommand subcommand, struct settings *settings,
                                struct buf *message)
{
    char variable[64];

    for (size_t i = 0; i < ARRAY_LENGTH(options); i++) {
        const struct option *option = &options[i];
        enum status status = STATUS_OK;
        if (option->fallback != NULL)
            status = set_option(option, NULL, option->fallback, settings, message);
        if (status != STATUS_OK)
            return status;
        if (!in_subcommand(option, subcommand) || !has_variable(option))
            continue;
        variable_name(option, variable);
        const char *value = getenv(variable);
        if (value != NULL)
            status = set_option(option, variable, value, settings, message);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status refuse_unknown(enum subcommand subcommand, struct span name, struct buf *message)
{
    const char *known[ARRAY_LENGTH(options) + 32];
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(options); i++)
        if (in_subcommand(&options[i], subcommand))
            known[count++] = options[i].name;
    for (size_t i = 0; subcommand == COMMAND_SIMULATE && i < sim_settings_count && i < 32; i++)
        known[count++] = sim_settings[i].name;
    const char *nearest = text_nearest(name, known, count);
    buf_add_string(message, "unknown option --");
    buf_add_printable(message, name);
    if (nearest != NULL)
        buf_add_format(message, "; did you mean --%s?", nearest);
    else
        buf_add_format(message, "; nbatch %s --help lists them", subcommands[subcommand].name);
    return STATUS_USAGE;
}

static enum status refuse_missing_value(const char *name, const char *placeholder,
                                        struct buf *message)
{
    buf_add_format(message, "--%s needs a value: --%s %s", name, name, placeholder);
    return STATUS_USAGE;
}

struct command_line {
    const struct parse_request *request;
    int next;
    bool given[ARRAY_LENGTH(options)]; /* which options stand among the words */
    struct settings *settings;
    struct buf *message;
};

static char *next_word(struct command_line *words)
{
    return words->next < words->request->argc ? words->request->argv[words->next++] : NULL;
}

static enum status take_sim_setting(struct command_line *words, const struct sim_setting *setting,
                                    const char *value)
{
    if (value == NULL)
        value = next_word(words);
    if (value == NULL)
        return refuse_missing_value(setting->name, setting->value, words->message);
    return words->request->sim_setting(words->request->sim_context, span_string(setting->name),
                                       span_string(value), words->message);
}

/* --name, --name=VALUE or --name VALUE; `text` is what stands behind the dashes. */
static enum status take_long(struct command_line *words, const char *text)
{
    size_t len = strcspn(text, "=");
    const char *value = text[len] == '=' ? text + len + 1 : NULL;
    struct span name = span_of(text, len);
    const struct option *option = find_option(words->request->subcommand, name);

    if (option == NULL && words->request->subcommand == COMMAND_SIMULATE) {
        const struct sim_setting *setting = find_sim_setting(name);
        if (setting != NULL)
            return take_sim_setting(words, setting, value);
    }
    if (option == NULL)
        return refuse_unknown(words->request->subcommand, name, words->message);
    words->given[option - options] = true;
    if (option->kind == OPTION_FLAG && value != NULL) {
        buf_add_format(words->message, "--%s takes no value", option->name);
        return STATUS_USAGE;
    }
    if (option->kind != OPTION_FLAG && option->kind != OPTION_OPTIONAL_TEXT && value == NULL)
        value = next_word(words);
    if (option->kind != OPTION_FLAG && option->kind != OPTION_OPTIONAL_TEXT && value == NULL)
        return refuse_missing_value(option->name, option->value, words->message);
    return set_option(option, NULL, value, words->settings, words->message);
}

/* -q, -c 8, -c8, -qc8: letters; the first one with a value takes the rest. */
static enum status take_letters(struct command_line *words, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        const struct option *option = find_letter(words->request->subcommand, *letters);
        if (option == NULL) {
            buf_add_format(words->message, "unknown option -");
            buf_add_printable(words->message, span_of(letters, 1));
            buf_add_format(words->message, "; nbatch %s --help lists them",
                           subcommands[words->request->subcommand].name);
            return STATUS_USAGE;
        }
        const char *value = NULL;
        if (option->kind != OPTION_FLAG) {
            value = letters[1] != '\0' ? letters + 1 : next_word(words);
            if (value == NULL)
                return refuse_missing_value(option->name, option->value, words->message);
        }
        enum status status = set_option(option, NULL, value, words->settings, words->message);
        if (status != STATUS_OK || value != NULL)
            return status;
    }
    return STATUS_OK;
}

static enum status take_input(struct command_line *words, const char *word)
{
    enum subcommand subcommand = words->request->subcommand;

    if (subcommand == COMMAND_SIMULATE || subcommand == COMMAND_BENCH) {
        buf_add_format(words->message, "%s reads no input: ", subcommands[subcommand].name);
        buf_add_printable(words->message, span_string(word));
        return STATUS_USAGE;
    }
    if (words->settings->input != NULL) {
        buf_add_string(words->message, "one input at a time, please: ");
        buf_add_printable(words->message, span_string(words->settings->input));
        buf_add_string(words->message, " and ");
        buf_add_printable(words->message, span_string(word));
        return STATUS_USAGE;
    }
    words->settings->input = word;
    return STATUS_OK;
}

/* Options of which one would silently take the other's place. The environment may set one of them.
 */
static enum status check_conflicts(const struct command_line *words)
{
    static const char *const pairs[][2] = {{"simulate", "endpoint"},
                                           {"simulate", "api-key-file"},
                                           {"simulate", "api-key-command"},
                                           {"simulate", "product-id"},
                                           {"simulate", "access-key-file"},
                                           {"simulate", "cacert"},
                                           {"simulate", "proxy"},
                                           {"simulate", "http2"},
                                           {"rate", "ramp"}};

    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
        bool both = true;
        for (size_t j = 0; j < 2 && both; j++) {
            const struct option *option =
                find_option(words->request->subcommand, span_string(pairs[i][j]));
            both = option != NULL && words->given[option - options];
        }
        if (both) {
            buf_add_format(words->message,
                           "--%s and --%s exclude each other: leave one of them out", pairs[i][0],
                           pairs[i][1]);
            return STATUS_USAGE;
        }
    }
    return STATUS_OK;
}

enum status options_parse(const struct parse_request *request, struct buf *message,
                          struct settings *ret_settings)
{
    struct settings settings = {.input = NULL};
    struct command_line words = {.request = request, .settings = &settings, .message = message};
    bool only_inputs = false;
    const char *word;

    enum status status = set_defaults(request->subcommand, &settings, message);
    while (status == STATUS_OK && (word = next_word(&words)) != NULL) {
        if (only_inputs || word[0] != '-' || word[1] == '\0')
            status = take_input(&words, word);
        else if (strcmp(word, "--") == 0)
            only_inputs = true;
        else if (word[1] == '-')
            status = take_long(&words, word + 2);
        else
            status = take_letters(&words, word + 1);
    }
    if (status == STATUS_OK)
        status = check_conflicts(&words);
    if (status == STATUS_OK)
        *ret_settings = settings;
    return status;
}

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

void options_add_help(enum subcommand subcommand, struct buf *out)
{
    buf_add_format(out, "%s\n\n%s\n\nExamples:\n%s\nOptions:\n", subcommands[subcommand].usage,
                   subcommands[subcommand].purpose, subcommands[subcommand].examples);
    for (size_t i = 0; subcommand == COMMAND_SIMULATE && i < sim_settings_count; i++) {
        char left[80];
        (void)snprintf(left, sizeof(left), "      --%s %s", sim_settings[i].name,
                       sim_settings[i].value);
        add_help_line(left, sim_settings[i].help, sim_settings[i].fallback, out);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(options); i++)
        if (in_subcommand(&options[i], subcommand))
            add_option_help(&options[i], out);
    if (subcommand == COMMAND_SIMULATE || subcommand == COMMAND_BENCH)
        return;
    buf_add_string(
        out, "\nINPUT is a CSV (.csv) or JSONL (.jsonl, .ndjson) file, or - for standard "
             "input; gzip\nand zstd are read as they are.\nDurations: 500ms, 30s, 5m. Each option "
             "can also come from the "
             "environment, such as\nNBATCH_MAX_ROW_BYTES for --max-row-bytes; a flag wins.\n");
}

void options_add_overview(struct buf *out)
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
