#include "run/asking.h"

#include "core/shell.h"
#include "ledger/blank_store.h"
#include "run/descriptors.h"
#include "run/exit_status.h"
#include "run/job_ends.h"
#include "run/monotonic.h"
#include "run/sending.h"
#include "run/target.h"

const char *asking_end_name(const struct asking *asking)
{
    return job_end_name(asking->job.end);
}

static void on_event(void *context, enum job_event event, const struct job_status *status)
{
    struct asking *asking = context;
    const struct person *person = asking->person;

    person->ops->event(person, event, status);
    if (asking->door.observers != NULL)
        observers_event(asking->door.observers, event, status,
                        person->ops->pace(person, status->rows));
    if (asking->event != NULL)
        asking->event(asking->event_context, event, status);
}

static void on_attempt(void *context, const struct job_attempt *attempt)
{
    struct asking *asking = context;

    if (asking->door.observers != NULL)
        observers_attempt(asking->door.observers, attempt);
    asking->person->ops->attempt(asking->person, attempt);
}

static enum job_key on_key_refused(void *context, struct buf *message)
{
    struct asking *asking = context;

    return target_renew_key(&asking->settings, asking->door.credentials, message);
}

static void set_options(struct asking *asking)
{
    const struct run_settings *settings = &asking->settings;
    struct job_options *options = &asking->options;

    sending_options(settings, &asking->halt, options);
    options->transport =
        target_transport(settings, asking->door.endpoint, asking->door.credentials);
    options->renew_key = settings->simulate == NULL ? on_key_refused : NULL;
    options->renew_key_context = asking;
    options->event = on_event;
    options->event_context = asking;
    options->attempt = on_attempt;
    options->attempt_context = asking;
}

static int fail(struct asking *asking, int exit_status)
{
    person_error(asking->person, "%s", buf_string(&asking->message));
    return exit_status;
}

static void init(struct asking *asking, const struct run_settings *settings,
                 const struct person *person, const struct asking_door *door)
{
    *asking = (struct asking){.settings = *settings, .person = person, .door = *door};
    buf_init_text(&asking->message, 64 * 1024);
}

void asking_join(struct asking *asking, const struct run_settings *settings,
                 const struct person *person, const struct asking_door *door)
{
    init(asking, settings, person, door);
    asking->is_lent = true;
    set_options(asking);
}

int asking_open(struct asking *asking, const struct run_settings *settings,
                const struct person *person)
{
    init(asking, settings, person,
         &(struct asking_door){&asking->endpoint, &asking->credentials, &asking->observers});
    asking->person = person = listener_init(&asking->listener, person);
    int result = descriptors_settle(&asking->settings, person);
    if (result != 0)
        return result;
    enum status status =
        observers_open(&asking->observers, &asking->settings, person, &asking->message);
    if (status != STATUS_OK)
        return fail(asking, status == STATUS_USAGE ? EXIT_USAGE : EXIT_INTERNAL);
    set_options(asking);
    result = target_choose(&asking->settings, person, &asking->endpoint);
    return result == 0 ? target_load_key(&asking->settings, person, &asking->credentials) : result;
}

static int start(struct asking *asking, const struct asking_subject *subject)
{
    const struct observed_run observed = {.results = subject->output,
                                          .endpoint = asking->endpoint.origin,
                                          .tally = &asking->tally,
                                          .rows = subject->calls,
                                          .has_rows = subject->calls > 0};

    return observers_start(&asking->observers, &observed, &asking->message) == STATUS_OK
               ? 0
               : fail(asking, EXIT_USAGE);
}

/* 0 also where the platform stayed away: what was not asked may be asked another time. */
static int exit_status(const struct asking *asking)
{
    switch (asking->job.end) {
    case JOB_INTERRUPTED:
        return EXIT_SIGNAL + asking->job.signal_number;
    case JOB_REFUSED:
        return EXIT_REFUSED;
    case JOB_FAILED:
    case JOB_CHANGED:
    case JOB_UNREADABLE:
        return EXIT_INTERNAL;
    default:
        return 0;
    }
}

/* Says why it ended early, and what that is for the exit status. */
static int judge(const struct asking *asking, enum status status,
                 const struct asking_subject *subject, struct buf *message)
{
    enum job_end end = status != STATUS_OK ? JOB_FAILED : asking->job.end;
    struct buf why;

    if (end == JOB_COMPLETE)
        return 0;
    buf_init_text(&why, 64 * 1024);
    if (end == JOB_FAILED && subject->add_failure != NULL)
        subject->add_failure(subject->context, &why);
    if (why.len > 0) {
        buf_clear(message);
        buf_add(message, buf_span(&why));
    }
    buf_deinit(&why);
    person_failure(asking->person, message, status);
    return status != STATUS_OK ? EXIT_INTERNAL : exit_status(asking);
}

int asking_run(struct asking *asking, struct row_source *source,
               const struct asking_subject *subject)
{
    const struct person *person = asking->person;
    const struct watched watched = {.input = subject->input,
                                    .tally = &asking->tally,
                                    .rows = subject->calls,
                                    .add_standing = subject->add_standing,
                                    .context = subject->context};
    double start_s = monotonic_s();
    struct store store;
    int result = asking->is_lent ? 0 : start(asking, subject);

    if (result != 0)
        return result;
    blank_store_init(&store);
    person->ops->begin(person, subject->doing, &watched);
    enum status status =
        job_run(source, &asking->options, &store, &asking->tally, &asking->job, &asking->message);
    asking->seconds = monotonic_s() - start_s;
    asking->has_asked = true;
    person->ops->end(person);
    if (status != STATUS_OK)
        asking->job.end = JOB_FAILED;
    return judge(asking, status, subject, &asking->message);
}

void asking_close(struct asking *asking, int exit_status)
{
    bool has_message = asking->message.len > 0 || asking->has_asked;

    observers_close(&asking->observers,
                    &(struct observed_end){.end = asking->has_asked ? asking_end_name(asking)
                                                                    : job_end_name(JOB_FAILED),
                                           .message = has_message
                                                          ? buf_string(&asking->message)
                                                          : listener_error(&asking->listener),
                                           .retries = asking->job.retries,
                                           .seconds = asking->seconds,
                                           .exit_status = exit_status});
    credentials_deinit(&asking->credentials);
    endpoint_deinit(&asking->endpoint);
    buf_deinit(&asking->message);
    listener_deinit(&asking->listener);
}

const char *asking_subject(const struct run_settings *settings)
{
    return settings->share != NULL && settings->job != NULL ? NULL : settings->input;
}

/* The results of a shared job are taken out of the database first. */
void asking_add_resume(const struct person *person, const struct run_settings *settings,
                       const char *what, const char *status_file, struct buf *out)
{
    struct buf results;

    if (asking_subject(settings) != NULL) {
        person_add_resume(person, settings->input, what, status_file, out);
        return;
    }
    buf_init(&results, 64 * 1024);
    buf_add_format(&results, "%s.results.csv", settings->job);
    person_add_call(person, "results", NULL, out);
    buf_add_string(out, " --output ");
    shell_add_file(buf_string(&results), out);
    bool is_text = buf_set_text(out, true); /* a sentence between two commands */
    buf_add_format(out, "; then call the run once more, with --resume=%s --output ", what);
    (void)buf_set_text(out, is_text);
    shell_add_file(buf_string(&results), out);
    buf_deinit(&results);
}
