#include "unit.h"

#include "platform/template.h"

static struct template template;
static struct buf out;

static enum status parse(const char *text, bool is_json, char why[256])
{
    struct buf message;

    buf_init(&message, 255);
    enum status status = template_parse(&template, span_string(text), is_json, &message);
    (void)snprintf(why, 256, "%s", buf_string(&message));
    buf_deinit(&message);
    return status;
}

/* Expands the text with one value for all names. */
static enum status expand(const char *text, bool is_json, enum cell_kind kind, const char *value)
{
    struct cell cells[TEMPLATE_NAMES_MAX];
    char why[256];
    size_t missing;

    assert_int_equal(parse(text, is_json, why), STATUS_OK);
    for (size_t i = 0; i < TEMPLATE_NAMES_MAX; i++)
        cells[i] = (struct cell){.kind = kind, .text = span_string(value)};
    buf_clear(&out);
    return template_expand(&template, cells, false, &out, &missing);
}

static void assert_expands(const char *text, bool is_json, enum cell_kind kind, const char *value,
                           const char *expected)
{
    assert_int_equal(expand(text, is_json, kind, value), STATUS_OK);
    assert_span(buf_span(&out), expected);
}

static void test_text_stays_and_references_are_replaced(void **state)
{
    (void)state;
    assert_expands("", false, CELL_TEXT, "x", "");
    assert_expands("plain", false, CELL_TEXT, "x", "plain");
    assert_expands("a ${b} c ${d}${b}", false, CELL_TEXT, "x", "a x c xx");
    assert_int_equal(template.name_count, 2);
    assert_span(template.names[1], "d");
    assert_expands("$5 {x} $ $$", false, CELL_TEXT, "x", "$5 {x} $ $$");
    assert_expands("$${b}", false, CELL_TEXT, "x", "${b}");
    assert_expands("${a}$${b}$", false, CELL_TEXT, "x", "x${b}$");
    assert_expands("\"${b}\"", false, CELL_TEXT, "x\"y", "\"x\"y\"");
}

static void test_json_keeps_types_and_escapes_strings(void **state)
{
    (void)state;
    assert_expands("{\"val\":${v}}", true, CELL_NUMBER, "1.50", "{\"val\":1.50}");
    assert_expands("{\"val\":${v}}", true, CELL_TEXT, "-12", "{\"val\":-12}");
    assert_expands("{\"val\":${v}}", true, CELL_TEXT, "0042", "{\"val\":\"0042\"}");
    assert_expands("{\"val\":${v}}", true, CELL_STRING, "42", "{\"val\":\"42\"}");
    assert_expands("{\"val\":${v}}", true, CELL_BOOL, "true", "{\"val\":true}");
    assert_expands("{\"val\":${v}}", true, CELL_TEXT, "false", "{\"val\":false}");
    assert_expands("{\"val\":${v}}", true, CELL_JSON, "[1]", "{\"val\":[1]}");
    assert_expands("{\"val\":${v}}", true, CELL_TEXT, "a\"b\\c\n", "{\"val\":\"a\\\"b\\\\c\\n\"}");
    assert_expands("{\"val\":\"<${v}>\"}", true, CELL_TEXT, "a\"b", "{\"val\":\"<a\\\"b>\"}");
    assert_expands("{\"val\":\"<${v}>\"}", true, CELL_NUMBER, "7", "{\"val\":\"<7>\"}");
    /* Behind an escaped quote it is still the string; behind an escaped backslash it is not. */
    assert_expands("\"\\\"${v}\"", true, CELL_TEXT, "\"", "\"\\\"\\\"\"");
    assert_expands("\"\\\\\"${v}", true, CELL_TEXT, "x", "\"\\\\\"\"x\"");
}

static void test_a_cell_stands_for_a_lone_reference(void **state)
{
    (void)state;
    char why[256];
    assert_int_equal(parse("${a}", true, why), STATUS_OK);
    assert_true(template_is_reference(&template));
    assert_int_equal(parse("${a} ", true, why), STATUS_OK);
    assert_false(template_is_reference(&template));
    assert_int_equal(parse("$${a}", true, why), STATUS_OK);
    assert_false(template_is_reference(&template));
}

static void test_a_missing_value_is_named(void **state)
{
    (void)state;
    struct cell cells[2] = {{.kind = CELL_TEXT, .text = SPAN_LITERAL("x")},
                            {.kind = CELL_NULL, .text = SPAN_LITERAL("null")}};
    char why[256];
    size_t missing = 9;

    assert_int_equal(parse("${a}${b}", false, why), STATUS_OK);
    buf_clear(&out);
    assert_int_equal(template_expand(&template, cells, false, &out, &missing), STATUS_SYNTAX);
    assert_int_equal(missing, 1);
    assert_int_equal(expand("${a}", false, CELL_ABSENT, ""), STATUS_SYNTAX);
}

static void test_bad_templates_say_why(void **state)
{
    (void)state;
    char why[256], text[4096] = "";
    assert_int_equal(parse("a ${b", false, why), STATUS_USAGE);
    assert_non_null(strstr(why, "never closed"));
    assert_int_equal(parse("${}", false, why), STATUS_USAGE);
    assert_non_null(strstr(why, "names no column"));
    for (size_t i = 0; i <= TEMPLATE_NAMES_MAX; i++)
        (void)snprintf(text + strlen(text), 16, "${c%zu}", i);
    assert_int_equal(parse(text, false, why), STATUS_USAGE);
    assert_non_null(strstr(why, "columns"));
    text[0] = '\0';
    for (size_t i = 0; i <= TEMPLATE_PARTS_MAX; i++)
        (void)snprintf(text + strlen(text), 16, "${c}");
    assert_int_equal(parse(text, false, why), STATUS_USAGE);
    assert_non_null(strstr(why, "parts"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_stays_and_references_are_replaced),
        cmocka_unit_test(test_json_keeps_types_and_escapes_strings),
        cmocka_unit_test(test_a_cell_stands_for_a_lone_reference),
        cmocka_unit_test(test_a_missing_value_is_named),
        cmocka_unit_test(test_bad_templates_say_why),
    };
    buf_init(&out, 1024 * 1024);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_deinit(&out);
    return failed;
}
