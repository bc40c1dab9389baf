#include "run/run_impl.h"

#include <time.h>

#include "core/figure.h"
#include "engine/intake_source.h"
#include "engine/interrupt.h"
#include "run/check.h"
#include "run/descriptors.h"
#include "run/embargo.h"
#include "run/guards.h"
#include "run/job_ends.h"
#include "run/monotonic.h"
#include "run/outputs.h"
#include "run/page_file.h"
#include "run/privacy.h"
#include "run/report.h"
#include "run/sending.h"
#include "run/share.h"
#include "run/threads.h"

static int fail(struct run *run, int exit_status)
{
    if (run->message.len > 0)
        person_failure(run->person, &run->message, STATUS_OK);
    return exit_status;
}

static int check_problem_file(struct run *run)
{
    return check_problem_path(run->settings, run->person);
}

static int check_report(struct run *run)
{
    const char *path = run->settings->report;

    if (path == NULL)
        return 0;
    bool is_shared = strcmp(path, "-") == 0 && (run->settings->json || run->recording.copies);
    if (is_shared)
        buf_add_string(&run->message, "standard output can take one of --report, --json and "
                                      "the results");
    bool good = !is_shared && page_file_probe(path, &run->message) == STATUS_OK;
    return good ? 0 : fail(run, EXIT_USAGE);
}

/* Where the rows go. */
static int choose_endpoint(struct run *run)
{
    if (run->settings->simulate != NULL)
        return 0; /* known when the simulator runs */
    return target_choose(run->settings, run->person, &run->endpoint);
}

/* Behind the input: one that cannot be read is told of before a key that is not there yet. */
static int load_key(struct run *run)
{
    if (run->settings->simulate != NULL)
        return 0; /* it takes any */
    return target_load_key(run->settings, run->person, &run->credentials);
}

static int start_simulator(struct run *run)
{
    if (run->settings->simulate == NULL || run->sim != NULL)
        return 0;
    return target_simulate(run->settings, run->person, &run->sim, &run->endpoint);
}

static void note_earlier(struct run *run)
{
    memcpy(run->earlier, ledger_settled(run->recording.ledger), sizeof(run->earlier));
    run->earlier_twice = ledger_settled_twice(run->recording.ledger);
}

/* Its rows are not known. */
static int check_pipe(struct run *run, const struct check_counts *none)
{
    int result = rollout_check(run->settings, run->person, none, 0, run->recording.path);

    if (result == 0 && run->settings->dated)
        result = guard_unknown(run->settings, run->person);
    return result == 0 ? guard_rows(run->settings, run->person, 0) : result;
}

/* What is to be known before anything leaves, but for what is wrong with rows. */
static int judge_input(struct run *run, const struct check_counts *counts)
{
    const struct run_settings *settings = run->settings;
    const struct person *person = run->person;
    struct dated_input input = {.content = counts->content};
    int result = check_consent(settings, person, counts);

    if (result == 0)
        result = embargo_check(settings, person, intake_embargo_s(run->intake), counts->valid);
    if (result == 0)
        result = guard_rows(settings, person, counts->rows);
    intake_digest(run->intake, &input.size, &input.hash);
    run->content = settings->dated ? counts->content : 0;
    if (result == 0 && settings->dated)
        result = guard_repetition(settings, person, &run->nightly.dated, &input,
                                  run->nightly.goes_on &&
                                      !recording_is_of_input(&run->recording, input.hash));
    if (result == 0)
        result = recording_match(&run->recording, counts->valid, input.hash);
    if (result == 0)
        result = rollout_check(settings, person, counts, counts->settled, run->recording.path);
    return result;
}

/* Questions take a while. */
static int judge_times(struct run *run, const struct check_counts *counts)
{
    const struct run_settings *settings = run->settings;
    int result = embargo_check(settings, run->person, intake_embargo_s(run->intake), counts->valid);

    return result != 0
               ? result
               : rollout_check(settings, run->person, counts, counts->settled, run->recording.path);
}

/* Rows go beside what waits at their devices. What can be known without that is told first. */
static int ask_devices(struct run *run, struct check_counts *counts)
{
    const struct asking_door door = {&run->endpoint, &run->credentials, &run->observers};
    int result = start_simulator(run);

    if (result != 0)
        return result;
    online_init(&run->online, run->settings, run->person);
    result = online_find(&run->online, run->intake, run->settings->skip_invalid, counts);
    run->rows = counts->rows;
    if (result == 0 && run->online.asks)
        result = judge_input(run, counts);
    return result != 0 ? result : online_ask(&run->online, run->intake, &door, &run->known);
}

/* Nothing leaves before the whole file is known to be right; a pipe is checked row by row. */
static int check_whole_input(struct run *run)
{
    struct check_counts counts = {.rows = 0};

    if (!source_is_seekable(intake_source(run->intake)))
        return check_pipe(run, &counts);
    int result = run->settings->online ? ask_devices(run, &counts) : 0;
    if (result == 0)
        result = check_for_sending(run->intake, run->settings, run->person, &counts);
    run->rows = counts.rows;
    if (result == 0)
        result = run->online.asks ? judge_times(run, &counts) : judge_input(run, &counts);
    if (result != 0)
        return result;
    note_earlier(run);
    if (intake_rewind(run->intake, &run->message) == STATUS_OK)
        return 0;
    buf_add_string(&run->message, "; nothing was sent");
    return fail(run, EXIT_INPUT_INVALID);
}

static int choose_results(struct run *run)
{
    int result = recording_choose(&run->recording);

    return result != 0 ? result : outputs_check(run->settings, run->recording.path, run->person);
}

static int probe_results(struct run *run)
{
    return recording_probe(&run->recording);
}

/* The results, and with --resume what an earlier run left in them. */
static int open_results(struct run *run)
{
    size_t passed_count;
    const struct span *passed = intake_passed(run->intake, &passed_count);
    int result = recording_open(&run->recording, passed, passed_count,
                                run->sim != NULL || run->endpoint.loopback);

    if (result == 0 && run->settings->resume.on)
        intake_use_store(run->intake, ledger_store(run->recording.ledger));
    return result;
}

/* What rows of earlier runs own is none of this run's rows. */
static int read_known(struct run *run)
{
    const struct run_settings *settings = run->settings;
    struct results results;

    if (settings->on_ambiguous == ON_AMBIGUOUS_VERIFY)
        run->options.verify.known = &run->known;
    else if (!settings->online)
        return 0;
    if (!settings->resume.on)
        return 0;
    enum status status = results_open(&results, &disk_real, run->recording.path, &run->message);
    if (status == STATUS_OK)
        status = owned_read(&results, NULL, NULL, &run->known);
    results_close(&results);
    return status == STATUS_OK ? 0 : fail(run, EXIT_INTERNAL);
}

static int start_results(struct run *run)
{
    struct buf target;

    buf_init(&target, 4096);
    if (run->sim != NULL)
        buf_add_string(&target, "simulator");
    else
        dialect_add_target(run->settings->dialect, run->endpoint.origin, &target);
    int result =
        recording_start(&run->recording, run->intake, buf_string(&target), run->rows, run->content);
    buf_deinit(&target);
    if (result == 0 && run->settings->dated &&
        dated_link(&run->nightly.dated, run->recording.path, &run->message) != STATUS_OK)
        result = fail(run, EXIT_INTERNAL);
    intake_use_store(run->intake, ledger_store(run->recording.ledger));
    return result;
}

/* The log and the metrics. */
static int open_observers(struct run *run)
{
    enum status status = observers_open(&run->observers, run->settings, run->person, &run->message);

    return status == STATUS_OK ? 0 : fail(run, status == STATUS_USAGE ? EXIT_USAGE : EXIT_INTERNAL);
}

static int start_observers(struct run *run)
{
    struct observed_run observed = {.results = run->recording.path,
                                    .endpoint = run->endpoint.origin,
                                    .tally = &run->tally,
                                    .earlier = run->earlier,
                                    .earlier_twice = &run->earlier_twice,
                                    .has_results = true,
                                    .rows = run->rows - run_earlier_total(run),
                                    .embargo_s = intake_embargo_s(run->intake),
                                    .has_rows = run->rows > 0};

    intake_digest(run->intake, &observed.input_size, &observed.input_hash);
    return observers_start(&run->observers, &observed, &run->message) == STATUS_OK
               ? 0
               : fail(run, EXIT_USAGE);
}

/* Every path out of a run ends here. */
static void close_observers(struct run *run, int exit_status)
{
    const char *unsent = exit_status > EXIT_SIGNAL ? "interrupted" : job_end_name(JOB_FAILED);
    struct observed_end end = {.end = run->has_sent ? job_end_name(run->result.end) : unsent,
                               .message = run->has_sent ? buf_string(&run->message)
                                                        : listener_error(&run->listener),
                               .retries = run->result.retries,
                               .allowed = run->result.allowed,
                               .late_per_s = run->result.late_per_s,
                               .seconds = run->seconds,
                               .exit_status = exit_status};

    if (run->intake != NULL)
        intake_digest(run->intake, &end.input_size, &end.input_hash);
    observers_close(&run->observers, &end);
}

static void announce(const struct run *run)
{
    char rows[64], limit[160] = "";
    uint64_t count = run->rows - run_earlier_total(run);
    bool is_documented;
    struct rate rate = sending_rate(run->settings, &is_documented);

    if (run->rows > 0 && count == 0) {
        person_note(run->person, "nothing is left to send: each row of the input has its result");
        return;
    }
    if (is_documented)
        buf_copy_format(limit, sizeof(limit),
                        ", at most %lld/s as the platform documents (see --rate)",
                        (long long)rate.count);
    if (run->rows > 0)
        buf_copy_format(rows, sizeof(rows), count == 1 ? "%s row" : "%s rows", figure(count).text);
    else
        buf_copy_format(rows, sizeof(rows), "the rows of a pipe");
    person_note(run->person, "sending %s to %s%s%s, %lld at a time%s%s%s", rows,
                run->sim != NULL ? "the simulator at " : "", run->endpoint.origin,
                run->endpoint.path, (long long)run->settings->concurrency, limit,
                run->endpoint.proxy != NULL ? ", through the proxy " : "",
                run->endpoint.proxy != NULL ? run->endpoint.proxy : "");
}

static void on_pipe_problems(void *context, const struct problems *problems)
{
    struct run *run = context;

    run->person->ops->problems(run->person, source_name(intake_source(run->intake)), problems);
    if (run->problem_file.file.name != NULL)
        (void)!problem_file_add(&run->problem_file, problems); /* told when it is closed */
}

/* The list of a pipe's problems; that of a file is written by its check. */
static int open_problem_file(struct run *run)
{
    const char *path = run->settings->problems;

    if (run->rows > 0 || path == NULL)
        return 0;
    enum status status = problem_file_open(&run->problem_file, path, &run->message);
    return status == STATUS_OK ? 0 : fail(run, EXIT_USAGE);
}

static int close_problem_file(struct run *run, int result)
{
    bool has_file = run->problem_file.file.name != NULL;

    if (outfile_close(&run->problem_file.file) == STATUS_OK) {
        if (has_file && strcmp(run->settings->problems, "-") != 0)
            person_note(run->person, "problems: %s", run->settings->problems);
        return result;
    }
    person_error(run->person, "%s", outfile_error(&run->problem_file.file));
    return EXIT_INTERNAL;
}

static void on_event(void *context, enum job_event event, const struct job_status *status)
{
    struct run *run = context;

    if (event == JOB_EVENT_TICK && run->settings->report != NULL)
        report_sample(&run->flight, status);
    run->person->ops->event(run->person, event, status);
    observers_event(&run->observers, event, status,
                    run->person->ops->pace(run->person, status->rows));
}

static void on_attempt(void *context, const struct job_attempt *attempt)
{
    struct run *run = context;

    share_rate_attempt(run->share, attempt);
    observers_attempt(&run->observers, attempt);
    run->person->ops->attempt(run->person, attempt);
}

static enum job_key on_key_refused(void *context, struct buf *message)
{
    struct run *run = context;

    return target_renew_key(run->settings, &run->credentials, message);
}

/* Where the canary is the whole input, there are no others to keep from being sent. */
static void drop_needless_canary(struct run *run)
{
    if (run->rows > 0 && run->rows - run_earlier_total(run) <= run->options.canary.rows)
        run->options.canary = (struct canary){.state = CANARY_OVER};
}

static void prepare(struct run *run)
{
    const struct run_settings *settings = run->settings;

    drop_needless_canary(run);
    run->options.pacer.follows = run->online.has_asked;
    run->options.transport = target_transport(settings, &run->endpoint, &run->credentials);
    run->known.is_prompt = settings->has_settle;
    sending_settle(settings, run->options.verify.settle_ms);
    run->options.renew_key = settings->simulate == NULL ? on_key_refused : NULL;
    run->options.renew_key_context = run;
    run->options.report = run->rows > 0 ? NULL : on_pipe_problems;
    run->options.report_context = run;
    run->options.event = on_event;
    run->options.event_context = run;
    run->options.attempt = on_attempt;
    run->options.attempt_context = run;
}

/* Says why a run ended early. */
static void explain_end(struct run *run)
{
    if (run->message.len > 0)
        person_failure(run->person, &run->message, STATUS_OK);
    if (run_never_reached(run))
        job_tell_never_reached(run->person);
    if (run->result.end != JOB_COMPLETE && !run->result.aborted)
        person_error(run->person, "the run was stopped; it waited for what was under way, and did "
                                  "not send the other rows");
    else if (run->result.end != JOB_COMPLETE)
        person_error(
            run->person,
            "the run was stopped at once; %llu request%s ended without an answer, and %s in "
            "doubt; the other rows were not sent",
            (unsigned long long)run->result.cut_off, run->result.cut_off == 1 ? " was" : "s were",
            run->result.cut_off == 1 ? "its row is" : "their rows are");
}

/* The job's end, and the record's. */
static int conclude(struct run *run)
{
    bool is_complete = run->result.end == JOB_COMPLETE;
    int result = run_judge(run);

    explain_end(run);
    run->recording.is_interrupted = run->result.signal_number != 0;
    int recorded = recording_finish(&run->recording, run->rows > 0 ? run->rows : run->result.rows,
                                    is_complete, run->result.end == JOB_FAILED);
    return recorded != 0 ? recorded : result;
}

static enum status send_in_steps(struct run *run, struct row_source *source)
{
    struct rolling rolling = {.settings = run->settings,
                              .person = run->person,
                              .observers = &run->observers,
                              .intake = run->intake,
                              .source = source,
                              .options = &run->options,
                              .store = ledger_store(run->recording.ledger),
                              .tally = &run->tally,
                              .message = &run->message,
                              .results = run->recording.path,
                              .rows = run->rows,
                              .to_send = run->rows - run_earlier_total(run)};
    enum status status = rollout_run(&rolling);

    run->result = rolling.result;
    run->rollout = rolling.standing;
    run->observers.rollout = &run->rollout;
    return status;
}

/* The engine, once or step by step. */
static enum status carry(struct run *run, const struct watched *watched)
{
    const struct person *person = run->person;
    struct intake_source source;

    intake_source_init(&source, run->intake);
    struct row_source *rows = only_in_wrap(&run->only_in, &source.base);
    if (rollout_is_asked(run->settings))
        return send_in_steps(run, rows);
    person->ops->begin(person, "sending", watched);
    enum status status = job_run(rows, &run->options, ledger_store(run->recording.ledger),
                                 &run->tally, &run->result, &run->message);
    person->ops->end(person);
    return status;
}

static int send_rows(struct run *run)
{
    double start_s = monotonic_s();
    const struct person *person = run->person;
    const struct watched watched = {.input = source_name(intake_source(run->intake)),
                                    .tally = &run->tally,
                                    .rows = run->rows - run_earlier_total(run)};

    run->options.pacer.rows = watched.rows;
    prepare(run);
    announce(run);
    enum status status = carry(run, &watched);
    run->has_sent = true;
    run->seconds = monotonic_s() - start_s;
    observers_phase(&run->observers, PHASE_RECORD);
    if (run->figures != NULL)
        *run->figures = (struct run_figures){.tally = run->tally,
                                             .seconds = run->seconds,
                                             .simulator_cpu_s = sim_cpu_s(run->sim)};
    person->ops->problem_counts(person);
    if (status == STATUS_BAD_INPUT && tally_total(&run->tally) == 0) {
        (void)recording_finish(&run->recording, 0, false, false);
        person_error(run->person, "nothing was sent");
        return EXIT_INPUT_INVALID;
    }
    if (status != STATUS_OK && status != STATUS_BAD_INPUT)
        run->result.end = JOB_FAILED;
    if (run->rows == 0)
        note_earlier(run);
    int result = run_summarize(run, close_problem_file(run, conclude(run)));
    if (interrupt_signal() != 0 && run->result.signal_number == 0)
        person_note(run->person,
                    "%s when all was sent: the results were brought to their end first",
                    interrupt_name(interrupt_signal()));
    return result;
}

static int choose_sending(struct run *run)
{
    const struct run_settings *settings = run->settings;

    if (settings->on_ambiguous == ON_AMBIGUOUS_VERIFY && settings->resume.status[ROW_IN_DOUBT]) {
        person_error(run->person, "--on-ambiguous verify looks for what this run sends: rows that "
                                  "are in doubt already are looked for by nbatch verify, and what "
                                  "that finds missing is sent with --resume=failed");
        return EXIT_USAGE;
    }
    sending_options(run->settings, &run->halt, &run->options);
    /* The questions would go beside the account's rate. */
    return settings->online && settings->share_only_rate
               ? share_check_options(settings, run->person)
               : 0;
}

int run_explain_retries(const struct run_settings *settings, const struct person *person)
{
    const struct retry_policy policy = sending_retries(settings);
    struct buf out;

    buf_init_text(&out, 64 * 1024);
    retry_explain(settings->dialect, &policy, &out);
    bool given = out.status == STATUS_OK && person_give(person, buf_span(&out));
    buf_deinit(&out);
    return given ? EXIT_ALL_ACCEPTED : EXIT_INTERNAL;
}

/* A signal that came before anything was sent: the exit status. */
static int heed_signal(struct run *run)
{
    int number = interrupt_signal();

    person_error(run->person, "%s; nothing was sent", interrupt_name(number));
    return EXIT_SIGNAL + number;
}

static int load_only_in(struct run *run)
{
    const char *path = run->settings->only_in;
    enum status status =
        path != NULL ? only_in_load(&run->only_in, path, &run->message) : STATUS_OK;

    if (status == STATUS_OK)
        return 0;
    return fail(run, status == STATUS_USAGE ? EXIT_USAGE : EXIT_INTERNAL);
}

static int run_steps(struct run *run)
{
    static int (*const steps[])(
        struct run *) = {choose_results,     open_observers, choose_sending,  probe_results,
                         check_problem_file, check_report,   choose_endpoint, load_only_in};
    int result = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(steps) && result == 0; i++)
        result = steps[i](run);
    if (result == 0)
        observers_phase(&run->observers, PHASE_CHECK);
    if (result == 0)
        result = guard_age(run->settings, run->person, (int64_t)time(NULL));
    if (result == 0)
        result = check_open(run->settings, run->person, true, &run->intake);
    if (result == 0)
        result = online_fits(run->settings, run->person, run->intake);
    if (result == 0 && run->settings->only_in != NULL)
        intake_leave_out(run->intake, only_in_lacks, &run->only_in);
    if (result == 0)
        result = load_key(run);
    if (result == 0)
        result = check_passed(run->intake, run->person);
    if (result == 0)
        result = open_results(run);
    if (result == 0)
        result = read_known(run);
    if (result == 0)
        result = check_whole_input(run);
    if (result == 0)
        result = start_simulator(run);
    if (result == 0)
        result = share_rate_begin(run->settings, run->person, &run->credentials, &run->options,
                                  &run->share);
    if (result == 0)
        result = open_problem_file(run);
    if (result == 0)
        result = start_observers(run);
    if (result == 0)
        result = start_results(run);
    if (result != 0 || interrupt_signal() == 0)
        return result == 0 ? send_rows(run) : result;
    (void)recording_finish(&run->recording, 0, false, false); /* it holds nothing */
    return 0;
}

int run_send(const struct run_settings *given, const struct person *person,
             struct run_figures *ret_figures)
{
    struct run_settings own = *given, *settings = &own;

    int fits = descriptors_settle(settings, person);
    if (fits == 0)
        fits = threads_check(person);
    struct run *run = fits == 0 ? calloc(1, sizeof(*run)) : NULL;
    if (run == NULL)
        return fits != 0 ? fits : EXIT_INTERNAL;
    privacy_follow(settings->input);
    run->settings = settings;
    run->person = person = listener_init(&run->listener, person);
    run->figures = ret_figures;
    interrupt_watch();
    buf_init_text(&run->message, 64 * 1024);
    buf_init(&run->program, 64 * 1024);
    buf_init(&run->words, 1024 * 1024);
    known_commands_init(&run->known);
    buf_init(&run->cancel, 64 * 1024);
    buf_init(&run->status, 64 * 1024);
    buf_init(&run->verify, 64 * 1024);
    recording_init(&run->recording, settings, person);
    int result = nightly_choose(&run->nightly, settings, person);
    if (result == 0)
        result = run_steps(run);
    nightly_end(&run->nightly, settings, run->recording.is_moved ? run->recording.path : NULL,
                person);
    if (!run->has_sent && interrupt_signal() != 0)
        result = heed_signal(run);
    if (settings->json && !run->is_told && run->intake != NULL)
        result = run_give_refusal(run, result);
    share_rate_end(run->share);
    close_observers(run, result);
    online_deinit(&run->online);
    only_in_deinit(&run->only_in);
    recording_deinit(&run->recording);
    known_commands_deinit(&run->known);
    outfile_deinit(&run->problem_file.file);
    sim_stop(run->sim);
    intake_close(run->intake);
    credentials_deinit(&run->credentials);
    endpoint_deinit(&run->endpoint);
    buf_deinit(&run->message);
    buf_deinit(&run->program);
    buf_deinit(&run->words);
    buf_deinit(&run->cancel);
    buf_deinit(&run->status);
    buf_deinit(&run->verify);
    listener_deinit(&run->listener);
    nightly_deinit(&run->nightly);
    free(run);
    return result;
}
