#include "sim/server.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <microhttpd.h>
#include <sys/random.h>
#include <time.h>

#include "command/command.h"
#include "command/platform_errno.h"
#include "core/hashmap.h"
#include "core/jsonlex.h"

enum { SIM_BODY_MAX = 64 * 1024, SIM_CONNECTIONS_MAX = 2048, SIM_KEY_MAX = 4096, UUID_LENGTH = 36 };

/* The waiting commands of a device, by when they expire. */
struct device {
    uint32_t count, capacity;
    int64_t *expires_s;
};

struct sim {
    struct sim_config config;
    struct MHD_Daemon *daemon;
    uint16_t port;
    char key[SIM_KEY_MAX];
    FILE *audit;
    uint64_t requests;
    uint64_t random;
    struct hashmap devices;
    struct schema schema;
    struct command command;
    struct problems problems;
    unsigned char random_bytes[4096];
    size_t random_at;
};

/* What a request is known to be while it is served. */
struct request {
    struct buf body;
    bool repeated; /* a URL parameter stands twice, or is unknown */
    struct cell cells[PARAM_COUNT + 3];
    struct sim *sim;
};

enum { CELL_ACTION = PARAM_COUNT, CELL_DATA, CELL_ARGS };

struct verdict {
    int64_t number;
    char text[256];
    char uuid[UUID_LENGTH + 1];
    bool processed;
};

static double draw(struct sim *sim)
{
    sim->random += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = sim->random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static const struct sim_fault *choose_fault(struct sim *sim)
{
    double left = sim->config.fault_count > 0 ? draw(sim) : 0;

    for (size_t i = 0; i < sim->config.fault_count; i++) {
        left -= sim->config.faults[i].probability;
        if (left < 0)
            return &sim->config.faults[i];
    }
    return NULL;
}

static void make_uuid(struct sim *sim, char out[UUID_LENGTH + 1])
{
    unsigned char b[16];

    if (sim->random_at + sizeof(b) > sizeof(sim->random_bytes)) {
        if (getrandom(sim->random_bytes, sizeof(sim->random_bytes), 0) < 0)
            abort(); /* without randomness uuids would repeat */
        sim->random_at = 0;
    }
    memcpy(b, sim->random_bytes + sim->random_at, sizeof(b));
    sim->random_at += sizeof(b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0, at = 0; i < sizeof(b); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        out[at++] = hex[b[i] >> 4];
        out[at++] = hex[b[i] & 15];
    }
    out[UUID_LENGTH] = '\0';
}

/* Takes one of the device's places; false when all are taken by commands that have not expired. */
static bool take_place(struct sim *sim, uint64_t imei, int64_t now_s, int64_t expires_s)
{
    struct device *device = hashmap_get(&sim->devices, imei);
    uint32_t kept = 0;

    if (device == NULL) {
        device = calloc(1, sizeof(*device));
        if (device == NULL || hashmap_put(&sim->devices, imei, device) != STATUS_OK)
            abort();
    }
    for (uint32_t i = 0; i < device->count; i++)
        if (device->expires_s[i] > now_s)
            device->expires_s[kept++] = device->expires_s[i];
    device->count = kept;
    if (sim->config.queue_limit == 0)
        return true;
    if (device->count >= sim->config.queue_limit)
        return false;
    if (device->count == device->capacity) {
        device->capacity = device->capacity > 0 ? device->capacity * 2 : 2;
        device->expires_s =
            realloc(device->expires_s, device->capacity * sizeof(*device->expires_s));
        if (device->expires_s == NULL)
            abort();
    }
    device->expires_s[device->count++] = expires_s;
    return true;
}

static enum MHD_Result on_parameter(void *context, enum MHD_ValueKind kind, const char *key,
                                    const char *value)
{
    struct request *request = context;
    enum param param;

    (void)kind;
    if (!param_find(span_string(key), &param) || request->cells[param].kind != CELL_ABSENT)
        request->repeated = true;
    else if (value != NULL && value[0] != '\0')
        request->cells[param] = (struct cell){CELL_TEXT, span_string(value)};
    return MHD_YES;
}

/* The one member that a body has, as its raw text (data) or its value (args). The tree is the
 * caller's. */
static bool read_body(struct request *request, const char *name, struct cell *cell,
                      cJSON **ret_tree)
{
    struct span member;
    struct jsonlex lex = {.members = &member, .members_max = 1};
    struct span text = span_string(buf_string(&request->body));
    const char *end = NULL;

    if (text.len != request->body.len || jsonlex_scan(&lex, text) != STATUS_OK || lex.nul_escape)
        return false;
    *ret_tree = cJSON_ParseWithLengthOpts(text.ptr, text.len, &end, false);
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(*ret_tree, name);
    if (value == NULL || lex.member_count != 1 || end != text.ptr + text.len)
        return false;
    *cell = cJSON_IsString(value) ? (struct cell){CELL_STRING, span_string(value->valuestring)}
                                  : (struct cell){CELL_JSON, member};
    return true;
}

static void set_verdict(struct verdict *verdict, int64_t number, const char *text)
{
    const struct platform_errno *known = platform_errno_find(number);
    verdict->number = number;
    (void)snprintf(verdict->text, sizeof(verdict->text), "%s%s%s",
                   known != NULL ? known->name : "error", text != NULL ? ": " : "",
                   text != NULL ? text : "");
}

/* Applies the client's own rules to what came; errors as the platform's page numbers them. */
static void check(struct request *request, struct verdict *verdict)
{
    struct sim *sim = request->sim;
    struct row row = {1, 1, request->cells, ARRAY_LENGTH(request->cells)};
    int64_t now_s = (int64_t)time(NULL);
    bool missing = false;
    const struct problem *first = NULL;

    problems_clear(&sim->problems, 1, 1);
    if (command_build(&sim->command, &sim->schema, &row, now_s, &sim->problems) != STATUS_OK)
        abort();
    for (size_t i = 0; i < sim->problems.count; i++) {
        const struct problem *problem = &sim->problems.items[i];
        missing = missing || problem->code == PROBLEM_REQUIRED || problem->code == PROBLEM_JSON;
        if (first == NULL && !problem_code_is_warning(problem->code))
            first = problem;
    }
    if (missing) {
        set_verdict(verdict, 3, NULL);
    } else if (first != NULL || request->repeated) {
        char text[128] = "a parameter is unknown or stands twice";
        if (first != NULL)
            buf_copy_printable(text, sizeof(text), problem_message(&sim->problems, first));
        set_verdict(verdict, 5108, text);
    } else if (!take_place(sim, sim->command.device, now_s, sim->command.expires_at_s)) {
        set_verdict(verdict, 5006, NULL);
    } else {
        set_verdict(verdict, 0, NULL);
        make_uuid(sim, verdict->uuid);
        verdict->processed = true;
    }
}

static void process(struct request *request, struct MHD_Connection *connection, enum action action,
                    struct verdict *verdict)
{
    struct sim *sim = request->sim;
    const char *key = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "api-key");
    cJSON *tree = NULL;
    bool readable = true;

    (void)MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, on_parameter, request);
    request->cells[CELL_ACTION] = (struct cell){CELL_TEXT, span_string(action_rules[action].name)};
    if (action_rules[action].body == BODY_DATA)
        readable = read_body(request, "data", &request->cells[CELL_DATA], &tree);
    else if (request->body.len > 0)
        readable = read_body(request, "args", &request->cells[CELL_ARGS], &tree);
    if (sim->key[0] != '\0' && (key == NULL || strcmp(key, sim->key) != 0))
        set_verdict(verdict, 1, NULL);
    else if (!readable)
        set_verdict(verdict, 3, NULL);
    else
        check(request, verdict);
    cJSON_Delete(tree);
}

static void audit(struct request *request, const char *method, const char *url,
                  const struct verdict *verdict, const struct sim_fault *fault)
{
    struct sim *sim = request->sim;
    struct buf line;
    const struct cell *imei = &request->cells[PARAM_IMEI];

    if (sim->audit == NULL)
        return;
    buf_init(&line, 1024 * 1024);
    buf_add_format(&line,
                   "{\"n\":%llu,\"method\":\"%s\",\"path\":", (unsigned long long)sim->requests,
                   method);
    buf_add_json_string(&line, span_string(url));
    buf_add_string(&line, ",\"imei\":");
    buf_add_json_string(&line, imei->text);
    buf_add_string(&line, ",\"body\":");
    buf_add_json_string(&line, buf_span(&request->body));
    buf_add_format(&line, ",\"processed\":%s,\"uuid\":\"%s\",\"errno\":%lld,\"fault\":",
                   verdict->processed ? "true" : "false", verdict->uuid,
                   (long long)verdict->number);
    buf_add_json_string(&line, span_string(fault != NULL ? fault->name : ""));
    buf_add_string(&line, "}\n");
    (void)fwrite(line.ptr, 1, line.len, sim->audit);
    buf_deinit(&line);
}

static enum MHD_Result send_body(struct MHD_Connection *connection, unsigned status,
                                 struct span body)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.ptr,
                                        MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    (void)MHD_add_response_header(response, "Content-Type", "application/json");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer(struct MHD_Connection *connection, const struct verdict *verdict)
{
    struct buf body;

    buf_init(&body, 4096);
    buf_add_format(&body, "{\"errno\":%lld,\"error\":", (long long)verdict->number);
    buf_add_json_string(&body, span_string(verdict->text));
    if (verdict->uuid[0] != '\0')
        buf_add_format(&body, ",\"data\":{\"uuid\":\"%s\"}", verdict->uuid);
    buf_add_char(&body, '}');
    enum MHD_Result result = send_body(connection, MHD_HTTP_OK, buf_span(&body));
    buf_deinit(&body);
    return result;
}

static ssize_t half_a_body(void *context, uint64_t at, char *out, size_t max)
{
    static const char half[] = "{\"errno\":0,\"error\":\"succ\",\"data\":{\"uu";

    (void)context;
    if (at > 0 || max < sizeof(half))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    memcpy(out, half, sizeof(half) - 1);
    return (ssize_t)sizeof(half) - 1;
}

static enum MHD_Result cut(struct MHD_Connection *connection)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(90, 1024, half_a_body, NULL, NULL);
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result strike(struct MHD_Connection *connection, const struct sim_fault *fault,
                              struct verdict *verdict)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    const union MHD_ConnectionInfo *info;

    switch (fault->kind) {
    case FAULT_RESET:
        info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info != NULL)
            (void)setsockopt(info->connect_fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        return MHD_NO;
    case FAULT_CUT:
        return cut(connection);
    case FAULT_GARBAGE:
        return send_body(connection, MHD_HTTP_OK, SPAN_LITERAL("<html>garbage</html>"));
    case FAULT_NO_UUID:
        return send_body(connection, MHD_HTTP_OK, SPAN_LITERAL("{\"errno\":0,\"error\":\"succ\"}"));
    case FAULT_HTTP:
        return send_body(connection, (unsigned)fault->number, SPAN_LITERAL("simulated fault"));
    case FAULT_ERRNO:
        set_verdict(verdict, fault->number, NULL);
        return answer(connection, verdict);
    case FAULT_NONE:
    case FAULT_CLOSE:
        break;
    }
    return MHD_NO;
}

static bool find_action(const char *method, const char *url, enum action *ret_action)
{
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        const char *wanted = action_rules[i].method == METHOD_POST ? "POST" : "GET";
        if (strcmp(url, action_rules[i].path) == 0 && strcmp(method, wanted) == 0) {
            *ret_action = (enum action)i;
            return true;
        }
    }
    return false;
}

static enum MHD_Result serve(struct request *request, struct MHD_Connection *connection,
                             const char *method, const char *url)
{
    struct sim *sim = request->sim;
    struct verdict verdict = {.number = 0};
    enum action action;

    sim->requests++;
    if (!find_action(method, url, &action))
        return send_body(connection, MHD_HTTP_NOT_FOUND,
                         SPAN_LITERAL("{\"error\":\"no such call\"}"));
    if (request->body.status != STATUS_OK)
        return send_body(connection, MHD_HTTP_CONTENT_TOO_LARGE, SPAN_LITERAL("too large"));
    const struct sim_fault *fault = choose_fault(sim);
    if (fault == NULL || fault->after)
        process(request, connection, action, &verdict);
    else
        (void)MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, on_parameter, request);
    audit(request, method, url, &verdict, fault);
    return fault != NULL ? strike(connection, fault, &verdict) : answer(connection, &verdict);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    struct request *request = *state;

    (void)version;
    if (request == NULL) {
        request = calloc(1, sizeof(*request));
        if (request == NULL)
            return MHD_NO;
        request->sim = context;
        buf_init(&request->body, SIM_BODY_MAX);
        *state = request;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        buf_add_bytes(&request->body, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    return serve(request, connection, method, url);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct request *request = *state;

    (void)context;
    (void)connection;
    (void)code;
    if (request != NULL)
        buf_deinit(&request->body);
    free(request);
    *state = NULL;
}

static enum status load(struct sim *sim, struct buf *message)
{
    const struct sim_config *config = &sim->config;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < PARAM_COUNT && status == STATUS_OK; i++)
        status = schema_add(&sim->schema, span_string(param_rules[i].name));
    static const char *const others[] = {"action", "data", "args"};
    for (size_t i = 0; i < ARRAY_LENGTH(others) && status == STATUS_OK; i++)
        status = schema_add(&sim->schema, span_string(others[i]));
    const char *path = config->api_key_file;
    FILE *file = path[0] != '\0' ? fopen(path, "re") : NULL;
    bool good =
        path[0] == '\0' || (file != NULL && fgets(sim->key, sizeof(sim->key), file) != NULL);
    sim->key[strcspn(sim->key, "\r\n")] = '\0';
    if (file != NULL)
        (void)fclose(file);
    if (good && config->audit[0] != '\0') {
        path = config->audit;
        sim->audit = fopen(path, "we");
        good = sim->audit != NULL;
    }
    if (!good) {
        buf_add_format(message, "simulator: %s: %s", path, strerror(errno != 0 ? errno : EINVAL));
        return STATUS_USAGE;
    }
    return status;
}

static enum status listen_on(struct sim *sim, struct buf *message)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(sim->config.port)};

    (void)inet_pton(AF_INET, sim->config.host, &address.sin_addr);
    sim->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, sim->config.port, NULL, NULL,
                                   on_request, sim, MHD_OPTION_SOCK_ADDR,
                                   (struct sockaddr *)&address, MHD_OPTION_NOTIFY_COMPLETED,
                                   on_completed, sim, MHD_OPTION_CONNECTION_LIMIT,
                                   (unsigned)SIM_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                                   60u, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
    if (sim->daemon == NULL) {
        buf_add_format(message, "simulator: cannot listen on %s:%u: %s", sim->config.host,
                       (unsigned)sim->config.port, strerror(errno));
        return STATUS_IO;
    }
    sim->port = MHD_get_daemon_info(sim->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return STATUS_OK;
}

enum status sim_start(const struct sim_config *config, struct buf *message, struct sim **ret_sim)
{
    struct sim *sim = calloc(1, sizeof(*sim));

    if (sim == NULL)
        return STATUS_NO_MEMORY;
    sim->config = *config;
    sim->random = config->seed;
    sim->random_at = sizeof(sim->random_bytes);
    hashmap_init(&sim->devices);
    schema_init(&sim->schema);
    command_init(&sim->command);
    problems_init(&sim->problems);
    errno = 0;
    enum status status = load(sim, message);
    if (status == STATUS_OK)
        status = listen_on(sim, message);
    if (status != STATUS_OK) {
        sim_stop(sim);
        return status;
    }
    *ret_sim = sim;
    return STATUS_OK;
}

void sim_url(const struct sim *sim, char *out, size_t size)
{
    (void)snprintf(out, size, "http://%s:%u", sim->config.host, (unsigned)sim->port);
}

void sim_stop(struct sim *sim)
{
    if (sim == NULL)
        return;
    if (sim->daemon != NULL)
        MHD_stop_daemon(sim->daemon);
    if (sim->audit != NULL)
        (void)fclose(sim->audit);
    for (size_t i = 0; i < sim->devices.capacity; i++) {
        struct device *device = sim->devices.slots[i].value;
        if (device != NULL)
            free(device->expires_s);
        free(device);
    }
    hashmap_deinit(&sim->devices);
    schema_deinit(&sim->schema);
    command_deinit(&sim->command);
    problems_deinit(&sim->problems);
    free(sim);
}
