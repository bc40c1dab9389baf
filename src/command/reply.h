/* What the platform's JSON answer says (onenet-api.md, "Common to every call"). */
#ifndef NB_COMMAND_REPLY_H
#define NB_COMMAND_REPLY_H

#include "core/span.h"

enum { REPLY_UUID_MAX = 64, REPLY_ERROR_MAX = 255 };

struct reply {
    int64_t number; /* the member errno */
    char error[REPLY_ERROR_MAX + 1];
    char uuid[REPLY_UUID_MAX + 1]; /* "" when there is none */
};

/*
 * `body` must have one readable byte behind it: cJSON before 1.7.18 looks at it (CVE-2023-53154).
 *
 * Reads a whole reply body: a JSON object with a whole-number errno. STATUS_SYNTAX when it is none,
 * is cut off, or has text behind it; STATUS_NO_MEMORY when there was too little to read it. A uuid
 * is taken from data.uuid without the spaces around it, when it is printable and not too long
 * (half a uuid is none: a NUL in the body, which would cut it short, leaves it out).
 * Inside the object, what cJSON lets pass passes (see core/jsonlex.h): a control character in the
 * platform's words is no reason to forget its uuid. All texts come out as printable UTF-8.
 */
enum status reply_parse(struct span body, struct reply *ret_reply) MUST_USE;

#endif
