#include "cli/option_table.h"

#include <ctype.h>
#include <stddef.h>

#include "cli/option_setters.h"
#include "core/text.h"

#define FOR_COMMAND(subcommand) (1u << (subcommand))
#define RUN                     FOR_COMMAND(COMMAND_RUN)
#define CHECK                   FOR_COMMAND(COMMAND_CHECK)
#define ONLINE                  CHECK /* which asks the platform with --online alone */
#define SIMULATE                FOR_COMMAND(COMMAND_SIMULATE)
#define BENCH                   FOR_COMMAND(COMMAND_BENCH)
#define REPORT                  FOR_COMMAND(COMMAND_REPORT)
#define STATUS                  FOR_COMMAND(COMMAND_STATUS)
#define CANCEL                  FOR_COMMAND(COMMAND_CANCEL)
#define VERIFY                  FOR_COMMAND(COMMAND_VERIFY)
#define SNAPSHOT                FOR_COMMAND(COMMAND_SNAPSHOT)
#define RESULTS                 FOR_COMMAND(COMMAND_RESULTS)
#define WORK                    FOR_COMMAND(COMMAND_WORK)
#define JOBS                    FOR_COMMAND(COMMAND_JOBS)
#define SHARE                   FOR_COMMAND(COMMAND_SHARE)
#define READING                 (RUN | CHECK | BENCH | SNAPSHOT)
#define ASKING                  (STATUS | CANCEL | VERIFY | SNAPSHOT)
#define SHARED                  (WORK | JOBS | RESULTS | SHARE)
#define EVERY                   (RUN | CHECK | SIMULATE | BENCH | REPORT | ASKING | SHARED)

#define FIELD(member)     offsetof(struct settings, member)
#define RUN_FIELD(member) offsetof(struct settings, run.member)

enum { SIM_OPTIONS_MAX = 32 };

/* What follows the help in a row are columns with names. */
static const struct option table[] = {
    {"config", 0, OPTION_FILE, RUN | CHECK | SIMULATE | BENCH | ASKING | WORK | SHARE, "FILE", NULL,
     FIELD(config),
     .help = "take options from FILE, YAML lines such as \"rate: 20/s\"; flags and NBATCH_... "
             "variables override it (nbatch config shows what counts)",
     .group = "Configuration and results", .places = IN_VARIABLE},
    {"output", 'o', OPTION_FILE, RUN, "FILE", NULL, RUN_FIELD(output),
     .help = "results file; CSV, or JSONL by its extension .jsonl; - copies them to standard "
             "output as well (default: INPUT with .results.csv in place of its extension, "
             ".rehearsal.csv with --simulate)",
     .carry = CARRY_RESULTS},
    {"output", 'o', OPTION_FILE, BENCH, "FILE", NULL, RUN_FIELD(output),
     .help = "results file of an INPUT, as of nbatch run (default: as there)",
     .places = IN_FLAG_ONLY},
    {"output", 'o', OPTION_FILE, REPORT, "FILE", NULL, RUN_FIELD(output),
     .help = "where to write the page; - for standard output (default: RESULTS with .html in place "
             "of its extension)",
     .places = IN_FLAG_ONLY},
    {"dated", 0, OPTION_FLAG, RUN, NULL, NULL, RUN_FIELD(dated),
     .help =
         "for a job that is started again and again: name the results by the start's time, such "
         "as fleet-20261128-020000.results.csv, with a link fleet.latest.results.csv; go on "
         "with a run that was stopped; refuse an input that was sent whole before",
     .carry = CARRY_NOT},
    {"again", 0, OPTION_FLAG, RUN, NULL, NULL, RUN_FIELD(again),
     .help = "with --dated: begin anew, although the input was sent before or a run was stopped",
     .carry = CARRY_NOT},
    {"keep", 0, OPTION_DURATION, RUN, "D", NULL, RUN_FIELD(keep_ms), .min = 1000,
     .help = "with --dated: remove complete results that are older, such as 30d",
     .carry = CARRY_NOT},
    {"output", 'o', OPTION_FILE, STATUS, "FILE", NULL, RUN_FIELD(output),
     .help = "status file; CSV, or JSONL by its extension .jsonl; - for standard output (default: "
             "fleet.status.csv for fleet.results.csv)",
     .places = IN_FLAG_ONLY},
    {"output", 'o', OPTION_FILE, CANCEL, "FILE", NULL, RUN_FIELD(output),
     .help = "where to add what came of each command; CSV, or JSONL by its extension (default: "
             "RESULTS with .cancelled.csv in place of .results.csv)",
     .places = IN_FLAG_ONLY},
    {"output", 'o', OPTION_FILE, RESULTS, "FILE", NULL, RUN_FIELD(output),
     .help = "where to write them; of a shared job as CSV, or JSONL by its extension (default: "
             "standard output, CSV)",
     .places = IN_FLAG_ONLY},
    {"yes", 'y', OPTION_FLAG, CANCEL, NULL, NULL, RUN_FIELD(yes),
     .help = "take back without a question", .places = IN_FLAG_ONLY},
    {"yes", 'y', OPTION_FLAG, VERIFY, NULL, NULL, RUN_FIELD(yes),
     .help = "go on without a question where accepted rows are missing from the results",
     .places = IN_FLAG_ONLY},
    {"settle", 0, OPTION_SET, VERIFY, "D,D", NULL,
     .help =
         "how long after a row's last attempt the platform's history is looked at, and once "
         "more before a row is called not processed (default: 10s,60s); an execute is called so "
         "only where this is given",
     .set = option_set_settle, .places = IN_FLAG_ONLY},
    {"values", 0, OPTION_FILE, STATUS, "FILE", NULL, RUN_FIELD(values),
     .help = "add what reads have brought to FILE, one line a value, numbers digit for digit; CSV, "
             "or JSONL by its extension; - for standard output",
     .places = IN_FLAG_ONLY},
    {"from-push", 0, OPTION_FILE, STATUS, "FILE", NULL, RUN_FIELD(from_push),
     .help =
         "ask nothing, and take what the platform has pushed: a JSON body a line; - for standard "
         "input",
     .places = IN_FLAG_ONLY, .carry = CARRY_NOT},
    {"resume", 0, OPTION_FLAG, SNAPSHOT, NULL, NULL, RUN_FIELD(resume.on),
     .help = "go on with the snapshot that is there: ask again what was not answered, and wait",
     .places = IN_FLAG_ONLY, .carry = CARRY_NOT},
    {"resume", 0, OPTION_SET_OPTIONAL, RUN, "WHAT[,WHAT...]", NULL,
     .help = "go on with the results that are there: send what has no result yet, and of the "
             "others those that are failed, rejected, invalid (all: these three) or in_doubt, "
             "where that is said; of the accepted ones those that nbatch status found expired, or "
             "undelivered (expired, failed, refused, missing), or that nbatch cancel took back "
             "(cancelled)",
     .set = option_set_resume, .rival = "dry-run", .carry = CARRY_NOT},
    {"status", 0, OPTION_FILE, RUN | REPORT | CANCEL, "FILE", NULL, RUN_FIELD(status),
     .help = "what nbatch status found out about the results (default: the file beside them, such "
             "as fleet.status.csv)",
     .carry = CARRY_NOT},
    {"sort", 0, OPTION_FLAG, RUN, NULL, NULL, RUN_FIELD(sort),
     .help =
         "bring the results of a complete run into the order of its rows, one line each; lines "
         "that others have replaced go to a file beside it, such as fleet.results.superseded.csv"},
    {"endpoint", 0, OPTION_TEXT, RUN | CHECK | ASKING | WORK, "URL", "https://api.heclouds.com",
     RUN_FIELD(endpoint),
     .help = "the platform's base URL; with --api v2 the default is https://iot-api.heclouds.com",
     .group = OPTION_GROUP_TARGET, .rival = "simulate", .secret = SECRET_USER},
    {"api", 0, OPTION_CHOICE, RUN | CHECK | BENCH | ASKING | WORK, "v1|v2", "v1", RUN_FIELD(api),
     .help = "the platform's dialect; v2 is the newer OneNET: from public documents, not tried on "
             "the platform"},
    {"endpoint", 0, OPTION_TEXT, BENCH, "URL", NULL, RUN_FIELD(bench_endpoint),
     .help = "send to this platform (default: a simulator within the process)", .rival = "simulate",
     .places = IN_FLAG_ONLY, .secret = SECRET_USER},
    {"simulate", 0, OPTION_OPTIONAL_TEXT, RUN | ONLINE | BENCH, "SPEC", NULL, RUN_FIELD(simulate),
     .help = "send to a simulator within the process; SPEC sets it up, such as "
             "seed=7,fault=http-503:1% (see nbatch simulate --help)"},
    {"api-key-file", 0, OPTION_FILE, RUN | ONLINE | BENCH | ASKING | WORK, "FILE", NULL,
     RUN_FIELD(api_key_file),
     .help =
         "file with the product's MasterKey; must be readable by you alone (else: NBATCH_API_KEY)",
     .rival = "simulate"},
    {"api-key-command", 0, OPTION_TEXT, RUN | ONLINE | BENCH | ASKING | WORK, "CMD", NULL,
     RUN_FIELD(api_key_command),
     .help = "a shell command that prints the MasterKey, on one line, within ten seconds",
     .rival = "simulate", .secret = SECRET_VALUE},
    {"product-id", 0, OPTION_TEXT, RUN | ONLINE | BENCH | ASKING | WORK, "ID", NULL,
     RUN_FIELD(product_id),
     .help = "sign tokens for this product with its access key, instead of sending a MasterKey",
     .rival = "simulate"},
    {"user-id", 0, OPTION_TEXT, RUN | ONLINE | BENCH | ASKING | WORK, "ID", NULL,
     RUN_FIELD(user_id), .help = "with --api v2: sign tokens for this account with its access key",
     .rival = "simulate"},
    {"access-key-file", 0, OPTION_FILE, RUN | ONLINE | BENCH | ASKING | WORK, "FILE", NULL,
     RUN_FIELD(access_key_file),
     .help = "file with the access key of the product or account, as for --api-key-file (else: "
             "NBATCH_ACCESS_KEY)",
     .rival = "simulate"},
    {"insecure-http", 0, OPTION_FLAG, RUN | ONLINE | BENCH | ASKING | WORK, NULL, NULL,
     RUN_FIELD(insecure_http),
     .help = "allow a plain http endpoint that is not on this machine: the key travels readable "
             "for all"},
    {"cacert", 0, OPTION_FILE, RUN | ONLINE | BENCH | ASKING | WORK, "FILE", NULL,
     RUN_FIELD(cacert),
     .help = "trust the authorities whose certificates are in FILE (PEM), instead of the system's",
     .rival = "simulate"},
    {"insecure", 'k', OPTION_FLAG, RUN | ONLINE | BENCH | ASKING | WORK, NULL, NULL,
     RUN_FIELD(insecure),
     .help = "do not verify the platform's certificate: whoever sits on the way can read the key"},
    {"proxy", 0, OPTION_TEXT, RUN | ONLINE | BENCH | ASKING | WORK, "URL", NULL, RUN_FIELD(proxy),
     .help = "send through this proxy, or none; a user and password in it are better given by "
             "NBATCH_PROXY (default: as https_proxy and its like say)",
     .rival = "simulate", .secret = SECRET_USER},
    {"resolve", 0, OPTION_LIST, RUN | ONLINE | BENCH | ASKING | WORK, "HOST:PORT:ADDRESS", NULL,
     RUN_FIELD(resolves),
     .help = "connect to ADDRESS for HOST:PORT, whatever the resolver says; may be repeated"},
    {"http2", 0, OPTION_FLAG, RUN | ONLINE | BENCH | ASKING | WORK, NULL, NULL, RUN_FIELD(http2),
     .help = "offer HTTP/2 to an https endpoint; still one request at a time on each connection",
     .rival = "simulate"},
    {"format", 0, OPTION_CHOICE, READING, "csv|jsonl|xlsx", NULL, RUN_FIELD(format),
     .help = "the input's format (default: by its extension, before .gz or .zst; a workbook by its "
             "first bytes)",
     .group = "Input"},
    {"sheet", 0, OPTION_TEXT, READING, "NAME|N", NULL, RUN_FIELD(sheet),
     .help = "the sheet of a workbook, by its name, or by its number from 1 on (default: the first "
             "that is not hidden)"},
    {"encoding", 0, OPTION_TEXT, READING, "NAME", NULL, RUN_FIELD(encoding),
     .help = "the input's encoding, such as gb18030, gbk or utf-16 (default: by its byte order "
             "mark, else UTF-8)"},
    {"delimiter", 0, OPTION_SET, READING, "C", NULL,
     .help = "what stands between the cells of a CSV: one character, or comma, semicolon, tab, "
             "pipe (default: comma)",
     .set = option_set_delimiter},
    {"header-line", 0, OPTION_COUNT, READING, "N", NULL, RUN_FIELD(header_line), .min = 1,
     .max = 1048576,
     .help =
         "the line (of a workbook, the row) that the names of the columns are on; what is above "
         "it is left out (default: the first that is not blank)"},
    {"set", 0, OPTION_LIST, READING, "NAME=VALUE", NULL, RUN_FIELD(sets),
     .help = "the value of column NAME for every row that has none of its own; ${column} in it "
             "stands for that column's value; may be repeated"},
    {"map", 0, OPTION_LIST, READING, "NAME=COLUMN", NULL, RUN_FIELD(maps),
     .help = "the input's COLUMN is what the platform calls NAME; may be repeated"},
    {"pass", 0, OPTION_LIST, READING, "NAME[,NAME...]", NULL, RUN_FIELD(passes),
     .help = "columns of the input to carry into the results as they are"},
    {"true", 0, OPTION_LIST, READING, "WORD[,WORD...]", NULL, RUN_FIELD(trues),
     .help = "what means true in res: columns, and where a data template wants a value, such as "
             "TRUE or on; sent as a boolean; may be repeated"},
    {"false", 0, OPTION_LIST, READING, "WORD[,WORD...]", NULL, RUN_FIELD(falses),
     .help = "the same for false"},
    {"imei", 0, OPTION_CHOICE, READING, "strict|any", "strict", RUN_FIELD(imei),
     .help = "what an imei is: 15 digits, the first not 0; any: also the 4 to 17 digits of a test "
             "device"},
    {"max-row-bytes", 0, OPTION_BYTES, READING, "N", "64K", RUN_FIELD(max_row_bytes), .min = 64,
     .max = 64 * 1024 * 1024, .help = "a longer row is an error"},
    {"expect-rows", 0, OPTION_SET, RUN, "N..M", NULL,
     .help = "refuse an input that has fewer or more rows: a guard for jobs that nobody watches",
     .set = option_set_expected},
    {"max-age", 0, OPTION_DURATION, RUN, "D", NULL, RUN_FIELD(max_age_ms), .min = 1000,
     .help = "refuse an input that was last changed longer ago, such as 20h", .carry = CARRY_NOT},
    {"skip-invalid", 0, OPTION_FLAG, RUN | BENCH, NULL, NULL, RUN_FIELD(skip_invalid),
     .help = "send the valid rows although others are not; those are recorded as invalid"},
    {"only-in", 0, OPTION_FILE, RUN, "FILE", NULL, RUN_FIELD(only_in),
     .help = "send only rows for instances that are in FILE, such as fleet.rollback.csv, which "
             "nbatch snapshot wrote: of the others nobody knows the old values; they end as "
             "invalid"},
    {"skip-invalid", 0, OPTION_FLAG, SNAPSHOT, NULL, NULL, RUN_FIELD(skip_invalid),
     .help = "read what the valid rows change although others are not", .places = IN_FLAG_ONLY},
    {"strict", 0, OPTION_FLAG, RUN | CHECK | BENCH, NULL, NULL, RUN_FIELD(strict),
     .help = "warnings are errors"},
    {"online", 0, OPTION_FLAG, RUN | CHECK, NULL, NULL, RUN_FIELD(online),
     .help = "ask the platform first what waits at the devices: rows that find no place among the "
             "ten of a device are errors, and waiting commands that write the same are warned of; "
             "a call for each device, at --rate, and more for long lists and for waiting writes"},
    {"allow-replace", 0, OPTION_FLAG, RUN | CHECK | BENCH, NULL, NULL, RUN_FIELD(allow_replace),
     .help = "writes with mode 1 are meant: they delete every resource that they do not name"},
    {"yes", 'y', OPTION_FLAG, RUN | BENCH, NULL, NULL, RUN_FIELD(yes),
     .help = "answer every question with yes: replace as --allow-replace does, send columns of "
             "mixed values as they are"},
    {"concurrency", 'c', OPTION_COUNT, RUN | ONLINE | ASKING | WORK, "N", "64",
     RUN_FIELD(concurrency), .min = 1, .max = 1024, .help = "requests in flight at most",
     .group = "Pace, and when to stop"},
    {"concurrency", 'c', OPTION_SET, BENCH, "N[,N...]", "1,16,64,256",
     .help = "requests in flight at most; each is measured", .set = option_set_levels,
     .places = IN_FLAG_ONLY},
    {"rate", 0, OPTION_SET, BENCH, "N[,N...]", NULL,
     .help = "start so many requests a second, each when it is due, whatever became of those "
             "before; latencies count from then; each rate is measured, with the largest "
             "--concurrency",
     .set = option_set_rates, .places = IN_FLAG_ONLY},
    {"find", 0, OPTION_SET, BENCH, "GOAL", NULL,
     .help = "search for the highest rate that keeps GOAL, such as p99=200ms,refused=0.1%: "
             "percentiles of the latencies, and the shares that may be refused or failed (0.1% "
             "where not named); begins with --rate, or 100",
     .set = option_set_find, .places = IN_FLAG_ONLY},
    {"duration", 0, OPTION_DURATION, BENCH, "D", NULL, RUN_FIELD(duration_ms), .min = 1,
     .help = "with --rate or --find: how long each rate is measured (default: 10s)",
     .places = IN_FLAG_ONLY},
    {"warm-up", 0, OPTION_DURATION, BENCH, "D", "1s", RUN_FIELD(warm_up_ms), .min = 0,
     .help = "likewise: how long each rate holds before it is measured", .places = IN_FLAG_ONLY},
    {"rows", 0, OPTION_COUNT, BENCH, "N", NULL, RUN_FIELD(rows), .min = 100, .max = 10000000,
     .help = "commands to send each time (default: 10000, at a rate as many as --duration takes)",
     .places = IN_FLAG_ONLY},
    {"rounds", 0, OPTION_COUNT, BENCH, "N", "3", RUN_FIELD(rounds), .min = 1, .max = 100,
     .help = "how often each --concurrency is measured; the median is shown",
     .places = IN_FLAG_ONLY},
    {"rate", 0, OPTION_RATE, RUN | CHECK | WORK, "N/s|m|h|none", NULL, RUN_FIELD(rate),
     .help = "how many requests start in a second, minute or hour at most, retries included; the "
             "check says how long that takes, and which rows would be too late; none: as many as "
             "go (default: what the platform documents, at its own hosts: 300/s, with --api v2 "
             "100/s; else none)"},
    {"embargo", 0, OPTION_DURATION, RUN | CHECK, "D", NULL, RUN_FIELD(embargo_ms), .min = 1000,
     .help = "no device gets a command before so long after the run's start, so that until then "
             "all of it can be taken back (nbatch cancel): the valid_time of rows that give none; "
             "longer than the sending takes at --rate"},
    {"rate", 0, OPTION_RATE, ASKING, "N/s|m|h|none", "100/s", RUN_FIELD(rate),
     .help = "how many calls start in a second, minute or hour at most, retries included; they "
             "share the platform's limit with all that sends"},
    {"watch", 0, OPTION_SET_OPTIONAL, STATUS, "INTERVAL", NULL,
     .help = "go on until no command is open: ask again after INTERVAL (30s, where none is given), "
             "and ever more rarely where nothing happens",
     .set = option_set_watch, .places = IN_FLAG_ONLY, .carry = CARRY_NOT},
    {"watch", 0, OPTION_DURATION, SNAPSHOT, "INTERVAL", NULL, RUN_FIELD(watch_ms), .min = 1000,
     .help = "how soon to ask again whether a device has answered, and ever more rarely where "
             "nothing happens (default: 30s)",
     .places = IN_FLAG_ONLY},
    {"timeout", 0, OPTION_DURATION, STATUS | SNAPSHOT, "D", NULL, RUN_FIELD(timeout_ms), .min = 1,
     .help = "ask nothing any more after this time", .places = IN_FLAG_ONLY, .carry = CARRY_NOT},
    {"burst", 0, OPTION_COUNT, RUN | ONLINE | ASKING | WORK, "N", "1", RUN_FIELD(burst), .min = 1,
     .max = 1000000, .help = "how many of them may start back to back"},
    {"ramp", 0, OPTION_SET, RUN, "R..R:D", NULL,
     .help = "a rate that changes evenly, such as 10/s..500/s:5m", .set = option_set_ramp,
     .rival = "rate", .beats_rival = true},
    {"canary", 0, OPTION_SET, RUN, "N[:PAUSE]|N:GOAL", NULL,
     .help = "send N rows, wait for them to end (and PAUSE), then go on with the others if all "
             "were accepted; with a GOAL such as delivered=90%,wait=2h: if the devices have so "
             "many of them within that time, as nbatch status asks",
     .set = option_set_canary},
    {"canary-accept", 0, OPTION_SET, RUN, "P%|N", NULL,
     .help = "how many of the canary's rows are to be accepted for the others to be sent: a share "
             "such as 90%, or a number (default: all of them); else the run stops",
     .set = option_set_canary_accept},
    {"rollout", 0, OPTION_SET, RUN, "P%,...,100%:GOAL", NULL,
     .help = "send the rows in steps, such as 1%,10%,100%:delivered=95%,wait=1d: ask after each "
             "what became of all that was sent, and go on once so much is delivered; stop, "
             "resumable, when that is out of reach or the wait is over",
     .set = option_set_rollout},
    {"halt", 0, OPTION_SET_LIST, RUN | WORK, "RULE", NULL,
     .help = "stop starting rows when crossed: failed=5%, rejected=100, in_doubt=..., errno:7=3%, "
             "min=N rows before a percentage counts; may be repeated",
     .set = option_set_halt},
    {"no-adaptive", 0, OPTION_FLAG, RUN | ASKING, NULL, NULL, RUN_FIELD(no_adaptive),
     .help = "do not go slower when the platform asks for it"},
    {"connect-timeout", 0, OPTION_DURATION, RUN | ONLINE | BENCH | ASKING | WORK, "D", "5s",
     RUN_FIELD(connect_timeout_ms), .min = 1, .help = "time to make a connection",
     .group = "Attempts"},
    {"request-timeout", 0, OPTION_DURATION, RUN | ONLINE | BENCH | ASKING | WORK, "D", "30s",
     RUN_FIELD(request_timeout_ms), .min = 1, .help = "time for a whole attempt"},
    {"max-attempts", 0, OPTION_COUNT, RUN | ONLINE | ASKING | WORK, "N", "5",
     RUN_FIELD(max_attempts), .min = 1, .max = 1000,
     .help = "attempts for a row, the first included"},
    {"retry-delay", 0, OPTION_DURATION, RUN | ONLINE | ASKING | WORK, "D", "200ms",
     RUN_FIELD(retry_delay_ms), .min = 1,
     .help = "wait before the second attempt at most; doubles with each, and is random below that"},
    {"retry-max-delay", 0, OPTION_DURATION, RUN | ONLINE | ASKING | WORK, "D", "30s",
     RUN_FIELD(retry_max_delay_ms), .min = 1, .help = "the longest wait between attempts"},
    {"on-ambiguous", 0, OPTION_CHOICE, RUN, "resend|hold|verify", NULL, RUN_FIELD(on_ambiguous),
     .help = "a request may have been processed, and no answer says so: send it again, end the row "
             "as in_doubt, or look for it in the platform's history first, and send it again where "
             "it is not there (default: resend for write and read, hold for execute)"},
    {"settle", 0, OPTION_SET, RUN, "D,D", NULL,
     .help = "with --on-ambiguous verify: how long after the attempt the platform's history is "
             "looked at, and once more before it is sent again (default: 10s,60s); an execute is "
             "sent again only where this is given",
     .set = option_set_settle},
    {"outage-wait", 0, OPTION_DURATION, RUN | ONLINE | ASKING | WORK, "D", "10m",
     RUN_FIELD(outage_wait_ms), .min = 1,
     .help = "how long to wait for a platform that fails, before the run stops"},
    {"explain-retries", 0, OPTION_FLAG, RUN, NULL, NULL, FIELD(explain_retries),
     .help = "show what is sent again and when, and do nothing else", .is_private = true},
    {"seed", 0, OPTION_COUNT, RUN | ASKING | WORK, "N", "0", RUN_FIELD(seed), .min = 0,
     .max = INT64_MAX, .help = "of the random waits; 0: another one each time"},
    {"share", 0, OPTION_TEXT, RUN | SHARED | ASKING | REPORT, "URI", NULL, RUN_FIELD(share),
     .help = "the PostgreSQL database of jobs that several machines share, as libpq takes it: "
             "postgresql://USER@HOST/DATABASE; what it leaves out comes from PG... variables, "
             "service files and ~/.pgpass, the password always",
     .group = "Several machines", .secret = SECRET_USER},
    {"job", 0, OPTION_SET, WORK, "NAME", NULL, .help = "the shared job, as nbatch jobs names it",
     .set = option_set_job},
    {"job", 0, OPTION_SET, RESULTS | ASKING | REPORT, "NAME", NULL,
     .help = "in place of a file: the results of a shared job, as they are now",
     .set = option_set_job, .places = IN_FLAG_ONLY},
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
    {"status", 0, OPTION_SET_LIST, RESULTS, "WHAT[,WHAT...]", NULL,
     .help = "only rows with this status: accepted, rejected, failed, in_doubt, invalid (default: "
             "all)",
     .set = option_set_statuses, .places = IN_FLAG_ONLY, .group = "What is shown"},
    {"ambiguous", 0, OPTION_FLAG, RESULTS, NULL, NULL, RUN_FIELD(ambiguous),
     .help =
         "only rows of which a request may have been processed unseen: where they are accepted, "
         "their devices may hold the command twice",
     .places = IN_FLAG_ONLY},
    {"problems", 0, OPTION_FILE, RUN | CHECK, "FILE", NULL, RUN_FIELD(problems),
     .help = "list every problem in FILE; CSV, or JSONL by its extension; - for standard output",
     .group = "What is shown"},
    {"split-valid", 0, OPTION_FILE, CHECK, "FILE", NULL, RUN_FIELD(split_valid),
     .help = "write the valid rows to FILE, as they are in the input; of a workbook, as CSV"},
    {"split-invalid", 0, OPTION_FILE, CHECK, "FILE", NULL, RUN_FIELD(split_invalid),
     .help = "the same for the others, to fix separately"},
    {"fix", 0, OPTION_FLAG, CHECK, NULL, NULL, RUN_FIELD(fix),
     .help = "print the command that reads the file as it is, with the encoding, delimiter, header "
             "line and names of columns that it has, and nothing else: eval \"$(nbatch check --fix "
             "fleet.csv)\"",
     .places = IN_FLAG_ONLY, .carry = CARRY_NOT, .is_private = true},
    {"progress", 0, OPTION_CHOICE, RUN | CHECK | ASKING | WORK, "auto|always|never", "auto",
     FIELD(progress),
     .help =
         "a live line on a terminal, else a plain one every ten seconds; always: live in any case",
     .is_private = true},
    {"verbose", 'v', OPTION_FLAG, RUN | ASKING | WORK, NULL, NULL, FIELD(verbose),
     .help = "show what became of each attempt, also in the log", .is_private = true},
    {"job", 0, OPTION_SET, RUN, "NAME", NULL,
     .help = "the job's name, in the log, in metrics (label job_name), and in the name of the "
             "results where --output gives none: NAME.results.csv beside the input; with --share "
             "the shared job's (default: made of the file's name and the time)",
     .set = option_set_job},
    {"log", 0, OPTION_FILE, RUN | ASKING | WORK, "FILE", NULL, RUN_FIELD(log),
     .help =
         "add what happens to FILE: a JSON object a line, for the start, the end and all between"},
    {"metrics-file", 0, OPTION_FILE, RUN | ASKING | WORK, "FILE", NULL, RUN_FIELD(metrics_file),
     .help = "keep FILE up to date for Prometheus (node_exporter's textfile collector takes "
             "NAME.prom)"},
    {"report", 0, OPTION_FILE, RUN, "FILE", NULL, RUN_FIELD(report),
     .help = "write an HTML page of the run to FILE at its end, also when it was stopped; takes "
             "14-18 bytes of memory a row (nbatch report makes one of the results later)"},
    {"report", 0, OPTION_FILE, BENCH, "FILE", NULL, RUN_FIELD(report),
     .help = "with --rate or --find: write an HTML page of the figures to FILE",
     .places = IN_FLAG_ONLY},
    {"no-color", 0, OPTION_FLAG, EVERY, NULL, NULL, FIELD(no_color),
     .help = "no colours on a terminal, as with the variable NO_COLOR", .is_private = true},
    {"lang", 0, OPTION_CHOICE, EVERY, LANGUAGE_NAMES, NULL, FIELD(language),
     .help = "the language of messages, help and the HTML page (default: as LANG says, English "
             "where it names a character set other than UTF-8)",
     .is_private = true},
    {"dry-run", 'n', OPTION_FLAG, RUN, NULL, NULL, FIELD(dry_run),
     .help = "check only, as nbatch check", .is_private = true},
    {"dry-run", 'n', OPTION_FLAG, STATUS | CANCEL, NULL, NULL, RUN_FIELD(dry_run),
     .help = "say how many calls it takes, and how long that is, and ask nothing",
     .carry = CARRY_NOT, .is_private = true},
    {"json", 0, OPTION_FLAG, RUN | CHECK | BENCH | ASKING | WORK, NULL, NULL, RUN_FIELD(json),
     .help = "the summary as one JSON object on standard output", .is_private = true},
    {"quiet", 'q', OPTION_FLAG, EVERY, NULL, NULL, FIELD(quiet),
     .help = "say nothing but what is wrong", .is_private = true},
    {"help", 'h', OPTION_FLAG, EVERY, NULL, NULL, FIELD(help), .help = "this text",
     .places = IN_FLAG_ONLY, .is_text = true, .is_private = true},
    {"version", 'V', OPTION_FLAG, EVERY, NULL, NULL, FIELD(version),
     .help = "the program's version", .places = IN_FLAG_ONLY, .is_text = true, .is_private = true},
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
                       "The dry run: checks every row, without any network (but with --online).",
                       "  nbatch check fleet.csv\n"
                       "  nbatch check fleet.csv --json | jq .invalid\n"
                       "  nbatch check fleet.csv --split-valid good.csv --split-invalid bad.csv\n"
                       "  nbatch check fleet.csv --online\n"
                       "  nbatch check from-excel.csv --encoding gb18030 --delimiter ';'\n"},
    [COMMAND_SIMULATE] =
        {"simulate", "nbatch simulate [options]",
         "Serves a OneNET platform on loopback, to rehearse against. Ends with Ctrl-C or SIGTERM.",
         "  nbatch simulate --listen 127.0.0.1:8080 --latency 20ms\n"
         "  nbatch simulate --fault close-after:1% --fault http-503:2% --audit audit.jsonl\n"},
    [COMMAND_BENCH] =
        {"bench", "nbatch bench [options] [INPUT]",
         "Measures how fast this machine sends, or what a platform makes of a --rate; see --find, "
         "too.",
         "  nbatch bench\n"
         "  nbatch bench --concurrency 8,64 --rows 50000 --simulate=latency=20ms\n"
         "  nbatch bench --endpoint http://127.0.0.1:8080 --rate 100,200,400 --duration 30s\n"
         "  nbatch bench --endpoint http://127.0.0.1:8080 --find p99=200ms,refused=0.1% --json\n"},
    [COMMAND_REPORT] =
        {"report", "nbatch report [options] RESULTS",
         "Makes an HTML page of a run's results: what became of the rows, why, how fast.",
         "  nbatch report fleet.results.csv                  the page is fleet.results.html\n"
         "  nbatch report fleet.results.jsonl -o monday.html\n"
         "  nbatch run fleet.csv --report fleet.html         makes it at the end of a run\n"},
    [COMMAND_STATUS] =
        {"status", "nbatch status [options] RESULTS",
         "Asks what became of the accepted commands: which devices have theirs, and why not.",
         "  nbatch status fleet.results.csv                  one look; into fleet.status.csv\n"
         "  nbatch status fleet.results.csv --watch          until no command is open\n"
         "  nbatch status fleet.results.csv -n               how many calls that is\n"
         "  nbatch status reads.results.csv --values reads.values.csv\n"},
    [COMMAND_CANCEL] =
        {"cancel", "nbatch cancel [options] RESULTS",
         "Takes back the commands of a run that still wait: those of its results, one by one.",
         "  nbatch cancel fleet.results.csv -n               which would be taken back?\n"
         "  nbatch cancel fleet.results.csv                  what came of it: fleet.cancelled.csv\n"
         "  nbatch run fleet.csv --embargo 30m               leaves half an hour for it\n"},
    [COMMAND_VERIFY] =
        {"verify", "nbatch verify [options] RESULTS",
         "Looks for rows in doubt in the platform's history: accepted, or safe to send again.",
         "  nbatch verify fleet.results.csv                  adds a line for each that it settles\n"
         "  nbatch verify fleet.results.csv --settle 1m,10m  looks later, and at executes too\n"},
    [COMMAND_SNAPSHOT] =
        {"snapshot", "nbatch snapshot [options] INPUT",
         "Reads what the rows of INPUT are about to change, and writes an input that puts it back.",
         "  nbatch snapshot fleet.csv                        writes fleet.rollback.csv\n"
         "  nbatch run fleet.csv --only-in fleet.rollback.csv\n"
         "  nbatch run fleet.rollback.csv                    the way back\n"},
    [COMMAND_RESULTS] =
        {"results", "nbatch results [options] RESULTS",
         "Prints the results, of each row the one line that counts; the columns are explained "
         "below.",
         "  nbatch results fleet.results.csv --status in_doubt\n"
         "  nbatch results fleet.results.csv --status rejected,failed > again.csv\n"
         "  nbatch results --share postgresql://ops@db/nbatch --job fleet-20261128-093000\n"},
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
    [COMMAND_SHARE] =
        {"share", "nbatch share [options] init",
         "Makes the schema of shared jobs in a database, or brings it up to this version.",
         "  nbatch share init --share postgresql://admin@db/nbatch\n"},
    [COMMAND_CONFIG] =
        {"config", "nbatch config [options] [INPUT]",
         "Shows the settings that nbatch run and check would use, and where each value comes from.",
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

bool option_is_of(const struct option *option, enum subcommand subcommand)
{
    bool is_either = subcommand == COMMAND_CONFIG || subcommand == COMMAND_CHECK;
    return (option->subcommands & (is_either ? RUN | CHECK : FOR_COMMAND(subcommand))) != 0;
}

bool option_is_used(enum subcommand subcommand, const struct option *option)
{
    return subcommand == COMMAND_CONFIG || (option->subcommands & FOR_COMMAND(subcommand)) != 0;
}

const struct option *option_next(enum subcommand subcommand, const struct option *option)
{
    size_t count;
    const struct option *all = options_all(&count);

    for (option = option == NULL ? all : option + 1; option < all + count; option++)
        if (option_is_of(option, subcommand))
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

bool option_hides(const struct option *option, const char *value)
{
    if (value == NULL || option->secret == NO_SECRET)
        return false;
    return option->secret == SECRET_VALUE || strchr(value, '@') != NULL ||
           strstr(value, "%40") != NULL;
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
