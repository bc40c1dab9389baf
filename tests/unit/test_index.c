#include "unit.h"

#include "core/prng.h"
#include "ledger/index.h"

static struct key_state met(struct index *index, uint64_t hash, uint32_t wanted)
{
    struct key_state state;
    uint32_t occurrence;

    assert_int_equal(index_meet(index, hash, &occurrence, &state), STATUS_OK);
    assert_int_equal(occurrence, wanted);
    return state;
}

static void put(struct index *index, uint64_t hash, uint32_t occurrence, enum row_status status)
{
    const struct key_state state = {.status = status, .attempts = 3, .ambiguous = 1};
    assert_int_equal(index_put(index, &(struct row_id){.hash = hash, .occurrence = occurrence},
                               &state),
                     STATUS_OK);
}

static void test_rows_are_known_by_content_and_number(void **state)
{
    (void)state;
    struct index index;

    index_init(&index);
    put(&index, 7, 1, ROW_ACCEPTED);
    put(&index, 7, 3, ROW_FAILED);
    put(&index, 9, 1, ROW_IN_DOUBT);
    put(&index, 9, 1, ROW_REJECTED); /* the later line counts */
    assert_int_equal(index.keys, 3);
    for (int pass = 0; pass < 2; pass++) {
        struct key_state first = met(&index, 7, 1);
        assert_true(first.known && first.status == ROW_ACCEPTED);
        assert_int_equal(first.attempts, 3);
        assert_int_equal(first.ambiguous, 1);
        assert_false(met(&index, 7, 2).known);
        assert_int_equal(met(&index, 7, 3).status, ROW_FAILED);
        assert_false(met(&index, 8, 1).known);
        assert_int_equal(met(&index, 9, 1).status, ROW_REJECTED);
        assert_false(met(&index, 9, 2).known);
        index_rewind(&index);
    }
    index_deinit(&index);
}

static const struct row_id seven = {.hash = 7, .occurrence = 1};
static const struct row_id zero = {.hash = 0, .occurrence = 1};

static bool learn(struct index *index, enum row_status status, bool is_latest, bool wanted_unsure)
{
    const struct key_state state = {.status = status};
    struct key_state before;
    bool unsure;

    assert_int_equal(index_learn(index, &seven, &state, is_latest, &before, &unsure), STATUS_OK);
    assert_int_equal(unsure, wanted_unsure);
    index_get(index, &seven, &before);
    return before.status == status;
}

static bool learn_again(struct index *index, bool is_latest, bool wanted_unsure)
{
    const struct key_state state = {.status = ROW_FAILED, .is_again = true};
    struct key_state now;
    bool unsure;

    assert_int_equal(index_learn(index, &seven, &state, is_latest, &now, &unsure), STATUS_OK);
    assert_int_equal(unsure, wanted_unsure);
    index_get(index, &seven, &now);
    return now.status == ROW_FAILED;
}

static void test_a_line_sent_again_is_learnt_like_an_accepted_one(void **state)
{
    (void)state;
    struct key_state now;
    struct index index;

    index_init(&index);
    assert_true(learn(&index, ROW_ACCEPTED, true, false));
    assert_true(learn_again(&index, true, false));
    assert_false(learn(&index, ROW_REJECTED, true, false)); /* one that does not say so */
    assert_true(learn(&index, ROW_ACCEPTED, true, false));
    assert_false(learn_again(&index, false, true));
    index_get(&index, &seven, &now);
    assert_true(now.was_accepted && now.is_again);
    index_deinit(&index);

    index_init(&index); /* its accepted line is gone: --sort has taken it out */
    assert_true(learn_again(&index, true, false));
    index_get(&index, &seven, &now);
    assert_true(now.is_again && !now.was_accepted);
    assert_false(learn(&index, ROW_REJECTED, true, false));
    assert_false(learn(&index, ROW_ACCEPTED, false, true));
    index_deinit(&index);
}

static void test_lines_are_learnt_by_the_rule_or_called_unsure(void **state)
{
    (void)state;
    struct index index;

    index_init(&index);
    assert_true(learn(&index, ROW_FAILED, false, false)); /* the first one */
    assert_true(learn(&index, ROW_REJECTED, true, false));
    assert_false(learn(&index, ROW_IN_DOUBT, false, true)); /* of two that may be either */
    assert_true(learn(&index, ROW_ACCEPTED, false, false));
    assert_false(learn(&index, ROW_IN_DOUBT, true, false)); /* whatever comes behind it */
    (void)learn(&index, ROW_ACCEPTED, false, true);
    assert_int_equal(index.keys, 1);
    index_deinit(&index);
}

static void test_attempts_are_capped_and_orphans_kept(void **state)
{
    (void)state;
    struct index index;
    const struct key_state orphan = {.status = ROW_IN_DOUBT,
                                     .orphan = true,
                                     .attempts = 1000,
                                     .ambiguous = 40};
    struct key_state got;

    index_init(&index);
    assert_int_equal(index_put(&index, &zero, &orphan), STATUS_OK); /* 0 is a hash like others */
    index_get(&index, &zero, &got);
    assert_true(got.known && got.orphan);
    assert_int_equal(got.attempts, INDEX_ATTEMPTS_MAX);
    assert_int_equal(got.ambiguous, INDEX_ATTEMPTS_MAX);
    put(&index, 0, 1, ROW_ACCEPTED);
    index_get(&index, &zero, &got);
    assert_false(got.orphan);
    index_deinit(&index);
}

static void test_equal_rows_are_counted_beyond_the_entry(void **state)
{
    (void)state;
    struct index index;

    index_init(&index);
    put(&index, 5, 70000, ROW_FAILED);
    for (uint32_t i = 1; i <= 100000; i++) {
        struct key_state state_of = met(&index, 5, i);
        assert_true(state_of.known == (i == 70000));
    }
    enum index_mark mark;
    assert_int_equal(index_mark(&index, &(struct row_id){.hash = 5, .occurrence = 100000}, &mark),
                     STATUS_OK);
    assert_int_equal(mark, INDEX_FIRST);
    assert_int_equal(index_mark(&index, &(struct row_id){.hash = 5, .occurrence = 100001}, &mark),
                     STATUS_OK);
    assert_int_equal(mark, INDEX_STRANGE);
    index_deinit(&index);
}

static void test_each_row_is_marked_once(void **state)
{
    (void)state;
    struct index index;
    enum index_mark mark;

    index_init(&index);
    (void)met(&index, 1, 1);
    (void)met(&index, 1, 2);
    static const struct {
        struct row_id id;
        enum index_mark mark;
    } marks[] = {{{.hash = 1, .occurrence = 1}, INDEX_FIRST},
                 {{.hash = 1, .occurrence = 1}, INDEX_AGAIN},
                 {{.hash = 1, .occurrence = 2}, INDEX_FIRST},
                 {{.hash = 1, .occurrence = 3}, INDEX_STRANGE},
                 {{.hash = 2, .occurrence = 1}, INDEX_STRANGE},
                 {{.hash = 1, .occurrence = 2}, INDEX_AGAIN}};
    for (size_t i = 0; i < ARRAY_LENGTH(marks); i++) {
        assert_int_equal(index_mark(&index, &marks[i].id, &mark), STATUS_OK);
        assert_int_equal(mark, marks[i].mark);
    }
    index_deinit(&index);
}

/* Against an array, with hashes that come again. */
static void test_many_keys(void **state)
{
    (void)state;
    enum { HASHES = 5000, ROWS = 40000 };
    static uint64_t hashes[HASHES];
    static uint32_t count[HASHES];
    struct prng prng = {.state = 4};
    struct index index;

    index_init(&index);
    for (size_t i = 0; i < HASHES; i++)
        hashes[i] = prng_next(&prng);
    for (size_t i = 0; i < ROWS; i++) {
        size_t at = prng_up_to(&prng, HASHES - 1);
        struct key_state got = met(&index, hashes[at], ++count[at]);
        assert_false(got.known);
        if (count[at] % 2 == 0)
            put(&index, hashes[at], count[at], ROW_ACCEPTED);
    }
    for (size_t i = 0; i < HASHES; i++) {
        for (uint32_t occurrence = 1; occurrence <= count[i]; occurrence++) {
            struct key_state got;
            index_get(&index, &(struct row_id){.hash = hashes[i], .occurrence = occurrence}, &got);
            assert_true(got.known == (occurrence % 2 == 0));
        }
    }
    index_deinit(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_known_by_content_and_number),
        cmocka_unit_test(test_lines_are_learnt_by_the_rule_or_called_unsure),
        cmocka_unit_test(test_a_line_sent_again_is_learnt_like_an_accepted_one),
        cmocka_unit_test(test_attempts_are_capped_and_orphans_kept),
        cmocka_unit_test(test_equal_rows_are_counted_beyond_the_entry),
        cmocka_unit_test(test_each_row_is_marked_once),
        cmocka_unit_test(test_many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
