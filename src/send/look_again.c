#include "send/look_again.h"

static int64_t grown(const struct look *look)
{
    int64_t most = look->state == COMMAND_SENT ? LOOK_SENT_MAX : LOOK_GROWTH_MAX;
    int64_t intervals = 1;

    for (unsigned i = 1; i < look->looks && intervals < most; i++)
        intervals *= 2;
    return intervals * look->interval_s;
}

int64_t look_again_s(const struct look *look)
{
    int64_t most = look->interval_s * LOOK_GROWTH_MAX, wait = grown(look);
    int64_t until_valid = look->valid_s - look->now_s + 1;
    int64_t until_end = look->expires_s + DELIVERY_GRACE_S - look->now_s + 1;

    if (look->valid_s != HISTORY_NONE && until_valid > wait)
        wait = until_valid < most ? until_valid : most;
    if (look->expires_s != HISTORY_NONE && until_end > 0 && until_end < wait)
        wait = until_end;
    return wait;
}
