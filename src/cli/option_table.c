#include "cli/option_table.h"

#include <ctype.h>
#include <stddef.h>

#include "core/text.h"

#define RUN      FOR_COMMAND(COMMAND_RUN)
#define CHECK    FOR_COMMAND(COMMAND_CHECK)
#define SIMULATE FOR_COMMAND(COMMAND_SIMULATE)
#define BENCH    FOR_COMMAND(COMMAND_BENCH)
#define REPORT   FOR_COMMAND(COMMAND_REPORT)

#define FIELD(member) offsetof(struct settings, member)

const struct option options[] = {
    {"config", 0, OPTION_TEXT, RUN | CHECK | SIMULATE, "FILE", NULL, FIELD(config), 0, 0,
     "take options from FILE, YAML lines such as \"rate: 20/s\"; flags and NBATCH_... variables go "
     "before it (nbatch config shows what holds)"},
    {"output", 'o', OPTION_TEXT, RUN, "FILE", NULL, FIELD(output), 0, 0,
     "results file; CSV, or JSONL by its extension .jsonl; - copies them to standard output as "
     "well "
     "(default: INPUT with .results.csv in place of its extension, .rehearsal.csv with "
     "--simulate)"},
    {"output", 'o', OPTION_TEXT, REPORT, "FILE", NULL, FIELD(output), 0, 0,
     "where to write the page; - for standard output (default: RESULTS with .html in place of its "
     "extension)"},
    {"resume", 0, OPTION_OPTIONAL_TEXT, RUN, "WHAT[,WHAT...]", NULL, FIELD(resume), 0, 0,
     "go on with the results that are there: send what has no result yet, and of the others those "
     "that are failed, rejected, invalid (all: these three) or in_doubt, where that is said"},
    {"sort", 0, OPTION_FLAG, RUN, NULL, NULL, FIELD(sort), 0, 0,
     "bring the results of a complete run into the order of its rows, one line each; lines that "
     "others have replaced go to a file beside it, such as fleet.results.superseded.csv"},
    {"endpoint", 0, OPTION_TEXT, RUN, "URL", "https://api.heclouds.com", FIELD(endpoint), 0, 0,
     "the platform's base URL; with --api v2 the default is https://iot-api.heclouds.com"},
    {"api", 0, OPTION_TEXT, RUN | CHECK | BENCH, "v1|v2", "v1", FIELD(api), 0, 0,
     "the platform's dialect; v2 is the newer OneNET: from public documents, not tried on the "
     "platform"},
    {"endpoint", 0, OPTION_TEXT, BENCH, "URL", NULL, FIELD(bench_endpoint), 0, 0,
     "send to this platform (default: a simulator within the process)"},
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
    {"user-id", 0, OPTION_TEXT, RUN | BENCH, "ID", NULL, FIELD(user_id), 0, 0,
     "with --api v2: sign tokens for this account with its access key"},
    {"access-key-file", 0, OPTION_TEXT, RUN | BENCH, "FILE", NULL, FIELD(access_key_file), 0, 0,
     "file with the access key of the product or account, as for --api-key-file (else: "
     "NBATCH_ACCESS_KEY)"},
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
    {"format", 0, OPTION_TEXT, RUN | CHECK, "csv|jsonl|xlsx", NULL, FIELD(format), 0, 0,
     "the input's format (default: by its extension, before .gz or .zst; a workbook by its first "
     "bytes)"},
    {"sheet", 0, OPTION_TEXT, RUN | CHECK, "NAME|N", NULL, FIELD(sheet), 0, 0,
     "the sheet of a workbook, by its name, or by its number from 1 on (default: the first that is "
     "not hidden)"},
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
    {"true", 0, OPTION_LIST, RUN | CHECK, "WORD[,WORD...]", NULL, FIELD(trues), 0, 0,
     "what means true in res: columns, and where a data template wants a value, such as TRUE; sent "
     "as a boolean; may be repeated"},
    {"false", 0, OPTION_LIST, RUN | CHECK, "WORD[,WORD...]", NULL, FIELD(falses), 0, 0,
     "the same for false"},
    {"imei", 0, OPTION_TEXT, RUN | CHECK, "strict|any", "strict", FIELD(imei), 0, 0,
     "what an imei is: 15 digits, the first not 0; any: also the 4 to 17 digits of a test device"},
    {"max-row-bytes", 0, OPTION_BYTES, RUN | CHECK, "N", "64K", FIELD(max_row_bytes), 64,
     64 * 1024 * 1024, "a longer row is an error"},
    {"skip-invalid", 0, OPTION_FLAG, RUN, NULL, NULL, FIELD(skip_invalid), 0, 0,
     "send the valid rows although others are not; those are recorded as invalid"},
    {"strict", 0, OPTION_FLAG, RUN | CHECK, NULL, NULL, FIELD(strict), 0, 0, "warnings are errors"},
    {"allow-replace", 0, OPTION_FLAG, RUN | CHECK, NULL, NULL, FIELD(allow_replace), 0, 0,
     "writes with mode 1 are meant: they delete every resource that they do not name"},
    {"yes", 'y', OPTION_FLAG, RUN | BENCH, NULL, NULL, FIELD(yes), 0, 0,
     "answer every question with yes: replace as --allow-replace does, send columns of mixed "
     "values as they are"},
    {"concurrency", 'c', OPTION_COUNT, RUN, "N", "64", FIELD(concurrency), 1, 1024,
     "requests in flight at most"},
    {"concurrency", 'c', OPTION_TEXT, BENCH, "N[,N...]", "1,16,64,256", FIELD(concurrencies), 0, 0,
     "requests in flight at most; each is measured"},
    {"rows", 0, OPTION_COUNT, BENCH, "N", "10000", FIELD(rows), 100, 10000000,
     "commands to make up and send each time"},
    {"rounds", 0, OPTION_COUNT, BENCH, "N", "3", FIELD(rounds), 1, 100,
     "how often each is measured; the median is shown"},
    {"rate", 0, OPTION_RATE, RUN | CHECK, "N/s|m|h|none", NULL, FIELD(rate), 0, 0,
     "how many requests start in a second, minute or hour at most, retries included; the check "
     "says how long that takes, and which rows would be too late; none: as many as go (default: "
     "what the platform documents, at its own hosts: 300/s, with --api v2 100/s; else none)"},
    {"burst", 0, OPTION_COUNT, RUN, "N", "1", FIELD(burst), 1, 1000000,
     "how many of them may start back to back"},
    {"ramp", 0, OPTION_TEXT, RUN, "R..R:D", NULL, FIELD(ramp), 0, 0,
     "a rate that changes evenly, such as 10/s..500/s:5m"},
    {"canary", 0, OPTION_TEXT, RUN, "N[:PAUSE]", NULL, FIELD(canary), 0, 0,
     "send N rows, wait for them to end (and PAUSE), then go on with the others if all were "
     "accepted"},
    {"canary-accept", 0, OPTION_TEXT, RUN, "P%|N", NULL, FIELD(canary_accept), 0, 0,
     "how many of the canary's rows are to be accepted for the others to be sent: a share such as "
     "90%, or a number (default: all of them); else the run stops"},
    {"halt", 0, OPTION_LIST, RUN, "RULE", NULL, FIELD(halts), 0, 0,
     "stop starting rows when crossed: failed=5%, rejected=100, in_doubt=..., errno:7=3%, min=N "
     "rows before a percentage counts; may be repeated"},
    {"no-adaptive", 0, OPTION_FLAG, RUN, NULL, NULL, FIELD(no_adaptive), 0, 0,
     "do not go slower when the platform asks for it"},
    {"connect-timeout", 0, OPTION_DURATION, RUN | BENCH, "D", "5s", FIELD(connect_timeout_ms), 1, 0,
     "time for a connection to come about"},
    {"request-timeout", 0, OPTION_DURATION, RUN | BENCH, "D", "30s", FIELD(request_timeout_ms), 1,
     0, "time for a whole attempt"},
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
     "write the valid rows to FILE, as they stand in the input; of a workbook, as CSV"},
    {"split-invalid", 0, OPTION_TEXT, CHECK, "FILE", NULL, FIELD(split_invalid), 0, 0,
     "the same for the others, to be mended"},
    {"progress", 0, OPTION_TEXT, RUN | CHECK, "auto|always|never", "auto", FIELD(progress), 0, 0,
     "a live line on a terminal, else a plain one every ten seconds; always: live in any case"},
    {"verbose", 'v', OPTION_FLAG, RUN, NULL, NULL, FIELD(verbose), 0, 0,
     "show what became of each attempt, also in the log"},
    {"log", 0, OPTION_TEXT, RUN, "FILE", NULL, FIELD(log), 0, 0,
     "add what happens to FILE: a JSON object a line, for the start, the end and all between"},
    {"metrics-file", 0, OPTION_TEXT, RUN, "FILE", NULL, FIELD(metrics_file), 0, 0,
     "keep FILE up to date for Prometheus (node_exporter's textfile collector takes NAME.prom)"},
    {"report", 0, OPTION_TEXT, RUN, "FILE", NULL, FIELD(report), 0, 0,
     "write an HTML page of the run to FILE at its end, also when it was stopped; takes 14-21 "
     "bytes "
     "of memory a row (nbatch report makes one of the results later)"},
    {"no-color", 0, OPTION_FLAG, RUN | CHECK | SIMULATE | BENCH | REPORT, NULL, NULL,
     FIELD(no_color), 0, 0, "no colours on a terminal, as with the variable NO_COLOR"},
    {"dry-run", 'n', OPTION_FLAG, RUN, NULL, NULL, FIELD(dry_run), 0, 0,
     "check only, as nbatch check"},
    {"json", 0, OPTION_FLAG, RUN | CHECK | BENCH, NULL, NULL, FIELD(json), 0, 0,
     "the summary as one JSON object on standard output"},
    {"quiet", 'q', OPTION_FLAG, RUN | CHECK | SIMULATE | BENCH | REPORT, NULL, NULL, FIELD(quiet),
     0, 0, "say nothing but what is wrong"},
    {"help", 'h', OPTION_FLAG, RUN | CHECK | SIMULATE | BENCH | REPORT, NULL, NULL, FIELD(help), 0,
     0, "this text"},
    {"version", 'V', OPTION_FLAG, RUN | CHECK | SIMULATE | BENCH | REPORT, NULL, NULL,
     FIELD(version), 0, 0, "the program's version"},
};

const size_t options_count = ARRAY_LENGTH(options);

_Static_assert(ARRAY_LENGTH(options) <= OPTIONS_MAX, "OPTIONS_MAX has room for the table");

/* Each begins at an option of the table. */
static const struct {
    const char *first;
    const char *title;
} groups[] = {
    {"config", "Configuration and results"},
    {"endpoint", "Where to, and with which key"},
    {"format", "Input"},
    {"concurrency", "Pace, and when to stop"},
    {"connect-timeout", "Attempts"},
    {"problems", "What is shown"},
};

const struct subcommand_text subcommands[SUBCOMMAND_COUNT] = {
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
    [COMMAND_REPORT] =
        {"report", "nbatch report [options] RESULTS",
         "Makes an HTML page of a run's results: what became of the rows, why, how fast.",
         "  nbatch report fleet.results.csv                  the page is fleet.results.html\n"
         "  nbatch report fleet.results.jsonl -o monday.html\n"
         "  nbatch run fleet.csv --report fleet.html         makes it at the end of a run\n"},
    [COMMAND_CONFIG] =
        {"config", "nbatch config [options] [INPUT]",
         "Shows what nbatch run and check would go by, and where each value comes from.",
         "  nbatch config --config ops.yaml --rate 20/s      which of the two holds?\n"
         "  nbatch config > ops.yaml                         a file to begin with\n"},
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

bool option_is_of(const struct option *option, enum subcommand subcommand)
{
    unsigned wanted = subcommand == COMMAND_CONFIG ? RUN | CHECK : FOR_COMMAND(subcommand);
    return (option->subcommands & wanted) != 0;
}

const struct option *option_find(enum subcommand subcommand, struct span name)
{
    for (size_t i = 0; i < options_count; i++)
        if (option_is_of(&options[i], subcommand) && span_is(name, options[i].name))
            return &options[i];
    return NULL;
}

const struct option *option_find_letter(enum subcommand subcommand, char letter)
{
    for (size_t i = 0; i < options_count; i++)
        if (option_is_of(&options[i], subcommand) && options[i].letter == letter)
            return &options[i];
    return NULL;
}

const struct sim_setting *option_find_sim_setting(struct span name)
{
    for (size_t i = 0; i < sim_settings_count; i++)
        if (span_is(name, sim_settings[i].name))
            return &sim_settings[i];
    return NULL;
}

void option_variable(const char *name, char out[OPTION_VARIABLE_MAX])
{
    size_t len = (size_t)snprintf(out, OPTION_VARIABLE_MAX, "NBATCH_%s", name);
    for (size_t i = 0; i < len; i++)
        out[i] = out[i] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
}

bool option_asks_for_text(const struct option *option)
{
    return strcmp(option->name, "help") == 0 || strcmp(option->name, "version") == 0;
}

/* Where a benchmark sends to and how much, and where a report goes, is said each time, never
 * inherited. */
bool option_has_variable(const struct option *option)
{
    return option->subcommands != BENCH && option->subcommands != REPORT &&
           !option_asks_for_text(option);
}

bool option_in_config(const struct option *option)
{
    return option_has_variable(option) && strcmp(option->name, "config") != 0;
}

static const char *group_of(size_t option, const char *before)
{
    for (size_t i = 0; i < ARRAY_LENGTH(groups); i++)
        if (strcmp(options[option].name, groups[i].first) == 0)
            return groups[i].title;
    return before;
}

size_t option_views(enum subcommand subcommand, struct option_view views[OPTION_VIEWS_MAX])
{
    const char *group = "";
    size_t count = 0;

    for (size_t i = 0; i < sim_settings_count && subcommand == COMMAND_SIMULATE; i++)
        views[count++] =
            (struct option_view){.name = sim_settings[i].name,
                                 .group = "The platform",
                                 .value = sim_settings[i].value,
                                 .fallback = sim_settings[i].fallback,
                                 .help = sim_settings[i].help,
                                 .repeats = strcmp(sim_settings[i].name, "fault") == 0};
    for (size_t i = 0; i < options_count; i++) {
        const struct option *option = &options[i];
        group = group_of(i, group);
        if (option_is_of(option, subcommand))
            views[count++] = (struct option_view){.name = option->name,
                                                  .letter = option->letter,
                                                  .group = group,
                                                  .value = option->value,
                                                  .optional = option->kind == OPTION_OPTIONAL_TEXT,
                                                  .repeats = option->kind == OPTION_LIST,
                                                  .fallback = option->fallback,
                                                  .help = option->help};
    }
    return count;
}
