/* What of the shared jobs needs no database: arrays, shards, the fence, and a command that is kept
 * elsewhere and comes back. */
#include "unit.h"

#include "ledger/share/array.h"
#include "ledger/share/database.h"
#include "ledger/share/fence.h"
#include "ledger/share/load.h"
#include "platform/key.h"

#define MS_NS INT64_C(1000000)

static void test_an_array_is_as_the_database_reads_it(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 4096);
    array_open(&text);
    array_add_int(&text, -7);
    array_add_null(&text);
    array_add_text(&text, SPAN_LITERAL(""));
    array_add_text(&text, SPAN_LITERAL("a \"b\" {c,d} NULL 中"));
    array_add_text(&text, span_of("x\0y\xff", 4));
    array_close(&text);
    assert_string_equal(buf_string(&text), "{-7,NULL,\"\",\"a \\\"b\\\" {c,d} NULL 中\","
                                           "\"x\\\\x00y\\\\xff\"}");
    array_open(&text);
    array_close(&text);
    assert_string_equal(buf_string(&text), "{}");
    buf_deinit(&text);
}

static void test_a_small_job_has_few_shards_and_devices_fall_into_all(void **state)
{
    bool met[LOAD_SHARDS_MAX] = {false};

    (void)state;
    assert_int_equal(load_shards_of(0), 1);
    assert_int_equal(load_shards_of(LOAD_SHARD_ROWS_MIN * 3), 3);
    assert_int_equal(load_shards_of(10000000), LOAD_SHARDS_MAX);
    for (uint64_t device = 1; device < 100 * LOAD_SHARDS_MAX; device++) {
        uint32_t shard = load_shard_of(device, LOAD_SHARDS_MAX);
        assert_true(shard < LOAD_SHARDS_MAX);
        assert_int_equal(load_shard_of(device, LOAD_SHARDS_MAX), shard);
        met[shard] = true;
    }
    for (size_t i = 0; i < LOAD_SHARDS_MAX; i++)
        assert_true(met[i]);
}

static void test_sending_ends_before_the_lease_does(void **state)
{
    (void)state;
    assert_int_equal(fence_end_ns(1000 * MS_NS, 30000), 28000 * MS_NS);
    for (int64_t lease_ms = 1000; lease_ms < 60000; lease_ms += 999) {
        assert_true(fence_end_ns(5, lease_ms) < 5 + lease_ms * MS_NS);
        /* … and two renewals may be lost before it does. */
        assert_true(2 * fence_renew_ms(lease_ms) * MS_NS < fence_end_ns(0, lease_ms));
    }
}

static void test_an_account_is_the_keys_fingerprint(void **state)
{
    char name[KEY_FINGERPRINT_LENGTH + 1];

    (void)state;
    assert_int_equal(key_fingerprint(SPAN_LITERAL("abc"), name), STATUS_OK);
    assert_string_equal(name, "ba7816bf");
}

static void test_a_command_comes_back_as_it_was(void **state)
{
    const struct command facts = {.row = 7, .device = 42, .expires_at_s = 99, .passed_count = 2};
    struct command first, command;
    struct cell cells[2] = {{.kind = CELL_NUMBER, .text = SPAN_LITERAL("1.50")},
                            {.kind = CELL_TEXT, .text = SPAN_LITERAL("two, \"three\"")}};

    (void)state;
    command_init(&first);
    command_init(&command);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(command_add_passed(&first, &cells[i]), STATUS_OK);
    /* It has no target yet, whose end is a NUL. */
    struct command_texts texts = {.target = SPAN_LITERAL("/x?a=b"),
                                  .body = SPAN_LITERAL("{}"),
                                  .device = SPAN_LITERAL("860000000000017"),
                                  .passed = buf_span(&first.text)};
    for (int round = 0; round < 2; round++) {
        assert_int_equal(command_restore(&command, &facts, &texts), STATUS_OK);
        assert_true(span_is(command_target(&command), "/x?a=b"));
        assert_int_equal(command_target(&command).ptr[6], '\0');
        assert_true(span_is(command_body(&command), "{}"));
        assert_true(span_is(command_device_text(&command), "860000000000017"));
        assert_true(span_equal(command_passed_bytes(&command), buf_span(&first.text)));
        assert_int_equal(command_passed(&command, cells, 2), 2);
        assert_true(cells[0].kind == CELL_NUMBER && span_is(cells[0].text, "1.50"));
        assert_true(span_is(cells[1].text, "two, \"three\""));
        assert_int_equal(command.row, 7);
        assert_int_equal(command.expires_at_s, 99);
    }
    command_deinit(&command);
    command_deinit(&first);
}

static void test_cells_that_are_cut_are_not_read_beyond(void **state)
{
    struct cell cells[2];
    const char bytes[] = {CELL_TEXT, 3, 0, 0, 0, 'a', 'b', 'c', CELL_TEXT, 9, 0, 0, 0, 'd'};

    (void)state;
    assert_int_equal(command_cells(span_of(bytes, sizeof(bytes)), cells, 2), 1);
    assert_true(span_is(cells[0].text, "abc"));
    for (size_t len = 0; len < 8; len++)
        assert_int_equal(command_cells(span_of(bytes, len), cells, 2), 0);
}

static void test_a_password_is_seen_however_it_is_given(void **state)
{
    static const char *const bad[] = {"postgresql://ops:secret@db/nbatch",
                                      "postgresql://db/?password=x", "host=db password=x",
                                      "nonsense", "postgresql://db/?sslpassword=x"};
    static const char *const good[] = {"postgresql://ops@db/nbatch", "postgresql://", "",
                                       "service=nbatch", "postgresql://ops@/x?host=/tmp"};
    struct buf message;

    (void)state;
    buf_init(&message, 4096);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_int_equal(database_check_where(bad[i], &message), STATUS_USAGE);
        assert_null(strstr(buf_string(&message), "secret"));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        assert_int_equal(database_check_where(good[i], &message), STATUS_OK);
    buf_deinit(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_array_is_as_the_database_reads_it),
        cmocka_unit_test(test_a_small_job_has_few_shards_and_devices_fall_into_all),
        cmocka_unit_test(test_sending_ends_before_the_lease_does),
        cmocka_unit_test(test_an_account_is_the_keys_fingerprint),
        cmocka_unit_test(test_a_command_comes_back_as_it_was),
        cmocka_unit_test(test_cells_that_are_cut_are_not_read_beyond),
        cmocka_unit_test(test_a_password_is_seen_however_it_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
