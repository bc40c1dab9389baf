/*
 * Secrets that come back: a server that echoes the request, a library that quotes a URL. What was
 * added here is replaced by *** in every text that comes from outside, before anything else sees
 * it, so that results, log, journal, page and messages need not think of it.
 *
 *     redact_add(key);                    // as soon as it is known
 *     redact_string(text, REDACT_MIN);    // each text from a peer, a library or a URL
 *     redact_forget();                    // when it is not needed any more
 *
 * Found are the secret itself, also with some of its characters written as %3D, \u003d, \/, &#61;
 * or &amp;, in hexadecimal, in base64 wherever it is inside, and its beginning where the rest was
 * cut off; and the user and password in any URL. The secrets are the process's, since a secret is
 * one wherever it shows; they are added and looked for by one thread. Does no I/O.
 */
#ifndef NB_CORE_REDACT_H
#define NB_CORE_REDACT_H

#include "core/buf.h"

enum {
    REDACT_MIN = 4,           /* a shorter secret is none, and would garble every text */
    REDACT_ID_MIN = 12,       /* for identifiers */
    REDACT_BEGINNING_MIN = 8, /* so much of a longer secret's beginning is taken for it */
    REDACT_SECRETS_MAX = 16,  /* … of which the second half is used again and again: tokens */
};

/* Adds a secret, which is copied; one that is there already changes nothing. Where there is no
 * memory the secret is not known. */
void redact_add(struct span secret);

/* The same for one that may be percent-encoded, with and without that. */
void redact_add_encoded(struct span text);

/* Adds the user and password in an address that may be one or not: [scheme://]user:password@host.
 */
void redact_add_userinfo(struct span url);

/* Wipes and forgets all. */
void redact_forget(void);

/*
 * Replaces what is secret in `text`, in place; its length never grows. Secrets of fewer than
 * `least` characters are let pass: an identifier may hold a short one by chance.
 */
void redact_text(char *text, size_t *len, size_t least);

/* The same for a C string. */
void redact_string(char *text, size_t least);

/* Appends an address that may be none, without what may be a user and password in it. */
void redact_add_url(struct buf *out, struct span url);

#endif
