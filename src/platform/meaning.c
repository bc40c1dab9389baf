#include "platform/meaning.h"

#include <ctype.h>

#include "core/text.h"

#define V1 DIALECT_V1
#define V2 DIALECT_V2

#define CHECK_KEY "check that the key is the product's MasterKey, then send the rows again"
#define CHECK_ACCESS                                                                            \
    "check that the access key and the id are the account's, and that it may use the product, " \
    "then "                                                                                     \
    "send the rows again"
#define CHECK_INPUT "run nbatch check on the input"
#define SEND_AGAIN  "send the row again"

/* The first entry of a number is that of the NB-IoT page, where it has one. */
static const struct meaning entries[] = {
    {0, "succ", "accepted", "nothing to do", MEANING_ACCEPTED, V1},
    {1, "auth failed", "the api-key does not match the imei",
     "use the MasterKey of the product that the device belongs to", MEANING_DEVICE_KEY, V1},
    {1, "internal server error", "internal fault of the platform", SEND_AGAIN, MEANING_AGAIN, V1},
    {2, "api-key required", "the request came without a key that the platform knows", CHECK_KEY,
     MEANING_KEY, V1},
    {3, "parameter required", "the body is missing or malformed", CHECK_INPUT, MEANING_REJECTED,
     V1},
    {3, "auth failed", "the key or token is refused", CHECK_KEY, MEANING_KEY, V1},
    {4, "invalid JSON", "the platform cannot read the body", CHECK_INPUT, MEANING_REJECTED, V1},
    {5, "request entity too large", "the command's content is too long",
     "keep data or args within 2 KB", MEANING_REJECTED, V1},
    {6, "invalid parameter", "the platform does not take one of the values",
     "compare the row with the device's object model", MEANING_REJECTED, V1},
    {7, "service internal error", "internal backlog of the platform", "send the row again later",
     MEANING_LATER, V1},
    {7, "parameter required", "a parameter is missing", CHECK_INPUT, MEANING_REJECTED, V1},
    {8, "not found", "the platform knows no such device or resource",
     "look whether the device is registered under this product", MEANING_REJECTED, V1},
    {9, "entity data required", "the body is missing", CHECK_INPUT, MEANING_REJECTED, V1},
    {10, "device not online", "only immediate commands need the device online",
     "use cached commands, or wait for the device", MEANING_REJECTED, V1},
    {11, "already exists", "the platform holds it already", "look at the device on the platform",
     MEANING_REJECTED, V1},
    {12, "already exists", "the platform holds it already", "look at the device on the platform",
     MEANING_REJECTED, V1},
    {13, "system limit", "a limit of the platform was crossed",
     "wait until the device has fetched its commands, or cancel some", MEANING_REJECTED, V1},
    {14, "network latency", "the platform's own network is slow", SEND_AGAIN, MEANING_AGAIN, V1},
    {15, "api freq out of limit", "too many requests", "send more slowly, then send the row again",
     MEANING_LATER, V1},
    {16, "unsuccess", "the command was refused", "look at the command's confirm_status",
     MEANING_REJECTED, V1},
    {17, "nbiot server error", "internal fault of the platform", SEND_AGAIN, MEANING_AGAIN, V1},
    {18, "hs server error", "internal fault of the platform", SEND_AGAIN, MEANING_AGAIN, V1},
    {22, "invalid protocol", "the device is of another protocol",
     "look whether the product is an NB-IoT (LwM2M) one", MEANING_REJECTED, V1},
    {2001, "device not online", "only immediate commands need the device online",
     "use cached commands, or wait for the device", MEANING_REJECTED, V1},
    {5006, "system logic limit",
     "a documented limit was crossed, such as ten commands waiting per device",
     "wait until the device has fetched its commands, or cancel some", MEANING_REJECTED, V1},
    {5106, "UNSUCESS", "the device refused the command", "look at the command's confirm_status",
     MEANING_REJECTED, V1},
    {5108, "invalid parameter", "the platform does not take one of the values",
     "compare the row with the device's object model", MEANING_REJECTED, V1},
    {5108, "rpc response error", "the platform lost the answer of a service of its own",
     "look whether the device holds the command before it is sent again", MEANING_AMBIGUOUS, V1},
    {5117, "rpc error", "internal fault of the platform", SEND_AGAIN, MEANING_AGAIN, V1},
    {10403, "no permission", "with --api v2: the token is refused, or does not allow this",
     CHECK_ACCESS, MEANING_KEY, V2},
};

/*
 * What texts contain, folded as fold() leaves them, and the text of the table that they stand for.
 * The Chinese forms are those of the platform's pages and consoles. The first that is met counts.
 */
static const struct {
    const char *part;
    const char *name;
} parts[] = {
    {"apikeyrequired", "api-key required"},
    {"nopermission", "no permission"},
    {"authfail", "auth failed"},
    {"authenticationfail", "auth failed"},
    {"authorizationfail", "auth failed"},
    {"invalidtoken", "auth failed"},
    {"tokeninvalid", "auth failed"},
    {"tokenexpired", "auth failed"},
    {"invalidapikey", "auth failed"},
    {"apikeyinvalid", "auth failed"},
    {"鉴权失败", "auth failed"},
    {"认证失败", "auth failed"},
    {"无效的token", "auth failed"},
    {"token无效", "auth failed"},
    {"token过期", "auth failed"},
    {"serviceinternalerror", "service internal error"},
    {"internalservererror", "internal server error"},
    {"服务器内部错误", "internal server error"},
    {"服务内部错误", "service internal error"},
    {"内部服务错误", "service internal error"},
    {"内部错误", "internal server error"},
    {"parameterrequired", "parameter required"},
    {"缺少参数", "parameter required"},
    {"参数缺失", "parameter required"},
    {"参数不能为空", "parameter required"},
    {"invalidparameter", "invalid parameter"},
    {"参数错误", "invalid parameter"},
    {"参数无效", "invalid parameter"},
    {"无效参数", "invalid parameter"},
    {"参数不合法", "invalid parameter"},
    {"非法参数", "invalid parameter"},
    {"invalidjson", "invalid JSON"},
    {"entitytoolarge", "request entity too large"},
    {"entitydatarequired", "entity data required"},
    {"notfound", "not found"},
    {"devicenotonline", "device not online"},
    {"设备不在线", "device not online"},
    {"设备离线", "device not online"},
    {"alreadyexist", "already exists"},
    {"已存在", "already exists"},
    {"systemlogiclimit", "system logic limit"},
    {"systemlimit", "system limit"},
    {"networklatency", "network latency"},
    {"网络延迟", "network latency"},
    {"freqoutoflimit", "api freq out of limit"},
    {"frequencyoutoflimit", "api freq out of limit"},
    {"toofrequent", "api freq out of limit"},
    {"toomanyrequests", "api freq out of limit"},
    {"频率", "api freq out of limit"},
    {"频繁", "api freq out of limit"},
    {"nbiotservererror", "nbiot server error"},
    {"hsservererror", "hs server error"},
    {"invalidprotocol", "invalid protocol"},
    {"rpcresponseerror", "rpc response error"},
    {"rpcerror", "rpc error"},
    {"unsucess", "UNSUCESS"},
    {"unsuccess", "unsuccess"},
};

enum { FOLDED_MAX = 255 };

/* The length of an invisible character as buf_add_printable shows it, <U+00A0>; 0: it is none. */
static size_t shown_prefix(struct span text)
{
    static const char start[] = "<U+";
    size_t len = sizeof(start) - 1;

    if (text.len < len || memcmp(text.ptr, start, len) != 0)
        return 0;
    while (len < text.len && isxdigit((unsigned char)text.ptr[len]) != 0)
        len++;
    return len < text.len && text.ptr[len] == '>' ? len + 1 : 0;
}

/* Small letters, digits, and what is beyond ASCII without its blanks and what nobody sees; a long
 * text counts by its beginning. */
static void fold(struct span text, char out[FOLDED_MAX + 1])
{
    size_t len = 0;

    while (text.len > 0 && len < FOLDED_MAX) {
        size_t blank = text_blank_prefix(text) + shown_prefix(text);
        char c = text.ptr[0];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        bool kept = (c >= 'a' && c <= 'z') || is_digit(c) || (unsigned char)c >= 0x80;
        if (blank == 0 && kept)
            out[len++] = c;
        text = span_skip(text, blank > 0 ? blank : 1);
    }
    out[len] = '\0';
}

static bool is_of(const struct meaning *entry, enum dialect dialect, int64_t number)
{
    return entry->number == number && (entry->dialect == dialect || number == 0);
}

/* An entry of that text, of the number if there is one, else of this dialect or an older one; the
 * last, which is the platform-wide page's where the table has several. */
static const struct meaning *find_named(enum dialect dialect, const int64_t *number,
                                        const char *name)
{
    for (size_t i = ARRAY_LENGTH(entries); i-- > 0;)
        if ((number == NULL ? entries[i].dialect <= dialect
                            : is_of(&entries[i], dialect, *number)) &&
            strcmp(entries[i].name, name) == 0)
            return &entries[i];
    return NULL;
}

/* How careful a class is: of two, the one that sends less often what may have been processed, and
 * then the one that sends less often. */
static int care_of(enum meaning_class class)
{
    static const int cares[] = {
        [MEANING_ACCEPTED] = 0,  [MEANING_AGAIN] = 1, [MEANING_LATER] = 2,
        [MEANING_REJECTED] = 3,  [MEANING_KEY] = 4,   [MEANING_DEVICE_KEY] = 4,
        [MEANING_AMBIGUOUS] = 5,
    };
    return cares[class];
}

/* Of a number and a text that no page gives together. */
static enum meaning_class combine(const struct meaning *by_number, const struct meaning *by_text)
{
    if (meaning_is_key(by_text->class))
        return MEANING_DEVICE_KEY; /* several in a row will tell whether it is the key */
    if (by_number == NULL)
        return meaning_is_again(by_text->class) ? MEANING_AMBIGUOUS : by_text->class;
    if (meaning_is_key(by_number->class)) /* a key is refused in words, or without any */
        return meaning_is_again(by_text->class) ? MEANING_AMBIGUOUS : by_text->class;
    return care_of(by_text->class) > care_of(by_number->class) ? by_text->class : by_number->class;
}

const struct meaning *meaning_of_number(enum dialect dialect, int64_t number)
{
    for (size_t i = 0; i < ARRAY_LENGTH(entries); i++)
        if (is_of(&entries[i], dialect, number))
            return &entries[i];
    return NULL;
}

/* The texts that a refusal contains, one after the other: first one that the number has. */
static const struct meaning *find_text(enum dialect dialect, int64_t number, struct span text,
                                       bool *ret_is_own)
{
    const struct meaning *foreign = NULL;
    char folded[FOLDED_MAX + 1];

    fold(text, folded);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        if (strstr(folded, parts[i].part) == NULL)
            continue;
        const struct meaning *own = find_named(dialect, &number, parts[i].name);
        *ret_is_own = own != NULL;
        if (own != NULL)
            return own;
        if (foreign == NULL)
            foreign = find_named(dialect, NULL, parts[i].name);
    }
    return foreign;
}

const struct meaning *meaning_find(enum dialect dialect, int64_t number, struct span text,
                                   enum meaning_class *ret_class)
{
    const struct meaning *by_number = meaning_of_number(dialect, number);
    bool is_own = false;

    if (number == 0) { /* the number counts: it is processed whatever the text says */
        *ret_class = MEANING_ACCEPTED;
        return by_number;
    }
    const struct meaning *by_text = find_text(dialect, number, text, &is_own);
    if (by_text == NULL) {
        *ret_class = by_number != NULL ? by_number->class : MEANING_REJECTED;
        return by_number;
    }
    *ret_class = is_own ? by_text->class : combine(by_number, by_text);
    return by_text;
}

const struct meaning *meaning_all(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(entries);
    return entries;
}
