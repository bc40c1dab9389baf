#include "unit.h"

#include <cjson/cJSON.h>

#include "sim/auth.h"
#include "sim/history.h"

/* A platform with devices, and a clock that the test sets. */

enum { T0_S = 1000000000 };

struct world {
    struct platform platform;
    struct auth auth;
    struct platform_answer answer;
    struct buf target;
    char uuid[UUID_LENGTH + 1]; /* of the last command */
    int64_t now_ms;
    uint64_t sent, ended;
};

static const char imei[] = "865820031313187";

static void count_event(void *context, uint64_t device, const struct store_command *command)
{
    struct world *world = context;

    assert_true(device == 865820031313187);
    world->sent += command->life.send_status == SEND_SENT ? 1 : 0;
    world->ended += command_life_has_ended(&command->life) ? 1 : 0;
}

static void begin_with(struct world *world, const struct platform_options *options)
{
    memset(world, 0, sizeof(*world));
    world->now_ms = (int64_t)T0_S * 1000;
    assert_int_equal(platform_init(&world->platform, options, &world->auth), STATUS_OK);
    world->platform.devices.event = count_event;
    world->platform.devices.context = world;
    buf_init(&world->answer.body, PLATFORM_ANSWER_MAX);
    buf_init(&world->target, PLATFORM_TARGET_MAX);
}

/* Every device reports in each ten seconds. */
static struct platform_options lively(void)
{
    return (struct platform_options){
        .queue_limit = 10,
        .max_commands = 1000,
        .devices = {.uplink_min_ms = 10000, .uplink_max_ms = 10000, .clock = 1, .seed = 7}};
}

static void end(struct world *world)
{
    platform_deinit(&world->platform);
    buf_deinit(&world->answer.body);
    buf_deinit(&world->target);
}

static int64_t ask(struct world *world, const char *method, const char *target, const char *body)
{
    struct platform_request request = {.body = span_string(body)};

    buf_clear(&world->target);
    buf_add_string(&world->target, target);
    buf_add_char(&world->target, '\0');
    call_parse(DIALECT_V1, span_string(method), span_of(world->target.ptr, world->target.len - 1),
               &request.call);
    assert_int_equal(platform_answer(&world->platform, &request, world->now_ms, &world->answer),
                     STATUS_OK);
    if (world->answer.uuid[0] != '\0')
        memcpy(world->uuid, world->answer.uuid, sizeof(world->uuid));
    return world->answer.has_errno ? world->answer.platform_errno : -(int64_t)world->answer.http;
}

static cJSON *body_of(const struct world *world)
{
    cJSON *body = cJSON_ParseWithLength(world->answer.body.ptr, world->answer.body.len);
    assert_non_null(body);
    return body;
}

static void submit(struct world *world, const char *method, const char *path, const char *params,
                   const char *body)
{
    char target[512];

    (void)snprintf(target, sizeof(target), "/nbiot/%s?imei=%s&expired_time=2001-09-10T12:00:00&%s",
                   path, imei, params);
    assert_int_equal(ask(world, method, target, body), 0);
}

static void write_value(struct world *world, const char *params, const char *data)
{
    char body[256];

    (void)snprintf(body, sizeof(body), "{\"data\":%s}", data);
    submit(world, "POST", "offline", params, body);
}

static void pass(struct world *world, int64_t ms)
{
    world->now_ms += ms;
    while (devices_next(&world->platform.devices) <= world->now_ms)
        devices_advance(&world->platform.devices, world->now_ms, 100);
}

/* What the history says of a command: a member of it as text, to be freed. */
static char *say(struct world *world, const char *uuid, const char *member)
{
    char target[160];

    (void)snprintf(target, sizeof(target), "/nbiot/offline/history/%s?imei=%s", uuid, imei);
    assert_int_equal(ask(world, "GET", target, ""), 0);
    cJSON *body = body_of(world);
    const cJSON *data = cJSON_GetObjectItem(body, "data");
    char *text = cJSON_PrintUnformatted(cJSON_GetObjectItem(data, member));
    cJSON_Delete(body);
    return text;
}

static void expect(struct world *world, const char *uuid, const char *member, const char *value)
{
    char *text = say(world, uuid, member);

    if (value == NULL)
        assert_null(text);
    else
        assert_string_equal(text, value);
    cJSON_free(text);
}

static void test_nothing_is_delivered_where_no_device_reports_in(void **state)
{
    (void)state;
    struct world world;
    struct platform_options options = lively();

    options.devices.uplink_min_ms = options.devices.uplink_max_ms = 0;
    begin_with(&world, &options);
    write_value(&world, "obj_id=3&obj_inst_id=0&mode=2", "[{\"res_id\":1,\"val\":5}]");
    assert_true(devices_next(&world.platform.devices) == INT64_MAX);
    pass(&world, 3600 * 1000);
    expect(&world, world.uuid, "send_status", "1");
    end(&world);
}

static void test_what_is_written_is_read_back(void **state)
{
    (void)state;
    struct world world;
    struct platform_options options = lively();

    begin_with(&world, &options);
    write_value(&world, "obj_id=3&obj_inst_id=0&mode=2",
                "[{\"res_id\":1,\"val\":1234567890123456789},{\"val\":\"a\\u00e9\",\"res_id\":2}]");
    submit(&world, "GET", "offline", "obj_id=3&obj_inst_id=0&res_id=1", "");
    expect(&world, world.uuid, "cmd_result", NULL);
    pass(&world, 20000);
    assert_int_equal(world.ended, 2);
    expect(&world, world.uuid, "confirm_status", "\"SUCCESS\"");
    expect(&world, world.uuid, "cmd_result",
           "{\"errno\":0,\"error\":\"succ\",\"data\":[{\"obj_inst_id\":0,\"res\":[{\"res_id\":1,"
           "\"val\":1.2345678901234568e+18}]}]}"); /* cJSON's own rounding, in this test */
    assert_non_null(strstr(world.answer.body.ptr, "\"val\":1234567890123456789}"));
    /* mode 1 leaves nothing but what it names */
    write_value(&world, "obj_id=3&obj_inst_id=0&mode=1", "[{\"res_id\":7,\"val\":true}]");
    submit(&world, "GET", "offline", "obj_id=3", "");
    pass(&world, 20000);
    expect(&world, world.uuid, "cmd_result",
           "{\"errno\":0,\"error\":\"succ\",\"data\":[{\"obj_inst_id\":0,\"res\":[{\"res_id\":7,"
           "\"val\":true}]}]}");
    end(&world);
}

static void test_commands_go_out_in_order_when_their_time_has_come(void **state)
{
    (void)state;
    struct world world;
    struct platform_options options = lively();
    char first[UUID_LENGTH + 1];

    begin_with(&world, &options);
    /* 2001-09-09T09:46:40 is T0 on the platform's clock */
    submit(&world, "POST", "execute/offline",
           "obj_id=3&obj_inst_id=0&res_id=4&valid_time=2001-09-09T09:47:40", "");
    memcpy(first, world.uuid, sizeof(first));
    submit(&world, "POST", "execute/offline", "obj_id=3&obj_inst_id=0&res_id=4", "");
    pass(&world, 20000);
    expect(&world, first, "send_status", "1");
    expect(&world, world.uuid, "send_status", "5");
    pass(&world, 60000);
    expect(&world, first, "send_status", "5");
    end(&world);
}

static void test_trigger_msg_says_which_uplinks_count(void **state)
{
    (void)state;
    struct world world;
    struct platform_options options = lively();

    options.devices.seed = 8; /* whose first uplink is no register */
    begin_with(&world, &options);
    for (int i = 0; i < 8; i++)
        submit(&world, "GET", "offline", "obj_id=3&trigger_msg=1", ""); /* one uplink of twenty */
    pass(&world, 11000);
    uint64_t soon = world.sent;
    pass(&world, 400LL * 10000);
    assert_int_equal(soon, 0);
    assert_int_equal(world.ended, 8);
    end(&world);
}

static void test_a_refusal_ends_it_and_a_time_out_is_tried_again(void **state)
{
    (void)state;
    struct world world;
    struct platform_options options = lively();
    struct buf message;

    buf_init(&message, 4096);
    assert_int_equal(devices_add_fault(&options.devices, SPAN_LITERAL("device-bad_request:100%"),
                                       &message),
                     STATUS_OK);
    begin_with(&world, &options);
    submit(&world, "GET", "offline", "obj_id=3&retry=2", "");
    pass(&world, 20000);
    expect(&world, world.uuid, "send_status", "5");
    expect(&world, world.uuid, "confirm_status", "\"BAD_REQUEST\"");
    expect(&world, world.uuid, "remain", "\"2\"");
    expect(&world, world.uuid, "cmd_result", NULL);
    world.platform.options.devices.faults[0].confirm_status = 5;
    world.sent = 0;
    submit(&world, "GET", "offline", "obj_id=3&retry=2&timeout=5", "");
    while (world.ended == 1) { /* it has not failed yet */
        char *status = say(&world, world.uuid, "send_status");
        bool failed = strcmp(status, "6") == 0;
        cJSON_free(status);
        if (failed)
            break;
        pass(&world, 1000);
    }
    expect(&world, world.uuid, "remain", "\"2\""); /* and waits for the next uplink */
    pass(&world, 200000);
    assert_int_equal(world.sent, 3);
    expect(&world, world.uuid, "send_status", "6");
    expect(&world, world.uuid, "confirm_status", "\"TIME_OUT\"");
    expect(&world, world.uuid, "remain", "\"0\"");
    world.platform.options.devices.faults[0].confirm_status = CONFIRM_NONE;
    submit(&world, "GET", "offline", "obj_id=3", "");
    pass(&world, 60000);
    expect(&world, world.uuid, "send_status", "3");
    pass(&world, 2LL * 86400 * 1000);
    expect(&world, world.uuid, "send_status", "4");
    assert_true(devices_next(&world.platform.devices) == INT64_MAX);
    end(&world);
    buf_deinit(&message);
}

static void test_a_faster_clock_shortens_lives_and_leaves_times(void **state)
{
    (void)state;
    struct world world;
    struct platform_options options = lively();

    options.devices.clock = 100;
    options.devices.faults[options.devices.fault_count++] =
        (struct device_fault){.confirm_status = CONFIRM_NONE, .probability = 1};
    begin_with(&world, &options);
    submit(&world, "GET", "offline", "obj_id=3", "");
    char *time = say(&world, world.uuid, "expired_time");
    assert_string_equal(time, "\"2001-09-10 12:00:00\"");
    cJSON_free(time);
    pass(&world, 200);
    expect(&world, world.uuid, "send_status", "3");
    pass(&world, 94400LL * 10 - 1200); /* 26 hours and more, divided by 100 */
    expect(&world, world.uuid, "send_status", "3");
    pass(&world, 2000);
    expect(&world, world.uuid, "send_status", "4");
    end(&world);
}

static void test_cancel_takes_back_what_waits(void **state)
{
    (void)state;
    struct world world;
    struct platform_options options = lively();
    char target[160];

    begin_with(&world, &options);
    submit(&world, "GET", "offline", "obj_id=3&valid_time=2001-09-09T20:00:00", "");
    (void)snprintf(target, sizeof(target), "/nbiot/offline/cancel/%s?imei=%s", world.uuid, imei);
    assert_int_equal(ask(&world, "PUT", target, ""), 0);
    assert_string_equal(buf_string(&world.answer.body), "{\"errno\":0,\"error\":\"succ\"}");
    assert_int_equal(ask(&world, "PUT", target, ""), 5106);
    assert_int_equal(ask(&world, "PUT", "/nbiot/offline/cancel/nonsense?imei=865820031313187", ""),
                     5108);
    expect(&world, world.uuid, "send_status", "2");
    submit(&world, "GET", "offline", "obj_id=3", "");
    pass(&world, 20000);
    submit(&world, "GET", "offline", "obj_id=3&valid_time=2001-09-09T20:00:00", "");
    assert_int_equal(ask(&world, "put", "/nbiot/offline/cancel/all/?imei=865820031313187", ""), 0);
    cJSON *body = body_of(&world);
    const cJSON *data = cJSON_GetObjectItem(body, "data");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(data, "succ")), 1);
    assert_string_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(data, "succ"), 0)->valuestring,
                        world.uuid);
    assert_true(cJSON_GetObjectItem(data, "total")->valuedouble == 1);
    cJSON_Delete(body);
    pass(&world, 86400LL * 1000);
    assert_int_equal(world.sent, 1);
    end(&world);
}

static int count_items(struct world *world, const char *more, double *ret_total)
{
    char target[256];

    (void)snprintf(target, sizeof(target), "/nbiot/offline/history?imei=%s%s", imei, more);
    assert_int_equal(ask(world, "GET", target, ""), 0);
    cJSON *body = body_of(world);
    const cJSON *data = cJSON_GetObjectItem(body, "data");
    int count = cJSON_GetArraySize(cJSON_GetObjectItem(data, "items"));
    *ret_total = cJSON_GetObjectItem(data, "total_count")->valuedouble;
    cJSON_Delete(body);
    return count;
}

static void test_lists_have_pages_a_period_and_a_lag(void **state)
{
    (void)state;
    struct world world;
    struct platform_options options = lively();
    double total;

    options.queue_limit = 0;
    options.lag_ms = 2000;
    options.devices.uplink_max_ms = 0;
    begin_with(&world, &options);
    for (int i = 0; i < 31; i++) {
        submit(&world, "GET", "offline", "obj_id=3", "");
        world.now_ms += 1000;
    }
    const char *start = "&start=2001-09-09T09:00:00";
    char more[128];
    assert_int_equal(count_items(&world, start, &total), 30); /* the newest two do not show yet */
    assert_true(total == 30);
    world.now_ms += 2000;
    assert_int_equal(count_items(&world, start, &total), 30);
    assert_true(total == 31);
    assert_non_null(strstr(world.answer.body.ptr, world.uuid));
    (void)snprintf(more, sizeof(more), "%s&page=2", start);
    assert_int_equal(count_items(&world, more, &total), 1);
    (void)snprintf(more, sizeof(more), "%s&page=3", start);
    assert_int_equal(count_items(&world, more, &total), 0);
    (void)snprintf(more, sizeof(more), "%s&sort=ASC&per_page=30&page=2", start);
    assert_int_equal(count_items(&world, more, &total), 1);
    assert_non_null(strstr(world.answer.body.ptr, world.uuid));
    assert_int_equal(count_items(&world, "&start=2001-09-09T09:46:45&end=2001-09-09T09:46:49",
                                 &total),
                     5);
    assert_int_equal(ask(&world, "GET", "/nbiot/offline/history?imei=865820031313187", ""), 3);
    assert_int_equal(ask(&world, "GET",
                         "/nbiot/offline/history?imei=865820031313187&start=2001-09-09", ""),
                     5108);
    end(&world);
}

static void test_bad_settings_are_refused(void **state)
{
    (void)state;
    struct devices_options options = {.clock = 1};
    struct buf message;

    buf_init(&message, 4096);
    assert_int_equal(devices_parse_uplink(SPAN_LITERAL("5s..60s"), &options), STATUS_OK);
    assert_true(options.uplink_min_ms == 5000 && options.uplink_max_ms == 60000);
    assert_int_equal(devices_parse_uplink(SPAN_LITERAL("60s..5s"), &options), STATUS_RANGE);
    assert_int_equal(devices_parse_uplink(SPAN_LITERAL("0"), &options), STATUS_RANGE);
    assert_int_equal(devices_parse_uplink(SPAN_LITERAL("5"), &options), STATUS_SYNTAX);
    assert_int_equal(devices_parse_uplink(SPAN_LITERAL(""), &options), STATUS_SYNTAX);
    assert_int_equal(devices_add_fault(&options, SPAN_LITERAL("device-success:1%"), &message),
                     STATUS_USAGE);
    assert_non_null(strstr(buf_string(&message), "device-not_found"));
    assert_int_equal(devices_add_fault(&options, SPAN_LITERAL("device-silent"), &message),
                     STATUS_USAGE);
    assert_int_equal(devices_add_fault(&options, SPAN_LITERAL("device-silent:60%"), &message),
                     STATUS_OK);
    assert_int_equal(devices_add_fault(&options, SPAN_LITERAL("device-time_out:60%"), &message),
                     STATUS_USAGE);
    assert_int_equal(options.fault_count, 1);
    buf_deinit(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_delivered_where_no_device_reports_in),
        cmocka_unit_test(test_what_is_written_is_read_back),
        cmocka_unit_test(test_commands_go_out_in_order_when_their_time_has_come),
        cmocka_unit_test(test_trigger_msg_says_which_uplinks_count),
        cmocka_unit_test(test_a_refusal_ends_it_and_a_time_out_is_tried_again),
        cmocka_unit_test(test_a_faster_clock_shortens_lives_and_leaves_times),
        cmocka_unit_test(test_cancel_takes_back_what_waits),
        cmocka_unit_test(test_lists_have_pages_a_period_and_a_lag),
        cmocka_unit_test(test_bad_settings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
