#include "run/run_impl.h"

#include "run/job_ends.h"
#include "run/report.h"

uint64_t run_earlier_total(const struct run *run)
{
    uint64_t total = 0;

    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        total += run->earlier[i];
    return total;
}

bool run_never_reached(const struct run *run)
{
    return run->settings->is_part && run->result.end == JOB_COMPLETE && run->tally.attempts == 0 &&
           run->tally.rows[ROW_FAILED] > 0;
}

int run_judge(const struct run *run)
{
    const struct tally *tally = &run->tally;
    const struct ending ending = {.end = run->result.end,
                                  .signal_number = run->result.signal_number,
                                  .in_doubt =
                                      tally->rows[ROW_IN_DOUBT] + run->earlier[ROW_IN_DOUBT] > 0,
                                  .all_accepted =
                                      tally->rows[ROW_ACCEPTED] + run->earlier[ROW_ACCEPTED] ==
                                      tally_total(tally) + run_earlier_total(run),
                                  .never_reached = run_never_reached(run)};

    return job_exit_status(&ending);
}

/* The call that goes on where this one ended. */
static struct next_command next_command(struct run *run)
{
    buf_clear(&run->program);
    buf_clear(&run->words);
    run->person->ops->next_command(run->person, run->recording.path,
                                   run->recording.is_moved || run->settings->dated, &run->program,
                                   &run->words);
    return (struct next_command){.program = buf_string(&run->program),
                                 .words = buf_string(&run->words),
                                 .from_stdin = strcmp(run->settings->input, "-") == 0};
}

/* A call about rows that ended so; NULL: none did, or their platform goes with this process. */
static const char *call_of(struct run *run, const char *command, enum row_status about,
                           struct buf *call)
{
    if (run->sim != NULL || run->recording.path == NULL ||
        run->tally.rows[about] + run->earlier[about] == 0)
        return NULL;
    buf_clear(call);
    person_add_call(run->person, command, run->recording.path, call);
    return buf_string(call);
}

/* Whether it is known how many rows have no result. */
static bool knows_unsent(const struct run *run)
{
    return run->rows > 0 || run->result.end == JOB_COMPLETE;
}

static uint64_t input_rows(const struct run *run)
{
    return run->rows > 0 ? run->rows : run->result.rows;
}

static bool is_of_input(void *context, const struct row_id *id)
{
    return ledger_is_of_input(context, id);
}

/* The HTML page. Returns 0 or an exit status. */
static int write_report(struct run *run, double seconds, int exit_status)
{
    struct recording *recording = &run->recording;

    const struct page_run about = {.end = job_end_name(run->result.end),
                                   .exit_status = exit_status,
                                   .endpoint = run->endpoint.origin,
                                   .rows = tally_total(&run->tally),
                                   .retries = run->result.retries,
                                   .seconds = seconds,
                                   .flight = &run->flight,
                                   .settings = run->settings->shown,
                                   .setting_count = run->settings->shown_count};
    struct page_facts facts = {.input = source_name(intake_source(run->intake)),
                               .results = recording->path,
                               .is_rehearsal = run->sim != NULL,
                               .input_rows = knows_unsent(run) ? input_rows(run) : 0,
                               .next = {.has_more = !knows_unsent(run),
                                        .is_refused = run->result.end == JOB_REFUSED,
                                        .command = next_command(run),
                                        .verify =
                                            call_of(run, "verify", ROW_IN_DOUBT, &run->verify)},
                               .status = call_of(run, "status", ROW_ACCEPTED, &run->status),
                               .run = &about};
    intake_digest(run->intake, &facts.input_size, &facts.input_hash);
    /* Of a run that was stopped, not every row of the input has been met. */
    return report_write(run->settings->report, run->person, &facts,
                        recording->has_account ? is_of_input : NULL, recording->ledger);
}

/* A run that recorded nothing has left no results, and so nothing to report. */
static int report_results(struct run *run, double seconds, int exit_status)
{
    if (run->settings->report == NULL)
        return 0;
    if (access(run->recording.path, F_OK) != 0) {
        person_note(run->person, "no page was written to %s: no row has a result",
                    run->settings->report);
        return 0;
    }
    return write_report(run, seconds, exit_status);
}

static int print_summary(const struct run *run, const struct summary *summary, int exit_status)
{
    struct buf text;

    buf_init_text(&text, 4 * 1024 * 1024);
    if (!run->person->quiet && !run->settings->is_part) {
        summary_add_text(summary, &text);
        run->person->ops->tell(run->person, TELL_SUMMARY, buf_string(&text));
    }
    buf_clear(&text);
    (void)buf_set_text(&text, false);
    if (run->settings->json) {
        bool written = summary_add_json(summary, &text) == STATUS_OK &&
                       person_give(run->person, buf_span(&text));
        exit_status = written ? exit_status : EXIT_INTERNAL;
    }
    buf_deinit(&text);
    return exit_status;
}

/* Why nothing was sent, in the word of JSON. */
static const char *refusal(const struct run *run, int exit_status)
{
    enum job_end end = run->online.asking.job.end;

    if (exit_status > EXIT_SIGNAL)
        end = JOB_INTERRUPTED;
    return job_end_name(end != JOB_COMPLETE ? end : JOB_REFUSED);
}

int run_give_refusal(struct run *run, int exit_status)
{
    const struct summary summary = {.input = source_name(intake_source(run->intake)),
                                    .endpoint = run->endpoint.origin,
                                    .tally = &run->tally,
                                    .earlier = run->earlier,
                                    .end = refusal(run, exit_status),
                                    .has_unsent = run->rows > 0,
                                    .unsent = run->rows - run_earlier_total(run),
                                    .input_rows = run->rows,
                                    .now_s = (int64_t)time(NULL),
                                    .exit_status = exit_status};
    struct buf text;

    buf_init(&text, 4 * 1024 * 1024);
    bool written =
        summary_add_json(&summary, &text) == STATUS_OK && person_give(run->person, buf_span(&text));
    buf_deinit(&text);
    return written ? exit_status : EXIT_INTERNAL;
}

int run_summarize(struct run *run, double seconds, int exit_status)
{
    const struct recording *recording = &run->recording;
    const struct verified *verified = &run->result.verified;
    uint64_t done = tally_total(&run->tally) + run_earlier_total(run);

    run->is_told = true;
    if (run->settings->report != NULL)
        observers_phase(&run->observers, PHASE_REPORT);
    int reported = report_results(run, seconds, exit_status);

    exit_status = reported != 0 ? EXIT_INTERNAL : exit_status;
    const struct summary_canary canary = {.rows = run->result.canary.rows,
                                          .needed = canary_needed(&run->result.canary),
                                          .passed = !canary_is_lost(&run->result.canary),
                                          .by_status = run->result.canary.by_status};
    const struct summary summary = {.input = source_name(intake_source(run->intake)),
                                    .results = recording->path,
                                    .jsonl = outfile_is_jsonl(recording->path),
                                    .is_recorded = access(recording->path, F_OK) == 0,
                                    .endpoint = run->endpoint.origin,
                                    .tally = &run->tally,
                                    .earlier = run->earlier,
                                    .is_resumed = run->settings->resume.on,
                                    .end = job_end_name(run->result.end),
                                    .is_refused = run->result.end == JOB_REFUSED,
                                    .has_unsent = knows_unsent(run),
                                    .unsent = run->rows > done ? run->rows - done : 0,
                                    .twice = run->tally.twice + run->earlier_twice,
                                    .input_rows = input_rows(run),
                                    .has_account = recording->has_account,
                                    .accounted = recording->account.rows,
                                    .superseded = recording->account.superseded,
                                    .strange = recording->account.strange,
                                    .retries = run->result.retries,
                                    .canary = run->settings->canary.rows > 0 ? &canary : NULL,
                                    .rollout = run->rollout.steps > 0 ? &run->rollout : NULL,
                                    .verified = {.looked = verified->rows,
                                                 .found = verified->found,
                                                 .missing = verified->missing,
                                                 .unclear = verified->unclear,
                                                 .calls = verified->lists + verified->lookups},
                                    .late_per_s = run->result.late_per_s,
                                    .allowed = run->result.allowed,
                                    .embargo_s = intake_embargo_s(run->intake),
                                    .now_s = (int64_t)time(NULL),
                                    .seconds = seconds,
                                    .exit_status = exit_status,
                                    .cancel = call_of(run, "cancel", ROW_ACCEPTED, &run->cancel),
                                    .status = call_of(run, "status", ROW_ACCEPTED, &run->status),
                                    .verify = call_of(run, "verify", ROW_IN_DOUBT, &run->verify),
                                    .command = next_command(run),
                                    .report = reported == 0 ? run->settings->report : NULL};

    return print_summary(run, &summary, exit_status);
}
