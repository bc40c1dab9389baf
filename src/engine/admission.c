#include "engine/job_impl.h"

/*
 * Between reading and sending: a row may leave once the disk remembers that it may have left. Rows
 * wait here in the order of the file, and many of them for one sync, which runs beside the loop
 * (sending.md section 5).
 *
 * Each row that is read ahead for that is in doubt when the machine dies, so they are as few as
 * will do: as many as start between two syncs, which the results ask for from time to time. Where
 * rows run out before that, more are read ahead.
 */

enum {
    AHEAD_MAX = 640,
    AHEAD_LOW = 4, /* a sync is asked for when only a part of this is left */
    AHEAD_GROWTH = 4,
};

/*
 * The negative control of the wait for the disk: the tests build another binary in which this is
 * defined, and see what a power cut then sends twice. The product has no such switch.
 */
#ifdef NBATCH_TEST_WITHOUT_SYNC_WAIT
enum { IS_SYNC_AWAITED = false };
#else
enum { IS_SYNC_AWAITED = true };
#endif

void job_await_disk(struct job *job, struct job_row *row)
{
    struct admissions *admissions = &job->admissions;

    row->next = NULL;
    if (admissions->tail != NULL && admissions->head != NULL)
        admissions->tail->next = row;
    else
        admissions->head = row;
    admissions->tail = row;
    admissions->count++;
    if (!IS_SYNC_AWAITED)
        job_admit(job);
}

void job_admit(struct job *job)
{
    struct admissions *admissions = &job->admissions;
    struct job_row *row;

    while (!job_is_stopping(job) && (row = admissions->head) != NULL &&
           (!IS_SYNC_AWAITED || job->store->is_durable(job->store, row->admission))) {
        if (scheduler_add(&job->scheduler, &row->task) != STATUS_OK) {
            job_fail(job, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
            return;
        }
        admissions->head = row->next;
        if (row->next != NULL)
            __builtin_prefetch(row->next);
        admissions->count--;
    }
}

/* In a thread of libuv's pool. */
static void do_sync(uv_work_t *work)
{
    struct job *job = work->data;

    job->store->sync_run(job->admissions.sync);
}

static void after_sync(uv_work_t *work, int cancelled)
{
    struct job *job = work->data;
    struct admissions *admissions = &job->admissions;

    (void)cancelled; /* nobody does */
    if (job->store->sync_end(job->store, admissions->sync) != STATUS_OK)
        job_fail(job, STATUS_IO, job->store->error(job->store));
    job_admit(job);
    job_pump(job);
}

void job_sync(struct job *job)
{
    struct admissions *admissions = &job->admissions;

    if (job->store->is_syncing)
        return;
    admissions->sync = job->store->sync_begin(job->store);
    if (admissions->sync == NULL)
        return;
    admissions->work.data = job;
    (void)uv_queue_work(&job->loop, &admissions->work, do_sync, after_sync); /* EINVAL alone */
}

void job_sync_if_due(struct job *job)
{
    struct admissions *admissions = &job->admissions;
    bool is_low = job->store->waiting > 0 &&
                  job->scheduler.ready < (admissions->ahead + AHEAD_LOW - 1) / AHEAD_LOW;

    if (job_is_stopping(job) || job->store->is_syncing)
        return;
    if (is_low && !job->input_ended && admissions->ahead < AHEAD_MAX)
        admissions->ahead += (admissions->ahead + AHEAD_GROWTH - 1) / AHEAD_GROWTH;
    if (is_low || job->store->unsynced >= STORE_SYNC_ROWS || job->store->room == 0)
        job_sync(job);
}
