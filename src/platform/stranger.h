/* Who answers in the platform's place: a guess from an answer without an errno, and what helps. */
#ifndef NB_PLATFORM_STRANGER_H
#define NB_PLATFORM_STRANGER_H

#include "core/buf.h"
#include "platform/outcome.h"

/*
 * Appends what the answer looks like and what to do about it, as half a sentence: "it looks like
 * … ; …". `dialect` is the one that was spoken, `path` what the endpoint has behind its host (""
 * for none). Pure.
 */
void stranger_describe(enum dialect dialect, const struct answer *answer, const char *path,
                       struct buf *out);

#endif
