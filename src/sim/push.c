#include "sim/push.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "platform/device.h"
#include "sim/setup.h"
#include "sim/uuid.h"

enum { MESSAGE_MAX = 256 * 1024, ANSWER_MAX = 512 };

struct push_message {
    struct push_message *next;
    size_t len;
    char bytes[];
};

static const char scheme[] = "http://";

/* Takes "127.0.0.1", "[::1]" or "localhost" off the text. */
static bool take_host(struct span *text, bool *ret_ipv6)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]"};

    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++) {
        if (!span_starts_with(*text, hosts[i]))
            continue;
        *text = span_skip(*text, strlen(hosts[i]));
        *ret_ipv6 = hosts[i][0] == '[';
        return true;
    }
    return false;
}

static bool parse_url(struct span text, bool *ret_ipv6, uint16_t *ret_port, struct span *ret_path)
{
    uint64_t port = 80;
    size_t len = 0;

    text = span_skip(text, strlen(scheme));
    if (!take_host(&text, ret_ipv6))
        return false;
    if (text.len > 0 && text.ptr[0] == ':') {
        text = span_skip(text, 1);
        while (len < text.len && text.ptr[len] != '/')
            len++;
        if (span_to_uint64(span_of(text.ptr, len), &port) != STATUS_OK || port == 0 ||
            port > UINT16_MAX)
            return false;
        text = span_skip(text, len);
    }
    *ret_port = (uint16_t)port;
    *ret_path = text;
    return text.len == 0 || text.ptr[0] == '/';
}

bool push_is_target(struct span text)
{
    struct span path;
    uint16_t port;
    bool is_ipv6;

    if (memchr(text.ptr, '\0', text.len) != NULL || text.len == 0)
        return false;
    return span_starts_with(text, scheme)
               ? parse_url(text, &is_ipv6, &port, &path)
               : !span_starts_with(text, "https:") && !span_starts_with(text, "http:");
}

/* The message. */

static void add_time(struct buf *out, const char *name, int64_t time_ms)
{
    if (time_ms > 0)
        buf_add_format(out, ",\"%s\":%lld", name, (long long)time_ms);
}

static void make_message(struct buf *out, uint64_t imei, const struct store_command *command)
{
    static const int types[ACTION_COUNT] = {
        [ACTION_READ] = 0, [ACTION_WRITE] = 1, [ACTION_EXECUTE] = 2};
    char device[DEVICE_TEXT_MAX + 1], uuid[UUID_LENGTH + 1];

    device_write(imei, device);
    uuid_format(command->uuid, uuid);
    buf_clear(out);
    buf_add_format(out, "{\"msg\":{\"type\":7,\"cmd_id\":\"%s\",\"imei\":\"%s\",\"cmd_type\":%d",
                   uuid, device, types[command->action]);
    add_time(out, "send_time", command->life.sent_ms);
    add_time(out, "confirm_time", command->life.confirmed_ms);
    buf_add_format(out, ",\"send_status\":%u", (unsigned)command->life.send_status);
    if (command->life.confirm_status != CONFIRM_NONE)
        buf_add_format(out, ",\"confirm_status\":%u", (unsigned)command->life.confirm_status);
    if (command->result.len > 0) {
        buf_add_format(out, ",\"confirm_body\":{\"obj_id\":%u,\"obj_inst\":",
                       (unsigned)command->values[PARAM_OBJ_ID]);
        buf_add(out, command->result);
        buf_add_char(out, '}');
    }
    buf_add_string(out, "},\"msg_signature\":\"simulated\",\"nonce\":\"simulated\"}");
}

/* Sending. */

static int connect_to(const struct push *push)
{
    const struct timeval patience = {.tv_sec = PUSH_WAIT_S};
    struct sockaddr_in ipv4 = {.sin_family = AF_INET,
                               .sin_port = htons(push->port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6,
                                .sin6_port = htons(push->port),
                                .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const struct sockaddr *address = push->is_ipv6 ? (const struct sockaddr *)(const void *)&ipv6
                                                   : (const struct sockaddr *)(const void *)&ipv4;
    int fd = socket(push->is_ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
        connect(fd, address, push->is_ipv6 ? sizeof(ipv6) : sizeof(ipv4)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* Whether the server said that it has the message. */
static bool read_answer(int fd)
{
    char answer[ANSWER_MAX];
    size_t len = 0;
    ssize_t got;

    while (len < strlen("HTTP/1.1 200") && (got = read(fd, answer + len, sizeof(answer) - len)) > 0)
        len += (size_t)got;
    return len >= strlen("HTTP/1.1 200") && memcmp(answer, "HTTP/1.", 7) == 0 &&
           memcmp(answer + 8, " 200", 4) == 0;
}

static bool post(const struct push *push, const struct push_message *message)
{
    char head[ANSWER_MAX];
    int fd = connect_to(push);

    if (fd < 0)
        return false;
    int len = snprintf(head, sizeof(head),
                       "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                       push->path, push->host, message->len);
    bool done = len > 0 && len < (int)sizeof(head) &&
                setup_write(fd, span_of(head, (size_t)len)) == STATUS_OK &&
                setup_write(fd, span_of(message->bytes, message->len)) == STATUS_OK &&
                read_answer(fd);
    (void)close(fd);
    return done;
}

/* The next message; NULL when there is no more, and will be none. */
static struct push_message *take(struct push *push)
{
    (void)pthread_mutex_lock(&push->mutex);
    while (push->head == NULL && !push->closing)
        (void)pthread_cond_wait(&push->more, &push->mutex);
    struct push_message *message = push->head;
    if (message != NULL) {
        push->head = message->next;
        push->count--;
    }
    (void)pthread_mutex_unlock(&push->mutex);
    return message;
}

static void lose(struct push *push)
{
    (void)pthread_mutex_lock(&push->mutex);
    push->lost++;
    (void)pthread_mutex_unlock(&push->mutex);
}

static bool is_closing(struct push *push)
{
    (void)pthread_mutex_lock(&push->mutex);
    bool closing = push->closing;
    (void)pthread_mutex_unlock(&push->mutex);
    return closing;
}

static void *work(void *context)
{
    static const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    struct push *push = context;
    struct push_message *message;
    bool gone = false; /* while closing: nobody takes them any more */

    while ((message = take(push)) != NULL) {
        bool done = false;
        for (int i = 0; i < PUSH_TRIES && !done && !gone; i++) {
            if (i > 0)
                (void)nanosleep(&pause, NULL);
            done = post(push, message);
            gone = !done && is_closing(push);
        }
        if (!done)
            lose(push);
        free(message);
    }
    return NULL;
}

/* Opening and closing. */

static enum status open_server(struct push *push, const char *target)
{
    struct span path;

    if (!parse_url(span_string(target), &push->is_ipv6, &push->port, &path))
        return STATUS_IO;
    struct span host =
        span_of(target + strlen(scheme), (size_t)(path.ptr - target) - strlen(scheme));
    push->host = strndup(host.ptr, host.len);
    push->path = path.len > 0 ? strndup(path.ptr, path.len) : strdup("/");
    if (push->host == NULL || push->path == NULL || pthread_mutex_init(&push->mutex, NULL) != 0)
        return STATUS_NO_MEMORY;
    if (pthread_cond_init(&push->more, NULL) != 0 ||
        pthread_create(&push->thread, NULL, work, push) != 0)
        return STATUS_NO_MEMORY;
    push->is_on = true;
    return STATUS_OK;
}

enum status push_open(struct push *push, const char *target, struct buf *message)
{
    enum status status = STATUS_OK;

    *push = (struct push){.file_fd = -1};
    buf_init(&push->line, MESSAGE_MAX);
    if (target == NULL)
        return STATUS_OK;
    if (span_starts_with(span_string(target), scheme)) {
        status = open_server(push, target);
    } else {
        push->file_fd = open(target, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        push->is_on = push->file_fd >= 0;
        status = push->is_on ? STATUS_OK : STATUS_IO;
    }
    if (status != STATUS_OK)
        buf_add_format(message, "%s: nothing can be pushed there: %s", target, strerror(errno));
    return status;
}

void push_close(struct push *push)
{
    if (push->is_on && push->file_fd < 0) {
        (void)pthread_mutex_lock(&push->mutex);
        push->closing = true;
        (void)pthread_cond_signal(&push->more);
        (void)pthread_mutex_unlock(&push->mutex);
        (void)pthread_join(push->thread, NULL);
        (void)pthread_cond_destroy(&push->more);
        (void)pthread_mutex_destroy(&push->mutex);
    } else if (push->is_on) {
        (void)close(push->file_fd);
    }
    push->is_on = false;
    free(push->host);
    free(push->path);
    push->host = NULL;
    push->path = NULL;
    buf_deinit(&push->line);
}

static void queue(struct push *push)
{
    struct push_message *message = malloc(sizeof(*message) + push->line.len);

    (void)pthread_mutex_lock(&push->mutex);
    if (message == NULL || push->count == PUSH_QUEUE_MAX) {
        push->lost++;
        free(message);
    } else {
        *message = (struct push_message){.len = push->line.len};
        memcpy(message->bytes, push->line.ptr, push->line.len);
        if (push->head == NULL)
            push->head = message;
        else
            push->tail->next = message;
        push->tail = message;
        push->count++;
        (void)pthread_cond_signal(&push->more);
    }
    (void)pthread_mutex_unlock(&push->mutex);
}

void push_send(struct push *push, uint64_t imei, const struct store_command *command)
{
    if (!push->is_on)
        return;
    make_message(&push->line, imei, command);
    if (push->file_fd < 0) {
        queue(push);
        return;
    }
    buf_add_char(&push->line, '\n');
    if (push->line.status != STATUS_OK ||
        setup_write(push->file_fd, buf_span(&push->line)) != STATUS_OK)
        push->lost++;
}
