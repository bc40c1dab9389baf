/* When a list is read to its end, and when it never will be. */
#include "unit.h"

#include "platform/history_pages.h"

enum { DEVICE = 1 };

static struct history_pages pages;
static size_t met;

static void take(void *context, const struct history_entry *entry)
{
    (void)context;
    assert_false(history_is_of_another(entry, DEVICE, span_of(NULL, 0)));
    met++;
}

static void begin(void)
{
    history_pages_deinit(&pages);
    pages = (struct history_pages){.device = DEVICE};
    met = 0;
}

static uint32_t ask(void)
{
    struct question question = {.start_s = 7};

    history_pages_ask(&pages, &question);
    assert_int_equal(question.device, DEVICE);
    assert_int_equal(question.per_page, HISTORY_PER_PAGE);
    assert_int_equal(question.start_s, 7);
    return question.page;
}

/* A page with items from `first` on. */
static enum pages_step take_page(unsigned total, unsigned first, unsigned count)
{
    char body[4096];
    size_t len = (size_t)snprintf(body, sizeof(body),
                                  "{\"errno\":0,\"data\":{\"total_count\":%u,"
                                  "\"items\":[",
                                  total);

    for (unsigned i = 0; i < count; i++)
        len += (size_t)snprintf(body + len, sizeof(body) - len,
                                "%s{\"cmd_uuid\":\"u-%u \",\"send_status\":1}", i > 0 ? "," : "",
                                first + i);
    len += (size_t)snprintf(body + len, sizeof(body) - len, "]}}");
    return history_pages_take(&pages, span_of(body, len), take, NULL);
}

static void test_it_ends_when_as_many_were_seen_as_there_are(void **state)
{
    (void)state;
    begin();
    assert_int_equal(ask(), 1);
    assert_int_equal(take_page(5, 0, 2), PAGES_MORE);
    assert_int_equal(ask(), 2);
    assert_int_equal(take_page(6, 2, 2), PAGES_MORE); /* the count has changed */
    assert_int_equal(ask(), 3);
    assert_int_equal(take_page(6, 4, 2), PAGES_END);
    assert_int_equal(met, 6);
    assert_false(pages.is_short || pages.is_unreadable || pages.is_of_another);
    begin();
    assert_int_equal(take_page(0, 0, 0), PAGES_END);
    assert_false(pages.is_short);
}

static void test_an_empty_page_ends_it_short(void **state)
{
    (void)state;
    begin();
    assert_int_equal(take_page(5, 0, 2), PAGES_MORE);
    assert_int_equal(take_page(5, 0, 0), PAGES_END);
    assert_true(pages.is_short);
}

static void test_a_list_that_shows_none_of_so_many_is_broken(void **state)
{
    (void)state;
    begin();
    assert_int_equal(take_page(5, 0, 0), PAGES_BROKEN);
    assert_false(pages.is_unreadable);
}

static void test_pages_that_repeat_are_broken(void **state)
{
    (void)state;
    begin();
    assert_int_equal(take_page(100, 0, 2), PAGES_MORE);
    assert_int_equal(take_page(100, 0, 2), PAGES_BROKEN);
    /* Negative control: pages that only overlap are not. */
    begin();
    assert_int_equal(take_page(100, 0, 2), PAGES_MORE);
    assert_int_equal(take_page(100, 1, 2), PAGES_MORE);
}

static void test_what_is_met_twice_counts_once(void **state)
{
    (void)state;
    begin();
    assert_int_equal(take_page(5, 0, 2), PAGES_MORE);
    assert_int_equal(take_page(5, 1, 2), PAGES_MORE);
    assert_int_equal(take_page(5, 2, 2), PAGES_MORE); /* six, of which four are different */
    assert_int_equal(take_page(5, 4, 1), PAGES_END);
    assert_int_equal(met, 5);
    assert_false(pages.is_short);
}

/* A page of which the half was there before, and then nothing new. */
static enum pages_step read_overlapping(void)
{
    assert_int_equal(ask(), 1);
    assert_int_equal(take_page(4, 0, 2), PAGES_MORE);
    assert_int_equal(ask(), 2);
    assert_int_equal(take_page(4, 1, 2), PAGES_MORE);
    assert_int_equal(ask(), 3);
    return take_page(4, 0, 0);
}

static void test_a_list_that_moved_is_read_again_so_often(void **state)
{
    (void)state;
    begin();
    assert_int_equal(read_overlapping(), PAGES_AGAIN);
    met = 0;
    assert_int_equal(ask(), 1);
    assert_int_equal(take_page(4, 0, 4), PAGES_END);
    assert_int_equal(met, 4); /* the earlier ones, too, once more */
    begin();
    for (unsigned i = 1; i < HISTORY_READS_MAX; i++)
        assert_int_equal(read_overlapping(), PAGES_AGAIN);
    assert_int_equal(read_overlapping(), PAGES_BROKEN);
    /* Negative control: one that has less than it says, but stood still, is short by itself. */
    begin();
    assert_int_equal(take_page(4, 0, 2), PAGES_MORE);
    assert_int_equal(take_page(4, 2, 1), PAGES_MORE);
    assert_int_equal(take_page(4, 3, 0), PAGES_END);
    assert_true(pages.is_short);
}

static void test_a_list_that_shrinks_may_have_passed_one_over(void **state)
{
    (void)state;
    begin();
    assert_int_equal(take_page(5, 0, 2), PAGES_MORE);
    assert_int_equal(take_page(4, 3, 2), PAGES_AGAIN);
    assert_int_equal(ask(), 1);
    assert_int_equal(take_page(4, 1, 4), PAGES_END);
}

static void test_a_list_has_so_many_pages_at_the_most(void **state)
{
    (void)state;
    begin();
    for (uint32_t i = 1; i < HISTORY_PAGES_MAX; i++) {
        assert_int_equal(ask(), i);
        assert_int_equal(take_page(1000000, i, 1), PAGES_MORE);
    }
    (void)ask();
    assert_int_equal(take_page(1000000, HISTORY_PAGES_MAX, 1), PAGES_BROKEN);
}

static void test_what_is_odd_is_known_and_passed_over(void **state)
{
    (void)state;
    begin();
    assert_int_equal(history_pages_take(&pages,
                                        SPAN_LITERAL("{\"data\":{\"total_count\":3,\"items\":["
                                                     "{\"cmd_uuid\":\"a\",\"imei\":\"1234\"},"
                                                     "{\"cmd_uuid\":\"b\"},null]}}"),
                                        take, NULL),
                     PAGES_END);
    assert_true(pages.is_of_another && pages.is_unreadable);
    assert_int_equal(met, 2);
    begin();
    assert_int_equal(history_pages_take(&pages, SPAN_LITERAL("<html>"), take, NULL), PAGES_BROKEN);
    assert_true(pages.is_unreadable);
    begin();
    assert_int_equal(history_pages_take(&pages, span_of(NULL, 0), take, NULL), PAGES_BROKEN);
    assert_true(pages.is_unreadable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_ends_when_as_many_were_seen_as_there_are),
        cmocka_unit_test(test_an_empty_page_ends_it_short),
        cmocka_unit_test(test_a_list_that_shows_none_of_so_many_is_broken),
        cmocka_unit_test(test_pages_that_repeat_are_broken),
        cmocka_unit_test(test_what_is_met_twice_counts_once),
        cmocka_unit_test(test_a_list_that_moved_is_read_again_so_often),
        cmocka_unit_test(test_a_list_that_shrinks_may_have_passed_one_over),
        cmocka_unit_test(test_a_list_has_so_many_pages_at_the_most),
        cmocka_unit_test(test_what_is_odd_is_known_and_passed_over),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);

    history_pages_deinit(&pages);
    return failures;
}
