/*
 * A world for the engine in virtual time: rows out of an array, a disk that syncs at once or when
 * it is told to, a platform whose answers a test writes, a clock that is a variable. What must hold
 * in any run is checked at each effect (world.c, check_…).
 *
 *     struct world_row rows[] = {{.device = 1}, {.device = 2}};
 *     struct world world;
 *     world_open(&world, rows, ARRAY_LENGTH(rows));     // world.options may be changed now
 *     world_begin(&world);                              // the first TURN, and what takes no time
 *     world_answer(&world, 1, world_accepts("u-1"));    // the end of row 1's attempt
 *     world_pass(&world, 200);                          // 200 ms, with all that is due in them
 *     assert_string_equal(world_log(&world), "…");      // what was asked of the world since
 *     world_close(&world);                              // also in mid-run: a machine that dies
 */
#ifndef NB_TESTS_WORLD_H
#define NB_TESTS_WORLD_H

#include "unit.h"

#include "engine/engine.h"

#define WORLD_START_S INT64_C(1800000000)

enum { WORLD_YEAR_S = 365 * 86400 };

/* A row of the input, and what became of it. */
struct world_row {
    uint64_t device; /* 0: one of its own */
    enum action action;
    enum item_verdict verdict;
    int64_t valid_in_s, expires_in_s; /* from the start; 0: not given, and a year */
    bool is_relative;                 /* both */
    uint32_t sent, ambiguous;         /* attempts of earlier runs */
    /* What became of it. */
    struct item *item; /* while it has one that was admitted */
    unsigned admissions, sends, records;
    bool marked, in_flight, ended;
    uint64_t sync;  /* that makes its admission durable */
    int64_t due_ns; /* its answer, where world.platform gives it */
    enum row_status status;
    bool has_errno;
    int64_t platform_errno;
    uint32_t sent_in_all, ambiguous_in_all;
    char uuid[REPLY_UUID_MAX + 1];
    char error[OUTCOME_ERROR_MAX + 1];
};

struct world {
    struct engine_options options; /* until world_begin */
    struct engine *engine;
    struct engine_time now;
    struct world_row *rows;
    size_t row_count, next; /* the next one that is read, from 0 */
    struct buf message, log;
    /* How it is; a test may change it at any time. */
    bool syncs_by_hand, keys_by_hand;
    const char *sync_fails, *record_fails; /* why; NULL: it does not */
    size_t waits_at;                       /* row that is not there yet; SIZE_MAX: all are */
    struct event input_end;                /* in place of INPUT_ENDED, and from row `ends_at` on */
    size_t ends_at;
    struct answer (*platform)(struct world *, struct world_row *); /* NULL: world_answer */
    int64_t rtt_ms;
    enum job_key key; /* what its source gives */
    const char *key_why;
    bool has_changed, has_grown; /* the input */
    int64_t date_off_s;          /* the platform's clock, less this one */
    /* What the engine asked for and was not told yet. */
    struct item *reading;
    bool waits_told, turn, renewing, looks, room_changed, record_failed, has_ended, is_closed;
    uint64_t syncing; /* the sync that is under way; 0: none */
    uint64_t synced;
    size_t room;
    bool held_up;
    int64_t armed_ns, flush_ns, tick_ns;
    /* What it told. */
    unsigned told[JOB_EVENT_STOPPED + 1];
    struct job_status status; /* of the last time, but for texts */
    unsigned attempts, in_flight, most_in_flight, looked;
    bool aborted, has_recorded; /* the latter in the step that is under way */
    struct job_result result;
    enum status end; /* job_run's */
};

/* Options that are a run's usual ones, and rows that are numbered from 1. */
void world_open(struct world *world, struct world_row *rows, size_t count);
void world_begin(struct world *world);
void world_close(struct world *world);

/* Tells all that needs no time: turns, rows, syncs (unless by hand), the key. */
void world_settle(struct world *world);
void world_pass(struct world *world, int64_t ms);

/* Passes time until the run has ended, an hour at the most, and closes it: world.result. */
void world_finish(struct world *world);

void world_answer(struct world *world, size_t row, struct answer answer);
void world_event(struct world *world, const struct event *event);
void world_signal(struct world *world, enum engine_signal meaning);
void world_sync(struct world *world); /* ends the one that is under way */
void world_key(struct world *world);  /* answers RENEW */
void world_room(struct world *world, size_t room, bool held_up);

/* What was asked since the last call, in order: "read1 admit1 sync1 mark1 send1 record1:accepted".
 */
const char *world_log(struct world *world);

/* Answers. */
struct answer world_accepts(const char *uuid);
struct answer world_refuses(int64_t number, const char *text);
struct answer world_http(int status, const char *body);
struct answer world_in_doubt(void);
struct answer world_not_sent(int os_error);

#endif
