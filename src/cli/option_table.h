/*
 * The one table of options and the one of subcommands, which parsing, defaults, NBATCH_… variables,
 * --help, the manual page and the completions all read. Private to cli/.
 *
 * An option is added here, with its field in struct settings; everything else follows. It stands in
 * the group of the help that begins above it.
 */
#ifndef NB_CLI_OPTION_TABLE_H
#define NB_CLI_OPTION_TABLE_H

#include "cli/options.h"
#include "sim/config.h"

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

enum { OPTIONS_MAX = 128, OPTION_SIM_SETTINGS_MAX = 32 };

extern const struct option options[];
extern const size_t options_count;

struct subcommand_text {
    const char *name;
    const char *usage;
    const char *purpose;
    const char *examples;
};

extern const struct subcommand_text subcommands[SUBCOMMAND_COUNT];

/* Whether the subcommand takes the option. */
bool option_is_of(const struct option *option, enum subcommand subcommand);

/* The subcommand's option of that name or letter; NULL where there is none. */
const struct option *option_find(enum subcommand subcommand, struct span name);
const struct option *option_find_letter(enum subcommand subcommand, char letter);

/* The simulator's setting of that name, which nbatch simulate takes as an option; NULL where there
 * is none. */
const struct sim_setting *option_find_sim_setting(struct span name);

/* An option, or a setting of the simulator, as a person is told of it. */
struct option_view {
    const char *name;
    const char *group;
    const char *value;    /* NULL: takes none. "csv|jsonl": one of these; "FILE": a file */
    const char *fallback; /* NULL: none, or the help says it */
    const char *help;
    char letter;   /* '\0': none */
    bool optional; /* the value, which then stands behind "=" */
    bool repeats;
};

enum { OPTION_VIEWS_MAX = OPTIONS_MAX + OPTION_SIM_SETTINGS_MAX };

/* All options of a subcommand, a group after the other; returns how many. */
size_t option_views(enum subcommand subcommand, struct option_view views[OPTION_VIEWS_MAX]);

enum { OPTION_VARIABLE_MAX = 64 };

/* The variable of an option or setting: NBATCH_MAX_ROW_BYTES for max-row-bytes. */
void option_variable(const char *name, char out[OPTION_VARIABLE_MAX]);

/* Whether it asks for the help or the version, which nothing that is wrong elsewhere withholds. */
bool option_asks_for_text(const struct option *option);

/* Whether it can be set by a variable, and in a configuration file. */
bool option_has_variable(const struct option *option);
bool option_in_config(const struct option *option);

#endif
