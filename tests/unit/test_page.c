/* The numbers behind the HTML page, and that what results say stays text. */
#include "unit.h"

#include "report/chart.h"
#include "report/html.h"
#include "report/page.h"

static struct buf out;
static struct series series;
static struct groups groups;

static uint64_t total(size_t lane)
{
    return series_sum(&series, 0, series.count).lanes[lane];
}

static void test_a_series_loses_nothing_whatever_the_order(void **state)
{
    static const int64_t times[] = {1700000000000,
                                    1699999000000,
                                    1700000000124,
                                    1800000000000,
                                    1600000000000,
                                    1700000000000,
                                    0};

    (void)state;
    series = (struct series){.width_ms = 0};
    for (size_t i = 0; i < ARRAY_LENGTH(times); i++) {
        series_add(&series, times[i], i % SERIES_LANES, i + 1);
        assert_true(series.count <= SERIES_BUCKETS);
    }
    assert_int_equal(total(0) + total(1) + total(2) + total(3) + total(4), 28);
    int64_t width = series.width_ms; /* a point falls into the bucket of its time */
    assert_int_equal(series.first, 0);
    assert_int_equal(series_sum(&series, (size_t)(1800000000000 / width),
                                (size_t)(1800000000000 / width) + 1)
                         .lanes[3],
                     4);
}

static void test_a_series_keeps_each_bucket_when_its_width_doubles(void **state)
{
    (void)state;
    series = (struct series){.width_ms = 0};
    for (int64_t i = 3; i < 3 + 3 * SERIES_BUCKETS; i++)
        series_add(&series, i * SERIES_WIDTH_MS, 0, 1);
    assert_int_equal(series.width_ms, 4 * SERIES_WIDTH_MS);
    assert_int_equal(series.buckets[0].lanes[0], 1);
    for (size_t i = 1; i + 1 < series.count; i++)
        assert_int_equal(series.buckets[i].lanes[0], 4);
    assert_int_equal(total(0), 3 * SERIES_BUCKETS);
}

static void test_long_gaps_are_left_out_and_short_ones_are_not(void **state)
{
    struct series_span spans[SERIES_SPANS_MAX];

    (void)state;
    series = (struct series){.width_ms = 0};
    assert_int_equal(series_spans(&series, spans), 0);
    for (int64_t i = 0; i < 100; i++) {
        series_add(&series, i * 1000, 0, 1);            /* one row a second … */
        series_add(&series, 86400000 + i * 1000, 0, 1); /* … and again a day later */
    }
    assert_int_equal(series_spans(&series, spans), 2);
    assert_int_equal(spans[0].from, 0);
    assert_int_equal(spans[1].to, series.count);
    assert_int_equal(series_sum(&series, spans[0].from, spans[0].to).lanes[0], 100);
    assert_int_equal(series_sum(&series, spans[1].from, spans[1].to).lanes[0], 100);
    series = (struct series){.width_ms = 0};
    for (int64_t i = 0; i < 100; i++)
        series_add(&series, i * 10000, 0, 1);
    assert_int_equal(series_spans(&series, spans), 1);
}

static void add_reason(enum row_status status, int64_t number, const char *text, uint64_t row)
{
    const struct reason reason = {.status = status,
                                  .has_errno = number != 0,
                                  .platform_errno = number,
                                  .text = span_string(text)};

    groups_add(&groups, &reason, row, row + 1, SPAN_LITERAL("860000000000009"));
}

static void test_rows_that_ended_alike_are_one_group(void **state)
{
    const struct group *found[GROUPS_MAX];

    (void)state;
    groups = (struct groups){.count = 0};
    add_reason(ROW_FAILED, 0, "not sent: port 80 after 12 ms", 1);
    add_reason(ROW_FAILED, 0, "not sent: port 80 after 7 ms", 2);
    add_reason(ROW_FAILED, 0, "not sent: timeout", 3);
    add_reason(ROW_REJECTED, 7, "x", 4);
    add_reason(ROW_REJECTED, 15, "x", 5);
    add_reason(ROW_INVALID, 0, "imei: \"1\" is not 15 digits [E-IMEI]; mode: 7 [E-RANGE]", 6);
    add_reason(ROW_INVALID, 0, "imei: \"abc\" is not 15 digits [E-IMEI]", 7);
    assert_int_equal(groups_of(&groups, ROW_FAILED, found), 2);
    assert_int_equal(found[0]->count, 2);
    assert_int_equal(found[0]->samples[1].row, 2);
    assert_int_equal(groups_of(&groups, ROW_REJECTED, found), 2);
    assert_int_equal(groups_of(&groups, ROW_INVALID, found), 1);
    assert_string_equal(found[0]->advice.name, "E-IMEI");
    assert_int_equal(groups_of(&groups, ROW_IN_DOUBT, found), 0);
}

static void test_groups_take_fixed_memory_and_count_the_rest(void **state)
{
    const struct group *found[GROUPS_MAX];
    uint64_t counted = 0;

    (void)state;
    groups = (struct groups){.count = 0};
    for (int64_t i = 1; i <= 1000; i++)
        add_reason(ROW_REJECTED, i % 100 + 1, "x", (uint64_t)i);
    size_t count = groups_of(&groups, ROW_REJECTED, found);
    assert_int_equal(count, GROUPS_MAX);
    for (size_t i = 0; i < count; i++) {
        counted += found[i]->count;
        assert_int_equal(found[i]->sample_count, GROUP_SAMPLES);
    }
    assert_int_equal(counted + groups.others[ROW_REJECTED], 1000);
}

static void expect(const char *text)
{
    assert_string_equal(buf_string(&out), text);
    buf_clear(&out);
}

static void test_numbers_are_written_for_people(void **state)
{
    static const uint64_t shares[][2] = {{0, 0}, {0, 9},     {9, 9},
                                         {1, 9}, {1, 99999}, {99998, 99999}};
    static const char *const share_texts[] = {"0 %",    "0 %",        "100 %",
                                              "11.1 %", "&lt; 0.1 %", "&gt; 99.9 %"};
    static const double seconds[] = {0.25, 12.34, 60, 200, 7260, 90000};
    static const char *const second_texts[] = {"250 ms",     "12.3 s",    "1 min",
                                               "3 min 20 s", "2 h 1 min", "1 d 1 h"};

    (void)state;
    html_add_count(1234567, &out);
    expect("1,234,567");
    html_add_count(999, &out);
    expect("999");
    for (size_t i = 0; i < ARRAY_LENGTH(shares); i++) {
        html_add_share(shares[i][0], shares[i][1], &out);
        expect(share_texts[i]);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(seconds); i++) {
        html_add_duration(seconds[i], &out);
        expect(second_texts[i]);
    }
    html_add_latency(12345, &out);
    expect("12.3 ms");
    html_add_bytes(2568946, &out);
    expect("2.6 MB");
    html_add_bytes(999999, &out);
    expect("1.0 MB");
    html_add_time(1767225599999, &out);
    expect("<time datetime=\"2025-12-31T23:59:59.999Z\">31 Dec 2025, 23:59:59 UTC</time>");
}

static void test_hostile_text_stays_text(void **state)
{
    (void)state;
    html_add_string("<script>\"a\" & 'b'</script>", &out);
    expect("&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;");
    html_add_text(span_of("a\0b\x1b\xff", 5), &out);
    expect("a\\x00b\\x1b\\xff");
}

static void add_row(struct page *page, enum row_status status, int64_t latency_us,
                    uint32_t attempts, uint32_t ambiguous)
{
    const struct page_row row = {.row = page->total + 1,
                                 .imei = SPAN_LITERAL("<i>"),
                                 .reason = {.status = status, .text = SPAN_LITERAL("<b>")},
                                 .attempts = attempts,
                                 .ambiguous = ambiguous,
                                 .latency_us = latency_us,
                                 .finished_ms = 1767225600000 + (int64_t)page->total * 100};

    page_add_row(page, &row);
}

static void test_a_page_counts_rows_attempts_and_doubts(void **state)
{
    struct page *page = page_new();
    struct next_command command = {.program = NULL};
    const struct page_facts facts = {
        .results = "r.csv",
        .passed = "",
        .version = "1",
        .input_rows = 5,
        .next = {.rows = page->rows, .unsent = 1, .results = "r.csv", .command = command}};

    (void)state;
    add_row(page, ROW_ACCEPTED, 1000, 1, 0);
    add_row(page, ROW_ACCEPTED, 2000, 3, 1);
    add_row(page, ROW_IN_DOUBT, 3000, 2, 2);
    add_row(page, ROW_INVALID, -1, 0, 0);
    assert_int_equal(page->total, 4);
    assert_int_equal(page->attempts, 6);
    assert_int_equal(page->retried, 2);
    assert_int_equal(page->doubtful, 1);
    assert_int_equal(page->latency.count, 3);
    assert_int_equal(page->last_ms - page->first_ms, 300);
    page_add_html(page, &facts, &out);
    assert_int_equal(out.status, STATUS_OK);
    const char *html = buf_string(&out);
    assert_memory_equal(html, page_start, strlen(page_start));
    assert_non_null(strstr(html, "2 of 5 rows were accepted."));
    assert_non_null(strstr(html, "data-status=\"unsent\""));
    assert_null(strstr(html, "<b>"));
    assert_null(strstr(html, "<i>"));
    assert_non_null(strstr(html, "&lt;b&gt;"));
    buf_clear(&out);
    page_free(page);
}

static void test_a_page_of_nothing_is_a_page(void **state)
{
    struct page *page = page_new();
    const struct page_facts facts = {.results = "r.csv",
                                     .passed = "",
                                     .version = "1",
                                     .next = {.rows = page->rows, .results = "r.csv"}};

    (void)state;
    page_add_html(page, &facts, &out);
    assert_int_equal(out.status, STATUS_OK);
    assert_null(strstr(buf_string(&out), "<svg"));
    assert_null(strstr(buf_string(&out), "nan"));
    buf_clear(&out);
    page_free(page);
}

static void test_charts_of_odd_shapes_have_no_odd_numbers(void **state)
{
    static struct histogram histogram;
    static const uint64_t latencies[] = {0, 1, 20, 1000, UINT64_C(1) << 50};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(latencies); i++) {
        histogram = (struct histogram){.count = 0};
        histogram_add(&histogram, latencies[i]);
        chart_add_latency(&histogram, &out);
        histogram_add(&histogram, 1);
        chart_add_latency(&histogram, &out);
    }
    series = (struct series){.width_ms = 0};
    series_add(&series, 1767225600000, 0, 1);
    chart_add_throughput(&series, &out);
    chart_add_flight(&series, &out);
    series_add(&series, 1767225600000 + INT64_C(86400000) * 3650, 4, UINT32_MAX);
    chart_add_throughput(&series, &out);
    assert_int_equal(out.status, STATUS_OK);
    assert_null(strstr(buf_string(&out), "nan"));
    assert_null(strstr(buf_string(&out), "inf"));
    buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_series_loses_nothing_whatever_the_order),
        cmocka_unit_test(test_a_series_keeps_each_bucket_when_its_width_doubles),
        cmocka_unit_test(test_long_gaps_are_left_out_and_short_ones_are_not),
        cmocka_unit_test(test_rows_that_ended_alike_are_one_group),
        cmocka_unit_test(test_groups_take_fixed_memory_and_count_the_rest),
        cmocka_unit_test(test_numbers_are_written_for_people),
        cmocka_unit_test(test_hostile_text_stays_text),
        cmocka_unit_test(test_a_page_counts_rows_attempts_and_doubts),
        cmocka_unit_test(test_a_page_of_nothing_is_a_page),
        cmocka_unit_test(test_charts_of_odd_shapes_have_no_odd_numbers),
    };

    buf_init(&out, 16 * 1024 * 1024);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_deinit(&out);
    return failed;
}
