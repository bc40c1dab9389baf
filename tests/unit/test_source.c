#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input/seal.h"
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

static void test_an_input_that_is_read_once_has_no_digest(void **state)
{
    (void)state;
    for (int once = 0; once < 2; once++) {
        uint64_t size = 0, hash = 0;
        open_file("once");
        if (once == 1)
            source_read_once(source);
        assert_int_equal(source_fill(source), STATUS_OK);
        assert_span(source_block(source), "once");
        source_take(source, 4);
        assert_int_equal(source_fill(source), STATUS_END);
        source_digest(source, &size, &hash);
        assert_int_equal(size, once == 1 ? 0 : 4);
        assert_int_equal(hash != 0, once == 0);
        source_close(source);
        source = NULL;
    }
}

/* What is at hand and comes until the source says something else than STATUS_OK. */
static enum status read_on(size_t *ret_count)
{
    enum status status;

    while ((status = source_fill(source)) == STATUS_OK) {
        *ret_count += source_block(source).len;
        source_take(source, source_block(source).len);
    }
    return status;
}

/* Reads it once and goes back; the file has `size` bytes. */
static void read_first(size_t size)
{
    static char text[4 * SEAL_BYTES];
    size_t count = 0;

    memset(text, 'x', size);
    text[size] = '\0';
    open_file(text);
    assert_int_equal(read_on(&count), STATUS_END);
    assert_int_equal(count, size);
    assert_int_equal(source_rewind(source, &message), STATUS_OK);
}

static void write_at(off_t at, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, strlen(text), at), (ssize_t)strlen(text));
    (void)close(fd);
}

static void assert_changed_behind(size_t size)
{
    size_t count = 0;

    assert_int_equal(read_on(&count), STATUS_CHANGED);
    assert_int_equal(count, size);
    assert_int_equal(source_fill(source), STATUS_CHANGED); /* for good */
}

static void test_no_byte_of_a_block_that_changed_is_handed_out(void **state)
{
    static const off_t places[] = {2 * SEAL_BYTES, 2 * SEAL_BYTES + 5, 3 * SEAL_BYTES - 1};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        read_first(3 * SEAL_BYTES + 100);
        write_at(places[i], "y");
        assert_changed_behind(2 * SEAL_BYTES);
        source_close(source);
    }
    read_first(3 * SEAL_BYTES + 100);
    write_at(3 * SEAL_BYTES + 99, "y");
    assert_changed_behind(3 * SEAL_BYTES);
}

static void test_a_block_is_compared_however_reads_are_cut(void **state)
{
    static const size_t steps[] = {1, 100, SEAL_BYTES - 1, SEAL_BYTES + 1};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
        size_t count = 0;
        read_first(SEAL_BYTES + 100);
        source_set_block_bytes(source, steps[i]);
        assert_int_equal(read_on(&count), STATUS_END);
        assert_int_equal(count, SEAL_BYTES + 100);
        assert_int_equal(source_rewind(source, &message), STATUS_OK);
        write_at(SEAL_BYTES + 99, "y");
        assert_changed_behind(SEAL_BYTES);
        source_close(source);
        source = NULL;
    }
}

static void test_a_file_that_is_cut_or_goes_on_has_changed(void **state)
{
    (void)state;
    read_first(SEAL_BYTES + 100);
    assert_int_equal(truncate(path, SEAL_BYTES + 99), 0);
    assert_changed_behind(SEAL_BYTES);
    source_close(source);
    read_first(SEAL_BYTES);
    assert_int_equal(truncate(path, 0), 0);
    assert_changed_behind(0);
    source_close(source);
    read_first(SEAL_BYTES);
    write_at(SEAL_BYTES, "z");
    assert_changed_behind(SEAL_BYTES);
    source_close(source);
    read_first(100);
    assert_false(source_is_spent(source));
    write_at(100, "z");
    assert_changed_behind(100);
    assert_true(source_is_spent(source));
}

static void test_rewind_compares_all_where_the_file_was_touched(void **state)
{
    char wanted[200];
    size_t count = 0;

    (void)state;
    read_first(3 * SEAL_BYTES);
    assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0);
    assert_int_equal(source_rewind(source, &message), STATUS_OK);
    assert_int_equal(read_on(&count), STATUS_END);
    assert_int_equal(count, 3 * SEAL_BYTES);
    write_at(2 * SEAL_BYTES, "y");
    assert_int_equal(source_rewind(source, &message), STATUS_CHANGED);
    (void)snprintf(wanted, sizeof(wanted),
                   "input changed: %s: it is not what was checked: see what writes to it, and call "
                   "the run once more",
                   path);
    assert_message(wanted);
}

static void test_a_look_tells_a_change_that_comes(void **state)
{
    (void)state;
    read_first(3 * SEAL_BYTES);
    assert_int_equal(source_fill(source), STATUS_OK);
    assert_int_equal(source_look(source), STATUS_OK);
    assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0);
    assert_int_equal(source_look(source), STATUS_OK);
    write_at(2 * SEAL_BYTES, "y");
    assert_int_equal(source_look(source), STATUS_CHANGED);
    source_take(source, source_block(source).len);
    assert_int_equal(source_fill(source), STATUS_CHANGED);
    source_close(source);
    read_first(3 * SEAL_BYTES);
    assert_int_equal(truncate(path, 3 * SEAL_BYTES - 1), 0);
    assert_int_equal(source_look(source), STATUS_CHANGED);
    source_close(source);
    read_first(3 * SEAL_BYTES);
    write_at(3 * SEAL_BYTES, "appended");
    assert_int_equal(source_look(source), STATUS_OK); /* all that was checked may still leave */
    assert_true(source_has_grown(source));
}

static void test_what_was_not_read_to_its_end_is_not_compared(void **state)
{
    size_t count = 0;

    (void)state;
    open_file("one\ntwo\n");
    assert_int_equal(source_fill(source), STATUS_OK);
    assert_int_equal(source_rewind(source, &message), STATUS_OK);
    write_file("three\n");
    assert_int_equal(read_on(&count), STATUS_END);
    assert_int_equal(count, 6);
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
        cmocka_unit_test_teardown(test_an_input_that_is_read_once_has_no_digest, after_each),
        cmocka_unit_test_teardown(test_a_directory_is_refused, after_each),
        cmocka_unit_test_teardown(test_a_missing_file_is_refused, after_each),
        cmocka_unit_test_teardown(test_rewind_reads_the_same_again, after_each),
        cmocka_unit_test_teardown(test_no_byte_of_a_block_that_changed_is_handed_out, after_each),
        cmocka_unit_test_teardown(test_a_block_is_compared_however_reads_are_cut, after_each),
        cmocka_unit_test_teardown(test_a_file_that_is_cut_or_goes_on_has_changed, after_each),
        cmocka_unit_test_teardown(test_rewind_compares_all_where_the_file_was_touched, after_each),
        cmocka_unit_test_teardown(test_a_look_tells_a_change_that_comes, after_each),
        cmocka_unit_test_teardown(test_what_was_not_read_to_its_end_is_not_compared, after_each),
        cmocka_unit_test_teardown(test_redirected_standard_input_is_read_from_where_it_stands,
                                  after_each),
        cmocka_unit_test_teardown(test_a_directory_as_standard_input_is_refused, after_each),
        cmocka_unit_test_teardown(test_an_empty_pipe_says_again_and_keeps_what_came, after_each),
        cmocka_unit_test_teardown(test_reads_are_bounded_for_tests, after_each),
        cmocka_unit_test_teardown(test_a_read_error_is_told_with_errno, after_each),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
