/*
 * The operator's signals while nothing is being sent: the first one is remembered, so that what is
 * being done can come to an end of its own and say so; the same kind once more ends the program at
 * once, with the signal's status. While rows are sent, the engine's driver has them. One process,
 * one record: signals are the process's. Private to run/.
 *
 *     interrupt_watch();               // before the first long step, and again behind job_run
 *     … interrupt_signal() != 0: the step ends where it can …
 */
#ifndef NB_RUN_INTERRUPT_H
#define NB_RUN_INTERRUPT_H

/* Signals that are ignored stay ignored (nohup). SIGUSR1 and SIGUSR2, which mean something while
 * rows are sent, do nothing. */
void interrupt_watch(void);

/* The signal that came first since the start of the program; 0: none. */
int interrupt_signal(void);

/* What it means for people: "interrupted", "terminated" …; "" for 0. */
const char *interrupt_name(int signal_number);

#endif
