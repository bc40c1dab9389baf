#include "unit.h"

#include "platform/device.h"
#include "platform/history.h"
#include "platform/operation.h"

#define UUID "42742677-adc3-54ca-83a1-5aaaf71482f8"

struct taken {
    struct history_entry entries[4];
    size_t count;
};

static void take(void *context, const struct history_entry *entry)
{
    struct taken *taken = context;
    taken->entries[taken->count++] = *entry;
}

/* As the platform's page shows it: a blank behind the uuid, remain as a text, times that have not
 * come left out. */
static void test_a_page_is_read_as_documented(void **state)
{
    static const char body[] =
        "{\"errno\":0,\"error\":\"succ\",\"data\":{\"total_count\":31,\"items\":["
        "{\"cmd_uuid\":\"" UUID " \",\"type\":\"WRITE\",\"create_time\":\"2020-12-02 09:02:24\","
        "\"valid_time\":\"2020-12-02 09:02:24\",\"expired_time\":\"2020-12-03 09:02:24\","
        "\"trigger_msg\":7,\"send_status\":1,\"imei\":\"865820031313187\",\"remain\":\"3\"},"
        "{\"cmd_uuid\":\"" UUID "\",\"type\":\"READ\",\"create_time\":\"2016-08-05T08:00:00\","
        "\"send_time\":\"2016-08-05 08:00:01\",\"confirm_time\":\"2016-08-05 08:00:02\","
        "\"send_status\":5,\"confirm_status\":\"BAD_REQUEST\",\"remain\":2}]}}";
    struct taken taken = {.count = 0};
    uint64_t total = 0;

    (void)state;
    assert_int_equal(history_read_list(SPAN_LITERAL(body), take, &taken, &total), STATUS_OK);
    assert_int_equal(total, 31);
    assert_int_equal(taken.count, 2);
    const struct history_entry *first = &taken.entries[0], *second = &taken.entries[1];
    assert_string_equal(first->uuid, UUID);
    assert_true(first->has_action && first->action == ACTION_WRITE);
    assert_int_equal(history_state(first), COMMAND_WAITING);
    assert_int_equal(first->confirm, CONFIRM_NONE);
    assert_int_equal(first->remain, 3);
    assert_int_equal(first->times_s[HISTORY_CREATED], 1606870944); /* 01:02:24 UTC */
    assert_int_equal(first->times_s[HISTORY_SENT], HISTORY_NONE);
    assert_int_equal(second->action, ACTION_READ);
    assert_int_equal(history_state(second), COMMAND_REFUSED);
    assert_string_equal(history_confirm_name(second->confirm), "BAD_REQUEST");
    assert_int_equal(second->times_s[HISTORY_CREATED], 1470355200);
    assert_int_equal(second->remain, 2);
}

static void test_older_forms_are_read_as_well(void **state)
{
    struct taken taken = {.count = 0};
    uint64_t total = 7;

    (void)state;
    assert_int_equal(history_read_list(SPAN_LITERAL(
                                           "{\"data\":{\"count\":\"1\",\"items\":[{\"type\":2,"
                                           "\"send_status\":\"5\",\"confirm_status\":9}]},"
                                           "\"error\":\"success\",\"errno\":0}"),
                                       take, &taken, &total),
                     STATUS_OK);
    assert_int_equal(total, 1);
    assert_int_equal(taken.entries[0].action, ACTION_EXECUTE);
    assert_int_equal(taken.entries[0].confirm, CONFIRM_BAD_REQUEST);
    assert_int_equal(history_state(&taken.entries[0]), COMMAND_REFUSED);
    assert_int_equal(history_read_list(SPAN_LITERAL("{\"data\":{\"total_count\":0}}"), take, &taken,
                                       &total),
                     STATUS_OK);
    assert_int_equal(total, 0);
    assert_int_equal(taken.count, 1);
}

static void test_one_command_is_read(void **state)
{
    struct history_entry entry;

    (void)state;
    assert_int_equal(
        history_read_one(SPAN_LITERAL("{\"code\":0,\"msg\":\"succ\",\"data\":{\"type\":\"EXECUTE\","
                                      "\"send_status\":5,\"confirm_status\":\"SUCCESS\","
                                      "\"args\":{\"obj_id\":3},\"content\":{\"args\":\"ping\"},"
                                      "\"feedback_msg\":[]}}"),
                         &entry),
        STATUS_OK);
    assert_string_equal(entry.uuid, "");
    assert_int_equal(history_state(&entry), COMMAND_DELIVERED);
    assert_int_equal(history_read_one(SPAN_LITERAL("{\"errno\":0,\"error\":\"succ\"}"), &entry),
                     STATUS_SYNTAX);
    assert_int_equal(history_read_one(SPAN_LITERAL("{\"data\":{}}"), &entry), STATUS_SYNTAX);
    assert_int_equal(history_read_one(SPAN_LITERAL("{\"data\":{\"send_status\":1}"), &entry),
                     STATUS_SYNTAX);
}

static void test_each_send_status_is_a_state(void **state)
{
    static const enum command_state wanted[] = {
        COMMAND_UNCLEAR,   COMMAND_WAITING, COMMAND_CANCELLED, COMMAND_SENT,   COMMAND_EXPIRED,
        COMMAND_DELIVERED, COMMAND_FAILED,  COMMAND_FAILED,    COMMAND_FAILED, COMMAND_UNCLEAR,
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        const struct history_entry entry = {.send_status = (int)i, .confirm = CONFIRM_NONE};
        assert_int_equal(history_state(&entry), wanted[i]);
    }
    /* Neither done nor refused: nobody knows what the word means. */
    const struct history_entry odd = {.send_status = 5, .confirm = CONFIRM_OTHER};
    assert_int_equal(history_state(&odd), COMMAND_UNCLEAR);
    const struct history_entry no = {.send_status = 5, .confirm = CONFIRM_BAD_REQUEST};
    assert_int_equal(history_state(&no), COMMAND_REFUSED);
}

static void test_an_answer_that_is_not_documented_keeps_its_word(void **state)
{
    static const struct {
        const char *given, *word;
    } cases[] = {{"\"DEVICE_BUSY\"", "DEVICE_BUSY"},
                 {"99", "99"},
                 {"\" a\\u0007b \"", "a\\x07b"},
                 {"\"SUCCESS\"", ""},
                 {"13", ""},
                 {"null", ""}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct history_entry entry;
        char body[128];
        (void)snprintf(body, sizeof(body), "{\"data\":{\"send_status\":5,\"confirm_status\":%s}}",
                       cases[i].given);
        assert_int_equal(history_read_one(span_string(body), &entry), STATUS_OK);
        assert_string_equal(entry.word, cases[i].word);
        assert_int_equal(entry.confirm == CONFIRM_OTHER, cases[i].word[0] != '\0');
    }
}

/* An item that says nothing may be any command: it is told, and not taken for one that was seen. */
static void test_items_that_cannot_be_read_are_told(void **state)
{
    struct taken taken = {.count = 0};
    uint64_t total = 0;

    (void)state;
    assert_int_equal(history_read_list(
                         SPAN_LITERAL("{\"data\":{\"total_count\":4,\"items\":[null,7,"
                                      "{},{\"cmd_uuid\":\"" UUID "\",\"send_status\":\"soon\"}]}}"),
                         take, &taken, &total),
                     STATUS_OK);
    assert_int_equal(taken.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(taken.entries[i].uuid, i < 3 ? "" : UUID);
        assert_int_equal(taken.entries[i].send_status, HISTORY_NONE);
    }
    struct history_entry entry;
    assert_int_equal(history_read_one(SPAN_LITERAL("{\"data\":{\"send_status\":5.5}}"), &entry),
                     STATUS_SYNTAX);
}

static void test_an_entry_of_another_device_or_command_is_told_apart(void **state)
{
    static const struct {
        const char *members;
        bool is_of_another;
    } cases[] = {{"", false},
                 {",\"imei\":\"865820031313187\"", false},
                 {",\"imei\":\" 865820031313187 \"", false},
                 {",\"imei\":865820031313187", false},
                 {",\"imei\":\"865820031313188\"", true},
                 {",\"imei\":865820031313188", true},
                 {",\"imei\":\"8658****3187\"", true},
                 {",\"imei\":null", false},
                 {",\"cmd_uuid\":\" " UUID " \"", false},
                 {",\"uuid\":\"" UUID "\"", false},
                 {",\"cmd_uuid\":\"another\"", true}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct history_entry entry;
        uint64_t device = 0;
        char body[256];
        assert_true(device_read(SPAN_LITERAL("865820031313187"), &device));
        (void)snprintf(body, sizeof(body), "{\"data\":{\"send_status\":5%s}}", cases[i].members);
        assert_int_equal(history_read_one(span_string(body), &entry), STATUS_OK);
        assert_int_equal(history_is_of_another(&entry, device, SPAN_LITERAL(UUID " ")),
                         cases[i].is_of_another);
    }
}

static void count_cancelled(void *context, struct span uuid, bool is_cancelled)
{
    size_t *counts = context;
    assert_true(uuid.len > 0);
    counts[is_cancelled]++;
}

static void test_what_was_cancelled_is_read(void **state)
{
    size_t counts[2] = {0, 0};

    (void)state;
    assert_int_equal(history_read_cancelled(SPAN_LITERAL(
                                                "{\"errno\":0,\"error\":\"succ\",\"data\":{"
                                                "\"succ\":[\"a\",\"b\"],\"failed\":[\"c\"],"
                                                "\"total\":3}}"),
                                            count_cancelled, counts),
                     STATUS_OK);
    assert_int_equal(counts[true], 2);
    assert_int_equal(counts[false], 1);
}

static struct operation_call asked(enum dialect dialect, enum operation operation,
                                   const struct question *question, struct buf *target)
{
    struct operation_call call;
    assert_int_equal(operation_request(dialect, operation, question, target, &call), STATUS_OK);
    assert_int_equal(call.body.len, 0);
    assert_int_equal(call.target.ptr[call.target.len], '\0');
    return call;
}

static void test_questions_are_asked_as_documented(void **state)
{
    struct question question = {.uuid = SPAN_LITERAL(UUID), .start_s = 1470355200};
    struct operation_call call;
    struct buf target;

    (void)state;
    buf_init(&target, 4096);
    assert_true(device_read(SPAN_LITERAL("865820031313187"), &question.device));
    call = asked(DIALECT_V1, OPERATION_LIST, &question, &target);
    assert_int_equal(call.method, METHOD_GET);
    assert_span(call.target,
                "/nbiot/offline/history?imei=865820031313187&start=2016-08-05T08:00:00");
    question.end_s = 1606870944;
    question.page = 2;
    question.per_page = 100;
    question.ascending = true;
    call = asked(DIALECT_V2, OPERATION_LIST, &question, &target);
    assert_span(call.target,
                "/nb-iot/offline/history?imei=865820031313187&start=2016-08-05T08:00:00&"
                "end=2020-12-02T09:02:24&page=2&per_page=100&sort=ASC");
    call = asked(DIALECT_V1, OPERATION_LOOKUP, &question, &target);
    assert_int_equal(call.method, METHOD_GET);
    assert_span(call.target, "/nbiot/offline/history/" UUID "?imei=865820031313187");
    call = asked(DIALECT_V2, OPERATION_CANCEL, &question, &target);
    assert_int_equal(call.method, METHOD_PUT);
    assert_span(call.target, "/nb-iot/offline/cancel/" UUID "?imei=865820031313187");
    call = asked(DIALECT_V1, OPERATION_CANCEL_ALL, &question, &target);
    assert_span(call.target, "/nbiot/offline/cancel/all?imei=865820031313187");
    question.start_s = INT64_MAX;
    assert_int_equal(operation_request(DIALECT_V1, OPERATION_LIST, &question, &target, &call),
                     STATUS_RANGE);
    buf_deinit(&target);
}

struct values {
    char text[512];
    size_t len;
};

static void take_value(void *context, const struct history_value *value)
{
    struct values *values = context;

    values->len +=
        (size_t)snprintf(values->text + values->len, sizeof(values->text) - values->len,
                         "%d/%d/%d/%d=%s%.*s ", (int)value->obj_id, (int)value->obj_inst_id,
                         (int)value->res_id, (int)value->res_inst_id, value->is_string ? "s:" : "",
                         SPAN_ARG(value->text));
}

static void test_values_are_read_digit_for_digit(void **state)
{
    struct values values = {.len = 0};

    (void)state;
    assert_int_equal(
        history_read_values(
            SPAN_LITERAL("{\"errno\":0,\"data\":{\"send_status\":5,\"args\":{\"obj_id\":3311},"
                         "\"cmd_result\":{\"errno\":0,\"data\":[{\"res\":[{\"val\":"
                         "9223372036854775807,\"res_id\":1},{\"res_id\":2,\"val\":1.50},"
                         "{\"res_id\":3,\"val\":\"a\\u0041\"},{\"res_id\":4,\"res_inst\":"
                         "[{\"res_inst_id\":7,\"val\":true},{\"res_inst_id\":8,\"val\":[1,2]}]}],"
                         "\"obj_inst_id\":0}]}}}"),
            take_value, &values),
        STATUS_OK);
    assert_string_equal(values.text, "3311/0/1/-1=9223372036854775807 3311/0/2/-1=1.50 "
                                     "3311/0/3/-1=s:aA 3311/0/4/7=true 3311/0/4/8=[1,2] ");
    values.len = 0;
    /* As texts that are JSON themselves; of a write there is nothing. */
    assert_int_equal(
        history_read_values(SPAN_LITERAL(
                                "{\"data\":{\"args\":\"{\\\"obj_id\\\":3}\",\"cmd_result\":\"{"
                                "\\\"data\\\":[{\\\"obj_inst_id\\\":1,\\\"res\\\":[{"
                                "\\\"res_id\\\":9,\\\"val\\\":\\\"x\\\"}]}]}\"}}"),
                            take_value, &values),
        STATUS_OK);
    assert_string_equal(values.text, "3/1/9/-1=s:x ");
    values.len = 0;
    values.text[0] = '\0';
    assert_int_equal(history_read_values(SPAN_LITERAL("{\"data\":{\"cmd_result\":{\"errno\":0}}}"),
                                         take_value, &values),
                     STATUS_OK);
    assert_string_equal(values.text, "");
    assert_int_equal(history_read_values(SPAN_LITERAL("{\"data\":"), take_value, &values),
                     STATUS_SYNTAX);
}

struct pushes {
    struct history_push items[4];
    struct values values;
    size_t count;
};

static void take_push(void *context, const struct history_push *push)
{
    struct pushes *pushes = context;

    pushes->items[pushes->count++] = *push;
    if (push->values.len > 0)
        assert_int_equal(history_read_pushed(push->values, take_value, &pushes->values), STATUS_OK);
}

static void test_pushed_messages_are_read(void **state)
{
    struct pushes pushes = {.count = 0};
    uint64_t device = 0;

    (void)state;
    assert_true(device_read(SPAN_LITERAL("865820031310001"), &device));
    assert_int_equal(
        history_read_push(
            SPAN_LITERAL("{\"msg\":[{\"type\":1,\"value\":3},{\"type\":7,\"cmd_id\":\"" UUID
                         "\",\"imei\":\"865820031310001\",\"cmd_type\":0,\"send_time\":"
                         "1606870944000,\"confirm_time\":1606870945999,\"send_status\":5,"
                         "\"confirm_status\":0,\"confirm_body\":{\"obj_id\":3311,\"obj_inst\":[{"
                         "\"obj_inst_id\":0,\"res\":[{\"res_id\":1,\"val\":12345678901234567}]}]}"
                         "}],\"msg_signature\":\"x\",\"nonce\":\"y\"}"),
            take_push, &pushes),
        STATUS_OK);
    assert_int_equal(pushes.count, 1);
    assert_int_equal(pushes.items[0].device, device);
    assert_string_equal(pushes.items[0].entry.uuid, UUID);
    assert_int_equal(pushes.items[0].entry.action, ACTION_READ);
    assert_int_equal(history_state(&pushes.items[0].entry), COMMAND_DELIVERED);
    assert_int_equal(pushes.items[0].entry.times_s[HISTORY_CONFIRMED], 1606870945);
    assert_int_equal(pushes.items[0].entry.times_s[HISTORY_CREATED], HISTORY_NONE);
    assert_string_equal(pushes.values.text, "3311/0/1/-1=12345678901234567 ");
    /* A message alone, and what is none. */
    assert_int_equal(history_read_push(SPAN_LITERAL("{\"type\":7,\"cmd_id\":\"" UUID
                                                    "\",\"send_status\":5,\"confirm_status\":9}"),
                                       take_push, &pushes),
                     STATUS_OK);
    assert_int_equal(pushes.count, 2);
    assert_int_equal(history_state(&pushes.items[1].entry), COMMAND_REFUSED);
    assert_int_equal(history_read_push(SPAN_LITERAL("{\"msg\":\"hello\"}"), take_push, &pushes),
                     STATUS_SYNTAX);
    assert_int_equal(history_read_push(SPAN_LITERAL("row,key"), take_push, &pushes), STATUS_SYNTAX);
    assert_int_equal(history_read_push(SPAN_LITERAL("[]"), take_push, &pushes), STATUS_OK);
    assert_int_equal(pushes.count, 2);
}

static struct history_write write_of(const char *data)
{
    char body[1024];
    struct history_write write;

    int len = snprintf(body, sizeof(body), "{\"errno\":0,\"data\":%s}", data);
    assert_int_equal(history_read_write(span_of(body, (size_t)len), &write), STATUS_OK);
    return write;
}

static void test_where_a_command_writes_is_read(void **state)
{
    struct history_write write;

    (void)state;
    write = write_of("{\"args\":{\"obj_id\":3311,\"obj_inst_id\":\"2\"},"
                     "\"content\":{\"data\":[{\"res_id\":5850},{\"res_id\":\"7\"}]}}");
    assert_int_equal(write.object, 3311);
    assert_int_equal(write.instance, 2);
    assert_false(write.replaces || write.is_unclear);
    assert_int_equal(write.count, 2);
    assert_int_equal(write.resources[1], 7);
    /* As texts that are JSON. */
    write =
        write_of("{\"args\":\"{\\\"obj_id\\\":1,\\\"obj_inst_id\\\":0,\\\"mode\\\":\\\"1\\\"}\","
                 "\"content\":\"{\\\"data\\\":[{\\\"res_id\\\":9}]}\"}");
    assert_int_equal(write.object, 1);
    assert_true(write.replaces && !write.is_unclear);
    assert_int_equal(write.resources[0], 9);
}

static void test_where_a_command_writes_is_unclear_rather_than_wrong(void **state)
{
    static const char *const unclear[] = {
        "{}",
        "{\"content\":{}}",
        "{\"content\":{\"data\":[]}}",
        "{\"content\":{\"data\":[{\"res_id\":1},{\"val\":1}]}}",
        "{\"content\":{\"data\":[{\"res_id\":65536}]}}",
        "{\"content\":\"{\"}",
        "{\"content\":null}",
    };
    struct history_write write;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(unclear); i++) {
        write = write_of(unclear[i]);
        assert_true(write.is_unclear);
        assert_int_equal(write.object, HISTORY_NONE);
    }
    assert_int_equal(history_read_write(SPAN_LITERAL("{\"data\":[]}"), &write), STATUS_SYNTAX);
    assert_int_equal(history_read_write(SPAN_LITERAL("nothing"), &write), STATUS_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_a_command_writes_is_read),
        cmocka_unit_test(test_where_a_command_writes_is_unclear_rather_than_wrong),
        cmocka_unit_test(test_a_page_is_read_as_documented),
        cmocka_unit_test(test_older_forms_are_read_as_well),
        cmocka_unit_test(test_one_command_is_read),
        cmocka_unit_test(test_values_are_read_digit_for_digit),
        cmocka_unit_test(test_pushed_messages_are_read),
        cmocka_unit_test(test_each_send_status_is_a_state),
        cmocka_unit_test(test_an_answer_that_is_not_documented_keeps_its_word),
        cmocka_unit_test(test_items_that_cannot_be_read_are_told),
        cmocka_unit_test(test_an_entry_of_another_device_or_command_is_told_apart),
        cmocka_unit_test(test_what_was_cancelled_is_read),
        cmocka_unit_test(test_questions_are_asked_as_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
