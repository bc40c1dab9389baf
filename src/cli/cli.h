/* The program behind main: which subcommand, and the exit status that it ends with. */
#ifndef NB_CLI_CLI_H
#define NB_CLI_CLI_H

/* The statuses of the process (README.md, "Exit status"). */
enum exit_status {
    EXIT_ALL_ACCEPTED = 0,
    EXIT_SOME_NOT_ACCEPTED = 1,
    EXIT_USAGE = 2,
    EXIT_INPUT_INVALID = 3,
    EXIT_REFUSED = 4, /* credentials or configuration */
    EXIT_HALTED = 5,
    EXIT_IN_DOUBT = 6,
    EXIT_INTERNAL = 7, /* results could not be written, or an internal error */
    EXIT_SIGNAL = 128, /* and the number of the signal that interrupted the run */
};

/* Runs the program; the result is its exit status. */
int cli_main(int argc, char **argv);

#endif
