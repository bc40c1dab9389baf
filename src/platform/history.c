#include "platform/history.h"

#include <strings.h>

#include "core/jsonlex.h"
#include "core/text.h"
#include "core/when.h"
#include "platform/device.h"
#include "platform/json.h"

static const char *const confirm_names[] = {
#define X(name) [CONFIRM_##name] = #name,
    CONFIRM_MAP(X)
#undef X
        [CONFIRM_NONE] = "",
    [CONFIRM_OTHER] = "?",
};

/* What a send_status says; 5 says "delivered", and the device's answer says more. */
static const enum command_state states[] = {
    [0] = COMMAND_UNCLEAR,
    [SEND_WAITING] = COMMAND_WAITING,
    [SEND_CANCELLED] = COMMAND_CANCELLED,
    [SEND_SENT] = COMMAND_SENT,
    [SEND_EXPIRED] = COMMAND_EXPIRED,
    [SEND_SUCCESS] = COMMAND_DELIVERED,
    [SEND_FAILED] = COMMAND_FAILED,
    [SEND_TIMED_OUT] = COMMAND_FAILED,
    [SEND_UNDEFINED] = COMMAND_FAILED,
};

const char *history_confirm_name(enum confirm confirm)
{
    return confirm_names[confirm];
}

enum command_state history_state(const struct history_entry *entry)
{
    bool is_known = entry->send_status >= 0 && entry->send_status < (int)ARRAY_LENGTH(states);
    enum command_state state = is_known ? states[entry->send_status] : COMMAND_UNCLEAR;

    if (state != COMMAND_DELIVERED || entry->confirm == CONFIRM_SUCCESS ||
        entry->confirm == CONFIRM_NONE)
        return state;
    return entry->confirm == CONFIRM_OTHER ? COMMAND_UNCLEAR : COMMAND_REFUSED;
}

bool history_is_of_another(const struct history_entry *entry, uint64_t device, struct span uuid)
{
    return (entry->names_device && entry->device != device) ||
           (uuid.len > 0 && entry->uuid[0] != '\0' &&
            !span_equal(span_string(entry->uuid), text_trim_blanks(uuid)));
}

static struct span text_of(const cJSON *member)
{
    return text_trim_blanks(
        span_string(cJSON_IsString(member) ? cJSON_GetStringValue(member) : ""));
}

/* A small whole number, also as a text; HISTORY_NONE where there is none. */
static int64_t number_of(const cJSON *member)
{
    int64_t number = HISTORY_NONE;

    if (cJSON_IsNumber(member) && member->valuedouble >= 0 && member->valuedouble <= INT32_MAX &&
        member->valuedouble == (double)(int64_t)member->valuedouble)
        return (int64_t)member->valuedouble;
    if (span_to_int64(text_of(member), &number) != STATUS_OK || number < 0)
        return HISTORY_NONE;
    return number;
}

/* A number beyond those, which a double holds without loss, also as a text; 0 where there is none.
 */
static int64_t big_number_of(const cJSON *member)
{
    int64_t number = 0;

    if (member != NULL && cJSON_IsNumber(member) && member->valuedouble > 0 &&
        member->valuedouble < 1e15)
        return (int64_t)member->valuedouble;
    return span_to_int64(text_of(member), &number) == STATUS_OK ? number : 0;
}

/* Of milliseconds; or a time as it is written elsewhere. */
static int64_t seconds_of(const cJSON *member)
{
    int64_t number = big_number_of(member), time_s = HISTORY_NONE;

    if (number > 0 && number < INT64_C(1000000000000000))
        return number / 1000;
    return when_parse(text_of(member), 0, &time_s) == STATUS_OK ? time_s : HISTORY_NONE;
}

/* A device's number, also as one of JSON's, which loses the 0's in front. */
static uint64_t device_of(const cJSON *member)
{
    char digits[DEVICE_TEXT_MAX + 1] = "";
    struct span text = text_of(member);
    uint64_t device = 0;

    if (cJSON_IsNumber(member)) {
        (void)snprintf(digits, sizeof(digits), "%0*lld", DEVICE_IMEI_DIGITS,
                       (long long)big_number_of(member));
        text = span_string(digits);
    }
    return device_read(text, &device) ? device : 0;
}

/* A word in letters of any size, or its number in a table. */
static size_t find_word(const cJSON *member, const char *const *words, size_t count)
{
    int64_t number = number_of(member);

    if (number >= 0)
        return (uint64_t)number < count ? (size_t)number : count;
    const struct span word = text_of(member);
    for (size_t i = 0; i < count; i++)
        if (word.len == strlen(words[i]) && strncasecmp(word.ptr, words[i], word.len) == 0)
            return i;
    return count;
}

/* What is no word of the table is kept as it is, for a person. */
static void take_confirm(const cJSON *member, struct history_entry *entry)
{
    entry->confirm = CONFIRM_NONE;
    if (member == NULL || cJSON_IsNull(member) ||
        (cJSON_IsString(member) && text_of(member).len == 0))
        return;
    size_t found = find_word(member, confirm_names, CONFIRM_NONE);
    entry->confirm = found < CONFIRM_NONE ? (enum confirm)found : CONFIRM_OTHER;
    if (entry->confirm != CONFIRM_OTHER)
        return;
    if (cJSON_IsNumber(member))
        (void)snprintf(entry->word, sizeof(entry->word), "%.15g", member->valuedouble);
    else
        buf_copy_printable(entry->word, sizeof(entry->word), text_of(member));
}

static void take_device(const cJSON *member, struct history_entry *entry)
{
    entry->names_device = member != NULL && !cJSON_IsNull(member);
    entry->device = device_of(member);
}

static void take_kind(const cJSON *member, struct history_entry *entry)
{
    static const char *const words[] = {"READ", "WRITE", "EXECUTE"};
    static const enum action actions[] = {ACTION_READ, ACTION_WRITE, ACTION_EXECUTE};
    size_t found = find_word(member, words, ARRAY_LENGTH(words));

    entry->has_action = found < ARRAY_LENGTH(words);
    if (entry->has_action)
        entry->action = actions[found];
}

static void take_uuid(struct span text, char uuid[REPLY_UUID_MAX + 1])
{
    uuid[0] = '\0';
    if (text.len <= REPLY_UUID_MAX && text_printable_prefix(text) == text.len) {
        memcpy(uuid, text.ptr, text.len);
        uuid[text.len] = '\0';
    }
}

static struct history_entry push_entry_of(const cJSON *object)
{
    struct history_entry entry = {.has_action = false};

#define MEMBER(name) cJSON_GetObjectItemCaseSensitive(object, (name))
    take_uuid(text_of(MEMBER("cmd_id")), entry.uuid);
    take_kind(MEMBER("cmd_type"), &entry);
    entry.send_status = (int)number_of(MEMBER("send_status"));
    take_device(MEMBER("imei"), &entry);
    take_confirm(MEMBER("confirm_status"), &entry);
    entry.remain = HISTORY_NONE;
    for (size_t i = 0; i < HISTORY_TIME_COUNT; i++)
        entry.times_s[i] = HISTORY_NONE;
    entry.times_s[HISTORY_SENT] = seconds_of(MEMBER("send_time"));
    entry.times_s[HISTORY_CONFIRMED] = seconds_of(MEMBER("confirm_time"));
#undef MEMBER
    return entry;
}

static struct history_entry entry_of(const cJSON *object)
{
    static const char *const times[HISTORY_TIME_COUNT] = {[HISTORY_CREATED] = "create_time",
                                                          [HISTORY_VALID] = "valid_time",
                                                          [HISTORY_EXPIRES] = "expired_time",
                                                          [HISTORY_SENT] = "send_time",
                                                          [HISTORY_CONFIRMED] = "confirm_time"};
    struct history_entry entry = {.has_action = false};

#define MEMBER(name) cJSON_GetObjectItemCaseSensitive(object, (name))
    take_uuid(text_of(MEMBER("cmd_uuid")), entry.uuid);
    if (entry.uuid[0] == '\0')
        take_uuid(text_of(MEMBER("uuid")), entry.uuid);
    take_kind(MEMBER("type"), &entry);
    entry.send_status = (int)number_of(MEMBER("send_status"));
    take_device(MEMBER("imei"), &entry);
    take_confirm(MEMBER("confirm_status"), &entry);
    entry.remain = number_of(MEMBER("remain"));
    for (size_t i = 0; i < HISTORY_TIME_COUNT; i++)
        if (when_parse(text_of(MEMBER(times[i])), 0, &entry.times_s[i]) != STATUS_OK)
            entry.times_s[i] = HISTORY_NONE;
#undef MEMBER
    return entry;
}

/* The answer's data, an object; the tree is to be freed. */
static enum status read_data(struct span body, cJSON **ret_root, const cJSON **ret_data)
{
    cJSON *root = NULL;
    size_t at = 0;
    enum status status = json_parse(body, &root, &at);

    if (status != STATUS_OK)
        return status;
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(root, "data");
    if (at != body.len || !cJSON_IsObject(data)) {
        cJSON_Delete(root);
        return STATUS_SYNTAX;
    }
    *ret_root = root;
    *ret_data = data;
    return STATUS_OK;
}

enum status history_read_list(struct span body, history_entry_fn *each, void *context,
                              uint64_t *ret_total)
{
    const cJSON *data, *item;
    cJSON *root;
    enum status status = read_data(body, &root, &data);

    if (status != STATUS_OK)
        return status;
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(data, "items");
    int64_t total = number_of(cJSON_GetObjectItemCaseSensitive(data, "total_count"));
    if (total < 0)
        total = number_of(cJSON_GetObjectItemCaseSensitive(data, "count"));
    if (total < 0 || (items != NULL && !cJSON_IsArray(items))) {
        status = STATUS_SYNTAX;
    } else {
        cJSON_ArrayForEach(item, items)
        {
            const struct history_entry entry = entry_of(item);
            each(context, &entry);
        }
        *ret_total = (uint64_t)total;
    }
    cJSON_Delete(root);
    return status;
}

enum status history_read_one(struct span body, struct history_entry *ret_entry)
{
    const cJSON *data;
    cJSON *root;
    enum status status = read_data(body, &root, &data);

    if (status != STATUS_OK)
        return status;
    struct history_entry entry = entry_of(data);
    if (entry.send_status == HISTORY_NONE)
        status = STATUS_SYNTAX;
    else
        *ret_entry = entry;
    cJSON_Delete(root);
    return status;
}

/* An id, also as a text; HISTORY_NONE. */
static int64_t id_in(const cJSON *object, const char *name)
{
    int64_t id = number_of(cJSON_GetObjectItemCaseSensitive(object, name));

    return id >= 0 && id <= LWM2M_ID_MAX ? id : HISTORY_NONE;
}

static void take_resources(const cJSON *content, struct history_write *write)
{
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(content, "data"), *item;

    write->is_unclear = !cJSON_IsArray(items) || cJSON_GetArraySize(items) == 0;
    cJSON_ArrayForEach(item, items)
    {
        int64_t id = id_in(item, "res_id");
        write->is_unclear |= id == HISTORY_NONE || write->count == HISTORY_RESOURCES_MAX;
        if (!write->is_unclear)
            write->resources[write->count++] = (uint16_t)id;
    }
}

/* A member, also where it is a text that is JSON: then the tree is to be freed. */
static const cJSON *unwrapped_member(const cJSON *object, const char *name, cJSON **ret_tree)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    *ret_tree = cJSON_IsString(member) ? cJSON_Parse(cJSON_GetStringValue(member)) : NULL;
    return *ret_tree != NULL ? *ret_tree : member;
}

enum status history_read_write(struct span body, struct history_write *ret_write)
{
    const cJSON *data;
    cJSON *root, *args_tree, *content_tree;
    enum status status = read_data(body, &root, &data);

    if (status != STATUS_OK)
        return status;
    const cJSON *args = unwrapped_member(data, "args", &args_tree);
    int64_t mode = number_of(cJSON_GetObjectItemCaseSensitive(args, "mode"));
    *ret_write = (struct history_write){.object = id_in(args, "obj_id"),
                                        .instance = id_in(args, "obj_inst_id"),
                                        .replaces = mode == COMMAND_MODE_REPLACE};
    take_resources(unwrapped_member(data, "content", &content_tree), ret_write);
    cJSON_Delete(args_tree);
    cJSON_Delete(content_tree);
    cJSON_Delete(root);
    return STATUS_OK;
}

enum status history_read_cancelled(struct span body, history_cancelled_fn *each, void *context)
{
    static const char *const lists[] = {"failed", "succ"};
    const cJSON *data, *item;
    cJSON *root;
    enum status status = read_data(body, &root, &data);

    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(data, lists[i]);
        cJSON_ArrayForEach(item, list)
        {
            each(context, text_of(item), i == 1);
        }
    }
    cJSON_Delete(root);
    return STATUS_OK;
}

/* Values. They are read from the text, not from a tree: a tree's numbers have 53 bits. */

/* The text of an object's member, as it was written; empty: it has none of that name. */
static struct span member_of(struct span object, const char *name)
{
    struct span found = span_of(NULL, 0);
    struct jsonlex lex;

    jsonlex_start(&lex, object);
    if (jsonlex_next(&lex) != JSONLEX_OBJECT)
        return found;
    while (jsonlex_next(&lex) == JSONLEX_NAME) {
        bool is_it = span_is(span_of(lex.text.ptr + 1, lex.text.len - 2), name);
        (void)jsonlex_next(&lex);
        if (!jsonlex_skip(&lex))
            return span_of(NULL, 0);
        if (is_it)
            found = lex.text;
    }
    return found;
}

/* What a text that is JSON itself says; it is appended to `decoded`. */
static struct span unwrapped(struct span value, struct buf *decoded)
{
    return value.len > 0 && value.ptr[0] == '"' ? jsonlex_string(value, decoded) : value;
}

/* Instances, resources and their instances hang in each other: what is within takes the ids of what
 * it is in. */
struct value_walk {
    history_value_fn *each;
    void *context;
    struct buf decoded;
};

static void walk_list(struct value_walk *walk, struct span list, struct history_value ids,
                      unsigned depth);

static int64_t id_of(struct span text)
{
    int64_t id;

    return span_to_int64(text, &id) == STATUS_OK && id >= 0 ? id : HISTORY_NONE;
}

static void walk_object(struct value_walk *walk, struct span object, struct history_value ids,
                        unsigned depth)
{
    static const char *const lists[] = {"obj_inst", "res", "res_inst"};
    const struct {
        const char *name;
        int64_t *id;
    } names[] = {{"obj_id", &ids.obj_id},
                 {"obj_inst_id", &ids.obj_inst_id},
                 {"res_id", &ids.res_id},
                 {"res_inst_id", &ids.res_inst_id}};
    struct span value = member_of(object, "val");

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct span text = member_of(object, names[i].name);
        if (text.len > 0)
            *names[i].id = id_of(text);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        struct span list = member_of(object, lists[i]);
        if (list.len > 0)
            walk_list(walk, list, ids, depth + 1);
    }
    if (value.len == 0)
        return;
    buf_clear(&walk->decoded);
    ids.is_string = value.ptr[0] == '"';
    ids.text = ids.is_string && buf_reserve(&walk->decoded, value.len)
                   ? jsonlex_string(value, &walk->decoded)
                   : value;
    walk->each(walk->context, &ids);
}

static void walk_list(struct value_walk *walk, struct span list, struct history_value ids,
                      unsigned depth)
{
    struct jsonlex lex;

    jsonlex_start(&lex, list);
    if (depth > JSONLEX_DEPTH_MAX || jsonlex_next(&lex) != JSONLEX_ARRAY)
        return;
    while (jsonlex_next(&lex) == JSONLEX_OBJECT && jsonlex_skip(&lex))
        walk_object(walk, lex.text, ids, depth);
}

static struct history_value no_ids(int64_t obj_id)
{
    return (struct history_value){.obj_id = obj_id,
                                  .obj_inst_id = HISTORY_NONE,
                                  .res_id = HISTORY_NONE,
                                  .res_inst_id = HISTORY_NONE};
}

static enum status check(struct span text)
{
    struct jsonlex lex;

    return jsonlex_check(&lex, text);
}

enum status history_read_values(struct span body, history_value_fn *each, void *context)
{
    struct value_walk walk = {.each = each, .context = context};
    struct buf text;
    enum status status = check(body);

    if (status != STATUS_OK)
        return status;
    buf_init(&walk.decoded, 1024 * 1024);
    buf_init(&text, 1024 * 1024);
    if (buf_reserve(&text, 2 * body.len)) { /* so that the spans stay where they are */
        struct span data = member_of(body, "data");
        struct span args = unwrapped(member_of(data, "args"), &text);
        struct span result = unwrapped(member_of(data, "cmd_result"), &text);
        walk_list(&walk, member_of(result, "data"), no_ids(id_of(member_of(args, "obj_id"))), 0);
    }
    status = text.status != STATUS_OK ? text.status : walk.decoded.status;
    buf_deinit(&walk.decoded);
    buf_deinit(&text);
    return status;
}

enum status history_read_pushed(struct span values, history_value_fn *each, void *context)
{
    struct value_walk walk = {.each = each, .context = context};

    buf_init(&walk.decoded, 1024 * 1024);
    walk_object(&walk, values, no_ids(HISTORY_NONE), 0);
    enum status status = walk.decoded.status;
    buf_deinit(&walk.decoded);
    return status;
}

enum { PUSH_TYPE_COMMAND = 7 };

static enum status read_message(struct span text, history_push_fn *each, void *context)
{
    struct history_push push = {.values = member_of(text, "confirm_body")};
    cJSON *root = NULL;
    size_t at = 0;
    enum status status = json_parse(text, &root, &at);

    if (status != STATUS_OK)
        return status;
    push.entry = push_entry_of(root);
    push.device = push.entry.device;
    if (number_of(cJSON_GetObjectItemCaseSensitive(root, "type")) == PUSH_TYPE_COMMAND &&
        push.entry.uuid[0] != '\0' && push.entry.send_status != HISTORY_NONE)
        each(context, &push);
    cJSON_Delete(root);
    return STATUS_OK;
}

enum { PUSH_DEPTH_MAX = 4 };

/* A message, a list of them, or what is around one: {"msg": …}, also as a text that is JSON. */
static enum status read_posted(struct span text, unsigned depth, history_push_fn *each,
                               void *context)
{
    enum status status = STATUS_OK;
    struct jsonlex lex;

    text = text_trim_blanks(text);
    if (depth > PUSH_DEPTH_MAX || text.len == 0 || (text.ptr[0] != '[' && text.ptr[0] != '{'))
        return STATUS_SYNTAX;
    if (text.ptr[0] == '{') {
        struct span message = member_of(text, "msg");
        struct buf decoded;
        if (message.len == 0)
            return read_message(text, each, context);
        buf_init(&decoded, 1024 * 1024);
        if (!buf_reserve(&decoded, message.len + 1))
            status = decoded.status;
        else
            status = read_posted(unwrapped(message, &decoded), depth + 1, each, context);
        buf_deinit(&decoded);
        return status;
    }
    jsonlex_start(&lex, text);
    (void)jsonlex_next(&lex);
    for (enum jsonlex_token kind = jsonlex_next(&lex);
         status == STATUS_OK && kind != JSONLEX_ARRAY_END; kind = jsonlex_next(&lex)) {
        if (!jsonlex_skip(&lex))
            return STATUS_SYNTAX;
        if (kind == JSONLEX_OBJECT)
            status = read_posted(lex.text, depth + 1, each, context);
    }
    return status;
}

enum status history_read_push(struct span body, history_push_fn *each, void *context)
{
    enum status status = check(body);

    return status == STATUS_OK ? read_posted(body, 0, each, context) : status;
}
