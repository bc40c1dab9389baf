#include "run/embargo.h"

#include <math.h>
#include <time.h>

#include "core/when.h"
#include "run/exit_status.h"
#include "run/sending.h"

int64_t embargo_end(const struct run_settings *settings, int64_t start_s)
{
    return settings->embargo_ms > 0 ? start_s + (settings->embargo_ms + 999) / 1000 : 0;
}

/* A ramp's rows: with the mean of what it begins and ends with, then at its end. */
static double ramp_seconds(const struct ramp *ramp, double rows)
{
    double from = (double)ramp->from_per_hour / 3600, to = (double)ramp->to_per_hour / 3600;
    double seconds = (double)ramp->ms / 1000, within = (from + to) / 2 * seconds;

    if (rows > within)
        return seconds + (rows - within) / to;
    return 2 * rows / (from + sqrt(fmax(0, from * from + 2 * (to - from) * rows / seconds)));
}

bool embargo_spare(const struct run_settings *settings, uint64_t rows, double left_s,
                   double *ret_spare_s)
{
    double rate = sending_rate_per_s(settings);
    double pause_s = settings->canary.rows < rows ? (double)settings->canary.pause_ms / 1000 : 0;

    if (settings->ramp.ms > 0)
        *ret_spare_s = left_s - pause_s - ramp_seconds(&settings->ramp, (double)rows);
    else if (rate > 0)
        *ret_spare_s = left_s - pause_s - (double)rows / rate;
    return settings->ramp.ms > 0 || rate > 0;
}

int embargo_check(const struct run_settings *settings, const struct person *person, int64_t end_s,
                  uint64_t rows)
{
    double left_s = (double)(end_s - (int64_t)time(NULL)), spare_s = 0;
    bool is_known = embargo_spare(settings, rows, left_s, &spare_s);
    struct buf text;

    if (end_s == 0 || (is_known ? spare_s > 0 : left_s > 0))
        return 0;
    buf_init_text(&text, 4096);
    if (is_known) {
        buf_add_string(&text, "the embargo ends before all is sent: that takes about ");
        when_add_duration(left_s - spare_s, &text);
        buf_add_string(&text, " at this rate, and ");
    } else {
        buf_add_string(&text, "the embargo ended before anything was sent: ");
    }
    when_add_duration(fmax(0, left_s), &text);
    buf_add_string(&text, " of it are left; give a longer --embargo (or a higher --rate)");
    person_error(person, "%s", buf_string(&text));
    buf_deinit(&text);
    return EXIT_USAGE;
}
