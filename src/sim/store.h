/*
 * The commands that the simulated platform has accepted: which of them wait per device, and, up to
 * a maximum, what they said and what has become of them.
 *
 *     sim_store_init(&store, queue_limit, max_commands);
 *     status = sim_store_add(&store, &command, now_ms);       // STATUS_RANGE: the queue is full
 *     for (ref = sim_store_newest(&store, device); ref != 0; ref = view.older)
 *         sim_store_view(&store, ref, &view);
 *     count = sim_store_list_waiting(&store, device, now_ms, refs, max);
 *     sim_store_set_life(&store, device, ref, &life);
 *     sim_store_deinit(&store);
 *
 * Memory: a device takes a slot of 24 bytes in a table that is 3/8 to 3/4 full (32–64 bytes), a
 * waiting command 16 bytes (none where devices have neither a queue limit nor a life; reused when
 * it waits no more), a kept command 115 bytes and its content, rounded up to 8. Not thread-safe.
 */
#ifndef NB_SIM_STORE_H
#define NB_SIM_STORE_H

#include "platform/history.h"

enum {
    STORE_UUID_BYTES = 16,
    STORE_SHARDS = 64, /* so that a growing table never holds up an answer for long */
    STORE_DEVICES_MAX = 100 * 1000 * 1000,
};

/* What has become of a command. Times are epoch milliseconds; 0: not yet. */
struct command_life {
    int64_t sent_ms, confirmed_ms;
    uint8_t send_status;    /* enum send_status */
    uint8_t confirm_status; /* enum confirm */
    uint8_t remain;         /* so often it may still be delivered again */
    bool is_gone;           /* another has overwritten it: the platform does not know it any more */
};

/* A command as it is put in and looked at. Times are epoch seconds but where the name says ms. */
struct store_command {
    uint64_t device; /* see platform/device.h */
    enum action action;
    uint8_t uuid[STORE_UUID_BYTES];
    int64_t created_s, valid_s, expires_s;
    int64_t created_ms;        /* the same moment as created_s */
    int64_t ready_ms, ends_ms; /* when it may be delivered, and when it is given up: valid_s and
                                  expires_s by a clock that may run faster */
    struct command_life life;
    uint16_t values[PARAM_COUNT]; /* of parameters that are numbers, and booleans as 0 and 1 */
    uint16_t present;             /* bit set of enum param */
    struct span content;          /* the data array, or args; at most 65535 bytes */
    struct span result;           /* in a view: what the device answered, JSON; empty for none */
    uint32_t older; /* in a view: the reference of the device's command before, or 0 */
};

struct store_shard {
    struct store_device *devices; /* open addressing */
    size_t capacity, count;
};

struct sim_store {
    struct store_shard shards[STORE_SHARDS];
    char **blocks; /* memory for waiting and kept commands, addressed by references */
    size_t block_count, block_capacity;
    uint32_t next_unit; /* the first free unit of the last block */
    uint32_t free_waiting;
    uint32_t queue_limit;
    bool overwrites;    /* a further command takes the place of the oldest that waits */
    bool keeps_waiting; /* also without a queue limit */
    uint64_t max_commands;
    uint64_t kept; /* commands that are kept with their text */
    size_t devices;
};

/* queue_limit 0: no limit. Allocates nothing. */
void sim_store_init(struct sim_store *store, uint32_t queue_limit, uint64_t max_commands);
void sim_store_deinit(struct sim_store *store);

/*
 * Accepts a command, which waits until its ends_ms is past or it is settled. Beyond max_commands it
 * is counted and not kept. STATUS_RANGE when queue_limit commands of the device wait at `now_ms`
 * (with `overwrites` the oldest is gone instead); STATUS_TOO_BIG, STATUS_NO_MEMORY. Nothing has
 * changed after a failure.
 */
enum status sim_store_add(struct sim_store *store, const struct store_command *command,
                          int64_t now_ms) MUST_USE;

/* Puts a command in again that an earlier store held, with its life and result; those of a device
 * come oldest first. STATUS_TOO_BIG, STATUS_NO_MEMORY. */
enum status sim_store_restore(struct sim_store *store,
                              const struct store_command *command) MUST_USE;

typedef void store_device_fn(void *context, uint64_t device);
void sim_store_each_device(const struct sim_store *store, store_device_fn *each, void *context);

/* How many commands of the device were accepted, kept or not. */
uint64_t sim_store_count(const struct sim_store *store, uint64_t device);

/* The device's last kept command, or 0. */
uint32_t sim_store_newest(const struct sim_store *store, uint64_t device);

/* The command behind a reference (not 0), but for its device, which it does not know. Content and
 * result stay valid until sim_store_deinit. */
void sim_store_view(const struct sim_store *store, uint32_t ref, struct store_command *ret_command);

/* The device's kept command of that uuid, or 0. */
uint32_t sim_store_find(const struct sim_store *store, uint64_t device,
                        const uint8_t uuid[STORE_UUID_BYTES]);

/* References of the device's kept commands that are open at `now_ms`, oldest first, `max` at most.
 */
size_t sim_store_list_waiting(struct sim_store *store, uint64_t device, int64_t now_ms,
                              uint32_t *refs, size_t max);

/* Sets what has become of a command of the device; one that has come to its end waits no more. */
void sim_store_set_life(struct sim_store *store, uint64_t device, uint32_t ref,
                        const struct command_life *life);

/* Keeps what the device answered. STATUS_TOO_BIG, STATUS_NO_MEMORY. */
enum status sim_store_set_result(struct sim_store *store, uint32_t ref,
                                 struct span result) MUST_USE;

/* Whether nothing more becomes of a command: its send_status, or time, says so. */
bool command_life_has_ended(const struct command_life *life);

#endif
