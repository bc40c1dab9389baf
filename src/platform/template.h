/*
 * Text with references to columns: "level ${level}", [{"res_id":5851,"val":${level}}].
 *
 *     template_parse(&template, text, is_json, &message);
 *     for each of template.names: find its cell in the row
 *     template_expand(&template, cells, &out, &missing);
 *
 * $${ stands for the two characters ${. Nothing is allocated.
 */
#ifndef NB_PLATFORM_TEMPLATE_H
#define NB_PLATFORM_TEMPLATE_H

#include "core/buf.h"
#include "core/row.h"

enum { TEMPLATE_PARTS_MAX = 128, TEMPLATE_NAMES_MAX = 32 };

struct template_part {
    struct span text; /* of a literal */
    size_t name;      /* of a reference: index into names; TEMPLATE_NAMES_MAX for a literal */
    bool in_string;   /* a reference within a JSON string */
    bool is_text;     /* a reference to a column that says :string */
};

struct template
{
    struct span names[TEMPLATE_NAMES_MAX]; /* the columns that are referred to, each once */
    size_t name_count;
    struct template_part parts[TEMPLATE_PARTS_MAX];
    size_t part_count;
    bool is_json;
};

/*
 * Takes a text apart; the template points into it. STATUS_USAGE with a text in `message`: a
 * reference that is not closed or has no name, too many of them.
 */
enum status template_parse(struct template *template, struct span text, bool is_json,
                           struct buf *message) MUST_USE;

/* Whether the text is one reference and nothing else: its cell stands for the value, kind and all.
 */
bool template_is_reference(const struct template *template);

/*
 * Appends the text with the cells' values in place of the references; cells[i] belongs to
 * template->names[i]. Texts keep the blanks around them only if `as_given`. In JSON a reference
 * within a string is escaped; outside of one, a number, true or false stays what it is (untyped CSV
 * text is one where it looks like one), an array or object goes in as it was written, and anything
 * else, and all of a column that says :string, becomes a string with quotes. STATUS_OK, or
 * STATUS_SYNTAX with the index of a name in `ret_missing` when the row has no value for it (absent
 * or null).
 */
enum status template_expand(const struct template *template, const struct cell *cells,
                            bool as_given, struct buf *out, size_t *ret_missing) MUST_USE;

#endif
