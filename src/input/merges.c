/*
 * Most of a part is rows, and most sheets have no merged cells: the bytes are searched for the end
 * tag of the rows, and only what is behind it is read as XML. Where the tag's name is found again
 * (it may have been text), the reading starts over there.
 */
#include "input/merges.h"

#include <ctype.h>

#include "input/xml.h"

enum {
    MERGES_MAX = 1024 * 1024,
    TAG_LOOK = 80, /* bytes of an end tag that are looked at */
};

void sheet_merges_deinit(struct sheet_merges *merges)
{
    free(merges->ranges);
    *merges = (struct sheet_merges){.count = 0};
}

/* A reading of what is behind the rows. */
struct tail {
    struct book *book;
    struct sheet_merges *merges;
    struct xml *xml;
    enum status status;
};

static void on_tail(void *context, int depth, const char *name, const char *const *attributes)
{
    struct tail *tail = context;
    struct sheet_merges *merges = tail->merges;
    const char *ref = xml_attribute(attributes, "ref");
    struct cell_range range;

    if (depth != 3 || strcmp(name, "mergeCell") != 0)
        return;
    if (ref == NULL || !cell_range_parse(span_string(ref), &range) || merges->count == MERGES_MAX) {
        tail->status = trouble_say(book_trouble(tail->book),
                                   "the workbook is damaged: its list of merged cells");
        xml_stop(tail->xml, tail->status);
        return;
    }
    if (merges->count == merges->capacity) {
        size_t capacity = merges->capacity > 0 ? merges->capacity * 2 : 64;
        struct cell_range *ranges = realloc(merges->ranges, capacity * sizeof(*ranges));
        if (ranges == NULL) {
            tail->status = STATUS_NO_MEMORY;
            xml_stop(tail->xml, tail->status);
            return;
        }
        merges->ranges = ranges;
        merges->capacity = capacity;
    }
    merges->ranges[merges->count++] = range;
}

/* The last end tag of the rows among the bytes; NULL for none. */
static const char *find_data_end(struct span bytes)
{
    static const char name[] = "sheetData";
    const char *found = NULL, *at = bytes.ptr, *end = bytes.ptr + bytes.len;

    while ((at = memmem(at, (size_t)(end - at), name, sizeof(name) - 1)) != NULL) {
        const char *open = at;
        while (open > bytes.ptr && at - open < TAG_LOOK && *open != '<')
            open--;
        if (*open == '<' && open + 1 < at && open[1] == '/')
            found = open;
        at += sizeof(name) - 1;
    }
    return found;
}

/* Begins to read at an end tag of the rows, for which there must have been a start. */
static enum status begin_tail(struct tail *tail, struct span bytes)
{
    static const struct xml_events events = {.start = on_tail};
    size_t len = 0;

    while (2 + len < bytes.len && bytes.ptr[2 + len] != '>' &&
           !isspace((unsigned char)bytes.ptr[2 + len]))
        len++;
    xml_free(tail->xml);
    tail->xml = NULL;
    tail->merges->count = 0;
    enum status status =
        xml_new(&events, tail, book_trouble(tail->book), book_sheet_part(tail->book), &tail->xml);
    if (status == STATUS_OK)
        status = xml_feed(tail->xml, SPAN_LITERAL("<w><"), false);
    if (status == STATUS_OK)
        status = xml_feed(tail->xml, span_of(bytes.ptr + 2, len), false);
    return status == STATUS_OK ? xml_feed(tail->xml, SPAN_LITERAL(">"), false) : status;
}

/* Gives the reading more. What is not well-formed ends it: the reading of all of the part tells. */
static enum status feed_tail(struct tail *tail, struct span bytes)
{
    if (tail->xml == NULL || bytes.len == 0)
        return STATUS_OK;
    enum status status = xml_feed(tail->xml, bytes, false);
    if (status == STATUS_BAD_INPUT && tail->status == STATUS_OK) {
        xml_free(tail->xml);
        tail->xml = NULL;
        return STATUS_OK;
    }
    return status;
}

static int compare_ranges(const void *left, const void *right)
{
    const struct cell_range *a = left, *b = right;

    return a->first_row < b->first_row ? -1 : a->first_row > b->first_row;
}

/* `bytes` holds the last TAG_LOOK bytes of the piece before, which have not been fed yet, and the
 * piece. */
static enum status scan_piece(struct tail *tail, struct span bytes, bool is_last, size_t *ret_fed)
{
    const char *found = find_data_end(bytes);
    size_t fed = bytes.len > TAG_LOOK && !is_last ? bytes.len - TAG_LOOK : is_last ? bytes.len : 0;
    size_t from = 0;
    enum status status = STATUS_OK;

    if (found != NULL && (is_last || (size_t)(found - bytes.ptr) < fed)) {
        from = (size_t)(found - bytes.ptr);
        status = begin_tail(tail, span_skip(bytes, from));
    }
    if (status == STATUS_OK && fed > from)
        status = feed_tail(tail, span_of(bytes.ptr + from, fed - from));
    *ret_fed = fed;
    return status;
}

enum status sheet_find_merges(struct book *book, struct sheet_merges *ret_merges)
{
    struct tail tail = {.book = book, .merges = ret_merges};
    struct archive_part *part = NULL;
    size_t held = 0;
    char *bytes = malloc(XML_CHUNK + TAG_LOOK);
    enum status status = bytes != NULL
                             ? archive_part_open(book_archive(book), book_sheet_part(book), &part)
                             : STATUS_NO_MEMORY;

    while (status == STATUS_OK) {
        size_t count = 0, fed = 0;
        status = part_read(part, bytes + held, XML_CHUNK, &count);
        if (status != STATUS_OK && status != STATUS_END)
            break;
        enum status scanned =
            scan_piece(&tail, span_of(bytes, held + count), status == STATUS_END, &fed);
        held = held + count - fed;
        memmove(bytes, bytes + fed, held);
        if (scanned != STATUS_OK)
            status = scanned;
    }
    xml_free(tail.xml);
    part_close(part);
    free(bytes);
    if (status != STATUS_END)
        return status;
    if (ret_merges->count > 1)
        qsort(ret_merges->ranges, ret_merges->count, sizeof(*ret_merges->ranges), compare_ranges);
    return STATUS_OK;
}
