/*
 * How a line of the results names further commands of its row that the platform holds: in its
 * error, as nbatch verify writes it and nbatch cancel reads it. Private to run/.
 */
#ifndef NB_RUN_SURPLUS_H
#define NB_RUN_SURPLUS_H

#include "core/text.h"
#include "platform/operation.h"

#define SURPLUS_WORDS "found in the platform's history, which holds it more than once: also "

/* Takes the next of them off an accepted line's error; false: there is none. */
static inline bool surplus_take(struct span *error, struct span *ret_uuid)
{
    if (span_starts_with(*error, SURPLUS_WORDS))
        *error = span_skip(*error, sizeof(SURPLUS_WORDS) - 1);
    else if (!span_starts_with(*error, " ")) /* behind the comma of the one before */
        return false;
    *ret_uuid = text_trim_blanks(text_take_piece(error));
    return operation_names_one(*ret_uuid);
}

#endif
