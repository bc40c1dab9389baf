#include "net/sockets.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A socket that is watched. One that sockets_open made lives as long as its connection and is
 * closed by sockets_close, so that its watcher can stay where it is while libcurl has no interest:
 * it then waits for readability, as the next request will, and an idle connection has nothing to
 * read. Where it does (the peer has closed it, or speaks unasked), the watcher stops, or the loop
 * would spin; libcurl looks at an idle connection itself before it uses it again. Other sockets
 * (the resolver's) are closed without our hearing of it: they are let go at once.
 */
struct watcher {
    uv_poll_t poll; /* first: libuv hands it back */
    struct sockets *sockets;
    curl_socket_t socket;
    bool ours;  /* made by sockets_open */
    int wanted; /* what libcurl waits for, as UV_…; 0: nothing */
    int armed;  /* what the kernel is asked for */
};

void sockets_init(struct sockets *sockets, uv_loop_t *loop, sockets_ready_fn *ready, void *context)
{
    *sockets = (struct sockets){.loop = loop, .ready = ready, .context = context};
    hashmap_init(&sockets->watchers);
}

static void on_watcher_closed(uv_handle_t *handle)
{
    struct watcher *watcher = (struct watcher *)(void *)handle;
    free(watcher);
}

static void drop(struct watcher *watcher)
{
    hashmap_remove(&watcher->sockets->watchers, (uint64_t)watcher->socket);
    uv_close((uv_handle_t *)&watcher->poll, on_watcher_closed);
}

void sockets_deinit(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->watchers.capacity; i++) {
        struct watcher *watcher = sockets->watchers.slots[i].value;
        if (watcher != NULL)
            uv_close((uv_handle_t *)&watcher->poll, on_watcher_closed);
    }
    hashmap_deinit(&sockets->watchers);
}

static struct watcher *add(struct sockets *sockets, curl_socket_t socket, bool ours)
{
    struct watcher *watcher = calloc(1, sizeof(*watcher));

    if (watcher == NULL)
        return NULL;
    watcher->sockets = sockets;
    watcher->socket = socket;
    watcher->ours = ours;
    if (hashmap_put(&sockets->watchers, (uint64_t)socket, watcher) != STATUS_OK) {
        free(watcher);
        return NULL;
    }
    if (uv_poll_init_socket(sockets->loop, &watcher->poll, socket) != 0) {
        hashmap_remove(&sockets->watchers, (uint64_t)socket);
        free(watcher);
        return NULL;
    }
    uv_unref((uv_handle_t *)&watcher->poll);
    return watcher;
}

static void stop(struct watcher *watcher)
{
    (void)uv_poll_stop(&watcher->poll);
    watcher->armed = 0;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static int arm(struct watcher *watcher, int events)
{
    if (watcher->armed == events)
        return 0;
    int error = uv_poll_start(&watcher->poll, events, on_poll);
    watcher->armed = error == 0 ? events : 0;
    return error == 0 ? 0 : -1;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watcher *watcher = (struct watcher *)poll;
    int flags = 0;

    if (watcher->wanted == 0) {
        stop(watcher);
        return;
    }
    /*
     * On an error libuv has stopped the watcher. libcurl is told of no error, or it would throw
     * away an answer that is there already; it finds out by reading. It calls back only on changes,
     * so the watcher is started again here.
     */
    if (status < 0) {
        watcher->armed = 0;
        (void)arm(watcher, watcher->wanted);
    } else {
        flags |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
        flags |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    }
    watcher->sockets->ready(watcher->sockets->context, watcher->socket, flags);
}

/* libcurl waits for nothing: only readability may go on being asked for. */
static void leave(struct watcher *watcher)
{
    watcher->wanted = 0;
    if (!watcher->ours)
        drop(watcher);
    else if (watcher->armed != UV_READABLE)
        stop(watcher);
}

int sockets_watch(struct sockets *sockets, curl_socket_t socket, int what)
{
    struct watcher *watcher = hashmap_get(&sockets->watchers, (uint64_t)socket);

    if (what == CURL_POLL_REMOVE) {
        if (watcher != NULL)
            leave(watcher);
        return 0;
    }
    if (watcher == NULL && (watcher = add(sockets, socket, false)) == NULL)
        return -1;
    watcher->wanted = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                      ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
    return arm(watcher, watcher->wanted);
}

curl_socket_t sockets_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct sockets *sockets = context;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

    (void)purpose;
    sockets->open_error = fd < 0 ? errno : 0;
    if (fd < 0)
        return CURL_SOCKET_BAD;
    if (add(sockets, fd, true) == NULL) {
        sockets->open_error = ENOMEM;
        (void)close(fd);
        return CURL_SOCKET_BAD;
    }
    return fd;
}

int sockets_close(void *context, curl_socket_t socket)
{
    struct sockets *sockets = context;
    struct watcher *watcher = hashmap_get(&sockets->watchers, (uint64_t)socket);

    /* First the watcher: the kernel forgets a closed descriptor, and libuv must not find another
     * one under its number. */
    if (watcher != NULL)
        drop(watcher);
    return close(socket);
}
