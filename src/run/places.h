/*
 * The questions of --online, as an engine's source of rows (engine/row_source.h): what waits at
 * each device of a fleet, and, where rows write, what the waiting writes do. One LIST a device with
 * its pages, and one LOOKUP for each command that waits and may be a write; none where no place is
 * left. What the answers say goes into `waiting`. Reads no clock and touches no file.
 *
 *     places_init(&places, &options);
 *     asking_run(&asking, &places.base, …);
 *     places_deinit(&places);
 *
 * What is not known for certain is a gap: a list that was not read to its end may have any number
 * of waiting commands more. Private to run/.
 */
#ifndef NB_RUN_PLACES_H
#define NB_RUN_PLACES_H

#include "core/keytable.h"
#include "engine/row_source.h"
#include "platform/fleet.h"
#include "platform/waiting.h"

/* A command may wait as long as its row says; the platform tells of it for a year at most
 * (platform/README.md, "What became of a command"). */
enum { PLACES_BACK_S = 366 * 24 * 3600 };

struct places_options {
    enum dialect dialect;
    const struct fleet *fleet;
    const struct known_commands *own; /* whose writes are the rows'; NULL: none are known */
    struct waiting *waiting;          /* which is empty */
};

struct turn; /* a device's */

struct places {
    struct row_source base; /* first */
    struct places_options options;
    struct turn *all, *unused;
    struct turn *next, *last; /* those that follow from answers, in their order */
    uint64_t cursor;          /* of the fleet */
    bool is_over;             /* all devices had their turn */
    bool is_full;             /* of memory */
    size_t under_way;
    int64_t clock_off_s; /* the platform's clock less this machine's, as far as it is known */
    /* Told. */
    uint64_t devices;         /* that are done, and of these … */
    uint64_t answered;        /* … those of which the platform said anything */
    uint64_t lists, lookups;  /* that left; each page is a list's */
    uint64_t commands, users; /* that wait, of so many devices; */
    uint64_t full;            /* devices without a place */
    uint64_t refused;         /* of which the platform refuses to say */
    uint64_t unknown;         /* of which it is not known for another reason */
};

/* What the options point to outlives the questions. */
void places_init(struct places *places, const struct places_options *options);
void places_deinit(struct places *places);

#endif
