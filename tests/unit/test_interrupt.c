#include "unit.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/interrupt.h"

/* Each test has a process of its own: what has come to it is the process's. */
static int in_a_child(void (*test)(void))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        test();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect(bool holds, int line)
{
    if (!holds)
        _exit(line % 100 + 1);
}
#define EXPECT(what) expect(what, __LINE__)

static bool is_readable(void)
{
    struct pollfd wait = {.fd = interrupt_fd(), .events = POLLIN};

    return poll(&wait, 1, 0) == 1;
}

enum { A_WHILE_US = 700 * 1000 };

static void remember_the_first(void)
{
    interrupt_watch();
    EXPECT(interrupt_signal() == 0);
    (void)raise(SIGUSR2);
    EXPECT(interrupt_signal() == 0);
    (void)raise(SIGHUP);
    (void)raise(SIGHUP);
    EXPECT(interrupt_signal() == SIGHUP);
}

static void end_at_the_second(void)
{
    interrupt_watch();
    (void)raise(SIGTERM);
    EXPECT(usleep(A_WHILE_US) == 0);
    (void)raise(SIGTERM);
}

/* As timeout(1) does: to the process, and to its group. */
static void take_two_at_once_for_one(void)
{
    interrupt_watch();
    (void)raise(SIGTERM);
    (void)raise(SIGTERM);
    EXPECT(interrupt_signal() == SIGTERM);
}

/* Who ends a session sends both at once. */
static void outlive_what_comes_behind_a_hangup(void)
{
    interrupt_watch();
    (void)raise(SIGHUP);
    (void)raise(SIGTERM);
    EXPECT(interrupt_signal() == SIGHUP);
    EXPECT(usleep(A_WHILE_US) == 0);
    (void)raise(SIGTERM);
}

static void leave_what_is_ignored(void)
{
    struct sigaction action;

    (void)signal(SIGHUP, SIG_IGN);
    interrupt_watch();
    interrupt_take(true);
    (void)raise(SIGHUP);
    EXPECT(!is_readable());
    interrupt_take(false);
    EXPECT(interrupt_signal() == 0);
    EXPECT(sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
}

static void take_each(void)
{
    int number;

    interrupt_take(true);
    EXPECT(!is_readable() && !interrupt_next(&number));
    (void)raise(SIGUSR2);
    (void)raise(SIGUSR2);
    (void)raise(SIGTERM);
    EXPECT(is_readable());
    EXPECT(interrupt_next(&number) && number == SIGTERM);
    EXPECT(interrupt_next(&number) && number == SIGUSR2);
    EXPECT(interrupt_next(&number) && number == SIGUSR2);
    EXPECT(!interrupt_next(&number) && !is_readable());
    interrupt_take(false);
    EXPECT(interrupt_signal() == 0);
}

static void take_what_came_before(void)
{
    int number;

    interrupt_watch();
    (void)raise(SIGINT);
    interrupt_take(true);
    EXPECT(is_readable());
    EXPECT(interrupt_next(&number) && number == SIGINT);
    EXPECT(!interrupt_next(&number));
    interrupt_take(false);
    EXPECT(interrupt_signal() == 0);
}

/* It came when the loop did not look any more: the next one takes it. */
static void keep_what_nobody_took(void)
{
    int number;

    interrupt_take(true);
    (void)raise(SIGUSR1);
    (void)raise(SIGTERM);
    interrupt_take(false);
    EXPECT(interrupt_signal() == SIGTERM);
    interrupt_take(true);
    EXPECT(interrupt_next(&number) && number == SIGTERM);
    EXPECT(!interrupt_next(&number));
    (void)raise(SIGINT);
    interrupt_take(false);
    EXPECT(usleep(A_WHILE_US) == 0);
    (void)raise(SIGINT); /* the same kind once more */
}

static void test_signals_are_remembered_taken_and_never_lost(void **state)
{
    (void)state;
    assert_int_equal(in_a_child(remember_the_first), 0);
    assert_int_equal(in_a_child(end_at_the_second), 128 + SIGTERM);
    assert_int_equal(in_a_child(take_two_at_once_for_one), 0);
    assert_int_equal(in_a_child(outlive_what_comes_behind_a_hangup), 128 + SIGTERM);
    assert_int_equal(in_a_child(leave_what_is_ignored), 0);
    assert_int_equal(in_a_child(take_each), 0);
    assert_int_equal(in_a_child(take_what_came_before), 0);
    assert_int_equal(in_a_child(keep_what_nobody_took), 128 + SIGINT);
}

static void test_what_they_mean(void **state)
{
    (void)state;
    assert_string_equal(interrupt_name(SIGTERM), "terminated");
    assert_string_equal(interrupt_name(SIGUSR2), "");
    assert_string_equal(interrupt_name(0), "");
    assert_string_equal(interrupt_name(SIGSEGV), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals_are_remembered_taken_and_never_lost),
        cmocka_unit_test(test_what_they_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
