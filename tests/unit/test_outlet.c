#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "ledger/outlet.h"

enum { LINE = 100, LINES = 20000 }; /* far more than a pipe holds */

static struct outlet *opened(int fd)
{
    struct outlet *outlet = NULL;

    assert_int_equal(outlet_open(fd, &outlet), STATUS_OK);
    return outlet;
}

/* Each line has its number, so that none can be lost or change places. */
static void add_line(struct outlet *outlet, int number)
{
    char line[LINE + 1];

    (void)snprintf(line, sizeof(line), "%0*d\n", LINE - 1, number);
    assert_int_equal(outlet_add(outlet, span_of(line, LINE)), STATUS_OK);
}

static void read_line(int fd, int number)
{
    char line[LINE + 1], wanted[LINE + 1];

    for (size_t at = 0; at < LINE;) {
        ssize_t got = read(fd, line + at, LINE - at);
        assert_true(got > 0);
        at += (size_t)got;
    }
    line[LINE] = '\0';
    (void)snprintf(wanted, sizeof(wanted), "%0*d\n", LINE - 1, number);
    assert_string_equal(line, wanted);
}

static void test_adding_does_not_wait_for_the_reader(void **state)
{
    (void)state;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    struct outlet *outlet = opened(ends[1]);
    assert_false(outlet_is_full(outlet));
    for (int i = 0; i < LINES; i++)
        add_line(outlet, i);
    assert_true(outlet_is_full(outlet));
    assert_false(outlet_wait(outlet, 50));
    for (int i = 0; i < LINES; i++)
        read_line(ends[0], i);
    assert_true(outlet_wait(outlet, -1));
    assert_int_equal(outlet_waiting(outlet), 0);
    assert_int_equal(outlet_error(outlet), 0);
    add_line(outlet, 7); /* and it goes on */
    read_line(ends[0], 7);
    assert_true(outlet_wait(outlet, -1));
    outlet_close(outlet);
    (void)close(ends[0]);
}

static void test_a_reader_that_keeps_up_keeps_the_queue_small(void **state)
{
    (void)state;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    struct outlet *outlet = opened(ends[1]);
    for (int i = 0; i < LINES; i++) {
        add_line(outlet, i);
        if (i >= 1000) /* always behind, never far */
            read_line(ends[0], i - 1000);
        /* With a piece that the reader has, and the thread has not counted yet. */
        assert_true(outlet_waiting(outlet) <= 1001 * LINE + 64 * 1024);
    }
    for (int i = LINES - 1000; i < LINES; i++)
        read_line(ends[0], i);
    assert_true(outlet_wait(outlet, -1));
    outlet_close(outlet);
    (void)close(ends[0]);
}

static void test_a_reader_that_is_gone_is_an_error(void **state)
{
    (void)state;
    int ends[2];

    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    (void)close(ends[0]);
    struct outlet *outlet = opened(ends[1]);
    add_line(outlet, 0);
    assert_true(outlet_wait(outlet, -1));
    assert_int_equal(outlet_error(outlet), EPIPE);
    assert_int_equal(outlet_add(outlet, SPAN_LITERAL("x")), STATUS_IO);
    assert_int_equal(outlet_waiting(outlet), 0);
    outlet_close(outlet);
    outlet_close(NULL);
}

static void test_a_terminal_that_has_hung_up_is_none(void **state)
{
    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY);

    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(slave >= 0);
    struct outlet *outlet = opened(slave);
    (void)close(master);
    add_line(outlet, 0);
    assert_true(outlet_wait(outlet, -1));
    assert_int_equal(outlet_error(outlet), 0);
    assert_int_equal(outlet_add(outlet, SPAN_LITERAL("x")), STATUS_OK);
    assert_int_equal(outlet_waiting(outlet), 0);
    outlet_close(outlet);
}

static void test_a_write_that_hangs_does_not_keep_who_closes(void **state)
{
    (void)state;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    struct outlet *outlet = opened(ends[1]);
    for (int i = 0; i < LINES; i++)
        add_line(outlet, i);
    assert_false(outlet_wait(outlet, 20));
    outlet_close(outlet);
    (void)close(ends[0]); /* ends the write, and with it the thread */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adding_does_not_wait_for_the_reader),
        cmocka_unit_test(test_a_reader_that_keeps_up_keeps_the_queue_small),
        cmocka_unit_test(test_a_reader_that_is_gone_is_an_error),
        cmocka_unit_test(test_a_terminal_that_has_hung_up_is_none),
        cmocka_unit_test(test_a_write_that_hangs_does_not_keep_who_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
