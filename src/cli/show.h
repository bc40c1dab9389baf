/* What a person reads: messages, and the problems of an input in the style of a compiler. */
#ifndef NB_CLI_SHOW_H
#define NB_CLI_SHOW_H

#include "platform/problem.h"

/* "nbatch: …" and a line end on standard error. */
void show_error(const char *format, ...) PRINTF_LIKE(1, 2);

/* A line on standard error; or, where what is said is what was asked for, on standard output. */
void show_note(const char *format, ...) PRINTF_LIKE(1, 2);

/* From now on notes are for standard output; and whether all of them could be written there. */
void show_notes_on_stdout(void);
bool show_notes_are_written(void);

/* The same for a line on standard error that may be left out where nobody reads them
 * (cli/console.h). */
void show_passing(const char *format, ...) PRINTF_LIKE(1, 2);

/* What was asked for, on standard output; false, after saying why, where it cannot be written.
 * Nothing is said where its reader is gone (| head), which show_reader_is_gone tells from then on.
 */
bool show_data(struct span text) MUST_USE;
bool show_reader_is_gone(void);

enum { SHOW_PROBLEMS_MAX = 20, SHOW_PROBLEMS_PER_CODE = 5 };

/* Shows the first problems of an input, counts all. */
struct problem_show {
    const char *input;
    bool quiet; /* errors only */
    uint64_t total, shown;
    uint64_t counts[PROBLEM_CODE_COUNT];
};

/* Whether show_problems would write anything, so that a live line must be taken away before. */
bool show_problems_is_needed(const struct problem_show *show, const struct problems *problems);

/* A problems_fn: `context` is a struct problem_show. */
void show_problems(void *context, const struct problems *problems);

/* How many there were of each code, with the remedy; nothing when there were none. */
void show_problem_counts(const struct problem_show *show);

#endif
