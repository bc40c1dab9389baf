#include "send/shortage.h"

#include <errno.h>

static const struct {
    int error;
    const char *text;
} shortages[] = {
    {EMFILE, "open files (EMFILE): raise the limit of the process (ulimit -n), or lower "
             "--concurrency"},
    {ENFILE, "open files of the whole system (ENFILE): raise fs.file-max, or end other programs"},
    {EADDRNOTAVAIL, "local ports or addresses (EADDRNOTAVAIL): lower --concurrency, or widen "
                    "net.ipv4.ip_local_port_range"},
    {ENOBUFS, "network buffers (ENOBUFS): lower --concurrency, or raise the system's limits"},
    {ENOMEM, "memory (ENOMEM): lower --concurrency, or give the machine more"},
};

static size_t find(int error)
{
    size_t i = 0;

    while (i < ARRAY_LENGTH(shortages) && shortages[i].error != error)
        i++;
    return i;
}

bool shortage_is(int error)
{
    return find(error) < ARRAY_LENGTH(shortages);
}

bool shortage_add(struct shortage *shortage, int error, size_t in_flight, int64_t now_ms)
{
    bool is_news = shortage->error != error;

    if (shortage->error == 0)
        shortage->stuck_ms = now_ms;
    shortage->error = error;
    shortage->limit = in_flight > 0 ? in_flight : 1;
    shortage->pause_ms = now_ms + SHORTAGE_PAUSE_MS;
    shortage->calm_ms = now_ms;
    shortage->count++;
    return is_news;
}

void shortage_sent(struct shortage *shortage, int64_t now_ms)
{
    shortage->stuck_ms = now_ms;
}

size_t shortage_limit(struct shortage *shortage, size_t wanted, int64_t now_ms)
{
    if (shortage->error == 0)
        return wanted;
    if (now_ms - shortage->calm_ms >= SHORTAGE_CALM_MS) {
        shortage->calm_ms = now_ms;
        shortage->limit *= 2;
    }
    if (shortage->limit < wanted)
        return shortage->limit;
    if (now_ms - shortage->pause_ms >= SHORTAGE_CALM_MS)
        shortage->error = 0;
    return wanted;
}

int64_t shortage_next_ms(const struct shortage *shortage, int64_t now_ms)
{
    return shortage->error != 0 && now_ms < shortage->pause_ms ? shortage->pause_ms : 0;
}

bool shortage_lasts(const struct shortage *shortage, int64_t wait_ms, int64_t now_ms)
{
    return shortage->error != 0 && now_ms - shortage->stuck_ms >= wait_ms;
}

const char *shortage_text(int error)
{
    size_t i = find(error);

    return i < ARRAY_LENGTH(shortages) ? shortages[i].text : "something";
}
