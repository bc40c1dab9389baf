/*
 * Tells refusals that do not depend on the rate (noise) from a limit's. It decides; who sends is
 * the pace.
 *
 *     if (pace_noise_watch(&noise, refused, started_ns) && …)
 *         pace_noise_begin_trial(&noise, rate);        … and sends PACE_TRIAL_LOW of the rate
 *     verdict = pace_noise_try(&noise, refused);       with each answer to what was sent so
 *
 * What tells them apart: a limit refuses nothing of what is clearly below it. So where more is
 * refused than a limit explains, clearly less is sent for some rows. And where refusals have
 * brought the rate down to a part, and what is refused has not become less, it is noise, too. Once
 * it is known, only what is more than its share counts (`pace_noise_bound`).
 */
#ifndef NB_SEND_PACE_NOISE_H
#define NB_SEND_PACE_NOISE_H

#include "send/pace_measure.h"

#define PACE_TRIAL_LOW       0.88
#define PACE_NOISE_SHARE_MAX 0.12 /* what is refused more than this at the first is a limit, */
#define PACE_TRIAL_SHARE_MAX 0.2  /* … and more than this of a trial */

/* Less is sent for a while, to see whether it is refused all the same. */
struct pace_trial {
    double before; /* the rate, */
    double share;  /* … and what was refused of it */
    double passed, refused;
};

/* The rate comes down, and not a few rows in a row have passed. */
struct pace_descent {
    double rate;            /* at its top */
    double passed, refused; /* since then, */
    double clean;           /* … and since the last refusal */
};

struct pace_noise {
    double share;           /* that is refused at any rate; 0: none */
    int64_t seen_ns;        /* up to when it has faded */
    struct pace_cusum odds; /* refusals that a limit does not explain */
    struct pace_trial trial;
    struct pace_descent descent;
};

enum pace_verdict { PACE_UNDECIDED, PACE_IS_NOISE, PACE_IS_LIMIT };

/* Whether there is any to speak of. */
bool pace_noise_is(const struct pace_noise *noise);

/* A share of refusals that is more than noise. */
double pace_noise_bound(const struct pace_noise *noise);

/* It is forgotten by and by, while there is a limit. */
void pace_noise_fade(struct pace_noise *noise, int64_t now_ns);

/* An answer while there is no limit: the share is known the better. */
void pace_noise_learn(struct pace_noise *noise, bool refused);

/* An answer while nothing should be refused. True where refusals are too many for a limit that was
 * measured. */
bool pace_noise_watch(struct pace_noise *noise, bool refused, int64_t started_ns);

/* `rate` is what the refusals came at. */
void pace_noise_begin_trial(struct pace_noise *noise, double rate);

/* The answer to what was sent in the trial, of which a limit may refuse `most_share`, as it does
 * where it has fallen. Where it is noise, its share is noted. */
enum pace_verdict pace_noise_try(struct pace_noise *noise, bool refused, double most_share);

/* An answer to what was sent at a rate that was measured. True where refusals have brought it down
 * from descent.rate to a part without becoming fewer, so that it is noise, whose share is noted. */
bool pace_noise_descend(struct pace_noise *noise, bool refused, double rate);

#endif
