#include "command/outcome.h"

#include <stdarg.h>

#include "command/platform_errno.h"
#include "core/buf.h"

const char *row_status_name(enum row_status status)
{
    static const char *const names[] = {
#define X(name, text) [ROW_##name] = (text),
        ROW_STATUS_MAP(X)
#undef X
    };
    return names[status];
}

static void set_error(struct outcome *outcome, const char *format, ...) PRINTF_LIKE(2, 3);

/* What peers and libraries say is shown as text: without control characters, whole characters only.
 */
static void set_error(struct outcome *outcome, const char *format, ...)
{
    char text[2 * OUTCOME_ERROR_MAX];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    size_t kept = len < 0 ? 0 : (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
    buf_copy_printable(outcome->error, sizeof(outcome->error), span_of(text, kept));
}

static void judge_not_sent(const struct answer *answer, struct outcome *outcome)
{
    outcome->status = ROW_FAILED;
    outcome->class = answer->hopeless ? OUTCOME_HOPELESS : OUTCOME_AGAIN;
    set_error(outcome, "not sent: %.*s", SPAN_ARG(answer->detail));
}

/* Answers that say by their HTTP status alone that the request was not processed and may be later.
 */
static bool is_http_again(const struct answer *answer)
{
    switch (answer->http_status) {
    case 408:
    case 421:
    case 425:
    case 429:
        return true;
    case 503:
        return answer->has_retry_after;
    default:
        return false;
    }
}

static void judge_platform(const struct reply *reply, struct outcome *outcome)
{
    const struct platform_errno *known = platform_errno_find(reply->number);

    outcome->status = ROW_REJECTED;
    outcome->class = known != NULL && known->again ? OUTCOME_AGAIN : OUTCOME_REFUSED;
    if (reply->error[0] != '\0')
        set_error(outcome, "%s", reply->error);
    else
        set_error(outcome, "%s", known != NULL ? known->name : "the platform gave no text");
}

static const char *success_flaw(enum status parsed)
{
    if (parsed == STATUS_OK)
        return "errno 0 but no uuid";
    return parsed == STATUS_NO_MEMORY ? "an answer that there was no memory to read"
                                      : "an unreadable answer";
}

static void judge_success(const struct answer *answer, const struct reply *reply,
                          enum status parsed, struct outcome *outcome)
{
    bool readable = parsed == STATUS_OK;

    if (readable && reply->number != 0) {
        judge_platform(reply, outcome);
    } else if (readable && reply->uuid[0] != '\0') {
        outcome->status = ROW_ACCEPTED;
        outcome->class = OUTCOME_ACCEPTED;
        (void)snprintf(outcome->uuid, sizeof(outcome->uuid), "%s", reply->uuid);
    } else {
        outcome->status = ROW_IN_DOUBT;
        outcome->class = OUTCOME_AMBIGUOUS;
        set_error(outcome, "HTTP %d with %s: %.*s", answer->http_status, success_flaw(parsed),
                  SPAN_ARG(answer->detail));
    }
}

static void judge_answered(const struct answer *answer, struct outcome *outcome)
{
    struct reply reply = {.number = 0};
    enum status parsed = reply_parse(answer->body, &reply);
    bool readable = parsed == STATUS_OK;
    int http = answer->http_status;
    bool refused = http >= 300 && http < 500;

    if (readable) {
        outcome->has_errno = true;
        outcome->platform_errno = reply.number;
    }
    if (http >= 200 && http < 300) {
        judge_success(answer, &reply, parsed, outcome);
    } else if (is_http_again(answer)) {
        outcome->status = ROW_FAILED;
        outcome->class = OUTCOME_AGAIN;
        set_error(outcome, "HTTP %d: the platform asks to come back later", http);
    } else if (refused && readable && reply.number != 0) {
        judge_platform(&reply, outcome);
    } else if (refused && !(readable && reply.number == 0)) {
        outcome->status = ROW_FAILED;
        outcome->class = OUTCOME_REFUSED;
        set_error(outcome, http < 400 ? "HTTP %d: redirects are not followed" : "HTTP %d", http);
    } else {
        outcome->status = ROW_IN_DOUBT;
        outcome->class = OUTCOME_AMBIGUOUS;
        set_error(outcome, "HTTP %d: the command may have been processed", http);
    }
}

/* Whether it may be the server's word on a connection on which it read nothing, rather than on the
 * request; what the platform says is for a request. */
static bool is_unasked(const struct answer *answer)
{
    struct reply reply;
    return answer->state == ANSWER_ANSWERED && answer->may_be_unasked &&
           reply_parse(answer->body, &reply) != STATUS_OK;
}

void outcome_judge(const struct answer *answer, struct outcome *ret_outcome)
{
    struct outcome outcome = {.status = ROW_IN_DOUBT,
                              .class = OUTCOME_AMBIGUOUS,
                              .http_status = answer->http_status};

    if (answer->state == ANSWER_NOT_SENT)
        judge_not_sent(answer, &outcome);
    else if (is_unasked(answer))
        set_error(&outcome, "HTTP %d over a connection that goes on: it may be for no request",
                  answer->http_status);
    else if (answer->state == ANSWER_ANSWERED)
        judge_answered(answer, &outcome);
    else
        set_error(&outcome, "no answer: %.*s", SPAN_ARG(answer->detail));
    *ret_outcome = outcome;
}

void outcome_disbelieve(struct outcome *outcome)
{
    char uuid[sizeof(outcome->uuid)];

    (void)snprintf(uuid, sizeof(uuid), "%s", outcome->uuid);
    outcome->uuid[0] = '\0';
    outcome->status = ROW_IN_DOUBT;
    outcome->class = OUTCOME_AMBIGUOUS;
    set_error(outcome,
              "uuid %s, which another command of this run was given before: one of the two got an "
              "answer that was not its own",
              uuid);
}
