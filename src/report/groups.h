/*
 * Why rows were not accepted, in fixed memory: rows that ended alike (status, errno, HTTP status,
 * and the text but for the numbers in it; for invalid rows the code of their first problem) are one
 * group, with its first rows as samples. A zeroed struct is empty. Pure.
 */
#ifndef NB_REPORT_GROUPS_H
#define NB_REPORT_GROUPS_H

#include "report/advice.h"

enum { GROUPS_MAX = 40, GROUP_SAMPLES = 5, GROUP_TEXT_MAX = 239, GROUP_IMEI_MAX = 47 };

struct group_sample {
    uint64_t row, line;
    char imei[GROUP_IMEI_MAX + 1]; /* printable, as the texts are */
    char text[GROUP_TEXT_MAX + 1];
};

struct group {
    struct reason reason; /* its text is empty; that of the first row is in the samples */
    uint64_t text_hash;
    struct advice advice;
    uint64_t count;
    size_t sample_count;
    struct group_sample samples[GROUP_SAMPLES];
};

struct groups {
    struct group items[GROUPS_MAX];
    size_t count;
    uint64_t others[ROW_STATUS_COUNT]; /* rows whose group found no place any more */
};

void groups_add(struct groups *groups, const struct reason *reason, uint64_t row, uint64_t line,
                struct span imei);

/* The groups of a status, the largest first; returns how many. */
size_t groups_of(const struct groups *groups, enum row_status status,
                 const struct group *ret_items[GROUPS_MAX]);

#endif
