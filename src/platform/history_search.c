#include "platform/history_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "platform/history_pages.h"
#include "platform/rules.h"

/*
 * A look:
 *
 *     [ LIST with an accepted one ] ─ LIST, page by page ─ LOOKUP, command by command ─▶ all is
 *                                                          there: the end; else another look
 *
 * What cannot be read ends it at once, and leaves its rows in doubt. Commands that can be a row's
 * by their time come first: where each attempt has its own among these, the others need not be
 * looked up. What differs from all rows once does so for good.
 */

struct candidate {
    char uuid[REPLY_UUID_MAX + 1];
    int64_t created_s; /* by the platform's clock; HISTORY_NONE */
    bool is_far;       /* in time, from each row */
};

/* What a row may have asked for. */
struct asked {
    size_t row;
    struct likeness_request request;
};

struct history_search {
    struct known_commands *known;
    struct accepted_command control;
    bool control_is_newer; /* than the last attempt: when it shows, so does what was there before */
    bool is_proven;        /* it was so, and showed, before the list of this look was asked for */
    struct history_search *next, *before; /* among those that wait for one */
    uint64_t device;
    struct claim_row *rows;
    int64_t *from_s, *to_s; /* of each row: when its command may have been created */
    size_t row_count;
    struct asked *asked;
    size_t asked_count;
    int64_t start_s; /* of the list */
    unsigned looks;
    enum { STEP_NONE, STEP_CONTROL, STEP_LIST, STEP_LOOKUP } step;
    struct history_pages pages;
    struct candidate *candidates;
    size_t candidate_count, near_count, at;
    struct keytable dismissed; /* uuids */
    unsigned char *likeness;   /* as in claims.h */
    size_t *owner;
    struct buf surplus;
    char why[256];   /* nothing was learnt; "" else */
    bool is_hazy;    /* something could not be read: what is not found may be there */
    bool is_unknown; /* the history does not know the control */
    uint64_t later;  /* commands of the list that were created behind all of the rows */
};

/* What is known. */

void known_commands_init(struct known_commands *known)
{
    *known = (struct known_commands){.waiting = NULL};
    keytable_init(&known->owned);
}

void known_commands_deinit(struct known_commands *known)
{
    keytable_deinit(&known->owned);
}

static uint64_t hash_of(struct span uuid)
{
    return XXH3_64bits(uuid.ptr, uuid.len);
}

static void stop_waiting(struct history_search *search)
{
    if (search->before != NULL)
        search->before->next = search->next;
    else if (search->known->waiting == search)
        search->known->waiting = search->next;
    if (search->next != NULL)
        search->next->before = search->before;
    search->next = search->before = NULL;
}

static void wait_for_control(struct history_search *search)
{
    struct history_search *first = search->known->waiting;

    search->control = search->known->last;
    search->next = first;
    if (first != NULL)
        first->before = search;
    search->known->waiting = search;
}

static bool is_uuid(struct span uuid)
{
    return uuid.len > 0 && uuid.len <= REPLY_UUID_MAX;
}

enum status known_commands_own(struct known_commands *known, struct span uuid)
{
    uint32_t *value;

    if (!is_uuid(uuid))
        return STATUS_OK;
    enum status status = keytable_slot(&known->owned, hash_of(uuid), &value);
    if (status == STATUS_OK)
        *value = 1;
    return status;
}

enum status known_commands_add(struct known_commands *known, uint64_t device, struct span uuid)
{
    enum status status = known_commands_own(known, uuid);

    if (status != STATUS_OK || !is_uuid(uuid))
        return status;
    known->last = (struct accepted_command){.device = device};
    memcpy(known->last.uuid, uuid.ptr, uuid.len);
    while (known->waiting != NULL) {
        known->waiting->control = known->last;
        known->waiting->control_is_newer = true;
        stop_waiting(known->waiting);
    }
    return STATUS_OK;
}

bool known_commands_has(const struct known_commands *known, struct span uuid)
{
    return keytable_get(&known->owned, hash_of(uuid)) != 0;
}

void known_commands_note(struct known_commands *known, uint64_t device, struct span uuid,
                         int64_t at_ms)
{
    if (!is_uuid(uuid) || at_ms < known->last.at_ms)
        return;
    known->last = (struct accepted_command){.device = device, .at_ms = at_ms};
    memcpy(known->last.uuid, uuid.ptr, uuid.len);
}

/* Beginnings. */

void history_search_free(struct history_search *search)
{
    if (search == NULL)
        return;
    stop_waiting(search);
    free(search->rows);
    free(search->from_s);
    free(search->to_s);
    free(search->asked);
    free(search->candidates);
    free(search->likeness);
    free(search->owner);
    keytable_deinit(&search->dismissed);
    history_pages_deinit(&search->pages);
    buf_deinit(&search->surplus);
    free(search);
}

enum status history_search_new(struct known_commands *known, uint64_t device, size_t rows,
                               size_t requests, struct history_search **ret_search)
{
    struct history_search *search = calloc(1, sizeof(*search));

    if (search == NULL)
        return STATUS_NO_MEMORY;
    buf_init(&search->surplus, SEARCH_ENTRIES_MAX * (REPLY_UUID_MAX + 3));
    keytable_init(&search->dismissed);
    search->known = known;
    search->device = device;
    search->start_s = INT64_MAX;
    search->rows = calloc(rows, sizeof(*search->rows));
    search->from_s = calloc(rows, sizeof(*search->from_s));
    search->to_s = calloc(rows, sizeof(*search->to_s));
    search->asked = calloc(requests + 1, sizeof(*search->asked));
    if (search->rows == NULL || search->from_s == NULL || search->to_s == NULL ||
        search->asked == NULL) {
        history_search_free(search);
        return STATUS_NO_MEMORY;
    }
    wait_for_control(search);
    *ret_search = search;
    return STATUS_OK;
}

void history_search_sent_until(struct history_search *search, int64_t last_ms)
{
    search->control_is_newer = search->control_is_newer ||
                               (search->control.device != 0 && search->control.at_ms > last_ms);
}

void history_search_add_row(struct history_search *search, unsigned attempts, bool is_covered)
{
    size_t r = search->row_count++;

    search->rows[r] = (struct claim_row){.pool = r, .attempts = attempts, .is_covered = is_covered};
    search->from_s[r] = INT64_MAX;
    search->to_s[r] = INT64_MIN;
}

void history_search_add_request(struct history_search *search,
                                const struct likeness_request *request, int64_t from_s,
                                int64_t to_s)
{
    size_t r = search->row_count - 1;

    from_s -= SEARCH_MARGIN_S;
    to_s += SEARCH_MARGIN_S;
    search->asked[search->asked_count++] = (struct asked){r, *request};
    search->from_s[r] = from_s < search->from_s[r] ? from_s : search->from_s[r];
    search->to_s[r] = to_s > search->to_s[r] ? to_s : search->to_s[r];
    if (from_s - SEARCH_BACK_S < search->start_s)
        search->start_s = from_s - SEARCH_BACK_S;
}

void history_search_shift(struct history_search *search, int64_t by_s)
{
    for (size_t r = 0; r < search->row_count && search->asked_count > 0; r++) {
        search->from_s[r] += by_s;
        search->to_s[r] += by_s;
    }
}

/* The last request of a row; NULL: none is known. */
static const struct likeness_request *request_of(const struct history_search *search, size_t r)
{
    const struct likeness_request *found = NULL;

    for (size_t i = 0; i < search->asked_count; i++)
        if (search->asked[i].row == r)
            found = &search->asked[i].request;
    return found;
}

/* Rows that ask for the same share a pool. */
static enum status find_pools(struct history_search *search)
{
    for (size_t r = 1; r < search->row_count; r++) {
        for (size_t s = 0; s < r && search->rows[r].pool == r; s++) {
            const struct likeness_request *a = request_of(search, s), *b = request_of(search, r);
            enum likeness likeness = LIKENESS_DIFFERENT;
            if (search->rows[s].pool != s || a == NULL || b == NULL)
                continue;
            enum status status = likeness_of_requests(a, b, &likeness);
            if (status != STATUS_OK)
                return status;
            if (likeness == LIKENESS_EQUAL)
                search->rows[r].pool = s;
        }
    }
    return STATUS_OK;
}

/* Ends it: nothing was learnt. */
static enum search_step give_up(struct history_search *search, const char *why)
{
    (void)snprintf(search->why, sizeof(search->why), "%s", why);
    return SEARCH_END;
}

static bool is_known(const struct history_search *search)
{
    const struct accepted_command *control = &search->control, *seen = &search->known->seen;

    return control->device == 0 || strcmp(control->uuid, seen->uuid) == 0;
}

static void forget_list(struct history_search *search)
{
    search->at = search->candidate_count = search->near_count = search->later = 0;
    search->is_hazy = false;
}

enum search_step history_search_begin(struct history_search *search)
{
    if (search->asked_count == 0)
        return give_up(search, "what it asked for is not on record");
    if (search->looks == 0 && find_pools(search) != STATUS_OK)
        return give_up(search, status_text(STATUS_NO_MEMORY));
    search->looks++;
    search->step = STEP_NONE;
    history_pages_deinit(&search->pages);
    search->is_unknown = false;
    forget_list(search);
    return SEARCH_ASK;
}

/* The others wait for a control to show, which may have been accepted just now. */
int64_t history_search_due_ms(const struct history_search *search,
                              const int64_t settle_ms[SEARCH_LOOKS], int64_t ended_ms,
                              int64_t now_ms)
{
    return search->looks < SEARCH_LOOKS ? ended_ms + settle_ms[search->looks]
                                        : now_ms + settle_ms[SEARCH_LOOKS - 1];
}

/* The control's list begins before it was accepted, where that is known. */
static int64_t control_start_s(const struct history_search *search)
{
    int64_t at_s = search->control.at_ms / 1000 - SEARCH_BACK_S;

    return at_s > 0 && at_s < search->start_s ? at_s : search->start_s;
}

/* Another command may have become the control since the look was begun, which is some time ago; one
 * that comes later tells nothing of this look's list. */
static void begin_questions(struct history_search *search)
{
    search->step = search->looks > 1 && !is_known(search) ? STEP_CONTROL : STEP_LIST;
    search->is_proven = search->control_is_newer;
}

void history_search_ask(struct history_search *search, enum operation *ret_operation,
                        struct question *ret_question)
{
    if (search->step == STEP_NONE)
        begin_questions(search);
    bool is_control = search->step == STEP_CONTROL;

    *ret_operation = search->step == STEP_LOOKUP ? OPERATION_LOOKUP : OPERATION_LIST;
    *ret_question =
        (struct question){.device = is_control ? search->control.device : search->device};
    search->pages.device = ret_question->device;
    if (search->step == STEP_LOOKUP) {
        ret_question->uuid = span_string(search->candidates[search->at].uuid);
        return;
    }
    ret_question->start_s = is_control ? control_start_s(search) : search->start_s;
    history_pages_ask(&search->pages, ret_question);
    ret_question->ascending = true;
}

/* Answers. */

static bool is_wanted(const struct history_search *search, const struct history_entry *entry)
{
    struct span uuid = span_string(entry->uuid);
    bool is_of_kind = !entry->has_action;

    for (size_t i = 0; i < search->asked_count; i++)
        is_of_kind = is_of_kind || search->asked[i].request.action == entry->action;
    return is_of_kind && !known_commands_has(search->known, uuid) &&
           keytable_get(&search->dismissed, hash_of(uuid)) == 0;
}

static bool is_of_time(const struct history_search *search, size_t r, int64_t created_s)
{
    return created_s >= search->from_s[r] && created_s <= search->to_s[r];
}

static bool is_behind(const struct history_search *search, int64_t created_s)
{
    for (size_t r = 0; r < search->row_count; r++)
        if (created_s <= search->to_s[r])
            return false;
    return true;
}

static void take_listed(void *context, const struct history_entry *entry)
{
    struct history_search *search = context;

    search->later += is_behind(search, entry->times_s[HISTORY_CREATED]);
    if (!is_wanted(search, entry))
        return;
    struct candidate *grown = NULL;
    if (operation_names_one(span_string(entry->uuid)) &&
        search->candidate_count < SEARCH_ENTRIES_MAX)
        grown = realloc(search->candidates, (search->candidate_count + 1) * sizeof(*grown));
    search->is_hazy = search->is_hazy || grown == NULL;
    if (grown == NULL)
        return;
    search->candidates = grown;
    struct candidate *candidate = &grown[search->candidate_count++];
    memcpy(candidate->uuid, entry->uuid, sizeof(candidate->uuid));
    candidate->created_s = entry->times_s[HISTORY_CREATED];
    candidate->is_far = true;
    for (size_t r = 0; r < search->row_count; r++)
        if (is_of_time(search, r, candidate->created_s))
            candidate->is_far = false;
    search->near_count += !candidate->is_far;
}

static int compare_ages(const void *one, const void *other)
{
    const struct candidate *a = one, *b = other;

    if (a->is_far != b->is_far)
        return a->is_far ? 1 : -1;
    return (a->created_s > b->created_s) - (a->created_s < b->created_s);
}

/* Whether each attempt has its command by now. */
static bool is_settled(struct history_search *search)
{
    claims_settle(search->rows, search->row_count, search->likeness, search->candidate_count,
                  search->owner);
    return claims_are_full(search->rows, search->row_count, search->owner, search->candidate_count);
}

/* All commands were looked at: the end, or another look. */
static enum search_step end_look(struct history_search *search)
{
    bool may_show = search->control_is_newer && !search->is_proven &&
                    (search->is_unknown || !search->known->is_prompt);
    unsigned looks = may_show ? SEARCH_LOOKS_MAX : SEARCH_LOOKS;

    return is_settled(search) || search->looks >= looks ? SEARCH_END : SEARCH_LATER;
}

/* All pages were read. */
static enum search_step end_list(struct history_search *search)
{
    size_t count = search->candidate_count, cells = count * search->row_count;

    free(search->likeness);
    free(search->owner);
    search->likeness = malloc(cells + 1);
    search->owner = calloc(count + 1, sizeof(*search->owner));
    if (search->likeness == NULL || search->owner == NULL)
        return give_up(search, status_text(STATUS_NO_MEMORY));
    memset(search->likeness, LIKENESS_UNCLEAR, cells);
    if (count > 0)
        qsort(search->candidates, count, sizeof(*search->candidates), compare_ages);
    search->step = STEP_LOOKUP;
    return count > 0 ? SEARCH_ASK : end_look(search);
}

static enum search_step take_page(struct history_search *search, struct span body,
                                  const char *error)
{
    struct history_pages *pages = &search->pages;

    if (body.ptr == NULL && error[0] != '\0')
        return give_up(search, error);
    enum pages_step step = history_pages_take(pages, body, take_listed, search);
    if (step == PAGES_AGAIN)
        forget_list(search);
    if (step == PAGES_MORE || step == PAGES_AGAIN)
        return SEARCH_ASK;
    if (step == PAGES_BROKEN && pages->is_unreadable)
        return give_up(search, "the platform's history could not be read");
    search->is_hazy =
        search->is_hazy || step == PAGES_BROKEN || pages->is_short || pages->is_of_another;
    return end_list(search);
}

/* What a command is to a row: the best that it is to one of its requests. What cannot be read is
 * not told apart. */
static enum likeness compare(const struct history_search *search, size_t r, struct span body)
{
    enum likeness best = request_of(search, r) != NULL ? LIKENESS_DIFFERENT : LIKENESS_UNCLEAR;

    for (size_t i = 0; i < search->asked_count; i++) {
        enum likeness likeness = LIKENESS_UNCLEAR;
        if (search->asked[i].row != r)
            continue;
        if (likeness_of_entry(body, &search->asked[i].request, &likeness) != STATUS_OK)
            likeness = LIKENESS_UNCLEAR;
        best = likeness < best ? likeness : best;
    }
    return best == LIKENESS_EQUAL &&
                   !is_of_time(search, r, search->candidates[search->at].created_s)
               ? LIKENESS_UNCLEAR
               : best;
}

static enum search_step take_command(struct history_search *search, struct span body)
{
    unsigned char *likeness = search->likeness + search->at * search->row_count;
    bool is_different = body.ptr != NULL;
    uint32_t *value;

    for (size_t r = 0; r < search->row_count && body.ptr != NULL; r++) {
        likeness[r] = (unsigned char)compare(search, r, body);
        is_different = is_different && likeness[r] == LIKENESS_DIFFERENT;
    }
    if (is_different &&
        keytable_slot(&search->dismissed, hash_of(span_string(search->candidates[search->at].uuid)),
                      &value) == STATUS_OK)
        *value = 1;
    search->at++;
    if (search->at == search->near_count && is_settled(search))
        return SEARCH_END;
    return search->at < search->candidate_count ? SEARCH_ASK : end_look(search);
}

struct seeking {
    const char *uuid;
    bool is_found;
};

static void seek(void *context, const struct history_entry *entry)
{
    struct seeking *seeking = context;

    seeking->is_found = seeking->is_found || strcmp(entry->uuid, seeking->uuid) == 0;
}

/* A list may be later than what is said of a single command: the control must be in its own. A list
 * that cannot be read tells nothing. */
static enum search_step take_control(struct history_search *search, struct span body)
{
    struct history_pages *pages = &search->pages;
    struct seeking seeking = {.uuid = search->control.uuid};
    enum pages_step step = history_pages_take(pages, body, seek, &seeking);

    if (!seeking.is_found && (step == PAGES_MORE || step == PAGES_AGAIN))
        return SEARCH_ASK;
    search->is_unknown = !seeking.is_found && step == PAGES_END && !pages->is_short &&
                         !pages->is_unreadable && !pages->is_of_another;
    search->is_proven = search->is_proven && seeking.is_found;
    if (seeking.is_found)
        search->known->seen = search->control;
    stop_waiting(search);
    /* One that was accepted just now shows by the next look. Else it is another one's turn. */
    bool is_fresh = search->control_is_newer && search->looks == SEARCH_LOOKS;
    if (!search->is_proven && !(search->is_unknown && is_fresh))
        wait_for_control(search);
    history_pages_deinit(pages);
    search->step = STEP_LIST;
    return SEARCH_ASK;
}

enum search_step history_search_take(struct history_search *search, struct span body,
                                     const char *error)
{
    if (search->step == STEP_CONTROL)
        return take_control(search, body);
    return search->step == STEP_LIST ? take_page(search, body, error) : take_command(search, body);
}

/* Ends. */

/* Why a row of which nothing is found may be in the history all the same; NULL: it is not. */
static const char *why_not_missing(const struct history_search *search, size_t r)
{
    bool executes = false;

    for (size_t i = 0; i < search->asked_count; i++)
        executes = executes ||
                   (search->asked[i].row == r && search->asked[i].request.action == ACTION_EXECUTE);
    if (search->is_hazy)
        return "not all of the platform's history could be read";
    if (search->is_unknown)
        return "the platform's history does not know a command that was accepted: it cannot tell "
               "what is missing";
    if (search->later >= DEVICE_QUEUE_MAX)
        return "ten later commands are in the platform's history: they may have taken its place";
    if (!search->is_proven && !search->known->is_prompt)
        return "not in the platform's history so far; no other command was accepted behind it that "
               "would show how soon it tells: say --settle to call it not processed";
    return executes && !search->known->is_prompt
               ? "not in the platform's history so far; how soon an execute shows there is not "
                 "documented: say --settle to call it not processed"
               : NULL;
}

static const char *why_unclear(const struct history_search *search, size_t r)
{
    if (request_of(search, r) == NULL)
        return "what it asked for is not on record";
    if (search->why[0] != '\0')
        return search->why;
    if (search->rows[r].claim == CLAIM_NONE)
        return why_not_missing(search, r);
    if (search->rows[r].claim == CLAIM_FOUND)
        return NULL;
    return search->rows[r].is_covered
               ? "the platform's history has a command that cannot be told from it"
               : "not all that it asked for is on record";
}

void history_search_found(struct history_search *search, size_t row, struct search_found *ret_found)
{
    *ret_found = (struct search_found){.why = why_unclear(search, row)};
    ret_found->claim = ret_found->why != NULL ? CLAIM_UNCLEAR : search->rows[row].claim;
    buf_clear(&search->surplus);
    for (size_t e = 0; ret_found->claim == CLAIM_FOUND && e < search->candidate_count; e++) {
        const char *uuid = search->candidates[e].uuid;
        if (search->owner[e] != row)
            continue;
        if (ret_found->uuid == NULL)
            ret_found->uuid = uuid;
        else
            buf_add_format(&search->surplus, "%s%s", search->surplus.len > 0 ? ", " : "", uuid);
    }
    ret_found->surplus = buf_span(&search->surplus);
}
