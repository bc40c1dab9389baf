#include "platform/data.h"

#include <math.h>
#include <xxhash.h>

#include "core/jsonlex.h"
#include "core/text.h"
#include "platform/data_plain.h"
#include "platform/json.h"
#include "platform/look.h"

/* More numbers than 2048 bytes of data can hold; in a longer array the rest is not checked digit by
 * digit. */
enum { DATA_NUMBERS_MAX = COMMAND_CONTENT_MAX / 2 };

enum { NAME_SHOWN_MAX = 40 }; /* bytes of a member's name in the name of a field */

static const int64_t TIME_SECONDS_MAX = 253402300799; /* the end of the year 9999 */

/* What a check looks at; it is put into words only for a problem. */
struct place {
    const char *column; /* of a res: cell; NULL within data */
    size_t item;
    const char *member; /* NULL: the item itself */
    char text[64];
};

static struct span place_text(struct place *place)
{
    if (place->column != NULL)
        return span_string(place->column);
    if (place->member == NULL)
        (void)snprintf(place->text, sizeof(place->text), "data[%zu]", place->item);
    else
        (void)snprintf(place->text, sizeof(place->text), "data[%zu].%.*s", place->item,
                       (int)text_cut(span_string(place->member), NAME_SHOWN_MAX), place->member);
    return span_string(place->text);
}

struct data_walk {
    struct problems *problems;
    const struct jsonlex *lex;
    struct footprint *footprint;
    size_t next_number; /* index into lex->numbers: numbers are met in document order */
    struct place place;
};

static void go_to(struct data_walk *walk, size_t item, const char *member)
{
    walk->place.item = item;
    walk->place.member = member;
}

/* The next number token as it was written; empty where there were too many to keep. */
static struct span take_number(struct data_walk *walk)
{
    size_t i = walk->next_number++;
    return i < walk->lex->numbers_max ? walk->lex->numbers[i] : span_of(NULL, 0);
}

static void skip_numbers(struct data_walk *walk, const cJSON *value)
{
    if (cJSON_IsNumber(value))
        (void)take_number(walk);
    for (const cJSON *child = value->child; child != NULL; child = child->next)
        skip_numbers(walk, child);
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

    if (number.len == 0)
        return;
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

static const char *type_name(const cJSON *value)
{
    if (cJSON_IsNull(value))
        return "null";
    if (cJSON_IsBool(value))
        return "a boolean";
    if (cJSON_IsNumber(value))
        return "a number";
    if (cJSON_IsString(value))
        return "a string";
    return cJSON_IsArray(value) ? "an array" : "an object";
}

static struct span string_of(const cJSON *value)
{
    return cJSON_IsString(value) ? span_string(value->valuestring) : span_of(NULL, 0);
}

enum item_type { ITEM_BASIC = 0, ITEM_OPAQUE = 1, ITEM_TIME = 2, ITEM_UNKNOWN = -1 };

/* A member of an item: its value, and its text as it was written where that is a number. */
struct member {
    const cJSON *value; /* NULL when it is not there */
    struct span number;
};

struct item_members {
    struct member res_id, type, val;
};

static struct span take_text(struct data_walk *walk, const cJSON *value)
{
    if (cJSON_IsNumber(value))
        return take_number(walk);
    skip_numbers(walk, value);
    return span_of(NULL, 0);
}

/* A member that must be an integer within min … max; false after a problem was added. */
static bool check_int(struct data_walk *walk, const struct member *member, int64_t min, int64_t max,
                      int64_t *ret_value)
{
    struct span number = member->number;
    int64_t value = 0;

    if (!cJSON_IsNumber(member->value)) {
        problem_add(walk->problems, PROBLEM_TYPE, place_text(&walk->place),
                    string_of(member->value), "must be a whole number, is %s",
                    type_name(member->value));
        return false;
    }
    if (number.len == 0) /* not kept: the text is too big, and was reported for that */
        return false;
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

static void check_val(struct data_walk *walk, const struct member *val, enum item_type type)
{
    struct place *place = &walk->place;
    struct problems *problems = walk->problems;
    const cJSON *value = val->value;

    if (cJSON_IsNull(value) || cJSON_IsArray(value) || cJSON_IsObject(value)) {
        problem_add(problems, PROBLEM_TYPE, place_text(place), span_of(NULL, 0),
                    "must be a boolean, a string or a number, is %s", type_name(value));
        return;
    }
    if (cJSON_IsString(value))
        check_text(place, string_of(value), problems);
    if (type == ITEM_OPAQUE && cJSON_IsString(value))
        check_hex(place, string_of(value), problems);
    else if (type == ITEM_OPAQUE)
        problem_add(problems, PROBLEM_TYPE, place_text(place), val->number,
                    "an opaque value (type 1) is a string of hex digits, not %s", type_name(value));
    else if (type == ITEM_TIME && !cJSON_IsNumber(value))
        problem_add(problems, PROBLEM_TYPE, place_text(place), string_of(value),
                    "a time (type 2) is a number of seconds since 1970, not %s", type_name(value));
    else if (type == ITEM_TIME && val->number.len > 0)
        check_time(place, val->number, problems);
    else if (type != ITEM_TIME && cJSON_IsNumber(value))
        check_number(place, val->number, problems);
}

static struct member *member_slot(struct item_members *members, const char *name)
{
    if (strcmp(name, "res_id") == 0)
        return &members->res_id;
    if (strcmp(name, "type") == 0)
        return &members->type;
    return strcmp(name, "val") == 0 ? &members->val : NULL;
}

static void report_unknown_member(struct data_walk *walk, const char *name)
{
    static const char *const known[] = {"res_id", "type", "val"};
    const char *nearest = text_nearest(span_string(name), known, ARRAY_LENGTH(known));

    if (nearest != NULL)
        problem_add(walk->problems, PROBLEM_DATA, place_text(&walk->place), span_string(name),
                    "unknown member; did you mean %s?", nearest);
    else
        problem_add(walk->problems, PROBLEM_DATA, place_text(&walk->place), span_string(name),
                    "unknown member; an item has res_id, type and val");
}

/* Sorts the members of an item into `members`; strays and repetitions are problems. */
static void collect_members(struct data_walk *walk, const cJSON *item, size_t index,
                            struct item_members *members)
{
    for (const cJSON *value = item->child; value != NULL; value = value->next) {
        struct member *slot = member_slot(members, value->string);
        struct span number = take_text(walk, value);
        go_to(walk, index, value->string);
        if (slot == NULL)
            report_unknown_member(walk, value->string);
        else if (slot->value != NULL)
            problem_add(walk->problems, PROBLEM_DUPLICATE, place_text(&walk->place), number,
                        "the member stands here twice");
        else
            *slot = (struct member){value, number};
    }
}

/* Sets the walk's field to the member; false, with a problem, when it is not there. */
static bool require_member(struct data_walk *walk, size_t index, const char *name,
                           const struct member *member)
{
    go_to(walk, index, name);
    if (member->value != NULL)
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

static struct span text_of(const struct member *val)
{
    if (cJSON_IsNumber(val->value))
        return val->number;
    if (cJSON_IsBool(val->value))
        return cJSON_IsTrue(val->value) ? SPAN_LITERAL("true") : SPAN_LITERAL("false");
    return string_of(val->value);
}

static void check_item(struct data_walk *walk, const cJSON *item, size_t index)
{
    struct item_members members = {.res_id = {NULL, {NULL, 0}}};
    int64_t res_id = -1, type = ITEM_BASIC;

    if (!cJSON_IsObject(item)) {
        go_to(walk, index, NULL);
        problem_add(walk->problems, PROBLEM_DATA, place_text(&walk->place), string_of(item),
                    "must be an object, is %s", type_name(item));
        skip_numbers(walk, item);
        return;
    }
    collect_members(walk, item, index, &members);
    if (require_member(walk, index, "res_id", &members.res_id))
        (void)check_int(walk, &members.res_id, 0, LWM2M_ID_MAX, &res_id);
    go_to(walk, index, "type");
    if (members.type.value != NULL &&
        !check_int(walk, &members.type, ITEM_OPAQUE, ITEM_TIME, &type))
        type = ITEM_UNKNOWN;
    if (require_member(walk, index, "val", &members.val))
        check_val(walk, &members.val, (enum item_type)type);
    if (res_id < 0 || members.val.value == NULL)
        return;
    struct span text = text_of(&members.val);
    size_t added = walk->footprint->count;
    footprint_add(walk->footprint, res_id, type, cJSON_IsString(members.val.value), text);
    if (cJSON_IsString(members.val.value) && added < walk->footprint->count)
        walk->footprint->items[added].invisible = look_has_invisible(text);
}

static void check_items(struct data_walk *walk, const cJSON *array)
{
    size_t index = 0;

    for (const cJSON *item = array->child; item != NULL; item = item->next, index++)
        check_item(walk, item, index);
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

/* What has to hold before cJSON may see the text; false after a problem was added. */
static bool check_tokens(struct span text, struct jsonlex *lex, struct problems *problems)
{
    struct span field = SPAN_LITERAL("data");

    if (!text_is_utf8(text)) {
        problem_add(problems, PROBLEM_UTF8, field, text, "is not UTF-8");
        return false;
    }
    if (jsonlex_scan(lex, text) != STATUS_OK && lex->long_number) {
        problem_add(problems, PROBLEM_NUMBER, field, text,
                    "holds a number of more than %d characters, at byte %zu", JSONLEX_NUMBER_MAX,
                    lex->error_at + 1);
        return false;
    }
    if (lex->error != NULL) {
        problem_add(problems, PROBLEM_JSON, field, text, "is no JSON: %s at byte %zu", lex->error,
                    lex->error_at + 1);
        return false;
    }
    if (lex->nul_escape)
        problem_add(problems, PROBLEM_NUL, field, text,
                    "a string holds the NUL character (\\u0000)");
    return true;
}

/* The array's tree: the reader's, or one of our own. STATUS_SYNTAX after a problem was added. */
static enum status parse_array(const struct cell *cell, const struct jsonlex *lex,
                               struct problems *problems, cJSON **ret_own_tree,
                               const cJSON **ret_tree)
{
    struct span field = SPAN_LITERAL("data");
    struct span text = cell->text;
    size_t at = 0;

    if (cell->tree != NULL) {
        *ret_tree = cell->tree;
        return STATUS_OK;
    }
    size_t kept = lex->number_count < lex->numbers_max ? lex->number_count : lex->numbers_max;
    enum status status = json_parse_shape(text, lex->numbers, kept, ret_own_tree, &at);
    if (status == STATUS_SYNTAX)
        problem_add(problems, PROBLEM_JSON, field, text, "is no JSON: see byte %zu", at + 1);
    if (status != STATUS_OK)
        return status;
    *ret_tree = *ret_own_tree;
    struct span rest = span_skip(text, at);
    if (rest.len == 0)
        return STATUS_OK;
    problem_add(problems, PROBLEM_JSON, field, text, "there is text behind the array: %.*s",
                SPAN_ARG(rest));
    return STATUS_SYNTAX;
}

static enum status check_any(const struct cell *cell, struct footprint *footprint,
                             struct problems *problems)
{
    struct span numbers[DATA_NUMBERS_MAX];
    struct jsonlex lex = {.numbers = numbers, .numbers_max = DATA_NUMBERS_MAX};
    cJSON *own_tree = NULL;
    const cJSON *tree = NULL;

    footprint->count = 0;
    content_check_size("data", cell->text, problems);
    if (!check_tokens(cell->text, &lex, problems))
        return STATUS_OK;
    enum status status = parse_array(cell, &lex, problems, &own_tree, &tree);
    if (status == STATUS_OK && !cJSON_IsArray(tree))
        problem_add(problems, PROBLEM_DATA, SPAN_LITERAL("data"), cell->text,
                    "must be an array of items, is %s", type_name(tree));
    else if (status == STATUS_OK)
        check_items(&(struct data_walk){.problems = problems, .lex = &lex, .footprint = footprint},
                    tree);
    json_free(own_tree);
    return status == STATUS_SYNTAX ? STATUS_OK : status;
}

enum status data_check(const struct cell *cell, struct footprint *footprint,
                       struct problems *problems)
{
    if (data_is_plain(cell->text, footprint))
        return STATUS_OK;
    return check_any(cell, footprint, problems);
}

/* Whether the cell goes to the wire as it stands: a JSON number, true or false. CSV cells are
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
    if (cell->kind == CELL_TEXT && look_is_boolean_word(cell->text))
        problem_add(problems, PROBLEM_BOOLEAN, place_text(place), cell->text,
                    "%.*s is sent as a text, not as a boolean", SPAN_ARG(cell->text));
    else
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
