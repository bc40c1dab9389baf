#include "platform/template.h"

#include "core/jsonlex.h"
#include "platform/schema.h"

struct parse {
    struct template *template;
    struct span rest;
    struct buf *message;
    bool in_string;
    bool escaped; /* the character before was a backslash within a string */
};

/* Follows a literal through JSON's strings. */
static void follow_json(struct parse *parse, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (parse->escaped)
            parse->escaped = false;
        else if (c == '"')
            parse->in_string = !parse->in_string;
        else
            parse->escaped = parse->in_string && c == '\\';
    }
}

static enum status add_part(struct parse *parse, struct template_part part)
{
    struct template *template = parse->template;

    if (template->part_count == TEMPLATE_PARTS_MAX) {
        buf_add_format(parse->message, "it has more than %d parts", TEMPLATE_PARTS_MAX);
        return STATUS_USAGE;
    }
    template->parts[template->part_count++] = part;
    return STATUS_OK;
}

static enum status add_literal(struct parse *parse, size_t len)
{
    struct span text = span_of(parse->rest.ptr, len);

    parse->rest = span_skip(parse->rest, len);
    if (len == 0)
        return STATUS_OK;
    follow_json(parse, text);
    return add_part(parse, (struct template_part){.text = text, .name = TEMPLATE_NAMES_MAX});
}

static enum status find_name(struct parse *parse, struct span name, size_t *ret_index)
{
    struct template *template = parse->template;
    size_t i = 0;

    while (i < template->name_count && !span_equal(template->names[i], name))
        i++;
    if (i == TEMPLATE_NAMES_MAX) {
        buf_add_format(parse->message, "it refers to more than %d columns", TEMPLATE_NAMES_MAX);
        return STATUS_USAGE;
    }
    if (i == template->name_count)
        template->names[template->name_count++] = name;
    *ret_index = i;
    return STATUS_OK;
}

/* A reference; the rest starts with "${". */
static enum status add_reference(struct parse *parse)
{
    struct span inside = span_skip(parse->rest, 2);
    const char *end = inside.len > 0 ? memchr(inside.ptr, '}', inside.len) : NULL;
    size_t index = 0;

    if (end == NULL || end == inside.ptr) {
        buf_add_string(parse->message,
                       end == NULL ? "a ${ is never closed with }" : "${} names no column");
        buf_add_string(parse->message, " (for the two characters themselves write $${)");
        return STATUS_USAGE;
    }
    struct span name = span_of(inside.ptr, (size_t)(end - inside.ptr));
    enum status status = find_name(parse, name, &index);
    if (status != STATUS_OK)
        return status;
    parse->rest = span_skip(inside, name.len + 1);
    parse->escaped = false;
    return add_part(parse, (struct template_part){.name = index,
                                                  .in_string = parse->in_string,
                                                  .is_text = schema_is_text(name)});
}

/* How far it is to the next "${" or "$${". */
static size_t literal_len(struct span text)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        struct span at = span_skip(text, i);
        if (span_starts_with(at, "${") || span_starts_with(at, "$${"))
            return i;
    }
    return text.len;
}

enum status template_parse(struct template *template, struct span text, bool is_json,
                           struct buf *message)
{
    struct parse parse = {.template = template, .rest = text, .message = message};
    enum status status = STATUS_OK;

    *template = (struct template){.is_json = is_json};
    while (status == STATUS_OK && parse.rest.len > 0) {
        status = add_literal(&parse, literal_len(parse.rest));
        if (status != STATUS_OK || parse.rest.len == 0)
            break;
        if (parse.rest.ptr[1] == '{') {
            status = add_reference(&parse);
        } else { /* $${: the second $ is left out */
            status = add_literal(&parse, 1);
            parse.rest = span_skip(parse.rest, 1);
            if (status == STATUS_OK)
                status = add_literal(&parse, 1);
        }
    }
    return status;
}

bool template_is_reference(const struct template *template)
{
    return template->part_count == 1 && template->parts[0].name < TEMPLATE_NAMES_MAX;
}

static bool is_bare_json(const struct cell *cell)
{
    if (cell->kind == CELL_TEXT)
        return jsonlex_is_number(cell->text) || jsonlex_is_bool(cell->text);
    return cell->kind == CELL_NUMBER || cell->kind == CELL_BOOL || cell->kind == CELL_JSON;
}

static void add_value(const struct template *template, const struct template_part *part,
                      const struct cell *cell, bool as_given, struct buf *out)
{
    struct span text = as_given ? cell_as_given(cell) : cell->text;

    if (!template->is_json)
        buf_add(out, text);
    else if (part->in_string)
        buf_add_json_text(out, text);
    else if (is_bare_json(cell) && !part->is_text)
        buf_add(out, cell->text);
    else
        buf_add_json_string(out, text);
}

enum status template_expand(const struct template *template, const struct cell *cells,
                            bool as_given, struct buf *out, size_t *ret_missing)
{
    for (size_t i = 0; i < template->part_count; i++) {
        const struct template_part *part = &template->parts[i];
        if (part->name == TEMPLATE_NAMES_MAX) {
            buf_add(out, part->text);
            continue;
        }
        if (!cell_is_given(&cells[part->name])) {
            *ret_missing = part->name;
            return STATUS_SYNTAX;
        }
        add_value(template, part, &cells[part->name], as_given, out);
    }
    return STATUS_OK;
}
