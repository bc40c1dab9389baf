/* What answers in the place of the platform (a login page, another service): a guess from an answer
 * without an errno, and the remedy. */
#ifndef NB_PLATFORM_FOREIGN_ANSWER_H
#define NB_PLATFORM_FOREIGN_ANSWER_H

#include "core/buf.h"
#include "platform/outcome.h"

/*
 * Appends what the answer looks like and what to do about it, as half a sentence: "it looks like
 * … ; …". `dialect` is the one that was spoken, `path` what the endpoint has behind its host (""
 * for none). Pure.
 */
void foreign_answer_describe(enum dialect dialect, const struct answer *answer, const char *path,
                             struct buf *out);

#endif
