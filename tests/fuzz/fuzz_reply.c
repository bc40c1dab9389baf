/* platform/reply.h over any bytes, and what outcome_judge makes of them. */
#include "core/buf.h"
#include "fuzz_help.h"
#include "platform/outcome.h"

enum { CUT_MAX = 512 }; /* longer bodies are not cut at every offset: that is quadratic */

static const int64_t EXACT_INTEGER_MAX = 9007199254740992; /* 2^53 */

static enum dialect spoken;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_same(const struct reply *a, const struct reply *b)
{
    return a->number == b->number && a->contradicts == b->contradicts &&
           a->is_crossed == b->is_crossed && (a->flaw == NULL) == (b->flaw == NULL) &&
           strcmp(a->error, b->error) == 0 && strcmp(a->uuid, b->uuid) == 0;
}

static enum status parse(const void *bytes, size_t size, char behind, struct reply *ret_reply)
{
    char *copy = copy_with_byte_behind(bytes, size, behind);
    const struct reply untouched = {.number = 77, .error = "untouched", .uuid = "untouched"};
    struct reply reply = untouched;
    enum status status = reply_parse_as(spoken, span_of(copy, size), &reply);

    free(copy);
    MUST(status == STATUS_OK || status == STATUS_SYNTAX);
    MUST(status == STATUS_OK || is_same(&reply, &untouched));
    if (status == STATUS_OK)
        *ret_reply = reply;
    return status;
}

static void check_texts(const struct reply *reply)
{
    struct span uuid = span_string(reply->uuid), error = span_string(reply->error);

    MUST(reply->number > -EXACT_INTEGER_MAX && reply->number < EXACT_INTEGER_MAX);
    MUST(uuid.len <= REPLY_UUID_MAX && is_printable(uuid));
    MUST(span_equal(text_trim_blanks(uuid), uuid));
    MUST((uuid.len == 0) == (reply->flaw != NULL));
    MUST(error.len <= REPLY_ERROR_MAX && is_printable(error) && text_is_utf8(error));
}

/* A reply that was cut off is none: nobody can know what the rest would have said. What is behind
 * the object may be missing. */
static void check_cuts(const uint8_t *data, size_t size, const struct reply *whole)
{
    struct reply reply;

    while (size > 0 && is_space((char)data[size - 1]))
        size--;
    for (size_t cut = 0; cut < size && size <= CUT_MAX; cut++)
        MUST(parse(data, cut, '}', &reply) == STATUS_SYNTAX || reply.number == whole->number);
}

static void check_outcome(const uint8_t *data, size_t size, enum status status,
                          const struct reply *reply)
{
    static const int https[] = {200, 302, 404, 429, 500, 503};
    char *copy = copy_with_byte_behind(data, size, '\0');
    struct answer answer = {.state = ANSWER_ANSWERED,
                            .body = span_of(copy, size),
                            .detail = SPAN_LITERAL("the answer ended")};

    for (size_t i = 0; i < ARRAY_LENGTH(https); i++) {
        struct outcome outcome;
        answer.http_status = https[i];
        outcome_judge(spoken, OPERATION_WRITE, &answer, &outcome);
        bool wanted = status == STATUS_OK && reply->number == 0 && !reply->contradicts;
        MUST((outcome.status == ROW_ACCEPTED) == wanted);
        MUST((outcome.class == OUTCOME_ACCEPTED) == wanted);
        MUST(strcmp(outcome.uuid, wanted ? reply->uuid : "") == 0);
        MUST(spoken == DIALECT_V1 || https[i] == 429 || outcome.class != OUTCOME_AGAIN);
        bool plain = wanted && https[i] == 200 && reply->flaw == NULL;
        MUST(outcome.has_errno == (status == STATUS_OK));
        MUST(is_printable(span_string(outcome.error)) && (outcome.error[0] == '\0') == plain);
    }
    free(copy);
}

/* The same in the form that is read without a tree, and in one that is not. */
static void check_usual(struct span text, const struct reply *same)
{
    static const char *const around[][2] = {
        {"{\"errno\":0,\"error\":\"succ\",\"data\":{\"uuid\":", "}}"},
        {" {\"errno\":0,\"error\":\"succ\",\"data\":{\"uuid\":", "}}"},
    };
    struct reply reply;
    struct buf body;

    for (size_t i = 0; i < ARRAY_LENGTH(around); i++) {
        buf_init(&body, SIZE_MAX / 2);
        buf_add_string(&body, around[i][0]);
        buf_add_json_string(&body, text);
        buf_add_string(&body, around[i][1]);
        MUST(body.status == STATUS_OK && parse(body.ptr, body.len, '\0', &reply) == STATUS_OK);
        MUST(reply.number == 0 && strcmp(reply.error, "succ") == 0);
        MUST(strcmp(reply.uuid, same->uuid) == 0);
        buf_deinit(&body);
    }
}

/* The bytes as the uuid of an otherwise good reply: it is taken whole or not at all. */
static void check_as_uuid(const uint8_t *data, size_t size)
{
    struct span text = span_of((const char *)data, size);
    struct reply reply;
    struct buf body;

    if (!text_is_utf8(text))
        return;
    buf_init(&body, SIZE_MAX / 2);
    buf_add_string(&body, "{\"data\":{\"uuid\":");
    buf_add_json_string(&body, text);
    buf_add_string(&body, "},\"errno\":0}");
    MUST(body.status == STATUS_OK && parse(body.ptr, body.len, '\0', &reply) == STATUS_OK);
    buf_deinit(&body);
    check_texts(&reply);
    check_usual(text, &reply);
    if (memchr(text.ptr, '\0', text.len) != NULL)
        return; /* counts only in the form of a whole one: see test_reply.c */
    text = text_trim_blanks(text);
    bool usable = text.len <= REPLY_UUID_MAX && is_printable(text);
    MUST(span_equal(span_string(reply.uuid), usable ? text : span_of("", 0)));
}

static void check(const uint8_t *data, size_t size)
{
    struct reply first, reply;
    enum status status = parse(data, size, '\0', &first);

    for (size_t i = 1; i < sizeof(bytes_behind); i++) {
        MUST(parse(data, size, bytes_behind[i], &reply) == status);
        MUST(status != STATUS_OK || is_same(&reply, &first));
    }
    if (status == STATUS_OK) {
        check_texts(&first);
        check_cuts(data, size, &first);
    }
    check_outcome(data, size, status, &first);
    if (size > 0)
        check_as_uuid(data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (spoken = DIALECT_V1; spoken < DIALECT_COUNT; spoken++)
        check(data, size);
    return 0;
}
