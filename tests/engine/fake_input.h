/*
 * A drawn input: rows that are good or bad, equal or not, for many devices or few; and what the
 * simulation knows of them beforehand. It is a file in memory, which the real readers read.
 */
#ifndef NB_TESTS_ENGINE_FAKE_INPUT_H
#define NB_TESTS_ENGINE_FAKE_INPUT_H

#include "core/buf.h"
#include "fake_platform.h"

enum { FAKE_ROWS_MAX = 320 };

struct fake_row {
    uint32_t content;
    bool is_good;    /* by itself */
    bool can_wait;   /* its times let it be sent hours later too */
    size_t from, to; /* its bytes */
};

struct fake_input {
    int fd;
    char path[40];
    struct buf text;
    struct content contents[FAKE_ROWS_MAX + 1]; /* the last one is of a row that was changed */
    size_t content_count;
    struct fake_row rows[FAKE_ROWS_MAX];
    size_t row_count;
};

void fake_input_draw(struct fake_input *input, struct prng *dice);
void fake_input_close(struct fake_input *input);

/* Somebody changes a row, or adds one at the end (`is_growth`); or puts it all back. */
void fake_input_change(struct fake_input *input, struct prng *dice, bool is_growth);
void fake_input_restore(struct fake_input *input);

#endif
