/* The search in a device's history: when what is not found counts as not processed. */
#include "unit.h"

#include "core/buf.h"
#include "platform/history_search.h"

#define ROW                                                                                    \
    "/nbiot/"                                                                                  \
    "offline?imei=865820031313187&expired_time=2030-01-08T00:00:00&obj_id=3311&obj_inst_id=0&" \
    "mode=2"

enum { DEVICE = 1, OTHER = 2, THIRD = 3, SENT_S = 1700000000 };

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

/* A look at a history without the row's command, in which `accepted_at` questions are answered
 * before another row is accepted, whose command the history shows or not. */
static enum search_step look(struct history_search *search, struct known_commands *known,
                             int accepted_at, bool is_listed)
{
    enum search_step step = SEARCH_ASK;
    struct buf answer;

    buf_init(&answer, 64 * 1024);
    for (int asked = 0; step == SEARCH_ASK; asked++) {
        enum operation operation;
        struct question question;
        history_search_ask(search, &operation, &question);
        if (asked == accepted_at)
            assert_int_equal(known_commands_add(known, OTHER, span_string(control)), STATUS_OK);
        list(&answer, 0, question.device == OTHER && is_listed, 0);
        step = history_search_take(search, buf_span(&answer), "");
    }
    buf_deinit(&answer);
    return step;
}

enum { NEVER = -1 };

/* A search for one row, whose first look has begun. */
static void begin_search(struct known_commands *known, struct history_search **ret_search)
{
    assert_int_equal(history_search_new(known, DEVICE, 1, 1, ret_search), STATUS_OK);
    history_search_add_row(*ret_search, 1, true);
    history_search_add_request(*ret_search, &request, SENT_S, SENT_S);
    assert_int_equal(history_search_begin(*ret_search), SEARCH_ASK);
}

/* Looks while another row is accepted between two of them, or during the second one. Returns how
 * many there were; *ret_claim is what they come to. */
static int look_meanwhile(bool is_between, bool is_listed, enum claim *ret_claim)
{
    struct known_commands known;
    struct history_search *search;
    struct search_found found;
    int looks = 1;

    known_commands_init(&known);
    begin_search(&known, &search);
    enum search_step step = look(search, &known, NEVER, is_listed);
    while (step == SEARCH_LATER) {
        assert_int_equal(history_search_begin(search), SEARCH_ASK); /* and then the row waits */
        if (looks == 1 && is_between)
            assert_int_equal(known_commands_add(&known, OTHER, span_string(control)), STATUS_OK);
        step = look(search, &known, looks == 1 && !is_between ? 0 : NEVER, is_listed);
        looks++;
    }
    history_search_found(search, 0, &found);
    *ret_claim = found.claim;
    history_search_free(search);
    known_commands_deinit(&known);
    return looks;
}

static void test_what_is_accepted_between_two_looks_is_looked_for(void **state)
{
    enum claim claim;

    (void)state;
    assert_int_equal(look_meanwhile(true, true, &claim), 2);
    assert_int_equal(claim, CLAIM_NONE);
    assert_int_equal(look_meanwhile(true, false, &claim), SEARCH_LOOKS_MAX);
    assert_int_equal(claim, CLAIM_UNCLEAR);
}

static void test_what_is_accepted_during_a_look_shows_by_the_next(void **state)
{
    enum claim claim;

    (void)state;
    assert_int_equal(look_meanwhile(false, true, &claim), 3);
    assert_int_equal(claim, CLAIM_NONE);
    assert_int_equal(look_meanwhile(false, false, &claim), SEARCH_LOOKS_MAX);
    assert_int_equal(claim, CLAIM_UNCLEAR);
}

/* A command that a row was given just now does not show yet, and another one is accepted soon: the
 * first is looked for once more. */
static void test_a_fresh_control_has_time_to_show(void **state)
{
    struct known_commands known;
    struct history_search *search;
    struct search_found found;

    (void)state;
    known_commands_init(&known);
    begin_search(&known, &search);
    assert_int_equal(look(search, &known, NEVER, false), SEARCH_LATER);
    assert_int_equal(history_search_begin(search), SEARCH_ASK);
    assert_int_equal(known_commands_add(&known, OTHER, span_string(control)), STATUS_OK);
    assert_int_equal(look(search, &known, NEVER, false), SEARCH_LATER);
    assert_int_equal(history_search_begin(search), SEARCH_ASK);
    assert_int_equal(known_commands_add(&known, THIRD, SPAN_LITERAL("another")), STATUS_OK);
    assert_int_equal(look(search, &known, NEVER, true), SEARCH_END);
    history_search_found(search, 0, &found);
    assert_int_equal(found.claim, CLAIM_NONE);
    history_search_free(search);
    known_commands_deinit(&known);
}

/* Of the control's device no list comes; the row's is empty. Returns whose was asked for first. */
static uint64_t look_without_control(struct history_search *search, enum search_step *ret_step)
{
    enum operation operation;
    struct question question;
    struct buf answer;

    buf_init(&answer, 64 * 1024);
    history_search_ask(search, &operation, &question);
    uint64_t device = question.device;
    assert_int_equal(history_search_take(search, span_of(NULL, 0), "UNSUCESS"), SEARCH_ASK);
    history_search_ask(search, &operation, &question);
    assert_int_equal(question.device, DEVICE);
    list(&answer, 0, false, 0);
    *ret_step = history_search_take(search, buf_span(&answer), "");
    buf_deinit(&answer);
    return device;
}

static void test_a_control_whose_list_cannot_be_read_tells_nothing(void **state)
{
    (void)state;
    for (int is_prompt = 0; is_prompt < 2; is_prompt++) {
        struct known_commands known;
        struct history_search *search;
        struct search_found found;
        enum search_step step;
        known_commands_init(&known);
        known.is_prompt = is_prompt;
        begin_search(&known, &search);
        assert_int_equal(look(search, &known, NEVER, false), SEARCH_LATER);
        assert_int_equal(known_commands_add(&known, OTHER, span_string(control)), STATUS_OK);
        assert_int_equal(history_search_begin(search), SEARCH_ASK);
        assert_int_equal(look_without_control(search, &step), OTHER);
        assert_int_equal(step, is_prompt ? SEARCH_END : SEARCH_LATER);
        history_search_found(search, 0, &found);
        assert_int_equal(found.claim, is_prompt ? CLAIM_NONE : CLAIM_UNCLEAR);
        if (!is_prompt) {
            assert_int_equal(known_commands_add(&known, THIRD, SPAN_LITERAL("another")), STATUS_OK);
            assert_int_equal(history_search_begin(search), SEARCH_ASK);
            assert_int_equal(look_without_control(search, &step), THIRD);
        }
        history_search_free(search);
        known_commands_deinit(&known);
    }
}

static void test_a_look_comes_in_time(void **state)
{
    static const int64_t settle_ms[SEARCH_LOOKS] = {10, 60};
    struct known_commands known;
    struct history_search *search;

    (void)state;
    known_commands_init(&known);
    assert_int_equal(history_search_new(&known, DEVICE, 1, 1, &search), STATUS_OK);
    history_search_add_row(search, 1, true);
    history_search_add_request(search, &request, SENT_S, SENT_S);
    assert_int_equal(history_search_due_ms(search, settle_ms, 1000, 1000), 1010);
    assert_int_equal(history_search_begin(search), SEARCH_ASK);
    assert_int_equal(history_search_due_ms(search, settle_ms, 1000, 1015), 1060);
    assert_int_equal(history_search_begin(search), SEARCH_ASK);
    /* It was late, and what was accepted meanwhile has time to show. */
    assert_int_equal(history_search_due_ms(search, settle_ms, 1000, 5000), 5060);
    history_search_free(search);
    known_commands_deinit(&known);
}

/* It may be older than the row that is looked for: it tells nothing of how soon the history does.
 */
static void test_what_the_history_has_told_of_is_no_control(void **state)
{
    struct known_commands known;
    struct history_search *search;
    struct search_found found;

    (void)state;
    known_commands_init(&known);
    begin_search(&known, &search);
    assert_int_equal(look(search, &known, NEVER, true), SEARCH_LATER);
    assert_int_equal(known_commands_own(&known, span_string(control)), STATUS_OK);
    assert_true(known_commands_has(&known, span_string(control)));
    assert_int_equal(history_search_begin(search), SEARCH_ASK);
    assert_int_equal(look(search, &known, NEVER, true), SEARCH_END);
    history_search_found(search, 0, &found);
    assert_int_equal(found.claim, CLAIM_UNCLEAR);
    history_search_free(search);
    known_commands_deinit(&known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_newer_command_in_its_list_shows_what_is_missing),
        cmocka_unit_test(test_an_older_command_or_none_shows_nothing),
        cmocka_unit_test(test_who_knows_how_soon_it_tells_says_so),
        cmocka_unit_test(test_ten_later_commands_may_have_taken_its_place),
        cmocka_unit_test(test_pages_that_repeat_show_nothing),
        cmocka_unit_test(test_what_is_accepted_between_two_looks_is_looked_for),
        cmocka_unit_test(test_what_is_accepted_during_a_look_shows_by_the_next),
        cmocka_unit_test(test_a_fresh_control_has_time_to_show),
        cmocka_unit_test(test_what_the_history_has_told_of_is_no_control),
        cmocka_unit_test(test_a_control_whose_list_cannot_be_read_tells_nothing),
        cmocka_unit_test(test_a_look_comes_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
