/*
 * A connection to the database of shared jobs, for what may wait: making the schema, loading, the
 * list of jobs, results. A worker has a connection of another kind (link.h).
 *
 *     database_open(where, &message, &database);
 *     database_query(database, sql_job_find, 1, &name, &message, &result);
 *     … PQgetvalue(result, 0, 0) … PQclear(result) …
 *     database_close(database);
 *
 * `where` is what libpq takes: a URI, or "host=… dbname=…"; what it leaves out comes from the
 * variables PG…, service files and .pgpass. A password in it is refused: it would be in the list of
 * processes.
 */
#ifndef NB_LEDGER_SHARE_DATABASE_H
#define NB_LEDGER_SHARE_DATABASE_H

#include "core/buf.h"

/* The version of the schema that this program knows. */
enum { SHARE_SCHEMA_VERSION = 1 };

/* The SQLSTATE of a missing right, and the remedy, to be put behind the database's words. */
#define DATABASE_DENIED "42501"
extern const char database_denied[];

struct pg_conn;
struct pg_result;

struct database {
    struct pg_conn *connection;
    int64_t lease_ms;
};

/* STATUS_USAGE with a text in `message` where it holds a password or cannot be read. */
enum status database_check_where(const char *where, struct buf *message) MUST_USE;

/*
 * Opens it, and sees that the schema is there and of this program's version. STATUS_USAGE (no
 * schema, or another version), STATUS_NETWORK (it cannot be reached, or refuses), each with a text
 * in `message`; STATUS_NO_MEMORY.
 */
enum status database_open(const char *where, struct buf *message,
                          struct database *ret_database) MUST_USE;

/* The same without the look at the schema. */
enum status database_connect(const char *where, struct buf *message,
                             struct database *ret_database) MUST_USE;

/* Makes the schema and the roles, or brings an older one up to this program's version, in one
 * transaction. *ret_before: the version that was there; 0: none. As database_open. */
enum status database_init(struct database *database, struct buf *message, int *ret_before) MUST_USE;

/* Takes a zeroed struct. */
void database_close(struct database *database);

/* "the database: ", and what libpq or the database has said, without a line break at its end. */
void database_add_error(const char *text, struct buf *message);

/* One statement, whose parameters are texts (NULL: null). STATUS_NETWORK with the database's words
 * in `message`. The result is the caller's to PQclear; `ret_result` may be NULL. */
enum status database_query(struct database *database, const char *sql, int count,
                           const char *const *values, struct buf *message,
                           struct pg_result **ret_result) MUST_USE;

/* A whole transaction's beginning and end. */
enum status database_begin(struct database *database, struct buf *message) MUST_USE;
enum status database_commit(struct database *database, struct buf *message) MUST_USE;

#endif
