/*
 * What is said where a database stands still, to which a connection is made that blocks.
 *
 *     patience_begin(&patience, person);
 *     … the call: nobody else speaks to the person meanwhile …
 *     patience_end(&patience);
 *
 * Private to run/.
 */
#ifndef NB_RUN_SHARE_PATIENCE_H
#define NB_RUN_SHARE_PATIENCE_H

#include <pthread.h>

#include "run/person.h"

enum { PATIENCE_S = 2 };

struct patience {
    const struct person *person;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t is_over;
    bool has_ended, has_thread;
};

/* Where there is no thread for it, nothing will be said. */
void patience_begin(struct patience *patience, const struct person *person);

void patience_end(struct patience *patience);

#endif
