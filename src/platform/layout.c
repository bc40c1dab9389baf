#include "platform/layout.h"

#include "core/text.h"
#include "platform/data.h"
#include "platform/heading.h"
#include "platform/look.h"
#include "platform/template.h"

enum { SET_VALUE_MAX = 64 * 1024 * 1024 };

struct layout_set {
    struct span name;
    char *shown; /* what messages call it: "--set NAME" */
    struct template template;
    size_t columns[TEMPLATE_NAMES_MAX]; /* the input's column for each of its names, or SIZE_MAX */
    size_t same;                        /* the input's own column of this name, or SIZE_MAX */
    bool makes_values;                  /* of res:, data or args, and not of texts that are meant */
    struct buf value;                   /* for the row at hand */
    struct buf given;                   /* the same, with the blanks around its cells */
};

void layout_init(struct layout *layout)
{
    *layout = (struct layout){.set_count = 0};
    schema_init(&layout->schema);
}

static void free_set(struct layout_set *set)
{
    if (set == NULL)
        return;
    free(set->shown);
    buf_deinit(&set->value);
    buf_deinit(&set->given);
    free(set);
}

void layout_deinit(struct layout *layout)
{
    if (layout == NULL)
        return;
    for (size_t i = 0; i < layout->set_count; i++)
        free_set(layout->sets[i]);
    schema_deinit(&layout->schema);
    free(layout->cells);
    layout_init(layout);
}

/* "--set retry=11: …" in front of what is wrong. */
static enum status refuse(const char *option, struct span text, struct buf *message,
                          const char *what)
{
    buf_add_format(message, "--%s ", option);
    buf_add_printable(message, text);
    buf_add_format(message, ": %s", what);
    return STATUS_USAGE;
}

static enum status refuse_name(const char *option, const char *text, struct span name,
                               struct buf *message)
{
    const char *nearest = schema_nearest(name);
    struct span rest = span_string(text + name.len + 1);

    (void)refuse(option, span_string(text), message, "");
    buf_add_printable(message, name);
    buf_add_string(message, " is no column that the platform knows");
    if (strcmp(option, "map") == 0 && schema_knows(rest)) {
        buf_add_string(message, "; the platform's name comes first: --map ");
        buf_add_printable(message, rest);
        buf_add_char(message, '=');
        buf_add_printable(message, name);
    } else if (nearest != NULL)
        buf_add_format(message, "; did you mean %s?", nearest);
    return STATUS_USAGE;
}

/* Splits NAME=REST, where NAME is one of the platform's columns. */
static enum status split(const char *option, const char *wanted, const char *text,
                         struct buf *message, struct span *ret_name, struct span *ret_rest)
{
    const char *equals = strchr(text, '=');

    if (equals == NULL || equals == text || equals[1] == '\0')
        return refuse(option, span_string(text), message, wanted);
    struct span name = span_of(text, (size_t)(equals - text));
    if (!schema_knows(name))
        return refuse_name(option, text, name, message);
    *ret_name = name;
    *ret_rest = span_string(equals + 1);
    return STATUS_OK;
}

/* Whether what the set makes is content that a spreadsheet may have damaged. */
static bool makes_values(struct span name)
{
    return !schema_is_text(name) &&
           (span_starts_with(name, "res:") || span_is(name, "data") || span_is(name, "args"));
}

/* Adds the column that a set makes to the schema. Data and args that are another column's are the
 * row's own. */
static enum status add_set_column(struct layout *layout, const struct layout_set *set)
{
    enum status status = schema_add_fallback(&layout->schema, span_string(set->shown), set->name);

    if (status == STATUS_OK && template_is_reference(&set->template)) {
        struct column *column = &layout->schema.columns[layout->schema.count - 1];
        column->judged = column->judged || column->judged_as_text || span_is(set->name, "data");
    }
    return status;
}

static enum status new_set(struct span given, struct layout_set **ret_set)
{
    static const char option[] = "--set ";
    struct layout_set *set = calloc(1, sizeof(*set));
    char folded[HEADING_MAX];
    struct buf shown;

    if (set == NULL)
        return STATUS_NO_MEMORY;
    struct span name = heading_fold(given, folded);
    buf_init(&shown, SET_VALUE_MAX);
    buf_add_string(&shown, option);
    buf_add(&shown, name);
    buf_add_char(&shown, '\0');
    if (shown.status != STATUS_OK) {
        free(set);
        return shown.status;
    }
    set->shown = shown.ptr;
    set->name = name = span_of(shown.ptr + strlen(option), name.len);
    set->same = SIZE_MAX;
    set->makes_values = makes_values(name);
    for (size_t i = 0; i < TEMPLATE_NAMES_MAX; i++)
        set->columns[i] = SIZE_MAX;
    buf_init(&set->value, SET_VALUE_MAX);
    buf_init(&set->given, SET_VALUE_MAX);
    *ret_set = set;
    return STATUS_OK;
}

enum status layout_add_set(struct layout *layout, const char *text, struct buf *message)
{
    struct span name = {NULL, 0}, value = {NULL, 0};
    struct layout_set *set = NULL;
    enum status status = split("set", "write it as NAME=VALUE", text, message, &name, &value);

    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < layout->set_count; i++)
        if (heading_equal(layout->sets[i]->name, name))
            return refuse("set", span_string(text), message, "this column is set already");
    if (layout->set_count == LAYOUT_SETS_MAX)
        return refuse("set", span_string(text), message, "too many columns are set");
    status = new_set(name, &set);
    if (status != STATUS_OK)
        return status;
    struct buf why;
    buf_init_text(&why, 1024);
    status = template_parse(&set->template, value, span_is(set->name, "data"), &why);
    if (status == STATUS_USAGE)
        (void)refuse("set", span_string(text), message, buf_string(&why));
    buf_deinit(&why);
    if (status == STATUS_OK)
        status = add_set_column(layout, set);
    if (status != STATUS_OK) {
        free_set(set);
        return status;
    }
    layout->sets[layout->set_count++] = set;
    return STATUS_OK;
}

enum status layout_add_map(struct layout *layout, const char *text, struct buf *message)
{
    struct layout_column map = {.index = SIZE_MAX};
    enum status status =
        split("map", "write it as NAME=COLUMN", text, message, &map.name, &map.input);

    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < layout->map_count; i++) {
        if (heading_equal(layout->maps[i].name, map.name))
            return refuse("map", span_string(text), message, "this name is mapped already");
        if (span_equal(layout->maps[i].input, map.input))
            return refuse("map", span_string(text), message, "this column is mapped already");
    }
    if (layout->map_count == LAYOUT_MAPS_MAX)
        return refuse("map", span_string(text), message, "too many columns are mapped");
    layout->maps[layout->map_count++] = map;
    return STATUS_OK;
}

static bool is_passed(const struct layout *layout, struct span name)
{
    for (size_t i = 0; i < layout->pass_count; i++)
        if (span_equal(layout->passes[i].input, name))
            return true;
    return false;
}

enum status layout_add_pass(struct layout *layout, const char *text, struct buf *message)
{
    const char *rest = text;

    for (;;) {
        struct span name = span_of(rest, strcspn(rest, ","));
        if (name.len == 0)
            return refuse("pass", span_string(text), message, "write it as NAME or NAME,NAME");
        if (!is_passed(layout, name)) {
            if (layout->pass_count == LAYOUT_PASSES_MAX)
                return refuse("pass", span_string(text), message, "too many columns are passed");
            layout->passes[layout->pass_count++] = (struct layout_column){name, name, SIZE_MAX};
        }
        rest += name.len;
        if (*rest == '\0')
            return STATUS_OK;
        rest++;
    }
}

static enum status add_word(struct layout *layout, const char *option, struct span text, bool value,
                            struct buf *message)
{
    if (text.len == 0)
        return refuse(option, text, message, "write it as WORD or WORD,WORD");
    for (size_t i = 0; i < layout->word_count; i++) {
        if (!span_equal(layout->words[i].text, text))
            continue;
        return layout->words[i].value == value
                   ? STATUS_OK
                   : refuse(option, text, message, "--true and --false both name it");
    }
    if (layout->word_count == LAYOUT_WORDS_MAX)
        return refuse(option, text, message, "too many words");
    layout->words[layout->word_count++] = (struct layout_word){text, value};
    return STATUS_OK;
}

static enum status add_words(struct layout *layout, const char *option, const char *text,
                             bool value, struct buf *message)
{
    for (const char *rest = text;; rest++) {
        struct span word = span_of(rest, strcspn(rest, ","));
        enum status status = add_word(layout, option, word, value, message);
        rest += word.len;
        if (status != STATUS_OK || *rest == '\0')
            return status;
    }
}

enum status layout_add_true(struct layout *layout, const char *text, struct buf *message)
{
    return add_words(layout, "true", text, true, message);
}

enum status layout_add_false(struct layout *layout, const char *text, struct buf *message)
{
    return add_words(layout, "false", text, false, message);
}

/* Says how a column is judged that the set takes a value from: as what it looks like, or as a text
 * within a longer one. A column that is all of the value is judged as what the set makes. */
static void judge_reference(const struct layout_set *set, size_t name, struct column *column)
{
    const struct template *template = &set->template;

    for (size_t i = 0; i < template->part_count && !template_is_reference(template); i++) {
        const struct template_part *part = &template->parts[i];
        if (part->name != name || part->is_text)
            continue;
        bool is_value = template->is_json && !part->in_string;
        bool is_new = !column->judged;
        column->judged = true;
        if (is_value || is_new)
            column->judged_as_text = !is_value;
    }
}

/* Tells the sets that refer to the column where it is. */
static void tell_sets(struct layout *layout, struct span name, struct span meaning, size_t index)
{
    struct column *column = &layout->schema.columns[layout->schema.count - 1];

    for (size_t i = 0; i < layout->set_count; i++) {
        struct layout_set *set = layout->sets[i];
        if (heading_equal(set->name, meaning))
            set->same = index;
        for (size_t j = 0; j < set->template.name_count; j++) {
            if (!span_equal(set->template.names[j], name))
                continue;
            set->columns[j] = index;
            if (set->makes_values && column->role != COLUMN_PART)
                judge_reference(set, j, column);
        }
    }
}

/* Whether a set's value refers to the column. */
static bool is_referred_to(const struct layout *layout, struct span name)
{
    for (size_t i = 0; i < layout->set_count; i++)
        for (size_t j = 0; j < layout->sets[i]->template.name_count; j++)
            if (span_equal(layout->sets[i]->template.names[j], name))
                return true;
    return false;
}

enum status layout_add_column(struct layout *layout, struct span name)
{
    struct span meaning = name;
    size_t index = layout->input_count;
    bool is_mapped = false;

    for (size_t i = 0; i < layout->map_count; i++) {
        if (span_equal(layout->maps[i].input, name)) {
            layout->maps[i].index = index;
            meaning = layout->maps[i].name;
            is_mapped = true;
        }
    }
    enum status status = schema_add_as(&layout->schema, name, meaning);
    if (status != STATUS_OK)
        return status;
    struct column *column = &layout->schema.columns[layout->schema.count - 1];
    bool is_used = is_passed(layout, name) || is_referred_to(layout, name);
    /* A column that an option names is what that says: its name's spelling is not forgiven, too. */
    if (is_used && column->is_loose && !is_mapped) {
        meaning = span_of(NULL, 0);
        schema_mean(column, meaning);
    }
    tell_sets(layout, name, meaning, index);
    for (size_t i = 0; i < layout->pass_count; i++)
        if (span_equal(layout->passes[i].input, name))
            layout->passes[i].index = index;
    if (is_used && column->role == COLUMN_UNKNOWN)
        column->role = COLUMN_CARRIED;
    layout->input_count++;
    return STATUS_OK;
}

enum status layout_restart(struct layout *layout)
{
    schema_deinit(&layout->schema);
    schema_init(&layout->schema);
    layout->input_count = 0;
    for (size_t i = 0; i < layout->map_count; i++)
        layout->maps[i].index = SIZE_MAX;
    for (size_t i = 0; i < layout->pass_count; i++)
        layout->passes[i].index = SIZE_MAX;
    for (size_t i = 0; i < layout->set_count; i++) {
        struct layout_set *set = layout->sets[i];
        set->same = SIZE_MAX;
        for (size_t j = 0; j < TEMPLATE_NAMES_MAX; j++)
            set->columns[j] = SIZE_MAX;
        enum status status = add_set_column(layout, set);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* The column is named by an option, but not by the header. */
static void report_missing(const struct layout *layout, const char *option, struct span name,
                           struct problems *problems)
{
    const char *known[256];
    size_t count = 0;

    for (size_t i = layout->set_count; i < layout->schema.count && count < ARRAY_LENGTH(known); i++)
        known[count++] = layout->schema.columns[i].name;
    const char *nearest = text_nearest(name, known, count);
    problem_add(problems, PROBLEM_COLUMN_MISSING, name, span_of(NULL, 0),
                "%s names it, but the input has no such column%s%s%s", option,
                nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
                nearest != NULL ? "?" : "");
}

/* The one column of the input that an option names but for its spelling; SIZE_MAX where there is
 * none, or, after saying so, where there are several. */
static size_t find_alike(const struct layout *layout, const char *option, struct span name,
                         struct problems *problems)
{
    const struct column *columns = layout->schema.columns + layout->set_count;
    size_t found = SIZE_MAX;

    for (size_t i = 0; i < layout->input_count; i++) {
        if (!heading_equal(span_string(columns[i].name), name))
            continue;
        if (found != SIZE_MAX) {
            problem_add(problems, PROBLEM_DUPLICATE, name, span_of(NULL, 0),
                        "%s names it, and columns %zu and %zu are both called so, but for case, "
                        "width and blanks: rename one",
                        option, found + 1, i + 1);
            return SIZE_MAX;
        }
        found = i;
    }
    if (found == SIZE_MAX)
        report_missing(layout, option, name, problems);
    return found;
}

/* A column that an option names as the header has it goes before one that is spelt otherwise; this
 * is for names that are not there as they are given. */
static void settle_names(struct layout *layout, struct problems *problems)
{
    struct column *columns = layout->schema.columns + layout->set_count;

    for (size_t i = 0; i < layout->map_count; i++) {
        struct layout_column *map = &layout->maps[i];
        if (map->index != SIZE_MAX ||
            (map->index = find_alike(layout, "--map", map->input, problems)) == SIZE_MAX)
            continue;
        schema_mean(&columns[map->index], map->name);
        for (size_t j = 0; j < layout->set_count; j++)
            if (heading_equal(layout->sets[j]->name, map->name))
                layout->sets[j]->same = map->index;
    }
    for (size_t i = 0; i < layout->pass_count; i++) {
        struct layout_column *pass = &layout->passes[i];
        if (pass->index != SIZE_MAX ||
            (pass->index = find_alike(layout, "--pass", pass->input, problems)) == SIZE_MAX)
            continue;
        if (columns[pass->index].role == COLUMN_UNKNOWN)
            columns[pass->index].role = COLUMN_CARRIED;
    }
}

static void settle_references(struct layout *layout, struct layout_set *set,
                              struct problems *problems)
{
    struct column *columns = layout->schema.columns + layout->set_count;

    for (size_t i = 0; i < set->template.name_count; i++) {
        if (set->columns[i] != SIZE_MAX ||
            (set->columns[i] = find_alike(layout, set->shown, set->template.names[i], problems)) ==
                SIZE_MAX)
            continue;
        struct column *column = &columns[set->columns[i]];
        if (set->makes_values && column->role != COLUMN_PART)
            judge_reference(set, i, column);
        if (column->role == COLUMN_UNKNOWN)
            column->role = COLUMN_CARRIED;
    }
}

void layout_check(struct layout *layout, struct problems *problems)
{
    settle_names(layout, problems);
    for (size_t i = 0; i < layout->set_count; i++)
        settle_references(layout, layout->sets[i], problems);
    schema_check(&layout->schema, problems);
}

static struct cell cell_at(const struct row *row, size_t index)
{
    return index < row->cell_count ? row->cells[index] : (struct cell){.kind = CELL_ABSENT};
}

/* What a spreadsheet has left in a cell that goes into a value. */
static void check_reference(const struct layout_set *set, const struct template_part *part,
                            const struct cell *cell, struct problems *problems)
{
    struct span name = set->template.names[part->name];

    if (cell->kind == CELL_TEXT || cell->kind == CELL_STRING)
        (void)data_check_damage(name, cell->text, problems);
}

static void check_references(const struct layout_set *set, const struct cell *cells,
                             struct problems *problems)
{
    bool told[TEMPLATE_NAMES_MAX] = {false};

    for (size_t i = 0; i < set->template.part_count; i++) {
        const struct template_part *part = &set->template.parts[i];
        if (part->name == TEMPLATE_NAMES_MAX || part->is_text || told[part->name])
            continue;
        told[part->name] = true;
        check_reference(set, part, &cells[part->name], problems);
    }
}

/* The cell that a reference to it and nothing else stands for. */
static struct cell refer(const struct layout_set *set, const struct cell *cell)
{
    struct cell same = *cell;

    if (set->template.parts[0].is_text && same.kind == CELL_TEXT)
        same.kind = CELL_STRING;
    if (span_is(set->name, "data")) /* blanks around an array are no part of it */
        same.given = span_of(NULL, 0);
    return same;
}

/* Expands the set once more, with the blanks around its cells. */
static enum status expand_given(struct layout_set *set, const struct cell *cells, struct cell *cell)
{
    size_t missing;

    buf_clear(&set->given);
    enum status status = template_expand(&set->template, cells, true, &set->given, &missing);
    buf_add_char(&set->given, '\0');
    if (status != STATUS_OK || set->given.status != STATUS_OK)
        return STATUS_NO_MEMORY;
    cell->given = span_of(set->given.ptr, set->given.len - 1);
    return STATUS_OK;
}

/* The value of a set for this row, whose cells are those of the input. */
static enum status expand(struct layout_set *set, const struct row *row, struct problems *problems,
                          struct cell *ret_cell)
{
    struct cell cells[TEMPLATE_NAMES_MAX];
    size_t missing = 0;
    bool has_blanks = false;

    for (size_t i = 0; i < set->template.name_count; i++) {
        cells[i] = cell_at(row, set->columns[i]);
        has_blanks = has_blanks || cells[i].given.ptr != NULL;
    }
    buf_clear(&set->value);
    enum status status = template_expand(&set->template, cells, false, &set->value, &missing);
    if (status != STATUS_OK) {
        struct span name = set->template.names[missing];
        problem_add(problems, PROBLEM_REQUIRED, span_string(set->shown), span_of(NULL, 0),
                    "${%.*s} has no value in this row", SPAN_ARG(name));
        *ret_cell = (struct cell){.kind = CELL_NULL};
        return STATUS_OK;
    }
    bool is_same = template_is_reference(&set->template);
    /* A res: column's own check looks at a cell that is all of its value. */
    if (set->makes_values && (!is_same || span_is(set->name, "args")))
        check_references(set, cells, problems);
    if (is_same) {
        *ret_cell = refer(set, &cells[0]);
        return STATUS_OK;
    }
    buf_add_char(&set->value, '\0'); /* the byte behind it that JSON parsing asks for */
    if (set->value.status != STATUS_OK)
        return STATUS_NO_MEMORY;
    *ret_cell =
        (struct cell){.kind = CELL_TEXT, .text = span_of(set->value.ptr, set->value.len - 1)};
    return has_blanks ? expand_given(set, cells, ret_cell) : STATUS_OK;
}

/* Turns the operator's words for true and false into what they mean. */
static void translate(const struct layout *layout, const struct column *column, struct cell *cell)
{
    if (!column->judged || column->judged_as_text || column->role == COLUMN_PART ||
        (cell->kind != CELL_TEXT && cell->kind != CELL_STRING && cell->kind != CELL_NUMBER))
        return;
    for (size_t i = 0; i < layout->word_count; i++) {
        if (!span_equal(layout->words[i].text, cell->text))
            continue;
        *cell = (struct cell){.kind = CELL_BOOL,
                              .text = layout->words[i].value ? SPAN_LITERAL("true")
                                                             : SPAN_LITERAL("false")};
        return;
    }
}

static enum status reserve_cells(struct layout *layout, size_t count)
{
    if (count <= layout->cell_capacity)
        return STATUS_OK;
    struct cell *cells = realloc(layout->cells, (count + 16) * sizeof(*cells));
    if (cells == NULL)
        return STATUS_NO_MEMORY;
    layout->cells = cells;
    layout->cell_capacity = count + 16;
    return STATUS_OK;
}

/* The sets' cells, in front of the input's. */
static enum status make_sets(struct layout *layout, const struct row *row,
                             struct problems *problems)
{
    const struct row input = {.cells = layout->cells + layout->set_count,
                              .cell_count = row->cell_count};
    enum status status = STATUS_OK;

    for (size_t i = 0; i < layout->set_count && status == STATUS_OK; i++) {
        struct layout_set *set = layout->sets[i];
        struct cell own = cell_at(row, set->same);
        layout->cells[i] = (struct cell){.kind = CELL_ABSENT};
        if (cell_is_given(&own))
            continue;
        status = expand(set, &input, problems, &layout->cells[i]);
        translate(layout, &layout->schema.columns[i], &layout->cells[i]);
    }
    return status;
}

enum status layout_apply(struct layout *layout, const struct row *row, struct row *ret_row,
                         struct problems *problems)
{
    size_t count = layout->set_count + row->cell_count;

    if (layout->set_count == 0 && layout->word_count == 0) {
        *ret_row = *row;
        return STATUS_OK;
    }
    enum status status = reserve_cells(layout, count);
    if (status != STATUS_OK)
        return status;
    if (row->cell_count > 0)
        memcpy(layout->cells + layout->set_count, row->cells,
               row->cell_count * sizeof(*row->cells));
    for (size_t i = layout->set_count; i < count && layout->word_count > 0; i++)
        translate(layout, &layout->schema.columns[i], &layout->cells[i]);
    status = make_sets(layout, row, problems);
    if (status != STATUS_OK)
        return status;
    *ret_row = *row;
    ret_row->cells = layout->cells;
    ret_row->cell_count = count;
    return STATUS_OK;
}

struct cell layout_passed(const struct layout *layout, const struct row *row, size_t index)
{
    return cell_at(row, layout->passes[index].index);
}
