/*
 * What a person can type: one table of options, from which parsing, defaults, NBATCH_… variables
 * and --help come.
 */
#ifndef NB_CLI_OPTIONS_H
#define NB_CLI_OPTIONS_H

#include "core/buf.h"
#include "core/word_list.h"

enum subcommand { COMMAND_RUN, COMMAND_CHECK, COMMAND_SIMULATE, COMMAND_BENCH, SUBCOMMAND_COUNT };

#define FOR_COMMAND(subcommand) (1u << (subcommand))

/* So many in so much time. */
struct rate {
    int64_t count;
    int64_t per_ms;
};

/* The settings of one call, after defaults, environment and flags. Texts belong to argv, the
 * environment or the table. */
struct settings {
    const char *input;
    const char *output;
    const char *format;
    const char *encoding;
    const char *delimiter;
    const char *endpoint;
    const char *simulate; /* the SPEC, "" for none given; NULL: no simulator */
    const char *api_key_file;
    const char *api_key_command;
    const char *product_id;
    const char *access_key_file;
    const char *cacert;
    const char *proxy;         /* "none": none; NULL: the environment's */
    const char *problems;      /* where to list the problems; NULL: nowhere */
    const char *split_valid;   /* where to write the valid rows */
    const char *split_invalid; /* and the invalid ones */
    const char *progress;
    struct rate rate; /* count 0: as fast as it goes */
    const char *on_ambiguous;
    const char *ramp;
    const char *canary;
    struct word_list sets, maps, passes, halts, resolves;
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

struct parse_request {
    enum subcommand subcommand;
    int argc; /* the words behind the subcommand */
    char **argv;
    sim_setting_fn *sim_setting; /* for COMMAND_SIMULATE */
    void *sim_context;
};

/*
 * Reads defaults, environment and words into `ret_settings`. STATUS_USAGE with a text in `message`
 * that names the word and what to do: an unknown option (and the nearest known one), a missing or
 * bad value, a second input.
 */
enum status options_parse(const struct parse_request *request, struct buf *message,
                          struct settings *ret_settings) MUST_USE;

/* Appends the help of a subcommand: examples first, then its options. */
void options_add_help(enum subcommand subcommand, struct buf *out);

/* Appends the help of the program. */
void options_add_overview(struct buf *out);

/* The subcommand of that name; false where there is none. */
bool subcommand_find(const char *name, enum subcommand *ret_subcommand);

/* The name nearest to a mistyped one, or NULL. */
const char *subcommand_nearest(const char *name);

#endif
