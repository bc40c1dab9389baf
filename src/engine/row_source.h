/*
 * Where an engine's rows come from, whatever that is: the rows of an input
 * (engine/intake_source.h), or questions about commands that were handed in (run/questions.h). The
 * driver pulls: it asks for a row when there is room for one.
 *
 *     … while the engine asks for rows:
 *     status = source->next(source, &row, now);
 *     … when a row has come to its end with an answer, or without one:
 *     source->ended(source, &end);          // what comes of that may be its next row
 *     … now and then, while rows are left:
 *     status = source->look(source);
 *
 * All calls come from one thread, none from within another one, and `now` never goes back.
 */
#ifndef NB_ENGINE_ROW_SOURCE_H
#define NB_ENGINE_ROW_SOURCE_H

#include "engine/engine.h"
#include "platform/problem.h"

/* What `next` fills in. */
struct source_row {
    struct item *item;         /* id, operation and command are the source's to fill in */
    struct problems *problems; /* of the row, or why there is none; the source clears them */
    enum item_verdict verdict;
    uint32_t sent, ambiguous; /* attempts of earlier runs, of a good row */
    int64_t again_ns; /* of STATUS_AGAIN: when to ask again (engine_time's clock). INT64_MAX: when
                         the descriptor is readable, or a row has ended */
    bool is_beyond;   /* as EVENT_INPUT_CHANGED and EVENT_INPUT_UNREADABLE have it */
};

/* How a row ended that was sent. */
struct source_end {
    const struct item *item;
    const struct outcome *outcome;
    struct span body; /* of the answer that ended it; empty where none did */
    struct engine_time now;
};

/* Whether any request of the row left, in this run. */
static inline bool source_end_has_left(const struct source_end *end)
{
    enum outcome_class class = end->outcome->class;

    return end->item->so_far.sent > 0 || (class != OUTCOME_AGAIN && class != OUTCOME_HOPELESS);
}

struct source_place {
    uint64_t line;  /* that would be read next */
    bool has_grown; /* the input, since it was checked */
};

struct row_source {
    const char *name; /* for people */
    int fd;           /* that reading waits for, and that must not block; -1: there is none */

    /*
     * The next row. STATUS_OK; STATUS_AGAIN: not now; STATUS_END; STATUS_CHANGED: the input is no
     * longer what was checked; STATUS_BAD_INPUT: it cannot be read, or not on, `problems` say why;
     * STATUS_IO with errno, STATUS_NO_MEMORY. AGAIN also while a row that is under way may bring
     * about another one.
     */
    enum status (*next)(struct row_source *source, struct source_row *row, struct engine_time now);

    /* STATUS_CHANGED where it is known already that the reading will come to that. NULL: it never
     * is. */
    enum status (*look)(struct row_source *source);

    struct source_place (*place)(struct row_source *source);

    /* NULL: it need not be told. */
    void (*ended)(struct row_source *source, const struct source_end *end);
};

#endif
