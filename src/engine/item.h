/*
 * A row between the input and its result. What it does at the moment is its task's state, which is
 * the queue that it is in (send/scheduler.h); nothing else says so.
 *
 * Items are the engine's. The world is handed them, fills in what is marked so, and keeps none
 * beyond the event that ends what it was handed the item for.
 */
#ifndef NB_ENGINE_ITEM_H
#define NB_ENGINE_ITEM_H

#include "core/row_id.h"
#include "platform/command.h"
#include "platform/history_search.h"
#include "platform/operation.h"
#include "send/pacer.h"
#include "send/retry.h"
#include "send/scheduler.h"

/* How a row was refused for the key, while it is not known whether the key is to blame. */
struct refusal {
    uint64_t known_at; /* so many attempts had started by then */
    struct outcome outcome;
    int64_t latency_us;
};

/* The search for a row of which a request may have been processed (engine_verify.c). */
struct verification {
    struct history_search *search;
    enum operation operation; /* of the question that is being put, … */
    struct command command;   /* … what is sent for it, … */
    struct retry_row so_far;  /* … and its attempts */
    bool is_put;              /* it has an attempt, or will have: no other is next */
    int64_t ended_ms;         /* when the request had, monotonic */
    int64_t clock_off_s;      /* that its times were reckoned with */
};

struct item {
    struct task task;         /* first: the scheduler hands it back */
    struct row_id id;         /* by the world, for EFFECT_READ: which row it is, … */
    enum operation operation; /* what is asked, … */
    struct command command;   /* … and what is to be sent */
    uint32_t ticket;          /* by the world, for EFFECT_ADMIT: what the record knows it by */
    void *world;              /* the world's, for whatever it wants; NULL in a new item */
    struct retry_row so_far;  /* with the attempts of earlier runs, except in `tries` */
    uint32_t doubts_before;   /* what so_far.ambiguous was when the row was read */
    int64_t first_ms;         /* when the first of this run began, epoch: once there is one */
    uint64_t number;          /* among the rows that were admitted, from 1 */
    uint64_t sync;            /* the sync that makes its admission durable */
    uint64_t start_number;    /* of its attempt, among all of the run */
    int64_t started_ns;       /* when that started */
    uint32_t pacer_ticket;    /* of that */
    struct pacer_row paced;   /* what the pacer knows of its attempts */
    uint32_t key_number;      /* of the key that it was sent with */
    struct refusal *refusal;  /* of one that is held */
    struct verification *verification; /* while it is looked for: it asks, and is not sent */
    struct item *next_free;
    struct item *next_made; /* all that there are */
};

/* What EFFECT_SEND sends. */
static inline enum operation item_operation(const struct item *item)
{
    return item->verification != NULL ? item->verification->operation : item->operation;
}

static inline const struct command *item_request(const struct item *item)
{
    return item->verification != NULL ? &item->verification->command : &item->command;
}

/* The attempts to send that. */
static inline struct retry_row *item_tries(struct item *item)
{
    return item->verification != NULL ? &item->verification->so_far : &item->so_far;
}

#endif
