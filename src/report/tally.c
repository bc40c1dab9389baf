#include "report/tally.h"

#include "core/text.h"

static bool same_reason(const struct tally_reason *reason, const struct tally_reason *other)
{
    return reason->status == other->status && reason->has_errno == other->has_errno &&
           reason->platform_errno == other->platform_errno &&
           reason->http_status == other->http_status && strcmp(reason->text, other->text) == 0;
}

/* Counts a row under its reason, whose count is 1. */
static void add_reason(struct tally *tally, const struct tally_reason *reason)
{
    for (size_t i = 0; i < tally->reason_count; i++) {
        if (same_reason(&tally->reasons[i], reason)) {
            tally->reasons[i].count++;
            return;
        }
    }
    if (tally->reason_count == TALLY_REASONS_MAX)
        tally->other_reasons++;
    else
        tally->reasons[tally->reason_count++] = *reason;
}

void tally_add_outcome(struct tally *tally, const struct outcome *outcome, uint32_t ambiguous)
{
    tally->rows[outcome->status]++;
    tally->twice += outcome->status == ROW_ACCEPTED && ambiguous > 0;
    if (outcome->status == ROW_ACCEPTED)
        return;
    struct tally_reason reason = {.status = outcome->status,
                                  .has_errno = outcome->has_errno,
                                  .platform_errno = outcome->platform_errno,
                                  .http_status = outcome->http_status,
                                  .count = 1};
    struct span text = span_string(outcome->error);
    (void)snprintf(reason.text, sizeof(reason.text), "%.*s",
                   (int)text_cut(text, TALLY_REASON_TEXT_MAX), text.ptr);
    add_reason(tally, &reason);
}

void tally_add_invalid(struct tally *tally, enum problem_code code)
{
    struct tally_reason reason = {.status = ROW_INVALID, .count = 1};

    tally->rows[ROW_INVALID]++;
    tally->passing += problem_code_passes(code);
    (void)snprintf(reason.text, sizeof(reason.text), "%s: %s", problem_code_name(code),
                   problem_code_remedy(code));
    add_reason(tally, &reason);
}

void tally_add_attempt(struct tally *tally, int64_t latency_us)
{
    tally->attempts++;
    histogram_add(&tally->latency, latency_us > 0 ? (uint64_t)latency_us : 0);
}

uint64_t tally_total(const struct tally *tally)
{
    uint64_t total = 0;
    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        total += tally->rows[i];
    return total;
}
