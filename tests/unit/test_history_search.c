/* The search in a device's history: when what is not found counts as not processed. */
#include "unit.h"

#include "core/buf.h"
#include "platform/history_search.h"

#define ROW                                                                                    \
    "/nbiot/"                                                                                  \
    "offline?imei=865820031313187&expired_time=2030-01-08T00:00:00&obj_id=3311&obj_inst_id=0&" \
    "mode=2"

enum { DEVICE = 1, OTHER = 2, SENT_S = 1700000000 };

static const char body[] = "{\"data\":[{\"res_id\":5850,\"val\":true}]}";
static const char control[] = "00000000-1111-4111-8111-000000000000";

static const struct likeness_request request = {ACTION_WRITE,
                                                {ROW, sizeof(ROW) - 1},
                                                {body, sizeof(body) - 1}};

/* Of a list with so many commands behind the row's, and the control where it is there; it says that
 * there are so many more. */
static void list(struct buf *out, unsigned later, bool has_control, unsigned more)
{
    buf_clear(out);
    buf_add_string(out, "{\"errno\":0,\"data\":{\"items\":[");
    if (has_control)
        buf_add_format(out, "{\"cmd_uuid\":\"%s\",\"type\":\"WRITE\",\"send_status\":1}", control);
    for (unsigned i = 0; i < later; i++)
        buf_add_format(out,
                       "%s{\"cmd_uuid\":\"00000000-2222-4222-8222-%012u\",\"type\":\"READ\","
                       "\"send_status\":1,\"create_time\":\"2030-01-01 00:00:00\"}",
                       i > 0 ? "," : "", i);
    buf_add_format(out, "],\"total_count\":%u}}", later + has_control + more);
    (void)buf_string(out);
}

struct scene {
    int64_t control_at_ms; /* 0: there is none */
    bool is_prompt;
    bool is_listed; /* the control is in its device's list */
    unsigned later;
    unsigned more; /* entries that are not shown: each page is the first one */
};

/* Two looks at a history without the row's command. */
static struct search_found look_twice(const struct scene *scene)
{
    struct known_commands known;
    struct history_search *search;
    struct search_found found;
    struct buf answer;

    buf_init(&answer, 64 * 1024);
    known_commands_init(&known);
    known.is_prompt = scene->is_prompt;
    if (scene->control_at_ms != 0)
        known_commands_note(&known, OTHER, span_string(control), scene->control_at_ms);
    assert_int_equal(history_search_new(&known, DEVICE, 1, 1, &search), STATUS_OK);
    history_search_add_row(search, 1, true);
    history_search_add_request(search, &request, SENT_S, SENT_S);
    history_search_sent_until(search, (int64_t)SENT_S * 1000);
    enum search_step step = SEARCH_LATER;
    for (int looks = 0; looks < SEARCH_LOOKS_MAX && step == SEARCH_LATER; looks++) {
        step = history_search_begin(search);
        while (step == SEARCH_ASK) {
            enum operation operation;
            struct question question;
            history_search_ask(search, &operation, &question);
            assert_int_equal(operation, OPERATION_LIST);
            list(&answer, question.device == DEVICE ? scene->later : 0,
                 question.device == OTHER && scene->is_listed,
                 question.device == DEVICE ? scene->more : 0);
            step = history_search_take(search, buf_span(&answer), "");
        }
    }
    history_search_found(search, 0, &found);
    history_search_free(search);
    known_commands_deinit(&known);
    buf_deinit(&answer);
    return found;
}

static const int64_t before_ms = ((int64_t)SENT_S - 60) * 1000,
                     behind_ms = ((int64_t)SENT_S + 60) * 1000;

static void test_a_newer_command_in_its_list_shows_what_is_missing(void **state)
{
    (void)state;
    assert_int_equal(look_twice(&(struct scene){behind_ms, false, true, 0, 0}).claim, CLAIM_NONE);
    assert_int_equal(look_twice(&(struct scene){behind_ms, false, false, 0, 0}).claim,
                     CLAIM_UNCLEAR);
    assert_int_equal(look_twice(&(struct scene){behind_ms, true, false, 0, 0}).claim,
                     CLAIM_UNCLEAR);
}

static void test_an_older_command_or_none_shows_nothing(void **state)
{
    (void)state;
    assert_int_equal(look_twice(&(struct scene){before_ms, false, true, 0, 0}).claim,
                     CLAIM_UNCLEAR);
    assert_int_equal(look_twice(&(struct scene){0, false, true, 0, 0}).claim, CLAIM_UNCLEAR);
}

static void test_who_knows_how_soon_it_tells_says_so(void **state)
{
    (void)state;
    assert_int_equal(look_twice(&(struct scene){before_ms, true, true, 0, 0}).claim, CLAIM_NONE);
    assert_int_equal(look_twice(&(struct scene){0, true, true, 0, 0}).claim, CLAIM_NONE);
}

static void test_ten_later_commands_may_have_taken_its_place(void **state)
{
    (void)state;
    assert_int_equal(look_twice(&(struct scene){behind_ms, false, true, 9, 0}).claim, CLAIM_NONE);
    assert_int_equal(look_twice(&(struct scene){behind_ms, false, true, 10, 0}).claim,
                     CLAIM_UNCLEAR);
}

static void test_pages_that_repeat_show_nothing(void **state)
{
    (void)state;
    assert_int_equal(look_twice(&(struct scene){behind_ms, false, true, 2, 2}).claim,
                     CLAIM_UNCLEAR);
    assert_int_equal(look_twice(&(struct scene){behind_ms, false, true, 2, 0}).claim, CLAIM_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_newer_command_in_its_list_shows_what_is_missing),
        cmocka_unit_test(test_an_older_command_or_none_shows_nothing),
        cmocka_unit_test(test_who_knows_how_soon_it_tells_says_so),
        cmocka_unit_test(test_ten_later_commands_may_have_taken_its_place),
        cmocka_unit_test(test_pages_that_repeat_show_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
