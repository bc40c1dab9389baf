#include "run/questions.h"

#include <errno.h>
#include <stdlib.h>

#include "send/look_again.h"

/*
 * An inquiry is one device's turn: a LOOKUP or a LIST, page after page. A LOOKUP that is refused
 * goes on as a LIST, which tells "no such command" from a refusal for another reason. Then, in the
 * same turn, the values of its delivered reads are fetched, one by one. What follows from an answer
 * is asked before other devices.
 *
 * Pages (platform/history_pages.h) are asked for in the order of age, so that commands that come
 * meanwhile are at the end. A list that was not read to its end says nothing about the commands
 * that were not found; nor does one with an item that cannot be read or is of another device, since
 * that may be the one that was not found.
 */

enum inquiry_kind {
    INQUIRY_STATE,  /* what became of the group's commands */
    INQUIRY_VALUES, /* what one of them, a delivered read, has brought */
};

struct inquiry {
    enum inquiry_kind kind;
    enum operation operation;
    struct command_group group;
    uint32_t at;                        /* of a LOOKUP: which of the group's commands */
    struct history_pages pages;         /* of a LIST */
    int64_t newest_s[DEVICE_QUEUE_MAX]; /* when they were created, the latest first */
    bool is_unreadable;                 /* the answer to a LOOKUP */
    bool is_of_another;                 /* it spoke of another device or command */
    struct inquiry *next_made, *next;
};

static struct questions *questions_of(struct row_source *base)
{
    return (struct questions *)base;
}

static uint32_t seconds_of(struct engine_time now)
{
    return (uint32_t)(now.ns / 1000000000);
}

/* Inquiries. */

static struct inquiry *make(struct questions *questions)
{
    struct inquiry *inquiry = questions->unused;

    if (inquiry != NULL) {
        struct inquiry *older = inquiry->next_made;
        questions->unused = inquiry->next;
        *inquiry = (struct inquiry){.next_made = older};
        return inquiry;
    }
    inquiry = calloc(1, sizeof(*inquiry));
    if (inquiry == NULL)
        return NULL;
    inquiry->next_made = questions->all;
    questions->all = inquiry;
    return inquiry;
}

static void give_back(struct questions *questions, struct inquiry *inquiry)
{
    history_pages_deinit(&inquiry->pages);
    inquiry->next = questions->unused;
    questions->unused = inquiry;
}

static void follow(struct questions *questions, struct inquiry *inquiry)
{
    inquiry->next = NULL;
    if (questions->next == NULL)
        questions->next = inquiry;
    else
        questions->last->next = inquiry;
    questions->last = inquiry;
}

static struct command_record *at(const struct questions *questions, const struct inquiry *inquiry,
                                 uint32_t i)
{
    return command_table_at(questions->options.table, inquiry->group, i);
}

/* Asking. */

static uint32_t count_open(const struct command_table *table, struct command_group group)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < group.count; i++)
        count += command_is_open(command_table_at(table, group, i));
    return count;
}

static bool wants_values_of(const struct questions *questions, const struct command_record *command)
{
    return questions->options.wants_values && !command->has_values && command->uuid_hash != 0 &&
           command->state == COMMAND_DELIVERED && command->action != ACTION_WRITE + 1 &&
           command->action != ACTION_EXECUTE + 1;
}

/* Takes the last one whose values are wanted. False: there is none. */
static bool begin_values(struct questions *questions, struct inquiry *inquiry)
{
    bool is_wanted = false;

    inquiry->kind = INQUIRY_VALUES;
    inquiry->operation = OPERATION_LOOKUP;
    for (uint32_t i = 0; i < inquiry->group.count; i++) {
        if (!wants_values_of(questions, at(questions, inquiry, i)))
            continue;
        inquiry->at = i;
        is_wanted = true;
    }
    return is_wanted;
}

/* The device's turn: one command is looked up, several are listed. Where none is open, values are
 * wanted. */
static void begin(struct questions *questions, struct inquiry *inquiry, struct command_group group)
{
    uint32_t open = count_open(questions->options.table, group);

    inquiry->group = group;
    if (open == 0) {
        (void)begin_values(questions, inquiry);
        return;
    }
    inquiry->kind = INQUIRY_STATE;
    inquiry->operation = open > 1 ? OPERATION_LIST : OPERATION_LOOKUP;
    for (uint32_t i = 0; i < group.count; i++)
        if (command_is_open(at(questions, inquiry, i)))
            inquiry->at = i;
}

/* From when on the list has all open commands of the group. */
static enum status find_start(struct questions *questions, const struct inquiry *inquiry,
                              int64_t *ret_start_s)
{
    const struct questions_options *options = &questions->options;
    struct command_line line;

    *ret_start_s = INT64_MAX;
    for (uint32_t i = 0; i < inquiry->group.count; i++) {
        const struct command_record *command = at(questions, inquiry, i);
        int64_t created_s = command->times_s[COMMAND_CREATED];
        if (!command_is_open(command))
            continue;
        if (created_s == 0) {
            enum status status = options->find(options->context, command, &line);
            if (status != STATUS_OK)
                return status;
            created_s = line.accepted_s + questions->clock_off_s - QUESTION_MARGIN_S;
        }
        *ret_start_s = created_s < *ret_start_s ? created_s : *ret_start_s;
    }
    return STATUS_OK;
}

static enum status ask(struct questions *questions, struct inquiry *inquiry, struct item *item)
{
    const struct questions_options *options = &questions->options;
    const struct command_record *command = at(questions, inquiry, inquiry->at);
    struct command_line line = {.uuid = ""};
    struct question question = {.device = command->device};
    enum status status;

    if (inquiry->operation == OPERATION_LIST) {
        inquiry->pages.device = command->device;
        history_pages_ask(&inquiry->pages, &question);
        question.ascending = true;
        status = find_start(questions, inquiry, &question.start_s);
    } else {
        status = options->find(options->context, command, &line);
        question.uuid = span_string(line.uuid);
    }
    item->operation = inquiry->operation;
    item->id = (struct row_id){.hash = (uintptr_t)inquiry,
                               .device = command->device,
                               .row = command->row,
                               .line = command->row,
                               .occurrence = 1};
    if (status == STATUS_OK)
        status = command_ask(&item->command, options->dialect, inquiry->operation, &question);
    questions->under_way += status == STATUS_OK;
    return status;
}

/* When something is due that is not due yet. */
static enum status wait(const struct questions *questions, struct source_row *row)
{
    uint32_t due_s = command_table_due(questions->options.table);

    if (due_s == UINT32_MAX && questions->under_way == 0)
        return STATUS_END;
    row->again_ns = due_s == UINT32_MAX ? INT64_MAX : (int64_t)due_s * 1000000000;
    if (row->again_ns > questions->until_ns)
        row->again_ns = questions->until_ns;
    return STATUS_AGAIN;
}

static bool has_enough(const struct questions *questions)
{
    const struct questions_options *options = &questions->options;

    return options->is_enough != NULL && options->is_enough(options->context);
}

static enum status next(struct row_source *base, struct source_row *row, struct engine_time now)
{
    struct questions *questions = questions_of(base);
    int64_t timeout_ms = questions->options.timeout_ms;
    struct inquiry *inquiry = questions->next;
    struct command_group group;

    if (!questions->has_begun)
        questions->until_ns = timeout_ms > 0 ? now.ns + timeout_ms * 1000000 : INT64_MAX;
    questions->has_begun = true;
    errno = questions->error;
    if (questions->error != 0)
        return STATUS_IO;
    if (now.ns >= questions->until_ns || has_enough(questions))
        return STATUS_END;
    if (inquiry != NULL) {
        questions->next = inquiry->next;
        return ask(questions, inquiry, row->item);
    }
    if (!command_table_next(questions->options.table, seconds_of(now), &group))
        return wait(questions, row);
    inquiry = make(questions);
    if (inquiry == NULL)
        return STATUS_NO_MEMORY;
    begin(questions, inquiry, group);
    return ask(questions, inquiry, row->item);
}

/* Answers. */

/* What an answer about one command is taken with. */
struct taking {
    struct questions *questions;
    struct inquiry *inquiry;
    struct engine_time now;
    int64_t asked_s; /* by the platform's clock */
};

static void keep(struct questions *questions, const struct command_record *command)
{
    const struct questions_options *options = &questions->options;

    if (questions->error == 0 && !options->keep(options->context, command))
        questions->error = errno;
}

/* Sets the state, and when to look again. `accepted_s` is known for a missing one alone. */
static void set_state(const struct taking *taking, struct command_record *command,
                      enum command_state state, int64_t valid_s, int64_t accepted_s)
{
    bool is_same = command->looks > 0 && command->state == state;
    int64_t created_s = command_time(command, COMMAND_CREATED);

    command->state = state;
    command->looks = is_same ? (uint8_t)(command->looks + (command->looks < UINT8_MAX)) : 1;
    command_set_time(command, COMMAND_CHECKED, taking->asked_s);
    const struct delivery_facts facts = {.state = state,
                                         .remain = command_remain(command),
                                         .expires_s = command_time(command, COMMAND_EXPIRES),
                                         .created_s =
                                             created_s != HISTORY_NONE ? created_s : accepted_s,
                                         .asked_s = taking->asked_s,
                                         .reason = span_string(
                                             command->is_overwritten ? DELIVERY_OVERWRITTEN : "")};
    const struct look look = {.state = state,
                              .looks = command->looks,
                              .now_s = taking->asked_s,
                              .valid_s = valid_s,
                              .expires_s = facts.expires_s,
                              .interval_s = taking->questions->options.interval_s};
    command->is_final = delivery_is_final(&facts);
    int64_t due_s = seconds_of(taking->now) + look_again_s(&look);
    command->due_s = due_s < UINT32_MAX ? (uint32_t)due_s : UINT32_MAX - 1;
    keep(taking->questions, command);
}

/* What the record's own numbers cannot say. */
static struct span word_of(const struct history_entry *entry, char number[HISTORY_WORD_MAX + 1])
{
    if (entry->send_status <= COMMAND_SEND_STATUS_MAX)
        return span_string(entry->word);
    (void)snprintf(number, HISTORY_WORD_MAX + 1, "send_status %d", entry->send_status);
    return span_string(number);
}

static void take_entry(const struct taking *taking, struct command_record *command,
                       const struct history_entry *entry)
{
    char number[HISTORY_WORD_MAX + 1];

    command_set(command, entry->send_status, entry->confirm, entry->remain);
    command->action = entry->has_action ? ((unsigned)entry->action + 1) & 3 : 0;
    command->is_overwritten = false;
    command->word =
        command_table_keep_word(taking->questions->options.table, word_of(entry, number));
    command_set_time(command, COMMAND_CREATED, entry->times_s[HISTORY_CREATED]);
    command_set_time(command, COMMAND_SENT_AT, entry->times_s[HISTORY_SENT]);
    command_set_time(command, COMMAND_CONFIRMED, entry->times_s[HISTORY_CONFIRMED]);
    command_set_time(command, COMMAND_EXPIRES, entry->times_s[HISTORY_EXPIRES]);
    set_state(taking, command, delivery_judge(entry, taking->asked_s),
              entry->times_s[HISTORY_VALID], HISTORY_NONE);
}

static void take_values(struct questions *questions, struct command_record *command,
                        struct span answer)
{
    const struct questions_options *options = &questions->options;

    if (!wants_values_of(questions, command))
        return;
    command->has_values = true;
    if (questions->error == 0 && !options->take_values(options->context, command, answer))
        questions->error = errno;
}

/* Reads what is said of the command that was asked about. False: nothing that can be read, or it is
 * about another one. */
static bool read_own(struct inquiry *inquiry, const struct command_record *command,
                     struct span body, struct history_entry *ret_entry)
{
    struct span uuid;

    inquiry->is_unreadable = history_read_one(body, ret_entry) != STATUS_OK;
    if (inquiry->is_unreadable)
        return false;
    uuid = span_string(ret_entry->uuid);
    inquiry->is_of_another = history_is_of_another(ret_entry, command->device, span_of(NULL, 0)) ||
                             (uuid.len > 0 && command_uuid_hash(uuid) != command->uuid_hash);
    return !inquiry->is_of_another;
}

static bool take_lookup(const struct taking *taking, struct span body)
{
    struct inquiry *inquiry = taking->inquiry;
    struct command_record *command = at(taking->questions, inquiry, inquiry->at);
    struct history_entry entry;

    if (!read_own(inquiry, command, body, &entry))
        return false;
    if (inquiry->kind == INQUIRY_STATE)
        take_entry(taking, command, &entry);
    take_values(taking->questions, command, body);
    return true;
}

/* Keeps the times of the newest. */
static void note_created(struct inquiry *inquiry, int64_t created_s)
{
    size_t i = DEVICE_QUEUE_MAX - 1;

    if (created_s <= inquiry->newest_s[i])
        return;
    for (; i > 0 && inquiry->newest_s[i - 1] < created_s; i--)
        inquiry->newest_s[i] = inquiry->newest_s[i - 1];
    inquiry->newest_s[i] = created_s;
}

static void take_listed(void *context, const struct history_entry *entry)
{
    const struct taking *taking = context;
    struct inquiry *inquiry = taking->inquiry;
    uint64_t hash = command_uuid_hash(span_string(entry->uuid));

    note_created(inquiry, entry->times_s[HISTORY_CREATED]);
    for (uint32_t i = 0; i < inquiry->group.count; i++) {
        struct command_record *command = at(taking->questions, inquiry, i);
        if (command->uuid_hash != hash || !command_is_open(command) || command->is_listed)
            continue;
        if (entry->send_status == HISTORY_NONE) {
            inquiry->pages.is_unreadable = true;
            return;
        }
        command->is_listed = true;
        take_entry(taking, command, entry);
        return;
    }
}

static bool has_all(const struct questions *questions, const struct inquiry *inquiry)
{
    for (uint32_t i = 0; i < inquiry->group.count; i++) {
        const struct command_record *command = at(questions, inquiry, i);
        if (command_is_open(command) && !command->is_listed)
            return false;
    }
    return true;
}

/* All pages were read, and the list does not have the command. */
static void take_missing(const struct taking *taking, struct command_record *command)
{
    struct questions *questions = taking->questions;
    const struct questions_options *options = &questions->options;
    struct command_line line;

    if (options->find(options->context, command, &line) != STATUS_OK) {
        questions->error = errno;
        return;
    }
    int64_t accepted_s = line.accepted_s + questions->clock_off_s;
    command->is_overwritten = taking->inquiry->newest_s[DEVICE_QUEUE_MAX - 1] > accepted_s;
    set_state(taking, command, COMMAND_MISSING, HISTORY_NONE, accepted_s);
}

static void end_list(const struct taking *taking)
{
    for (uint32_t i = 0; i < taking->inquiry->group.count; i++) {
        struct command_record *command = at(taking->questions, taking->inquiry, i);
        if (command_is_open(command) && !command->is_listed)
            take_missing(taking, command);
        command->is_listed = false;
    }
}

/* Takes a page. *ret_more: there is another one to be read. */
static bool take_list(const struct taking *taking, struct span body, bool *ret_more)
{
    struct history_pages *pages = &taking->inquiry->pages;
    enum pages_step step = history_pages_take(pages, body, take_listed, (void *)(uintptr_t)taking);
    bool is_found = has_all(taking->questions, taking->inquiry);

    if (step == PAGES_AGAIN)
        memset(taking->inquiry->newest_s, 0, sizeof(taking->inquiry->newest_s));
    *ret_more = !is_found && (step == PAGES_MORE || step == PAGES_AGAIN);
    if (*ret_more)
        return true;
    if (!is_found && (step == PAGES_BROKEN || pages->is_unreadable || pages->is_of_another))
        return false;
    end_list(taking);
    return true;
}

/* One that has been missed often enough keeps nobody waiting any more. */
static bool is_worth_a_look(const struct command_record *command)
{
    return command_is_open(command) &&
           (command->state != COMMAND_MISSING || command->looks < LOOK_MISSING_MAX);
}

/* The device's turn is over; when the next one is. */
static void end_turn(struct questions *questions, struct command_group group)
{
    struct command_table *table = questions->options.table;
    uint32_t due_s = UINT32_MAX;

    for (uint32_t i = 0; i < group.count; i++) {
        struct command_record *command = command_table_at(table, group, i);
        bool looks = questions->options.watch && is_worth_a_look(command);
        command->is_listed = false;
        if (looks && command->due_s < due_s)
            due_s = command->due_s;
    }
    if (due_s < UINT32_MAX)
        command_table_wait(table, group, due_s);
}

/* Nothing was learnt of some: they are due an interval later, and values are given up. */
static void put_off(struct questions *questions, const struct inquiry *inquiry,
                    struct engine_time now)
{
    const struct history_pages *pages = &inquiry->pages;
    bool is_unreadable = inquiry->is_unreadable || pages->is_unreadable;
    bool is_of_another = inquiry->is_of_another || pages->is_of_another;

    questions->unanswered++;
    questions->unreadable += is_unreadable;
    questions->of_another += is_of_another && !is_unreadable;
    if (inquiry->kind == INQUIRY_VALUES) {
        at(questions, inquiry, inquiry->at)->has_values = true;
        return;
    }
    for (uint32_t i = 0; i < inquiry->group.count; i++) {
        struct command_record *command = at(questions, inquiry, i);
        if (command_is_open(command) && !command->is_listed)
            command->due_s = seconds_of(now) + (uint32_t)questions->options.interval_s;
    }
}

static bool is_refused(const struct outcome *outcome)
{
    return outcome->status != ROW_ACCEPTED && outcome->class == OUTCOME_REFUSED &&
           !outcome_refuses_key(outcome);
}

/* Takes an answer; whether the inquiry goes on. */
static bool take(const struct taking *taking, const struct source_end *end)
{
    struct questions *questions = taking->questions;
    struct inquiry *inquiry = taking->inquiry;
    bool answered = end->outcome->status == ROW_ACCEPTED, more = false;

    if (inquiry->kind == INQUIRY_STATE && inquiry->operation == OPERATION_LOOKUP &&
        is_refused(end->outcome)) {
        inquiry->operation = OPERATION_LIST;
        return true;
    }
    if (answered && inquiry->operation == OPERATION_LOOKUP)
        answered = take_lookup(taking, end->body);
    else if (answered)
        answered = take_list(taking, end->body, &more);
    if (!answered)
        put_off(questions, inquiry, taking->now);
    return more;
}

static void ended(struct row_source *base, const struct source_end *end)
{
    struct questions *questions = questions_of(base);
    struct inquiry *inquiry = (struct inquiry *)(uintptr_t)end->item->id.hash;
    const struct taking taking = {.questions = questions,
                                  .inquiry = inquiry,
                                  .now = end->now,
                                  .asked_s = end->now.wall_ms / 1000 + questions->clock_off_s};

    questions->under_way--;
    if (source_end_has_left(end)) {
        questions->lists += inquiry->operation == OPERATION_LIST;
        questions->lookups += inquiry->operation == OPERATION_LOOKUP;
    }
    if (take(&taking, end) || begin_values(questions, inquiry)) {
        follow(questions, inquiry);
        return;
    }
    end_turn(questions, inquiry->group);
    give_back(questions, inquiry);
}

static struct source_place place(struct row_source *base)
{
    (void)base;
    return (struct source_place){.line = 0};
}

void questions_init(struct questions *questions, const struct questions_options *options)
{
    struct command_table *table = options->table;

    *questions = (struct questions){
        .base = {.name = "the questions", .fd = -1, .next = next, .place = place, .ended = ended},
        .options = *options};
    table->waiting_count = 0; /* questions that had no time left may have been there before */
    for (uint32_t first = 0; first < table->count;) {
        struct command_group group = command_table_group(table, first);
        bool waits = count_open(table, group) > 0;
        for (uint32_t i = 0; i < group.count && !waits; i++)
            waits = wants_values_of(questions, command_table_at(table, group, i));
        bool is_of_rows =
            options->until_row == 0 || command_table_at(table, group, 0)->row <= options->until_row;
        if (waits && is_of_rows)
            command_table_wait(table, group, 0);
        first += group.count;
    }
}

void questions_deinit(struct questions *questions)
{
    struct inquiry *older;

    for (struct inquiry *inquiry = questions->all; inquiry != NULL; inquiry = older) {
        older = inquiry->next_made;
        history_pages_deinit(&inquiry->pages);
        free(inquiry);
    }
    questions->all = NULL;
}

void questions_count(const struct command_table *table, uint64_t *ret_lookups, uint64_t *ret_lists)
{
    *ret_lookups = *ret_lists = 0;
    for (uint32_t first = 0; first < table->count;) {
        struct command_group group = command_table_group(table, first);
        uint32_t open = count_open(table, group);
        *ret_lookups += open == 1;
        *ret_lists += open > 1;
        first += group.count;
    }
}
