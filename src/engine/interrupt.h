/*
 * The operator's signals, from interrupt_watch or the first loop on to the end of the process.
 * There is one handler for all of that time, so that none is lost, and none kills, in between two
 * things that are done. Signals are the process's, and so is this.
 *
 * While nothing is being sent one is remembered, so that what is being done can come to an end of
 * its own and say so; a second SIGINT or SIGTERM, half a second later or more, ends the program at
 * once, with a word and the signal's status. A loop that sends takes them as they come, with one
 * that came just before it; what comes when it does not look any more is remembered again.
 *
 *     interrupt_watch();               // before the first long step
 *     … interrupt_signal() != 0: the step ends where it can …
 *
 *     interrupt_take(true);            // a loop, which waits for interrupt_fd
 *     while (interrupt_next(&number)) …
 *     interrupt_take(false);
 */
#ifndef NB_ENGINE_INTERRUPT_H
#define NB_ENGINE_INTERRUPT_H

#include <stdbool.h>

#include "engine/engine.h"

/* Signals that are ignored when it is called first stay ignored (nohup). SIGUSR1 and SIGUSR2, which
 * mean something while rows are sent, do nothing otherwise. */
void interrupt_watch(void);

/* One that no loop has taken, the first or, of those that came while a loop ended, the one that
 * stands first in the list below; 0: none. */
int interrupt_signal(void);

/* What it means for people: "interrupted", "terminated" …; "" for 0, SIGUSR1 and SIGUSR2. */
const char *interrupt_name(int signal_number);

/* Of one of those that interrupt_next returns. */
enum engine_signal interrupt_meaning(int signal_number);

/* Whether a loop takes them: SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGXCPU, SIGUSR1, SIGUSR2. */
void interrupt_take(bool on);

/* Readable when there is one to be taken; it is emptied by interrupt_next. -1 where there was no
 * descriptor for it: the loop then looks now and then. */
int interrupt_fd(void);

/* The next one, of those that have come each as often as it came; false: no more. */
bool interrupt_next(int *ret_number);

#endif
