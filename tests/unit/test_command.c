#include "unit.h"

#include "failing_realloc.h"
#include "platform/command.h"

static const int64_t NOW = 1800000000; /* 2027-01-15T16:00:00 in UTC+8 */

static struct problems problems;
static struct command command;

struct field {
    const char *name;
    const char *text; /* NULL: the cell is empty */
};

enum { FIELDS_MAX = 16 };

static bool memory_is_short; /* while a command is built */
static int64_t embargo_s;    /* likewise */

/* Builds a command from name and text pairs. */
static enum status try_build(const struct field *fields, size_t count)
{
    struct schema schema;
    struct cell cells[FIELDS_MAX];
    struct row row = {.number = 7, .line = 9, .cells = cells, .cell_count = count};

    const struct command_context context = {.schema = &schema,
                                            .now_s = NOW,
                                            .embargo_s = embargo_s};

    schema_init(&schema);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(schema_add(&schema, span_string(fields[i].name)), STATUS_OK);
        cells[i] = (struct cell){.kind = fields[i].text != NULL ? CELL_TEXT : CELL_ABSENT,
                                 .text = span_string(fields[i].text != NULL ? fields[i].text : "")};
    }
    problems_clear(&problems, row.number, row.line);
    realloc_fails = memory_is_short;
    enum status status = command_build(&command, &context, &row, NULL, &problems);
    realloc_fails = false;
    schema_deinit(&schema);
    return status;
}

static void build(const struct field *fields, size_t count)
{
    assert_int_equal(try_build(fields, count), STATUS_OK);
}

static const struct field good[] = {{"imei", "865820031313187"},
                                    {"obj_id", "3311"},
                                    {"obj_inst_id", "0"},
                                    {"mode", "2"},
                                    {"expired_time", "+7d"},
                                    {"data", "[{\"res_id\":5850,\"val\":true}]"}};

enum { GOOD_COUNT = sizeof(good) / sizeof(good[0]) };

/* The good row with one field set (added when it has none of that name). */
static void build_with(const char *name, const char *text)
{
    struct field fields[GOOD_COUNT + 1];
    size_t count = GOOD_COUNT;

    memcpy(fields, good, sizeof(good));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            fields[i].text = text;
            build(fields, count);
            return;
        }
    }
    fields[count++] = (struct field){name, text};
    build(fields, count);
}

static void assert_code(const char *name, const char *text, enum problem_code code)
{
    build_with(name, text);
    if (problems.count != 1 || problems.items[0].code != code)
        print_error("%s=%s: %zu problems\n", name, text != NULL ? text : "(empty)", problems.count);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problem_code_name(problems.items[0].code), problem_code_name(code));
    assert_span(problem_field(&problems, &problems.items[0]), name);
}

static void assert_fine(const char *name, const char *text)
{
    build_with(name, text);
    if (problems.count > 0)
        print_error("%s=%s: %.*s\n", name, text,
                    SPAN_ARG(problem_message(&problems, &problems.items[0])));
    assert_int_equal(problems.count, 0);
}

static void test_a_write_has_the_platforms_order_of_parameters(void **state)
{
    (void)state;
    static const struct field fields[] = {{"data", "[{\"res_id\":12,\"val\":121}]"},
                                          {"timeout", "40"},
                                          {"mode", "1"},
                                          {"retry", "0"},
                                          {"obj_inst_id", "1212"},
                                          {"obj_id", "1212"},
                                          {"trigger_msg", "7"},
                                          {"expired_time", "2027-08-06T08:00:00"},
                                          {"valid_time", "2027-08-05T00:00:00Z"},
                                          {"imei", "865820031313187"}};
    build(fields, ARRAY_LENGTH(fields));
    assert_int_equal(problems.count, 0);
    assert_span(command_target(&command),
                "/nbiot/offline?imei=865820031313187&valid_time=2027-08-05T08:00:00"
                "&expired_time=2027-08-06T08:00:00&obj_id=1212&obj_inst_id=1212&mode=1"
                "&retry=0&timeout=40&trigger_msg=7");
    assert_int_equal(command_target(&command).ptr[command_target(&command).len], '\0');
    assert_span(command_body(&command), "{\"data\":[{\"res_id\":12,\"val\":121}]}");
    assert_span(command_device_text(&command), "865820031313187");
    assert_int_equal(command.row, 7);
    assert_int_equal(command.line, 9);
    assert_true(command.device == 865820031313187u);
}

static void test_integers_have_one_form_on_the_wire(void **state)
{
    static const struct field fields[] = {{"imei", "865820031313187"},
                                          {"obj_id", "00065535"},
                                          {"obj_inst_id", "000"},
                                          {"mode", "0002"},
                                          {"expired_time", "+7d"},
                                          {"retry", "00010"},
                                          {"timeout", "040"},
                                          {"trigger_msg", "01"},
                                          {"data", "[{\"res_id\":1,\"val\":1}]"}};

    (void)state;
    build(fields, ARRAY_LENGTH(fields));
    assert_int_equal(problems.count, 0);
    assert_span(command_target(&command),
                "/nbiot/offline?imei=865820031313187&expired_time=2027-01-22T16:00:00"
                "&obj_id=65535&obj_inst_id=0&mode=2&retry=10&timeout=40&trigger_msg=1");
    assert_code("mode", "-0", PROBLEM_RANGE);
    assert_code("retry", "-0", PROBLEM_RANGE);
    assert_code("retry", "+5", PROBLEM_TYPE);
}

/* The forms of the documents' own examples and of two public clients: parameters in another order,
 * a mode with execute, an empty body. What we send is the same request by meaning. */
static void test_the_documents_own_examples_are_what_is_sent(void **state)
{
    static const struct field read_fields[] = {{"action", "read"},
                                               {"imei", "865820031313187"},
                                               {"obj_id", "3200"},
                                               {"obj_inst_id", "0"},
                                               {"res_id", "5500"},
                                               {"timeout", "25"},
                                               {"expired_time", "2027-02-01T08:00:00"}};
    static const struct field execute_fields[] = {{"action", "execute"},
                                                  {"imei", "865820031313187"},
                                                  {"obj_id", "3311"},
                                                  {"obj_inst_id", "0"},
                                                  {"res_id", "5"},
                                                  {"expired_time", "2027-02-01T08:00:00"},
                                                  {"args", "ping"}};

    (void)state;
    build_with("data", "[{\"res_id\":12,\"type\":1,\"val\":\"121A\"}]");
    assert_span(command_body(&command), "{\"data\":[{\"res_id\":12,\"type\":1,\"val\":\"121A\"}]}");
    build(read_fields, ARRAY_LENGTH(read_fields));
    assert_int_equal(problems.count, 0);
    assert_span(command_target(&command),
                "/nbiot/offline?imei=865820031313187&expired_time=2027-02-01T08:00:00&obj_id=3200"
                "&obj_inst_id=0&res_id=5500&timeout=25");
    assert_span(command_body(&command), "");
    build(execute_fields, ARRAY_LENGTH(execute_fields));
    assert_span(command_target(&command),
                "/nbiot/execute/offline?imei=865820031313187&expired_time=2027-02-01T08:00:00"
                "&obj_id=3311&obj_inst_id=0&res_id=5");
    assert_span(command_body(&command), "{\"args\":\"ping\"}");
    build(execute_fields, ARRAY_LENGTH(execute_fields) - 1);
    assert_int_equal(problems.count, 0);
    assert_span(command_body(&command), ""); /* the Java client sends {}: args are optional */
}

static void test_valid_time_can_be_left_out_of_a_target(void **state)
{
    static const char *const without =
        "/nbiot/offline?imei=865820031313187&expired_time=2027-01-22T16:00:00&obj_id=3311"
        "&obj_inst_id=0&mode=2";

    (void)state;
    build_with("valid_time", "+1d");
    assert_true(command_drop_valid_time(&command));
    assert_span(command_target(&command), without);
    assert_int_equal(command_target(&command).ptr[command_target(&command).len], '\0');
    assert_span(command_body(&command), "{\"data\":[{\"res_id\":5850,\"val\":true}]}");
    assert_span(command_device_text(&command), "865820031313187");
    assert_false(command_drop_valid_time(&command));
    assert_span(command_target(&command), without);
    build_with("retry", "3"); /* none was given */
    assert_false(command_drop_valid_time(&command));
    build_with("valid_time", "+1d");
    const struct cell passed = {.kind = CELL_TEXT, .text = SPAN_LITERAL("kept")};
    struct cell found;
    assert_int_equal(command_add_passed(&command, &passed), STATUS_OK);
    assert_true(command_drop_valid_time(&command));
    assert_int_equal(command_passed(&command, &found, 1), 1);
    assert_span(found.text, "kept");
    assert_span(command_device_text(&command), "865820031313187");
}

/* A cell with blanks around it: its key is that of the cell without, and its text is sent whole. */
static void test_blanks_are_sent_and_are_no_part_of_the_key(void **state)
{
    static const char given[] = " a ";
    struct cell cells[GOOD_COUNT];
    struct schema schema;
    const struct command_context context = {.schema = &schema,
                                            .now_s = NOW,
                                            .embargo_s = embargo_s};
    const struct row row = {.number = 1, .line = 2, .cells = cells, .cell_count = GOOD_COUNT};
    uint64_t hash = 0;

    (void)state;
    schema_init(&schema);
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        bool is_data = strcmp(good[i].name, "data") == 0;
        assert_int_equal(schema_add(&schema, span_string(is_data ? "res:1" : good[i].name)),
                         STATUS_OK);
        cells[i] = (struct cell){.kind = CELL_TEXT, .text = span_string(good[i].text)};
        if (is_data)
            cells[i].text = span_of(given + 1, 1);
    }
    for (int round = 0; round < 2; round++) {
        if (round == 1)
            cells[GOOD_COUNT - 1].given = span_of(given, 3);
        problems_clear(&problems, 1, 2);
        assert_int_equal(command_build(&command, &context, &row, NULL, &problems), STATUS_OK);
        assert_span(command_body(&command), round == 0
                                                ? "{\"data\":[{\"res_id\":1,\"val\":\"a\"}]}"
                                                : "{\"data\":[{\"res_id\":1,\"val\":\" a \"}]}");
        assert_true(round == 0 || command.hash == hash);
        hash = command.hash;
    }
    schema_deinit(&schema);
}

/* What the platform assumes is told in the rules as text, and known as numbers. */
static void test_the_defaults_are_those_of_the_rules(void **state)
{
    static const struct {
        enum param param;
        int64_t value;
    } defaults[] = {{PARAM_RETRY, DEFAULT_RETRY},
                    {PARAM_TIMEOUT, DEFAULT_TIMEOUT},
                    {PARAM_TRIGGER_MSG, DEFAULT_TRIGGER_MSG}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(defaults); i++) {
        int64_t value = -1;
        const char *text = param_rules[defaults[i].param].fallback;
        assert_int_equal(span_to_int64(span_string(text), &value), STATUS_OK);
        assert_int_equal(value, defaults[i].value);
    }
    for (size_t i = 0; i < PARAM_COUNT; i++)
        if (param_rules[i].type == PARAM_TYPE_INT && param_rules[i].fallback != NULL)
            assert_true(i == PARAM_RETRY || i == PARAM_TIMEOUT || i == PARAM_TRIGGER_MSG);
}

static void test_data_reaches_the_body_byte_for_byte(void **state)
{
    (void)state;
    build_with("data",
               " [{\"res_id\": 1, \"val\": 9223372036854775807}, {\"res_id\":2,\"val\":1.10}]");
    assert_span(
        command_body(&command),
        "{\"data\": [{\"res_id\": 1, \"val\": 9223372036854775807}, {\"res_id\":2,\"val\":1.10}]}");
}

static void test_integer_parameters_hold_their_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        const struct param_rule *rule = &param_rules[i];
        char below[32], min[32], max[32], above[32];
        if (rule->type != PARAM_TYPE_INT || (rule->allowed & FOR_ACTION(ACTION_WRITE)) == 0)
            continue;
        (void)snprintf(below, sizeof(below), "%lld", (long long)rule->min - 1);
        (void)snprintf(min, sizeof(min), "%lld", (long long)rule->min);
        (void)snprintf(max, sizeof(max), "%lld", (long long)rule->max);
        (void)snprintf(above, sizeof(above), "%lld", (long long)rule->max + 1);
        assert_code(rule->name, below, PROBLEM_RANGE);
        assert_fine(rule->name, min);
        assert_fine(rule->name, max);
        assert_code(rule->name, above, PROBLEM_RANGE);
        assert_code(rule->name, "1.0", PROBLEM_TYPE);
        assert_code(rule->name, "one", PROBLEM_TYPE);
        assert_code(rule->name, "+1", PROBLEM_TYPE);
        assert_code(rule->name, "99999999999999999999", PROBLEM_RANGE);
        if ((rule->required & FOR_ACTION(ACTION_WRITE)) != 0)
            assert_code(rule->name, NULL, PROBLEM_REQUIRED);
    }
}

/* The platform's own figures, so that a slip in the table is seen (platform/README.md, "Commands").
 */
static void test_the_ranges_are_the_platforms(void **state)
{
    (void)state;
    assert_code("mode", "0", PROBLEM_RANGE);
    assert_code("mode", "3", PROBLEM_RANGE);
    assert_fine("retry", "0");
    assert_fine("retry", "10");
    assert_code("retry", "11", PROBLEM_RANGE);
    assert_code("timeout", "4", PROBLEM_RANGE);
    assert_fine("timeout", "5");
    assert_fine("timeout", "40");
    assert_code("timeout", "41", PROBLEM_RANGE);
    assert_code("trigger_msg", "0", PROBLEM_RANGE);
    assert_fine("trigger_msg", "1");
    assert_code("trigger_msg", "8", PROBLEM_RANGE);
}

static void test_imei_is_15_digits_with_a_check_digit(void **state)
{
    (void)state;
    assert_fine("imei", "865820031313187");
    assert_code("imei", NULL, PROBLEM_REQUIRED);
    assert_code("imei", "86582003131318", PROBLEM_IMEI);
    assert_code("imei", "8658200313131870", PROBLEM_IMEI);
    assert_code("imei", "86582003131318X", PROBLEM_IMEI);
    assert_code("imei", "865820031313188", PROBLEM_IMEI_CHECK);
    assert_int_equal(problems.error_count, 0);
    assert_int_equal(problems.warning_count, 1);
    assert_true(command.target_len > 0);
}

static void test_a_spreadsheets_imei_is_called_by_its_name(void **state)
{
    (void)state;
    static const char *const texts[] = {"8.65820E+14", "8,65820E+14", "8.6582E14", "8E+14"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        assert_code("imei", texts[i], PROBLEM_IMEI);
        struct span message = problem_message(&problems, &problems.items[0]);
        assert_non_null(memmem(message.ptr, message.len, "spreadsheet", 11));
        assert_span(command_device_text(&command), texts[i]);
    }
}

static void test_times_are_compared_in_utc_plus_8(void **state)
{
    (void)state;
    assert_code("expired_time", "2027-01-15T16:00:00", PROBLEM_TIME_PAST); /* now, to the second */
    assert_fine("expired_time", "2027-01-15T16:00:01");
    assert_code("expired_time", "2027-01-15T08:00:00Z", PROBLEM_TIME_PAST);
    assert_code("expired_time", "soon", PROBLEM_TIME);
    assert_code("expired_time", "2027-02-30T00:00:00", PROBLEM_TIME);
    assert_code("expired_time", NULL, PROBLEM_REQUIRED);
    assert_code("valid_time", "2027-01-15T16:00:00", PROBLEM_TIME_PAST);
    assert_fine("valid_time", "2027-01-15T16:00:01");
}

static void test_expired_time_is_later_than_valid_time(void **state)
{
    (void)state;
    assert_fine("valid_time", "2027-01-22T15:59:59");
    build_with("valid_time", "2027-01-22T16:00:00"); /* +7d to the second */
    assert_int_equal(problems.error_count, 1);
    assert_int_equal(problems.items[0].code, PROBLEM_TIME_ORDER);
}

/* NOW is 16:00:00. */
static void test_an_embargo_is_the_valid_time_of_rows_that_give_none(void **state)
{
    uint64_t hash;

    (void)state;
    build(good, GOOD_COUNT);
    hash = command.hash;
    embargo_s = NOW + 1800;
    build(good, GOOD_COUNT);
    assert_int_equal(problems.count, 0);
    assert_int_equal(command.hash, hash);
    assert_int_equal(command.valid_at_s, NOW + 1800);
    assert_non_null(strstr(command_target(&command).ptr, "&valid_time=2027-01-15T16:30:00&exp"));
    command_shift(&command, 60); /* as a relative time, by the platform's clock */
    assert_int_equal(command.valid_at_s, NOW + 1860);
    assert_non_null(strstr(command_target(&command).ptr, "&valid_time=2027-01-15T16:31:00&exp"));
    assert_true(command_drop_valid_time(&command));
    assert_null(strstr(command_target(&command).ptr, "valid_time"));
    build_with("valid_time", "+2h");
    assert_non_null(strstr(command_target(&command).ptr, "&valid_time=2027-01-15T18:00:00&exp"));
    assert_code("expired_time", "+30m", PROBLEM_TIME_ORDER);
    assert_non_null(strstr(problem_message(&problems, &problems.items[0]).ptr, "embargo's end"));
    assert_fine("expired_time", "+31m");
    embargo_s = 0;
    assert_fine("expired_time", "+30m");
}

static void test_a_write_needs_data_from_one_place(void **state)
{
    (void)state;
    assert_code("data", NULL, PROBLEM_REQUIRED);
    build_with("res:5851", "1");
    assert_int_equal(problems.error_count, 1);
    assert_int_equal(problems.items[0].code, PROBLEM_DATA_TWICE);
    struct field fields[GOOD_COUNT + 2];
    memcpy(fields, good, sizeof(good));
    fields[GOOD_COUNT - 1] = (struct field){"res:5850", "true"};
    fields[GOOD_COUNT] = (struct field){"res:5851", NULL};
    fields[GOOD_COUNT + 1] = (struct field){"res:5852:string", "on"};
    build(fields, GOOD_COUNT + 2);
    assert_int_equal(problems.count, 0);
    assert_span(command_body(&command),
                "{\"data\":[{\"res_id\":5850,\"val\":true},{\"res_id\":5852,\"val\":\"on\"}]}");
}

static void test_read_and_execute_have_their_own_calls(void **state)
{
    (void)state;
    static const struct field read[] = {{"action", "read"},
                                        {"imei", "865820031313187"},
                                        {"obj_id", "3311"},
                                        {"expired_time", "+1h"},
                                        {"bin2hex", "true"}};
    static const struct field execute[] = {{"action", "execute"}, {"imei", "865820031313187"},
                                           {"obj_id", "3"},       {"obj_inst_id", "0"},
                                           {"res_id", "4"},       {"expired_time", "+1h"},
                                           {"args", "pi\"ng"}};
    build(read, ARRAY_LENGTH(read));
    assert_int_equal(problems.count, 0);
    assert_int_equal(command.action, ACTION_READ);
    assert_span(command_target(&command),
                "/nbiot/offline?imei=865820031313187&expired_time=2027-01-15T17:00:00"
                "&obj_id=3311&bin2hex=true");
    assert_span(command_body(&command), "");
    build(execute, ARRAY_LENGTH(execute));
    assert_int_equal(problems.count, 0);
    assert_span(command_target(&command),
                "/nbiot/execute/offline?imei=865820031313187&expired_time=2027-01-15T17:00:00"
                "&obj_id=3&obj_inst_id=0&res_id=4");
    assert_span(command_body(&command), "{\"args\":\"pi\\\"ng\"}");
    build(execute, ARRAY_LENGTH(execute) - 1); /* args are optional */
    assert_int_equal(problems.count, 0);
    assert_span(command_body(&command), "");
}

static void test_what_an_action_does_not_take_is_refused(void **state)
{
    (void)state;
    assert_code("res_id", "1", PROBLEM_NOT_ALLOWED);
    assert_code("bin2hex", "true", PROBLEM_NOT_ALLOWED);
    assert_code("args", "x", PROBLEM_NOT_ALLOWED);
    assert_code("action", "delete", PROBLEM_ACTION);
    build_with("action", "read"); /* with mode and data */
    assert_int_equal(problems.error_count, 2);
    assert_int_equal(problems.items[0].code, PROBLEM_NOT_ALLOWED);
}

static void test_an_unknown_column_names_the_nearest(void **state)
{
    (void)state;
    assert_code("retries", "3", PROBLEM_COLUMN);
    struct span message = problem_message(&problems, &problems.items[0]);
    assert_non_null(memmem(message.ptr, message.len, "retry", 5));
    assert_code("res:70000", "3", PROBLEM_COLUMN);
    assert_code("res:12:hex", "3", PROBLEM_COLUMN);
}

static void test_all_problems_of_a_row_are_found(void **state)
{
    (void)state;
    static const struct field fields[] = {{"imei", "1"},          {"obj_id", "x"},
                                          {"obj_inst_id", NULL},  {"mode", "3"},
                                          {"retry", "11"},        {"timeout", "4"},
                                          {"expired_time", "no"}, {"data", "{"}};
    build(fields, ARRAY_LENGTH(fields));
    assert_int_equal(problems.error_count, 8);
    assert_int_equal(command.target_len, 0);
    assert_span(command_body(&command), "");
}

static void test_the_hash_names_the_content_not_the_layout(void **state)
{
    (void)state;
    struct field shuffled[GOOD_COUNT];
    build(good, GOOD_COUNT);
    uint64_t hash = command.hash;
    for (size_t i = 0; i < GOOD_COUNT; i++)
        shuffled[i] = good[GOOD_COUNT - 1 - i];
    build(shuffled, GOOD_COUNT);
    assert_true(command.hash == hash);
    build_with("res:1", NULL); /* an empty cell changes nothing */
    assert_true(command.hash == hash);
    build_with("action", "write"); /* the default, spelt out */
    assert_true(command.hash == hash);
    build_with("retry", "3");
    assert_false(command.hash == hash);
    build_with("expired_time",
               "2027-01-22T16:00:00"); /* what +7d resolves to: but given otherwise */
    assert_false(command.hash == hash);
    build_with("imei", "865820031313195");
    assert_false(command.hash == hash);
    build_with("data", "[{\"res_id\":5850,\"val\":false}]");
    assert_false(command.hash == hash);
}

static void test_want_of_memory_for_the_data_is_no_problem_of_the_row(void **state)
{
    (void)state;
    struct field fields[GOOD_COUNT];

    memcpy(fields, good, sizeof(good));
    fields[GOOD_COUNT - 1].text = "[{\"res_id\":5850,\"val\":\"a\\\"b\"}]"; /* must be copied */
    build(fields, GOOD_COUNT);
    memory_is_short = true;
    assert_int_equal(try_build(fields, GOOD_COUNT), STATUS_NO_MEMORY);
    memory_is_short = false;
    assert_int_equal(problems.count, 0);
    build(good, GOOD_COUNT); /* and the next row does not suffer for it */
    assert_int_equal(problems.count, 0);
}

static int setup(void **state)
{
    (void)state;
    problems_init(&problems);
    command_init(&command);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    problems_deinit(&problems);
    command_deinit(&command);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_write_has_the_platforms_order_of_parameters),
        cmocka_unit_test(test_integers_have_one_form_on_the_wire),
        cmocka_unit_test(test_the_documents_own_examples_are_what_is_sent),
        cmocka_unit_test(test_valid_time_can_be_left_out_of_a_target),
        cmocka_unit_test(test_blanks_are_sent_and_are_no_part_of_the_key),
        cmocka_unit_test(test_the_defaults_are_those_of_the_rules),
        cmocka_unit_test(test_data_reaches_the_body_byte_for_byte),
        cmocka_unit_test(test_integer_parameters_hold_their_bounds),
        cmocka_unit_test(test_the_ranges_are_the_platforms),
        cmocka_unit_test(test_imei_is_15_digits_with_a_check_digit),
        cmocka_unit_test(test_a_spreadsheets_imei_is_called_by_its_name),
        cmocka_unit_test(test_times_are_compared_in_utc_plus_8),
        cmocka_unit_test(test_expired_time_is_later_than_valid_time),
        cmocka_unit_test(test_an_embargo_is_the_valid_time_of_rows_that_give_none),
        cmocka_unit_test(test_a_write_needs_data_from_one_place),
        cmocka_unit_test(test_read_and_execute_have_their_own_calls),
        cmocka_unit_test(test_what_an_action_does_not_take_is_refused),
        cmocka_unit_test(test_an_unknown_column_names_the_nearest),
        cmocka_unit_test(test_all_problems_of_a_row_are_found),
        cmocka_unit_test(test_the_hash_names_the_content_not_the_layout),
        cmocka_unit_test(test_want_of_memory_for_the_data_is_no_problem_of_the_row),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
