/*
 * pace.h tells the way from mode to mode. What the numbers in here rest on:
 *
 * Two refusals measure. A bucket that refuses holds less than one token. So between two refusals
 * the platform passed what it is limited to, give or take one row, if the bucket was never full in
 * between: `anchor` counts from a refusal on, and n rows give the limit to one in n. Each test ends
 * in a refusal, and so at least as many rows are measured over as lie between two tests.
 *
 * A rise is seen for certain, too. What passed since the anchor cannot be more than the limit lets
 * through and one token; where it is, the limit is higher than it was thought to be.
 *
 * What it costs. Whatever leaves between the first request that is refused and its answer comes to
 * (excess · round trip): a test has a gain that keeps this to about one row, and a few in a
 * thousand where many pass between tests. While the rate grows by a part g a second, a bucket of s
 * seconds' worth is empty at x times the limit, where x - 1 - ln x = g·s: at g = 1 and a second's
 * worth at x = 3.1. Then (x - 1) · limit · round trip are refused. So the longer a round trip is,
 * the smaller is g; and a limit of 20/s that is looked for from 40/s on by round trips of half a
 * second costs ten rows whatever is done.
 *
 * A bucket of a single token is never anything but full or empty, and is full again after each
 * interval: it hides a limit that is higher, and passes every other row at a rate that is a hair
 * above. What was held without a refusal is therefore never given up for a lower measure, and where
 * a test got much further than the measure explains, the next rate is halfway there.
 *
 * A window (so many in each second of a clock, or in the last second) refuses everything once it is
 * full, to its end: no share of what passes in the meantime measures it. But it holds what passed
 * in the second before it opened again. A bucket that fills all the time lets some through, which
 * is how they are told apart. While all is refused, a few rows a second try; refusals in a row are
 * one piece of news. A test that finds a window full costs the rest of it, so that it is careful.
 * Whatever is measured in less than a second is no less than half of what has passed in the last
 * one: neither a bucket of a second's worth nor a window lets more through.
 */
#include "send/pace.h"

#include <assert.h>
#include <math.h>

#include "send/pace_math.h"

/* Beginning: with so many rows in a round trip, within these rates. */
#define START_RATE     30.0
#define START_RATE_MAX 100.0
#define START_ROWS     2.0
#define START_ALARM    0.1 /* an answer takes so much of a refusal back */

/* Growth, as the part of the rate that is added in a second. */
#define GAIN_LEAST    0.3
#define GAIN_TRIPS    0.15 /* … and so much in a round trip */
#define TEST_GAIN     0.03 /* a test begins with no less */
#define TEST_GAIN_MAX 1.0
#define TEST_FACTOR   3.0 /* a rise makes the gain so much greater in each step, which takes … */
#define STEP_S        0.25
#define STEP_TRIPS    2.0
#define STEP_ROWS     15.0
#define TEST_COST     0.0035 /* of the rows since the last one may be refused */
#define AHEAD_S       0.05   /* the time whose rows a bucket may have saved unseen */

/* Measuring. */
#define FEW_ROWS    5.0 /* fewer say little */
#define LONG_ROWS   100.0
#define UNSURE      0.4 /* a guess */
#define CUT_UNKNOWN 0.25

/* Windows. */
#define WINDOW_S      1.2 /* none is longer, and what lies between two rows */
#define WINDOW_ROWS   4.0 /* a bucket would have let so many through, … */
#define SHUT_RUN      8   /* … but so many were refused in a row */
#define SHUT_RATE     20.0
#define SHUT_PART     0.05
#define WINDOW_UNSURE 0.05
#define WINDOW_SURE   0.06
#define WINDOW_TEST_S 5.0
#define CALM_S        4.0 /* uneven twice within this time: it is no window */

/* Holding. */
#define MARGIN_LEAST 0.003
#define MARGIN_MAX   0.1
#define INTERVAL_FIRST                                                                            \
    16.0                   /* rows before the first test; then twice as many each time, up to … \
                            */
#define INTERVAL_GUESS 3.0 /* … where next to nothing was measured */
#define INTERVAL_ROWS  200.0 /* … so many, within these times */
#define INTERVAL_S_MIN 3.0
#define INTERVAL_S_MAX 8.0
#define WAY_LEAST      1.03
#define COST_ROWS      150.0 /* for each refusal of a test but the first, for so long at most */
#define COST_S_MAX     8.0
#define FALL_SHARE     0.1 /* a greater one that is refused is a limit that has fallen */
#define FALL_ALARM     2.5
#define REST_S         0.1
#define NOISE_ALARM    6.0 /* … beyond the noise */

/* The only place that changes the mode. */
static void set_mode(struct pace *pace, enum pace_mode mode, int64_t now_ns)
{
    pace->mode = mode;
    pace->since_ns = pace->grown_ns = pace->step_ns = now_ns;
}

static void set_rate(struct pace *pace, double rate)
{
    pace->rate = between(rate, PACE_RATE_MIN, PACE_RATE_MAX);
}

bool pace_is_limited(const struct pace *pace)
{
    return pace->mode != PACE_OPEN && pace->mode != PACE_STARTING;
}

static double start_rate(const struct pace *pace)
{
    return pace->rtt_s > 0 ? between(START_ROWS / pace->rtt_s, START_RATE, START_RATE_MAX)
                           : START_RATE;
}

static double trip_s(const struct pace *pace)
{
    return most(pace->rtt_s, 1e-4);
}

void pace_init(struct pace *pace, size_t concurrency, bool enabled, bool gently)
{
    assert(concurrency >= 1);
    *pace = (struct pace){.enabled = enabled,
                          .mode = enabled && gently && concurrency > 1 ? PACE_STARTING : PACE_OPEN,
                          .concurrency = concurrency,
                          .rate = START_RATE,
                          .bound_ns = INT64_MIN / 2};
}

void pace_set_ceiling(struct pace *pace, double ceiling)
{
    pace->ceiling = ceiling;
}

/* Nothing passes: few rows try whether it does again. */
static bool is_shut(const struct pace *pace)
{
    return pace->run.count >= SHUT_RUN && pace->rate > SHUT_RATE && pace_is_limited(pace);
}

double pace_rate(const struct pace *pace)
{
    if (pace->mode == PACE_OPEN)
        return 0;
    return is_shut(pace) ? most(SHUT_RATE, SHUT_PART * pace->rate) : pace->rate;
}

double pace_allowed(const struct pace *pace)
{
    return pace->limit;
}

static void take_rtt(struct pace *pace, double rtt_s)
{
    pace->rtt_s = pace->rtt_s == 0 ? rtt_s : pace->rtt_s + (rtt_s - pace->rtt_s) / 8;
}

/* Whether it is the rate that holds rows back. */
static bool is_bound(const struct pace *pace, int64_t now_ns)
{
    return seconds_between(pace->bound_ns, now_ns) < most(REST_S, 2 / pace->rate);
}

/* ---- Counting ---- */

/* What is refused without a break, for no longer than a window is, says one thing: it is full. */
static bool is_same_news(const struct pace *pace, int64_t started_ns)
{
    return pace->windowed && pace->run.count > 1 &&
           seconds_between(pace->run.start_ns, started_ns) < WINDOW_S;
}

/* Nothing was sent for a while: the bucket has filled. */
static void forget(struct pace *pace)
{
    pace->anchor.holds = false;
    pace->noise.odds.seen.holds = false;
    pace->alarm.sum = 0;
}

/* The bucket was empty at this time. A measure goes on until it is long enough. */
static void set_anchor(struct pace *pace, int64_t started_ns)
{
    if (!pace->anchor.holds || pace->anchor.passed >= LONG_ROWS)
        pace->anchor = pace_count_from(started_ns);
}

/* ---- Growing ---- */

static double gain_max(const struct pace *pace)
{
    return GAIN_LEAST + GAIN_TRIPS / trip_s(pace);
}

/* In a time in which nothing was sent nothing was learned. */
static void grow(struct pace *pace, int64_t now_ns)
{
    double seconds = between(seconds_between(pace->grown_ns, now_ns), 0, 3 / pace->rate + REST_S);

    pace->grown_ns = now_ns;
    if (is_bound(pace, now_ns))
        set_rate(pace, pace->rate * exp(pace->gain * seconds));
}

/* What was being sent, by Little's law where there is no rate, when a request left that is answered
 * now. */
static double rate_then(const struct pace *pace, int64_t started_ns, int64_t now_ns)
{
    double rate = pace->rate * exp(-pace->gain * seconds_between(started_ns, now_ns));

    if (pace->mode != PACE_OPEN)
        return pace->mode == PACE_TESTING ? most(rate, pace->ground) : rate;
    rate = (double)(pace->in_flight + 1) / trip_s(pace);
    return least(pace->ceiling > 0 ? least(rate, pace->ceiling) : rate, PACE_RATE_MAX);
}

static void start(struct pace *pace, double rate, int64_t now_ns)
{
    pace->alarm.sum = 0;
    set_mode(pace, PACE_STARTING, now_ns);
    set_rate(pace, rate);
}

/* ---- Settling and holding ---- */

/* What is thought of a limit before it is measured. */
struct guess {
    double limit, unsure, most;
};

static void hold(struct pace *pace, double limit, double unsure, int64_t now_ns)
{
    pace->limit = limit;
    pace->unsure = unsure;
    pace->rows = 0;
    set_mode(pace, PACE_HOLDING, now_ns);
    set_rate(pace, limit * (1 - between(unsure / 2, MARGIN_LEAST, MARGIN_MAX)));
}

/* Sends what is known already to be below the limit. */
static void follow_settling(struct pace *pace)
{
    const struct pace_count *seen = &pace->anchor;

    if (seen->passed + seen->refused >= FEW_ROWS && pace_count_seconds(seen) > 0) {
        pace->limit = between((seen->passed + 0.3) / pace_count_seconds(seen),
                              pace_count_seconds(seen) < WINDOW_S ? pace->least : 0, pace->most);
        pace->unsure = 1 / (seen->passed + 2);
    }
    set_rate(pace, pace->limit * (1 - least(pace->unsure, MARGIN_MAX)));
}

/* The rate was too high. What was sent before it is lowered is still to be answered, and since the
 * bucket was empty all the time, this shows the limit. */
static void settle(struct pace *pace, const struct pace_count *seen, const struct guess *guess,
                   int64_t now_ns)
{
    double passed = pace_recent_rate(&pace->recent, seen->start_ns);

    pace->anchor = *seen;
    pace->anchor.holds = true;
    pace->unsure = guess->unsure;
    pace->least = passed >= 2 * FEW_ROWS ? least(passed / 2, guess->most) : 0;
    pace->most = guess->most;
    pace->limit = most(guess->limit, pace->least);
    pace->alarm.sum = 0;
    pace->cut_ns = now_ns;
    set_mode(pace, PACE_SETTLING, now_ns);
    follow_settling(pace);
}

/* A test of what is counted by the second costs the rest of the second. */
static bool is_sure_window(const struct pace *pace)
{
    return pace->windowed && pace->unsure <= WINDOW_SURE;
}

static void begin_holding(struct pace *pace, int64_t now_ns)
{
    pace->cost = 0;
    pace->alarm.sum = 0;
    pace->tested = 0;
    pace->clean = true;
    pace->trusted = false;
    pace->interval = pace->unsure > 1 / FEW_ROWS ? INTERVAL_GUESS : INTERVAL_FIRST;
    if (is_sure_window(pace))
        pace->interval = most(pace->interval, WINDOW_TEST_S * pace->limit);
    hold(pace, pace->limit, pace->unsure, now_ns);
}

void pace_restart(struct pace *pace, int64_t now_ns)
{
    if (!pace->enabled)
        return;
    if (pace_is_limited(pace)) {
        forget(pace);
        hold(pace, pace->limit * CUT_UNKNOWN, UNSURE, now_ns);
        pace->interval = INTERVAL_GUESS;
    } else if (pace->concurrency > 1) {
        start(pace, start_rate(pace), now_ns);
    }
}

/* A lower limit, from refusals that are not many. */
static void lower(struct pace *pace, const struct pace_count *seen, int64_t started_ns,
                  int64_t now_ns)
{
    double limit = seen->passed / seconds_between(seen->start_ns, started_ns);
    double before = pace->rate;
    int64_t since_ns = pace->since_ns;

    if (limit >= pace->limit || (pace->windowed && seconds_between(seen->start_ns, started_ns) < 1))
        return;
    hold(pace, limit, 1 / seen->passed, now_ns);
    if (pace->rate > 0.9 * before) /* what is under way speaks of it all the same */
        pace->since_ns = since_ns;
}

/* Rows that passed unevenly leave the last second so: half as many make it even. */
static void calm_down(struct pace *pace, int64_t now_ns)
{
    pace->alarm.sum = 0;
    pace->calmed_ns = now_ns;
    hold(pace, pace->limit, pace->unsure, now_ns);
    set_rate(pace, pace->rate / 2);
}

static bool is_calmed(const struct pace *pace, int64_t now_ns)
{
    return pace->windowed && pace->rate < 0.8 * pace->limit &&
           seconds_between(pace->calmed_ns, now_ns) > WINDOW_S;
}

static void fall(struct pace *pace, int64_t now_ns)
{
    const struct pace_count *cluster = &pace->alarm.seen;
    double seconds = pace_count_seconds(cluster);
    double rate = seconds > 0 ? (cluster->passed + 0.5) / seconds : pace->rate / 2;
    const struct guess guess = {least(rate, pace->rate), 1 / (cluster->passed + 2), pace->rate};

    pace->noise.odds.sum = 0;
    if (pace->windowed && seconds_between(pace->calmed_ns, now_ns) > CALM_S) {
        calm_down(pace, now_ns);
        return;
    }
    pace->windowed = false;
    settle(pace, cluster, &guess, now_ns);
}

static void take_refusal(struct pace *pace, int64_t started_ns, int64_t now_ns)
{
    const struct pace_count *anchor = &pace->anchor, *odds = &pace->noise.odds.seen;

    pace->clean = false;
    pace->trusted = true;
    if (odds->holds && odds->refused >= 2 && odds->passed >= FEW_ROWS)
        lower(pace, odds, started_ns, now_ns);
    else if (anchor->holds && anchor->passed >= FEW_ROWS && anchor->passed * pace->unsure > 0.5)
        lower(pace, anchor, started_ns, now_ns);
    set_anchor(pace, started_ns);
}

/* ---- Testing ---- */

static double step_s(const struct pace *pace)
{
    return most(STEP_S, most(STEP_TRIPS * pace->rtt_s, STEP_ROWS / pace->rate));
}

static double test_gain_max(const struct pace *pace)
{
    return least(least(0.75 * gain_max(pace), TEST_GAIN_MAX), pace->rate / 20);
}

/* Such that two tokens are used up at an excess of at most an eighth, and by an excess that costs
 * no more than it may until the first refusal is back. */
static double test_gain(const struct pace *pace)
{
    double cost = most(1, TEST_COST * pace->interval) / (2 * trip_s(pace));
    double gain = least(least(cost * cost / pace->rate, pace->rate / 250), 0.5);

    if (is_sure_window(pace))
        return TEST_GAIN;
    return least(most(most(gain, TEST_GAIN), pace->unsure / step_s(pace)), test_gain_max(pace));
}

static void begin_test(struct pace *pace, int64_t now_ns)
{
    pace->ground = pace->rate;
    pace->cost = 0;
    pace->tested = 0;
    pace->gain = test_gain(pace);
    set_mode(pace, PACE_TESTING, now_ns);
}

/* A test that cost more than it may is paid for by a longer wait, unless there is much to win. */
static bool is_due(const struct pace *pace)
{
    double paid = COST_ROWS * (pace->cost - 1) * least(1, 0.01 / pace->unsure);

    return pace->rows >= most(pace->interval, least(paid, COST_S_MAX * pace->rate));
}

/* Whether more has passed than the limit lets through. */
static bool is_beyond(const struct pace *pace, int64_t started_ns)
{
    const struct pace_count *seen = &pace->anchor;
    double seconds = seconds_between(seen->start_ns, started_ns);

    if (pace->windowed) /* … in a whole one */
        return seconds_between(pace->since_ns, started_ns) > WINDOW_S &&
               pace_recent_rate(&pace->recent, started_ns) > pace->limit * (1 + pace->unsure) + 2;
    return seen->holds && seen->passed > pace->limit * (1 + pace->unsure) * seconds + 2;
}

/* … or than was held before the test, by more than is likely to have been saved. */
static bool is_ahead(const struct pace *pace, int64_t started_ns)
{
    double seconds = seconds_between(pace->since_ns, started_ns);

    return !pace->windowed && pace->tested - pace->ground * seconds > 2 + AHEAD_S * pace->rate;
}

static void go_on_testing(struct pace *pace, int64_t started_ns, int64_t now_ns)
{
    pace->tested += started_ns >= pace->since_ns;
    if (seconds_between(pace->step_ns, now_ns) <= step_s(pace))
        return;
    pace->step_ns = now_ns;
    if (is_beyond(pace, started_ns) || is_ahead(pace, started_ns))
        pace->gain = least(TEST_FACTOR * pace->gain, test_gain_max(pace));
}

/* The limit is what it was, by and large, and is known the better. */
static void hold_tested(struct pace *pace, double limit, double unsure, double then, int64_t now_ns)
{
    double way = then / limit;
    double rows_max = between(INTERVAL_ROWS, INTERVAL_S_MIN * limit, INTERVAL_S_MAX * limit);

    pace->interval = least(2 * pace->interval, most(rows_max, INTERVAL_FIRST));
    if (is_sure_window(pace))
        pace->interval = WINDOW_TEST_S * limit;
    if (!pace->trusted && !pace_noise_is(&pace->noise) && way > WAY_LEAST) {
        limit *= sqrt(way);
        unsure = most(unsure, (way - 1) / 4);
    }
    hold(pace, limit, unsure, now_ns);
    if (pace->clean && pace->rate < pace->ground) { /* that has just passed */
        set_rate(pace, pace->ground);
        pace->limit = most(pace->limit, pace->rate);
    }
    pace->clean = true;
}

static void end_test(struct pace *pace, int64_t started_ns, int64_t now_ns)
{
    const struct pace_count *seen = &pace->anchor;
    double then = rate_then(pace, started_ns, now_ns);
    double seconds = seconds_between(seen->start_ns, started_ns);
    bool known = seen->holds && seconds > 0;
    bool rose = known ? then > 1.05 * pace->ground && is_beyond(pace, started_ns)
                      : then > 1.1 * pace->ground;
    double low = known ? between(seen->passed / seconds, pace->ground, then) : pace->ground;
    const struct pace_count anew = pace_count_from(started_ns);
    const struct guess guess = {sqrt(low * then), (then - low) / (then + low), then};

    pace->cost++;
    pace->alarm.sum = 0;
    if (rose) { /* and is between what has passed and what has not */
        pace->noise.odds.sum = 0;
        settle(pace, &anew, &guess, now_ns);
        return;
    }
    hold_tested(pace, low, known ? 1 / (seen->passed + 1) : pace->unsure, then, now_ns);
    set_anchor(pace, started_ns);
}

/* ---- Noise ---- */

static void begin_trial(struct pace *pace, int64_t now_ns)
{
    pace_noise_begin_trial(&pace->noise, pace->rate);
    set_mode(pace, PACE_TRYING, now_ns);
    set_rate(pace, PACE_TRIAL_LOW * pace->rate);
}

/* Only what is more counts from now on. */
static enum pace_change be_noise(struct pace *pace, double rate, int64_t now_ns)
{
    pace->limit = 0;
    start(pace, rate, now_ns);
    return PACE_FREED;
}

static enum pace_change go_on_trying(struct pace *pace, bool refused, int64_t started_ns,
                                     int64_t now_ns)
{
    if (started_ns < pace->since_ns)
        return PACE_SAME;
    enum pace_verdict verdict = pace_noise_try(&pace->noise, refused);
    if (verdict == PACE_IS_NOISE)
        return be_noise(pace, pace->noise.trial.before, now_ns);
    if (verdict == PACE_IS_LIMIT) {
        pace->anchor.holds = false;
        hold(pace, pace->noise.trial.before, 0.05, now_ns);
    }
    return PACE_SAME;
}

/* ---- Answers ---- */

static enum pace_change learn_held(struct pace *pace, bool refused, int64_t started_ns,
                                   int64_t now_ns)
{
    if (started_ns < pace->since_ns) { /* it belongs to the test before */
        pace->cost += refused && pace->tested > 0;
        if (refused)
            set_anchor(pace, started_ns);
        return PACE_SAME;
    }
    bool is_odd =
        pace_noise_watch(&pace->noise, refused && !is_same_news(pace, started_ns), started_ns);
    if (is_odd && pace->alarm.sum <= 1) { /* a limit that has fallen refuses many at once */
        begin_trial(pace, now_ns);
    } else if (refused && pace->alarm.sum >= FALL_ALARM) {
        if (pace_noise_add_fall(&pace->noise, &pace->alarm.seen, pace->rate))
            return be_noise(pace, pace->noise.falls.before, now_ns);
        fall(pace, now_ns);
    } else if (refused) {
        take_refusal(pace, started_ns, now_ns);
    } else if (is_bound(pace, now_ns)) {
        pace->rows++;
        if (is_calmed(pace, now_ns))
            hold(pace, pace->limit, pace->unsure, now_ns);
        if (pace->alarm.sum < 1 && is_due(pace))
            begin_test(pace, now_ns);
    }
    return PACE_SAME;
}

static enum pace_change learn(struct pace *pace, bool refused, int64_t started_ns, int64_t now_ns)
{
    if (pace->mode == PACE_TRYING)
        return go_on_trying(pace, refused, started_ns, now_ns);
    if (pace->mode == PACE_HOLDING)
        return learn_held(pace, refused, started_ns, now_ns);
    if (pace->mode == PACE_SETTLING) {
        follow_settling(pace);
        if (started_ns >= pace->since_ns &&
            (!is_shut(pace) || seconds_between(pace->run.start_ns, started_ns) > 1))
            begin_holding(pace, now_ns);
        return PACE_SAME;
    }
    grow(pace, now_ns);
    if (refused)
        end_test(pace, started_ns, now_ns);
    else
        go_on_testing(pace, started_ns, now_ns);
    return PACE_SAME;
}

/* Whether the limit holds nothing back any more. */
static bool is_free(const struct pace *pace, int64_t now_ns)
{
    if (pace->mode != PACE_HOLDING && pace->mode != PACE_TESTING)
        return false;
    if (pace->ceiling > 0 && pace->rate >= pace->ceiling)
        return true;
    return seconds_between(pace->bound_ns, now_ns) > most(1, 2 / pace->rate) &&
           pace->in_flight + 1 >= pace->concurrency;
}

/* Counts an answer, while there is a limit. */
static void count_limited(struct pace *pace, bool refused, int64_t started_ns, int64_t now_ns)
{
    bool is_now = started_ns >= pace->since_ns, is_noisy = pace_noise_is(&pace->noise);

    if (seconds_between(pace->last_ns, started_ns) > 3 / pace->rate + REST_S ||
        !is_bound(pace, now_ns))
        forget(pace);
    if (started_ns > pace->last_ns)
        pace->last_ns = started_ns;
    if (pace->mode != PACE_SETTLING || !is_now)
        pace_count_add(&pace->anchor, refused, started_ns);
    pace_count_add(&pace->alarm.seen, refused, started_ns);
    pace_count_add(&pace->noise.odds.seen, refused, started_ns);
    pace->noise.falls.rows++;
    if (pace->mode != PACE_HOLDING || is_now)
        pace_cusum_add(&pace->alarm, refused && !is_same_news(pace, started_ns),
                       is_noisy ? pace_noise_bound(&pace->noise) : FALL_SHARE, started_ns);
}

/* A window was full, and is open again: what passed in the second before is what it holds. False
 * where it may have been an empty bucket as well, which fills all the time. */
static bool reopen(struct pace *pace, int64_t started_ns, int64_t now_ns)
{
    double seconds = seconds_between(pace->run.start_ns, started_ns);
    double limit = pace_recent_rate(&pace->recent, seconds < 0.9 ? started_ns : pace->run.start_ns);

    if (limit / 2 * seconds < WINDOW_ROWS || seconds > 2 * WINDOW_S)
        return false;
    pace->alarm.sum = pace->noise.odds.sum = 0;
    if (pace->mode == PACE_HOLDING && limit > 0.9 * pace->limit && limit < 1.1 * pace->limit) {
        if (started_ns >= pace->since_ns && limit < pace->limit)
            hold(pace, limit, pace->unsure, now_ns); /* it holds less than was thought */
        return true;
    }
    pace->windowed = true;
    pace->anchor.holds = false;
    pace->limit = limit;
    pace->unsure = WINDOW_UNSURE;
    begin_holding(pace, now_ns);
    return true;
}

static enum pace_change add_limited(struct pace *pace, bool refused, uint64_t run,
                                    int64_t started_ns, int64_t now_ns)
{
    pace_noise_fade(&pace->noise, now_ns);
    count_limited(pace, refused, started_ns, now_ns);
    if (run >= SHUT_RUN && reopen(pace, started_ns, now_ns))
        return PACE_SAME;
    if (pace_noise_is(&pace->noise) && pace->alarm.sum <= NOISE_ALARM)
        refused = false;
    enum pace_change change = learn(pace, refused, started_ns, now_ns);
    if (change != PACE_SAME || refused || !is_free(pace, now_ns))
        return change;
    pace->alarm.sum = 0;
    set_mode(pace, PACE_OPEN, now_ns);
    return PACE_FREED;
}

/* The first refusals, or the first beyond the noise. */
static void enter_limited(struct pace *pace, int64_t now_ns)
{
    const struct pace_count *seen = &pace->alarm.seen;
    double then = rate_then(pace, seen->start_ns, now_ns);
    struct guess guess = {CUT_UNKNOWN * then, UNSURE, then};

    if (pace->mode == PACE_OPEN && (pace->ceiling > 0 || pace->answered > pace->concurrency))
        guess.limit *= 2;
    else if (pace->mode == PACE_OPEN) /* all were sent at once: nothing is known but their number */
        guess.limit = guess.most = least(guess.limit, start_rate(pace));
    double share = (seen->refused + 1) / (seen->passed + seen->refused + 1);

    pace->noise.odds.seen.holds = false;
    pace->noise.seen_ns = now_ns;
    pace->last_ns = now_ns;
    if (share > PACE_NOISE_SHARE_MAX || (pace->noise.share > 0 && pace->mode == PACE_OPEN)) {
        pace->noise.odds.sum = 0;
        settle(pace, seen, &guess, now_ns);
        return;
    }
    pace->anchor.holds = false;
    pace->limit = (1 - share) * rate_then(pace, seen->last_ns, now_ns);
    pace->unsure = share;
    begin_holding(pace, now_ns);
}

/* Without a limit, what is refused is noise unless it is more than before. */
static bool is_too_much(struct pace *pace, bool refused, int64_t started_ns)
{
    double expected = pace->noise.share > 0         ? pace_noise_bound(&pace->noise)
                      : pace->mode == PACE_STARTING ? START_ALARM
                                                    : PACE_EXCESS;

    pace_count_add(&pace->alarm.seen, refused, started_ns);
    pace_count_add(&pace->noise.odds.seen, refused, started_ns);
    pace_cusum_add(&pace->alarm, refused, expected, started_ns);
    pace_noise_learn(&pace->noise, refused);
    if (!pace_noise_is(&pace->noise))
        (void)pace_noise_watch(&pace->noise, refused, started_ns);
    return pace->alarm.sum > (pace_noise_is(&pace->noise) ? NOISE_ALARM : 1);
}

static void go_on_starting(struct pace *pace, int64_t now_ns)
{
    pace->gain = pace->alarm.sum == 0 || pace->noise.share > 0 ? gain_max(pace) : 0;
    if (pace->rate < start_rate(pace))
        set_rate(pace, start_rate(pace));
    grow(pace, now_ns);
    if ((pace->rate * pace->rtt_s >= (double)pace->concurrency &&
         pace->in_flight + 1 >= pace->concurrency) ||
        pace->rate >= PACE_RATE_MAX || (pace->ceiling > 0 && pace->rate >= pace->ceiling))
        set_mode(pace, PACE_OPEN, now_ns);
}

static enum pace_change add_free(struct pace *pace, bool refused, int64_t started_ns,
                                 int64_t now_ns)
{
    bool was_quiet = pace->alarm.sum == 0 && pace->noise.odds.sum == 0 && pace->noise.share == 0;

    pace->answered++;
    if ((refused || !was_quiet) && is_too_much(pace, refused, started_ns)) {
        enter_limited(pace, now_ns);
        return PACE_LOWERED;
    }
    if (pace->mode == PACE_STARTING)
        go_on_starting(pace, now_ns);
    return PACE_SAME;
}

enum pace_change pace_end(struct pace *pace, enum pace_answer answer, int64_t started_ns,
                          int64_t now_ns)
{
    bool refused = answer == PACE_REFUSED;

    pace->in_flight--;
    if (!pace->enabled || answer == PACE_SILENT)
        return PACE_SAME;
    /* A refusal may come sooner than the answer to what is processed. */
    if (!refused || pace->rtt_s == 0)
        take_rtt(pace, seconds_between(started_ns, now_ns));
    uint64_t run = pace_run_add(&pace->run, refused, started_ns);
    if (!refused)
        pace_recent_add(&pace->recent, started_ns);
    return pace_is_limited(pace) ? add_limited(pace, refused, run, started_ns, now_ns)
                                 : add_free(pace, refused, started_ns, now_ns);
}
