#include "run/threads.h"

#include <pthread.h>

#include "run/exit_status.h"

/* At the same time: libuv's four, which read and sync, one that looks up names, and one each for
 * standard error, standard output and the log. */
enum { THREADS_NEEDED = 8 };

/* Stays until the gate is open. */
static void *wait_at(void *gate)
{
    (void)pthread_mutex_lock(gate);
    (void)pthread_mutex_unlock(gate);
    return NULL;
}

int threads_check(const struct person *person)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[THREADS_NEEDED];
    int count = 0, error = 0;

    (void)pthread_mutex_lock(&gate);
    while (count < THREADS_NEEDED && error == 0) {
        error = pthread_create(&threads[count], NULL, wait_at, &gate);
        count += error == 0;
    }
    (void)pthread_mutex_unlock(&gate);
    for (int i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_mutex_destroy(&gate);
    if (error == 0)
        return 0;
    person_error(person,
                 "a run needs %d threads, and this machine gives it %d (%s): raise the limit of "
                 "processes (ulimit -u, TasksMax= of a unit, the pids of a container)",
                 THREADS_NEEDED, count, strerror(error));
    return EXIT_REFUSED;
}
