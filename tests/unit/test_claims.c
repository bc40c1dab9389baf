/*
 * Which commands of a device's history are whose. A little world decides whether that was right:
 * what was processed, and is sent again, is stored twice; what was not, and is not sent again, is
 * lost. With a comparison that is too strict or too loose, and where a command may be claimed
 * twice, the same world must notice.
 */
#include "unit.h"

#include "core/prng.h"
#include "platform/claims.h"

enum { ROWS_MAX = 6, ENTRIES_MAX = 12, KINDS = 3 };

enum guard { ALL_GUARDS, TOO_STRICT, TOO_LOOSE, CLAIMED_TWICE };

struct world {
    size_t row_count, entry_count;
    unsigned kinds[ROWS_MAX], forms[ROWS_MAX]; /* what each row asks for, and how it spells it */
    unsigned entry_kinds[ENTRIES_MAX], entry_forms[ENTRIES_MAX];
    struct claim_row rows[ROWS_MAX];
    unsigned char likeness[ENTRIES_MAX * ROWS_MAX];
    size_t owner[ENTRIES_MAX];
};

static void make_world(struct world *world, struct prng *prng)
{
    *world = (struct world){.row_count = 1 + prng_up_to(prng, ROWS_MAX - 1)};
    for (size_t r = 0; r < world->row_count; r++) {
        world->kinds[r] = (unsigned)prng_up_to(prng, KINDS - 1);
        world->forms[r] = (unsigned)prng_up_to(prng, 1);
        if (prng_up_to(prng, 1) == 0) { /* it was processed */
            world->entry_kinds[world->entry_count] = world->kinds[r];
            world->entry_forms[world->entry_count++] = (unsigned)prng_up_to(prng, 1);
        }
    }
    world->entry_kinds[world->entry_count++] = KINDS; /* of somebody else */
}

static unsigned char compare(const struct world *world, size_t e, size_t r, enum guard guard)
{
    if (guard == TOO_LOOSE)
        return LIKENESS_EQUAL;
    bool is_same = world->entry_kinds[e] == world->kinds[r] &&
                   (guard != TOO_STRICT || world->entry_forms[e] == world->forms[r]);
    return is_same ? LIKENESS_EQUAL : LIKENESS_DIFFERENT;
}

static void settle(struct world *world, enum guard guard)
{
    for (size_t r = 0; r < world->row_count; r++) {
        world->rows[r] = (struct claim_row){.pool = r, .attempts = 1, .is_covered = true};
        for (size_t s = 0; s < r && world->rows[r].pool == r && guard != CLAIMED_TWICE; s++)
            if (world->kinds[s] == world->kinds[r] || guard == TOO_LOOSE)
                world->rows[r].pool = world->rows[s].pool;
    }
    for (size_t e = 0; e < world->entry_count; e++)
        for (size_t r = 0; r < world->row_count; r++)
            world->likeness[e * world->row_count + r] = compare(world, e, r, guard);
    claims_settle(world->rows, world->row_count, world->likeness, world->entry_count, world->owner);
    if (guard != CLAIMED_TWICE)
        return;
    for (size_t r = 0; r < world->row_count; r++) { /* each row takes whatever is equal */
        world->rows[r].claim = CLAIM_NONE;
        for (size_t e = 0; e < world->entry_count; e++)
            if (world->likeness[e * world->row_count + r] == LIKENESS_EQUAL)
                world->rows[r].claim = CLAIM_FOUND;
    }
}

/* Whether each kind is stored once for each of its rows when what is missing was sent again. */
static bool is_right(const struct world *world)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        size_t wanted = 0, stored = 0;
        for (size_t r = 0; r < world->row_count; r++) {
            wanted += world->kinds[r] == kind;
            stored += world->kinds[r] == kind && world->rows[r].claim == CLAIM_NONE;
        }
        for (size_t e = 0; e < world->entry_count; e++)
            stored += world->entry_kinds[e] == kind;
        if (stored != wanted)
            return false;
    }
    return true;
}

static unsigned count_wrong(enum guard guard)
{
    unsigned wrong = 0;

    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct prng prng = {seed};
        struct world world;
        make_world(&world, &prng);
        settle(&world, guard);
        wrong += !is_right(&world);
    }
    return wrong;
}

static void test_nothing_is_stored_twice_and_nothing_is_lost(void **state)
{
    (void)state;
    assert_int_equal(count_wrong(ALL_GUARDS), 0);
}

static void test_without_a_guard_the_world_notices(void **state)
{
    (void)state;
    assert_true(count_wrong(TOO_STRICT) > 100);
    assert_true(count_wrong(TOO_LOOSE) > 100);
    assert_true(count_wrong(CLAIMED_TWICE) > 100);
}

static void test_what_two_could_have_asked_for_is_nobodys(void **state)
{
    (void)state;
    struct claim_row rows[] = {{.pool = 0, .attempts = 1, .is_covered = true},
                               {.pool = 1, .attempts = 1, .is_covered = true}};
    const unsigned char likeness[] = {LIKENESS_EQUAL, LIKENESS_EQUAL};
    size_t owner[1];

    claims_settle(rows, 2, likeness, 1, owner);
    assert_int_equal(rows[0].claim, CLAIM_UNCLEAR);
    assert_int_equal(rows[1].claim, CLAIM_UNCLEAR);
    assert_true(owner[0] == CLAIM_NOBODY);
}

static void test_what_cannot_be_told_keeps_a_row_in_doubt(void **state)
{
    (void)state;
    struct claim_row rows[] = {{.pool = 0, .attempts = 1, .is_covered = true}};
    const unsigned char likeness[] = {LIKENESS_DIFFERENT, LIKENESS_UNCLEAR};
    size_t owner[2];

    claims_settle(rows, 1, likeness, 2, owner);
    assert_int_equal(rows[0].claim, CLAIM_UNCLEAR);
    claims_settle(rows, 1, likeness, 1, owner);
    assert_int_equal(rows[0].claim, CLAIM_NONE);
    rows[0].is_covered = false;
    claims_settle(rows, 1, likeness, 1, owner);
    assert_int_equal(rows[0].claim, CLAIM_UNCLEAR);
}

static void test_surplus(void **state)
{
    (void)state;
    struct claim_row rows[] = {{.pool = 0, .attempts = 2, .is_covered = true},
                               {.pool = 0, .attempts = 1, .is_covered = true}};
    const unsigned char likeness[6] = {LIKENESS_EQUAL, LIKENESS_EQUAL, LIKENESS_EQUAL,
                                       LIKENESS_EQUAL, LIKENESS_EQUAL, LIKENESS_EQUAL};
    size_t owner[3];

    claims_settle(rows, 2, likeness, 2, owner);
    assert_true(owner[0] == 0 && owner[1] == 1 && !claims_are_full(rows, 2, owner, 2));
    claims_settle(rows, 2, likeness, 3, owner);
    assert_true(owner[0] == 0 && owner[1] == 1 && owner[2] == 0);
    assert_true(claims_are_full(rows, 2, owner, 3));
}

/* One of them is somebody else's: taking the wrong one back would be theirs. */
static void test_more_commands_than_requests_are_nobodys(void **state)
{
    const unsigned char equal[3] = {LIKENESS_EQUAL, LIKENESS_EQUAL, LIKENESS_EQUAL};
    struct claim_row row = {.pool = 0, .attempts = 2, .is_covered = true};
    size_t owner[3];

    (void)state;
    claims_settle(&row, 1, equal, 2, owner);
    assert_int_equal(row.claim, CLAIM_FOUND);
    assert_int_equal(owner[0], 0);
    assert_int_equal(owner[1], 0);
    claims_settle(&row, 1, equal, 3, owner);
    assert_int_equal(row.claim, CLAIM_UNCLEAR);
    for (size_t e = 0; e < 3; e++)
        assert_true(owner[e] == CLAIM_NOBODY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_commands_than_requests_are_nobodys),
        cmocka_unit_test(test_nothing_is_stored_twice_and_nothing_is_lost),
        cmocka_unit_test(test_without_a_guard_the_world_notices),
        cmocka_unit_test(test_what_two_could_have_asked_for_is_nobodys),
        cmocka_unit_test(test_what_cannot_be_told_keeps_a_row_in_doubt),
        cmocka_unit_test(test_surplus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
