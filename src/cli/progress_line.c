#include "cli/progress_line.h"

#include <uniwidth.h>

#include "cli/color.h"
#include "core/figure.h"
#include "core/when.h"

enum { BAR_MIN = 10, BAR_MAX = 40, PART_MAX = 256 };

/* A part of the line; parts come in this order. */
enum part {
    PART_DOING,
    PART_BAR,
    PART_SHARE,
    PART_ROWS,
    PART_RATE,
    PART_IN_FLIGHT,
    PART_RETRIES,
    PART_ENDED,
    PART_TO_GO,
    PART_WAIT,
    PART_COUNT
};

/* The same from what is left out last to what is left out first. */
static const enum part by_weight[] = {PART_ROWS,  PART_WAIT, PART_ENDED,     PART_SHARE,
                                      PART_TO_GO, PART_RATE, PART_IN_FLIGHT, PART_RETRIES,
                                      PART_DOING, PART_BAR};

struct line {
    struct buf parts[PART_COUNT]; /* empty: not there */
    bool shown[PART_COUNT];
};

static size_t width_of(struct buf *text)
{
    int width = u8_strwidth((const uint8_t *)buf_string(text), "UTF-8");
    return width > 0 ? (size_t)width : 0;
}

static void add_ended(const struct progress_facts *facts, struct buf *out)
{
    if (facts->add_standing != NULL) {
        facts->add_standing(facts->context, out);
        return;
    }
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++) {
        if (i == ROW_ACCEPTED || facts->ended[i] == 0)
            continue;
        buf_add_format(out, "%s%s %s", out->len > 0 ? ", " : "", figure(facts->ended[i]).text,
                       row_status_name((enum row_status)i));
    }
}

static void add_wait(const struct progress_facts *facts, struct buf *out)
{
    if (facts->wait == NULL && facts->held_per_s > 0)
        buf_add_format(out, facts->is_limited ? "the platform takes about %s" : "held to %s",
                       figure_rate(facts->held_per_s, "").text);
    if (facts->wait == NULL)
        return;
    buf_add_string(out, facts->wait);
    if (facts->wait_s >= 1) {
        buf_add_string(out, ", next in ");
        when_add_duration(facts->wait_s, out);
    }
}

static void make_parts(const struct progress_facts *facts, struct line *line)
{
    struct buf *parts = line->parts;

    for (size_t i = 0; i < PART_COUNT; i++)
        buf_init_text(&parts[i], 64 * 1024);
    buf_add_printable(&parts[PART_DOING], span_string(buf_words(&parts[PART_DOING], facts->doing)));
    buf_add_char(&parts[PART_DOING], ':');
    if (facts->share >= 0)
        buf_add_format(&parts[PART_SHARE], "%d %%", (int)(facts->share * 100));
    if (facts->total > 0)
        buf_add_format(&parts[PART_ROWS], "%s/%s", figure(facts->done).text,
                       figure(facts->total).text);
    else
        buf_add_format(&parts[PART_ROWS], "%s rows", figure(facts->done).text);
    buf_add_string(&parts[PART_RATE], figure_rate(facts->rate, " rows").text);
    if (facts->eta_s >= 0) {
        when_add_duration(facts->eta_s, &parts[PART_TO_GO]);
        buf_add_string(&parts[PART_TO_GO], " to go");
    }
    if (!facts->is_sending)
        return;
    buf_add_format(&parts[PART_IN_FLIGHT], "%zu in flight", facts->in_flight);
    if (facts->retries > 0)
        buf_add_format(&parts[PART_RETRIES], "%llu %s", (unsigned long long)facts->retries,
                       facts->retries == 1 ? "retry" : "retries");
    add_ended(facts, &parts[PART_ENDED]);
    add_wait(facts, &parts[PART_WAIT]);
}

static void free_parts(struct line *line)
{
    for (size_t i = 0; i < PART_COUNT; i++)
        buf_deinit(&line->parts[i]);
}

/* Doing, bar and share follow one another, the rest in a list. */
static const char *separator(enum part part, bool is_first)
{
    if (is_first)
        return "";
    return part <= PART_ROWS ? " " : part == PART_WAIT ? "; " : ", ";
}

static size_t shown_width(struct line *line)
{
    size_t width = 0;

    for (size_t i = 0; i < PART_COUNT; i++)
        if (line->shown[i])
            width += width_of(&line->parts[i]) + strlen(separator((enum part)i, width == 0));
    return width;
}

/* Chooses what fits, and gives the bar what is left. */
static void fit(const struct progress_facts *facts, size_t columns, struct line *line)
{
    if (facts->share >= 0)
        buf_add_format(&line->parts[PART_BAR], "[%*s]", BAR_MIN, "");
    for (size_t i = 0; i < PART_COUNT; i++) {
        enum part part = by_weight[i];
        line->shown[part] = line->parts[part].len > 0;
        if (shown_width(line) > columns)
            line->shown[part] = false;
    }
    if (!line->shown[PART_BAR])
        return;
    size_t room = BAR_MIN + (columns - shown_width(line));
    size_t size = room < BAR_MAX ? room : BAR_MAX;
    size_t full = (size_t)(facts->share * (double)size);
    buf_clear(&line->parts[PART_BAR]);
    buf_add_char(&line->parts[PART_BAR], '[');
    for (size_t i = 0; i < size; i++)
        buf_add_char(&line->parts[PART_BAR], i < full ? '#' : '-');
    buf_add_char(&line->parts[PART_BAR], ']');
}

void progress_line_add_live(const struct progress_facts *facts, size_t columns, struct buf *out)
{
    static const enum color colors[PART_COUNT] = {
        [PART_BAR] = COLOR_GOOD, [PART_ENDED] = COLOR_BAD, [PART_WAIT] = COLOR_CAUTION};
    struct line line = {.shown = {false}};
    bool is_first = true;

    make_parts(facts, &line);
    fit(facts, columns, &line);
    for (size_t i = 0; i < PART_COUNT; i++) {
        if (!line.shown[i])
            continue;
        const char *paint = colors[i] != COLOR_PLAIN ? color(colors[i]) : "";
        buf_add_string(out, separator((enum part)i, is_first));
        buf_add_string(out, paint);
        buf_add_string(out, buf_string(&line.parts[i]));
        buf_add_string(out, paint[0] != '\0' ? color(COLOR_PLAIN) : "");
        is_first = false;
    }
    free_parts(&line);
}

void progress_line_add_plain(const struct progress_facts *facts, struct buf *out)
{
    struct line line = {.shown = {false}};
    struct buf *parts = line.parts;

    make_parts(facts, &line);
    buf_add_format(out, "%s ", buf_string(&parts[PART_DOING]));
    buf_add_format(out, "%llu", (unsigned long long)facts->done);
    if (facts->total > 0)
        buf_add_format(out, " of %llu", (unsigned long long)facts->total);
    buf_add_string(out, " rows");
    if (facts->share >= 0)
        buf_add_format(out, " (%s)", buf_string(&parts[PART_SHARE]));
    for (size_t i = PART_RATE; i < PART_COUNT; i++)
        if (parts[i].len > 0)
            buf_add_format(out, "%s%s", separator((enum part)i, false), buf_string(&parts[i]));
    free_parts(&line);
}
