#include "ledger/share/database.h"

#include <libpq-fe.h>
#include <stdlib.h>

#include "core/retranslate.h"
#include "ledger/share/statements.h"

/* Two processes that make the schema at once: one waits for the other. */
#define INIT_LOCK "SELECT pg_advisory_xact_lock(7242913)"

const char database_denied[] = "; who loads jobs and works at them needs the role nbatch_worker "
                               "(GRANT nbatch_worker TO …), who looks at them nbatch_viewer";

/* libpq's words end with a line end, and may have several lines. */
static void add_error(struct buf *message, const char *text)
{
    size_t len = strlen(text);

    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
        len--;
    retranslate_said(span_of(text, len), message);
}

void database_add_error(const char *text, struct buf *message)
{
    buf_add_string(message, "the database: ");
    add_error(message, text);
}

/* What libpq quotes of a text that it cannot read may be a password. */
static void add_unquoted(struct buf *message, const char *text)
{
    struct buf shown;
    bool is_quoted = false;

    buf_init(&shown, 4096);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' && is_quoted)
            buf_add_string(&shown, "…");
        is_quoted ^= *c == '"';
        if (*c == '"' || !is_quoted)
            buf_add_char(&shown, *c);
    }
    add_error(message, buf_string(&shown));
    buf_deinit(&shown);
}

enum status database_check_where(const char *where, struct buf *message)
{
    char *error = NULL;
    PQconninfoOption *options = PQconninfoParse(where, &error);
    bool has_password = false;

    if (options == NULL) {
        buf_add_string(message, "--share: ");
        add_unquoted(message, error != NULL ? error : status_text(STATUS_NO_MEMORY));
        buf_add_string(message, "; write it as postgresql://HOST/DATABASE");
        PQfreemem(error);
        return STATUS_USAGE;
    }
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++)
        has_password |= option->val != NULL && (strcmp(option->keyword, "password") == 0 ||
                                                strcmp(option->keyword, "sslpassword") == 0);
    PQconninfoFree(options);
    if (!has_password)
        return STATUS_OK;
    buf_add_string(message, "--share holds a password, which the list of processes would show: put "
                            "it into ~/.pgpass (chmod 600), or into a service file");
    return STATUS_USAGE;
}

static void ignore_notice(void *context, const char *text)
{
    (void)context;
    (void)text;
}

enum status database_connect(const char *where, struct buf *message, struct database *ret_database)
{
    /* What the operator says of the connection goes before what is said of it here. */
    static const char *const names[] = {"connect_timeout", "dbname", "client_encoding",
                                        "fallback_application_name", NULL};
    const char *const values[] = {"15", where, "UTF8", "nbatch", NULL};

    if (database_check_where(where, message) != STATUS_OK)
        return STATUS_USAGE;
    PGconn *connection = PQconnectdbParams(names, values, 1);
    if (connection == NULL)
        return STATUS_NO_MEMORY;
    if (PQstatus(connection) != CONNECTION_OK) {
        add_error(message, PQerrorMessage(connection));
        PQfinish(connection);
        return STATUS_NETWORK;
    }
    (void)PQsetNoticeProcessor(connection, ignore_notice, NULL);
    *ret_database = (struct database){.connection = connection};
    enum status status = database_query(ret_database, sql_durable, 0, NULL, message, NULL);
    if (status != STATUS_OK)
        database_close(ret_database);
    return status;
}

void database_close(struct database *database)
{
    if (database->connection != NULL)
        PQfinish(database->connection);
    database->connection = NULL;
}

enum status database_query(struct database *database, const char *sql, int count,
                           const char *const *values, struct buf *message,
                           struct pg_result **ret_result)
{
    PGresult *result =
        count == 0 ? PQexec(database->connection, sql)
                   : PQexecParams(database->connection, sql, count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_COPY_IN) {
        if (ret_result != NULL)
            *ret_result = result;
        else
            PQclear(result);
        return STATUS_OK;
    }
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    database_add_error(primary != NULL ? primary : PQerrorMessage(database->connection), message);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool exists = state != NULL && strcmp(state, "23505") == 0;
    if (state != NULL && strcmp(state, DATABASE_DENIED) == 0)
        buf_add_string(message, database_denied);
    PQclear(result);
    return exists ? STATUS_EXISTS : STATUS_NETWORK;
}

enum status database_begin(struct database *database, struct buf *message)
{
    return database_query(database, "BEGIN", 0, NULL, message, NULL);
}

enum status database_commit(struct database *database, struct buf *message)
{
    return database_query(database, "COMMIT", 0, NULL, message, NULL);
}

/* 0: there is no schema. */
static enum status read_version(struct database *database, struct buf *message, int *ret_version)
{
    PGresult *result;
    enum status status = database_query(database, sql_has_schema, 0, NULL, message, &result);

    if (status != STATUS_OK)
        return status;
    bool is_there = PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    *ret_version = 0;
    if (!is_there)
        return STATUS_OK;
    status = database_query(database, sql_version, 0, NULL, message, &result);
    if (status != STATUS_OK)
        return status;
    *ret_version = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
    database->lease_ms = strtoll(PQgetvalue(result, 0, 1), NULL, 10);
    PQclear(result);
    return STATUS_OK;
}

static enum status refuse_version(int version, struct buf *message)
{
    if (version == 0)
        buf_add_string(message,
                       "the database has no schema nbatch: make it with nbatch share init");
    else if (version < SHARE_SCHEMA_VERSION)
        buf_add_format(message,
                       "the schema nbatch is of version %d, and this program wants %d: bring it up "
                       "to that with nbatch share init",
                       version, SHARE_SCHEMA_VERSION);
    else
        buf_add_format(message,
                       "the schema nbatch is of version %d, and this program knows %d: use a newer "
                       "nbatch",
                       version, SHARE_SCHEMA_VERSION);
    return STATUS_USAGE;
}

enum status database_open(const char *where, struct buf *message, struct database *ret_database)
{
    int version = 0;
    enum status status = database_connect(where, message, ret_database);

    if (status != STATUS_OK)
        return status;
    status = read_version(ret_database, message, &version);
    if (status == STATUS_OK && version != SHARE_SCHEMA_VERSION)
        status = refuse_version(version, message);
    if (status != STATUS_OK)
        database_close(ret_database);
    return status;
}

enum status database_init(struct database *database, struct buf *message, int *ret_before)
{
    /* What brings the schema from the version before to that of its place, from 1 on. */
    static const char *const steps[SHARE_SCHEMA_VERSION + 1] = {NULL, sql_schema_1};
    enum status status = database_begin(database, message);

    if (status == STATUS_OK)
        status = database_query(database, INIT_LOCK, 0, NULL, message, NULL);
    if (status == STATUS_OK)
        status = read_version(database, message, ret_before);
    if (status == STATUS_OK && *ret_before > SHARE_SCHEMA_VERSION)
        status = refuse_version(*ret_before, message);
    for (int i = *ret_before + 1; status == STATUS_OK && i <= SHARE_SCHEMA_VERSION; i++)
        status = database_query(database, steps[i], 0, NULL, message, NULL);
    if (status == STATUS_OK)
        status = database_query(database, sql_roles, 0, NULL, message, NULL);
    return status == STATUS_OK ? database_commit(database, message) : status;
}
