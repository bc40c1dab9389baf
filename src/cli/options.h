/*
 * What a person can type: the settings, and how they are read from words, variables and a
 * configuration file. The table of options is in option_table.h.
 */
#ifndef NB_CLI_OPTIONS_H
#define NB_CLI_OPTIONS_H

#include "cli/config_file.h"
#include "core/word_list.h"
#include "platform/dialect.h"

/* COMMAND_CONFIG takes the options of run and check. */
enum subcommand {
    COMMAND_RUN,
    COMMAND_CHECK,
    COMMAND_SIMULATE,
    COMMAND_BENCH,
    COMMAND_REPORT,
    COMMAND_CONFIG,
    SUBCOMMAND_COUNT
};

#define FOR_COMMAND(subcommand) (1u << (subcommand))

/* So many in so much time. */
struct rate {
    int64_t count;
    int64_t per_ms;
};

/* The settings of one call, after defaults, configuration, environment and flags. Texts belong to
 * argv, the environment, the table or the sources. */
struct settings {
    const char *const *words; /* as they were typed, from the program's name on */
    size_t word_count;
    const char *input;
    const char *config;
    const char *output;
    const char *format;
    const char *sheet;
    const char *encoding;
    const char *delimiter;
    const char *api;
    enum dialect dialect; /* that api names */
    const char *endpoint;
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
    const char *progress;
    const char *log;
    const char *metrics_file;
    struct rate rate; /* count 0: as fast as it goes; per_ms 0 as well: nothing was said */
    const char *on_ambiguous;
    const char *resume; /* what is to be sent although it has a result, "" for nothing; NULL: no
                           resume */
    const char *ramp;
    const char *canary;
    const char *imei; /* strict or any */
    const char *canary_accept;
    struct word_list sets, maps, passes, halts, resolves, trues, falses;
    int64_t burst;
    int64_t max_attempts;
    int64_t retry_delay_ms;
    int64_t retry_max_delay_ms;
    int64_t outage_wait_ms;
    int64_t seed; /* 0: random */
    int64_t concurrency;
    const char *concurrencies;  /* of bench: a list */
    const char *bench_endpoint; /* of bench; NULL: a simulator */
    int64_t rows, rounds;       /* of bench */
    int64_t connect_timeout_ms;
    int64_t request_timeout_ms;
    int64_t max_row_bytes;
    bool sort;
    bool skip_invalid;
    bool strict;
    bool yes;
    bool no_adaptive;
    bool explain_retries;
    bool allow_replace;
    bool dry_run;
    bool insecure_http;
    bool insecure;
    bool http2;
    bool json;
    bool quiet;
    bool verbose;
    bool no_color;
    bool help;
    bool version;
};

/* Whether writes with mode 1 are meant. */
static inline bool settings_allow_replace(const struct settings *settings)
{
    return settings->allow_replace || settings->yes;
}

/* A setting of the simulator, which has a table of its own (sim/config.h), is handed on as it is.
 */
typedef enum status sim_setting_fn(void *context, struct span name, struct span value,
                                   struct buf *message);

struct option;
struct sim_setting;

/* From the lowest to the highest. */
enum option_origin { ORIGIN_CONFIG, ORIGIN_ENVIRONMENT, ORIGIN_FLAG, ORIGIN_COUNT };

/* One option that was set in one place. */
struct assignment {
    const struct option *option;   /* or … */
    const struct sim_setting *sim; /* … a setting of the simulator, for COMMAND_SIMULATE */
    const char *value;             /* NULL: none was given */
    enum option_origin origin;
    size_t line;  /* of ORIGIN_CONFIG */
    bool dropped; /* something that goes before it holds */
};

/* What was set where, in the order in which it was found; option_sources.h fills it in. */
struct option_sources {
    struct assignment *items;
    size_t count;
    struct config_file config; /* owns the values of ORIGIN_CONFIG */
};

struct parse_request {
    enum subcommand subcommand;
    int argc; /* the words behind the subcommand */
    char **argv;
    sim_setting_fn *sim_setting; /* for COMMAND_SIMULATE */
    void *sim_context;
};

/*
 * Reads defaults, configuration, environment and words into `ret_settings`, whose texts live as
 * long as `sources`: zeroed before, and the caller's to deinit in any case. STATUS_USAGE with a
 * text in `message` that names the place and what to do: an unknown option (and the nearest known
 * one), a missing or bad value, a second input.
 */
enum status options_parse(const struct parse_request *request, struct option_sources *sources,
                          struct buf *message, struct settings *ret_settings) MUST_USE;

/* Takes NULL and a zeroed struct. */
void option_sources_deinit(struct option_sources *sources);

/* The subcommand of that name; false where there is none. */
bool subcommand_find(const char *name, enum subcommand *ret_subcommand);

/* The name nearest to a mistyped one, or NULL. */
const char *subcommand_nearest(const char *name);

#endif
