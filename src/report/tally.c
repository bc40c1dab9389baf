#include "report/tally.h"

static bool same_reason(const struct tally_reason *reason, const struct outcome *outcome)
{
    return reason->status == outcome->status && reason->has_errno == outcome->has_errno &&
           reason->platform_errno == outcome->platform_errno &&
           strncmp(reason->text, outcome->error, TALLY_REASON_TEXT_MAX) == 0;
}

static void add_reason(struct tally *tally, const struct outcome *outcome)
{
    for (size_t i = 0; i < tally->reason_count; i++) {
        if (same_reason(&tally->reasons[i], outcome)) {
            tally->reasons[i].count++;
            return;
        }
    }
    if (tally->reason_count == TALLY_REASONS_MAX) {
        tally->other_reasons++;
        return;
    }
    struct tally_reason *reason = &tally->reasons[tally->reason_count++];
    *reason = (struct tally_reason){.status = outcome->status,
                                    .has_errno = outcome->has_errno,
                                    .platform_errno = outcome->platform_errno,
                                    .count = 1};
    (void)snprintf(reason->text, sizeof(reason->text), "%.*s", TALLY_REASON_TEXT_MAX,
                   outcome->error);
}

void tally_add_outcome(struct tally *tally, const struct outcome *outcome)
{
    tally->rows[outcome->status]++;
    if (outcome->status != ROW_ACCEPTED)
        add_reason(tally, outcome);
}

void tally_add_invalid(struct tally *tally)
{
    tally->rows[ROW_INVALID]++;
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
