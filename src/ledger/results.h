/*
 * The results file: one line for each row that has come to its end, in the order in which they do,
 * as CSV or JSONL.
 *
 *     results_open("fleet.results.csv", &message, &results);
 *     results_add(results, &record);
 *     results_flush(results);          // now and then; a full buffer flushes itself
 *     results_close(results);
 *
 * After a write error everything else fails too with STATUS_IO: the caller stops the run and says
 * what results_error says.
 */
#ifndef NB_LEDGER_RESULTS_H
#define NB_LEDGER_RESULTS_H

#include "command/outcome.h"
#include "core/buf.h"
#include "core/row.h"

struct result_record {
    uint64_t row, line;
    uint64_t hash;       /* the row's content … */
    uint32_t occurrence; /* … and which of the equal rows it is, from 1: together the key */
    struct span imei;    /* as given */
    enum row_status status;
    struct span uuid; /* empty: none */
    bool has_errno;
    int64_t platform_errno;
    struct span error;
    int http_status;           /* 0: none */
    uint32_t attempts;         /* requests that left */
    uint32_t ambiguous;        /* those of them that may have been processed without our knowing */
    int64_t latency_us;        /* of the last attempt; negative: none */
    int64_t finished_ms;       /* epoch */
    const struct cell *passed; /* for the first of the passed columns; the others stay empty */
    size_t passed_count;
};

struct results;

/*
 * Creates the file (never overwrites one) and writes the header; JSONL when the name ends in .jsonl
 * or .ndjson. "-" is standard output, as CSV. `passed` names the columns of the input that follow
 * nbatch's own; the names stay the caller's. STATUS_EXISTS, STATUS_IO or STATUS_NO_MEMORY, with a
 * text in `message`.
 */
enum status results_open(const char *path, const struct span *passed, size_t passed_count,
                         struct buf *message, struct results **ret_results) MUST_USE;

/* Whether the results have a column of that name of their own, which no passed one may take. */
bool results_has_column(struct span name);

/*
 * Whether results_open would be refused since the file is there: STATUS_EXISTS with a text in
 * `message`. To be asked before a long check of the input; results_open decides.
 */
enum status results_probe(const char *path, struct buf *message) MUST_USE;

/* Flushes, closes and frees. STATUS_IO when something could not be written. Takes NULL. */
enum status results_close(struct results *results);

/* Adds a line; written at the latest with the next flush. */
enum status results_add(struct results *results, const struct result_record *record) MUST_USE;

enum status results_flush(struct results *results) MUST_USE;

/* How many rows have been added. */
uint64_t results_count(const struct results *results);

/* Says what went wrong, once something has: "fleet.results.csv: No space left on device". */
const char *results_error(struct results *results);

#endif
