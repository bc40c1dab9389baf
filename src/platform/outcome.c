#include "platform/outcome.h"

#include <stdarg.h>

#include "core/buf.h"
#include "core/text.h"

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

/* A proxy that wants credentials of its own lets nobody through, whatever the row. */
static void judge_not_sent(const struct answer *answer, struct outcome *outcome)
{
    bool wants_proxy_user = answer->proxy_status == 407;

    outcome->status = ROW_FAILED;
    outcome->class = answer->hopeless || wants_proxy_user ? OUTCOME_HOPELESS : OUTCOME_AGAIN;
    if (wants_proxy_user)
        set_error(outcome, "not sent: %s", OUTCOME_PROXY_REFUSES);
    else
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

/* The class of an attempt and the status of its row, by what the refusal means. */
static const struct {
    enum outcome_class class;
    enum row_status status;
} of_meaning[] = {
    [MEANING_ACCEPTED] = {OUTCOME_ACCEPTED, ROW_ACCEPTED},
    [MEANING_LATER] = {OUTCOME_AGAIN, ROW_REJECTED},
    [MEANING_AGAIN] = {OUTCOME_AGAIN, ROW_REJECTED},
    [MEANING_REJECTED] = {OUTCOME_REFUSED, ROW_REJECTED},
    [MEANING_KEY] = {OUTCOME_REFUSED, ROW_REJECTED},
    [MEANING_DEVICE_KEY] = {OUTCOME_REFUSED, ROW_REJECTED},
    [MEANING_AMBIGUOUS] = {OUTCOME_AMBIGUOUS, ROW_IN_DOUBT},
};

static bool is_key_status(int http)
{
    return http == 401 || http == 403 || http == 407;
}

/* An answer, and what it was given for. */
struct judgement {
    enum dialect dialect;
    enum operation operation;
    const struct answer *answer;
};

/* What a number other than 0 means beside the rest of its answer. */
static enum meaning_class meaning_beside(const struct judgement *judgement,
                                         const struct reply *reply)
{
    enum meaning_class meaning;
    const struct meaning *known =
        meaning_find(judgement->dialect, reply->number, span_string(reply->error), &meaning);
    bool is_unseen = dialects[judgement->dialect].unseen;

    /* A refusal that hands out a uuid may have taken the command: it is not to be sent again. */
    if (reply->uuid[0] != '\0')
        return meaning_is_again(meaning) || is_unseen ? MEANING_AMBIGUOUS : MEANING_REJECTED;
    /* A number that nobody knows is explained by the status that it comes with. */
    if (known == NULL && is_key_status(judgement->answer->http_status))
        return MEANING_DEVICE_KEY;
    return known == NULL && reply->is_crossed ? MEANING_AMBIGUOUS : meaning;
}

static void judge_number(const struct judgement *judgement, const struct reply *reply,
                         struct outcome *outcome)
{
    enum meaning_class meaning = meaning_beside(judgement, reply);
    const struct meaning *known = meaning_of_number(judgement->dialect, reply->number);

    outcome->meaning = meaning;
    outcome->class = of_meaning[meaning].class;
    outcome->status = of_meaning[meaning].status;
    if (reply->error[0] != '\0')
        set_error(outcome, "%s", reply->error);
    else
        set_error(outcome, "%s", known != NULL ? known->name : "the platform gave no text");
}

/* errno 0: the command was processed, whatever else is odd about the answer, and must never be sent
 * again. */
static void judge_acceptance(const struct judgement *judgement, const struct reply *reply,
                             struct outcome *outcome)
{
    int http = judgement->answer->http_status;
    const char *number = dialects[reply->is_crossed ? DIALECT_V1 : judgement->dialect].number;

    outcome->meaning = MEANING_ACCEPTED;
    outcome->class = OUTCOME_ACCEPTED;
    outcome->status = ROW_ACCEPTED;
    (void)snprintf(outcome->uuid, sizeof(outcome->uuid), "%s", reply->uuid);
    if (reply->flaw != NULL && operation_is_submit(judgement->operation))
        set_error(outcome, "%s 0 without a uuid that can be read: %s", number, reply->flaw);
    else if (http < 200 || http >= 300)
        set_error(outcome, "%s 0 with HTTP %d", number, http);
}

static void set_ambiguous(struct outcome *outcome)
{
    outcome->status = ROW_IN_DOUBT;
    outcome->class = OUTCOME_AMBIGUOUS;
}

/* A question is none the worse for it. */
static void set_maybe_processed(const struct judgement *judgement, struct outcome *outcome)
{
    set_ambiguous(outcome);
    set_error(outcome, "HTTP %d%s", judgement->answer->http_status,
              operation_is_submit(judgement->operation) ? ": the command may have been processed"
                                                        : "");
}

/* An answer with an errno. What a status of 5xx comes with may be the word of somebody who knows
 * nothing of what has become of the command; that the key is refused is said before it is taken. */
static void judge_reply(const struct judgement *judgement, const struct reply *reply,
                        struct outcome *outcome)
{
    int http = judgement->answer->http_status;

    outcome->voice = VOICE_PLATFORM;
    outcome->has_errno = true;
    outcome->platform_errno = reply->number;
    outcome->meaning = MEANING_AMBIGUOUS;
    if (reply->contradicts) {
        set_ambiguous(outcome);
        set_error(outcome, "HTTP %d with several %s in one answer", http,
                  dialects[judgement->dialect].number);
    } else if (reply->number == 0) {
        judge_acceptance(judgement, reply, outcome);
    } else if (is_http_again(judgement->answer)) {
        outcome->status = ROW_FAILED;
        outcome->class = OUTCOME_AGAIN;
        outcome->meaning = MEANING_LATER;
        set_error(outcome, "HTTP %d: the platform asks to come back later", http);
    } else if (http < 500 || meaning_is_key(meaning_beside(judgement, reply))) {
        judge_number(judgement, reply, outcome);
    } else {
        set_maybe_processed(judgement, outcome);
    }
}

/* What came in place of the platform's JSON, as much as helps to tell what it is. */
static void add_shown(struct span body, struct buf *out)
{
    char shown[OUTCOME_SHOWN_MAX + 1];

    body = text_trim_blanks(body);
    buf_copy_printable(shown, sizeof(shown), span_of(body.ptr, body.len < 4096 ? body.len : 4096));
    if (body.len == 0)
        buf_add_string(out, ": it is empty");
    else
        buf_add_format(out, ": %s%s", shown, body.len > OUTCOME_SHOWN_MAX ? "…" : "");
}

static void set_unreadable(const struct answer *answer, enum status parsed, struct outcome *outcome)
{
    struct buf shown;

    buf_init(&shown, 4096);
    if (parsed == STATUS_NO_MEMORY)
        buf_add_string(&shown, "an answer that there was no memory to read");
    else if (!answer->is_whole && answer->detail.len > 0)
        buf_add_format(&shown, "an unreadable answer: %.*s", SPAN_ARG(answer->detail));
    else
        buf_add_string(&shown, "an unreadable answer");
    if (parsed != STATUS_NO_MEMORY)
        add_shown(answer->body, &shown);
    set_error(outcome, "HTTP %d with %s", answer->http_status, buf_string(&shown));
    buf_deinit(&shown);
}

/* A body that names an errno is the platform's, however broken. */
static bool is_foreign(const struct answer *answer, enum status parsed)
{
    const char *number = dialects[DIALECT_V1].number;

    return answer->is_whole && parsed != STATUS_NO_MEMORY &&
           (answer->body.len == 0 ||
            memmem(answer->body.ptr, answer->body.len, number, strlen(number)) == NULL);
}

static void set_refused(const struct answer *answer, struct outcome *outcome)
{
    int http = answer->http_status;

    outcome->status = ROW_FAILED;
    outcome->class = OUTCOME_REFUSED;
    if (http == 407)
        set_error(outcome, "HTTP 407: %s", OUTCOME_PROXY_REFUSES);
    else if (http >= 400)
        set_error(outcome, "HTTP %d", http);
    else if (answer->location.len > 0)
        set_error(outcome, "HTTP %d: redirects are not followed, here to %.*s", http,
                  SPAN_ARG(answer->location));
    else
        set_error(outcome, "HTTP %d: redirects are not followed", http);
}

/* An answer without an errno that can be read. */
static void judge_unreadable(const struct judgement *judgement, enum status parsed,
                             struct outcome *outcome)
{
    const struct answer *answer = judgement->answer;
    int http = answer->http_status;
    bool foreign = is_foreign(answer, parsed);

    if (http >= 200 && http < 300) {
        set_ambiguous(outcome);
        set_unreadable(answer, parsed, outcome);
        outcome->voice = foreign ? VOICE_FOREIGN : VOICE_NONE;
    } else if (is_http_again(answer)) {
        outcome->status = ROW_FAILED;
        outcome->class = OUTCOME_AGAIN;
        set_error(outcome, "HTTP %d: the platform asks to come back later", http);
    } else if (http >= 300 && http < 500) {
        set_refused(answer, outcome);
        outcome->voice = foreign && !is_key_status(http) ? VOICE_FOREIGN : VOICE_NONE;
    } else {
        set_maybe_processed(judgement, outcome);
    }
}

/* Of a dialect that nobody has seen answer, whatever comes whole and is not understood is no reason
 * to hand in a command again, also where a person asks for that. What a gateway says by its status
 * alone, and a body that was cut off, are no answers of the platform. */
static void be_careful(const struct judgement *judgement, enum status parsed,
                       struct outcome *outcome)
{
    int http = judgement->answer->http_status;
    bool is_an_answer =
        outcome->has_errno ||
        (http >= 200 && http < 300 && parsed != STATUS_NO_MEMORY && judgement->answer->is_whole);

    if (operation_is_submit(judgement->operation) && dialects[judgement->dialect].unseen &&
        outcome->class == OUTCOME_AMBIGUOUS && is_an_answer)
        outcome->class = OUTCOME_UNKNOWN;
}

static void judge_answered(const struct judgement *judgement, struct outcome *outcome)
{
    struct reply reply = {.number = 0};
    enum status parsed = reply_parse_as(judgement->dialect, judgement->answer->body, &reply);

    if (parsed == STATUS_OK)
        judge_reply(judgement, &reply, outcome);
    else
        judge_unreadable(judgement, parsed, outcome);
    be_careful(judgement, parsed, outcome);
}

bool outcome_refuses_key(const struct outcome *outcome)
{
    if (outcome->class != OUTCOME_REFUSED)
        return false;
    return outcome->has_errno ? meaning_is_key(outcome->meaning)
                              : is_key_status(outcome->http_status);
}

/* Whether it may be the server's word on a connection on which it read nothing, rather than on the
 * request; what the platform says is for a request. */
static bool is_unasked(enum dialect dialect, const struct answer *answer)
{
    struct reply reply;
    return answer->state == ANSWER_ANSWERED && answer->may_be_unasked &&
           reply_parse_as(dialect, answer->body, &reply) != STATUS_OK;
}

void outcome_judge(enum dialect dialect, enum operation operation, const struct answer *answer,
                   struct outcome *ret_outcome)
{
    const struct judgement judgement = {dialect, operation, answer};
    struct outcome outcome = {.status = ROW_IN_DOUBT,
                              .class = OUTCOME_AMBIGUOUS,
                              .http_status = answer->http_status};

    if (answer->state == ANSWER_NOT_SENT)
        judge_not_sent(answer, &outcome);
    else if (is_unasked(dialect, answer))
        set_error(&outcome, "HTTP %d over a connection that goes on: it may be for no request",
                  answer->http_status);
    else if (answer->state == ANSWER_ANSWERED)
        judge_answered(&judgement, &outcome);
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
