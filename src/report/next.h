/*
 * What an operator does after a run: which rows to send again, by which command, and which to look
 * at first. The summary and the HTML page say the same. Pure.
 *
 *     count = next_steps(&facts, steps);
 *     for (i < count) … next_add_text(&steps[i], &out) … next_add_command(&facts, &steps[i], &out)
 */
#ifndef NB_REPORT_NEXT_H
#define NB_REPORT_NEXT_H

#include "core/buf.h"
#include "platform/outcome.h"

/* How a run is called once more: program + " --resume" + words. Both are quoted for a shell. */
struct next_command {
    const char *program; /* "nbatch run"; NULL: not known, the steps say it in words */
    const char *words;   /* " fleet.csv --rate 20/s" */
    bool from_stdin;     /* the input must be given again */
};

struct next_facts {
    const uint64_t *rows; /* of the whole input, by status */
    uint64_t unsent;      /* rows without a result */
    uint64_t passing;     /* invalid rows that may be sent later as they are */
    uint64_t twice;       /* accepted rows that may be held twice (report/advice.h) */
    bool has_more;        /* the input was not read to its end: there may be more of them */
    const char *input;
    const char *results;
    bool jsonl;      /* the results are */
    bool is_refused; /* the run ended since nothing could be sent */
    struct next_command command;
    const char *verify; /* the call of nbatch verify for these results; NULL: there is none */
};

enum next_kind {
    NEXT_RESUME,
    NEXT_FIX,
    NEXT_LATER,
    NEXT_FAILED,
    NEXT_REJECTED,
    NEXT_VERIFY,
    NEXT_LOOK,
    NEXT_IN_DOUBT,
    NEXT_TWICE,
    NEXT_COUNT,
};

struct next_step {
    enum next_kind kind;
    uint64_t rows; /* 0: not known how many */
};

/* The steps that apply, in their order; none when every row was accepted. */
size_t next_steps(const struct next_facts *facts, struct next_step steps[NEXT_COUNT]);

/* A name for programs: "resume", "failed" … */
const char *next_name(enum next_kind kind);

/* What is done, in a line: "send the 9 failed rows again; none of them was processed". */
void next_add_text(const struct next_facts *facts, const struct next_step *step, struct buf *out);

/* The command, to be copied as it is. Nothing where it is not known. */
void next_add_command(const struct next_facts *facts, const struct next_step *step,
                      struct buf *out);

#endif
