/*
 * Whether a command that the platform's history tells of is the one that a request asked for: the
 * answer to OPERATION_LOOKUP compared with the request by meaning (README.md, "What became of a
 * command"). Two requests are compared likewise.
 *
 *     const struct likeness_request request = {ACTION_WRITE, target, body};
 *     status = likeness_of_entry(answer, &request, &likeness);
 *
 * What the platform does not show is not compared: its args were seen without mode and trigger_msg.
 * A default equals absence, a number the text of it, a time any form of it; the order of resources
 * and members says nothing. But object, instance and resource, and the content, must be there for
 * the two to be equal. Times that are apart by a whole zone tell nothing either: a platform may
 * show them by another clock than it takes them. Pure.
 */
#ifndef NB_PLATFORM_LIKENESS_H
#define NB_PLATFORM_LIKENESS_H

#include "platform/rules.h"

enum likeness {
    LIKENESS_EQUAL,
    LIKENESS_UNCLEAR,   /* it cannot be told */
    LIKENESS_DIFFERENT, /* something shows that it is another one */
};

struct likeness_request {
    enum action action;
    struct span target; /* path and query */
    struct span body;   /* empty: none */
};

/* `answer` has one readable byte behind it. STATUS_SYNTAX: it is no such answer; STATUS_NO_MEMORY.
 */
enum status likeness_of_entry(struct span answer, const struct likeness_request *request,
                              enum likeness *ret_likeness) MUST_USE;

/* STATUS_NO_MEMORY. */
enum status likeness_of_requests(const struct likeness_request *a, const struct likeness_request *b,
                                 enum likeness *ret_likeness) MUST_USE;

#endif
