/*
 * The usual data array, compared piece by piece with the text that most programs write: no white
 * space, `res_id` before `val`, no `type`, and as values true, false, numbers of up to 15 bytes
 * without an exponent, and printable ASCII without escapes. Most files hold nothing else, and to
 * read them token by token costs eight times as much. What it takes, data_check takes without a
 * problem (tests/fuzz/fuzz_data.c compares the two); what it does not is not wrong, only for
 * data_check to say.
 */
#ifndef NB_PLATFORM_DATA_PLAIN_H
#define NB_PLATFORM_DATA_PLAIN_H

#include "platform/data.h"

/* Whether the text is such an array, without a resource that is in it twice; its items are then
 * in the footprint. False leaves the footprint empty. */
bool data_is_plain(struct span text, struct footprint *footprint);

#endif
