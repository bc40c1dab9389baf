/* The questions of nbatch status, in virtual time: what is asked, when, and what the answers do. */
#include "unit.h"

#include <errno.h>

#include "core/when.h"
#include "run/questions.h"
#include "send/look_again.h"

enum { START_S = 1800000000, ACCEPTED_S = START_S - 100 };

static struct {
    struct command_table table;
    struct questions questions;
    struct engine_time now;
    struct item item;
    unsigned kept, values;
    bool keep_fails;
    char target[512];
} world;

/* The uuid of a row is u-ROW. */
static enum status find(void *context, const struct command_record *command,
                        struct command_line *ret_line)
{
    (void)context;
    (void)snprintf(ret_line->uuid, sizeof(ret_line->uuid), "u-%u", (unsigned)command->row);
    ret_line->accepted_s = ACCEPTED_S;
    return STATUS_OK;
}

static bool keep(void *context, const struct command_record *command)
{
    (void)context;
    (void)command;
    world.kept++;
    errno = ENOSPC;
    return !world.keep_fails;
}

static bool take_values(void *context, const struct command_record *command, struct span answer)
{
    (void)context;
    (void)command;
    assert_true(answer.len > 0);
    world.values++;
    return true;
}

static void add(uint32_t row, uint64_t device)
{
    char uuid[16];
    struct command_record command = {.row = row,
                                     .device = device,
                                     .state = COMMAND_UNCLEAR,
                                     .confirm = CONFIRM_NONE,
                                     .remain = COMMAND_REMAIN_NONE};

    (void)snprintf(uuid, sizeof(uuid), "u-%u", (unsigned)row);
    command.uuid_hash = command_uuid_hash(span_string(uuid));
    assert_int_equal(command_table_add(&world.table, &command), STATUS_OK);
}

static void begin(bool watch, int64_t timeout_ms, bool wants_values)
{
    const struct questions_options options = {.dialect = DIALECT_V1,
                                              .table = &world.table,
                                              .watch = watch,
                                              .interval_s = 30,
                                              .timeout_ms = timeout_ms,
                                              .wants_values = wants_values,
                                              .find = find,
                                              .keep = keep,
                                              .take_values = take_values};

    world.now = (struct engine_time){.ns = INT64_C(5000000000), .wall_ms = START_S * INT64_C(1000)};
    assert_int_equal(command_table_arrange(&world.table), STATUS_OK);
    questions_init(&world.questions, &options);
}

static int set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    command_init(&world.item.command);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    questions_deinit(&world.questions);
    command_table_deinit(&world.table);
    command_deinit(&world.item.command);
    return 0;
}

static void pass(int64_t seconds)
{
    world.now.ns += seconds * 1000000000;
    world.now.wall_ms += seconds * 1000;
}

static enum status next(int64_t *ret_again_s)
{
    struct row_source *source = &world.questions.base;
    struct source_row row = {.item = &world.item};
    enum status status = source->next(source, &row, world.now);

    if (status == STATUS_AGAIN)
        *ret_again_s =
            row.again_ns == INT64_MAX ? -1 : row.again_ns / 1000000000 - world.now.ns / 1000000000;
    return status;
}

/* The next question's target. */
static const char *asked(void)
{
    int64_t again_s;
    struct span target;

    if (next(&again_s) != STATUS_OK)
        return "";
    target = command_target(&world.item.command);
    (void)snprintf(world.target, sizeof(world.target), "%.*s", SPAN_ARG(target));
    return world.target;
}

/* The question that was asked last is answered. */
static void answer(const char *body)
{
    struct row_source *source = &world.questions.base;
    const struct outcome outcome = {.status = ROW_ACCEPTED, .class = OUTCOME_ACCEPTED};
    const struct source_end end = {.item = &world.item,
                                   .outcome = &outcome,
                                   .body = span_string(body),
                                   .now = world.now};

    source->ended(source, &end);
}

static void answer_otherwise(enum outcome_class class, enum row_status status)
{
    struct row_source *source = &world.questions.base;
    const struct outcome outcome = {.status = status,
                                    .class = class,
                                    .has_errno = true,
                                    .platform_errno = 5108,
                                    .meaning = MEANING_REJECTED};
    const struct source_end end = {.item = &world.item, .outcome = &outcome, .now = world.now};

    source->ended(source, &end);
}

#define DELIVERED "\"send_status\":5,\"confirm_status\":\"SUCCESS\""
#define WAITING   "\"send_status\":1,\"remain\":\"3\""
#define ONE(rest) "{\"errno\":0,\"data\":{" rest "}}"

static enum command_state state_of(uint32_t i)
{
    return (enum command_state)world.table.items[i].state;
}

static void test_one_command_of_a_device_is_looked_up(void **state)
{
    int64_t again_s = 0;

    (void)state;
    add(1, 865820031310001);
    begin(false, 0, false);
    assert_string_equal(asked(), "/nbiot/offline/history/u-1?imei=865820031310001");
    assert_int_equal(next(&again_s), STATUS_AGAIN); /* the answer may bring another question */
    assert_int_equal(again_s, -1);
    answer(ONE(DELIVERED));
    assert_int_equal(state_of(0), COMMAND_DELIVERED);
    assert_true(world.table.items[0].is_final);
    assert_int_equal(world.kept, 1);
    assert_int_equal(next(&again_s), STATUS_END);
    assert_int_equal(world.questions.lookups, 1);
}

static void test_several_commands_of_a_device_are_listed_with_all_pages(void **state)
{
    (void)state;
    add(1, 865820031310001);
    add(2, 865820031310001);
    begin(false, 0, false);
    assert_non_null(strstr(asked(), "/nbiot/offline/history?imei=865820031310001&start="));
    assert_non_null(strstr(world.target, "&page=1&per_page=50&sort=ASC"));
    /* Another's command, and one of ours with a blank behind its uuid; there are more. */
    answer("{\"errno\":0,\"data\":{\"total_count\":3,\"items\":[{\"cmd_uuid\":\"other \"," DELIVERED
           "},{\"cmd_uuid\":\"u-2 \"," DELIVERED "}]}}");
    assert_non_null(strstr(asked(), "&page=2&"));
    /* The count has changed meanwhile; ours is there. */
    answer("{\"errno\":0,\"data\":{\"total_count\":9,\"items\":[{\"cmd_uuid\":\"u-1 \"," WAITING
           "}]}}");
    assert_string_equal(asked(), "");
    assert_int_equal(state_of(0), COMMAND_WAITING);
    assert_int_equal(state_of(1), COMMAND_DELIVERED);
    assert_int_equal(world.questions.lists, 2);
}

static void test_an_empty_page_ends_a_list_whatever_its_count_says(void **state)
{
    (void)state;
    add(1, 865820031310001);
    add(2, 865820031310001);
    begin(false, 0, false);
    (void)asked();
    answer("{\"errno\":0,\"data\":{\"total_count\":31,\"items\":[{\"cmd_uuid\":\"u-1\"," DELIVERED
           "}]}}");
    assert_non_null(strstr(asked(), "&page=2&"));
    answer("{\"errno\":0,\"data\":{\"total_count\":31,\"items\":[]}}");
    assert_string_equal(asked(), "");
    assert_int_equal(state_of(1), COMMAND_MISSING);
    assert_false(world.table.items[1].is_final);
}

static void test_a_refused_look_up_goes_on_as_a_list(void **state)
{
    (void)state;
    add(1, 865820031310001);
    begin(false, 0, false);
    (void)asked();
    answer_otherwise(OUTCOME_REFUSED, ROW_REJECTED);
    assert_int_equal(world.table.items[0].looks, 0);
    assert_non_null(strstr(asked(), "/history?imei="));
    answer("{\"errno\":0,\"data\":{\"total_count\":0}}");
    assert_int_equal(state_of(0), COMMAND_MISSING);
    assert_string_equal(asked(), "");
}

/* Ten of them, so many seconds after ours was accepted. */
static void answer_with_ten(int later_s)
{
    struct buf body;
    char time[WHEN_PLATFORM_LENGTH + 1];

    buf_init(&body, 64 * 1024);
    buf_add_string(&body, "{\"errno\":0,\"data\":{\"total_count\":10,\"items\":[");
    for (int i = 0; i < 10; i++) {
        when_format_platform(ACCEPTED_S + later_s, time);
        buf_add_format(&body, "%s{\"cmd_uuid\":\"o-%d\",\"create_time\":\"%s\"," WAITING "}",
                       i > 0 ? "," : "", i, time);
    }
    buf_add_string(&body, "]}}");
    answer(buf_string(&body));
    buf_deinit(&body);
}

static void test_ten_later_commands_have_overwritten_one_that_is_missing(void **state)
{
    (void)state;
    add(1, 865820031310001);
    begin(true, 0, false);
    (void)asked();
    answer_otherwise(OUTCOME_REFUSED, ROW_REJECTED);
    (void)asked();
    answer_with_ten(0); /* not later: they may have been there before */
    assert_int_equal(state_of(0), COMMAND_MISSING);
    assert_false(world.table.items[0].is_final);
    pass(30);
    (void)asked();
    answer_otherwise(OUTCOME_REFUSED, ROW_REJECTED);
    (void)asked();
    answer_with_ten(1);
    assert_true(world.table.items[0].is_final && world.table.items[0].is_overwritten);
}

/* Six later ones of others, on each page: the platform takes no heed of the page's number. */
static void answer_with_the_same_page(void)
{
    struct buf body;
    char time[WHEN_PLATFORM_LENGTH + 1];

    buf_init(&body, 64 * 1024);
    when_format_platform(ACCEPTED_S + 1, time);
    buf_add_string(&body, "{\"errno\":0,\"data\":{\"total_count\":60,\"items\":[");
    for (int i = 0; i < 6; i++)
        buf_add_format(&body, "%s{\"cmd_uuid\":\"o-%d\",\"create_time\":\"%s\"," WAITING "}",
                       i > 0 ? "," : "", i, time);
    buf_add_string(&body, "]}}");
    answer(buf_string(&body));
    buf_deinit(&body);
}

static void test_a_page_that_repeats_tells_nothing_of_what_is_not_on_it(void **state)
{
    (void)state;
    add(1, 865820031310001);
    add(2, 865820031310001);
    begin(false, 0, false);
    (void)asked();
    answer_with_the_same_page();
    assert_non_null(strstr(asked(), "&page=2&"));
    answer_with_the_same_page();
    assert_string_equal(asked(), "");
    assert_int_equal(world.questions.unanswered, 1);
    for (uint32_t i = 0; i < 2; i++)
        assert_true(world.table.items[i].looks == 0 && !world.table.items[i].is_final);
}

static void test_a_list_that_keeps_its_entries_to_itself_tells_nothing(void **state)
{
    (void)state;
    add(1, 865820031310001);
    add(2, 865820031310001);
    begin(false, 0, false);
    (void)asked();
    answer("{\"errno\":0,\"data\":{\"total_count\":2}}");
    assert_string_equal(asked(), "");
    assert_int_equal(world.questions.unanswered, 1);
    assert_int_equal(world.table.items[0].looks, 0);
}

static void test_the_watch_asks_when_something_is_due_and_ends_with_the_last(void **state)
{
    int64_t again_s = 0;

    (void)state;
    add(1, 865820031310001);
    add(2, 865820031310373);
    begin(true, 0, false);
    (void)asked();
    answer(ONE(WAITING));
    (void)asked();
    answer(ONE(DELIVERED));
    assert_int_equal(next(&again_s), STATUS_AGAIN);
    assert_int_equal(again_s, 30);
    pass(29);
    assert_int_equal(next(&again_s), STATUS_AGAIN);
    assert_int_equal(again_s, 1);
    pass(1);
    assert_non_null(strstr(asked(), "/u-1?"));
    answer(ONE(WAITING));
    assert_int_equal(next(&again_s), STATUS_AGAIN);
    assert_int_equal(again_s, 60);
    pass(60);
    (void)asked();
    answer(ONE(DELIVERED));
    assert_int_equal(next(&again_s), STATUS_END);
}

static void test_without_a_watch_what_is_open_is_asked_about_once(void **state)
{
    int64_t again_s;

    (void)state;
    add(1, 865820031310001);
    begin(false, 0, false);
    (void)asked();
    answer_otherwise(OUTCOME_AMBIGUOUS, ROW_IN_DOUBT);
    assert_int_equal(next(&again_s), STATUS_END);
    assert_int_equal(world.questions.unanswered, 1);
    assert_int_equal(world.kept, 0);
}

static void test_nothing_is_asked_after_the_timeout(void **state)
{
    int64_t again_s = 0;

    (void)state;
    add(1, 865820031310001);
    begin(true, 10000, false);
    (void)asked();
    answer(ONE(WAITING));
    assert_int_equal(next(&again_s), STATUS_AGAIN);
    assert_int_equal(again_s, 10);
    pass(10);
    assert_int_equal(next(&again_s), STATUS_END);
}

static void test_what_is_final_or_has_no_uuid_is_never_asked_about(void **state)
{
    (void)state;
    add(1, 865820031310001);
    add(2, 865820031310001);
    add(3, 865820031310373);
    world.table.items[0].is_final = true;
    world.table.items[2].uuid_hash = 0;
    begin(true, 0, false);
    assert_non_null(strstr(asked(), "/u-2?")); /* the only one that is open: a look-up */
    answer(ONE(DELIVERED));
    assert_string_equal(asked(), "");
}

static void test_a_missing_one_does_not_keep_the_watch_for_days(void **state)
{
    int64_t again_s = 0;
    unsigned looks = 0;

    (void)state;
    add(1, 865820031310001);
    begin(true, 0, false);
    while (next(&again_s) != STATUS_END) {
        answer_otherwise(OUTCOME_REFUSED, ROW_REJECTED);
        assert_int_equal(next(&again_s), STATUS_OK);
        answer("{\"errno\":0,\"data\":{\"total_count\":0,\"items\":[]}}");
        looks++;
        pass(100000);
    }
    assert_int_equal(looks, LOOK_MISSING_MAX);
}

static void test_values_of_delivered_reads_are_fetched_once(void **state)
{
    (void)state;
    add(1, 865820031310001);
    add(2, 865820031310001);
    add(3, 865820031310373);
    begin(false, 0, true);
    (void)asked();
    answer("{\"errno\":0,\"data\":{\"total_count\":2,\"items\":[{\"cmd_uuid\":\"u-1\","
           "\"type\":\"READ\"," DELIVERED "},{\"cmd_uuid\":\"u-2\",\"type\":\"WRITE\"," DELIVERED
           "}]}}");
    assert_int_equal(world.values, 0);
    assert_non_null(strstr(asked(), "/u-1?")); /* the list has no values */
    answer(ONE("\"type\":\"READ\"," DELIVERED));
    assert_int_equal(world.values, 1);
    assert_non_null(strstr(asked(), "/u-3?"));
    answer(ONE("\"type\":\"READ\"," DELIVERED));
    assert_int_equal(world.values, 2);
    assert_string_equal(asked(), "");
}

/* A device with a read that has come and commands that wait: each is asked about once a turn. */
static void test_values_are_fetched_while_other_commands_of_the_device_wait(void **state)
{
    int64_t again_s = 0;

    (void)state;
    for (uint32_t row = 1; row <= 3; row++)
        add(row, 865820031310001);
    begin(true, 0, true);
    assert_non_null(strstr(asked(), "/history?imei="));
    answer("{\"errno\":0,\"data\":{\"total_count\":3,\"items\":["
           "{\"cmd_uuid\":\"u-1\",\"type\":\"READ\"," DELIVERED
           "},{\"cmd_uuid\":\"u-2\",\"type\":\"READ\"," DELIVERED
           "},{\"cmd_uuid\":\"u-3\",\"type\":\"READ\"," WAITING "}]}}");
    assert_non_null(strstr(asked(), "/u-2?"));
    answer(ONE("\"type\":\"READ\"," DELIVERED));
    assert_non_null(strstr(asked(), "/u-1?"));
    answer_otherwise(OUTCOME_AMBIGUOUS, ROW_IN_DOUBT); /* given up */
    assert_int_equal(world.values, 1);
    assert_int_equal(next(&again_s), STATUS_AGAIN);
    assert_int_equal(again_s, 30);
    pass(30);
    assert_non_null(strstr(asked(), "/u-3?"));
    answer(ONE("\"type\":\"READ\"," DELIVERED));
    assert_int_equal(world.values, 2);
    assert_string_equal(asked(), "");
}

static void test_an_answer_that_cannot_be_kept_ends_all(void **state)
{
    int64_t again_s;

    (void)state;
    add(1, 865820031310001);
    add(2, 865820031310373);
    begin(false, 0, false);
    world.keep_fails = true;
    (void)asked();
    answer(ONE(DELIVERED));
    assert_int_equal(next(&again_s), STATUS_IO);
    assert_int_equal(errno, ENOSPC);
}

static void test_a_table_is_arranged_by_row_and_by_device(void **state)
{
    struct command_group group;

    (void)state;
    for (uint32_t i = 0; i < 1000; i++)
        add((i * 7919) % 1000 + 1, 100000 + i % 13);
    begin(false, 0, false);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(world.table.items[i].row, i + 1);
    uint32_t groups = 0;
    for (uint32_t first = 0; first < world.table.count; first += group.count, groups++) {
        group = command_table_group(&world.table, first);
        assert_true(group.count == 76 || group.count == 77);
        for (uint32_t i = 1; i < group.count; i++)
            assert_true(command_table_at(&world.table, group, i - 1)->row <
                        command_table_at(&world.table, group, i)->row);
    }
    assert_int_equal(groups, 13);
    assert_int_equal(command_table_find(&world.table, 100005).count, 77);
    assert_int_equal(command_table_find(&world.table, 99).count, 0);
    const struct command_record *found =
        command_table_find_row(&world.table, 500, command_uuid_hash(SPAN_LITERAL("u-500")));
    assert_int_equal(found->row, 500);
    assert_null(command_table_find_row(&world.table, 500, 7));
}

static void test_what_is_due_first_comes_first(void **state)
{
    struct command_group group;
    uint32_t due = 0;

    (void)state;
    for (uint32_t i = 0; i < 200; i++)
        add(i + 1, 100000 + i);
    world.now.ns = 0;
    assert_int_equal(command_table_arrange(&world.table), STATUS_OK);
    for (uint32_t i = 0; i < 200; i++)
        command_table_wait(&world.table, command_table_group(&world.table, i), (i * 37) % 101);
    assert_false(command_table_next(&world.table, 0, &group) &&
                 command_table_next(&world.table, 0, &group) &&
                 command_table_next(&world.table, 0, &group));
    while (command_table_due(&world.table) != UINT32_MAX) {
        assert_true(command_table_due(&world.table) >= due);
        due = command_table_due(&world.table);
        assert_false(due > 0 && command_table_next(&world.table, due - 1, &group));
        assert_true(command_table_next(&world.table, due, &group));
    }
    assert_int_equal(due, 100);
}

static uint8_t looks_of(uint32_t i)
{
    return world.table.items[i].looks;
}

/* Another device's or command's state is not ours: the command stays open, and it is counted. */
static void test_an_answer_about_another_command_is_not_taken(void **state)
{
    static const char *const answers[] = {ONE(DELIVERED ",\"imei\":\"865820031310002\""),
                                          ONE(DELIVERED ",\"imei\":865820031310002"),
                                          ONE(DELIVERED ",\"cmd_uuid\":\"u-2\"")};

    (void)state;
    for (uint32_t i = 0; i < ARRAY_LENGTH(answers); i++)
        add(i + 1, 865820031310011 + i);
    begin(false, 0, true);
    for (uint32_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        assert_string_not_equal(asked(), "");
        answer(answers[i]);
    }
    for (uint32_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        assert_int_equal(looks_of(i), 0);
        assert_true(command_is_open(&world.table.items[i]));
    }
    assert_int_equal(world.kept, 0);
    assert_int_equal(world.values, 0);
    assert_int_equal(world.questions.of_another, 3);
    assert_int_equal(world.questions.unanswered, 3);
    assert_string_equal(asked(), "");
}

static void test_an_answer_that_names_ours_is_taken(void **state)
{
    (void)state;
    add(1, 865820031310001);
    begin(false, 0, false);
    (void)asked();
    answer(ONE(DELIVERED ",\"imei\":\"865820031310001\",\"cmd_uuid\":\" u-1 \""));
    assert_int_equal(state_of(0), COMMAND_DELIVERED);
    assert_int_equal(world.questions.unanswered, 0);
}

#define LISTED(items) "{\"errno\":0,\"data\":{\"total_count\":2,\"items\":[" items "]}}"

/* What a list does not say whole it does not say of those that it does not name. */
static void test_a_list_that_cannot_be_read_whole_leaves_its_rows_open(void **state)
{
    static const struct {
        const char *body;
        uint64_t unreadable, of_another;
    } cases[] = {
        {LISTED("{\"cmd_uuid\":\"u-1\"," DELIVERED "},null"), 1, 0},
        {LISTED("{\"cmd_uuid\":\"u-1\"," DELIVERED "},12"), 1, 0},
        {LISTED("{\"cmd_uuid\":\"u-1\"," DELIVERED "},{}"), 1, 0},
        {LISTED("{\"cmd_uuid\":\"u-1\"," DELIVERED "},{\"cmd_uuid\":\"u-2\"}"), 1, 0},
        {LISTED("{\"cmd_uuid\":\"u-1\"," DELIVERED "},{\"cmd_uuid\":\"u-2\"," DELIVERED
                ",\"imei\":\"865820031310002\"}"),
         0, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        add(1, 865820031310001);
        add(2, 865820031310001);
        begin(false, 0, false);
        (void)asked();
        answer(cases[i].body);
        assert_string_equal(asked(), "");
        assert_int_equal(state_of(0), COMMAND_DELIVERED);
        assert_int_equal(looks_of(1), 0);
        assert_false(world.table.items[1].is_listed);
        assert_int_equal(world.questions.unreadable, cases[i].unreadable);
        assert_int_equal(world.questions.of_another, cases[i].of_another);
        assert_int_equal(world.questions.unanswered, 1);
        questions_deinit(&world.questions);
        command_table_deinit(&world.table);
    }
    begin(false, 0, false);
}

/* The control: a list that is whole says so of one that it does not have. */
static void test_a_whole_list_without_ours_makes_it_missing(void **state)
{
    (void)state;
    add(1, 865820031310001);
    add(2, 865820031310001);
    begin(false, 0, false);
    (void)asked();
    answer(LISTED("{\"cmd_uuid\":\"u-1\"," DELIVERED "},{\"cmd_uuid\":\"x\"," DELIVERED "}"));
    assert_int_equal(state_of(1), COMMAND_MISSING);
    assert_int_equal(looks_of(1), 1);
}

static void test_a_word_that_is_not_documented_is_kept_and_is_no_end(void **state)
{
    (void)state;
    add(1, 865820031310001);
    add(2, 865820031310002);
    add(3, 865820031310003);
    begin(false, 0, false);
    (void)asked();
    answer(ONE("\"send_status\":5,\"confirm_status\":\"DEVICE_BUSY\""));
    (void)asked();
    answer(ONE("\"send_status\":42"));
    (void)asked(); /* it expired long ago: nothing more can come */
    answer(ONE("\"send_status\":5,\"confirm_status\":77,\"expired_time\":\"2019-01-01 00:00:00\""));
    static const char *const words[] = {"DEVICE_BUSY", "send_status 42", "77"};
    for (uint32_t i = 0; i < 3; i++) {
        const struct command_record *command = &world.table.items[i];
        assert_int_equal(command->state, COMMAND_UNCLEAR);
        assert_int_equal(command->is_final, i == 2);
        assert_string_equal(command_table_word(&world.table, command->word), words[i]);
    }
}

static void test_as_many_words_are_kept_as_there_is_room_for(void **state)
{
    char word[16];

    (void)state;
    assert_int_equal(command_table_keep_word(&world.table, span_string("")), 0);
    for (unsigned i = 0; i < COMMAND_WORDS_MAX + 10; i++) {
        (void)snprintf(word, sizeof(word), "w%u", i);
        uint16_t number = command_table_keep_word(&world.table, span_string(word));
        assert_int_equal(number, command_table_keep_word(&world.table, span_string(word)));
        assert_string_equal(command_table_word(&world.table, number),
                            i < COMMAND_WORDS_MAX ? word : "?");
    }
    assert_string_equal(command_table_word(&world.table, 0), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_command_of_a_device_is_looked_up),
        TEST(test_several_commands_of_a_device_are_listed_with_all_pages),
        TEST(test_an_empty_page_ends_a_list_whatever_its_count_says),
        TEST(test_a_refused_look_up_goes_on_as_a_list),
        TEST(test_ten_later_commands_have_overwritten_one_that_is_missing),
        TEST(test_a_page_that_repeats_tells_nothing_of_what_is_not_on_it),
        TEST(test_a_list_that_keeps_its_entries_to_itself_tells_nothing),
        TEST(test_the_watch_asks_when_something_is_due_and_ends_with_the_last),
        TEST(test_without_a_watch_what_is_open_is_asked_about_once),
        TEST(test_nothing_is_asked_after_the_timeout),
        TEST(test_what_is_final_or_has_no_uuid_is_never_asked_about),
        TEST(test_a_missing_one_does_not_keep_the_watch_for_days),
        TEST(test_values_of_delivered_reads_are_fetched_once),
        TEST(test_values_are_fetched_while_other_commands_of_the_device_wait),
        TEST(test_an_answer_that_cannot_be_kept_ends_all),
        TEST(test_a_table_is_arranged_by_row_and_by_device),
        TEST(test_what_is_due_first_comes_first),
        TEST(test_an_answer_about_another_command_is_not_taken),
        TEST(test_an_answer_that_names_ours_is_taken),
        TEST(test_a_list_that_cannot_be_read_whole_leaves_its_rows_open),
        TEST(test_a_whole_list_without_ours_makes_it_missing),
        TEST(test_a_word_that_is_not_documented_is_kept_and_is_no_end),
        TEST(test_as_many_words_are_kept_as_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
