#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LIVE_INTERVAL_MS = 200, PLAIN_INTERVAL_MS = 10000 };

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool progress_mode_of(const char *name, enum progress_mode *ret_mode)
{
    static const char *const names[] = {"auto", "always", "never"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret_mode = (enum progress_mode)i;
            return true;
        }
    }
    return false;
}

void progress_init(struct progress *progress, enum progress_mode mode, const char *doing)
{
    const char *term = getenv("TERM");
    bool terminal = isatty(STDERR_FILENO) == 1 && term != NULL && strcmp(term, "dumb") != 0;
    bool live = mode == PROGRESS_ALWAYS || terminal;

    *progress = (struct progress){.doing = doing, .off = mode == PROGRESS_NEVER, .live = live};
    progress->interval_ms = live ? LIVE_INTERVAL_MS : PLAIN_INTERVAL_MS;
    progress->start_ms = progress->last_ms = now_ms();
}

bool progress_is_due(const struct progress *progress)
{
    return !progress->off && now_ms() - progress->last_ms >= progress->interval_ms;
}

double progress_rate(const struct progress *progress, uint64_t rows)
{
    int64_t elapsed_ms = now_ms() - progress->start_ms;
    return elapsed_ms > 0 ? (double)rows * 1000.0 / (double)elapsed_ms : 0;
}

void progress_show(struct progress *progress, const char *text)
{
    progress->last_ms = now_ms();
    (void)fprintf(stderr, "%s%s: %s%s", progress->live ? "\r" : "", progress->doing, text,
                  progress->live ? "\033[K" : "\n");
    (void)fflush(stderr);
    progress->shown = progress->live;
}

void progress_hide(struct progress *progress)
{
    if (!progress->shown)
        return;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    progress->shown = false;
}
