#include "unit.h"

#include "platform/delivery.h"

static struct history_entry entry_of(int send_status, enum confirm confirm, int64_t expires_s)
{
    struct history_entry entry = {.send_status = send_status, .confirm = confirm};

    for (size_t i = 0; i < HISTORY_TIME_COUNT; i++)
        entry.times_s[i] = HISTORY_NONE;
    entry.times_s[HISTORY_EXPIRES] = expires_s;
    return entry;
}

static void test_every_state_has_a_word_of_its_own_and_says_what_to_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < COMMAND_STATE_COUNT; i++) {
        enum command_state read = COMMAND_STATE_COUNT;
        assert_non_null(deliveries[i].word);
        assert_true(strlen(deliveries[i].meaning) > 0);
        assert_true(i == COMMAND_DELIVERED || strlen(deliveries[i].remedy) > 0);
        assert_true(delivery_read(span_string(deliveries[i].word), &read));
        assert_int_equal(read, i);
    }
    enum command_state none;
    assert_false(delivery_read(SPAN_LITERAL("Delivered"), &none));
    assert_false(delivery_read(SPAN_LITERAL(""), &none));
    for (size_t i = 0; i <= CONFIRM_OTHER; i++) {
        enum confirm read;
        assert_true(strlen(delivery_answers[i].meaning) > 0);
        assert_true(
            delivery_read_answer(span_string(history_confirm_name((enum confirm)i)), &read));
        assert_int_equal(read, i);
    }
}

static void test_what_waits_after_its_end_has_expired(void **state)
{
    struct history_entry entry = entry_of(SEND_WAITING, CONFIRM_NONE, 1000);

    (void)state;
    assert_int_equal(delivery_judge(&entry, 1000 + DELIVERY_GRACE_S), COMMAND_WAITING);
    assert_int_equal(delivery_judge(&entry, 1001 + DELIVERY_GRACE_S), COMMAND_EXPIRED);
    entry = entry_of(SEND_SENT, CONFIRM_NONE, 1000);
    assert_int_equal(delivery_judge(&entry, 1001 + DELIVERY_GRACE_S), COMMAND_EXPIRED);
    entry = entry_of(SEND_SENT, CONFIRM_NONE, HISTORY_NONE);
    assert_int_equal(delivery_judge(&entry, 1001 + DELIVERY_GRACE_S), COMMAND_SENT);
    entry = entry_of(SEND_SUCCESS, CONFIRM_SUCCESS, 1000);
    assert_int_equal(delivery_judge(&entry, 9999), COMMAND_DELIVERED);
    entry = entry_of(SEND_SUCCESS, CONFIRM_BAD_REQUEST, 1000);
    assert_int_equal(delivery_judge(&entry, 9999), COMMAND_REFUSED);
    entry = entry_of(9, CONFIRM_NONE, 1000);
    assert_int_equal(delivery_judge(&entry, 9999), COMMAND_UNCLEAR);
}

static void test_a_state_is_final_when_it_cannot_change(void **state)
{
    struct delivery_facts failed = {
        .state = COMMAND_FAILED, .remain = 2, .expires_s = 5000, .created_s = 100, .asked_s = 1000};
    struct delivery_facts missing = {.state = COMMAND_MISSING,
                                     .remain = HISTORY_NONE,
                                     .expires_s = HISTORY_NONE,
                                     .created_s = 100,
                                     .asked_s = 100 + DELIVERY_KEPT_S};

    (void)state;
    for (size_t i = 0; i < COMMAND_STATE_COUNT; i++) {
        const struct delivery_facts facts = {.state = (enum command_state)i};
        if (deliveries[i].end != DELIVERY_DEPENDS)
            assert_int_equal(delivery_is_final(&facts), deliveries[i].end == DELIVERY_FINAL);
    }
    assert_false(delivery_is_final(&failed));                    /* the platform tries again … */
    assert_false(delivery_is_in(&failed, DELIVERY_UNDELIVERED)); /* … and nobody else */
    failed.remain = 0;
    assert_true(delivery_is_final(&failed));
    assert_true(delivery_is_in(&failed, DELIVERY_UNDELIVERED));
    failed.remain = HISTORY_NONE;
    assert_false(delivery_is_final(&failed));
    failed.asked_s = 5001 + DELIVERY_GRACE_S;
    assert_true(delivery_is_final(&failed));
    assert_false(delivery_is_final(&missing));
    missing.asked_s++;
    assert_true(delivery_is_final(&missing));
    missing.asked_s = 200;
    assert_false(delivery_is_final(&missing));
    missing.reason = SPAN_LITERAL(DELIVERY_OVERWRITTEN);
    assert_true(delivery_is_final(&missing));
}

static void test_the_groups_are_what_their_words_say(void **state)
{
    static const unsigned in[COMMAND_STATE_COUNT] = {
        [COMMAND_REFUSED] = 1u << DELIVERY_UNDELIVERED,
        [COMMAND_MISSING] = 1u << DELIVERY_UNDELIVERED,
        [COMMAND_FAILED] = 1u << DELIVERY_UNDELIVERED,
        [COMMAND_EXPIRED] = 1u << DELIVERY_UNDELIVERED | 1u << DELIVERY_EXPIRED,
        [COMMAND_CANCELLED] = 1u << DELIVERY_CANCELLED,
    };

    (void)state;
    for (size_t i = 0; i < COMMAND_STATE_COUNT; i++) {
        const struct delivery_facts facts = {.state = (enum command_state)i, .remain = 0};
        for (size_t group = 0; group < DELIVERY_GROUP_COUNT; group++)
            assert_int_equal(delivery_is_in(&facts, (enum delivery_group)group),
                             (in[i] & 1u << group) != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state_has_a_word_of_its_own_and_says_what_to_do),
        cmocka_unit_test(test_what_waits_after_its_end_has_expired),
        cmocka_unit_test(test_a_state_is_final_when_it_cannot_change),
        cmocka_unit_test(test_the_groups_are_what_their_words_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
