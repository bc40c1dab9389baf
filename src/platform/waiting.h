/*
 * What waits at the devices of an input before any of its rows is sent: how many of the ten places
 * of a device are taken, by whomever, which of the waiting commands write where rows write, and of
 * which devices that could not be learnt. The fleet (fleet.h) goes by it.
 *
 *     waiting_init(&waiting);
 *     … for each device that was asked: waiting_add, or waiting_refuse …
 *     fleet.waiting = &waiting;
 *     waiting_deinit(&waiting);
 *
 * Memory: nothing for a device where nothing waits, else 14–18 bytes, and some 70 for each waiting
 * command that is kept. Pure.
 */
#ifndef NB_PLATFORM_WAITING_H
#define NB_PLATFORM_WAITING_H

#include "core/keytable.h"
#include "platform/command.h"
#include "platform/history.h"

enum { WAITING_TEXT_MAX = 200 }; /* bytes of a reason */

struct waiting {
    struct keytable devices; /* mixed -> places taken, and the first note: see waiting.c */
    struct buf notes;
    uint32_t last_gap; /* the number of that note and 1, which others may share; 0: none */
};

/* A waiting command that writes where a row does. */
struct waiting_command {
    char uuid[REPLY_UUID_MAX + 1];
    int64_t created_s; /* epoch; HISTORY_NONE */
    struct history_write write;
};

/* Why it is not known what waits at a device. */
enum waiting_gap {
    GAP_REFUSED,    /* the platform refuses to say; the text is what it says instead */
    GAP_NO_ANSWER,  /* none came; the text is what became of the request */
    GAP_UNREADABLE, /* the list could not be read, or not to its end */
    GAP_COMMAND,    /* nor what is said of one of the commands; the text is its uuid */
    GAP_OF_ANOTHER, /* the answer spoke of another device */
};

void waiting_init(struct waiting *waiting);

/* Takes a zeroed struct. */
void waiting_deinit(struct waiting *waiting);

/* Of so many commands that wait at the device, these are kept. To be called once for a device.
 * STATUS_NO_MEMORY, also where the notes have come to 1 GiB. */
enum status waiting_add(struct waiting *waiting, uint64_t device, size_t taken,
                        const struct waiting_command *commands, size_t count) MUST_USE;

/* It is not known what waits there: an error in each row of the device. Of the text as much is kept
 * as fits. */
enum status waiting_refuse(struct waiting *waiting, uint64_t device, enum waiting_gap gap,
                           const char *text) MUST_USE;

/* How many of the ten places are taken. */
size_t waiting_taken(const struct waiting *waiting, uint64_t device);

/* Adds the error of a row of whose device that is not known. False: it is known. */
bool waiting_refuses(const struct waiting *waiting, const struct command *command,
                     struct problems *problems);

/* Adds a warning (PROBLEM_CONFLICT) for each waiting command that writes where the row does. */
void waiting_compare(const struct waiting *waiting, const struct command *command,
                     const struct footprint *footprint, struct problems *problems);

#endif
