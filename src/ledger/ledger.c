#include "ledger/ledger_impl.h"

#include <errno.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = RESULT_LINE_MAX, /* of a row with all it carries */
    COPY_BYTES = 64 * 1024,           /* lines of the copy are handed over together, so many … */
    COPY_MAX_BYTES = COPY_BYTES + RESULT_LINE_MAX, /* … and one more */
};

/*
 * The negative control of the mark before a request leaves: the tests build another binary in which
 * this is defined, and see the duplicates that the mark prevents. The product has no such switch.
 */
#ifdef NBATCH_TEST_WITHOUT_MARK
enum { IS_MARKED = false };
#else
enum { IS_MARKED = true };
#endif

enum status ledger_say(const struct ledger *ledger, const char *what, int error,
                       struct buf *message)
{
    buf_add_printable(message, span_string(ledger->path));
    buf_add_format(message, ": %s%s%s", what, error != 0 ? ": " : "",
                   error != 0 ? strerror(error) : "");
    return STATUS_IO;
}

enum status ledger_make_entries(struct ledger *ledger, uint32_t slots)
{
    struct entry *entries = calloc(slots, sizeof(*entries));
    struct snapshot *snapshot = calloc(1, snapshot_size(slots));

    if (entries == NULL || snapshot == NULL) {
        free(entries);
        free(snapshot);
        return STATUS_NO_MEMORY;
    }
    if (ledger->snapshot != NULL) /* what is known of the results stays */
        memcpy(snapshot, ledger->snapshot, sizeof(*snapshot));
    snapshot->intent_count = 0;
    free(ledger->entries);
    free(ledger->snapshot);
    ledger->entries = entries;
    ledger->snapshot = snapshot;
    ledger->capacity = slots;
    ledger->used = 0;
    for (uint32_t i = 0; i < slots; i++)
        entries[i].next = i + 1 < slots ? i + 1 : LEDGER_NO_TICKET;
    ledger->first_free = 0;
    ledger->first_done = ledger->last_done = LEDGER_NO_TICKET;
    return STATUS_OK;
}

static enum status prepare(struct ledger *ledger)
{
    const struct ledger_options *options = &ledger->options;
    struct disk *disk = options->disk != NULL ? options->disk : &disk_real;
    char *path = ledger_resolve(disk, options->path);
    bool jsonl = path != NULL && outfile_is_jsonl(path);

    ledger->disk = disk;
    ledger->fd = -1;
    buf_init(&ledger->line, LINE_MAX_BYTES);
    buf_init(&ledger->header, LINE_MAX_BYTES);
    buf_init(&ledger->error, 64 * 1024);
    index_init(&ledger->index);
    current_init(&ledger->repeated);
    ledger->latest_ms = INT64_MIN;
    result_format_init(&ledger->format, jsonl, options->passed, options->passed_count);
    result_format_init(&ledger->copy_format, false, options->passed, options->passed_count);
    result_format_add_header(&ledger->format, &ledger->header);
    ledger->path = path;
    ledger->journal_path = path != NULL ? ledger_journal_path(path) : NULL;
    ledger->hash = XXH3_createState();
    if (path == NULL || ledger->journal_path == NULL || ledger->hash == NULL)
        return STATUS_NO_MEMORY;
    (void)XXH3_64bits_reset(ledger->hash);
    return ledger->header.status;
}

enum status ledger_open(const struct ledger_options *options, struct buf *message,
                        struct ledger **ret_ledger)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));

    if (ledger == NULL) {
        buf_add_string(message, status_text(STATUS_NO_MEMORY));
        return STATUS_NO_MEMORY;
    }
    ledger->options = *options;
    enum status status = prepare(ledger);
    if (status == STATUS_OK)
        status = options->resume ? ledger_recover(ledger, message)
                                 : ledger_probe(ledger->disk, ledger->path, message);
    if (status == STATUS_OK)
        status = ledger_compare_completion(ledger, message);
    if (status == STATUS_NO_MEMORY && message->len == 0)
        buf_add_string(message, status_text(status));
    if (status != STATUS_OK) {
        ledger_close(ledger);
        return status;
    }
    *ret_ledger = ledger;
    return STATUS_OK;
}

void ledger_close(struct ledger *ledger)
{
    if (ledger == NULL)
        return;
    journal_close(ledger->journal);
    if (ledger->fd >= 0)
        (void)ledger->disk->close(ledger->disk, ledger->fd);
    outlet_close(ledger->copy);
    buf_deinit(&ledger->copied);
    buf_deinit(&ledger->line);
    buf_deinit(&ledger->header);
    buf_deinit(&ledger->error);
    index_deinit(&ledger->index);
    current_deinit(&ledger->repeated);
    (void)XXH3_freeState(ledger->hash);
    free(ledger->entries);
    free(ledger->snapshot);
    free(ledger->path);
    free(ledger->journal_path);
    free(ledger);
}

const struct ledger_past *ledger_past(const struct ledger *ledger)
{
    return &ledger->past;
}

const char *ledger_path(const struct ledger *ledger)
{
    return ledger->path;
}

uint64_t ledger_met_keys(const struct ledger *ledger)
{
    return ledger->met_keys;
}

const uint64_t *ledger_settled(const struct ledger *ledger)
{
    return ledger->settled;
}

uint64_t ledger_settled_twice(const struct ledger *ledger)
{
    return ledger->settled_twice;
}

/* Whether a row that has a result is to be sent. */
static bool is_wanted(const struct ledger *ledger, const struct key_state *state, bool idempotent)
{
    const struct resume_wish *again = &ledger->options.again;

    if (again->status[state->status])
        return true;
    return state->orphan && (idempotent ? again->orphan_idempotent : again->orphan_other);
}

enum status ledger_meet(struct ledger *ledger, uint64_t hash, bool idempotent,
                        struct ledger_row *ret_row)
{
    struct ledger_row row = {.verdict = LEDGER_NEW};
    enum status status = index_meet(&ledger->index, hash, &row.occurrence, &row.before);

    if (status != STATUS_OK)
        return status;
    if (row.before.known) {
        ledger->met_keys++;
        row.verdict = is_wanted(ledger, &row.before, idempotent) ? LEDGER_AGAIN : LEDGER_SETTLED;
        bool settled = row.verdict == LEDGER_SETTLED;
        ledger->settled[row.before.status] += settled;
        ledger->settled_twice +=
            settled && row.before.status == ROW_ACCEPTED && row.before.ambiguous > 0;
    }
    *ret_row = row;
    return STATUS_OK;
}

void ledger_rewind(struct ledger *ledger)
{
    index_rewind(&ledger->index);
    memset(ledger->settled, 0, sizeof(ledger->settled));
    ledger->settled_twice = 0;
    ledger->met_keys = 0;
}

/* Whether the file is as it was created: a run with --resume may have locked it first, have written
 * its results, and be gone. */
static bool is_untouched(const struct ledger *ledger)
{
    struct stat about;

    return ledger->disk->stat(ledger->disk, ledger->fd, &about) == 0 && about.st_size == 0 &&
           about.st_nlink == 1 && place_is_name_of(ledger->disk, ledger->path, ledger->fd) &&
           !ledger->disk->has(ledger->disk, ledger->journal_path);
}

/* Creates the results, with their header, and locks them. */
static enum status create_results(struct ledger *ledger, struct buf *message)
{
    struct disk *disk = ledger->disk;
    enum status status = ledger_probe(ledger->disk, ledger->path, message);

    if (status != STATUS_OK)
        return status;
    ledger->fd =
        disk->open(disk, ledger->path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0644);
    if (ledger->fd < 0)
        return ledger_say(ledger, "the results cannot be created", errno, message);
    status = ledger_lock(ledger, message);
    if (status != STATUS_OK)
        return status;
    if (!is_untouched(ledger)) {
        buf_add_printable(message, span_string(ledger->path));
        buf_add_string(message, " was taken by another nbatch while this one created it: nothing "
                                "was sent; look at what the other one did, then go on with "
                                "--resume, or name another results file with --output");
        return STATUS_EXISTS;
    }
    if (disk_append_all(disk, ledger->fd, buf_span(&ledger->header)) != STATUS_OK ||
        disk->sync(disk, ledger->fd) != 0)
        return ledger_say(ledger, "the results cannot be written", errno, message);
    (void)XXH3_64bits_update(ledger->hash, ledger->header.ptr, ledger->header.len);
    ledger->base = ledger->header.len;
    return STATUS_OK;
}

static void set_text(char out[JOURNAL_TEXT_MAX + 1], const char *text)
{
    buf_copy_printable(out, JOURNAL_TEXT_MAX + 1, span_string(text));
}

static enum status create_journal(struct ledger *ledger, const struct ledger_about *given,
                                  struct buf *message)
{
    struct journal_shape shape = journal_shape_for(ledger->options.concurrency);
    const struct journal_live live = {.base = ledger->base,
                                      .base_hash = XXH3_64bits_digest(ledger->hash)};
    struct journal *journal;
    struct journal_about about;

    enum status status = ledger_make_entries(ledger, shape.slots);
    if (status != STATUS_OK)
        return status;
    journal_about_init(ledger->disk, &about);
    set_text(about.input, given->input);
    set_text(about.target, given->target);
    about.input_size = given->input_size;
    about.input_hash = given->input_hash;
    about.strange = given->strange;
    about.run_base = ledger->base;
    about.jsonl = ledger->format.jsonl;
    ledger->completion.input_size = given->input_size;
    ledger->completion.input_hash = given->input_hash;
    ledger->completion.is_rehearsal = strcmp(given->target, "simulator") == 0;
    snapshot_add_checkpoint(ledger->snapshot, live.base, live.base_hash);
    ledger->snapshot->durable = ledger->base;
    ledger->snapshot->sequence = ledger->begun = ledger->ended = 1;
    status = journal_create(ledger->disk, ledger->journal_path, &about, &shape, &live,
                            ledger->snapshot, NULL, 0, message, &journal);
    if (status != STATUS_OK)
        return status;
    journal_close(ledger->journal);
    ledger->journal = journal;
    ledger->durable = ledger->base;
    return STATUS_OK;
}

static enum status open_copy(struct ledger *ledger, struct buf *message)
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

enum status ledger_start(struct ledger *ledger, const struct ledger_about *about,
                         struct buf *message)
{
    bool is_new = ledger->fd < 0;
    ledger->is_new = is_new;
    enum status status = open_copy(ledger, message);

    if (status == STATUS_OK && is_new)
        status = create_results(ledger, message);
    if (status == STATUS_OK)
        status = create_journal(ledger, about, message);
    if (status == STATUS_NO_MEMORY && message->len == 0)
        buf_add_string(message, status_text(status));
    /* They hold nothing; except where another run has been quicker to lock the results. */
    if (status != STATUS_OK && status != STATUS_EXISTS && is_new && ledger->fd >= 0 &&
        place_is_name_of(ledger->disk, ledger->path, ledger->fd)) {
        (void)ledger->disk->unlink(ledger->disk, ledger->journal_path);
        (void)ledger->disk->unlink(ledger->disk, ledger->path);
    }
    return status;
}

size_t ledger_room(const struct ledger *ledger)
{
    return ledger->capacity - ledger->used;
}

uint32_t ledger_admit(struct ledger *ledger, const struct intent *intent)
{
    uint32_t ticket = ledger->first_free;
    struct entry *entry = &ledger->entries[ticket];

    ledger->first_free = entry->next;
    ledger->used++;
    ledger->waiting++;
    *entry = (struct entry){.intent = *intent,
                            .state = ENTRY_ADMITTED,
                            .next = LEDGER_NO_TICKET,
                            .sequence = ledger->begun + 1};
    return ticket;
}

bool ledger_is_durable(const struct ledger *ledger, uint32_t ticket)
{
    return ledger->entries[ticket].sequence <= ledger->ended;
}

void ledger_attempt(struct ledger *ledger, uint32_t ticket, uint32_t sent, uint32_t ambiguous)
{
    struct entry *entry = &ledger->entries[ticket];

    entry->state = ENTRY_STARTED;
    entry->intent.sent = (uint16_t)(sent < UINT16_MAX ? sent : UINT16_MAX);
    entry->intent.ambiguous = (uint16_t)(ambiguous < UINT16_MAX ? ambiguous : UINT16_MAX);
    if (IS_MARKED)
        journal_mark(ledger->journal, ticket, &entry->intent);
}

void ledger_pause(struct ledger *ledger, uint32_t ticket)
{
    journal_unmark(ledger->journal, ticket);
}

void ledger_free_entry(struct ledger *ledger, uint32_t ticket)
{
    struct entry *entry = &ledger->entries[ticket];

    if (entry->state == ENTRY_ADMITTED && entry->sequence > ledger->begun)
        ledger->waiting--;
    entry->state = ENTRY_FREE;
    entry->next = ledger->first_free;
    ledger->first_free = ticket;
    ledger->used--;
}

void ledger_drop(struct ledger *ledger, uint32_t ticket)
{
    journal_unmark(ledger->journal, ticket);
    ledger_free_entry(ledger, ticket);
}

enum status ledger_fail(struct ledger *ledger, const char *what, int error)
{
    if (!ledger->failed)
        (void)ledger_say(ledger, what, error, &ledger->error);
    ledger->failed = true;
    return STATUS_IO;
}

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
    if (ledger->failed && !place_keeps_lines(ledger->place))
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

bool ledger_is_held_up(const struct ledger *ledger)
{
    return ledger->copy != NULL && outlet_is_full(ledger->copy);
}

enum status ledger_flush(struct ledger *ledger)
{
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

/* Takes a line down. STATUS_IO with *ret_kept false: nothing remembers it. */
static enum status keep_line(struct ledger *ledger, struct span line, bool *ret_kept)
{
    enum status status = STATUS_OK;

    *ret_kept = true;
    if (ledger->staged_lines >= LEDGER_FLUSH_LINES || ledger->staged >= LEDGER_FLUSH_BYTES)
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

static enum status copy_line(struct ledger *ledger, const struct result_record *record)
{
    if (ledger->copy == NULL)
        return STATUS_OK;
    if (ledger->format.jsonl)
        result_format_add_line(&ledger->copy_format, record, &ledger->copied);
    else
        buf_add(&ledger->copied, buf_span(&ledger->line));
    return ledger->copied.len < COPY_BYTES ? STATUS_OK : flush_copy(ledger);
}

/* The row's line is kept: its entry waits until that is durable. */
static void finish_entry(struct ledger *ledger, uint32_t ticket)
{
    struct entry *entry = &ledger->entries[ticket];

    journal_unmark(ledger->journal, ticket);
    if (entry->state == ENTRY_ADMITTED && entry->sequence > ledger->begun)
        ledger->waiting--;
    entry->state = ENTRY_DONE;
    entry->end = ledger->base + ledger->staged;
    entry->next = LEDGER_NO_TICKET;
    if (ledger->last_done != LEDGER_NO_TICKET)
        ledger->entries[ledger->last_done].next = ticket;
    else
        ledger->first_done = ticket;
    ledger->last_done = ticket;
}

/*
 * The clock may have been set back since the results that are there: a row that has one of them
 * would end before it, and the new result would not count. It ends with the latest of them then.
 */
static struct result_record keep_order(struct ledger *ledger, const struct result_record *record)
{
    struct result_record kept = *record;
    struct key_state before;

    if (record->finished_ms >= ledger->latest_ms)
        return kept;
    index_get(&ledger->index, &record->id, &before);
    if (before.known)
        kept.finished_ms = ledger->latest_ms;
    return kept;
}

enum status ledger_end(struct ledger *ledger, uint32_t ticket, const struct result_record *given)
{
    const struct result_record ordered = keep_order(ledger, given), *record = &ordered;
    bool kept;

    buf_clear(&ledger->line);
    result_format_add_line(&ledger->format, record, &ledger->line);
    if (ledger->line.status != STATUS_OK) {
        ledger->lost++;
        return ledger_fail(ledger, "a line of the results", ENOMEM);
    }
    enum status status = keep_line(ledger, buf_span(&ledger->line), &kept);
    if (!kept) {
        ledger->lost++;
        return status;
    }
    ledger->count++;
    ledger->unsynced++;
    if (record->status == ROW_ACCEPTED) /* no row is sent that was */
        accepted_add(&ledger->accepted, &record->id);
    if (ticket != LEDGER_NO_TICKET)
        finish_entry(ledger, ticket);
    enum status copied = copy_line(ledger, record);
    return status == STATUS_OK ? copied : status;
}

uint64_t ledger_count(const struct ledger *ledger)
{
    return ledger->count;
}

uint64_t ledger_unsynced(const struct ledger *ledger)
{
    return ledger->unsynced;
}

size_t ledger_waiting(const struct ledger *ledger)
{
    return ledger->waiting;
}

bool ledger_is_syncing(const struct ledger *ledger)
{
    return ledger->syncing;
}

const char *ledger_error(struct ledger *ledger)
{
    return buf_string(&ledger->error);
}

bool ledger_has_failed(const struct ledger *ledger)
{
    return ledger->failed;
}

bool ledger_is_displaced(const struct ledger *ledger)
{
    return ledger->place != PLACE_SAME;
}

bool ledger_is_rescued(const struct ledger *ledger)
{
    return ledger->rescued;
}

uint64_t ledger_lost(const struct ledger *ledger)
{
    return ledger->lost;
}

/* The results are not durable, and what the journal holds is all there is. */
static enum status finish_failed(struct ledger *ledger, struct buf *message)
{
    if (ledger->place != PLACE_SAME && !ledger->journal_failed && !ledger->results_failed) {
        (void)!ledger_rescue(ledger, message); /* said there */
        return STATUS_IO;
    }
    if (ledger->journal_failed)
        return STATUS_IO; /* a sync that failed is not tried again */
    if (!ledger->results_failed)
        (void)ledger->disk->sync_data(
            ledger->disk, ledger->fd); /* where it fails, a recovery finds out what is missing */
    if (journal_settle(ledger->journal) != STATUS_OK)
        buf_add_format(message, "the journal cannot be synced either: %s", strerror(errno));
    return STATUS_IO;
}

enum status ledger_finish(struct ledger *ledger, bool is_complete, struct buf *message)
{
    if (ledger->journal == NULL)
        return STATUS_OK;
    enum status copied = ledger_flush(ledger);
    enum place place = ledger->failed ? PLACE_SAME : ledger_look(ledger, ledger->base, true);
    if (place != PLACE_SAME)
        (void)ledger_displace(ledger, place);
    ledger->waiting++; /* a last snapshot, also where there is nothing new */
    if (ledger_sync_now(ledger) != STATUS_OK)
        return finish_failed(ledger, message);
    enum status status = STATUS_OK;
    bool is_empty = !is_complete && ledger->is_new && ledger->count == 0 && ledger->lost == 0;
    if (is_complete)
        status = ledger_write_completion(ledger, &ledger->accepted, message);
    if (status != STATUS_OK) {
        (void)!journal_settle(ledger->journal); /* --resume completes it */
    } else if (is_complete || is_empty) {
        struct journal *journal = ledger->journal;
        ledger->journal = NULL;
        status = journal_remove(journal, message);
        if (status == STATUS_OK && is_empty) /* last: without it the journal would be in the way */
            (void)ledger->disk->unlink(ledger->disk, ledger->path);
    } else if (journal_settle(ledger->journal) != STATUS_OK) {
        status = ledger_say(ledger, "their journal cannot be synced", errno, message);
    }
    return status == STATUS_OK ? copied : status;
}
