/*
 * What the simulated platform decides: a request in, an answer out. No socket, no clock and no
 * fault in here.
 *
 *     platform_init(&platform, &options, &auth);
 *     call_parse(auth.dialect, method, target, &request.call);
 *     status = platform_answer(&platform, &request, now_ms, &answer);
 *     platform_deinit(&platform);
 *
 * Commands are checked by the same rules table and the same code as the client's
 * (platform/command.h), and more strictly where the platform takes one form only: times are its own
 * (UTC+8, with a T), the body of a write is an object with nothing but `data`, that of an execute
 * nothing but `args`. Warnings are ignored. Answers:
 *
 *     errno 1     neither key nor token proves what is asked for (see sim/auth.h); of v2: 10403
 *     errno 3     body missing or not that object, or a required parameter is missing
 *     errno 5108  any other problem, with its text; a parameter that is given twice;
 *                 a uuid of which the device has no command
 *     errno 5106  the command does not wait any more, and cannot be taken back
 *     errno 5006  queue_limit commands of the device are waiting
 *     errno 7     the simulator is out of memory or of random bytes
 *     errno 0     accepted, with a random uuid (version 4)
 *
 * and the HTTP statuses 404, 405 and 413. Parameters that are not known, or not of that action, are
 * ignored: public clients send some.
 */
#ifndef NB_SIM_PLATFORM_H
#define NB_SIM_PLATFORM_H

#include "platform/command.h"
#include "platform/meaning.h"
#include "sim/auth.h"
#include "sim/call.h"
#include "sim/devices.h"
#include "sim/store.h"
#include "sim/uuid.h"

enum {
    PLATFORM_BODY_MAX = 64 * 1024,
    PLATFORM_TARGET_MAX = 32 * 1024,
    PLATFORM_ANSWER_MAX = 4 * 1024 * 1024,
    /* The command's parameters, data, args, and the action that the path names. */
    PLATFORM_COLUMNS = PARAM_COUNT + 3,
};

struct platform_options {
    uint32_t queue_limit; /* 0: none */
    bool overwrites;      /* a further command takes the place of the oldest that waits */
    uint64_t max_commands;
    int64_t lag_ms; /* a command shows in the history so much later, by the simulator's clock */
    struct devices_options devices;
};

struct platform {
    struct platform_options options;
    struct sim_store store;
    struct devices devices;
    struct uuid_source uuids;
    struct schema schema;
    struct command command; /* these four: memory for the request at hand */
    struct problems problems;
    struct buf query;
    struct cell cells[PLATFORM_COLUMNS];
    const struct auth *auth; /* borrowed */
};

struct platform_request {
    struct call call;
    struct span body;          /* a readable byte must follow it: cJSON looks at it */
    bool body_too_big;         /* … than PLATFORM_BODY_MAX; the body is not looked at */
    const char *api_key;       /* the header, or NULL */
    const char *authorization; /* likewise */
};

struct platform_answer {
    enum dialect dialect; /* of its envelope */
    unsigned http;
    bool processed; /* the command was put into the store */
    bool has_errno;
    int64_t platform_errno;
    char uuid[UUID_LENGTH + 1]; /* "" when there is none */
    struct buf body;            /* JSON; the caller's, who has initialized it */
};

/* STATUS_NO_MEMORY. `auth` must outlive the platform. */
enum status platform_init(struct platform *platform, const struct platform_options *options,
                          const struct auth *auth) MUST_USE;
void platform_deinit(struct platform *platform);

/* Answers a request; `now_ms` is the platform's clock. STATUS_NO_MEMORY or STATUS_TOO_BIG where not
 * even the answer can be made. */
enum status platform_answer(struct platform *platform, const struct platform_request *request,
                            int64_t now_ms, struct platform_answer *answer) MUST_USE;

/* Begins the body: the envelope up to a member behind its text, which the caller may add after a
 * comma; the caller closes it with a brace. */
void platform_begin(struct platform_answer *answer, int64_t number, struct span text);

/* Sets answer and body to an errno with its text, … */
void platform_refuse(struct platform_answer *answer, int64_t number, struct span text);

/* … which is that of the platform's table. */
void platform_refuse_by_number(struct platform_answer *answer, int64_t number);

#endif
