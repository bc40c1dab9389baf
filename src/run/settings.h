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
#include "platform/delivery.h"
#include "platform/dialect.h"
#include "report/load.h"
#include "report/page.h"
#include "send/halt.h"
#include "send/ramp.h"
#include "send/retry.h"
#include "send/rollout.h"

enum { DEFAULT_SETTLE_MS = 10 * 1000, DEFAULT_SETTLE_AGAIN_MS = 60 * 1000 };

/* So many in so much time. */
struct rate {
    int64_t count;  /* 0: as fast as it goes */
    int64_t per_ms; /* 0 as well: nothing was said */
};

/* Choices are numbered from 1 on, in the order in which the option names them. */
enum imei_rule { IMEI_STRICT = 1, IMEI_ANY };

enum { LEVELS_MAX = 16, ROUNDS_MAX = 100, CONCURRENCY_MAX = 1024 };

/* How many requests in flight bench measures, one after the other. */
struct levels {
    size_t items[LEVELS_MAX];
    size_t count;
};

/* How many rows an input is to have. */
struct expected_rows {
    uint64_t min, max; /* 0, 0: nothing was said */
};

/* How many requests a second bench starts, one rate after the other. */
struct rates {
    double items[LEVELS_MAX];
    size_t count;
};

/* Which rows are sent although they have a result. */
struct resume {
    bool on; /* go on with the results that are there */
    bool status[ROW_STATUS_COUNT];
    bool group[DELIVERY_GROUP_COUNT]; /* of the accepted ones, by what became of them */
};

/* How far a use case has come with those that follow it, the log and the metrics (run/follow.h). */
struct following {
    bool is_told;   /* they were opened, and are told of the end */
    bool is_shared; /* one of them has the name of another file that is written */
};

struct run_settings {
    const char *input;  /* "-": standard input; of a report and of status: the results */
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
    const char *only_in;       /* only rows whose instance is there are sent; NULL: all are */
    const char *report;        /* where to write the HTML page; NULL: nowhere */
    const char *status;        /* what nbatch status found out; NULL: the file beside the results */
    const char *job;           /* its name, for log, metrics, results, and a shared job */
    bool dated;                /* results named by their time, see run/dated.h */
    bool again;                /* an input that was sent before is meant */
    int64_t keep_ms;           /* how long dated results are kept; 0: for ever */
    int64_t max_age_ms;        /* of the input; 0: any */
    struct expected_rows expected;
    const char *log;
    const char *share;     /* the database of shared jobs; NULL: none */
    const char *pause_job; /* of jobs: what is done with which */
    const char *resume_job;
    const char *stop_job;
    const char *remove_job;
    const char *metrics_file;
    struct word_list sets, maps, passes, resolves, trues, falses;
    int format;          /* enum input_format and 1; 0: by the input's name */
    int imei;            /* enum imei_rule */
    int on_ambiguous;    /* enum on_ambiguous */
    char delimiter;      /* 0: a comma */
    int64_t header_line; /* 0: the first that is not blank */
    struct resume resume;
    struct rate rate;
    int64_t burst;
    int64_t embargo_ms;              /* 0: none */
    struct ramp ramp;                /* ms 0: none */
    struct canary canary;            /* rows 0: none */
    struct rollout_step canary_step; /* a canary by what devices did; rows 0: none */
    struct rollout rollout;          /* count 0: none */
    struct halt halt;                /* the rules */
    int64_t max_attempts;
    int64_t retry_delay_ms;
    int64_t retry_max_delay_ms;
    int64_t outage_wait_ms;
    int64_t seed; /* 0: random */
    int64_t concurrency;
    int64_t connect_timeout_ms;
    int64_t request_timeout_ms;
    int64_t max_row_bytes;
    int64_t watch_ms;      /* of status: between two looks at a command; 0: one look each */
    int64_t timeout_ms;    /* of status: nothing is asked later; 0: no end */
    int64_t settle_ms[2];  /* of verify: from a row's last attempt to each of two looks; */
    const char *from_push; /* of status: a file of what the platform pushed; NULL: none */
    const char *values;    /* of status: where to write what reads have brought; NULL: nowhere */
    bool dry_run;          /* of status: only say what would be asked */
    const char *bench_endpoint;      /* of bench; NULL: a simulator */
    struct levels levels;            /* of bench */
    int64_t rows, rounds;            /* of bench; rows 0: nothing was said */
    struct rates rates;              /* of bench; none: as fast as it goes */
    const char *find;                /* of bench: the goal as it was given; NULL: none … */
    struct load_goal goal;           /* … and read */
    int64_t duration_ms;             /* of bench, of each rate; 0: nothing was said */
    int64_t warm_up_ms;              /* of bench, before it */
    bool statuses[ROW_STATUS_COUNT]; /* of results: which rows, where has_statuses */
    bool has_statuses;
    bool has_settle; /* … they were said */
    bool ambiguous;  /* of results: those with such requests */
    bool online;     /* of check and run: the devices' waiting commands are asked for first */
    bool fix;        /* of check: say which command reads the file, and nothing else */
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
    bool is_part;                   /* of something larger, which gives the summary */
    bool job_is_open;               /* of results that are a shared job's: it is not complete */
    bool json;                      /* the summary as one JSON object on standard output */
    const struct page_entry *shown; /* what the HTML page shows of all this, without secrets */
    size_t shown_count;
    struct following *following; /* NULL: nobody tells what a use case leaves untold */
};

/* Whether writes with mode 1 are meant. */
static inline bool settings_allow_replace(const struct run_settings *settings)
{
    return settings->allow_replace || settings->yes;
}

#endif
