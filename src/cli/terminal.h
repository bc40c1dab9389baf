/*
 * The person of a use case (run/person.h) who sits at a terminal, or reads what it wrote to a file:
 * messages, questions, the live line. Private to cli/.
 */
#ifndef NB_CLI_TERMINAL_H
#define NB_CLI_TERMINAL_H

#include "cli/options.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "run/person.h"

struct terminal {
    enum progress_mode mode;
    bool reads_input;    /* standard input is the input: no question can be answered there */
    const char *program; /* as it was called */
    enum subcommand subcommand;
    const struct option_sources *sources;
    struct watched watched;
    struct progress progress;
    struct problem_show problems;
};

/* The person that speaks through it; quiet and verbose are the caller's to set. */
struct person terminal_person(struct terminal *terminal);

#endif
