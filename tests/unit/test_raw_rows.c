#include "unit.h"

#include "reader_help.h"

static struct buf told;
static struct buf wanted;

/* CSV with everything that may stand between rows or make one bad. */
static const char csv[] =
    "\xef\xbb\xbf\r\n \t\nimei ,\"da\r\nta\",note\r\n"
    "1,\"a \"\"q\"\"\r\nb\n\rc\",\xe4\xb8\xad\xe6\x96\x87\r\n"
    "\r\n \t\r\n\r\r\n"
    "2,\"\",\"\xf0\x9f\x98\xb9\"\"\"\n"
    "\n"
    "3,x\"y,z\r\n"
    "  4,\"x\"y\r5,6,7\r\r"
    "8,\"x\"y and more\r\n9,10,11\r\n"
    "a row that is far longer than the maximum of sixty bytes, no doubt\r\n"
    "\"a row that is far longer than the maximum\n of sixty bytes, no doubt\n\n"
    "12,\xe4\xb8,\0\n"
    "13,14\n"
    "\"15\" , 16 ,\t17\n"
    "18,\"19 \r\n20\n";

static const char jsonl[] =
    "\xef\xbb\xbf\r\n \t\n{\"imei\":\"1\"}\r\n\r\n  {\"imei\":\"\xe4\xb8\xad\"} \n"
    "{\"a line\":\"that is far longer than the maximum of sixty bytes, no\"}\r\n\n"
    "[\n{\"z\":\"\xe4\xb8\"}\n{\"z\":\"\0\"}\n   \n"
    "{\"the last line\":\"is longer than the maximum of sixty bytes too, and open";

static const struct reader_options options[] = {
    {.format = INPUT_CSV, .max_row_bytes = 60, .keep_raw = true},
    {.format = INPUT_JSONL, .max_row_bytes = 60, .keep_raw = true},
};
static const struct span inputs[] = {{csv, sizeof(csv) - 1}, {jsonl, sizeof(jsonl) - 1}};

/* What the reader says without keep_raw. */
static void read_without(size_t i)
{
    struct reader_options plain = options[i];

    plain.keep_raw = false;
    buf_clear(&wanted);
    tell_with(inputs[i].ptr, inputs[i].len, &plain, 0, &wanted);
    assert_true(span_starts_with(buf_span(&wanted), "ok 1@"));
}

/* tell_with holds the raw rows against the input. */
static void test_raw_rows_are_the_input_and_change_no_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(inputs); i++) {
        read_without(i);
        for (size_t block = 0; block < 80; block++) {
            buf_clear(&told);
            tell_with(inputs[i].ptr, inputs[i].len, &options[i], block, &told);
            assert_string_equal(buf_string(&told), buf_string(&wanted));
        }
    }
}

static void test_raw_rows_of_a_pipe_that_pauses_are_the_input_too(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(inputs); i++) {
        read_without(i);
        buf_clear(&told);
        tell_dribbled_with(inputs[i].ptr, inputs[i].len, &options[i], &told);
        assert_string_equal(buf_string(&told), buf_string(&wanted));
    }
}

/* Wherever the input ends. */
static void test_raw_rows_of_every_start_of_an_input_are_that_start(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(inputs); i++) {
        for (size_t len = 0; len < inputs[i].len; len++) {
            buf_clear(&told);
            tell_with(inputs[i].ptr, len, &options[i], 3, &told);
        }
    }
}

/* Lists header and rows, each as it stood there. */
static void list_raw(const char *text, const struct reader_options *how)
{
    struct source *source = source_of_bytes(text, strlen(text));
    struct reader *reader = NULL;
    struct problems problems;
    struct row row;
    enum status status;

    problems_init(&problems);
    assert_int_equal(reader_open(source, how, &reader), STATUS_OK);
    assert_int_equal(reader_header(reader, &problems), STATUS_OK);
    buf_clear(&told);
    buf_add_string(&told, "header:");
    buf_add_printable(&told, reader_raw_header(reader));
    while ((status = reader_next(reader, &row, &problems)) != STATUS_END) {
        buf_add_string(&told, status == STATUS_OK ? " ok:" : " bad:");
        buf_add_printable(&told, reader_raw(reader));
    }
    assert_int_equal(reader_raw(reader).len, 0);
    problems_deinit(&problems);
    reader_close(reader);
    source_close(source);
}

static void test_a_raw_row_has_its_line_end_and_no_blank_line(void **state)
{
    (void)state;
    list_raw("\n a,b\r\n\r\n1,2\r\r\n\n3,4\n\n\"x\"y,\r\n5 , \"\n\" \r\n6,7", &options[0]);
    assert_string_equal(buf_string(&told),
                        "header: a,b\\r\\n ok:1,2\\r ok:3,4\\n bad:\"x\"y,\\r\\n "
                        "ok:5 , \"\\n\" \\r\\n ok:6,7");
    list_raw("\n{\"a\":1} \r\n\n {}\n[\n{}", &options[1]);
    assert_string_equal(buf_string(&told), "header: ok:{\"a\":1} \\r\\n ok: {}\\n bad:[\\n ok:{}");
}

static void test_a_bad_row_brings_all_that_is_skipped_behind_it(void **state)
{
    (void)state;
    list_raw(
        "a\n\"1\n2\"x,\"y\nz\"\n1234567890123456789012345678901234567890123456789012345678901234"
        "567890 \"1\"\n5\n",
        &options[0]);
    assert_string_equal(
        buf_string(&told),
        "header:a\\n bad:\"1\\n2\"x,\"y\\n bad:z\"\\n bad:123456789012345678901234567"
        "8901234567890123456789012345678901234567890 \"1\"\\n ok:5\\n");
}

static void test_without_the_option_nothing_is_kept(void **state)
{
    struct reader_options plain = {.format = INPUT_CSV, .max_row_bytes = 60};

    (void)state;
    list_raw("a\n1\n\"2\"x\n", &plain);
    assert_string_equal(buf_string(&told), "header: ok: bad:");
}

/* The way of the rows that are written back: mark, header and rows, each in the input's encoding.
 */
static void assert_written_back(const char *bytes, size_t len, const char *encoding)
{
    struct source *source = source_of_bytes(bytes, len);
    struct reader *reader = NULL;
    struct problems problems;
    struct row row;

    problems_init(&problems);
    buf_clear(&told);
    if (encoding != NULL)
        assert_int_equal(source_set_encoding(source, encoding, &told), STATUS_OK);
    assert_int_equal(reader_open(source, &options[0], &reader), STATUS_OK);
    assert_int_equal(reader_header(reader, &problems), STATUS_OK);
    buf_add(&told, source_mark(source));
    assert_int_equal(source_encode_back(source, reader_raw_header(reader), &told), STATUS_OK);
    while (reader_next(reader, &row, &problems) != STATUS_END)
        assert_int_equal(source_encode_back(source, reader_raw(reader), &told), STATUS_OK);
    assert_int_equal(told.len, len);
    assert_memory_equal(told.ptr, bytes, len);
    problems_deinit(&problems);
    reader_close(reader);
    source_close(source);
}

#define WRITTEN_BACK(bytes, encoding) assert_written_back(bytes, sizeof(bytes) - 1, encoding)

static void test_good_and_bad_rows_are_written_back_byte_for_byte(void **state)
{
    (void)state;
    WRITTEN_BACK("a,b\n\xd6\xd0,1\r\n\xff\x81\n,\"x\"y\xce\xc4\r\x81\x30,\x84\x31\xa4\x37",
                 "gb18030");
    WRITTEN_BACK("\x84\x31\x95\x33"
                 "a,b\n\xd6\xd0,\x80\n",
                 NULL);
    WRITTEN_BACK("\xff\xfe\x61\0,\0b\0\r\0\n\0\x2d\x4e,\0\0\xdc\r\0\n\0\x3d\xd8\x39\xde,\0\x31\0\n",
                 NULL);
    WRITTEN_BACK("\xef\xbb\xbf"
                 "a,b\n\xe4\xb8\xad,1\n\xff,\"2\n",
                 NULL);
    WRITTEN_BACK("a,b\n1,2\n\xe4\xb8,3", NULL);
}

static void test_a_row_beyond_the_maximum_of_raw_bytes_ends_the_reading(void **state)
{
    static const char *const starts[] = {"a\n1\n\"1\"2", "{}\n{"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(starts); i++) {
        struct source *source = source_of_hole(starts[i], READER_RAW_MAX + 1024 * 1024);
        struct reader *reader = NULL;
        assert_int_equal(reader_open(source, &options[i], &reader), STATUS_OK);
        buf_clear(&told);
        tell_all(reader, NULL, &told);
        assert_non_null(strstr(buf_string(&told), "the input cannot be usedE-ROW-SIZE@"));
        assert_non_null(strstr(buf_string(&told), "longer than 256 MiB"));
        assert_true(span_starts_with(buf_span(&told), "ok 1@"));
        reader_close(reader);
        source_close(source);
    }
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
        cmocka_unit_test(test_raw_rows_are_the_input_and_change_no_row),
        cmocka_unit_test(test_raw_rows_of_a_pipe_that_pauses_are_the_input_too),
        cmocka_unit_test(test_raw_rows_of_every_start_of_an_input_are_that_start),
        cmocka_unit_test(test_a_raw_row_has_its_line_end_and_no_blank_line),
        cmocka_unit_test(test_a_bad_row_brings_all_that_is_skipped_behind_it),
        cmocka_unit_test(test_without_the_option_nothing_is_kept),
        cmocka_unit_test(test_good_and_bad_rows_are_written_back_byte_for_byte),
        cmocka_unit_test(test_a_row_beyond_the_maximum_of_raw_bytes_ends_the_reading),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
