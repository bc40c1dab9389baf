/*
 * What a person can type: the settings, and how they are read from words, variables and a
 * configuration file. The table of options is in option_table.h.
 */
#ifndef NB_CLI_OPTIONS_H
#define NB_CLI_OPTIONS_H

#include "cli/config_file.h"
#include "run/settings.h"
#include "sim/config.h"

/* COMMAND_CONFIG takes the options of run and check. */
enum subcommand {
    COMMAND_RUN,
    COMMAND_CHECK,
    COMMAND_SIMULATE,
    COMMAND_BENCH,
    COMMAND_REPORT,
    COMMAND_STATUS,
    COMMAND_CANCEL,
    COMMAND_VERIFY,
    COMMAND_SNAPSHOT,
    COMMAND_RESULTS,
    COMMAND_WORK,
    COMMAND_JOBS,
    COMMAND_SHARE,
    COMMAND_CONFIG,
    SUBCOMMAND_COUNT
};

/* The settings of one call, after defaults, configuration, environment and flags. Texts belong to
 * argv, the environment, the table or the sources. */
struct settings {
    struct run_settings run;
    struct sim_config sim; /* of COMMAND_SIMULATE */
    const char *config;
    int progress; /* enum progress_mode */
    int language; /* 1 + enum language; 0: as the environment says */
    bool explain_retries;
    bool dry_run;
    bool quiet;
    bool verbose;
    bool no_color;
    bool help;
    bool version;
};

struct option;

/* From the lowest to the highest. */
enum option_origin { ORIGIN_CONFIG, ORIGIN_ENVIRONMENT, ORIGIN_FLAG, ORIGIN_COUNT };

/* One option that was set in one place; or the input, which has no option. */
struct assignment {
    const struct option *option;
    const char *value; /* NULL: none was given */
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
};

/*
 * Reads defaults, configuration, environment and words into `settings`, whose texts live as long as
 * `sources`. Both are the caller's to deinit in any case; `sources` is zeroed before. STATUS_USAGE
 * with a text in `message` that names the place and what to do: an unknown option (and the nearest
 * known one), a missing or bad value, a second input. Then the names of log, metrics and job are
 * there all the same, as far as they could be read: for who is to be told of the refusal.
 */
enum status options_parse(const struct parse_request *request, struct option_sources *sources,
                          struct buf *message, struct settings *settings) MUST_USE;

/* Both take a zeroed struct. */
void settings_deinit(struct settings *settings);
void option_sources_deinit(struct option_sources *sources);

/* The subcommand of that name; false where there is none. */
bool subcommand_find(const char *name, enum subcommand *ret_subcommand);

/* The name nearest to a mistyped one, or NULL. */
const char *subcommand_nearest(const char *name);

#endif
