/*
 * What an answer means in each mode, and how the pace goes from mode to mode (pace.h). What is done
 * about a limit is in pace_limit, what is counted in pace_measure, and whether it is a limit at all
 * in pace_noise.
 */
#include "send/pace.h"

#include <assert.h>
#include <math.h>

#include "send/pace_limit.h"
#include "send/pace_math.h"

/* Beginning: with so many rows in a round trip, within these rates. */
#define START_RATE     30.0
#define START_RATE_MAX 100.0
#define START_ROWS     2.0
#define START_ALARM    0.1 /* an answer takes so much of a refusal back */
#define START_TRIPS    4.0 /* after a refusal it grows no more for so long, while that is open */

/* A rate that grows by an eighth in a round trip, or until a small bucket is empty, is refused a
 * greater share than this by a limit. Where fewer rows are under way, a third refusal has to tell.
 */
#define SOUGHT_SHARE 0.14
#define SOUGHT_ROWS  16.0
#define SOUGHT_FEW   20.0
#define SOUGHT_ALARM 3.0

/* Measuring. */
#define UNSURE      0.4 /* a guess */
#define CUT_UNKNOWN 0.25

/* Windows. */
#define WINDOW_ROWS   4.0 /* a bucket would have let so many through, … */
#define SHUT_RUN      8   /* … but so many were refused in a row */
#define SHUT_RATE     20.0
#define SHUT_PART     0.05
#define WINDOW_UNSURE 0.05

/* What is refused. */
#define FALL_SHARE  0.1 /* a greater one that is refused is a limit that has fallen */
#define FALL_ALARM  2.5
#define NOISE_ALARM 6.0 /* … beyond the noise */

/* Outages. */
#define RESTART_ROWS 8   /* fewer say nothing of a rate */
#define RESTART_PART 0.5 /* of what was known goes on */
#define TRY_RATE     4.0 /* and no slower while all is refused, so that an outage is known soon */
#define BEFORE_S     2.0 /* runs of refusals that begin within this time are one */

static double start_rate(const struct pace *pace)
{
    return pace->rtt_s > 0 ? between(START_ROWS / pace->rtt_s, START_RATE, START_RATE_MAX)
                           : START_RATE;
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
    double rate = is_shut(pace) ? most(SHUT_RATE, SHUT_PART * pace->rate) : pace->rate;
    if (pace->run.count > 1 && pace_is_limited(pace))
        return most(rate, least(RESTART_PART * pace->before.rate, TRY_RATE));
    return rate;
}

double pace_allowed(const struct pace *pace)
{
    if (pace->run.count > 1)
        return pace->before.limit;
    return pace->unsure < UNSURE ? pace->limit : 0;
}

static void take_rtt(struct pace *pace, double rtt_s)
{
    pace->rtt_s = pace->rtt_s == 0 ? rtt_s : pace->rtt_s + (rtt_s - pace->rtt_s) / 8;
}

/* What is refused without a break, for no longer than a window is, says one thing: it is full. */
static bool is_same_news(const struct pace *pace, int64_t started_ns)
{
    return pace->windowed && pace->run.count > 1 &&
           seconds_between(pace->run.start_ns, started_ns) < PACE_WINDOW_S;
}

static void start(struct pace *pace, double rate, int64_t now_ns)
{
    pace->alarm.sum = 0;
    pace_set_mode(pace, PACE_STARTING, now_ns);
    pace_set_rate(pace, rate);
}

/* At the first refusal of a run. Where requests overtake each other, an outage begins with several
 * runs, of which the later ones see a rate that has been cut. */
static void remember(struct pace *pace, int64_t started_ns)
{
    if (pace->slow > 0 && pace->passed < RESTART_ROWS)
        return;
    bool is_known = pace_is_limited(pace) && pace->mode != PACE_SETTLING;
    double limit = is_known ? pace->limit : 0;
    double rate = most(limit, pace_recent_rate(&pace->recent, started_ns));

    if (rate > pace->before.rate || seconds_between(pace->before.at_ns, started_ns) > BEFORE_S)
        pace->before = (struct pace_before){started_ns, rate, limit};
}

static void hold_guess(struct pace *pace, double limit, int64_t now_ns)
{
    pace_hold(pace, limit, UNSURE, now_ns);
    pace->interval = PACE_INTERVAL_GUESS;
}

/* A slow limit looks like an outage after each few rows: then the rate goes down by and by. */
static double count_slow(struct pace *pace)
{
    if (pace->passed >= RESTART_ROWS)
        pace->slow = 0;
    else if (pace->passed > 0 || pace->slow > 0)
        pace->slow++;
    pace->passed = 0;
    return pow(CUT_UNKNOWN, pace->slow);
}

/* All was refused: what was known before that counts. */
static void restart_refused(struct pace *pace, int64_t now_ns)
{
    double part = count_slow(pace);

    pace->run.count = 0;
    pace->limit = pace->before.limit;
    if (pace->limit > 0)
        hold_guess(pace, RESTART_PART * part * pace->limit, now_ns);
    else if (pace->slow > 0)
        hold_guess(pace, part * most(start_rate(pace), RESTART_PART * pace->before.rate), now_ns);
    else if (pace->concurrency > 1)
        start(pace, most(start_rate(pace), RESTART_PART * pace->before.rate), now_ns);
    else
        pace_set_mode(pace, PACE_OPEN, now_ns);
}

void pace_restart(struct pace *pace, int64_t now_ns)
{
    if (!pace->enabled)
        return;
    pace_forget(pace);
    if (pace->run.count > 0)
        restart_refused(pace, now_ns);
    else if (pace_is_limited(pace))
        hold_guess(pace, CUT_UNKNOWN * pace->limit, now_ns);
    else if (pace->concurrency > 1)
        start(pace, start_rate(pace), now_ns);
}

static void begin_trial(struct pace *pace, int64_t now_ns)
{
    pace_noise_begin_trial(&pace->noise, pace->rate);
    pace_set_mode(pace, PACE_TRYING, now_ns);
    pace_set_rate(pace, PACE_TRIAL_LOW * pace->rate);
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
    double most_share = pace->windowed ? PACE_NOISE_SHARE_MAX : PACE_TRIAL_SHARE_MAX;
    enum pace_verdict verdict = pace_noise_try(&pace->noise, refused, most_share);
    if (verdict == PACE_IS_NOISE)
        return be_noise(pace, pace->noise.trial.before, now_ns);
    if (verdict == PACE_IS_LIMIT) {
        pace->anchor.holds = false;
        pace_hold(pace, pace->noise.trial.before, 0.05, now_ns);
    }
    return PACE_SAME;
}

static enum pace_change learn_held(struct pace *pace, bool refused, int64_t started_ns,
                                   int64_t now_ns)
{
    if (started_ns < pace->since_ns) { /* it belongs to the test before */
        pace->cost += refused && pace->tested > 0;
        if (refused)
            pace_set_anchor(pace, started_ns);
        return PACE_SAME;
    }
    if (pace_noise_descend(&pace->noise, refused, pace->rate))
        return be_noise(pace, pace->noise.descent.rate, now_ns);
    bool is_odd =
        pace_noise_watch(&pace->noise, refused && !is_same_news(pace, started_ns), started_ns);
    if (is_odd && pace->alarm.sum <= 1) { /* a limit that has fallen refuses many at once */
        begin_trial(pace, now_ns);
    } else if (refused && pace->alarm.sum >= FALL_ALARM) {
        pace_fall(pace, now_ns);
    } else if (refused) {
        pace_take_refusal(pace, started_ns, now_ns);
    } else if (pace_is_bound(pace, now_ns)) {
        pace->rows++;
        if (pace_is_calmed(pace, now_ns))
            pace_hold(pace, pace->limit, pace->unsure, now_ns);
        if (pace->alarm.sum < 1 && pace_is_due(pace))
            pace_begin_test(pace, now_ns);
    }
    return PACE_SAME;
}

/* What STARTING met was no limit. */
static bool was_noise(const struct pace *pace)
{
    const struct pace_count *seen = &pace->anchor;
    double rows = seen->passed + seen->refused;

    return pace->sought > 0 && rows >= SOUGHT_ROWS && seen->refused + 1 <= SOUGHT_SHARE * rows;
}

static enum pace_change go_on_settling(struct pace *pace, int64_t started_ns, int64_t now_ns)
{
    pace_follow_settling(pace);
    if (started_ns < pace->since_ns)
        return PACE_SAME;
    if (was_noise(pace)) {
        pace->noise.share = (pace->anchor.refused + 1) / (pace->anchor.passed + 1);
        return be_noise(pace, pace->sought, now_ns);
    }
    if (!is_shut(pace) || seconds_between(pace->run.start_ns, started_ns) > 1)
        pace_begin_holding(pace, now_ns);
    return PACE_SAME;
}

static enum pace_change learn(struct pace *pace, bool refused, int64_t started_ns, int64_t now_ns)
{
    if (pace->mode == PACE_TRYING)
        return go_on_trying(pace, refused, started_ns, now_ns);
    if (pace->mode == PACE_HOLDING)
        return learn_held(pace, refused, started_ns, now_ns);
    if (pace->mode == PACE_SETTLING)
        return go_on_settling(pace, started_ns, now_ns);
    pace_grow(pace, now_ns);
    if (refused)
        pace_end_test(pace, started_ns, now_ns);
    else
        pace_go_on_testing(pace, started_ns, now_ns);
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

/* Nothing was sent in between, and the bucket has filled. */
static bool is_rested(const struct pace *pace, int64_t last_ns, int64_t started_ns)
{
    return seconds_between(last_ns, started_ns) > 3 / pace->rate + PACE_REST_S;
}

/* Counts an answer, while there is a limit. */
static void count_limited(struct pace *pace, bool refused, int64_t started_ns, int64_t now_ns)
{
    bool is_now = started_ns >= pace->since_ns, is_noisy = pace_noise_is(&pace->noise);

    if (is_rested(pace, pace->last_ns, started_ns) || !pace_is_bound(pace, now_ns))
        pace_forget(pace);
    if (started_ns > pace->last_ns)
        pace->last_ns = started_ns;
    if (pace->mode != PACE_SETTLING || !is_now)
        pace_count_add(&pace->anchor, refused, started_ns);
    pace_count_add(&pace->alarm.seen, refused, started_ns);
    pace_count_add(&pace->noise.odds.seen, refused, started_ns);
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

    if (limit / 2 * seconds < WINDOW_ROWS || seconds > 2 * PACE_WINDOW_S)
        return false;
    pace->alarm.sum = pace->noise.odds.sum = 0;
    if (pace->mode == PACE_HOLDING && limit > 0.9 * pace->limit && limit < 1.1 * pace->limit) {
        if (started_ns >= pace->since_ns && limit < pace->limit)
            pace_hold(pace, limit, pace->unsure, now_ns); /* it holds less than was thought */
        return true;
    }
    pace->windowed = true;
    pace->anchor.holds = false;
    pace->limit = limit;
    pace->unsure = WINDOW_UNSURE;
    pace_begin_holding(pace, now_ns);
    return true;
}

static enum pace_change add_limited(struct pace *pace, bool refused, uint64_t run,
                                    int64_t started_ns, int64_t now_ns)
{
    pace_noise_fade(&pace->noise, now_ns);
    count_limited(pace, refused, started_ns, now_ns);
    if (run >= SHUT_RUN && reopen(pace, started_ns, now_ns))
        return PACE_SAME;
    if (pace_noise_is(&pace->noise) && pace->alarm.sum <= NOISE_ALARM) {
        pace->cost += refused && pace->mode == PACE_TESTING && started_ns >= pace->since_ns;
        refused = false;
    }
    enum pace_change change = learn(pace, refused, started_ns, now_ns);
    if (change != PACE_SAME || refused || !is_free(pace, now_ns))
        return change;
    pace->alarm.sum = 0;
    pace->limit = 0;
    pace_set_mode(pace, PACE_OPEN, now_ns);
    return PACE_FREED;
}

/* The first refusals, or the first beyond the noise. */
static void enter_limited(struct pace *pace, int64_t now_ns)
{
    const struct pace_count *seen = &pace->alarm.seen;
    double then = pace_rate_then(pace, seen->start_ns, now_ns);
    double share = (seen->refused + 1) / (seen->passed + seen->refused + 1);
    struct pace_guess guess = {most(CUT_UNKNOWN, 1 - 2 * share) * then, UNSURE, then};

    pace->sought = pace->mode == PACE_STARTING ? pace->rate : 0;
    if (pace->mode == PACE_OPEN && (pace->ceiling > 0 || pace->answered > pace->concurrency))
        guess.limit *= 2;
    else if (pace->mode == PACE_OPEN) /* all were sent at once: nothing is known but their number */
        guess.limit = guess.most = least(guess.limit, start_rate(pace));
    pace->noise.odds.seen.holds = false;
    pace->noise.seen_ns = now_ns;
    pace->noise.descent = (struct pace_descent){.rate = 0};
    pace->last_ns = now_ns;
    if (share > PACE_NOISE_SHARE_MAX || (pace->noise.share > 0 && pace->mode == PACE_OPEN)) {
        pace->noise.odds.sum = 0;
        pace_settle(pace, seen, &guess, now_ns);
        return;
    }
    pace->anchor.holds = false;
    pace->limit = (1 - share) * pace_rate_then(pace, seen->last_ns, now_ns);
    pace->unsure = share;
    pace_begin_holding(pace, now_ns);
}

static double alarm_of(const struct pace *pace)
{
    double places = (double)pace->concurrency;
    double under_way = pace->mode == PACE_STARTING ? pace->rate * pace->rtt_s : places;

    if (pace_noise_is(&pace->noise))
        return NOISE_ALARM;
    return under_way < SOUGHT_FEW ? SOUGHT_ALARM : 1;
}

/* Without a limit, what is refused is noise unless it is more than before. */
static bool is_too_much(struct pace *pace, bool refused, int64_t started_ns)
{
    double expected = pace->noise.share > 0         ? pace_noise_bound(&pace->noise)
                      : pace->mode == PACE_STARTING ? START_ALARM
                                                    : PACE_EXCESS;

    if (is_rested(pace, pace->alarm.seen.last_ns, started_ns))
        pace->alarm.seen = pace_count_from(started_ns);
    pace_count_add(&pace->alarm.seen, refused, started_ns);
    pace_count_add(&pace->noise.odds.seen, refused, started_ns);
    pace_cusum_add(&pace->alarm, refused, expected, started_ns);
    pace_noise_learn(&pace->noise, refused);
    if (!pace_noise_is(&pace->noise))
        (void)pace_noise_watch(&pace->noise, refused, started_ns);
    return pace->alarm.sum > alarm_of(pace);
}

/* Something was refused a moment ago, and more of it may tell that it is a limit. */
static bool hesitates(const struct pace *pace, int64_t now_ns)
{
    return pace->alarm.sum > 0 && pace->noise.share == 0 &&
           seconds_between(pace->alarm.seen.start_ns, now_ns) < START_TRIPS * pace->rtt_s;
}

static void go_on_starting(struct pace *pace, int64_t now_ns)
{
    pace->gain = hesitates(pace, now_ns) ? 0 : pace_gain_max(pace);
    if (pace->rate < start_rate(pace))
        pace_set_rate(pace, start_rate(pace));
    pace_grow(pace, now_ns);
    if ((pace->rate * pace->rtt_s >= (double)pace->concurrency &&
         pace->in_flight + 1 >= pace->concurrency) ||
        pace->rate >= PACE_RATE_MAX || (pace->ceiling > 0 && pace->rate >= pace->ceiling))
        pace_set_mode(pace, PACE_OPEN, now_ns);
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
    if (refused && pace->run.count == 0)
        remember(pace, started_ns);
    uint64_t run = pace_run_add(&pace->run, refused, started_ns);
    pace->passed += !refused;
    if (!refused)
        pace_recent_add(&pace->recent, started_ns);
    return pace_is_limited(pace) ? add_limited(pace, refused, run, started_ns, now_ns)
                                 : add_free(pace, refused, started_ns, now_ns);
}
