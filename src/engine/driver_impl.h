/*
 * What the driver's files share; nobody else includes it. driver.c performs the engine's effects
 * and turns what happens into events; driver_input.c reads rows, driver_signals.c is signals and
 * the tick, driver_record.c the record.
 */
#ifndef NB_ENGINE_DRIVER_IMPL_H
#define NB_ENGINE_DRIVER_IMPL_H

#include "engine/driver_record.h"
#include "engine/job.h"

/* What an effect brought about that the engine has not been told yet: never inside its own call. */
struct driver_news {
    bool record_failed;
    bool room;         /* it has changed */
    bool sync_skipped; /* there was none to be done */
    bool key;          /* it is to be read */
    bool look;         /* the source is to be looked at */
};

/* An item of SEND that could not be started. */
struct unsent {
    struct item *item;
    enum status why;
    bool is_late;
};

struct driver {
    const struct job_options *options;
    struct row_source *source;
    struct store *store;
    struct buf *message;
    struct engine *engine;
    struct engine_time now; /* of the step that is under way */
    struct recorder recorder;
    struct problems problems;
    uv_loop_t loop;
    uv_idle_t more; /* goes on with the work in the loop's next turn */
    uv_timer_t flush;
    uv_timer_t wake; /* EFFECT_ARM's */
    uv_timer_t tick;
    uv_timer_t key_look;  /* at the key's source, again */
    int64_t key_look_ms;  /* the next wait for it; 0: it has not been looked at */
    int64_t key_until_ns; /* no other look begins later */
    uv_poll_t signals;    /* interrupt_fd; without it the tick looks */
    bool has_signal_poll;
    uv_work_t sync_work;
    struct store_sync *sync; /* the one that is under way */
    uint64_t sync_number;
    struct transport *transport;
    unsigned answers; /* taken since the engine's last turn */
    struct driver_news news;
    struct unsent *unsent; /* as many as may be in flight */
    size_t unsent_count;
    bool held_up; /* the engine was told that the record is */
    bool ending;
    size_t in_flight;   /* requests */
    struct beats beats; /* that the peer has granted */
    struct span body;   /* of the answer that the engine is being told */
    /* Rows. */
    uv_poll_t input;  /* waits for a pipe */
    uv_timer_t again; /* waits for the source's time */
    bool has_input_poll;
    int input_flags;     /* of the descriptor, to be restored */
    struct item *wanted; /* READ's; NULL: none is */
    bool input_waits;    /* there is nothing to read now */
    unsigned rows;       /* read since the loop had its turn */
    char why[256];       /* it cannot be read */
};

/* Tells the engine of something, and of what comes of it. */
void driver_step(struct driver *driver, const struct event *event);

/* The same with a TURN or a TIMER, where rows may be read again. */
void driver_turn(struct driver *driver, enum event_kind kind);
void driver_turn_soon(struct driver *driver);

/* A pipe is waited for in the loop, and so must not block. */
void driver_open_input(struct driver *driver);
void driver_close_input(struct driver *driver);

/* What the engine is to be told of the input, where READ or LOOK asks for it; false: nothing now.
 */
bool driver_read(struct driver *driver, struct event *ret_event);
bool driver_look(struct driver *driver, struct event *ret_event);

/* A row has come to its end (RECORD), which may bring about the source's next one. */
void driver_tell_source(struct driver *driver, const struct effect *effect);

/* What takes part in the loop (ledger/peer.h); each may be called where nobody does. */
enum status driver_open_peer(struct driver *driver);
void driver_close_peer(struct driver *driver);

/* Whether the peer syncs in place of the store: then that is under way, or there was nothing. */
bool driver_sync_peer(struct driver *driver);

/* Whether a request of the item may leave, and until when (0: whenever it can). */
bool driver_may_send(struct driver *driver, const struct item *item, int64_t *ret_before_ns);

/* Behind a step: asks for starts, where they run out. */
void driver_tell_peer(struct driver *driver);

/* The end of a sync, whoever did it. */
void driver_end_sync(struct driver *driver, bool ok);

void driver_watch_signals(struct driver *driver);
void driver_close_signals(struct driver *driver);

#endif
