#include "unit.h"

#include <dirent.h>
#include <unistd.h>

#include "engine/memory_store.h"
#include "ledger/ledger.h"

/*
 * What store.h promises, by each that keeps it: the tests below run with a results file and with
 * the memory of the tests, so that what is tested with the one holds with the other.
 */
enum { ROWS = 40 };

struct fixture {
    bool is_file;
    char folder[64];
    struct ledger *ledger;
    struct memory_store memory;
    struct store *store;
    struct buf message;
};

static struct fixture fixture;

static int set_up(void **state)
{
    fixture = (struct fixture){.is_file = strcmp(*state, "file") == 0};
    buf_init(&fixture.message, 64 * 1024);
    if (!fixture.is_file) {
        fixture.store = &fixture.memory.store;
        return memory_store_init(&fixture.memory, 64) == STATUS_OK ? 0 : -1;
    }
    (void)snprintf(fixture.folder, sizeof(fixture.folder), "/tmp/nbatch-store-XXXXXX");
    if (mkdtemp(fixture.folder) == NULL)
        return -1;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/out.csv", fixture.folder);
    const struct ledger_options options = {.path = path, .concurrency = 4};
    const struct ledger_about about = {.input = "fleet.csv", .target = "http://x"};
    if (ledger_open(&options, &fixture.message, &fixture.ledger) != STATUS_OK ||
        ledger_start(fixture.ledger, &about, &fixture.message) != STATUS_OK)
        return -1;
    fixture.store = ledger_store(fixture.ledger);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ledger_close(fixture.ledger);
    memory_store_deinit(&fixture.memory);
    buf_deinit(&fixture.message);
    DIR *all = fixture.is_file ? opendir(fixture.folder) : NULL;
    for (struct dirent *entry; all != NULL && (entry = readdir(all)) != NULL;) {
        char name[400];
        (void)snprintf(name, sizeof(name), "%s/%s", fixture.folder, entry->d_name);
        (void)unlink(name);
    }
    if (all != NULL)
        (void)closedir(all);
    return fixture.is_file ? rmdir(fixture.folder) : 0;
}

static struct row_id id_of(uint64_t row)
{
    return (struct row_id){.hash = row * UINT64_C(0x9e3779b97f4a7c15),
                           .device = 860000000000017,
                           .row = row,
                           .line = row + 1,
                           .occurrence = 1};
}

static uint32_t admit(uint64_t row)
{
    return fixture.store->admit(fixture.store, &(struct intent){.id = id_of(row)});
}

static enum status end(uint32_t ticket, uint64_t row, enum row_status status, int64_t after_ms)
{
    const struct result_record record = {.id = id_of(row),
                                         .status = status,
                                         .uuid = status == ROW_ACCEPTED ? SPAN_LITERAL("u")
                                                                        : span_of(NULL, 0),
                                         .attempts = 1,
                                         .latency_us = -1,
                                         .finished_ms = 1800000000000 + after_ms};
    return fixture.store->end(fixture.store, ticket, &record);
}

static void sync_all(void)
{
    struct store_sync *sync = fixture.store->sync_begin(fixture.store);

    assert_non_null(sync);
    assert_true(fixture.store->is_syncing);
    assert_null(fixture.store->sync_begin(fixture.store)); /* one at a time */
    fixture.store->sync_run(sync);
    assert_int_equal(fixture.store->sync_end(fixture.store, sync), STATUS_OK);
}

static void meet_all(void)
{
    struct store_row known;

    for (uint64_t row = 1; row <= ROWS; row++) {
        assert_int_equal(fixture.store->meet(fixture.store, id_of(row).hash, true, &known),
                         STATUS_OK);
        assert_int_equal(known.verdict, STORE_NEW);
        assert_int_equal(known.occurrence, 1);
    }
}

static void test_a_row_is_durable_once_a_sync_that_began_behind_it_has_ended(void **state)
{
    (void)state;
    struct store *store = fixture.store;
    uint32_t early = admit(1);

    assert_int_equal(store->waiting, 1);
    assert_false(store->is_durable(store, early));
    struct store_sync *sync = store->sync_begin(store);
    assert_int_equal(store->waiting, 0);
    uint32_t late = admit(2);
    assert_int_equal(store->waiting, 1);
    store->sync_run(sync);
    assert_false(store->is_durable(store, early));
    assert_int_equal(store->sync_end(store, sync), STATUS_OK);
    assert_true(store->is_durable(store, early));
    assert_false(store->is_durable(store, late));
    sync_all();
    assert_true(store->is_durable(store, late));
    assert_null(store->sync_begin(store)); /* there is nothing more */
}

static void test_room_comes_back_with_each_row(void **state)
{
    (void)state;
    struct store *store = fixture.store;
    size_t room = store->room;

    for (int round = 0; round < 3; round++) {
        uint32_t dropped = admit(1), ended = admit(2);
        assert_int_not_equal(dropped, ended);
        assert_int_equal(store->room, room - 2);
        sync_all();
        store->attempt(store, dropped, 0, 0);
        store->pause(store, dropped);
        store->attempt(store, ended, 0, 0);
        store->drop(store, dropped);
        assert_int_equal(end(ended, 2, ROW_ACCEPTED, round), STATUS_OK);
        assert_true(store->unsynced == 1 && store->count == (uint64_t)round + 1);
        sync_all();
        assert_int_equal(store->room, room);
        assert_int_equal(store->unsynced, 0);
    }
}

static void test_a_row_that_goes_before_a_sync_has_begun_waits_no_more(void **state)
{
    (void)state;
    struct store *store = fixture.store;

    store->drop(store, admit(1));
    assert_int_equal(store->waiting, 0);
    assert_int_equal(end(admit(2), 2, ROW_FAILED, 0), STATUS_OK);
    assert_int_equal(store->waiting, 0);
    assert_int_equal(store->unsynced, 1);
}

static void test_each_row_is_accounted_for_once(void **state)
{
    (void)state;
    struct store *store = fixture.store;
    struct store_account account;

    meet_all();
    for (uint64_t row = 1; row <= ROWS; row++) {
        uint32_t ticket = row % 2 == 0 ? admit(row) : STORE_NO_TICKET;
        assert_int_equal(end(ticket, row, row % 2 == 0 ? ROW_ACCEPTED : ROW_INVALID, 1), STATUS_OK);
    }
    assert_int_equal(end(STORE_NO_TICKET, 1, ROW_FAILED, 2), STATUS_OK);
    assert_int_equal(store->flush(store), STATUS_OK);
    assert_int_equal(store->account(store, &account, &fixture.message), STATUS_OK);
    assert_int_equal(account.rows, ROWS);
    assert_int_equal(account.lines, ROWS + 1);
    assert_int_equal(account.superseded, 1);
    assert_int_equal(account.strange, 0);
    assert_int_equal(store->finish(store, true, &fixture.message), STATUS_OK);
    assert_int_equal(store->error(store)[0], '\0');
}

static void test_rows_are_met_again_after_a_rewind(void **state)
{
    (void)state;
    meet_all();
    fixture.store->rewind(fixture.store);
    meet_all();
}

#define BOTH(test)                                                              \
    {#test ", file", test, set_up, tear_down, (void *)(uintptr_t) "file"},      \
    {                                                                           \
#test ", memory", test, set_up, tear_down, (void *)(uintptr_t) "memory" \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_a_row_is_durable_once_a_sync_that_began_behind_it_has_ended),
        BOTH(test_room_comes_back_with_each_row),
        BOTH(test_a_row_that_goes_before_a_sync_has_begun_waits_no_more),
        BOTH(test_each_row_is_accounted_for_once),
        BOTH(test_rows_are_met_again_after_a_rewind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
