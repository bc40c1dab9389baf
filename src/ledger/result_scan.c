/*
 * Lines are found in blocks that are read one behind the other: a line ends with the first line end
 * that is not within quotes, of which the text up to there has an even number. What is cut off at
 * the end of a block is moved to the start of the next. Each line is then taken apart strictly:
 * what is not as nbatch writes it is no line, so that a part of one is never taken for another.
 */
#include "ledger/result_scan.h"

#include "core/jsonlex.h"

const char result_again_error[] = "sent again after its earlier command had ended: ";

const char result_orphan_error[] =
    "the run ended while this was under way: it may have been processed";

static const char key_error[] = "key is not 16 hexadecimal digits, a minus sign and a number";

void result_scan_init(struct result_scan *scan, struct disk *disk, int fd, bool jsonl,
                      size_t passed_count)
{
    *scan = (struct result_scan){.disk = disk,
                                 .fd = fd,
                                 .jsonl = jsonl,
                                 .passed_count = passed_count,
                                 .block_bytes = RESULT_SCAN_BLOCK_BYTES};
    buf_init(&scan->block, RESULT_LINE_MAX + RESULT_SCAN_BLOCK_BYTES);
}

void result_scan_deinit(struct result_scan *scan)
{
    buf_deinit(&scan->block);
}

void result_scan_range(struct result_scan *scan, uint64_t from, uint64_t to)
{
    scan->at = scan->read = from;
    scan->to = to;
    buf_clear(&scan->block);
    scan->used = scan->searched = 0;
}

static enum status fail(struct result_scan *scan, const char *error)
{
    scan->error = error;
    return STATUS_SYNTAX;
}

/* Reads on behind what is there; STATUS_END when there is no more. */
static enum status read_block(struct result_scan *scan)
{
    struct buf *block = &scan->block;
    uint64_t left = scan->to - scan->read;
    size_t room = scan->block_bytes;
    ssize_t count;

    if (left == 0)
        return STATUS_END;
    if (block->len - scan->used > RESULT_LINE_MAX)
        return fail(scan, "the line is longer than any that nbatch writes");
    buf_drop(block, scan->used);
    scan->used = 0;
    if (!buf_reserve(block, room))
        return block->status;
    if (room > left)
        room = (size_t)left;
    count = scan->disk->read_at(scan->disk, scan->fd, block->ptr + block->len, room, scan->read);
    if (count < 0)
        return STATUS_IO;
    if (count == 0)
        return fail(scan, "the file ends before its end: it was cut off while it was read");
    if (scan->hash != NULL)
        (void)XXH3_64bits_update(scan->hash, block->ptr + block->len, (size_t)count);
    block->len += (size_t)count;
    scan->read += (uint64_t)count;
    return STATUS_OK;
}

static size_t count_quotes(struct span text)
{
    size_t count = 0;
    const char *end = text.ptr + text.len;

    for (const char *at = text.ptr; at < end && (at = memchr(at, '"', (size_t)(end - at))) != NULL;
         at++)
        count++;
    return count;
}

bool result_find_end(struct span text, bool jsonl, size_t *searched, size_t *ret_len)
{
    for (;;) {
        const char *end =
            text.len > *searched ? memchr(text.ptr + *searched, '\n', text.len - *searched) : NULL;
        if (end == NULL) {
            *searched = text.len;
            return false;
        }
        size_t len = (size_t)(end - text.ptr) + 1;
        if (jsonl || count_quotes(span_of(text.ptr, len)) % 2 == 0) {
            *ret_len = len;
            return true;
        }
        *searched = len;
    }
}

static bool find_end(struct result_scan *scan, size_t *ret_len)
{
    return result_find_end(span_of(scan->block.ptr + scan->used, scan->block.len - scan->used),
                           scan->jsonl, &scan->searched, ret_len);
}

enum status result_scan_line(struct result_scan *scan, struct span *ret_line)
{
    size_t len;

    while (!find_end(scan, &len)) {
        enum status status = read_block(scan);
        if (status == STATUS_END && scan->block.len > scan->used)
            return fail(scan, "the line has no end");
        if (status != STATUS_OK)
            return status;
    }
    *ret_line = span_of(scan->block.ptr + scan->used, len);
    scan->used += len;
    scan->searched = 0;
    return STATUS_OK;
}

struct span result_line_text(struct span line, bool is_header)
{
    if (is_header && span_starts_with(line, "\xef\xbb\xbf"))
        line = span_skip(line, 3);
    if (line.len > 0 && line.ptr[line.len - 1] == '\n')
        line.len--;
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* The third value of a line: of a CSV, or behind its name in an object. */
static bool read_key(struct span text, bool jsonl, struct result_fields *ret_fields)
{
    struct span cell = {.len = 0};

    for (int i = 0; i < 3; i++) {
        const char *comma = memchr(text.ptr, ',', text.len);
        if (comma == NULL)
            return false;
        cell = span_of(text.ptr, (size_t)(comma - text.ptr));
        text = span_skip(text, cell.len + 1);
    }
    if (jsonl)
        cell = span_starts_with(cell, "\"key\":") ? result_without_quotes(span_skip(cell, 6))
                                                  : span_of(NULL, 0);
    ret_fields->id = (struct row_id){.hash = 0};
    return result_parse_key(cell, &ret_fields->id);
}

enum status result_scan_next(struct result_scan *scan, struct result_fields *ret_fields)
{
    struct span line;
    enum status status = result_scan_line(scan, &line);

    if (status != STATUS_OK)
        return status;
    struct span text = result_line_text(line, false);
    if (scan->keys_only && !read_key(text, scan->jsonl, ret_fields)) {
        scan->error = key_error;
        return STATUS_SYNTAX;
    }
    if (!scan->keys_only &&
        !result_parse_line(text, scan->jsonl, scan->passed_count, ret_fields, &scan->error))
        return STATUS_SYNTAX;
    ret_fields->offset = scan->at;
    ret_fields->line = line;
    scan->at += line.len;
    return STATUS_OK;
}

enum status result_scan_header(struct result_scan *scan, struct span expected)
{
    struct span line;

    if (expected.len == 0)
        return STATUS_OK;
    enum status status = result_scan_line(scan, &line);
    if (status == STATUS_END)
        return fail(scan, "the file is empty: it has no header");
    if (status != STATUS_OK)
        return status;
    if (!span_equal(result_line_text(line, true), result_line_text(expected, true)))
        return fail(scan, "the columns are others than this run's");
    scan->at += line.len;
    return STATUS_OK;
}

enum status result_scan_each(struct result_scan *scan, uint64_t from, uint64_t to,
                             struct span header, result_take_fn *take, void *context)
{
    struct result_fields fields;
    enum status status = STATUS_OK;

    result_scan_range(scan, from, to);
    if (from == 0)
        status = result_scan_header(scan, header);
    while (status == STATUS_OK) {
        status = result_scan_next(scan, &fields);
        if (status == STATUS_OK)
            status = take(context, &fields);
    }
    return status == STATUS_END ? STATUS_OK : status;
}

bool result_scan_is_cut(const struct result_scan *scan)
{
    return scan->read == scan->to && scan->searched > 0 &&
           scan->searched == scan->block.len - scan->used;
}

bool result_parse_key(struct span text, struct row_id *ret_id)
{
    uint64_t hash = 0, occurrence;

    if (text.len < 18 || text.ptr[16] != '-')
        return false;
    for (size_t i = 0; i < 16; i++) {
        char c = text.ptr[i];
        if (!is_hex_digit(c) || (c >= 'A' && c <= 'F'))
            return false;
        hash = hash << 4 | hex_digit_value(c);
    }
    if (span_to_uint64(span_skip(text, 17), &occurrence) != STATUS_OK || occurrence == 0 ||
        occurrence > UINT32_MAX)
        return false;
    ret_id->hash = hash;
    ret_id->occurrence = (uint32_t)occurrence;
    return true;
}

bool result_take_cell(struct span *text, bool is_last, struct span *ret_cell)
{
    size_t len = 0;

    if (text->len > 0 && text->ptr[0] == '"') {
        for (len = 1; len < text->len; len++) {
            if (text->ptr[len] != '"')
                continue;
            if (len + 1 >= text->len || text->ptr[len + 1] != '"')
                break;
            len++;
        }
        if (len >= text->len)
            return false;
        len++;
    } else {
        while (len < text->len && text->ptr[len] != ',') {
            if (text->ptr[len] == '"')
                return false;
            len++;
        }
    }
    if (is_last ? len != text->len : len >= text->len || text->ptr[len] != ',')
        return false;
    *ret_cell = span_of(text->ptr, len);
    *text = span_skip(*text, is_last ? len : len + 1);
    return true;
}

/* The same where the text has no quote, as most lines: C's library finds the comma faster. */
static bool take_plain_cell(struct span *text, bool is_last, struct span *ret_cell)
{
    const char *comma = text->len > 0 ? memchr(text->ptr, ',', text->len) : NULL;
    size_t len = comma != NULL ? (size_t)(comma - text->ptr) : text->len;

    if (is_last != (comma == NULL))
        return false;
    *ret_cell = span_of(text->ptr, len);
    *text = span_skip(*text, is_last ? len : len + 1);
    return true;
}

static bool parse_csv(struct span text, size_t passed_count, struct result_fields *fields,
                      const char **ret_error)
{
    size_t count = RESULT_COLUMN_COUNT + passed_count;
    bool is_plain = text.len > 0 && memchr(text.ptr, '"', text.len) == NULL;

    for (size_t i = 0; i < count; i++) {
        bool is_last = i + 1 == count;
        struct span cell;
        if (!(is_plain ? take_plain_cell(&text, is_last, &cell)
                       : result_take_cell(&text, is_last, &cell))) {
            *ret_error = "the line has not as many cells as the header";
            return false;
        }
        if (i < RESULT_COLUMN_COUNT)
            fields->columns[i] = cell;
    }
    return true;
}

static bool is_string(struct span value)
{
    return value.len >= 2 && value.ptr[0] == '"';
}

struct span result_without_quotes(struct span value)
{
    return is_string(value) ? span_of(value.ptr + 1, value.len - 2) : value;
}

/* The members of a line: the results' own, and how many passed ones. As nbatch writes them: in
 * their order, and without blanks. */
static bool take_members(struct span text, struct span columns[RESULT_COLUMN_COUNT],
                         size_t *ret_passed)
{
    struct jsonlex lex;
    size_t count = 0;
    const char *end = text.ptr + 1; /* of what was read */

    jsonlex_start(&lex, text);
    bool is_tight = jsonlex_next(&lex) == JSONLEX_OBJECT && lex.text.ptr == text.ptr;
    for (; is_tight && jsonlex_next(&lex) == JSONLEX_NAME; count++) {
        struct span name = result_without_quotes(lex.text);
        const char *colon = lex.text.ptr + lex.text.len;
        is_tight = lex.text.ptr == end + (count > 0);
        bool is_null = jsonlex_next(&lex) == JSONLEX_NULL;
        is_tight = jsonlex_skip(&lex) && is_tight && lex.text.ptr == colon + 1;
        end = lex.text.ptr + lex.text.len;
        if (count >= RESULT_COLUMN_COUNT)
            continue;
        if (!span_is(name, result_column_names[count]))
            return false;
        columns[count] = is_null ? span_of(NULL, 0) : lex.text;
    }
    *ret_passed = count - RESULT_COLUMN_COUNT;
    return is_tight && count >= RESULT_COLUMN_COUNT && lex.token == JSONLEX_OBJECT_END &&
           lex.text.ptr == end && end + 1 == text.ptr + text.len;
}

bool result_count_passed(struct span text, size_t *ret_count)
{
    struct span columns[RESULT_COLUMN_COUNT];

    return take_members(text, columns, ret_count);
}

static bool parse_jsonl(struct span text, size_t passed_count, struct result_fields *fields,
                        const char **ret_error)
{
    size_t count;
    bool is_result = take_members(text, fields->columns, &count);

    *ret_error = is_result ? "it carries other columns of the input than this run"
                           : "it is not the JSON object of a result";
    return is_result && count == passed_count;
}

static bool parse_status(struct span text, enum row_status *ret_status)
{
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++) {
        if (span_is(text, row_status_name((enum row_status)i))) {
            *ret_status = (enum row_status)i;
            return true;
        }
    }
    return false;
}

static bool parse_count(struct span text, uint32_t *ret_count)
{
    uint64_t value;

    if (span_to_uint64(text, &value) != STATUS_OK || value > UINT32_MAX)
        return false;
    *ret_count = (uint32_t)value;
    return true;
}

/* Empty or digits, where `shape` has a 9 for each, or as many as there are for a +. */
static bool has_shape(struct span text, const char *shape)
{
    size_t at = 0;

    for (; *shape != '\0'; shape++) {
        if (*shape == '9') {
            if (at >= text.len || !is_digit(text.ptr[at++]))
                return false;
        } else if (*shape == '+') {
            size_t first = at;
            while (at < text.len && is_digit(text.ptr[at]))
                at++;
            if (at == first)
                return false;
        } else if (at >= text.len || text.ptr[at++] != *shape) {
            return false;
        }
    }
    return at == text.len;
}

/* 10.480, which a spreadsheet that has saved it again writes as 10.48. */
static bool is_latency(struct span text)
{
    static const char *const shapes[] = {"+.999", "+.99", "+.9", "+"};

    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++)
        if (has_shape(text, shapes[i]))
            return true;
    return false;
}

/* The columns that are numbers or times. */
static bool are_columns_good(const struct result_fields *fields, bool jsonl)
{
    const struct span *columns = fields->columns;
    struct span number = columns[RESULT_errno], http = columns[RESULT_http_status];
    struct span latency = columns[RESULT_latency_ms];
    struct span finished = columns[RESULT_finished_at];

    if (number.len > 0 && number.ptr[0] == '-')
        number = span_skip(number, 1);
    return (number.len == 0 || has_shape(number, "+")) &&
           (http.len == 0 || has_shape(http, "999")) && (latency.len == 0 || is_latency(latency)) &&
           has_shape(jsonl ? result_without_quotes(finished) : finished,
                     "9999-99-99T99:99:99.999Z");
}

/* An accepted row has its uuid, or errno 0 and the reason why there is none; no other row has one.
 */
static bool is_uuid_where_it_belongs(const struct result_fields *fields, bool jsonl)
{
    const struct span *columns = fields->columns;
    struct span error =
        jsonl ? result_without_quotes(columns[RESULT_error]) : columns[RESULT_error];
    bool has_uuid = columns[RESULT_uuid].len > 0;

    if (fields->status != ROW_ACCEPTED)
        return !has_uuid;
    return has_uuid || (span_is(columns[RESULT_errno], "0") && error.len > 0);
}

bool result_parse_line(struct span text, bool jsonl, size_t passed_count,
                       struct result_fields *ret_fields, const char **ret_error)
{
    struct result_fields fields = {.offset = 0};

    /* What a disk has not written is zeros: two halves of lines with them between may look whole.
     */
    if (memchr(text.ptr, '\0', text.len) != NULL) {
        *ret_error = "a part of the line is missing: there are zeros in its place";
        return false;
    }
    if (!(jsonl ? parse_jsonl : parse_csv)(text, passed_count, &fields, ret_error))
        return false;
    struct span *columns = fields.columns;
    struct span key = jsonl ? result_without_quotes(columns[RESULT_key]) : columns[RESULT_key];
    struct span status =
        jsonl ? result_without_quotes(columns[RESULT_status]) : columns[RESULT_status];
    if (span_to_uint64(columns[RESULT_row], &fields.id.row) != STATUS_OK ||
        span_to_uint64(columns[RESULT_line], &fields.id.line) != STATUS_OK)
        *ret_error = "row or line is no number";
    else if (!result_parse_key(key, &fields.id))
        *ret_error = key_error;
    else if (!parse_status(status, &fields.status))
        *ret_error = "status is none that nbatch writes";
    else if (!parse_count(columns[RESULT_attempts], &fields.attempts) ||
             !parse_count(columns[RESULT_ambiguous], &fields.ambiguous))
        *ret_error = "attempts or ambiguous is no number";
    else if (!is_uuid_where_it_belongs(&fields, jsonl))
        *ret_error =
            "an accepted row has a uuid, or errno 0 and a reason, and no other row has one";
    else if (!are_columns_good(&fields, jsonl))
        *ret_error = "a number or a time is not as nbatch writes it";
    else {
        struct span finished = columns[RESULT_finished_at];
        fields.is_again =
            fields.status != ROW_ACCEPTED &&
            span_starts_with(result_without_quotes(columns[RESULT_error]), result_again_error);
        fields.finished_ms =
            when_read_utc((jsonl ? result_without_quotes(finished) : finished).ptr);
        *ret_fields = fields;
        return true;
    }
    return false;
}

struct span result_reason(struct span error)
{
    return span_starts_with(error, result_again_error)
               ? span_skip(error, sizeof(result_again_error) - 1)
               : error;
}

bool result_is_orphan(const struct result_fields *fields)
{
    return fields->status == ROW_IN_DOUBT &&
           span_starts_with(result_reason(result_without_quotes(fields->columns[RESULT_error])),
                            result_orphan_error);
}

void result_unquote(struct span text, bool jsonl, struct buf *out)
{
    if (jsonl && is_string(text)) {
        struct span value = jsonlex_string(text, out);
        if (value.len == text.len - 2) /* it has no escapes, and is not appended yet */
            buf_add(out, value);
        return;
    }
    if (text.len < 2 || text.ptr[0] != '"') {
        buf_add(out, text);
        return;
    }
    for (size_t i = 1; i + 1 < text.len; i++) {
        buf_add_char(out, text.ptr[i]);
        i += text.ptr[i] == '"';
    }
}
