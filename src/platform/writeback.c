#include "platform/writeback.h"

#include "core/jsonlex.h"
#include "core/text.h"

/* The next member of an object that has been begun: false at its end. */
static bool next_member(struct jsonlex *lex, struct span *ret_name, struct span *ret_value)
{
    if (jsonlex_next(lex) != JSONLEX_NAME)
        return false;
    *ret_name = lex->text;
    (void)jsonlex_next(lex);
    bool is_whole = jsonlex_skip(lex);
    *ret_value = lex->text;
    return is_whole;
}

static bool read_number(struct span text, uint64_t max, uint64_t *ret_number)
{
    return span_to_uint64(text, ret_number) == STATUS_OK && *ret_number <= max;
}

static void take_item(struct jsonlex *lex, writeback_item_fn *each, void *context)
{
    uint64_t res_id = UINT64_MAX, type = WRITEBACK_BASIC, number;
    struct span name, value;

    while (next_member(lex, &name, &value)) {
        if (span_is(name, "\"res_id\"") && read_number(value, UINT16_MAX, &number))
            res_id = number;
        else if (span_is(name, "\"type\"") && read_number(value, UINT8_MAX, &number))
            type = number;
    }
    if (res_id <= UINT16_MAX)
        each(context, (uint16_t)res_id, (uint8_t)type);
}

void writeback_each_item(struct span body, writeback_item_fn *each, void *context)
{
    struct jsonlex lex;

    jsonlex_start(&lex, body);
    if (jsonlex_next(&lex) != JSONLEX_OBJECT)
        return;
    while (jsonlex_next(&lex) == JSONLEX_NAME)
        if (jsonlex_next(&lex) == JSONLEX_ARRAY)
            while (jsonlex_next(&lex) == JSONLEX_OBJECT)
                take_item(&lex, each, context);
}

bool writeback_read_value(struct span line, struct writeback_value *ret_value)
{
    uint64_t row = 0, res_id = UINT64_MAX, number;
    struct writeback_value read = {.has_instances = false};
    struct span name, value;
    struct jsonlex lex;

    jsonlex_start(&lex, line);
    if (jsonlex_next(&lex) != JSONLEX_OBJECT)
        return false;
    while (next_member(&lex, &name, &value)) {
        if (span_is(name, "\"row\"") && read_number(value, UINT64_MAX, &number))
            row = number;
        else if (span_is(name, "\"res_id\"") && read_number(value, UINT16_MAX, &number))
            res_id = number;
        else if (span_is(name, "\"res_inst_id\""))
            read.has_instances = !span_is(value, "null");
        else if (span_is(name, "\"value\""))
            read.json = value;
    }
    if (jsonlex_next(&lex) != JSONLEX_END || row == 0 || res_id > UINT16_MAX || read.json.len == 0)
        return false;
    read.row = row;
    read.res_id = (uint16_t)res_id;
    *ret_value = read;
    return true;
}

bool writeback_may_be_typed(struct span json)
{
    uint64_t seconds;

    if (json.len == 0 || json.ptr[0] != '"')
        return span_to_uint64(json, &seconds) == STATUS_OK;
    for (size_t i = 1; i + 1 < json.len; i++)
        if (!is_hex_digit(json.ptr[i]))
            return false;
    return json.len > 2 && json.len % 2 == 0;
}

void writeback_add_item(uint16_t res_id, uint8_t type, struct span json, struct buf *out)
{
    uint64_t seconds;
    struct span inner = json.len > 2 ? span_of(json.ptr + 1, json.len - 2) : json;

    /* A time must be a number, also where it came as a text. */
    if (type == WRITEBACK_TIME && span_to_uint64(inner, &seconds) == STATUS_OK &&
        json.ptr[0] == '"')
        json = inner;
    buf_add_format(out, "{\"res_id\":%u,", (unsigned)res_id);
    if (type != WRITEBACK_BASIC)
        buf_add_format(out, "\"type\":%u,", (unsigned)type);
    buf_add_string(out, "\"val\":");
    buf_add(out, json);
    buf_add_char(out, '}');
}
