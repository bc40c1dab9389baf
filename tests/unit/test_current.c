#include "unit.h"

#include "core/prng.h"
#include "ledger/current.h"

static void test_an_accepted_line_beats_any_other_then_time_then_place(void **state)
{
    (void)state;
    /* line, the one before it, whether it counts */
    assert_true(current_beats(ROW_ACCEPTED, 1, ROW_REJECTED, 2));
    assert_false(current_beats(ROW_IN_DOUBT, 2, ROW_ACCEPTED, 1));
    assert_true(current_beats(ROW_REJECTED, 2, ROW_FAILED, 1));
    assert_false(current_beats(ROW_REJECTED, 1, ROW_FAILED, 2));
    assert_true(current_beats(ROW_REJECTED, 1, ROW_IN_DOUBT, 1)); /* equal: the later line */
    assert_true(current_beats(ROW_ACCEPTED, 2, ROW_ACCEPTED, 2));
    assert_false(current_beats(ROW_ACCEPTED, 1, ROW_ACCEPTED, 2));
    assert_false(current_beats(ROW_FAILED, -62167219200000, ROW_FAILED, 253402300799999));
    assert_true(current_beats(ROW_ACCEPTED, -62167219200000, ROW_FAILED, 253402300799999));
}

static struct result_fields line(uint64_t offset, enum row_status status, int64_t finished_ms)
{
    return (struct result_fields){.offset = offset, .status = status, .finished_ms = finished_ms};
}

static void test_a_key_of_one_line_needs_no_look(void **state)
{
    (void)state;
    struct current current;
    const struct result_fields only = line(100, ROW_FAILED, 7);

    current_init(&current);
    assert_false(current_watches(&current, 5));
    assert_true(current_weigh(&current, 5, &only));
    assert_true(current_has(&current, 5, &only));
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
        for (int i = 0; i < LINES; i++)
            lines[i] = line(0, (enum row_status)(prng_next(&prng) % ROW_STATUS_COUNT),
                            (int64_t)(prng_next(&prng) % 1000) * 10 + i);
        int64_t wanted = -1;
        for (size_t order = 0; order < ARRAY_LENGTH(orders); order++) {
            int64_t found = -1;
            current_init(&current);
            assert_int_equal(current_watch(&current, key), STATUS_OK);
            assert_int_equal(current_watch(&current, key), STATUS_OK);
            assert_int_equal(current.count, 1);
            for (int i = 0; i < LINES; i++) {
                lines[orders[order][i]].offset = (uint64_t)i;
                (void)current_weigh(&current, key, &lines[orders[order][i]]);
            }
            for (int i = 0; i < LINES; i++) {
                if (!current_has(&current, key, &lines[i]))
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
        cmocka_unit_test(test_an_accepted_line_beats_any_other_then_time_then_place),
        cmocka_unit_test(test_a_key_of_one_line_needs_no_look),
        cmocka_unit_test(test_the_order_of_the_lines_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
