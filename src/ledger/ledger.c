#include "ledger/ledger_impl.h"

#include <errno.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = RESULT_LINE_MAX, /* of a row with all it carries */
};

enum status ledger_say(const struct ledger *ledger, const char *what, int error,
                       struct buf *message)
{
    return journal_say(message, ledger->path, what, error);
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
    buf_init(&ledger->again, LINE_MAX_BYTES);
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
    ledger->doubt_path = path != NULL ? doubt_path(path) : NULL;
    ledger->doubts = (struct doubt_file){.disk = disk, .path = ledger->doubt_path, .fd = -1};
    ledger->hash = XXH3_createState();
    if (path == NULL || ledger->journal_path == NULL || ledger->doubt_path == NULL ||
        ledger->hash == NULL)
        return STATUS_NO_MEMORY;
    (void)XXH3_64bits_reset(ledger->hash);
    return ledger->header.status;
}

static const struct store file_store = {
    .meet = ledger_meet,
    .remember = ledger_remember,
    .rewind = ledger_rewind,
    .admit = ledger_admit,
    .is_durable = ledger_is_durable,
    .attempt = ledger_attempt,
    .pause = ledger_pause,
    .drop = ledger_drop,
    .end = ledger_end,
    .flush = ledger_flush,
    .is_held_up = ledger_is_held_up,
    .sync_begin = ledger_sync_begin,
    .sync_run = ledger_sync_run,
    .sync_end = ledger_sync_end,
    .error = ledger_error,
    .account = ledger_account,
    .finish = ledger_finish,
};

enum status ledger_open(const struct ledger_options *options, struct buf *message,
                        struct ledger **ret_ledger)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));

    if (ledger == NULL) {
        buf_add_string(message, status_text(STATUS_NO_MEMORY));
        return STATUS_NO_MEMORY;
    }
    ledger->store = file_store;
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
    if (ledger->disk != NULL)
        doubt_file_close(&ledger->doubts);
    outlet_close(ledger->copy);
    buf_deinit(&ledger->copied);
    buf_deinit(&ledger->line);
    buf_deinit(&ledger->again);
    buf_deinit(&ledger->header);
    buf_deinit(&ledger->error);
    index_deinit(&ledger->index);
    current_deinit(&ledger->repeated);
    (void)XXH3_freeState(ledger->hash);
    free(ledger->entries);
    free(ledger->orphans);
    free(ledger->snapshot);
    free(ledger->path);
    free(ledger->journal_path);
    free(ledger->doubt_path);
    free(ledger);
}

struct store *ledger_store(struct ledger *ledger)
{
    return &ledger->store;
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

enum status ledger_make_journal(struct ledger *ledger, const struct journal_about *about,
                                const struct journal_shape *shape, const struct intent *started,
                                size_t count, struct buf *message, struct journal **ret_journal)
{
    const struct journal_live live = {.base = ledger->base,
                                      .base_hash = XXH3_64bits_digest(ledger->hash)};
    struct snapshot *snapshot = ledger->snapshot;

    snapshot_add_checkpoint(snapshot, live.base, live.base_hash);
    snapshot->durable = ledger->durable = live.base;
    snapshot->sequence = ledger->begun = ledger->ended = 1;
    snapshot->intent_count = 0;
    for (size_t i = 0; i < count; i++)
        snapshot_put(snapshot, &started[i]);
    enum status status = journal_create(ledger->disk, ledger->journal_path, about, shape, &live,
                                        snapshot, started, count, message, ret_journal);
    struct stat results;
    if (status == STATUS_OK && ledger->disk->stat(ledger->disk, ledger->fd, &results) == 0)
        journal_give_to_owner(*ret_journal, &results);
    return status;
}

static enum status create_journal(struct ledger *ledger, const struct ledger_about *given,
                                  struct buf *message)
{
    struct journal_shape shape = journal_shape_for(ledger->options.concurrency, given->rows);
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
    ledger->completion.input_content = given->input_content;
    ledger->completion.with = about.with = given->with;
    status = ledger_make_journal(ledger, &about, &shape, NULL, 0, message, &journal);
    if (status != STATUS_OK)
        return status;
    journal_close(ledger->journal);
    ledger->journal = journal;
    return STATUS_OK;
}

enum status ledger_start(struct ledger *ledger, const struct ledger_about *about,
                         struct buf *message)
{
    bool is_new = ledger->fd < 0;
    ledger->is_new = is_new;
    enum status status = ledger_open_copy(ledger, message);

    if (status == STATUS_OK && is_new)
        status = create_results(ledger, message);
    if (status == STATUS_OK)
        status = create_journal(ledger, about, message);
    if (status == STATUS_NO_MEMORY && message->len == 0)
        buf_add_string(message, status_text(status));
    /* They hold nothing; except where another run has been quicker to lock the results. */
    if (status != STATUS_OK && status != STATUS_EXISTS && is_new && ledger->fd >= 0 &&
        place_is_name_of(ledger->disk, ledger->path, ledger->fd)) {
        /* A journal without results would be in the way of any run. */
        if (ledger->disk->unlink(ledger->disk, ledger->journal_path) == 0 || errno == ENOENT)
            (void)ledger->disk->unlink(ledger->disk, ledger->path);
    }
    return status;
}

enum status ledger_fail(struct ledger *ledger, const char *what, int error)
{
    if (!ledger->store.has_failed)
        (void)ledger_say(ledger, what, error, &ledger->error);
    ledger->store.has_failed = true;
    return STATUS_IO;
}

const char *ledger_error(struct store *store)
{
    struct ledger *ledger = (struct ledger *)store;
    return buf_string(&ledger->error);
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

enum status ledger_finish(struct store *store, bool is_complete, struct buf *message)
{
    struct ledger *ledger = (struct ledger *)store;
    if (ledger->journal == NULL)
        return STATUS_OK;
    enum status copied = ledger_flush(store);
    enum place place =
        ledger->store.has_failed ? PLACE_SAME : ledger_look(ledger, ledger->base, true);
    if (place != PLACE_SAME)
        (void)ledger_displace(ledger, place);
    ledger->store.waiting++; /* a last snapshot, also where there is nothing new */
    if (ledger_sync_now(ledger) != STATUS_OK)
        return finish_failed(ledger, message);
    enum status status = STATUS_OK;
    bool is_empty = !is_complete && ledger->is_new && ledger->store.count == 0 && ledger->lost == 0;
    if (is_complete)
        status = ledger_write_completion(ledger, &ledger->accepted, message);
    if (status != STATUS_OK) {
        (void)!journal_settle(ledger->journal); /* --resume completes it */
    } else if (is_complete || is_empty) {
        struct journal *journal = ledger->journal;
        ledger->journal = NULL;
        status = journal_remove(journal, message);
        if (ledger->doubts.fd < 0 ||
            ledger->orphan_count > 0) /* else a row of this run is in doubt */
            doubt_settle(ledger->disk, ledger->path);
        if (status == STATUS_OK && is_empty) /* last: without it the journal would be in the way */
            (void)ledger->disk->unlink(ledger->disk, ledger->path);
    } else if (journal_settle(ledger->journal) != STATUS_OK) {
        status = ledger_say(ledger, "their journal cannot be synced", errno, message);
    }
    return status == STATUS_OK ? copied : status;
}
