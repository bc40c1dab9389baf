#include "core/when.h"
#include "platform/command_impl.h"
#include "platform/device.h"
#include "platform/fleet.h"

/* 8.65820E+14: what a spreadsheet makes of a long number. */
static bool is_spreadsheet_number(struct span text)
{
    size_t i = 0;
    while (i < text.len && (is_digit(text.ptr[i]) || text.ptr[i] == '.' || text.ptr[i] == ','))
        i++;
    return i > 0 && i + 1 < text.len && (text.ptr[i] == 'E' || text.ptr[i] == 'e') &&
           (text.ptr[i + 1] == '+' || is_digit(text.ptr[i + 1]));
}

static void refuse_imei(struct draft *draft, struct span text)
{
    struct span field = draft_field(draft, PARAM_IMEI);
    size_t digits = 0;

    while (digits < text.len && is_digit(text.ptr[digits]))
        digits++;
    if (is_spreadsheet_number(text))
        problem_add(draft->problems, PROBLEM_IMEI, field, text,
                    "%.*s is what a spreadsheet made of the number; its last digits are lost",
                    SPAN_ARG(text));
    else if (digits == text.len && draft->any_device)
        problem_add(draft->problems, PROBLEM_IMEI, field, text,
                    "%.*s is no device's: that has %d to %d digits, not all of them 0",
                    SPAN_ARG(text), DEVICE_TEST_DIGITS_MIN, DEVICE_TEST_DIGITS_MAX);
    else if (digits == DEVICE_IMEI_DIGITS && text.len == digits)
        problem_add(draft->problems, PROBLEM_IMEI, field, text,
                    "%.*s begins with 0, as no IMEI does (of a test device: --imei any)",
                    SPAN_ARG(text));
    else if (digits == text.len)
        problem_add(draft->problems, PROBLEM_IMEI, field, text, "%.*s has %zu digits instead of %d",
                    SPAN_ARG(text), digits, DEVICE_IMEI_DIGITS);
    else
        problem_add(draft->problems, PROBLEM_IMEI, field, text, "\"%.*s\" is not %d digits",
                    SPAN_ARG(text), DEVICE_IMEI_DIGITS);
}

/* An IMEI has 15 digits, the first not 0; test devices have other numbers (README.md, "Devices").
 */
static void check_imei(struct draft *draft, struct span text)
{
    uint64_t device = 0;
    bool is_device = device_read(text, &device);
    bool is_imei = is_device && text.len == DEVICE_IMEI_DIGITS && text.ptr[0] != '0';

    if (!is_imei && !(draft->any_device && is_device)) {
        refuse_imei(draft, text);
        return;
    }
    draft->command->device = device;
    if (draft->fleet != NULL)
        fleet_expect(draft->fleet, device);
    if (text.len == DEVICE_IMEI_DIGITS &&
        device_check_digit(text.ptr) != text.ptr[DEVICE_IMEI_DIGITS - 1])
        problem_add(draft->problems, PROBLEM_IMEI_CHECK, draft_field(draft, PARAM_IMEI), text,
                    "%.*s does not fit its check digit", SPAN_ARG(text));
}

static void check_int_param(struct draft *draft, enum param param, struct span text)
{
    const struct param_rule *rule = &param_rules[param];
    int64_t value = 0;
    enum status status = span_to_int64(text, &value);

    if (status == STATUS_SYNTAX)
        problem_add(draft->problems, PROBLEM_TYPE, draft_field(draft, param), text,
                    "\"%.*s\" is not a whole number", SPAN_ARG(text));
    else if (status == STATUS_RANGE || value < rule->min || value > rule->max || text.ptr[0] == '-')
        problem_add(draft->problems, PROBLEM_RANGE, draft_field(draft, param), text,
                    "%.*s is outside %lld–%lld", SPAN_ARG(text), (long long)rule->min,
                    (long long)rule->max);
    else
        draft->ints[param] = value;
}

/* Only a time with milliseconds, or with more behind it than the platform's form has. */
static bool may_have_fraction(struct span text)
{
    return text.len > WHEN_PLATFORM_LENGTH || text.ptr[text.len > 1 ? text.len - 2 : 0] == 'm';
}

static void warn_of_fraction(struct draft *draft, enum param param, struct span text)
{
    char shown[WHEN_PLATFORM_LENGTH + 1];

    when_format_platform(draft->times_s[param], shown);
    problem_add(draft->problems, PROBLEM_TIME_FRACTION, draft_field(draft, param), text,
                "the fraction of a second in %.*s is dropped: %s (UTC+8) is sent", SPAN_ARG(text),
                shown);
}

static bool check_time_param(struct draft *draft, enum param param, struct span text)
{
    enum status status = when_parse(text, draft->now_s + draft->later_s, &draft->times_s[param]);

    if (status == STATUS_OK) {
        if (may_have_fraction(text) && when_drops_fraction(text))
            warn_of_fraction(draft, param, text);
        return true;
    }
    if (status == STATUS_TOO_BIG)
        problem_add(draft->problems, PROBLEM_TIME, draft_field(draft, param), text,
                    "\"%.*s\" cannot be told to the platform: in its time (UTC+8) it is outside "
                    "the years 1970–9999%s",
                    SPAN_ARG(text),
                    text.ptr[0] == '+' ? ", or more than a hundred years from now" : "");
    else if (status == STATUS_RANGE)
        problem_add(draft->problems, PROBLEM_TIME, draft_field(draft, param), text,
                    "\"%.*s\" names a day or an hour that does not exist", SPAN_ARG(text));
    else
        problem_add(draft->problems, PROBLEM_TIME, draft_field(draft, param), text,
                    "\"%.*s\" is not a time such as 2030-01-31T08:00:00, "
                    "2030-01-31T08:00:00+08:00 or +24h",
                    SPAN_ARG(text));
    return false;
}

static void refuse_past(struct draft *draft, enum param param)
{
    char now[WHEN_PLATFORM_LENGTH + 1], shown[WHEN_PLATFORM_LENGTH + 1];

    when_format_platform(draft->now_s, now);
    when_format_platform(draft->times_s[param], shown);
    problem_add(draft->problems, PROBLEM_TIME_PAST, draft_field(draft, param),
                draft->parts[param]->text, "%s is not later than now, %s (both UTC+8)", shown, now);
}

static void refuse_order(struct draft *draft)
{
    char valid[WHEN_PLATFORM_LENGTH + 1], expired[WHEN_PLATFORM_LENGTH + 1];

    when_format_platform(draft->times_s[PARAM_VALID_TIME], valid);
    when_format_platform(draft->times_s[PARAM_EXPIRED_TIME], expired);
    problem_add(draft->problems, PROBLEM_TIME_ORDER, draft_field(draft, PARAM_EXPIRED_TIME),
                draft->parts[PARAM_EXPIRED_TIME]->text, "%s is not later than %s %s (both UTC+8)",
                expired,
                draft->parts[PARAM_VALID_TIME] != NULL ? "valid_time" : "the embargo's end", valid);
}

/* valid_time > now; expired_time > valid_time, and > now (README.md, "Commands"). */
static void check_time_order(struct draft *draft)
{
    int64_t valid_s = draft->times_s[PARAM_VALID_TIME];
    int64_t expired_s = draft->times_s[PARAM_EXPIRED_TIME];

    if (draft->valid_time_good) {
        draft->command->valid_at_s = valid_s;
        if (valid_s <= draft->now_s)
            refuse_past(draft, PARAM_VALID_TIME);
    }
    if (!draft->expired_time_good)
        return;
    draft->command->expires_at_s = expired_s;
    if (expired_s <= draft->now_s)
        refuse_past(draft, PARAM_EXPIRED_TIME);
    else if (draft->valid_time_good && expired_s <= valid_s)
        refuse_order(draft);
}

static void note_relative(struct command *command, enum param param, struct span text)
{
    bool is_relative = when_is_relative(text);

    if (param == PARAM_VALID_TIME) {
        command->valid_is_given = true;
        command->valid_is_relative = is_relative;
    } else {
        command->expires_is_relative = is_relative;
    }
}

static void check_param_value(struct draft *draft, enum param param, const struct cell *cell)
{
    const struct param_rule *rule = &param_rules[param];

    if (cell->kind == CELL_JSON || (cell->kind == CELL_BOOL && rule->type != PARAM_TYPE_BOOL)) {
        problem_add(draft->problems, PROBLEM_TYPE, draft_field(draft, param), cell->text,
                    "must be a number or a string, is %s",
                    cell->kind == CELL_BOOL    ? "a boolean"
                    : cell->text.ptr[0] == '[' ? "an array"
                                               : "an object");
        return;
    }
    switch (rule->type) {
    case PARAM_TYPE_IMEI:
        check_imei(draft, cell->text);
        break;
    case PARAM_TYPE_INT:
        check_int_param(draft, param, cell->text);
        break;
    case PARAM_TYPE_TIME:
        if (param == PARAM_VALID_TIME)
            draft->valid_time_good = check_time_param(draft, param, cell->text);
        else
            draft->expired_time_good = check_time_param(draft, param, cell->text);
        note_relative(draft->command, param, cell->text);
        break;
    case PARAM_TYPE_BOOL:
        if (!span_is(cell->text, "true") && !span_is(cell->text, "false"))
            problem_add(draft->problems, PROBLEM_TYPE, draft_field(draft, param), cell->text,
                        "\"%.*s\" is neither true nor false", SPAN_ARG(cell->text));
        break;
    }
}

/* A row without a valid_time gets the embargo's end. */
static void lay_embargo(struct draft *draft)
{
    if (draft->embargo_s == 0 || draft->parts[PARAM_VALID_TIME] != NULL)
        return;
    draft->times_s[PARAM_VALID_TIME] = draft->embargo_s + draft->later_s;
    draft->valid_time_good = true;
    draft->command->valid_is_given = draft->command->valid_is_relative = true;
}

void draft_check_params(struct draft *draft)
{
    unsigned action = FOR_ACTION(draft->command->action);
    const char *action_name = action_rules[draft->command->action].name;

    for (size_t i = 0; i < PARAM_COUNT; i++) {
        const struct param_rule *rule = &param_rules[i];
        const struct cell *cell = draft->parts[i];
        if (cell == NULL) {
            if ((rule->required & action) != 0)
                problem_add(draft->problems, PROBLEM_REQUIRED, draft_field(draft, i),
                            span_of(NULL, 0), "is missing");
        } else if ((rule->allowed & action) == 0) {
            problem_add(draft->problems, PROBLEM_NOT_ALLOWED, draft_field(draft, i), cell->text,
                        "%s takes no %s", action_name, rule->name);
        } else {
            check_param_value(draft, (enum param)i, cell);
        }
    }
    lay_embargo(draft);
    check_time_order(draft);
    if (draft->command->action == ACTION_READ && draft->parts[PARAM_RES_ID] != NULL &&
        draft->parts[PARAM_OBJ_INST_ID] == NULL)
        problem_add(draft->problems, PROBLEM_NO_INSTANCE, draft_field(draft, PARAM_RES_ID),
                    draft->parts[PARAM_RES_ID]->text, "is given without obj_inst_id");
}
