#include "cli/progress.h"

#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/color.h"
#include "cli/console.h"

enum {
    LIVE_INTERVAL_MS = 200,
    PLAIN_INTERVAL_MS = 10000,
    COLUMNS_DEFAULT = 80, /* of what is no terminal, or does not know */
};

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void progress_init(struct progress *progress, enum progress_mode mode, const char *doing)
{
    bool live = mode == PROGRESS_ALWAYS || color_has_terminal();

    *progress = (struct progress){.doing = doing, .off = mode == PROGRESS_NEVER, .live = live};
    progress->interval_ms = live ? LIVE_INTERVAL_MS : PLAIN_INTERVAL_MS;
    progress->last_ms = now_ms();
}

bool progress_tick(struct progress *progress, uint64_t done)
{
    int64_t now = now_ms();
    size_t last = (progress->sample_next + PROGRESS_SAMPLES - 1) % PROGRESS_SAMPLES;

    if (progress->sample_count == 0 || now - progress->samples[last].at_ms >= LIVE_INTERVAL_MS) {
        progress->samples[progress->sample_next] = (struct progress_sample){now, done};
        progress->sample_next = (progress->sample_next + 1) % PROGRESS_SAMPLES;
        if (progress->sample_count < PROGRESS_SAMPLES)
            progress->sample_count++;
    }
    return !progress->off && now - progress->last_ms >= progress->interval_ms;
}

double progress_rate(const struct progress *progress, uint64_t done)
{
    size_t oldest = progress->sample_count < PROGRESS_SAMPLES ? 0 : progress->sample_next;
    const struct progress_sample *then = &progress->samples[oldest];
    int64_t elapsed_ms = now_ms() - then->at_ms;

    if (progress->sample_count == 0 || elapsed_ms <= 0 || done < then->done)
        return 0;
    return (double)(done - then->done) * 1000 / (double)elapsed_ms;
}

/* One column stays free: a terminal wraps behind the last one. */
static size_t columns_of_terminal(void)
{
    struct winsize size;
    bool is_known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;

    return (is_known ? size.ws_col : COLUMNS_DEFAULT) - 1u;
}

void progress_show(struct progress *progress, struct progress_facts *facts)
{
    struct buf line;

    progress->last_ms = now_ms();
    if (progress->live && !console_is_idle())
        return; /* what would be seen later is old by then */
    facts->doing = progress->doing;
    buf_init_text(&line, 64 * 1024);
    if (progress->live) {
        buf_add_char(&line, '\r');
        progress_line_add_live(facts, columns_of_terminal(), &line);
        buf_add_string(&line, "\033[K");
    } else {
        progress_line_add_plain(facts, &line);
        buf_add_char(&line, '\n');
    }
    console_write(buf_span(&line), CONSOLE_PASSING);
    buf_deinit(&line);
    progress->shown = progress->live;
}

void progress_hide(struct progress *progress)
{
    if (!progress->shown)
        return;
    console_write(SPAN_LITERAL("\r\033[K"), CONSOLE_KEPT);
    progress->shown = false;
}
