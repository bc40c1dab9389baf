/*
 * Compares the results of a job with the record of the platform. It reads the file by itself: none
 * of nbatch's own readers is asked.
 */
#ifndef NB_TESTS_ENGINE_JUDGE_H
#define NB_TESTS_ENGINE_JUDGE_H

#include "fake_input.h"
#include "send/retry.h"

enum { RESULTS_MAX = 4096 };

struct result {
    uint64_t row;
    char key[80];
    enum row_status status;
    char uuid[80];
    uint32_t attempts, ambiguous;
    char finished_at[80];
};

struct results {
    struct result lines[RESULTS_MAX];
    size_t count;
    const struct result *of_row[FAKE_ROWS_MAX + 1]; /* the one that counts; NULL: none. From 1 */
};

struct judgement {
    const struct fake_input *input;
    const struct fake_platform *platform;
    enum on_ambiguous policy;
    const uint32_t *uncounted; /* of each row, from 1: attempts that a record may have missed */
    bool is_complete;          /* each row must have a result */
};

/* Reads the results. Returns what is wrong with the file; NULL: nothing. */
const char *judge_read(struct results *results, struct span text);

/* What is wrong with them beside the record; NULL: nothing. *ret_row is the row that shows it. */
const char *judge(const struct results *results, const struct judgement *judgement,
                  uint64_t *ret_row);

#endif
