#include "core/status.h"

static const char *const texts[] = {
#define X(name, text) [STATUS_##name] = (text),
    STATUS_MAP(X)
#undef X
};

const char *status_text(enum status status)
{
    return (size_t)status < ARRAY_LENGTH(texts) ? texts[status] : "unknown status";
}
