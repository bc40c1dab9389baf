/*
 * What the use cases go by: values, already parsed and within their bounds. Texts are names of
 * files, addresses, and what other rooms read themselves (the input's --set and --map, the
 * simulator's SPEC); they stay the caller's and outlive the call. Zeroed is "not said" throughout.
 */
#ifndef NB_RUN_SETTINGS_H
#define NB_RUN_SETTINGS_H

#include "core/word_list.h"
#include "input/reader.h"
#include "ledger/ledger.h"
#include "platform/dialect.h"
#include "report/page.h"
#include "send/halt.h"
#include "send/ramp.h"
#include "send/retry.h"

/* So many in so much time. */
struct rate {
    int64_t count;  /* 0: as fast as it goes */
    int64_t per_ms; /* 0 as well: nothing was said */
};

/* Choices are numbered from 1 on, in the order in which the option names them. */
enum imei_rule { IMEI_STRICT = 1, IMEI_ANY };

enum { LEVELS_MAX = 16, ROUNDS_MAX = 100, CONCURRENCY_MAX = 1024, JOB_NAME_MAX = 64 };

/* How many requests in flight bench measures, one after the other. */
struct levels {
    size_t items[LEVELS_MAX];
    size_t count;
};

/* Which rows are sent although they have a result. */
struct resume {
    bool on; /* go on with the results that are there */
    bool status[ROW_STATUS_COUNT];
};

struct run_settings {
    const char *input;  /* "-": standard input; of a report: the results */
    const char *output; /* "-": standard output as well; NULL: named by the input */
    const char *sheet;
    const char *encoding;
    const char *endpoint;
    int api;              /* enum dialect and 1 */
    enum dialect dialect; /* that api names */
    const char *simulate; /* the SPEC, "" for none given; NULL: no simulator */
    const char *api_key_file;
    const char *api_key_command;
    const char *product_id;
    const char *user_id;
    const char *access_key_file;
    const char *cacert;
    const char *proxy;         /* "none": none; NULL: the environment's */
    const char *problems;      /* where to list the problems; NULL: nowhere */
    const char *split_valid;   /* where to write the valid rows */
    const char *split_invalid; /* and the invalid ones */
    const char *report;        /* where to write the HTML page; NULL: nowhere */
    const char *job; /* its name, for log, metrics, results and a shared job; NULL: none */
    const char *log;
    const char *share;     /* the database of shared jobs; NULL: none */
    const char *pause_job; /* of jobs: what is done with which */
    const char *resume_job;
    const char *stop_job;
    const char *remove_job;
    const char *metrics_file;
    struct word_list sets, maps, passes, resolves, trues, falses;
    int format;       /* enum input_format and 1; 0: by the input's name */
    int imei;         /* enum imei_rule */
    int on_ambiguous; /* enum on_ambiguous */
    char delimiter;   /* 0: a comma */
    struct resume resume;
    struct rate rate;
    int64_t burst;
    struct ramp ramp;     /* ms 0: none */
    struct canary canary; /* rows 0: none */
    struct halt halt;     /* the rules */
    int64_t max_attempts;
    int64_t retry_delay_ms;
    int64_t retry_max_delay_ms;
    int64_t outage_wait_ms;
    int64_t seed; /* 0: random */
    int64_t concurrency;
    int64_t connect_timeout_ms;
    int64_t request_timeout_ms;
    int64_t max_row_bytes;
    const char *bench_endpoint; /* of bench; NULL: a simulator */
    struct levels levels;       /* of bench */
    int64_t rows, rounds;       /* of bench */
    bool sort;
    bool skip_invalid;
    bool strict;
    bool yes; /* to every question */
    bool no_adaptive;
    bool allow_replace;
    bool insecure_http;
    bool insecure;
    bool http2;
    bool share_only_rate;
    bool json;                      /* the summary as one JSON object on standard output */
    const struct page_entry *shown; /* what the HTML page shows of all this, without secrets */
    size_t shown_count;
};

/* Whether writes with mode 1 are meant. */
static inline bool settings_allow_replace(const struct run_settings *settings)
{
    return settings->allow_replace || settings->yes;
}

#endif
