#include "engine/driver_record.h"

#include "core/when.h"
#include "ledger/doubt.h"

static uint16_t count_of(uint32_t attempts)
{
    return (uint16_t)(attempts < UINT16_MAX ? attempts : UINT16_MAX);
}

/* A machine that dies before the row is sent once more finds what earlier runs have counted. */
static void admit(struct recorder *recorder, struct item *item)
{
    const struct intent intent = {.id = item->id,
                                  .sent = count_of(item->so_far.sent),
                                  .ambiguous = count_of(item->so_far.ambiguous)};

    item->ticket = recorder->store->admit(recorder->store, &intent);
}

static enum status record(struct recorder *recorder, const struct item *item, uint32_t ticket,
                          struct result_record *result, int64_t wall_ms)
{
    result->id = item->id;
    result->device = command_device_text(&item->command);
    result->finished_ms = wall_ms;
    result->passed = recorder->passed;
    result->passed_count = command_passed(&item->command, recorder->passed, LAYOUT_PASSES_MAX);
    return recorder->store->end(recorder->store, ticket, result);
}

/* What a row in doubt is looked for by, later on. One of which no request of this run may have been
 * processed has only asked for what earlier runs have on record. */
static struct doubt doubt_of(const struct effect *effect, int64_t wall_ms)
{
    const struct item *item = effect->item;

    return (struct doubt){.id = item->id,
                          .operation = item->operation,
                          .before = item->doubts_before,
                          .ambiguous = item->so_far.ambiguous,
                          .first_ms = item->first_ms,
                          .last_ms = wall_ms,
                          .clock_off_s = effect->record.clock_off_s,
                          .target = command_target(&item->command),
                          .body = command_body(&item->command)};
}

/* An attempt is about to begin. */
static void mark(struct recorder *recorder, const struct item *item)
{
    recorder->store->attempt(recorder->store, item->ticket, item->so_far.sent,
                             item->so_far.ambiguous);
}

static enum status record_outcome(struct recorder *recorder, const struct effect *effect,
                                  int64_t wall_ms)
{
    const struct item *item = effect->item;
    const struct outcome *outcome = effect->record.outcome;
    struct result_record result = {
        .status = outcome->status,
        .uuid = span_string(outcome->uuid),
        .has_errno = outcome->has_errno,
        .platform_errno = outcome->platform_errno,
        .error = span_string(outcome->error),
        .http_status = outcome->http_status,
        .attempts = item->so_far.sent,
        .ambiguous = item->so_far.ambiguous,
        .latency_us = effect->record.latency_us,
    };

    struct doubt doubt;

    if (outcome->status == ROW_IN_DOUBT && item->so_far.ambiguous > item->doubts_before) {
        doubt = doubt_of(effect, wall_ms);
        result.doubt = &doubt;
    }
    tally_add_outcome(recorder->tally, outcome, item->so_far.ambiguous);
    return record(recorder, item, item->ticket, &result, wall_ms);
}

static enum status record_invalid(struct recorder *recorder, const struct item *item,
                                  uint32_t ticket, const struct problems *problems, int64_t wall_ms)
{
    struct buf why;

    buf_init(&why, PROBLEMS_TEXT_MAX);
    problems_describe(problems, &why);
    struct result_record result = {.status = ROW_INVALID,
                                   .error = buf_span(&why),
                                   .latency_us = -1};
    tally_add_invalid(recorder->tally, problems_first_error(problems));
    enum status status = record(recorder, item, ticket, &result, wall_ms);
    buf_deinit(&why);
    return status;
}

/* A row that was good when it was read. */
static enum status record_expired(struct recorder *recorder, const struct item *item,
                                  int64_t wall_ms)
{
    struct problems *problems = recorder->problems;
    char expired[WHEN_PLATFORM_LENGTH + 1];

    when_format_platform(item->command.expires_at_s, expired);
    problems_clear(problems, item->id.row, item->id.line);
    problem_add(problems, PROBLEM_EXPIRED, SPAN_LITERAL("expired_time"), span_string(expired),
                "%s (UTC+8) had passed when it was the row's turn", expired);
    if (recorder->report != NULL)
        recorder->report(recorder->report_context, problems);
    return record_invalid(recorder, item, item->ticket, problems, wall_ms);
}

enum status recorder_perform(struct recorder *recorder, const struct effect *effect,
                             int64_t wall_ms)
{
    struct store *store = recorder->store;
    struct item *item = effect->item;

    switch (effect->kind) {
    case EFFECT_ADMIT:
        admit(recorder, item);
        break;
    case EFFECT_MARK:
        mark(recorder, item);
        break;
    case EFFECT_UNMARK:
        store->pause(store, item->ticket);
        break;
    case EFFECT_DROP:
        store->drop(store, item->ticket);
        break;
    case EFFECT_RECORD:
        return record_outcome(recorder, effect, wall_ms);
    case EFFECT_RECORD_INVALID:
        return record_invalid(recorder, item, STORE_NO_TICKET, effect->problems, wall_ms);
    case EFFECT_RECORD_EXPIRED:
        return record_expired(recorder, item, wall_ms);
    case EFFECT_FLUSH:
        return store->flush(store);
    default:
        break;
    }
    return STATUS_OK;
}
