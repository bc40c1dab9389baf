/* How far a roll-out has come, for people and programs. */
#ifndef NB_REPORT_ROLLOUT_STANDING_H
#define NB_REPORT_ROLLOUT_STANDING_H

#include "core/buf.h"

/* X(name, text) */
#define ROLLOUT_STATE_MAP(X) \
    X(SENDING, "sending")    \
    X(WAITING, "waiting")    \
    X(PASSED, "passed")      \
    X(STOPPED, "stopped")    \
    X(DONE, "done")

enum rollout_state {
#define X(name, text) ROLLOUT_##name,
    ROLLOUT_STATE_MAP(X)
#undef X
};

struct rollout_standing {
    enum rollout_state state;
    size_t step, steps;               /* from 1; steps 0: there is no roll-out */
    uint64_t first_row;               /* of the step */
    uint64_t until_row;               /* its last; all counts are of rows up to this one */
    int64_t began_s;                  /* epoch: what relative times of the step's rows count from */
    int64_t deadline_s;               /* of the waiting, epoch; 0: it does not wait */
    uint64_t commands;                /* 0: not known yet */
    uint64_t needed, delivered, lost; /* as in send/rollout.h */
};

const char *rollout_state_name(enum rollout_state state);

/* "92 of 100 delivered, 95 needed, 3 will not be" */
void rollout_add_counts(const struct rollout_standing *standing, struct buf *out);

#endif
