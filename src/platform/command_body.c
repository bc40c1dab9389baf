#include "platform/command_impl.h"
#include "platform/data.h"

/* The data cell as it is; what a template made of it has the blanks of the cells in it. */
static void add_data_cell(struct draft *draft, struct buf *out)
{
    struct cell cell = *draft->parts[PART_DATA];

    if (cell.given.ptr != NULL && draft->columns[PART_DATA]->is_fallback) {
        cell.text = cell.given;
        draft->has_blanks = true;
    }
    draft->status = data_check(&cell, draft->footprint, draft->problems);
    buf_add(out, cell.text);
}

/* Appends the data array of a write: the data cell as it is, or what the res: columns make. */
static void add_data(struct draft *draft, struct buf *out)
{
    struct problems *problems = draft->problems;

    if (draft->parts[PART_DATA] != NULL && draft->res_count > 0) {
        problem_add(problems, PROBLEM_DATA_TWICE, draft_field(draft, PART_DATA), span_of(NULL, 0),
                    "the row has data and %zu filled res: column%s", draft->res_count,
                    draft->res_count == 1 ? "" : "s");
    } else if (draft->parts[PART_DATA] == NULL && draft->res_count == 0) {
        problem_add(problems, PROBLEM_REQUIRED, draft_field(draft, PART_DATA), span_of(NULL, 0),
                    "is missing: a write needs data, or a filled res: column");
    }
    if (draft->parts[PART_DATA] != NULL) {
        add_data_cell(draft, out);
        return;
    }
    size_t start = out->len;
    buf_add_char(out, '[');
    for (size_t i = 0; i < draft->row->cell_count; i++) {
        const struct column *column = &draft->schema->columns[i];
        const struct cell *cell = &draft->row->cells[i];
        if (column->role != COLUMN_RES || !cell_is_given(cell))
            continue;
        if (out->len > start + 1)
            buf_add_char(out, ',');
        data_add_res(column, cell, draft->footprint, problems, out);
        draft->has_blanks = draft->has_blanks || cell->given.ptr != NULL;
    }
    buf_add_char(out, ']');
    content_check_size("data", span_of(out->ptr + start, out->len - start), problems);
    footprint_check(draft->footprint, draft_field(draft, PART_DATA), problems);
}

static void add_args(struct draft *draft, struct buf *out)
{
    const struct cell *args = draft->parts[PART_ARGS];

    if (args == NULL)
        return;
    struct span text = cell_as_given(args);
    const struct column *column = draft->columns[PART_ARGS];
    draft->has_blanks = draft->has_blanks || args->given.ptr != NULL;
    if (args->kind == CELL_JSON)
        problem_add(draft->problems, PROBLEM_TYPE, draft_field(draft, PART_ARGS), args->text,
                    "must be a string");
    else if (!column->is_text && !column->is_fallback) /* what --set says is meant */
        (void)data_check_damage(draft_field(draft, PART_ARGS), args->text, draft->problems);
    content_check_size("args", text, draft->problems);
    buf_add_string(out, "{\"args\":");
    buf_add_json_string(out, text);
    buf_add_char(out, '}');
}

static void refuse_part(struct draft *draft, enum part part)
{
    if (draft->parts[part] != NULL)
        problem_add(draft->problems, PROBLEM_NOT_ALLOWED, draft_field(draft, part),
                    draft->parts[part]->text, "%s takes no %s",
                    action_rules[draft->command->action].name, schema_part_name(part));
}

void draft_add_body(struct draft *draft, struct buf *out)
{
    enum body_kind kind = action_rules[draft->command->action].body;

    if (kind == BODY_DATA) {
        buf_add_string(out, "{\"data\":");
        add_data(draft, out);
        buf_add_char(out, '}');
    } else {
        refuse_part(draft, PART_DATA);
        if (draft->res_count > 0)
            problem_add(draft->problems, PROBLEM_NOT_ALLOWED, SPAN_LITERAL("res:"),
                        span_of(NULL, 0), "%s takes no res: columns",
                        action_rules[draft->command->action].name);
    }
    if (kind == BODY_ARGS)
        add_args(draft, out);
    else
        refuse_part(draft, PART_ARGS);
}

void draft_add_key_body(const struct draft *draft, struct buf *out)
{
    char separator = '[';

    if (action_rules[draft->command->action].body == BODY_ARGS) {
        buf_add_string(out, "{\"args\":");
        buf_add_json_string(out, draft->parts[PART_ARGS]->text);
        buf_add_char(out, '}');
        return;
    }
    buf_add_string(out, "{\"data\":");
    if (draft->parts[PART_DATA] != NULL) {
        buf_add(out, draft->parts[PART_DATA]->text);
    } else {
        for (size_t i = 0; i < draft->row->cell_count; i++) {
            const struct column *column = &draft->schema->columns[i];
            if (column->role != COLUMN_RES || !cell_is_given(&draft->row->cells[i]))
                continue;
            buf_add_char(out, separator);
            data_add_res_key(column, &draft->row->cells[i], out);
            separator = ',';
        }
        buf_add_char(out, ']');
    }
    buf_add_char(out, '}');
}
