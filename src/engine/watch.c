#include <stdlib.h>
#include <time.h>

#include "core/text.h"
#include "engine/job_impl.h"
#include "platform/stranger.h"

/*
 * What an answer says about the run as a whole: the key, whoever answers, and the clock. The
 * decisions are those of send/trust.h; here they are carried out.
 *
 * A row that is refused for the key has no result until it is known whether the key is to blame: it
 * is held, and so are the commands for its device behind it. If the key is still good for what
 * started after the refusal, the row is rejected; if there is another key, it goes again with that;
 * if the run stops, it was never sent.
 */

void job_release_suspects(struct job *job)
{
    for (size_t i = 0; i < job->suspect_count; i++)
        scheduler_release(&job->scheduler, &job->suspects[i].row->task);
    job->suspect_count = 0;
}

/* Ends the rows that were refused before attempt number `start` began. */
static void reject_suspects(struct job *job, uint64_t start)
{
    size_t count = 0;

    for (; count < job->suspect_count && job->suspects[count].known_at < start; count++) {
        struct suspect *suspect = &job->suspects[count];
        job_record_outcome(suspect->row, suspect->latency_us, &suspect->outcome);
        job_end_row(suspect->row);
    }
    if (count == 0)
        return;
    job->suspect_count -= count;
    memmove(job->suspects, job->suspects + count, job->suspect_count * sizeof(*job->suspects));
    job_pump_soon(job);
}

static bool has_place(struct job *job)
{
    if (job->suspect_count < job->suspect_capacity)
        return true;
    size_t capacity = job->suspect_capacity > 0 ? job->suspect_capacity * 2 : 2 * TRUST_REFUSALS;
    struct suspect *suspects = realloc(job->suspects, capacity * sizeof(*suspects));
    if (suspects == NULL)
        return false;
    job->suspects = suspects;
    job->suspect_capacity = capacity;
    return true;
}

/* False where there is no memory for it: then the row ends as it was refused. */
static bool hold(struct job_row *row, const struct answer *answer, const struct outcome *outcome)
{
    struct job *job = row->job;

    if (!has_place(job))
        return false;
    scheduler_hold(&job->scheduler, &row->task);
    if (row->so_far.ambiguous == 0)
        ledger_pause(job->ledger, row->admission);
    job->suspects[job->suspect_count++] = (struct suspect){.row = row,
                                                           .known_at = job->starts,
                                                           .outcome = *outcome,
                                                           .latency_us = answer->latency_us};
    return true;
}

/* The refusal was the old key's, and is none of the row's attempts. */
static void forgive_attempt(struct job_row *row)
{
    if (row->so_far.tries > 0)
        row->so_far.tries--;
    row->job->retry.retries++;
}

static void send_again(struct job_row *row)
{
    struct job *job = row->job;

    forgive_attempt(row);
    if (row->so_far.ambiguous == 0)
        ledger_pause(job->ledger, row->admission);
    scheduler_retry(&job->scheduler, &row->task, job_now_ms());
}

/* Reads the key's source again, once for each time that the key is refused; what is to be said
 * about that where there is no other key is appended to `why`. */
static bool renew_key(struct job *job, struct buf *why)
{
    const struct job_options *options = job->options;

    if (options->renew_key == NULL || !trust_ask(&job->trust))
        return false;
    switch (options->renew_key(options->renew_key_context, why)) {
    case JOB_KEY_OTHER:
        break;
    case JOB_KEY_SAME:
        buf_add_string(why, "the key's source was read again and gives no other");
        return false;
    case JOB_KEY_FAILED:
        return false;
    }
    if (transport_renew_key(job->transport) != STATUS_OK)
        return false;
    job->key_number++;
    trust_renew(&job->trust);
    for (size_t i = 0; i < job->suspect_count; i++)
        forgive_attempt(job->suspects[i].row);
    job_release_suspects(job);
    job_tell(job, JOB_EVENT_KEY);
    job_pump_soon(job);
    return true;
}

static void stop_for_key(struct job *job, const struct outcome *outcome, struct buf *why)
{
    unsigned count = (unsigned)job->trust.refusals;

    if (count == 1)
        buf_add_string(job->message, "the first row was refused for the key");
    else
        buf_add_format(job->message, "%u rows in a row were refused for the key", count);
    buf_add_format(job->message, " (%s)", outcome->error);
    if (outcome->http_status == 407)
        buf_add_string(job->message,
                       ": it is the proxy that refuses them, for its own credentials");
    else
        buf_add_string(job->message, ": it does not fit the product or the devices");
    if (why->len > 0)
        buf_add_format(job->message, "; %s", buf_string(why));
    if (job->clock_off_s != 0)
        buf_add_format(job->message,
                       "; this machine's clock is %lld s %s the platform's, which makes tokens "
                       "invalid",
                       (long long)llabs(job->clock_off_s),
                       job->clock_off_s > 0 ? "behind" : "ahead of");
    job_stop(job, JOB_REFUSED, NULL);
}

/* True when the row goes again with another key. */
static bool judge_key(struct job_row *row, const struct outcome *outcome)
{
    struct job *job = row->job;
    struct buf why;

    buf_init(&why, 64 * 1024);
    bool renewed = outcome->http_status != 407 && renew_key(job, &why);
    if (renewed) {
        send_again(row);
    } else {
        stop_for_key(job, outcome, &why);
    }
    buf_deinit(&why);
    return renewed;
}

static void stop_for_stranger(struct job *job, const struct answer *answer,
                              const struct outcome *outcome)
{
    struct buf *message = job->message;
    struct span body = span_of(answer->body.ptr, answer->body.len < 4096 ? answer->body.len : 4096);
    char shown[OUTCOME_SHOWN_MAX + 1];

    buf_add_format(message, "%d answers in a row were not the platform's: HTTP %d", TRUST_STRANGERS,
                   outcome->http_status);
    buf_copy_printable(shown, sizeof(shown), text_trim_blanks(body));
    if (shown[0] != '\0')
        buf_add_format(message, ", \"%s\"", shown);
    buf_add_string(message, "; ");
    stranger_describe(job->options->dialect, answer, job->options->transport.endpoint->path,
                      message);
    job_stop(job, JOB_REFUSED, NULL);
}

static int64_t wall_clock_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

/* The platform's clock, from the first answer that is its own. Its header has whole seconds, and is
 * about as old as the answer was on its way. */
static void watch_clock(struct job *job, const struct answer *answer)
{
    int64_t date_s;

    if (job->has_clock || !transport_date_s(answer->date, &date_s))
        return;
    job->has_clock = true;
    int64_t off_s = date_s - wall_clock_s();
    if (llabs(off_s) <= JOB_CLOCK_OFF_MAX_S)
        return;
    job->clock_off_s = off_s;
    job_tell(job, JOB_EVENT_CLOCK);
}

void job_set_clock(struct job_row *row)
{
    if (row->so_far.ambiguous == 0)
        command_shift(&row->command, row->job->clock_off_s);
}

/* The scout told the clock, and was refused: that may be for times that the clock has put wrong. */
static bool is_misdated(const struct job_row *row, const struct outcome *outcome)
{
    const struct command *command = &row->command;

    return outcome->class == OUTCOME_REFUSED && outcome->meaning == MEANING_REJECTED &&
           row->so_far.ambiguous == 0 && command->shifted_s != row->job->clock_off_s &&
           (command->valid_is_relative || command->expires_is_relative);
}

bool job_watch_answer(struct job_row *row, const struct answer *answer,
                      const struct outcome *outcome)
{
    struct job *job = row->job;
    bool refuses_key = outcome_refuses_key(outcome);

    if (job_is_stopping(job))
        return false;
    if (refuses_key && row->key_number != job->key_number) {
        send_again(row);
        return true;
    }
    bool is_scout = outcome->voice == VOICE_PLATFORM && !job->has_clock;
    if (is_scout)
        watch_clock(job, answer);
    if (is_scout && is_misdated(row, outcome)) {
        (void)trust_add(&job->trust, outcome);
        send_again(row);
        return true;
    }
    switch (trust_add(&job->trust, outcome)) {
    case TRUST_GO_ON:
        break;
    case TRUST_GOOD:
        reject_suspects(job, row->start_number);
        break;
    case TRUST_HOLD:
        return hold(row, answer, outcome);
    case TRUST_NO_KEY:
        return judge_key(row, outcome);
    case TRUST_STRANGER:
        stop_for_stranger(job, answer, outcome);
        break;
    }
    return false;
}

void job_settle_idle(struct job *job)
{
    struct buf why;
    bool is_idle = job->suspect_count > 0 && !job_is_stopping(job) &&
                   job->scheduler.in_flight == 0 && job->scheduler.ready == 0 &&
                   job->admissions.count == 0 &&
                   scheduler_next_due_ms(&job->scheduler) == INT64_MAX;

    if (!is_idle)
        return;
    buf_init(&why, 64 * 1024);
    if (!renew_key(job, &why))
        reject_suspects(job, UINT64_MAX);
    buf_deinit(&why);
}
