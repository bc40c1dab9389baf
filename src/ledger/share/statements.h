/*
 * The statements, each embedded from the file of its name (NAME.sql), which is its manual. A worker
 * prepares its own once on each connection.
 */
#ifndef NB_LEDGER_SHARE_STATEMENTS_H
#define NB_LEDGER_SHARE_STATEMENTS_H

/* X(name): of a worker. */
#define WORKER_STATEMENT_MAP(X) \
    X(worker_add)               \
    X(worker_renew)             \
    X(worker_leave)             \
    X(job_state)                \
    X(shard_lease)              \
    X(shard_settle)             \
    X(shard_rest)               \
    X(shard_rows)               \
    X(shard_done)               \
    X(shard_give_back)          \
    X(rows_start)               \
    X(rows_give_back)           \
    X(rows_end)                 \
    X(rate_take)                \
    X(rate_throttle)

/* X(name): of whoever makes, loads, ends and reads jobs. */
#define OTHER_STATEMENT_MAP(X) \
    X(schema_1)                \
    X(roles)                   \
    X(has_schema)              \
    X(version)                 \
    X(session)                 \
    X(durable)                 \
    X(load_session)            \
    X(account_add)             \
    X(job_add)                 \
    X(command_copy)            \
    X(job_shards)              \
    X(job_invalid)             \
    X(job_ready)               \
    X(job_common)              \
    X(job_find)                \
    X(job_names)               \
    X(job_passed)              \
    X(job_totals)              \
    X(job_list)                \
    X(job_pause)               \
    X(job_resume)              \
    X(job_stop)                \
    X(job_remove)              \
    X(job_results)             \
    X(job_doubts)              \
    X(result_settle)

/* NUL-terminated. */
#define X(name) extern const char sql_##name[];
WORKER_STATEMENT_MAP(X)
OTHER_STATEMENT_MAP(X)
#undef X

#endif
