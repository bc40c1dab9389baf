/*
 * What is known of a limit, and what the rate is made of it. pace.h tells the way from mode to
 * mode. What the numbers in here rest on:
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
#include "send/pace_limit.h"

#include <math.h>

#include "send/pace_math.h"

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
#define FEW_ROWS  5.0 /* fewer say little */
#define LONG_ROWS 100.0

/* Windows. */
#define WINDOW_SURE   0.06
#define WINDOW_TEST_S 5.0
#define CALM_S        4.0 /* uneven twice within this time: it is no window */

/* Holding. */
#define MARGIN_LEAST   0.003
#define MARGIN_MAX     0.1
#define INTERVAL_FIRST 16.0  /* rows before the first test; twice as many each time, up to … */
#define INTERVAL_ROWS  200.0 /* … so many, within these times */
#define INTERVAL_S_MIN 3.0
#define INTERVAL_S_MAX 8.0
#define WAY_LEAST      1.03
#define COST_ROWS      150.0 /* for each refusal of a test but the first, for so long at most */
#define COST_S_MAX     8.0

/* The only place that changes the mode. */
void pace_set_mode(struct pace *pace, enum pace_mode mode, int64_t now_ns)
{
    pace->mode = mode;
    pace->since_ns = pace->grown_ns = pace->step_ns = now_ns;
}

void pace_set_rate(struct pace *pace, double rate)
{
    pace->rate = between(rate, PACE_RATE_MIN, PACE_RATE_MAX);
}

bool pace_is_limited(const struct pace *pace)
{
    return pace->mode != PACE_OPEN && pace->mode != PACE_STARTING;
}

static double trip_s(const struct pace *pace)
{
    return most(pace->rtt_s, 1e-4);
}

/* Whether it is the rate that holds rows back. */
bool pace_is_bound(const struct pace *pace, int64_t now_ns)
{
    return seconds_between(pace->bound_ns, now_ns) < most(PACE_REST_S, 2 / pace->rate);
}

/* Nothing was sent for a while: the bucket has filled. */
void pace_forget(struct pace *pace)
{
    pace->anchor.holds = false;
    pace->noise.odds.seen.holds = false;
    pace->alarm.sum = 0;
}

/* The bucket was empty at this time. A measure goes on until it is long enough. */
void pace_set_anchor(struct pace *pace, int64_t started_ns)
{
    if (!pace->anchor.holds || pace->anchor.passed >= LONG_ROWS)
        pace->anchor = pace_count_from(started_ns);
}

double pace_gain_max(const struct pace *pace)
{
    return GAIN_LEAST + GAIN_TRIPS / trip_s(pace);
}

/* In a time in which nothing was sent nothing was learned. */
void pace_grow(struct pace *pace, int64_t now_ns)
{
    double seconds =
        between(seconds_between(pace->grown_ns, now_ns), 0, 3 / pace->rate + PACE_REST_S);

    pace->grown_ns = now_ns;
    if (pace_is_bound(pace, now_ns))
        pace_set_rate(pace, pace->rate * exp(pace->gain * seconds));
}

/* What was being sent, by Little's law where there is no rate, when a request left that is answered
 * now. */
double pace_rate_then(const struct pace *pace, int64_t started_ns, int64_t now_ns)
{
    double rate = pace->rate * exp(-pace->gain * seconds_between(started_ns, now_ns));

    if (pace->mode != PACE_OPEN)
        return pace->mode == PACE_TESTING ? most(rate, pace->ground) : rate;
    rate = (double)(pace->in_flight + 1) / trip_s(pace);
    return least(pace->ceiling > 0 ? least(rate, pace->ceiling) : rate, PACE_RATE_MAX);
}

void pace_hold(struct pace *pace, double limit, double unsure, int64_t now_ns)
{
    pace->limit = limit;
    pace->unsure = unsure;
    pace->rows = 0;
    pace_set_mode(pace, PACE_HOLDING, now_ns);
    pace_set_rate(pace, limit * (1 - between(unsure / 2, MARGIN_LEAST, MARGIN_MAX)));
}

/* Sends what is known already to be below the limit. */
void pace_follow_settling(struct pace *pace)
{
    const struct pace_count *seen = &pace->anchor;

    if (seen->passed + seen->refused >= FEW_ROWS && pace_count_seconds(seen) > 0) {
        pace->limit =
            between((seen->passed + 0.3) / pace_count_seconds(seen),
                    pace_count_seconds(seen) < PACE_WINDOW_S ? pace->least : 0, pace->most);
        pace->unsure = 1 / (seen->passed + 2);
    }
    pace_set_rate(pace, pace->limit * (1 - least(pace->unsure, MARGIN_MAX)));
}

/* The rate was too high. What was sent before it is lowered is still to be answered, and since the
 * bucket was empty all the time, this shows the limit. */
void pace_settle(struct pace *pace, const struct pace_count *seen, const struct pace_guess *guess,
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
    pace_set_mode(pace, PACE_SETTLING, now_ns);
    pace_follow_settling(pace);
}

/* A test of what is counted by the second costs the rest of the second. */
static bool is_sure_window(const struct pace *pace)
{
    return pace->windowed && pace->unsure <= WINDOW_SURE;
}

void pace_begin_holding(struct pace *pace, int64_t now_ns)
{
    pace->cost = 0;
    pace->alarm.sum = 0;
    pace->tested = 0;
    pace->clean = true;
    pace->trusted = false;
    pace->sought = 0;
    pace->interval = pace->unsure > 1 / FEW_ROWS ? PACE_INTERVAL_GUESS : INTERVAL_FIRST;
    if (is_sure_window(pace))
        pace->interval = most(pace->interval, WINDOW_TEST_S * pace->limit);
    pace_hold(pace, pace->limit, pace->unsure, now_ns);
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
    pace_hold(pace, limit, 1 / seen->passed, now_ns);
    if (pace->rate > 0.9 * before) /* what is under way speaks of it all the same */
        pace->since_ns = since_ns;
}

/* Rows that passed unevenly leave the last second so: half as many make it even. */
static void calm_down(struct pace *pace, int64_t now_ns)
{
    pace->alarm.sum = 0;
    pace->calmed_ns = now_ns;
    pace_hold(pace, pace->limit, pace->unsure, now_ns);
    pace_set_rate(pace, pace->rate / 2);
}

bool pace_is_calmed(const struct pace *pace, int64_t now_ns)
{
    return pace->windowed && pace->rate < 0.8 * pace->limit &&
           seconds_between(pace->calmed_ns, now_ns) > PACE_WINDOW_S;
}

void pace_fall(struct pace *pace, int64_t now_ns)
{
    const struct pace_count *cluster = &pace->alarm.seen;
    double seconds = pace_count_seconds(cluster);
    double rate = seconds > 0 ? (cluster->passed + 0.5) / seconds : pace->rate / 2;
    const struct pace_guess guess = {least(rate, pace->rate), 1 / (cluster->passed + 2),
                                     pace->rate};

    pace->noise.odds.sum = 0;
    if (pace->windowed && seconds_between(pace->calmed_ns, now_ns) > CALM_S) {
        calm_down(pace, now_ns);
        return;
    }
    pace->windowed = false;
    pace_settle(pace, cluster, &guess, now_ns);
}

void pace_take_refusal(struct pace *pace, int64_t started_ns, int64_t now_ns)
{
    const struct pace_count *anchor = &pace->anchor, *odds = &pace->noise.odds.seen;

    pace->clean = false;
    pace->trusted = true;
    if (odds->holds && odds->refused >= 2 && odds->passed >= FEW_ROWS)
        lower(pace, odds, started_ns, now_ns);
    else if (anchor->holds && anchor->passed >= FEW_ROWS && anchor->passed * pace->unsure > 0.5)
        lower(pace, anchor, started_ns, now_ns);
    pace_set_anchor(pace, started_ns);
}

static double step_s(const struct pace *pace)
{
    return most(STEP_S, most(STEP_TRIPS * pace->rtt_s, STEP_ROWS / pace->rate));
}

static double test_gain_max(const struct pace *pace)
{
    return least(least(0.75 * pace_gain_max(pace), TEST_GAIN_MAX), pace->rate / 20);
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

void pace_begin_test(struct pace *pace, int64_t now_ns)
{
    pace->ground = pace->rate;
    pace->cost = 0;
    pace->tested = 0;
    pace->gain = test_gain(pace);
    pace_set_mode(pace, PACE_TESTING, now_ns);
}

/* A test that cost more than it may is paid for by a longer wait, unless there is much to win. */
bool pace_is_due(const struct pace *pace)
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
        return seconds_between(pace->since_ns, started_ns) > PACE_WINDOW_S &&
               pace_recent_rate(&pace->recent, started_ns) > pace->limit * (1 + pace->unsure) + 2;
    return seen->holds && seen->passed > pace->limit * (1 + pace->unsure) * seconds + 2;
}

/* … or than was held before the test, by more than is likely to have been saved. */
static bool is_ahead(const struct pace *pace, int64_t started_ns)
{
    double seconds = seconds_between(pace->since_ns, started_ns);

    return !pace->windowed && pace->tested - pace->ground * seconds > 2 + AHEAD_S * pace->rate;
}

void pace_go_on_testing(struct pace *pace, int64_t started_ns, int64_t now_ns)
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
    pace_hold(pace, limit, unsure, now_ns);
    if (pace->clean && pace->rate < pace->ground) { /* that has just passed */
        pace_set_rate(pace, pace->ground);
        pace->limit = most(pace->limit, pace->rate);
    }
    pace->clean = true;
}

void pace_end_test(struct pace *pace, int64_t started_ns, int64_t now_ns)
{
    const struct pace_count *seen = &pace->anchor;
    double then = pace_rate_then(pace, started_ns, now_ns);
    double seconds = seconds_between(seen->start_ns, started_ns);
    bool known = seen->holds && seconds > 0;
    bool rose = known ? then > 1.05 * pace->ground && is_beyond(pace, started_ns)
                      : then > 1.1 * pace->ground;
    double low = known ? between(seen->passed / seconds, pace->ground, then) : pace->ground;
    const struct pace_count anew = pace_count_from(started_ns);
    const struct pace_guess guess = {sqrt(low * then), (then - low) / (then + low), then};

    pace->cost++;
    pace->alarm.sum = 0;
    if (rose) { /* and is between what has passed and what has not */
        pace->noise.odds.sum = 0;
        pace_settle(pace, &anew, &guess, now_ns);
        return;
    }
    hold_tested(pace, low, known ? 1 / (seen->passed + 1) : pace->unsure, then, now_ns);
    pace_set_anchor(pace, started_ns);
}
