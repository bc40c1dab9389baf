#include "net/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A connection's life: sockets_open, first request (FRESH), and then from request to request
 * (REUSED), until libcurl closes it, or until it is spoiled: something came over it while it
 * carried no request, its last answer may have been for none, or nobody believes what it brings. A
 * spoiled connection is emptied and shut down where libcurl waits for nothing on it, so that
 * libcurl finds it dead when it looks for one; and sockets_begin refuses it in any case. See
 * README.md, section 4.
 *
 * Three places look for what came unasked: on_poll, when the loop waits; sockets_look, when several
 * requests are about to leave; sockets_begin, for one. What sockets_look has found quiet counts for
 * one request, and only until sockets_end_look: after that a connection may have been used, and
 * used up its answer. Nor does it count once LOOK_NS have passed: other processes may have had the
 * processor since.
 */

/*
 * The negative control of what spoils a connection: the tests build a second binary in which this
 * is defined, and see rows with the uuids of others. The product has no such switch.
 */
#ifndef NBATCH_TEST_WITHOUT_ANSWER_GUARD
#define GUARDS_ANSWERS 1
#else
#define GUARDS_ANSWERS 0
#endif

enum { WASTE_READS_MAX = 16 }; /* of WASTE_BYTES each: what else comes stays unread */
enum { WASTE_BYTES = 4096 };
enum { LOOK_MAX = 64 }; /* connections; others are looked at one by one */

/* So long a look at several connections counts: longer than the requests that it is for take to
 * leave, also under strace, and less than a busy machine may keep this process waiting. */
enum { LOOK_NS = 10 * 1000 * 1000 };

/*
 * A socket that is watched. One that sockets_open made lives as long as its connection and is
 * closed by sockets_close, so that its watcher can stay where it is while libcurl has no interest:
 * it then waits for readability, as the next request will, and an idle connection has nothing to
 * read. Where it does (the peer has closed it, or speaks unasked), the connection is spoiled. Other
 * sockets (the resolver's) are closed without our hearing of it: they are let go at once.
 *
 * libcurl tells the ends of the connection that a request is about to take, and not its socket.
 * They are asked for once per connection, at its first request, and lead back to the watcher.
 *
 * libcurl 7.88 closes a connection that never came about (a connect or a TLS handshake that takes
 * too long) without sockets_close. It has said before that it waits for nothing on it, so that
 * those are looked at when its call is over: by then no other socket has got the number, but one
 * of the same call, which sockets_open sees.
 */
struct watcher {
    uv_poll_t poll; /* first: libuv hands it back */
    struct sockets *sockets;
    curl_socket_t socket;
    bool ours;   /* made by sockets_open */
    ino_t inode; /* its number among sockets, where it is ours */
    int wanted;  /* what libcurl waits for, as UV_…; 0: nothing */
    int armed;   /* what the kernel is asked for */
    uint64_t serial;
    uint64_t look;        /* the last one that found nothing to read */
    bool used;            /* has carried a request */
    bool spoiled;         /* must carry none */
    bool multiplexed;     /* HTTP/2 */
    struct watcher *next; /* of the unnamed ones, or of those with the same local port */
    int local_port;       /* 0: not known yet */
    int remote_port;
    char local_ip[INET6_ADDRSTRLEN];
    char remote_ip[INET6_ADDRSTRLEN];
};

void sockets_init(struct sockets *sockets, uv_loop_t *loop, sockets_ready_fn *ready, void *context)
{
    *sockets = (struct sockets){.loop = loop, .ready = ready, .context = context, .look = 1};
    hashmap_init(&sockets->watchers);
    hashmap_init(&sockets->ports);
}

static void on_watcher_closed(uv_handle_t *handle)
{
    struct watcher *watcher = (struct watcher *)(void *)handle;
    free(watcher);
}

static void unlink_from(struct watcher **list, const struct watcher *watcher)
{
    while (*list != NULL && *list != watcher)
        list = &(*list)->next;
    if (*list != NULL)
        *list = watcher->next;
}

/* Takes the watcher out of the list that it is in. */
static void forget_ends(struct watcher *watcher)
{
    struct sockets *sockets = watcher->sockets;
    uint64_t port = (uint64_t)watcher->local_port;

    if (port == 0) {
        unlink_from(&sockets->unnamed, watcher);
        return;
    }
    struct watcher *first = hashmap_get(&sockets->ports, port);
    struct watcher *left = first;
    unlink_from(&left, watcher);
    if (left == NULL)
        hashmap_remove(&sockets->ports, port);
    else if (left != first) /* takes no memory: the port is in the map */
        (void)!hashmap_put(&sockets->ports, port, left);
}

static void drop(struct watcher *watcher)
{
    if (watcher->ours)
        forget_ends(watcher);
    hashmap_remove(&watcher->sockets->watchers, (uint64_t)watcher->socket);
    uv_close((uv_handle_t *)&watcher->poll, on_watcher_closed);
}

/* Whether the descriptor is still the socket that sockets_open made. */
static bool is_there(const struct watcher *watcher)
{
    struct stat is;

    return fstat(watcher->socket, &is) == 0 && S_ISSOCK(is.st_mode) && is.st_ino == watcher->inode;
}

static struct watcher *find_closed(const struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->watchers.capacity; i++) {
        struct watcher *watcher = sockets->watchers.slots[i].value;
        if (watcher != NULL && watcher->ours && !watcher->used && watcher->wanted == 0 &&
            !is_there(watcher))
            return watcher;
    }
    return NULL;
}

void sockets_forget_closed(struct sockets *sockets)
{
    struct watcher *watcher;

    if (!sockets->may_have_closed)
        return;
    sockets->may_have_closed = false;
    while ((watcher = find_closed(sockets)) != NULL)
        drop(watcher);
}

void sockets_deinit(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->watchers.capacity; i++) {
        struct watcher *watcher = sockets->watchers.slots[i].value;
        if (watcher != NULL)
            uv_close((uv_handle_t *)&watcher->poll, on_watcher_closed);
    }
    hashmap_deinit(&sockets->watchers);
    hashmap_deinit(&sockets->ports);
    sockets->unnamed = NULL;
}

static struct watcher *add(struct sockets *sockets, curl_socket_t socket, bool ours)
{
    struct watcher *watcher = calloc(1, sizeof(*watcher));

    if (watcher == NULL)
        return NULL;
    struct watcher *closed = hashmap_get(&sockets->watchers, (uint64_t)socket);
    if (closed != NULL)
        drop(closed);
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
    if (ours) {
        struct stat is = {.st_ino = 0};
        (void)fstat(socket, &is);
        watcher->inode = is.st_ino;
        watcher->serial = ++sockets->serial;
        watcher->next = sockets->unnamed;
        sockets->unnamed = watcher;
    }
    return watcher;
}

static void stop(struct watcher *watcher)
{
    (void)uv_poll_stop(&watcher->poll);
    watcher->armed = 0;
}

/*
 * What is there is read, or libcurl would take the connection for a living one; then it ends in
 * both directions, which says so to the peer, too. The descriptor stays libcurl's to close.
 */
static void spoil(struct watcher *watcher)
{
    char waste[WASTE_BYTES];
    int reads = 0;

    while (reads < WASTE_READS_MAX && recv(watcher->socket, waste, sizeof(waste), MSG_DONTWAIT) > 0)
        reads++;
    (void)shutdown(watcher->socket, SHUT_RDWR);
    watcher->spoiled = true;
    stop(watcher);
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
        if (GUARDS_ANSWERS && watcher->used && !watcher->multiplexed)
            spoil(watcher);
        else
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
    if (watcher->ours && !watcher->used)
        watcher->sockets->may_have_closed = true;
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

static bool is_loopback(const struct curl_sockaddr *address)
{
    const void *ends = &address->addr;

    if (address->family == AF_INET)
        return ntohl(((const struct sockaddr_in *)ends)->sin_addr.s_addr) >> 24 == 127;
    if (address->family != AF_INET6)
        return false;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)ends)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

curl_socket_t sockets_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct sockets *sockets = context;

    if (sockets->only_loopback && !is_loopback(address)) {
        sockets->refused = true;
        return CURL_SOCKET_BAD;
    }
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

/* An address as libcurl writes it; the port, or 0 for what is none of the internet's. */
static int name_end(const struct sockaddr_storage *address, char text[INET6_ADDRSTRLEN])
{
    const void *ends = address;
    const struct sockaddr_in *v4 = ends;
    const struct sockaddr_in6 *v6 = ends;
    bool is_v6 = address->ss_family == AF_INET6;

    if (!is_v6 && address->ss_family != AF_INET)
        return 0;
    if (inet_ntop(address->ss_family, is_v6 ? (const void *)&v6->sin6_addr : &v4->sin_addr, text,
                  INET6_ADDRSTRLEN) == NULL)
        return 0;
    return ntohs(is_v6 ? v6->sin6_port : v4->sin_port);
}

/* Asks the kernel for a connection's ends; false where it has none yet. */
static bool ask_ends(struct watcher *watcher)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof(address);

    if (getpeername(watcher->socket, (struct sockaddr *)&address, &len) != 0)
        return false;
    watcher->remote_port = name_end(&address, watcher->remote_ip);
    len = sizeof(address);
    if (getsockname(watcher->socket, (struct sockaddr *)&address, &len) != 0)
        return false;
    watcher->local_port = name_end(&address, watcher->local_ip);
    return watcher->local_port != 0;
}

/* Files the connections that have got their ends under their ports. */
static void name_connections(struct sockets *sockets)
{
    struct watcher **at = &sockets->unnamed;

    while (*at != NULL) {
        struct watcher *watcher = *at;
        struct watcher *after = watcher->next;
        bool named = ask_ends(watcher);
        uint64_t port = named ? (uint64_t)watcher->local_port : 0;
        struct watcher *same = named ? hashmap_get(&sockets->ports, port) : NULL;
        if (!named || hashmap_put(&sockets->ports, port, watcher) != STATUS_OK) {
            watcher->local_port = 0;
            at = &watcher->next;
            continue;
        }
        watcher->next = same;
        *at = after;
    }
}

static struct watcher *find(const struct sockets *sockets, const struct sockets_ends *ends)
{
    struct watcher *watcher = hashmap_get(&sockets->ports, (uint64_t)ends->local_port);

    while (watcher != NULL && (watcher->remote_port != ends->remote_port ||
                               strcmp(watcher->remote_ip, ends->remote_ip) != 0 ||
                               strcmp(watcher->local_ip, ends->local_ip) != 0))
        watcher = watcher->next;
    return watcher;
}

/* Whether there is something to read that no request asked for; also the end, and an error. */
static bool has_input(const struct watcher *watcher)
{
    char byte;

    return recv(watcher->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
           (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* Carries no request, and may carry another one. */
static bool is_idle(const struct watcher *watcher)
{
    return watcher->used && watcher->wanted == 0 && !watcher->spoiled && !watcher->multiplexed;
}

void sockets_look(struct sockets *sockets)
{
    struct watcher *idle[LOOK_MAX];
    struct pollfd polls[LOOK_MAX];
    nfds_t count = 0;

    for (size_t i = 0; i < sockets->watchers.capacity && count < LOOK_MAX; i++) {
        struct watcher *watcher = sockets->watchers.slots[i].value;
        if (watcher == NULL || !is_idle(watcher))
            continue;
        idle[count] = watcher;
        polls[count++] = (struct pollfd){.fd = watcher->socket, .events = POLLIN};
    }
    sockets->look_until_ns = uv_hrtime() + LOOK_NS; /* from before the look on */
    if (count == 0 || !GUARDS_ANSWERS || poll(polls, count, 0) < 0)
        return;
    for (nfds_t i = 0; i < count; i++) {
        if (polls[i].revents != 0)
            spoil(idle[i]);
        else
            idle[i]->look = sockets->look;
    }
}

void sockets_end_look(struct sockets *sockets)
{
    sockets->look++;
}

enum sockets_use sockets_begin(struct sockets *sockets, const struct sockets_ends *ends,
                               struct sockets_ticket *ret_ticket)
{
    struct watcher *watcher = find(sockets, ends);

    *ret_ticket = (struct sockets_ticket){.serial = 0};
    if (watcher == NULL) {
        name_connections(sockets);
        watcher = find(sockets, ends);
    }
    if (watcher == NULL)
        return SOCKETS_FRESH;
    *ret_ticket = (struct sockets_ticket){watcher->socket, watcher->serial};
    if (!watcher->used) {
        watcher->used = true;
        return SOCKETS_FRESH;
    }
    bool is_quiet = watcher->look == sockets->look && uv_hrtime() < sockets->look_until_ns;
    watcher->look = 0;
    if (GUARDS_ANSWERS &&
        (watcher->spoiled || (!watcher->multiplexed && !is_quiet && has_input(watcher)))) {
        watcher->spoiled = true;
        return SOCKETS_SPOILED;
    }
    return SOCKETS_REUSED;
}

static struct watcher *watcher_of(const struct sockets *sockets, struct sockets_ticket ticket)
{
    struct watcher *watcher =
        ticket.serial != 0 ? hashmap_get(&sockets->watchers, (uint64_t)ticket.socket) : NULL;

    return watcher != NULL && watcher->serial == ticket.serial ? watcher : NULL;
}

void sockets_set_multiplexed(struct sockets *sockets, struct sockets_ticket ticket)
{
    struct watcher *watcher = watcher_of(sockets, ticket);

    if (watcher != NULL)
        watcher->multiplexed = true;
}

static bool is_guarded(const struct watcher *watcher)
{
    return GUARDS_ANSWERS && watcher != NULL;
}

void sockets_forbid(struct sockets *sockets, struct sockets_ticket ticket)
{
    struct watcher *watcher = watcher_of(sockets, ticket);

    if (is_guarded(watcher))
        watcher->spoiled = true;
}

void sockets_spoil(struct sockets *sockets, struct sockets_ticket ticket)
{
    struct watcher *watcher = watcher_of(sockets, ticket);

    sockets_forbid(sockets, ticket);
    if (is_guarded(watcher) && watcher->wanted == 0)
        spoil(watcher);
}

void sockets_spoil_idle(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->watchers.capacity; i++) {
        struct watcher *watcher = sockets->watchers.slots[i].value;
        if (watcher != NULL && watcher->ours && watcher->used && watcher->wanted == 0)
            spoil(watcher);
    }
}
