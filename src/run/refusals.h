/*
 * When refusals of one kind begin and end, out of the attempts of a run: what the log of a night
 * has to tell, and what no row alone shows. A kind begins when ten attempts of it ended within a
 * minute, and ends when none has for a minute. Pure; at most 16 kinds are told apart. Private to
 * run/.
 */
#ifndef NB_RUN_REFUSALS_H
#define NB_RUN_REFUSALS_H

#include "send/retry.h"

enum { REFUSAL_KINDS_MAX = 16, REFUSALS_BEGIN = 10, REFUSALS_WINDOW_MS = 60 * 1000 };

struct refusal_kind {
    char name[RETRY_CASE_NAME_MAX + 1]; /* as retry_case_name says it; "" where there is none */
    char error[OUTCOME_ERROR_MAX + 1];  /* of the latest */
    uint64_t count;                     /* since it began, or since the window did */
    int64_t first_ms, last_ms;          /* of these */
    bool is_on;
};

struct refusals {
    struct refusal_kind kinds[REFUSAL_KINDS_MAX];
};

/* An attempt was refused. What began by it, or NULL. */
const struct refusal_kind *refusals_add(struct refusals *refusals, const char *name,
                                        const char *error, int64_t now_ms);

/* Time goes by. One that has ended, and is forgotten with the next call; NULL: no other. */
const struct refusal_kind *refusals_ended(struct refusals *refusals, int64_t now_ms);

#endif
