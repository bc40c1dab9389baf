/*
 * The instances of devices that an input writes to, each once, with the resources that change: 40
 * bytes an instance, and 8 for each resource. Told apart by a hash of 64 bits. Private to run/.
 */
#ifndef NB_RUN_INSTANCES_H
#define NB_RUN_INSTANCES_H

#include "core/keytable.h"
#include "platform/command.h"

struct instance {
    uint64_t device;
    uint16_t object, number;
    bool is_whole;      /* a write replaces it */
    bool has_values;    /* a read has brought some */
    uint8_t fate;       /* the caller's */
    uint8_t answer;     /* likewise */
    uint32_t resources; /* the first one and 1; 0: none */
};

struct instance_resource {
    uint32_t next; /* and 1; 0: there is none */
    uint16_t id;
    uint8_t type; /* platform/writeback.h */
    bool has_value;
};

struct instances {
    struct instance *items; /* in the order in which the input first names them */
    struct instance_resource *resources;
    uint32_t count, capacity, resource_count, resource_capacity;
    struct keytable by_hash;
};

void instances_init(struct instances *instances);
void instances_deinit(struct instances *instances);

/* What an instance of a device is known by. */
uint64_t instances_hash(uint64_t device, uint16_t object, uint16_t number);

/* Adds what a good write changes. STATUS_NO_MEMORY. */
enum status instances_add(struct instances *instances, const struct command *command) MUST_USE;

/* The resource of an instance; NULL: no row names it. */
struct instance_resource *instances_resource(const struct instances *instances,
                                             const struct instance *instance, uint16_t id);

#endif
