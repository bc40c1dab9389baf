#include "run/places.h"

#include <stdlib.h>

#include "platform/delivery.h"
#include "platform/history_pages.h"
#include "platform/history_search.h"

/*
 * A turn is one device's: a LIST, page after page, the newest commands first, since these are the
 * ones that wait; then a LOOKUP of each waiting command that may write what rows write. Where ten
 * wait nothing more need be known.
 */

struct turn {
    struct fleet_device device;
    struct history_pages pages;
    int64_t start_s; /* of the list; 0: it is over */
    size_t taken;    /* places */
    bool is_answered;
    struct waiting_command commands[DEVICE_QUEUE_MAX]; /* to be looked up from `at` on; before that
                                                          those that rows meet */
    size_t command_count, at;
    struct turn *next_made, *next;
};

static struct places *places_of(struct row_source *base)
{
    return (struct places *)base;
}

static struct turn *make(struct places *places)
{
    struct turn *turn = places->unused;

    if (turn != NULL) {
        struct turn *older = turn->next_made;
        places->unused = turn->next;
        *turn = (struct turn){.next_made = older};
        return turn;
    }
    turn = calloc(1, sizeof(*turn));
    if (turn == NULL)
        return NULL;
    turn->next_made = places->all;
    places->all = turn;
    return turn;
}

static void follow(struct places *places, struct turn *turn)
{
    turn->next = NULL;
    if (places->next == NULL)
        places->next = turn;
    else
        places->last->next = turn;
    places->last = turn;
}

/* Asking. */

static bool is_listing(const struct turn *turn)
{
    return turn->start_s != 0;
}

static enum status ask(struct places *places, struct turn *turn, struct item *item)
{
    struct question question = {.device = turn->device.device};

    if (is_listing(turn)) {
        history_pages_ask(&turn->pages, &question);
        question.start_s = turn->start_s;
    } else {
        question.uuid = span_string(turn->commands[turn->at].uuid);
    }
    item->operation = is_listing(turn) ? OPERATION_LIST : OPERATION_LOOKUP;
    item->id = (struct row_id){.hash = (uintptr_t)turn,
                               .device = turn->device.device,
                               .line = turn->device.line,
                               .occurrence = 1};
    enum status status =
        command_ask(&item->command, places->options.dialect, item->operation, &question);
    places->under_way += status == STATUS_OK;
    return status;
}

static enum status next(struct row_source *base, struct source_row *row, struct engine_time now)
{
    struct places *places = places_of(base);
    struct turn *turn = places->next;
    struct fleet_device device;

    if (places->is_full)
        return STATUS_NO_MEMORY;
    if (turn != NULL) {
        places->next = turn->next;
        return ask(places, turn, row->item);
    }
    if (!places->is_over)
        places->is_over = !fleet_next(places->options.fleet, &places->cursor, &device);
    if (places->is_over) {
        row->again_ns = INT64_MAX;
        return places->under_way > 0 ? STATUS_AGAIN : STATUS_END;
    }
    turn = make(places);
    if (turn == NULL)
        return STATUS_NO_MEMORY;
    turn->device = device;
    turn->pages.device = device.device;
    turn->start_s = now.wall_ms / 1000 + places->clock_off_s - PLACES_BACK_S;
    return ask(places, turn, row->item);
}

/* Answers. */

struct taking {
    struct places *places;
    struct turn *turn;
    int64_t asked_s; /* by the platform's clock */
};

/* Whether it takes a place: nothing final has become of it. */
static bool waits(const struct history_entry *entry, int64_t asked_s)
{
    const struct delivery_facts facts = {.state = delivery_judge(entry, asked_s),
                                         .remain = entry->remain,
                                         .expires_s = entry->times_s[HISTORY_EXPIRES],
                                         .created_s = entry->times_s[HISTORY_CREATED],
                                         .asked_s = asked_s};
    return !delivery_is_final(&facts);
}

/* Whether it is to be looked up. */
static bool may_write(const struct taking *taking, const struct history_entry *entry)
{
    const struct known_commands *own = taking->places->options.own;
    struct span uuid = span_string(entry->uuid);

    return taking->turn->device.writes && (!entry->has_action || entry->action == ACTION_WRITE) &&
           operation_names_one(uuid) && (own == NULL || !known_commands_has(own, uuid));
}

static void take_listed(void *context, const struct history_entry *entry)
{
    const struct taking *taking = context;
    struct turn *turn = taking->turn;

    turn->pages.is_unreadable |= entry->send_status == HISTORY_NONE;
    if (turn->taken == DEVICE_QUEUE_MAX || !waits(entry, taking->asked_s))
        return;
    turn->taken++;
    if (!may_write(taking, entry))
        return;
    struct waiting_command *command = &turn->commands[turn->command_count++];
    memcpy(command->uuid, entry->uuid, sizeof(command->uuid));
    command->created_s = entry->times_s[HISTORY_CREATED];
}

static void note(struct places *places, enum status status)
{
    places->is_full = places->is_full || status != STATUS_OK;
}

static bool give_up(const struct taking *taking, enum waiting_gap gap, const char *text)
{
    struct places *places = taking->places;

    places->refused += gap == GAP_REFUSED;
    places->unknown += gap != GAP_REFUSED;
    note(places, waiting_refuse(places->options.waiting, taking->turn->device.device, gap, text));
    return false;
}

/* All is known of the device. */
static bool settle(const struct taking *taking)
{
    struct places *places = taking->places;
    struct turn *turn = taking->turn;
    bool is_full = turn->taken == DEVICE_QUEUE_MAX;

    places->commands += turn->taken;
    places->users += turn->taken > 0;
    places->full += is_full;
    note(places, waiting_add(places->options.waiting, turn->device.device, turn->taken,
                             turn->commands, is_full ? 0 : turn->command_count));
    return false;
}

/* These return whether the turn goes on. */

static bool take_list(const struct taking *taking, struct span body)
{
    struct turn *turn = taking->turn;
    const struct history_pages *pages = &turn->pages;
    enum pages_step step =
        history_pages_take(&turn->pages, body, take_listed, (void *)(uintptr_t)taking);

    if (turn->taken == DEVICE_QUEUE_MAX)
        return settle(taking);
    if (step == PAGES_AGAIN)
        turn->taken = turn->command_count = 0;
    if (step == PAGES_MORE || step == PAGES_AGAIN)
        return true;
    if (pages->is_of_another)
        return give_up(taking, GAP_OF_ANOTHER, "");
    if (step == PAGES_BROKEN || pages->is_unreadable || pages->is_short)
        return give_up(taking, GAP_UNREADABLE, "");
    turn->start_s = 0;
    return turn->command_count > 0 ? true : settle(taking);
}

static void drop(struct turn *turn)
{
    size_t behind = --turn->command_count - turn->at;

    memmove(&turn->commands[turn->at], &turn->commands[turn->at + 1],
            behind * sizeof(turn->commands[0]));
}

static bool take_lookup(const struct taking *taking, struct span body)
{
    struct turn *turn = taking->turn;
    struct waiting_command *command = &turn->commands[turn->at];
    struct history_entry entry;

    if (history_read_one(body, &entry) != STATUS_OK ||
        history_read_write(body, &command->write) != STATUS_OK)
        return give_up(taking, GAP_COMMAND, command->uuid);
    if (history_is_of_another(&entry, turn->device.device, span_string(command->uuid)))
        return give_up(taking, GAP_OF_ANOTHER, "");
    bool is_gone = !waits(&entry, taking->asked_s); /* meanwhile */
    bool is_write = !entry.has_action || entry.action == ACTION_WRITE;
    turn->taken -= is_gone;
    if (is_gone || !is_write ||
        !fleet_meets(taking->places->options.fleet, turn->device.device, &command->write))
        drop(turn);
    else
        turn->at++;
    return turn->at < turn->command_count ? true : settle(taking);
}

/* What came in place of an answer. A device of another product is refused for the key, as its rows
 * would be; where it is the key, the engine ends it all. */
static bool take_failure(const struct taking *taking, const struct outcome *outcome)
{
    const char *number = dialects[taking->places->options.dialect].number;
    bool is_refused = outcome->class == OUTCOME_REFUSED && outcome->has_errno;
    char said[WAITING_TEXT_MAX - 32], text[WAITING_TEXT_MAX + 1];

    if (!outcome->has_errno)
        return give_up(taking, GAP_NO_ANSWER, outcome->error);
    buf_copy_printable(said, sizeof(said), span_string(outcome->error));
    (void)snprintf(text, sizeof(text), "%s%s (%s %lld)", said,
                   strlen(said) < strlen(outcome->error) ? "…" : "", number,
                   (long long)outcome->platform_errno);
    return give_up(taking, is_refused ? GAP_REFUSED : GAP_NO_ANSWER, text);
}

static void ended(struct row_source *base, const struct source_end *end)
{
    struct places *places = places_of(base);
    struct turn *turn = (struct turn *)(uintptr_t)end->item->id.hash;
    const struct taking taking = {.places = places,
                                  .turn = turn,
                                  .asked_s = end->now.wall_ms / 1000 + places->clock_off_s};
    bool is_list = is_listing(turn), goes_on;

    places->under_way--;
    if (source_end_has_left(end)) {
        places->lists += is_list;
        places->lookups += !is_list;
    }
    turn->is_answered |= end->outcome->has_errno;
    if (end->outcome->status != ROW_ACCEPTED)
        goes_on = take_failure(&taking, end->outcome);
    else
        goes_on = is_list ? take_list(&taking, end->body) : take_lookup(&taking, end->body);
    if (goes_on) {
        follow(places, turn);
        return;
    }
    places->devices++;
    places->answered += turn->is_answered;
    history_pages_deinit(&turn->pages);
    turn->next = places->unused;
    places->unused = turn;
}

static struct source_place place(struct row_source *base)
{
    (void)base;
    return (struct source_place){.line = 0};
}

void places_init(struct places *places, const struct places_options *options)
{
    *places = (struct places){
        .base = {.name = "the questions", .fd = -1, .next = next, .place = place, .ended = ended},
        .options = *options};
}

void places_deinit(struct places *places)
{
    struct turn *older;

    for (struct turn *turn = places->all; turn != NULL; turn = older) {
        older = turn->next_made;
        history_pages_deinit(&turn->pages);
        free(turn);
    }
    places->all = NULL;
}
