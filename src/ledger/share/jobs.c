#include "ledger/share/jobs.h"

#include <libpq-fe.h>
#include <stdlib.h>

#include "core/text.h"
#include "ledger/share/statements.h"
#include "platform/command.h"
#include "platform/layout.h"

static uint64_t number_at(const PGresult *result, int row, int column)
{
    return (uint64_t)strtoll(PQgetvalue(result, row, column), NULL, 10);
}

/* A statement whose one parameter is a job. */
static enum status query_of(struct database *database, const char *sql, int job,
                            struct buf *message, PGresult **ret_result)
{
    char id[16];
    const char *value = id;

    (void)snprintf(id, sizeof(id), "%d", job);
    return database_query(database, sql, 1, &value, message, ret_result);
}

static enum status read_passed(struct database *database, struct buf *message,
                               struct share_job *job)
{
    PGresult *result;
    enum status status = query_of(database, sql_job_passed, job->id, message, &result);

    if (status != STATUS_OK)
        return status;
    int count = PQntuples(result);
    job->passed = calloc((size_t)count + 1, sizeof(*job->passed));
    for (int i = 0; job->passed != NULL && i < count; i++) {
        char *name = strdup(PQgetvalue(result, i, 0));
        if (name != NULL)
            job->passed[job->passed_count++] = span_string(name);
    }
    PQclear(result);
    return job->passed != NULL && job->passed_count == (size_t)count ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status take_job(const PGresult *result, struct share_job *job)
{
    *job = (struct share_job){.id = (int)number_at(result, 0, 0),
                              .endpoint = strdup(PQgetvalue(result, 0, 3)),
                              .dialect = (int)number_at(result, 0, 4),
                              .input = strdup(PQgetvalue(result, 0, 5)),
                              .rate = strtod(PQgetvalue(result, 0, 6), NULL),
                              .on_ambiguous = (int)number_at(result, 0, 9),
                              .rows = number_at(result, 0, 10),
                              .loaded_us = (int64_t)number_at(result, 0, 12)};
    (void)snprintf(job->account, sizeof(job->account), "%s", PQgetvalue(result, 0, 1));
    (void)snprintf(job->state, sizeof(job->state), "%s", PQgetvalue(result, 0, 2));
    return job->endpoint != NULL && job->input != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

enum { NAMES_MAX = 100, NAMES_SHOWN = 8 };

/* "there is no job flet in the database ops at db1; did you mean fleet? Its jobs: fleet, august" */
static enum status refuse_name(struct database *database, const char *name, struct buf *message)
{
    const char *names[NAMES_MAX], *host = PQhost(database->connection);
    PGresult *result;
    enum status status = database_query(database, sql_job_names, 0, NULL, message, &result);

    if (status != STATUS_OK)
        return status;
    int count = PQntuples(result) < NAMES_MAX ? PQntuples(result) : NAMES_MAX;
    for (int i = 0; i < count; i++)
        names[i] = PQgetvalue(result, i, 0);
    const char *nearest = text_nearest(span_string(name), names, (size_t)count);
    buf_add_format(message, "there is no job %s in the database %s at %s", name,
                   PQdb(database->connection), host != NULL ? host : "?");
    if (nearest != NULL)
        buf_add_format(message, "; did you mean %s?", nearest);
    else if (count == 0)
        buf_add_string(message, ", which has none at all");
    else
        buf_add_string(message, "; the latest there:");
    for (int i = 0; i < count && i < NAMES_SHOWN && nearest == NULL; i++)
        buf_add_format(message, "%s %s", i > 0 ? "," : "", names[i]);
    if (count > 0)
        buf_add_string(message, " (nbatch jobs lists them)");
    PQclear(result);
    return STATUS_USAGE;
}

enum status share_job_find(struct database *database, const char *name, struct buf *message,
                           struct share_job *ret_job)
{
    PGresult *result;
    enum status status = database_query(database, sql_job_find, 1, &name, message, &result);

    *ret_job = (struct share_job){.id = 0};
    if (status != STATUS_OK)
        return status;
    if (PQntuples(result) == 0) {
        PQclear(result);
        return refuse_name(database, name, message);
    }
    status = take_job(result, ret_job);
    PQclear(result);
    return status == STATUS_OK ? read_passed(database, message, ret_job) : status;
}

void share_job_deinit(struct share_job *job)
{
    for (size_t i = 0; i < job->passed_count; i++)
        free((void *)(uintptr_t)job->passed[i].ptr);
    free(job->passed);
    free(job->endpoint);
    free(job->input);
    *job = (struct share_job){.id = 0};
}

enum status share_job_totals(struct database *database, int job, struct buf *message,
                             uint64_t ret_rows[ROW_STATUS_COUNT], uint64_t *ret_twice)
{
    PGresult *result;
    enum status status = query_of(database, sql_job_totals, job, message, &result);

    if (status != STATUS_OK)
        return status;
    for (int i = 0; i < ROW_STATUS_COUNT; i++)
        ret_rows[i] = number_at(result, 0, i);
    *ret_twice = number_at(result, 0, ROW_STATUS_COUNT);
    PQclear(result);
    return STATUS_OK;
}

enum status share_jobs_add(struct database *database, struct buf *out, struct buf *message)
{
    static const char *const heads[] = {"JOB",      "STATE",    "ACCOUNT", "ROWS",
                                        "ACCEPTED", "REJECTED", "FAILED",  "IN_DOUBT",
                                        "INVALID",  "WORKERS",  "ROWS/S"};
    PGresult *result;
    enum status status = database_query(database, sql_job_list, 0, NULL, message, &result);

    if (status != STATUS_OK)
        return status;
    for (int row = -1; row < PQntuples(result); row++) {
        for (size_t i = 0; i < ARRAY_LENGTH(heads); i++) {
            const char *text = row < 0 ? heads[i] : PQgetvalue(result, row, (int)i);
            int width = i == 0 ? -24 : i == 1 || i == 2 ? -9 : 9;
            buf_add_format(out, "%s%*s", i == 0 ? "" : " ", width, text);
        }
        buf_add_char(out, '\n');
    }
    PQclear(result);
    return STATUS_OK;
}

enum status share_job_change(struct database *database, const char *sql, const char *name,
                             struct buf *message, bool *ret_done)
{
    PGresult *result;
    enum status status = database_query(database, sql, 1, &name, message, &result);

    if (status != STATUS_OK)
        return status;
    *ret_done = PQntuples(result) == 1;
    PQclear(result);
    return STATUS_OK;
}

/* Results. */

static struct span text_at(const PGresult *result, int column)
{
    return span_of(PQgetvalue(result, 0, column), (size_t)PQgetlength(result, 0, column));
}

/* A bytea, as \x…; the caller's to PQfreemem. */
static unsigned char *bytes_at(const PGresult *result, int column, size_t *ret_len)
{
    return PQunescapeBytea((const unsigned char *)PQgetvalue(result, 0, column), ret_len);
}

static enum status take_result(const PGresult *result, size_t passed_max, share_take_fn *take,
                               void *context)
{
    struct cell passed[LAYOUT_PASSES_MAX];
    size_t name_len, passed_len;
    unsigned char *name = bytes_at(result, 4, &name_len);
    unsigned char *cells = bytes_at(result, 5, &passed_len);
    enum status status = STATUS_NO_MEMORY;

    if (name != NULL && cells != NULL) {
        const struct result_record record = {
            .id = {.row = number_at(result, 0, 0),
                   .line = number_at(result, 0, 1),
                   .hash = number_at(result, 0, 2),
                   .occurrence = (uint32_t)number_at(result, 0, 3)},
            .device = span_of((const char *)name, name_len),
            .status = (enum row_status)number_at(result, 0, 6),
            .uuid = text_at(result, 7),
            .has_errno = PQgetisnull(result, 0, 8) == 0,
            .platform_errno = (int64_t)number_at(result, 0, 8),
            .error = text_at(result, 9),
            .http_status = (int)number_at(result, 0, 10),
            .attempts = (uint32_t)number_at(result, 0, 11),
            .ambiguous = (uint32_t)number_at(result, 0, 12),
            .latency_us = (int64_t)number_at(result, 0, 13),
            .finished_ms = (int64_t)number_at(result, 0, 14),
            .passed = passed,
            .passed_count =
                command_cells(span_of((const char *)cells, passed_len), passed, passed_max),
        };
        status = take(context, &record);
    }
    PQfreemem(name);
    PQfreemem(cells);
    return status;
}

static enum status fail_reading(struct database *database, const PGresult *result,
                                struct buf *message)
{
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    database_add_error(primary != NULL ? primary : PQerrorMessage(database->connection), message);
    return STATUS_NETWORK;
}

/* Row by row: the results may not fit into memory. */
enum status share_results_each(struct database *database, const struct share_job *job,
                               share_take_fn *take, void *context, struct buf *message)
{
    PGconn *connection = database->connection;
    size_t max = job->passed_count < LAYOUT_PASSES_MAX ? job->passed_count : LAYOUT_PASSES_MAX;
    enum status status = STATUS_OK;
    PGresult *result;
    char id[16];
    const char *value = id;

    (void)snprintf(id, sizeof(id), "%d", job->id);
    if (PQsendQueryParams(connection, sql_job_results, 1, NULL, &value, NULL, NULL, 0) == 0 ||
        PQsetSingleRowMode(connection) == 0) {
        database_add_error(PQerrorMessage(connection), message);
        return STATUS_NETWORK;
    }
    while ((result = PQgetResult(connection)) != NULL) {
        ExecStatusType kind = PQresultStatus(result);
        if (status == STATUS_OK && kind == PGRES_SINGLE_TUPLE)
            status = take_result(result, max, take, context);
        else if (status == STATUS_OK && kind != PGRES_TUPLES_OK)
            status = fail_reading(database, result, message);
        PQclear(result);
    }
    return status;
}

/* Rows in doubt. */

static enum status take_doubt(const PGresult *result, int row, share_doubt_fn *take, void *context)
{
    size_t body_len;
    unsigned char *body =
        PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, 10), &body_len);

    if (body == NULL)
        return STATUS_NO_MEMORY;
    const struct doubt doubt = {.id = {.row = number_at(result, row, 0),
                                       .line = number_at(result, row, 1),
                                       .hash = number_at(result, row, 2),
                                       .occurrence = (uint32_t)number_at(result, row, 3),
                                       .device = number_at(result, row, 4)},
                                .operation = (uint32_t)number_at(result, row, 5),
                                .ambiguous = (uint32_t)number_at(result, row, 6),
                                .first_ms = (int64_t)number_at(result, row, 7),
                                .last_ms = (int64_t)number_at(result, row, 8),
                                .target = span_of(PQgetvalue(result, row, 9),
                                                  (size_t)PQgetlength(result, row, 9)),
                                .body = span_of((const char *)body, body_len)};
    enum status status = take(context, &doubt);
    PQfreemem(body);
    return status;
}

enum status share_doubts_each(struct database *database, int job, share_doubt_fn *take,
                              void *context, struct buf *message)
{
    PGresult *result;
    enum status status = query_of(database, sql_job_doubts, job, message, &result);

    if (status != STATUS_OK)
        return status;
    for (int i = 0; i < PQntuples(result) && status == STATUS_OK; i++)
        status = take_doubt(result, i, take, context);
    PQclear(result);
    return status;
}

enum status share_settle(struct database *database, int job, const struct share_settled *settled,
                         struct buf *message, bool *ret_done)
{
    char id[16], row[24], status_text[16], ambiguous[16];
    const char *values[] = {id,
                            row,
                            status_text,
                            settled->uuid,
                            settled->status == ROW_ACCEPTED ? "0" : NULL,
                            settled->error,
                            ambiguous};
    PGresult *result;

    (void)snprintf(id, sizeof(id), "%d", job);
    (void)snprintf(row, sizeof(row), "%llu", (unsigned long long)settled->row);
    (void)snprintf(status_text, sizeof(status_text), "%d", (int)settled->status);
    (void)snprintf(ambiguous, sizeof(ambiguous), "%u", settled->ambiguous);
    enum status status =
        database_query(database, sql_result_settle, ARRAY_LENGTH(values), values, message, &result);
    if (status != STATUS_OK)
        return status;
    *ret_done = PQntuples(result) == 1;
    PQclear(result);
    return STATUS_OK;
}
