#include "send/trust.h"

#include "core/text.h"
#include "platform/foreign_answer.h"

/* What cannot be the row's fault. A status of 403 may be the word of a firewall about its content.
 */
static bool is_of_key_itself(const struct outcome *outcome)
{
    if (outcome->has_errno)
        return outcome->meaning == MEANING_KEY;
    return outcome->http_status == 401 || outcome->http_status == 407;
}

static enum trust_verdict add_refusal(struct trust *trust, const struct outcome *outcome)
{
    uint32_t most = !trust->met && is_of_key_itself(outcome) ? 1 : TRUST_REFUSALS;

    trust->refusals++;
    return trust->refusals >= most ? TRUST_NO_KEY : TRUST_HOLD;
}

/* Whether the platform has judged the row itself. What a fault or a backlog keeps it from may come
 * before it looks at the key. */
static bool is_judgement(const struct outcome *outcome)
{
    return outcome->class == OUTCOME_ACCEPTED ||
           (outcome->class == OUTCOME_REFUSED && outcome->has_errno);
}

enum trust_verdict trust_add(struct trust *trust, const struct outcome *outcome)
{
    if (outcome_refuses_key(outcome)) {
        if (outcome->voice == VOICE_PLATFORM)
            trust->foreign = 0;
        return add_refusal(trust, outcome);
    }
    if (outcome->voice == VOICE_FOREIGN)
        return ++trust->foreign >= TRUST_FOREIGN_MAX ? TRUST_FOREIGN : TRUST_GO_ON;
    if (outcome->voice == VOICE_NONE)
        return TRUST_GO_ON;
    trust->foreign = 0;
    trust->met = true;
    if (!is_judgement(outcome))
        return TRUST_GO_ON;
    trust->refusals = 0;
    trust->asked = false;
    return TRUST_GOOD;
}

void trust_explain_key(const struct trust *trust, const struct outcome *outcome, struct buf *out)
{
    if (trust->refusals == 1)
        buf_add_string(out, "the first row was refused for the key");
    else
        buf_add_format(out, "%u rows in a row were refused for the key", (unsigned)trust->refusals);
    buf_add_format(out, " (%s)", outcome->error);
    if (outcome->http_status == 407)
        buf_add_string(out, ": it is the proxy that refuses them, for its own credentials");
    else
        buf_add_string(out, ": it does not fit the product or the devices");
}

void trust_explain_foreign(enum dialect dialect, const char *path, const struct answer *answer,
                           const struct outcome *outcome, struct buf *out)
{
    struct span body = span_of(answer->body.ptr, answer->body.len < 4096 ? answer->body.len : 4096);
    char shown[OUTCOME_SHOWN_MAX + 1];

    buf_add_format(out, "%d answers in a row were not the platform's: HTTP %d", TRUST_FOREIGN_MAX,
                   outcome->http_status);
    buf_copy_printable(shown, sizeof(shown), text_trim_blanks(body));
    if (shown[0] != '\0')
        buf_add_format(out, ", \"%s\"", shown);
    buf_add_string(out, "; ");
    foreign_answer_describe(dialect, answer, path, out);
}

bool trust_ask(struct trust *trust)
{
    bool first = !trust->asked;

    trust->asked = true;
    return first;
}

void trust_renew(struct trust *trust)
{
    trust->refusals = 0;
}
