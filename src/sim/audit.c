#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sim/audit.h"

#include "core/text.h"
#include "sim/setup.h"

/* A body of 64 KiB, each byte as \xNN with its backslash doubled, and a target likewise. */
enum { AUDIT_LINE_MAX = 1024 * 1024 };

enum status audit_open(struct audit *audit, const char *path, struct buf *message)
{
    *audit = (struct audit){.fd = -1};
    buf_init(&audit->line, AUDIT_LINE_MAX);
    buf_init(&audit->plain, AUDIT_LINE_MAX);
    if (path == NULL)
        return STATUS_OK;
    audit->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (audit->fd >= 0)
        return STATUS_OK;
    buf_add_printable(message, span_string(path));
    buf_add_format(message, ": the audit cannot be written: %s", strerror(errno));
    return STATUS_IO;
}

void audit_close(struct audit *audit)
{
    if (audit == NULL)
        return;
    if (audit->fd >= 0)
        (void)close(audit->fd); /* each line has been written already */
    audit->fd = -1;
    buf_deinit(&audit->line);
    buf_deinit(&audit->plain);
}

/* Bytes that are no UTF-8, and so no JSON, become \xNN. */
static void add_text(struct audit *audit, struct span text)
{
    if (!text_is_utf8(text)) {
        buf_clear(&audit->plain);
        buf_add_printable(&audit->plain, text);
        text = buf_span(&audit->plain);
    }
    buf_add_json_string(&audit->line, text);
}

static void add_name(struct buf *line, const char *text)
{
    if (text != NULL)
        buf_add_json_string(line, span_string(text));
    else
        buf_add_string(line, "null");
}

static void add_request(struct audit *audit, const struct audit_entry *entry)
{
    struct buf *line = &audit->line;

    buf_add_string(line, "{\"n\":");
    buf_add_uint64(line, entry->number);
    buf_add_string(line, ",\"time\":");
    buf_add_int64(line, entry->time_ms);
    buf_add_string(line, ",\"method\":");
    add_text(audit, entry->method);
    buf_add_string(line, ",\"action\":");
    add_name(line, entry->action);
    buf_add_string(line, ",\"imei\":");
    if (entry->imei.len > 0)
        add_text(audit, entry->imei);
    else
        buf_add_string(line, "null");
    buf_add_string(line, ",\"target\":");
    add_text(audit, entry->target);
    buf_add_string(line, ",\"body\":");
    add_text(audit, entry->body);
}

static void add_answer(struct buf *line, const struct audit_entry *entry)
{
    buf_add_string(line, ",\"processed\":");
    buf_add_string(line, entry->processed ? "true" : "false");
    buf_add_string(line, ",\"uuid\":");
    add_name(line, entry->uuid);
    buf_add_string(line, ",\"errno\":");
    buf_add_json_number(line, entry->has_errno, entry->platform_errno);
    buf_add_string(line, ",\"http\":");
    buf_add_json_number(line, entry->http != 0, entry->http);
    buf_add_string(line, ",\"fault\":");
    add_name(line, entry->fault);
    buf_add_string(line, "}\n");
}

enum status audit_write(struct audit *audit, const struct audit_entry *entry)
{
    buf_clear(&audit->line);
    add_request(audit, entry);
    add_answer(&audit->line, entry);
    return audit->line.status == STATUS_OK ? setup_write(audit->fd, buf_span(&audit->line))
                                           : audit->line.status;
}

enum status audit_write_event(struct audit *audit, const char *imei, const char *uuid,
                              int64_t time_ms, const struct command_life *life)
{
    struct buf *line = &audit->line;

    buf_clear(line);
    buf_add_format(line,
                   "{\"time\":%lld,\"device\":\"%s\",\"uuid\":\"%s\",\"send_status\":%u,"
                   "\"confirm_status\":",
                   (long long)time_ms, imei, uuid, (unsigned)life->send_status);
    buf_add_json_number(line, life->confirm_status != CONFIRM_NONE, life->confirm_status);
    buf_add_format(line, ",\"remain\":%u}\n", (unsigned)life->remain);
    return line->status == STATUS_OK ? setup_write(audit->fd, buf_span(line)) : line->status;
}
