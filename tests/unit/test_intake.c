#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "engine/check.h"

static char directory[] = "/tmp/test_intake.XXXXXX";
static char path[64];
static struct buf message;
static struct problems problems;
static struct command command;
static struct intake *intake;
static struct intake_options options;

#define HEADER "imei,obj_id,obj_inst_id,mode,expired_time,res:5850\n"
#define ROW    "863703030000017,3311,0,2,+7d,1\n"

/* Puts a file of that name and content there, whose check is asked for with the options of before
 * that are not reset. */
static enum status open_input(const char *name, const char *bytes, size_t len)
{
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    (void)close(fd);
    options.path = path;
    options.max_row_bytes = 64 * 1024;
    options.now_s = 1800000000;
    buf_clear(&message);
    enum status status = intake_open(&options, &message, &intake);
    (void)unlink(path);
    return status;
}

static void start(const char *text)
{
    assert_int_equal(open_input("in.csv", text, strlen(text)), STATUS_OK);
    assert_int_equal(intake_start(intake, &problems), STATUS_OK);
}

static void close_input(void)
{
    intake_close(intake);
    intake = NULL;
    options = (struct intake_options){.format = INPUT_CSV};
}

static void next(enum problem_code first)
{
    assert_int_equal(intake_next(intake, &command, &problems), STATUS_OK);
    assert_true(problems.count > 0);
    assert_int_equal(problems.items[0].code, first);
}

static void assert_refused(const char *name, const char *bytes, const char *words)
{
    assert_int_equal(open_input(name, bytes, strlen(bytes)), STATUS_USAGE);
    if (strstr(buf_string(&message), words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", buf_string(&message), words);
    options = (struct intake_options){.format = INPUT_CSV};
}

static void test_an_input_that_is_not_what_it_is_called_is_refused(void **state)
{
    (void)state;
    assert_refused("in.ods", "x", "save it as .xlsx");
    assert_refused("in.xyz", "x", "--format");
    assert_refused("in.xlsx", HEADER, "no workbook");
    assert_refused("in.xlsx.gz", HEADER, "");
    options.delimiter = ';';
    assert_refused("in.jsonl", "{}", "--delimiter");
    options.sheet = "1";
    assert_refused("in.csv", HEADER, "--sheet");
    options.encoding = "no such encoding";
    assert_refused("in.csv", HEADER, "no such encoding");
}

static void test_a_row_that_comes_too_late_is_told(void **state)
{
    (void)state;
    options.rate_per_s = 0.01;
    start("imei,obj_id,obj_inst_id,mode,valid_time,expired_time,res:5850\n"
          "863703030000017,3311,0,2,,+30s,1\n"
          "863703030000025,3311,0,2,,+50s,1\n"
          "863703030000033,3311,0,2,+150s,+7d,1\n");
    assert_int_equal(intake_next(intake, &command, &problems), STATUS_OK);
    assert_int_equal(problems.count, 0);
    next(PROBLEM_LATE);
    next(PROBLEM_LATE);
    assert_int_equal(intake_next(intake, &command, &problems), STATUS_END);
    close_input();
}

/* Behind a quote that is wrong, text may pass for rows. */
static void test_rows_behind_a_wrong_quote_are_lost(void **state)
{
    (void)state;
    start(HEADER ROW "\"863703030000025\"x,3311,0,2,+7d,1\n" ROW);
    assert_int_equal(intake_next(intake, &command, &problems), STATUS_OK);
    next(PROBLEM_QUOTE);
    assert_false(intake_is_lost(intake));
    assert_int_equal(intake_next(intake, &command, &problems), STATUS_OK);
    assert_true(intake_is_lost(intake));
    problems_clear(&problems, 0, 0);
    intake_judge_file(intake, &problems);
    assert_int_equal(problems.items[0].code, PROBLEM_QUOTE);
    close_input();
    /* What is sent as it is read ends there. */
    options.for_sending = true;
    start(HEADER ROW "\"863703030000025\"x,3311,0,2,+7d,1\n" ROW);
    while (intake_next(intake, &command, &problems) == STATUS_OK) {
    }
    assert_int_equal(intake_rewind(intake, &message), STATUS_OK);
    assert_int_equal(intake_start(intake, &problems), STATUS_OK);
    assert_int_equal(intake_next(intake, &command, &problems), STATUS_OK);
    assert_int_equal(intake_next(intake, &command, &problems), STATUS_OK);
    assert_int_equal(intake_next(intake, &command, &problems), STATUS_BAD_INPUT);
    assert_int_equal(problems.items[0].code, PROBLEM_QUOTE);
    close_input();
}

static void test_raw_rows_are_in_the_encoding_of_the_file(void **state)
{
    (void)state;
    static const char text[] = HEADER ROW;
    char wide[2 + 2 * sizeof(text)] = {'\xff', '\xfe'};
    struct span bytes;

    for (size_t i = 0; i < sizeof(text) - 1; i++)
        wide[2 + 2 * i] = text[i];
    options.keep_raw = true;
    assert_int_equal(open_input("in.csv", wide, 2 * sizeof(text)), STATUS_OK);
    assert_int_equal(intake_start(intake, &problems), STATUS_OK);
    assert_int_equal(intake_raw_header(intake, &bytes), STATUS_OK);
    assert_true(span_equal(bytes, span_of(wide, 2 * sizeof(HEADER))));
    assert_int_equal(intake_next(intake, &command, &problems), STATUS_OK);
    assert_int_equal(problems.count, 0);
    assert_int_equal(intake_raw_row(intake, &bytes), STATUS_OK);
    assert_true(span_equal(bytes, span_of(wide + 2 * sizeof(HEADER), 2 * sizeof(ROW) - 2)));
    close_input();
}

static void test_an_input_without_rows_is_no_input(void **state)
{
    (void)state;
    start(HEADER);
    assert_int_equal(intake_next(intake, &command, &problems), STATUS_BAD_INPUT);
    assert_int_equal(problems.items[0].code, PROBLEM_EMPTY);
    close_input();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_input_that_is_not_what_it_is_called_is_refused),
        cmocka_unit_test(test_a_row_that_comes_too_late_is_told),
        cmocka_unit_test(test_rows_behind_a_wrong_quote_are_lost),
        cmocka_unit_test(test_raw_rows_are_in_the_encoding_of_the_file),
        cmocka_unit_test(test_an_input_without_rows_is_no_input),
    };
    if (mkdtemp(directory) == NULL)
        return 1;
    buf_init(&message, 4096);
    problems_init(&problems);
    command_init(&command);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    command_deinit(&command);
    problems_deinit(&problems);
    buf_deinit(&message);
    (void)rmdir(directory);
    return failed;
}
