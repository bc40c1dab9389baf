#include "send/pace.h"

#include <assert.h>
#include <math.h>

#define NS_PER_S 1e9

/* Slow start. */
#define START_WINDOW  6.0   /* up to here each answer opens another place: doubling */
#define START_RATE    16.0  /* no slower than this, however long a round trip is */
#define START_SPREAD  0.002 /* round trips shorter than this need no spreading, in seconds */
#define START_SECONDS 5.0   /* the whole concurrency is reached in about this time */
#define START_ALARM   0.1   /* an answer takes so much of a refusal back */

/* Measuring. */
#define MEASURE_ROWS  200.0 /* over so many rows, or so many round trips if these are more */
#define MEASURE_TRIPS 4.0
#define EXCESS_ROWS   0.5 /* in all rows that were measured */
#define EXCESS_MAX    0.1
#define FEW_ROWS      20.0 /* fewer say little */
#define TOP_BACK      0.985
#define FALL_SHARE    0.1 /* a greater one that is refused is a limit that has fallen */
#define FALL_ALARM    3.4
#define REST_SECONDS  0.1

/* Growing. */
#define CALM_FACTOR  1.5 /* times the rows that the excess lets pass between refusals */
#define CALM_SECONDS 0.5
#define GAIN_FIRST   0.01
#define GROWTH_MAX   0.5 /* in a second */

/* Telling noise from a limit. */
#define ODD_FACTOR      1.5
#define ODD_REFUSED     3.0
#define ODD_SHARE_MAX   0.12 /* more is a matter of the measure */
#define SURE_ROWS       40.0
#define TRIAL_LOW       0.88
#define TRIAL_EXPECTED  5.0 /* refusals, if it is noise */
#define TRIAL_REFUSED   3.0
#define TRIAL_SHARE_MAX 0.2
#define TRIAL_ROWS_MIN  40.0
#define TRIAL_ROWS_MAX  500.0
#define NOISE_ROWS      1000.0 /* its share is smoothed over so many */
#define NOISE_LEAST     0.002
#define NOISE_ALARM     4.0
#define NOISE_FADES_S   60.0

static double least(double a, double b)
{
    return a < b ? a : b;
}

static double most(double a, double b)
{
    return a > b ? a : b;
}

static double seconds_between(int64_t from_ns, int64_t to_ns)
{
    return (double)(to_ns - from_ns) / NS_PER_S;
}

/* The only place that changes the mode. */
static void set_mode(struct pace *pace, enum pace_mode mode)
{
    pace->mode = mode;
    pace->alarm = 0;
}

void pace_init(struct pace *pace, size_t concurrency, bool enabled, bool gently)
{
    assert(concurrency >= 1);
    *pace = (struct pace){.enabled = enabled,
                          .concurrency = concurrency,
                          .window = 1,
                          .rate = PACE_RATE_MAX,
                          .bound_ns = INT64_MIN / 2};
    set_mode(pace, enabled && gently && concurrency > 1 ? PACE_STARTING : PACE_OPEN);
}

void pace_restart(struct pace *pace)
{
    if (!pace->enabled)
        return;
    pace->window = 1;
    set_mode(pace, pace->concurrency > 1 ? PACE_STARTING : PACE_OPEN);
}

void pace_set_ceiling(struct pace *pace, double ceiling)
{
    pace->ceiling = ceiling;
}

double pace_rate(const struct pace *pace)
{
    if (pace->mode == PACE_LIMITED)
        return pace->rate;
    if (pace->mode == PACE_STARTING && pace->rtt_s >= START_SPREAD)
        return pace->window / pace->rtt_s;
    return 0;
}

size_t pace_window(const struct pace *pace)
{
    return pace->mode == PACE_STARTING ? (size_t)least(pace->window, (double)pace->concurrency)
                                       : pace->concurrency;
}

double pace_allowed(const struct pace *pace)
{
    return pace->allowed;
}

static void take_rtt(struct pace *pace, double rtt_s)
{
    pace->rtt_s = pace->rtt_s == 0 ? rtt_s : pace->rtt_s + (rtt_s - pace->rtt_s) / 8;
}

static void set_rate(struct pace *pace, double rate)
{
    pace->rate = least(most(rate, PACE_RATE_MIN), PACE_RATE_MAX);
}

/* What is being sent without a rate of our own, by Little's law. */
static double sending_rate(const struct pace *pace)
{
    double rate = (double)(pace->in_flight + 1) / most(pace->rtt_s, 1e-5);

    if (pace->ceiling > 0)
        rate = least(rate, pace->ceiling);
    return least(rate, PACE_RATE_MAX);
}

/*
 * Slow start: another place per answer at first, then a part of one. The part is smaller the longer
 * a round trip is, since so much more is under way when the first refusal comes back, but large
 * enough to get to the whole concurrency in START_SECONDS.
 */
static void grow_window(struct pace *pace)
{
    bool is_all = pace->window >= (double)pace->concurrency ||
                  (pace->ceiling > 0 && pace->window > 1.5 * pace->ceiling * pace->rtt_s + 2);
    double first = most(START_RATE * pace->rtt_s, START_WINDOW);

    if (is_all)
        set_mode(pace, PACE_OPEN);
    if (is_all || (double)(pace->in_flight + 1) < pace->window / 2)
        return; /* it is not the window that holds rows back */
    if (pace->window < START_WINDOW) {
        pace->window += 1;
        pace->window = most(pace->window, least(START_RATE * pace->rtt_s, START_WINDOW + 2));
        return;
    }
    double needed = pace->rtt_s * log((double)pace->concurrency / first) / START_SECONDS;
    pace->window += most(1 / (2 + pace->rtt_s / 0.075), needed);
}

static double rows_of(const struct pace_measure *measure)
{
    return measure->passed + measure->trust;
}

/* So that PACE_EXCESS shows, and that what was sent at a rate is answered before it moves on. */
static double measured_rows(const struct pace *pace)
{
    return most(MEASURE_ROWS, MEASURE_TRIPS * pace->rate * pace->rtt_s);
}

/* How much more than the limit is sent. Only a refusal makes it less: without one, the limit may
 * well be higher. */
static double excess_of(const struct pace *pace)
{
    return least(most(PACE_EXCESS, EXCESS_ROWS / (pace->sure + 1)), EXCESS_MAX);
}

/* After so many rows without a refusal the limit is higher than it was thought to be. */
static double calm_rows(const struct pace *pace)
{
    double rows = CALM_FACTOR / excess_of(pace);
    double seconds = CALM_SECONDS * least(PACE_EXCESS / excess_of(pace), 1);

    return most(rows, pace->rate * (2 * pace->rtt_s + seconds));
}

/* Where a refusal came last, it goes on slowly. */
static double cap_of(const struct pace *pace)
{
    return pace->top * (TOP_BACK + PACE_EXCESS * pace->calm / MEASURE_ROWS);
}

/* The rate, from what has passed. */
static void follow(struct pace *pace)
{
    const struct pace_measure *measure = &pace->measure;
    double rows = rows_of(measure);
    double limit = rows / (measure->seconds + measure->trust / measure->guess);
    double rate = limit * (1 + excess_of(pace)) / (1 - pace->noise);

    if (rows < FEW_ROWS)
        rate = least(rate, measure->most);
    else
        pace->allowed = limit;
    set_rate(pace, least(rate, cap_of(pace)));
}

/* Measures anew, from `seen` on; `before` is what was sent. */
static void begin_measure(struct pace *pace, double before, struct pace_measure seen,
                          int64_t now_ns)
{
    seen.guess = most(seen.guess, PACE_RATE_MIN);
    seen.trust = most(seen.trust, 1);
    seen.begun = seen.trust;
    seen.most = 0.95 * before;
    pace->measure = seen;
    pace->rested = false;
    pace->cut_ns = now_ns;
    pace->alarm = 0;
    pace->calm = 0;
    pace->growth.gain = 0;
    pace->sure = rows_of(&seen);
    follow(pace);
}

static void set_top(struct pace *pace, double top, int64_t now_ns)
{
    pace->top = pace->noise > 0 ? PACE_RATE_MAX : top; /* noise tells nothing of a rate */
    pace->top_ns = now_ns;
}

/* The first refusals, or the first beyond the noise. Slow start may have gone far beyond. */
static void enter_limited(struct pace *pace, int64_t started_ns, int64_t now_ns)
{
    double before = sending_rate(pace);
    bool is_far = pace->mode == PACE_STARTING && pace->noise == 0;

    set_mode(pace, PACE_LIMITED);
    pace->trial.under_way = false;
    pace->odd = 0;
    pace->noise_ns = now_ns;
    pace->mark_ns = pace->last_ns = started_ns;
    pace->top = before;
    pace->top_ns = now_ns;
    begin_measure(pace, before, (struct pace_measure){.guess = before * (is_far ? 0.25 : 0.8)},
                  now_ns);
}

/* More is refused than the excess explains: what was seen since that began is the new measure. What
 * started before the last cut speaks of that one. */
static void watch_fall(struct pace *pace, double seconds, bool refused, int64_t started_ns,
                       int64_t now_ns)
{
    struct pace_measure *fall = &pace->fall;
    bool was_quiet = pace->alarm == 0;

    if (started_ns < pace->cut_ns)
        return;
    pace->alarm = most(0, pace->alarm + refused - FALL_SHARE - 2 * pace->noise);
    if (was_quiet) {
        *fall = (struct pace_measure){.refused = refused};
        return;
    }
    fall->seconds += seconds;
    fall->refused += refused;
    fall->passed += !refused;
    if (pace->alarm < FALL_ALARM)
        return;
    double part = (fall->passed + 0.5) / (fall->passed + fall->refused + 0.5);
    fall->guess = pace->rate * part;
    begin_measure(pace, pace->rate, *fall, now_ns);
}

/* Back to where a refusal came last, after the measure had fallen far below. */
static void climb(struct pace *pace)
{
    double edge = 0.97 * pace->top;

    set_rate(pace, least(pace->rate + GROWTH_MAX, edge));
    if (pace->rate >= edge)
        begin_measure(pace, pace->rate / 0.95,
                      (struct pace_measure){.guess = pace->rate, .trust = MEASURE_ROWS / 2},
                      pace->last_ns);
}

/* Faster and faster. A row's part of GROWTH_MAX a second is GROWTH_MAX / rate. */
static void grow(struct pace *pace)
{
    struct pace_growth *growth = &pace->growth;

    if (growth->gain == 0) {
        growth->gain = GAIN_FIRST;
        growth->step = most(most(0.2 * calm_rows(pace), 8), pace->rate * pace->rtt_s);
        growth->step_at = pace->calm + growth->step;
        growth->ground = pace->rate;
    }
    if (pace->calm >= growth->step_at) {
        growth->gain = least(2 * growth->gain, 1);
        growth->step_at += growth->step;
    }
    set_rate(pace, pace->rate * (1 + least(growth->gain / growth->step, GROWTH_MAX / pace->rate)));
}

/* The limit is about where the rate was when the refused request was sent. A limit that was found
 * there before is known the better. */
static void end_growth(struct pace *pace, int64_t now_ns)
{
    const struct pace_growth *growth = &pace->growth;
    double per_s = least(growth->gain * pace->rate / growth->step, GROWTH_MAX);
    double then = most(pace->rate / (1 + per_s * pace->rtt_s), growth->ground);
    double unsure = per_s * (pace->rtt_s + 1 / pace->rate);
    double trust = most(0.5 / unsure, 10);

    if (then > 0.95 * pace->top && then < 1.05 * pace->top)
        trust = most(trust, 2 * pace->measure.begun);
    set_top(pace, then, now_ns);
    pace->mark_ns = pace->last_ns = now_ns;
    begin_measure(pace, then,
                  (struct pace_measure){.guess = 0.97 * then,
                                        .trust = least(trust, MEASURE_ROWS / 2)},
                  now_ns);
}

/* Counts refusals that neither the excess nor the noise explains. True where these are too many. */
static bool is_odd(struct pace *pace, bool refused)
{
    bool begins = refused && pace->sure >= SURE_ROWS;

    if (pace->sure < SURE_ROWS)
        pace->odd = 0;
    if (pace->odd == 0) {
        pace->odd_refused = pace->odd_rows = 0;
        if (!begins)
            return false;
    }
    pace->odd = most(0, pace->odd + refused - ODD_FACTOR * (excess_of(pace) + pace->noise));
    pace->odd_refused += refused;
    pace->odd_rows++;
    return pace->odd >= ODD_REFUSED && pace->odd_refused < ODD_SHARE_MAX * pace->odd_rows;
}

static void begin_trial(struct pace *pace, int64_t now_ns)
{
    double share = pace->odd_refused / pace->odd_rows;

    pace->trial = (struct pace_trial){
        .under_way = true,
        .start_ns = now_ns,
        .rows = least(most(TRIAL_EXPECTED / share, TRIAL_ROWS_MIN), TRIAL_ROWS_MAX),
        .before = pace->rate,
        .share = share,
    };
    pace->odd = 0;
    set_rate(pace, TRIAL_LOW * pace->rate);
}

/* Only what is more counts from now on. */
static enum pace_change be_noise(struct pace *pace, double share)
{
    double window = most(pace->trial.before * pace->rtt_s, 1);

    pace->noise = share;
    pace->allowed = 0;
    pace->window = least(window, (double)pace->concurrency);
    set_mode(pace, PACE_STARTING);
    return PACE_FREED;
}

static enum pace_change go_on_trying(struct pace *pace, bool refused, int64_t started_ns)
{
    struct pace_trial *trial = &pace->trial;

    if (started_ns < trial->start_ns)
        return PACE_SAME;
    trial->refused += refused;
    trial->passed += !refused;
    double rows = trial->passed + trial->refused, share = trial->refused / rows;
    bool enough = trial->refused >= TRIAL_REFUSED && rows >= TRIAL_ROWS_MIN / 2;
    /* So much more is no noise, but a limit that has fallen. */
    bool fell = share > TRIAL_SHARE_MAX || share >= 2.5 * trial->share;
    if (enough && !fell)
        return be_noise(pace, share);
    if (rows < trial->rows && !(enough && fell))
        return PACE_SAME;
    trial->under_way = false;
    pace->mark_ns = pace->last_ns;
    pace->calm = 0;
    set_rate(pace, trial->before * TOP_BACK);
    return PACE_SAME;
}

/* Counts what was sent in `seconds`, and forgets what is old. */
static void add_to_measure(struct pace *pace, double seconds, bool refused)
{
    struct pace_measure *measure = &pace->measure;

    measure->seconds += seconds;
    measure->passed += !refused;
    if (measure->passed <= measured_rows(pace))
        return;
    measure->passed /= 2;
    measure->seconds /= 2;
    measure->trust /= 2;
}

/* Whether it is the rate that holds rows back. */
static bool is_bound(const struct pace *pace, int64_t now_ns)
{
    return seconds_between(pace->bound_ns, now_ns) < most(0.1, 2 / pace->rate);
}

/* A refusal's end of what was calm. Noise takes a part of it. */
static void end_calm(struct pace *pace)
{
    pace->calm = pace->noise > 0 ? most(0, pace->calm - 0.6 / pace->noise) : 0;
    pace->sure = rows_of(&pace->measure);
}

/* An answer while the rate is limited, and the time between its request and the one before. */
static enum pace_change learn(struct pace *pace, double seconds, bool refused, int64_t started_ns,
                              int64_t now_ns)
{
    bool is_new = refused && started_ns >= pace->top_ns, bound = is_bound(pace, now_ns);

    if (pace->trial.under_way)
        return go_on_trying(pace, refused, started_ns);
    if (is_odd(pace, is_new)) {
        begin_trial(pace, now_ns);
        return PACE_SAME;
    }
    if (refused)
        end_calm(pace);
    else if (bound)
        pace->calm++;
    if (refused && pace->growth.gain > 0 && pace->calm <= calm_rows(pace)) {
        end_growth(pace, now_ns);
        return PACE_SAME;
    }
    if (pace->rested && is_new) {
        set_top(pace, pace->rate, now_ns);
        pace->mark_ns = started_ns;
        begin_measure(pace, pace->rate,
                      (struct pace_measure){.guess = 0.97 * pace->rate,
                                            .trust = least(pace->sure, MEASURE_ROWS / 10)},
                      now_ns);
    }
    bound = bound && !pace->rested;
    if (bound)
        add_to_measure(pace, seconds, refused);
    if (is_new)
        set_top(pace, pace->rate, now_ns);
    watch_fall(pace, seconds, refused, started_ns, now_ns);
    if (pace->calm <= calm_rows(pace)) {
        if (bound)
            follow(pace);
    } else if (pace->growth.gain == 0 && pace->rate < 0.95 * pace->top) {
        climb(pace);
    } else if (bound) {
        grow(pace);
    }
    return PACE_SAME;
}

/* Whether the limit holds nothing back any more. */
static bool is_free(const struct pace *pace, int64_t now_ns)
{
    if (pace->trial.under_way)
        return false;
    if (pace->ceiling > 0 && pace->rate >= pace->ceiling)
        return pace->calm > FEW_ROWS;
    return seconds_between(pace->bound_ns, now_ns) > most(1, 2 / pace->rate) &&
           pace->in_flight + 1 >= pace->concurrency;
}

static enum pace_change add_limited(struct pace *pace, bool refused, int64_t started_ns,
                                    int64_t now_ns)
{
    double seconds = most(seconds_between(pace->last_ns, started_ns), 0);

    if (pace->noise > 0)
        pace->noise *= exp(-seconds_between(pace->noise_ns, now_ns) / NOISE_FADES_S);
    pace->noise_ns = now_ns;
    if (started_ns < pace->mark_ns)
        return PACE_SAME;
    if (started_ns > pace->last_ns)
        pace->last_ns = started_ns;
    if (seconds > 3 / pace->rate + REST_SECONDS)
        pace->rested = true;
    /* In a longer time nothing was sent for other reasons. */
    seconds = least(seconds, 3 / pace->rate);
    enum pace_change change = learn(pace, seconds, refused, started_ns, now_ns);
    if (change != PACE_SAME || refused || !is_free(pace, now_ns))
        return change;
    set_mode(pace, PACE_OPEN);
    return PACE_FREED;
}

/* Without a limit, what is refused is noise unless it is more than before. */
static void watch_noise(struct pace *pace, bool refused)
{
    double share = pace->mode == PACE_STARTING ? START_ALARM : PACE_EXCESS;

    pace->alarm = most(0, pace->alarm + refused - (pace->noise > 0 ? 2 * pace->noise : share));
    if (pace->noise > 0)
        pace->noise += (refused - pace->noise) / NOISE_ROWS;
}

static enum pace_change add_free(struct pace *pace, bool refused, int64_t started_ns,
                                 int64_t now_ns)
{
    if (refused || pace->alarm > 0 || pace->noise > 0)
        watch_noise(pace, refused);
    if (pace->alarm > (pace->noise > NOISE_LEAST ? NOISE_ALARM : 1)) {
        enter_limited(pace, started_ns, now_ns);
        return PACE_LOWERED;
    }
    if (pace->mode == PACE_STARTING && !refused && (pace->alarm == 0 || pace->noise > 0))
        grow_window(pace);
    return PACE_SAME;
}

enum pace_change pace_end(struct pace *pace, enum pace_answer answer, int64_t started_ns,
                          int64_t now_ns)
{
    bool refused = answer == PACE_REFUSED;

    pace->in_flight--;
    if (!pace->enabled)
        return PACE_SAME;
    if (answer == PACE_SILENT) {
        if (pace->mode == PACE_STARTING)
            grow_window(pace); /* for the breaker to see more of it than one at a time */
        return PACE_SAME;
    }
    /* A refusal may come sooner than the answer to what is processed. */
    if (!refused || pace->rtt_s == 0)
        take_rtt(pace, seconds_between(started_ns, now_ns));
    return pace->mode == PACE_LIMITED ? add_limited(pace, refused, started_ns, now_ns)
                                      : add_free(pace, refused, started_ns, now_ns);
}
