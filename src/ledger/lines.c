/*
 * The way of a line into the results. It is taken down in the journal first (a copy into the
 * mapping), where it survives the process; JOURNAL_FLUSH_LINES of them are written at once. A line
 * that has no room there is announced and goes straight into the file. What was written only in
 * part is taken back, so that the results end with a whole line whenever that can be had.
 */
#include <errno.h>
#include <unistd.h>

#include "ledger/ledger_impl.h"

enum {
    COPY_BYTES = 64 * 1024, /* lines of the copy are handed over together, so many … */
    COPY_MAX_BYTES = COPY_BYTES + RESULT_LINE_MAX, /* … and one more */
};

/* What was written only in part is taken back, so that the results end with a whole line. */
static enum status fail_write(struct ledger *ledger, int error)
{
    (void)!ledger->disk->truncate(ledger->disk, ledger->fd, ledger->base);
    return ledger_fail(ledger, "the results cannot be written", error);
}

static void note_written(struct ledger *ledger, struct span bytes)
{
    (void)XXH3_64bits_update(ledger->hash, bytes.ptr, bytes.len);
    ledger->base += bytes.len;
    ledger->staged = 0;
    ledger->staged_lines = 0;
    journal_turn(ledger->journal, ledger->base, XXH3_64bits_digest(ledger->hash));
}

/* Writes to the end of the results, which must be where it was. */
static enum status write_lines(struct ledger *ledger, struct span lines)
{
    const uint64_t wanted = ledger->base + lines.len;
    struct stat about;

    if (disk_append_all(ledger->disk, ledger->fd, lines) != STATUS_OK)
        return fail_write(ledger, errno);
    if (ledger->disk->stat(ledger->disk, ledger->fd, &about) == 0 &&
        (uint64_t)about.st_size != wanted)
        return ledger_displace(ledger, (uint64_t)about.st_size < wanted ? PLACE_CUT : PLACE_GROWN);
    note_written(ledger, lines);
    return STATUS_OK;
}

enum status ledger_flush_results(struct ledger *ledger)
{
    /* A file that was only moved or removed takes what comes until the end. */
    if (ledger->store.has_failed && !place_keeps_lines(ledger->place))
        return STATUS_IO;
    struct span staged = journal_staged(ledger->journal);
    return staged.len == 0 ? STATUS_OK : write_lines(ledger, staged);
}

/* Standard output cannot be written; the results still can. */
static enum status fail_copy(struct ledger *ledger, int error)
{
    if (ledger->error.len == 0)
        buf_add_format(&ledger->error, "standard output: %s", strerror(error));
    return STATUS_IO;
}

/* Hands the copy's lines to the thread that writes them. */
static enum status flush_copy(struct ledger *ledger)
{
    if (ledger->copy == NULL)
        return STATUS_OK;
    enum status status = ledger->copied.status;
    if (status == STATUS_OK && ledger->copied.len > 0)
        status = outlet_add(ledger->copy, buf_span(&ledger->copied));
    buf_clear(&ledger->copied);
    int error = outlet_error(ledger->copy); /* also of what was handed over before */
    if (status == STATUS_OK && error == 0)
        return STATUS_OK;
    return fail_copy(ledger, error != 0 ? error : ENOMEM);
}

bool ledger_is_held_up(const struct store *store)
{
    const struct ledger *ledger = (const struct ledger *)store;
    return ledger->copy != NULL && outlet_is_full(ledger->copy);
}

enum status ledger_flush(struct store *store)
{
    struct ledger *ledger = (struct ledger *)store;
    enum status status = ledger_flush_results(ledger);
    enum status copied = flush_copy(ledger);

    return status == STATUS_OK ? copied : status;
}

enum status ledger_await_copy(struct ledger *ledger, int64_t patience_ms, bool *ret_all)
{
    *ret_all = true;
    if (ledger->copy == NULL)
        return STATUS_OK;
    enum status status = flush_copy(ledger);
    if (status == STATUS_OK)
        *ret_all = outlet_wait(ledger->copy, patience_ms);
    return status == STATUS_OK ? flush_copy(ledger) : status;
}

/* A line that has no room beside others: it goes straight into the results. */
static enum status write_long(struct ledger *ledger, struct span line)
{
    journal_announce(ledger->journal, line);
    return write_lines(ledger, line);
}

enum status ledger_keep_line(struct ledger *ledger, struct span line, bool *ret_kept)
{
    enum status status = STATUS_OK;

    *ret_kept = true;
    if (ledger->staged_lines >= JOURNAL_FLUSH_LINES || ledger->staged >= JOURNAL_FLUSH_BYTES)
        status = ledger_flush_results(ledger);
    if (journal_stage(ledger->journal, line)) {
        ledger->staged += line.len;
        ledger->staged_lines++;
        return status;
    }
    if (status == STATUS_OK)
        status = ledger_flush_results(ledger);
    if (status == STATUS_OK)
        status = write_long(ledger, line);
    *ret_kept = status == STATUS_OK;
    return status;
}

enum status ledger_copy_line(struct ledger *ledger, const struct result_record *record)
{
    if (ledger->copy == NULL)
        return STATUS_OK;
    if (ledger->format.jsonl)
        result_format_add_line(&ledger->copy_format, record, &ledger->copied);
    else
        buf_add(&ledger->copied, buf_span(&ledger->line));
    return ledger->copied.len < COPY_BYTES ? STATUS_OK : flush_copy(ledger);
}

enum status ledger_open_copy(struct ledger *ledger, struct buf *message)
{
    if (!ledger->options.copy_to_stdout)
        return STATUS_OK;
    enum status status = outlet_open(STDOUT_FILENO, &ledger->copy);
    if (status != STATUS_OK)
        buf_add_string(message, status_text(status));
    buf_init(&ledger->copied, COPY_MAX_BYTES);
    result_format_add_header(&ledger->copy_format, &ledger->copied);
    return status;
}
