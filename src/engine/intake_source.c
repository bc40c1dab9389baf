#include "engine/intake_source.h"

static struct intake *intake_of(struct row_source *source)
{
    return ((struct intake_source *)source)->intake;
}

static void take_row(const struct intake *intake, struct source_row *row)
{
    const struct store_row *known = intake_known(intake);
    struct item *item = row->item;
    const struct command *command = &item->command;

    item->operation = (enum operation)command->action;
    item->id = (struct row_id){.hash = command->hash,
                               .device = command->device,
                               .row = command->row,
                               .line = command->line,
                               .occurrence = known->occurrence};
    row->verdict = row->problems->error_count > 0 ? ITEM_INVALID : ITEM_GOOD;
    if (known->verdict == STORE_SETTLED)
        row->verdict = ITEM_SETTLED;
    row->sent = known->before.known ? known->before.attempts : 0;
    row->ambiguous = known->before.known ? known->before.ambiguous : 0;
}

static enum status start(struct intake_source *source, struct problems *problems)
{
    enum status status = intake_start(source->intake, problems);

    source->started = status == STATUS_OK;
    return status;
}

static enum status next(struct row_source *base, struct source_row *row, struct engine_time now)
{
    struct intake_source *source = (struct intake_source *)base;
    struct intake *intake = source->intake;
    enum status status = source->started ? STATUS_OK : start(source, row->problems);

    (void)now;
    if (status == STATUS_OK)
        status = intake_next(intake, &row->item->command, row->problems);
    if (status == STATUS_OK)
        take_row(intake, row);
    else if (status == STATUS_AGAIN)
        row->again_ns = INT64_MAX;
    else
        row->is_beyond = status == STATUS_CHANGED ? source_is_spent(intake_source(intake))
                                                  : intake_is_lost(intake);
    return status;
}

static enum status look(struct row_source *source)
{
    return intake_look(intake_of(source));
}

static struct source_place place(struct row_source *source)
{
    const struct intake *intake = intake_of(source);

    return (struct source_place){.line = intake_line(intake),
                                 .has_grown = source_has_grown(intake_source(intake))};
}

void intake_source_init(struct intake_source *source, struct intake *intake)
{
    const struct source *bytes = intake_source(intake);

    *source = (struct intake_source){
        .base = {.name = source_name(bytes),
                 .fd = source_is_seekable(bytes) ? -1 : source_fd(bytes),
                 .next = next,
                 .look = look,
                 .place = place},
        .intake = intake,
    };
}
