#include "report/json_line.h"

enum status json_line_add(cJSON *root, struct buf *out)
{
    char *text = root != NULL ? cJSON_PrintUnformatted(root) : NULL;

    cJSON_Delete(root);
    if (text == NULL)
        return STATUS_NO_MEMORY;
    buf_add_utf8(out, span_string(text));
    buf_add_char(out, '\n');
    cJSON_free(text);
    return out->status;
}
