#include "platform/reply.h"

#include <math.h>
#include <stdlib.h>

#include "core/buf.h"
#include "core/jsonlex.h"
#include "core/text.h"
#include "platform/json.h"

enum { UUID_LENGTH = 36 };

static const double EXACT_INTEGER_MAX = 9007199254740992.0; /* 2^53 */

static struct span text_of(const cJSON *member)
{
    return text_trim_blanks(
        span_string(member != NULL && cJSON_IsString(member) ? member->valuestring : ""));
}

/* Whether a string of the body may go on where cJSON's C string ends. */
static bool has_nul(struct span body)
{
    struct jsonlex lex;
    enum status status = jsonlex_check(&lex, body);

    return lex.nul_escape || (status != STATUS_OK && (memchr(body.ptr, '\0', body.len) != NULL ||
                                                      memmem(body.ptr, body.len, "\\u0000", 6)));
}

/* 8-4-4-4-12 hexadecimal digits: nothing of it is missing. */
static bool has_uuid_form(struct span text)
{
    if (text.len != UUID_LENGTH)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text.ptr[i] != '-' : !is_hex_digit(text.ptr[i]))
            return false;
    }
    return true;
}

/* What is found of the uuid, member by member. */
struct search {
    struct span body;
    struct reply *reply;
    bool differs; /* there are two */
};

static void take_uuid(struct search *search, const cJSON *member)
{
    struct reply *reply = search->reply;
    struct span text = text_of(member);

    if (!cJSON_IsString(member)) {
        reply->flaw = "its uuid is no text";
    } else if (text.len == 0) {
        reply->flaw = "its uuid is empty";
    } else if (text.len > REPLY_UUID_MAX) {
        reply->flaw = "its uuid is too long";
    } else if (text_printable_prefix(text) != text.len) {
        reply->flaw = "its uuid is not printable";
    } else if (!has_uuid_form(text) && has_nul(search->body)) {
        reply->flaw = "its uuid is cut off by a NUL";
    } else if (reply->uuid[0] != '\0' && !span_equal(span_string(reply->uuid), text)) {
        search->differs = true;
    } else {
        memcpy(reply->uuid, text.ptr, text.len); /* takes no memory: it must not be lost for that */
        reply->uuid[text.len] = '\0';
    }
}

/* `data` as documented, and in the forms that still say which uuid is meant. */
static void take_data(struct search *search, const cJSON *data)
{
    const cJSON *member;
    bool met = false;

    if (cJSON_IsArray(data)) {
        search->reply->flaw = "its data is a list";
        data = cJSON_GetArraySize(data) == 1 ? data->child : NULL;
    }
    if (cJSON_IsString(data) && has_uuid_form(text_of(data)))
        take_uuid(search, data);
    if (!cJSON_IsObject(data))
        return;
    cJSON_ArrayForEach(member, data)
    {
        if (strcmp(member->string, "uuid") != 0)
            continue;
        met = true;
        take_uuid(search, member);
    }
    if (!met)
        search->reply->flaw = "there is no uuid in its data";
}

static void find_uuid(struct span body, const cJSON *root, struct reply *reply)
{
    struct search search = {body, reply, false};
    const cJSON *member;

    reply->flaw = "it has no data that holds one";
    cJSON_ArrayForEach(member, root) if (strcmp(member->string, "data") == 0)
        take_data(&search, member);
    if (search.differs) {
        reply->flaw = "it names two different uuids";
        reply->uuid[0] = '\0';
    }
    if (reply->uuid[0] != '\0')
        reply->flaw = NULL;
}

static bool to_integer(double value, int64_t *ret_number)
{
    if (!(fabs(value) < EXACT_INTEGER_MAX) || trunc(value) != value)
        return false;
    *ret_number = (int64_t)value;
    return true;
}

/* A whole number, also as a text. */
static bool to_number(const cJSON *member, int64_t *ret_number)
{
    struct span text = text_of(member);
    char digits[JSONLEX_NUMBER_MAX + 1];

    if (cJSON_IsNumber(member))
        return to_integer(member->valuedouble, ret_number);
    if (text.len >= sizeof(digits) || !jsonlex_is_number(text))
        return false;
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = '\0';
    return to_integer(strtod(digits, NULL), ret_number);
}

/* Takes the members of that name as the reply's number; whether there was one. */
static bool take_numbers(const cJSON *root, const char *name, struct reply *reply)
{
    const cJSON *member;
    bool found = false, odd = false;

    cJSON_ArrayForEach(member, root)
    {
        int64_t number = 0;
        if (strcmp(member->string, name) != 0)
            continue;
        if (!to_number(member, &number)) {
            odd = true;
        } else if (!found) {
            found = true;
            reply->number = number;
        } else if (number != reply->number) {
            odd = true;
        }
    }
    reply->contradicts = found && odd;
    return found;
}

/* Whether the tree is a reply; its number is then in `reply`, and whether there is another. Many a
 * service answers with a code: the second dialect's has company. */
static bool read_number(enum dialect dialect, const cJSON *root, struct reply *reply)
{
    const struct dialect_rule *rule = &dialects[dialect];
    struct reply first = *reply;

    if (!cJSON_IsObject(root))
        return false;
    if (dialect == DIALECT_V1)
        return take_numbers(root, rule->number, reply);
    bool is_own = (cJSON_GetObjectItemCaseSensitive(root, rule->text) != NULL ||
                   cJSON_GetObjectItemCaseSensitive(root, "request_id") != NULL) &&
                  take_numbers(root, rule->number, reply);
    bool is_first = take_numbers(root, dialects[DIALECT_V1].number, &first);
    if (is_own && is_first)
        reply->contradicts =
            reply->contradicts || first.contradicts || first.number != reply->number;
    else if (is_first)
        *reply = first;
    reply->is_crossed = is_first && !is_own;
    return is_own || is_first;
}

static bool is_uuid_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-';
}

/* The usual success, byte for byte as the platform's pages show it. A tree of any other costs ten
 * times as much; both say the same (tests/fuzz/fuzz_reply.c). */
static bool read_usual(struct span body, struct reply *ret_reply)
{
    static const char before[] = "{\"errno\":0,\"error\":\"succ\",\"data\":{\"uuid\":\"";
    static const char after[] = "\"}}";
    size_t around = sizeof(before) - 1 + sizeof(after) - 1;

    if (body.len <= around || body.len > around + REPLY_UUID_MAX ||
        memcmp(body.ptr, before, sizeof(before) - 1) != 0 ||
        memcmp(body.ptr + body.len - (sizeof(after) - 1), after, sizeof(after) - 1) != 0)
        return false;
    struct span uuid = span_of(body.ptr + sizeof(before) - 1, body.len - around);
    for (size_t i = 0; i < uuid.len; i++)
        if (!is_uuid_char(uuid.ptr[i]))
            return false;
    ret_reply->number = 0;
    ret_reply->contradicts = ret_reply->is_crossed = false;
    ret_reply->flaw = NULL;
    memcpy(ret_reply->error, "succ", sizeof("succ"));
    memcpy(ret_reply->uuid, uuid.ptr, uuid.len);
    ret_reply->uuid[uuid.len] = '\0';
    return true;
}

/* Makes each escape that is none a question mark and the text behind it, as long as before. False
 * where there was nothing to do. */
static bool repair_escapes(char *text, size_t len)
{
    bool changed = false;

    for (size_t at = 0; at < len;) {
        struct span rest = span_of(text + at, len - at);
        size_t step = text[at] == '\\' ? jsonlex_escape_length(rest) : 1;
        if (step == 0) {
            text[at] = '?';
            changed = true;
            step = 1;
        }
        at += step;
    }
    return changed;
}

/* Whether what is behind the object says nothing else about the command. */
static bool is_silent(enum dialect dialect, struct span rest)
{
    const char *name = dialects[dialect].number;

    return memmem(rest.ptr, rest.len, "errno", 5) == NULL &&
           memmem(rest.ptr, rest.len, name, strlen(name)) == NULL;
}

/* What cJSON can read of the body, as a reply. */
static enum status read_reply(enum dialect dialect, struct span body, struct reply *ret_reply)
{
    struct reply reply = {.number = 0};
    cJSON *root = NULL;
    size_t at = 0;
    enum status status = json_parse(body, &root, &at);

    if (status != STATUS_OK)
        return status;
    bool is_whole = at == body.len;
    if (read_number(dialect, root, &reply) &&
        (is_whole || (reply.number == 0 && is_silent(dialect, span_skip(body, at))))) {
        const char *name = dialects[reply.is_crossed ? DIALECT_V1 : dialect].text;
        buf_copy_printable(reply.error, sizeof(reply.error),
                           text_of(cJSON_GetObjectItemCaseSensitive(root, name)));
        find_uuid(body, root, &reply);
        *ret_reply = reply;
    } else {
        status = STATUS_SYNTAX;
    }
    cJSON_Delete(root);
    return status;
}

enum status reply_parse_as(enum dialect dialect, struct span body, struct reply *ret_reply)
{
    if (dialect == DIALECT_V1 && read_usual(body, ret_reply))
        return STATUS_OK;
    enum status status = read_reply(dialect, body, ret_reply);
    if (status != STATUS_SYNTAX || body.len == 0 || memchr(body.ptr, '\\', body.len) == NULL)
        return status;
    char *copy = malloc(body.len + 1);
    if (copy == NULL)
        return STATUS_NO_MEMORY;
    memcpy(copy, body.ptr, body.len);
    copy[body.len] = '\0';
    if (repair_escapes(copy, body.len))
        status = read_reply(dialect, span_of(copy, body.len), ret_reply);
    free(copy);
    return status;
}
