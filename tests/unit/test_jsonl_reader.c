#include "unit.h"

#include "failing_realloc.h"
#include <sys/resource.h>

#include "reader_help.h"

static struct buf told;
static struct buf wanted;

static void read_with(const void *bytes, size_t len, size_t max_row_bytes)
{
    buf_clear(&told);
    tell_bytes(bytes, len, INPUT_JSONL, 0, max_row_bytes, &told);
}

/* The input is a literal: it may hold NUL. */
#define read_text(input, max_row_bytes) read_with(input, sizeof(input) - 1, max_row_bytes)

static void assert_reads_bytes(const char *bytes, size_t len, const char *text)
{
    read_with(bytes, len, READER_MAX_ROW_BYTES);
    assert_string_equal(buf_string(&told), text);
}

#define assert_reads(input, text) assert_reads_bytes(input, sizeof(input) - 1, text)

/* One line, and the problem that it has. */
#define assert_bad(line, text) \
    assert_reads(line "\n{\"a\":1}\n", "bad 1@1 " text "\nok 2@2 |n:1|\nend\n")

static void test_each_kind_of_value_is_told_apart(void **state)
{
    (void)state;
    assert_reads("{\"s\":\"x\\u00e9\\n\\\"\",\"n\":-1.50e+3,\"t\":true,\"f\":false,\"z\":null,"
                 "\"a\":[1, {\"b\":\"]\"} ],\"o\":{ },\"e\":\"\"}\n",
                 "ok 1@1 |s:x\xc3\xa9\\n\"|n:-1.50e+3|b:true|b:false|null:null|"
                 "j:[1, {\"b\":\"]\"} ]|j:{ }|s:|\nend\n");
}

static void test_numbers_keep_their_digits(void **state)
{
    (void)state;
    assert_reads("{\"a\":12345678901234567890123,\"b\":1.10,\"c\":-0,\"d\":1e400}\n",
                 "ok 1@1 |n:12345678901234567890123|n:1.10|n:-0|n:1e400|\nend\n");
}

static void test_members_become_columns_as_they_come(void **state)
{
    (void)state;
    assert_reads("{\"a\":1,\"b\":2}\n{\"b\":3,\"c\":4}\n{}\n{\"c\":5,\"\\u0061\":6}\n",
                 "ok 1@1 |n:1|n:2|\n"
                 "ok 2@2 |-|n:3|n:4|\n"
                 "ok 3@3 |-|-|-|\n"
                 "ok 4@4 |n:6|-|n:5|\n"
                 "end\n");
}

/* They are read a shorter way than others, which must not show. */
static void test_plain_lines_that_are_like_those_before_are_no_others(void **state)
{
    (void)state;
    assert_reads("{\"a\":1,\"b\\\"c\":\"x\",\"d\":null}\n"
                 "{\"a\":1,\"b\"c\":\"x\",\"d\":null}\n"
                 "{\"a\":2,\"d\":\"\"}\r\n"
                 "{\"d\": [1, {\"x\":\"y\"}], \"a\": true}\n"
                 "{\"d\":{\"a\":[0]},\"a\":-1.50}\n"
                 "{\"d\":1,\"a\":2,\"a\":3}\n"
                 "{\"d\":1,\"a\":2,\"a\":3}\n"
                 "{\"d\":1,\"a\":2,}\n"
                 "{\"d\":1,\"a\":2}}\n"
                 "{\"d\":1,\"a\":2,\"e\":\"f\"}\n"
                 "{\"a\":\"d\",\"e\":false}\n",
                 "ok 1@1 |n:1|s:x|null:null|\n"
                 "bad 2@2 E-JSON@2 byte 11: a colon is missing\n"
                 "ok 3@3 |n:2|-|s:|\n"
                 "ok 4@4 |b:true|-|j:[1, {\"x\":\"y\"}]|\n"
                 "ok 5@5 |n:-1.50|-|j:{\"a\":[0]}|\n"
                 "bad 6@6 E-DUPLICATE@6 a: member 3 repeats an earlier one\n"
                 "bad 7@7 E-DUPLICATE@7 a: member 3 repeats an earlier one\n"
                 "bad 8@8 E-JSON@8 byte 14: a name in double quotes is missing\n"
                 "bad 9@9 E-JSON@9 byte 14: nothing is open that this bracket could close; JSONL "
                 "wants one object per line\n"
                 "ok 10@10 |n:2|-|n:1|s:f|\n"
                 "ok 11@11 |s:d|-|-|b:false|\n"
                 "end\n");
}

static void test_blank_lines_are_skipped_and_counted(void **state)
{
    (void)state;
    assert_reads("\n \t\r\n{\"a\":1}\r\n\r\n\n {\"a\":2} \n\n",
                 "ok 1@3 |n:1|\nok 2@6 |n:2|\nend\n");
}

static void test_the_last_row_needs_no_line_end(void **state)
{
    (void)state;
    assert_reads("{\"a\":1}\n{\"a\":2}", "ok 1@1 |n:1|\nok 2@2 |n:2|\nend\n");
    assert_reads("{\"a\":1}\n  ", "ok 1@1 |n:1|\nend\n");
}

static void test_a_byte_order_mark_is_skipped_at_the_start_only(void **state)
{
    (void)state;
    assert_reads("\xef\xbb\xbf{\"a\":1}\n\xef\xbb\xbf{\"a\":2}\n",
                 "ok 1@1 |n:1|\n"
                 "bad 2@2 E-JSON@2 byte 1: not an object; JSONL wants one object per line\nend\n");
}

static void test_utf16_is_read_by_its_mark(void **state)
{
    (void)state;
    assert_reads("\xff\xfe{\0}\0\n\0{\0", "ok 1@1 |\n"
                                          "bad 2@2 E-JSON@2 byte 2: it ends before its last "
                                          "bracket is closed; JSONL wants one object per line\n"
                                          "end\n");
}

static void test_an_input_without_a_row_is_empty(void **state)
{
    (void)state;
    assert_reads("", "unusable: E-EMPTY@1 the file is empty\n");
    assert_reads("\xef\xbb\xbf\r\n", "unusable: E-EMPTY@1 the file is empty\n");
    assert_reads("\r\n \t \n\n   ", "unusable: E-EMPTY@1 the file is empty\n");
}

static void test_what_is_no_json_says_where(void **state)
{
    (void)state;
    assert_bad("{\"a\":01}", "E-JSON@1 byte 6: a number with a leading zero");
    assert_bad("{\"a\":1,}", "E-JSON@1 byte 8: a name in double quotes is missing");
    assert_bad("{\"a\" 1}", "E-JSON@1 byte 6: a colon is missing");
    assert_bad("{\"a\":\"\\ud800\"}", "E-JSON@1 byte 7: half of a surrogate pair");
    assert_bad("{\"a\":\"\t\"}", "E-JSON@1 byte 7: a control character inside a string");
    assert_bad("{\"a\":\"\\x\"}", "E-JSON@1 byte 7: an escape that JSON does not know");
    assert_bad("{\"a\":nan}", "E-JSON@1 byte 6: a word that is not true, false or null");
    assert_bad("{\"a\":1}}", "E-JSON@1 byte 8: nothing is open that this bracket could close; "
                             "JSONL wants one object per line");
}

static void test_what_is_no_object_is_bad_with_a_hint(void **state)
{
    (void)state;
    assert_bad("17", "E-JSON@1 byte 1: not an object; JSONL wants one object per line");
    assert_bad(" \"a\"", "E-JSON@1 byte 2: not an object; JSONL wants one object per line");
    assert_bad("a,b", "E-JSON@1 byte 1: not an object; JSONL wants one object per line");
    assert_bad("[{\"a\":1}]", "E-JSON@1 byte 1: not an object; JSONL wants one object per line");
    assert_bad("{\"b\":1} {\"b\":1}",
               "E-JSON@1 byte 9: text behind the value; JSONL wants one object per line");
}

static void test_objects_over_several_lines_are_bad_with_a_hint(void **state)
{
    (void)state;
    assert_reads("[\n{\n\"a\":1},\n{\"a\":2},\n{\"a\":\"\n]\n",
                 "bad 1@1 E-JSON@1 byte 1: not an object; JSONL wants one object per line\n"
                 "bad 2@2 E-JSON@2 byte 2: it ends before its last bracket is closed; JSONL wants "
                 "one object per line\n"
                 "bad 3@3 E-JSON@3 byte 1: not an object; JSONL wants one object per line\n"
                 "bad 4@4 E-JSON@4 byte 8: text behind the value; JSONL wants one object per line\n"
                 "bad 5@5 E-JSON@5 byte 7: it ends inside a string; JSONL wants one object per "
                 "line\n"
                 "bad 6@6 E-JSON@6 byte 1: not an object; JSONL wants one object per line\n"
                 "end\n");
}

static void test_an_object_that_ends_early_is_bad_at_the_end_of_the_input_too(void **state)
{
    (void)state;
    assert_reads("{\"1\":1,", "bad 1@1 E-JSON@1 byte 8: it ends before its last bracket is closed; "
                              "JSONL wants one object per line\nend\n");
}

static void test_nul_and_bad_utf8_are_bad(void **state)
{
    (void)state;
    assert_bad("{\"b\":\"\0\"}", "E-NUL@1 byte 7: a NUL byte");
    assert_bad("{\"b\":\"\\u0000\"}", "E-NUL@1 a string holds \\u0000");
    assert_bad("{\"b\":\"\xe4\xb8\"}",
               "E-UTF8@1 byte 7: not valid UTF-8; if it comes from Excel in China, "
               "try --encoding gb18030");
    assert_bad("{\"\xff\":\"\0\"}",
               "E-NUL@1 byte 7: a NUL byte; E-UTF8@1 byte 3: not valid UTF-8; if it "
               "comes from Excel in China, try --encoding gb18030");
}

static void test_each_duplicate_member_is_told(void **state)
{
    (void)state;
    assert_bad("{\"b\":1,\"c\":2,\"b\":3,\"\\u0062\":4,\"c\":null}",
               "E-DUPLICATE@1 b: member 3 repeats an earlier one; "
               "E-DUPLICATE@1 b: member 4 repeats an earlier one; "
               "E-DUPLICATE@1 c: member 5 repeats an earlier one");
}

static void test_a_member_needs_a_name_of_bounded_length(void **state)
{
    (void)state;
    assert_bad("{\"\":1}", "E-COLUMN@1 member 1 has no name");
    buf_clear(&wanted);
    buf_add_string(&wanted, "{\"");
    for (int i = 0; i <= READER_COLUMN_NAME_MAX; i++)
        buf_add_char(&wanted, 'x');
    buf_add_string(&wanted, "\":1}");
    assert_reads_bytes(wanted.ptr, wanted.len,
                       "bad 1@1 E-COLUMN@1 the name of member 1 is longer than 1024 bytes\nend\n");
}

static void add_members(int from, int count)
{
    buf_add_char(&wanted, '{');
    for (int i = from; i < from + count; i++)
        buf_add_format(&wanted, "%s\"m%d\":%d", i > from ? "," : "", i, i);
    buf_add_string(&wanted, "}\n");
}

static void test_columns_have_a_maximum_and_a_bad_row_brings_none(void **state)
{
    (void)state;
    buf_clear(&wanted);
    add_members(0, READER_COLUMNS_MAX + 1);
    add_members(5000, 2);
    add_members(0, READER_COLUMNS_MAX - 1);
    buf_add_string(&wanted, "{\"m5000\":7}\n");
    read_with(wanted.ptr, wanted.len, READER_MAX_ROW_BYTES);
    assert_true(span_starts_with(buf_span(&told),
                                 "bad 1@1 E-COLUMN@1 has 1025 members, more than 1024\n"
                                 "ok 2@2 |n:5000|n:5001|\n"
                                 "bad 3@3 E-COLUMN@3 m1022: with it, the input has more than 1024 "
                                 "different members\n"
                                 "ok 4@4 |n:7|-|\n"
                                 "end\n"));
}

static void test_row_as_long_as_the_maximum_is_good(void **state)
{
    (void)state;
    read_text("{\"a\":123}\n{\"a\":123}", 9);
    assert_string_equal(buf_string(&told), "ok 1@1 |n:123|\nok 2@2 |n:123|\nend\n");
}

static void test_row_longer_than_maximum_is_bad_and_next_row_is_read(void **state)
{
    (void)state;
    read_text("{\"a\":1234}\n{\"a\":1}\n{\"a\":1234}", 9);
    assert_string_equal(buf_string(&told), "bad 1@1 E-ROW-SIZE@1 the line is longer than 9 bytes\n"
                                           "ok 2@2 |n:1|\n"
                                           "bad 3@3 E-ROW-SIZE@3 the line is longer than 9 bytes\n"
                                           "end\n");
}

static const char hard[] =
    "\xef\xbb\xbf\r\n \t\n{\"imei\":\"1\",\"n\":1.0,\"o\":[1,{\"x\":\"\\\"\"}]}\r\n"
    "\r\n"
    "  {\"n\":2,\"imei\":\"\xe4\xb8\xad\xf0\x9f\x98\xb9\\ud83d\\ude39\"} \n"
    "{\"a line\":\"that is far longer than the maximum of sixty bytes, no\"}\n"
    "{\"a\":1,\"a\":2}\n"
    "[\n"
    "{\"z\":\"\xe4\xb8\"}\n"
    "{\"z\":\"\0\"}\n"
    "{\"z\":null,\"new\":true}\n"
    "{\"n\":1e5,\"z\":\"\"}";

static void test_rows_do_not_depend_on_where_the_blocks_are_cut(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 5, 7, 11, 13, 64};
    size_t len = sizeof(hard) - 1;

    (void)state;
    read_with(hard, len, 60);
    buf_clear(&wanted);
    buf_add(&wanted, buf_span(&told));
    assert_non_null(strstr(buf_string(&wanted), "ok 9@12 |-|n:1e5|-|s:|-|\nend\n"));
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        buf_clear(&told);
        tell_bytes(hard, len, INPUT_JSONL, sizes[i], 60, &told);
        assert_string_equal(buf_string(&told), buf_string(&wanted));
    }
    for (size_t cut = 1; cut < len; cut++) {
        buf_clear(&told);
        tell_cut(hard, len, INPUT_JSONL, cut, 60, &told);
        assert_string_equal(buf_string(&told), buf_string(&wanted));
    }
}

static void test_a_pipe_may_pause_behind_every_byte(void **state)
{
    (void)state;
    read_with(hard, sizeof(hard) - 1, 60);
    buf_clear(&wanted);
    tell_dribbled(hard, sizeof(hard) - 1, INPUT_JSONL, 60, &wanted);
    assert_string_equal(buf_string(&told), buf_string(&wanted));
}

static void test_a_row_is_given_before_the_pipe_has_the_next(void **state)
{
    struct dribble dribble;
    struct reader *reader = dribble_open(&dribble, "{}\n{}\n", INPUT_JSONL, READER_MAX_ROW_BYTES);
    struct problems problems;
    struct row row;

    (void)state;
    problems_init(&problems);
    assert_int_equal(reader_header(reader, &problems), STATUS_AGAIN);
    dribble.feeder.feed(&dribble.feeder);
    assert_int_equal(reader_header(reader, &problems), STATUS_OK);
    assert_int_equal(reader_next(reader, &row, &problems), STATUS_AGAIN);
    for (int i = 0; i < 2; i++)
        dribble.feeder.feed(&dribble.feeder);
    assert_int_equal(reader_next(reader, &row, &problems), STATUS_OK);
    assert_int_equal(row.number, 1);
    problems_deinit(&problems);
    dribble_close(&dribble, reader);
}

static void test_a_reader_starts_over_after_rewind(void **state)
{
    struct reader_options options = {.format = INPUT_JSONL, .max_row_bytes = 60};
    struct source *source = source_of_bytes(hard, sizeof(hard) - 1);
    struct reader *reader;

    (void)state;
    assert_int_equal(reader_open(source, &options, &reader), STATUS_OK);
    buf_clear(&wanted);
    tell_all(reader, NULL, &wanted);
    for (int pass = 0; pass < 2; pass++) {
        buf_clear(&told);
        assert_int_equal(source_rewind(source, &told), STATUS_OK);
        reader_reset(reader);
        assert_int_equal(reader_column_count(reader), 0);
        tell_all(reader, NULL, &told);
        assert_string_equal(buf_string(&told), buf_string(&wanted));
    }
    reader_close(reader);
    source_close(source);
}

static long peak_kb(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* As a hole in a file, 100 MB of NULs take no space. */
static void test_a_line_of_100_mb_takes_no_memory(void **state)
{
    struct reader_options options = {.format = INPUT_JSONL, .max_row_bytes = READER_MAX_ROW_BYTES};
    struct source *source = source_of_hole("{\"a\":\"", 100 * 1024 * 1024);
    struct reader *reader;
    long before = peak_kb();

    (void)state;
    assert_int_equal(reader_open(source, &options, &reader), STATUS_OK);
    buf_clear(&told);
    tell_all(reader, NULL, &told);
    assert_string_equal(buf_string(&told),
                        "bad 1@1 E-ROW-SIZE@1 the line is longer than 65536 bytes\nend\n");
    assert_true(peak_kb() - before < 4096);
    reader_close(reader);
    source_close(source);
}

static void test_want_of_memory_is_told_from_bad_json(void **state)
{
    static const char text[] = "{\"a\":[1],\"\\u0062\":\"x\\ty\"}";

    (void)state;
    buf_clear(&told);
    assert_true(buf_reserve(&told, 1000));
    realloc_fails = true;
    read_text(text, READER_MAX_ROW_BYTES);
    realloc_fails = false;
    assert_string_equal(buf_string(&told), "out of memory");
    read_text(text, READER_MAX_ROW_BYTES);
    assert_string_equal(buf_string(&told), "ok 1@1 |j:[1]|s:x\\ty|\nend\n");
}

static int setup(void **state)
{
    (void)state;
    buf_init(&told, 1024 * 1024);
    buf_init(&wanted, 1024 * 1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_deinit(&told);
    buf_deinit(&wanted);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_of_value_is_told_apart),
        cmocka_unit_test(test_numbers_keep_their_digits),
        cmocka_unit_test(test_members_become_columns_as_they_come),
        cmocka_unit_test(test_plain_lines_that_are_like_those_before_are_no_others),
        cmocka_unit_test(test_blank_lines_are_skipped_and_counted),
        cmocka_unit_test(test_the_last_row_needs_no_line_end),
        cmocka_unit_test(test_a_byte_order_mark_is_skipped_at_the_start_only),
        cmocka_unit_test(test_utf16_is_read_by_its_mark),
        cmocka_unit_test(test_an_input_without_a_row_is_empty),
        cmocka_unit_test(test_what_is_no_json_says_where),
        cmocka_unit_test(test_what_is_no_object_is_bad_with_a_hint),
        cmocka_unit_test(test_objects_over_several_lines_are_bad_with_a_hint),
        cmocka_unit_test(test_an_object_that_ends_early_is_bad_at_the_end_of_the_input_too),
        cmocka_unit_test(test_nul_and_bad_utf8_are_bad),
        cmocka_unit_test(test_each_duplicate_member_is_told),
        cmocka_unit_test(test_a_member_needs_a_name_of_bounded_length),
        cmocka_unit_test(test_columns_have_a_maximum_and_a_bad_row_brings_none),
        cmocka_unit_test(test_row_as_long_as_the_maximum_is_good),
        cmocka_unit_test(test_row_longer_than_maximum_is_bad_and_next_row_is_read),
        cmocka_unit_test(test_rows_do_not_depend_on_where_the_blocks_are_cut),
        cmocka_unit_test(test_a_pipe_may_pause_behind_every_byte),
        cmocka_unit_test(test_a_row_is_given_before_the_pipe_has_the_next),
        cmocka_unit_test(test_a_reader_starts_over_after_rewind),
        cmocka_unit_test(test_a_line_of_100_mb_takes_no_memory),
        cmocka_unit_test(test_want_of_memory_is_told_from_bad_json),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
