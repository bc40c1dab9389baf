#include "unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/undelivered.h"
#include "run/cancelled_file.h"

static struct buf message;
static char folder[] = "/tmp/nbatch-test-XXXXXX", path[80];

static void name_file(const char *name)
{
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    (void)unlink(path);
    buf_clear(&message);
}

static void write_text(const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void add_lines(size_t count, enum cancel_outcome outcome)
{
    struct outfile file;

    assert_int_equal(cancelled_writer_open(&file, &disk_real, path, 0600, &message), STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        const struct cancelled_line line = {.id = {.row = i + 1, .hash = 7, .occurrence = 2},
                                            .device = SPAN_LITERAL("860000000000008"),
                                            .uuid = SPAN_LITERAL("u-1"),
                                            .outcome = outcome,
                                            .has_errno = outcome == CANCEL_TOO_LATE,
                                            .platform_errno = 5006,
                                            .error = SPAN_LITERAL("a, \"b\"\n"),
                                            .finished_ms = 1795852800123};
        assert_int_equal(cancelled_writer_add(&file, &line), STATUS_OK);
    }
    assert_int_equal(outfile_close(&file), STATUS_OK);
    outfile_deinit(&file);
}

static size_t read_all(struct cancelled_line *ret_last, enum status expected)
{
    static struct table_scan table;
    size_t count = 0;

    table_scan_close(&table);
    enum status status = cancelled_file_open(&table, &disk_real, path, &message);
    while (status == STATUS_OK) {
        status = cancelled_file_next(&table, ret_last);
        count += status == STATUS_OK;
    }
    if (status != expected)
        fail_msg("%s", buf_string(&message));
    return count;
}

static void test_lines_are_added_and_read(void **state)
{
    static const char *const names[] = {"x.cancelled.csv", "x.cancelled.jsonl"};
    struct cancelled_line line;
    struct stat about;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        name_file(names[i]);
        assert_int_equal(read_all(&line, STATUS_END), 0);
        add_lines(0, CANCEL_CANCELLED);
        assert_int_equal(read_all(&line, STATUS_END), 0);
        add_lines(2, CANCEL_CANCELLED);
        add_lines(1, CANCEL_TOO_LATE);
        assert_int_equal(read_all(&line, STATUS_END), 3);
        assert_true(line.id.row == 1 && line.id.hash == 7 && line.id.occurrence == 2);
        assert_span(line.device, "860000000000008");
        assert_span(line.uuid, "u-1");
        assert_span(line.error, "a, \"b\"\n");
        assert_true(line.outcome == CANCEL_TOO_LATE && line.has_errno);
        assert_int_equal(line.platform_errno, 5006);
        assert_int_equal(line.finished_ms, 1795852800000);
        assert_int_equal(stat(path, &about), 0);
        assert_int_equal(about.st_mode & 0777, 0600);
    }
}

/* Whoever wrote it died: at once, within the header, within a line. */
static void test_what_a_death_has_left_is_gone_on_with(void **state)
{
    static const char *const left[] = {
        "", "row,key,im",
        "row,key," DEVICE_COLUMN
        ",uuid,outcome,errno,error,finished_at\n1,0000000000000007-2,8600"};
    struct cancelled_line line;

    (void)state;
    name_file("x.cancelled.csv");
    for (size_t i = 0; i < ARRAY_LENGTH(left); i++) {
        write_text(left[i]);
        assert_int_equal(read_all(&line, STATUS_END), 0);
        add_lines(1, CANCEL_EXPIRED);
        assert_int_equal(read_all(&line, STATUS_END), 1);
        assert_int_equal(line.outcome, CANCEL_EXPIRED);
    }
}

static void test_damage_is_told(void **state)
{
    static const char *const bad[] = {
        "a,b\n",
        "row,key," DEVICE_COLUMN ",uuid,outcome,errno,error,finished_at\n1,2,3,4,5,6,7,8\n",
        "row,key," DEVICE_COLUMN ",uuid,outcome,errno,error,finished_at\n"
        "1,0000000000000007-2,860000000000008,u,gone,,,2026-11-28T08:00:00Z\n",
        "row,key," DEVICE_COLUMN ",uuid,outcome,errno,error,finished_at\n"
        "1,0000000000000007-2,860000000000008,u,expired,,,yesterday\n"};
    struct cancelled_line line;

    (void)state;
    name_file("x.cancelled.csv");
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        buf_clear(&message);
        write_text(bad[i]);
        assert_int_equal(read_all(&line, STATUS_SYNTAX), 0);
        assert_non_null(strstr(buf_string(&message), "run nbatch cancel, which asks anew"));
    }
}

static void test_outcomes_have_words(void **state)
{
    enum cancel_outcome read;

    (void)state;
    for (size_t i = 0; i < CANCEL_OUTCOME_COUNT; i++) {
        assert_true(cancel_outcome_read(span_string(cancel_words[i].word), &read));
        assert_int_equal(read, i);
    }
    assert_false(cancel_outcome_read(SPAN_LITERAL(""), &read));
    assert_int_equal(cancel_outcome_of(COMMAND_REFUSED), CANCEL_TOO_LATE);
    assert_int_equal(cancel_outcome_of(COMMAND_CANCELLED), CANCEL_CANCELLED);
}

/* Results of five rows; what is told is of these uuids, or of others. */
static void test_only_current_uuids_are_sent_again(void **state)
{
    static const char results[] =
        "row,line,key," DEVICE_COLUMN ",status,uuid,errno,error,http_status,attempts,ambiguous,"
        "latency_ms,finished_at\n"
        "1,2,0000000000000001-1,1234,accepted,u1,0,,200,1,0,1.000,2026-11-28T08:00:00.000Z\n"
        "2,3,0000000000000002-1,1234,accepted,u2,0,,200,1,0,1.000,2026-11-28T08:00:00.000Z\n"
        "3,4,0000000000000003-1,1234,rejected,,5006,x,200,1,0,1.000,2026-11-28T08:00:00.000Z\n"
        "2,3,0000000000000002-1,1234,accepted,u3,0,,200,1,0,1.000,2026-11-28T09:00:00.000Z\n"
        "4,5,0000000000000004-1,1234,accepted,u4,0,,200,1,0,1.000,2026-11-28T08:00:00.000Z\n"
        "4,5,0000000000000004-1,1234,in_doubt,,,x,,2,1,,2026-11-28T09:00:00.000Z\n"
        "5,6,0000000000000005-1,1234,in_doubt,,,x,,1,1,,2026-11-28T08:00:00.000Z\n"
        "5,6,0000000000000005-1,1234,accepted,u5,0,,200,2,1,1.000,2026-11-28T09:00:00.000Z\n";
    struct undelivered undelivered;

    (void)state;
    name_file("x.results.csv");
    write_text(results);
    undelivered_init(&undelivered);
    static const struct {
        uint64_t hash;
        struct span uuid;
    } told[] = {{1, {"u1", 2}}, {2, {"u2", 2}}, {3, {"", 0}}, {4, {"u4", 2}}, {5, {"u5", 2}}};
    for (size_t i = 0; i < ARRAY_LENGTH(told); i++) {
        const struct row_id id = {.hash = told[i].hash, .occurrence = 1};
        assert_int_equal(undelivered_tell(&undelivered, &id, told[i].uuid, true), STATUS_OK);
    }
    assert_int_equal(undelivered_match(&undelivered, &disk_real, path, &message), STATUS_OK);
    assert_true(undelivered.count == 3 && undelivered.accepted == 4 && undelivered.unknown == 1);
    assert_non_null(undelivered_find(&undelivered, 1));
    assert_null(undelivered_find(&undelivered, 2)); /* u2 is not current any more */
    assert_null(undelivered_find(&undelivered, 3));
    const struct undelivered_row *again = undelivered_find(&undelivered, 4);
    assert_non_null(again); /* it was sent again, and is in doubt since */
    assert_true(again->in_doubt && again->attempts == 2 && again->ambiguous == 1);
    again = undelivered_find(&undelivered, 5);
    assert_non_null(again);
    assert_false(again->in_doubt);
    undelivered_deinit(&undelivered);
}

static int make_folder(void **state)
{
    (void)state;
    buf_init(&message, 65536);
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"x.cancelled.csv", "x.cancelled.jsonl", "x.results.csv"};

    (void)state;
    buf_deinit(&message);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_added_and_read),
        cmocka_unit_test(test_what_a_death_has_left_is_gone_on_with),
        cmocka_unit_test(test_damage_is_told),
        cmocka_unit_test(test_outcomes_have_words),
        cmocka_unit_test(test_only_current_uuids_are_sent_again),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
