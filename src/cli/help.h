/* What nbatch says of itself. Private to cli/. */
#ifndef NB_CLI_HELP_H
#define NB_CLI_HELP_H

#include "cli/options.h"

/* Appends the help of a subcommand: examples first, then its options. */
void help_add_subcommand(enum subcommand subcommand, struct buf *out);

/* Appends the help of the program. */
void help_add_overview(struct buf *out);

/* What nbatch help explains beside the commands. */
struct help_topic {
    const char *name;
    const char *word; /* what may follow it; NULL: nothing */
    const char *what;
    /* Appends the text; `word` is what follows the name, or NULL. False where it is none that
     * may. */
    bool (*add)(const char *word, struct buf *out);
};

extern const struct help_topic help_topics[];
extern const size_t help_topics_count;

/* NULL where there is none. */
const struct help_topic *help_topic_find(const char *name);

/* Appends what a word means: an option, its variable, a word of a table (glossary.h) or an errno.
 * False where it is none. */
bool help_add_word(const char *word, struct buf *out);

/* The statuses that the program ends with, for the help and the manual page. */
struct exit_meaning {
    const char *status;
    const char *meaning;
};

extern const struct exit_meaning exit_meanings[];
extern const size_t exit_meanings_count;

#endif
