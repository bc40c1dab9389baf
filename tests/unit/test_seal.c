#include "unit.h"

#include "input/seal.h"

static struct seals seals;
static char text[3 * SEAL_BYTES];

static void seal(size_t size, size_t step)
{
    seals_restart(&seals);
    for (size_t at = 0; at < size; at += step)
        assert_int_equal(seals_add(&seals, span_of(text + at, size - at < step ? size - at : step)),
                         STATUS_OK);
    assert_int_equal(seals_close(&seals), STATUS_OK);
    assert_int_equal(seals_close(&seals), STATUS_OK);
    assert_true(seals.is_whole);
}

/* The n-th block as the seals cut it. */
static struct span block(size_t index)
{
    return span_of(text + index * SEAL_BYTES, seals_block_size(&seals, index));
}

static void test_a_text_is_known_again_however_it_was_cut(void **state)
{
    static const size_t sizes[] = {
        0, 1, 100, SEAL_BYTES - 1, SEAL_BYTES, SEAL_BYTES + 1, 2 * SEAL_BYTES, sizeof(text) - 7};
    static const size_t steps[] = {1,           7, 1000, SEAL_BYTES - 1, SEAL_BYTES, SEAL_BYTES + 1,
                                   sizeof(text)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(steps); j++) {
            size_t size = 0, n = 0;
            seal(sizes[i], steps[j]);
            for (; seals_block_size(&seals, n) > 0; n++) {
                assert_true(seals_match(&seals, n, block(n)));
                size += block(n).len;
            }
            assert_int_equal(size, sizes[i]);
            assert_int_equal(n, (sizes[i] + SEAL_BYTES - 1) / SEAL_BYTES);
        }
    }
}

static void test_any_byte_that_changes_is_noticed(void **state)
{
    static const size_t places[] = {0, 1, SEAL_BYTES / 2, SEAL_BYTES - 1};

    (void)state;
    seal(sizeof(text) - 7, 4096);
    for (size_t n = 0; n < 3; n++) {
        for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
            size_t at = n * SEAL_BYTES + places[i];
            if (at >= sizeof(text) - 7)
                continue;
            text[at] ^= 1;
            assert_false(seals_match(&seals, n, block(n)));
            text[at] ^= 1;
            assert_true(seals_match(&seals, n, block(n)));
        }
    }
}

static void test_blocks_that_change_places_are_noticed(void **state)
{
    (void)state;
    seal(sizeof(text), 4096);
    assert_false(seals_match(&seals, 0, block(1)));
    assert_false(seals_match(&seals, 1, block(0)));
}

static void test_a_text_that_is_read_anew_is_sealed_anew(void **state)
{
    (void)state;
    seal(sizeof(text), 4096);
    seals_restart(&seals);
    assert_false(seals.is_whole);
    assert_int_equal(seals_block_size(&seals, 0), 0);
    assert_int_equal(seals_close(&seals), STATUS_OK);
    assert_int_equal(seals_block_size(&seals, 0), 0);
}

static int setup(void **state)
{
    (void)state;
    seals_init(&seals);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * 31 + i / 251);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    seals_deinit(&seals);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_text_is_known_again_however_it_was_cut),
        cmocka_unit_test(test_any_byte_that_changes_is_noticed),
        cmocka_unit_test(test_blocks_that_change_places_are_noticed),
        cmocka_unit_test(test_a_text_that_is_read_anew_is_sealed_anew),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
