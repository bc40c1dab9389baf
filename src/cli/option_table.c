#include "cli/option_table.h"

#include <ctype.h>
#include <stddef.h>

#include "core/text.h"

#define FOR_COMMAND(subcommand) (1u << (subcommand))
#define RUN                     FOR_COMMAND(COMMAND_RUN)
#define CHECK                   FOR_COMMAND(COMMAND_CHECK)
#define SIMULATE                FOR_COMMAND(COMMAND_SIMULATE)
#define BENCH                   FOR_COMMAND(COMMAND_BENCH)
#define REPORT                  FOR_COMMAND(COMMAND_REPORT)
#define WORK                    FOR_COMMAND(COMMAND_WORK)
#define JOBS                    FOR_COMMAND(COMMAND_JOBS)
#define RESULTS                 FOR_COMMAND(COMMAND_RESULTS)
#define SHARE                   FOR_COMMAND(COMMAND_SHARE)
#define SHARED                  (WORK | JOBS | RESULTS | SHARE)

#define FIELD(member)     offsetof(struct settings, member)
#define RUN_FIELD(member) offsetof(struct settings, run.member)

enum { SIM_OPTIONS_MAX = 32 };

/* What is in front of the next comma, which is taken away with it. */
static struct span take_piece(struct span *rest)
{
    const char *comma = memchr(rest->ptr, ',', rest->len);
    size_t len = comma != NULL ? (size_t)(comma - rest->ptr) : rest->len;
    struct span piece = span_of(rest->ptr, len);

    *rest = span_skip(*rest, len + (comma != NULL ? 1 : 0));
    return piece;
}

/* --resume=failed,rejected */
static bool set_resume(struct settings *settings, struct span value, struct buf *wanted)
{
    static const struct {
        const char *name;
        bool status[ROW_STATUS_COUNT];
    } words[] = {
        {"failed", {[ROW_FAILED] = true}},
        {"rejected", {[ROW_REJECTED] = true}},
        {"invalid", {[ROW_INVALID] = true}},
        {"in_doubt", {[ROW_IN_DOUBT] = true}},
        {"all", {[ROW_FAILED] = true, [ROW_REJECTED] = true, [ROW_INVALID] = true}},
    };
    struct resume resume = {.on = true};

    while (value.len > 0) {
        struct span word = take_piece(&value);
        size_t i = 0;
        while (i < ARRAY_LENGTH(words) && !span_is(word, words[i].name))
            i++;
        if (i == ARRAY_LENGTH(words)) {
            buf_add_string(wanted, "must be failed, rejected, invalid, in_doubt or all (the first "
                                   "three), with commas between them, or nothing");
            return false;
        }
        for (size_t j = 0; j < ROW_STATUS_COUNT; j++)
            resume.status[j] = resume.status[j] || words[i].status[j];
    }
    settings->run.resume = resume;
    return true;
}

static bool set_delimiter(struct settings *settings, struct span value, struct buf *wanted)
{
    if (reader_delimiter_of(value.ptr, &settings->run.delimiter))
        return true;
    buf_add_string(wanted, "must be one ASCII character that is no letter, digit, space or double "
                           "quote, or comma, semicolon, tab, pipe");
    return false;
}

/* It becomes part of a file's name. */
static bool set_job(struct settings *settings, struct span value, struct buf *wanted)
{
    static const char others[] = "-_.@";
    bool is_good = value.len > 0 && value.len <= JOB_NAME_MAX && value.ptr[0] != '.';

    for (size_t i = 0; i < value.len; i++)
        is_good = is_good && (isalnum((unsigned char)value.ptr[i]) != 0 ||
                              strchr(others, value.ptr[i]) != NULL);
    if (is_good)
        settings->run.job = value.ptr;
    else
        buf_add_format(wanted,
                       "must be 1–%d letters, digits and the characters %s, the first no "
                       "full stop",
                       JOB_NAME_MAX, others);
    return is_good;
}

static bool set_levels(struct settings *settings, struct span value, struct buf *wanted)
{
    struct levels levels = {.count = 0};
    bool ends = false;
    int64_t level;

    while (!ends) {
        ends = memchr(value.ptr, ',', value.len) == NULL;
        if (levels.count == LEVELS_MAX || span_to_int64(take_piece(&value), &level) != STATUS_OK ||
            level < 1 || level > CONCURRENCY_MAX) {
            buf_add_format(wanted, "must be at most %d numbers of 1–%d, such as 1,16,64",
                           LEVELS_MAX, CONCURRENCY_MAX);
            return false;
        }
        levels.items[levels.count++] = (size_t)level;
    }
    settings->run.levels = levels;
    return true;
}

static bool set_ramp(struct settings *settings, struct span value, struct buf *wanted)
{
    return ramp_parse(value, &settings->run.ramp, wanted) == STATUS_OK;
}

static bool set_canary(struct settings *settings, struct span value, struct buf *wanted)
{
    return canary_parse(value, &settings->run.canary, wanted) == STATUS_OK;
}

/* Options are carried out in the order of the table, in which this one is behind --canary. */
static bool set_canary_accept(struct settings *settings, struct span value, struct buf *wanted)
{
    if (settings->run.canary.rows > 0)
        return canary_parse_accept(value, &settings->run.canary, wanted) == STATUS_OK;
    buf_add_string(wanted, "there is no canary; say how many rows go ahead with --canary N");
    return false;
}

static bool set_halt(struct settings *settings, struct span value, struct buf *wanted)
{
    return halt_parse(&settings->run.halt, value, wanted) == STATUS_OK;
}

/* What stands behind the help in a row are columns with names. */
static const struct option table[] = {
    {"config", 0, OPTION_FILE, RUN | CHECK | SIMULATE | WORK | SHARE, "FILE", NULL, FIELD(config),
     .help = "take options from FILE, YAML lines such as \"rate: 20/s\"; flags and NBATCH_... "
             "variables go before it (nbatch config shows what holds)",
     .group = "Configuration and results", .places = IN_VARIABLE},
    {"output", 'o', OPTION_FILE, RUN, "FILE", NULL, RUN_FIELD(output),
     .help = "results file; CSV, or JSONL by its extension .jsonl; - copies them to standard "
             "output as well (default: INPUT with .results.csv in place of its extension, "
             ".rehearsal.csv with --simulate)",
     .carry = CARRY_RESULTS},
    {"output", 'o', OPTION_FILE, REPORT, "FILE", NULL, RUN_FIELD(output),
     .help = "where to write the page; - for standard output (default: RESULTS with .html in place "
             "of its extension)",
     .places = IN_FLAG_ONLY},
    {"output", 'o', OPTION_FILE, RESULTS, "FILE", NULL, RUN_FIELD(output),
     .help = "where to write them; CSV, or JSONL by its extension (default: standard output, CSV)",
     .places = IN_FLAG_ONLY},
    {"resume", 0, OPTION_SET_OPTIONAL, RUN, "WHAT[,WHAT...]", NULL,
     .help = "go on with the results that are there: send what has no result yet, and of the "
             "others those that are failed, rejected, invalid (all: these three) or in_doubt, "
             "where that is said",
     .set = set_resume, .rival = "dry-run", .carry = CARRY_NOT},
    {"sort", 0, OPTION_FLAG, RUN, NULL, NULL, RUN_FIELD(sort),
     .help =
         "bring the results of a complete run into the order of its rows, one line each; lines "
         "that others have replaced go to a file beside it, such as fleet.results.superseded.csv"},
    {"endpoint", 0, OPTION_TEXT, RUN | WORK, "URL", "https://api.heclouds.com", RUN_FIELD(endpoint),
     .help = "the platform's base URL; with --api v2 the default is https://iot-api.heclouds.com",
     .group = "Where to, and with which key", .rival = "simulate", .secret = SECRET_USER},
    {"api", 0, OPTION_CHOICE, RUN | CHECK | BENCH | WORK, "v1|v2", "v1", RUN_FIELD(api),
     .help = "the platform's dialect; v2 is the newer OneNET: from public documents, not tried on "
             "the platform"},
    {"endpoint", 0, OPTION_TEXT, BENCH, "URL", NULL, RUN_FIELD(bench_endpoint),
     .help = "send to this platform (default: a simulator within the process)", .rival = "simulate",
     .places = IN_FLAG_ONLY, .secret = SECRET_USER},
    {"simulate", 0, OPTION_OPTIONAL_TEXT, RUN | BENCH, "SPEC", NULL, RUN_FIELD(simulate),
     .help = "send to a simulator within the process; SPEC sets it up, such as "
             "seed=7,fault=http-503:1% (see nbatch simulate --help)"},
    {"api-key-file", 0, OPTION_FILE, RUN | BENCH | WORK, "FILE", NULL, RUN_FIELD(api_key_file),
     .help =
         "file with the product's MasterKey; must be readable by you alone (else: NBATCH_API_KEY)",
     .rival = "simulate"},
    {"api-key-command", 0, OPTION_TEXT, RUN | BENCH | WORK, "CMD", NULL, RUN_FIELD(api_key_command),
     .help = "a shell command that prints the MasterKey, on one line, within ten seconds",
     .rival = "simulate", .secret = SECRET_VALUE},
    {"product-id", 0, OPTION_TEXT, RUN | BENCH | WORK, "ID", NULL, RUN_FIELD(product_id),
     .help = "sign tokens for this product with its access key, instead of sending a MasterKey",
     .rival = "simulate"},
    {"user-id", 0, OPTION_TEXT, RUN | BENCH | WORK, "ID", NULL, RUN_FIELD(user_id),
     .help = "with --api v2: sign tokens for this account with its access key",
     .rival = "simulate"},
    {"access-key-file", 0, OPTION_FILE, RUN | BENCH | WORK, "FILE", NULL,
     RUN_FIELD(access_key_file),
     .help = "file with the access key of the product or account, as for --api-key-file (else: "
             "NBATCH_ACCESS_KEY)",
     .rival = "simulate"},
    {"insecure-http", 0, OPTION_FLAG, RUN | BENCH | WORK, NULL, NULL, RUN_FIELD(insecure_http),
     .help = "allow a plain http endpoint that is not on this machine: the key travels readable "
             "for all"},
    {"cacert", 0, OPTION_FILE, RUN | BENCH | WORK, "FILE", NULL, RUN_FIELD(cacert),
     .help =
         "trust the authorities whose certificates stand in FILE (PEM), instead of the system's",
     .rival = "simulate"},
    {"insecure", 'k', OPTION_FLAG, RUN | BENCH | WORK, NULL, NULL, RUN_FIELD(insecure),
     .help = "do not verify the platform's certificate: whoever sits on the way can read the key"},
    {"proxy", 0, OPTION_TEXT, RUN | BENCH | WORK, "URL", NULL, RUN_FIELD(proxy),
     .help = "send through this proxy, or none; a user and password in it are better given by "
             "NBATCH_PROXY (default: as https_proxy and its like say)",
     .rival = "simulate", .secret = SECRET_USER},
    {"resolve", 0, OPTION_LIST, RUN | BENCH | WORK, "HOST:PORT:ADDRESS", NULL, RUN_FIELD(resolves),
     .help = "connect to ADDRESS for HOST:PORT, whatever the resolver says; may be repeated"},
    {"http2", 0, OPTION_FLAG, RUN | BENCH | WORK, NULL, NULL, RUN_FIELD(http2),
     .help = "offer HTTP/2 to an https endpoint; still one request at a time on each connection",
     .rival = "simulate"},
    {"format", 0, OPTION_CHOICE, RUN | CHECK, "csv|jsonl|xlsx", NULL, RUN_FIELD(format),
     .help = "the input's format (default: by its extension, before .gz or .zst; a workbook by its "
             "first bytes)",
     .group = "Input"},
    {"sheet", 0, OPTION_TEXT, RUN | CHECK, "NAME|N", NULL, RUN_FIELD(sheet),
     .help = "the sheet of a workbook, by its name, or by its number from 1 on (default: the first "
             "that is not hidden)"},
    {"encoding", 0, OPTION_TEXT, RUN | CHECK, "NAME", NULL, RUN_FIELD(encoding),
     .help = "the input's encoding, such as gb18030, gbk or utf-16 (default: by its byte order "
             "mark, else UTF-8)"},
    {"delimiter", 0, OPTION_SET, RUN | CHECK, "C", NULL,
     .help = "what stands between the cells of a CSV: one character, or comma, semicolon, tab, "
             "pipe (default: comma)",
     .set = set_delimiter},
    {"set", 0, OPTION_LIST, RUN | CHECK, "NAME=VALUE", NULL, RUN_FIELD(sets),
     .help = "the value of column NAME for every row that has none of its own; ${column} in it "
             "stands for that column's value; may be repeated"},
    {"map", 0, OPTION_LIST, RUN | CHECK, "NAME=COLUMN", NULL, RUN_FIELD(maps),
     .help = "the input's COLUMN is what the platform calls NAME; may be repeated"},
    {"pass", 0, OPTION_LIST, RUN | CHECK, "NAME[,NAME...]", NULL, RUN_FIELD(passes),
     .help = "columns of the input to carry into the results as they are"},
    {"true", 0, OPTION_LIST, RUN | CHECK, "WORD[,WORD...]", NULL, RUN_FIELD(trues),
     .help = "what means true in res: columns, and where a data template wants a value, such as "
             "TRUE; sent as a boolean; may be repeated"},
    {"false", 0, OPTION_LIST, RUN | CHECK, "WORD[,WORD...]", NULL, RUN_FIELD(falses),
     .help = "the same for false"},
    {"imei", 0, OPTION_CHOICE, RUN | CHECK, "strict|any", "strict", RUN_FIELD(imei),
     .help = "what an imei is: 15 digits, the first not 0; any: also the 4 to 17 digits of a test "
             "device"},
    {"max-row-bytes", 0, OPTION_BYTES, RUN | CHECK, "N", "64K", RUN_FIELD(max_row_bytes), .min = 64,
     .max = 64 * 1024 * 1024, .help = "a longer row is an error"},
    {"skip-invalid", 0, OPTION_FLAG, RUN, NULL, NULL, RUN_FIELD(skip_invalid),
     .help = "send the valid rows although others are not; those are recorded as invalid"},
    {"strict", 0, OPTION_FLAG, RUN | CHECK, NULL, NULL, RUN_FIELD(strict),
     .help = "warnings are errors"},
    {"allow-replace", 0, OPTION_FLAG, RUN | CHECK, NULL, NULL, RUN_FIELD(allow_replace),
     .help = "writes with mode 1 are meant: they delete every resource that they do not name"},
    {"yes", 'y', OPTION_FLAG, RUN | BENCH, NULL, NULL, RUN_FIELD(yes),
     .help = "answer every question with yes: replace as --allow-replace does, send columns of "
             "mixed values as they are"},
    {"concurrency", 'c', OPTION_COUNT, RUN | WORK, "N", "64", RUN_FIELD(concurrency), .min = 1,
     .max = 1024, .help = "requests in flight at most", .group = "Pace, and when to stop"},
    {"concurrency", 'c', OPTION_SET, BENCH, "N[,N...]", "1,16,64,256",
     .help = "requests in flight at most; each is measured", .set = set_levels,
     .places = IN_FLAG_ONLY},
    {"rows", 0, OPTION_COUNT, BENCH, "N", "10000", RUN_FIELD(rows), .min = 100, .max = 10000000,
     .help = "commands to make up and send each time", .places = IN_FLAG_ONLY},
    {"rounds", 0, OPTION_COUNT, BENCH, "N", "3", RUN_FIELD(rounds), .min = 1, .max = 100,
     .help = "how often each is measured; the median is shown", .places = IN_FLAG_ONLY},
    {"rate", 0, OPTION_RATE, RUN | CHECK | WORK, "N/s|m|h|none", NULL, RUN_FIELD(rate),
     .help = "how many requests start in a second, minute or hour at most, retries included; the "
             "check says how long that takes, and which rows would be too late; none: as many as "
             "go (default: what the platform documents, at its own hosts: 300/s, with --api v2 "
             "100/s; else none)"},
    {"burst", 0, OPTION_COUNT, RUN | WORK, "N", "1", RUN_FIELD(burst), .min = 1, .max = 1000000,
     .help = "how many of them may start back to back"},
    {"ramp", 0, OPTION_SET, RUN, "R..R:D", NULL,
     .help = "a rate that changes evenly, such as 10/s..500/s:5m", .set = set_ramp, .rival = "rate",
     .beats_rival = true},
    {"canary", 0, OPTION_SET, RUN, "N[:PAUSE]", NULL,
     .help = "send N rows, wait for them to end (and PAUSE), then go on with the others if all "
             "were accepted",
     .set = set_canary},
    {"canary-accept", 0, OPTION_SET, RUN, "P%|N", NULL,
     .help = "how many of the canary's rows are to be accepted for the others to be sent: a share "
             "such as 90%, or a number (default: all of them); else the run stops",
     .set = set_canary_accept},
    {"halt", 0, OPTION_SET_LIST, RUN | WORK, "RULE", NULL,
     .help = "stop starting rows when crossed: failed=5%, rejected=100, in_doubt=..., errno:7=3%, "
             "min=N rows before a percentage counts; may be repeated",
     .set = set_halt},
    {"no-adaptive", 0, OPTION_FLAG, RUN, NULL, NULL, RUN_FIELD(no_adaptive),
     .help = "do not go slower when the platform asks for it"},
    {"connect-timeout", 0, OPTION_DURATION, RUN | BENCH | WORK, "D", "5s",
     RUN_FIELD(connect_timeout_ms), .min = 1, .help = "time for a connection to come about",
     .group = "Attempts"},
    {"request-timeout", 0, OPTION_DURATION, RUN | BENCH | WORK, "D", "30s",
     RUN_FIELD(request_timeout_ms), .min = 1, .help = "time for a whole attempt"},
    {"max-attempts", 0, OPTION_COUNT, RUN | WORK, "N", "5", RUN_FIELD(max_attempts), .min = 1,
     .max = 1000, .help = "attempts for a row, the first included"},
    {"retry-delay", 0, OPTION_DURATION, RUN | WORK, "D", "200ms", RUN_FIELD(retry_delay_ms),
     .min = 1,
     .help = "wait before the second attempt at most; doubles with each, and is random below that"},
    {"retry-max-delay", 0, OPTION_DURATION, RUN | WORK, "D", "30s", RUN_FIELD(retry_max_delay_ms),
     .min = 1, .help = "the longest wait between attempts"},
    {"on-ambiguous", 0, OPTION_CHOICE, RUN, "resend|hold", NULL, RUN_FIELD(on_ambiguous),
     .help = "a request may have been processed, and no answer says so: send it again, or end the "
             "row as in_doubt (default: resend for write and read, hold for execute)"},
    {"outage-wait", 0, OPTION_DURATION, RUN | WORK, "D", "10m", RUN_FIELD(outage_wait_ms), .min = 1,
     .help = "how long to wait for a platform that fails, before the run stops"},
    {"explain-retries", 0, OPTION_FLAG, RUN, NULL, NULL, FIELD(explain_retries),
     .help = "show what is sent again and when, and do nothing else", .is_private = true},
    {"seed", 0, OPTION_COUNT, RUN | WORK, "N", "0", RUN_FIELD(seed), .min = 0, .max = INT64_MAX,
     .help = "of the random waits; 0: another one each time"},
    {"share", 0, OPTION_TEXT, RUN | SHARED, "URI", NULL, RUN_FIELD(share),
     .help = "the PostgreSQL database of jobs that several machines share, as libpq takes it: "
             "postgresql://USER@HOST/DATABASE; what it leaves out comes from PG... variables, "
             "service files and ~/.pgpass, the password always",
     .group = "Several machines", .secret = SECRET_USER},
    {"job", 0, OPTION_SET, WORK | RESULTS, "NAME", NULL,
     .help = "the shared job, as nbatch jobs names it", .set = set_job},
    {"share-only-rate", 0, OPTION_FLAG, RUN, NULL, NULL, RUN_FIELD(share_only_rate),
     .help = "a run of its own, with a results file, that keeps the limit which its account has in "
             "the database of --share"},
    {"pause", 0, OPTION_TEXT, JOBS, "JOB", NULL, RUN_FIELD(pause_job),
     .help = "start no row of a job any more; its workers wait", .places = IN_FLAG_ONLY},
    {"resume", 0, OPTION_TEXT, JOBS, "JOB", NULL, RUN_FIELD(resume_job),
     .help = "go on with a job that was paused or stopped", .places = IN_FLAG_ONLY},
    {"stop", 0, OPTION_TEXT, JOBS, "JOB", NULL, RUN_FIELD(stop_job),
     .help = "end a job before its rows do; its workers leave", .places = IN_FLAG_ONLY},
    {"remove", 0, OPTION_TEXT, JOBS, "JOB", NULL, RUN_FIELD(remove_job),
     .help = "remove a job with its rows and results", .places = IN_FLAG_ONLY},
    {"problems", 0, OPTION_FILE, RUN | CHECK, "FILE", NULL, RUN_FIELD(problems),
     .help = "list every problem in FILE; CSV, or JSONL by its extension; - for standard output",
     .group = "What is shown"},
    {"split-valid", 0, OPTION_FILE, CHECK, "FILE", NULL, RUN_FIELD(split_valid),
     .help = "write the valid rows to FILE, as they stand in the input; of a workbook, as CSV"},
    {"split-invalid", 0, OPTION_FILE, CHECK, "FILE", NULL, RUN_FIELD(split_invalid),
     .help = "the same for the others, to be mended"},
    {"progress", 0, OPTION_CHOICE, RUN | CHECK | WORK, "auto|always|never", "auto", FIELD(progress),
     .help =
         "a live line on a terminal, else a plain one every ten seconds; always: live in any case",
     .is_private = true},
    {"verbose", 'v', OPTION_FLAG, RUN | WORK, NULL, NULL, FIELD(verbose),
     .help = "show what became of each attempt, also in the log", .is_private = true},
    {"job", 0, OPTION_SET, RUN, "NAME", NULL,
     .help = "the job's name, in the log, in metrics (label job_name), and in the name of the "
             "results where --output gives none: NAME.results.csv beside the input; with --share "
             "the shared job's (default: made of the file's name and the time)",
     .set = set_job},
    {"log", 0, OPTION_FILE, RUN, "FILE", NULL, RUN_FIELD(log),
     .help =
         "add what happens to FILE: a JSON object a line, for the start, the end and all between"},
    {"metrics-file", 0, OPTION_FILE, RUN, "FILE", NULL, RUN_FIELD(metrics_file),
     .help = "keep FILE up to date for Prometheus (node_exporter's textfile collector takes "
             "NAME.prom)"},
    {"report", 0, OPTION_FILE, RUN, "FILE", NULL, RUN_FIELD(report),
     .help = "write an HTML page of the run to FILE at its end, also when it was stopped; takes "
             "14-18 bytes of memory a row (nbatch report makes one of the results later)"},
    {"no-color", 0, OPTION_FLAG, RUN | CHECK | SIMULATE | BENCH | REPORT | SHARED, NULL, NULL,
     FIELD(no_color), .help = "no colours on a terminal, as with the variable NO_COLOR",
     .is_private = true},
    {"dry-run", 'n', OPTION_FLAG, RUN, NULL, NULL, FIELD(dry_run),
     .help = "check only, as nbatch check", .is_private = true},
    {"json", 0, OPTION_FLAG, RUN | CHECK | BENCH | WORK, NULL, NULL, RUN_FIELD(json),
     .help = "the summary as one JSON object on standard output", .is_private = true},
    {"quiet", 'q', OPTION_FLAG, RUN | CHECK | SIMULATE | BENCH | REPORT | SHARED, NULL, NULL,
     FIELD(quiet), .help = "say nothing but what is wrong", .is_private = true},
    {"help", 'h', OPTION_FLAG, RUN | CHECK | SIMULATE | BENCH | REPORT | SHARED, NULL, NULL,
     FIELD(help), .help = "this text", .places = IN_FLAG_ONLY, .is_text = true, .is_private = true},
    {"version", 'V', OPTION_FLAG, RUN | CHECK | SIMULATE | BENCH | REPORT | SHARED, NULL, NULL,
     FIELD(version), .help = "the program's version", .places = IN_FLAG_ONLY, .is_text = true,
     .is_private = true},
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
    [COMMAND_WORK] =
        {"work", "nbatch work [options]",
         "Works at a job that nbatch run --share has loaded, beside other machines, until it is "
         "complete.",
         "  nbatch work --share postgresql://ops@db/nbatch --job fleet-20261128-093000 \\\n"
         "    --api-key-file ~/onenet.key\n"},
    [COMMAND_JOBS] =
        {"jobs", "nbatch jobs [options]", "Lists the shared jobs, or pauses, stops or removes one.",
         "  nbatch jobs --share postgresql://ops@db/nbatch\n"
         "  nbatch jobs --share postgresql://ops@db/nbatch --pause fleet-20261128-093000\n"},
    [COMMAND_RESULTS] =
        {"results", "nbatch results [options]",
         "Writes the results of a shared job as they are now, in the order of its input.",
         "  nbatch results --share postgresql://ops@db/nbatch --job fleet-20261128-093000 \\\n"
         "    -o fleet.results.csv\n"},
    [COMMAND_SHARE] =
        {"share", "nbatch share [options] init",
         "Makes the schema of shared jobs in a database, or brings it up to this version.",
         "  nbatch share init --share postgresql://admin@db/nbatch\n"},
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

const struct option *options_all(size_t *ret_count)
{
    static struct option all[OPTIONS_MAX];
    static size_t count;

    if (count == 0) {
        for (size_t i = 0; i < sim_settings_count; i++)
            all[count++] = (struct option){.name = sim_settings[i].name,
                                           .kind = OPTION_SIMULATOR,
                                           .subcommands = SIMULATE,
                                           .value = sim_settings[i].value,
                                           .fallback = sim_settings[i].fallback,
                                           .help = sim_settings[i].help,
                                           .group = i == 0 ? "The platform" : NULL};
        _Static_assert(ARRAY_LENGTH(table) + SIM_OPTIONS_MAX <= OPTIONS_MAX, "there is room");
        memcpy(all + count, table, sizeof(table));
        count += ARRAY_LENGTH(table);
    }
    *ret_count = count;
    return all;
}

static bool is_of(const struct option *option, enum subcommand subcommand)
{
    unsigned wanted = subcommand == COMMAND_CONFIG ? RUN | CHECK : FOR_COMMAND(subcommand);
    return (option->subcommands & wanted) != 0;
}

const struct option *option_next(enum subcommand subcommand, const struct option *option)
{
    size_t count;
    const struct option *all = options_all(&count);

    for (option = option == NULL ? all : option + 1; option < all + count; option++)
        if (is_of(option, subcommand))
            return option;
    return NULL;
}

const struct option *option_find(enum subcommand subcommand, struct span name)
{
    const struct option *option = NULL;

    while ((option = option_next(subcommand, option)) != NULL)
        if (span_is(name, option->name))
            break;
    return option;
}

const struct option *option_find_letter(enum subcommand subcommand, char letter)
{
    const struct option *option = NULL;

    while ((option = option_next(subcommand, option)) != NULL)
        if (option->letter == letter)
            break;
    return option;
}

const char *option_group(const struct option *option)
{
    while (option->group == NULL) /* the first option begins one */
        option--;
    return option->group;
}

bool option_repeats(const struct option *option)
{
    return option->kind == OPTION_LIST || option->kind == OPTION_SET_LIST ||
           (option->kind == OPTION_SIMULATOR && strcmp(option->name, "fault") == 0);
}

bool option_is_optional(const struct option *option)
{
    return option->kind == OPTION_OPTIONAL_TEXT || option->kind == OPTION_SET_OPTIONAL;
}

void option_variable(const struct option *option, char out[OPTION_VARIABLE_MAX])
{
    size_t len = (size_t)snprintf(out, OPTION_VARIABLE_MAX, "NBATCH_%s", option->name);
    for (size_t i = 0; i < len; i++)
        out[i] = out[i] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
}

void option_add_help(const struct option *option, struct buf *out)
{
    buf_add_string(out, option->help);
    if (option->fallback != NULL)
        buf_add_format(out, " (default: %s)", option->fallback);
}
