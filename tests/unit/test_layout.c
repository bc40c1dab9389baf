#include "unit.h"

#include "platform/layout.h"

static struct layout layout;
static struct problems problems;
static struct row shaped;

static void start(void)
{
    layout_deinit(&layout);
    layout_init(&layout);
    problems_clear(&problems, 1, 2);
}

static void must_set(const char *text)
{
    assert_int_equal(layout_add_set(&layout, text, NULL), STATUS_OK);
}

static void columns(const char *const *names)
{
    for (; *names != NULL; names++)
        assert_int_equal(layout_add_column(&layout, span_string(*names)), STATUS_OK);
}

static void apply(const struct cell *cells, size_t count)
{
    struct row row = {.number = 1, .line = 2, .cells = cells, .cell_count = count};
    problems_clear(&problems, 1, 2);
    assert_int_equal(layout_apply(&layout, &row, &shaped, &problems), STATUS_OK);
}

#define COLUMNS(...) columns((const char *const[]){__VA_ARGS__, NULL})
#define TEXT(word)                                    \
    {                                                 \
        .kind = CELL_TEXT, .text = SPAN_LITERAL(word) \
    }

static void test_without_options_a_row_stays_as_it_is(void **state)
{
    (void)state;
    const struct cell cells[] = {TEXT("1"), TEXT("2")};
    start();
    COLUMNS("imei", "mode");
    apply(cells, 2);
    assert_ptr_equal(shaped.cells, cells);
    assert_int_equal(shaped.cell_count, 2);
}

static void test_words_for_true_and_false_are_booleans_in_res_columns_alone(void **state)
{
    (void)state;
    const struct cell cells[] = {TEXT("TRUE"), TEXT("off"), TEXT("TRUE"), TEXT("TRUE")};
    struct buf message;

    start();
    buf_init(&message, 256);
    assert_int_equal(layout_add_true(&layout, "TRUE,on", &message), STATUS_OK);
    assert_int_equal(layout_add_true(&layout, "TRUE", &message), STATUS_OK);
    assert_int_equal(layout_add_false(&layout, "off", &message), STATUS_OK);
    assert_int_equal(layout_add_false(&layout, "on", &message), STATUS_USAGE);
    assert_string_equal(buf_string(&message), "--false on: --true and --false both name it");
    buf_clear(&message);
    assert_int_equal(layout_add_true(&layout, "a,,b", &message), STATUS_USAGE);
    buf_deinit(&message);
    COLUMNS("res:1", "res:2", "res:3:string", "args");
    apply(cells, 4);
    assert_int_equal(shaped.cells[0].kind, CELL_BOOL);
    assert_span(shaped.cells[0].text, "true");
    assert_span(shaped.cells[1].text, "false");
    assert_int_equal(shaped.cells[2].kind, CELL_TEXT);
    assert_span(shaped.cells[2].text, "TRUE");
    assert_span(shaped.cells[3].text, "TRUE");
}

static void test_columns_are_judged_as_the_template_takes_them(void **state)
{
    (void)state;
    start();
    must_set("data=[{\"res_id\":1,\"val\":${bare}},{\"res_id\":2,\"val\":\"${quoted} ${both}\"},"
             "{\"res_id\":3,\"val\":${both}},{\"res_id\":4,\"val\":${t:string}}]");
    COLUMNS("imei", "bare", "quoted", "both", "t:string", "res:9", "res:9:opaque");
    static const struct {
        bool judged, as_text;
    } wanted[] = {{false, false}, {false, false}, {true, false}, {true, true},
                  {true, false},  {false, false}, {true, false}, {false, false}};
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        assert_int_equal(layout.schema.columns[i].judged, wanted[i].judged);
        assert_int_equal(layout.schema.columns[i].judged && layout.schema.columns[i].judged_as_text,
                         wanted[i].as_text);
    }
}

static void test_a_set_fills_what_a_row_lacks(void **state)
{
    (void)state;
    const struct cell given[] = {TEXT("1"), TEXT("7")};
    const struct cell empty[] = {TEXT("1"), {.kind = CELL_ABSENT}};
    start();
    must_set("retry=3");
    COLUMNS("imei", "retry");
    assert_int_equal(layout.schema.count, 3);
    assert_true(layout.schema.columns[0].is_fallback);
    apply(given, 2);
    assert_int_equal(shaped.cells[0].kind, CELL_ABSENT);
    assert_span(shaped.cells[2].text, "7");
    apply(empty, 2);
    assert_span(shaped.cells[0].text, "3");
}

static void test_a_set_refers_to_columns(void **state)
{
    (void)state;
    const struct cell cells[] = {TEXT("1"),
                                 {.kind = CELL_NUMBER, .text = SPAN_LITERAL("5")},
                                 TEXT("Ann")};
    const struct cell lacking[] = {TEXT("1"), {.kind = CELL_ABSENT}, TEXT("Ann")};
    start();
    must_set("data=[{\"res_id\":1,\"val\":${level}},{\"res_id\":2,\"val\":\"${who}\"}]");
    must_set("res:9=${level}");
    COLUMNS("imei", "level", "who");
    assert_int_equal(layout.schema.columns[3].role, COLUMN_CARRIED);
    apply(cells, 3);
    assert_span(shaped.cells[0].text, "[{\"res_id\":1,\"val\":5},{\"res_id\":2,\"val\":\"Ann\"}]");
    assert_int_equal(shaped.cells[0].text.ptr[shaped.cells[0].text.len], 0);
    assert_int_equal(shaped.cells[1].kind, CELL_NUMBER);
    apply(lacking, 3);
    assert_int_equal(problems.error_count, 2);
    assert_int_equal(problems.items[0].code, PROBLEM_REQUIRED);
    assert_span(problem_field(&problems, &problems.items[0]), "--set data");
    assert_span(problem_message(&problems, &problems.items[0]),
                "${level} has no value in this row");
}

static void test_a_map_gives_a_column_its_meaning(void **state)
{
    (void)state;
    start();
    assert_int_equal(layout_add_map(&layout, "imei=设备号", NULL), STATUS_OK);
    must_set("args=${设备号}");
    COLUMNS("设备号", "obj_id");
    assert_int_equal(layout.schema.columns[1].role, COLUMN_PART);
    assert_int_equal(layout.schema.columns[1].part, PARAM_IMEI);
    assert_string_equal(layout.schema.columns[1].name, "设备号");
}

static void test_two_columns_for_one_thing_are_refused(void **state)
{
    (void)state;
    start();
    assert_int_equal(layout_add_map(&layout, "imei=device", NULL), STATUS_OK);
    must_set("mode=2");
    must_set("obj_id=1");
    must_set("obj_inst_id=1");
    must_set("expired_time=+1d");
    must_set("data=[]");
    COLUMNS("imei", "device", "mode");
    layout_check(&layout, &problems);
    assert_int_equal(problems.error_count, 1);
    assert_int_equal(problems.items[0].code, PROBLEM_DUPLICATE);
    assert_span(problem_field(&problems, &problems.items[0]), "device");
}

static void test_columns_that_options_name_must_be_there(void **state)
{
    (void)state;
    start();
    assert_int_equal(layout_add_map(&layout, "imei=device", NULL), STATUS_OK);
    assert_int_equal(layout_add_pass(&layout, "site,owner", NULL), STATUS_OK);
    must_set("args=${label}");
    COLUMNS("imei", "sites", "owner");
    layout_check(&layout, &problems);
    size_t missing = 0;
    for (size_t i = 0; i < problems.count; i++) {
        struct span field = problem_field(&problems, &problems.items[i]);
        if (problems.items[i].code != PROBLEM_COLUMN_MISSING)
            continue;
        missing += span_is(field, "device") || span_is(field, "label");
        if (span_is(field, "site")) {
            missing++;
            assert_span(problem_message(&problems, &problems.items[i]),
                        "--pass names it, but the input has no such column; did you mean sites?");
        }
    }
    assert_int_equal(missing, 3);
}

static void test_passed_cells_are_found_also_after_a_restart(void **state)
{
    (void)state;
    const struct cell cells[] = {TEXT("1"), TEXT("here")};
    struct row row = {.cells = cells, .cell_count = 2};
    start();
    assert_int_equal(layout_add_pass(&layout, "site,imei,site", NULL), STATUS_OK);
    must_set("retry=${imei}");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(layout.pass_count, 2);
        assert_int_equal(layout_passed(&layout, &row, 0).kind, CELL_ABSENT);
        COLUMNS("imei", "site");
        assert_int_equal(layout.schema.columns[2].role, COLUMN_CARRIED);
        assert_span(layout_passed(&layout, &row, 0).text, "here");
        assert_span(layout_passed(&layout, &row, 1).text, "1");
        apply(cells, 2);
        assert_span(shaped.cells[0].text, "1");
        assert_int_equal(layout_restart(&layout), STATUS_OK);
        assert_int_equal(layout.schema.count, 1);
    }
}

typedef enum status add_fn(struct layout *, const char *, struct buf *);

static void assert_refused(add_fn *add, const char *text, const char *why)
{
    struct buf message;

    buf_init(&message, 4096);
    assert_int_equal(add(&layout, text, &message), STATUS_USAGE);
    if (strstr(buf_string(&message), why) == NULL)
        fail_msg("%s: %s", text, buf_string(&message));
    buf_deinit(&message);
}

static void test_bad_words_are_refused_with_the_reason(void **state)
{
    (void)state;
    start();
    must_set("retry=3");
    assert_int_equal(layout_add_map(&layout, "imei=device", NULL), STATUS_OK);
    assert_refused(layout_add_set, "retry", "NAME=VALUE");
    assert_refused(layout_add_set, "=3", "NAME=VALUE");
    assert_refused(layout_add_set, "retry=", "NAME=VALUE");
    assert_refused(layout_add_set, "retyr=3", "did you mean retry?");
    assert_refused(layout_add_set, "res:x=3", "no column");
    assert_refused(layout_add_set, "retry=4", "set already");
    assert_refused(layout_add_set, "args=${a", "never closed");
    assert_refused(layout_add_map, "imei", "NAME=COLUMN");
    assert_refused(layout_add_map, "imie=x", "did you mean imei?");
    assert_refused(layout_add_map, "imei=x", "mapped already");
    assert_refused(layout_add_map, "mode=device", "mapped already");
    assert_refused(layout_add_pass, "", "NAME,NAME");
    assert_refused(layout_add_pass, "a,,b", "NAME,NAME");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_options_a_row_stays_as_it_is),
        cmocka_unit_test(test_words_for_true_and_false_are_booleans_in_res_columns_alone),
        cmocka_unit_test(test_columns_are_judged_as_the_template_takes_them),
        cmocka_unit_test(test_a_set_fills_what_a_row_lacks),
        cmocka_unit_test(test_a_set_refers_to_columns),
        cmocka_unit_test(test_a_map_gives_a_column_its_meaning),
        cmocka_unit_test(test_two_columns_for_one_thing_are_refused),
        cmocka_unit_test(test_columns_that_options_name_must_be_there),
        cmocka_unit_test(test_passed_cells_are_found_also_after_a_restart),
        cmocka_unit_test(test_bad_words_are_refused_with_the_reason),
    };
    layout_init(&layout);
    problems_init(&problems);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    layout_deinit(&layout);
    problems_deinit(&problems);
    return failed;
}
