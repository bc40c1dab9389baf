/* The dry run: every row goes the way to a command and no farther. */
#ifndef NB_ENGINE_CHECK_H
#define NB_ENGINE_CHECK_H

#include "engine/intake.h"

/* Called with the problems of a row, or of the file (problems->row is 0), when there are any. */
typedef void problems_fn(void *context, const struct problems *problems);

/* What a check tells on its way; each may be NULL. */
struct check_hooks {
    problems_fn *problems;
    /* Each row, good or bad, once it is judged; STATUS_IO ends the check. */
    enum status (*row)(void *context, struct intake *intake, bool is_valid);
    /* Now and then (CHECK_TICK_ROWS), for progress. STATUS_INTERRUPTED ends the check. */
    enum status (*tick)(void *context, const struct intake *intake, uint64_t rows);
    void *context;
};

enum { CHECK_TICK_ROWS = 4096 };

struct check_counts {
    uint64_t rows;
    uint64_t valid;
    uint64_t invalid;
    uint64_t content;  /* of all rows in any order, by their names; 0: they have none */
    uint64_t settled;  /* rows that have their result already: neither valid nor invalid */
    uint64_t warnings; /* all of them, several for one row where it has them */
    /* Of the valid rows: the earliest expired_time that is no relative one, and how long after the
     * run's start a valid_time is at most, with their lines; 0: there is none. */
    int64_t expires_at_s, valid_in_s;
    uint64_t expires_line, valid_line;
    uint64_t devices;                    /* different ones among the valid rows */
    uint64_t replaced;                   /* instances that writes with mode 1 replace */
    uint64_t doubts;                     /* what a person should look at before anything is sent */
    char first_doubt[PROBLEM_DOUBT_MAX]; /* the first of it: "res:5850: holds …"; "" for none */
    uint64_t actions[ACTION_COUNT];      /* valid rows by action */
    uint64_t codes[PROBLEM_CODE_COUNT];  /* problems by code */
    bool file_is_bad;                    /* something is wrong with it as a whole */
    bool is_unreadable; /* and so no row counts: the header, damage, or that there are no rows */
};

/*
 * Reads the whole input and checks each row. STATUS_OK when it was read to its end, whatever was
 * found; STATUS_BAD_INPUT when it cannot be used at all (counted as file_is_bad, reported through
 * the hooks); STATUS_IO (errno is set, unless a hook said so), STATUS_INTERRUPTED,
 * STATUS_NO_MEMORY.
 */
enum status job_check(struct intake *intake, const struct check_hooks *hooks,
                      struct check_counts *ret_counts) MUST_USE;

#endif
