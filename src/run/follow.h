/*
 * Who follows a use case beside the person, the log and the metrics, is told of each refusal, also
 * of one that comes before the use case has opened them: a number of descriptors, a name that is
 * not there, words that cannot be understood. Else an alert that goes by the last exit status would
 * see that of a run before.
 *
 *     person = follow_begin(&follow, &settings, person);
 *     result = run_send(&settings, person, NULL);      // any use case; or person_error
 *     follow_end(&follow, result);
 */
#ifndef NB_RUN_FOLLOW_H
#define NB_RUN_FOLLOW_H

#include "run/listener.h"
#include "run/settings.h"

struct follow {
    struct listener listener;
    struct following following;
    struct run_settings *settings;
};

/* Whom the use case is to speak with. All three outlive the follow. */
const struct person *follow_begin(struct follow *follow, struct run_settings *settings,
                                  const struct person *person);

/* Tells of the refusal where the use case did not. */
void follow_end(struct follow *follow, int exit_status);

#endif
