#include "ledger/outlet.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_MS = 1000000, WRITE_MAX = 64 * 1024, LOOK_MS = 100 };

struct outlet {
    int fd;
    bool is_terminal;
    bool is_threaded;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t more;   /* for the thread: there is something to write, or it shall end */
    pthread_cond_t done;   /* for outlet_wait: something has been written */
    struct buf queue;
    size_t written; /* so many bytes of the queue's beginning are written */
    uint64_t progress;
    int error;
    bool is_gone;          /* nothing is written any more */
    bool is_closing;       /* the thread ends, and frees */
    char piece[WRITE_MAX]; /* the thread's: what it writes while the queue changes */
};

/* Notes how a write ended; `count` as write(2) gives it. */
static void note_write(struct outlet *outlet, ssize_t count, int error)
{
    outlet->progress++;
    if (count >= 0) {
        outlet->written += (size_t)count;
    } else if (error != EINTR) {
        outlet->is_gone = true;
        outlet->error = error == EIO && outlet->is_terminal ? 0 : error;
    }
    if (outlet->is_gone || outlet->written == outlet->queue.len) {
        buf_clear(&outlet->queue);
        outlet->written = 0;
    }
}

static void free_outlet(struct outlet *outlet)
{
    (void)pthread_cond_destroy(&outlet->more);
    (void)pthread_cond_destroy(&outlet->done);
    (void)pthread_mutex_destroy(&outlet->mutex);
    buf_deinit(&outlet->queue);
    free(outlet);
}

/* Writes a piece of the queue; the mutex is held before and after, and not meanwhile. */
static void write_piece(struct outlet *outlet)
{
    size_t left = outlet->queue.len - outlet->written;
    size_t len = left < WRITE_MAX ? left : WRITE_MAX;

    memcpy(outlet->piece, outlet->queue.ptr + outlet->written, len);
    (void)pthread_mutex_unlock(&outlet->mutex);
    ssize_t count = write(outlet->fd, outlet->piece, len);
    int error = errno;
    (void)pthread_mutex_lock(&outlet->mutex);
    note_write(outlet, count, error);
    (void)pthread_cond_signal(&outlet->done);
}

static void *serve(void *context)
{
    struct outlet *outlet = context;

    (void)pthread_mutex_lock(&outlet->mutex);
    while (!outlet->is_closing) {
        if (outlet->queue.len > outlet->written)
            write_piece(outlet);
        else
            (void)pthread_cond_wait(&outlet->more, &outlet->mutex);
    }
    (void)pthread_mutex_unlock(&outlet->mutex);
    free_outlet(outlet);
    return NULL;
}

static bool start_thread(struct outlet *outlet)
{
    pthread_t thread;
    sigset_t all, before;

    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    bool started = pthread_create(&thread, NULL, serve, outlet) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started && pthread_detach(thread) == 0;
}

enum status outlet_open(int fd, struct outlet **ret_outlet)
{
    struct outlet *outlet = calloc(1, sizeof(*outlet));
    pthread_condattr_t monotonic;

    if (outlet == NULL || pthread_condattr_init(&monotonic) != 0) {
        free(outlet);
        return STATUS_NO_MEMORY;
    }
    outlet->fd = fd;
    outlet->is_terminal = isatty(fd) == 1;
    buf_init(&outlet->queue, OUTLET_MAX_BYTES);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&outlet->mutex, NULL); /* these three cannot fail with glibc */
    (void)pthread_cond_init(&outlet->more, NULL);
    (void)pthread_cond_init(&outlet->done, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    outlet->is_threaded = start_thread(outlet);
    *ret_outlet = outlet;
    return STATUS_OK;
}

/* Takes what is written out of the queue, which would grow otherwise while its reader keeps up but
 * never catches up. */
static void make_room(struct outlet *outlet)
{
    if (outlet->written < outlet->queue.len / 2)
        return;
    buf_drop(&outlet->queue, outlet->written);
    outlet->written = 0;
}

/* Where there is no thread. */
static void write_queue(struct outlet *outlet)
{
    while (outlet->queue.len > outlet->written) {
        ssize_t count = write(outlet->fd, outlet->queue.ptr + outlet->written,
                              outlet->queue.len - outlet->written);
        note_write(outlet, count, errno);
    }
}

enum status outlet_add(struct outlet *outlet, struct span bytes)
{
    enum status status = STATUS_OK;

    (void)pthread_mutex_lock(&outlet->mutex);
    if (outlet->error != 0) {
        status = STATUS_IO;
    } else if (!outlet->is_gone) {
        make_room(outlet);
        if (buf_reserve(&outlet->queue, bytes.len)) {
            buf_add(&outlet->queue, bytes);
        } else {
            outlet->queue.status = STATUS_OK; /* what is in it is still to be written */
            status = STATUS_NO_MEMORY;
        }
        (void)pthread_cond_signal(&outlet->more);
        if (!outlet->is_threaded)
            write_queue(outlet);
    }
    (void)pthread_mutex_unlock(&outlet->mutex);
    return status;
}

size_t outlet_waiting(struct outlet *outlet)
{
    (void)pthread_mutex_lock(&outlet->mutex);
    size_t waiting = outlet->queue.len - outlet->written;
    (void)pthread_mutex_unlock(&outlet->mutex);
    return waiting;
}

int outlet_error(struct outlet *outlet)
{
    (void)pthread_mutex_lock(&outlet->mutex);
    int error = outlet->error;
    (void)pthread_mutex_unlock(&outlet->mutex);
    return error;
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS;
}

static void wait_a_little(struct outlet *outlet)
{
    int64_t until_ms = now_ms() + LOOK_MS;
    const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                                   .tv_nsec = (long)(until_ms % 1000) * NS_PER_MS};

    (void)pthread_cond_timedwait(&outlet->done, &outlet->mutex, &until);
}

bool outlet_wait(struct outlet *outlet, int64_t patience_ms)
{
    int64_t since_ms = now_ms();
    bool all;

    (void)pthread_mutex_lock(&outlet->mutex);
    uint64_t progress = outlet->progress;
    while (!(all = outlet->queue.len == outlet->written)) {
        if (outlet->progress != progress) {
            progress = outlet->progress;
            since_ms = now_ms();
        }
        if (patience_ms >= 0 && now_ms() - since_ms >= patience_ms)
            break;
        wait_a_little(outlet);
    }
    (void)pthread_mutex_unlock(&outlet->mutex);
    return all;
}

void outlet_close(struct outlet *outlet)
{
    if (outlet == NULL)
        return;
    if (!outlet->is_threaded) {
        free_outlet(outlet);
        return;
    }
    (void)pthread_mutex_lock(&outlet->mutex);
    outlet->is_closing = true; /* the thread frees it */
    (void)pthread_cond_signal(&outlet->more);
    (void)pthread_mutex_unlock(&outlet->mutex);
}
