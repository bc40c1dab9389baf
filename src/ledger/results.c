#include "ledger/results.h"

#include <errno.h>

#include "core/keytable.h"
#include "ledger/current.h"
#include "ledger/journal.h"
#include "ledger/ledger.h"
#include "ledger/place.h"

static enum status fail(struct results *results, enum status status, const char *why)
{
    buf_add_printable(results->message, span_string(results->path));
    buf_add_format(results->message, ": %s", why);
    return status;
}

/* Reads the first line as far as its end. */
static enum status read_first_line(struct results *results)
{
    struct buf *first = &results->first;
    size_t searched = 0, len;

    while (!result_find_end(buf_span(first), first->len > 0 && first->ptr[0] == '{', &searched,
                            &len)) {
        if (!buf_reserve(first, RESULT_SCAN_BLOCK_BYTES))
            return fail(results, first->status, status_text(first->status));
        ssize_t count = results->disk->read_at(results->disk, results->fd, first->ptr + first->len,
                                               RESULT_SCAN_BLOCK_BYTES, first->len);
        if (count < 0)
            return fail(results, STATUS_IO, strerror(errno));
        if (count == 0)
            return fail(results, STATUS_SYNTAX,
                        first->len == 0 ? "it is empty: there are no results in it"
                                        : "it has no whole line: these are no results of nbatch's");
        first->len += (size_t)count;
    }
    first->len = len;
    return STATUS_OK;
}

/* The names behind the results' own columns. */
static enum status read_csv_header(struct results *results)
{
    struct span line = result_line_text(buf_span(&results->first), true), passed;
    struct result_format format;
    struct buf own;

    buf_init(&own, 4096);
    result_format_init(&format, false, NULL, 0);
    result_format_add_header(&format, &own);
    size_t len = own.len - 1; /* without the line end */
    bool is_ours = own.status == STATUS_OK && line.len >= len &&
                   memcmp(line.ptr, own.ptr, len) == 0 && (line.len == len || line.ptr[len] == ',');
    buf_deinit(&own);
    if (!is_ours)
        return fail(results, STATUS_SYNTAX,
                    "its first line is not the header of nbatch's results: name a results file");
    passed = span_skip(line, len);
    bool quoted = false;
    for (size_t i = 0; i < passed.len; i++) {
        quoted = quoted != (passed.ptr[i] == '"');
        results->passed_count += passed.ptr[i] == ',' && !quoted;
    }
    results->passed = passed.len > 0 ? span_skip(passed, 1) : passed;
    return STATUS_OK;
}

/* What an editor has saved beside its run's record lacks whatever came later. */
static enum status refuse_moved(struct results *results)
{
    char *path = ledger_resolve(results->disk, results->path);
    char *journal_path = path != NULL ? disk_name_with(path, ".journal") : NULL;
    enum status status = journal_path != NULL ? STATUS_OK : STATUS_NO_MEMORY;

    if (status == STATUS_OK && journal_peek_moved(results->disk, journal_path)) {
        char *beside = place_find_beside(results->disk, path);
        place_add_moved(results->path, results->message);
        if (beside != NULL)
            buf_add_format(results->message, ": name that one, %s", beside);
        else
            buf_add_format(results->message,
                           ", which is not here any more: put it back and name it; where it is "
                           "lost, move %s away, and these are read as they are",
                           journal_path);
        free(beside);
        status = STATUS_SYNTAX;
    }
    free(journal_path);
    free(path);
    return status == STATUS_NO_MEMORY ? fail(results, status, status_text(status)) : status;
}

enum status results_open(struct results *results, struct disk *disk, const char *path,
                         struct buf *message)
{
    struct stat about;

    *results = (struct results){.path = path, .disk = disk, .message = message};
    buf_init(&results->first, RESULT_LINE_MAX);
    results->fd =
        disk->open(disk, path, O_RDONLY | O_NONBLOCK, 0); /* a pipe keeps nobody waiting */
    if (results->fd < 0 || disk->stat(disk, results->fd, &about) != 0)
        return fail(results, STATUS_IO, strerror(errno));
    if (!S_ISREG(about.st_mode))
        return fail(results, STATUS_IO, "it must be a file, since it is read twice");
    results->size = (uint64_t)about.st_size;
    enum status status = refuse_moved(results);
    if (status == STATUS_OK)
        status = read_first_line(results);
    if (status != STATUS_OK)
        return status;
    struct span text = result_line_text(buf_span(&results->first), true);
    results->jsonl = text.len > 0 && text.ptr[0] == '{';
    if (!results->jsonl)
        return read_csv_header(results);
    if (!result_count_passed(text, &results->passed_count))
        return fail(results, STATUS_SYNTAX,
                    "its first line is no result of nbatch's: name a results file");
    return STATUS_OK;
}

void results_close(struct results *results)
{
    if (results->fd >= 0)
        (void)results->disk->close(results->disk, results->fd);
    buf_deinit(&results->first);
    results->fd = -1;
}

/* One pass over the lines. */
struct pass {
    struct results *results;
    results_filter_fn *filter;
    void *filter_context;
    result_take_fn *take;
    void *context;
    struct keytable lines_of; /* how many lines each key has */
    struct current current;   /* which one counts, where it has several */
};

static bool is_wanted(const struct pass *pass, const struct result_fields *fields)
{
    return pass->filter == NULL || pass->filter(pass->filter_context, &fields->id);
}

/* The first time: counts the lines of each key, and takes them as if each had one. */
static enum status take_first(void *context, const struct result_fields *fields)
{
    struct pass *pass = context;
    struct results *results = pass->results;
    uint32_t count;

    results->lines++;
    if (!is_wanted(pass, fields)) {
        results->strange++;
        return STATUS_OK;
    }
    enum status status = keytable_count(&pass->lines_of, row_id_key(&fields->id), &count);
    if (status != STATUS_OK)
        return status;
    if (count > 1) {
        results->superseded++;
        return current_watch(&pass->current, &fields->id);
    }
    return pass->take(pass->context, fields);
}

/* The second time, where some have several. */
static enum status weigh(void *context, const struct result_fields *fields)
{
    struct pass *pass = context;

    if (is_wanted(pass, fields))
        (void)current_weigh(&pass->current, fields);
    return STATUS_OK;
}

/* The third time: the one that counts. */
static enum status take_current(void *context, const struct result_fields *fields)
{
    struct pass *pass = context;

    return is_wanted(pass, fields) && current_has(&pass->current, fields)
               ? pass->take(pass->context, fields)
               : STATUS_OK;
}

enum status results_each_line(struct results *results, result_take_fn *take, void *context)
{
    struct result_scan scan;

    result_scan_init(&scan, results->disk, results->fd, results->jsonl, results->passed_count);
    enum status status =
        result_scan_each(&scan, 0, results->size,
                         results->jsonl ? span_of(NULL, 0) : buf_span(&results->first), take,
                         context);
    if (status == STATUS_SYNTAX && result_scan_is_cut(&scan)) {
        results->is_cut = true;
        status = STATUS_OK;
    } else if (status == STATUS_SYNTAX && scan.error != NULL) { /* else `take` has said why */
        buf_add_printable(results->message, span_string(results->path));
        buf_add_format(results->message, ": damaged at byte %llu: %s", (unsigned long long)scan.at,
                       scan.error);
    } else if (status != STATUS_OK && status != STATUS_SYNTAX) {
        (void)fail(results, status, status == STATUS_IO ? strerror(errno) : status_text(status));
    }
    result_scan_deinit(&scan);
    return status;
}

enum status results_each_current(struct results *results, results_filter_fn *filter,
                                 void *filter_context, result_take_fn *take, void *context)
{
    struct pass pass = {.results = results,
                        .filter = filter,
                        .filter_context = filter_context,
                        .take = take,
                        .context = context};

    results->lines = results->superseded = results->strange = 0;
    keytable_init(&pass.lines_of);
    current_init(&pass.current);
    enum status status = results_each_line(results, take_first, &pass);
    if (status == STATUS_OK && results->superseded > 0) {
        (void)take(context, NULL);
        status = results_each_line(results, weigh, &pass);
        if (status == STATUS_OK)
            status = results_each_line(results, take_current, &pass);
    }
    keytable_deinit(&pass.lines_of);
    current_deinit(&pass.current);
    return status;
}
