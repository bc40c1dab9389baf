#include "report/page_delivery.h"

#include "report/chart.h"
#include "report/embedded.h"
#include "report/fill.h"

/* In the order in which the table and the bar show them. */
static const enum command_state shown[] = {
    COMMAND_DELIVERED, COMMAND_SENT,      COMMAND_WAITING, COMMAND_REFUSED, COMMAND_FAILED,
    COMMAND_EXPIRED,   COMMAND_CANCELLED, COMMAND_MISSING, COMMAND_UNCLEAR,
};

static void add_reason(struct page_delivery *delivery, const struct delivery_row *row)
{
    bool has_answer = row->confirm < CONFIRM_NONE && row->confirm != CONFIRM_SUCCESS;
    struct delivery_reason new = {.state = row->state,
                                  .confirm = has_answer ? row->confirm : CONFIRM_NONE,
                                  .count = 1};
    struct span text = has_answer ? span_string(history_confirm_name(row->confirm)) : row->reason;

    buf_copy_printable(new.text, sizeof(new.text), text);
    for (size_t i = 0; i < delivery->reason_count; i++) {
        struct delivery_reason *old = &delivery->reasons[i];
        if (old->state == new.state && strcmp(old->text, new.text) == 0) {
            old->count++;
            return;
        }
    }
    if (delivery->reason_count < DELIVERY_REASONS_MAX)
        delivery->reasons[delivery->reason_count++] = new;
    else
        delivery->other_reasons++;
}

void page_delivery_add(struct page_delivery *delivery, const struct delivery_row *row)
{
    size_t lane = chart_delivery_lane(row->state);

    delivery->total++;
    delivery->states[row->state]++;
    if (row->asked_s > delivery->asked_s)
        delivery->asked_s = row->asked_s;
    delivery->open += row->is_open;
    if (row->is_open && row->expires_s > delivery->last_expires_s)
        delivery->last_expires_s = row->expires_s;
    if (!row->is_open && lane < SERIES_LANES && row->ended_s > 0)
        series_add(&delivery->ended, row->ended_s * 1000, lane, 1);
    if (row->state != COMMAND_DELIVERED && deliveries[row->state].end != DELIVERY_OPEN)
        add_reason(delivery, row);
}

static const struct page_delivery *delivery_of(const struct fill *fill)
{
    while (fill->outer != NULL)
        fill = fill->outer;
    return fill->subject;
}

static void add_item(const struct fill *outer, const struct fill_value *values, size_t count,
                     struct span part, struct buf *out)
{
    fill_add(&(struct fill){values, count, outer, NULL}, part, out);
}

static void add_states(const struct fill *fill, struct span part, struct buf *out)
{
    const struct page_delivery *delivery = delivery_of(fill);

    for (size_t i = 0; i < ARRAY_LENGTH(shown); i++) {
        const struct delivery *about = &deliveries[shown[i]];
        const struct fill_value values[] = {
            TEXT("state", about->word),
            TEXT("meaning", about->meaning),
            COUNT("count", delivery->states[shown[i]]),
            SHARE("share", delivery->states[shown[i]], delivery->total),
        };
        add_item(fill, values, ARRAY_LENGTH(values), part, out);
    }
}

/* The most frequent first. */
static const struct delivery_reason *next_reason(const struct page_delivery *delivery,
                                                 const struct delivery_reason *last)
{
    const struct delivery_reason *best = NULL;

    for (size_t i = 0; i < delivery->reason_count; i++) {
        const struct delivery_reason *reason = &delivery->reasons[i];
        bool is_behind = last == NULL || reason->count < last->count ||
                         (reason->count == last->count && reason > last);
        if (is_behind && (best == NULL || reason->count > best->count))
            best = reason;
    }
    return best;
}

static void add_reasons(const struct fill *fill, struct span part, struct buf *out)
{
    const struct delivery_reason *reason = NULL;

    while ((reason = next_reason(delivery_of(fill), reason)) != NULL) {
        const struct delivery_answer *answer =
            reason->confirm != CONFIRM_NONE ? &delivery_answers[reason->confirm] : NULL;
        const struct delivery *about = &deliveries[reason->state];
        const struct fill_value values[] = {
            TEXT("state", about->word),
            TEXT("reason", reason->text),
            TEXT("meaning", answer != NULL ? answer->meaning : about->meaning),
            TEXT("remedy", answer != NULL ? answer->remedy : about->remedy),
            COUNT("count", reason->count),
        };
        add_item(fill, values, ARRAY_LENGTH(values), part, out);
    }
}

static void add_chart(const struct fill *fill, struct span part, struct buf *out)
{
    const struct page_delivery *delivery = delivery_of(fill);

    (void)part;
    if (delivery->ended.count > 0)
        chart_add_delivery(&delivery->ended, delivery->total, out);
}

void page_delivery_add_html(const struct page_delivery *delivery, uint64_t accepted,
                            struct buf *out)
{
    uint64_t delivered = delivery->states[COMMAND_DELIVERED], open = delivery->open;
    uint64_t unknown = accepted > delivery->total ? accepted - delivery->total : 0;
    const struct fill_value values[] = {
        TEXT("file", delivery->file),
        COUNT("total", delivery->total),
        COUNT("delivered", delivered),
        COUNT("is-all", delivered == delivery->total),
        COUNT("open", open),
        COUNT("one-open", open == 1),
        TIME("until", delivery->last_expires_s * 1000),
        TIME("asked", delivery->asked_s * 1000),
        COUNT("unknown", unknown),
        COUNT("one-unknown", unknown == 1),
        COUNT("other-lines", delivery->other_lines),
        COUNT("has-reasons", delivery->reason_count),
        COUNT("other-reasons", delivery->other_reasons),
        LIST("states", add_states),
        LIST("reasons", add_reasons),
        DRAWN("chart", add_chart),
    };

    fill_add_page(&(struct fill){values, ARRAY_LENGTH(values), NULL, delivery},
                  span_of(delivery_html, delivery_html_len), out);
}
