#include "send/retry.h"

#include <assert.h>

#include "platform/rules.h"

enum { DONE_WIDTH = 26 }; /* of a column of the explanation */

void retry_case_name(const struct answer_case *rule, const struct outcome *outcome,
                     char out[RETRY_CASE_NAME_MAX + 1])
{
    bool by_number = rule->by == CASE_BY_MEANING && rule->from != MEANING_REJECTED;

    if (by_number)
        (void)snprintf(out, RETRY_CASE_NAME_MAX + 1, "errno %lld",
                       (long long)outcome->platform_errno);
    else
        (void)snprintf(out, RETRY_CASE_NAME_MAX + 1, "%s", rule->name);
}

void retry_init(struct retry *retry, const struct retry_policy *policy, uint64_t seed)
{
    assert(policy->max_attempts >= 1 && policy->base_ms >= 0 && policy->cap_ms >= 0);
    *retry = (struct retry){.policy = *policy, .prng = {seed}};
}

int64_t retry_longest_ms(const struct retry_policy *policy, uint32_t tries, bool throttles)
{
    int64_t least_ms = throttles ? RETRY_THROTTLE_BASE_MS : 0;
    int64_t cap_ms = policy->cap_ms > least_ms ? policy->cap_ms : least_ms;
    int64_t wait_ms = policy->base_ms > least_ms ? policy->base_ms : least_ms;

    assert(tries >= 1);
    while (--tries > 0 && wait_ms > 0 && wait_ms < cap_ms)
        wait_ms = wait_ms > cap_ms / 2 ? cap_ms : wait_ms * 2;
    return wait_ms < cap_ms ? wait_ms : cap_ms;
}

/* Whether what may have been processed is sent again all the same. */
static bool resends(const struct retry_policy *policy, bool idempotent)
{
    if (policy->on_ambiguous == ON_AMBIGUOUS_BY_ACTION ||
        policy->on_ambiguous == ON_AMBIGUOUS_VERIFY) /* of the latter, questions alone */
        return idempotent;
    return policy->on_ambiguous == ON_AMBIGUOUS_RESEND;
}

static bool may_be_processed(enum outcome_class class)
{
    return class == OUTCOME_AMBIGUOUS || class == OUTCOME_UNKNOWN;
}

static enum retry_end end_of(const struct retry *retry, enum outcome_class class,
                             const struct retry_attempt *attempt, const struct retry_row *row)
{
    if (class == OUTCOME_HOPELESS)
        return RETRY_END_STOP;
    if (retry->policy.on_ambiguous == ON_AMBIGUOUS_VERIFY && may_be_processed(class) &&
        !attempt->is_question)
        return RETRY_END_LOOK;
    if (class != OUTCOME_AGAIN && class != OUTCOME_AMBIGUOUS)
        return RETRY_END_FINAL;
    if (class == OUTCOME_AMBIGUOUS &&
        (attempt->held || !resends(&retry->policy, attempt->idempotent)))
        return RETRY_END_HELD;
    if (row->tries >= retry->policy.max_attempts)
        return RETRY_END_EXHAUSTED;
    if (attempt->has_retry_after && attempt->retry_after_ms > RETRY_AFTER_MAX_MS)
        return RETRY_END_TOO_LONG;
    return RETRY_END_NONE;
}

/* How long the host is left alone. Only answers that mean "later" can ask for it. */
static int64_t host_wait_of(const struct retry_attempt *attempt)
{
    enum outcome_class class = attempt->outcome->class;
    bool heard = class == OUTCOME_AGAIN || class == OUTCOME_AMBIGUOUS;

    if (!heard || !attempt->has_retry_after || attempt->retry_after_ms < 0)
        return 0;
    return attempt->retry_after_ms < RETRY_AFTER_MAX_MS ? attempt->retry_after_ms
                                                        : RETRY_AFTER_MAX_MS;
}

static void count(struct retry *retry, const struct retry_decision *decision)
{
    bool ambiguous = may_be_processed(decision->rule->class);

    retry->seen[decision->rule - answer_cases]++;
    retry->retries += decision->again;
    retry->ambiguous += ambiguous;
    retry->resent += ambiguous && decision->again;
    retry->held += decision->end == RETRY_END_HELD;
}

/* Nothing that was not sent has an HTTP status; what was sent and has none is ambiguous. */
static bool was_not_sent(const struct outcome *outcome)
{
    return outcome->http_status == 0 && !may_be_processed(outcome->class);
}

static void count_attempt(struct retry_row *row, const struct outcome *outcome, bool is_counted)
{
    bool ambiguous = may_be_processed(outcome->class);

    row->tries += is_counted;
    row->sent += !was_not_sent(outcome);
    row->ambiguous += ambiguous;
}

void retry_decide(struct retry *retry, const struct retry_attempt *attempt, struct retry_row *row,
                  struct retry_decision *ret_decision)
{
    const struct answer_case *rule = answer_case_of(attempt->outcome);
    struct retry_decision decision = {.rule = rule};
    bool is_last = row->tries > 0 && row->tries + 1 == retry->policy.max_attempts;
    bool is_free =
        rule->class == OUTCOME_AGAIN && ((attempt->all_refused && rule->throttles) ||
                                         (attempt->unreachable && was_not_sent(attempt->outcome)));

    count_attempt(row, attempt->outcome, !is_last || !is_free);
    decision.end = end_of(retry, attempt->outcome->class, attempt, row);
    decision.again = decision.end == RETRY_END_NONE;
    decision.host_wait_ms = host_wait_of(attempt);
    if (decision.again) {
        int64_t longest_ms = retry_longest_ms(&retry->policy, row->tries, rule->throttles);
        decision.delay_ms = (int64_t)prng_up_to(&retry->prng, (uint64_t)longest_ms);
        if (decision.delay_ms < decision.host_wait_ms)
            decision.delay_ms = decision.host_wait_ms;
    }
    count(retry, &decision);
    *ret_decision = decision;
}

enum row_status retry_row_status(const struct retry_row *row, enum row_status last)
{
    bool certain = last == ROW_ACCEPTED || row->ambiguous == 0;

    return certain ? last : ROW_IN_DOUBT;
}

/* The actions of which an ambiguous attempt is sent again under the policy, or not. */
static void add_actions(const struct retry_policy *policy, bool resent, struct buf *out)
{
    const char *separator = "";

    for (size_t i = 0; i < ACTION_COUNT; i++) {
        if (resends(policy, action_rules[i].idempotent) != resent)
            continue;
        buf_add_format(out, "%s%s", separator, action_rules[i].name);
        separator = ", ";
    }
}

static void add_what_is_done(const struct retry_policy *policy, const struct answer_case *rule,
                             struct buf *out)
{
    bool asks = rule->class == OUTCOME_AMBIGUOUS;

    if (policy->on_ambiguous == ON_AMBIGUOUS_VERIFY && may_be_processed(rule->class))
        buf_add_string(out, "where it is not there");
    else if (asks && policy->on_ambiguous == ON_AMBIGUOUS_HOLD)
        buf_add_string(out, "no: in_doubt");
    else
        buf_add_string(out, asks || rule->class == OUTCOME_AGAIN ? "yes" : "no");
    if (asks && policy->on_ambiguous == ON_AMBIGUOUS_BY_ACTION) {
        buf_add_string(out, ": ");
        add_actions(policy, true, out);
    }
    if (rule->throttles)
        buf_add_string(out, " (slower)");
}

static void add_duration(int64_t ms, struct buf *out)
{
    buf_add_int64(out, ms % 1000 == 0 ? ms / 1000 : ms);
    buf_add_string(out, ms % 1000 == 0 ? "s" : "ms");
}

static void add_waits(const struct retry_policy *policy, bool throttles, struct buf *out)
{
    enum { SHOWN_MAX = 8 };

    for (uint32_t tries = 1; tries < policy->max_attempts; tries++) {
        if (tries > SHOWN_MAX) {
            buf_add_string(out, ", …");
            break;
        }
        buf_add_string(out, tries > 1 ? ", " : " ");
        add_duration(retry_longest_ms(policy, tries, throttles), out);
    }
    buf_add_char(out, '\n');
}

static void explain_waits(const struct retry_policy *policy, struct buf *out)
{
    buf_add_format(out, "A row is tried %lu times at most.", (unsigned long)policy->max_attempts);
    if (policy->max_attempts > 1) {
        buf_add_string(out, " Before each retry it waits for a random time of 0 to\n   ");
        add_waits(policy, false, out);
        buf_add_string(out, "or, where the platform asks to go slower, of 0 to\n   ");
        add_waits(policy, true, out);
        buf_add_string(out, "A Retry-After of up to ");
        add_duration(RETRY_AFTER_MAX_MS, out);
        buf_add_string(out, " delays its row, and all rows where most answers refuse; a row\n"
                            "that is told to wait for longer ends.");
    }
    buf_add_char(out, '\n');
}

static void explain_case(const struct retry_policy *policy, const struct answer_case *rule,
                         const char *name, const char *why, struct buf *out)
{
    struct buf done;

    buf_init_text(&done, 256);
    add_what_is_done(policy, rule, &done);
    buf_add_format(out, "%-22s  %-*s  %s\n", name, DONE_WIDTH, buf_string(&done), why);
    buf_deinit(&done);
}

/* A case of errno is shown as the numbers and texts that fall under it. */
static void explain_rule(enum dialect dialect, const struct retry_policy *policy,
                         const struct answer_case *rule, struct buf *out)
{
    size_t count;
    const struct meaning *entries = meaning_all(&count);

    for (size_t i = 0; rule->by == CASE_BY_MEANING && i < count; i++) {
        char name[32], why[256];
        if ((int)entries[i].class != rule->from || entries[i].dialect != dialect)
            continue;
        (void)snprintf(name, sizeof(name), "%s %lld", dialects[dialect].number,
                       (long long)entries[i].number);
        buf_copy_format(why, sizeof(why), "%s: %s", entries[i].name, rule->why);
        explain_case(policy, rule, name, why, out);
    }
    if (rule->class == OUTCOME_UNKNOWN && !dialects[dialect].unseen)
        return;
    if (rule->by != CASE_BY_MEANING)
        explain_case(policy, rule, rule->name, rule->why, out);
    else if (rule->from == MEANING_REJECTED)
        explain_case(policy, rule, rule->name, rule->why, out);
}

void retry_explain(enum dialect dialect, const struct retry_policy *policy, struct buf *out)
{
    buf_add_format(out, "%-22s  %-*s  %s\n", "what happened", DONE_WIDTH, "sent again", "why");
    for (size_t i = 0; i < ANSWER_CASE_COUNT; i++)
        explain_rule(dialect, policy, &answer_cases[i], out);
    buf_add_char(out, '\n');
    if (policy->on_ambiguous == ON_AMBIGUOUS_VERIFY) {
        buf_add_string(out, "An attempt that may have been processed is looked for in the "
                            "platform's history\nfirst, twice (--settle); where that cannot tell, "
                            "the row ends as in_doubt.\n");
    } else if (policy->on_ambiguous != ON_AMBIGUOUS_RESEND) {
        buf_add_string(out, "An attempt that may have been processed is never sent again for ");
        add_actions(policy, false, out);
        buf_add_string(out, ":\nthe row ends as in_doubt.\n");
    }
    explain_waits(policy, out);
}
