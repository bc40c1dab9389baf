#include "core/row_status.h"

const char *row_status_name(enum row_status status)
{
    static const char *const names[] = {
#define X(name, text) [ROW_##name] = (text),
        ROW_STATUS_MAP(X)
#undef X
    };
    return names[status];
}
