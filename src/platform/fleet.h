/*
 * What can be seen only across rows: more commands for one device than can wait, the same command
 * twice, two values for one resource; and how many devices and replaced instances there are.
 *
 *     fleet_init(&fleet);
 *     fleet.waiting = &waiting;                         // where the devices have been asked
 *     for each good row, in file order: fleet_add(&fleet, &command, &footprint, &problems);
 *     while (fleet_next(&fleet, &cursor, &device)) …
 *     fleet_deinit(&fleet);
 *
 * Memory: 14–18 bytes for each device, and 8 bytes for each command and 3 for each resource that it
 * writes; 4 more where it is not the device's first, and 8 for each resource where more than
 * FLEET_SETS_MAX different sets of resources are written.
 */
#ifndef NB_PLATFORM_FLEET_H
#define NB_PLATFORM_FLEET_H

#include "core/keytable.h"
#include "platform/command.h"
#include "platform/waiting.h"

enum { FLEET_CHUNK_BYTES = 1024 * 1024, FLEET_CHUNKS_MAX = 8192, FLEET_SETS_MAX = 0x1fff };

struct fleet {
    struct keytable devices;                 /* mixed -> position of its last command in the log */
    unsigned char *chunks[FLEET_CHUNKS_MAX]; /* the log: see fleet.c */
    size_t chunk_count;
    size_t used;                   /* bytes of the last chunk */
    uint64_t first_line;           /* of its first command */
    struct keytable set_numbers;   /* hash of the places that are written -> number, from 1, … */
    uint32_t sets[FLEET_SETS_MAX]; /* … and the first command that wrote there, by number */
    uint32_t set_count;
    uint64_t device_count;
    const struct waiting *waiting; /* what is at the devices already; the caller's. NULL: unknown */
    uint64_t replaced_count;       /* different instances that a write with mode 1 replaces */
};

void fleet_init(struct fleet *fleet);

/* Takes NULL. */
void fleet_deinit(struct fleet *fleet);

/* A hint that a command of this device comes next. At a million devices, a tenth of the check was
 * waiting for their memory. */
void fleet_expect(const struct fleet *fleet, uint64_t device);

/*
 * Takes a command that is good by itself, and adds what is wrong with it beside the earlier ones:
 * PROBLEM_QUEUE where DEVICE_QUEUE_MAX commands of its device came before or wait there,
 * PROBLEM_TWICE and PROBLEM_CONFLICT as warnings, each with the lines of the others, or the uuid of
 * a waiting one. A command with an error in `problems`, from before or by these, does not count.
 * STATUS_NO_MEMORY, also when the log is full at 8 GiB.
 */
enum status fleet_add(struct fleet *fleet, const struct command *command,
                      const struct footprint *footprint, struct problems *problems) MUST_USE;

struct fleet_device {
    uint64_t device;
    uint64_t line; /* of its first command */
    bool writes;   /* one of its commands does */
};

/* The device behind `cursor`, which is 0 for the first one, in no order that means anything; false
 * behind the last. Nothing may be added between two. */
bool fleet_next(const struct fleet *fleet, uint64_t *cursor, struct fleet_device *ret_device);

/* Whether a command of the device writes where that one does, as far as it is known. */
bool fleet_meets(const struct fleet *fleet, uint64_t device, const struct history_write *write);

#endif
