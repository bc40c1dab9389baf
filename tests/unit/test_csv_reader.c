#include "unit.h"

#include <sys/resource.h>

#include "reader_help.h"

#define HINT "; if it comes from Excel in China, try --encoding gb18030"

static struct buf told;
static struct buf wanted;

static void read_with(const void *bytes, size_t len, size_t max_row_bytes)
{
    buf_clear(&told);
    tell_bytes(bytes, len, INPUT_CSV, 0, max_row_bytes, &told);
}

/* The input is a literal: it may hold NUL. */
#define read_text(input, max_row_bytes) read_with(input, sizeof(input) - 1, max_row_bytes)

static void assert_reads_bytes(const char *bytes, size_t len, const char *text)
{
    read_with(bytes, len, READER_MAX_ROW_BYTES);
    assert_string_equal(buf_string(&told), text);
}

#define assert_reads(input, text) assert_reads_bytes(input, sizeof(input) - 1, text)

static void test_cells_are_split_and_trimmed(void **state)
{
    (void)state;
    assert_reads("a,b,c\n 1 ,\t2\t, x y \n\" 3 \" , \"4,5\",\"\"\n", "ok 1@2 |1|2|x y|\n"
                                                                     "ok 2@3 | 3 |4,5|-|\n"
                                                                     "end\n");
}

static void test_every_line_end_is_one(void **state)
{
    (void)state;
    assert_reads("a\n1\r\n2\r3\n\r4", "ok 1@2 |1|\nok 2@3 |2|\nok 3@4 |3|\nok 4@6 |4|\nend\n");
}

static void test_blank_lines_are_skipped_and_counted(void **state)
{
    (void)state;
    assert_reads("\n \t\r\na\r\n\r\n\n1\n\n\r\r2\n\n", "ok 1@6 |1|\n"
                                                       "ok 2@10 |2|\n"
                                                       "end\n");
}

static void test_lines_inside_quotes_are_counted(void **state)
{
    (void)state;
    assert_reads("\"a\r\nb\",c\n\"1\r\n2\n3\r4\",5\n6,7\n", "ok 1@3 |1\\r\\n2\\n3\\r4|5|\n"
                                                            "ok 2@7 |6|7|\n"
                                                            "end\n");
}

static void test_a_row_of_empty_cells_is_left_out(void **state)
{
    (void)state;
    assert_reads("a,b,c\n,,\n1,,\n , ,\"\"\n,\n,,,,\n2,,\n",
                 "ok 1@3 |1|-|-|\nok 2@7 |2|-|-|\nend\n");
    assert_reads(",,\na,b\n,\n", "end\n");
    assert_reads("a\n\"\"\n", "ok 1@2 |-|\nend\n");
}

static void test_nameless_columns_at_the_right_are_left_out_while_they_are_empty(void **state)
{
    (void)state;
    assert_reads("a,b,, \n1,2,,\n3,,\n,4\n5,6,,7\n8,9,,,\n10\n",
                 "ok 1@2 |1|2|\nok 2@3 |3|-|\nok 3@4 |-|4|\n"
                 "bad 4@5 E-CELLS@5 has 4 cells, the header has 2\n"
                 "bad 5@6 E-CELLS@6 has 5 cells, the header has 2\n"
                 "bad 6@7 E-CELLS@7 has 1 cell, the header has 2\nend\n");
    assert_reads("a,,b\n", "unusable: E-COLUMN@1 column 2 has no name\n");
    assert_reads("a,b\n1,2,\n", "bad 1@2 E-CELLS@2 has 3 cells, the header has 2\nend\n");
}

static void test_the_last_row_needs_no_line_end(void **state)
{
    (void)state;
    assert_reads("a,b\n1,2", "ok 1@2 |1|2|\nend\n");
    assert_reads("a,b\n1,", "ok 1@2 |1|-|\nend\n");
    assert_reads("a,b\n1,\"2\"", "ok 1@2 |1|2|\nend\n");
    assert_reads("a,b\n1,\"2\" ", "ok 1@2 |1|2|\nend\n");
    assert_reads("a,b", "end\n");
}

static void test_a_byte_order_mark_is_skipped_at_the_start_only(void **state)
{
    (void)state;
    assert_reads("\xef\xbb\xbf"
                 "a,\"b\"\n1,2\n\xef\xbb\xbf"
                 "3,4\n",
                 "ok 1@2 |1|2|\nok 2@3 |<U+FEFF>3|4|\nend\n");
    assert_reads("\xef\xbb\xbf\"a\"\n1\n", "ok 1@2 |1|\nend\n");
}

static void test_utf16_and_utf32_are_read_by_their_mark(void **state)
{
    (void)state;
    assert_reads("\xff\xfe\x61\0\n\0\x31\0", "ok 1@2 |1|\nend\n");
    assert_reads("\xfe\xff\0\x61\0\n\x4e\x2d", "ok 1@2 |\xe4\xb8\xad|\nend\n");
    assert_reads("\xff\xfe\0\0\x61\0\0\0\n\0\0\0\x31\0\0\0", "ok 1@2 |1|\nend\n");
    assert_reads("\0\0\xfe\xff\0\0\0\x61\0\0\0\n\0\0\0\x31", "ok 1@2 |1|\nend\n");
    assert_reads("\xff\xfe", "unusable: E-EMPTY@1 the file is empty\n");
    assert_reads("\xff\xfe\x61\0\n\0\0\xd8\n\0\x31\0",
                 "bad 1@2 E-UTF8@2 a: is not valid UTF-16 (little-endian)\nok 2@3 |1|\nend\n");
    assert_reads(
        "\x61\0,\0\n\0",
        "unusable: E-NUL@1 column 1 holds a NUL byte; E-NUL@1 column 2 holds a NUL byte\n");
}

static void test_an_input_without_a_row_is_empty(void **state)
{
    (void)state;
    assert_reads("", "unusable: E-EMPTY@1 the file is empty\n");
    assert_reads("\xef\xbb\xbf", "unusable: E-EMPTY@1 the file is empty\n");
    assert_reads("\r\n \t \n\n", "unusable: E-EMPTY@1 the file is empty\n");
}

static void test_the_header_tells_all_its_problems_at_once(void **state)
{
    (void)state;
    assert_reads("\na,b,,a,\xff,\"b\",a\n",
                 "unusable: E-UTF8@2 column 5 is not valid UTF-8; if it comes from Excel in China, "
                 "try --encoding gb18030; E-COLUMN@2 column 3 has no name; "
                 "E-DUPLICATE@2 a: columns 1 and 4 have the same name; "
                 "E-DUPLICATE@2 b: columns 2 and 6 have the same name; "
                 "E-DUPLICATE@2 a: columns 1 and 7 have the same name\n");
    assert_reads("a,b\"c\n1,2\n", "unusable: E-QUOTE@1 column 2 has a quote inside, but does not "
                                  "start with one\n");
    assert_reads("a,\"b\n1,2\n", "unusable: E-QUOTE@1 column 2 has a quote that is never closed; "
                                 "the row starts on line 1\n");
}

static void test_the_header_has_a_maximum_of_columns(void **state)
{
    (void)state;
    buf_clear(&wanted);
    for (int i = 0; i < READER_COLUMNS_MAX; i++)
        buf_add_format(&wanted, "%sc%d", i > 0 ? "," : "", i);
    assert_reads_bytes(wanted.ptr, wanted.len, "end\n");
    buf_add_string(&wanted, ",more\n");
    assert_reads_bytes(wanted.ptr, wanted.len,
                       "unusable: E-COLUMN@1 the header has 1025 columns, more than 1024\n");
}

static void test_a_column_name_has_a_maximum_length(void **state)
{
    (void)state;
    buf_clear(&wanted);
    for (int i = 0; i < READER_COLUMN_NAME_MAX; i++)
        buf_add_char(&wanted, 'x');
    assert_reads_bytes(wanted.ptr, wanted.len, "end\n");
    buf_add_char(&wanted, 'x');
    assert_reads_bytes(wanted.ptr, wanted.len,
                       "unusable: E-COLUMN@1 the name of column 1 is longer than 1024 bytes\n");
}

/* The text with `;` where a comma stands in the tests of commas, and so on. */
static void assert_reads_with(char delimiter, const char *input, const char *text)
{
    struct reader_options options = {.format = INPUT_CSV,
                                     .max_row_bytes = READER_MAX_ROW_BYTES,
                                     .delimiter = delimiter};

    for (size_t block = 0; block < 4; block++) {
        buf_clear(&told);
        tell_with(input, strlen(input), &options, block, &told);
        assert_string_equal(buf_string(&told), text);
    }
}

static void test_another_delimiter_leaves_commas_alone(void **state)
{
    (void)state;
    assert_reads_with(';', "a;b\n1,5;\"2;3\" \n\t;4\t\n",
                      "ok 1@2 |1,5|2;3|\n"
                      "ok 2@3 |-|4|\nend\n");
    assert_reads_with('|', "a|b\n1||2\n", "bad 1@2 E-CELLS@2 has 3 cells, the header has 2\nend\n");
    assert_reads_with(':', "a:b\n1: 2\n", "ok 1@2 |1|2|\nend\n");
    assert_reads_with(0, "a,b\n1;2,3\n", "ok 1@2 |1;2|3|\nend\n");
}

static void test_tabs_between_cells_are_not_trimmed_away(void **state)
{
    (void)state;
    assert_reads_with('\t', "a\tb\tc\n\t\t\n 1 \t\t\"2\" \n\t3\t\n \n",
                      "ok 1@3 |1|-|2|\n"
                      "ok 2@4 |-|3|-|\nend\n");
}

#define ONE_COLUMN "E-DELIMITER@1 the header has one column, with "

static void test_a_header_of_one_column_with_another_delimiter_is_told(void **state)
{
    (void)state;
    assert_reads("imei;obj_id\n1;2\n", "unusable: " ONE_COLUMN "; in it: try --delimiter ';'\n");
    assert_reads("a\tb,c,\n", "end\n");
    assert_reads("a\tb\tc;d\n", "unusable: " ONE_COLUMN "a tab in it: try --delimiter tab\n");
    assert_reads("\n a | b\n", "unusable: E-DELIMITER@2 the header has one column, with | in it: "
                               "try --delimiter '|'\n");
    assert_reads("\"a\";\"b\"\n", "unusable: " ONE_COLUMN "; in it: try --delimiter ';'; "
                                  "E-QUOTE@1 column 1 goes on behind its closing quote\n");
    assert_reads(" \t\n\"a\"x\n",
                 "unusable: E-QUOTE@2 column 1 goes on behind its closing quote\n");
    assert_reads_with(0, "\"a\"x;y\n", /* what stands behind a fault does not count */
                      "unusable: E-QUOTE@1 column 1 goes on behind its closing quote\n");
    assert_reads_with(';', "a,b\n1,2\n", "unusable: " ONE_COLUMN ", in it: try --delimiter ','\n");
}

static void test_a_real_header_of_one_column_passes(void **state)
{
    (void)state;
    assert_reads("imei\n1\n", "ok 1@2 |1|\nend\n");
    assert_reads("imei\t\n1\n", "ok 1@2 |1|\nend\n");
    assert_reads("\"a;b\"\n1\n", "ok 1@2 |1|\nend\n");
    assert_reads("\"a\"\"\"\n1;2\n", "ok 1@2 |1;2|\nend\n");
}

static void test_delimiters_have_names(void **state)
{
    static const struct {
        const char *text;
        char delimiter;
    } good[] = {{",", ','},     {";", ';'},    {"\t", '\t'},  {"\\t", '\t'},      {"|", '|'},
                {"comma", ','}, {"TAB", '\t'}, {"pipe", '|'}, {"semicolon", ';'}, {"^", '^'}};
    static const char *const bad[] = {"",   "a",  "7",     "\"",   " ",    "\n",
                                      "\r", ";;", "space", "\x7f", "\xff", "\xef\xbc\x9b"};
    char delimiter = '?';

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(reader_delimiter_of(bad[i], &delimiter));
    assert_int_equal(delimiter, '?');
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        assert_true(reader_delimiter_of(good[i].text, &delimiter));
        assert_int_equal(delimiter, good[i].delimiter);
    }
}

static void test_a_wrong_number_of_cells_says_both_numbers(void **state)
{
    (void)state;
    assert_reads("a,b,c\n1\n1,2\n1,2,3\n1,2,3,\n",
                 "bad 1@2 E-CELLS@2 has 1 cell, the header has 3\n"
                 "bad 2@3 E-CELLS@3 has 2 cells, the header has 3\n"
                 "ok 3@4 |1|2|3|\n"
                 "bad 4@5 E-CELLS@5 has 4 cells, the header has 3\n"
                 "end\n");
}

static void test_far_too_many_cells_are_a_bad_row_only(void **state)
{
    (void)state;
    buf_clear(&wanted);
    buf_add_string(&wanted, "a,b\n1");
    for (int i = 0; i < 60000; i++)
        buf_add_char(&wanted, ',');
    buf_add_string(&wanted, "\n1,2\n");
    assert_reads_bytes(wanted.ptr, wanted.len,
                       "bad 1@2 E-CELLS@2 has 60001 cells, the header has 2\nok 2@3 |1|2|\nend\n");
}

static void test_a_stray_quote_is_bad_and_the_next_line_is_read(void **state)
{
    (void)state;
    assert_reads("a,b\n1,2\"\n3,4\n\"5\"6,7\n8,9\n\"10\" \"11\",12\n13,14\n",
                 "bad 1@2 E-QUOTE@2 b: has a quote inside, but does not start with one\n"
                 "ok 2@3 |3|4|\n"
                 "bad 3@4 E-QUOTE@4 a: goes on behind its closing quote\n"
                 "ok 4@5 |8|9|\n"
                 "bad 5@6 E-QUOTE@6 a: goes on behind its closing quote\n"
                 "ok 6@7 |13|14|\n"
                 "end\n");
}

static void test_a_quote_error_names_the_line_and_where_the_row_starts(void **state)
{
    (void)state;
    assert_reads("a,b\n\"1,2\r\n3,4\r\n5,\"6\"\r\n7,8\r\n",
                 "bad 1@2 E-QUOTE@4 a: goes on behind its closing quote; the row starts on line 2\n"
                 "ok 2@5 |7|8|\n"
                 "end\n");
}

static void test_an_open_quote_names_the_line_of_its_row(void **state)
{
    (void)state;
    assert_reads("a,b\n1,2\n3,\"4\n5,6\n7,8\n",
                 "ok 1@2 |1|2|\n"
                 "bad 2@3 E-QUOTE@3 b: has a quote that is never closed; the row starts on line 3\n"
                 "end\n");
}

static void test_nul_and_bad_utf8_name_their_columns(void **state)
{
    (void)state;
    assert_reads("a,b,c\n\0,\xe4\xb8,\xc3\xa9\n1,2,3\n4,\"\0\xff\",5,6\n",
                 "bad 1@2 E-NUL@2 a: holds a NUL byte; E-UTF8@2 b: is not valid UTF-8" HINT "\n"
                 "ok 2@3 |1|2|3|\n"
                 "bad 3@4 E-NUL@4 b: holds a NUL byte; E-UTF8@4 b: is not valid UTF-8" HINT "; "
                 "E-CELLS@4 has 4 cells, the header has 3\n"
                 "end\n");
}

static void test_a_character_split_over_two_cells_is_not_utf8(void **state)
{
    (void)state;
    assert_reads("a,b\n\xc3,\xa9\n",
                 "bad 1@2 E-UTF8@2 a: is not valid UTF-8" HINT "; E-UTF8@2 b: is not valid UTF-8\n"
                 "end\n");
}

static void test_row_as_long_as_the_maximum_is_good(void **state)
{
    (void)state;
    read_text("a,b\n1234,6789\n1234,6789\r\n\"234\",67\n1234,6789", 9);
    assert_string_equal(buf_string(&told), "ok 1@2 |1234|6789|\nok 2@3 |1234|6789|\n"
                                           "ok 3@4 |234|67|\nok 4@5 |1234|6789|\nend\n");
}

static void test_row_longer_than_maximum_is_bad_and_next_row_is_read(void **state)
{
    (void)state;
    read_text("a,b\n1234,67890123456\n1,2\n", 9);
    assert_string_equal(
        buf_string(&told),
        "bad 1@2 E-ROW-SIZE@2 the row that starts on line 2 is longer than 9 bytes: "
        "is there a quote that is never closed?\n"
        "ok 2@3 |1|2|\nend\n");
}

static void test_a_quote_that_is_not_closed_costs_no_more_than_the_maximum(void **state)
{
    (void)state;
    read_text("a,b\n\"1,2\n3,4\n5,6\n7,8\n9,0\n", 10);
    assert_string_equal(buf_string(&told),
                        "bad 1@2 E-ROW-SIZE@2 the row that starts on line 2 is longer than 10 "
                        "bytes: is there a quote that is never closed?\n"
                        "ok 2@5 |7|8|\nok 3@6 |9|0|\nend\n");
}

static void test_a_header_longer_than_the_maximum_is_refused(void **state)
{
    (void)state;
    read_text("abcdef,ghijkl\n1,2\n", 9);
    assert_string_equal(buf_string(&told),
                        "unusable: E-ROW-SIZE@1 the row that starts on line 1 is longer than 9 "
                        "bytes: is there a quote that is never closed?\n");
}

/* Where the reading is lost: the row, its line, and why. */
static void assert_lost(const char *text, size_t max_row_bytes, bool keep_raw, const char *expected)
{
    struct reader_options options = {.format = INPUT_CSV,
                                     .max_row_bytes = max_row_bytes,
                                     .keep_raw = keep_raw};
    struct source *source = source_of_bytes(text, strlen(text));
    struct reader *reader = NULL;

    assert_int_equal(reader_open(source, &options, &reader), STATUS_OK);
    buf_clear(&told);
    tell_all(reader, NULL, &told);
    const struct reader_lost *lost = reader_lost(reader);
    buf_clear(&told);
    if (lost != NULL)
        buf_add_format(&told, "%d@%d %s", (int)lost->row, (int)lost->line,
                       problem_code_name(lost->code));
    assert_string_equal(buf_string(&told), expected);
    reader_reset(reader);
    assert_null(reader_lost(reader));
    reader_close(reader);
    source_close(source);
}

static void test_the_place_is_lost_behind_a_quote_that_may_end_elsewhere(void **state)
{
    static const struct {
        const char *text;
        size_t max_row_bytes;
        const char *lost; /* "" where a bad row ends where it seems to */
    } cases[] = {
        {"a,b\n1,2\n3,x\"y\n5,6\n", 100, "2@3 E-QUOTE"},
        {"a,b\n1,2\n\"x\"y,4\n5,6\n", 100, "2@3 E-QUOTE"},
        {"a,b\n1,2\n\"3\n4\\\"x\",5\n6,7\n", 100, "2@3 E-QUOTE"},
        {"a,b\n1,2\n3,\"4\n5,6\n", 100, "2@3 E-QUOTE"},
        {"a,b\n1,x\"y\n3,z\"4\n", 100, "1@2 E-QUOTE"},
        /* Too long: with a quote open, with one in what is left of the line, and without. */
        {"a,b\n1,\"2345678901234567890\n3,4\n5,6\n", 12, "1@2 E-ROW-SIZE"},
        {"a,b\n1,2345678901234567890,\"x\n3,4\n", 12, "1@2 E-ROW-SIZE"},
        {"a,b\n1,2345678901234567890,x\n3,\"4\"\n", 12, ""},
        {"a,b\n\"1\",2345678901234567890,x\n3,4\n", 12, ""},
        /* A wrong number of cells: a quote in the cell may have made one more of it. */
        {"a,b\n1,\"he said \", ok\n3,4\nend\"\n", 100, "1@2 E-CELLS"},
        {"a,b,c\n1,\"x\"\n3,4,5\n", 100, "1@2 E-CELLS"},
        {"a,b,c\n1,2\n3,4,5,6\n , 7 \n", 100, ""},
        {"a,b,c\n1,\"[{\"\"x\"\":1}]\"\n", 100, ""},
        {"a,b\n\"1\",\"2\"\n\xff,2\n", 100, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        for (int keep_raw = 0; keep_raw < 2; keep_raw++)
            assert_lost(cases[i].text, cases[i].max_row_bytes, keep_raw != 0, cases[i].lost);
}

static const char hard[] = "\xef\xbb\xbf\r\nimei ,\"data\",note\r\n"
                           "1,\"a \"\"q\"\"\r\nb\n\rc\",\xe4\xb8\xad\xe6\x96\x87\r\n"
                           "\r\n \t\r\n"
                           "2,\"\",\"\xf0\x9f\x98\xb9\"\"\"\n"
                           "\n"
                           "3,x\"y,z\r\n"
                           "4,\"x\"y\r5,6,7\r\r"
                           "a row that is far longer than the maximum of sixty bytes, no doubt\r\n"
                           "8,\xe4\xb8,\0\n"
                           "9,10\n"
                           "\"11\" , 12 ,\t13\n"
                           "14,\"15 \r\n16";

static void test_rows_do_not_depend_on_where_the_blocks_are_cut(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 5, 7, 11, 13, 64};
    size_t len = sizeof(hard) - 1;

    (void)state;
    read_with(hard, len, 60);
    buf_clear(&wanted);
    buf_add(&wanted, buf_span(&told));
    assert_non_null(strstr(buf_string(&wanted), "ok 9@18 |11|12|13|\nbad 10@19 E-QUOTE@19"));
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        buf_clear(&told);
        tell_bytes(hard, len, INPUT_CSV, sizes[i], 60, &told);
        assert_string_equal(buf_string(&told), buf_string(&wanted));
    }
    for (size_t cut = 1; cut < len; cut++) {
        buf_clear(&told);
        tell_cut(hard, len, INPUT_CSV, cut, 60, &told);
        assert_string_equal(buf_string(&told), buf_string(&wanted));
    }
}

/* A row that lies in the block as a whole is split by the reader itself, any other by libcsv. */
static void test_a_whole_row_is_split_as_one_that_comes_byte_by_byte(void **state)
{
    static const char row[] = "ab,,\"c,\"\"d e\"\"\",fghijklmnopq,\"\",\"rstuvwxyz12\"\n";
    struct buf input;

    (void)state;
    buf_init(&input, 1024 * 1024);
    for (unsigned byte = 0; byte < 256; byte++) {
        buf_clear(&input);
        buf_add_string(&input, "1,2,3,4,5,6\n");
        for (size_t at = 0; at < sizeof(row); at++) {
            buf_add(&input, span_of(row, at));
            buf_add_char(&input, (char)byte);
            buf_add(&input, span_of(row + at, sizeof(row) - 1 - at));
        }
        buf_clear(&wanted);
        tell_bytes(input.ptr, input.len, INPUT_CSV, 1, READER_MAX_ROW_BYTES, &wanted);
        read_with(input.ptr, input.len, READER_MAX_ROW_BYTES);
        assert_string_equal(buf_string(&told), buf_string(&wanted));
    }
    buf_deinit(&input);
}

static void test_a_pipe_may_pause_behind_every_byte(void **state)
{
    (void)state;
    read_with(hard, sizeof(hard) - 1, 60);
    buf_clear(&wanted);
    tell_dribbled(hard, sizeof(hard) - 1, INPUT_CSV, 60, &wanted);
    assert_string_equal(buf_string(&told), buf_string(&wanted));
}

static void test_a_row_is_given_before_the_pipe_has_the_next(void **state)
{
    struct dribble dribble;
    struct reader *reader = dribble_open(&dribble, "a\n1\n2", INPUT_CSV, READER_MAX_ROW_BYTES);
    struct problems problems;
    struct row row;

    (void)state;
    problems_init(&problems);
    for (int i = 0; i < 2; i++)
        dribble.feeder.feed(&dribble.feeder);
    assert_int_equal(reader_header(reader, &problems), STATUS_OK);
    assert_int_equal(reader_next(reader, &row, &problems), STATUS_AGAIN);
    for (int i = 0; i < 2; i++)
        dribble.feeder.feed(&dribble.feeder);
    assert_int_equal(reader_next(reader, &row, &problems), STATUS_OK);
    assert_span(row.cells[0].text, "1");
    problems_deinit(&problems);
    dribble_close(&dribble, reader);
}

static void test_a_reader_starts_over_after_rewind(void **state)
{
    struct reader_options options = {.format = INPUT_CSV, .max_row_bytes = 60};
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
    assert_span(reader_column_name(reader, 0), "imei");
    reader_close(reader);
    source_close(source);
}

static long peak_kb(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* 100 MB of NULs in one quoted cell, and in one unquoted: as a hole in a file, it takes no space.
 */
static void test_a_line_of_100_mb_takes_no_memory(void **state)
{
    static const char *const starts[] = {"a\n\"", "a\n", "\"", "a\n\"1\"2"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(starts); i++) {
        struct reader_options options = {.format = INPUT_CSV,
                                         .max_row_bytes = READER_MAX_ROW_BYTES};
        struct source *source = source_of_hole(starts[i], 100 * 1024 * 1024);
        struct reader *reader;
        long before = peak_kb();
        assert_int_equal(reader_open(source, &options, &reader), STATUS_OK);
        buf_clear(&told);
        tell_all(reader, NULL, &told);
        assert_non_null(strstr(buf_string(&told), i == 3 ? "E-QUOTE" : "E-ROW-SIZE"));
        assert_true(peak_kb() - before < 4096);
        reader_close(reader);
        source_close(source);
    }
}

static void test_the_name_of_a_file_tells_its_format(void **state)
{
    enum input_format format = INPUT_JSONL;

    (void)state;
    assert_true(reader_format_of("/a.b/x.CSV", &format));
    assert_int_equal(format, INPUT_CSV);
    assert_true(reader_format_of("x.jsonl", &format));
    assert_int_equal(format, INPUT_JSONL);
    format = INPUT_CSV;
    assert_true(reader_format_of("x.csv.ndjson", &format));
    assert_int_equal(format, INPUT_JSONL);
    assert_false(reader_format_of("x.txt", &format));
    assert_false(reader_format_of("/a.csv/x", &format));
    assert_false(reader_format_of("csv", &format));
    assert_false(reader_format_of("", &format));
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
        cmocka_unit_test(test_cells_are_split_and_trimmed),
        cmocka_unit_test(test_every_line_end_is_one),
        cmocka_unit_test(test_blank_lines_are_skipped_and_counted),
        cmocka_unit_test(test_lines_inside_quotes_are_counted),
        cmocka_unit_test(test_a_row_of_empty_cells_is_left_out),
        cmocka_unit_test(test_nameless_columns_at_the_right_are_left_out_while_they_are_empty),
        cmocka_unit_test(test_the_last_row_needs_no_line_end),
        cmocka_unit_test(test_a_byte_order_mark_is_skipped_at_the_start_only),
        cmocka_unit_test(test_utf16_and_utf32_are_read_by_their_mark),
        cmocka_unit_test(test_an_input_without_a_row_is_empty),
        cmocka_unit_test(test_the_header_tells_all_its_problems_at_once),
        cmocka_unit_test(test_the_header_has_a_maximum_of_columns),
        cmocka_unit_test(test_a_column_name_has_a_maximum_length),
        cmocka_unit_test(test_another_delimiter_leaves_commas_alone),
        cmocka_unit_test(test_tabs_between_cells_are_not_trimmed_away),
        cmocka_unit_test(test_a_header_of_one_column_with_another_delimiter_is_told),
        cmocka_unit_test(test_a_real_header_of_one_column_passes),
        cmocka_unit_test(test_delimiters_have_names),
        cmocka_unit_test(test_a_wrong_number_of_cells_says_both_numbers),
        cmocka_unit_test(test_far_too_many_cells_are_a_bad_row_only),
        cmocka_unit_test(test_a_stray_quote_is_bad_and_the_next_line_is_read),
        cmocka_unit_test(test_a_quote_error_names_the_line_and_where_the_row_starts),
        cmocka_unit_test(test_an_open_quote_names_the_line_of_its_row),
        cmocka_unit_test(test_nul_and_bad_utf8_name_their_columns),
        cmocka_unit_test(test_a_character_split_over_two_cells_is_not_utf8),
        cmocka_unit_test(test_row_as_long_as_the_maximum_is_good),
        cmocka_unit_test(test_row_longer_than_maximum_is_bad_and_next_row_is_read),
        cmocka_unit_test(test_a_quote_that_is_not_closed_costs_no_more_than_the_maximum),
        cmocka_unit_test(test_a_header_longer_than_the_maximum_is_refused),
        cmocka_unit_test(test_the_place_is_lost_behind_a_quote_that_may_end_elsewhere),
        cmocka_unit_test(test_rows_do_not_depend_on_where_the_blocks_are_cut),
        cmocka_unit_test(test_a_whole_row_is_split_as_one_that_comes_byte_by_byte),
        cmocka_unit_test(test_a_pipe_may_pause_behind_every_byte),
        cmocka_unit_test(test_a_row_is_given_before_the_pipe_has_the_next),
        cmocka_unit_test(test_a_reader_starts_over_after_rewind),
        cmocka_unit_test(test_a_line_of_100_mb_takes_no_memory),
        cmocka_unit_test(test_the_name_of_a_file_tells_its_format),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
