/*
 * expat calls for each tag and each piece of text of the part; what they say is gathered in three
 * steps: the `value` of a cell, the `record` of a row (its cells as CSV, and marks for those that
 * are not what they seem), and `out`, the text that is ready. A row without values is only counted:
 * its empty line is written when a row with values comes behind it. sheet_read feeds expat until
 * there is something in `out`, and pauses it where there is enough.
 *
 * Merged cells come behind the rows in the part, so that they are found first, by a reading of
 * their own (merges.h). While rows are read, those that cross the row at hand are `active`.
 */
#include "input/sheet.h"

#include <ctype.h>
#include <math.h>

#include "input/xml.h"

enum {
    OUT_PAUSE = 128 * 1024,        /* bytes of text that are enough for once */
    OUT_MAX = 128 * 1024 * 1024,   /* and that cannot come up: a row, and empty lines */
    ACTIVE_MAX = CELL_COLUMNS_MAX, /* merged cells that one row can cross */
    MARKS_MAX = 64 * 1024 * 1024,  /* bytes */
};

enum cell_type {
    CELL_NUMBER_TYPE,
    CELL_SHARED,
    CELL_INLINE,
    CELL_FORMULA_STRING,
    CELL_BOOLEAN,
    CELL_ERROR,
    CELL_ISO_DATE
};

struct sheet {
    struct book *book;
    struct archive_part *part;
    struct xml *xml;
    const struct sheet_merges *merges;
    bool is_read; /* to the end of the part */
    struct sheet_facts facts;

    struct buf out; /* text that is ready */
    size_t out_at;
    uint64_t out_before; /* how much was handed out before `out` */
    uint32_t lines;      /* that are in the text: the sheet's rows so far */

    bool in_data, in_row, in_cell, in_run, in_text, keeps_space;
    uint32_t row, column; /* of the cell at hand, and before the first of a row */
    uint32_t next_column; /* where a cell without a name is */
    bool row_is_hidden;
    struct buf record;     /* the row's text */
    uint32_t commas;       /* in it, between cells */
    bool has_value;        /* some cell of the row has one */
    uint32_t width;        /* cells of the header; 0 before it */
    uint64_t first_row;    /* the header's, where it was named */
    size_t row_marks;      /* of the row, dates apart */
    size_t row_first_mark; /* in `marks`, bytes */

    enum cell_type type;
    uint32_t style;
    bool has_formula, has_result;
    struct buf value;  /* as it is stored */
    size_t text_start; /* of the element at hand, in it */

    struct buf marks; /* struct sheet_mark each, in the order of their rows */
    uint64_t merges_met;
    size_t next_merge;
    size_t *active; /* merged cells that cross the row */
    size_t active_count, active_capacity;
    struct buf hidden_columns; /* struct column_span each */
};

struct column_span {
    uint32_t first, last;
};

static void damaged(struct sheet *sheet, const char *what)
{
    char name[CELL_NAME_MAX];

    cell_name_write(sheet->column, sheet->row, name);
    xml_stop(sheet->xml,
             trouble_say(book_trouble(sheet->book), "the workbook is damaged: %s, at %s: %s",
                         book_sheet_part(sheet->book), name, what));
}

static void add_mark(struct sheet *sheet, const struct sheet_mark *mark)
{
    if (mark->kind != MARK_DATE && sheet->row_marks++ >= SHEET_MARKS_PER_ROW)
        return;
    buf_add_bytes(&sheet->marks, mark, sizeof(*mark));
}

static void mark_cell(struct sheet *sheet, enum sheet_mark_kind kind)
{
    add_mark(sheet, &(struct sheet_mark){.end = UINT64_MAX, /* until the row has ended */
                                         .row = sheet->row,
                                         .column = sheet->column,
                                         .kind = kind});
}

static void add_field(struct buf *record, struct span text)
{
    bool is_plain =
        memchr(text.ptr, ',', text.len) == NULL && memchr(text.ptr, '"', text.len) == NULL &&
        memchr(text.ptr, '\n', text.len) == NULL && memchr(text.ptr, '\r', text.len) == NULL;

    if (is_plain) {
        buf_add(record, text);
        return;
    }
    buf_add_char(record, '"');
    while (text.len > 0) {
        const char *quote = memchr(text.ptr, '"', text.len);
        size_t len = quote != NULL ? (size_t)(quote - text.ptr) + 1 : text.len;
        buf_add(record, span_of(text.ptr, len));
        if (quote != NULL)
            buf_add_char(record, '"');
        text = span_skip(text, len);
    }
    buf_add_char(record, '"');
}

static void add_commas(struct sheet *sheet, uint32_t count)
{
    for (; sheet->commas < count && sheet->record.status == STATUS_OK; sheet->commas++)
        buf_add_char(&sheet->record, ',');
}

static void put_text(struct sheet *sheet, struct span text)
{
    if (text.len == 0)
        return;
    add_commas(sheet, sheet->column);
    add_field(&sheet->record, text);
    sheet->has_value = true;
}

static struct span trimmed(struct span text)
{
    while (text.len > 0 && isspace((unsigned char)text.ptr[0]))
        text = span_skip(text, 1);
    while (text.len > 0 && isspace((unsigned char)text.ptr[text.len - 1]))
        text.len--;
    return text;
}

static void put_number(struct sheet *sheet)
{
    struct span stored = trimmed(buf_span(&sheet->value));
    char text[CELL_NUMBER_MAX], date[CELL_DATE_MAX];

    if (stored.len == 0)
        return;
    if (!cell_number_text(stored, text)) {
        put_text(sheet, stored);
        mark_cell(sheet, MARK_NUMBER);
    } else if (book_style_is_date(sheet->book, sheet->style) &&
               cell_date_text(strtod(text, NULL), book_is_1904(sheet->book), date)) {
        put_text(sheet, span_string(date));
        mark_cell(sheet, MARK_DATE);
    } else {
        put_text(sheet, span_string(text));
    }
}

static void put_shared(struct sheet *sheet)
{
    struct span stored = trimmed(buf_span(&sheet->value)), text = {NULL, 0};
    uint64_t index = 0;

    if (stored.len == 0)
        return;
    if (span_to_uint64(stored, &index) != STATUS_OK || index > UINT32_MAX ||
        !book_string(sheet->book, (uint32_t)index, &text))
        damaged(sheet, "it refers to a text that is not there");
    else
        put_text(sheet, text);
}

static void put_boolean(struct sheet *sheet)
{
    struct span stored = trimmed(buf_span(&sheet->value));

    if (span_is(stored, "1") || span_is(stored, "true"))
        put_text(sheet, SPAN_LITERAL("true"));
    else if (span_is(stored, "0") || span_is(stored, "false"))
        put_text(sheet, SPAN_LITERAL("false"));
    else if (stored.len > 0)
        damaged(sheet, "it is neither true nor false");
}

static void put_iso_date(struct sheet *sheet)
{
    struct span stored = trimmed(buf_span(&sheet->value));
    char date[CELL_DATE_MAX];

    if (stored.len > 0 && cell_iso_date_text(stored, date)) {
        put_text(sheet, span_string(date));
        mark_cell(sheet, MARK_DATE);
    } else {
        put_text(sheet, stored);
    }
}

static void put_cell(struct sheet *sheet)
{
    switch (sheet->type) {
    case CELL_NUMBER_TYPE:
        put_number(sheet);
        break;
    case CELL_SHARED:
        put_shared(sheet);
        break;
    case CELL_BOOLEAN:
        put_boolean(sheet);
        break;
    case CELL_ISO_DATE:
        put_iso_date(sheet);
        break;
    case CELL_ERROR:
        put_text(sheet, trimmed(buf_span(&sheet->value)));
        mark_cell(sheet, MARK_ERROR);
        break;
    case CELL_INLINE:
    case CELL_FORMULA_STRING:
        cell_unescape(&sheet->value);
        put_text(sheet, buf_span(&sheet->value));
        break;
    }
}

static void end_cell(struct sheet *sheet)
{
    bool is_empty = trimmed(buf_span(&sheet->value)).len == 0;

    sheet->in_cell = false;
    if (sheet->value.status != STATUS_OK) { /* longer than a row may be */
        sheet->record.status = sheet->value.status;
        sheet->has_value = true;
        return;
    }
    /* A formula whose result is "" has it stored, as a string that is empty. */
    if (sheet->has_formula && is_empty &&
        (sheet->type != CELL_FORMULA_STRING || !sheet->has_result)) {
        mark_cell(sheet, MARK_FORMULA);
        return;
    }
    sheet->facts.formulas += sheet->has_formula;
    put_cell(sheet);
}

static bool parse_type(const char *text, enum cell_type *ret_type)
{
    static const struct {
        const char *name;
        enum cell_type type;
    } types[] = {{"n", CELL_NUMBER_TYPE},      {"s", CELL_SHARED},  {"inlineStr", CELL_INLINE},
                 {"str", CELL_FORMULA_STRING}, {"b", CELL_BOOLEAN}, {"e", CELL_ERROR},
                 {"d", CELL_ISO_DATE}};

    if (text == NULL)
        text = "n";
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        if (strcmp(text, types[i].name) == 0) {
            *ret_type = types[i].type;
            return true;
        }
    }
    return false;
}

static void start_cell(struct sheet *sheet, const char *const *attributes)
{
    const char *name = xml_attribute(attributes, "r"), *style = xml_attribute(attributes, "s");
    uint32_t column = sheet->next_column, row = sheet->row;
    uint64_t number = 0;

    if (name != NULL && !cell_name_parse(span_string(name), &column, &row)) {
        damaged(sheet, "a cell behind it has a name that is none");
        return;
    }
    if (column < sheet->next_column || column >= CELL_COLUMNS_MAX || row != sheet->row) {
        damaged(sheet, "the cell behind it is out of its order");
        return;
    }
    sheet->column = column;
    sheet->next_column = column + 1;
    if (!parse_type(xml_attribute(attributes, "t"), &sheet->type))
        damaged(sheet, "it is of a kind that there is not");
    if (style != NULL && span_to_uint64(span_string(style), &number) != STATUS_OK)
        damaged(sheet, "its style is no number");
    sheet->style = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
    sheet->has_formula = sheet->has_result = false;
    sheet->in_cell = true;
    sheet->in_text = sheet->in_run = false;
    buf_clear(&sheet->value);
}

static void start_row(struct sheet *sheet, const char *const *attributes)
{
    const char *number = xml_attribute(attributes, "r");
    uint64_t row = sheet->row + 1;

    if (number != NULL && (span_to_uint64(span_string(number), &row) != STATUS_OK ||
                           row > CELL_ROWS_MAX || row <= sheet->row))
        row = 0;
    if (row == 0 || row > CELL_ROWS_MAX) {
        damaged(sheet, "the row behind it is out of its order, or there are too many");
        return;
    }
    sheet->row = (uint32_t)row;
    sheet->column = sheet->next_column = 0;
    sheet->row_is_hidden = xml_attribute_is_true(attributes, "hidden");
    sheet->in_row = true;
    sheet->has_value = false;
    sheet->commas = 0;
    sheet->row_marks = 0;
    sheet->row_first_mark = sheet->marks.len;
    buf_clear(&sheet->record);
}

/* Adds the merged cells that begin in this row, in a column before `limit`; drops those that have
 * ended. */
static bool meet_merges(struct sheet *sheet, uint32_t limit)
{
    const struct sheet_merges *merges = sheet->merges;
    size_t kept = 0;

    for (size_t i = 0; i < sheet->active_count; i++)
        if (merges->ranges[sheet->active[i]].last_row >= sheet->row)
            sheet->active[kept++] = sheet->active[i];
    sheet->active_count = kept;
    for (; sheet->next_merge < merges->count &&
           merges->ranges[sheet->next_merge].first_row <= sheet->row;
         sheet->next_merge++) {
        const struct cell_range *range = &merges->ranges[sheet->next_merge];
        if (range->last_row < sheet->row || range->first_column >= limit)
            continue;
        if (sheet->active_count == ACTIVE_MAX) {
            damaged(sheet, "its merged cells overlap");
            return false;
        }
        if (sheet->active_count == sheet->active_capacity) {
            size_t capacity = sheet->active_capacity > 0 ? sheet->active_capacity * 2 : 16;
            size_t *active = realloc(sheet->active, capacity * sizeof(*active));
            if (active == NULL) {
                xml_stop(sheet->xml, STATUS_NO_MEMORY);
                return false;
            }
            sheet->active = active;
            sheet->active_capacity = capacity;
        }
        sheet->active[sheet->active_count++] = sheet->next_merge;
    }
    return true;
}

/* Marks the cells that others cover. A title above the table is usually merged over columns that
 * the rows do not seem to have: of the first row, all columns count. */
static void mark_merged(struct sheet *sheet, bool is_header)
{
    uint32_t limit = is_header ? CELL_COLUMNS_MAX : sheet->width;

    if (sheet->merges->count == 0 || !meet_merges(sheet, limit))
        return;
    for (size_t i = 0; i < sheet->active_count; i++) {
        const struct cell_range *range = &sheet->merges->ranges[sheet->active[i]];
        uint32_t column = range->first_column + (sheet->row == range->first_row);
        for (; column <= range->last_column && column < limit &&
               sheet->row_marks < SHEET_MARKS_PER_ROW;
             column++) {
            add_mark(sheet, &(struct sheet_mark){.end = UINT64_MAX,
                                                 .row = sheet->row,
                                                 .column = column,
                                                 .kind = MARK_MERGED,
                                                 .merged = *range});
            if (is_header) /* one is enough: there is one thing to do */
                break;
        }
    }
}

/* The row's record and its line end, and what tells where in the text its marks are. */
static void write_row(struct sheet *sheet)
{
    struct buf *out = &sheet->out;
    bool has_marks = sheet->marks.len > sheet->row_first_mark;

    for (; sheet->lines + 1 < sheet->row; sheet->lines++)
        buf_add_char(out, '\n');
    /* A record whose cells are all empty would be a blank line, and none: its marks would be lost.
     */
    if (has_marks && (sheet->record.len == 0 || sheet->record.ptr[0] == ','))
        buf_add_string(out, "\"\"");
    buf_add(out, buf_span(&sheet->record));
    buf_add_char(out, '\n');
    sheet->lines = sheet->row;
    uint64_t end = sheet->out_before + out->len;
    for (size_t at = sheet->row_first_mark; at < sheet->marks.len; at += sizeof(struct sheet_mark))
        memcpy(sheet->marks.ptr + at + offsetof(struct sheet_mark, end), &end, sizeof(end));
}

/* A row that is longer than it may be is an empty record with a mark, as every reader of it would
 * have said. */
static void drop_long_row(struct sheet *sheet)
{
    sheet->marks.len = sheet->row_first_mark;
    sheet->row_marks = 0;
    buf_clear(&sheet->record);
    sheet->commas = 0;
    sheet->column = 0;
    mark_cell(sheet, MARK_LONG);
}

static void end_row(struct sheet *sheet)
{
    sheet->in_row = false;
    if (sheet->row < sheet->first_row)
        sheet->marks.len = sheet->row_first_mark;
    if ((!sheet->has_value && sheet->row_marks == 0) || sheet->row < sheet->first_row)
        return;
    bool is_header = sheet->width == 0;
    if (is_header)
        sheet->width = sheet->commas + 1;
    mark_merged(sheet, is_header);
    add_commas(sheet, sheet->width - 1);
    if (sheet->record.status == STATUS_TOO_BIG)
        drop_long_row(sheet);
    sheet->facts.hidden_rows += sheet->row_is_hidden;
    write_row(sheet);
    if (sheet->record.status != STATUS_OK || sheet->out.status != STATUS_OK ||
        sheet->marks.status != STATUS_OK)
        xml_stop(sheet->xml, STATUS_NO_MEMORY);
    if (sheet->out.len >= OUT_PAUSE)
        xml_pause(sheet->xml);
}

static void add_hidden_columns(struct sheet *sheet, const char *const *attributes)
{
    const char *min = xml_attribute(attributes, "min"), *max = xml_attribute(attributes, "max");
    uint64_t first = 0, last = 0;

    if (!xml_attribute_is_true(attributes, "hidden") || min == NULL || max == NULL ||
        span_to_uint64(span_string(min), &first) != STATUS_OK ||
        span_to_uint64(span_string(max), &last) != STATUS_OK || first < 1 ||
        last > CELL_COLUMNS_MAX)
        return;
    const struct column_span span = {(uint32_t)first - 1, (uint32_t)last - 1};
    buf_add_bytes(&sheet->hidden_columns, &span, sizeof(span));
}

static void count_hidden_columns(struct sheet *sheet)
{
    struct column_span span;

    sheet->facts.hidden_columns = 0;
    for (size_t at = 0; at + sizeof(span) <= sheet->hidden_columns.len; at += sizeof(span)) {
        memcpy(&span, sheet->hidden_columns.ptr + at, sizeof(span));
        for (uint32_t i = span.first; i <= span.last && i < sheet->width; i++)
            sheet->facts.hidden_columns++;
    }
}

/* What is beside the rows. */
static void on_other(struct sheet *sheet, int depth, const char *name,
                     const char *const *attributes)
{
    if (depth == 1 && strcmp(name, "worksheet") != 0)
        damaged(sheet, "it is no worksheet");
    else if (depth == 2 && strcmp(name, "sheetData") == 0)
        sheet->in_data = true;
    else if (depth == 2 && strcmp(name, "autoFilter") == 0)
        sheet->facts.has_filter = true;
    else if (depth == 3 && strcmp(name, "col") == 0)
        add_hidden_columns(sheet, attributes);
    else if (depth == 3 && strcmp(name, "mergeCell") == 0)
        sheet->merges_met++;
}

static void on_start(void *context, int depth, const char *name, const char *const *attributes)
{
    struct sheet *sheet = context;

    if (!sheet->in_data) {
        on_other(sheet, depth, name, attributes);
    } else if (depth == 3 && strcmp(name, "row") == 0) {
        start_row(sheet, attributes);
    } else if (depth == 4 && sheet->in_row && strcmp(name, "c") == 0) {
        start_cell(sheet, attributes);
    } else if (sheet->in_cell && depth == 5) {
        if (name[0] == 'f' && name[1] == '\0')
            sheet->has_formula = true;
        sheet->in_text = name[0] == 'v' && name[1] == '\0' && sheet->type != CELL_INLINE;
        sheet->has_result = sheet->has_result || sheet->in_text;
        sheet->keeps_space = true; /* numbers and the like are trimmed when they are read */
    } else if (sheet->in_cell && sheet->type == CELL_INLINE) { /* is, t, or is, r, t */
        if (depth == 6)
            sheet->in_run = strcmp(name, "r") == 0;
        sheet->in_text = strcmp(name, "t") == 0 && (depth == 6 || (depth == 7 && sheet->in_run));
        sheet->keeps_space = xml_preserves_space(attributes);
        sheet->text_start = sheet->value.len;
    }
}

static void on_text(void *context, const char *text, size_t len)
{
    struct sheet *sheet = context;

    if (sheet->in_text)
        buf_add_bytes(&sheet->value, text, len);
}

static void on_end(void *context, int depth, const char *name)
{
    struct sheet *sheet = context;

    (void)name;
    if (sheet->in_text && !sheet->keeps_space)
        cell_trim_from(&sheet->value, sheet->text_start);
    sheet->in_text = false;
    if (!sheet->in_data)
        return;
    if (depth == 4 && sheet->in_cell)
        end_cell(sheet);
    else if (depth == 3 && sheet->in_row)
        end_row(sheet);
    else if (depth == 2)
        sheet->in_data = false;
}

enum status sheet_open(struct book *book, const struct sheet_merges *merges, size_t max_row_bytes,
                       struct sheet **ret_sheet)
{
    static const struct xml_events events = {.start = on_start, .end = on_end, .text = on_text};
    struct sheet *sheet = calloc(1, sizeof(*sheet));

    if (sheet == NULL)
        return STATUS_NO_MEMORY;
    sheet->book = book;
    sheet->merges = merges;
    buf_init(&sheet->out, max_row_bytes + OUT_MAX);
    buf_init(&sheet->record, max_row_bytes > 2 ? max_row_bytes - 2 : 1);
    buf_init(&sheet->value, max_row_bytes);
    buf_init(&sheet->marks, MARKS_MAX);
    buf_init(&sheet->hidden_columns, CELL_COLUMNS_MAX * sizeof(struct column_span));
    enum status status = archive_part_open(book_archive(book), book_sheet_part(book), &sheet->part);
    if (status == STATUS_OK)
        status = xml_new(&events, sheet, book_trouble(book), book_sheet_part(book), &sheet->xml);
    if (status != STATUS_OK) {
        sheet_close(sheet);
        return status;
    }
    *ret_sheet = sheet;
    return STATUS_OK;
}

void sheet_skip_to(struct sheet *sheet, uint64_t row)
{
    sheet->first_row = row;
}

void sheet_close(struct sheet *sheet)
{
    if (sheet == NULL)
        return;
    xml_free(sheet->xml);
    part_close(sheet->part);
    buf_deinit(&sheet->out);
    buf_deinit(&sheet->record);
    buf_deinit(&sheet->value);
    buf_deinit(&sheet->marks);
    buf_deinit(&sheet->hidden_columns);
    free(sheet->active);
    free(sheet);
}

/* Reads on until there is text. */
static enum status render(struct sheet *sheet)
{
    enum status status = STATUS_OK;

    sheet->out_before += sheet->out.len;
    sheet->out_at = 0;
    buf_clear(&sheet->out);
    while (status == STATUS_OK && sheet->out.len == 0 && !sheet->is_read) {
        status = xml_step(sheet->xml, sheet->part);
        sheet->is_read = status == STATUS_END;
        if (sheet->is_read)
            status = STATUS_OK;
    }
    if (status != STATUS_OK || !sheet->is_read)
        return status;
    count_hidden_columns(sheet);
    if (sheet->merges_met != sheet->merges->count)
        return trouble_say(book_trouble(sheet->book),
                           "the workbook is damaged: %s: its merged cells are in disorder",
                           book_sheet_part(sheet->book));
    return sheet->out.len > 0 ? STATUS_OK : STATUS_END;
}

enum status sheet_read(struct sheet *sheet, char *out, size_t room, size_t *ret_count)
{
    if (sheet->out_at == sheet->out.len) {
        enum status status = render(sheet);
        if (status != STATUS_OK)
            return status;
    }
    size_t count = sheet->out.len - sheet->out_at;
    if (count > room)
        count = room;
    memcpy(out, sheet->out.ptr + sheet->out_at, count);
    sheet->out_at += count;
    *ret_count = count;
    return STATUS_OK;
}

/* The marks are a buffer of bytes that malloc has aligned. */
static const struct sheet_mark *all_marks(const struct sheet *sheet, size_t *ret_count)
{
    *ret_count = sheet->marks.len / sizeof(struct sheet_mark);
    return (const struct sheet_mark *)(const void *)sheet->marks.ptr;
}

size_t sheet_marks(const struct sheet *sheet, uint64_t row, const struct sheet_mark **ret_marks)
{
    size_t all = 0, first = 0, count = 0, behind;
    const struct sheet_mark *marks = all_marks(sheet, &all);

    for (behind = all; first < behind;) { /* the first one that is not of a row before */
        size_t middle = first + (behind - first) / 2;
        if (marks[middle].row < row)
            first = middle + 1;
        else
            behind = middle;
    }
    while (first + count < all && marks[first + count].row == row)
        count++;
    *ret_marks = count > 0 ? marks + first : NULL;
    return count;
}

void sheet_drop_marks(struct sheet *sheet, uint64_t taken)
{
    size_t all = 0, gone = 0;
    const struct sheet_mark *marks = all_marks(sheet, &all);

    while (gone < all && marks[gone].end <= taken)
        gone++;
    if (gone == 0)
        return;
    buf_drop(&sheet->marks, gone * sizeof(struct sheet_mark));
    sheet->row_first_mark -= gone * sizeof(struct sheet_mark); /* of a row that is read half */
}

void sheet_progress(const struct sheet *sheet, uint64_t *ret_taken, uint64_t *ret_size)
{
    *ret_taken = part_taken(sheet->part);
    *ret_size = part_size(sheet->part);
}

const struct sheet_facts *sheet_facts(const struct sheet *sheet)
{
    return &sheet->facts;
}
