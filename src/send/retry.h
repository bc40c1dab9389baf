/*
 * What is sent again, and when.
 *
 *     retry_init(&retry, &policy, seed);
 *     … per row: struct retry_row so_far = {0} …
 *     … at the end of each attempt:
 *     retry_decide(&retry, &attempt, &row->so_far, &decision);
 *     if (decision.again)
 *         scheduler_retry(&scheduler, task, now_ms + decision.delay_ms);
 *     else
 *         … the row is retry_row_status(&row->so_far, outcome.status) …
 *     … and start no row before now_ms + decision.host_wait_ms …
 *
 * The class of an outcome (platform/outcome.h) says whether it may be sent again; the policy
 * decides where that is open, and how often. platform/answer_case.h divides the classes further,
 * into cases with a name, which --explain-retries shows.
 *
 * The wait before retry n (from 0) is random(0, min(cap, base · 2^n)), the exponential backoff with
 * full jitter of Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015). A reply
 * that throttles has a base, and a cap, of at least RETRY_THROTTLE_BASE_MS. Retry-After is a lower
 * bound, and is the host's, not the row's: it is returned separately.
 */
#ifndef NB_SEND_RETRY_H
#define NB_SEND_RETRY_H

#include "core/buf.h"
#include "core/prng.h"
#include "platform/answer_case.h"

#define RETRY_THROTTLE_BASE_MS INT64_C(1000)

/* A Retry-After beyond this ends the row; the host is then left alone for this long. */
#define RETRY_AFTER_MAX_MS INT64_C(600000)

enum on_ambiguous {
    ON_AMBIGUOUS_BY_ACTION, /* resend what is idempotent, hold the rest */
    ON_AMBIGUOUS_RESEND,
    ON_AMBIGUOUS_HOLD,
    ON_AMBIGUOUS_VERIFY, /* look for it in the platform's history, and resend what is not there */
};

/* What the operator asked for. */
struct retry_policy {
    enum on_ambiguous on_ambiguous;
    uint32_t max_attempts; /* ≥ 1, the first included */
    int64_t base_ms;       /* ≥ 0 */
    int64_t cap_ms;        /* ≥ 0 */
};

enum { RETRY_CASE_NAME_MAX = 47 };

/* The case of an attempt as people are told of it: with the number where the platform gave one. */
void retry_case_name(const struct answer_case *rule, const struct outcome *outcome,
                     char out[RETRY_CASE_NAME_MAX + 1]);

/* What a row has been through; zeroed at its start. */
struct retry_row {
    uint32_t tries;     /* attempts, which count towards the maximum */
    uint32_t sent;      /* those of them whose request left */
    uint32_t ambiguous; /* those of them that may have been processed without our knowing */
};

/* The end of an attempt. */
struct retry_attempt {
    const struct outcome *outcome;
    bool idempotent;  /* the action's (platform/rules.h) */
    bool is_question; /* it changes nothing: nobody need look what became of it */
    bool held; /* what may have been processed is not sent again, whatever on_ambiguous says */
    bool all_refused; /* the platform refuses everything (breaker_refuses_all) */
    bool unreachable; /* no connection to it comes about (breaker_is_unreachable) */
    bool has_retry_after;
    int64_t retry_after_ms; /* from now */
};

/* Why a row is not sent again. */
enum retry_end {
    RETRY_END_NONE,      /* it is */
    RETRY_END_FINAL,     /* the case is never sent again */
    RETRY_END_HELD,      /* it may have been processed, and is not to be sent twice */
    RETRY_END_LOOK,      /* it may have been processed, which is to be found out first */
    RETRY_END_EXHAUSTED, /* all attempts were made */
    RETRY_END_TOO_LONG,  /* Retry-After asks for more than RETRY_AFTER_MAX_MS */
    RETRY_END_STOP,      /* no row can be sent */
};

struct retry_decision {
    bool again;
    enum retry_end end;
    int64_t delay_ms;     /* when again: before the row's next attempt */
    int64_t host_wait_ms; /* before any row's next attempt; 0: none. Also when the row ends. */
    const struct answer_case *rule;
};

struct retry {
    struct retry_policy policy;
    struct prng prng;
    uint64_t seen[ANSWER_CASE_COUNT]; /* attempts that ended in each case */
    uint64_t retries;                 /* decisions to send again */
    uint64_t ambiguous;               /* attempts that may have been processed: */
    uint64_t resent;                  /* … of these, sent again */
    uint64_t held;                    /* … of these, not, for on_ambiguous said so */
};

void retry_init(struct retry *retry, const struct retry_policy *policy, uint64_t seed);

/* Decides, and counts the attempt in `retry` and in `row`. That it is refused where all are, or not
 * sent where nothing is, says nothing of a row: where it was the last attempt but the first, there
 * is another. */
void retry_decide(struct retry *retry, const struct retry_attempt *attempt, struct retry_row *row,
                  struct retry_decision *ret_decision);

/* The status of a row whose last attempt ended in `last`: where an earlier attempt may have been
 * processed, nothing but acceptance is certain. */
enum row_status retry_row_status(const struct retry_row *row, enum row_status last);

/* The longest wait before the retry that follows attempt number `tries` (≥ 1). */
int64_t retry_longest_ms(const struct retry_policy *policy, uint32_t tries, bool throttles);

/* Appends the table as text: each case that a dialect has, what is done under this policy, why;
 * then the waits. */
void retry_explain(enum dialect dialect, const struct retry_policy *policy, struct buf *out);

#endif
