#include "run/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "platform/history.h"

/*
 * A search is one device's turn:
 *
 *     first look ─ LIST, page by page ─ LOOKUP, command by command ─ all is there ──▶ end
 *                                                                  └ else: later ─ second look ─▶
 * end
 *
 * What cannot be read ends it at once, and leaves its rows in doubt.
 */

struct candidate {
    char uuid[REPLY_UUID_MAX + 1];
    int64_t created_s; /* by the platform's clock; HISTORY_NONE */
};

/* What a row may have asked for: a request for each of its doubts. */
struct asked {
    size_t row; /* of the search */
    struct likeness_request request;
};

struct search {
    size_t first, count; /* rows */
    struct claim_row *claims;
    int64_t *from_s, *to_s; /* of each row: when its command may have been created */
    struct asked *asked;
    size_t asked_count;
    struct buf texts; /* of those */
    int64_t start_s;  /* of the list */
    unsigned looks;
    enum operation operation;
    uint32_t page;
    uint64_t seen; /* entries of the list */
    struct candidate *candidates;
    size_t candidate_count, at;
    unsigned char *likeness;      /* as in claims.h */
    bool is_hazy;                 /* something could not be read: what is not found may be there */
    bool has_failed;              /* memory */
    struct search *next;          /* in its queue */
    struct search *newer, *older; /* among all */
};

static const char why_control[] =
    "the platform's history does not know a command that was accepted: it cannot tell what is "
    "missing";

static void free_search(struct trace *trace, struct search *search)
{
    if (search->newer != NULL)
        search->newer->older = search->older;
    if (search->older != NULL)
        search->older->newer = search->newer;
    if (trace->all == search)
        trace->all = search->older;
    free(search->claims);
    free(search->from_s);
    free(search->to_s);
    free(search->asked);
    free(search->candidates);
    free(search->likeness);
    buf_deinit(&search->texts);
    free(search);
}

static const struct trace_row *row_of(const struct trace *trace, const struct search *search,
                                      size_t r)
{
    return &trace->options.rows[search->first + r];
}

/* Ends. */

static const char *why_unclear(const struct trace *trace, const struct search *search, size_t r,
                               enum claim claim)
{
    if (row_of(trace, search, r)->doubt_count == 0)
        return "what it asked for is not on record";
    if (claim == CLAIM_NONE && search->is_hazy)
        return "not all of the platform's history could be read";
    if (claim == CLAIM_NONE && trace->control == CONTROL_BAD)
        return why_control;
    if (claim == CLAIM_NONE)
        return "not in the platform's history so far; how soon an execute shows there is not "
               "documented: say --settle to call it not processed";
    return search->claims[r].is_covered
               ? "the platform's history has a command that cannot be told from it"
               : "not all that it asked for is on record";
}

static bool is_believed(const struct trace *trace, const struct search *search, size_t r)
{
    bool executes = false;

    for (size_t i = 0; i < search->asked_count; i++)
        executes = executes ||
                   (search->asked[i].row == r && search->asked[i].request.action == ACTION_EXECUTE);
    return !search->is_hazy && trace->control != CONTROL_BAD &&
           (!executes || trace->options.trusts_executes);
}

/* Keeps what came of a row. `why` is not NULL where nothing was learnt of the device. */
static void keep(struct trace *trace, const struct search *search, size_t r, const size_t *owner,
                 const char *why, int64_t now_ms)
{
    struct trace_found found = {.claim = search->claims[r].claim, .surplus = "", .why = why};
    struct buf surplus;

    buf_init(&surplus, 1024 * 1024);
    for (size_t e = 0; owner != NULL && e < search->candidate_count; e++) {
        if (owner[e] != r)
            continue;
        const char *uuid = search->candidates[e].uuid;
        if (found.uuid == NULL)
            found.uuid = uuid;
        else
            buf_add_format(&surplus, "%s%s", surplus.len > 0 ? ", " : "", uuid);
    }
    found.surplus = buf_string(&surplus);
    if (why != NULL || (found.claim == CLAIM_NONE && !is_believed(trace, search, r)) ||
        found.claim == CLAIM_UNCLEAR) {
        if (why == NULL)
            found.why = why_unclear(trace, search, r, found.claim);
        found.claim = CLAIM_UNCLEAR;
    }
    errno = 0;
    if (trace->error == 0 &&
        !trace->options.keep(trace->options.context, row_of(trace, search, r), &found, now_ms))
        trace->error = errno != 0 ? errno : EIO;
    buf_deinit(&surplus);
}

static void finish(struct trace *trace, struct search *search, const size_t *owner, const char *why,
                   int64_t now_ms)
{
    for (size_t r = 0; r < search->count; r++)
        keep(trace, search, r, owner, why, now_ms);
    free_search(trace, search);
}

/* Beginnings. */

static bool make_room(struct search *search, size_t doubts)
{
    search->claims = calloc(search->count, sizeof(*search->claims));
    search->from_s = calloc(search->count, sizeof(*search->from_s));
    search->to_s = calloc(search->count, sizeof(*search->to_s));
    search->asked = calloc(doubts + 1, sizeof(*search->asked));
    return search->claims != NULL && search->from_s != NULL && search->to_s != NULL &&
           search->asked != NULL;
}

/* What a row has asked for, and when. */
static enum status take_doubts(const struct trace *trace, struct search *search, size_t r)
{
    const struct trace_row *row = row_of(trace, search, r);
    struct doubt doubt;

    search->claims[r] = (struct claim_row){.pool = r,
                                           .attempts = row->ambiguous,
                                           .is_covered = row->is_covered && row->doubt_count > 0};
    search->from_s[r] = INT64_MAX;
    search->to_s[r] = INT64_MIN;
    for (size_t i = 0; i < row->doubt_count; i++) {
        enum status status =
            trace->options.load(trace->options.context, row->doubt + i, &search->texts, &doubt);
        if (status != STATUS_OK)
            return status;
        int64_t from_s = doubt.first_ms / 1000 + doubt.clock_off_s - TRACE_MARGIN_S,
                to_s = doubt.last_ms / 1000 + doubt.clock_off_s + TRACE_MARGIN_S;
        search->from_s[r] = from_s < search->from_s[r] ? from_s : search->from_s[r];
        search->to_s[r] = to_s > search->to_s[r] ? to_s : search->to_s[r];
        search->start_s =
            from_s - TRACE_BACK_S < search->start_s ? from_s - TRACE_BACK_S : search->start_s;
        if (!operation_is_submit((enum operation)doubt.operation))
            continue; /* no row is */
        search->asked[search->asked_count++] =
            (struct asked){r, {(enum action)doubt.operation, doubt.target, doubt.body}};
    }
    return STATUS_OK;
}

/* The last request of a row; NULL: none is known. */
static const struct likeness_request *request_of(const struct search *search, size_t r)
{
    const struct likeness_request *found = NULL;

    for (size_t i = 0; i < search->asked_count; i++)
        if (search->asked[i].row == r)
            found = &search->asked[i].request;
    return found;
}

/* Rows that ask for the same share a pool. */
static enum status find_pools(struct search *search)
{
    for (size_t r = 1; r < search->count; r++) {
        for (size_t s = 0; s < r && search->claims[r].pool == r; s++) {
            const struct likeness_request *a = request_of(search, s), *b = request_of(search, r);
            enum likeness likeness = LIKENESS_DIFFERENT;
            if (search->claims[s].pool != s || a == NULL || b == NULL)
                continue;
            enum status status = likeness_of_requests(a, b, &likeness);
            if (status != STATUS_OK)
                return status;
            if (likeness == LIKENESS_EQUAL)
                search->claims[r].pool = s;
        }
    }
    return STATUS_OK;
}

static enum status begin(struct trace *trace, struct search **ret_search)
{
    const struct trace_options *options = &trace->options;
    struct search *search = calloc(1, sizeof(*search));
    size_t doubts = 0, bytes = 0;

    if (search == NULL)
        return STATUS_NO_MEMORY;
    *search = (struct search){.first = trace->at, .start_s = INT64_MAX, .older = trace->all};
    if (trace->all != NULL)
        trace->all->newer = search;
    trace->all = search;
    buf_init(&search->texts, SIZE_MAX / 2);
    for (size_t i = trace->at;
         i < options->row_count && options->rows[i].id.device == options->rows[trace->at].id.device;
         i++, search->count++)
        for (size_t d = 0; d < options->rows[i].doubt_count; d++, doubts++)
            bytes += options->size(options->context, options->rows[i].doubt + d);
    enum status status = STATUS_NO_MEMORY;
    if (make_room(search, doubts) && buf_reserve(&search->texts, bytes + 1))
        status = STATUS_OK;
    for (size_t r = 0; r < search->count && status == STATUS_OK; r++)
        status = take_doubts(trace, search, r);
    if (status == STATUS_OK)
        status = find_pools(search);
    if (status != STATUS_OK)
        free_search(trace, search);
    else
        *ret_search = search;
    return status;
}

static void begin_look(struct search *search)
{
    search->looks++;
    search->operation = OPERATION_LIST;
    search->page = 0;
    search->seen = search->at = search->candidate_count = 0;
    search->is_hazy = false;
}

/* Asking. */

static void follow(struct trace *trace, struct search *search)
{
    search->next = NULL;
    if (trace->next == NULL)
        trace->next = search;
    else
        trace->last->next = search;
    trace->last = search;
}

static void put_off(struct trace *trace, struct search *search)
{
    search->next = NULL;
    if (trace->later == NULL)
        trace->later = search;
    else
        trace->latest->next = search;
    trace->latest = search;
}

static enum status send(struct trace *trace, struct item *item, enum operation operation,
                        const struct question *question, const void *who)
{
    item->operation = operation;
    item->id = (struct row_id){
        .hash = (uintptr_t)who, .device = question->device, .row = 1, .line = 1, .occurrence = 1};
    trace->lists += operation == OPERATION_LIST;
    trace->lookups += operation == OPERATION_LOOKUP;
    enum status status = command_ask(&item->command, trace->options.dialect, operation, question);
    trace->under_way += status == STATUS_OK;
    return status;
}

static enum status ask(struct trace *trace, struct search *search, struct item *item)
{
    struct question question = {.device = row_of(trace, search, 0)->id.device};

    if (search->operation == OPERATION_LIST) {
        question.start_s = search->start_s;
        question.page = ++search->page;
        question.per_page = TRACE_PER_PAGE;
        question.ascending = true;
    } else {
        question.uuid = span_string(search->candidates[search->at].uuid);
    }
    return send(trace, item, search->operation, &question, search);
}

static enum status ask_control(struct trace *trace, struct item *item)
{
    const struct question question = {.device = trace->options.control_device,
                                      .uuid = span_string(trace->options.control_uuid)};

    trace->control = CONTROL_ASKED;
    return send(trace, item, OPERATION_LOOKUP, &question, trace);
}

/* When the look after `looks` others is due, by this machine's clock. One that was set back keeps
 * nobody waiting for longer than it takes. */
static int64_t due_ms(struct trace *trace, size_t first, unsigned looks)
{
    const struct trace_options *options = &trace->options;
    int64_t last_ms = options->rows[first].last_ms;

    for (size_t i = first + 1;
         i < options->row_count && options->rows[i].id.device == options->rows[first].id.device;
         i++)
        last_ms = options->rows[i].last_ms > last_ms ? options->rows[i].last_ms : last_ms;
    return (last_ms < trace->begun_ms ? last_ms : trace->begun_ms) + options->settle_ms[looks];
}

/* A device whose rows all have no request on record is not asked about. */
static bool is_askable(const struct search *search)
{
    return search->asked_count > 0;
}

/* The next device; NULL: none is due. *ret_due_ms: when the next one is. */
static enum status next_device(struct trace *trace, int64_t now_ms, struct search **ret_search,
                               int64_t *ret_due_ms)
{
    struct search *search = NULL;

    while (trace->at < trace->options.row_count) {
        *ret_due_ms = due_ms(trace, trace->at, 0);
        if (*ret_due_ms > now_ms)
            break;
        enum status status = begin(trace, &search);
        if (status != STATUS_OK)
            return status;
        trace->at += search->count;
        *ret_due_ms = INT64_MAX;
        if (is_askable(search) && search->start_s < INT64_MAX)
            break;
        finish(trace, search, NULL, "what it asked for is not on record", now_ms);
        search = NULL;
    }
    if (search == NULL && trace->later != NULL && trace->control != CONTROL_ASKED) {
        int64_t later_ms = due_ms(trace, trace->later->first, 1);
        if (later_ms <= now_ms) {
            search = trace->later;
            trace->later = search->next;
        } else if (later_ms < *ret_due_ms) {
            *ret_due_ms = later_ms;
        }
    }
    *ret_search = search;
    return STATUS_OK;
}

static enum status next(struct row_source *base, struct source_row *row, struct engine_time now)
{
    struct trace *trace = (struct trace *)base;
    struct search *search = trace->next;
    int64_t due = INT64_MAX;

    if (trace->begun_ms == 0)
        trace->begun_ms = now.wall_ms;
    errno = trace->error;
    if (trace->error != 0)
        return STATUS_IO;
    if (trace->control == CONTROL_NOT_ASKED && trace->later != NULL &&
        due_ms(trace, trace->later->first, 1) <= now.wall_ms)
        return ask_control(trace, row->item);
    row->again_ns = INT64_MAX;
    if (search != NULL) {
        trace->next = search->next;
        return ask(trace, search, row->item);
    }
    enum status status = next_device(trace, now.wall_ms, &search, &due);
    if (status != STATUS_OK)
        return status;
    if (search != NULL) {
        begin_look(search);
        return ask(trace, search, row->item);
    }
    if (due < INT64_MAX)
        row->again_ns = now.ns + (due - now.wall_ms) * 1000000;
    return due == INT64_MAX && trace->under_way == 0 ? STATUS_END : STATUS_AGAIN;
}

/* Answers. */

struct taking {
    const struct trace *trace;
    struct search *search;
};

static bool is_wanted(const struct taking *taking, const struct history_entry *entry)
{
    const struct search *search = taking->search;
    const struct trace_options *options = &taking->trace->options;
    bool is_of_kind = !entry->has_action;

    for (size_t i = 0; i < search->asked_count; i++)
        is_of_kind = is_of_kind || search->asked[i].request.action == entry->action;
    if (!is_of_kind || options->is_owned(options->context, span_string(entry->uuid)))
        return false;
    for (size_t i = 0; i < search->candidate_count; i++) /* pages may overlap */
        if (strcmp(search->candidates[i].uuid, entry->uuid) == 0)
            return false;
    return true;
}

static void take_listed(void *context, const struct history_entry *entry)
{
    const struct taking *taking = context;
    struct search *search = taking->search;

    search->seen++;
    if (!is_wanted(taking, entry))
        return;
    if (!operation_names_one(span_string(entry->uuid)) ||
        search->candidate_count == TRACE_ENTRIES_MAX) {
        search->is_hazy = true;
        return;
    }
    struct candidate *grown =
        realloc(search->candidates, (search->candidate_count + 1) * sizeof(*grown));
    search->has_failed = search->has_failed || grown == NULL;
    if (grown == NULL)
        return;
    search->candidates = grown;
    struct candidate *candidate = &grown[search->candidate_count++];
    memcpy(candidate->uuid, entry->uuid, sizeof(candidate->uuid));
    candidate->created_s = entry->times_s[HISTORY_CREATED];
}

static int compare_ages(const void *one, const void *other)
{
    const struct candidate *a = one, *b = other;

    return (a->created_s > b->created_s) - (a->created_s < b->created_s);
}

/* All pages were read. */
static void end_list(struct search *search)
{
    size_t count = search->candidate_count;

    search->operation = OPERATION_LOOKUP;
    if (count == 0)
        return;
    qsort(search->candidates, count, sizeof(*search->candidates), compare_ages);
    free(search->likeness);
    search->likeness = malloc(count * search->count);
    search->has_failed = search->has_failed || search->likeness == NULL;
    if (search->likeness != NULL)
        memset(search->likeness, LIKENESS_UNCLEAR, count * search->count);
}

/* Takes a page. False: it is none. */
static bool take_page(const struct trace *trace, struct search *search, struct span body)
{
    const struct taking taking = {trace, search};
    uint64_t before = search->seen, total = 0;

    if (history_read_list(body, take_listed, (void *)(uintptr_t)&taking, &total) != STATUS_OK)
        return false;
    bool more = search->seen > before && search->seen < total;
    search->is_hazy = search->is_hazy || (more && search->page == TRACE_PAGES_MAX) ||
                      (!more && search->seen < total);
    if (!more || search->page == TRACE_PAGES_MAX)
        end_list(search);
    return true;
}

/* Compares a command with each row. What cannot be read is not told apart. */
static void take_command(struct search *search, struct span body)
{
    unsigned char *of_entry = search->likeness + search->at * search->count;
    int64_t created_s = search->candidates[search->at].created_s;

    for (size_t r = 0; r < search->count; r++) {
        enum likeness best = request_of(search, r) != NULL ? LIKENESS_DIFFERENT : LIKENESS_UNCLEAR;
        for (size_t i = 0; i < search->asked_count; i++) {
            enum likeness likeness = LIKENESS_UNCLEAR;
            if (search->asked[i].row != r)
                continue;
            if (likeness_of_entry(body, &search->asked[i].request, &likeness) != STATUS_OK)
                likeness = LIKENESS_UNCLEAR;
            best = likeness < best ? likeness : best;
        }
        bool is_of_time = created_s >= search->from_s[r] && created_s <= search->to_s[r];
        of_entry[r] =
            (unsigned char)(best == LIKENESS_EQUAL && !is_of_time ? LIKENESS_UNCLEAR : best);
    }
}

/* All commands were looked at: the end, or another look. */
static void end_look(struct trace *trace, struct search *search, int64_t now_ms)
{
    size_t *owner = calloc(search->candidate_count + 1, sizeof(*owner));

    if (owner == NULL) {
        finish(trace, search, NULL, status_text(STATUS_NO_MEMORY), now_ms);
        return;
    }
    claims_settle(search->claims, search->count, search->likeness, search->candidate_count, owner);
    if (search->looks < TRACE_LOOKS &&
        !claims_are_full(search->claims, search->count, owner, search->candidate_count))
        put_off(trace, search);
    else
        finish(trace, search, owner, NULL, now_ms);
    free(owner);
}

static bool is_answered(const struct source_end *end)
{
    return end->outcome->status == ROW_ACCEPTED;
}

static void take(struct trace *trace, struct search *search, const struct source_end *end)
{
    bool is_list = search->operation == OPERATION_LIST;

    if (is_list && (!is_answered(end) || !take_page(trace, search, end->body))) {
        const char *error = end->outcome->error;
        finish(trace, search, NULL,
               error[0] != '\0' && !is_answered(end) ? error
                                                     : "the platform's history could not be read",
               end->now.wall_ms);
        return;
    }
    if (search->has_failed) {
        finish(trace, search, NULL, status_text(STATUS_NO_MEMORY), end->now.wall_ms);
        return;
    }
    if (!is_list && is_answered(end))
        take_command(search, end->body);
    search->at += !is_list;
    if (search->operation == OPERATION_LIST || search->at < search->candidate_count)
        follow(trace, search);
    else
        end_look(trace, search, end->now.wall_ms);
}

static void ended(struct row_source *base, const struct source_end *end)
{
    struct trace *trace = (struct trace *)base;
    void *who = (void *)(uintptr_t)end->item->id.hash;
    struct history_entry entry;

    trace->under_way--;
    if (who != trace) {
        take(trace, who, end);
        return;
    }
    bool is_known = is_answered(end) && history_read_one(end->body, &entry) == STATUS_OK;
    trace->control = is_known ? CONTROL_GOOD : CONTROL_BAD;
}

static struct source_place place(struct row_source *base)
{
    (void)base;
    return (struct source_place){.line = 0};
}

void trace_init(struct trace *trace, const struct trace_options *options)
{
    *trace = (struct trace){
        .base = {.name = "the questions", .fd = -1, .next = next, .place = place, .ended = ended},
        .options = *options,
        .control = options->control_device != 0 ? CONTROL_NOT_ASKED : CONTROL_GOOD};
}

void trace_deinit(struct trace *trace)
{
    while (trace->all != NULL)
        free_search(trace, trace->all);
}
