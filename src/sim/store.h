/*
 * The commands that the simulated platform has accepted: how many wait per device, and, up to a
 * maximum, what they said.
 *
 *     store_init(&store, queue_limit, max_commands);
 *     status = store_add(&store, &command, now_s);        // STATUS_RANGE: the device's queue is
 * full for (ref = store_newest(&store, device); ref != 0; ref = view.older) store_view(&store, ref,
 * &view); store_deinit(&store);
 *
 * Memory: a device takes a slot of 24 bytes in a table that is 3/8 to 3/4 full (32–64 bytes), a
 * waiting command 8 bytes (none without a queue limit; reused when it has expired), a kept command
 * 71 bytes and its content, rounded up to 8. Not thread-safe.
 */
#ifndef NB_SIM_STORE_H
#define NB_SIM_STORE_H

#include "platform/rules.h"

enum {
    STORE_UUID_BYTES = 16,
    STORE_SHARDS = 64, /* so that a growing table never holds up an answer for long */
    STORE_DEVICES_MAX = 100 * 1000 * 1000,
};

/* A command as it is put in and looked at. Times are epoch seconds. */
struct store_command {
    uint64_t device; /* see platform/device.h */
    enum action action;
    uint8_t uuid[STORE_UUID_BYTES];
    int64_t created_s, valid_s, expires_s;
    uint16_t values[PARAM_COUNT]; /* of parameters that are numbers, and booleans as 0 and 1 */
    uint16_t present;             /* bit set of enum param */
    struct span content;          /* the data array, or args; at most 65535 bytes */
    uint32_t older; /* in a view: the reference of the device's command before, or 0 */
};

struct store_shard {
    struct store_device *devices; /* open addressing */
    size_t capacity, count;
};

struct store {
    struct store_shard shards[STORE_SHARDS];
    char **blocks; /* memory for waiting and kept commands, addressed by references */
    size_t block_count, block_capacity;
    uint32_t next_unit; /* the first free unit of the last block */
    uint32_t free_waiting;
    uint32_t queue_limit;
    uint64_t max_commands;
    uint64_t kept; /* commands that are kept with their text */
    size_t devices;
};

/* queue_limit 0: no limit. Allocates nothing. */
void store_init(struct store *store, uint32_t queue_limit, uint64_t max_commands);
void store_deinit(struct store *store);

/*
 * Accepts a command. A command waits until its expires_s is past. Beyond max_commands it is counted
 * and not kept. STATUS_RANGE when queue_limit commands of the device wait at `now_s`;
 * STATUS_TOO_BIG, STATUS_NO_MEMORY. Nothing has changed after a failure.
 */
enum status store_add(struct store *store, const struct store_command *command,
                      int64_t now_s) MUST_USE;

/* How many commands of the device were accepted, kept or not. */
uint64_t store_count(const struct store *store, uint64_t device);

/* The device's last kept command, or 0. */
uint32_t store_newest(const struct store *store, uint64_t device);

/* The command behind a reference (not 0), but for its device, which it does not know. The content
 * stays valid until store_deinit. */
void store_view(const struct store *store, uint32_t ref, struct store_command *ret_command);

#endif
