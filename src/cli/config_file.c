#include "cli/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <yaml.h>

#include "core/retranslate.h"

/* A file that is being read. */
struct config_reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the last one; empty at first */
    struct config_file *file;
    struct buf *message;
};

static size_t line_of(const struct config_reader *reader)
{
    return reader->event.start_mark.line + 1;
}

static enum status refuse(struct config_reader *reader, size_t line, const char *what)
{
    buf_add_printable(reader->message, span_string(reader->file->path));
    buf_add_format(reader->message, ":%zu: %s", line, what);
    return STATUS_USAGE;
}

/* Goes on to the next event. */
static enum status next_event(struct config_reader *reader)
{
    struct buf what;

    yaml_event_delete(&reader->event);
    if (yaml_parser_parse(&reader->parser, &reader->event) != 0)
        return STATUS_OK;
    reader->event = (yaml_event_t){.type = YAML_NO_EVENT};
    if (reader->parser.error == YAML_MEMORY_ERROR)
        return STATUS_NO_MEMORY;
    const char *problem = reader->parser.problem != NULL ? reader->parser.problem : "no YAML";
    buf_init_text(&what, 4096);
    retranslate_said(span_string(problem), &what);
    buf_add_string(&what, "; put values with special characters into 'quotes'");
    enum status status = refuse(reader, reader->parser.problem_mark.line + 1, buf_string(&what));
    buf_deinit(&what);
    return status;
}

static enum status add_entry(struct config_reader *reader, const char *name, bool in_list)
{
    struct config_file *file = reader->file;
    const char *value = (const char *)reader->event.data.scalar.value;
    size_t len = reader->event.data.scalar.length;
    bool nothing =
        len == 0 && reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !in_list;

    if (strlen(value) != len)
        return refuse(reader, line_of(reader), "a value holds a NUL");
    if (file->count == CONFIG_ENTRIES_MAX)
        return refuse(reader, line_of(reader), "more values than a configuration can have");
    struct config_entry *entries =
        realloc(file->entries, (file->count + 1) * sizeof(*file->entries));
    if (entries == NULL)
        return STATUS_NO_MEMORY;
    file->entries = entries;
    struct config_entry *entry = &entries[file->count];
    *entry = (struct config_entry){.name = strdup(name),
                                   .value = nothing ? NULL : strdup(value),
                                   .in_list = in_list,
                                   .line = line_of(reader)};
    file->count++;
    return entry->name == NULL || (entry->value == NULL && !nothing) ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status read_list(struct config_reader *reader, const char *name)
{
    enum status status = next_event(reader);

    while (status == STATUS_OK && reader->event.type == YAML_SCALAR_EVENT) {
        status = add_entry(reader, name, true);
        if (status == STATUS_OK)
            status = next_event(reader);
    }
    if (status == STATUS_OK && reader->event.type != YAML_SEQUENCE_END_EVENT)
        return refuse(reader, line_of(reader), "the values of a list must be texts");
    return status;
}

/* The name is the event; what follows is its value. */
static enum status read_pair(struct config_reader *reader)
{
    char *name = strdup((const char *)reader->event.data.scalar.value);

    if (name == NULL)
        return STATUS_NO_MEMORY;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < reader->file->count && status == STATUS_OK; i++)
        if (strcmp(reader->file->entries[i].name, name) == 0)
            status = refuse(reader, line_of(reader),
                            "the name is there twice; where several values are meant, give a list");
    if (status == STATUS_OK)
        status = next_event(reader);
    if (status != STATUS_OK) {
        free(name);
        return status;
    }
    if (reader->event.type == YAML_SCALAR_EVENT)
        status = add_entry(reader, name, false);
    else if (reader->event.type == YAML_SEQUENCE_START_EVENT)
        status = read_list(reader, name);
    else
        status = refuse(reader, line_of(reader), "a value must be a text or a list of texts");
    free(name);
    return status;
}

/* A file of comments alone is good, and has no mapping. */
static enum status read_pairs(struct config_reader *reader)
{
    enum status status = STATUS_OK;

    if (reader->event.type != YAML_MAPPING_START_EVENT)
        return refuse(reader, line_of(reader), "a line must have the form \"name: value\"");
    while (status == STATUS_OK) {
        status = next_event(reader);
        if (status != STATUS_OK || reader->event.type == YAML_MAPPING_END_EVENT)
            return status;
        if (reader->event.type != YAML_SCALAR_EVENT)
            return refuse(reader, line_of(reader), "a name must be a text");
        status = read_pair(reader);
    }
    return status;
}

static enum status read_stream(struct config_reader *reader)
{
    enum status status = STATUS_OK;
    bool has_pairs = false;

    while (status == STATUS_OK && reader->event.type != YAML_STREAM_END_EVENT) {
        status = next_event(reader);
        if (status != STATUS_OK || reader->event.type == YAML_STREAM_START_EVENT ||
            reader->event.type == YAML_STREAM_END_EVENT ||
            reader->event.type == YAML_DOCUMENT_END_EVENT)
            continue;
        if (has_pairs)
            return refuse(reader, line_of(reader), "one document is enough: remove this one");
        has_pairs = true;
        status = next_event(reader);
        if (status == STATUS_OK)
            status = read_pairs(reader);
    }
    return status;
}

static enum status parse(struct span text, struct config_file *file, struct buf *message)
{
    struct config_reader reader = {.file = file, .message = message};

    if (yaml_parser_initialize(&reader.parser) == 0)
        return STATUS_NO_MEMORY;
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text.ptr, text.len);
    enum status status = read_stream(&reader);
    yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    return status;
}

static enum status refuse_file(const char *path, const char *why, struct buf *message)
{
    buf_add_string(message, "the configuration ");
    buf_add_printable(message, span_string(path));
    buf_add_format(message, " cannot be read: %s; name another with --config", why);
    return STATUS_USAGE;
}

static enum status read_text(const char *path, struct buf *text, struct buf *message)
{
    char part[16 * 1024];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return refuse_file(path, strerror(errno), message);
    ssize_t got = 0;
    while (text->status == STATUS_OK && (got = read(fd, part, sizeof(part))) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        buf_add_bytes(text, part, (size_t)got);
    }
    int error = errno;
    (void)close(fd);
    if (got < 0)
        return refuse_file(path, strerror(error), message);
    if (text->status == STATUS_TOO_BIG)
        return refuse_file(path, "it is larger than 1 MiB", message);
    return text->status;
}

enum status config_file_parse(const char *path, struct span text, struct buf *message,
                              struct config_file *ret_file)
{
    struct config_file file = {.path = strdup(path)};
    enum status status = STATUS_OK;

    if (file.path == NULL)
        return STATUS_NO_MEMORY;
    if (text.len > 0)
        status = parse(text, &file, message);
    if (status == STATUS_OK)
        *ret_file = file;
    else
        config_file_deinit(&file);
    return status;
}

enum status config_file_read(const char *path, struct buf *message, struct config_file *ret_file)
{
    struct buf text;

    buf_init(&text, CONFIG_FILE_MAX);
    enum status status = read_text(path, &text, message);
    if (status == STATUS_OK)
        status = config_file_parse(path, buf_span(&text), message, ret_file);
    buf_deinit(&text);
    return status;
}

void config_file_deinit(struct config_file *file)
{
    if (file == NULL)
        return;
    for (size_t i = 0; i < file->count; i++) {
        free(file->entries[i].name);
        free(file->entries[i].value);
    }
    free(file->entries);
    free(file->path);
    *file = (struct config_file){.path = NULL};
}
