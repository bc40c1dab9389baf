#include "run/instances.h"

#include <stdlib.h>
#include <xxhash.h>

#include "platform/writeback.h"

void instances_init(struct instances *instances)
{
    *instances = (struct instances){.count = 0};
    keytable_init(&instances->by_hash);
}

void instances_deinit(struct instances *instances)
{
    keytable_deinit(&instances->by_hash);
    free(instances->items);
    free(instances->resources);
}

/* The array with room for one more of `size` bytes; NULL without memory, and then it is as it was.
 */
static void *make_room(void *items, uint32_t count, uint32_t *capacity, size_t size)
{
    uint32_t more = *capacity > 0 ? *capacity * 2 : 1024;

    if (count < *capacity)
        return items;
    void *grown = more > count ? realloc(items, more * size) : NULL;
    if (grown != NULL)
        *capacity = more;
    return grown;
}

struct instance_resource *instances_resource(const struct instances *instances,
                                             const struct instance *instance, uint16_t id)
{
    for (uint32_t at = instance->resources; at != 0; at = instances->resources[at - 1].next)
        if (instances->resources[at - 1].id == id)
            return &instances->resources[at - 1];
    return NULL;
}

struct adding {
    struct instances *instances;
    struct instance *instance;
    enum status status;
};

static void add_resource(void *context, uint16_t id, uint8_t type)
{
    struct adding *adding = context;
    struct instances *all = adding->instances;
    struct instance_resource *known = instances_resource(all, adding->instance, id);

    if (known != NULL) {
        known->type = type != WRITEBACK_BASIC ? type : known->type;
        return;
    }
    struct instance_resource *grown = make_room(all->resources, all->resource_count,
                                                &all->resource_capacity, sizeof(*all->resources));
    if (grown == NULL) {
        adding->status = STATUS_NO_MEMORY;
        return;
    }
    all->resources = grown;
    all->resources[all->resource_count++] =
        (struct instance_resource){.next = adding->instance->resources, .id = id, .type = type};
    adding->instance->resources = all->resource_count;
}

uint64_t instances_hash(uint64_t device, uint16_t object, uint16_t number)
{
    const uint64_t place[] = {device, (uint64_t)object << 16 | number};

    return XXH3_64bits(place, sizeof(place));
}

/* The instance, made where it is not there yet. */
static enum status find(struct instances *all, const struct command *command,
                        struct instance **ret_instance)
{
    uint32_t *number;
    enum status status =
        keytable_slot(&all->by_hash,
                      instances_hash(command->device, command->object_id, command->instance_id),
                      &number);

    if (status != STATUS_OK)
        return status;
    if (*number == 0) {
        *number = all->count + 1; /* never 0, also where there is no room */
        struct instance *grown =
            make_room(all->items, all->count, &all->capacity, sizeof(*all->items));
        if (grown == NULL)
            return STATUS_NO_MEMORY;
        all->items = grown;
        all->items[all->count++] = (struct instance){.device = command->device,
                                                     .object = command->object_id,
                                                     .number = command->instance_id};
    }
    *ret_instance = &all->items[*number - 1];
    return STATUS_OK;
}

enum status instances_add(struct instances *instances, const struct command *command)
{
    struct adding adding = {.instances = instances};
    enum status status = find(instances, command, &adding.instance);

    if (status != STATUS_OK)
        return status;
    adding.instance->is_whole = adding.instance->is_whole || command->replaces;
    writeback_each_item(command_body(command), add_resource, &adding);
    return adding.status;
}
