/* The questions of --online, in virtual time: what is asked, and what is learnt of it. */
#include "unit.h"

#include "platform/history_search.h"
#include "run/places.h"

enum { START_S = 1800000000 };

#define DEVICE UINT64_C(865820031310001)

static struct {
    struct fleet fleet;
    struct waiting waiting;
    struct known_commands own;
    struct places places;
    struct engine_time now;
    struct item item;
    struct problems problems;
    struct command row;
    char target[512];
} world;

static int set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    world.now = (struct engine_time){.ns = INT64_C(5000000000), .wall_ms = START_S * INT64_C(1000)};
    fleet_init(&world.fleet);
    waiting_init(&world.waiting);
    known_commands_init(&world.own);
    problems_init(&world.problems);
    command_init(&world.item.command);
    command_init(&world.row);
    buf_add_char(&world.row.text, '\0');
    const struct places_options options = {.dialect = DIALECT_V1,
                                           .fleet = &world.fleet,
                                           .own = &world.own,
                                           .waiting = &world.waiting};
    places_init(&world.places, &options);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    places_deinit(&world.places);
    fleet_deinit(&world.fleet);
    waiting_deinit(&world.waiting);
    known_commands_deinit(&world.own);
    problems_deinit(&world.problems);
    command_deinit(&world.item.command);
    command_deinit(&world.row);
    return 0;
}

/* A row of the input; resource 0: it writes none. */
static void add(uint16_t resource)
{
    struct footprint footprint = {.count = resource > 0};

    footprint.items[0].res_id = resource;
    world.row.device = DEVICE;
    world.row.object_id = 3311;
    world.row.line++;
    assert_int_equal(fleet_add(&world.fleet, &world.row, &footprint, &world.problems), STATUS_OK);
}

static enum status next(void)
{
    struct source_row row = {.item = &world.item};

    return world.places.base.next(&world.places.base, &row, world.now);
}

static const char *asked(void)
{
    enum status status = next();

    if (status != STATUS_OK)
        return status == STATUS_END ? "" : "later";
    struct span target = command_target(&world.item.command);
    (void)snprintf(world.target, sizeof(world.target), "%.*s", SPAN_ARG(target));
    return world.target;
}

static void end(const struct outcome *outcome, const char *body)
{
    const struct source_end ended = {.item = &world.item,
                                     .outcome = outcome,
                                     .body = span_string(body),
                                     .now = world.now};

    world.places.base.ended(&world.places.base, &ended);
}

static void answer(const char *body)
{
    end(&(struct outcome){.status = ROW_ACCEPTED, .class = OUTCOME_ACCEPTED}, body);
}

#define LIST(total, items) \
    "{\"errno\":0,\"data\":{\"total_count\":" total ",\"items\":[" items "]}}"
#define ITEM(uuid, type, state)                                                \
    "{\"cmd_uuid\":\"" uuid " \",\"type\":\"" type "\",\"send_status\":" state \
    ",\"expired_time\":\"2037-01-01 00:00:00\",\"create_time\":\"2027-01-01 00:00:00\"}"
#define ONE(state, resource)                                                           \
    "{\"errno\":0,\"data\":{\"type\":\"WRITE\",\"send_status\":" state                 \
    ",\"args\":{\"obj_id\":\"3311\",\"obj_inst_id\":0},\"content\":{\"data\":[{\"res_" \
    "id\":" resource ",\"val\":1}]}}}"

/* Whether a row that writes the resource would be warned of the waiting ones. */
static size_t conflicts(uint16_t resource)
{
    struct footprint footprint = {.count = 1};

    footprint.items[0].res_id = resource;
    problems_clear(&world.problems, 1, 2);
    waiting_compare(&world.waiting, &world.row, &footprint, &world.problems);
    return problems_total(&world.problems);
}

static bool is_refused(enum problem_code code)
{
    problems_clear(&world.problems, 1, 2);
    return waiting_refuses(&world.waiting, &world.row, &world.problems) &&
           world.problems.items[0].code == code;
}

static void test_a_device_is_one_list_from_a_year_ago(void **state)
{
    (void)state;
    add(7);
    add(8);
    /* 2027-01-15 16:00 (UTC+8) less 366 days. */
    assert_string_equal(asked(), "/nbiot/offline/history?imei=865820031310001&start=2026-01-14T16:"
                                 "00:00&page=1&per_page=50");
    assert_string_equal(asked(), "later"); /* the answer may bring another question */
    answer(LIST("0", ""));
    assert_string_equal(asked(), "");
    assert_int_equal(world.places.devices, 1);
    assert_int_equal(waiting_taken(&world.waiting, DEVICE), 0);
}

static void test_only_waiting_writes_are_looked_up(void **state)
{
    (void)state;
    add(7);
    (void)asked();
    answer(LIST("5", ITEM("u-1", "WRITE", "1") "," ITEM("u-2", "READ", "1") "," ITEM(
                         "u-3", "WRITE", "5") "," ITEM("u-4", "WRITE", "2") "," ITEM("u-5", "WRITE",
                                                                                     "3")));
    assert_string_equal(asked(), "/nbiot/offline/history/u-1?imei=865820031310001");
    answer(ONE("1", "7"));
    assert_string_equal(asked(), "/nbiot/offline/history/u-5?imei=865820031310001");
    answer(ONE("3", "8"));
    assert_string_equal(asked(), "");
    assert_int_equal(waiting_taken(&world.waiting, DEVICE), 3);
    assert_int_equal(world.places.lookups, 2);
    assert_int_equal(conflicts(7), 1);
    assert_int_equal(conflicts(8), 0); /* no row writes it: it is not kept */
}

static void test_rows_that_write_nothing_need_no_look_up(void **state)
{
    (void)state;
    add(0);
    (void)asked();
    answer(LIST("1", ITEM("u-1", "WRITE", "1")));
    assert_string_equal(asked(), "");
    assert_int_equal(waiting_taken(&world.waiting, DEVICE), 1);
}

static void test_own_commands_take_places_and_are_not_looked_up(void **state)
{
    (void)state;
    assert_int_equal(known_commands_add(&world.own, DEVICE, SPAN_LITERAL("u-1")), STATUS_OK);
    add(7);
    (void)asked();
    answer(LIST("2", ITEM("u-1", "WRITE", "1") "," ITEM("u-2", "WRITE", "1")));
    assert_string_equal(asked(), "/nbiot/offline/history/u-2?imei=865820031310001");
    answer(ONE("1", "7"));
    assert_int_equal(waiting_taken(&world.waiting, DEVICE), 2);
    assert_int_equal(conflicts(7), 1);
}

static void test_what_has_ended_meanwhile_takes_no_place(void **state)
{
    (void)state;
    add(7);
    (void)asked();
    answer(LIST("1", ITEM("u-1", "WRITE", "1")));
    (void)asked();
    answer(ONE("5", "7"));
    assert_int_equal(waiting_taken(&world.waiting, DEVICE), 0);
    assert_int_equal(conflicts(7), 0);
}

static void test_expired_by_the_platforms_clock_it_does_not_wait(void **state)
{
    static const char list[] = LIST("1", "{\"cmd_uuid\":\"u-1\",\"send_status\":1,"
                                         "\"expired_time\":\"2027-01-15 16:00:00\"}");

    (void)state;
    add(0);
    world.places.clock_off_s = 299; /* five minutes' grace */
    (void)asked();
    answer(list);
    assert_int_equal(waiting_taken(&world.waiting, DEVICE), 1);
    (void)tear_down(NULL);
    (void)set_up(NULL);
    add(0);
    world.places.clock_off_s = 301;
    (void)asked();
    answer(list);
    assert_int_equal(waiting_taken(&world.waiting, DEVICE), 0);
}

static void test_pages_that_overlap_count_a_command_once(void **state)
{
    (void)state;
    add(0);
    (void)asked();
    answer(LIST("3", ITEM("u-3", "READ", "1") "," ITEM("u-2", "READ", "1")));
    assert_non_null(strstr(asked(), "&page=2&"));
    answer(LIST("4", ITEM("u-2", "READ", "1") "," ITEM("u-1", "READ", "1")));
    assert_non_null(strstr(asked(), "&page=3&")); /* of four, three were met */
    answer(LIST("4", ITEM("u-1", "READ", "1") "," ITEM("u-0", "READ", "5")));
    assert_string_equal(asked(), "");
    assert_int_equal(waiting_taken(&world.waiting, DEVICE), 3);
    assert_int_equal(world.places.lists, 3);
}

static void test_a_list_that_moved_is_counted_anew(void **state)
{
    (void)state;
    add(7);
    (void)asked();
    answer(LIST("3", ITEM("u-3", "READ", "1") "," ITEM("u-2", "WRITE", "1")));
    assert_non_null(strstr(asked(), "&page=2&"));
    answer(LIST("4", ITEM("u-2", "WRITE", "1") "," ITEM("u-1", "READ", "1")));
    assert_non_null(strstr(asked(), "&page=3&"));
    answer(LIST("4", ""));
    assert_non_null(strstr(asked(), "&page=1&"));
    answer(LIST("4", ITEM("u-4", "READ", "1") "," ITEM("u-3", "READ", "1") "," ITEM(
                         "u-2", "WRITE", "5") "," ITEM("u-1", "READ", "1")));
    assert_string_equal(asked(), ""); /* the write has been delivered meanwhile */
    assert_int_equal(waiting_taken(&world.waiting, DEVICE), 3);
}

static void test_what_cannot_be_read_is_a_gap(void **state)
{
    static const char *const lists[] = {
        "<html>", LIST("1", "null"), LIST("1", "{\"cmd_uuid\":\"u-1\"}"), LIST("9", ""),
        LIST("1", "{\"cmd_uuid\":\"u-1\",\"send_status\":5,\"imei\":\"865820031310002\"}")};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        add(7);
        (void)asked();
        answer(lists[i]);
        assert_string_equal(asked(), "");
        assert_true(is_refused(PROBLEM_UNASKED));
        assert_int_equal(world.places.unknown, 1);
        (void)tear_down(NULL);
        (void)set_up(NULL);
    }
    /* Negative control. */
    add(7);
    (void)asked();
    answer(LIST("1", "{\"cmd_uuid\":\"u-1\",\"send_status\":5,\"imei\":\"865820031310001\"}"));
    assert_false(is_refused(PROBLEM_UNASKED));
}

static void test_a_command_that_cannot_be_read_is_a_gap(void **state)
{
    (void)state;
    add(7);
    (void)asked();
    answer(LIST("1", ITEM("u-1", "WRITE", "1")));
    (void)asked();
    answer("{\"errno\":0,\"data\":{}}");
    assert_string_equal(asked(), "");
    assert_true(is_refused(PROBLEM_UNASKED));
}

static void test_a_refusal_is_told_apart_from_no_answer(void **state)
{
    const struct outcome refusal = {.status = ROW_REJECTED,
                                    .class = OUTCOME_REFUSED,
                                    .has_errno = true,
                                    .platform_errno = 8,
                                    .meaning = MEANING_REJECTED,
                                    .error = "not found"};
    const struct outcome none = {.status = ROW_FAILED, .class = OUTCOME_AGAIN, .error = "HTTP 503"};

    (void)state;
    add(7);
    (void)asked();
    end(&refusal, "");
    assert_true(is_refused(PROBLEM_DEVICE));
    assert_int_equal(world.places.refused, 1);
    (void)tear_down(NULL);
    (void)set_up(NULL);
    add(7);
    (void)asked();
    end(&none, "");
    assert_true(is_refused(PROBLEM_UNASKED));
    assert_int_equal(world.places.unknown, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_device_is_one_list_from_a_year_ago),
        TEST(test_only_waiting_writes_are_looked_up),
        TEST(test_rows_that_write_nothing_need_no_look_up),
        TEST(test_own_commands_take_places_and_are_not_looked_up),
        TEST(test_what_has_ended_meanwhile_takes_no_place),
        TEST(test_expired_by_the_platforms_clock_it_does_not_wait),
        TEST(test_pages_that_overlap_count_a_command_once),
        TEST(test_a_list_that_moved_is_counted_anew),
        TEST(test_what_cannot_be_read_is_a_gap),
        TEST(test_a_command_that_cannot_be_read_is_a_gap),
        TEST(test_a_refusal_is_told_apart_from_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
