#include "platform/json.h"

#include <errno.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum status json_parse(struct span text, cJSON **ret_tree, size_t *ret_at)
{
    const char *end = text.ptr;

    if (text.len == 0) { /* its pointer may be NULL */
        *ret_at = 0;
        return STATUS_SYNTAX;
    }
    errno = 0; /* cJSON does not tell bad text from a want of memory, malloc does */
    cJSON *tree = cJSON_ParseWithLengthOpts(text.ptr, text.len, &end, false);
    if (tree == NULL && errno == ENOMEM)
        return STATUS_NO_MEMORY;
    size_t at = (size_t)(end - text.ptr);
    while (tree != NULL && at < text.len && is_space(text.ptr[at]))
        at++;
    *ret_at = at;
    if (tree == NULL)
        return STATUS_SYNTAX;
    *ret_tree = tree;
    return STATUS_OK;
}
