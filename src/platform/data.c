#include "platform/data.h"

#include <math.h>
#include <xxhash.h>

#include "core/jsonlex.h"
#include "core/text.h"
#include "platform/data_plain.h"
#include "platform/look.h"

enum { NAME_SHOWN_MAX = 40 }; /* bytes of a member's name in the name of a field */

static const int64_t TIME_SECONDS_MAX = 253402300799; /* the end of the year 9999 */

/* What a check looks at; it is put into words only for a problem. */
struct place {
    const char *column; /* of a res: cell; NULL within data */
    size_t item;
    struct span member; /* NULL: the item itself */
    char text[64];
};

static struct span place_text(struct place *place)
{
    if (place->column != NULL)
        return span_string(place->column);
    if (place->member.ptr == NULL)
        (void)snprintf(place->text, sizeof(place->text), "data[%zu]", place->item);
    else
        (void)snprintf(place->text, sizeof(place->text), "data[%zu].%.*s", place->item,
                       (int)text_cut(place->member, NAME_SHOWN_MAX), place->member.ptr);
    return span_string(place->text);
}

/* On its way through an array that is JSON. */
struct data_walk {
    struct jsonlex lex;
    struct problems *problems;
    struct footprint *footprint;
    struct buf decoded; /* texts with escapes; has room for all of them */
    struct place place;
};

static void go_to(struct data_walk *walk, size_t item, struct span member)
{
    walk->place.item = item;
    walk->place.member = member;
}

/* A string or name without its escapes. What is behind a NUL is not looked at: the NUL is a problem
 * of its own. */
static struct span string_at(struct data_walk *walk)
{
    struct span text = jsonlex_string(walk->lex.text, &walk->decoded);
    return span_of(text.ptr, strnlen(text.ptr, text.len));
}

static bool is_integer_text(struct span number)
{
    for (size_t i = 0; i < number.len; i++)
        if (number.ptr[i] == '.' || number.ptr[i] == 'e' || number.ptr[i] == 'E')
            return false;
    return true;
}

/* An integer has no such value: what reads it takes it for 0, or for a double. */
static void check_minus_zero(struct place *place, struct span number, struct problems *problems)
{
    if (span_is(number, "-0"))
        problem_add(problems, PROBLEM_MINUS_ZERO, place_text(place), number,
                    "-0 is 0 for some readers and a double for others");
}

/* A number as JSON writes it: integers must fit into 64 bits, others into a double. */
static void check_number(struct place *place, struct span number, struct problems *problems)
{
    int64_t value = 0;

    if (is_integer_text(number)) {
        if (span_to_int64(number, &value) == STATUS_RANGE)
            problem_add(problems, PROBLEM_NUMBER, place_text(place), number,
                        "%.*s does not fit into a 64-bit integer", SPAN_ARG(number));
        check_minus_zero(place, number, problems);
        return;
    }
    if (number.len > JSONLEX_NUMBER_MAX) { /* only a res: cell's: in data, it is no JSON to us */
        problem_add(problems, PROBLEM_NUMBER, place_text(place), number,
                    "the number has %zu characters, more than %d", number.len, JSONLEX_NUMBER_MAX);
        return;
    }
    char text[JSONLEX_NUMBER_MAX + 1];
    memcpy(text, number.ptr, number.len);
    text[number.len] = '\0';
    if (!isfinite(strtod(text, NULL)))
        problem_add(problems, PROBLEM_NUMBER, place_text(place), number,
                    "%s does not fit into a double", text);
}

static void check_hex(struct place *place, struct span text, struct problems *problems)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_hex_digit(text.ptr[i])) {
            problem_add(problems, PROBLEM_HEX, place_text(place), text,
                        "an opaque value is hex; character %zu is none", i + 1);
            return;
        }
    }
    if (text.len % 2 != 0)
        problem_add(problems, PROBLEM_HEX, place_text(place), text,
                    "an opaque value has two hex digits a byte; these are %zu", text.len);
}

static void check_time(struct place *place, struct span number, struct problems *problems)
{
    int64_t seconds;
    enum status status = span_to_int64(number, &seconds);

    if (status == STATUS_SYNTAX)
        problem_add(problems, PROBLEM_TYPE, place_text(place), number,
                    "a time is a whole number of seconds since 1970, not %.*s", SPAN_ARG(number));
    else if (status == STATUS_RANGE)
        problem_add(problems, PROBLEM_NUMBER, place_text(place), number,
                    "%.*s does not fit into a 64-bit integer", SPAN_ARG(number));
    else if (seconds == 0 && number.ptr[0] == '-')
        check_minus_zero(place, number, problems);
    else if (seconds > TIME_SECONDS_MAX)
        problem_add(problems, PROBLEM_TIME_UNIT, place_text(place), number,
                    "%.*s seconds are beyond the year 9999: are these milliseconds?",
                    SPAN_ARG(number));
}

static void check_text(struct place *place, struct span text, struct problems *problems)
{
    if (text_has_control(text))
        problem_add(problems, PROBLEM_CONTROL, place_text(place), text,
                    "the text holds a control character");
}

static const char *type_name(enum jsonlex_token kind)
{
    switch (kind) {
    case JSONLEX_NULL:
        return "null";
    case JSONLEX_TRUE:
    case JSONLEX_FALSE:
        return "a boolean";
    case JSONLEX_NUMBER:
        return "a number";
    case JSONLEX_STRING:
        return "a string";
    default:
        return kind == JSONLEX_ARRAY ? "an array" : "an object";
    }
}

enum item_type { ITEM_BASIC = 0, ITEM_OPAQUE = 1, ITEM_TIME = 2, ITEM_UNKNOWN = -1 };

struct value {
    enum jsonlex_token kind; /* JSONLEX_BAD when it is not there */
    struct span text;        /* of a scalar: as written; a string's without escapes */
};

struct item_members {
    struct value res_id, type, val;
};

/* The text of a value of that kind, or none. */
static struct span text_if(const struct value *value, enum jsonlex_token kind)
{
    return value->kind == kind ? value->text : span_of(NULL, 0);
}

/* The value whose first token has been read; goes on to its end. */
static struct value value_at(struct data_walk *walk)
{
    struct value value = {.kind = walk->lex.token};

    if (value.kind == JSONLEX_STRING)
        value.text = string_at(walk);
    else if (value.kind == JSONLEX_OBJECT || value.kind == JSONLEX_ARRAY)
        (void)jsonlex_skip(&walk->lex);
    else if (value.kind != JSONLEX_NULL)
        value.text = walk->lex.text;
    return value;
}

/* A member that must be an integer within min … max; false after a problem was added. */
static bool check_int(struct data_walk *walk, const struct value *member, int64_t min, int64_t max,
                      int64_t *ret_value)
{
    struct span number = member->text;
    int64_t value = 0;

    if (member->kind != JSONLEX_NUMBER) {
        problem_add(walk->problems, PROBLEM_TYPE, place_text(&walk->place),
                    text_if(member, JSONLEX_STRING), "must be a whole number, is %s",
                    type_name(member->kind));
        return false;
    }
    enum status status = span_to_int64(number, &value);
    if (status == STATUS_SYNTAX) {
        problem_add(walk->problems, PROBLEM_TYPE, place_text(&walk->place), number,
                    "must be a whole number, is %.*s", SPAN_ARG(number));
        return false;
    }
    if (status == STATUS_RANGE || value < min || value > max || number.ptr[0] == '-') {
        problem_add(walk->problems, PROBLEM_RANGE, place_text(&walk->place), number,
                    "%.*s is outside %lld–%lld", SPAN_ARG(number), (long long)min, (long long)max);
        return false;
    }
    *ret_value = value;
    return true;
}

static void check_val(struct data_walk *walk, const struct value *val, enum item_type type)
{
    struct place *place = &walk->place;
    struct problems *problems = walk->problems;
    enum jsonlex_token kind = val->kind;

    if (kind == JSONLEX_NULL || kind == JSONLEX_ARRAY || kind == JSONLEX_OBJECT) {
        problem_add(problems, PROBLEM_TYPE, place_text(place), span_of(NULL, 0),
                    "must be a boolean, a string or a number, is %s", type_name(kind));
        return;
    }
    if (kind == JSONLEX_STRING)
        check_text(place, val->text, problems);
    if (type == ITEM_OPAQUE && kind == JSONLEX_STRING)
        check_hex(place, val->text, problems);
    else if (type == ITEM_OPAQUE)
        problem_add(problems, PROBLEM_TYPE, place_text(place), text_if(val, JSONLEX_NUMBER),
                    "an opaque value (type 1) is a string of hex digits, not %s", type_name(kind));
    else if (type == ITEM_TIME && kind != JSONLEX_NUMBER)
        problem_add(problems, PROBLEM_TYPE, place_text(place), text_if(val, JSONLEX_STRING),
                    "a time (type 2) is a number of seconds since 1970, not %s", type_name(kind));
    else if (type == ITEM_TIME)
        check_time(place, val->text, problems);
    else if (kind == JSONLEX_NUMBER)
        check_number(place, val->text, problems);
}

static struct value *member_slot(struct item_members *members, struct span name)
{
    if (span_is(name, "res_id"))
        return &members->res_id;
    if (span_is(name, "type"))
        return &members->type;
    return span_is(name, "val") ? &members->val : NULL;
}

static void report_unknown_member(struct data_walk *walk, struct span name)
{
    static const char *const known[] = {"res_id", "type", "val"};
    const char *nearest = text_nearest(name, known, ARRAY_LENGTH(known));

    if (nearest != NULL)
        problem_add(walk->problems, PROBLEM_DATA, place_text(&walk->place), name,
                    "unknown member; did you mean %s?", nearest);
    else
        problem_add(walk->problems, PROBLEM_DATA, place_text(&walk->place), name,
                    "unknown member; an item has res_id, type and val");
}

/* Sorts the members of an item into `members`; strays and repetitions are problems. */
static void collect_members(struct data_walk *walk, size_t index, struct item_members *members)
{
    while (jsonlex_next(&walk->lex) == JSONLEX_NAME) {
        struct span name = string_at(walk);
        struct value *slot = member_slot(members, name);
        (void)jsonlex_next(&walk->lex);
        struct value value = value_at(walk);
        go_to(walk, index, name);
        if (slot == NULL)
            report_unknown_member(walk, name);
        else if (slot->kind != JSONLEX_BAD)
            problem_add(walk->problems, PROBLEM_DUPLICATE, place_text(&walk->place),
                        text_if(&value, JSONLEX_NUMBER), "the member is here twice");
        else
            *slot = value;
    }
}

/* Sets the walk's place to the member; false, with a problem, when it is not there. */
static bool require_member(struct data_walk *walk, size_t index, struct span name,
                           const struct value *member)
{
    go_to(walk, index, name);
    if (member->kind != JSONLEX_BAD)
        return true;
    problem_add(walk->problems, PROBLEM_REQUIRED, place_text(&walk->place), span_of(NULL, 0),
                "is missing");
    return false;
}

void footprint_add(struct footprint *footprint, int64_t res_id, int64_t type, bool is_string,
                   struct span value)
{
    if (footprint->count == FOOTPRINT_ITEMS_MAX)
        return; /* the data are too large then, which is an error of its own */
    uint64_t seed = (uint64_t)type * 2 + (is_string ? 1 : 0);
    bool is_word = value.len > 0 && (value.ptr[0] == 't' || value.ptr[0] == 'f');
    struct footprint_item *item = &footprint->items[footprint->count++];
    item->res_id = (uint16_t)res_id;
    item->kind = type != ITEM_BASIC ? FOOTPRINT_OTHER
                 : is_string        ? FOOTPRINT_TEXT
                 : is_word          ? FOOTPRINT_BOOLEAN
                                    : FOOTPRINT_NUMBER;
    item->invisible = false;
    item->value = (uint32_t)XXH3_64bits_withSeed(value.ptr, value.len, seed);
}

/* The item whose first token has been read. */
static void check_item(struct data_walk *walk, size_t index)
{
    struct item_members members = {.res_id = {.kind = JSONLEX_BAD}};
    int64_t res_id = -1, type = ITEM_BASIC;

    if (walk->lex.token != JSONLEX_OBJECT) {
        struct value item = value_at(walk);
        go_to(walk, index, span_of(NULL, 0));
        problem_add(walk->problems, PROBLEM_DATA, place_text(&walk->place),
                    text_if(&item, JSONLEX_STRING), "must be an object, is %s",
                    type_name(item.kind));
        return;
    }
    collect_members(walk, index, &members);
    if (require_member(walk, index, SPAN_LITERAL("res_id"), &members.res_id))
        (void)check_int(walk, &members.res_id, 0, LWM2M_ID_MAX, &res_id);
    go_to(walk, index, SPAN_LITERAL("type"));
    if (members.type.kind != JSONLEX_BAD &&
        !check_int(walk, &members.type, ITEM_OPAQUE, ITEM_TIME, &type))
        type = ITEM_UNKNOWN;
    if (require_member(walk, index, SPAN_LITERAL("val"), &members.val))
        check_val(walk, &members.val, (enum item_type)type);
    if (res_id < 0 || members.val.kind == JSONLEX_BAD)
        return;
    bool is_string = members.val.kind == JSONLEX_STRING;
    size_t added = walk->footprint->count;
    footprint_add(walk->footprint, res_id, type, is_string, members.val.text);
    if (is_string && added < walk->footprint->count)
        walk->footprint->items[added].invisible = look_has_invisible(members.val.text);
}

static void check_items(struct data_walk *walk)
{
    size_t index = 0;

    for (; jsonlex_next(&walk->lex) != JSONLEX_ARRAY_END; index++)
        check_item(walk, index);
    if (index == 0)
        problem_add(walk->problems, PROBLEM_DATA, SPAN_LITERAL("data"), span_of(NULL, 0),
                    "the array has no items");
    footprint_check(walk->footprint, SPAN_LITERAL("data"), walk->problems);
}

void footprint_check(const struct footprint *footprint, struct span field,
                     struct problems *problems)
{
    for (size_t i = 1; i < footprint->count; i++) {
        size_t first = 0;
        while (footprint->items[first].res_id != footprint->items[i].res_id)
            first++;
        if (first < i)
            problem_add(problems, PROBLEM_RES_TWICE, field, span_of(NULL, 0),
                        "resource %u is written twice by this command",
                        (unsigned)footprint->items[i].res_id);
    }
}

/* Whether the text is JSON; adds a problem where it is not, or holds a NUL. */
static bool check_json(struct span text, struct problems *problems)
{
    struct span field = SPAN_LITERAL("data");
    struct jsonlex lex;

    if (jsonlex_check(&lex, text) == STATUS_OK) {
        if (lex.nul_escape)
            problem_add(problems, PROBLEM_NUL, field, text,
                        "a string holds the NUL character (\\u0000)");
        return true;
    }
    if (!text_is_utf8(text))
        problem_add(problems, PROBLEM_UTF8, field, text, "is not UTF-8");
    else if (lex.long_number)
        problem_add(problems, PROBLEM_NUMBER, field, text,
                    "holds a number of more than %d characters, at byte %zu", JSONLEX_NUMBER_MAX,
                    lex.error_at + 1);
    else
        problem_add(problems, PROBLEM_JSON, field, text, "is no JSON: %s at byte %zu", lex.error,
                    lex.error_at + 1);
    return false;
}

enum status data_check(const struct cell *cell, struct footprint *footprint,
                       struct problems *problems)
{
    struct span text = cell->text;

    if (data_is_plain(text, footprint))
        return STATUS_OK;
    struct data_walk walk = {.problems = problems, .footprint = footprint};
    content_check_size("data", text, problems);
    if (!check_json(text, problems))
        return STATUS_OK;
    buf_init(&walk.decoded, text.len);
    if (memchr(text.ptr, '\\', text.len) != NULL && !buf_reserve(&walk.decoded, text.len))
        return walk.decoded.status;
    jsonlex_start(&walk.lex, text);
    if (jsonlex_next(&walk.lex) == JSONLEX_ARRAY)
        check_items(&walk);
    else
        problem_add(problems, PROBLEM_DATA, SPAN_LITERAL("data"), text,
                    "must be an array of items, is %s", type_name(walk.lex.token));
    buf_deinit(&walk.decoded);
    return STATUS_OK;
}

/* Whether the cell goes to the wire as it is: a JSON number, true or false. CSV cells are
 * untyped: their text tells. */
static bool is_bare(const struct cell *cell, enum res_kind kind)
{
    if (kind != RES_AUTO && kind != RES_TIME)
        return false;
    if (cell->kind == CELL_TEXT)
        return jsonlex_is_number(cell->text) || (kind == RES_AUTO && jsonlex_is_bool(cell->text));
    return cell->kind == CELL_NUMBER || (cell->kind == CELL_BOOL && kind == RES_AUTO);
}

bool data_check_damage(struct span field, struct span text, struct problems *problems)
{
    enum damage damage = look_damage(text);
    char shown[64];

    if (damage == DAMAGE_NONE)
        return false;
    look_show(text, shown, sizeof(shown));
    problem_add(problems, PROBLEM_SPREADSHEET, field, text, "%s is %s, not a value", shown,
                damage == DAMAGE_ERROR ? "an error of the spreadsheet" : "a formula");
    return true;
}

/* A cell that is sent as a text since it looks like nothing else. */
static void check_auto_text(const struct column *column, const struct cell *cell,
                            struct place *place, struct problems *problems)
{
    if (data_check_damage(span_string(column->name), cell->text, problems))
        return;
    check_text(place, cell_as_given(cell), problems);
}

static void check_opaque(struct place *place, const struct cell *cell, struct problems *problems)
{
    bool is_text = cell->kind == CELL_TEXT || cell->kind == CELL_STRING;

    if (is_text)
        check_hex(place, cell->text, problems);
    else
        problem_add(problems, PROBLEM_TYPE, place_text(place), cell->text,
                    "an opaque value is a string of hex digits, not the %s %.*s",
                    cell->kind == CELL_BOOL ? "boolean" : "number", SPAN_ARG(cell->text));
}

static void check_res(const struct column *column, const struct cell *cell, bool bare,
                      struct problems *problems)
{
    struct place place = {.column = column->name};

    if (cell->kind == CELL_JSON)
        problem_add(problems, PROBLEM_TYPE, place_text(&place), cell->text,
                    "must be a boolean, a string or a number");
    else if (column->kind == RES_OPAQUE)
        check_opaque(&place, cell, problems);
    else if (column->kind == RES_TIME && bare)
        check_time(&place, cell->text, problems);
    else if (column->kind == RES_TIME)
        problem_add(problems, PROBLEM_TYPE, place_text(&place), cell->text,
                    "a time is a whole number of seconds since 1970, not %s%.*s",
                    cell->kind == CELL_STRING ? "the string " : "", SPAN_ARG(cell->text));
    else if (bare && is_digit(cell->text.ptr[cell->text.len - 1]))
        check_number(&place, cell->text, problems);
    else if (column->kind == RES_AUTO && !bare)
        check_auto_text(column, cell, &place, problems);
    else
        check_text(&place, cell_as_given(cell), problems);
}

/* Opaque values are no texts: blanks around the digits are not sent. */
static struct span value_of(const struct column *column, const struct cell *cell)
{
    return column->kind == RES_OPAQUE ? cell->text : cell_as_given(cell);
}

static void add_item(const struct column *column, struct span value, bool bare, struct buf *out)
{
    buf_add_string(out, "{\"res_id\":");
    buf_add_uint64(out, column->res_id);
    if (column->kind == RES_OPAQUE)
        buf_add_string(out, ",\"type\":1");
    else if (column->kind == RES_TIME)
        buf_add_string(out, ",\"type\":2");
    buf_add_string(out, ",\"val\":");
    if (bare)
        buf_add(out, value);
    else
        buf_add_json_string(out, value);
    buf_add_char(out, '}');
}

void data_add_res(const struct column *column, const struct cell *cell, struct footprint *footprint,
                  struct problems *problems, struct buf *out)
{
    bool bare = is_bare(cell, column->kind);
    struct span value = bare ? cell->text : value_of(column, cell);

    check_res(column, cell, bare, problems);
    footprint_add(footprint, column->res_id,
                  column->kind == RES_OPAQUE ? ITEM_OPAQUE
                  : column->kind == RES_TIME ? ITEM_TIME
                                             : ITEM_BASIC,
                  !bare, value);
    add_item(column, value, bare, out);
}

void data_add_res_key(const struct column *column, const struct cell *cell, struct buf *out)
{
    add_item(column, cell->text, is_bare(cell, column->kind), out);
}

void content_check_size(const char *field, struct span content, struct problems *problems)
{
    if (content.len > COMMAND_CONTENT_MAX)
        problem_add(problems, PROBLEM_DATA_SIZE, span_string(field), span_of(NULL, 0),
                    "has %zu bytes; the platform takes %d", content.len, COMMAND_CONTENT_MAX);
}
