#include "report/rollout_standing.h"

const char *rollout_state_name(enum rollout_state state)
{
    static const char *const names[] = {
#define X(name, text) text,
        ROLLOUT_STATE_MAP(X)
#undef X
    };
    return names[state];
}

void rollout_add_counts(const struct rollout_standing *standing, struct buf *out)
{
    buf_add_format(out, "%llu of %llu delivered, %llu needed",
                   (unsigned long long)standing->delivered, (unsigned long long)standing->commands,
                   (unsigned long long)standing->needed);
    if (standing->lost > 0)
        buf_add_format(out, ", %llu will not be", (unsigned long long)standing->lost);
}
