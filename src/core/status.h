/*
 * The status that every fallible function of nbatch returns. STATUS_OK is 0; results go to trailing
 * ret_… parameters, which a failing function leaves untouched.
 */
#ifndef NB_CORE_STATUS_H
#define NB_CORE_STATUS_H

#include "core/banned.h"

#define STATUS_MAP(X)                                 \
    X(OK, "success")                                  \
    X(AGAIN, "nothing to read yet")                   \
    X(END, "end of input")                            \
    X(NO_MEMORY, "out of memory")                     \
    X(TOO_BIG, "larger than its maximum")             \
    X(SYNTAX, "not well-formed")                      \
    X(RANGE, "outside its range")                     \
    X(BAD_ROW, "the row cannot be read")              \
    X(BAD_INPUT, "the input cannot be used")          \
    X(USAGE, "bad usage")                             \
    X(EXISTS, "it exists already")                    \
    X(CREDENTIALS, "no usable credentials")           \
    X(IO, "input/output error")                       \
    X(NETWORK, "the network library failed")          \
    X(CHANGED, "the input changed while it was read") \
    X(INTERRUPTED, "interrupted")

enum status {
#define X(name, text) STATUS_##name,
    STATUS_MAP(X)
#undef X
};

#define MUST_USE               __attribute__((warn_unused_result))
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* A short English text for the status, for messages that have nothing better to say. */
const char *status_text(enum status status);

#endif
