/*
 * The questions of `nbatch status`, as an engine's source of rows (engine/row_source.h): one LOOKUP
 * for a device of which one command is open, one LIST with all its pages for a device with several.
 * What the answers say goes into the table of commands, and the next look at a device is put where
 * send/look_again.h says. Reads no clock and touches no file.
 *
 *     questions_init(&questions, &options);
 *     job_run(&questions.base, &job, &blank_store, …);
 *     questions_deinit(&questions);
 *
 * A uuid that is not found by its LOOKUP, or that the list does not have, is missing only when all
 * pages were read; ten later commands of the device mean that it was overwritten. The list names
 * commands of others, too: they are passed over. An answer that cannot be read whole, or that
 * speaks of another device or command, says nothing of those that it does not name: they stay as
 * they were, and it is counted. Private to run/.
 */
#ifndef NB_RUN_QUESTIONS_H
#define NB_RUN_QUESTIONS_H

#include "engine/row_source.h"
#include "platform/history_pages.h"
#include "run/command_table.h"

enum {
    QUESTION_MARGIN_S = 300, /* a command's creation may be this much before its row's end */
};

/* What the results say of a command that the table has no room for. */
struct command_line {
    char uuid[REPLY_UUID_MAX + 1];
    int64_t accepted_s; /* epoch, by this machine's clock */
};

struct questions_options {
    enum dialect dialect;
    struct command_table *table; /* arranged; changed by the answers */
    bool watch;                  /* goes on until no command is open */
    int64_t interval_s;          /* of look_again.h, ≥ 1 */
    int64_t timeout_ms;          /* nothing is asked later than this after the first; 0: no end */
    bool wants_values;           /* of reads */
    uint32_t until_row;          /* devices that have none of these rows are left out; 0: none is */
    void *context;
    /* Finds the line. STATUS_IO with errno. */
    enum status (*find)(void *context, const struct command_record *command,
                        struct command_line *ret_line);
    /* Whether enough is known: nothing is asked any more. NULL: it never is. */
    bool (*is_enough)(void *context);
    /* The command's record has changed. False: that could not be kept, and all ends with
     * STATUS_IO, by errno. */
    bool (*keep)(void *context, const struct command_record *command);
    /* The answer about a read that has been delivered (history_read_values); likewise. */
    bool (*take_values)(void *context, const struct command_record *command, struct span answer);
};

struct inquiry; /* a question that is under way, or follows from another */

struct questions {
    struct row_source base; /* first */
    struct questions_options options;
    struct inquiry *all, *unused;
    struct inquiry *next, *last; /* those that follow from answers, in their order */
    size_t under_way;
    int64_t until_ns;    /* INT64_MAX: no end */
    int64_t clock_off_s; /* the platform's clock less this machine's, as far as it is known */
    int error;           /* errno; 0: all could be kept */
    bool has_begun;
    /* Told. */
    uint64_t lookups, lists; /* that left; each page is a list's */
    uint64_t unanswered;     /* questions that got no answer that says anything, of which … */
    uint64_t unreadable;     /* … this many answers could not be read, or not whole, … */
    uint64_t of_another;     /* … and this many spoke of another device or command */
};

/* What the options point to outlives the questions. Puts every device that has open commands into
 * the table's queue, due at once. */
void questions_init(struct questions *questions, const struct questions_options *options);
void questions_deinit(struct questions *questions);

/* How many calls it takes to ask each open command once: LOOKUPs, and LISTs of one page. */
void questions_count(const struct command_table *table, uint64_t *ret_lookups, uint64_t *ret_lists);

#endif
