/*
 * A record in memory, for tests of what is above it: ledger/store.h says what a store does. It
 * keeps each row's last result, and syncs when it is told, without a disk.
 *
 *     struct memory_store memory;
 *     memory_store_init(&memory, 64);
 *     job_run(…, &memory.store, …);
 *     memory.lines[0].id.row …
 *     memory_store_deinit(&memory);
 */
#ifndef NB_TESTS_MEMORY_STORE_H
#define NB_TESTS_MEMORY_STORE_H

#include "ledger/store.h"

/* A result, without what is not kept of it. */
struct memory_line {
    struct row_id id;
    enum row_status status;
    bool has_errno;
    int64_t platform_errno;
    int http_status;
    uint32_t attempts, ambiguous;
    int64_t finished_ms;
};

enum memory_state { MEMORY_FREE, MEMORY_ADMITTED, MEMORY_STARTED };

/* A row from its admission to its end; its number is the ticket. */
struct memory_entry {
    struct intent intent;
    enum memory_state state;
    bool is_paused;
    uint64_t sequence; /* of the sync that makes it durable */
};

struct memory_store {
    struct store store; /* first: a pointer to it is one to this */
    struct memory_entry *entries;
    size_t capacity;
    struct memory_line *lines;
    size_t line_count, line_capacity;
    struct index index;    /* what earlier runs left: index_put it before the first row is met */
    uint64_t begun, ended; /* syncs */
    size_t attempts;       /* that were told */
    /* To be set by the test. */
    bool fails;      /* end, flush and syncs say STATUS_IO */
    bool is_held_up; /* as store.is_held_up */
};

/* STATUS_NO_MEMORY. */
enum status memory_store_init(struct memory_store *memory, size_t capacity) MUST_USE;
void memory_store_deinit(struct memory_store *memory);

#endif
