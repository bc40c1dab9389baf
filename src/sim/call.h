/*
 * Which call a request is, by its method and target, in a dialect, and what is in its query.
 *
 *     call_parse(DIALECT_V1, SPAN_LITERAL("POST"), target, &call);
 *     rest = call.query;
 *     while (query_next(&rest, &scratch, &pair) == STATUS_OK) … pair.name, pair.value …
 */
#ifndef NB_SIM_CALL_H
#define NB_SIM_CALL_H

#include "core/buf.h"
#include "platform/operation.h"

enum call_kind {
    CALL_COMMAND,      /* write, read or execute: see `action` */
    CALL_HISTORY,      /* the commands of a device */
    CALL_HISTORY_ONE,  /* one of them, see `uuid` */
    CALL_LOG,          /* its log */
    CALL_CANCEL,       /* takes one back */
    CALL_CANCEL_ALL,   /* takes all of a device back */
    CALL_WRONG_METHOD, /* see `allow` */
    CALL_UNKNOWN,
};

struct call {
    enum call_kind kind;
    enum action action;
    struct span query; /* what follows the question mark */
    struct span uuid;
    const char *allow; /* the methods that the path takes */
};

/* The spans point into `target`. A method in small letters and a slash behind the path are taken:
 * some clients send them. */
void call_parse(enum dialect dialect, struct span method, struct span target,
                struct call *ret_call);

struct query_pair {
    struct span name, value; /* decoded: %XX, and + for a space */
};

/*
 * Takes the next parameter of a query off `rest`. The texts are in the query itself or, where
 * there was something to decode, in `scratch`, in which the caller has reserved `rest->len` bytes
 * before the first call; they stay valid as long as both do. STATUS_END behind the last one;
 * STATUS_SYNTAX for one without =, without a name, or with a % that two hexadecimal digits do not
 * follow.
 */
enum status query_next(struct span *rest, struct buf *scratch,
                       struct query_pair *ret_pair) MUST_USE;

#endif
