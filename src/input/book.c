/*
 * What a workbook is comes out of a handful of small parts, each of them XML and read whole:
 *
 *     _rels/.rels                      names the main part,
 *     xl/workbook.xml                  that has the sheets, by the ids of relations,
 *     xl/_rels/workbook.xml.rels       that say which parts those are, and where strings and
 *                                      styles are
 *
 * Only book_load reads the shared strings, which may be as large as the sheet, and the styles: of
 * those nothing is kept but which of them make a date of a number.
 */
#include "input/book.h"

#include <strings.h>

#include "input/cell_text.h"
#include "input/xml.h"

enum {
    SHEET_NAME_MAX = 256, /* bytes; Excel allows 31 characters */
    RELATION_ID_MAX = 64,
    STYLES_MAX = 65536, /* Excel allows 65 490 */
    FORMATS_MAX = 4096, /* some 250 */
};

struct sheet_entry {
    char name[SHEET_NAME_MAX];
    char relation[RELATION_ID_MAX];
    bool is_hidden;
    char part[ARCHIVE_NAME_MAX]; /* "" for what is no table: a chart, a macro sheet */
};

struct book {
    struct archive *archive;
    struct trouble *trouble;
    char main_part[ARCHIVE_NAME_MAX]; /* usually xl/workbook.xml */
    char strings_part[ARCHIVE_NAME_MAX];
    char styles_part[ARCHIVE_NAME_MAX];
    struct sheet_entry *sheets;
    size_t sheet_count;
    const struct sheet_entry *chosen;
    bool is_1904;
    bool is_workbook; /* the main part's root says so */
    bool is_loaded;
    struct buf strings; /* one behind the other */
    struct buf ends;    /* a uint32_t each: where it ends */
    struct buf string;  /* the one that is being read */
    bool in_text, in_run, keeps_space;
    size_t text_start;  /* of the t at hand, in `string` */
    struct buf formats; /* a uint32_t each: the numbers of formats that show dates … */
    struct buf plain;   /* … and those of the usual numbers that a workbook has made others of */
    struct buf is_date; /* a byte for each style */
    bool in_styles;
};

/* A name as the archive has it: what `target` is, seen from the part `base`. */
static bool resolve(const char *base, const char *target, char out[ARCHIVE_NAME_MAX])
{
    const char *slash = strrchr(base, '/');
    size_t len = 0;

    if (target[0] == '/')
        target++;
    else if (slash != NULL)
        len = (size_t)(slash - base) + 1;
    if (len + strlen(target) + 1 > ARCHIVE_NAME_MAX)
        return false;
    memcpy(out, base, len);
    while (*target != '\0') {
        size_t step = strcspn(target, "/"), next = step + (target[step] == '/');
        if (step == 2 && memcmp(target, "..", 2) == 0) {
            if (len == 0)
                return false;
            for (len--; len > 0 && out[len - 1] != '/'; len--)
                ;
        } else if (!(step == 1 && target[0] == '.')) {
            memcpy(out + len, target, next);
            len += next;
        }
        target += next;
    }
    out[len] = '\0';
    return len > 0;
}

/* The part that says what the part relates to. */
static bool relations_of(const char *part, char out[ARCHIVE_NAME_MAX])
{
    const char *slash = strrchr(part, '/');
    int dir = slash != NULL ? (int)(slash - part) + 1 : 0;
    int len = snprintf(out, ARCHIVE_NAME_MAX, "%.*s_rels/%s.rels", dir, part, part + dir);

    return len > 0 && len < ARCHIVE_NAME_MAX;
}

/* Whether a relation's type, a URI of either standard, ends like that. */
static bool is_type(const char *type, const char *end)
{
    const char *slash = strrchr(type, '/');

    return slash != NULL && strcmp(slash + 1, end) == 0;
}

static void on_relation(void *context, int depth, const char *name, const char *const *attributes)
{
    struct book *book = context;
    const char *id = xml_attribute(attributes, "Id");
    const char *type = xml_attribute(attributes, "Type");
    const char *target = xml_attribute(attributes, "Target");
    const char *mode = xml_attribute(attributes, "TargetMode");
    char part[ARCHIVE_NAME_MAX];

    if (depth != 2 || strcmp(name, "Relationship") != 0 || id == NULL || type == NULL ||
        target == NULL || (mode != NULL && strcmp(mode, "External") == 0) ||
        !resolve(book->main_part, target, part))
        return;
    if (book->main_part[0] == '\0') {
        if (is_type(type, "officeDocument"))
            memcpy(book->main_part, part, sizeof(part));
        return;
    }
    if (is_type(type, "sharedStrings"))
        memcpy(book->strings_part, part, sizeof(part));
    else if (is_type(type, "styles"))
        memcpy(book->styles_part, part, sizeof(part));
    for (size_t i = 0; i < book->sheet_count && is_type(type, "worksheet"); i++)
        if (strcmp(book->sheets[i].relation, id) == 0)
            memcpy(book->sheets[i].part, part, sizeof(part));
}

static void add_sheet(struct book *book, const char *const *attributes)
{
    const char *name = xml_attribute(attributes, "name");
    const char *state = xml_attribute(attributes, "state");
    const char *id = NULL;

    for (const char *const *at = attributes; at[0] != NULL; at += 2) /* r:id; sheetId is another */
        if (strchr(at[0], ':') != NULL && strcmp(strchr(at[0], ':'), ":id") == 0)
            id = at[1];
    if (name == NULL || id == NULL || book->sheet_count == BOOK_SHEETS_MAX)
        return;
    struct sheet_entry *sheet = &book->sheets[book->sheet_count++];
    (void)snprintf(sheet->name, sizeof(sheet->name), "%s", name);
    (void)snprintf(sheet->relation, sizeof(sheet->relation), "%s", id);
    sheet->is_hidden = state != NULL && strcmp(state, "visible") != 0;
}

static void on_workbook(void *context, int depth, const char *name, const char *const *attributes)
{
    struct book *book = context;

    if (depth == 1)
        book->is_workbook = strcmp(name, "workbook") == 0;
    else if (depth == 2 && strcmp(name, "workbookPr") == 0)
        book->is_1904 = xml_attribute_is_true(attributes, "date1904");
    else if (depth == 3 && strcmp(name, "sheet") == 0)
        add_sheet(book, attributes);
}

/* What an archive is that is no workbook of the kind that is read. */
static enum status refuse_archive(struct book *book)
{
    char type[64] = "";
    struct archive_part *part = NULL;
    size_t count = 0;

    if (archive_has(book->archive, "mimetype") &&
        archive_part_open(book->archive, "mimetype", &part) == STATUS_OK) {
        if (part_read(part, type, sizeof(type) - 1, &count) != STATUS_OK)
            count = 0;
        type[count] = '\0';
        part_close(part);
    }
    if (strstr(type, "opendocument") != NULL)
        (void)trouble_say(book->trouble, "an OpenDocument file (.ods) cannot be read: save it as "
                                         ".xlsx or CSV (in LibreOffice: File, Save As)");
    else if (archive_has(book->archive, "Index/Document.iwa") ||
             archive_has(book->archive, "Index.zip"))
        (void)trouble_say(book->trouble, "a .numbers file cannot be read: export it as .xlsx or "
                                         "CSV (in Numbers: File, Export To)");
    else if (book->main_part[0] != '\0')
        (void)trouble_say(book->trouble, "an Office file that is no .xlsx workbook (an .xlsb, a "
                                         "document, slides) cannot be read: save the sheet as "
                                         ".xlsx or CSV UTF-8");
    else
        (void)trouble_say(book->trouble,
                          "a zip archive cannot be read: unpack it, and give the file in it");
    return STATUS_USAGE;
}

static bool is_binary(const char *part)
{
    size_t len = strlen(part);

    return len > 4 && strcasecmp(part + len - 4, ".bin") == 0;
}

static enum status read_parts(struct book *book)
{
    static const struct xml_events relations = {.start = on_relation};
    static const struct xml_events workbook = {.start = on_workbook};
    char part[ARCHIVE_NAME_MAX];
    enum status status;

    if (!archive_has(book->archive, "_rels/.rels"))
        return refuse_archive(book);
    status = xml_read_part(book->archive, "_rels/.rels", &relations, book, book->trouble);
    if (status != STATUS_OK)
        return status;
    if (book->main_part[0] == '\0' || is_binary(book->main_part))
        return refuse_archive(book);
    status = xml_read_part(book->archive, book->main_part, &workbook, book, book->trouble);
    if (status != STATUS_OK)
        return status;
    if (!book->is_workbook)
        return refuse_archive(book);
    if (!relations_of(book->main_part, part))
        return trouble_say(book->trouble, "the workbook is damaged: its parts are named too long");
    return xml_read_part(book->archive, part, &relations, book, book->trouble);
}

enum status book_open(int fd, struct trouble *trouble, struct book **ret_book)
{
    struct book *book = calloc(1, sizeof(*book));

    if (book == NULL)
        return STATUS_NO_MEMORY;
    book->trouble = trouble;
    buf_init(&book->strings, BOOK_STRINGS_MAX);
    buf_init(&book->ends, BOOK_STRINGS_MAX);
    buf_init(&book->string, BOOK_STRINGS_MAX);
    buf_init(&book->formats, FORMATS_MAX * sizeof(uint32_t));
    buf_init(&book->plain, FORMATS_MAX * sizeof(uint32_t));
    buf_init(&book->is_date, STYLES_MAX);
    book->sheets = calloc(BOOK_SHEETS_MAX, sizeof(*book->sheets));
    enum status status =
        book->sheets != NULL ? archive_open(fd, trouble, &book->archive) : STATUS_NO_MEMORY;
    if (status == STATUS_OK)
        status = read_parts(book);
    if (status != STATUS_OK) {
        book_close(book);
        return status;
    }
    *ret_book = book;
    return STATUS_OK;
}

void book_close(struct book *book)
{
    if (book == NULL)
        return;
    archive_close(book->archive);
    buf_deinit(&book->strings);
    buf_deinit(&book->ends);
    buf_deinit(&book->string);
    buf_deinit(&book->formats);
    buf_deinit(&book->plain);
    buf_deinit(&book->is_date);
    free(book->sheets);
    free(book);
}

/* Names the sheets that there are. */
static enum status refuse_choice(const struct book *book, const char *wanted,
                                 struct trouble *trouble)
{
    struct buf names;

    buf_init_text(&names, sizeof(trouble->text) / 2);
    for (size_t i = 0; i < book->sheet_count; i++)
        if (book->sheets[i].part[0] != '\0')
            buf_add_format(&names, "%s%zu \"%s\"%s", names.len > 0 ? ", " : "", i + 1,
                           book->sheets[i].name, book->sheets[i].is_hidden ? " (hidden)" : "");
    const char *more = names.status != STATUS_OK ? ", …" : "";
    if (wanted != NULL && names.len > 0)
        (void)trouble_say(trouble, "--sheet %s: the workbook has no such sheet; it has %s%s",
                          wanted, buf_string(&names), more);
    else if (wanted != NULL)
        (void)trouble_say(trouble, "--sheet %s: the workbook has no such sheet", wanted);
    else if (names.len > 0)
        (void)trouble_say(trouble,
                          "the workbook has no visible sheet with a table; name a hidden one with "
                          "--sheet: %s%s",
                          buf_string(&names), more);
    else
        (void)trouble_say(trouble, "the workbook has no visible sheet with a table");
    buf_deinit(&names);
    return STATUS_USAGE;
}

enum status book_choose(struct book *book, const char *wanted, struct trouble *trouble)
{
    uint64_t number = 0;
    const struct sheet_entry *found = NULL;

    for (size_t i = 0; i < book->sheet_count && found == NULL; i++) {
        const struct sheet_entry *sheet = &book->sheets[i];
        if (sheet->part[0] != '\0' &&
            (wanted != NULL ? strcmp(sheet->name, wanted) == 0 : !sheet->is_hidden))
            found = sheet;
    }
    if (found == NULL && wanted != NULL &&
        span_to_uint64(span_string(wanted), &number) == STATUS_OK && number >= 1 &&
        number <= book->sheet_count && book->sheets[number - 1].part[0] != '\0')
        found = &book->sheets[number - 1];
    if (found == NULL)
        return refuse_choice(book, wanted, trouble);
    book->chosen = found;
    return STATUS_OK;
}

/* Shared strings: sst, si, then t, or r (a run of rich text) with t in it. Phonetic runs, rPh, say
 * how a text is read aloud and are none of it. */
static void on_string_start(void *context, int depth, const char *name,
                            const char *const *attributes)
{
    struct book *book = context;

    if (depth == 2)
        buf_clear(&book->string);
    else if (depth == 3)
        book->in_run = strcmp(name, "r") == 0;
    book->in_text = strcmp(name, "t") == 0 && (depth == 3 || (depth == 4 && book->in_run));
    if (!book->in_text)
        return;
    book->keeps_space = xml_preserves_space(attributes);
    book->text_start = book->string.len;
}

static void on_string_text(void *context, const char *text, size_t len)
{
    struct book *book = context;

    if (book->in_text)
        buf_add_bytes(&book->string, text, len);
}

static void on_string_end(void *context, int depth, const char *name)
{
    struct book *book = context;

    if (book->in_text && !book->keeps_space)
        cell_trim_from(&book->string, book->text_start);
    book->in_text = false;
    if (depth != 2 || strcmp(name, "si") != 0)
        return;
    cell_unescape(&book->string);
    buf_add(&book->strings, buf_span(&book->string));
    uint32_t end = (uint32_t)book->strings.len;
    buf_add_bytes(&book->ends, &end, sizeof(end));
}

/* Behind each piece: whether the strings still fit. */
static enum status check_strings(struct book *book)
{
    bool is_full = book->string.status == STATUS_TOO_BIG ||
                   book->strings.status == STATUS_TOO_BIG || book->ends.status == STATUS_TOO_BIG ||
                   book->strings.len + book->ends.len > BOOK_STRINGS_MAX;

    if (is_full)
        return trouble_say(book->trouble,
                           "the texts of the workbook take more than %d MiB of memory: save the "
                           "sheet as CSV UTF-8, and give that",
                           BOOK_STRINGS_MAX / (1024 * 1024));
    return book->string.status != STATUS_OK    ? book->string.status
           : book->strings.status != STATUS_OK ? book->strings.status
                                               : book->ends.status;
}

static enum status load_strings(struct book *book)
{
    static const struct xml_events events = {.start = on_string_start,
                                             .end = on_string_end,
                                             .text = on_string_text};
    struct archive_part *part = NULL;
    struct xml *xml = NULL;

    if (book->strings_part[0] == '\0' || !archive_has(book->archive, book->strings_part))
        return STATUS_OK; /* a cell that refers to one is damage, and said then */
    enum status status = archive_part_open(book->archive, book->strings_part, &part);
    if (status == STATUS_OK)
        status = xml_new(&events, book, book->trouble, book->strings_part, &xml);
    while (status == STATUS_OK) {
        status = xml_step(xml, part);
        enum status room = check_strings(book);
        if (room != STATUS_OK)
            status = room;
    }
    xml_free(xml);
    part_close(part);
    buf_deinit(&book->string);
    return status == STATUS_END ? STATUS_OK : status;
}

static bool has_number(const struct buf *numbers, uint32_t number)
{
    for (size_t i = 0; i + sizeof(number) <= numbers->len; i += sizeof(number))
        if (memcmp(numbers->ptr + i, &number, sizeof(number)) == 0)
            return true;
    return false;
}

static bool parse_number(const char *text, uint32_t *ret_number)
{
    uint64_t number = 0;

    if (text == NULL || span_to_uint64(span_string(text), &number) != STATUS_OK ||
        number > UINT32_MAX)
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

/* Styles: numFmts with numFmt, then cellXfs with xf. */
static void on_style(void *context, int depth, const char *name, const char *const *attributes)
{
    struct book *book = context;
    uint32_t id = 0;

    if (depth == 2)
        book->in_styles = strcmp(name, "cellXfs") == 0;
    if (depth != 3)
        return;
    if (strcmp(name, "numFmt") == 0 && parse_number(xml_attribute(attributes, "numFmtId"), &id)) {
        const char *code = xml_attribute(attributes, "formatCode");
        bool is_date = code != NULL && cell_format_is_date(code);
        buf_add_bytes(is_date ? &book->formats : &book->plain, &id, sizeof(id));
    } else if (book->in_styles && strcmp(name, "xf") == 0) {
        bool has_id = parse_number(xml_attribute(attributes, "numFmtId"), &id);
        bool is_date = has_id && (has_number(&book->formats, id) ||
                                  (cell_format_id_is_date(id) && !has_number(&book->plain, id)));
        buf_add_char(&book->is_date, is_date ? 1 : 0);
    }
}

static enum status load_styles(struct book *book)
{
    static const struct xml_events events = {.start = on_style};

    if (book->styles_part[0] == '\0' || !archive_has(book->archive, book->styles_part))
        return STATUS_OK;
    enum status status =
        xml_read_part(book->archive, book->styles_part, &events, book, book->trouble);
    if (status == STATUS_OK &&
        (book->formats.status != STATUS_OK || book->plain.status != STATUS_OK ||
         book->is_date.status != STATUS_OK))
        status = trouble_say(book->trouble, "the workbook is damaged: it has too many formats");
    return status;
}

enum status book_load(struct book *book)
{
    enum status status = STATUS_OK;

    if (book->is_loaded)
        return STATUS_OK;
    status = load_styles(book);
    if (status == STATUS_OK)
        status = load_strings(book);
    book->is_loaded = status == STATUS_OK;
    return status;
}

struct archive *book_archive(struct book *book)
{
    return book->archive;
}

struct trouble *book_trouble(struct book *book)
{
    return book->trouble;
}

const char *book_sheet_part(const struct book *book)
{
    return book->chosen->part;
}

const char *book_sheet_name(const struct book *book)
{
    return book->chosen->name;
}

size_t book_sheet_count(const struct book *book)
{
    size_t count = 0;

    for (size_t i = 0; i < book->sheet_count; i++)
        count += book->sheets[i].part[0] != '\0';
    return count;
}

bool book_sheet_is_hidden(const struct book *book)
{
    return book->chosen->is_hidden;
}

bool book_is_1904(const struct book *book)
{
    return book->is_1904;
}

bool book_string(const struct book *book, uint32_t index, struct span *ret_text)
{
    uint32_t start = 0, end = 0;

    if (index >= book->ends.len / sizeof(end))
        return false;
    memcpy(&end, book->ends.ptr + index * sizeof(end), sizeof(end));
    if (index > 0)
        memcpy(&start, book->ends.ptr + (index - 1) * sizeof(start), sizeof(start));
    *ret_text = span_of(book->strings.ptr + start, end - start);
    return true;
}

bool book_style_is_date(const struct book *book, uint32_t style)
{
    return style < book->is_date.len && book->is_date.ptr[style] != 0;
}
