/*
 * A roll-out by what devices did: the rows of an input in steps, each of which goes on to the next
 * only when enough of the commands so far are delivered (--rollout, and --canary N:delivered=…).
 *
 *     rollout_parse(SPAN_LITERAL("1%,10%,100%:delivered=95%,wait=1d"), &rollout, &message)
 *     … send the rows up to rollout_until(&rollout.steps[i], rows) …
 *     … rollout_judge(&rollout.steps[i].goal, &counts), as the devices' answers come …
 *
 * Steps are by the number of the row, so that they are the same ones in every run over the input.
 * Pure.
 */
#ifndef NB_SEND_ROLLOUT_H
#define NB_SEND_ROLLOUT_H

#include "core/buf.h"

enum { ROLLOUT_STEPS_MAX = 20 };

#define ROLLOUT_WAIT_MAX_MS (30 * INT64_C(24 * 3600000))

/* What is to be seen before the next step begins. */
struct rollout_goal {
    uint64_t delivered; /* of the commands of this step and those before it, in millionths */
    int64_t wait_ms;    /* for so long at most, from the end of the last of the rows on */
};

struct rollout_step {
    uint64_t rows;  /* it ends with this row; 0: with this … */
    uint64_t share; /* … of the input's rows, in millionths */
    struct rollout_goal goal;
};

/* The last step has no goal: nothing follows it. count 0: there is no roll-out. */
struct rollout {
    struct rollout_step steps[ROLLOUT_STEPS_MAX + 1];
    size_t count;
};

/* Reads P%,P%,…,100%:delivered=P%,wait=D. STATUS_USAGE with the piece and the remedy in `message`.
 */
enum status rollout_parse(struct span text, struct rollout *ret_rollout,
                          struct buf *message) MUST_USE;

/* Reads N:delivered=P%,wait=D. Likewise. */
enum status rollout_parse_canary(struct span text, struct rollout_step *ret_step,
                                 struct buf *message) MUST_USE;

/* Whether a canary's value is of that form, and no pause. */
bool rollout_is_canary(struct span text);

/* Puts a canary (rows 0: none) in front of the steps (count 0: none), and leaves out steps that end
 * no later than the one before them in an input of so many rows. */
struct rollout rollout_plan(const struct rollout_step *canary, const struct rollout *rollout,
                            uint64_t rows);

/* The last row of a step, from 1. */
uint64_t rollout_until(const struct rollout_step *step, uint64_t rows);

/* The commands of a step and of those before it. */
struct rollout_counts {
    uint64_t commands;  /* rows that were sent, or were to be: invalid ones are left out */
    uint64_t delivered; /* to their devices */
    uint64_t lost;      /* they will not be: not accepted, refused, expired, … */
};

enum rollout_verdict { ROLLOUT_OPEN, ROLLOUT_REACHED, ROLLOUT_OUT_OF_REACH };

uint64_t rollout_needed(const struct rollout_goal *goal, uint64_t commands);
enum rollout_verdict rollout_judge(const struct rollout_goal *goal,
                                   const struct rollout_counts *counts);

#endif
