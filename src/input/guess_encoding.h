/*
 * Which encoding a text may have that is not UTF-8: judged by how often each of the usual ones
 * makes ordinary characters of it. A suggestion: nothing is read by it unasked.
 */
#ifndef NB_INPUT_GUESS_ENCODING_H
#define NB_INPUT_GUESS_ENCODING_H

#include "core/buf.h"

/*
 * iconv's name of the encoding in which the bytes make the most sense, in small letters; NULL where
 * they make none in any. `given` is what was tried: it stays where nothing speaks against it.
 * STATUS_NO_MEMORY.
 */
enum status guess_encoding(struct span bytes, const char *given, const char **ret_name) MUST_USE;

/* Appends the text of the bytes as UTF-8; `name` NULL: they are. What is illegal comes as in
 * source.h. STATUS_USAGE for an encoding that this system does not have; STATUS_NO_MEMORY. */
enum status guess_decode(struct span bytes, const char *name, struct buf *out) MUST_USE;

#endif
