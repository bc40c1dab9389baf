#include "send/rollout.h"

#include "core/text.h"
#include "core/when.h"

#define MILLIONTHS UINT64_C(1000000)

static enum status refuse(struct span piece, const char *remedy, struct buf *message)
{
    buf_add_quoted(message, piece);
    buf_add_format(message, ": %s", remedy);
    return STATUS_USAGE;
}

/* Up to the first `mark`, which is taken as well; all of it where there is none. */
static struct span take_until(struct span *text, char mark)
{
    const char *at = text->len > 0 ? memchr(text->ptr, mark, text->len) : NULL;
    struct span piece = span_of(text->ptr, at != NULL ? (size_t)(at - text->ptr) : text->len);

    *text = span_skip(*text, piece.len + (at != NULL));
    return piece;
}

static bool parse_wait(struct span text, int64_t *ret_ms)
{
    return when_parse_duration(text, ret_ms) == STATUS_OK && *ret_ms >= 1000 &&
           *ret_ms <= ROLLOUT_WAIT_MAX_MS;
}

/* delivered=95%,wait=1d, in any order */
static enum status parse_goal(struct span text, struct rollout_goal *ret_goal, struct buf *message)
{
    struct rollout_goal goal = {.wait_ms = 0};
    struct span whole = text;

    while (text.len > 0) {
        struct span item = text_take_piece(&text), value = item;
        struct span name = take_until(&value, '=');
        bool is_good = (span_is(name, "delivered") && text_parse_share(value, &goal.delivered) &&
                        goal.delivered > 0) ||
                       (span_is(name, "wait") && parse_wait(value, &goal.wait_ms));
        if (!is_good)
            return refuse(item,
                          "say how many of the commands are to be delivered, and how long to wait "
                          "for that (1s to 30d), such as delivered=95%,wait=1d",
                          message);
    }
    if (goal.delivered == 0 || goal.wait_ms == 0)
        return refuse(whole, "say both delivered=P% and wait=D, such as delivered=95%,wait=1d",
                      message);
    *ret_goal = goal;
    return STATUS_OK;
}

enum status rollout_parse(struct span text, struct rollout *ret_rollout, struct buf *message)
{
    struct rollout rollout = {.count = 0};
    struct span whole = text, shares = take_until(&text, ':');
    uint64_t before = 0, share = 0;

    while (shares.len > 0) {
        if (rollout.count == ROLLOUT_STEPS_MAX ||
            !text_parse_share(text_take_piece(&shares), &share) || share <= before) {
            before = 0;
            break;
        }
        rollout.steps[rollout.count++] = (struct rollout_step){.share = before = share};
    }
    if (before != MILLIONTHS)
        return refuse(whole,
                      "write at most 20 shares of the rows, each larger than the one before it and "
                      "the last 100%, and what is to be seen between them, such as "
                      "1%,10%,100%:delivered=95%,wait=1d",
                      message);
    enum status status = parse_goal(text, &rollout.steps[0].goal, message);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 1; i < rollout.count; i++)
        rollout.steps[i].goal = rollout.steps[0].goal;
    *ret_rollout = rollout;
    return STATUS_OK;
}

bool rollout_is_canary(struct span text)
{
    (void)take_until(&text, ':');
    return text.len > 0 && memchr(text.ptr, '=', text.len) != NULL;
}

enum status rollout_parse_canary(struct span text, struct rollout_step *ret_step,
                                 struct buf *message)
{
    struct rollout_step step = {.rows = 0};
    struct span rows = take_until(&text, ':');

    if (span_to_uint64(rows, &step.rows) != STATUS_OK || step.rows == 0)
        return refuse(rows, "give the number of rows to send ahead, from 1 on", message);
    enum status status = parse_goal(text, &step.goal, message);
    if (status == STATUS_OK)
        *ret_step = step;
    return status;
}

/* Rounded up, and without overflow. */
static uint64_t share_of(uint64_t count, uint64_t share)
{
    return count / MILLIONTHS * share + (count % MILLIONTHS * share + MILLIONTHS - 1) / MILLIONTHS;
}

uint64_t rollout_until(const struct rollout_step *step, uint64_t rows)
{
    uint64_t until = step->rows > 0 ? step->rows : share_of(rows, step->share);

    return until < rows ? until : rows;
}

struct rollout rollout_plan(const struct rollout_step *canary, const struct rollout *rollout,
                            uint64_t rows)
{
    static const struct rollout_step all = {.share = MILLIONTHS};
    struct rollout plan = {.count = 0};
    uint64_t before = 0;

    for (size_t i = 0; i <= rollout->count; i++) {
        const struct rollout_step *step = i > 0 ? &rollout->steps[i - 1] : canary;
        bool is_none = i == 0 && step->rows == 0;
        if (is_none || rollout_until(step, rows) <= before)
            continue;
        plan.steps[plan.count++] = *step;
        before = rollout_until(step, rows);
    }
    if (plan.count > 0 && before < rows)
        plan.steps[plan.count++] = all;
    return plan;
}

uint64_t rollout_needed(const struct rollout_goal *goal, uint64_t commands)
{
    return share_of(commands, goal->delivered);
}

enum rollout_verdict rollout_judge(const struct rollout_goal *goal,
                                   const struct rollout_counts *counts)
{
    uint64_t needed = rollout_needed(goal, counts->commands);

    if (counts->delivered >= needed)
        return ROLLOUT_REACHED;
    return counts->commands - counts->lost < needed ? ROLLOUT_OUT_OF_REACH : ROLLOUT_OPEN;
}
