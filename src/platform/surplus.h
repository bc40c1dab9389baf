/*
 * How the error of a row that was found in the platform's history names further commands of it that
 * the platform holds: as it is written into the results, and as nbatch cancel reads it.
 */
#ifndef NB_PLATFORM_SURPLUS_H
#define NB_PLATFORM_SURPLUS_H

#include "core/text.h"
#include "platform/history_search.h"

/* The second begins with the first, and is whole for the catalogue. */
#define FOUND_WORDS   "found in the platform's history"
#define SURPLUS_WORDS "found in the platform's history, which holds it more than once: also "

/* The words for what was found of a row, or not. */
static inline void surplus_describe(const struct search_found *found, struct buf *out)
{
    buf_clear(out);
    if (found->claim == CLAIM_UNCLEAR)
        buf_add_string(out, found->why);
    else if (found->claim == CLAIM_NONE)
        buf_add_string(out, "not in the platform's history: it was not processed");
    else if (found->surplus.len > 0)
        buf_add_format(out, SURPLUS_WORDS "%.*s", SPAN_ARG(found->surplus));
    else
        buf_add_string(out, FOUND_WORDS);
}

/* Whether an accepted line's error says that the history has told of the row, not its answer. */
static inline bool surplus_is_found(struct span error)
{
    return span_starts_with(error, FOUND_WORDS);
}

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
