#include "ledger/share/clock.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "core/status.h"

int64_t clock_boot_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_loop_ns(void)
{
    return (int64_t)uv_hrtime();
}

void clock_worker_name(char *out, unsigned long size)
{
    char host[65] = "";

    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(out, size, "%s:%ld", host, (long)getpid());
}
