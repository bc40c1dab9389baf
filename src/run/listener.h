/*
 * A person who is told what another one is told, and keeps the first error: the reason of an end,
 * for the log, and so in English in any language (core/original.h). Private to run/.
 */
#ifndef NB_RUN_LISTENER_H
#define NB_RUN_LISTENER_H

#include "run/person.h"

enum { LISTENER_ERROR_MAX = 64 * 1024 };

struct listener {
    struct person person; /* first: its ops lead back to here */
    struct person_ops ops;
    const struct person *real;
    bool keeps;  /* the English of what is said; else another listener does */
    char *error; /* English, without secrets; NULL: none was told */
};

/* Whom to speak with from now on. `person` and the listener outlive that. */
const struct person *listener_init(struct listener *listener, const struct person *person);

void listener_deinit(struct listener *listener);

/* The first error that was told; "": none. */
const char *listener_error(const struct listener *listener);

#endif
