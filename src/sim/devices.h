/*
 * The devices behind the simulated platform: they report in, each in a rhythm of its own, take the
 * commands that wait for them, keep what is written, and refuse or say nothing where that is
 * ordered. Pure: time is a parameter.
 *
 *     devices_init(&devices, &options, &store);
 *     devices_notice(&devices, imei, now_ms);            // a command has been put into the store
 *     while (devices_next(&devices) <= now_ms)
 *         devices_advance(&devices, now_ms);             // tells of each command that has ended
 *     devices_deinit(&devices);
 *
 * A device reports in every `uplink` (drawn for each device within the range), first at some moment
 * within that time. Seven of ten uplinks are a notify, a quarter an update, the rest a register; an
 * uplink whose kind is in a command's trigger_msg starts its delivery, once its valid_time has
 * come. Commands are delivered in order, one at a time. The device confirms after DEVICE_ANSWER_MS.
 * One that answers nothing in time (the command's `timeout`) is tried again at the next uplink as
 * often as its `retry` says. What a device does with a command depends on the seed, the command's
 * uuid and the number of the try alone.
 */
#ifndef NB_SIM_DEVICES_H
#define NB_SIM_DEVICES_H

#include "core/buf.h"
#include "core/hashmap.h"
#include "core/heap.h"
#include "sim/store.h"

enum { DEVICE_ANSWER_MS = 1500, DEVICE_FAULTS_MAX = 16 };

struct device_fault {
    uint8_t confirm_status; /* what the device answers; CONFIRM_NONE: nothing is ever heard */
    double probability;
};

struct devices_options {                  /* zeroed but for the clock: no device reports in */
    int64_t uplink_min_ms, uplink_max_ms; /* 0: no device ever reports in */
    double clock;                         /* times as fast as real time */
    uint64_t seed;
    struct device_fault faults[DEVICE_FAULTS_MAX];
    size_t fault_count;
};

/* A command of the device has been sent to it, or has come to its end there. */
typedef void devices_event_fn(void *context, uint64_t imei, const struct store_command *command);

struct devices {
    const struct devices_options *options; /* borrowed, as is the store */
    struct sim_store *store;
    struct hashmap lives;    /* struct device_life by imei + 1 */
    struct heap due;         /* of them, those that something waits for */
    devices_event_fn *event; /* NULL: nobody wants to know */
    void *context;
};

/*
 * Reads how often devices report in: "30s", or "5s..60s". STATUS_SYNTAX; STATUS_RANGE for less than
 * 1 ms, more than a year, or a range from more to less.
 */
enum status devices_parse_uplink(struct span text, struct devices_options *options) MUST_USE;

/*
 * Adds "device-WORD:PROBABILITY": WORD is what the device answers, one of the words of a
 * confirm_status in small letters but success, or `silent`. STATUS_USAGE with a text in `message`.
 */
enum status devices_add_fault(struct devices_options *options, struct span text,
                              struct buf *message) MUST_USE;

/* Allocates nothing. `options` with a clock above 0. */
void devices_init(struct devices *devices, const struct devices_options *options,
                  struct sim_store *store);
void devices_deinit(struct devices *devices);

/* Whether devices report in at all. */
bool devices_live(const struct devices *devices);

/* A command waits for the device. STATUS_NO_MEMORY: it will not be delivered before the next one
 * does. */
enum status devices_notice(struct devices *devices, uint64_t imei, int64_t now_ms) MUST_USE;

/* When something happens next, in epoch milliseconds; INT64_MAX: nothing. */
int64_t devices_next(const struct devices *devices);

/* Does what is due at `now_ms`, `max` steps at most. */
void devices_advance(struct devices *devices, int64_t now_ms, size_t max);

/* How long something that takes `ms` takes by the simulator's clock; at least 1. */
int64_t devices_scale(const struct devices_options *options, int64_t ms);

/* A resource of a device. */
struct device_place {
    uint32_t obj, inst, res;
};

/* Sets what a device keeps there, as JSON. STATUS_NO_MEMORY: what it kept before is lost. */
enum status devices_set_value(struct devices *devices, uint64_t imei,
                              const struct device_place *place, struct span json) MUST_USE;

/* Every value that was written to any device. */
typedef void device_value_fn(void *context, uint64_t imei, const struct device_place *place,
                             struct span json);
void devices_each_value(const struct devices *devices, device_value_fn *each, void *context);

#endif
