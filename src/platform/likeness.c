#include "platform/likeness.h"

#include <stdlib.h>

#include "core/jsonlex.h"
#include "core/text.h"
#include "core/when.h"

/*
 * Both sides are brought into one form: the value of each parameter as text, and the content. Then
 * member is compared with member, and the worst word counts: what differs somewhere is another
 * command. Values are read from the text, not from a tree: a tree's numbers have 53 bits.
 */

enum {
    ZONE_STEP_S = 15 * 60,  /* zones are apart by a multiple of this … */
    ZONE_MAX_S = 20 * 3600, /* … and by so much from UTC+8 at the most */
};

/* One side. A parameter's text is empty where it is absent. */
struct deed {
    bool is_whole; /* what is absent was not given; else it may just not be shown */
    bool has_action;
    enum action action;
    struct span params[PARAM_COUNT];
    struct span content; /* JSON; empty: none */
    struct buf decoded;
};

static enum likeness worse(enum likeness a, enum likeness b)
{
    return a > b ? a : b;
}

/* Values. */

struct value {
    enum jsonlex_token kind;
    struct span text; /* of a string what it says */
};

/* The value of an object's member; JSONLEX_NULL where it has none of that name. Strings are
 * appended to `decoded`, which has room for all. */
static struct value member_of(struct span object, const char *name, struct buf *decoded)
{
    struct value found = {.kind = JSONLEX_NULL};
    struct jsonlex lex;

    jsonlex_start(&lex, object);
    if (jsonlex_next(&lex) != JSONLEX_OBJECT)
        return found;
    while (jsonlex_next(&lex) == JSONLEX_NAME) {
        bool is_it = span_is(span_of(lex.text.ptr + 1, lex.text.len - 2), name);
        enum jsonlex_token kind = jsonlex_next(&lex);
        if (!jsonlex_skip(&lex))
            break;
        if (is_it)
            found = (struct value){kind, kind == JSONLEX_STRING ? jsonlex_string(lex.text, decoded)
                                                                : lex.text};
    }
    return found;
}

static bool is_absent(const struct value *value)
{
    return value->kind == JSONLEX_NULL || (value->kind == JSONLEX_STRING && value->text.len == 0);
}

static bool read_double(struct span text, double *ret_number)
{
    char copy[JSONLEX_NUMBER_MAX + 1];

    if (text.len == 0 || text.len >= sizeof(copy) || !jsonlex_is_number(text))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *ret_number = strtod(copy, NULL);
    return true;
}

/* Two texts of which one at least is a number or a word of JSON. Whole numbers are compared digit
 * for digit, others as numbers: what has another form, and may have lost digits, cannot be told. */
static enum likeness compare_numbers(struct span a, struct span b)
{
    int64_t whole_a, whole_b;
    double number_a, number_b;
    bool is_whole_a = span_to_int64(a, &whole_a) == STATUS_OK,
         is_whole_b = span_to_int64(b, &whole_b) == STATUS_OK;

    if (is_whole_a && is_whole_b)
        return whole_a == whole_b ? LIKENESS_EQUAL : LIKENESS_DIFFERENT;
    if (!read_double(a, &number_a) || !read_double(b, &number_b))
        return LIKENESS_UNCLEAR;
    if (number_a < number_b || number_a > number_b) {
        double gap = number_a > number_b ? number_a - number_b : number_b - number_a;
        double size = number_a > 0 ? number_a : -number_a;
        return gap > size * 1e-5 ? LIKENESS_DIFFERENT : LIKENESS_UNCLEAR; /* digits were lost */
    }
    bool is_exact = number_a > -9e15 && number_a < 9e15;
    return is_exact ? LIKENESS_EQUAL : LIKENESS_UNCLEAR;
}

static bool is_text(const struct value *value)
{
    return value->kind == JSONLEX_STRING;
}

static bool equal_in_any_case(struct span a, struct span b)
{
    for (size_t i = 0; i < a.len && a.len == b.len; i++)
        if (a.ptr[i] != b.ptr[i] && !(is_hex_digit(a.ptr[i]) && is_hex_digit(b.ptr[i]) &&
                                      hex_digit_value(a.ptr[i]) == hex_digit_value(b.ptr[i])))
            return false;
    return a.len == b.len;
}

/* What a resource is set to. Between two requests a number is another value than its text. */
static enum likeness compare_values(const struct value *a, const struct value *b, bool is_opaque,
                                    bool is_whole)
{
    if (is_whole && a->kind != b->kind)
        return LIKENESS_DIFFERENT;
    if (span_equal(a->text, b->text) || (is_opaque && equal_in_any_case(a->text, b->text)))
        return LIKENESS_EQUAL;
    if (is_text(a) && is_text(b))
        return LIKENESS_DIFFERENT;
    if (a->kind == JSONLEX_NULL || b->kind == JSONLEX_NULL)
        return LIKENESS_UNCLEAR;
    if (a->kind == b->kind && a->kind != JSONLEX_NUMBER)
        return LIKENESS_UNCLEAR; /* arrays and objects: none was ever sent */
    return compare_numbers(a->text, b->text);
}

/* Parameters. */

static enum likeness compare_times(struct span a, struct span b)
{
    int64_t time_a, time_b;

    if (when_parse(a, 0, &time_a) != STATUS_OK || when_parse(b, 0, &time_b) != STATUS_OK)
        return LIKENESS_UNCLEAR;
    int64_t gap = llabs(time_a - time_b);
    if (gap == 0)
        return LIKENESS_EQUAL;
    return gap % ZONE_STEP_S == 0 && gap <= ZONE_MAX_S ? LIKENESS_UNCLEAR : LIKENESS_DIFFERENT;
}

static enum likeness compare_texts(enum param param, struct span a, struct span b)
{
    if (span_equal(a, b))
        return LIKENESS_EQUAL;
    if (param_rules[param].type == PARAM_TYPE_TIME)
        return compare_times(a, b);
    if (param_rules[param].type == PARAM_TYPE_BOOL && !(jsonlex_is_bool(a) && jsonlex_is_bool(b)))
        return LIKENESS_UNCLEAR;
    return param_rules[param].type == PARAM_TYPE_INT ? compare_numbers(a, b) : LIKENESS_DIFFERENT;
}

/* Whether two commands are one only where both have this. */
static bool is_essential(enum param param, enum action action)
{
    return param == PARAM_OBJ_ID || param == PARAM_OBJ_INST_ID ||
           (param == PARAM_RES_ID && action != ACTION_WRITE);
}

/* Each request has an expired_time: of one without, the times are not known. */
static bool is_timeless(const struct deed *deed)
{
    return deed->is_whole && deed->params[PARAM_EXPIRED_TIME].len == 0;
}

static enum likeness compare_param(enum param param, const struct deed *shown,
                                   const struct deed *asked)
{
    struct span a = shown->params[param], b = asked->params[param];
    const char *fallback = param_rules[param].fallback;
    bool is_essential_here = is_essential(param, asked->action);

    if (a.len == 0 && b.len == 0)
        return LIKENESS_EQUAL;
    if (param_rules[param].type == PARAM_TYPE_TIME && (is_timeless(asked) || is_timeless(shown)))
        return LIKENESS_EQUAL;
    if (a.len == 0 && !shown->is_whole)
        return is_essential_here ? LIKENESS_UNCLEAR : LIKENESS_EQUAL;
    if (a.len > 0 && b.len > 0)
        return compare_texts(param, a, b);
    if (is_essential_here)
        return LIKENESS_DIFFERENT;
    if (param_rules[param].type == PARAM_TYPE_TIME) /* valid_time: now, whenever that was */
        return shown->is_whole ? LIKENESS_DIFFERENT : LIKENESS_EQUAL;
    struct span given = a.len > 0 ? a : b;
    return fallback == NULL ? LIKENESS_UNCLEAR : compare_texts(param, given, span_string(fallback));
}

/* The content. */

/* Absent is a basic value; of what is shown it says nothing. */
static enum likeness compare_types(const struct value *a, const struct value *b, bool is_whole)
{
    const struct span basic = SPAN_LITERAL("0");

    if (is_absent(a) && !is_whole)
        return LIKENESS_EQUAL;
    return compare_numbers(is_absent(a) ? basic : a->text, is_absent(b) ? basic : b->text);
}

static enum likeness compare_items(struct span a, struct span b, bool is_whole, struct buf *decoded)
{
    const struct value id_a = member_of(a, "res_id", decoded),
                       id_b = member_of(b, "res_id", decoded);
    const struct value type_a = member_of(a, "type", decoded),
                       type_b = member_of(b, "type", decoded);
    const struct value val_a = member_of(a, "val", decoded), val_b = member_of(b, "val", decoded);

    if (is_absent(&id_a) || is_absent(&id_b))
        return LIKENESS_UNCLEAR;
    enum likeness likeness =
        worse(compare_numbers(id_a.text, id_b.text), compare_types(&type_a, &type_b, is_whole));
    bool is_opaque = span_is(type_b.text, "1");
    return worse(likeness, compare_values(&val_a, &val_b, is_opaque, is_whole));
}

/* The item of that number in an array; false: it has no such one. */
static bool item_of(struct span array, size_t number, struct span *ret_item)
{
    struct jsonlex lex;

    jsonlex_start(&lex, array);
    if (jsonlex_next(&lex) != JSONLEX_ARRAY)
        return false;
    for (size_t i = 0; jsonlex_next(&lex) != JSONLEX_ARRAY_END; i++) {
        if (lex.token == JSONLEX_BAD || !jsonlex_skip(&lex))
            return false;
        if (i == number) {
            *ret_item = lex.text;
            return true;
        }
    }
    return false;
}

static size_t count_items(struct span array)
{
    struct span item;
    size_t count = 0;

    while (item_of(array, count, &item))
        count++;
    return count;
}

enum { ITEMS_MAX = COMMAND_CONTENT_MAX / 8 };

/* What the best of the items that are left makes of it, which is taken. */
static enum likeness take_best(struct span array, size_t count, struct span wanted, bool is_whole,
                               bool taken[ITEMS_MAX], struct buf *decoded)
{
    enum likeness best = LIKENESS_DIFFERENT;
    size_t found = count;
    struct span item;

    for (size_t i = 0; i < count && best != LIKENESS_EQUAL; i++) {
        if (taken[i] || !item_of(array, i, &item))
            continue;
        buf_clear(decoded);
        enum likeness likeness = compare_items(item, wanted, is_whole, decoded);
        if (likeness < best) {
            best = likeness;
            found = i;
        }
    }
    if (found < count)
        taken[found] = true;
    return best;
}

static enum likeness compare_data(const struct value *a, const struct value *b, bool is_whole,
                                  struct buf *decoded)
{
    bool taken[ITEMS_MAX] = {false}, seen[LIKENESS_DIFFERENT + 1] = {false};
    struct span item;

    if (a->kind != JSONLEX_ARRAY || b->kind != JSONLEX_ARRAY)
        return LIKENESS_UNCLEAR;
    size_t count = count_items(a->text);
    if (count != count_items(b->text))
        return LIKENESS_DIFFERENT;
    if (count > ITEMS_MAX)
        return LIKENESS_UNCLEAR;
    for (size_t i = 0; item_of(b->text, i, &item); i++)
        seen[take_best(a->text, count, item, is_whole, taken, decoded)] = true;
    if (seen[LIKENESS_UNCLEAR]) /* and may have taken what another one needs */
        return LIKENESS_UNCLEAR;
    return seen[LIKENESS_DIFFERENT] ? LIKENESS_DIFFERENT : LIKENESS_EQUAL;
}

static enum likeness compare_args(const struct value *a, const struct value *b, bool is_shown)
{
    if (is_absent(a) && is_absent(b))
        return LIKENESS_EQUAL;
    if (is_absent(a) && !is_shown)
        return LIKENESS_UNCLEAR;
    return span_equal(a->text, b->text) ? LIKENESS_EQUAL : LIKENESS_DIFFERENT;
}

static enum likeness compare_contents(const struct deed *shown, const struct deed *asked)
{
    enum likeness likeness;
    struct buf decoded, text;

    if (asked->action == ACTION_READ)
        return LIKENESS_EQUAL;
    buf_init(&decoded, 64 * 1024);
    buf_init(&text, 64 * 1024);
    if (!buf_reserve(&decoded, shown->content.len + asked->content.len + 1) ||
        !buf_reserve(&text, shown->content.len + asked->content.len + 1)) {
        likeness = LIKENESS_UNCLEAR;
    } else if (asked->action == ACTION_WRITE) {
        const struct value a = member_of(shown->content, "data", &text),
                           b = member_of(asked->content, "data", &text);
        likeness = compare_data(&a, &b, shown->is_whole, &decoded);
    } else {
        const struct value a = member_of(shown->content, "args", &text),
                           b = member_of(asked->content, "args", &text);
        likeness = compare_args(&a, &b, shown->is_whole);
    }
    buf_deinit(&decoded);
    buf_deinit(&text);
    return likeness;
}

static enum likeness compare(const struct deed *shown, const struct deed *asked)
{
    enum likeness likeness = LIKENESS_UNCLEAR;

    if (shown->has_action)
        likeness = shown->action == asked->action ? LIKENESS_EQUAL : LIKENESS_DIFFERENT;
    for (size_t i = 0; i < PARAM_COUNT && likeness != LIKENESS_DIFFERENT; i++)
        if ((param_rules[i].allowed & FOR_ACTION(asked->action)) != 0)
            likeness = worse(likeness, compare_param((enum param)i, shown, asked));
    return likeness == LIKENESS_DIFFERENT ? likeness
                                          : worse(likeness, compare_contents(shown, asked));
}

/* The two sides. */

static void add_decoded(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '%' && i + 2 < text.len && is_hex_digit(text.ptr[i + 1]) &&
            is_hex_digit(text.ptr[i + 2])) {
            buf_add_char(out, (char)(hex_digit_value(text.ptr[i + 1]) << 4 |
                                     hex_digit_value(text.ptr[i + 2])));
            i += 2;
        } else {
            buf_add_char(out, text.ptr[i]);
        }
    }
}

/* Takes what is in front of the next `mark` off the text, with the mark. */
static struct span take_until(struct span *rest, char mark)
{
    const char *found = rest->len > 0 ? memchr(rest->ptr, mark, rest->len) : NULL;
    size_t len = found != NULL ? (size_t)(found - rest->ptr) : rest->len;
    struct span piece = span_of(rest->ptr, len);

    *rest = span_skip(*rest, found != NULL ? len + 1 : len);
    return piece;
}

static enum status read_request(const struct likeness_request *request, struct deed *deed)
{
    struct span rest = request->target;

    *deed = (struct deed){.is_whole = true,
                          .has_action = true,
                          .action = request->action,
                          .content = request->body};
    buf_init(&deed->decoded, rest.len + 1);
    if (!buf_reserve(&deed->decoded, rest.len + 1))
        return deed->decoded.status;
    (void)take_until(&rest, '?');
    while (rest.len > 0) {
        struct span value = take_until(&rest, '&'), name = take_until(&value, '=');
        size_t from = deed->decoded.len;
        enum param param;
        add_decoded(value, &deed->decoded);
        if (param_find(name, &param))
            deed->params[param] = span_of(deed->decoded.ptr + from, deed->decoded.len - from);
    }
    return STATUS_OK;
}

/* What an answer shows: args, and beside them what the list has too. */
static void take_params(struct span data, struct deed *deed)
{
    const struct value args = member_of(data, "args", &deed->decoded);

    for (size_t i = 0; i < PARAM_COUNT; i++) {
        struct value value = member_of(args.text, param_rules[i].name, &deed->decoded);
        if (is_absent(&value))
            value = member_of(data, param_rules[i].name, &deed->decoded);
        if (!is_absent(&value))
            deed->params[i] = text_trim_blanks(value.text);
    }
}

static void take_action(const struct value *type, struct deed *deed)
{
    static const struct {
        const char *word, *number;
        enum action action;
    } kinds[] = {{"READ", "0", ACTION_READ},
                 {"WRITE", "1", ACTION_WRITE},
                 {"EXECUTE", "2", ACTION_EXECUTE}};

    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        if (!span_is(type->text, kinds[i].word) && !span_is(type->text, kinds[i].number))
            continue;
        deed->has_action = true;
        deed->action = kinds[i].action;
    }
}

static enum status read_entry(struct span answer, struct deed *deed)
{
    struct jsonlex lex;

    *deed = (struct deed){.is_whole = false};
    buf_init(&deed->decoded, 16 * 1024 * 1024);
    if (jsonlex_check(&lex, answer) != STATUS_OK)
        return STATUS_SYNTAX;
    if (!buf_reserve(&deed->decoded, (2 * PARAM_COUNT + 4) * (answer.len + 1)))
        return deed->decoded.status;
    const struct value data = member_of(answer, "data", &deed->decoded);
    if (data.kind != JSONLEX_OBJECT)
        return STATUS_SYNTAX;
    const struct value type = member_of(data.text, "type", &deed->decoded);
    const struct value content = member_of(data.text, "content", &deed->decoded);
    take_action(&type, deed);
    take_params(data.text, deed);
    deed->content = is_absent(&content) ? span_of(NULL, 0) : content.text;
    return STATUS_OK;
}

enum status likeness_of_entry(struct span answer, const struct likeness_request *request,
                              enum likeness *ret_likeness)
{
    struct deed shown, asked = {.is_whole = true};
    enum status status = read_entry(answer, &shown);

    if (status == STATUS_OK)
        status = read_request(request, &asked);
    if (status == STATUS_OK)
        *ret_likeness = compare(&shown, &asked);
    buf_deinit(&shown.decoded);
    buf_deinit(&asked.decoded);
    return status;
}

enum status likeness_of_requests(const struct likeness_request *a, const struct likeness_request *b,
                                 enum likeness *ret_likeness)
{
    struct deed one, other = {.is_whole = true};
    enum status status = read_request(a, &one);

    if (status == STATUS_OK)
        status = read_request(b, &other);
    if (status == STATUS_OK)
        *ret_likeness = compare(&one, &other);
    buf_deinit(&one.decoded);
    buf_deinit(&other.decoded);
    return status;
}
