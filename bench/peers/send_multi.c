/*
 * Sends each line of a request list, so many at a time, and writes a line for each: libcurl's multi
 * handles on libuv, as cheaply as libcurl 7.88 lets them be asked, and nothing else.
 *
 *   send_multi REQUESTS.tsv BASE-URL RESULTS.csv CONNECTIONS [CA.pem]
 *
 * The list is that of bench/make_requests.py (target and body, with a tab between them). Checks
 * nothing, records nothing ahead, sends nothing again, and guards nothing: handles are used again,
 * sockets stay watched as they are, an answer is taken for its connection's request, and libcurl
 * may send a request twice. libcurl's memory is kept as nbatch keeps it (src/net/memory.c is built
 * in). What nbatch costs more than this is its own; the rest is libcurl's.
 */
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#include "net/memory.h"

/* libcurl looks at all connections of a multi handle for each request, so there are several, each
 * with so many connections as nbatch gives it. */
enum { CONNECTIONS_MAX = 1024, LANE_CONNECTIONS = 16, REPLY_MAX = 4096 };
enum { DESCRIPTORS_MAX = 4 * CONNECTIONS_MAX }; /* two of each lane, and what the process has */

static struct lane {
    CURLM *multi;
    bool due;
} lanes[CONNECTIONS_MAX / LANE_CONNECTIONS];
static struct slot {
    CURL *easy;
    struct lane *lane;
    size_t len;
    char reply[REPLY_MAX];
} slots[CONNECTIONS_MAX];
static struct watcher {
    uv_poll_t poll;
    struct lane *lane;
    int socket;
    int events;
} watchers[DESCRIPTORS_MAX]; /* by descriptor */
static size_t in_flight, lane_count;
static FILE *requests, *results;

static size_t on_body(char *text, size_t size, size_t count, void *context)
{
    struct slot *slot = context;
    count = slot->len + count < REPLY_MAX ? count : 0; /* size is 1 */
    memcpy(slot->reply + slot->len, text, count);
    slot->len += count;
    return size * count;
}

static void start_next(struct slot *slot)
{
    static char *line;
    static size_t size;
    ssize_t len = getline(&line, &size, requests);
    char *body = len > 0 ? memchr(line, '\t', (size_t)len) : NULL;

    if (body == NULL)
        return;
    *body++ = '\0';
    slot->len = 0;
    curl_easy_setopt(slot->easy, CURLOPT_REQUEST_TARGET, line);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE, (long)(line + len - 1 - body));
    curl_easy_setopt(slot->easy, CURLOPT_COPYPOSTFIELDS, body);
    curl_multi_add_handle(slot->lane->multi, slot->easy);
    in_flight++;
}

static void finish(struct slot *slot, CURLcode code)
{
    long status = 0;

    curl_multi_remove_handle(slot->lane->multi, slot->easy);
    in_flight--;
    curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
    cJSON *reply = cJSON_ParseWithLength(slot->reply, slot->len);
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(reply, "errno");
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(reply, "data");
    const char *uuid = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(data, "uuid"));
    fprintf(results, "%d,%ld,%d,%s\n", code, status, number ? number->valueint : -1,
            uuid ? uuid : "");
    cJSON_Delete(reply);
    start_next(slot);
}

static void drive(struct lane *lane, curl_socket_t socket, int events)
{
    CURLMsg *message;
    int left;

    lane->due = false;
    curl_multi_socket_action(lane->multi, socket, events, &left);
    while ((message = curl_multi_info_read(lane->multi, &left)) != NULL) {
        char *slot;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
        finish((void *)slot, message->data.result);
    }
}

static void on_prepare(uv_prepare_t *prepare)
{
    for (size_t i = 0; i < lane_count; i++)
        while (lanes[i].due)
            drive(&lanes[i], CURL_SOCKET_TIMEOUT, 0);
    if (in_flight == 0)
        uv_stop(prepare->loop);
}

/* Only what is to be done at once: nothing here waits for its time. */
static int on_curl_timer(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    ((struct lane *)context)->due = timeout_ms == 0;
    return 0;
}

/* UV_READABLE and UV_WRITABLE are CURL_CSELECT_IN and _OUT, and CURL_POLL_IN and _OUT. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
    const struct watcher *watcher = (struct watcher *)poll;

    drive(watcher->lane, watcher->socket, status < 0 ? CURL_CSELECT_ERR : events);
}

/* A socket stays watched from one request to the next. */
static int on_curl_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *assigned)
{
    struct watcher *watcher = &watchers[socket];

    (void)easy;
    (void)assigned;
    if (what == CURL_POLL_REMOVE || watcher->events == what)
        return 0;
    if (watcher->lane == NULL)
        uv_poll_init(uv_default_loop(), &watcher->poll, socket);
    watcher->lane = context;
    watcher->socket = socket;
    watcher->events = what;
    return uv_poll_start(&watcher->poll, what, on_poll);
}

/* An empty Host takes libcurl's own away, which it writes twice. */
static struct curl_slist *make_lines(const char *url)
{
    char host[300];
    snprintf(host, sizeof(host), "Host: %s", strstr(url, "://") + 3);
    struct curl_slist *lines = curl_slist_append(curl_slist_append(NULL, "Host:"), host);
    lines = curl_slist_append(lines, "Content-Type: application/json");
    lines = curl_slist_append(lines, "Accept:");
    return curl_slist_append(lines, "api-key: a-key-of-the-bench");
}

static CURL *make_easy(struct slot *slot, CURLU *origin, const char *url, struct curl_slist *lines,
                       const char *ca_file)
{
    CURL *easy = curl_easy_init();

    curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
    curl_easy_setopt(easy, CURLOPT_CURLU, origin); /* parsed once, not for each request */
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lines);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*"); /* or the environment is asked each time */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    return easy;
}

static void make_lanes(size_t connections)
{
    lane_count = (connections + LANE_CONNECTIONS - 1) / LANE_CONNECTIONS;
    for (struct lane *lane = lanes; lane < lanes + lane_count; lane++) {
        lane->multi = curl_multi_init();
        curl_multi_setopt(lane->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
        curl_multi_setopt(lane->multi, CURLMOPT_SOCKETDATA, lane);
        curl_multi_setopt(lane->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
        curl_multi_setopt(lane->multi, CURLMOPT_TIMERDATA, lane);
        curl_multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS, (long)connections);
    }
}

/* As many as there are watchers: the usual 1024 are too few. */
static void allow_descriptors(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    uv_prepare_t prepare;
    size_t connections = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;

    if (connections < 1 || connections > CONNECTIONS_MAX ||
        (requests = fopen(argv[1], "r")) == NULL || (results = fopen(argv[3], "w")) == NULL ||
        memory_init() != STATUS_OK)
        return 2;
    struct curl_slist *lines = make_lines(argv[2]);
    CURLU *origin = curl_url();
    curl_url_set(origin, CURLUPART_URL, argv[2], 0);
    allow_descriptors();
    make_lanes(connections);
    for (size_t i = 0; i < connections; i++) {
        slots[i].lane = &lanes[i % lane_count];
        slots[i].easy = make_easy(&slots[i], origin, argv[2], lines, argc > 5 ? argv[5] : NULL);
        start_next(&slots[i]);
    }
    uv_prepare_init(uv_default_loop(), &prepare);
    uv_prepare_start(&prepare, on_prepare); /* which starts the first ones */
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return fclose(results) == 0 ? 0 : 1;
}
