#include <arpa/inet.h>

#include "sim/config.h"

#include "core/text.h"
#include "core/when.h"
#include "platform/rules.h"
#include "platform/token.h"
#include "sim/push.h"

enum { CLOCK_MAX = 100000, DEFAULT_MAX_COMMANDS = 1000 * 1000 };

/* Only the machine itself: whoever rehearses opens nothing to the network. */
static bool parse_loopback_host(struct span host, struct sockaddr_storage *ret_address)
{
    char text[INET_ADDRSTRLEN];
    struct sockaddr_in v4 = {.sin_family = AF_INET};

    *ret_address = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    if (span_is(host, "[::1]")) {
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
        memcpy(ret_address, &v6, sizeof(v6));
        return true;
    }
    if (span_is(host, "localhost"))
        host = SPAN_LITERAL("127.0.0.1");
    if (host.len >= sizeof(text))
        return false;
    (void)snprintf(text, sizeof(text), "%.*s", SPAN_ARG(host));
    if (inet_pton(AF_INET, text, &v4.sin_addr) != 1 || ntohl(v4.sin_addr.s_addr) >> 24 != 127)
        return false;
    memcpy(ret_address, &v4, sizeof(v4));
    return true;
}

/* The port is at the same place in both families (RFC 3493; checked here). */
_Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
               "one store sets the port of both");

static enum status set_listen(struct sim_config *config, struct span value, struct buf *message)
{
    struct sockaddr_storage address;
    size_t len = value.len;
    uint64_t port;

    while (len > 0 && value.ptr[len - 1] != ':')
        len--;
    if (len == 0 || span_to_uint64(span_skip(value, len), &port) != STATUS_OK || port > 65535) {
        buf_add_string(message, "give HOST:PORT with a port of 0 (any free one) to 65535, such as "
                                "127.0.0.1:8080 or [::1]:0");
        return STATUS_USAGE;
    }
    if (!parse_loopback_host(span_of(value.ptr, len - 1), &address)) {
        buf_add_string(message, "the simulator listens on this machine only: give 127.0.0.1, "
                                "another 127.x.y.z, [::1] or localhost as host");
        return STATUS_USAGE;
    }
    ((struct sockaddr_in *)(void *)&address)->sin_port = htons((uint16_t)port);
    config->address = address;
    return STATUS_OK;
}

static enum status set_latency(struct sim_config *config, struct span value, struct buf *message)
{
    enum status status = latency_parse(value, &config->latency);

    if (status == STATUS_OK)
        return STATUS_OK;
    if (status == STATUS_RANGE)
        buf_add_string(message, "a time is an hour at most, the first of uniform: no longer than "
                                "the second, and sigma 4 at most");
    else
        buf_add_string(message, "give a duration such as 20ms, uniform:10ms..30ms, lognormal:20ms "
                                "or lognormal:20ms:0.5");
    return STATUS_USAGE;
}

static enum status set_fault(struct sim_config *config, struct span value, struct buf *message)
{
    return span_starts_with(value, "device-") ? devices_add_fault(&config->devices, value, message)
                                              : faults_add(&config->faults, value, message);
}

static enum status set_uplink(struct sim_config *config, struct span value, struct buf *message)
{
    if (devices_parse_uplink(value, &config->devices) == STATUS_OK)
        return STATUS_OK;
    buf_add_string(message, "give how often a device reports in, a year at most: 30s, or a range "
                            "from which each device has its own, such as 5s..60s");
    return STATUS_USAGE;
}

static enum status set_clock(struct sim_config *config, struct span value, struct buf *message)
{
    double clock = 0;

    if (value.len > 0 && value.ptr[value.len - 1] == 'x')
        value.len--;
    if (chance_parse_decimal(value, &clock) && clock > 0 && clock <= CLOCK_MAX) {
        config->devices.clock = clock;
        return STATUS_OK;
    }
    buf_add_format(message,
                   "give how many times as fast as real time devices live, up to %d, such "
                   "as 60x",
                   CLOCK_MAX);
    return STATUS_USAGE;
}

static enum status set_lag(struct sim_config *config, struct span value, struct buf *message)
{
    if (when_parse_duration(value, &config->lag_ms) == STATUS_OK)
        return STATUS_OK;
    buf_add_string(message, "give a duration such as 2s");
    return STATUS_USAGE;
}

static enum status set_full(struct sim_config *config, struct span value, struct buf *message)
{
    config->overwrites = span_is(value, "overwrite");
    if (config->overwrites || span_is(value, "refuse"))
        return STATUS_OK;
    buf_add_string(message, "say what becomes of a further command: refuse, or overwrite (it takes "
                            "the place of the oldest)");
    return STATUS_USAGE;
}

static enum status set_limit(struct sim_config *config, struct span value, struct buf *message)
{
    if (limit_parse(value, &config->limit.per_s))
        return STATUS_OK;
    buf_add_string(message, "give a whole number per second, minute or hour, up to 1000000/s, such "
                            "as 300/s, 600/m or 5000/h");
    return STATUS_USAGE;
}

static enum status set_limit_by(struct sim_config *config, struct span value, struct buf *message)
{
    struct fault refusal;

    if (!faults_find(value, &refusal) || refusal.kind->processed ||
        (refusal.kind->effect != FAULT_HTTP && refusal.kind->effect != FAULT_ERRNO)) {
        buf_add_string(message, "give what a command beyond the limit is answered: errno-15, "
                                "errno-7, http-429, http-429-retry-after or another fault of "
                                "before processing that has a number");
        return STATUS_USAGE;
    }
    config->limit.refusal = refusal;
    return STATUS_OK;
}

static enum status parse_count(struct span value, uint64_t max, uint64_t *ret_count,
                               struct buf *message)
{
    uint64_t count;

    if (span_to_uint64(value, &count) != STATUS_OK || count > max) {
        buf_add_format(message, "give a whole number of 0 to %llu", (unsigned long long)max);
        return STATUS_USAGE;
    }
    *ret_count = count;
    return STATUS_OK;
}

static enum status set_seed(struct sim_config *config, struct span value, struct buf *message)
{
    enum status status = parse_count(value, UINT64_MAX, &config->seed, message);
    config->has_seed = config->has_seed || status == STATUS_OK;
    return status;
}

static enum status set_queue_limit(struct sim_config *config, struct span value,
                                   struct buf *message)
{
    uint64_t limit;
    enum status status = parse_count(value, SIM_QUEUE_LIMIT_MAX, &limit, message);
    if (status == STATUS_OK)
        config->queue_limit = (uint32_t)limit;
    return status;
}

static enum status set_burst(struct sim_config *config, struct span value, struct buf *message)
{
    uint64_t burst;
    enum status status = parse_count(value, LIMIT_BURST_MAX, &burst, message);

    if (status == STATUS_OK)
        config->limit.burst = burst > 0 ? burst : 1;
    return status;
}

static enum status set_max_commands(struct sim_config *config, struct span value,
                                    struct buf *message)
{
    return parse_count(value, SIM_COMMANDS_MAX, &config->max_commands, message);
}

static enum status set_path(char **path, struct span value, struct buf *message)
{
    if (value.len == 0 || memchr(value.ptr, '\0', value.len) != NULL) {
        buf_add_string(message, "give the path of a file");
        return STATUS_USAGE;
    }
    char *copy = malloc(value.len + 1);
    if (copy == NULL)
        return STATUS_NO_MEMORY;
    memcpy(copy, value.ptr, value.len);
    copy[value.len] = '\0';
    free(*path);
    *path = copy;
    return STATUS_OK;
}

static enum status set_api_key_file(struct sim_config *config, struct span value,
                                    struct buf *message)
{
    return set_path(&config->api_key_file, value, message);
}

static enum status set_api(struct sim_config *config, struct span value, struct buf *message)
{
    if (dialect_find(value, &config->dialect))
        return STATUS_OK;
    buf_add_string(message, "give v1 or v2");
    return STATUS_USAGE;
}

static enum status set_id(char **id, struct span value, const char *whose, struct buf *message)
{
    if (token_is_id(value))
        return set_path(id, value, message);
    buf_add_format(message, "give the %s's id, letters and digits", whose);
    return STATUS_USAGE;
}

static enum status set_product_id(struct sim_config *config, struct span value, struct buf *message)
{
    return set_id(&config->product_id, value, "product", message);
}

static enum status set_user_id(struct sim_config *config, struct span value, struct buf *message)
{
    return set_id(&config->user_id, value, "account", message);
}

static enum status set_access_key_file(struct sim_config *config, struct span value,
                                       struct buf *message)
{
    return set_path(&config->access_key_file, value, message);
}

static enum status set_audit(struct sim_config *config, struct span value, struct buf *message)
{
    return set_path(&config->audit_file, value, message);
}

static enum status set_push(struct sim_config *config, struct span value, struct buf *message)
{
    if (push_is_target(value))
        return set_path(&config->push_target, value, message);
    buf_add_string(message, "give a URL on this machine, such as http://127.0.0.1:8080/onenet, or "
                            "the path of a file");
    return STATUS_USAGE;
}

static enum status set_state(struct sim_config *config, struct span value, struct buf *message)
{
    return set_path(&config->state_file, value, message);
}

const struct sim_setting sim_settings[] = {
    {"listen", "HOST:PORT", "127.0.0.1:0", "where to listen, on this machine; port 0: any free one",
     set_listen},
    {"api", "v1|v2", "v1", "the platform's dialect; v2 is the newer OneNET, as documented",
     set_api},
    {"latency", "D", "0",
     "time to an answer: 20ms, uniform:10ms..30ms, or lognormal:MEDIAN[:SIGMA]", set_latency},
    {"fault", "KIND:P", "none",
     "a fault and its probability, such as reset:1%; can be given again. Kinds, each before or "
     "with "
     "-after its command is processed: close, reset, silent, http-NNN; before: errno-N, "
     "http-429-retry-after, http-503-retry-after; after: cut, garbage, envelope, no-uuid, slow",
     set_fault},
    {"limit", "N/s|m|h", "none",
     "commands that are taken at most, as a hidden limit: a token bucket", set_limit},
    {"burst", "N", "a tenth of a second's", "… how many it takes at once", set_burst},
    {"limit-by", "KIND", "errno-15",
     "… what the others are answered: errno-15, errno-7, http-429, http-429-retry-after",
     set_limit_by},
    {"seed", "N", "random", "the same seed and order of requests give the same faults and times",
     set_seed},
    {"queue-limit", "N", "10", "commands that wait per device at most; 0: no limit",
     set_queue_limit},
    {"full", "WHAT", "refuse",
     "a further one: refuse it, or overwrite the oldest (both are told of the platform)", set_full},
    {"uplink", "D", "never",
     "how often a device reports in and takes what waits for it: 30s, or 5s..60s, where each "
     "device has its own rhythm. What devices do with commands is a fault too: "
     "device-not_found:1%, device-time_out, device-silent and the platform's other words",
     set_uplink},
    {"clock", "Nx", "1x",
     "devices live so many times as fast, and commands expire as much sooner; times in answers "
     "stay those of the calendar",
     set_clock},
    {"lag", "D", "0", "a command shows in the history so much later", set_lag},
    {"api-key-file", "FILE", "no key is checked", "ask for the key that is this file's first line",
     set_api_key_file},
    {"product-id", "ID", "no token is checked", "ask for a token of this product", set_product_id},
    {"user-id", "ID", "no token is checked", "with v2: ask for a token of this account",
     set_user_id},
    {"access-key-file", "FILE", "no token is checked",
     "… that is signed with the access key that is this file's first line", set_access_key_file},
    {"push", "URL|FILE", "none",
     "tell of each command that has come to its end: a POST to a server on this machine, or a line "
     "in a file",
     set_push},
    {"state", "FILE", "none",
     "keep commands and what devices hold in this file from one start to the next", set_state},
    {"audit", "FILE", "none", "write each request as a line of JSON", set_audit},
    {"max-commands", "N", "1000000",
     "commands kept for the history; further ones are only counted per device", set_max_commands},
};
const size_t sim_settings_count = ARRAY_LENGTH(sim_settings);

void sim_config_init(struct sim_config *config)
{
    struct sockaddr_in any_port = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    *config = (struct sim_config){.queue_limit = DEVICE_QUEUE_MAX,
                                  .max_commands = DEFAULT_MAX_COMMANDS,
                                  .devices = {.clock = 1}};
    memcpy(&config->address, &any_port, sizeof(any_port));
    limit_init(&config->limit);
}

void sim_config_deinit(struct sim_config *config)
{
    if (config == NULL)
        return;
    free(config->api_key_file);
    free(config->product_id);
    free(config->access_key_file);
    free(config->audit_file);
    free(config->push_target);
    config->push_target = NULL;
    free(config->state_file);
    config->state_file = NULL;
    free(config->user_id);
    config->product_id = config->user_id = NULL;
    config->access_key_file = NULL;
    config->api_key_file = NULL;
    config->audit_file = NULL;
}

static enum status refuse_key(struct span key, struct buf *message)
{
    const char *names[ARRAY_LENGTH(sim_settings)];

    for (size_t i = 0; i < sim_settings_count; i++)
        names[i] = sim_settings[i].name;
    const char *nearest = text_nearest(key, names, sim_settings_count);
    buf_add_string(message, "the simulator has no setting ");
    buf_add_quoted(message, key);
    if (nearest != NULL)
        buf_add_format(message, "; did you mean %s?", nearest);
    buf_add_string(message, nearest != NULL ? " The settings are " : "; the settings are ");
    for (size_t i = 0; i < sim_settings_count; i++)
        buf_add_format(message, "%s%s", i > 0 ? ", " : "", names[i]);
    return STATUS_USAGE;
}

enum status sim_config_set(struct sim_config *config, struct span key, struct span value,
                           struct buf *message)
{
    struct buf reason;

    for (size_t i = 0; i < sim_settings_count; i++) {
        if (!span_is(key, sim_settings[i].name))
            continue;
        buf_init_text(&reason, SIM_SETTING_MAX);
        enum status status = sim_settings[i].set(config, value, &reason);
        if (status == STATUS_USAGE) {
            buf_add_format(message, "%s=", sim_settings[i].name);
            buf_add_printable(message, value);
            buf_add_string(message, ": ");
            buf_add(message, buf_span(&reason));
        }
        buf_deinit(&reason);
        return status;
    }
    return refuse_key(key, message);
}

static size_t find(struct span text, char c)
{
    const char *at = text.len > 0 ? memchr(text.ptr, c, text.len) : NULL;
    return at != NULL ? (size_t)(at - text.ptr) : text.len;
}

enum status sim_config_parse(struct sim_config *config, struct span spec, struct buf *message)
{
    while (spec.len > 0) {
        struct span item = span_of(spec.ptr, find(spec, ','));
        size_t key_len = find(item, '=');
        if (key_len == item.len) {
            buf_add_quoted(message, item);
            buf_add_string(message,
                           " is no setting of the simulator: write key=value, several "
                           "with commas between them, such as latency=20ms,fault=reset:1%");
            return STATUS_USAGE;
        }
        enum status status = sim_config_set(config, span_of(item.ptr, key_len),
                                            span_skip(item, key_len + 1), message);
        if (status != STATUS_OK)
            return status;
        spec = span_skip(spec, item.len < spec.len ? item.len + 1 : item.len);
    }
    return STATUS_OK;
}
