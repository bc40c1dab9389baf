#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/journal.h"

static char folder[64], path[128];
static struct buf message;

enum { SLOTS = 100 };
static const struct journal_shape shape = {.slots = SLOTS, .stage_lines = 6, .stage_bytes = 64};

static struct journal *create_in(const char *boot_id)
{
    static struct snapshot first = {.sequence = 1,
                                    .durable = 10,
                                    .checkpoint_count = 1,
                                    .checkpoints = {{10, 77}}};
    const struct journal_live live = {.base = 10, .base_hash = 77};
    struct journal_about about;
    struct journal *journal = NULL;

    journal_about_init(&disk_real, &about);
    if (boot_id != NULL)
        (void)snprintf(about.boot_id, sizeof(about.boot_id), "%s", boot_id);
    (void)snprintf(about.target, sizeof(about.target), "http://x");
    assert_int_equal(journal_create(&disk_real, path, &about, &shape, &live, &first, NULL, 0,
                                    &message, &journal),
                     STATUS_OK);
    return journal;
}

static struct journal *create(void)
{
    return create_in(NULL);
}

static struct journal *reopen(void)
{
    struct journal *journal = NULL;
    assert_int_equal(journal_open(&disk_real, path, &message, &journal), STATUS_OK);
    return journal;
}

static void test_what_was_stored_is_there_without_a_close(void **state)
{
    (void)state;
    struct journal *journal = create(), *found;
    const struct intent intent = {
        .id = {.hash = 1, .device = 2, .row = 3, .line = 4, .occurrence = 5}};
    struct intent got;
    struct journal_live live;
    bool taken;

    journal_mark(journal, 7, &intent);
    journal_mark(journal, 8, &intent);
    journal_mark(journal, 7, &(struct intent){.sent = 3, .ambiguous = 2});
    journal_unmark(journal, 8);
    assert_true(journal_stage(journal, SPAN_LITERAL("one\n")));
    assert_true(journal_stage(journal, SPAN_LITERAL("two\n")));
    found = reopen();
    assert_true(journal_is_live(found));
    assert_string_equal(journal_about(found)->target, "http://x");
    assert_int_equal(journal_read_live(found, &live, &message), STATUS_OK);
    assert_span(live.staged, "one\ntwo\n");
    assert_int_equal(live.lines, 2);
    assert_int_equal(live.base, 10);
    assert_int_equal(journal_read_slot(found, 7, &taken, &got, &message), STATUS_OK);
    assert_true(taken && got.id.hash == 1 && got.id.device == 2 && got.id.row == 3 &&
                got.id.line == 4 && got.id.occurrence == 5 && got.sent == 3 && got.ambiguous == 2);
    assert_int_equal(journal_read_slot(found, 8, &taken, &got, &message), STATUS_OK);
    assert_false(taken);
    journal_close(found);
    journal_turn(journal, 18, 78);
    assert_true(journal_stage(journal, SPAN_LITERAL("three\n")));
    journal_turn(journal, 24, 79);
    assert_true(journal_stage(journal, SPAN_LITERAL("4\n")));
    found = reopen();
    assert_int_equal(journal_read_live(found, &live, &message), STATUS_OK);
    assert_span(live.staged, "4\n"); /* nothing is left of what the half held before */
    assert_int_equal(live.base, 24);
    assert_int_equal(live.base_hash, 79);
    journal_close(found);
    journal_close(journal);
}

static void test_what_has_no_room_is_refused(void **state)
{
    (void)state;
    struct journal *journal = create();
    char line[65] = "";

    memset(line, 'x', sizeof(line));
    assert_false(journal_stage(journal, span_of(line, 65)));
    assert_true(journal_stage(journal, span_of(line, 64)));
    assert_false(journal_stage(journal, span_of(line, 1)));
    journal_turn(journal, 74, 1);
    for (int i = 0; i < 6; i++)
        assert_true(journal_stage(journal, span_of(line, 1)));
    assert_false(journal_stage(journal, span_of(line, 1)));
    journal_close(journal);
}

static void test_the_newest_whole_snapshot_is_found(void **state)
{
    (void)state;
    struct journal *journal = create();
    struct snapshot *snapshot = calloc(1, snapshot_size(SLOTS)), *got = NULL;

    assert_non_null(snapshot);
    for (uint32_t sequence = 2; sequence < 9; sequence++) {
        snapshot->sequence = sequence;
        snapshot->durable = 100 + sequence;
        snapshot->intent_count = 0;
        for (uint32_t i = 0; i < (sequence * 31) % SLOTS; i++)
            snapshot_put(snapshot, &(struct intent){.id.hash = sequence * 1000 + i});
        assert_int_equal(journal_write_snapshot(journal, snapshot), STATUS_OK);
        assert_int_equal(journal_read_snapshot(journal, &got, &message), STATUS_OK);
        assert_int_equal(got->sequence, sequence);
        assert_memory_equal(got, snapshot, snapshot_size(snapshot->intent_count));
        free(got);
    }
    free(snapshot);
    journal_close(journal);
}

static void test_checkpoints_thin_out(void **state)
{
    (void)state;
    static struct snapshot snapshot;

    for (uint64_t i = 1; i <= 10000; i++) {
        snapshot_add_checkpoint(&snapshot, i, i * 3);
        snapshot_add_checkpoint(&snapshot, i, i * 3); /* once is enough */
        uint32_t count = snapshot.checkpoint_count;
        assert_true(count <= JOURNAL_CHECKPOINTS);
        assert_int_equal(snapshot.checkpoints[count - 1].offset, i);
        for (uint32_t j = 1; j < count; j++)
            assert_true(snapshot.checkpoints[j - 1].offset < snapshot.checkpoints[j].offset);
        for (uint32_t j = 0; j < count; j++)
            assert_int_equal(snapshot.checkpoints[j].hash, snapshot.checkpoints[j].offset * 3);
    }
    assert_true(snapshot.checkpoint_count >= JOURNAL_CHECKPOINTS / 2);
}

/* Everything that a reader could get out of a journal, as one number, or 0 where it is refused. */
static uint64_t contents(bool *ret_refused)
{
    struct journal *journal = NULL;
    struct journal_live live;
    struct snapshot *snapshot = NULL;
    uint64_t sum = 1;

    *ret_refused = true;
    buf_clear(&message);
    if (journal_open(&disk_real, path, &message, &journal) != STATUS_OK)
        return 0;
    bool good = journal_read_live(journal, &live, &message) == STATUS_OK;
    if (good)
        sum = sum * 31 + XXH3_64bits(live.staged.ptr, live.staged.len) + live.base + live.base_hash;
    for (uint32_t i = 0; good && i < SLOTS; i++) {
        struct intent intent = {.sent = 0};
        bool taken;
        good = journal_read_slot(journal, i, &taken, &intent, &message) == STATUS_OK;
        sum = sum * 31 +
              (taken ? intent.id.hash + intent.id.row + intent.sent + intent.id.occurrence : 0);
    }
    good = good && journal_read_snapshot(journal, &snapshot, &message) == STATUS_OK;
    if (good)
        sum = sum * 31 + XXH3_64bits(snapshot, snapshot_size(snapshot->intent_count));
    sum = sum * 31 + journal_about(journal)->run_base + (journal_is_live(journal) ? 1 : 0);
    free(snapshot);
    journal_close(journal);
    *ret_refused = !good;
    return sum;
}

/* Each bit of each byte that is not 0, and of the first bytes behind each of those. */
static void test_a_flipped_bit_is_refused_or_changes_nothing(void **state)
{
    (void)state;
    struct journal *journal = create();
    const struct intent intent = {.id = {.hash = 11, .row = 3, .occurrence = 5}};
    struct stat about;
    bool refused;
    size_t refusals = 0, harmless = 0;

    journal_mark(journal, 3, &intent);
    assert_true(journal_stage(journal, SPAN_LITERAL("a line of the results\n")));
    assert_true(journal_stage(journal, SPAN_LITERAL("and another\n")));
    journal_close(journal);
    uint64_t wanted = contents(&refused);
    assert_false(refused);
    int fd = open(path, O_RDWR);
    assert_int_equal(fstat(fd, &about), 0);
    int zeros = 0;
    for (off_t at = 0; at < about.st_size; at++) {
        unsigned char byte, flipped;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        zeros = byte != 0 ? 0 : zeros + 1;
        if (zeros > 16)
            continue;
        for (int bit = 0; bit < 8; bit++) {
            flipped = (unsigned char)(byte ^ 1 << bit);
            assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
            uint64_t got = contents(&refused);
            if (!refused && got != wanted)
                print_error("byte %lld, bit %d\n", (long long)at, bit);
            assert_true(refused || got == wanted);
            refusals += refused;
            harmless += !refused;
        }
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    (void)close(fd);
    assert_true(refusals > 1000 && harmless > 1000); /* both kinds were met */
}

static void test_a_journal_of_the_wrong_size_is_refused(void **state)
{
    (void)state;
    struct journal *journal = create();
    struct stat about;
    bool refused;

    journal_close(journal);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(truncate(path, about.st_size - 1), 0);
    (void)contents(&refused);
    assert_true(refused);
    assert_int_equal(truncate(path, 100), 0);
    (void)contents(&refused);
    assert_true(refused);
}

static void test_only_a_settled_journal_outlives_a_restart(void **state)
{
    (void)state;
    struct journal *journal = create_in("another boot");

    assert_false(journal_is_live(journal)); /* the control: its snapshots count */
    journal_close(journal);
    journal = reopen();
    assert_false(journal_is_live(journal));
    assert_int_equal(journal_settle(journal), STATUS_OK);
    journal_close(journal);
    journal = reopen();
    assert_true(journal_is_live(journal));
    journal_close(journal);
}

static int setup(void **state)
{
    (void)state;
    buf_init(&message, 64 * 1024);
    (void)snprintf(folder, sizeof(folder), "/tmp/nbatch-test-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return 1;
    (void)snprintf(path, sizeof(path), "%s/r.csv.journal", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_deinit(&message);
    (void)remove(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_stored_is_there_without_a_close),
        cmocka_unit_test(test_what_has_no_room_is_refused),
        cmocka_unit_test(test_the_newest_whole_snapshot_is_found),
        cmocka_unit_test(test_checkpoints_thin_out),
        cmocka_unit_test(test_a_flipped_bit_is_refused_or_changes_nothing),
        cmocka_unit_test(test_a_journal_of_the_wrong_size_is_refused),
        cmocka_unit_test(test_only_a_settled_journal_outlives_a_restart),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
