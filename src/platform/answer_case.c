#include "platform/answer_case.h"

#include <assert.h>

/* Each line: name, why; class, what it covers. */
#define ANSWERED(first, last) .by = CASE_BY_HTTP, .from = (first), .to = (last)
#define NOT_ANSWERED          ANSWERED(0, 0)
#define MEANS(meaning)        .by = CASE_BY_MEANING, .from = (meaning), .to = (meaning)
#define THE_REST              .by = CASE_BY_CLASS

const struct answer_case answer_cases[ANSWER_CASE_COUNT] = {
    {"accepted", "the platform gave a uuid", OUTCOME_ACCEPTED, THE_REST},

    {"HTTP 429", "too many requests: not processed", OUTCOME_AGAIN, ANSWERED(429, 429),
     .throttles = true},
    {"HTTP 503, Retry-After", "overloaded: not processed", OUTCOME_AGAIN, ANSWERED(503, 503),
     .throttles = true},
    {"HTTP 408", "the server gave up waiting for the request", OUTCOME_AGAIN, ANSWERED(408, 408)},
    {"HTTP 421", "another connection is asked for", OUTCOME_AGAIN, ANSWERED(421, 421)},
    {"HTTP 425", "the request came too early", OUTCOME_AGAIN, ANSWERED(425, 425)},
    {"errno: later", "too much to do, not processed", OUTCOME_AGAIN, MEANS(MEANING_LATER),
     .throttles = true},
    {"errno: again", "a fault, not processed", OUTCOME_AGAIN, MEANS(MEANING_AGAIN)},
    {"not sent", "name lookup, connecting or the TLS handshake failed", OUTCOME_AGAIN,
     NOT_ANSWERED},
    {"other transient answer", "not processed, and may be later", OUTCOME_AGAIN, THE_REST},

    {"no answer", "the request may have left before it failed", OUTCOME_AMBIGUOUS, NOT_ANSWERED},
    {"HTTP 503", "overloaded, here or behind a gateway", OUTCOME_AMBIGUOUS, ANSWERED(503, 503),
     .throttles = true},
    {"other HTTP 5xx", "a fault before, in or after processing", OUTCOME_AMBIGUOUS,
     ANSWERED(500, 599)},
    {"errno: in doubt", "the platform does not know itself", OUTCOME_AMBIGUOUS,
     MEANS(MEANING_AMBIGUOUS)},
    {"unreadable answer", "HTTP 2xx that does not say what became of the command",
     OUTCOME_AMBIGUOUS, ANSWERED(200, 299)},
    {"other doubt", "nothing says what became of the command", OUTCOME_AMBIGUOUS, THE_REST},

    {"unknown answer", "nobody has seen its form: it may have been processed", OUTCOME_UNKNOWN,
     THE_REST},

    {"errno: key", "the key is refused; five in a row stop", OUTCOME_REFUSED, MEANS(MEANING_KEY)},
    {"errno: device's key", "the key does not fit; five in a row stop", OUTCOME_REFUSED,
     MEANS(MEANING_DEVICE_KEY)},
    {"other errno", "the command is refused", OUTCOME_REFUSED, MEANS(MEANING_REJECTED)},
    {"HTTP 401", "the key is refused; five in a row stop the run", OUTCOME_REFUSED,
     ANSWERED(401, 401)},
    {"HTTP 403", "the key is refused; five in a row stop the run", OUTCOME_REFUSED,
     ANSWERED(403, 403)},
    {"HTTP 407", "the proxy wants credentials; five in a row stop the run", OUTCOME_REFUSED,
     ANSWERED(407, 407)},
    {"HTTP 3xx", "redirects are not followed", OUTCOME_REFUSED, ANSWERED(300, 399)},
    {"other HTTP 4xx", "the request is refused", OUTCOME_REFUSED, ANSWERED(400, 499)},
    {"other refusal", "it would be refused again", OUTCOME_REFUSED, THE_REST},

    {"nothing can be sent", "certificates or settings are wrong: the run stops", OUTCOME_HOPELESS,
     THE_REST},
};

static bool covers(const struct answer_case *one, const struct outcome *outcome)
{
    int number = one->by == CASE_BY_HTTP ? outcome->http_status : (int)outcome->meaning;

    if (one->class != outcome->class)
        return false;
    if (one->by == CASE_BY_CLASS)
        return true;
    if (one->by == CASE_BY_MEANING && !outcome->has_errno)
        return false;
    return number >= one->from && number <= one->to;
}

const struct answer_case *answer_case_of(const struct outcome *outcome)
{
    const struct answer_case *one = answer_cases;

    while (!covers(one, outcome)) {
        one++;
        assert(one < answer_cases + ANSWER_CASE_COUNT);
    }
    return one;
}
