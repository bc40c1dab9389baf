/*
 * A line of the results: what became of one row, as CSV or JSONL.
 *
 *     struct result_format format;
 *     result_format_init(&format, jsonl, passed, passed_count);
 *     result_format_add_header(&format, &out);          // nothing for JSONL
 *     result_format_add_line(&format, &record, &out);
 */
#ifndef NB_LEDGER_RESULT_LINE_H
#define NB_LEDGER_RESULT_LINE_H

#include "core/buf.h"
#include "core/row.h"
#include "core/row_id.h"
#include "core/row_status.h"
#include "core/when.h"
#include "platform/device.h"

/* X(name, text, what it says): the columns that are the results' own, in their order. */
#define RESULT_COLUMN_MAP(X)                                                                 \
    X(row, "row", "which data row it is, counted from 1")                                    \
    X(line, "line", "on which line of the file the row starts")                              \
    X(key, "key",                                                                            \
      "names the row by its content, also in a sorted or cut file; equal rows are numbered") \
    X(device, DEVICE_COLUMN, "the device")                                                   \
    X(status, "status", "what became of the row: nbatch help statuses")                      \
    X(uuid, "uuid", "the platform's name for the accepted command")                          \
    X(errno, "errno", "the platform's error number: nbatch help errno")                      \
    X(error, "error", "the reason in words")                                                 \
    X(http_status, "http_status", "of the last answer")                                      \
    X(attempts, "attempts", "requests that left for this row")                               \
    X(ambiguous, "ambiguous",                                                                \
      "those that may have been processed unseen: if not 0, the device may hold it twice")   \
    X(latency_ms, "latency_ms", "of the last attempt")                                       \
    X(finished_at, "finished_at", "when the row ended, in UTC")

enum result_column {
#define X(name, text, what) RESULT_##name,
    RESULT_COLUMN_MAP(X)
#undef X
        RESULT_COLUMN_COUNT
};

extern const char *const result_column_names[RESULT_COLUMN_COUNT];
extern const char *const result_column_texts[RESULT_COLUMN_COUNT]; /* what each says */

struct result_record {
    struct row_id id;
    struct span device; /* as given */
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

struct result_format {
    bool jsonl;
    const struct span *passed; /* names of the input's columns that follow the results' own */
    size_t passed_count;
    int64_t time_s; /* what time_text stands for: rows of one second share it */
    char time_text[WHEN_UTC_LENGTH + 1];
};

/* The names stay the caller's. */
void result_format_init(struct result_format *format, bool jsonl, const struct span *passed,
                        size_t passed_count);

/* The header line of a CSV; JSONL has none. */
void result_format_add_header(const struct result_format *format, struct buf *out);

void result_format_add_line(struct result_format *format, const struct result_record *record,
                            struct buf *out);

/* Appends a key as the results show it: 16 hexadecimal digits, a minus sign, the occurrence. */
void result_add_key(const struct row_id *id, struct buf *out);

/* Appends a cell as JSON: a number, a boolean, an array or an object goes in as it was written. */
void result_add_json_cell(const struct cell *cell, struct buf *out);

/* Whether the results have a column of that name of their own, which no passed one may take. */
bool result_has_column(struct span name);

#endif
