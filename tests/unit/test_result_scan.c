#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "ledger/result_scan.h"

static const struct result_record samples[] = {
    {.id = {.row = 1, .line = 2, .hash = 0x0123456789abcdef, .occurrence = 1},
     .device = {"865820031313187", 15},
     .status = ROW_ACCEPTED,
     .uuid = {"u-1", 3},
     .has_errno = true,
     .http_status = 200,
     .attempts = 1,
     .latency_us = 12345,
     .finished_ms = 1800000000007},
    {.id = {.row = 2, .line = 3, .hash = UINT64_MAX, .occurrence = 4000000000u},
     .device = {"say \"hi\", you", 13},
     .status = ROW_INVALID,
     .error = {" two\nlines \x01 \xe4\xb8\xad", 16},
     .latency_us = -1,
     .finished_ms = 1800000000999},
    {.id = {.row = 3, .line = 4, .occurrence = 1},
     .device = {"865820031313187", 15},
     .status = ROW_IN_DOUBT,
     .has_errno = true,
     .platform_errno = -5,
     .error = {"]},{\"attempts\":9", 16},
     .attempts = 7,
     .ambiguous = 2,
     .latency_us = 0,
     .finished_ms = 0},
};
static const struct span names[] = {{"site, room", 10}, {"level", 5}, {"a\"b", 3}};
static const struct cell cells[] = {{.kind = CELL_STRING, .text = {"x,\"y\"\nz", 7}},
                                    {.kind = CELL_JSON, .text = {"[1,{\"a\":\"}]\"}]", 14}},
                                    {.kind = CELL_NUMBER, .text = {"1.50", 4}}};

/* The samples, `rounds` times, in a file without a name. */
static int write_samples(bool jsonl, size_t passed, size_t rounds, struct buf *text)
{
    struct result_format format;
    FILE *file = tmpfile();

    assert_non_null(file);
    buf_init(text, 64 * 1024 * 1024);
    result_format_init(&format, jsonl, names, passed);
    result_format_add_header(&format, text);
    for (size_t i = 0; i < rounds * ARRAY_LENGTH(samples); i++) {
        struct result_record record = samples[i % ARRAY_LENGTH(samples)];
        record.passed = cells;
        record.passed_count = passed;
        result_format_add_line(&format, &record, text);
    }
    assert_int_equal(text->status, STATUS_OK);
    assert_int_equal(fwrite(text->ptr, 1, text->len, file), text->len);
    assert_int_equal(fflush(file), 0);
    return dup(fileno(file)); /* the file itself is left to the end of the test */
}

static struct span header_of(bool jsonl, const struct buf *text)
{
    const char *end = memchr(text->ptr, '\n', text->len);
    return jsonl ? span_of(NULL, 0) : span_of(text->ptr, (size_t)(end - text->ptr) + 1);
}

static void read_back(bool jsonl, size_t passed, size_t rounds)
{
    struct buf text, value;
    struct result_scan scan;
    struct result_fields fields;
    size_t count = 0;
    uint64_t offset;
    int fd = write_samples(jsonl, passed, rounds, &text);

    buf_init(&value, 4096);
    result_scan_init(&scan, &disk_real, fd, jsonl, passed);
    result_scan_range(&scan, 0, text.len);
    assert_int_equal(result_scan_header(&scan, header_of(jsonl, &text)), STATUS_OK);
    offset = scan.at;
    while (result_scan_next(&scan, &fields) == STATUS_OK) {
        const struct result_record *wanted = &samples[count++ % ARRAY_LENGTH(samples)];
        assert_int_equal(fields.id.row, wanted->id.row);
        assert_int_equal(fields.id.hash, wanted->id.hash);
        assert_int_equal(fields.id.occurrence, wanted->id.occurrence);
        assert_int_equal(fields.status, wanted->status);
        assert_int_equal(fields.attempts, wanted->attempts);
        assert_int_equal(fields.ambiguous, wanted->ambiguous);
        assert_int_equal(fields.offset, offset);
        offset += fields.line.len;
        buf_clear(&value);
        result_unquote(fields.columns[RESULT_error], jsonl, &value);
        assert_true(span_equal(buf_span(&value), wanted->error));
        buf_clear(&value);
        result_unquote(fields.columns[RESULT_device], jsonl, &value);
        assert_true(span_equal(buf_span(&value), wanted->device));
    }
    assert_int_equal(result_scan_next(&scan, &fields), STATUS_END);
    assert_int_equal(count, rounds * ARRAY_LENGTH(samples));
    assert_int_equal(offset, text.len);
    result_scan_deinit(&scan);
    buf_deinit(&text);
    buf_deinit(&value);
    (void)close(fd);
}

static void test_what_was_written_is_read_back(void **state)
{
    (void)state;
    for (size_t passed = 0; passed <= ARRAY_LENGTH(names); passed++) {
        read_back(false, passed, 1);
        read_back(true, passed, 1);
    }
    read_back(false, 3, 4000); /* several blocks */
    read_back(true, 3, 4000);
}

/* Where the lines end; the first is the header's end. Returns how many there are behind it. */
static size_t find_ends(struct result_scan *scan, const struct buf *text,
                        size_t ends[ARRAY_LENGTH(samples) + 1])
{
    struct result_fields fields;
    size_t count = 0;

    result_scan_range(scan, 0, text->len);
    assert_int_equal(result_scan_header(scan, header_of(scan->jsonl, text)), STATUS_OK);
    ends[0] = (size_t)scan->at;
    while (result_scan_next(scan, &fields) == STATUS_OK)
        ends[++count] = (size_t)scan->at;
    return count;
}

/* Cut at every byte: the whole lines are read, and the rest is never taken for one. */
static void check_cuts(bool jsonl)
{
    struct buf text;
    struct result_fields fields;
    struct result_scan scan;
    size_t ends[ARRAY_LENGTH(samples) + 1];
    int fd = write_samples(jsonl, 1, 1, &text);

    result_scan_init(&scan, &disk_real, fd, jsonl, 1);
    size_t all = find_ends(&scan, &text, ends);
    assert_int_equal(all, ARRAY_LENGTH(samples));
    for (size_t len = 0; len <= text.len; len++) {
        size_t lines = 0, wanted = 0;
        while (wanted < all && ends[wanted + 1] <= len)
            wanted++;
        bool at_end = len == ends[wanted] && len >= ends[0];
        result_scan_range(&scan, 0, len);
        enum status status = result_scan_header(&scan, header_of(jsonl, &text));
        while (status == STATUS_OK && (status = result_scan_next(&scan, &fields)) == STATUS_OK)
            lines++;
        assert_int_equal(lines, wanted);
        assert_int_equal(status, at_end ? STATUS_END : STATUS_SYNTAX);
        assert_int_equal(scan.at, len < ends[0] ? 0 : ends[wanted]);
    }
    result_scan_deinit(&scan);
    buf_deinit(&text);
    (void)close(fd);
}

static void test_a_file_cut_off_at_any_byte(void **state)
{
    (void)state;
    check_cuts(false);
    check_cuts(true);
}

static void test_what_nbatch_did_not_write_is_refused(void **state)
{
    (void)state;
    static const char good[] = "1,2,0123456789abcdef-1,8,accepted,u,0,,200,1,0,1.000,"
                               "2027-01-15T08:00:00.007Z";
    static const char *const bad[] = {
        "",
        "1",
        "x,2,0123456789abcdef-1,8,accepted,u,0,,200,1,0,1.000,2027-01-15T08:00:00.007Z",
        "1,2,0123456789ABCDEF-1,8,accepted,u,0,,200,1,0,1.000,2027-01-15T08:00:00.007Z",
        "1,2,0123456789abcdef-0,8,accepted,u,0,,200,1,0,1.000,2027-01-15T08:00:00.007Z",
        "1,2,0123456789abcdef,8,accepted,u,0,,200,1,0,1.000,2027-01-15T08:00:00.007Z",
        "1,2,0123456789abcdef-1,8,Accepted,u,0,,200,1,0,1.000,2027-01-15T08:00:00.007Z",
        "1,2,0123456789abcdef-1,8,accepted,,0,,200,1,0,1.000,2027-01-15T08:00:00.007Z",
        "1,2,0123456789abcdef-1,8,failed,u,0,,200,1,0,1.000,2027-01-15T08:00:00.007Z",
        "1,2,0123456789abcdef-1,8,accepted,u,0,,2,1,0,1.000,2027-01-15T08:00:00.007Z",
        "1,2,0123456789abcdef-1,8,accepted,u,0,,200,1,0,1.,2027-01-15T08:00:00.007Z",
        "1,2,0123456789abcdef-1,8,accepted,u,0,,200,1,0,1.0000,2027-01-15T08:00:00.007Z",
        "1,2,0123456789abcdef-1,8,accepted,u,0,,200,1,0,1.000,2027-01-15 08:00:00.007Z",
        "1,2,0123456789abcdef-1,8,accepted,u,0,,200,1,0,1.000,2027-01-15T08:00:00.007Z,",
        "1,2,0123456789abcdef-1,8,accepted,u,0,\"x,200,1,0,1.000,2027-01-15T08:00:00.007Z",
        "1,2,0123456789abcdef-1,8,accepted,u,0,x\"y,200,1,0,1.000,2027-01-15T08:00:00.007Z",
        "1,2,0123456789abcdef-1,8,accepted,u,0,,200,1,0,1.000,2027-01-15T08:00:00.007Z\r",
    };
    struct result_fields fields;
    const char *error = NULL;

    assert_true(result_parse_line(span_string(good), false, 0, &fields, &error));
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        error = NULL;
        assert_false(result_parse_line(span_string(bad[i]), false, 0, &fields, &error));
        assert_non_null(error);
        assert_false(result_parse_line(span_string(bad[i]), true, 0, &fields, &error));
    }
}

/* What a power cut leaves where a page in the middle has not reached the disk. */
static void test_halves_of_two_lines_with_zeros_between_are_no_line(void **state)
{
    (void)state;
    static const char first[] =
        "7,8,0123456789abcdef-1,860000000000017,accepted,2dad6bfa-d5c5-4a40-9b25-cd9fa9d27c59,0,,"
        "200,1,0,11.721,2026-11-25T10:39:59.027Z";
    static const char second[] =
        "9,10,fedcba9876543210-1,860000000000025,accepted,e56b058f-3902-4521-a6d8-99cdc61a0451,0,,"
        "200,1,0,12.448,2026-11-25T10:39:59.028Z";
    char text[2 * sizeof(first) + 4096];
    struct result_fields fields;
    const char *error = NULL;

    for (size_t from = 0; from < sizeof(first); from++) {
        for (size_t to = 0; to < sizeof(second); to++) {
            size_t rest = sizeof(second) - 1 - to;
            memset(text, 0, sizeof(text));
            memcpy(text, first, from);
            memcpy(text + from + 100, second + to, rest);
            assert_false(
                result_parse_line(span_of(text, from + 100 + rest), false, 0, &fields, &error));
        }
    }
}

static void test_another_header_is_refused(void **state)
{
    (void)state;
    struct buf text;
    struct result_scan scan;
    int fd = write_samples(false, 1, 1, &text);

    result_scan_init(&scan, &disk_real, fd, false, 1);
    result_scan_range(&scan, 0, text.len);
    assert_int_equal(result_scan_header(&scan, SPAN_LITERAL("row,line\n")), STATUS_SYNTAX);
    assert_non_null(strstr(scan.error, "columns"));
    result_scan_deinit(&scan);
    buf_deinit(&text);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_written_is_read_back),
        cmocka_unit_test(test_a_file_cut_off_at_any_byte),
        cmocka_unit_test(test_what_nbatch_did_not_write_is_refused),
        cmocka_unit_test(test_halves_of_two_lines_with_zeros_between_are_no_line),
        cmocka_unit_test(test_another_header_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
