#include "run/rollout.h"

#include <time.h>
#include <unistd.h>

#include "core/when.h"
#include "engine/interrupt.h"
#include "ledger/blank_store.h"
#include "run/exit_status.h"
#include "run/sending.h"
#include "run/status_rows.h"

/*
 * Each step is a run of the engine of its own, over a source that ends with the step's last row;
 * between two steps another one asks the questions. The engine knows nothing of steps: what is
 * under way, retries and the record end with each, and a wait of days holds no connection.
 *
 * One last look follows where the wait is over and the answer open: looks get rarer, and the last
 * one may be long ago.
 */

enum {
    ASK_PER_S = 100,      /* as nbatch status, where no rate is given */
    INTERVAL_MAX_S = 30,  /* likewise: between the first looks at a command */
    INTERVALS_A_WAIT = 20 /* but so many fit into the wait */
};

bool rollout_is_asked(const struct run_settings *settings)
{
    return settings->canary_step.rows > 0 || settings->rollout.count > 0;
}

/* Checks. */

static int refuse_time(const struct person *person, uint64_t line, const char *what, double seconds,
                       const char *remedy)
{
    struct buf text;

    buf_init_text(&text, 4096);
    buf_add_format(&text, "line %llu: %s ", (unsigned long long)line, what);
    when_add_duration(seconds, &text);
    buf_add_format(&text, " %s; nothing was sent", remedy);
    person_error(person, "%s", buf_string(&text));
    buf_deinit(&text);
    return EXIT_USAGE;
}

/* The times of the rows beside the waits that are ahead: those of steps that have rows to send. */
static int check_times(const struct run_settings *settings, const struct person *person,
                       const struct check_counts *counts, uint64_t earlier)
{
    const struct rollout plan =
        rollout_plan(&settings->canary_step, &settings->rollout, counts->rows);
    double rate = sending_rate_per_s(settings),
           ahead_s = rate > 0 ? (double)counts->valid / rate : 0;
    double now_s = (double)time(NULL);

    for (size_t i = 0; i + 1 < plan.count; i++) {
        double wait_s = (double)plan.steps[i].goal.wait_ms / 1000;
        if (rollout_until(&plan.steps[i], counts->rows) <= earlier)
            continue;
        ahead_s += wait_s;
        if ((double)counts->valid_in_s >= wait_s)
            return refuse_time(person, counts->valid_line,
                               "its valid_time is later than a step waits for what is delivered:",
                               wait_s, "from its beginning; wait longer");
    }
    if (counts->expires_at_s > 0 && (double)counts->expires_at_s <= now_s + ahead_s)
        return refuse_time(person, counts->expires_line,
                           "its expired_time may pass before its step begins: the steps can take",
                           ahead_s,
                           "from now; give a later one, one such as +24h that counts from "
                           "its step's beginning, or shorter waits");
    return 0;
}

static bool is_there(const char *path, const char *end)
{
    char name[4096];
    int len = snprintf(name, sizeof(name), "%s%s", path, end);

    return len < (int)sizeof(name) && access(name, F_OK) == 0;
}

/* Where the answers are kept; to be freed. NULL without memory. */
static char *status_path(const struct run_settings *settings, const char *results)
{
    return settings->status != NULL ? strdup(settings->status) : status_file_path(results);
}

static int check_status_file(const struct run_settings *settings, const struct person *person,
                             const char *results)
{
    char *path = status_path(settings, results);
    int result = path != NULL ? 0 : EXIT_INTERNAL;

    if (path != NULL && !settings->resume.on &&
        (is_there(path, "") || is_there(path, ".journal"))) {
        person_error(person,
                     "%s is there, and is of an earlier run: move it away, or name another file "
                     "with --status; nothing was sent",
                     path);
        result = EXIT_USAGE;
    }
    free(path);
    return result;
}

int rollout_check(const struct run_settings *settings, const struct person *person,
                  const struct check_counts *counts, uint64_t earlier, const char *results)
{
    if (!rollout_is_asked(settings))
        return 0;
    if (counts->rows == 0 || settings->canary.rows > 0) {
        person_error(person, "%s; nothing was sent",
                     counts->rows == 0
                         ? "steps by what devices did want a file, and not a pipe: how many rows "
                           "there are, and when they expire, is checked first"
                         : "a roll-out goes by what is delivered: give its canary a goal as well, "
                           "such as --canary 20:delivered=90%,wait=2h");
        return EXIT_USAGE;
    }
    int result = check_times(settings, person, counts, earlier);
    return result == 0 ? check_status_file(settings, person, results) : result;
}

/* A source that ends with a step's last row. */

struct window {
    struct row_source base; /* first */
    struct row_source *inner;
    uint64_t until_row; /* UINT64_MAX: the input's own end */
    uint64_t row;       /* that was read last */
};

static enum status next(struct row_source *base, struct source_row *row, struct engine_time now)
{
    struct window *window = (struct window *)base;

    if (window->row >= window->until_row)
        return STATUS_END;
    enum status status = window->inner->next(window->inner, row, now);
    if (status == STATUS_OK)
        window->row = row->item->id.row;
    return status;
}

static enum status look(struct row_source *base)
{
    struct row_source *inner = ((struct window *)base)->inner;

    return inner->look(inner);
}

static struct source_place place(struct row_source *base)
{
    const struct window *window = (struct window *)base;
    struct source_place place = window->inner->place(window->inner);

    place.has_grown = place.has_grown && window->until_row == UINT64_MAX;
    return place;
}

/* What both kinds of engine have in common. */

struct phase_of_run {
    struct rolling *rolling;
    uint64_t rows;               /* of this run, that had ended before */
    struct questions *questions; /* NULL: rows are sent */
};

/* Rows count from the beginning of the run, whichever engine is at work. */
static void on_event(void *context, enum job_event event, const struct job_status *status)
{
    const struct phase_of_run *phase = context;
    const struct job_options *options = phase->rolling->options;
    struct job_status own = *status;

    own.rows = phase->rows + (phase->questions == NULL ? status->rows : 0);
    if (phase->questions != NULL)
        phase->questions->clock_off_s = status->clock_off_s;
    options->event(options->event_context, event, &own);
}

/* Takes an engine's end into the run's. A signal that came when nothing was left of a step ends the
 * run all the same: there are other steps. */
static enum job_end take_end(struct rolling *rolling, const struct job_result *result, bool is_last)
{
    struct job_result *all = &rolling->result;
    enum job_end end = result->end;
    int number = result->signal_number != 0 ? result->signal_number : interrupt_signal();

    if (end == JOB_COMPLETE && number != 0 && !is_last) {
        end = JOB_INTERRUPTED;
        buf_add_string(rolling->message, interrupt_name(number));
    }
    all->end = end;
    all->signal_number = number;
    all->aborted = all->aborted || result->aborted;
    all->cut_off += result->cut_off;
    return end;
}

/* Sending. */

static void tell(struct rolling *rolling, const char *event, enum rollout_state state)
{
    rolling->standing.state = state;
    observers_rollout(rolling->observers, event, &rolling->standing);
}

static void begin_step(struct rolling *rolling, const struct rollout *plan, size_t i)
{
    struct rollout_standing *standing = &rolling->standing;
    int64_t now_s = (int64_t)time(NULL);

    *standing =
        (struct rollout_standing){.step = i + 1,
                                  .steps = plan->count,
                                  .first_row = standing->until_row + 1,
                                  .until_row = rollout_until(&plan->steps[i], rolling->rows),
                                  .began_s = now_s};
    intake_begin_step(rolling->intake, now_s);
    tell(rolling, "step", ROLLOUT_SENDING);
    person_note(rolling->person, "step %zu of %zu: rows %llu to %llu", i + 1, plan->count,
                (unsigned long long)standing->first_row, (unsigned long long)standing->until_row);
}

static void add_result(struct job_result *all, const struct job_result *result)
{
    all->retries += result->retries;
    all->verified.rows += result->verified.rows;
    all->verified.found += result->verified.found;
    all->verified.missing += result->verified.missing;
    all->verified.unclear += result->verified.unclear;
    all->verified.lists += result->verified.lists;
    all->verified.lookups += result->verified.lookups;
    all->rows += result->rows;
    all->settled += result->settled;
    if (result->allowed > 0)
        all->allowed = result->allowed;
    if (result->late_per_s > 0)
        all->late_per_s = result->late_per_s;
}

/* A wait may be long: what is on record is on the disk first. */
static enum status sync_record(struct rolling *rolling)
{
    struct store *store = rolling->store;
    struct store_sync *sync = store->sync_begin(store);

    if (sync == NULL)
        return STATUS_OK;
    store->sync_run(sync);
    enum status status = store->sync_end(store, sync);
    if (status != STATUS_OK)
        buf_add_string(rolling->message, store->error(store));
    return status;
}

static enum status send_step(struct rolling *rolling, struct window *window, bool is_last)
{
    struct phase_of_run phase = {.rolling = rolling, .rows = tally_total(rolling->tally)};
    const struct watched watched = {.input = rolling->source->name,
                                    .tally = rolling->tally,
                                    .rows = rolling->to_send};
    struct job_options options = *rolling->options;
    const struct person *person = rolling->person;
    struct job_result result;
    char doing[160];

    options.event = on_event;
    options.event_context = &phase;
    options.pacer.follows = options.pacer.follows || rolling->standing.step > 1;
    buf_copy_format(doing, sizeof(doing), "step %zu of %zu", rolling->standing.step,
                    rolling->standing.steps);
    person->ops->begin(person, doing, &watched);
    enum status status =
        job_run(&window->base, &options, rolling->store, rolling->tally, &result, rolling->message);
    person->ops->end(person);
    add_result(&rolling->result, &result);
    (void)take_end(rolling, &result, is_last);
    return status == STATUS_OK && !is_last ? sync_record(rolling) : status;
}

/* Waiting. */

struct step_wait {
    struct rolling *rolling;
    const struct rollout_goal *goal;
    struct status_rows rows;
    struct rollout_counts counts;
};

static void count(struct step_wait *waiting, const struct command_record *command)
{
    struct rollout_standing *standing = &waiting->rolling->standing;

    if (command->row > standing->until_row || command_is_open(command))
        return;
    if (command->state == COMMAND_DELIVERED)
        waiting->counts.delivered++;
    else
        waiting->counts.lost++;
    standing->delivered = waiting->counts.delivered;
    standing->lost = waiting->counts.lost;
}

/* What is known before anything is asked. */
static void count_all(struct step_wait *waiting)
{
    const struct command_table *table = &waiting->rows.table;
    struct rollout_standing *standing = &waiting->rolling->standing;
    uint64_t accepted = 0;

    waiting->counts = (struct rollout_counts){.commands = waiting->rows.until_sent};
    standing->commands = waiting->counts.commands;
    standing->needed = rollout_needed(waiting->goal, waiting->counts.commands);
    for (uint32_t i = 0; i < table->count; i++)
        accepted += table->items[i].row <= standing->until_row;
    waiting->counts.lost = standing->lost = waiting->counts.commands - accepted;
    for (uint32_t i = 0; i < table->count; i++)
        count(waiting, &table->items[i]);
}

static enum status find(void *context, const struct command_record *command,
                        struct command_line *ret_line)
{
    return status_rows_find(&((struct step_wait *)context)->rows, command, ret_line);
}

/* One that has come to its end is never told of again. */
static bool keep(void *context, const struct command_record *command)
{
    struct step_wait *waiting = context;

    count(waiting, command);
    return status_rows_keep(&waiting->rows, command);
}

static bool is_enough(void *context)
{
    const struct step_wait *waiting = context;

    return rollout_judge(waiting->goal, &waiting->counts) != ROLLOUT_OPEN;
}

static void add_standing(const void *context, struct buf *out)
{
    const struct rolling *rolling = context;
    double left_s = (double)(rolling->standing.deadline_s - (int64_t)time(NULL));

    rollout_add_counts(&rolling->standing, out);
    buf_add_string(out, ", waiting for ");
    when_add_duration(left_s > 0 ? left_s : 0, out);
    buf_add_string(out, " at most");
}

static struct job_options asking_options(const struct rolling *rolling)
{
    struct job_options options = *rolling->options;
    bool is_slower = options.pacer.rate_count > 0 &&
                     options.pacer.rate_count * 1000 <= ASK_PER_S * options.pacer.rate_per_ms;

    if (rolling->settings->rate.per_ms == 0 && !is_slower) {
        options.pacer.rate_count = ASK_PER_S;
        options.pacer.rate_per_ms = 1000;
    }
    options.pacer.rate_is_asked = true;
    options.pacer.has_ramp = false;
    options.pacer.rows = 0;
    options.pacer.follows = true;
    options.halt = NULL;
    options.retry.on_ambiguous = 0; /* a question may be asked twice */
    options.event = on_event;
    return options;
}

/* Asks until enough is known, all have come to their end, or for so long (0: one look each). */
static enum status ask(struct step_wait *waiting, int64_t timeout_ms, struct job_result *ret_result)
{
    struct rolling *rolling = waiting->rolling;
    int64_t interval_s = waiting->goal->wait_ms / 1000 / INTERVALS_A_WAIT;
    const struct questions_options asked = {.dialect = rolling->settings->dialect,
                                            .table = &waiting->rows.table,
                                            .until_row = (uint32_t)rolling->standing.until_row,
                                            .watch = timeout_ms > 0,
                                            .timeout_ms = timeout_ms,
                                            .interval_s = interval_s < 1 ? 1
                                                          : interval_s < INTERVAL_MAX_S
                                                              ? interval_s
                                                              : INTERVAL_MAX_S,
                                            .context = waiting,
                                            .find = find,
                                            .keep = keep,
                                            .is_enough = is_enough};
    struct job_options options = asking_options(rolling);
    struct questions questions;
    struct phase_of_run phase = {.rolling = rolling,
                                 .rows = tally_total(rolling->tally),
                                 .questions = &questions};
    struct tally *calls = calloc(1, sizeof(*calls));
    struct store store;

    *ret_result = (struct job_result){.end = JOB_FAILED};
    if (calls == NULL)
        return STATUS_NO_MEMORY;
    options.event_context = &phase;
    blank_store_init(&store);
    questions_init(&questions, &asked);
    enum status status =
        job_run(&questions.base, &options, &store, calls, ret_result, rolling->message);
    questions_deinit(&questions);
    free(calls);
    return status;
}

static void add_step(const struct rollout_standing *standing, struct buf *out)
{
    buf_add_format(out, "step %zu of %zu: ", standing->step, standing->steps);
    rollout_add_counts(standing, out);
}

static void announce_wait(struct step_wait *waiting)
{
    struct rollout_standing *standing = &waiting->rolling->standing;
    char until[WHEN_UTC_LENGTH + 1];
    struct buf text;

    when_format_utc(standing->deadline_s * 1000, until);
    buf_init_text(&text, 4096);
    add_step(standing, &text);
    person_note(waiting->rolling->person, "%s; waiting for the devices until %s at most",
                buf_string(&text), until);
    buf_deinit(&text);
    observers_phase(waiting->rolling->observers, PHASE_WAIT);
    tell(waiting->rolling, "step_waits", ROLLOUT_WAITING);
}

/* Asks until the wait is over, and once more where that leaves it open. */
static enum status await_devices(struct step_wait *waiting)
{
    struct rolling *rolling = waiting->rolling;
    int64_t left_ms = (rolling->standing.deadline_s - (int64_t)time(NULL)) * 1000;
    enum job_end end = JOB_COMPLETE;
    enum status status = STATUS_OK;
    struct job_result result;

    if (left_ms > waiting->goal->wait_ms) /* the clock was set back */
        left_ms = waiting->goal->wait_ms;
    if (left_ms > 0) {
        status = ask(waiting, left_ms, &result);
        end = take_end(rolling, &result, false);
    }
    if (status == STATUS_OK && end == JOB_COMPLETE && !is_enough(waiting)) {
        status = ask(waiting, 0, &result);
        (void)take_end(rolling, &result, false);
    }
    return status;
}

/* What the answers come to. */
static void judge(struct step_wait *waiting)
{
    struct rolling *rolling = waiting->rolling;
    const struct rollout_standing *standing = &rolling->standing;
    struct buf text;

    if (rolling->result.end != JOB_COMPLETE)
        return;
    buf_init_text(&text, 4096);
    add_step(standing, &text);
    if (rollout_judge(waiting->goal, &waiting->counts) == ROLLOUT_REACHED) {
        tell(rolling, "step_done", ROLLOUT_PASSED);
        person_note(rolling->person, "%s: going on", buf_string(&text));
    } else {
        bool is_over = rollout_judge(waiting->goal, &waiting->counts) == ROLLOUT_OPEN;
        tell(rolling, "step_stopped", ROLLOUT_STOPPED);
        rolling->result.end = JOB_UNDELIVERED;
        bool was_text = buf_set_text(rolling->message, false); /* the log has it too */
        buf_clear(&text);
        (void)buf_set_text(&text, false);
        add_step(standing, &text);
        buf_add_format(rolling->message, "%s%s; what became of each is in %s", buf_string(&text),
                       is_over ? ", and the wait is over" : "", waiting->rows.path);
        (void)buf_set_text(rolling->message, was_text);
    }
    buf_deinit(&text);
}

/* The rows' own texts have been told by whoever failed. */
static enum status gate(struct step_wait *waiting, const struct run_settings *settings)
{
    struct rolling *rolling = waiting->rolling;
    const struct person *person = rolling->person;
    const struct watched watched = {.input = rolling->results,
                                    .tally = rolling->tally,
                                    .rows = rolling->to_send,
                                    .add_standing = add_standing,
                                    .context = rolling};
    enum status status = STATUS_OK;

    waiting->rows.until_row = rolling->standing.until_row;
    if (status_rows_open(&waiting->rows, settings, person) != 0 ||
        status_rows_begin(&waiting->rows) != 0)
        return STATUS_IO;
    count_all(waiting);
    rolling->standing.deadline_s = (waiting->rows.until_ms + waiting->goal->wait_ms) / 1000;
    if (!is_enough(waiting)) {
        announce_wait(waiting);
        person->ops->begin(person, "waiting for the devices", &watched);
        status = await_devices(waiting);
        person->ops->end(person);
        observers_phase(rolling->observers, PHASE_SEND);
    }
    if (status == STATUS_OK)
        judge(waiting);
    return status_rows_write(&waiting->rows) == 0 ? status : STATUS_IO;
}

static enum status pass_gate(struct rolling *rolling, const struct rollout_goal *goal)
{
    struct step_wait *waiting = calloc(1, sizeof(*waiting));
    struct run_settings settings = *rolling->settings;

    if (waiting == NULL)
        return STATUS_NO_MEMORY;
    *waiting = (struct step_wait){.rolling = rolling, .goal = goal};
    settings.input = rolling->results;
    settings.output = settings.status;
    settings.values = NULL;
    enum status status = gate(waiting, &settings);
    status_rows_close(&waiting->rows);
    free(waiting);
    return status;
}

enum status rollout_run(struct rolling *rolling)
{
    const struct rollout plan =
        rollout_plan(&rolling->settings->canary_step, &rolling->settings->rollout, rolling->rows);
    struct window window = {.base = *rolling->source, .inner = rolling->source};
    enum status status = STATUS_OK;

    window.base.next = next;
    window.base.look = look;
    window.base.place = place;
    rolling->standing = (struct rollout_standing){.steps = plan.count};
    for (size_t i = 0; i < plan.count; i++) {
        bool is_last = i + 1 == plan.count;
        begin_step(rolling, &plan, i);
        window.until_row = is_last ? UINT64_MAX : rolling->standing.until_row;
        status = send_step(rolling, &window, is_last);
        if (status == STATUS_OK && rolling->result.end == JOB_COMPLETE && !is_last)
            status = pass_gate(rolling, &plan.steps[i].goal);
        if (status != STATUS_OK || rolling->result.end != JOB_COMPLETE)
            return status;
    }
    tell(rolling, "step_done", ROLLOUT_DONE);
    return status;
}
