/*
 * For the tests of the readers: an input out of bytes in memory, and a reading of it all into one
 * text, a line per row, that can be compared.
 *
 *     ok 1@2 |a|n:1|-|           row 1 of line 2: a string or text, a number, an absent cell
 *     bad 2@3 E-QUOTE@3 data: has …
 *     end
 */
#ifndef NB_TESTS_READER_HELP_H
#define NB_TESTS_READER_HELP_H

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "input/decompress.h"
#include "input/encoding.h"
#include "input/reader.h"

/* As assert, but in every kind of build. */
#define MUST(condition)   \
    do                    \
        if (!(condition)) \
            abort();      \
    while (0)

/* A source over a file in memory, which is closed for the caller. */
static inline struct source *source_of_fd(int fd)
{
    char path[64];
    struct source *source = NULL;
    struct buf message;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    buf_init(&message, 1024);
    MUST(source_open(path, &message, &source) == STATUS_OK); /* has a position of its own */
    buf_deinit(&message);
    (void)close(fd);
    return source;
}

static inline int memory_file(const void *bytes, size_t len)
{
    int fd = memfd_create("input", MFD_CLOEXEC);

    MUST(fd >= 0);
    for (size_t done = 0; done < len;) {
        ssize_t count = write(fd, (const char *)bytes + done, len - done);
        MUST(count > 0);
        done += (size_t)count;
    }
    return fd;
}

static inline struct source *source_of_bytes(const void *bytes, size_t len)
{
    return source_of_fd(memory_file(bytes, len));
}

/* The text and behind it as many NULs as make the file `size` bytes. */
static inline struct source *source_of_hole(const char *text, off_t size)
{
    int fd = memory_file(text, strlen(text));

    MUST(ftruncate(fd, size) == 0);
    return source_of_fd(fd);
}

static inline void tell_problems(const struct problems *problems, struct buf *out)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        struct span field = problem_field(problems, problem);
        buf_add_format(out, "%s%s@%d %.*s%s%.*s", i > 0 ? "; " : "",
                       problem_code_name(problem->code), (int)problem->line, SPAN_ARG(field),
                       field.len > 0 ? ": " : "", SPAN_ARG(problem_message(problems, problem)));
    }
}

static inline void tell_row(const struct row *row, struct buf *out)
{
    static const char *const kinds[] = {
        [CELL_ABSENT] = "-", [CELL_TEXT] = "",      [CELL_STRING] = "s:", [CELL_NUMBER] = "n:",
        [CELL_BOOL] = "b:",  [CELL_NULL] = "null:", [CELL_JSON] = "j:",
    };

    buf_add_char(out, '|');
    for (size_t i = 0; i < row->cell_count; i++) {
        buf_add_string(out, kinds[row->cells[i].kind]);
        if (row->cells[i].kind != CELL_ABSENT)
            buf_add_printable(out, row->cells[i].text);
        buf_add_char(out, '|');
    }
}

/* What gives a reader more to read when it says STATUS_AGAIN. */
struct feeder {
    void (*feed)(struct feeder *feeder);
};

static inline enum status must_go_on(enum status status, struct feeder *feeder)
{
    if (status == STATUS_AGAIN) {
        MUST(feeder != NULL);
        feeder->feed(feeder);
    }
    return status;
}

/*
 * Holds header and rows against the input that they are all of: each is what stands there, behind
 * at most blank lines, and behind the last one there are only blank lines. What a blank line is of
 * depends on the delimiter.
 */
struct raw_check {
    struct span left; /* of the input, byte order mark taken off; a NULL pointer: no check */
    const char *blanks;
};

static inline bool is_blank_byte(const struct raw_check *check, size_t at)
{
    return check->left.ptr[at] != '\0' && strchr(check->blanks, check->left.ptr[at]) != NULL;
}

static inline void check_raw(struct raw_check *check, struct span raw)
{
    size_t skipped = 0;

    if (check->left.ptr == NULL)
        return;
    MUST(raw.len > 0);
    for (;;) {
        bool at_line = skipped == 0 || check->left.ptr[skipped - 1] == '\n' ||
                       check->left.ptr[skipped - 1] == '\r';
        MUST(raw.len <= check->left.len - skipped);
        if (at_line && memcmp(check->left.ptr + skipped, raw.ptr, raw.len) == 0)
            break;
        MUST(is_blank_byte(check, skipped));
        skipped++;
    }
    check->left = span_skip(check->left, skipped + raw.len);
}

static inline void check_raw_end(const struct raw_check *check)
{
    for (size_t i = 0; check->left.ptr != NULL && i < check->left.len; i++)
        MUST(is_blank_byte(check, i));
}

/* Reads header and rows to the end and says what came. `feeder` may be NULL where nothing needs
 * one. */
static inline void tell_checked(struct reader *reader, struct feeder *feeder,
                                struct raw_check *check, struct buf *out)
{
    struct problems problems;
    struct row row;
    enum status status;

    problems_init(&problems);
    do
        status = must_go_on(reader_header(reader, &problems), feeder);
    while (status == STATUS_AGAIN);
    if (status != STATUS_OK) {
        buf_add_format(out, "%s: ", status == STATUS_BAD_INPUT ? "unusable" : status_text(status));
        tell_problems(&problems, out);
        buf_add_char(out, '\n');
        problems_deinit(&problems);
        return;
    }
    if (reader_raw_header(reader).len > 0)
        check_raw(check, reader_raw_header(reader));
    while ((status = must_go_on(reader_next(reader, &row, &problems), feeder)) != STATUS_END) {
        if (status == STATUS_AGAIN)
            continue;
        if (status != STATUS_OK && status != STATUS_BAD_ROW)
            break;
        check_raw(check, reader_raw(reader));
        buf_add_format(out, "%s %d@%d ", status == STATUS_OK ? "ok" : "bad", (int)row.number,
                       (int)row.line);
        if (status == STATUS_OK) {
            MUST(row.cell_count == reader_column_count(reader));
            tell_row(&row, out);
        } else {
            MUST(row.cell_count == 0 && problems.error_count > 0);
            /* What is behind a fault in quotes is not trusted; the first fault counts. */
            MUST(problems.counts[PROBLEM_QUOTE] == 0 ||
                 (reader_lost(reader) != NULL && reader_lost(reader)->row <= row.number));
            tell_problems(&problems, out);
        }
        buf_add_char(out, '\n');
    }
    buf_add_string(out, status == STATUS_END ? "end\n" : status_text(status));
    if (status == STATUS_BAD_INPUT)
        tell_problems(&problems, out);
    if (status == STATUS_END)
        check_raw_end(check);
    problems_deinit(&problems);
}

static inline void tell_all(struct reader *reader, struct feeder *feeder, struct buf *out)
{
    struct raw_check none = {.blanks = ""};

    tell_checked(reader, feeder, &none, out);
}

/* For plain UTF-8; what is compressed or converted has other bytes. */
static inline struct raw_check raw_check_of(const void *bytes, size_t len,
                                            const struct reader_options *options)
{
    /* Rows of delimiters, and of empty cells in quotes, are left out as blank lines are. */
    struct raw_check check = {.blanks = options->format == INPUT_CSV ? " \t\r\n,;|\"" : " \t\r\n"};

    struct span start = span_of(bytes, len);
    enum compression kind = COMPRESSION_NONE;
    const struct encoding_mark *mark = NULL;
    MUST(compression_of(start, true, &kind) == STATUS_OK);
    MUST(encoding_find_mark(start, true, &mark) == STATUS_OK);
    bool is_utf8 = mark == NULL || encoding_name_is_utf8(mark->encoding);
    if (options->keep_raw && len > 0 && kind == COMPRESSION_NONE && is_utf8)
        check.left = span_skip(start, mark != NULL ? mark->len : 0);
    return check;
}

/* The whole way for bytes. `block_bytes` 0 means as many as there are. */
static inline void tell_with(const void *bytes, size_t len, const struct reader_options *options,
                             size_t block_bytes, struct buf *out)
{
    struct source *source = source_of_bytes(bytes, len);
    struct reader *reader = NULL;

    if (block_bytes > 0)
        source_set_block_bytes(source, block_bytes);
    enum status status = reader_open(source, options, &reader);
    MUST(status == STATUS_OK);
    struct raw_check check = raw_check_of(bytes, len, options);
    tell_checked(reader, NULL, &check, out);
    reader_close(reader);
    source_close(source);
}

static inline void tell_bytes(const void *bytes, size_t len, enum input_format format,
                              size_t block_bytes, size_t max_row_bytes, struct buf *out)
{
    struct reader_options options = {.format = format, .max_row_bytes = max_row_bytes};

    tell_with(bytes, len, &options, block_bytes, out);
}

struct dribble {
    struct feeder feeder;
    const char *bytes;
    size_t left;
    int fd;
    struct source *source;
};

static inline void dribble_feed(struct feeder *feeder)
{
    struct dribble *dribble = (struct dribble *)feeder;

    MUST(dribble->fd >= 0);
    if (dribble->left > 0) {
        MUST(write(dribble->fd, dribble->bytes++, 1) == 1);
        dribble->left--;
    } else {
        (void)close(dribble->fd);
        dribble->fd = -1;
    }
}

static inline void rest_feed(struct feeder *feeder)
{
    struct dribble *dribble = (struct dribble *)feeder;

    MUST(write(dribble->fd, dribble->bytes, dribble->left) == (ssize_t)dribble->left);
    (void)close(dribble->fd);
    dribble->fd = -1;
}

/* A reader over a non-blocking pipe that gets its next byte, or its end, with each feed. */
static inline struct reader *dribble_open_with(struct dribble *dribble, const char *bytes,
                                               size_t len, const struct reader_options *options)
{
    struct reader *reader = NULL;
    int ends[2];

    MUST(pipe2(ends, O_CLOEXEC) == 0);
    *dribble = (struct dribble){.feeder = {dribble_feed}, .bytes = bytes, .left = len};
    dribble->fd = ends[1];
    dribble->source = source_of_fd(ends[0]);
    MUST(fcntl(source_fd(dribble->source), F_SETFL, O_NONBLOCK) == 0);
    MUST(reader_open(dribble->source, options, &reader) == STATUS_OK);
    return reader;
}

static inline struct reader *dribble_open_bytes(struct dribble *dribble, const char *bytes,
                                                size_t len, enum input_format format,
                                                size_t max_row_bytes)
{
    struct reader_options options = {.format = format, .max_row_bytes = max_row_bytes};

    return dribble_open_with(dribble, bytes, len, &options);
}

static inline struct reader *dribble_open(struct dribble *dribble, const char *text,
                                          enum input_format format, size_t max_row_bytes)
{
    return dribble_open_bytes(dribble, text, strlen(text), format, max_row_bytes);
}

static inline void dribble_close(struct dribble *dribble, struct reader *reader)
{
    reader_close(reader);
    source_close(dribble->source);
    if (dribble->fd >= 0)
        (void)close(dribble->fd);
}

static inline void tell_dribbled(const char *bytes, size_t len, enum input_format format,
                                 size_t max_row_bytes, struct buf *out)
{
    struct dribble dribble;
    struct reader *reader = dribble_open_bytes(&dribble, bytes, len, format, max_row_bytes);

    tell_all(reader, &dribble.feeder, out);
    dribble_close(&dribble, reader);
}

/* With keep_raw, the raw rows are checked too. */
static inline void tell_dribbled_with(const char *bytes, size_t len,
                                      const struct reader_options *options, struct buf *out)
{
    struct dribble dribble;
    struct reader *reader = dribble_open_with(&dribble, bytes, len, options);
    struct raw_check check = raw_check_of(bytes, len, options);

    tell_checked(reader, &dribble.feeder, &check, out);
    dribble_close(&dribble, reader);
}

/* The bytes as two blocks, cut at `cut`: through a pipe that gets the second when the first is
 * used up. */
static inline void tell_cut(const char *bytes, size_t len, enum input_format format, size_t cut,
                            size_t max_row_bytes, struct buf *out)
{
    struct dribble dribble;
    struct reader *reader =
        dribble_open_bytes(&dribble, bytes + cut, len - cut, format, max_row_bytes);

    dribble.feeder.feed = rest_feed;
    MUST(write(dribble.fd, bytes, cut) == (ssize_t)cut);
    tell_all(reader, &dribble.feeder, out);
    dribble_close(&dribble, reader);
}

#endif
