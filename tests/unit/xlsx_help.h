/*
 * Workbooks out of texts, for tests: what is not given is a part that says as little as it can.
 *
 *     struct xlsx_parts parts = {.rows = "<row><c><v>1</v></c></row>"};
 *     int fd = xlsx_file(&parts);
 */
#ifndef NB_TESTS_XLSX_HELP_H
#define NB_TESTS_XLSX_HELP_H

#include <zip.h>

#include "reader_help.h"

#define XLSX_MAIN    "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
#define XLSX_REL     "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
#define XLSX_PACKAGE "http://schemas.openxmlformats.org/package/2006/relationships"

/* Each is the content of a part; NULL: the usual one. */
struct xlsx_parts {
    const char *rows;   /* what is in sheetData; used where there is no sheet */
    const char *behind; /* what is behind it, such as mergeCells */
    const char *sheet;
    const char *strings; /* "": no such part */
    const char *styles;  /* likewise */
    const char *workbook;
    const char *relations; /* of the workbook */
    const char *root;      /* _rels/.rels */
};

static inline void xlsx_add(zip_t *zip, const char *name, const char *text)
{
    zip_source_t *part = zip_source_buffer(zip, text, strlen(text), 0);

    MUST(part != NULL);
    MUST(zip_file_add(zip, name, part, ZIP_FL_ENC_UTF_8) >= 0);
}

static inline const char *xlsx_or(const char *given, const char *usual)
{
    return given != NULL ? given : usual;
}

static inline void xlsx_add_parts(zip_t *zip, const struct xlsx_parts *parts, struct buf *sheet)
{
    buf_add_string(sheet, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                          "<worksheet xmlns=\"" XLSX_MAIN "\"><sheetData>");
    buf_add_string(sheet, xlsx_or(parts->rows, ""));
    buf_add_string(sheet, "</sheetData>");
    buf_add_string(sheet, xlsx_or(parts->behind, ""));
    buf_add_string(sheet, "</worksheet>");
    xlsx_add(zip, "_rels/.rels",
             xlsx_or(parts->root,
                     "<Relationships xmlns=\"" XLSX_PACKAGE
                     "\"><Relationship Id=\"r1\" Type=\"" XLSX_REL
                     "/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"));
    xlsx_add(zip, "xl/workbook.xml",
             xlsx_or(parts->workbook,
                     "<workbook xmlns=\"" XLSX_MAIN "\" xmlns:r=\"" XLSX_REL
                     "\"><sheets><sheet name=\"Fleet\" sheetId=\"1\" r:id=\"r1\"/></sheets>"
                     "</workbook>"));
    xlsx_add(zip, "xl/_rels/workbook.xml.rels",
             xlsx_or(parts->relations,
                     "<Relationships xmlns=\"" XLSX_PACKAGE
                     "\"><Relationship Id=\"r1\" Type=\"" XLSX_REL
                     "/worksheet\" Target=\"worksheets/sheet1.xml\"/><Relationship Id=\"r2\" "
                     "Type=\"" XLSX_REL
                     "/sharedStrings\" Target=\"sharedStrings.xml\"/><Relationship Id=\"r3\" "
                     "Type=\"" XLSX_REL "/styles\" Target=\"styles.xml\"/></Relationships>"));
    xlsx_add(zip, "xl/worksheets/sheet1.xml", xlsx_or(parts->sheet, buf_string(sheet)));
    if (parts->strings == NULL || parts->strings[0] != '\0')
        xlsx_add(zip, "xl/sharedStrings.xml",
                 xlsx_or(parts->strings, "<sst xmlns=\"" XLSX_MAIN "\"/>"));
    if (parts->styles == NULL || parts->styles[0] != '\0')
        xlsx_add(zip, "xl/styles.xml",
                 xlsx_or(parts->styles, "<styleSheet xmlns=\"" XLSX_MAIN "\"/>"));
}

/* The workbook in a file in memory, whose descriptor is the caller's. */
static inline int xlsx_file(const struct xlsx_parts *parts)
{
    zip_error_t error;
    zip_stat_t about;
    struct buf sheet;

    zip_error_init(&error);
    buf_init(&sheet, SIZE_MAX / 2);
    zip_source_t *bytes = zip_source_buffer_create(NULL, 0, 0, &error);
    MUST(bytes != NULL);
    zip_source_keep(bytes);
    zip_t *zip = zip_open_from_source(bytes, ZIP_TRUNCATE, &error);
    MUST(zip != NULL);
    xlsx_add_parts(zip, parts, &sheet);
    MUST(zip_close(zip) == 0);
    MUST(zip_source_open(bytes) == 0);
    MUST(zip_source_stat(bytes, &about) == 0);
    char *all = malloc(about.size);
    MUST(all != NULL);
    MUST(zip_source_read(bytes, all, about.size) == (zip_int64_t)about.size);
    int fd = memory_file(all, about.size);
    free(all);
    (void)zip_source_close(bytes);
    zip_source_free(bytes);
    zip_error_fini(&error);
    buf_deinit(&sheet);
    return fd;
}

/* Rows as tell_checked tells them, each with the problems of a good one behind it. */
static inline void xlsx_tell_rows(struct reader *reader, struct buf *out)
{
    struct problems problems;
    struct row row;

    problems_init(&problems);
    enum status status = reader_header(reader, &problems);
    if (status != STATUS_OK) {
        buf_add_format(out, "%s: ", status == STATUS_BAD_INPUT ? "unusable" : status_text(status));
        tell_problems(&problems, out);
        buf_add_char(out, '\n');
    }
    for (size_t i = 0; status == STATUS_OK && i < reader_column_count(reader); i++) {
        buf_add_printable(out, reader_column_name(reader, i));
        buf_add_char(out, i + 1 < reader_column_count(reader) ? ',' : '\n');
    }
    while (status == STATUS_OK || status == STATUS_BAD_ROW) {
        status = reader_next(reader, &row, &problems);
        if (status == STATUS_OK) {
            buf_add_format(out, "%d ", (int)row.line);
            tell_row(&row, out);
        } else if (status == STATUS_BAD_ROW) {
            buf_add_format(out, "%d bad", (int)row.line);
        } else {
            buf_add_string(out, status == STATUS_END ? "end" : status_text(status));
        }
        if (problems.count > 0 && status != STATUS_END) {
            buf_add_char(out, ' ');
            tell_problems(&problems, out);
        }
        buf_add_char(out, '\n');
    }
    problems_deinit(&problems);
}

struct xlsx_reading {
    const char *sheet;
    size_t max_row_bytes; /* 0: the usual one */
    size_t block_bytes;   /* 0: as many as there are */
    bool twice;           /* what comes the second time is told */
};

/* The whole way of a workbook; the descriptor is closed. */
static inline void xlsx_tell(int fd, const struct xlsx_reading *reading, struct buf *out)
{
    struct source *source = source_of_fd(fd);
    struct reader_options options = {.format = INPUT_CSV, .max_row_bytes = reading->max_row_bytes};
    struct reader *reader = NULL;
    struct buf message;

    if (options.max_row_bytes == 0)
        options.max_row_bytes = READER_MAX_ROW_BYTES;
    buf_init(&message, 64 * 1024);
    if (reading->block_bytes > 0)
        source_set_block_bytes(source, reading->block_bytes);
    enum status status =
        source_find_workbook(source, reading->sheet, 0, options.max_row_bytes, &message);
    if (status != STATUS_OK) {
        buf_add_format(out, "%s\n", strchr(buf_string(&message), ' ') + 1);
    } else {
        MUST(reader_open(source, &options, &reader) == STATUS_OK);
        xlsx_tell_rows(reader, out);
        if (reading->twice) {
            buf_clear(out);
            MUST(source_rewind(source, &message) == STATUS_OK);
            reader_reset(reader);
            xlsx_tell_rows(reader, out);
        }
    }
    buf_deinit(&message);
    reader_close(reader);
    source_close(source);
}

#endif
