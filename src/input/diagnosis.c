/*
 * The start of the file is read without an encoding. Lines that are not UTF-8 tell the encoding;
 * then each of the first lines is split by each usual delimiter, and the one whose cells are most
 * often names of columns, or what such are usually called, is the header; where there are none, the
 * one above the first IMEI. What its headings mean is held against the same rules that read the
 * file (layout_check). A heading that says nothing may be understood by the cells below it.
 */
#include "input/diagnosis.h"

#include "core/text.h"
#include "input/guess_encoding.h"
#include "input/sample_text.h"
#include "platform/device.h"
#include "platform/heading.h"
#include "platform/layout.h"
#include "platform/look.h"

enum {
    FINDINGS_MAX = 64 * 1024,
    SHOWN_MAX = 80,
    KNOWN_POINTS = 3, /* of a cell that is a name */
    GUESS_POINTS = 2, /* and of one that may mean one */
    NEAR_LENGTH = 5,  /* bytes; a shorter name is near to too many words */
};

static const char usual_delimiters[] = {',', ';', '\t', '|'};

/* What separates cells for a person, and is no delimiter. */
static const struct {
    const char *text, *shown, *ascii;
} wide_delimiters[] = {{"，", "the full-width comma ， (U+FF0C)", ","},
                       {"；", "the full-width semicolon ； (U+FF1B)", ";"},
                       {"、", "the enumeration comma 、 (U+3001)", ","}};

/* The start of an input. */
struct sample {
    bool is_workbook;
    size_t sheets;
    bool has_mark;
    struct buf head; /* as it comes without an encoding */
    struct buf odd;  /* lines of all of it that are not UTF-8 */
};

/* A line that may be the header. */
struct candidate {
    struct span line;
    struct span rows; /* what is below it */
    uint64_t number;
    char delimiter;
    size_t points;
};

/* A diagnosis under way. */
struct work {
    const struct diagnosis_given *given;
    struct diagnosis *result;
    struct sample sample;
    struct buf text; /* of the head, as UTF-8 */
    struct span cells[READER_COLUMNS_MAX];
    size_t cell_count;
    struct span rows; /* the lines below the header */
    char delimiter;
    struct column_seen seen[READER_COLUMNS_MAX];
    bool is_value[READER_COLUMNS_MAX]; /* the column is a resource's, or may be */
    bool has_unclear;                  /* a column may be one of several */
    enum status status;
};

void diagnosis_init(struct diagnosis *diagnosis)
{
    *diagnosis = (struct diagnosis){.count = 0};
    buf_init_text(&diagnosis->findings, FINDINGS_MAX);
    buf_init_text(&diagnosis->unknown, FINDINGS_MAX);
}

void diagnosis_deinit(struct diagnosis *diagnosis)
{
    for (size_t i = 0; i < diagnosis->count; i++)
        free(diagnosis->options[i].value);
    buf_deinit(&diagnosis->findings);
    buf_deinit(&diagnosis->unknown);
    diagnosis->count = 0;
}

static enum status append_option(struct diagnosis *diagnosis, const char *name, char *value)
{
    if (value == NULL)
        return STATUS_NO_MEMORY;
    if (diagnosis->count == DIAGNOSIS_OPTIONS_MAX)
        free(value);
    else
        diagnosis->options[diagnosis->count++] = (struct diagnosis_option){name, value};
    return STATUS_OK;
}

static void add_option(struct work *work, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);

static void add_option(struct work *work, const char *name, const char *format, ...)
{
    struct buf value;
    va_list args;

    buf_init(&value, FINDINGS_MAX);
    va_start(args, format);
    buf_add_format_list(&value, format, args);
    va_end(args);
    if (append_option(work->result, name, strdup(buf_string(&value))) != STATUS_OK)
        work->status = STATUS_NO_MEMORY;
    buf_deinit(&value);
}

/* A line of what was found, or of what is unknown. */
static void add_line(struct buf *lines, const char *format, ...) PRINTF_LIKE(2, 3);

static void add_line(struct buf *lines, const char *format, ...)
{
    va_list args;

    buf_add_string(lines, lines->len > 0 ? "\n" : "");
    va_start(args, format);
    buf_add_format_list(lines, format, args);
    va_end(args);
}

enum status diagnosis_add_words(struct diagnosis *diagnosis, struct span trues, struct span falses)
{
    enum status status = STATUS_OK;

    if (trues.len > 0) {
        add_line(&diagnosis->findings, "words for true in its cells: %.*s", SPAN_ARG(trues));
        status = append_option(diagnosis, "true", strndup(trues.ptr, trues.len));
    }
    if (falses.len > 0 && status == STATUS_OK) {
        add_line(&diagnosis->findings, "words for false in its cells: %.*s", SPAN_ARG(falses));
        status = append_option(diagnosis, "false", strndup(falses.ptr, falses.len));
    }
    return status;
}

static void sample_deinit(struct sample *sample)
{
    buf_deinit(&sample->head);
    buf_deinit(&sample->odd);
}

/* Keeps what is of use of some whole lines. */
static void keep_lines(struct sample *sample, struct span lines)
{
    if (sample->head.len < DIAGNOSIS_LOOK_BYTES)
        buf_add(&sample->head, lines);
    if (text_is_utf8(lines))
        return;
    while (lines.len > 0 && sample->odd.len < DIAGNOSIS_LOOK_BYTES) {
        const char *end = memchr(lines.ptr, '\n', lines.len);
        size_t len = end != NULL ? (size_t)(end - lines.ptr) + 1 : lines.len;
        if (!text_is_utf8(span_of(lines.ptr, len)))
            buf_add_bytes(&sample->odd, lines.ptr, len);
        lines = span_skip(lines, len);
    }
}

/* Reads the start, and where all of that is UTF-8, on to what is not. */
static enum status read_sample(struct source *source, struct sample *sample)
{
    size_t wanted = 1;
    enum status status;

    while ((status = source_fill_to(source, wanted)) == STATUS_OK || status == STATUS_END) {
        struct span block = source_block(source);
        const char *end = block.len > 0 ? memrchr(block.ptr, '\n', block.len) : NULL;
        bool is_all = status == STATUS_END || block.len == SOURCE_BLOCK_BYTES;
        size_t len = end != NULL ? (size_t)(end - block.ptr) + 1 : is_all ? block.len : 0;
        wanted = len > 0 ? 1 : block.len + 1;
        keep_lines(sample, span_of(block.ptr, len));
        source_take(source, len);
        bool is_enough = sample->head.len >= DIAGNOSIS_LOOK_BYTES &&
                         (source_is_workbook(source) || sample->odd.len > 0);
        if (is_enough || (status == STATUS_END && source_block(source).len == 0))
            return STATUS_OK;
    }
    return status == STATUS_NO_MEMORY ? status : STATUS_OK; /* as far as it can be read */
}

static enum status take_sample(const struct diagnosis_given *given, const char *sheet,
                               struct sample *sample)
{
    struct source *source = NULL;
    struct buf message;

    *sample = (struct sample){.is_workbook = false};
    buf_init(&sample->head, 4 * SOURCE_BLOCK_BYTES);
    buf_init(&sample->odd, 4 * SOURCE_BLOCK_BYTES);
    buf_init_text(&message, FINDINGS_MAX);
    enum status status = source_open(given->path, &message, &source);
    if (status == STATUS_OK && source_is_seekable(source))
        status = source_find_workbook(source, sheet, 0, READER_MAX_ROW_BYTES, &message);
    else if (status == STATUS_OK)
        status = STATUS_USAGE;
    if (status == STATUS_OK)
        status = read_sample(source, sample);
    if (status == STATUS_OK) {
        sample->is_workbook = source_is_workbook(source);
        sample->has_mark = source_mark(source).len > 0;
        if (source_workbook(source) != NULL)
            sample->sheets = workbook_sheet_count(source_workbook(source));
    }
    source_close(source);
    buf_deinit(&message);
    return status;
}

/* The map that was given for a column of this heading, or for this name; NULL for none. */
static const char *given_map(const struct work *work, struct span text, bool is_heading)
{
    const struct word_list *maps = work->given->maps;

    for (size_t i = 0; maps != NULL && i < maps->count; i++) {
        const char *equals = strchr(maps->items[i], '=');
        struct span own = equals == NULL ? span_of(NULL, 0)
                          : is_heading   ? span_string(equals + 1)
                                       : span_of(maps->items[i], (size_t)(equals - maps->items[i]));
        if (own.len > 0 && heading_equal(own, text))
            return maps->items[i];
    }
    return NULL;
}

static size_t points_of(const struct work *work, struct span line, char delimiter)
{
    char name[HEADING_NAME_MAX];
    struct span cell;
    size_t points = 0;

    while (sample_take_cell(&line, delimiter, &cell)) {
        if (cell.len == 0)
            continue;
        if (schema_knows(cell) || given_map(work, cell, true) != NULL)
            points += KNOWN_POINTS;
        else if (heading_guess(cell, name))
            points += GUESS_POINTS;
    }
    return points;
}

static void weigh_line(const struct work *work, struct span line, struct span rows, uint64_t number,
                       struct candidate *best)
{
    char given = work->given->delimiter != '\0' ? work->given->delimiter : ',';

    for (size_t i = 0; i <= sizeof(usual_delimiters); i++) {
        char delimiter = i == 0 ? given : usual_delimiters[i - 1];
        size_t points = points_of(work, line, delimiter);
        if (points > best->points)
            *best = (struct candidate){line, rows, number, delimiter, points};
        if (work->sample.is_workbook)
            return;
    }
}

/* Whether a cell of the line is a device, and the one above it is a heading. */
static bool is_row_below(struct span line, struct span above, char delimiter)
{
    struct span cell, heading;

    while (sample_take_cell(&line, delimiter, &cell)) {
        if (!sample_take_cell(&above, delimiter, &heading))
            return false;
        if (sample_is_device(cell))
            return heading.len > 0 && !is_digit(heading.ptr[0]);
    }
    return false;
}

/* Where no name is known: the line above the first device. */
static void find_heading_above(const struct work *work, struct candidate *best)
{
    char given = work->given->delimiter != '\0' ? work->given->delimiter : ',';
    struct candidate above = {.delimiter = given};
    struct span rest = buf_span(&work->text);

    for (uint64_t number = 1; number <= DIAGNOSIS_LINES && rest.len > 0; number++) {
        struct span rows = rest, line = sample_take_line(&rest, work->sample.is_workbook);
        for (size_t i = 0; i <= sizeof(usual_delimiters) && best->points == 0; i++) {
            above.delimiter = i == 0 ? given : usual_delimiters[i - 1];
            if (is_row_below(line, above.line, above.delimiter)) {
                *best = above;
                best->rows = rows;
                best->points = 1;
            }
        }
        if (!sample_is_blank(line, given))
            above = (struct candidate){.line = line, .number = number};
    }
}

/* The line whose cells are names most often; and the first one that is not blank. */
static struct candidate find_header(const struct work *work, struct candidate *ret_first)
{
    char delimiter = work->given->delimiter != '\0' ? work->given->delimiter : ',';
    struct candidate best = {.points = 0};
    struct span rest = buf_span(&work->text);

    *ret_first = (struct candidate){.number = 0};
    for (uint64_t number = 1; number <= DIAGNOSIS_LINES && rest.len > 0; number++) {
        struct span line = sample_take_line(&rest, work->sample.is_workbook);
        if (ret_first->number == 0 && !sample_is_blank(line, delimiter))
            *ret_first = (struct candidate){.line = line, .number = number, .delimiter = delimiter};
        weigh_line(work, line, rest, number, &best);
    }
    if (best.points == 0)
        find_heading_above(work, &best);
    return best;
}

static bool is_jsonl(const struct work *work)
{
    enum input_format format = INPUT_CSV;
    struct span text = text_trim_blanks(buf_span(&work->text));

    if (work->given->format > 0)
        return work->given->format == INPUT_JSONL + 1;
    return reader_format_of(work->given->path, &format) ? format == INPUT_JSONL
                                                        : text.len > 0 && text.ptr[0] == '{';
}

/* Looks which encoding the file has, and makes text of its start. */
static void find_text(struct work *work)
{
    struct sample *sample = &work->sample;
    const char *given = work->given->encoding, *name = given;
    bool has_zeros = memchr(buf_string(&sample->head), '\0', sample->head.len) != NULL;
    struct span bytes = has_zeros ? span_of(sample->head.ptr, sample->head.len & ~(size_t)1)
                                  : buf_span(&sample->odd);

    if (sample->is_workbook || sample->has_mark)
        name = NULL;
    else if (bytes.len > 0)
        work->status = guess_encoding(bytes, given, &name);
    if (name != given && name != NULL) {
        add_option(work, "encoding", "%s", name);
        add_line(&work->result->findings, "its text is %s", name);
    }
    if (work->status == STATUS_OK)
        work->status = guess_decode(buf_span(&sample->head), name, &work->text);
}

static void find_format(struct work *work)
{
    enum input_format format;

    if (work->sample.is_workbook || work->given->format > 0 ||
        reader_format_of(work->given->path, &format))
        return;
    add_option(work, "format", "%s", is_jsonl(work) ? "jsonl" : "csv");
    add_line(&work->result->findings, "it is %s by its content", is_jsonl(work) ? "JSONL" : "CSV");
}

/* Where the sheet that is read has no header, another one may. */
static enum status find_sheet(struct work *work, struct candidate *best, struct candidate *first)
{
    size_t sheets = work->sample.sheets;
    enum status status = STATUS_OK;

    for (size_t i = 1; best->points == 0 && i <= sheets && i <= DIAGNOSIS_SHEETS; i++) {
        char number[24];
        (void)snprintf(number, sizeof(number), "%zu", i);
        sample_deinit(&work->sample);
        status = take_sample(work->given, number, &work->sample);
        if (status != STATUS_OK)
            return status;
        buf_clear(&work->text);
        buf_add(&work->text, buf_span(&work->sample.head));
        *best = find_header(work, first);
        if (best->points == 0)
            continue;
        add_option(work, "sheet", "%s", number);
        add_line(&work->result->findings, "its table is on sheet %s", number);
    }
    return status;
}

/* How the header is told from what is around it. */
static void add_place(struct work *work, const struct candidate *best,
                      const struct candidate *first)
{
    static const struct {
        char delimiter;
        const char *name, *shown;
    } names[] = {{',', "comma", "commas"},
                 {';', "semicolon", "semicolons"},
                 {'\t', "tab", "tabs"},
                 {'|', "pipe", "|"}};
    char given = work->given->delimiter != '\0' ? work->given->delimiter : ',';
    uint64_t read = work->given->header_line > 0 ? work->given->header_line : first->number;

    for (size_t i = 0; i < ARRAY_LENGTH(names) && best->delimiter != given; i++) {
        if (names[i].delimiter != best->delimiter)
            continue;
        add_option(work, "delimiter", "%s", names[i].name);
        add_line(&work->result->findings, "its cells are separated by %s", names[i].shown);
    }
    if (best->number == read)
        return;
    add_option(work, "header-line", "%llu", (unsigned long long)best->number);
    add_line(&work->result->findings, "the names of its columns are on line %llu",
             (unsigned long long)best->number);
}

/* Splits the header; false where it has what no option helps against. */
static bool split_header(struct work *work, const struct candidate *best)
{
    struct span line = best->line;

    work->cell_count = 0;
    while (work->cell_count < READER_COLUMNS_MAX &&
           sample_take_cell(&line, best->delimiter, &work->cells[work->cell_count]))
        work->cell_count++;
    while (work->cell_count > 0 && work->cells[work->cell_count - 1].len == 0)
        work->cell_count--;
    for (size_t i = 0; i < work->cell_count; i++)
        if (work->cells[i].len == 0)
            return false;
    work->rows = best->rows;
    work->delimiter = best->delimiter;
    sample_see(work->rows, work->delimiter, work->sample.is_workbook, work->seen);
    return work->cell_count > 0;
}

/* Whether a name is what some column is already, by itself, by what was said or was found. */
static bool is_taken(const struct work *work, const char *name)
{
    const struct diagnosis *result = work->result;
    size_t len = strlen(name);

    if (given_map(work, span_string(name), false) != NULL)
        return true;
    for (size_t i = 0; i < result->count; i++)
        if (strcmp(result->options[i].name, "map") == 0 &&
            strncmp(result->options[i].value, name, len) == 0 &&
            result->options[i].value[len] == '=')
            return true;
    for (size_t i = 0; i < work->cell_count; i++)
        if (heading_equal(work->cells[i], span_string(name)) &&
            given_map(work, work->cells[i], true) == NULL)
            return true;
    return false;
}

/* The name that this heading alone may mean; false where there is none, or several may mean it. */
static bool guess_alone(const struct work *work, size_t cell, char name[HEADING_NAME_MAX])
{
    char other[HEADING_NAME_MAX];

    if (!heading_guess(work->cells[cell], name) || is_taken(work, name))
        return false;
    for (size_t i = 0; i < work->cell_count; i++)
        if (i != cell && heading_guess(work->cells[i], other) && strcmp(name, other) == 0)
            return false;
    return true;
}

/* Whether the layout, as the options so far have it, knows what the column is. */
static bool is_known(const struct layout *layout, size_t cell)
{
    return layout->schema.columns[layout->set_count + cell].role != COLUMN_UNKNOWN;
}

static enum status add_words(struct layout *layout, const struct word_list *words,
                             enum status (*add)(struct layout *, const char *, struct buf *),
                             struct buf *message)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; words != NULL && i < words->count && status == STATUS_OK; i++)
        status = add(layout, words->items[i], message);
    return status;
}

/* Reads the header by all options, those that were given and those that were found. */
static enum status lay_out(struct work *work, struct layout *layout, struct problems *problems)
{
    const struct diagnosis_given *given = work->given;
    const struct diagnosis *result = work->result;
    struct buf message;

    buf_init_text(&message, FINDINGS_MAX);
    layout_init(layout);
    enum status status = add_words(layout, given->sets, layout_add_set, &message);
    if (status == STATUS_OK)
        status = add_words(layout, given->maps, layout_add_map, &message);
    if (status == STATUS_OK)
        status = add_words(layout, given->passes, layout_add_pass, &message);
    for (size_t i = 0; i < result->count && status == STATUS_OK; i++) {
        if (strcmp(result->options[i].name, "map") == 0)
            status = layout_add_map(layout, result->options[i].value, &message);
        else if (strcmp(result->options[i].name, "pass") == 0)
            status = layout_add_pass(layout, result->options[i].value, &message);
    }
    for (size_t i = 0; i < work->cell_count && status == STATUS_OK; i++)
        status = layout_add_column(layout, work->cells[i]);
    problems_clear(problems, 0, 0);
    if (status == STATUS_OK)
        layout_check(layout, problems);
    buf_deinit(&message);
    return status;
}

/* The only column of unknown meaning whose cells are all IMEIs; of several, the only one whose
 * check digits fit. SIZE_MAX for none. */
static size_t find_devices(const struct work *work, const struct layout *layout)
{
    size_t found[2] = {SIZE_MAX, SIZE_MAX}, count[2] = {0, 0};

    for (size_t i = 0; i < work->cell_count; i++) {
        const struct column_seen *seen = &work->seen[i];
        if (is_known(layout, i) || seen->cells == 0 || seen->devices < seen->cells)
            continue;
        for (size_t n = 0; n < 1 + (size_t)(seen->fitting == seen->devices); n++) {
            found[n] = i;
            count[n]++;
        }
    }
    return count[0] == 1 ? found[0] : count[1] == 1 ? found[1] : SIZE_MAX;
}

static void add_map(struct work *work, const char *name, size_t cell)
{
    char shown[SHOWN_MAX], guess[HEADING_NAME_MAX];
    bool is_by_heading = heading_guess(work->cells[cell], guess);

    look_show(work->cells[cell], shown, sizeof(shown));
    add_option(work, "map", "%s=%.*s", name, SPAN_ARG(work->cells[cell]));
    add_line(&work->result->findings,
             is_by_heading ? "%s is %s" : "%s holds numbers of 15 digits, as IMEIs are: it is %s",
             shown, name);
}

/* --map for the headings that have a meaning which is nobody else's, and for the column of IMEIs.
 */
static void add_maps(struct work *work, const struct layout *layout)
{
    char name[HEADING_NAME_MAX];
    size_t devices = is_taken(work, DEVICE_COLUMN) ? SIZE_MAX : find_devices(work, layout);

    for (size_t i = 0; i < work->cell_count; i++) {
        if (i == devices)
            add_map(work, DEVICE_COLUMN, i);
        else if (!is_known(layout, i) && guess_alone(work, i, name) &&
                 (devices == SIZE_MAX || strcmp(name, DEVICE_COLUMN) != 0))
            add_map(work, name, i);
    }
}

/* Whether a heading looks like a name that is misspelt, or means one that another column may be as
 * well: to pass it over would be a guess. */
static bool is_unclear(const struct work *work, struct span cell)
{
    char folded[HEADING_MAX], guess[HEADING_NAME_MAX];
    struct span name = heading_fold(cell, folded);
    const char *nearest = schema_nearest(name);

    if (span_starts_with(name, "res:") || (heading_guess(cell, guess) && !is_taken(work, guess)))
        return true;
    return nearest != NULL && name.len >= NEAR_LENGTH && strlen(nearest) >= NEAR_LENGTH &&
           name.ptr[0] == nearest[0] && !is_taken(work, nearest);
}

/* Whether an unknown column's cells look like what a resource is set to: numbers, true and false.
 * A number of the rows is none. */
static bool may_be_value(const struct work *work, size_t cell)
{
    const struct column_seen *seen = &work->seen[cell];

    return seen->cells > 0 && seen->values == seen->cells && seen->devices == 0 &&
           !heading_is_aside(work->cells[cell]);
}

/* Marks the unknown columns that may be the resource that is missing: all of them where none looks
 * like one. */
static void mark_values(struct work *work, const struct layout *layout)
{
    bool has_any = false;

    for (size_t i = 0; i < work->cell_count; i++) {
        work->is_value[i] =
            !is_known(layout, i) && !is_unclear(work, work->cells[i]) && may_be_value(work, i);
        has_any = has_any || work->is_value[i];
    }
    for (size_t i = 0; i < work->cell_count && !has_any; i++)
        work->is_value[i] = !is_known(layout, i) && !is_unclear(work, work->cells[i]) &&
                            !heading_is_aside(work->cells[i]);
}

/* Marks the columns whose cells become what they look like. */
static void mark_resources(struct work *work, const struct layout *layout)
{
    for (size_t i = 0; i < work->cell_count; i++) {
        const struct column *column = &layout->schema.columns[layout->set_count + i];
        if (column->judged && !column->judged_as_text && column->role != COLUMN_PART)
            work->is_value[i] = true;
    }
}

/* Says what becomes of the columns that mean nothing to the platform. */
static void say_passed(struct work *work, size_t count, struct buf *names, struct buf *values)
{
    struct diagnosis *result = work->result;

    if (values->len > 0)
        add_line(&result->unknown,
                 "the number of the resource that each of these columns sets: %s; a column that "
                 "sets none goes into --pass instead",
                 buf_string(values));
    if (names->len > 0)
        add_line(&result->findings,
                 count == 1 ? "%s is not sent, and goes into the results"
                            : "%s are not sent, and go into the results",
                 buf_string(names));
}

/* --pass for the columns that mean nothing to the platform; where a value is missing, which of them
 * is one is for a person to say. False where one cannot be named so. */
static bool add_passes(struct work *work, const struct layout *layout, bool lacks_value)
{
    struct buf names, shown, values;
    char text[SHOWN_MAX];
    bool can_be_named = true;
    size_t passed = 0;

    buf_init(&names, FINDINGS_MAX);
    buf_init(&shown, FINDINGS_MAX);
    buf_init(&values, FINDINGS_MAX);
    if (lacks_value)
        mark_values(work, layout);
    mark_resources(work, layout);
    for (size_t i = 0; i < work->cell_count; i++) {
        struct span cell = work->cells[i];
        if (is_known(layout, i))
            continue;
        can_be_named = can_be_named && memchr(cell.ptr, ',', cell.len) == NULL;
        look_show(cell, text, sizeof(text));
        if (is_unclear(work, cell)) {
            add_option(work, "map", "...=%.*s", SPAN_ARG(cell));
            add_line(&work->result->unknown, "what %s is", text);
            work->has_unclear = true;
        } else if (work->is_value[i]) {
            add_option(work, "map", "res:...=%.*s", SPAN_ARG(cell));
            buf_add_format(&values, "%s%s", values.len > 0 ? ", " : "", text);
        } else {
            passed++;
            buf_add_format(&names, "%s%.*s", names.len > 0 ? "," : "", SPAN_ARG(cell));
            buf_add_format(&shown, "%s%s", shown.len > 0 ? ", " : "", text);
        }
    }
    if (names.len > 0 && can_be_named)
        add_option(work, "pass", "%s", buf_string(&names));
    say_passed(work, passed, &shown, &values);
    buf_deinit(&names);
    buf_deinit(&shown);
    buf_deinit(&values);
    return can_be_named;
}

static bool asks_for_a_column(const struct diagnosis *diagnosis)
{
    for (size_t i = 0; i < diagnosis->count; i++)
        if (strncmp(diagnosis->options[i].value, "res:...=", strlen("res:...=")) == 0)
            return true;
    return false;
}

/* What the header lacks is for a person to say. False where something else is wrong with it. */
static bool add_missing(struct work *work, const struct problems *problems)
{
    struct diagnosis *result = work->result;
    bool asks = asks_for_a_column(result);
    struct buf names;

    buf_init(&names, FINDINGS_MAX);
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        struct span name = problem_field(problems, problem);
        bool is_missing = problem->code == PROBLEM_COLUMN_MISSING && schema_knows(name);
        if (!is_missing &&
            (problem->code != PROBLEM_COLUMN || problems->count < problems_total(problems))) {
            buf_deinit(&names);
            return false;
        }
        if (is_missing && span_is(name, DEVICE_COLUMN)) {
            add_option(work, "map", "%s=...", DEVICE_COLUMN);
            add_line(&result->unknown, "which column holds the IMEIs");
        } else if (is_missing && !span_is(name, "data")) {
            add_option(work, "set", "%.*s=...", SPAN_ARG(name));
            buf_add_format(&names, "%s%.*s", names.len > 0 ? ", " : "", SPAN_ARG(name));
        } else if (is_missing && !asks) {
            add_option(work, "set", "res:...=...");
            add_line(&result->unknown, "the resource that all rows set, and its value");
        }
    }
    if (names.len > 0)
        add_line(&result->unknown, "the values that all rows share: %s", buf_string(&names));
    buf_deinit(&names);
    return true;
}

static bool lacks_value(const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        if (span_is(problem_field(problems, &problems->items[i]), "data"))
            return true;
    return false;
}

/* Says what the headings are. False where no option makes a good header of them. */
static bool settle_headings(struct work *work, struct problems *problems)
{
    struct layout layout;
    bool is_good = false;
    enum status status = lay_out(work, &layout, problems);

    if (status == STATUS_OK) {
        add_maps(work, &layout);
        layout_deinit(&layout);
        status = lay_out(work, &layout, problems);
    }
    if (status == STATUS_OK && add_passes(work, &layout, lacks_value(problems))) {
        work->result->is_complete = false;
        is_good = add_missing(work, problems);
    }
    layout_deinit(&layout);
    if (status == STATUS_OK && is_good && work->result->unknown.len == 0) {
        status = lay_out(work, &layout, problems);
        is_good = status == STATUS_OK && problems->error_count == 0;
        work->result->is_complete = is_good;
        layout_deinit(&layout);
    }
    if (status == STATUS_NO_MEMORY)
        work->status = status;
    return is_good && status == STATUS_OK;
}

/* Says what a file is whose first lines have no name of a column among them. */
static void describe_headless(struct work *work, const struct candidate *first)
{
    struct span line = first->line, cell;

    for (size_t i = 0; i < ARRAY_LENGTH(wide_delimiters) && line.len > 0; i++) {
        const char *text = wide_delimiters[i].text;
        if (memmem(line.ptr, line.len, text, strlen(text)) == NULL)
            continue;
        add_line(&work->result->findings,
                 "its cells are separated by %s, which no option can name: put %s in its "
                 "place",
                 wide_delimiters[i].shown, wide_delimiters[i].ascii);
        return;
    }
    while (sample_take_cell(&line, first->delimiter, &cell)) {
        if (!sample_is_device(cell))
            continue;
        add_line(&work->result->findings,
                 "it has no header, and its first line is a row already: put a line with "
                 "the names of the columns above it (nbatch template has one)");
        return;
    }
}

/* Drops what was found: it does not help. */
static void forget(struct diagnosis *diagnosis)
{
    diagnosis_deinit(diagnosis);
    diagnosis->is_complete = false;
}

static bool is_given_word(const struct work *work, struct span word)
{
    const struct word_list *const lists[] = {work->given->trues, work->given->falses};

    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++)
        for (size_t j = 0; lists[i] != NULL && j < lists[i]->count; j++)
            for (struct span rest = span_string(lists[i]->items[j]); rest.len > 0;)
                if (span_equal(text_take_piece(&rest), word))
                    return true;
    return false;
}

/* The words for true, or for false, of the columns that hold nothing but such and numbers. */
static void find_words(const struct work *work, bool value, struct buf *ret_words)
{
    struct buf all;

    buf_init(&all, FINDINGS_MAX);
    for (size_t i = 0; i < work->cell_count; i++)
        if (work->is_value[i] && work->seen[i].words > 0 &&
            work->seen[i].values == work->seen[i].cells)
            sample_add_words(work->rows, work->delimiter, work->sample.is_workbook, i, value, &all);
    for (struct span rest = buf_span(&all); rest.len > 0;) {
        struct span word = text_take_piece(&rest);
        if (!is_given_word(work, word))
            text_add_item(word, ret_words);
    }
    buf_deinit(&all);
}

static enum status add_boolean_words(struct work *work)
{
    struct buf trues, falses;

    buf_init(&trues, FINDINGS_MAX);
    buf_init(&falses, FINDINGS_MAX);
    find_words(work, true, &trues);
    find_words(work, false, &falses);
    enum status status = diagnosis_add_words(work->result, buf_span(&trues), buf_span(&falses));
    buf_deinit(&trues);
    buf_deinit(&falses);
    return status;
}

static enum status find_all(struct work *work, struct problems *problems)
{
    struct candidate first, best = find_header(work, &first);
    struct diagnosis *result = work->result;

    enum status status = find_sheet(work, &best, &first);
    if (status != STATUS_OK)
        return status;
    if (best.points == 0) {
        forget(result);
        describe_headless(work, &first);
        return STATUS_OK;
    }
    add_place(work, &best, &first);
    size_t before = result->count;
    if (!split_header(work, &best) || !settle_headings(work, problems))
        forget(result);
    /* Where names alone are wrong and what they are is open, the problems say it one by one. */
    if (before == 0 && work->has_unclear)
        forget(result);
    return result->count > 0 ? add_boolean_words(work) : STATUS_OK;
}

enum status diagnosis_find(const struct diagnosis_given *given, struct diagnosis *ret_diagnosis)
{
    struct work *work = calloc(1, sizeof(*work));
    struct problems *problems = calloc(1, sizeof(*problems));

    diagnosis_init(ret_diagnosis);
    enum status status = STATUS_NO_MEMORY;
    if (work != NULL && problems != NULL) {
        problems_init(problems);
        work->given = given;
        work->result = ret_diagnosis;
        buf_init(&work->text, 16 * SOURCE_BLOCK_BYTES);
        status = take_sample(given, given->sheet, &work->sample);
        if (status == STATUS_OK)
            find_text(work);
        if (status == STATUS_OK && work->status == STATUS_OK)
            find_format(work);
        if (status == STATUS_OK && work->status == STATUS_OK && !is_jsonl(work))
            status = find_all(work, problems);
        else if (status == STATUS_OK)
            ret_diagnosis->is_complete = true;
        status = work->status == STATUS_NO_MEMORY ? STATUS_NO_MEMORY : status;
        sample_deinit(&work->sample);
        buf_deinit(&work->text);
        problems_deinit(problems);
    }
    free(work);
    free(problems);
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}
