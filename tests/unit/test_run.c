/* The use cases, with a person who answers to order and an engine that ends as it is told: no
 * socket is opened. Files are in a temporary folder. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/redact.h"
#include "run/use_cases.h"

#define HEADER  "imei,obj_id,obj_inst_id,mode,expired_time,data\n"
#define ROW     "865820031310001,3311,0,2,+7d,\"[{\"\"res_id\"\":5850,\"\"val\"\":true}]\"\n"
#define OTHER   "865820031310373,3311,0,2,+7d,\"[{\"\"res_id\"\":5850,\"\"val\"\":true}]\"\n"
#define REPLACE "865820031310001,3311,0,1,+7d,\"[{\"\"res_id\"\":5850,\"\"val\"\":true}]\"\n"
#define BAD     "865820031310001,x,0,2,+7d,\"[]\"\n"

/* What the person was told and given, and answers. */
static struct {
    struct buf told, given;
    enum consent answer;
    unsigned asked, problems, events, attempts, commands;
} person_state;

/* How the engine ends. */
static struct {
    enum job_end end;
    enum status status;
    uint64_t in_doubt;
    int calls;
    bool is_real;
    enum job_key key; /* what renewing the key came to */
    const char *new_key;
    time_t key_age_s;
} engine;

/* The linker brings calls of job_run here (--wrap). */
enum status __real_job_run(struct row_source *source, const struct job_options *options,
                           struct store *store, struct tally *tally, struct job_result *ret_result,
                           struct buf *message);
enum status __wrap_job_run(struct row_source *source, const struct job_options *options,
                           struct store *store, struct tally *tally, struct job_result *ret_result,
                           struct buf *message);

static void write_file(const char *name, const char *text, mode_t mode)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
}

static const char *read_file(const char *name)
{
    static char text[64 * 1024];
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

    text[len > 0 ? len : 0] = '\0';
    (void)close(fd);
    return text;
}

/* As it was written so many seconds ago. */
static void write_key(const char *text, time_t age_s)
{
    struct timespec times[2];

    write_file("key", text, 0600);
    (void)clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= age_s;
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, "key", times, 0), 0);
}

static bool is_secret(const char *text)
{
    char copy[32];

    (void)snprintf(copy, sizeof(copy), "%s", text);
    redact_string(copy, REDACT_MIN);
    return strcmp(copy, text) != 0;
}

static void renew_key(const struct job_options *options, struct buf *message)
{
    if (engine.new_key[0] != '\0')
        write_key(engine.new_key, engine.key_age_s);
    engine.key = options->renew_key(options->renew_key_context, message);
    /* The answers to the first one may still come. */
    assert_true(engine.new_key[0] == '\0' || is_secret("first"));
    assert_int_equal(is_secret("second"), engine.key == JOB_KEY_OTHER);
    buf_clear(message);
}

enum status __wrap_job_run(struct row_source *source, const struct job_options *options,
                           struct store *store, struct tally *tally, struct job_result *ret_result,
                           struct buf *message)
{
    static const struct canary no_canary = {.state = CANARY_OVER};
    const struct job_status status = {.canary = &no_canary, .why = "", .shortage = ""};

    engine.calls++;
    if (engine.is_real)
        return __real_job_run(source, options, store, tally, ret_result, message);
    if (engine.new_key != NULL)
        renew_key(options, message);
    options->event(options->event_context, JOB_EVENT_TICK, &status);
    options->event(options->event_context, JOB_EVENT_STATUS, &status);
    tally->rows[ROW_IN_DOUBT] = engine.in_doubt;
    *ret_result = (struct job_result){.end = engine.end,
                                      .signal_number = SIGINT,
                                      .canary = {.state = CANARY_OVER}};
    if (engine.end != JOB_COMPLETE)
        buf_add_string(message, "the engine's reason");
    return engine.status;
}

static void on_tell(const struct person *person, enum tell_kind kind, const char *text)
{
    (void)person;
    buf_add_format(&person_state.told, "%s%s\n", kind == TELL_ERROR ? "error: " : "", text);
}

static enum consent on_ask(const struct person *person, const char *question)
{
    (void)person;
    person_state.asked++;
    buf_add_format(&person_state.told, "question: %s\n", question);
    return person_state.answer;
}

static bool on_give(const struct person *person, struct span data)
{
    (void)person;
    buf_add(&person_state.given, data);
    return true;
}

static void on_problems(const struct person *person, const char *input,
                        const struct problems *problems)
{
    (void)person;
    (void)input;
    person_state.problems += (unsigned)problems->count;
}

static void on_nothing(const struct person *person)
{
    (void)person;
}

static void on_begin(const struct person *person, const char *doing, const struct watched *watched)
{
    (void)person;
    (void)watched;
    buf_add_format(&person_state.told, "begin: %s\n", doing);
}

static void on_checked(const struct person *person, uint64_t rows, double share)
{
    (void)person;
    (void)rows;
    assert_true(share <= 1);
}

static void on_event(const struct person *person, enum job_event event,
                     const struct job_status *status)
{
    (void)person;
    (void)event;
    (void)status;
    person_state.events++;
}

static void on_attempt(const struct person *person, const struct job_attempt *attempt)
{
    (void)person;
    (void)attempt;
    person_state.attempts++;
}

static double on_pace(const struct person *person, uint64_t rows)
{
    (void)person;
    return (double)rows;
}

static void on_next_command(const struct person *person, const char *results, bool is_moved,
                            struct buf *program, struct buf *words)
{
    (void)person;
    (void)is_moved;
    person_state.commands++;
    buf_add_string(program, "nbatch run");
    buf_add_format(words, " --output %s", results);
}

static const struct person_ops ops = {.tell = on_tell,
                                      .ask = on_ask,
                                      .give = on_give,
                                      .problems = on_problems,
                                      .problem_counts = on_nothing,
                                      .begin = on_begin,
                                      .checked = on_checked,
                                      .event = on_event,
                                      .attempt = on_attempt,
                                      .end = on_nothing,
                                      .pace = on_pace,
                                      .next_command = on_next_command};
static const struct person person = {.ops = &ops};

static char folder[] = "/tmp/nbatch-run-XXXXXX";
static struct run_settings settings;

static int enter(void **state)
{
    (void)state;
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    if (mkdtemp(folder) == NULL || chdir(folder) != 0)
        return -1;
    memset(&person_state, 0, sizeof(person_state));
    buf_init(&person_state.told, 1024 * 1024);
    buf_init(&person_state.given, 1024 * 1024);
    memset(&engine, 0, sizeof(engine));
    engine.end = JOB_HALTED; /* complete would be held against the results */
    settings = (struct run_settings){.input = "in.csv",
                                     .endpoint = "http://127.0.0.1:9",
                                     .burst = 1,
                                     .max_attempts = 5,
                                     .retry_delay_ms = 200,
                                     .retry_max_delay_ms = 30000,
                                     .outage_wait_ms = 600000,
                                     .concurrency = 4,
                                     .connect_timeout_ms = 5000,
                                     .request_timeout_ms = 30000,
                                     .max_row_bytes = 64 * 1024};
    halt_init(&settings.halt);
    write_file("in.csv", HEADER ROW OTHER, 0644);
    return 0;
}

static int leave(void **state)
{
    char command[80];

    (void)state;
    buf_deinit(&person_state.told);
    buf_deinit(&person_state.given);
    (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static void assert_told(const char *text)
{
    if (strstr(buf_string(&person_state.told), text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, buf_string(&person_state.told));
}

/* A run takes its key out of the environment. */
static int run_with_key(void)
{
    assert_int_equal(setenv("NBATCH_API_KEY", "secret", 1), 0);
    return run_send(&settings, &person, NULL);
}

static void assert_refused(int exit_status, const char *why)
{
    assert_int_equal(run_with_key(), exit_status);
    assert_told(why);
    assert_int_equal(engine.calls, 0);
}

static void test_check_tells_counts_and_gives_json(void **state)
{
    (void)state;
    settings.json = true;
    settings.rate = (struct rate){.count = 1, .per_ms = 60000};
    assert_int_equal(run_check(&settings, &person), EXIT_ALL_ACCEPTED);
    assert_told("2 rows, 2 valid, 0 invalid");
    assert_told("takes 2m at 1/m");
    assert_non_null(strstr(buf_string(&person_state.given), "\"valid\":2"));
}

static void test_check_of_invalid_rows_lists_and_splits_them(void **state)
{
    (void)state;
    write_file("in.csv", HEADER ROW BAD, 0644);
    settings.problems = "problems.csv";
    settings.split_valid = "good.csv";
    settings.split_invalid = "bad.csv";
    assert_int_equal(run_check(&settings, &person), EXIT_INPUT_INVALID);
    assert_true(person_state.problems > 0);
    assert_non_null(strstr(read_file("problems.csv"), "obj_id"));
    assert_string_equal(read_file("good.csv"), HEADER ROW);
    assert_string_equal(read_file("bad.csv"), HEADER BAD);
}

static void test_check_refuses_what_cannot_be_opened(void **state)
{
    (void)state;
    settings.input = "missing.csv";
    assert_int_not_equal(run_check(&settings, &person), 0);
    assert_told("missing.csv");
    settings.problems = "no/folder.csv";
    assert_int_equal(run_check(&settings, &person), EXIT_USAGE);
    settings.problems = "-";
    settings.json = true;
    assert_int_equal(run_check(&settings, &person), EXIT_USAGE);
    settings.problems = NULL;
    settings.split_valid = settings.split_invalid = "one.csv";
    assert_int_equal(run_check(&settings, &person), EXIT_USAGE);
}

static void test_nothing_is_sent_while_a_row_is_invalid(void **state)
{
    (void)state;
    write_file("in.csv", HEADER ROW BAD, 0644);
    assert_refused(EXIT_INPUT_INVALID, "nothing was sent");
    settings.skip_invalid = true; /* the negative control: then they are sent */
    assert_int_equal(run_with_key(), EXIT_HALTED);
    assert_int_equal(engine.calls, 1);
}

static void test_replacing_asks_for_consent(void **state)
{
    (void)state;
    write_file("in.csv", HEADER REPLACE, 0644);
    assert_refused(EXIT_INPUT_INVALID, "say --allow-replace");
    person_state.answer = CONSENT_NO;
    assert_refused(EXIT_INPUT_INVALID, "error: nothing was sent");
    assert_int_equal(person_state.asked, 2);
    person_state.answer = CONSENT_YES;
    assert_int_equal(run_with_key(), EXIT_HALTED);
    assert_int_equal(engine.calls, 1);
    settings.allow_replace = true;
    (void)run_with_key();
    assert_int_equal(person_state.asked, 3);
}

static void test_keys_do_not_travel_unasked(void **state)
{
    (void)state;
    settings.endpoint = "http://192.0.2.1";
    assert_refused(EXIT_REFUSED, "say --insecure-http");
    settings.insecure_http = true;
    assert_int_equal(run_with_key(), EXIT_HALTED);
    assert_told("in clear text");
}

static void test_without_a_key_the_run_is_refused(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("NBATCH_API_KEY"), 0);
    assert_int_equal(run_send(&settings, &person, NULL), EXIT_REFUSED);
    assert_told("NBATCH_API_KEY");
    settings.endpoint = "nonsense";
    assert_refused(EXIT_USAGE, "nonsense");
}

static void test_ends_have_their_exit_status(void **state)
{
    static const struct {
        enum job_end end;
        int exit_status;
    } ends[] = {{JOB_HALTED, EXIT_HALTED},         {JOB_OUTAGE, EXIT_HALTED},
                {JOB_CANARY, EXIT_HALTED},         {JOB_SHORTAGE, EXIT_HALTED},
                {JOB_REFUSED, EXIT_REFUSED},       {JOB_INTERRUPTED, EXIT_SIGNAL + SIGINT},
                {JOB_CHANGED, EXIT_INPUT_INVALID}, {JOB_UNREADABLE, EXIT_INPUT_INVALID},
                {JOB_FAILED, EXIT_INTERNAL}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(ends); i++) {
        engine.end = ends[i].end;
        assert_int_equal(run_with_key(), ends[i].exit_status);
    }
    assert_told("the engine's reason");
    assert_true(person_state.events > 0 && person_state.commands > 0);
}

static void test_doubt_goes_before_a_halt_and_not_before_a_refusal(void **state)
{
    (void)state;
    engine.in_doubt = 1;
    assert_int_equal(run_with_key(), EXIT_IN_DOUBT);
    engine.end = JOB_REFUSED;
    assert_int_equal(run_with_key(), EXIT_REFUSED);
}

static void test_an_engine_that_fails_is_an_internal_error(void **state)
{
    (void)state;
    engine.status = STATUS_NO_MEMORY;
    assert_int_equal(run_with_key(), EXIT_INTERNAL);
}

/* Every row must be accounted for, whatever the engine says. */
static void test_a_complete_run_without_results_is_not_believed(void **state)
{
    (void)state;
    engine.end = JOB_COMPLETE;
    assert_int_equal(run_with_key(), EXIT_INTERNAL);
    assert_told("0 of 2 rows are accounted for");
}

static void test_standard_output_takes_one_thing(void **state)
{
    (void)state;
    settings.output = "-";
    settings.json = true;
    assert_refused(EXIT_USAGE, "not both");
    settings.json = false;
    settings.report = "-";
    assert_refused(EXIT_USAGE, "standard output can take one of");
    settings.report = NULL;
    settings.problems = "-";
    assert_refused(EXIT_USAGE, "--output - and --problems -");
    settings.problems = NULL;
    settings.output = NULL;
    settings.input = "-";
    assert_refused(EXIT_USAGE, "standard input has no name");
}

static void test_a_passed_column_must_not_pose_as_a_result(void **state)
{
    (void)state;
    write_file("in.csv", "imei,obj_id,obj_inst_id,mode,expired_time,data,uuid\n", 0644);
    settings.passes = (struct word_list){.items = {"uuid"}, .count = 1};
    assert_refused(EXIT_USAGE, "of their own");
}

static void test_files_that_are_there_are_not_replaced(void **state)
{
    (void)state;
    write_file("in.results.csv", "mine\n", 0644);
    assert_refused(EXIT_USAGE, "in.results.csv");
    settings.output = "other.csv";
    settings.report = "in.results.csv";
    assert_refused(EXIT_USAGE, "in.results.csv");
    settings.report = NULL;
    settings.log = "in.results.csv";
    assert_refused(EXIT_USAGE, "in.results.csv");
    settings.log = NULL;
    settings.metrics_file = "in.results.csv";
    assert_refused(EXIT_USAGE, "in.results.csv");
    assert_string_equal(read_file("in.results.csv"), "mine\n");
}

/* The input on a pipe, as standard input. */
static void pipe_input(const char *text)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_true(write(ends[1], text, strlen(text)) == (ssize_t)strlen(text));
    assert_true(dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
    (void)close(ends[0]);
    (void)close(ends[1]);
    settings.input = "-";
    settings.format = INPUT_CSV + 1;
}

/* Rows of a pipe that are all invalid: the engine itself runs, and connects to nobody. */
static int run_invalid_rows(void)
{
    engine.is_real = true;
    pipe_input(HEADER BAD BAD);
    settings.output = "out.csv";
    return run_with_key();
}

static void test_a_whole_run_leaves_results_report_log_and_metrics(void **state)
{
    (void)state;
    settings.report = "out.html";
    settings.log = "run.log";
    settings.metrics_file = "run.prom";
    settings.problems = "problems.csv";
    settings.json = settings.sort = true;
    assert_int_equal(run_invalid_rows(), EXIT_SOME_NOT_ACCEPTED);
    assert_non_null(strstr(buf_string(&person_state.given), "\"exit_status\":1"));
    assert_non_null(strstr(read_file("out.html"), "<html"));
    assert_non_null(strstr(read_file("run.log"), "\"event\":\"end\""));
    assert_non_null(strstr(read_file("run.prom"), "nbatch_"));
    assert_non_null(strstr(read_file("problems.csv"), "obj_id"));
    assert_non_null(strstr(read_file("out.csv"), "invalid"));
}

static void test_a_refused_run_is_in_log_and_metrics(void **state)
{
    (void)state;
    settings.log = "run.log";
    settings.metrics_file = "run.prom";
    settings.endpoint = "http://192.0.2.1";
    assert_refused(EXIT_REFUSED, "--insecure-http");
    assert_non_null(strstr(read_file("run.log"), "\"event\":\"refused\""));
    assert_non_null(strstr(read_file("run.prom"), "nbatch_"));
}

static void test_going_on_sends_what_is_asked_for(void **state)
{
    (void)state;
    assert_int_equal(run_invalid_rows(), EXIT_SOME_NOT_ACCEPTED);
    pipe_input(HEADER BAD BAD);
    settings.resume.on = true;
    assert_int_equal(run_with_key(), EXIT_SOME_NOT_ACCEPTED);
    assert_told("out.csv: going on; 2 rows have a result");
}

static void test_another_input_is_not_sent_as_new(void **state)
{
    (void)state;
    assert_int_equal(run_invalid_rows(), EXIT_SOME_NOT_ACCEPTED);
    engine.is_real = false;
    engine.calls = 0;
    settings.input = "in.csv";
    settings.resume.on = true;
    assert_refused(EXIT_USAGE, "is it the same input");
    settings.yes = true; /* the negative control */
    assert_int_equal(run_with_key(), EXIT_HALTED);
}

static void test_report_is_made_of_results(void **state)
{
    (void)state;
    assert_int_equal(run_invalid_rows(), EXIT_SOME_NOT_ACCEPTED);
    settings.input = "out.csv";
    settings.output = NULL;
    assert_int_equal(run_report(&settings, &person), 0);
    assert_told("the report is in out.html");
    assert_int_equal(access("out.html", F_OK), 0);
}

static void test_report_refuses_what_are_no_results(void **state)
{
    (void)state;
    assert_int_equal(run_report(&settings, &person), EXIT_INPUT_INVALID);
    settings.input = "missing.csv";
    assert_int_equal(run_report(&settings, &person), EXIT_USAGE);
    settings.input = "-";
    settings.output = "page.html";
    assert_int_equal(run_report(&settings, &person), EXIT_USAGE);
    settings.output = "in.csv";
    assert_int_equal(run_report(&settings, &person), EXIT_USAGE);
}

static void test_a_refused_key_is_read_again(void **state)
{
    static const struct {
        const char *text;
        time_t age_s;
        enum job_key key;
    } keys[] = {{"first\n", 60, JOB_KEY_SAME},        {"second\n", 60, JOB_KEY_OTHER},
                {"second\n", 1, JOB_KEY_OTHER},       {"\n", 60, JOB_KEY_NOT_YET},
                {"second half", 60, JOB_KEY_NOT_YET}, {"second\n", -60, JOB_KEY_OTHER}};

    (void)state;
    settings.api_key_file = "key";
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        write_file("key", "first\n", 0600);
        engine.new_key = keys[i].text;
        engine.key_age_s = keys[i].age_s;
        assert_int_equal(run_with_key(), EXIT_HALTED);
        assert_int_equal(engine.key, keys[i].key);
        assert_false(is_secret("first") || is_secret("second")); /* wiped, with the run */
    }
    settings.api_key_file = NULL;
    engine.new_key = "";
    (void)run_with_key();
    assert_int_equal(engine.key, JOB_KEY_FAILED); /* the environment's cannot change */
}

static void test_retries_are_explained_under_the_settings(void **state)
{
    (void)state;
    settings.on_ambiguous = ON_AMBIGUOUS_HOLD;
    assert_int_equal(run_explain_retries(&settings, &person), 0);
    assert_true(person_state.given.len > 0);
}

static void test_bench_sends_made_up_rows_elsewhere_only_when_told(void **state)
{
    (void)state;
    settings.input = NULL;
    settings.rows = 100;
    settings.rounds = 2;
    settings.levels = (struct levels){.items = {1, 2}, .count = 2};
    settings.bench_endpoint = "https://example.com";
    assert_int_equal(run_bench(&settings, &person), EXIT_USAGE);
    assert_int_equal(engine.calls, 0);
    settings.bench_endpoint = "http://127.0.0.1:9";
    assert_int_equal(setenv("NBATCH_API_KEY", "secret", 1), 0);
    assert_int_equal(run_bench(&settings, &person), EXIT_HALTED); /* as the first run ends */
    assert_int_equal(engine.calls, 1);
    engine.in_doubt = 100;
    settings.json = true;
    assert_int_equal(setenv("NBATCH_API_KEY", "secret", 1), 0);
    assert_int_equal(run_bench(&settings, &person), EXIT_SOME_NOT_ACCEPTED);
    assert_int_equal(engine.calls, 5);
    assert_non_null(strstr(buf_string(&person_state.given), "\"levels\""));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_check_tells_counts_and_gives_json),
        IN_FOLDER(test_check_of_invalid_rows_lists_and_splits_them),
        IN_FOLDER(test_check_refuses_what_cannot_be_opened),
        IN_FOLDER(test_nothing_is_sent_while_a_row_is_invalid),
        IN_FOLDER(test_replacing_asks_for_consent),
        IN_FOLDER(test_keys_do_not_travel_unasked),
        IN_FOLDER(test_without_a_key_the_run_is_refused),
        IN_FOLDER(test_ends_have_their_exit_status),
        IN_FOLDER(test_doubt_goes_before_a_halt_and_not_before_a_refusal),
        IN_FOLDER(test_an_engine_that_fails_is_an_internal_error),
        IN_FOLDER(test_a_complete_run_without_results_is_not_believed),
        IN_FOLDER(test_standard_output_takes_one_thing),
        IN_FOLDER(test_a_passed_column_must_not_pose_as_a_result),
        IN_FOLDER(test_files_that_are_there_are_not_replaced),
        IN_FOLDER(test_a_whole_run_leaves_results_report_log_and_metrics),
        IN_FOLDER(test_a_refused_run_is_in_log_and_metrics),
        IN_FOLDER(test_going_on_sends_what_is_asked_for),
        IN_FOLDER(test_another_input_is_not_sent_as_new),
        IN_FOLDER(test_report_is_made_of_results),
        IN_FOLDER(test_report_refuses_what_are_no_results),
        IN_FOLDER(test_a_refused_key_is_read_again),
        IN_FOLDER(test_retries_are_explained_under_the_settings),
        IN_FOLDER(test_bench_sends_made_up_rows_elsewhere_only_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
