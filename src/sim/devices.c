/*
 * A device is in one of three states: nothing waits for it (it is in no heap), its next uplink
 * is awaited, or a command is on its way to it and its answer is due. Each step of the heap is one
 * of the latter two.
 */
#include "sim/devices.h"

#include <strings.h>

#include "core/jsonlex.h"
#include "core/when.h"
#include "platform/rules.h"
#include "sim/chance.h"

enum {
    QUEUE_MAX = 1000, /* SIM_QUEUE_LIMIT_MAX */
    TRIGGER_REGISTER = 1,
    TRIGGER_UPDATE = 2,
    TRIGGER_NOTIFY = 4,
};

struct device_value {
    struct device_value *next;
    struct device_place place;
    uint32_t len;
    char json[];
};

struct device_life {
    struct heap_node node; /* first: the heap hands it back */
    uint64_t imei;
    bool is_due;        /* is in the heap */
    uint8_t kind;       /* of the uplink that is next, or goes on … */
    int64_t uplink_ms;  /* … and when it began */
    uint32_t under_way; /* the command that was sent to it, or 0 */
    struct device_value *values;
};

static const int64_t YEAR_MS = (int64_t)365 * 24 * 3600 * 1000;

enum status devices_parse_uplink(struct span text, struct devices_options *options)
{
    struct span low = text, high = text;
    int64_t min_ms, max_ms;

    for (size_t i = 0; i + 2 <= text.len; i++) {
        if (memcmp(text.ptr + i, "..", 2) == 0) {
            low = span_of(text.ptr, i);
            high = span_skip(text, i + 2);
        }
    }
    enum status status = when_parse_duration(low, &min_ms);
    if (status == STATUS_OK)
        status = when_parse_duration(high, &max_ms);
    if (status != STATUS_OK)
        return status;
    if (min_ms < 1 || min_ms > max_ms || max_ms > YEAR_MS)
        return STATUS_RANGE;
    options->uplink_min_ms = min_ms;
    options->uplink_max_ms = max_ms;
    return STATUS_OK;
}

static bool find_confirm(struct span word, uint8_t *ret_confirm)
{
    for (int i = CONFIRM_SUCCESS + 1; i < CONFIRM_NONE; i++) {
        const char *name = history_confirm_name((enum confirm)i);
        if (word.len == strlen(name) && strncasecmp(word.ptr, name, word.len) == 0) {
            *ret_confirm = (uint8_t)i;
            return true;
        }
    }
    *ret_confirm = CONFIRM_NONE;
    return span_is(word, "silent");
}

static double sum_of_faults(const struct devices_options *options)
{
    double sum = 0;

    for (size_t i = 0; i < options->fault_count; i++)
        sum += options->faults[i].probability;
    return sum;
}

enum status devices_add_fault(struct devices_options *options, struct span text,
                              struct buf *message)
{
    struct device_fault fault = {.confirm_status = CONFIRM_NONE};
    const char *colon = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;
    size_t len = colon != NULL ? (size_t)(colon - text.ptr) : text.len;

    if (!find_confirm(span_skip(span_of(text.ptr, len), strlen("device-")),
                      &fault.confirm_status)) {
        buf_add_string(message, "what a device can do is device-silent");
        for (int i = CONFIRM_SUCCESS + 1; i < CONFIRM_NONE; i++) {
            buf_add_string(message, ", device-");
            for (const char *c = history_confirm_name((enum confirm)i); *c != '\0'; c++)
                buf_add_char(message, *c == '_' ? '_' : (char)(*c | 0x20));
        }
        return STATUS_USAGE;
    }
    if (colon == NULL || !chance_parse_probability(span_skip(text, len + 1), &fault.probability)) {
        buf_add_string(message, "give it a probability of 0 to 1 or in percent, such as ");
        buf_add(message, span_of(text.ptr, len));
        buf_add_string(message, ":0.01 or :1%");
        return STATUS_USAGE;
    }
    if (options->fault_count == DEVICE_FAULTS_MAX ||
        sum_of_faults(options) + fault.probability > 1 + 1e-9) {
        buf_add_format(message,
                       "give at most %d of them, whose probabilities add up to no more "
                       "than 1",
                       DEVICE_FAULTS_MAX);
        return STATUS_USAGE;
    }
    options->faults[options->fault_count++] = fault;
    return STATUS_OK;
}

void devices_init(struct devices *devices, const struct devices_options *options,
                  struct sim_store *store)
{
    *devices = (struct devices){.options = options, .store = store};
    hashmap_init(&devices->lives);
}

void devices_deinit(struct devices *devices)
{
    if (devices == NULL)
        return;
    for (size_t i = 0; i < devices->lives.capacity; i++) {
        struct device_life *life = devices->lives.slots[i].value;
        while (life != NULL && life->values != NULL) {
            struct device_value *value = life->values;
            life->values = value->next;
            free(value);
        }
        free(life);
    }
    hashmap_deinit(&devices->lives);
    devices->due = (struct heap){.root = NULL};
}

bool devices_live(const struct devices *devices)
{
    return devices->options->uplink_max_ms > 0;
}

int64_t devices_scale(const struct devices_options *options, int64_t ms)
{
    double scaled = (double)ms / options->clock;

    return scaled < 1 ? 1 : scaled > (double)(INT64_MAX / 4) ? INT64_MAX / 4 : (int64_t)scaled;
}

/* A number of its own for what is asked: the same for the same seed. */
static uint64_t draw(const struct devices *devices, uint64_t a, uint64_t b)
{
    struct prng dice = {.state = devices->options->seed ^ (a * 0x9e3779b97f4a7c15u) ^
                                 (b * 0xc2b2ae3d27d4eb4fu)};

    (void)prng_next(&dice);
    return prng_next(&dice);
}

/* The device's first uplink after `now_ms`, and which of them that is. */
static int64_t next_uplink(const struct devices *devices, uint64_t imei, int64_t now_ms,
                           uint64_t *ret_number)
{
    const struct devices_options *options = devices->options;
    uint64_t span = (uint64_t)(options->uplink_max_ms - options->uplink_min_ms) + 1;
    int64_t every =
        devices_scale(options, options->uplink_min_ms + (int64_t)(draw(devices, imei, 1) % span));
    int64_t first = (int64_t)(draw(devices, imei, 2) % (uint64_t)every);
    int64_t number = now_ms < first ? 0 : (now_ms - first) / every + 1;

    *ret_number = (uint64_t)number;
    return first + number * every;
}

static uint8_t kind_of_uplink(const struct devices *devices, uint64_t imei, uint64_t number)
{
    uint64_t percent = draw(devices, imei, number + 3) % 100;

    return percent < 70 ? TRIGGER_NOTIFY : percent < 95 ? TRIGGER_UPDATE : TRIGGER_REGISTER;
}

static void await(struct devices *devices, struct device_life *life, int64_t due_ms)
{
    heap_push(&devices->due, &life->node, due_ms);
    life->is_due = true;
}

static void await_uplink(struct devices *devices, struct device_life *life, int64_t now_ms)
{
    uint64_t number;
    int64_t due_ms = next_uplink(devices, life->imei, now_ms, &number);

    life->kind = kind_of_uplink(devices, life->imei, number);
    await(devices, life, due_ms);
}

static struct device_life *find_or_make(struct devices *devices, uint64_t imei)
{
    struct device_life *life = hashmap_get(&devices->lives, imei + 1);

    if (life != NULL)
        return life;
    life = calloc(1, sizeof(*life));
    if (life == NULL || hashmap_put(&devices->lives, imei + 1, life) != STATUS_OK) {
        free(life);
        return NULL;
    }
    life->imei = imei;
    return life;
}

enum status devices_notice(struct devices *devices, uint64_t imei, int64_t now_ms)
{
    if (!devices_live(devices))
        return STATUS_OK;
    struct device_life *life = find_or_make(devices, imei);
    if (life == NULL)
        return STATUS_NO_MEMORY;
    if (!life->is_due)
        await_uplink(devices, life, now_ms);
    return STATUS_OK;
}

int64_t devices_next(const struct devices *devices)
{
    const struct heap_node *first = heap_first(&devices->due);
    return first != NULL ? first->key : INT64_MAX;
}

/* What the device holds. */

static bool is_in_instance(const struct device_place *a, const struct device_place *b)
{
    return a->obj == b->obj && a->inst == b->inst;
}

static struct device_value **find_value(struct device_life *life, const struct device_place *place)
{
    struct device_value **link = &life->values;

    while (*link != NULL &&
           !(is_in_instance(&(*link)->place, place) && (*link)->place.res == place->res))
        link = &(*link)->next;
    return link;
}

static void drop_value(struct device_value **link)
{
    struct device_value *value = *link;

    *link = value->next;
    free(value);
}

/* Without memory the device forgets: its value is the first one again. */
static enum status set_value(struct device_life *life, const struct device_place *place,
                             struct span json)
{
    struct device_value **link = find_value(life, place);

    if (*link != NULL)
        drop_value(link);
    struct device_value *value = malloc(offsetof(struct device_value, json) + json.len);
    if (value == NULL)
        return STATUS_NO_MEMORY;
    *value =
        (struct device_value){.next = life->values, .place = *place, .len = (uint32_t)json.len};
    memcpy(value->json, json.ptr, json.len);
    life->values = value;
    return STATUS_OK;
}

/* A write with mode 1 leaves nothing in the instance but what it names. */
static void clear_instance(struct device_life *life, const struct device_place *place)
{
    for (struct device_value **link = &life->values; *link != NULL;) {
        if (is_in_instance(&(*link)->place, place))
            drop_value(link);
        else
            link = &(*link)->next;
    }
}

enum status devices_set_value(struct devices *devices, uint64_t imei,
                              const struct device_place *place, struct span json)
{
    struct device_life *life = find_or_make(devices, imei);
    return life != NULL ? set_value(life, place, json) : STATUS_NO_MEMORY;
}

void devices_each_value(const struct devices *devices, device_value_fn *each, void *context)
{
    for (size_t i = 0; i < devices->lives.capacity; i++) {
        const struct device_life *life = devices->lives.slots[i].value;
        for (const struct device_value *value = life != NULL ? life->values : NULL; value != NULL;
             value = value->next)
            each(context, life->imei, &value->place, span_of(value->json, value->len));
    }
}

/* Appends the value of a resource as JSON; where it was never written, one that the device has from
 * the start. */
static void devices_add_value(const struct devices *devices, uint64_t imei,
                              const struct device_place *place, struct buf *out)
{
    struct device_life *life = hashmap_get(&devices->lives, imei + 1);
    struct device_value *value = life != NULL ? *find_value(life, place) : NULL;
    uint64_t where = (uint64_t)place->obj << 32 | place->inst << 16 | place->res;

    if (value != NULL)
        buf_add(out, span_of(value->json, value->len));
    else
        buf_add_int64(out, (int64_t)(draw(devices, imei, where) % 1000));
}

static uint32_t param_of(const struct store_command *command, enum param param, uint32_t fallback)
{
    return (command->present >> param & 1) != 0 ? command->values[param] : fallback;
}

/* The instance that a command is about. */
static struct device_place place_of(const struct store_command *command)
{
    return (struct device_place){.obj = param_of(command, PARAM_OBJ_ID, 0),
                                 .inst = param_of(command, PARAM_OBJ_INST_ID, 0)};
}

/* An item of a write that has been begun: {"res_id":N,"val":V}, in any order. The value's text is
 * taken as it is. */
static void write_item(struct device_life *life, struct device_place place, struct jsonlex *lex)
{
    struct span value = span_of("", 0), number = value;
    uint64_t res;

    while (jsonlex_next(lex) == JSONLEX_NAME) {
        struct span name = lex->text;
        (void)jsonlex_next(lex);
        if (!jsonlex_skip(lex))
            return;
        if (span_is(name, "\"res_id\""))
            number = lex->text;
        else if (span_is(name, "\"val\""))
            value = lex->text;
    }
    if (span_to_uint64(number, &res) != STATUS_OK || res > UINT16_MAX || value.len == 0)
        return;
    place.res = (uint32_t)res;
    if (set_value(life, &place, value) != STATUS_OK)
        return; /* the device forgets, as a real one may */
}

static void take_write(struct device_life *life, const struct store_command *command)
{
    const struct device_place place = place_of(command);
    struct jsonlex lex;

    if (param_of(command, PARAM_MODE, 2) == COMMAND_MODE_REPLACE)
        clear_instance(life, &place);
    jsonlex_start(&lex, command->content);
    if (jsonlex_next(&lex) == JSONLEX_ARRAY)
        while (jsonlex_next(&lex) == JSONLEX_OBJECT)
            write_item(life, place, &lex);
}

static void add_resource(const struct devices *devices, uint64_t imei,
                         const struct device_place *place, struct buf *out)
{
    buf_add_format(out, "{\"res_id\":%u,\"val\":", place->res);
    devices_add_value(devices, imei, place, out);
    buf_add_char(out, '}');
}

/* The resources of an instance that the device holds, or the one that is asked for. */
static void add_instance(const struct devices *devices, const struct device_life *life,
                         const struct store_command *command, struct device_place place,
                         struct buf *out)
{
    bool asked = (command->present >> PARAM_RES_ID & 1) != 0, any = false;

    buf_add_format(out, "{\"obj_inst_id\":%u,\"res\":[", place.inst);
    if (asked) {
        place.res = command->values[PARAM_RES_ID];
        add_resource(devices, life->imei, &place, out);
    }
    for (const struct device_value *value = life->values; value != NULL && !asked;
         value = value->next) {
        if (!is_in_instance(&value->place, &place))
            continue;
        buf_add_string(out, any ? "," : "");
        add_resource(devices, life->imei, &value->place, out);
        any = true;
    }
    buf_add_string(out, "]}");
}

/* Whether `value` is the first of its instance in the list. */
static bool is_first_of_instance(const struct device_life *life, const struct device_value *value)
{
    for (const struct device_value *other = life->values; other != value; other = other->next)
        if (is_in_instance(&other->place, &value->place))
            return false;
    return true;
}

/* What a read answers: [{"obj_inst_id":0,"res":[{"res_id":5850,"val":true}]}]. */
static void add_read(const struct devices *devices, const struct device_life *life,
                     const struct store_command *command, struct buf *out)
{
    struct device_place place = place_of(command);
    bool asked = (command->present >> PARAM_OBJ_INST_ID & 1) != 0, any = false;

    buf_add_char(out, '[');
    for (const struct device_value *value = life->values; value != NULL && !asked;
         value = value->next) {
        if (value->place.obj != place.obj || !is_first_of_instance(life, value))
            continue;
        place.inst = value->place.inst;
        buf_add_string(out, any ? "," : "");
        add_instance(devices, life, command, place, out);
        any = true;
    }
    if (!any)
        add_instance(devices, life, command, place, out);
    buf_add_char(out, ']');
}

/* What the device does with a command that it takes. */
static void perform(struct devices *devices, struct device_life *life, uint32_t ref,
                    const struct store_command *command)
{
    struct buf result;

    if (command->action == ACTION_WRITE)
        take_write(life, command);
    if (command->action != ACTION_READ)
        return;
    buf_init(&result, 64 * 1024);
    add_read(devices, life, command, &result);
    /* Without memory the answer is lost, as it may be on the real way. */
    if (result.status == STATUS_OK &&
        sim_store_set_result(devices->store, ref, buf_span(&result)) != STATUS_OK)
        result.status = STATUS_NO_MEMORY;
    buf_deinit(&result);
}

/* The steps of a delivery. */

static void tell(const struct devices *devices, uint64_t imei, uint32_t ref)
{
    struct store_command command;

    if (devices->event == NULL)
        return;
    sim_store_view(devices->store, ref, &command);
    command.device = imei;
    devices->event(devices->context, imei, &command);
}

static uint64_t number_of_uuid(const uint8_t uuid[STORE_UUID_BYTES])
{
    uint64_t number;

    memcpy(&number, uuid + STORE_UUID_BYTES - sizeof(number), sizeof(number));
    return number;
}

/* What the device will make of the command this time. */
static uint8_t draw_confirm(const struct devices *devices, const struct store_command *command)
{
    double left =
        (double)(draw(devices, number_of_uuid(command->uuid), command->life.remain) >> 11) *
        0x1p-53;

    for (size_t i = 0; i < devices->options->fault_count; i++) {
        const struct device_fault *fault = &devices->options->faults[i];
        if (left < fault->probability)
            return fault->confirm_status;
        left -= fault->probability;
    }
    return CONFIRM_SUCCESS;
}

/* Sends the first command that this uplink may deliver; false: there is none. */
static bool deliver_next(struct devices *devices, struct device_life *life, int64_t now_ms)
{
    uint32_t refs[QUEUE_MAX];
    size_t count = sim_store_list_waiting(devices->store, life->imei, now_ms, refs, QUEUE_MAX);
    struct store_command command;
    size_t i = 0;

    for (; i < count; i++) {
        sim_store_view(devices->store, refs[i], &command);
        if (command.life.send_status != SEND_SENT && command.ready_ms <= now_ms &&
            command.life.sent_ms < life->uplink_ms &&
            (param_of(&command, PARAM_TRIGGER_MSG, DEFAULT_TRIGGER_MSG) & life->kind) != 0)
            break;
    }
    if (i == count)
        return false;
    uint8_t confirm = draw_confirm(devices, &command);
    bool late =
        confirm == CONFIRM_TIME_OUT || confirm == CONFIRM_OFFLINE || confirm == CONFIRM_NONE;
    command.life.send_status = SEND_SENT;
    if (command.life.sent_ms != 0)
        command.life.remain--;
    command.life.sent_ms = now_ms;
    sim_store_set_life(devices->store, life->imei, refs[i], &command.life);
    tell(devices, life->imei, refs[i]);
    life->under_way = refs[i];
    await(devices, life,
          now_ms + devices_scale(devices->options,
                                 late ? 1000 * (int64_t)param_of(&command, PARAM_TIMEOUT,
                                                                 DEFAULT_TIMEOUT)
                                      : DEVICE_ANSWER_MS));
    return true;
}

/* The answer of the device, or the end of the wait for it. */
static void confirm(struct devices *devices, struct device_life *life, int64_t now_ms)
{
    uint32_t ref = life->under_way;
    struct store_command command;

    life->under_way = 0;
    sim_store_view(devices->store, ref, &command);
    uint8_t answer = draw_confirm(devices, &command);
    if (command.life.is_gone || command.life.send_status != SEND_SENT || answer == CONFIRM_NONE)
        return; /* overwritten meanwhile, or never heard of again */
    command.life.confirm_status = answer;
    command.life.confirmed_ms = now_ms;
    if (answer == CONFIRM_TIME_OUT || answer == CONFIRM_OFFLINE) {
        command.life.send_status = SEND_FAILED;
    } else {
        command.life.send_status = SEND_SUCCESS;
    }
    if (answer == CONFIRM_SUCCESS)
        perform(devices, life, ref, &command);
    sim_store_set_life(devices->store, life->imei, ref, &command.life);
    tell(devices, life->imei, ref);
}

static void step(struct devices *devices, struct device_life *life, int64_t now_ms)
{
    uint32_t any;

    if (life->under_way != 0)
        confirm(devices, life, now_ms);
    else
        life->uplink_ms = now_ms;
    if (deliver_next(devices, life, now_ms))
        return;
    if (sim_store_list_waiting(devices->store, life->imei, now_ms, &any, 1) > 0)
        await_uplink(devices, life, now_ms);
}

void devices_advance(struct devices *devices, int64_t now_ms, size_t max)
{
    for (size_t i = 0; i < max && devices_next(devices) <= now_ms; i++) {
        struct device_life *life = (struct device_life *)(void *)heap_pop(&devices->due);
        life->is_due = false;
        step(devices, life, life->node.key);
    }
}
