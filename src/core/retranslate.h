/*
 * Translates a sentence that was written in English before: the reason in the results, which stay
 * English for programs, or why a run ended, which the log has too. It is looked up among the
 * catalogue's formats, as scanf would read it. For what people are shown, now and then: each
 * sentence is compared with every format. Pure.
 */
#ifndef NB_CORE_RETRANSLATE_H
#define NB_CORE_RETRANSLATE_H

#include "core/buf.h"

/* Appends the sentence in the language that is set; as it is where no format fits it. */
void retranslate(struct span sentence, struct buf *out);

/* The same for what somebody else has said (a library, a server, the database), among words that
 * are translated: what has no translation becomes a quotation. So do such parts of a sentence. */
void retranslate_said(struct span text, struct buf *out);

#endif
