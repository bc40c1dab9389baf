#include "unit.h"

#include <time.h>

#include "net/key_command.h"

enum { SIZE = 16, TIMEOUT_MS = 5000 };

static enum status run(const char *command, int64_t timeout_ms, char out[SIZE], size_t *ret_len,
                       char text[256])
{
    struct buf message;

    memset(out, 'x', SIZE);
    buf_init(&message, 4096);
    enum status status = key_command_run(command, timeout_ms, out, SIZE, ret_len, &message);
    (void)snprintf(text, 256, "%s", buf_string(&message));
    buf_deinit(&message);
    return status;
}

static void test_the_output_is_taken(void **state)
{
    (void)state;
    static const struct {
        const char *command, *output;
    } cases[] = {
        {"echo key", "key\n"},
        {"printf key", "key"},
        {"true", ""},
        {"printf 0123456789abcdef", "0123456789abcdef"},
        {"printf one; sleep 0.05; printf two", "onetwo"},
        {"cat; echo no-input", "no-input\n"},
        {"echo noise >&2; echo key", "key\n"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char out[SIZE], text[256];
        size_t len = 99;
        assert_int_equal(run(cases[i].command, TIMEOUT_MS, out, &len, text), STATUS_OK);
        assert_span(span_of(out, len), cases[i].output);
    }
}

static void test_a_failure_says_why_and_leaves_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *command, *text;
    } cases[] = {
        {"echo secret; exit 3", "exit status 3"},
        {"echo secret; kill -9 $$", "signal 9"},
        {"printf 0123456789abcdefg", "more than a key"},
        {"while echo secret; do :; done", "more than a key"},
        {"/nowhere/command", "exit status 127"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        static const char nothing[SIZE];
        char out[SIZE], text[256];
        size_t len = 99;
        assert_int_equal(run(cases[i].command, TIMEOUT_MS, out, &len, text), STATUS_CREDENTIALS);
        assert_int_equal(len, 99);
        assert_memory_equal(out, nothing, SIZE);
        assert_non_null(strstr(text, cases[i].text));
        assert_null(strstr(text, "secret"));
    }
}

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Silent, or silent after the end of its output, or with a child that keeps the output open. */
static void test_a_command_that_takes_too_long_is_killed(void **state)
{
    (void)state;
    static const char *const commands[] = {"sleep 30", "echo key; exec >&-; sleep 30",
                                           "sleep 30 | cat", "trap '' TERM INT; sleep 30"};
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        char out[SIZE], text[256];
        size_t len;
        double start_s = now_s();
        assert_int_equal(run(commands[i], 200, out, &len, text), STATUS_CREDENTIALS);
        assert_non_null(strstr(text, "too long"));
        assert_true(now_s() - start_s < 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_output_is_taken),
        cmocka_unit_test(test_a_failure_says_why_and_leaves_nothing),
        cmocka_unit_test(test_a_command_that_takes_too_long_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
