/* The program behind main: which subcommand, and the exit status that it ends with. */
#ifndef NB_CLI_CLI_H
#define NB_CLI_CLI_H

#include "run/exit_status.h"

/* Runs the program; the result is its exit status. */
int cli_main(int argc, char **argv);

#endif
