#include "job/job_impl.h"

/*
 * Between reading and sending: a row may leave once the disk remembers that it may have left. Rows
 * wait here in the order of the file, and many of them for one sync, which runs beside the loop
 * (sending.md section 5). How many are read ahead for that is found out: as few as keep the places
 * in flight busy, since each of them is in doubt when the machine dies.
 */

enum { AHEAD_MAX = 1024 };

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
}

void job_admit(struct job *job)
{
    struct admissions *admissions = &job->admissions;
    struct job_row *row;

    while (!job_is_stopping(job) && (row = admissions->head) != NULL &&
           ledger_is_durable(job->ledger, row->admission)) {
        if (scheduler_add(&job->scheduler, &row->task) != STATUS_OK) {
            job_fail(job, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
            return;
        }
        admissions->head = row->next;
        admissions->count--;
    }
}

/* In a thread of libuv's pool. */
static void do_sync(uv_work_t *work)
{
    struct job *job = work->data;

    ledger_sync_run(job->admissions.sync);
}

static void after_sync(uv_work_t *work, int cancelled)
{
    struct job *job = work->data;
    struct admissions *admissions = &job->admissions;

    (void)cancelled; /* nobody does */
    if (ledger_sync_end(job->ledger, admissions->sync) != STATUS_OK)
        job_fail(job, STATUS_IO, ledger_error(job->ledger));
    if (admissions->starved && admissions->ahead < AHEAD_MAX)
        admissions->ahead *= 2;
    admissions->starved = false;
    job_admit(job);
    job_pump(job);
}

void job_sync(struct job *job)
{
    struct admissions *admissions = &job->admissions;

    if (ledger_is_syncing(job->ledger))
        return;
    admissions->sync = ledger_sync_begin(job->ledger);
    if (admissions->sync == NULL)
        return;
    admissions->work.data = job;
    (void)uv_queue_work(&job->loop, &admissions->work, do_sync, after_sync); /* EINVAL alone */
}

void job_sync_if_due(struct job *job)
{
    struct admissions *admissions = &job->admissions;
    const struct scheduler *scheduler = &job->scheduler;
    bool is_idle = scheduler->ready == 0 && scheduler->in_flight < scheduler->concurrency;

    if (job_is_stopping(job))
        return;
    if (is_idle && admissions->count > 0 && ledger_is_syncing(job->ledger))
        admissions->starved = true;
    if (ledger_unsynced(job->ledger) >= LEDGER_SYNC_ROWS || ledger_room(job->ledger) == 0 ||
        (ledger_waiting(job->ledger) > 0 && scheduler->ready < (admissions->ahead + 1) / 2))
        job_sync(job);
}
