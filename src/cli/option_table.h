/*
 * The one table of options, and the one of subcommands. Whatever concerns options reads it:
 * parsing, defaults, NBATCH_… variables, the configuration file, nbatch config, --help, the manual
 * page, the completions, the settings that the HTML page shows, and the command to type next.
 *
 * To add an option, give it a row here, in the group where --help is to show it, and a field in
 * struct run_settings (run/settings.h), or in struct settings where only cli/ needs it. Columns
 * that a row does not name are zero, which is what most options want: settable in every place,
 * shown on the page, carried over into the next command. Private to cli/.
 */
#ifndef NB_CLI_OPTION_TABLE_H
#define NB_CLI_OPTION_TABLE_H

#include "cli/options.h"

/* By the kind a value is read, checked and completed. */
enum option_kind {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_FILE,          /* a text */
    OPTION_LIST,          /* a text; may be given several times */
    OPTION_OPTIONAL_TEXT, /* --name or --name=VALUE, never --name VALUE */
    OPTION_CHOICE,        /* one of the words of `value`: its number from 1 on, as an int */
    OPTION_COUNT,         /* min … max */
    OPTION_BYTES,         /* min … max; 64K, 1M */
    OPTION_DURATION,      /* in milliseconds, from min on */
    OPTION_RATE,          /* 20/s, 600/m, 5000/h */
    OPTION_SET,           /* `set` reads it */
    OPTION_SET_LIST,      /* likewise; may be given several times */
    OPTION_SET_OPTIONAL,  /* likewise; --name or --name=VALUE, "" for none */
    OPTION_SIMULATOR,     /* one of the simulator's settings (sim/config.h) */
};

/* Where it can be set beside the command line. */
enum option_places {
    IN_FILE_AND_VARIABLE,
    IN_VARIABLE,
    IN_FLAG_ONLY,
};

/* What may be secret in its value. */
enum option_secret {
    NO_SECRET,
    SECRET_USER,  /* the user or password in front of an @ */
    SECRET_VALUE, /* all of it */
};

/* Whether the command to type next repeats it. */
enum option_carry {
    CARRY_AS_IS,
    CARRY_NOT,
    CARRY_RESULTS, /* the results that go on, unless it said "-" */
};

/* Reads a value into the settings; false with what it must be in `wanted`. */
typedef bool option_set_fn(struct settings *settings, struct span value, struct buf *wanted);

/* The order is that of a row. NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct option {
    const char *name;
    char letter; /* '\0': none */
    enum option_kind kind;
    unsigned subcommands;
    const char *value;    /* what stands for the value in the help; "csv|jsonl": a choice's words */
    const char *fallback; /* the default, as it would be typed; NULL: none */
    size_t offset;        /* into struct settings */
    int64_t min, max;
    const char *help;
    option_set_fn *set;
    const char *group; /* of the help, which begins here */
    const char
        *rival; /* the option that cannot hold together with this one: see option_sources.h */
    enum option_places places;
    enum option_secret secret;
    enum option_carry carry;
    bool beats_rival; /* where this one is set in a higher place, the rival gives way */
    bool is_text;     /* asks for the help or the version, which no other mistake withholds */
    bool is_private;  /* says nothing of how rows are sent: not on the HTML page */
};

enum { OPTIONS_MAX = 160 };

struct subcommand_text {
    const char *name;
    const char *usage;
    const char *purpose;
    const char *examples;
};

extern const struct subcommand_text subcommands[SUBCOMMAND_COUNT];

/* All options, those of the simulator first. */
const struct option *options_all(size_t *ret_count);

/* The subcommand's option behind the one given, NULL for the first; NULL behind the last. check
 * takes those of run as well, so that one line of words serves both:
 *     for (const struct option *o = NULL; (o = option_next(subcommand, o)) != NULL;) … */
const struct option *option_next(enum subcommand subcommand, const struct option *option);

/* Whether the subcommand does something with it, and does not only take it. */
bool option_is_used(enum subcommand subcommand, const struct option *option);

/* The subcommand's option of that name or letter; NULL where there is none. */
const struct option *option_find(enum subcommand subcommand, struct span name);
const struct option *option_find_letter(enum subcommand subcommand, char letter);

/* Whether the subcommand has it; that of the config those of run and check. */
bool option_is_of(const struct option *option, enum subcommand subcommand);

/* The group of the options that say where to, and with which key. */
#define OPTION_GROUP_TARGET "Where to, and with which key"

/* The group of the help that it is in. Only for options of options_all. */
const char *option_group(const struct option *option);

/* Whether it may be given several times; whether its value may only come behind "=". */
bool option_repeats(const struct option *option);
bool option_is_optional(const struct option *option);

/* Whether a value (NULL: none) may hold a secret, which nobody is shown: all of it, or a user's
 * name in front of an @, however that is written. */
bool option_hides(const struct option *option, const char *value);

enum { OPTION_VARIABLE_MAX = 64 };

/* Its variable: NBATCH_MAX_ROW_BYTES for max-row-bytes. */
void option_variable(const struct option *option, char out[OPTION_VARIABLE_MAX]);

/* Appends its help, with the default. */
void option_add_help(const struct option *option, struct buf *out);

#endif
