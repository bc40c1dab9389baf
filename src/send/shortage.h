/*
 * When this machine has too little of something to send with: descriptors, local ports, buffers,
 * memory. That says nothing about the platform, so that neither breaker nor pace nor a row's
 * attempts hear of it: the row waits and is tried again, and no more are in flight than there were.
 *
 *     if (shortage_is(errno) && shortage_add(&shortage, errno, in_flight, now_ms))
 *         … tell the operator: shortage_text(error) …
 *     … an attempt left: shortage_sent(&shortage, now_ms) …
 *     … start nothing before shortage_next_ms, and have shortage_limit in flight at most …
 *     … nothing has left for too long: shortage_lasts(&shortage, wait_ms, now_ms) …
 *
 * The limit doubles with each SHORTAGE_CALM_MS in which nothing was short, until it is none. Times
 * are the caller's monotonic clock in milliseconds. Pure.
 */
#ifndef NB_SEND_SHORTAGE_H
#define NB_SEND_SHORTAGE_H

#include "core/span.h"

enum { SHORTAGE_PAUSE_MS = 500, SHORTAGE_CALM_MS = 10 * 1000 };

struct shortage {
    int error;        /* an errno; 0: there is enough */
    size_t limit;     /* ≥ 1 */
    int64_t pause_ms; /* nothing starts before */
    int64_t calm_ms;  /* since when nothing was short, or the limit was raised */
    int64_t stuck_ms; /* since when nothing has left */
    uint64_t count;   /* attempts that could not leave for it */
};

/* Whether an errno is one of those. */
bool shortage_is(int error);

/* An attempt could not leave; `in_flight` others go on. True where that is news. */
bool shortage_add(struct shortage *shortage, int error, size_t in_flight, int64_t now_ms);

/* An attempt left. */
void shortage_sent(struct shortage *shortage, int64_t now_ms);

/* How many may be in flight where `wanted` could otherwise. */
size_t shortage_limit(struct shortage *shortage, size_t wanted, int64_t now_ms);

/* 0 when a row may start; otherwise when. */
int64_t shortage_next_ms(const struct shortage *shortage, int64_t now_ms);

bool shortage_lasts(const struct shortage *shortage, int64_t wait_ms, int64_t now_ms);

/* What is short, and the remedy: "open files (EMFILE): raise the limit …" */
const char *shortage_text(int error);

#endif
