#include "send/pace_noise.h"

#include <math.h>

#include "send/pace_math.h"

#define ODD_SHARE   0.008
#define ODD_REFUSED 3.0
#define ODD_ROWS    40.0

#define TRIAL_EXPECTED 5.0 /* refusals, if it is noise */
#define TRIAL_REFUSED  3.0
#define TRIAL_ROWS_MIN 100.0
#define TRIAL_ROWS_MAX 500.0

#define NOISE_ROWS    1000.0 /* its share is smoothed over so many */
#define NOISE_LEAST   0.002
#define NOISE_FACTOR  3.0
#define NOISE_MORE    0.3 /* … or this part of what it leaves */
#define NOISE_FADES_S 60.0

/* So many falls by the same share, of no more rows since the one before, are noise. */
#define FALL_COUNT  3
#define FALL_PASSED 3.0
#define FALL_ROWS   100.0

/* A greater share than this is refused by a limit that has fallen, and far less of less. */
#define FALL_SHARE 0.1
#define FALL_LESS  0.6

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

void pace_noise_begin_trial(struct pace_noise *noise, double rate)
{
    double share = pace_count_share(&noise->odds.seen);

    noise->trial = (struct pace_trial){
        .rows = between(TRIAL_EXPECTED / share, TRIAL_ROWS_MIN, TRIAL_ROWS_MAX),
        .before = rate,
        .share = share,
    };
    noise->odds.sum = 0;
}

static void be_noise(struct pace_noise *noise, double share)
{
    noise->share = share;
    noise->falls.count = 0;
}

/* A limit refuses nothing of so much less, unless it has fallen; then it refused a great share
 * before, and refuses far less of it now. */
enum pace_verdict pace_noise_try(struct pace_noise *noise, bool refused)
{
    struct pace_trial *trial = &noise->trial;

    trial->refused += refused;
    trial->passed += !refused;
    double rows = trial->passed + trial->refused, share = trial->refused / rows;
    bool enough = trial->refused >= TRIAL_REFUSED && rows >= ODD_ROWS;
    if (trial->refused > 0) /* which no limit should do */
        trial->rows = TRIAL_ROWS_MAX;
    if (rows < trial->rows && !enough)
        return PACE_UNDECIDED;
    bool has_fallen = share > PACE_NOISE_SHARE_MAX ||
                      (trial->share > FALL_SHARE && share < FALL_LESS * trial->share);
    if (!enough || has_fallen)
        return PACE_IS_LIMIT;
    be_noise(noise, share);
    return PACE_IS_NOISE;
}

bool pace_noise_add_fall(struct pace_noise *noise, const struct pace_count *seen, double rate)
{
    struct pace_falls *falls = &noise->falls;
    double share = pace_count_share(seen);
    bool is_like = falls->count > 0 && seen->passed >= FALL_PASSED && falls->rows < FALL_ROWS &&
                   share < 2 * falls->share && falls->share < 2 * share;

    if (!is_like)
        *falls = (struct pace_falls){.share = share, .before = rate};
    falls->share += (share - falls->share) / ++falls->count;
    falls->rows = 0;
    if (falls->count < FALL_COUNT)
        return false;
    be_noise(noise, falls->share);
    return true;
}
