#include "unit.h"

#include "ledger/result_line.h"

static struct result_record accepted = {
    .id = {.row = 1, .line = 2, .hash = 0x0123456789abcdef, .occurrence = 3},
    .device = {"865820031313187", 15},
    .status = ROW_ACCEPTED,
    .uuid = {"u-1", 3},
    .has_errno = true,
    .http_status = 200,
    .attempts = 1,
    .latency_us = 12345,
    .finished_ms = 1800000000007};

static const struct result_record invalid = {.id = {.row = UINT64_MAX, .line = 3, .occurrence = 1},
                                             .device = {"say \"hi\", you", 13},
                                             .status = ROW_INVALID,
                                             .error = {" two\nlines", 10},
                                             .latency_us = -1,
                                             .finished_ms = 1800000000999};

/* The columns that are carried into the results; a test sets them. */
static const struct span *passed;
static size_t passed_count;

static void write_both(bool jsonl, char *out, size_t size)
{
    struct result_format format;
    struct buf lines;

    buf_init(&lines, size - 1);
    result_format_init(&format, jsonl, passed, passed_count);
    result_format_add_header(&format, &lines);
    result_format_add_line(&format, &accepted, &lines);
    result_format_add_line(&format, &invalid, &lines);
    assert_int_equal(lines.status, STATUS_OK);
    memcpy(out, lines.ptr, lines.len);
    out[lines.len] = '\0';
    buf_deinit(&lines);
}

static void test_csv_has_every_column_and_quotes_what_needs_it(void **state)
{
    (void)state;
    char out[4096];
    write_both(false, out, sizeof(out));
    assert_string_equal(
        out, "row,line,key,imei,status,uuid,errno,error,http_status,attempts,ambiguous,latency_ms,"
             "finished_at\n"
             "1,2,0123456789abcdef-3,865820031313187,accepted,u-1,0,,200,1,0,12.345,"
             "2027-01-15T08:00:00.007Z\n"
             "18446744073709551615,3,0000000000000000-1,\"say \"\"hi\"\", you\",invalid,,,"
             "\" two\nlines\",,0,0,,2027-01-15T08:00:00.999Z\n");
}

static void test_jsonl_has_the_same_names_and_null_for_nothing(void **state)
{
    (void)state;
    char out[4096];
    write_both(true, out, sizeof(out));
    assert_string_equal(
        out,
        "{\"row\":1,\"line\":2,\"key\":\"0123456789abcdef-3\",\"imei\":\"865820031313187\","
        "\"status\":\"accepted\",\"uuid\":\"u-1\",\"errno\":0,\"error\":null,\"http_status\":200,"
        "\"attempts\":1,\"ambiguous\":0,\"latency_ms\":12.345,\"finished_at\":\"2027-01-15T08:00:"
        "00.007Z\"}\n"
        "{\"row\":18446744073709551615,\"line\":3,\"key\":\"0000000000000000-1\","
        "\"imei\":\"say \\\"hi\\\", you\",\"status\":\"invalid\",\"uuid\":null,\"errno\":null,"
        "\"error\":\" "
        "two\\nlines\",\"http_status\":null,\"attempts\":0,\"ambiguous\":0,\"latency_ms\":null,"
        "\"finished_at\":\"2027-01-15T08:00:00.999Z\"}\n");
}

static void test_passed_columns_stand_at_the_end_as_they_were(void **state)
{
    (void)state;
    static const struct span names[] = {{"site, room", 10}, {"level", 5}};
    static const struct cell cells[] = {{.kind = CELL_STRING, .text = {"a \"b\"", 5}},
                                        {.kind = CELL_NUMBER, .text = {"1.50", 4}}};
    const struct result_record before = accepted;
    char out[4096];

    passed = names;
    passed_count = 2;
    accepted.passed = cells;
    accepted.passed_count = 2;
    write_both(false, out, sizeof(out));
    assert_non_null(strstr(out, ",finished_at,\"site, room\",level\n"));
    assert_non_null(strstr(out, "Z,\"a \"\"b\"\"\",1.50\n"));
    assert_non_null(strstr(out, "Z,,\n")); /* the invalid row has none */
    write_both(true, out, sizeof(out));
    assert_non_null(strstr(out, "\",\"site, room\":\"a \\\"b\\\"\",\"level\":1.50}\n"));
    assert_non_null(strstr(out, "\"site, room\":null,\"level\":null}\n"));
    accepted = before;
    passed = NULL;
    passed_count = 0;
    assert_true(result_has_column(SPAN_LITERAL("row")));
    assert_true(result_has_column(SPAN_LITERAL("finished_at")));
    assert_false(result_has_column(SPAN_LITERAL("finished")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv_has_every_column_and_quotes_what_needs_it),
        cmocka_unit_test(test_jsonl_has_the_same_names_and_null_for_nothing),
        cmocka_unit_test(test_passed_columns_stand_at_the_end_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
