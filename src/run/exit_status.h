/* What a use case comes to, and the process ends with. nbatch(1) explains each. */
#ifndef NB_RUN_EXIT_STATUS_H
#define NB_RUN_EXIT_STATUS_H

enum exit_status {
    EXIT_ALL_ACCEPTED = 0,
    EXIT_SOME_NOT_ACCEPTED = 1,
    EXIT_USAGE = 2,
    EXIT_INPUT_INVALID = 3,
    EXIT_REFUSED = 4, /* credentials or configuration */
    EXIT_HALTED = 5,
    EXIT_IN_DOUBT = 6,
    EXIT_INTERNAL = 7, /* results could not be written, or an internal error */
    EXIT_OPEN = 8,     /* what was asked about has not come to its end */
    EXIT_SIGNAL = 128, /* and the number of the signal that interrupted the run */
};

#endif
