#include "send/pace_noise.h"

#include <math.h>

#include "send/pace_math.h"

#define ODD_SHARE   0.002
#define ODD_REFUSED 3.0
#define ODD_ROWS    40.0

/*
 * A trial is a sequential test (Wald 1945): noise of a share s, or next to none. A refusal speaks
 * for noise by ln 20, each answer against it by s. What share the noise has is a guess from a few
 * refusals, mostly too high a one, so that the share of the trial itself may speak for it, too:
 * r refusals in n rows by r · ln(r / n / TRIAL_CHANCE) - r.
 */
#define TRIAL_REFUSAL  3.0
#define TRIAL_CHANCE   0.001 /* that a limit refuses of a trial */
#define TRIAL_IS_NOISE 4.0
#define TRIAL_IS_LIMIT (-2.5)
#define TRIAL_ROWS_MIN 100.0 /* … without which it is no limit, */
#define TRIAL_ROWS_MAX 2000.0

#define NOISE_ROWS    1000.0 /* its share is smoothed over so many */
#define NOISE_LEAST   0.002
#define NOISE_FACTOR  2.0
#define NOISE_MORE    0.3 /* … or this part of what it leaves */
#define NOISE_FADES_S 60.0

/* A limit that was measured refuses next to nothing in this number of rows. So where these have
 * not passed in a row while the rate came down to this part, it is none, unless more is refused
 * than this: then it has not been found yet. */
#define DESCENT_CLEAN     24.0
#define DESCENT_PART      0.25
#define DESCENT_ROWS      40.0
#define DESCENT_SHARE_MIN 0.08
#define DESCENT_SHARE_MAX 0.6

bool pace_noise_is(const struct pace_noise *noise)
{
    return noise->share >= NOISE_LEAST;
}

double pace_noise_bound(const struct pace_noise *noise)
{
    return least(NOISE_FACTOR * noise->share, noise->share + NOISE_MORE * (1 - noise->share));
}

void pace_noise_fade(struct pace_noise *noise, int64_t now_ns)
{
    if (noise->share > 0)
        noise->share *= exp(-seconds_between(noise->seen_ns, now_ns) / NOISE_FADES_S);
    noise->seen_ns = now_ns;
}

void pace_noise_learn(struct pace_noise *noise, bool refused)
{
    if (noise->share > 0)
        noise->share += (refused - noise->share) / NOISE_ROWS;
}

bool pace_noise_watch(struct pace_noise *noise, bool refused, int64_t started_ns)
{
    pace_cusum_add(&noise->odds, refused, ODD_SHARE + 1.5 * noise->share, started_ns);
    return noise->odds.sum >= ODD_REFUSED && noise->odds.seen.passed >= ODD_ROWS;
}

/* The first refusal is why it was counted, and says nothing of how many there are. */
void pace_noise_begin_trial(struct pace_noise *noise, double rate)
{
    const struct pace_count *seen = &noise->odds.seen;
    double share = most(seen->refused - 1, 1) / (seen->passed + seen->refused);

    noise->trial = (struct pace_trial){.before = rate, .share = share};
    noise->odds.sum = 0;
}

static double evidence_of(const struct pace_trial *trial, double rows)
{
    double refused = trial->refused, evidence = TRIAL_REFUSAL * refused - trial->share * rows;

    if (refused == 0)
        return evidence;
    return most(evidence, refused * log(refused / rows / TRIAL_CHANCE) - refused);
}

/* A limit refuses nothing of so much less, unless it has fallen; then it refuses a great share. */
enum pace_verdict pace_noise_try(struct pace_noise *noise, bool refused, double most_share)
{
    struct pace_trial *trial = &noise->trial;

    trial->refused += refused;
    trial->passed += !refused;
    double rows = trial->passed + trial->refused, share = trial->refused / rows;
    double evidence = evidence_of(trial, rows);
    bool enough = trial->refused >= 2 && evidence >= TRIAL_IS_NOISE && rows >= ODD_ROWS;
    if (!enough && rows < TRIAL_ROWS_MAX && (evidence > TRIAL_IS_LIMIT || rows < TRIAL_ROWS_MIN))
        return PACE_UNDECIDED;
    if (!enough || share > most_share)
        return PACE_IS_LIMIT;
    noise->share = most(share, trial->share);
    return PACE_IS_NOISE;
}

bool pace_noise_descend(struct pace_noise *noise, bool refused, double rate)
{
    struct pace_descent *descent = &noise->descent;

    descent->clean = refused ? 0 : descent->clean + 1;
    if (rate > descent->rate || descent->clean >= DESCENT_CLEAN)
        *descent = (struct pace_descent){.rate = rate};
    descent->refused += refused;
    descent->passed += !refused;
    double rows = descent->passed + descent->refused, share = descent->refused / rows;
    if (!refused || rate > DESCENT_PART * descent->rate || rows < DESCENT_ROWS ||
        share < DESCENT_SHARE_MIN || share > DESCENT_SHARE_MAX)
        return false;
    noise->share = share;
    return true;
}
