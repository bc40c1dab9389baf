/*
 * The HTML page of a run, which an operator shows: one self-contained file without scripts and
 * without network. Its numbers are collected row by row in fixed memory, from the current line of
 * each row of the results; it is written when all are in.
 *
 *     page = page_new();
 *     page_add_row(page, &row);                      // each row
 *     page_add_html(page, &facts, &out);
 *     page_free(page);
 */
#ifndef NB_REPORT_PAGE_H
#define NB_REPORT_PAGE_H

#include "report/groups.h"
#include "report/histogram.h"
#include "report/next.h"
#include "report/page_delivery.h"
#include "report/series.h"

/* A row's result. */
struct page_row {
    uint64_t row, line;
    struct span imei;
    struct reason reason; /* with the status; of an accepted row nothing else counts */
    uint32_t attempts, ambiguous;
    int64_t latency_us; /* of the last attempt; negative: none */
    int64_t finished_ms;
};

struct page {
    uint64_t rows[ROW_STATUS_COUNT];
    uint64_t total;
    uint64_t attempts;
    uint64_t retried;  /* rows that took more than one attempt */
    uint64_t doubtful; /* accepted rows that an earlier attempt may have brought as well */
    uint64_t passing;  /* invalid rows that may be sent later as they are */
    int64_t first_ms, last_ms;
    struct histogram latency;
    struct series ended; /* a lane for each status */
    struct groups groups;
};

/* In flight over time, as the lanes of a series: sums over the samples. */
enum { FLIGHT_SAMPLES, FLIGHT_COUNT, FLIGHT_LIMIT };

/* A name and a value, such as an option. */
struct page_entry {
    const char *name;
    const char *value;
};

/* What is known of a run that has just ended. */
struct page_run {
    const char *end; /* "complete", "halted" … */
    int exit_status;
    const char *endpoint;
    uint64_t rows; /* that this run brought to their end */
    uint64_t retries;
    double seconds;
    const struct series *flight;
    const struct page_entry *settings; /* effective ones, without secrets */
    size_t setting_count;
};

struct page_facts {
    const char *input;               /* NULL: not known */
    uint64_t input_size, input_hash; /* 0: not known */
    const char *results;
    uint64_t lines;         /* of the results */
    uint64_t superseded;    /* those of them that a later one replaced */
    uint64_t strange;       /* those of rows that the input no longer has */
    bool is_rehearsal;      /* the rows went to a simulator */
    bool is_cut;            /* the last line of the results is not whole */
    const char *passed;     /* names of the passed columns; "" for none */
    uint64_t input_rows;    /* 0: not known */
    struct next_facts next; /* of the whole input */
    int64_t made_ms;        /* when the page is made */
    const char *version;
    const struct page_delivery *delivery; /* NULL: not known */
    const char *status; /* the call that asks what became of what was accepted; NULL: none does */
    const struct page_run *run; /* NULL: the page is made of the results alone */
};

/* NULL where there is no memory. */
struct page *page_new(void);
void page_free(struct page *page);

/* Back to an empty page. */
void page_clear(struct page *page);

void page_add_row(struct page *page, const struct page_row *row);

/* Appends the whole document. */
void page_add_html(const struct page *page, const struct page_facts *facts, struct buf *out);

/* What every page begins with: by that a file is known to be one, and may be replaced. */
extern const char page_start[], page_start_chinese[];

#endif
