/*
 * The look at the whole at the end of a run: the results are read as they are in the file, and must
 * have the hash of what was written. Each line's key is marked in the index: the first one of a row
 * that the input has is the row's, further ones are weighed later (current.h), and those of rows
 * that the input does not have are strange. Where the hash is right, every line is as it was
 * written or checked when the run began, so that its key alone is read. Where it is not, all is
 * read once more, strictly, to say where.
 */
#include <errno.h>

#include "ledger/ledger_impl.h"

struct counting {
    struct ledger *ledger;
    struct store_account *account;
    struct row_id last; /* whose entry is on its way from memory while the next line is parsed */
    bool has_last;
};

/* Marks what the last line stands for. */
static enum status count_line(const struct counting *counting)
{
    struct ledger *ledger = counting->ledger;
    struct store_account *account = counting->account;
    const struct row_id *line = &counting->last;
    enum index_mark mark;

    if (!counting->has_last)
        return STATUS_OK;
    enum status status = index_mark(&ledger->index, line, &mark);
    if (status != STATUS_OK)
        return status;
    account->lines++;
    if (mark == INDEX_FIRST) {
        account->rows++;
        return STATUS_OK;
    }
    if (mark == INDEX_STRANGE) {
        account->strange++;
        return STATUS_OK;
    }
    account->superseded++;
    return current_watch(&ledger->repeated, line);
}

enum status ledger_write_completion(const struct ledger *ledger, const struct accepted *accepted,
                                    struct buf *message)
{
    struct completion completion = ledger->completion;
    struct stat about = {.st_mode = 0600, .st_uid = (uid_t)-1, .st_gid = (gid_t)-1};
    char *path = completion_path(ledger->path);

    if (path == NULL) {
        buf_add_string(message, status_text(STATUS_NO_MEMORY));
        return STATUS_NO_MEMORY;
    }
    completion.accepted = *accepted;
    (void)!ledger->disk->stat(ledger->disk, ledger->fd, &about); /* no wider than the results */
    enum status status = completion_write(ledger->disk, path, &completion, &about, message);
    free(path);
    return status;
}

enum status ledger_compare_completion(struct ledger *ledger, struct buf *message)
{
    struct ledger_past *past = &ledger->past;
    struct completion completion;
    char *path = completion_path(ledger->path);

    if (path == NULL)
        return STATUS_NO_MEMORY;
    enum status status = completion_read(ledger->disk, path, &completion);
    int error = errno;
    free(path);
    if (status == STATUS_IO)
        return ledger_say(ledger, "the file with .complete behind its name cannot be read", error,
                          message);
    if (status == STATUS_END || past->has_journal) /* a journal knows better */
        return STATUS_OK;
    past->has_completion = true;
    past->completion_is_damaged = status == STATUS_SYNTAX;
    if (status == STATUS_SYNTAX)
        return STATUS_OK;
    past->with = completion.with;
    past->input_size = completion.input_size;
    past->input_hash = completion.input_hash;
    past->accepted_then = accepted_count(&completion.accepted);
    if (ledger->fd >= 0)
        past->accepted_missing = accepted_missing(&completion.accepted, &ledger->accepted);
    return STATUS_OK;
}

bool ledger_is_of_input(struct ledger *ledger, const struct row_id *id)
{
    return index_has_met(&ledger->index, id);
}

bool ledger_is_current(struct ledger *ledger, const struct result_fields *fields)
{
    return index_has_met(&ledger->index, &fields->id) && current_has(&ledger->repeated, fields);
}

static const char changed_before[] = "somebody else has changed bytes before it";

/* Whether all that is in the file is what this ledger has written or found there. */
static const char *find_change(const struct ledger *ledger, const struct result_scan *scan)
{
    struct stat about;

    if (ledger->disk->stat(ledger->disk, ledger->fd, &about) == 0 &&
        (uint64_t)about.st_size != ledger->base)
        return "something else than nbatch has written behind it";
    if (XXH3_64bits_digest(scan->hash) != XXH3_64bits_digest(ledger->hash))
        return changed_before;
    return NULL;
}

static enum status take_line(void *context, const struct result_fields *fields)
{
    struct counting *counting = context;

    index_expect(&counting->ledger->index, fields->id.hash);
    enum status status = count_line(counting);
    counting->last = fields->id;
    counting->has_last = true;
    return status;
}

static enum status take_none(void *context, const struct result_fields *fields)
{
    (void)context;
    (void)fields;
    return STATUS_OK;
}

static enum status each_line(struct ledger *ledger, struct result_scan *scan, result_take_fn *take,
                             void *context)
{
    (void)XXH3_64bits_reset(scan->hash);
    return result_scan_each(scan, 0, ledger->base, buf_span(&ledger->header), take, context);
}

/* Counts all lines. STATUS_SYNTAX also where the file as a whole is not what it was. */
static enum status count_lines(struct ledger *ledger, struct result_scan *scan,
                               struct store_account *account)
{
    struct counting counting = {.ledger = ledger, .account = account};
    const char *change = NULL;

    scan->keys_only = true;
    enum status status = each_line(ledger, scan, take_line, &counting);
    if (status == STATUS_OK)
        status = count_line(&counting);
    if (status == STATUS_OK && (change = find_change(ledger, scan)) == NULL)
        return STATUS_OK;
    if (status != STATUS_OK && status != STATUS_SYNTAX)
        return status;
    scan->keys_only = false;
    status = each_line(ledger, scan, take_none, NULL);
    if (status != STATUS_OK)
        return status;
    scan->error = change != NULL ? change : changed_before;
    return STATUS_SYNTAX;
}

enum status ledger_account(struct store *store, struct store_account *ret_account,
                           struct buf *message)
{
    struct ledger *ledger = (struct ledger *)store;
    struct store_account account = {.rows = 0};
    struct result_scan scan;
    enum status status = STATUS_NO_MEMORY;

    result_scan_init(&scan, ledger->disk, ledger->fd, ledger->format.jsonl,
                     ledger->format.passed_count);
    scan.hash = XXH3_createState();
    if (scan.hash != NULL)
        status = count_lines(ledger, &scan, &account);
    if (status == STATUS_SYNTAX) {
        buf_add_printable(message, span_string(ledger->path));
        buf_add_format(message, ": at byte %llu it is not what was written: %s",
                       (unsigned long long)scan.at, scan.error);
    } else if (status == STATUS_IO) {
        (void)ledger_say(ledger, "the results cannot be read", errno, message);
    } else if (status == STATUS_NO_MEMORY) {
        buf_add_string(message, status_text(status));
    } else {
        *ret_account = account;
    }
    (void)XXH3_freeState(scan.hash);
    result_scan_deinit(&scan);
    return status;
}
