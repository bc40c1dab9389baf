/*
 * How many retries a run can afford: a bucket of tokens that a retry takes more from than a success
 * gives back, so that an outage multiplies the load by little (the retry quota of the AWS SDKs,
 * "Retry behavior", AWS SDKs and Tools Reference Guide: 500 tokens, 5 a retry, 1 back a success).
 *
 *     if (this is a retry && new rows wait && (again_ms = budget_next_ms(&budget, now_ms)) != 0)
 *         scheduler_retry(&scheduler, task, again_ms);
 *     else
 *         … budget_take(&budget, now_ms) for a retry, and start it …
 *     … when it was answered: budget_return(&budget) …
 *
 * The SDKs give up where the bucket is empty. A row is worth more than a call: here the retry
 * waits, for tokens, or for its turn in a trickle of one per BUDGET_TRICKLE_MS, so that no row ends
 * because of the budget. And it waits only as long as there is something else to send: a retry
 * that takes no new row's place adds no load. So devices that fail again and again, more of them
 * than the successes pay for, slow nobody down once nothing new may be read (the scheduler holds so
 * many rows), or is left.
 *
 * Times are the caller's monotonic clock in milliseconds.
 */
#ifndef NB_SEND_BUDGET_H
#define NB_SEND_BUDGET_H

#include "core/span.h"

enum {
    BUDGET_TOKENS_MAX = 500,
    BUDGET_RETRY_COST = 5,
    BUDGET_SUCCESS_RETURN = 1,
    BUDGET_TRICKLE_MS = 50,
};

struct budget {
    int tokens;
    int64_t trickle_ms; /* when a retry may start without tokens */
    uint64_t unpaid;    /* retries that started without */
};

/* A full bucket. */
void budget_init(struct budget *budget, int64_t now_ms);

/* 0 when a retry may start now; otherwise when to ask again at the latest. */
int64_t budget_next_ms(const struct budget *budget, int64_t now_ms);

/* Counts a retry that starts, paid for or not. */
void budget_take(struct budget *budget, int64_t now_ms);

/* Takes back a retry that did not leave. */
void budget_refund(struct budget *budget);

/* Counts an attempt, first or later, that the platform answered (breaker_kind_of: BREAKER_OK). */
void budget_return(struct budget *budget);

#endif
