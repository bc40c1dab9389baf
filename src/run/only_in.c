#include "run/only_in.h"

#include "ledger/table_scan.h"
#include "run/instances.h"

static const char *const columns[] = {DEVICE_COLUMN, "obj_id", "obj_inst_id"};

static const struct table_kind kind = {.what = "file of --only-in",
                                       .columns = columns,
                                       .count = ARRAY_LENGTH(columns),
                                       .remedy = "take the snapshot again"};

static enum status add_line(struct only_in *only, struct table_scan *table)
{
    uint64_t device, object, instance;
    uint32_t count;

    if (!device_read(table->cells[0], &device))
        return table_scan_refuse(table, 0, "is no device");
    if (span_to_uint64(table->cells[1], &object) != STATUS_OK || object > UINT16_MAX)
        return table_scan_refuse(table, 1, "is no object");
    if (span_to_uint64(table->cells[2], &instance) != STATUS_OK || instance > UINT16_MAX)
        return table_scan_refuse(table, 2, "is no instance");
    return keytable_count(&only->places,
                          instances_hash(device, (uint16_t)object, (uint16_t)instance), &count);
}

enum status only_in_load(struct only_in *only, const char *path, struct buf *message)
{
    struct table_scan table;

    keytable_init(&only->places);
    only->is_loaded = true;
    only->path = path;
    enum status status = table_scan_open(&table, &disk_real, path, &kind, message);
    if (status == STATUS_END)
        buf_add_format(message, "--only-in %s: there is no such file", path);
    bool is_there = status == STATUS_OK;
    while (status == STATUS_OK && (status = table_scan_next(&table)) == STATUS_OK)
        status = add_line(only, &table);
    table_scan_close(&table);
    if (is_there && status == STATUS_END)
        return STATUS_OK;
    return status == STATUS_NO_MEMORY ? status : STATUS_USAGE;
}

bool only_in_lacks(const void *context, const struct command *command)
{
    const struct only_in *only = context;

    return only->is_loaded &&
           keytable_get(&only->places, instances_hash(command->device, command->object_id,
                                                      command->instance_id)) == 0;
}

static enum status next(struct row_source *base, struct source_row *row, struct engine_time now)
{
    struct only_in *only = (struct only_in *)base;
    const struct command *command = &row->item->command;
    enum status status = only->inner->next(only->inner, row, now);

    if (status != STATUS_OK || row->verdict != ITEM_GOOD || !only_in_lacks(only, command))
        return status;
    problem_add(row->problems, PROBLEM_NOT_IN, span_string(DEVICE_COLUMN),
                command_device_text(command),
                "not sent: %s does not have the instance that it is for (--only-in)", only->path);
    row->verdict = ITEM_INVALID;
    return STATUS_OK;
}

static enum status look(struct row_source *base)
{
    struct row_source *inner = ((struct only_in *)base)->inner;

    return inner->look(inner);
}

static struct source_place place(struct row_source *base)
{
    struct row_source *inner = ((struct only_in *)base)->inner;

    return inner->place(inner);
}

struct row_source *only_in_wrap(struct only_in *only, struct row_source *inner)
{
    if (!only->is_loaded)
        return inner;
    only->base = *inner;
    only->base.next = next;
    only->base.look = look;
    only->base.place = place;
    only->inner = inner;
    return &only->base;
}

void only_in_deinit(struct only_in *only)
{
    if (only->is_loaded)
        keytable_deinit(&only->places);
}
