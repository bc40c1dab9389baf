#include "sim/state.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "platform/device.h"

enum { LINE_MAX_BYTES = 1024 * 1024 };

/* Writing. */

struct writer {
    const struct platform *platform;
    FILE *file;
    struct buf line;
    enum status status;
};

static void end_line(struct writer *writer)
{
    buf_add_string(&writer->line, "}\n");
    if (writer->status == STATUS_OK)
        writer->status = writer->line.status;
    if (writer->status == STATUS_OK &&
        fwrite(writer->line.ptr, 1, writer->line.len, writer->file) != writer->line.len)
        writer->status = STATUS_IO;
}

static void begin_line(struct writer *writer, uint64_t device)
{
    char text[DEVICE_TEXT_MAX + 1];

    device_write(device, text);
    buf_clear(&writer->line);
    buf_add_format(&writer->line, "{\"device\":\"%s\"", text);
}

static void add_number(struct writer *writer, const char *name, int64_t number)
{
    buf_add_format(&writer->line, ",\"%s\":%lld", name, (long long)number);
}

static void add_text(struct writer *writer, const char *name, struct span text)
{
    buf_add_format(&writer->line, ",\"%s\":", name);
    buf_add_json_string(&writer->line, text);
}

static void write_command(struct writer *writer, uint64_t device,
                          const struct store_command *command)
{
    char uuid[UUID_LENGTH + 1];

    uuid_format(command->uuid, uuid);
    begin_line(writer, device);
    add_text(writer, "uuid", span_string(uuid));
    add_text(writer, "action", span_string(action_rules[command->action].name));
    add_number(writer, "created_ms", command->created_ms);
    add_number(writer, "valid_s", command->valid_s);
    add_number(writer, "expires_s", command->expires_s);
    add_number(writer, "ready_ms", command->ready_ms);
    add_number(writer, "ends_ms", command->ends_ms);
    for (size_t i = 0; i < PARAM_COUNT; i++)
        if ((command->present >> i & 1) != 0)
            add_number(writer, param_rules[i].name, command->values[i]);
    add_text(writer, "content", command->content);
    add_text(writer, "result", command->result);
    add_number(writer, "send_status", command->life.send_status);
    add_number(writer, "confirm_status", command->life.confirm_status);
    add_number(writer, "remain", command->life.remain);
    add_number(writer, "sent_ms", command->life.sent_ms);
    add_number(writer, "confirmed_ms", command->life.confirmed_ms);
    add_number(writer, "is_gone", command->life.is_gone ? 1 : 0);
    end_line(writer);
}

/* The device's commands, oldest first: the order in which they are put in again. */
static void write_device(void *context, uint64_t device)
{
    struct writer *writer = context;
    const struct sim_store *store = &writer->platform->store;
    struct store_command command;
    size_t count = 0;

    for (uint32_t ref = sim_store_newest(store, device); ref != 0; ref = command.older) {
        sim_store_view(store, ref, &command);
        count++;
    }
    uint32_t *refs = calloc(count + 1, sizeof(*refs));
    if (refs == NULL) {
        writer->status = STATUS_NO_MEMORY;
        return;
    }
    size_t at = count;
    for (uint32_t ref = sim_store_newest(store, device); ref != 0; ref = command.older) {
        sim_store_view(store, ref, &command);
        refs[--at] = ref;
    }
    for (; at < count; at++) {
        sim_store_view(store, refs[at], &command);
        write_command(writer, device, &command);
    }
    free(refs);
}

static void write_value(void *context, uint64_t device, const struct device_place *place,
                        struct span json)
{
    struct writer *writer = context;

    begin_line(writer, device);
    add_number(writer, "obj_id", place->obj);
    add_number(writer, "obj_inst_id", place->inst);
    add_number(writer, "res_id", place->res);
    add_text(writer, "value", json);
    end_line(writer);
}

static enum status say(struct buf *message, const char *path, const char *what)
{
    buf_add_printable(message, span_string(path));
    buf_add_format(message, ": the state of the simulator %s: %s", what, strerror(errno));
    return STATUS_IO;
}

static enum status write_all(struct platform *platform, FILE *file)
{
    struct writer writer = {.platform = platform, .file = file};

    buf_init(&writer.line, LINE_MAX_BYTES);
    sim_store_each_device(&platform->store, write_device, &writer);
    devices_each_value(&platform->devices, write_value, &writer);
    buf_deinit(&writer.line);
    if (writer.status == STATUS_OK && (fflush(file) != 0 || fsync(fileno(file)) != 0))
        writer.status = STATUS_IO;
    return writer.status;
}

enum status state_save(struct platform *platform, const char *path, struct buf *message)
{
    struct buf temporary;

    buf_init(&temporary, 8192);
    buf_add_format(&temporary, "%s.new", path);
    const char *name = buf_string(&temporary);
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    enum status status = STATUS_IO;

    if (file != NULL)
        status = write_all(platform, file);
    else if (fd >= 0)
        (void)close(fd);
    if (file != NULL && fclose(file) != 0 && status == STATUS_OK)
        status = STATUS_IO;
    if (status == STATUS_OK && rename(name, path) != 0)
        status = STATUS_IO;
    if (status != STATUS_OK) {
        (void)say(message, path, "cannot be written");
        (void)unlink(name);
    }
    buf_deinit(&temporary);
    return status;
}

/* Reading. */

static int64_t number_of(const cJSON *line, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(line, name);
    return cJSON_IsNumber(member) ? (int64_t)member->valuedouble : 0;
}

static struct span text_of(const cJSON *line, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, name));
    return text != NULL ? span_string(text) : span_of("", 0);
}

static void read_params(const cJSON *line, struct store_command *command)
{
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        if (cJSON_GetObjectItemCaseSensitive(line, param_rules[i].name) == NULL)
            continue;
        command->present |= (uint16_t)(1u << i);
        command->values[i] = (uint16_t)number_of(line, param_rules[i].name);
    }
}

static bool read_command(const cJSON *line, uint64_t device, struct store_command *ret_command)
{
    struct store_command command = {
        .device = device,
        .created_ms = number_of(line, "created_ms"),
        .valid_s = number_of(line, "valid_s"),
        .expires_s = number_of(line, "expires_s"),
        .ready_ms = number_of(line, "ready_ms"),
        .ends_ms = number_of(line, "ends_ms"),
        .content = text_of(line, "content"),
        .result = text_of(line, "result"),
        .life = {.send_status = (uint8_t)number_of(line, "send_status"),
                 .confirm_status = (uint8_t)number_of(line, "confirm_status"),
                 .remain = (uint8_t)number_of(line, "remain"),
                 .sent_ms = number_of(line, "sent_ms"),
                 .confirmed_ms = number_of(line, "confirmed_ms"),
                 .is_gone = number_of(line, "is_gone") != 0},
    };

    /* A delivery that was under way when the simulator stopped begins anew. */
    if (command.life.send_status == SEND_SENT && command.life.confirm_status == CONFIRM_NONE)
        command.life.send_status = SEND_WAITING;
    read_params(line, &command);
    if (!action_find(text_of(line, "action"), &command.action) ||
        !uuid_parse(text_of(line, "uuid"), command.uuid) ||
        command.life.send_status < SEND_WAITING || command.life.send_status > SEND_UNDEFINED ||
        command.life.confirm_status > CONFIRM_NONE)
        return false;
    *ret_command = command;
    return true;
}

static enum status take_command(struct platform *platform, const struct store_command *command,
                                int64_t now_ms)
{
    enum status status = sim_store_restore(&platform->store, command);

    if (status == STATUS_OK && !command_life_has_ended(&command->life) && !command->life.is_gone)
        status = devices_notice(&platform->devices, command->device, now_ms);
    return status;
}

static enum status take_line(struct platform *platform, struct span text, int64_t now_ms)
{
    cJSON *line = cJSON_ParseWithLength(text.ptr, text.len);
    struct store_command command;
    uint64_t device;
    enum status status = STATUS_SYNTAX;

    if (device_read(text_of(line, "device"), &device)) {
        const struct device_place place = {.obj = (uint32_t)number_of(line, "obj_id"),
                                           .inst = (uint32_t)number_of(line, "obj_inst_id"),
                                           .res = (uint32_t)number_of(line, "res_id")};
        if (text_of(line, "value").len > 0)
            status = devices_set_value(&platform->devices, device, &place, text_of(line, "value"));
        else if (read_command(line, device, &command))
            status = take_command(platform, &command, now_ms);
    }
    cJSON_Delete(line);
    return status;
}

enum status state_load(struct platform *platform, const char *path, int64_t now_ms,
                       struct buf *message)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    ssize_t len = 0;
    unsigned long number = 0;
    enum status status = STATUS_OK;

    if (file == NULL)
        return errno == ENOENT ? STATUS_OK : say(message, path, "cannot be read");
    while (status == STATUS_OK && (len = getline(&line, &size, file)) >= 0) {
        number++;
        status = take_line(platform, span_of(line, (size_t)len), now_ms);
    }
    if (status == STATUS_OK && ferror(file) != 0)
        status = say(message, path, "cannot be read");
    else if (status != STATUS_OK) {
        buf_add_printable(message, span_string(path));
        buf_add_format(message, ":%lu: %s", number,
                       status == STATUS_SYNTAX ? "this is no line of a simulator's state"
                                               : status_text(status));
    }
    free(line);
    (void)fclose(file);
    return status;
}
