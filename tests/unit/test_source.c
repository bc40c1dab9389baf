#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input/source.h"

static char directory[] = "/tmp/test_source.XXXXXX";
static char path[64];
static struct buf message;
static struct source *source;

static void write_file(const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static void open_file(const char *text)
{
    write_file(text);
    assert_int_equal(source_open(path, &message, &source), STATUS_OK);
}

static void assert_message(const char *text)
{
    assert_string_equal(buf_string(&message), text);
}

static void test_a_file_is_read_to_its_end(void **state)
{
    (void)state;
    open_file("hello");
    assert_string_equal(source_name(source), path);
    assert_true(source_is_seekable(source));
    assert_int_equal(source_size(source), 5);
    assert_int_equal(source_block(source).len, 0);
    assert_int_equal(source_fill(source), STATUS_OK);
    assert_span(source_block(source), "hello");
    source_take(source, 2);
    assert_int_equal(source_fill(source), STATUS_OK);
    assert_span(source_block(source), "llo");
    assert_int_equal(source_taken(source), 2);
    source_take(source, 3);
    assert_int_equal(source_fill(source), STATUS_END);
    assert_int_equal(source_fill(source), STATUS_END);
    assert_int_equal(source_taken(source), 5);
}

static void test_a_directory_is_refused(void **state)
{
    char wanted[128];

    (void)state;
    assert_int_equal(source_open(directory, &message, &source), STATUS_USAGE);
    (void)snprintf(wanted, sizeof(wanted), "%s is a directory: give a CSV or JSONL file",
                   directory);
    assert_message(wanted);
    assert_null(source);
}

static void test_a_missing_file_is_refused(void **state)
{
    (void)state;
    assert_int_equal(source_open("/nonexistent/x.csv", &message, &source), STATUS_USAGE);
    assert_message("/nonexistent/x.csv: No such file or directory");
    assert_null(source);
}

static void test_rewind_reads_the_same_again(void **state)
{
    (void)state;
    open_file("again");
    assert_int_equal(source_fill(source), STATUS_OK);
    source_take(source, 5);
    assert_int_equal(source_fill(source), STATUS_END);
    assert_int_equal(source_rewind(source, &message), STATUS_OK);
    assert_int_equal(source_taken(source), 0);
    assert_int_equal(source_fill(source), STATUS_OK);
    assert_span(source_block(source), "again");
}

static void test_rewind_tells_a_changed_size(void **state)
{
    char wanted[128];

    (void)state;
    open_file("one");
    assert_int_equal(truncate(path, 2), 0);
    assert_int_equal(source_rewind(source, &message), STATUS_CHANGED);
    (void)snprintf(wanted, sizeof(wanted), "%s was changed while it was read", path);
    assert_message(wanted);
}

static void test_rewind_tells_a_changed_time(void **state)
{
    struct stat about;

    (void)state;
    open_file("one");
    assert_int_equal(stat(path, &about), 0);
    struct timespec times[2] = {about.st_atim, about.st_mtim};
    times[1].tv_nsec = (times[1].tv_nsec + 1) % 1000000000;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(source_rewind(source, &message), STATUS_CHANGED);
    times[1] = about.st_mtim;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(source_rewind(source, &message), STATUS_OK);
}

static void with_stdin(int fd, void (*body)(void))
{
    int saved = dup(STDIN_FILENO);
    assert_true(dup2(fd, STDIN_FILENO) == STDIN_FILENO);
    body();
    source_close(source);
    source = NULL;
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), 0); /* still open */
    (void)dup2(saved, STDIN_FILENO);
    (void)close(saved);
    (void)close(fd);
}

static void read_redirected_stdin(void)
{
    assert_int_equal(source_open("-", &message, &source), STATUS_OK);
    assert_string_equal(source_name(source), "standard input");
    assert_true(source_is_seekable(source));
    assert_int_equal(source_size(source), 4);
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(source_fill(source), STATUS_OK);
        assert_span(source_block(source), "rest");
        source_take(source, 4);
        assert_int_equal(source_fill(source), STATUS_END);
        assert_int_equal(source_rewind(source, &message), STATUS_OK);
    }
}

static void test_redirected_standard_input_is_read_from_where_it_stands(void **state)
{
    (void)state;
    write_file("taken rest");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(lseek(fd, 6, SEEK_SET), 6);
    with_stdin(fd, read_redirected_stdin);
}

static void refuse_stdin(void)
{
    assert_int_equal(source_open("-", &message, &source), STATUS_USAGE);
    assert_message("standard input is a directory: give a CSV or JSONL file");
}

static void test_a_directory_as_standard_input_is_refused(void **state)
{
    (void)state;
    with_stdin(open(directory, O_RDONLY | O_CLOEXEC), refuse_stdin);
}

static int pipe_out; /* where the test writes what the source reads */

static void read_pipe(void)
{
    assert_int_equal(source_open("-", &message, &source), STATUS_OK);
    assert_false(source_is_seekable(source));
    assert_int_equal(source_size(source), 0);
    assert_int_equal(fcntl(source_fd(source), F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(source_fill(source), STATUS_AGAIN);
    assert_int_equal(write(pipe_out, "ab", 2), 2);
    assert_int_equal(source_fill(source), STATUS_OK);
    assert_span(source_block(source), "ab");
    assert_int_equal(source_fill_to(source, 3), STATUS_AGAIN);
    assert_span(source_block(source), "ab");
    assert_int_equal(write(pipe_out, "c", 1), 1);
    assert_int_equal(source_fill_to(source, 3), STATUS_OK);
    assert_span(source_block(source), "abc");
    source_take(source, 2);
    (void)close(pipe_out);
    assert_int_equal(source_fill_to(source, 2), STATUS_END);
    assert_span(source_block(source), "c");
    assert_int_equal(source_rewind(source, &message), STATUS_IO);
}

static void test_an_empty_pipe_says_again_and_keeps_what_came(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    pipe_out = ends[1];
    with_stdin(ends[0], read_pipe);
}

static void test_reads_are_bounded_for_tests(void **state)
{
    (void)state;
    open_file("abcd");
    source_set_block_bytes(source, 3);
    assert_int_equal(source_fill(source), STATUS_OK);
    assert_span(source_block(source), "abc");
    source_take(source, 1);
    assert_int_equal(source_fill_to(source, 3), STATUS_OK);
    assert_span(source_block(source), "bcd");
    assert_int_equal(source_fill_to(source, SOURCE_BLOCK_BYTES + 1), STATUS_TOO_BIG);
}

static void test_a_read_error_is_told_with_errno(void **state)
{
    (void)state;
    assert_int_equal(source_open("/proc/self/mem", &message, &source), STATUS_OK);
    errno = 0;
    assert_int_equal(source_fill(source), STATUS_IO); /* nothing is mapped at 0 */
    assert_int_equal(errno, EIO);
}

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/input.csv", directory);
    buf_init(&message, 1024);
    return 0;
}

static int after_each(void **state)
{
    (void)state;
    source_close(source);
    source = NULL;
    buf_clear(&message);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_deinit(&message);
    (void)unlink(path);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_file_is_read_to_its_end, after_each),
        cmocka_unit_test_teardown(test_a_directory_is_refused, after_each),
        cmocka_unit_test_teardown(test_a_missing_file_is_refused, after_each),
        cmocka_unit_test_teardown(test_rewind_reads_the_same_again, after_each),
        cmocka_unit_test_teardown(test_rewind_tells_a_changed_size, after_each),
        cmocka_unit_test_teardown(test_rewind_tells_a_changed_time, after_each),
        cmocka_unit_test_teardown(test_redirected_standard_input_is_read_from_where_it_stands,
                                  after_each),
        cmocka_unit_test_teardown(test_a_directory_as_standard_input_is_refused, after_each),
        cmocka_unit_test_teardown(test_an_empty_pipe_says_again_and_keeps_what_came, after_each),
        cmocka_unit_test_teardown(test_reads_are_bounded_for_tests, after_each),
        cmocka_unit_test_teardown(test_a_read_error_is_told_with_errno, after_each),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
