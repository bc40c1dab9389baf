#include "unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/status_file.h"

#define UUID "42742677-adc3-54ca-83a1-5aaaf71482f8"
#define HEAD                                                                                     \
    "row,key," DEVICE_COLUMN ",uuid,state,send_status,confirm_status,reason,remain,create_time," \
    "send_time,confirm_time,expired_time,checked_at"
#define LINE                                                                                   \
    "1,0123456789abcdef-1,860000000000008," UUID ",waiting,1,,,3,2026-11-28T16:00:00+08:00,,," \
    "2026-11-29T16:00:00+08:00,2026-11-28T16:05:00+08:00"

static struct buf message;
static char folder[] = "/tmp/nbatch-test-XXXXXX", path[80];

static void write_text(const char *name, struct span text)
{
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text.ptr, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
    buf_clear(&message);
}

static void read_text(struct buf *out)
{
    FILE *file = fopen(path, "rb");
    char bytes[4096];
    size_t count;

    assert_non_null(file);
    buf_clear(out);
    while ((count = fread(bytes, 1, sizeof(bytes), file)) > 0)
        buf_add_bytes(out, bytes, count);
    assert_int_equal(fclose(file), 0);
}

/* How the reading of all lines ends, and how many there are. */
static enum status read_all(size_t *ret_count, struct status_line *ret_last)
{
    static struct status_file file;
    enum status status;

    buf_clear(&message);
    *ret_count = 0;
    status_file_close(&file);
    status = status_file_open(&file, &disk_real, path, &message);
    while (status == STATUS_OK) {
        status = status_file_next(&file, ret_last);
        *ret_count += status == STATUS_OK;
    }
    return status; /* the file stays open, for the spans of the line */
}

static void expect_good(struct span text, size_t lines)
{
    struct status_line line;
    size_t count;

    write_text("good", text);
    enum status status = read_all(&count, &line);
    if (status != STATUS_END)
        fail_msg("%s", buf_string(&message));
    assert_int_equal(count, lines);
    if (lines == 0)
        return;
    assert_int_equal(line.id.hash, UINT64_C(0x0123456789abcdef));
    assert_int_equal(line.created_s, 1795852800);
    assert_int_equal(line.checked_s, 1795853100);
    assert_int_equal(line.sent_s, HISTORY_NONE);
    assert_int_equal(line.remain, 3);
    assert_int_equal(line.state, COMMAND_WAITING);
}

static void expect_refused(const char *text, const char *why)
{
    struct status_line line;
    size_t count;

    write_text("bad", span_string(text));
    assert_int_equal(read_all(&count, &line), STATUS_SYNTAX);
    if (strstr(buf_string(&message), why) == NULL)
        fail_msg("%s", buf_string(&message));
    assert_non_null(strstr(buf_string(&message), "run nbatch status"));
}

static void test_a_file_saved_again_by_a_spreadsheet_is_the_same(void **state)
{
    (void)state;
    expect_good(SPAN_LITERAL(HEAD "\n" LINE "\n"), 1);
    expect_good(SPAN_LITERAL("\xef\xbb\xbf" HEAD "\r\n" LINE "\r\n"), 1);
    expect_good(SPAN_LITERAL(HEAD "\n" LINE), 1); /* no line end at the end */
    expect_good(SPAN_LITERAL(HEAD ",note,\r\n" LINE
                                  ",\"a \"\"b\"\",\nc\",\r\n\r\n,,,,,,,,,,,,,,,\r\n"),
                1);
    expect_good(SPAN_LITERAL("note,\"state\",key,row," DEVICE_COLUMN ",uuid,send_status,"
                             "confirm_status,reason,remain,create_time,send_time,confirm_time,"
                             "expired_time,checked_at\n"
                             "x,waiting,0123456789abcdef-1,1,860000000000008,u,1,,,3,"
                             "2026-11-28T08:00:00Z,,,,2026-11-28T08:05:00Z\n"),
                1);
    expect_good(SPAN_LITERAL(HEAD "\n"), 0);
}

static void test_damage_is_told_with_line_column_and_remedy(void **state)
{
    (void)state;
    expect_refused("", "line 1: the file is empty");
    expect_refused("row,line,key\n", "this is no status file: it has no column " DEVICE_COLUMN);
    expect_refused("row;key;" DEVICE_COLUMN "\n1;2;3\n", "there is no comma in the header");
    expect_refused(HEAD "\n" LINE ",\n", "line 2: it has not as many cells as the header");
    expect_refused(HEAD "\n" LINE "\n1,0123456789abcdef-1,8600", "line 3: it has not as many");
    expect_refused(HEAD "\n1,0123456789abcdef-1,8.6E+14,u,waiting,1,,,3,,,,,\n",
                   "line 2, column " DEVICE_COLUMN ": \"8.6E+14\" is no device's number");
    expect_refused(HEAD "\n0,0123456789abcdef-1,1234,u,waiting,1,,,3,,,,,\n", "column row: \"0\"");
    expect_refused(HEAD "\n1,0123456789abcdeg-1,1234,u,waiting,1,,,3,,,,,\n", "column key: ");
    expect_refused(HEAD "\n1,0123456789abcdef-1,1234,u,Waiting,1,,,3,,,,,\n",
                   "column state: \"Waiting\" is no state");
    expect_refused(HEAD "\n1,0123456789abcdef-1,1234,u,,1,,,3,,,,,\n",
                   "column state: an empty cell is no state");
    expect_refused(HEAD "\n1,0123456789abcdef-1,1234,u,refused,5,MAYBE,,3,,,,,\n",
                   "column confirm_status");
    expect_refused(HEAD "\n1,0123456789abcdef-1,1234,u,waiting,1.5,,,3,,,,,\n",
                   "column send_status");
    expect_refused(HEAD "\n1,0123456789abcdef-1,1234,u,waiting,1,,,-3,,,,,\n", "column remain");
    expect_refused(HEAD "\n1,0123456789abcdef-1,1234,u,waiting,1,,,3,2026/11/28 16:00,,,,\n",
                   "column create_time");
    expect_refused(HEAD "\n1,0123456789abcdef-1,1234,u,waiting,1,,,3,,,,,2026-11-28T16:00:00\n",
                   "column checked_at");
    expect_refused("{\"row\":1}\n", "it has no column key");
    expect_refused("{\"row\":1\n", "line 1: it is no JSON object");
    write_text("zeros", SPAN_LITERAL(HEAD "\n" LINE "\n\0\0\0\0\n"));
    size_t count;
    struct status_line line;
    assert_int_equal(read_all(&count, &line), STATUS_SYNTAX);
    (void)snprintf(path, sizeof(path), "%s/none", folder);
    assert_int_equal(read_all(&count, &line), STATUS_END);
    assert_int_equal(message.len, 0);
}

static void write_lines(const struct status_line *lines, size_t count, enum status expected)
{
    static const struct span passed[] = {{"a,b", 3}, {"city", 4}};
    struct status_writer writer;

    buf_clear(&message);
    assert_int_equal(status_writer_open(&writer, &disk_real, path, 0640, passed, 2, &message),
                     expected);
    for (size_t i = 0; i < count && expected == STATUS_OK; i++)
        assert_int_equal(status_writer_add(&writer, &lines[i]), STATUS_OK);
    if (expected == STATUS_OK)
        assert_int_equal(status_writer_commit(&writer, &message), STATUS_OK);
    status_writer_deinit(&writer);
}

static void check_round_trip(const char *name)
{
    static const struct cell cells[] = {{.kind = CELL_TEXT, .text = {"x \"y\"", 5}},
                                        {.kind = CELL_ABSENT}};
    const struct status_line lines[] = {
        {.id = {.row = 7, .hash = UINT64_MAX, .occurrence = 12},
         .device = SPAN_LITERAL("860000000000008"),
         .uuid = SPAN_LITERAL(UUID),
         .state = COMMAND_REFUSED,
         .send_status = SEND_SUCCESS,
         .confirm = CONFIRM_NOT_FOUND,
         .reason = SPAN_LITERAL("NOT_FOUND, \"no\" such"),
         .remain = 0,
         .created_s = 1795852800,
         .sent_s = 1795852801,
         .confirmed_s = 1795852802,
         .expires_s = 1795939200,
         .checked_s = 1795853100,
         .passed = cells,
         .passed_count = 2},
        {.id = {.row = 8, .hash = 1, .occurrence = 1},
         .device = SPAN_LITERAL("1234"),
         .state = COMMAND_MISSING,
         .send_status = HISTORY_NONE,
         .confirm = CONFIRM_NONE,
         .remain = HISTORY_NONE,
         .created_s = HISTORY_NONE,
         .sent_s = HISTORY_NONE,
         .confirmed_s = HISTORY_NONE,
         .expires_s = HISTORY_NONE,
         .checked_s = HISTORY_NONE},
    };
    struct status_line line;
    struct stat about;
    size_t count;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    write_lines(lines, 1, STATUS_OK);
    assert_int_equal(read_all(&count, &line), STATUS_END);
    assert_int_equal(count, 1);
    assert_true(line.id.row == 7 && line.id.hash == UINT64_MAX && line.id.occurrence == 12);
    assert_true(span_equal(line.uuid, lines[0].uuid) && span_equal(line.reason, lines[0].reason));
    assert_true(line.state == COMMAND_REFUSED && line.confirm == CONFIRM_NOT_FOUND);
    assert_true(line.sent_s == lines[0].sent_s && line.confirmed_s == lines[0].confirmed_s &&
                line.expires_s == lines[0].expires_s && line.checked_s == lines[0].checked_s);
    write_lines(lines, 2, STATUS_OK); /* takes the place of the first */
    assert_int_equal(read_all(&count, &line), STATUS_END);
    assert_int_equal(count, 2);
    assert_true(line.uuid.len == 0 && line.send_status == HISTORY_NONE &&
                line.checked_s == HISTORY_NONE && line.confirm == CONFIRM_NONE);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0640);
}

static void test_what_is_written_is_read_and_replaced(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 65536);
    check_round_trip("x.status.csv");
    read_text(&text);
    assert_true(span_starts_with(
        buf_span(&text),
        HEAD ",\"a,b\",city\n7,ffffffffffffffff-12,860000000000008," UUID
             ",refused,5,NOT_FOUND,\"NOT_FOUND, \"\"no\"\" such\",0,2026-11-28T16:00:00+08:00,"));
    assert_non_null(strstr(buf_string(&text),
                           ",\"x \"\"y\"\"\",\n8,0000000000000001-1,1234,,missing"
                           ",,,,,,,,,,,\n"));
    check_round_trip("x.status.jsonl");
    read_text(&text);
    assert_non_null(strstr(buf_string(&text), "\"checked_at\":null,\"a,b\":null,\"city\":null}\n"));
    buf_deinit(&text);
}

static void test_what_is_no_status_file_is_not_replaced(void **state)
{
    static const char input[] = DEVICE_COLUMN ",obj_id\n860000000000008,3\n";
    struct buf text;

    (void)state;
    buf_init(&text, 65536);
    write_text("input.csv", SPAN_LITERAL(input));
    write_lines(NULL, 0, STATUS_EXISTS);
    read_text(&text);
    assert_string_equal(buf_string(&text), input);
    write_text("damaged.csv", SPAN_LITERAL(HEAD "\nrubbish\n")); /* but a damaged one is */
    write_lines(NULL, 0, STATUS_OK);
    buf_deinit(&text);
}

static void test_the_name_is_beside_the_results(void **state)
{
    static const char *const names[][2] = {
        {"fleet.results.csv", "fleet.status.csv"},
        {"x.csv", "x.status.csv"},
        {"a.b/x", "a.b/x.status"},
        {"/d/fleet.results.jsonl", "/d/fleet.status.jsonl"},
        {"fleet.rehearsal.csv", "fleet.rehearsal.status.csv"},
        {".results.csv", ".results.status.csv"},
        {"d/.csv", "d/.csv.status"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char *got = status_file_path(names[i][0]);
        assert_string_equal(got, names[i][1]);
        free(got);
    }
}

static int make_folder(void **state)
{
    (void)state;
    buf_init(&message, 65536);
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"good",        "bad",          "zeros",
                                        "damaged.csv", "x.status.csv", "x.status.jsonl",
                                        "input.csv"};

    (void)state;
    buf_deinit(&message);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder); /* nothing else was left there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_saved_again_by_a_spreadsheet_is_the_same),
        cmocka_unit_test(test_damage_is_told_with_line_column_and_remedy),
        cmocka_unit_test(test_what_is_written_is_read_and_replaced),
        cmocka_unit_test(test_what_is_no_status_file_is_not_replaced),
        cmocka_unit_test(test_the_name_is_beside_the_results),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
