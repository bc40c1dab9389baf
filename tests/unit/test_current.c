#include "unit.h"

#include "core/prng.h"
#include "ledger/current.h"

static bool beats(enum row_status status, bool is_latest, enum row_status before,
                  bool wanted_unsure)
{
    bool unsure,
        counts = current_beats(status == ROW_ACCEPTED, is_latest, before == ROW_ACCEPTED, &unsure);

    assert_int_equal(unsure, wanted_unsure);
    return counts;
}

static void test_without_times_it_is_known_or_unsure(void **state)
{
    (void)state;
    assert_true(beats(ROW_ACCEPTED, false, ROW_REJECTED, false));
    assert_false(beats(ROW_IN_DOUBT, true, ROW_ACCEPTED, false));
    assert_true(beats(ROW_REJECTED, true, ROW_FAILED, false));
    assert_false(beats(ROW_REJECTED, false, ROW_FAILED, true));
    assert_true(beats(ROW_ACCEPTED, true, ROW_ACCEPTED, false));
    assert_false(beats(ROW_ACCEPTED, false, ROW_ACCEPTED, true));
}

static struct result_fields line(uint64_t offset, enum row_status status, int64_t finished_ms)
{
    return (struct result_fields){.id = {.hash = 5, .occurrence = 1},
                                  .offset = offset,
                                  .status = status,
                                  .finished_ms = finished_ms};
}

/* Whether the second of two lines counts. */
static bool second_counts(enum row_status status, int64_t finished_ms, enum row_status first_status,
                          int64_t first_finished_ms)
{
    const struct result_fields lines[] = {line(0, first_status, first_finished_ms),
                                          line(100, status, finished_ms)};
    struct current current;

    current_init(&current);
    assert_int_equal(current_watch(&current, &lines[0].id), STATUS_OK);
    assert_true(current_weigh(&current, &lines[0]));
    (void)current_weigh(&current, &lines[1]);
    bool second = current_has(&current, &lines[1]);
    assert_int_not_equal(second, current_has(&current, &lines[0]));
    current_deinit(&current);
    return second;
}

static void test_an_accepted_line_beats_any_other_then_time_then_place(void **state)
{
    (void)state;
    /* line, the one before it, whether it counts */
    assert_true(second_counts(ROW_ACCEPTED, 1, ROW_REJECTED, 2));
    assert_false(second_counts(ROW_IN_DOUBT, 2, ROW_ACCEPTED, 1));
    assert_true(second_counts(ROW_REJECTED, 2, ROW_FAILED, 1));
    assert_false(second_counts(ROW_REJECTED, 1, ROW_FAILED, 2));
    assert_true(second_counts(ROW_REJECTED, 1, ROW_IN_DOUBT, 1)); /* equal: the later line */
    assert_true(second_counts(ROW_ACCEPTED, 2, ROW_ACCEPTED, 2));
    assert_false(second_counts(ROW_ACCEPTED, 1, ROW_ACCEPTED, 2));
    assert_false(second_counts(ROW_FAILED, -62167219200000, ROW_FAILED, 253402300799999));
    assert_true(second_counts(ROW_ACCEPTED, -62167219200000, ROW_FAILED, 253402300799999));
}

/* A row that was accepted, and was sent again since its command had ended, is what its later line
 * says; accepted late, it is accepted. */
static void test_a_line_sent_again_is_weighed_like_an_accepted_one(void **state)
{
    const struct result_fields accepted = line(0, ROW_ACCEPTED, 10),
                               plain = line(1, ROW_FAILED, 40);
    struct result_fields again = line(2, ROW_FAILED, 20), late = line(3, ROW_ACCEPTED, 30);
    const struct {
        const struct result_fields *lines[4];
        const struct result_fields *counts;
    } cases[] = {{{&accepted, &again}, &again},
                 {{&again, &accepted}, &again},
                 {{&again, &plain, &accepted}, &again},
                 {{&late, &accepted, &again, &plain}, &late}};

    (void)state;
    again.is_again = true;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct current current;
        current_init(&current);
        assert_int_equal(current_watch(&current, &accepted.id), STATUS_OK);
        for (size_t j = 0; j < 4 && cases[i].lines[j] != NULL; j++)
            (void)current_weigh(&current, cases[i].lines[j]);
        for (size_t j = 0; j < 4 && cases[i].lines[j] != NULL; j++)
            assert_int_equal(current_has(&current, cases[i].lines[j]),
                             cases[i].lines[j] == cases[i].counts);
        current_deinit(&current);
    }
}

static void test_a_key_of_one_line_needs_no_look(void **state)
{
    (void)state;
    struct current current;
    const struct result_fields only = line(100, ROW_FAILED, 7);

    current_init(&current);
    assert_false(current_watches(&current, &only.id));
    assert_true(current_weigh(&current, &only));
    assert_true(current_has(&current, &only));
    assert_int_equal(current.count, 0);
    current_deinit(&current);
}

/* Every order of the same lines has the same line that counts, but for equal ones. */
static void test_the_order_of_the_lines_does_not_matter(void **state)
{
    (void)state;
    enum { LINES = 4, KEYS = 1000 };
    struct prng prng = {1};
    struct current current;
    static const int orders[][LINES] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1},
                                        {1, 3, 0, 2}, {3, 0, 1, 2}, {1, 2, 3, 0}};

    for (uint64_t key = 1; key <= KEYS; key++) {
        struct result_fields lines[LINES];
        for (int i = 0; i < LINES; i++) {
            lines[i] = line(0, (enum row_status)(prng_next(&prng) % ROW_STATUS_COUNT),
                            (int64_t)(prng_next(&prng) % 1000) * 10 + i);
            lines[i].id.hash = key;
        }
        int64_t wanted = -1;
        for (size_t order = 0; order < ARRAY_LENGTH(orders); order++) {
            int64_t found = -1;
            current_init(&current);
            assert_int_equal(current_watch(&current, &lines[0].id), STATUS_OK);
            assert_int_equal(current_watch(&current, &lines[0].id), STATUS_OK);
            assert_int_equal(current.count, 1);
            for (int i = 0; i < LINES; i++) {
                lines[orders[order][i]].offset = (uint64_t)i;
                (void)current_weigh(&current, &lines[orders[order][i]]);
            }
            for (int i = 0; i < LINES; i++) {
                if (!current_has(&current, &lines[i]))
                    continue;
                assert_int_equal(found, -1); /* one */
                found = lines[i].finished_ms;
            }
            assert_true(found >= 0 && (wanted == -1 || found == wanted));
            wanted = found;
            current_deinit(&current);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_times_it_is_known_or_unsure),
        cmocka_unit_test(test_an_accepted_line_beats_any_other_then_time_then_place),
        cmocka_unit_test(test_a_line_sent_again_is_weighed_like_an_accepted_one),
        cmocka_unit_test(test_a_key_of_one_line_needs_no_look),
        cmocka_unit_test(test_the_order_of_the_lines_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
