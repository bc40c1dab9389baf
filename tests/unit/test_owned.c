/* Whose commands are known by the results of earlier runs, and which of them is the latest. */
#include "unit.h"

#include <unistd.h>

#include "platform/device.h"
#include "run/owned.h"

#define LINE(n, uuid, error, at)                                                                \
#n "," #n ",000000000000000" #n "-1,123" #n ",accepted," uuid ",0," error ",200,1,0,1.000," \
       "2026-11-28T" at ":00:00.000Z\n"

static bool is_first(void *context, uint64_t device)
{
    uint64_t first;

    (void)context;
    return device_read(SPAN_LITERAL("1231"), &first) && device == first;
}

static void read_text(const char *text, owned_filter_fn *filter, struct known_commands *known)
{
    char path[] = "/tmp/nbatch-test-XXXXXX";
    int fd = mkstemp(path);
    struct results results;
    struct buf message;

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
    buf_init(&message, 65536);
    known_commands_init(known);
    assert_int_equal(results_open(&results, &disk_real, path, &message), STATUS_OK);
    assert_int_equal(owned_read(&results, filter, NULL, known), STATUS_OK);
    results_close(&results);
    buf_deinit(&message);
    assert_int_equal(unlink(path), 0);
}

static const char header[] = "row,line,key," DEVICE_COLUMN ",status,uuid,errno,error,http_status,"
                             "attempts,ambiguous,latency_ms,finished_at\n";

static void test_the_latest_that_was_answered_is_the_control(void **state)
{
    struct known_commands known;
    char text[1024];

    (void)state;
    (void)snprintf(text, sizeof(text), "%s%s%s%s%s", header, LINE(1, "u1", "", "08"),
                   LINE(2, "u2", "", "09"),
                   /* Found by the history: when it was accepted is not known. */
                   LINE(3, "u3", "found in the platform's history", "10"),
                   LINE(4, "u4",
                        "\"found in the platform's history, which holds it more than once: also "
                        "u5, u6\"",
                        "11"));
    read_text(text, NULL, &known);
    assert_string_equal(known.last.uuid, "u2");
    assert_true(known_commands_has(&known, SPAN_LITERAL("u1")) &&
                known_commands_has(&known, SPAN_LITERAL("u3")) &&
                known_commands_has(&known, SPAN_LITERAL("u6")));
    known_commands_deinit(&known);
}

static void test_of_other_devices_only_the_latest_is_known(void **state)
{
    struct known_commands known;
    char text[512];

    (void)state;
    (void)snprintf(text, sizeof(text), "%s%s%s", header, LINE(1, "u1", "", "08"),
                   LINE(2, "u2", "", "09"));
    read_text(text, is_first, &known);
    assert_string_equal(known.last.uuid, "u2");
    assert_true(known_commands_has(&known, SPAN_LITERAL("u1")));
    assert_false(known_commands_has(&known, SPAN_LITERAL("u2")));
    known_commands_deinit(&known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_latest_that_was_answered_is_the_control),
        cmocka_unit_test(test_of_other_devices_only_the_latest_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
