/*
 * Questions to the platform, from opening the log to the end of the last answer: what all use cases
 * share that ask about commands which were handed in. Each step returns 0 or an exit status, after
 * the reason was said. Private to run/.
 *
 *     asking_open(&asking, settings, person);            // log, metrics, endpoint, key
 *     asking_run(&asking, &source->base, &subject);      // asking.job, asking.tally, …
 *     asking_close(&asking, exit_status);
 */
#ifndef NB_RUN_ASKING_H
#define NB_RUN_ASKING_H

#include "engine/job.h"
#include "run/listener.h"
#include "run/observers.h"
#include "run/person.h"
#include "run/settings.h"

/* Where it is asked, and who follows it. */
struct asking_door {
    struct endpoint *endpoint;
    struct credentials *credentials;
    struct observers *observers; /* NULL: nobody does */
};

struct asking {
    struct run_settings settings;
    const struct person *person;
    struct asking_door door;
    bool is_lent; /* what the door has is the caller's, who begins and ends it */
    struct endpoint endpoint;
    struct credentials credentials;
    struct observers observers;
    struct listener listener; /* what kept it from asking, for the log */
    bool has_asked;
    struct halt halt;
    struct job_options options;
    job_event_fn *event; /* told of events as well; NULL: nobody is */
    void *event_context;
    struct tally tally; /* of the calls */
    struct job_result job;
    double seconds;
    struct buf message;
};

/* What is asked about, for people. */
struct asking_subject {
    const char *doing;  /* "asking" */
    const char *input;  /* the results that the questions are about */
    const char *output; /* where the answers go */
    uint64_t calls;     /* 0: not known */
    void (*add_standing)(const void *context, struct buf *out); /* as struct watched */
    /* Appends why what was found out could not be kept, where that ended it. NULL: it is not told.
     */
    void (*add_failure)(const void *context, struct buf *out);
    const void *context;
};

int asking_open(struct asking *asking, const struct run_settings *settings,
                const struct person *person) MUST_USE;

/* The same at a door that is open already; it outlives the asking. */
void asking_join(struct asking *asking, const struct run_settings *settings,
                 const struct person *person, const struct asking_door *door);

/* 0: all was asked, or the platform stayed away (asking->job.end); then the rest can be asked
 * another time. */
int asking_run(struct asking *asking, struct row_source *source,
               const struct asking_subject *subject) MUST_USE;

/* Brings log and metrics to their end. Takes a zeroed struct. */
void asking_close(struct asking *asking, int exit_status);

/* The word of the end: "complete", "interrupted" … */
const char *asking_end_name(const struct asking *asking);

/* What a command for the same results is given: their file; NULL for a shared job. */
const char *asking_subject(const struct run_settings *settings);

/* What is typed to send `what` of the results once more. `status_file`: NULL for the usual one. */
void asking_add_resume(const struct person *person, const struct run_settings *settings,
                       const char *what, const char *status_file, struct buf *out);

#endif
