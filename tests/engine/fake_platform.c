#include "fake_platform.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "core/text.h"
#include "platform/rules.h"

static const unsigned char processing[REPLY_KIND_COUNT] = {
#define X(name, processed) [REPLY_##name] = (processed),
    REPLY_MAP(X)
#undef X
};

const char *const reply_kind_names[REPLY_KIND_COUNT] = {
#define X(name, processed) [REPLY_##name] = #name,
    REPLY_MAP(X)
#undef X
};

void fake_platform_init(struct fake_platform *platform, struct prng *dice,
                        const struct content *contents, size_t count, uint64_t *counts)
{
    *platform = (struct fake_platform){.dice = dice,
                                       .contents = contents,
                                       .content_count = count,
                                       .key_until_ms = INT64_MAX,
                                       .latency_ms = 20,
                                       .counts = counts};
}

void fake_platform_deinit(struct fake_platform *platform)
{
    free(platform->processed);
    platform->processed = NULL;
}

/* Some kinds of trouble, more or less of each; most seeds have a few kinds only. */
static void draw_weights(struct fake_platform *platform)
{
    struct prng *dice = platform->dice;
    uint32_t busy = (uint32_t)dice_between(dice, 0, 3) * 120;

    for (size_t i = 0; i < REPLY_KIND_COUNT; i++)
        platform->weights[i] = dice_chance(dice, busy) ? (uint32_t)dice_skewed(dice, 1, 300) : 0;
    if (dice_chance(dice, 100)) /* hardly anything but "again": what the budget is for */
        platform->weights[REPLY_ERRNO_AGAIN] = 3000;
    if (dice_chance(dice, 10))
        platform->weights[REPLY_SHORTAGE] = 100000;
    platform->weights[REPLY_ACCEPTED] = 1000;
    platform->weights[REPLY_QUEUE_FULL] = platform->weights[REPLY_KEY_REFUSED] = 0;
    platform->weights[REPLY_DEVICE_KEY] = platform->weights[REPLY_THROTTLED] = 0;
    platform->weights[REPLY_OUTAGE] = 0; /* these follow from what it knows */
    platform->weight_sum = 0;
    for (size_t i = 0; i < REPLY_KIND_COUNT; i++)
        platform->weight_sum += platform->weights[i];
}

/* How soon it tells what it has: within a run's settle time, but for the last kind. */
static void draw_history(struct fake_platform *platform)
{
    struct prng *dice = platform->dice;

    platform->history = dice_chance(dice, 500)   ? HISTORY_CLEAR
                        : dice_chance(dice, 700) ? HISTORY_SCARRED
                                                 : HISTORY_LATE;
    platform->lag_ms =
        platform->history == HISTORY_LATE ? 400000 : dice_skewed(dice, 0, HISTORY_LAG_MAX_MS);
}

static void draw_outages(struct fake_platform *platform, int64_t now_ms)
{
    struct prng *dice = platform->dice;

    platform->outage_count =
        dice_chance(dice, 300) ? (size_t)dice_between(dice, 1, OUTAGES_MAX) : 0;
    for (size_t i = 0; i < platform->outage_count; i++) {
        struct outage *outage = &platform->outages[i];
        outage->from_ms = now_ms + dice_skewed(dice, 0, 60000);
        outage->to_ms = outage->from_ms + dice_skewed(dice, 500, 400000);
        outage->refuses = dice_chance(dice, 500);
    }
}

void fake_platform_draw(struct fake_platform *platform, int64_t now_ms)
{
    struct prng *dice = platform->dice;

    platform->is_calm = false;
    draw_weights(platform);
    draw_outages(platform, now_ms);
    draw_history(platform);
    platform->latency_ms = dice_skewed(dice, 1, 2000);
    platform->rate_per_s = dice_chance(dice, 250) ? dice_skewed(dice, 2, 200) : 0;
    platform->by_the_second = dice_chance(dice, 300);
    platform->burst = platform->by_the_second || platform->rate_per_s < 2
                          ? platform->rate_per_s
                          : dice_between(dice, 1, platform->rate_per_s);
    platform->refusal = (enum fake_refusal)prng_up_to(dice, REFUSAL_COUNT - 1);
    platform->strange_per_mille = dice_chance(dice, 150) ? 200 : 0;
    platform->key_until_ms =
        dice_chance(dice, 150) ? now_ms + dice_skewed(dice, 0, 20000) : INT64_MAX;
    platform->clock_off_s = dice_chance(dice, 150) ? dice_between(dice, -4000, 4000) : 0;
}

void fake_platform_calm(struct fake_platform *platform)
{
    platform->is_calm = true;
    platform->strange_per_mille = 0;
    platform->rate_per_s = 0;
    platform->outage_count = 0;
    platform->key_until_ms = INT64_MAX;
}

void fake_platform_forget(struct fake_platform *platform)
{
    platform->remembered_count = 0;
}

/* Reads what a request asks for. */

static bool find_number(struct span text, const char *name, uint32_t *ret_number)
{
    const char *at = memmem(text.ptr, text.len, name, strlen(name));
    uint64_t number = 0;
    size_t digits = 0;

    if (at == NULL)
        return false;
    at += strlen(name);
    size_t left = text.len - (size_t)(at - text.ptr);
    while (digits < left && at[digits] >= '0' && at[digits] <= '9')
        number = number * 10 + (uint64_t)(at[digits++] - '0');
    *ret_number = (uint32_t)number;
    return digits > 0;
}

static bool has(struct span text, const char *part)
{
    return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

/* Compares a request with the row that it is sent for. */
static void read_request(struct fake_platform *platform, const struct sending *sending)
{
    const struct content *content = &platform->contents[sending->content];
    bool is_execute = has(sending->target, "/nbiot/execute/offline");
    uint32_t value = 0;
    char imei[32];

    (void)snprintf(imei, sizeof(imei), "imei=%s&", content->imei);
    if (!find_number(sending->body, is_execute ? "\"args\":\"" : "\"val\":", &value) ||
        value != content->value || content->is_execute != is_execute || !has(sending->target, imei))
        platform->violation = "a request is not what was checked";
}

/* What follows from what the platform knows. */

static bool is_strange(const struct fake_platform *platform, const char *imei)
{
    uint32_t sum = 0;

    for (size_t i = 0; imei[i] != '\0'; i++)
        sum = sum * 31 + (unsigned char)imei[i];
    return sum % 1000 < platform->strange_per_mille;
}

static struct device_queue *queue_of(struct fake_platform *platform, const char *imei)
{
    for (size_t i = 0; i < platform->queue_count; i++)
        if (strcmp(platform->queues[i].imei, imei) == 0)
            return &platform->queues[i];
    if (platform->queue_count == DEVICE_KINDS_MAX)
        return NULL;
    struct device_queue *queue = &platform->queues[platform->queue_count++];
    *queue = (struct device_queue){.waiting = 0};
    (void)snprintf(queue->imei, sizeof(queue->imei), "%s", imei);
    return queue;
}

/* Whether the device has ten commands; now and then it reports in, and takes them. */
static bool is_full(struct fake_platform *platform, const char *imei)
{
    struct device_queue *queue = queue_of(platform, imei);

    if (queue != NULL && dice_chance(platform->dice, 50))
        queue->waiting = 0;
    return queue != NULL && queue->waiting >= DEVICE_QUEUE_MAX;
}

/* A bucket, or a count of each second. */
static bool is_throttled(struct fake_platform *platform, int64_t now_ms)
{
    double rate = (double)platform->rate_per_s;
    bool is_new = now_ms / 1000 != platform->tokens_ms / 1000;

    if (platform->rate_per_s == 0)
        return false;
    if (!platform->by_the_second)
        platform->tokens += rate * (double)(now_ms - platform->tokens_ms) / 1000;
    else if (is_new)
        platform->tokens = rate;
    platform->tokens_ms = now_ms;
    if (platform->tokens > (double)platform->burst)
        platform->tokens = (double)platform->burst;
    if (platform->tokens < 1)
        return true;
    platform->tokens -= 1;
    return false;
}

static const struct outage *outage_at(const struct fake_platform *platform, int64_t now_ms)
{
    for (size_t i = 0; i < platform->outage_count; i++)
        if (now_ms >= platform->outages[i].from_ms && now_ms < platform->outages[i].to_ms)
            return &platform->outages[i];
    return NULL;
}

static enum reply_kind draw_kind(struct fake_platform *platform)
{
    uint32_t at = (uint32_t)prng_up_to(platform->dice, platform->weight_sum - 1), kind = 0;

    while (at >= platform->weights[kind])
        at -= platform->weights[kind++];
    return (enum reply_kind)kind;
}

static enum reply_kind kind_of(struct fake_platform *platform, const struct sending *sending,
                               const struct content *content, int64_t now_ms)
{
    if (now_ms >= platform->key_until_ms) {
        platform->good_key++;
        platform->key_until_ms = INT64_MAX;
    }
    if (outage_at(platform, now_ms) != NULL)
        return REPLY_OUTAGE;
    if (sending->key < platform->good_key)
        return REPLY_KEY_REFUSED;
    if (is_throttled(platform, now_ms))
        return REPLY_THROTTLED;
    if (is_strange(platform, content->imei))
        return REPLY_DEVICE_KEY;
    if (is_full(platform, content->imei))
        return REPLY_QUEUE_FULL;
    return platform->is_calm ? REPLY_ACCEPTED : draw_kind(platform);
}

struct processed *fake_platform_add(struct fake_platform *platform)
{
    if (platform->processed_count == platform->processed_capacity) {
        platform->processed_capacity = 2 * platform->processed_capacity + 64;
        platform->processed = realloc(platform->processed,
                                      platform->processed_capacity * sizeof(*platform->processed));
        if (platform->processed == NULL)
            abort();
    }
    uint64_t number = ++platform->uuids * UINT64_C(0x9e3779b97f4a7c15);
    struct processed *done = &platform->processed[platform->processed_count++];
    *done = (struct processed){.row = 0};
    (void)snprintf(done->uuid, sizeof(done->uuid), "%08x-%04x-4000-8000-%012llx",
                   (unsigned)(number >> 32) | 0x10000000U, (unsigned)(number >> 16) & 0xffff,
                   (unsigned long long)(platform->uuids));
    return done;
}

static void process(struct fake_platform *platform, const struct sending *sending,
                    struct fake_reply *reply, int64_t at_ms)
{
    struct processed *done = fake_platform_add(platform);

    done->row = reply->row;
    done->at_ms = at_ms;
    done->shows_ms = at_ms + platform->lag_ms;
    done->created_s = sending->wall_s + platform->clock_off_s + (at_ms - reply->begun_ms) / 1000;
    memcpy(reply->uuid, done->uuid, sizeof(reply->uuid));
    fake_history_keep(done, sending);
    if (dice_chance(platform->dice, 30))
        fake_history_add_foreign(platform, &platform->processed[platform->processed_count - 1]);
    struct device_queue *queue = queue_of(platform, platform->contents[reply->content].imei);
    if (queue != NULL)
        queue->waiting++;
}

/* How long the sender waits until it hears of it. */
static int64_t wait_of(struct fake_platform *platform, enum reply_kind kind, int64_t now_ms)
{
    struct prng *dice = platform->dice;
    const struct outage *outage = outage_at(platform, now_ms);

    switch (kind) {
    case REPLY_ACCEPTED_SLOWLY:
        return dice_between(dice, 1000, TIMEOUT_MS - 1);
    case REPLY_LOST_BEFORE:
    case REPLY_LOST_AFTER:
    case REPLY_PROCESSED_LATE:
        return TIMEOUT_MS;
    case REPLY_NOT_CONNECTED:
        return dice_chance(dice, 500) ? 5000 : 1;
    case REPLY_OUTAGE:
        return outage != NULL && outage->refuses ? 1 : dice_chance(dice, 500) ? 5000 : TIMEOUT_MS;
    default:
        return dice_skewed(dice, 1, 1 + 2 * platform->latency_ms);
    }
}

void fake_platform_take(struct fake_platform *platform, const struct sending *sending,
                        int64_t now_ms, struct fake_reply *ret_reply)
{
    struct fake_reply *reply = ret_reply;
    struct prng *dice = platform->dice;

    *reply = (struct fake_reply){.begun_ms = now_ms};
    reply->row = sending->row;
    reply->content = sending->content;
    read_request(platform, sending);
    reply->kind = kind_of(platform, sending, &platform->contents[reply->content], now_ms);
    int64_t wait_ms = wait_of(platform, reply->kind, now_ms);
    reply->due_ms = now_ms + wait_ms;
    platform->counts[reply->kind]++;
    const struct outage *outage = outage_at(platform, now_ms);
    reply->is_processed =
        processing[reply->kind] == 1 || (processing[reply->kind] == 2 && dice_chance(dice, 500));
    if (reply->kind == REPLY_OUTAGE && (outage->refuses || wait_ms < TIMEOUT_MS))
        reply->is_processed = false;
    if (!reply->is_processed)
        return;
    bool is_late = reply->kind == REPLY_PROCESSED_LATE;
    process(platform, sending, reply,
            is_late ? reply->due_ms + dice_skewed(dice, 1, LATE_MAX_MS) : now_ms);
}

static enum reply_kind question_kind(struct fake_platform *platform, const struct sending *sending,
                                     int64_t now_ms)
{
    if (outage_at(platform, now_ms) != NULL)
        return REPLY_OUTAGE;
    if (platform->history != HISTORY_SCARRED || platform->is_calm)
        return REPLY_ACCEPTED;
    if (sending->key < platform->good_key)
        return REPLY_KEY_REFUSED;
    enum reply_kind kind = draw_kind(platform);
    bool has_own = kind == REPLY_ACCEPTED || kind == REPLY_ACCEPTED_SLOWLY ||
                   (processing[kind] != 1 && kind != REPLY_REPEATED && kind != REPLY_SHORTAGE);
    return has_own ? kind : REPLY_RESET_AFTER;
}

void fake_platform_ask(struct fake_platform *platform, const struct sending *sending,
                       int64_t now_ms, struct fake_reply *ret_reply)
{
    struct fake_reply *reply = ret_reply;

    *reply = (struct fake_reply){.begun_ms = now_ms, .is_question = true, .row = sending->row};
    (void)snprintf(reply->target, sizeof(reply->target), "%.*s", SPAN_ARG(sending->target));
    reply->kind = question_kind(platform, sending, now_ms);
    reply->due_ms = now_ms + wait_of(platform, reply->kind, now_ms);
}

/* The texts of answers. */

static void set_body(struct fake_reply *reply, int http, const char *body)
{
    (void)snprintf(reply->body, sizeof(reply->body), "%s", body);
    reply->answer.state = ANSWER_ANSWERED;
    reply->answer.is_whole = true;
    reply->answer.http_status = http;
    reply->answer.body = span_string(reply->body);
}

static void set_errno(struct fake_reply *reply, int number, const char *text)
{
    char body[128];

    (void)snprintf(body, sizeof(body), "{\"errno\":%d,\"error\":\"%s\"}", number, text);
    set_body(reply, 200, body);
}

static void set_uuid(struct fake_reply *reply, int number, const char *text, const char *uuid)
{
    char body[192];

    (void)snprintf(body, sizeof(body), "{\"errno\":%d,\"error\":\"%s\",\"data\":{\"uuid\":\"%s\"}}",
                   number, text, uuid);
    set_body(reply, 200, body);
}

static void set_failed(struct fake_reply *reply, enum answer_state state, int error,
                       const char *detail)
{
    reply->answer.state = state;
    reply->answer.os_error = error;
    reply->answer.detail = span_string(detail);
}

static void remember(struct fake_platform *platform, const struct fake_reply *reply)
{
    struct remembered *place = &platform->remembered[platform->remembered_count++ % REMEMBERED_MAX];

    place->content = reply->content;
    (void)snprintf(place->uuid, sizeof(place->uuid), "%s", reply->uuid);
}

/* An earlier answer, to a request that was another one; NULL: there is none. */
static const struct remembered *recall(struct fake_platform *platform, uint32_t content)
{
    size_t count =
        platform->remembered_count < REMEMBERED_MAX ? platform->remembered_count : REMEMBERED_MAX;
    size_t first = count > 0 ? (size_t)prng_up_to(platform->dice, count - 1) : 0;

    for (size_t i = 0; i < count; i++) {
        const struct remembered *found = &platform->remembered[(first + i) % count];
        if (found->content != content)
            return found;
    }
    return NULL;
}

static void set_retry_after(struct fake_platform *platform, struct fake_reply *reply)
{
    reply->answer.has_retry_after = true;
    reply->answer.retry_after_ms = dice_skewed(platform->dice, 0, 30) * 1000;
    if (dice_chance(platform->dice, 20))
        reply->answer.retry_after_ms = dice_chance(platform->dice, 500) ? -1 : 3600000;
}

static void answer_repeated(struct fake_platform *platform, struct fake_reply *reply)
{
    const struct remembered *other = recall(platform, reply->content);

    if (other != NULL)
        set_uuid(reply, 0, "succ", other->uuid);
    else
        set_failed(reply, ANSWER_IN_DOUBT, ECONNRESET, "connection reset");
}

static void answer_accepted(struct fake_platform *platform, struct fake_reply *reply)
{
    set_uuid(reply, 0, "succ", reply->uuid);
    remember(platform, reply);
}

static void answer_cut_off(struct fake_platform *platform, struct fake_reply *reply)
{
    set_uuid(reply, 0, "succ", reply->uuid);
    /* Within the uuid or before: what is left says errno 0 at the most. */
    size_t len = (size_t)dice_between(platform->dice, 1, 60);
    reply->body[len] = '\0';
    reply->answer.body = span_string(reply->body);
    reply->answer.is_whole = false;
}

static void answer_http(struct fake_platform *platform, struct fake_reply *reply)
{
    switch (reply->kind) {
    case REPLY_HTTP_500:
        set_body(reply, 500, "");
        break;
    case REPLY_HTTP_502:
        set_body(reply, 502, "<html>Bad Gateway</html>");
        break;
    case REPLY_HTTP_429:
        set_body(reply, 429, "");
        if (dice_chance(platform->dice, 500))
            set_retry_after(platform, reply);
        break;
    case REPLY_HTTP_503_LATER:
        set_body(reply, 503, "");
        set_retry_after(platform, reply);
        break;
    case REPLY_HTTP_408_UNASKED:
        set_body(reply, 408, "");
        reply->answer.may_be_unasked = true;
        break;
    default: /* FOREIGN */
        set_body(reply, 200, "<html>Please log in to the network</html>");
        break;
    }
}

/* More than its rate. */
static void answer_throttled(struct fake_platform *platform, struct fake_reply *reply)
{
    switch (platform->refusal) {
    case REFUSAL_15:
        set_errno(reply, 15, "api freq out of limit");
        break;
    case REFUSAL_7:
        set_errno(reply, 7, "internal error");
        break;
    default:
        set_body(reply, 429, "");
        if (platform->refusal == REFUSAL_LATER)
            set_retry_after(platform, reply);
        break;
    }
}

static void answer_errno(struct fake_platform *platform, struct fake_reply *reply)
{
    switch (reply->kind) {
    case REPLY_ERRNO_AGAIN:
        set_errno(reply, 17, "nbiot server error");
        break;
    case REPLY_ERRNO_LATER:
        set_errno(reply, 15, "api freq out of limit");
        break;
    case REPLY_THROTTLED:
        answer_throttled(platform, reply);
        break;
    case REPLY_ERRNO_REJECTED:
        set_errno(reply, 6, "invalid parameter");
        break;
    case REPLY_ERRNO_DOUBT:
        set_errno(reply, 5108, "rpc response error");
        break;
    case REPLY_ERRNO_WITH_UUID:
        set_uuid(reply, 17, "nbiot server error", reply->uuid);
        break;
    case REPLY_NO_UUID:
        set_uuid(reply, 0, "succ", "");
        break;
    case REPLY_KEY_REFUSED:
        set_errno(reply, 3, "auth failed");
        break;
    case REPLY_DEVICE_KEY:
        set_errno(reply, 1, "auth failed");
        break;
    case REPLY_QUEUE_FULL:
        set_errno(reply, 5006, "system logic limit");
        break;
    default:
        answer_accepted(platform, reply);
        break;
    }
}

/* No answer: in the words of a transport. */
static void answer_nothing(struct fake_reply *reply)
{
    int64_t waited_ms = reply->due_ms - reply->begun_ms;

    switch (reply->kind) {
    case REPLY_NOT_CONNECTED:
        set_failed(reply, ANSWER_NOT_SENT, ECONNREFUSED, "connection refused");
        break;
    case REPLY_SHORTAGE:
        set_failed(reply, ANSWER_NOT_SENT, EMFILE, "too many open files");
        break;
    case REPLY_OUTAGE:
        set_failed(reply, waited_ms < TIMEOUT_MS ? ANSWER_NOT_SENT : ANSWER_IN_DOUBT, ETIMEDOUT,
                   "outage");
        break;
    default:
        set_failed(reply, ANSWER_IN_DOUBT, waited_ms < TIMEOUT_MS ? ECONNRESET : ETIMEDOUT,
                   "no answer came");
        break;
    }
}

static void set_date(struct fake_platform *platform, struct fake_reply *reply, int64_t wall_s)
{
    time_t when = (time_t)(wall_s + platform->clock_off_s);
    struct tm parts;

    (void)gmtime_r(&when, &parts);
    size_t len = strftime(reply->date, sizeof(reply->date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    reply->answer.date = span_of(reply->date, len);
}

void fake_platform_answer(struct fake_platform *platform, struct fake_reply *reply, int64_t now_ms,
                          int64_t wall_s, bool is_cut)
{
    reply->answer =
        (struct answer){.retry_after_ms = -1, .latency_us = (now_ms - reply->begun_ms) * 1000};
    if (is_cut) {
        set_failed(reply, ANSWER_IN_DOUBT, 0, "interrupted");
        return;
    }
    switch (reply->kind) {
    case REPLY_LOST_BEFORE:
    case REPLY_LOST_AFTER:
    case REPLY_PROCESSED_LATE:
    case REPLY_RESET_BEFORE:
    case REPLY_RESET_AFTER:
    case REPLY_NOT_CONNECTED:
    case REPLY_SHORTAGE:
    case REPLY_OUTAGE:
        answer_nothing(reply);
        return;
    case REPLY_REPEATED:
        answer_repeated(platform, reply);
        break;
    case REPLY_CUT_OFF:
        answer_cut_off(platform, reply);
        break;
    case REPLY_HTTP_500:
    case REPLY_HTTP_502:
    case REPLY_HTTP_429:
    case REPLY_HTTP_503_LATER:
    case REPLY_HTTP_408_UNASKED:
    case REPLY_FOREIGN:
        answer_http(platform, reply);
        break;
    default:
        if (reply->is_question && reply->kind <= REPLY_ACCEPTED_SLOWLY)
            fake_history_tell(platform, reply, now_ms);
        else
            answer_errno(platform, reply);
        break;
    }
    if (reply->answer.state == ANSWER_ANSWERED)
        set_date(platform, reply, wall_s);
}

uint32_t fake_platform_count(const struct fake_platform *platform, uint64_t row)
{
    uint32_t count = 0;

    for (size_t i = 0; i < platform->processed_count; i++)
        count += platform->processed[i].row == row;
    return count;
}

uint64_t fake_platform_find(const struct fake_platform *platform, struct span uuid)
{
    for (size_t i = 0; i < platform->processed_count; i++)
        if (span_is(uuid, platform->processed[i].uuid))
            return platform->processed[i].row;
    return 0;
}
