/*
 * A simulated job: an input, a platform, a disk, and one process after another that sends the rows
 * by the real engine and keeps the real record, until one of them comes to its end. Everything is
 * drawn from one seed, and everything that happens goes into a trace.
 *
 *     sim_run(&world, seed, &settings, &stats);
 *     if (world.violation != NULL) … the seed shows that a promise is broken …
 *
 * sim_world.c is the course of a job, sim_process.c a process of it, sim_checks.c what must hold at
 * each step.
 */
#ifndef NB_TESTS_ENGINE_SIM_WORLD_H
#define NB_TESTS_ENGINE_SIM_WORLD_H

#include <xxhash.h>

#include "engine/driver_record.h"
#include "engine/engine.h"
#include "engine/intake.h"
#include "fake_disk.h"
#include "fake_input.h"
#include "fake_platform.h"
#include "judge.h"
#include "ledger/ledger.h"

#define RECORDED_NEVER UINT32_MAX

enum { CONCURRENCY_MAX = 24, QUEUE_MAX = 256, TEXT_MAX = 256 };

/* When rows in doubt are looked for: beyond the time by which the platform may be late. */
enum { SETTLE_MS = 5000, SETTLE_AGAIN_MS = LATE_MAX_MS + HISTORY_LAG_MAX_MS + 5000 };

/* X(name, text): a guard that is switched off, to see that some seed notices. */
#define BREAK_MAP(X)                                                                        \
    X(NOTHING, "nothing")                                                                   \
    X(RESEND, "resend")       /* what may have left is called not sent */                   \
    X(SYNC, "sync")           /* the disk lies: nothing is durable */                       \
    X(WAIT, "wait")           /* rows leave before they are durable */                      \
    X(MARK, "mark")           /* … or without a mark in the record */                     \
    X(UNMARK, "unmark")       /* … or stay marked while none is under way */              \
    X(ORDER, "order")         /* each row is its own device's */                            \
    X(BUDGET, "budget")       /* retries cost nothing */                                    \
    X(VERDICT, "verdict")     /* the second pass does not know what the first one found */  \
    X(SEAL, "seal")           /* what is read again is not compared */                      \
    X(UUID, "uuid")           /* uuids are believed however often they come */              \
    X(AMBIGUOUS, "ambiguous") /* what may have been processed is not counted */             \
    X(STRICT, "strict")       /* what the history shows is never equal to what was asked */ \
    X(LOOSE, "loose")         /* … or always */                                           \
    X(DOUBT, "doubt")         /* nothing is kept of rows in doubt */                        \
    X(KEPT, "kept")           /* … or of another command */                               \
    X(CLAIM, "claim")         /* a uuid may be claimed by two rows */                       \
    X(LOOK, "look")           /* one look is enough */                                      \
    X(CONTROL, "control")     /* whether the history tells is not asked */                  \
    X(PACE, "pace")           /* the platform's limit is not looked for */

enum sim_break {
#define X(name, text) BREAK_##name,
    BREAK_MAP(X)
#undef X
        BREAK_COUNT
};

extern const char *const break_names[BREAK_COUNT];

/* What a process waits for. */
#define SIM_MAP(X)                                                        \
    X(TURN)                                                               \
    X(TIMER)                                                              \
    X(FLUSH)                                                              \
    X(TICK)                                                               \
    X(READ)                                                               \
    X(LOOK)                                                               \
    X(SYNC_RUN) /* the disk is asked */                                   \
    X(SYNC_END) /* … and has answered */                                \
    X(ANSWER)                                                             \
    X(KEY)                                                                \
    X(RECORD_FAILED)                                                      \
    X(CLOSED)                                                             \
    X(READER) /* whoever reads the results falls behind, or catches up */ \
    X(SIGNAL)                                                             \
    X(CLOCK)      /* this machine's is set */                             \
    X(CHANGE)     /* somebody writes to the input, … */                 \
    X(GROWTH)     /* … at its end */                                    \
    X(WRITE_BACK) /* the kernel writes of its own accord */               \
    X(DEATH)

enum sim_kind {
#define X(name) SIM_##name,
    SIM_MAP(X)
#undef X
        SIM_KIND_COUNT
};

/* What a life of a process came to, beside the ends of a run (enum job_end). */
#define LIFE_MAP(X)                                   \
    X(COMPLETE)                                       \
    X(STOPPED)                                        \
    X(DEAD)                                           \
    X(NOT_BEGUN) /* the record could not be opened */ \
    X(NOT_CLOSED)                                     \
    X(REFUSED) /* the record is damaged by what the kernel has dropped: for a person to look at */

enum life_end {
#define X(name) LIFE_##name,
    LIFE_MAP(X)
#undef X
        LIFE_COUNT
};

/* How often each thing has happened. */
struct sim_stats {
    uint64_t seeds, rows, lives, steps, sends;
    uint64_t limited; /* sends behind the first word of a limit, which are held to it */
    uint64_t events[SIM_KIND_COUNT];
    uint64_t effects[EFFECT_END + 1];
    uint64_t replies[REPLY_KIND_COUNT];
    uint64_t lives_by_end[LIFE_COUNT];
    uint64_t runs_by_end[JOB_SHORTAGE + 1];
    uint64_t deaths[DEATH_COUNT];
    uint64_t signals[ENGINE_SIGNAL_PAUSE + 1];
    uint64_t results[ROW_STATUS_COUNT];
    uint64_t verified[CLAIM_UNCLEAR + 1], questions;
    uint64_t twice;   /* rows that were processed more than once, as was counted */
    uint64_t resumed; /* lives that found results */
    uint64_t sorted;
    uint64_t orphans, told[JOB_EVENT_STOPPED + 1];
    struct fake_disk_counts disk;
};

struct sim_settings {
    enum sim_break broken;
    FILE *trace; /* NULL: nobody wants to read it */
};

/* What the simulation knows of a row beside the ledger: in this life of the process. */
struct row_state {
    uint32_t device; /* a small number for each */
    bool is_todo;    /* it was checked, is good, and has no result yet */
    bool is_marked, in_flight, is_ended;
    uint32_t attempts;
    uint64_t sync;                 /* that makes its admission durable */
    bool is_accepted, is_doubtful; /* the latter by requests of this life */
    uint32_t ambiguous_before;     /* of earlier lives, by the results */
    uint64_t end_sync;             /* of that result */
    int64_t answered_ns;           /* the end of its last attempt */
};

/* A request that is under way. */
struct flight {
    bool used;
    struct item *item;
    uint64_t row;
    struct fake_reply reply;
    bool is_cut;
};

struct sim_event {
    int64_t at_ns;
    uint64_t order;
    enum sim_kind kind;
    struct item *item;
    size_t flight;
    int signal_number;
};

/* How rows are to be sent, drawn. */
struct plan {
    size_t concurrency;
    struct retry_policy retry;
    struct pacer_options pacer;
    struct canary canary;
    char halt_rules[64];
    int64_t outage_wait_ms;
    struct resume_wish wish;
    bool is_prompt;  /* the history, as the operator says */
    int64_t sync_ms; /* how long a sync takes, about */
    bool can_renew;
    bool sorts, dies_at_last;
    bool is_calm; /* nothing goes wrong */
};

/* A process, from its start to its end. */
struct process {
    struct plan plan;
    struct intake *intake;
    struct ledger *ledger;
    struct store *store; /* the ledger's */
    struct engine *engine;
    struct halt halt;
    struct known_commands known;
    struct problems problems; /* of the row that was read last */
    struct problems expired;
    struct tally tally;
    struct recorder recorder;
    struct buf message;
    struct sim_event queue[QUEUE_MAX];
    size_t queue_length;
    struct flight flights[CONCURRENCY_MAX];
    size_t in_flight;
    struct store_sync *sync; /* that is under way */
    uint64_t sync_number, durable;
    bool has_input_pending; /* a READ */
    int64_t started_ns;
    uint64_t checked; /* rows */
    uint64_t starts, first_starts, ended_good;
    int tokens; /* of the budget, by our own book */
    int64_t retried_ms;
    int64_t refused_ns; /* when it heard first that it is too fast; 0: it has not */
    double ahead;       /* requests since then, less twice what is allowed */
    int64_t ahead_ns;   /* … up to then */
    uint32_t key;
    bool clock_was_set, has_known;
    bool has_begun, is_paused, is_held_up, is_stopped, has_ended, is_closed, record_failed;
    uint64_t effects_left; /* it dies at that one; 0: at none */
    int64_t canary_ended_ns;
    enum fake_death death;
};

struct sim_world {
    uint64_t seed;
    const struct sim_settings *settings;
    struct sim_stats *stats;
    struct prng dice;
    XXH3_state_t *hash; /* of the trace */
    struct fake_input input;
    struct fake_platform platform;
    enum on_ambiguous policy;
    int64_t now_ns, wall_off_ms;
    int64_t disk_ms;                          /* this machine's clock, as the record reads it */
    struct row_state rows[FAKE_ROWS_MAX + 2]; /* from 1; one may be added to the input */
    uint32_t uncounted[FAKE_ROWS_MAX + 1];    /* see pass_time */
    uint32_t unrecovered[FAKE_ROWS_MAX + 1];  /* … since the last recovery */
    bool is_live_lost;                        /* … which will go by a snapshot */
    bool is_kept[FAKE_ROWS_MAX + 1];          /* it is accepted, and that is durable */
    bool is_live[FAKE_ROWS_MAX + 1]; /* … or a process that was killed has taken it down */
    int64_t doubts_max; /* so many rows may the next process find under way; -1: any number */
    struct process process;
    struct results results;
    bool input_is_changed;
    bool leaves_doubt[FAKE_ROWS_MAX + 1]; /* what it asked for is in out.csv.doubt */
    uint32_t recorded[FAKE_ROWS_MAX + 1]; /* requests of it there; RECORDED_NEVER: some are not */
    uint64_t failed_before;               /* calls to the disk, when the life began */
    bool was_in_doubt[FAKE_ROWS_MAX + 1]; /* in an earlier life */
    uint64_t lost_before, dropped_before; /* sectors, in earlier worlds */
    bool is_refused;
    const char *violation; /* NULL: all is well */
    uint64_t violation_row;
    uint64_t trace_hash;
};

/* Plays a seed. */
void sim_run(struct sim_world *world, uint64_t seed, const struct sim_settings *settings,
             struct sim_stats *stats);

/* Takes down that a seed shows something else. */
void sim_blame(struct sim_world *world, const char *what);

/* The simulation's own; nobody else calls these. */

void sim_trace(struct sim_world *world, const char *format, ...) PRINTF_LIKE(2, 3);

/* The first one is what is told. */
void sim_violate(struct sim_world *world, const char *what, uint64_t row);

int64_t sim_wall_ms(const struct sim_world *world);

/* Draws how the next process is to work. */
void plan_draw(struct sim_world *world, struct plan *plan, bool is_calm);

/* One life of a process. */
enum life_end process_live(struct sim_world *world, bool is_calm);

/* What was synced, and what a process leaves that dies, is there later. */
void check_synced(struct sim_world *world, uint64_t sync);
void check_left(struct sim_world *world);
void check_recovered(struct sim_world *world);
void check_found(struct sim_world *world, uint64_t orphans);

/* Looks at what is on record of rows in doubt: it must be true, and where a process was killed and
 * nothing else, there. */
void check_doubts(struct sim_world *world);

/* Calls to the disk that have failed. */
uint64_t count_failed(const struct sim_world *world);

/* Looks at the results as they are in the file. */
void check_results(struct sim_world *world, bool is_complete);

/* What must hold when a row is sent, is answered, or ends. */
void check_send(struct sim_world *world, const struct item *item);
void check_question(struct sim_world *world, struct item *item);

/* A row that the history did not know goes again, or ends as failed. */
void check_missing(struct sim_world *world, uint64_t row);

void check_attempt(struct sim_world *world, const struct outcome *outcome);
void check_put_off(struct sim_world *world, const struct item *item);
void check_end(struct sim_world *world, uint64_t row, enum row_status status);

/* Whether a guard is off in the world that is played. */
bool sim_is_broken(enum sim_break broken);

#endif
