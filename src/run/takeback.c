#include "run/takeback.h"

#include <errno.h>
#include <stdlib.h>

#include "platform/delivery.h"

/*
 * An errand goes from PUT to its end, or by way of a LOOKUP:
 *
 *     PUT ─ taken back ──────────────────────────────▶ cancelled
 *      ├─── refused ─▶ LOOKUP ─ by its state ────────▶ cancelled, too_late, expired
 *      │                ├────── it waits for its valid_time ▶ failed
 *      │                └────── refused as well ─────▶ missing
 *      ├─── no answer ▶ LOOKUP ─ it waits ─▶ PUT …   ▶ in_doubt after TAKEBACK_PUTS_MAX
 *      └─── never left ──────────────────────────────▶ failed
 */

struct errand {
    struct takeback_command command;
    enum operation operation;
    unsigned puts;
    bool is_refused; /* the last PUT was, by the platform */
    bool has_errno;
    int64_t platform_errno;
    char error[OUTCOME_ERROR_MAX + 1]; /* of the PUT */
    struct errand *next_made, *next;
};

static struct errand *make(struct takeback *takeback)
{
    struct errand *errand = takeback->unused;

    if (errand != NULL) {
        struct errand *older = errand->next_made;
        takeback->unused = errand->next;
        *errand = (struct errand){.next_made = older};
        return errand;
    }
    errand = calloc(1, sizeof(*errand));
    if (errand == NULL)
        return NULL;
    errand->next_made = takeback->all;
    takeback->all = errand;
    return errand;
}

static void give_back(struct takeback *takeback, struct errand *errand)
{
    errand->next = takeback->unused;
    takeback->unused = errand;
}

static void follow(struct takeback *takeback, struct errand *errand, enum operation operation)
{
    errand->operation = operation;
    errand->next = NULL;
    if (takeback->next == NULL)
        takeback->next = errand;
    else
        takeback->last->next = errand;
    takeback->last = errand;
}

static enum status ask(struct takeback *takeback, struct errand *errand, struct item *item)
{
    const struct row_id *id = &errand->command.id;
    const struct question question = {.device = id->device,
                                      .uuid = span_string(errand->command.uuid)};

    errand->puts += errand->operation == OPERATION_CANCEL;
    item->operation = errand->operation;
    item->id = (struct row_id){.hash = (uintptr_t)errand,
                               .device = id->device,
                               .row = id->row,
                               .line = id->line,
                               .occurrence = 1};
    enum status status =
        command_ask(&item->command, takeback->options.dialect, errand->operation, &question);
    takeback->under_way += status == STATUS_OK;
    return status;
}

static enum status next(struct row_source *base, struct source_row *row, struct engine_time now)
{
    struct takeback *takeback = (struct takeback *)base;
    struct errand *errand = takeback->next;

    (void)now;
    errno = takeback->error;
    if (takeback->error != 0)
        return STATUS_IO;
    if (errand != NULL) {
        takeback->next = errand->next;
        return ask(takeback, errand, row->item);
    }
    if (takeback->has_ended) {
        row->again_ns = INT64_MAX;
        return takeback->under_way > 0 ? STATUS_AGAIN : STATUS_END;
    }
    errand = make(takeback);
    if (errand == NULL)
        return STATUS_NO_MEMORY;
    errand->operation = OPERATION_CANCEL;
    enum status status = takeback->options.next(takeback->options.context, &errand->command);
    if (status == STATUS_OK)
        return ask(takeback, errand, row->item);
    give_back(takeback, errand);
    takeback->has_ended = status == STATUS_END;
    return takeback->has_ended ? next(base, row, now) : status;
}

static void finish(struct takeback *takeback, struct errand *errand, enum cancel_outcome outcome,
                   const char *error, int64_t finished_ms)
{
    const struct takeback_result result = {.outcome = outcome,
                                           .has_errno = errand->has_errno,
                                           .platform_errno = errand->platform_errno,
                                           .error = error,
                                           .finished_ms = finished_ms};

    if (takeback->error == 0 &&
        !takeback->options.keep(takeback->options.context, &errand->command, &result))
        takeback->error = errno != 0 ? errno : EIO;
    give_back(takeback, errand);
}

static bool is_refused(const struct outcome *outcome)
{
    return outcome->class == OUTCOME_REFUSED && outcome->has_errno && !outcome_refuses_key(outcome);
}

static void take_put(struct takeback *takeback, struct errand *errand, const struct source_end *end)
{
    const struct outcome *outcome = end->outcome;

    errand->has_errno = outcome->has_errno;
    errand->platform_errno = outcome->platform_errno;
    errand->is_refused = is_refused(outcome);
    memcpy(errand->error, outcome->error, sizeof(errand->error));
    if (outcome->status == ROW_ACCEPTED)
        finish(takeback, errand, CANCEL_CANCELLED, "", end->now.wall_ms);
    else if (errand->is_refused || outcome->status == ROW_IN_DOUBT)
        follow(takeback, errand, OPERATION_LOOKUP);
    else
        finish(takeback, errand, CANCEL_FAILED, errand->error, end->now.wall_ms);
}

/* A command of which the platform says what became of it. */
static void take_state(struct takeback *takeback, struct errand *errand,
                       const struct history_entry *entry, int64_t now_ms)
{
    int64_t now_s = now_ms / 1000 + takeback->clock_off_s;
    enum command_state state = delivery_judge(entry, now_s);
    const char *said = deliveries[state].meaning;

    switch (state) {
    case COMMAND_CANCELLED:
        errand->has_errno = false;
        finish(takeback, errand, CANCEL_CANCELLED, "", now_ms);
        break;
    case COMMAND_EXPIRED:
        finish(takeback, errand, CANCEL_EXPIRED, said, now_ms);
        break;
    case COMMAND_WAITING:
        if (errand->is_refused && entry->times_s[HISTORY_VALID] != HISTORY_NONE &&
            entry->times_s[HISTORY_VALID] > now_s) /* it was refused for another reason */
            finish(takeback, errand, CANCEL_FAILED, errand->error, now_ms);
        else if (errand->is_refused)
            finish(takeback, errand, CANCEL_TOO_LATE, errand->error, now_ms);
        else if (errand->puts < TAKEBACK_PUTS_MAX)
            follow(takeback, errand, OPERATION_CANCEL);
        else
            finish(takeback, errand, CANCEL_IN_DOUBT, errand->error, now_ms);
        break;
    case COMMAND_UNCLEAR: /* after an answer of the device's it waits no more, whatever it means */
        finish(takeback, errand,
               entry->send_status == SEND_SUCCESS ? CANCEL_TOO_LATE : CANCEL_IN_DOUBT, said,
               now_ms);
        break;
    default:
        finish(takeback, errand, CANCEL_TOO_LATE, said, now_ms);
        break;
    }
}

static void take_lookup(struct takeback *takeback, struct errand *errand,
                        const struct source_end *end)
{
    const struct outcome *outcome = end->outcome;
    int64_t now_ms = end->now.wall_ms;
    struct history_entry entry;
    bool is_read =
        outcome->status == ROW_ACCEPTED && history_read_one(end->body, &entry) == STATUS_OK;

    if (is_read &&
        history_is_of_another(&entry, errand->command.id.device, span_string(errand->command.uuid)))
        finish(takeback, errand, CANCEL_IN_DOUBT, "the answer was about another device or command",
               now_ms);
    else if (is_read)
        take_state(takeback, errand, &entry, now_ms);
    else if (outcome->status != ROW_ACCEPTED && is_refused(outcome))
        finish(takeback, errand, CANCEL_MISSING, outcome->error, now_ms);
    else
        finish(takeback, errand, CANCEL_IN_DOUBT,
               outcome->error[0] != '\0' ? outcome->error : "its state could not be read", now_ms);
}

static void ended(struct row_source *base, const struct source_end *end)
{
    struct takeback *takeback = (struct takeback *)base;
    struct errand *errand = (struct errand *)(uintptr_t)end->item->id.hash;

    takeback->under_way--;
    if (source_end_has_left(end)) {
        takeback->puts += errand->operation == OPERATION_CANCEL;
        takeback->lookups += errand->operation == OPERATION_LOOKUP;
    }
    if (errand->operation == OPERATION_CANCEL)
        take_put(takeback, errand, end);
    else
        take_lookup(takeback, errand, end);
}

static struct source_place place(struct row_source *base)
{
    (void)base;
    return (struct source_place){.line = 0};
}

void takeback_init(struct takeback *takeback, const struct takeback_options *options)
{
    *takeback = (struct takeback){
        .base = {.name = "the commands", .fd = -1, .next = next, .place = place, .ended = ended},
        .options = *options};
}

void takeback_deinit(struct takeback *takeback)
{
    struct errand *older;

    for (struct errand *errand = takeback->all; errand != NULL; errand = older) {
        older = errand->next_made;
        free(errand);
    }
    takeback->all = NULL;
}
