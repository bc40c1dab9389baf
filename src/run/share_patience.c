#include "run/share_patience.h"

#include <signal.h>
#include <time.h>

static void *watch(void *context)
{
    struct patience *patience = context;
    struct timespec until;
    int result = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE_S;
    (void)pthread_mutex_lock(&patience->mutex);
    while (!patience->has_ended && result == 0)
        result = pthread_cond_timedwait(&patience->is_over, &patience->mutex, &until);
    if (!patience->has_ended)
        person_note(patience->person,
                    "the database has not answered for %d s; it is waited for 15 s, unless --share "
                    "says otherwise (connect_timeout)",
                    PATIENCE_S);
    (void)pthread_mutex_unlock(&patience->mutex);
    return NULL;
}

void patience_begin(struct patience *patience, const struct person *person)
{
    pthread_condattr_t attributes;
    sigset_t all, before;

    *patience = (struct patience){.person = person};
    (void)pthread_mutex_init(&patience->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&patience->is_over, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    /* Signals are for the thread that waits. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    patience->has_thread = pthread_create(&patience->thread, NULL, watch, patience) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void patience_end(struct patience *patience)
{
    (void)pthread_mutex_lock(&patience->mutex);
    patience->has_ended = true;
    (void)pthread_cond_signal(&patience->is_over);
    (void)pthread_mutex_unlock(&patience->mutex);
    if (patience->has_thread)
        (void)pthread_join(patience->thread, NULL);
    (void)pthread_cond_destroy(&patience->is_over);
    (void)pthread_mutex_destroy(&patience->mutex);
}
