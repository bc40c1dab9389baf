/*
 * The results in the order of rows: an external merge sort. The current lines are cut into runs of
 * SORT_CHUNK_BYTES that are sorted in memory and written to a file without a name, and then merged
 * into a new file, which takes the place of the old one at once.
 */
#include <errno.h>

#include "core/heap.h"
#include "ledger/ledger_impl.h"

enum {
    SORT_CHUNK_BYTES = 16 * 1024 * 1024,
    SORT_CHUNK_LINES = 128 * 1024,
    SORT_RUN_BLOCK_BYTES = 64 * 1024, /* of each run, while they are merged */
};

static const struct outfile_kind sorted_kind = {"sorted results file", "--output"};

struct sort_line {
    uint64_t row;
    size_t at, len; /* in the chunk */
};

/* A sorted run in the file of runs. */
struct sort_run {
    struct heap_node node; /* first; its key is the row of `fields` */
    struct result_scan scan;
    struct result_fields fields;
    uint64_t from, to;
};

struct sort {
    struct ledger *ledger;
    struct buf *message;
    const char *superseded_path;
    struct buf chunk;
    struct sort_line *lines;
    size_t line_count;
    int runs_fd; /* without a name; -1: there is none yet */
    uint64_t runs_size;
    struct sort_run *runs;
    size_t run_count;
    struct accepted accepted; /* keys of the lines that stay */
    struct outfile out, superseded;
    bool has_superseded;
    struct span there; /* what the file of superseded lines holds … */
    size_t there_at;   /* … and from where on that is what is to be added now */
};

static int compare_lines(const void *left, const void *right)
{
    const struct sort_line *a = left, *b = right;

    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return a->at < b->at ? -1 : 1;
}

static enum status say(struct sort *sort, const char *what)
{
    return ledger_say(sort->ledger, what, errno, sort->message);
}

/* A file in the results' folder that goes away with its descriptor. */
static enum status open_runs(struct sort *sort)
{
    struct disk *disk = sort->ledger->disk;
    struct buf name;

    if (sort->runs_fd >= 0)
        return STATUS_OK;
    buf_init(&name, 64 * 1024);
    buf_add_format(&name, "%s.runs", sort->ledger->path);
    (void)disk->unlink(disk,
                       buf_string(&name)); /* of a sort that died: it is never written through */
    sort->runs_fd =
        disk->open(disk, buf_string(&name), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (sort->runs_fd >= 0)
        (void)disk->unlink(disk, buf_string(&name));
    buf_deinit(&name);
    return sort->runs_fd >= 0 ? STATUS_OK : say(sort, "no room to sort");
}

/* Hands the chunk's lines, in order, to `take`. */
static enum status each_line(struct sort *sort,
                             enum status (*take)(struct sort *sort, struct span line))
{
    enum status status = STATUS_OK;

    qsort(sort->lines, sort->line_count, sizeof(*sort->lines), compare_lines);
    for (size_t i = 0; i < sort->line_count && status == STATUS_OK; i++)
        status = take(sort, span_of(sort->chunk.ptr + sort->lines[i].at, sort->lines[i].len));
    sort->line_count = 0;
    buf_clear(&sort->chunk);
    return status;
}

static enum status put_out(struct sort *sort, struct span line)
{
    buf_add(&sort->out.out, line);
    return outfile_settle(&sort->out);
}

static enum status put_run(struct sort *sort, struct span line)
{
    sort->runs_size += line.len;
    return disk_append_all(sort->ledger->disk, sort->runs_fd, line);
}

/* Sorts what is in memory, and puts it aside as a run. */
static enum status close_chunk(struct sort *sort)
{
    enum status status = open_runs(sort);
    struct sort_run *runs = NULL;
    uint64_t from = sort->runs_size;

    if (status != STATUS_OK)
        return status;
    runs = realloc(sort->runs, (sort->run_count + 1) * sizeof(*runs));
    if (runs == NULL)
        return STATUS_NO_MEMORY;
    sort->runs = runs;
    if (each_line(sort, put_run) != STATUS_OK)
        return say(sort, "no room to sort");
    runs[sort->run_count++] = (struct sort_run){.from = from, .to = sort->runs_size};
    return STATUS_OK;
}

/* Looks at what the file of superseded lines holds already. */
static enum status map_superseded(struct sort *sort)
{
    struct disk *disk = sort->ledger->disk;
    struct stat about;
    int fd = disk->open(disk, sort->superseded_path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    bool good = true;

    if (fd < 0)
        return errno == ENOENT ? STATUS_OK : say(sort, "the superseded results cannot be read");
    if (disk->stat(disk, fd, &about) != 0 || !S_ISREG(about.st_mode) || about.st_nlink > 1) {
        (void)disk->close(disk, fd);
        errno = EEXIST; /* no file that a sort has made */
        return say(sort, "the superseded results cannot be kept under their name");
    }
    if (about.st_size > 0) {
        sort->there = span_of(disk->map(disk, fd, (size_t)about.st_size, false), 0);
        good = sort->there.ptr != NULL;
        sort->there.len = good ? (size_t)about.st_size : 0;
    }
    (void)disk->close(disk, fd);
    return good ? STATUS_OK : say(sort, "the superseded results cannot be read");
}

/*
 * Where a sort that died had begun to add its lines: this one has the same ones, in the same order.
 * The last that is there may be torn.
 */
static size_t find_begun(struct span there, struct span first)
{
    const char *at = there.len > 0 ? memmem(there.ptr, there.len, first.ptr, first.len) : NULL;
    size_t len = first.len - 1 < there.len ? first.len - 1 : there.len;

    if (at != NULL && (at == there.ptr || at[-1] == '\n'))
        return (size_t)(at - there.ptr);
    for (; len > 0; len--) {
        const char *torn = there.ptr + there.len - len;
        if (memcmp(torn, first.ptr, len) == 0 && (torn == there.ptr || torn[-1] == '\n'))
            break;
    }
    return there.len - len;
}

/* Adds what is not there yet. */
static enum status put_superseded(struct sort *sort, struct span text)
{
    struct span there = span_skip(sort->there, sort->there_at);
    size_t same = text.len < there.len ? text.len : there.len;

    if (same > 0 && memcmp(there.ptr, text.ptr, same) != 0) {
        same = 0;
        sort->there_at = sort->there.len;
    }
    sort->there_at += same;
    buf_add(&sort->superseded.out, span_skip(text, same));
    return outfile_settle(&sort->superseded);
}

/* Who may read the results may read what was in them, and nobody else. */
static void follow_results(const struct sort *sort, int fd)
{
    struct disk *disk = sort->ledger->disk;
    struct stat about;

    if (disk->stat(disk, sort->ledger->fd, &about) != 0)
        return;
    (void)!disk->chmod(disk, fd, about.st_mode & 07777);
    (void)!disk->chown(disk, fd, about.st_uid, about.st_gid);
}

/* The file for lines that are not current, to be appended to; `first` is the first of them. */
static enum status open_superseded(struct sort *sort, struct span first)
{
    struct span header = buf_span(&sort->ledger->header);

    if (sort->has_superseded)
        return STATUS_OK;
    enum status status = map_superseded(sort);
    if (status == STATUS_OK)
        status = outfile_append(&sort->superseded, sort->ledger->disk, sort->superseded_path,
                                &sorted_kind, sort->message);
    if (status != STATUS_OK)
        return status;
    sort->has_superseded = true;
    follow_results(sort, sort->superseded.fd);
    if (sort->there.len < header.len)
        return put_superseded(sort, header);
    sort->there_at = find_begun(sort->there, first);
    return STATUS_OK;
}

static enum status take_line(void *context, const struct result_fields *fields)
{
    struct sort *sort = context;

    if (!ledger_is_current(sort->ledger, fields)) {
        enum status status = open_superseded(sort, fields->line);
        return status == STATUS_OK ? put_superseded(sort, fields->line) : status;
    }
    if (sort->line_count == SORT_CHUNK_LINES ||
        (sort->line_count > 0 && sort->chunk.len + fields->line.len > SORT_CHUNK_BYTES)) {
        enum status status = close_chunk(sort);
        if (status != STATUS_OK)
            return status;
    }
    if (fields->status == ROW_ACCEPTED)
        accepted_add(&sort->accepted, &fields->id);
    sort->lines[sort->line_count++] =
        (struct sort_line){fields->id.row, sort->chunk.len, fields->line.len};
    buf_add(&sort->chunk, fields->line);
    return sort->chunk.status;
}

static enum status weigh_line(void *context, const struct result_fields *fields)
{
    struct sort *sort = context;

    (void)current_weigh(&sort->ledger->repeated, fields);
    return STATUS_OK;
}

static enum status read_results(struct sort *sort, result_take_fn *take)
{
    const struct ledger *ledger = sort->ledger;
    struct result_scan scan;

    result_scan_init(&scan, ledger->disk, ledger->fd, ledger->format.jsonl,
                     ledger->format.passed_count);
    enum status status =
        result_scan_each(&scan, 0, ledger->base, buf_span(&ledger->header), take, sort);
    if (status == STATUS_SYNTAX)
        buf_add_format(sort->message, "%s: at byte %llu: %s", ledger->path,
                       (unsigned long long)scan.at, scan.error);
    result_scan_deinit(&scan);
    return status;
}

static enum status next_of_run(struct sort_run *run, struct heap *heap)
{
    enum status status = result_scan_next(&run->scan, &run->fields);

    if (status == STATUS_OK)
        heap_push(heap, &run->node, (int64_t)run->fields.id.row);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status merge(struct sort *sort)
{
    const struct result_format *format = &sort->ledger->format;
    struct heap heap = {.root = NULL};
    struct heap_node *node;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < sort->run_count; i++) {
        struct sort_run *run = &sort->runs[i];
        result_scan_init(&run->scan, sort->ledger->disk, sort->runs_fd, format->jsonl,
                         format->passed_count);
        run->scan.block_bytes = SORT_RUN_BLOCK_BYTES;
        result_scan_range(&run->scan, run->from, run->to);
        if (status == STATUS_OK)
            status = next_of_run(run, &heap);
    }
    while (status == STATUS_OK && (node = heap_pop(&heap)) != NULL) {
        struct sort_run *run = (struct sort_run *)node;
        status = put_out(sort, run->fields.line);
        if (status == STATUS_OK)
            status = next_of_run(run, &heap);
    }
    for (size_t i = 0; i < sort->run_count; i++)
        result_scan_deinit(&sort->runs[i].scan);
    return status;
}

static enum status write_sorted(struct sort *sort)
{
    enum status status = STATUS_OK;

    if (sort->ledger->repeated.count > 0)
        status = read_results(sort, weigh_line);
    if (status == STATUS_OK)
        status = read_results(sort, take_line);
    if (status == STATUS_OK)
        buf_add(&sort->out.out, buf_span(&sort->ledger->header));
    if (status == STATUS_OK && sort->run_count == 0)
        return each_line(sort, put_out);
    if (status == STATUS_OK && sort->line_count > 0)
        status = close_chunk(sort);
    return status == STATUS_OK ? merge(sort) : status;
}

/*
 * The results are not where they were, and what is there now is not to be overwritten: the sorted
 * ones get their name only where that is free.
 */
static enum status put_beside(struct sort *sort, const char *name)
{
    struct ledger *ledger = sort->ledger;
    struct disk *disk = ledger->disk;
    char *beside = NULL;
    const char *to = ledger->path;

    if (disk->link(disk, name, to) != 0) {
        to = beside = place_name_beside(disk, ledger->path);
        if (beside == NULL || disk->link(disk, name, beside) != 0) {
            free(beside);
            return say(sort, "they have been moved or replaced, and cannot be sorted");
        }
    }
    buf_add_printable(sort->message, span_string(ledger->path));
    buf_add_string(sort->message, ": the results were removed, moved or replaced before they were "
                                  "sorted; the sorted results are in ");
    buf_add_printable(sort->message, span_string(to));
    (void)!disk->sync_folder(disk, to);
    free(beside);
    return STATUS_IO; /* `name` is removed by the caller */
}

/* Makes both files durable, and puts the sorted one in the results' place. */
static enum status settle(struct sort *sort, const char *name)
{
    struct ledger *ledger = sort->ledger;
    struct disk *disk = ledger->disk;
    int fd = sort->out.fd;

    if (outfile_flush(&sort->out) != STATUS_OK || disk->sync(disk, fd) != 0)
        return say(sort, "the sorted results cannot be written");
    if (sort->has_superseded && (outfile_flush(&sort->superseded) != STATUS_OK ||
                                 disk->sync(disk, sort->superseded.fd) != 0))
        return say(sort, "the superseded results cannot be written");
    follow_results(sort, fd);
    if (disk->lock(disk, fd) != 0)
        return say(sort, "the sorted results cannot be locked");
    if (ledger_look(ledger, ledger->base, true) != PLACE_SAME)
        return put_beside(sort, name);
    /* First: lines of rows that the input has no more are about to go, and are not missing then. */
    enum status status = ledger_write_completion(ledger, &sort->accepted, sort->message);
    if (status != STATUS_OK)
        return status;
    if (disk->rename(disk, name, ledger->path) != 0 || disk->sync_folder(disk, ledger->path) != 0)
        return say(sort, "the sorted results cannot be put in their place");
    return STATUS_OK;
}

static enum status prepare(struct sort *sort, const char *name)
{
    sort->runs_fd = -1;
    buf_init(&sort->chunk, RESULT_LINE_MAX);
    sort->lines = calloc(SORT_CHUNK_LINES, sizeof(*sort->lines));
    if (sort->lines == NULL)
        return STATUS_NO_MEMORY;
    (void)sort->ledger->disk->unlink(sort->ledger->disk,
                                     name); /* of a sort that died; the lock is ours */
    return outfile_create(&sort->out, sort->ledger->disk, name, &sorted_kind, sort->message);
}

enum status ledger_sort(struct ledger *ledger, const char *superseded_path, struct buf *message)
{
    struct sort sort = {.ledger = ledger, .message = message, .superseded_path = superseded_path};
    struct buf name;

    buf_init(&name, 64 * 1024);
    buf_add_format(&name, "%s.sorted", ledger->path);
    enum status status = prepare(&sort, buf_string(&name));
    if (status == STATUS_OK)
        status = write_sorted(&sort);
    if (status == STATUS_OK)
        status = settle(&sort, buf_string(&name));
    if (status == STATUS_NO_MEMORY && message->len == 0)
        buf_add_string(message, status_text(status));
    if (status != STATUS_OK && message->len == 0)
        (void)say(&sort, "the results cannot be sorted");
    if (status != STATUS_OK)
        (void)ledger->disk->unlink(ledger->disk, buf_string(&name));
    outfile_deinit(&sort.out);
    if (sort.has_superseded)
        outfile_deinit(&sort.superseded);
    if (sort.there.len > 0)
        ledger->disk->unmap(ledger->disk, (void *)(uintptr_t)sort.there.ptr, sort.there.len);
    if (sort.runs_fd >= 0)
        (void)ledger->disk->close(ledger->disk, sort.runs_fd); /* and with it the file */
    buf_deinit(&sort.chunk);
    buf_deinit(&name);
    free(sort.lines);
    free(sort.runs);
    return status == STATUS_SYNTAX ? STATUS_IO : status;
}
