/* What the platform's JSON answer says (README.md, "Answers"). */
#ifndef NB_PLATFORM_REPLY_H
#define NB_PLATFORM_REPLY_H

#include "platform/dialect.h"

enum { REPLY_UUID_MAX = 64, REPLY_ERROR_MAX = 255 };

struct reply {
    int64_t number;   /* the member errno, or what the dialect calls it */
    bool is_crossed;  /* it was found under the first dialect's name in an answer of another one */
    bool contradicts; /* it names several numbers: nobody can tell which one counts */
    const char *flaw; /* of an acceptance: why its uuid is not known, for people; NULL: it is */
    char error[REPLY_ERROR_MAX + 1];
    char uuid[REPLY_UUID_MAX + 1]; /* "" when there is none */
};

/*
 * `body` must have one readable byte behind it: cJSON before 1.7.18 looks at it (CVE-2023-53154).
 *
 * Reads a whole reply body: a JSON object with a whole-number errno, also as a text ("0"); in the
 * second dialect a code that has msg or request_id beside it, or else an errno.
 * STATUS_SYNTAX when it is none, is cut off, or has text behind it; STATUS_NO_MEMORY when there was
 * too little to read it.
 *
 * What says errno 0 was processed, and must not be sent again for a flaw in the rest: then text
 * behind the object, escapes that are none and halves of surrogate pairs are passed over. The uuid
 * is that of data, also where that is a list of one object or the text itself, without the blanks
 * of any kind around it, when it is printable and not too long. Several that differ are none, and
 * so is half of one: where a NUL in the body may have cut it short, it counts only if it has the
 * form of a whole one.
 *
 * Inside the object, what cJSON lets pass passes (see core/jsonlex.h): a control character in the
 * platform's words is no reason to forget its uuid. All texts come out as printable UTF-8.
 */
enum status reply_parse_as(enum dialect dialect, struct span body,
                           struct reply *ret_reply) MUST_USE;

static inline enum status reply_parse(struct span body, struct reply *ret_reply)
{
    return reply_parse_as(DIALECT_V1, body, ret_reply);
}

#endif
