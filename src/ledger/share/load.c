#include "ledger/share/load.h"

#include <libpq-fe.h>
#include <stdlib.h>

#include "core/row_id.h"
#include "ledger/share/array.h"
#include "ledger/share/statements.h"

/*
 * COPY in its binary form: a header, then for each row the number of its fields and each field as a
 * length and bytes, numbers with the highest byte first; -1 in place of a length is null, in place
 * of a number of fields the end.
 */

enum {
    LOAD_FIELDS = 18,
    LOAD_SEND_BYTES = 256 * 1024,
    LOAD_ROWS_MAX = 256 * 1024 * 1024, /* one row is the reader's limit, and far below */
};

uint32_t load_shards_of(uint64_t rows)
{
    uint64_t shards = rows / LOAD_SHARD_ROWS_MIN;

    return shards < 1 ? 1 : shards > LOAD_SHARDS_MAX ? LOAD_SHARDS_MAX : (uint32_t)shards;
}

uint32_t load_shard_of(uint64_t device, uint32_t shards)
{
    return (uint32_t)(row_id_mix(device, 1) % shards);
}

static void add_number(struct buf *out, uint64_t value, size_t bytes)
{
    char text[8];

    for (size_t i = 0; i < bytes; i++)
        text[i] = (char)(value >> 8 * (bytes - 1 - i));
    buf_add_bytes(out, text, bytes);
}

static void add_field(struct buf *out, uint64_t value, size_t bytes)
{
    add_number(out, bytes, 4);
    add_number(out, value, bytes);
}

static void add_bytes(struct buf *out, struct span bytes)
{
    add_number(out, bytes.len, 4);
    buf_add(out, bytes);
}

static enum status add_job(struct loading *load, const struct loading_about *about)
{
    char dialect[16], hash[32], rate[64], ambiguous[16];
    struct buf passed, input;
    PGresult *result;

    buf_init(&passed, 1024 * 1024);
    array_open(&passed);
    for (size_t i = 0; i < about->passed_count; i++)
        array_add_text(&passed, about->passed[i]);
    array_close(&passed);
    (void)snprintf(dialect, sizeof(dialect), "%d", about->dialect);
    (void)snprintf(hash, sizeof(hash), "%lld", (long long)about->input_hash);
    (void)snprintf(rate, sizeof(rate), "%.9g", about->rate);
    (void)snprintf(ambiguous, sizeof(ambiguous), "%d", about->on_ambiguous);
    buf_init(&input, 64 * 1024);
    buf_add_printable(&input, span_string(about->input));
    const char *values[] = {about->name,
                            about->account,
                            about->endpoint,
                            dialect,
                            buf_string(&input),
                            hash,
                            about->rate > 0 ? rate : NULL,
                            about->again_idempotent ? "t" : "f",
                            about->again_other ? "t" : "f",
                            ambiguous,
                            buf_string(&passed)};
    enum status status = database_query(load->database, sql_job_add, (int)ARRAY_LENGTH(values),
                                        values, load->message, &result);
    buf_deinit(&passed);
    buf_deinit(&input);
    if (status != STATUS_OK)
        return status;
    load->job = (uint32_t)strtoul(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return STATUS_OK;
}

enum status loading_begin(struct loading *load, struct database *database,
                          const struct loading_about *about, struct buf *message)
{
    static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0"; /* and its own NUL */

    *load = (struct loading){.database = database,
                             .message = message,
                             .shards = load_shards_of(about->valid)};
    buf_init(&load->rows, LOAD_ROWS_MAX);
    enum status status = database_begin(database, message);
    if (status == STATUS_OK)
        status = database_query(database, sql_account_add, 1, &about->account, message, NULL);
    if (status == STATUS_OK)
        status = add_job(load, about);
    if (status == STATUS_OK)
        status = database_query(database, sql_command_copy, 0, NULL, message, NULL);
    buf_add_bytes(&load->rows, head, sizeof(head));
    return status;
}

static enum status fail(struct loading *load)
{
    database_add_error(PQerrorMessage(load->database->connection), load->message);
    return STATUS_NETWORK;
}

static enum status send_rows(struct loading *load)
{
    if (load->rows.status != STATUS_OK)
        return load->rows.status;
    int sent = PQputCopyData(load->database->connection, load->rows.ptr, (int)load->rows.len);
    buf_clear(&load->rows);
    return sent == 1 ? STATUS_OK : fail(load);
}

enum status loading_add(struct loading *load, const struct command *command, uint32_t occurrence,
                        struct span problem)
{
    struct buf *out = &load->rows;

    add_number(out, LOAD_FIELDS, 2);
    add_field(out, load->job, 4);
    add_field(out, load_shard_of(command->device, load->shards), 4);
    add_field(out, command->row, 8);
    add_field(out, command->line, 8);
    add_field(out, command->device, 8);
    add_field(out, command->hash, 8);
    add_field(out, occurrence, 4);
    add_field(out, (uint64_t)command->action, 2);
    add_field(out, (uint64_t)command->valid_at_s, 8);
    add_field(out, (uint64_t)command->expires_at_s, 8);
    add_field(out, command->valid_is_given, 1);
    add_field(out, command->valid_time_at, 4);
    add_field(out, command->valid_time_len, 4);
    add_bytes(out, command_target(command));
    add_bytes(out, command_body(command));
    add_bytes(out, command_device_text(command));
    add_bytes(out, command_passed_bytes(command));
    if (problem.len > 0)
        add_bytes(out, problem);
    else
        add_number(out, UINT32_MAX, 4);
    return out->len < LOAD_SEND_BYTES && out->status == STATUS_OK ? STATUS_OK : send_rows(load);
}

/* The COPY's own end, and what the database says to it. */
static enum status end_copy(struct loading *load)
{
    PGconn *connection = load->database->connection;
    enum status status = STATUS_OK;
    PGresult *result;

    add_number(&load->rows, UINT16_MAX, 2);
    if (send_rows(load) != STATUS_OK || PQputCopyEnd(connection, NULL) != 1)
        return fail(load);
    while ((result = PQgetResult(connection)) != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            status = fail(load);
        PQclear(result);
    }
    return status;
}

static enum status count_common(struct loading *load, const char *const *values,
                                uint64_t *ret_common)
{
    PGresult *result;
    enum status status =
        database_query(load->database, sql_job_common, 1, values, load->message, &result);

    if (status != STATUS_OK)
        return status;
    *ret_common = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return STATUS_OK;
}

enum status loading_end(struct loading *load, uint64_t rows, uint64_t *ret_common,
                        bool *ret_is_unknown)
{
    static const char *const steps[] = {sql_load_session, sql_job_shards, sql_job_invalid,
                                        sql_job_ready};
    static const int counts[] = {0, 1, 1, 2};
    char job[16], count[32];
    const char *values[] = {job, count};
    enum status status = end_copy(load);

    (void)snprintf(job, sizeof(job), "%u", load->job);
    (void)snprintf(count, sizeof(count), "%llu", (unsigned long long)rows);
    for (size_t i = 0; i < ARRAY_LENGTH(steps) && status == STATUS_OK; i++)
        status = database_query(load->database, steps[i], counts[i], values, load->message, NULL);
    if (status == STATUS_OK)
        status = count_common(load, values, ret_common);
    if (status == STATUS_OK) {
        status = database_commit(load->database, load->message);
        *ret_is_unknown =
            status != STATUS_OK && PQstatus(load->database->connection) != CONNECTION_OK;
    }
    return status;
}

void loading_deinit(struct loading *load)
{
    buf_deinit(&load->rows);
}
