/*
 * The English of what was translated a moment ago, for what programs read: a log tells why a run
 * was refused, and that is the same in any language, whatever the person was told. While it is on,
 * each text that is translated in this thread is kept with its English; sentences that were put
 * together of such texts are found again by those.
 *
 *     original_keep(true);
 *     …                                     texts are made for people
 *     original_add(span_string(told), out); // and one of them is wanted in English
 *     original_keep(false);
 *
 * ORIGINALS_MAX texts are remembered, the latest; what is not found stays as it is. In English
 * nothing is kept. Pure.
 */
#ifndef NB_CORE_ORIGINAL_H
#define NB_CORE_ORIGINAL_H

#include "core/buf.h"

enum { ORIGINALS_MAX = 64, ORIGINAL_BYTES_MAX = 8 * 1024 };

/* Off again: all is forgotten, and freed. */
void original_keep(bool on);

bool original_is_kept(void);

/* Without memory it is not kept. */
void original_note(struct span translated, struct span english);

/* Appends the text with each known piece in English, the longest first. */
void original_add(struct span text, struct buf *out);

#endif
