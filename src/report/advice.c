#include "report/advice.h"

#include "platform/meaning.h"
#include "platform/problem.h"

static const struct {
    enum row_status status;
    int from, to; /* HTTP status; 0: there was no answer */
    struct advice advice;
} rules[] = {
    {ROW_FAILED,
     0,
     0,
     {NULL, "the request never left",
      "look at the network, the endpoint's name and the proxy, then send the rows again"}},
    {ROW_FAILED,
     300,
     399,
     {NULL, "the endpoint sends elsewhere, and redirects are not followed",
      "give the address it names with --endpoint"}},
    {ROW_FAILED,
     401,
     401,
     {NULL, "the key is refused", "check that the key is the product's, then send the rows again"}},
    {ROW_FAILED,
     403,
     403,
     {NULL, "the key is refused", "check that the key is the product's, then send the rows again"}},
    {ROW_FAILED,
     407,
     407,
     {NULL, "the proxy wants credentials",
      "put them into the proxy's URL (--proxy), then send the rows again"}},
    {ROW_FAILED,
     408,
     408,
     {NULL, "the server gave up waiting for the request", "send the rows again"}},
    {ROW_FAILED,
     429,
     429,
     {NULL, "too many requests", "send more slowly (--rate), then send the rows again"}},
    {ROW_FAILED,
     400,
     499,
     {NULL, "the request is refused", "check the endpoint and what stands between it and you"}},
    {ROW_FAILED,
     500,
     599,
     {NULL, "the platform is overloaded", "send the rows again later, and more slowly (--rate)"}},
    {ROW_IN_DOUBT,
     0,
     0,
     {NULL, "the request may have arrived, and no answer says so",
      "look whether the device holds the command before it is sent again"}},
    {ROW_IN_DOUBT,
     1,
     999,
     {NULL, "the answer does not say whether the command was taken",
      "look whether the device holds the command before it is sent again"}},
};

static const struct advice unknown = {NULL, "nbatch knows no more about it",
                                      "look at the rows in the results"};

static struct advice advice_of_errno(int64_t number, struct span text)
{
    enum meaning_class class;
    const struct meaning *known = NULL;

    /* Results do not say by which dialect they came; the numbers differ. */
    for (enum dialect dialect = 0; known == NULL && dialect < DIALECT_COUNT; dialect++)
        known = meaning_find(dialect, number, text, &class);
    if (known == NULL)
        return (struct advice){NULL, "the platform does not document this number",
                               "ask the platform's support what it means"};
    return (struct advice){known->name, known->meaning, known->remedy};
}

/* An attempt in doubt has an errno that says so itself, or one that says nothing. */
static bool is_doubt_of_errno(const struct reason *reason)
{
    enum meaning_class class = MEANING_REJECTED;

    if (reason->status != ROW_IN_DOUBT || !reason->has_errno)
        return false;
    return meaning_find(DIALECT_V1, reason->platform_errno, reason->text, &class) != NULL &&
           class == MEANING_AMBIGUOUS;
}

/* Whether the text holds the code there. In brackets it ends what is said of a column: what is
 * quoted of the row in front of it may look like a code, too. */
static bool has_code(struct span text, size_t at, const char *code)
{
    struct span rest = span_skip(text, at);

    if (!span_starts_with(rest, code))
        return false;
    rest = span_skip(rest, strlen(code));
    if (at == 0)
        return rest.len == 0 || rest.ptr[0] == ':';
    return span_equal(rest, SPAN_LITERAL("]")) || span_starts_with(rest, "]; ");
}

/* "imei: … [E-IMEI]; …" in the results, "E-IMEI: …" in a tally. */
static struct advice advice_of_problem(struct span text)
{
    for (size_t at = 0; at < text.len; at++) {
        if (text.ptr[at] != 'E' && text.ptr[at] != 'W')
            continue;
        if (at > 0 && text.ptr[at - 1] != '[')
            continue;
        for (size_t i = 0; i < PROBLEM_CODE_COUNT; i++) {
            const char *code = problem_code_name((enum problem_code)i);
            if (has_code(text, at, code))
                return (struct advice){code, "the row does not follow the platform's rules",
                                       problem_code_remedy((enum problem_code)i)};
        }
    }
    return (struct advice){NULL, "the row does not follow the platform's rules",
                           "nbatch check says what is wrong with it"};
}

struct advice advice_of(const struct reason *reason)
{
    if (reason->status == ROW_INVALID)
        return advice_of_problem(reason->text);
    if ((reason->status == ROW_REJECTED && reason->has_errno) || is_doubt_of_errno(reason))
        return advice_of_errno(reason->platform_errno, reason->text);
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++)
        if (rules[i].status == reason->status && reason->http_status >= rules[i].from &&
            reason->http_status <= rules[i].to)
            return rules[i].advice;
    return unknown;
}

const char advice_twice[] =
    "may be held twice: an attempt before the one that was accepted may have arrived as well "
    "(\"ambiguous\" in the results)";

const char *advice_status_meaning(enum row_status status)
{
    static const char *const meanings[] = {
        [ROW_ACCEPTED] = "the platform holds it until the device next reports in",
        [ROW_REJECTED] = "the platform said no",
        [ROW_FAILED] = "certainly not processed",
        [ROW_IN_DOUBT] = "may have been processed, and no answer says so",
        [ROW_INVALID] = "not sent: the row itself is wrong",
    };
    return meanings[status];
}

const char *advice_status_remedy(enum row_status status)
{
    static const char *const remedies[] = {
        [ROW_ACCEPTED] = "nothing",
        [ROW_REJECTED] = "do what the errno asks for (nbatch help errno), then --resume=rejected",
        [ROW_FAILED] = "remove the cause that the summary names, then --resume=failed",
        [ROW_IN_DOUBT] = "see whether the device has it; if twice does no harm, --resume=in_doubt",
        [ROW_INVALID] = "fix the row in the file (error says why), then --resume",
    };
    return remedies[status];
}
