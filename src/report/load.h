/*
 * What a platform makes of a constant rate of requests (send/arrivals.h), as bench measures it:
 * latencies both from when a request was due and from when it left, what was refused, what failed,
 * and whether it was this machine that could not keep up. Pure.
 */
#ifndef NB_REPORT_LOAD_H
#define NB_REPORT_LOAD_H

#include "core/buf.h"
#include "report/tally.h"

/* A request that has come to its end; times are monotonic. */
struct load_request {
    const struct outcome *outcome;
    bool left;   /* it was sent, as far as can be told */
    bool waited; /* when it was due, as many were under way as may be */
    int64_t due_ns, started_ns, ended_ns;
    int64_t latency_us; /* from when it left */
};

/* Why no other request of a rate was started. */
enum load_end {
    LOAD_WHOLE,
    LOAD_NO_ROWS,     /* the input has no rows left */
    LOAD_INTERRUPTED, /* by a signal */
    LOAD_STOPPED,     /* the key is refused, somebody else answers, or nothing can be sent at all */
    LOAD_BEHIND,      /* requests started so late that it is known not to keep its goal */
};

/* A rate, and what came of it. Zeroed but for the first two, it is one that has not begun. */
struct load {
    double rate_per_s;
    size_t concurrency; /* under way at most */
    enum load_end end;
    uint64_t wanted;           /* requests that were to be measured */
    struct tally tally;        /* its latencies are those from when a request left */
    struct histogram from_due; /* of the same requests */
    struct histogram late;     /* starts of those that did not wait, behind the time */
    uint64_t waited;
    uint64_t refused; /* not accepted, and the platform says so */
    uint64_t failed;  /* not accepted in any other way: no answer, one of a server that fails, or
                         somebody else's */
    int64_t first_ns; /* when the first was due */
    int64_t start_ns; /* when the last started */
    int64_t last_ns;  /* when the last ended */
    double cpu_s;     /* of the thread that sends, from the first to the last */
};

void load_add(struct load *load, const struct load_request *request);

/* Requests that were measured. */
uint64_t load_total(const struct load *load);

/* Why it ended, for people. */
const char *load_end_text(enum load_end end);

/* Whether requests were started as fast as the rate says, or nearly so: what a lower rate came to
 * is nothing that this one has kept. */
bool load_has_rate(const struct load *load);

/* For how long requests were started: as their number and the rate make it, or longer where they
 * did not keep up with it. How many were accepted, and how many started, in a second of it. What
 * the last ones waited for their answers is no part of it. */
double load_seconds(const struct load *load);
double load_accepted_per_s(const struct load *load);
double load_started_per_s(const struct load *load);

/* What kept the rate from being what it was meant to be, or the figures from being the platform's
 * alone. */
enum load_limit {
    LOAD_PEER,   /* nothing on this side */
    LOAD_PLACES, /* as many as may be were under way, and others waited: --concurrency */
    LOAD_CPU,    /* the thread that sends had no time left */
    LOAD_LATE,   /* it had, and yet started requests late: the machine had no time for it */
};

enum load_limit load_limit_of(const struct load *load);

enum { LOAD_QUANTILES = 4 }; /* p50, p90, p99, p99.9 */

/* What is to be kept, all of it. */
struct load_goal {
    uint64_t at_most_us[LOAD_QUANTILES]; /* of the latencies, from when a request was due; 0: any */
    uint64_t refused, failed;            /* millionths of the requests, at most */
};

/* Reads "p99=200ms[,p50=20ms][,refused=0.1%][,failed=0.1%]", each of p50, p90, p99, p99.9 and the
 * shares at most once, and at least one percentile; a share that is not named is 0.1 %. */
bool load_parse_goal(struct span text, struct load_goal *ret_goal);

/* How many requests at a rate tell whether it keeps the goal: so many that the percentile is more
 * than the longest of them, and over a time in which a queue would grow beyond the latency. */
uint64_t load_goal_requests(const struct load_goal *goal, double rate_per_s);

/* Also false where nothing was measured, or not at that rate. */
bool load_keeps(const struct load *load, const struct load_goal *goal);

/* What the measurements are of, and what they came to. */
struct load_report {
    const char *target; /* for people */
    const char *input;  /* NULL: made-up commands */
    int64_t warm_up_ms;
    long processors;
    const struct load *const *loads; /* of each something was measured */
    size_t count;
    const struct load *const *unmeasured; /* nothing, for the reason that is its end */
    size_t unmeasured_count;
    enum load_end end; /* of all of them: why others were not tried */
    const char *why;   /* LOAD_STOPPED: the sentence, in English; "": none */
    const char *goal;  /* as it was given; NULL: none was */
    double found;      /* the highest rate that kept it; 0: none */
    double max;        /* of the search */
};

void load_add_text(const struct load_report *report, struct buf *out);

/* The same as one line of JSON. STATUS_NO_MEMORY. */
enum status load_add_json(const struct load_report *report, struct buf *out) MUST_USE;

#endif
