#include "sim/config.h"

#include <arpa/inet.h>

#include "core/text.h"

const struct sim_setting sim_settings[] = {
    {"listen", "HOST:PORT", "127.0.0.1:0",
     "where it listens, on loopback; port 0: the kernel picks"},
    {"fault", "KIND:P", NULL,
     "a fault with its probability (0.01 or 1%), repeatable: close, reset (each also as "
     "close-after, reset-after: the command is processed first), cut, garbage, no-uuid, http-NNN, "
     "http-NNN-after, errno-N"},
    {"seed", "N", "1", "of the generator that draws the faults"},
    {"queue-limit", "N", "10", "commands that wait per device; 0: no limit"},
    {"api-key-file", "FILE", NULL, "the key that requests must carry (default: any)"},
    {"audit", "FILE", NULL, "a JSON line for each request"},
};
const size_t sim_settings_count = ARRAY_LENGTH(sim_settings);

void sim_config_init(struct sim_config *config)
{
    *config = (struct sim_config){.host = "127.0.0.1", .seed = 1, .queue_limit = 10};
}

void sim_config_deinit(struct sim_config *config)
{
    (void)config; /* it owns nothing yet */
}

static enum status refuse(struct span key, struct span value, const char *wanted,
                          struct buf *message)
{
    buf_add_string(message, "simulator: ");
    buf_add_printable(message, key);
    buf_add_string(message, " ");
    buf_add_printable(message, value);
    buf_add_format(message, ": %s", wanted);
    return STATUS_USAGE;
}

static bool copy(struct span value, char *out, size_t size)
{
    if (value.len == 0 || value.len >= size || memchr(value.ptr, '\0', value.len) != NULL)
        return false;
    memcpy(out, value.ptr, value.len);
    out[value.len] = '\0';
    return true;
}

static bool set_listen(struct sim_config *config, struct span value)
{
    size_t colon = value.len;
    uint64_t port = 0;
    struct in_addr address;

    while (colon > 0 && value.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0 || span_to_uint64(span_skip(value, colon), &port) != STATUS_OK || port > 65535)
        return false;
    struct span host = span_of(value.ptr, colon - 1);
    if (span_is(host, "localhost"))
        host = SPAN_LITERAL("127.0.0.1");
    if (!copy(host, config->host, sizeof(config->host)) ||
        inet_pton(AF_INET, config->host, &address) != 1 || ntohl(address.s_addr) >> 24 != 127)
        return false;
    config->port = (uint16_t)port;
    return true;
}

static bool parse_probability(struct span text, double *ret_probability)
{
    char copied[32];
    char *end = NULL;

    if (!copy(text, copied, sizeof(copied)) || !is_digit(copied[0]))
        return false;
    double value = strtod(copied, &end);
    if (strcmp(end, "%") == 0)
        value /= 100;
    else if (*end != '\0')
        return false;
    *ret_probability = value;
    return value >= 0 && value <= 1;
}

/* http-503, http-503-after, errno-7 */
static bool parse_numbered(struct span kind, struct sim_fault *fault)
{
    bool http = span_starts_with(kind, "http-");
    struct span rest = span_skip(kind, http ? strlen("http-") : 0);

    if (!http && !span_starts_with(kind, "errno-"))
        return false;
    if (!http)
        rest = span_skip(kind, strlen("errno-"));
    fault->kind = http ? FAULT_HTTP : FAULT_ERRNO;
    if (http && rest.len == 9 && span_is(span_skip(rest, 3), "-after")) {
        fault->after = true;
        rest.len = 3;
    }
    if (span_to_int64(rest, &fault->number) != STATUS_OK)
        return false;
    return http ? fault->number >= 300 && fault->number < 600 : fault->number > 0;
}

static bool parse_kind(struct span kind, struct sim_fault *fault)
{
    static const struct sim_fault plain[] = {
        {FAULT_CLOSE, false, 0, 0, "close"},    {FAULT_CLOSE, true, 0, 0, "close-after"},
        {FAULT_RESET, false, 0, 0, "reset"},    {FAULT_RESET, true, 0, 0, "reset-after"},
        {FAULT_CUT, true, 0, 0, "cut"},         {FAULT_GARBAGE, true, 0, 0, "garbage"},
        {FAULT_NO_UUID, true, 0, 0, "no-uuid"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(plain); i++) {
        if (span_is(kind, plain[i].name)) {
            *fault = plain[i];
            return true;
        }
    }
    return parse_numbered(kind, fault) && copy(kind, fault->name, sizeof(fault->name));
}

static bool add_fault(struct sim_config *config, struct span value)
{
    const char *colon = value.len > 0 ? memchr(value.ptr, ':', value.len) : NULL;
    struct sim_fault fault = {.kind = FAULT_NONE};

    if (colon == NULL || config->fault_count == SIM_FAULTS_MAX)
        return false;
    size_t len = (size_t)(colon - value.ptr);
    if (!parse_kind(span_of(value.ptr, len), &fault) ||
        !parse_probability(span_skip(value, len + 1), &fault.probability))
        return false;
    config->faults[config->fault_count++] = fault;
    return true;
}

static bool set_number(struct span value, uint64_t max, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (span_to_uint64(value, &number) != STATUS_OK || number > max)
        return false;
    *ret_number = number;
    return true;
}

enum status sim_config_set(struct sim_config *config, struct span key, struct span value,
                           struct buf *message)
{
    const char *names[ARRAY_LENGTH(sim_settings)];
    uint64_t number = 0;

    if (span_is(key, "listen"))
        return set_listen(config, value)
                   ? STATUS_OK
                   : refuse(key, value, "must be an address of loopback and a port, 127.0.0.1:8080",
                            message);
    if (span_is(key, "fault"))
        return add_fault(config, value)
                   ? STATUS_OK
                   : refuse(key, value, "must be a kind and a probability, such as close-after:1%",
                            message);
    if (span_is(key, "seed"))
        return set_number(value, UINT64_MAX, &config->seed)
                   ? STATUS_OK
                   : refuse(key, value, "must be a whole number", message);
    if (span_is(key, "queue-limit")) {
        if (!set_number(value, UINT32_MAX, &number))
            return refuse(key, value, "must be a whole number", message);
        config->queue_limit = (uint32_t)number;
        return STATUS_OK;
    }
    if (span_is(key, "api-key-file") || span_is(key, "audit"))
        return copy(value, span_is(key, "audit") ? config->audit : config->api_key_file,
                    SIM_PATH_MAX)
                   ? STATUS_OK
                   : refuse(key, value, "must be the name of a file", message);
    for (size_t i = 0; i < ARRAY_LENGTH(sim_settings); i++)
        names[i] = sim_settings[i].name;
    const char *nearest = text_nearest(key, names, ARRAY_LENGTH(names));
    return refuse(key, value,
                  nearest != NULL ? nearest
                                  : "there is no such setting; see nbatch simulate --help",
                  message);
}

enum status sim_config_parse(struct sim_config *config, struct span spec, struct buf *message)
{
    while (spec.len > 0) {
        const char *comma = memchr(spec.ptr, ',', spec.len);
        size_t len = comma != NULL ? (size_t)(comma - spec.ptr) : spec.len;
        struct span item = span_of(spec.ptr, len);
        const char *equals = len > 0 ? memchr(item.ptr, '=', len) : NULL;
        size_t key_len = equals != NULL ? (size_t)(equals - item.ptr) : len;
        struct span value = equals != NULL ? span_skip(item, key_len + 1) : span_of("", 0);
        enum status status = sim_config_set(config, span_of(item.ptr, key_len), value, message);
        if (status != STATUS_OK)
            return status;
        spec = span_skip(spec, comma != NULL ? len + 1 : len);
    }
    return STATUS_OK;
}
