/* Configuration files of any content: entries that hold together, or a message that can be shown.
 */
#include "cli/config_file.h"
#include "fuzz_help.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entries(const struct config_file *file)
{
    MUST(file->count <= CONFIG_ENTRIES_MAX);
    for (size_t i = 0; i < file->count; i++) {
        const struct config_entry *entry = &file->entries[i];
        MUST(entry->name != NULL && entry->line >= 1);
        MUST(!entry->in_list || entry->value != NULL);
        MUST(text_is_utf8(span_string(entry->name)));
        MUST(entry->value == NULL || text_is_utf8(span_string(entry->value)));
        /* A name that stands again does so within one list. */
        if (i > 0 && strcmp(entry->name, file->entries[i - 1].name) == 0)
            MUST(entry->in_list && file->entries[i - 1].in_list);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_file file = {.path = NULL};
    struct buf message;
    char *text = exact_copy(data, size);

    buf_init(&message, 64 * 1024);
    enum status status = config_file_parse("a.yaml", span_of(text, size), &message, &file);
    if (status == STATUS_OK) {
        MUST(message.len == 0 && file.path != NULL);
        check_entries(&file);
    } else {
        MUST(status == STATUS_USAGE && file.path == NULL);
        MUST(span_starts_with(buf_span(&message), "a.yaml:") && is_printable(buf_span(&message)));
    }
    config_file_deinit(&file);
    buf_deinit(&message);
    free(text);
    return 0;
}
