/*
 * The audit: one line of JSON for each request that the simulator has seen, the oracle of tests.
 *
 *     {"n":1,"time":1767225600000,"method":"POST","action":"write","imei":"865820031313187",
 *      "target":"/nbiot/offline?imei=…","body":"{\"data\":[…]}","processed":true,
 *      "uuid":"…","errno":0,"http":200,"fault":null}
 *
 * n counts requests from 1; time is UTC in milliseconds; action and imei are null where the request
 * names none. processed: the command was put into the store, whatever the client saw of it. uuid:
 * the one it got there, else null. errno: what the platform decided or the fault says, null where
 * neither did. http: the status that is sent, null where none is. fault: its name as it was
 * ordered, or null. The api key is never in it.
 *
 * Where devices report in, a line of its own for each command that is sent to its device, and for
 * what the device answers (confirm_status by its number, null while there is none):
 *
 *     {"time":1767225600000,"device":"865820031313187","uuid":"…","send_status":5,
 *      "confirm_status":0,"remain":3}
 *
 * A line is written to the file before the first byte of the answer is: a client that has its
 * answer finds the line.
 */
#ifndef NB_SIM_AUDIT_H
#define NB_SIM_AUDIT_H

#include "core/buf.h"
#include "sim/store.h"

struct audit_entry {
    uint64_t number;
    int64_t time_ms;
    struct span method, target, body;
    const char *action; /* NULL: none; likewise below */
    struct span imei;   /* empty: none */
    bool processed;
    const char *uuid;
    bool has_errno;
    int64_t platform_errno;
    unsigned http; /* 0: none */
    const char *fault;
};

struct audit {
    int fd; /* -1: no audit */
    struct buf line, plain;
};

/* Opens the file, emptying one that is there; `path` NULL: no audit. STATUS_IO with a text in
 * `message`. */
enum status audit_open(struct audit *audit, const char *path, struct buf *message) MUST_USE;
void audit_close(struct audit *audit);

static inline bool audit_is_on(const struct audit *audit)
{
    return audit->fd >= 0;
}

/* Writes a line. STATUS_IO, STATUS_NO_MEMORY or STATUS_TOO_BIG: the line is lost. */
enum status audit_write(struct audit *audit, const struct audit_entry *entry) MUST_USE;

/* The same for what has become of a command at its device. */
enum status audit_write_event(struct audit *audit, const char *imei, const char *uuid,
                              int64_t time_ms, const struct command_life *life) MUST_USE;

#endif
