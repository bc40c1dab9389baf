/*
 * What can be asked of the platform, as rows of a table: method, path and parameters of each call,
 * in every dialect (README.md, "Calls"). The first three hand in a command, and are built of a row
 * by command.h; the others ask about commands and take them back:
 *
 *     const struct question question = {.device = device, .uuid = uuid};
 *     struct operation_call call;
 *     operation_request(DIALECT_V1, OPERATION_LOOKUP, &question, &target, &call);
 */
#ifndef NB_PLATFORM_OPERATION_H
#define NB_PLATFORM_OPERATION_H

#include "core/buf.h"
#include "platform/dialect.h"
#include "platform/rules.h"

enum operation {
    OPERATION_WRITE = ACTION_WRITE,
    OPERATION_READ = ACTION_READ,
    OPERATION_EXECUTE = ACTION_EXECUTE,
    OPERATION_LIST,       /* a device's commands */
    OPERATION_LOOKUP,     /* one of them */
    OPERATION_CANCEL,     /* one that still waits */
    OPERATION_CANCEL_ALL, /* every command of a device that waits, whoever put it there */
    OPERATION_COUNT
};

/* Parameters of a question; imei is one of every call. */
enum { QUESTION_UUID = 1, QUESTION_PERIOD = 2 };

struct operation_rule {
    const char *name; /* for people */
    const char *path; /* behind the dialect's prefix; a uuid comes behind its end where there is a
                         QUESTION_UUID */
    enum method method;
    unsigned questions; /* bit set; of those that are no command */
};

extern const struct operation_rule operations[OPERATION_COUNT];

static inline bool operation_is_submit(enum operation operation)
{
    return operation < (enum operation)ACTION_COUNT;
}

/* Done twice, it leaves the same state: questions are, and taking back what is taken back. */
static inline bool operation_is_idempotent(enum operation operation)
{
    return !operation_is_submit(operation) || action_rules[operation].idempotent;
}

const char *method_name(enum method method);

/* What a question is about. */
struct question {
    uint64_t device;        /* platform/device.h */
    struct span uuid;       /* of LOOKUP and CANCEL */
    int64_t start_s, end_s; /* of LIST, epoch: created from … to, end_s 0: until now; */
    uint32_t page;          /* from 1; 0: the first, without saying so */
    uint32_t per_page;      /* 0: the platform's own, which is not documented */
    bool ascending;         /* oldest first; else newest first, which is what the platform does */
};

/* A request, ready to send. */
struct operation_call {
    enum method method;
    struct span target; /* path and query, NUL-terminated behind its end */
    struct span body;   /* empty: none */
};

/* Appends the path of a call. */
void operation_add_path(enum dialect dialect, enum operation operation, struct buf *out);

/* Whether it can be the uuid of one command. cancel/all, in its place, would take back every
 * command of a device, whoever put it there. */
bool operation_names_one(struct span uuid);

/*
 * Makes the request of a question, whose target is put into `target` and stays there.
 * STATUS_RANGE for a time that the platform's form cannot tell, and for a uuid that names no
 * command; STATUS_NO_MEMORY.
 */
enum status operation_request(enum dialect dialect, enum operation operation,
                              const struct question *question, struct buf *target,
                              struct operation_call *ret_call) MUST_USE;

#endif
