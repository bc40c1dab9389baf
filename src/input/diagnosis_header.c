#include "input/diagnosis_impl.h"

#include "core/text.h"
#include "input/guess_encoding.h"
#include "input/sample_text.h"
#include "platform/heading.h"
#include "platform/layout.h"

enum {
    KNOWN_POINTS = 3, /* of a cell that is a name */
    GUESS_POINTS = 2, /* and of one that may mean one */
};

static const char usual_delimiters[] = {',', ';', '\t', '|'};

/* What separates cells for a person, and is no delimiter. */
static const struct {
    const char *text, *shown, *ascii;
} wide_delimiters[] = {{"，", "the full-width comma ， (U+FF0C)", ","},
                       {"；", "the full-width semicolon ； (U+FF1B)", ";"},
                       {"、", "the enumeration comma 、 (U+3001)", ","}};
void diagnosis_drop_sample(struct sample *sample)
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

enum status diagnosis_take_sample(const struct diagnosis_given *given, const char *sheet,
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

static size_t points_of(const struct work *work, struct span line, char delimiter)
{
    char name[HEADING_NAME_MAX];
    struct span cell;
    size_t points = 0;

    while (sample_take_cell(&line, delimiter, &cell)) {
        if (cell.len == 0)
            continue;
        if (schema_knows(cell) || diagnosis_given_map(work, cell, true) != NULL)
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

bool diagnosis_is_jsonl(const struct work *work)
{
    enum input_format format = INPUT_CSV;
    struct span text = text_trim_blanks(buf_span(&work->text));

    if (work->given->format > 0)
        return work->given->format == INPUT_JSONL + 1;
    return reader_format_of(work->given->path, &format) ? format == INPUT_JSONL
                                                        : text.len > 0 && text.ptr[0] == '{';
}

/* Looks which encoding the file has, and makes text of its start. */
void diagnosis_find_text(struct work *work)
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
        diagnosis_add_option(work, "encoding", "%s", name);
        diagnosis_add_line(&work->result->findings, "its text is %s", name);
    }
    if (work->status == STATUS_OK)
        work->status = guess_decode(buf_span(&sample->head), name, &work->text);
}

void diagnosis_find_format(struct work *work)
{
    enum input_format format;

    if (work->sample.is_workbook || work->given->format > 0 ||
        reader_format_of(work->given->path, &format))
        return;
    diagnosis_add_option(work, "format", "%s", diagnosis_is_jsonl(work) ? "jsonl" : "csv");
    diagnosis_add_line(&work->result->findings, "it is %s by its content",
                       diagnosis_is_jsonl(work) ? "JSONL" : "CSV");
}

enum status diagnosis_find_header(struct work *work, struct candidate *best,
                                  struct candidate *first)
{
    size_t sheets = work->sample.sheets;
    enum status status = STATUS_OK;

    *best = find_header(work, first);
    /* Where the sheet that is read has no header, another one may. */
    for (size_t i = 1; best->points == 0 && i <= sheets && i <= DIAGNOSIS_SHEETS; i++) {
        char number[24];
        (void)snprintf(number, sizeof(number), "%zu", i);
        diagnosis_drop_sample(&work->sample);
        status = diagnosis_take_sample(work->given, number, &work->sample);
        if (status != STATUS_OK)
            return status;
        buf_clear(&work->text);
        buf_add(&work->text, buf_span(&work->sample.head));
        *best = find_header(work, first);
        if (best->points == 0)
            continue;
        diagnosis_add_option(work, "sheet", "%s", number);
        diagnosis_add_line(&work->result->findings, "its table is on sheet %s", number);
    }
    return status;
}

/* How the header is told from what is around it. */
void diagnosis_add_place(struct work *work, const struct candidate *best,
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
        diagnosis_add_option(work, "delimiter", "%s", names[i].name);
        diagnosis_add_line(&work->result->findings, "its cells are separated by %s",
                           names[i].shown);
    }
    if (best->number == read)
        return;
    diagnosis_add_option(work, "header-line", "%llu", (unsigned long long)best->number);
    diagnosis_add_line(&work->result->findings, "the names of its columns are on line %llu",
                       (unsigned long long)best->number);
}

/* Splits the header; false where it has what no option helps against. */
bool diagnosis_split_header(struct work *work, const struct candidate *best)
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

/* Says what a file is whose first lines have no name of a column among them. */
void diagnosis_describe_headless(struct work *work, const struct candidate *first)
{
    struct span line = first->line, cell;

    for (size_t i = 0; i < ARRAY_LENGTH(wide_delimiters) && line.len > 0; i++) {
        const char *text = wide_delimiters[i].text;
        if (memmem(line.ptr, line.len, text, strlen(text)) == NULL)
            continue;
        diagnosis_add_line(&work->result->findings,
                           "its cells are separated by %s, which no option can name: put %s in its "
                           "place",
                           wide_delimiters[i].shown, wide_delimiters[i].ascii);
        return;
    }
    while (sample_take_cell(&line, first->delimiter, &cell)) {
        if (!sample_is_device(cell))
            continue;
        diagnosis_add_line(&work->result->findings,
                           "it has no header, and its first line is a row already: put a line with "
                           "the names of the columns above it (nbatch template has one)");
        return;
    }
}
