/*
 * What the fake platform tells of the commands that it has: a device's list, page by page, and one
 * of them. It shows neither mode nor trigger_msg; where it is scarred, now and then neither what
 * was asked for, nor the command itself, nor all of a list.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/when.h"
#include "fake_platform.h"

/* The value of a parameter, decoded; "" where there is none. */
static void value_of(const char *target, const char *name, char *out, size_t size)
{
    const char *at = strchr(target, '?');
    size_t len = strlen(name), used = 0;

    out[0] = '\0';
    while (at != NULL && (strncmp(at + 1, name, len) != 0 || at[1 + len] != '='))
        at = strchr(at + 1, '&');
    if (at == NULL)
        return;
    for (at += len + 2; *at != '\0' && *at != '&' && used + 1 < size; at++) {
        char digits[3] = {0};
        bool is_coded = at[0] == '%';
        if (is_coded)
            memcpy(digits, at + 1, 2);
        out[used++] = is_coded ? (char)strtol(digits, NULL, 16) : at[0];
        at += is_coded ? 2 : 0;
    }
    out[used] = '\0';
}

void fake_history_keep(struct processed *done, const struct sending *sending)
{
    static const char *const names[] = {"imei",       "obj_id",       "obj_inst_id", "res_id",
                                        "valid_time", "expired_time", "retry",       "timeout"};
    char target[1024], value[64];
    size_t len = 0;

    (void)snprintf(target, sizeof(target), "%.*s", SPAN_ARG(sending->target));
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        value_of(target, names[i], value, sizeof(value));
        if (value[0] != '\0')
            len += (size_t)snprintf(done->args + len, sizeof(done->args) - len, "%s\"%s\":\"%s\"",
                                    len > 0 ? "," : "", names[i], value);
    }
    if (len >= sizeof(done->args) || sending->body.len >= sizeof(done->content))
        abort();
    (void)snprintf(done->content, sizeof(done->content), "%.*s", SPAN_ARG(sending->body));
    value_of(target, "imei", done->imei, sizeof(done->imei));
    done->is_execute = strstr(target, "/execute/") != NULL;
}

/* Somebody writes something else to the device, in the same minute. */
void fake_history_add_foreign(struct fake_platform *platform, const struct processed *like)
{
    struct processed other = *like, *done = fake_platform_add(platform);

    memcpy(other.uuid, done->uuid, sizeof(other.uuid));
    other.row = 0;
    (void)snprintf(other.content, sizeof(other.content),
                   other.is_execute ? "{\"args\":\"by hand\"}"
                                    : "{\"data\":[{\"res_id\":5850,\"val\":987654}]}");
    *done = other;
}

static bool is_scarred(struct fake_platform *platform)
{
    return platform->history == HISTORY_SCARRED && !platform->is_calm &&
           dice_chance(platform->dice, 50);
}

static bool is_shown(const struct fake_platform *platform, const struct processed *done,
                     const char *imei, int64_t now_ms)
{
    bool is_early = platform->is_uneven && imei[13] % 2 == 0;

    return (is_early || done->shows_ms <= now_ms) && strcmp(done->imei, imei) == 0;
}

static void add_entry(const struct processed *done, struct buf *out)
{
    char created[WHEN_PLATFORM_LENGTH + 1];

    when_format_platform(done->created_s, created);
    created[10] = ' ';
    buf_add_format(out,
                   "{\"cmd_uuid\":\"%s \",\"type\":\"%s\",\"create_time\":\"%s\",\"send_status\":1,"
                   "\"imei\":\"%s\"",
                   done->uuid, done->is_execute ? "EXECUTE" : "WRITE", created, done->imei);
}

static void tell_list(struct fake_platform *platform, const char *target, const char *imei,
                      int64_t now_ms, struct buf *out)
{
    char text[64];
    int64_t start_s = 0;
    size_t count = 0;

    value_of(target, "page", text, sizeof(text));
    size_t page = strtoul(text, NULL, 10);
    value_of(target, "start", text, sizeof(text));
    if (page == 0 || when_parse(span_string(text), 0, &start_s) != STATUS_OK)
        platform->violation = "a list is asked for without its page, or its start";
    buf_add_string(out, "{\"errno\":0,\"error\":\"succ\",\"data\":{\"items\":[");
    for (size_t i = 0; i < platform->processed_count; i++) {
        const struct processed *done = &platform->processed[i];
        if (!is_shown(platform, done, imei, now_ms) || done->created_s < start_s)
            continue;
        if (count / 50 + 1 == page) {
            buf_add_string(out, count % 50 > 0 ? "," : "");
            add_entry(done, out);
            buf_add_char(out, '}');
        }
        count++;
    }
    buf_add_format(out, "],\"total_count\":%zu}}", count + (is_scarred(platform) ? 3 : 0));
}

void fake_history_show(const struct processed *done, bool is_whole, struct buf *out)
{
    buf_add_string(out, "{\"errno\":0,\"error\":\"succ\",\"data\":");
    add_entry(done, out);
    if (is_whole)
        buf_add_format(out, ",\"args\":{%s},\"content\":%s", done->args, done->content);
    buf_add_string(out, "}}");
}

static void tell_one(struct fake_platform *platform, const char *target, const char *imei,
                     int64_t now_ms, struct buf *out)
{
    const struct processed *found = NULL;

    for (size_t i = 0; i < platform->processed_count; i++)
        if (is_shown(platform, &platform->processed[i], imei, now_ms) &&
            strstr(target, platform->processed[i].uuid) != NULL)
            found = &platform->processed[i];
    if (found == NULL || is_scarred(platform))
        buf_add_string(out, "{\"errno\":5108,\"error\":\"invalid parameter\"}");
    else
        fake_history_show(found, !is_scarred(platform), out);
}

void fake_history_tell(struct fake_platform *platform, struct fake_reply *reply, int64_t now_ms)
{
    const char *path = strstr(reply->target, "/history");
    char imei[32];
    struct buf out;

    buf_init(&out, sizeof(platform->page) - 1);
    value_of(reply->target, "imei", imei, sizeof(imei));
    if (path == NULL)
        platform->violation = "a question is none";
    else if (path[strlen("/history")] == '?')
        tell_list(platform, reply->target, imei, now_ms, &out);
    else
        tell_one(platform, reply->target, imei, now_ms, &out);
    if (out.status != STATUS_OK)
        abort();
    memcpy(platform->page, buf_string(&out), out.len + 1);
    buf_deinit(&out);
    reply->answer.state = ANSWER_ANSWERED;
    reply->answer.is_whole = true;
    reply->answer.http_status = 200;
    reply->answer.body = span_string(platform->page);
}
