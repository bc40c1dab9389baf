/*
 * What must hold at each step, by the simulation's own book-keeping: nothing here asks the engine
 * or the ledger what they think, but whether a new row waits for its turn.
 */
#include <fcntl.h>

#include "engine/engine_impl.h"
#include "ledger/doubt.h"
#include "ledger/ledger.h"
#include "platform/rules.h"
#include "send/budget.h"
#include "sim_world.h"

static const int64_t ns_of_ms = 1000000;

enum { FEW_ROWS = 25 };

/* Rows of a device leave one at a time, in the order of the file. */
static void check_order(struct sim_world *world, uint64_t row)
{
    for (uint64_t i = 1; i <= world->input.row_count; i++) {
        const struct row_state *other = &world->rows[i];
        if (i == row || other->device != world->rows[row].device)
            continue;
        if (other->in_flight)
            sim_violate(world, "two commands of one device are under way", row);
        if (i < row && other->is_todo && !other->is_ended)
            sim_violate(world, "a row leaves before an earlier one of its device has ended", row);
    }
}

/* It was on record, and durable, before. */
static void check_record(struct sim_world *world, const struct item *item)
{
    const struct process *process = &world->process;
    const struct row_state *row = &world->rows[item->id.row];
    bool is_off = sim_is_broken(BREAK_WAIT);

    if (!row->is_marked)
        sim_violate(world, "a row leaves that is not marked", item->id.row);
    if (!is_off && (row->sync == 0 || row->sync > process->durable))
        sim_violate(world, "a row leaves before its admission is durable", item->id.row);
    if (!is_off && !process->store->is_durable(process->store, item->ticket))
        sim_violate(world, "a row leaves that the ledger calls not durable", item->id.row);
}

static void check_paid(struct sim_world *world, uint32_t tries, uint64_t row)
{
    struct process *process = &world->process;
    int64_t now_ms = world->now_ns / ns_of_ms;

    if (tries == 0)
        return;
    if (process->tokens >= BUDGET_RETRY_COST)
        process->tokens -= BUDGET_RETRY_COST;
    else if (scheduler_has_fresh(&process->engine->scheduler) &&
             now_ms - process->retried_ms < BUDGET_TRICKLE_MS)
        sim_violate(world, "more retries than the budget allows", row);
    process->retried_ms = now_ms;
}

/* A retry is paid for from a bucket that is full at first and that answers fill, or has waited for
 * its turn behind the last one, or takes no new row's place. Such that did not leave are given
 * back. */
static void check_budget(struct sim_world *world, const struct item *item)
{
    check_paid(world, item->so_far.tries, item->id.row);
}

void check_attempt(struct sim_world *world, const struct outcome *outcome)
{
    int *tokens = &world->process.tokens;

    if (breaker_kind_of(outcome) == BREAKER_OK && *tokens < BUDGET_TOKENS_MAX)
        *tokens += BUDGET_SUCCESS_RETURN;
}

void check_put_off(struct sim_world *world, const struct item *item)
{
    int *tokens = &world->process.tokens;

    if (item->so_far.tries > 0)
        *tokens += BUDGET_RETRY_COST;
    if (*tokens > BUDGET_TOKENS_MAX)
        *tokens = BUDGET_TOKENS_MAX;
}

static void check_pace(struct sim_world *world, uint64_t row)
{
    const struct process *process = &world->process;
    const struct pacer_options *pacer = &process->plan.pacer;
    int64_t elapsed_ms = (world->now_ns - process->started_ns) / ns_of_ms;

    if (process->in_flight >= process->plan.concurrency)
        sim_violate(world, "more requests under way than asked for", row);
    if (process->is_paused)
        sim_violate(world, "a row leaves while the run is paused", row);
    if (process->is_held_up)
        sim_violate(world, "a row leaves while the results' reader does not keep up", row);
    if (process->is_stopped || process->has_ended)
        sim_violate(world, "a row leaves after the run was stopped", row);
    if (pacer->rate_count > 0 &&
        (int64_t)process->starts >
            pacer->burst + 1 + elapsed_ms * pacer->rate_count / pacer->rate_per_ms)
        sim_violate(world, "more requests than the rate allows", row);
}

/* Where nothing else says that it gets too much, a platform with a limit gets no more than twice of
 * that for longer than a round trip, from one after it has said so on. Beside that there is what
 * its bucket holds, and what was under way; and a few rows, before which nothing can be known. */
static void check_limit(struct sim_world *world, uint64_t row)
{
    struct process *process = &world->process;
    const struct fake_platform *platform = &world->platform;
    const uint32_t *weights = platform->weights;
    double rate = (double)platform->rate_per_s, trip_s = (double)platform->latency_ms / 1000;
    bool is_clear = weights[REPLY_HTTP_429] + weights[REPLY_HTTP_503_LATER] +
                        weights[REPLY_ERRNO_LATER] + weights[REPLY_ERRNO_AGAIN] ==
                    0;

    if (!process->plan.pacer.adaptive || rate == 0 || process->refused_ns == 0 || !is_clear)
        return;
    if (process->ahead_ns > 0)
        process->ahead -= 2 * rate * (double)(world->now_ns - process->ahead_ns) / 1e9;
    process->ahead = (process->ahead > 0 ? process->ahead : 0) + 1;
    process->ahead_ns = world->now_ns;
    world->stats->limited++;
    if (process->ahead >
        (double)process->plan.concurrency + (double)platform->burst + 4 * rate * trip_s + FEW_ROWS)
        sim_violate(world, "more than twice what the platform allows", row);
}

/* Until the rows of the canary have ended, no others leave. */
static void check_canary(struct sim_world *world, uint64_t row)
{
    const struct process *process = &world->process;
    const struct canary *canary = &process->plan.canary;

    if (canary->state == CANARY_OVER || process->first_starts <= canary->rows)
        return;
    if (process->ended_good < canary->rows ||
        world->now_ns / ns_of_ms < process->canary_ended_ns / ns_of_ms + canary->pause_ms)
        sim_violate(world, "a row leaves while waiting for the canary", row);
}

void check_send(struct sim_world *world, const struct item *item)
{
    struct process *process = &world->process;
    uint64_t number = item->id.row;

    if (number == 0 || number > world->input.row_count) {
        sim_violate(world, "a row leaves that was not checked", number);
        return;
    }
    struct row_state *row = &world->rows[number];
    process->starts++;
    process->first_starts += row->attempts == 0;
    if (!row->is_todo)
        sim_violate(world, "a row leaves that is not valid, or has its result", number);
    if (row->in_flight || row->is_ended)
        sim_violate(world, "a row leaves that is under way, or has ended", number);
    if (item->so_far.tries >= process->plan.retry.max_attempts)
        sim_violate(world, "a row has more attempts than asked for", number);
    if (world->platform.clock_off_s == 0 && item->command.expires_at_s <= sim_wall_ms(world) / 1000)
        sim_violate(world, "a row leaves that has expired", number);
    if (world->policy == ON_AMBIGUOUS_VERIFY && row->attempts > 0)
        check_missing(world, number);
    check_order(world, number);
    check_record(world, item);
    check_budget(world, item);
    check_pace(world, number);
    check_limit(world, number);
    check_canary(world, number);
}

void check_question(struct sim_world *world, struct item *item)
{
    struct row_state *row = &world->rows[item->id.row];

    world->process.starts++;
    if (!row->is_todo || row->in_flight || row->is_ended || row->attempts == 0)
        sim_violate(world, "a question is asked of a row that was not sent", item->id.row);
    check_order(world, item->id.row);
    check_paid(world, item_tries(item)->tries, item->id.row);
    check_pace(world, item->id.row);
}

void check_missing(struct sim_world *world, uint64_t number)
{
    if (fake_platform_count(&world->platform, number) > 0)
        sim_violate(world, "a row that was processed is called not processed", number);
}

/* Whether the platform holds equal commands of a device that several rows have asked for: which is
 * whose cannot be told then, where one of the rows is not done. */
static bool has_equals(const struct sim_world *world, uint64_t number)
{
    const struct fake_platform *platform = &world->platform;
    const struct processed *first = NULL;

    for (size_t i = 0; i < platform->processed_count; i++) {
        const struct processed *done = &platform->processed[i];
        if (done->row == 0 || world->rows[done->row].device != world->rows[number].device)
            continue;
        for (size_t k = 0; k < i; k++) {
            first = &platform->processed[k];
            if (first->row != 0 && first->row != done->row &&
                strcmp(first->imei, done->imei) == 0 && strcmp(first->args, done->args) == 0 &&
                strcmp(first->content, done->content) == 0)
                return true;
        }
    }
    return false;
}

/* Whether the history does not show yet what it was given while it was late, in an earlier life:
 * such a command may be the one by which a run sees whether it tells at all. */
static bool is_late_still(const struct sim_world *world)
{
    const struct fake_platform *platform = &world->platform;

    for (size_t i = 0; i < platform->processed_count; i++) {
        const struct processed *done = &platform->processed[i];
        if (done->shows_ms > world->now_ns / ns_of_ms &&
            done->shows_ms - done->at_ms > HISTORY_LAG_MAX_MS)
            return true;
    }
    return false;
}

/* Whether so many commands of the device are later, by the platform's clock, that they may have
 * taken a row's place: between two lives clocks are set back. */
static bool is_displaced(const struct sim_world *world, uint64_t number)
{
    const struct fake_platform *platform = &world->platform;
    const char *imei = world->input.contents[world->input.rows[number - 1].content].imei;
    int64_t ago_ms = (world->now_ns - world->rows[number].answered_ns) / ns_of_ms;
    int64_t ended_s = (sim_wall_ms(world) - ago_ms) / 1000 + platform->clock_off_s;
    size_t later = 0;

    for (size_t i = 0; i < platform->processed_count; i++)
        later += strcmp(platform->processed[i].imei, imei) == 0 &&
                 platform->processed[i].created_s > ended_s;
    return later >= DEVICE_QUEUE_MAX;
}

/* Whether something keeps the history from telling what became of a row. */
static bool may_be_unclear(const struct sim_world *world, uint64_t number)
{
    const struct process *process = &world->process;
    const struct fake_platform *platform = &world->platform;

    return process->is_stopped || process->clock_was_set || !process->plan.is_prompt ||
           platform->history != HISTORY_CLEAR || platform->outage_count > 0 ||
           world->was_in_doubt[number] || has_equals(world, number) || is_late_still(world) ||
           is_displaced(world, number);
}

void check_end(struct sim_world *world, uint64_t number, enum row_status status)
{
    struct process *process = &world->process;

    if (number == 0 || number > world->input.row_count)
        return; /* of an input that was changed: it says so, or is found by the results */
    struct row_state *row = &world->rows[number];
    if (row->is_ended || row->in_flight)
        sim_violate(world, "a row ends twice, or while it is under way", number);
    row->is_ended = true;
    if (!row->is_todo)
        return;
    process->ended_good++;
    if (process->ended_good == process->plan.canary.rows)
        process->canary_ended_ns = world->now_ns;
    if (world->policy == ON_AMBIGUOUS_VERIFY && status == ROW_IN_DOUBT &&
        !may_be_unclear(world, number))
        sim_violate(world, "a row ends in doubt, and the history could tell", number);
    if (world->policy == ON_AMBIGUOUS_VERIFY && status == ROW_FAILED)
        check_missing(world, number);
    bool is_unknown = status != ROW_ACCEPTED && status != ROW_IN_DOUBT;
    if (is_unknown && fake_platform_count(&world->platform, number) > 0)
        sim_violate(world, "a row that was processed ends as if it were not", number);
}

void check_synced(struct sim_world *world, uint64_t sync)
{
    for (size_t i = 1; i <= world->input.row_count; i++) {
        const struct row_state *row = &world->rows[i];
        if (row->is_accepted && row->end_sync <= sync)
            world->is_kept[i] = true;
    }
}

/* A process that is killed, and nothing else: all that it took down is found, and no more rows are
 * in doubt than were under way (and one whose result was being written). */
void check_left(struct sim_world *world)
{
    const struct process *process = &world->process;
    bool is_exact = fake_disk_is_dead() && process->death == DEATH_OF_PROCESS &&
                    process->has_begun && world->stats->disk.lost_sectors == world->lost_before;

    world->doubts_max = is_exact ? 1 : -1;
    for (size_t i = 1; i <= world->input.row_count; i++) {
        const struct row_state *row = &world->rows[i];
        world->is_live[i] = is_exact && row->is_accepted;
        world->leaves_doubt[i] =
            is_exact && row->is_doubtful && count_failed(world) == world->failed_before;
        world->doubts_max += is_exact && row->is_marked && !row->is_ended;
    }
}

/* Where a snapshot counted, it did not know of some attempts. */
void check_recovered(struct sim_world *world)
{
    for (size_t i = 1; i <= world->input.row_count; i++) {
        if (world->is_live_lost)
            world->uncounted[i] += world->unrecovered[i];
        world->unrecovered[i] = 0;
    }
    world->is_live_lost = false;
}

void check_found(struct sim_world *world, uint64_t orphans)
{
    if (world->doubts_max >= 0 && orphans > (uint64_t)world->doubts_max)
        sim_violate(world, "more rows are in doubt than were under way", 0);
    for (size_t i = 1; i <= world->input.row_count; i++) {
        const struct result *result = world->results.of_row[i];
        bool is_accepted = result != NULL && result->status == ROW_ACCEPTED;
        if ((world->is_kept[i] || world->is_live[i]) && !is_accepted)
            sim_violate(world, "a result that was on record is gone", i);
        world->is_kept[i] = is_accepted; /* a recovery has synced it */
        world->is_live[i] = false;
    }
    world->doubts_max = -1;
}

uint64_t count_failed(const struct sim_world *world)
{
    uint64_t sum = world->stats->disk.full + world->stats->disk.short_writes;

    for (size_t i = 0; i < FAKE_CALL_COUNT; i++)
        sum += world->stats->disk.failed[i];
    return sum;
}

/* Takes the commands that a request may have become off those of its row that are on no record. */
static void match_doubt(struct sim_world *world, const struct doubt *doubt)
{
    const struct likeness_request request = {(enum action)doubt->operation, doubt->target,
                                             doubt->body};
    struct fake_platform *platform = &world->platform;
    struct buf text;

    buf_init(&text, sizeof(platform->page));
    for (size_t i = 0; i < platform->processed_count; i++) {
        struct processed *done = &platform->processed[i];
        enum likeness likeness = LIKENESS_DIFFERENT;
        if (done->row != doubt->id.row || done->is_on_record)
            continue;
        buf_clear(&text);
        fake_history_show(done, true, &text);
        (void)buf_string(&text);
        done->is_on_record = likeness_of_entry(buf_span(&text), &request, &likeness) == STATUS_OK &&
                             likeness != LIKENESS_DIFFERENT;
    }
    buf_deinit(&text);
}

/* Of a row in doubt of which all seems to be on record, each command must be: one that is not would
 * not be found by whoever looks for it later, and the row would be sent again. */
static void check_covered(struct sim_world *world, uint64_t row)
{
    const struct fake_platform *platform = &world->platform;
    const struct result *result = world->results.of_row[row];

    if (result == NULL || result->status != ROW_IN_DOUBT || world->recorded[row] == 0 ||
        world->recorded[row] != result->ambiguous)
        return;
    for (size_t i = 0; i < platform->processed_count; i++)
        if (platform->processed[i].row == row && !platform->processed[i].is_on_record)
            sim_violate(world, "all of a row in doubt seems to be on record, and is not", row);
}

static enum status take_doubt(void *context, const struct doubt *doubt, uint64_t offset)
{
    struct sim_world *world = context;
    uint64_t row = doubt->id.row;
    char value[32], imei[32];

    (void)offset;
    if (row < 1 || row > world->input.row_count)
        return STATUS_OK; /* of an input that was changed */
    const struct content *content = &world->input.contents[world->input.rows[row - 1].content];
    (void)snprintf(value, sizeof(value), content->is_execute ? "\"%u\"" : ":%u}",
                   (unsigned)content->value);
    (void)snprintf(imei, sizeof(imei), "imei=%s&", content->imei);
    if (memmem(doubt->body.ptr, doubt->body.len, value, strlen(value)) == NULL ||
        memmem(doubt->target.ptr, doubt->target.len, imei, strlen(imei)) == NULL ||
        doubt->ambiguous < doubt->before)
        sim_violate(world, "what is on record of a row in doubt is not what it asked for", row);
    match_doubt(world, doubt);
    world->recorded[row] =
        doubt->before == world->recorded[row] ? doubt->ambiguous : RECORDED_NEVER;
    world->leaves_doubt[row] = false;
    return STATUS_OK;
}

void check_doubts(struct sim_world *world)
{
    int fd = fake_disk.open(&fake_disk, FAKE_FOLDER "/out.csv.doubt", O_RDONLY, 0);
    memset(world->recorded, 0, sizeof(world->recorded));
    bool is_read = fd < 0 || doubt_each(&fake_disk, fd, take_doubt, world, NULL) == STATUS_OK;

    if (fd >= 0)
        (void)fake_disk.close(&fake_disk, fd);
    for (size_t i = 1; i <= world->input.row_count; i++) {
        if (world->leaves_doubt[i] && is_read && !fake_disk_is_dead() &&
            count_failed(world) == world->failed_before)
            sim_violate(world, "what a row in doubt asked for is not on record", i);
        world->leaves_doubt[i] = false;
        check_covered(world, i);
    }
}

void check_results(struct sim_world *world, bool is_complete)
{
    const struct judgement judgement = {.input = &world->input,
                                        .platform = &world->platform,
                                        .policy = world->policy,
                                        .uncounted = world->uncounted,
                                        .is_complete = is_complete};
    size_t size = 0;
    uint64_t row = 0;
    const char *text = fake_disk_read(FAKE_FOLDER "/out.csv", &size);
    const char *wrong = NULL;

    world->results.count = 0;
    memset(world->results.of_row, 0, sizeof(world->results.of_row));
    if (text != NULL)
        wrong = judge_read(&world->results, span_of(text, size));
    if (wrong == NULL)
        wrong = judge(&world->results, &judgement, &row);
    if (wrong != NULL)
        sim_violate(world, wrong, row);
}
