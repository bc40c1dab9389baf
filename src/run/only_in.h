/*
 * Rows whose instance is in a file (--only-in): of others it is not known how to put them back, and
 * they end as invalid without being sent.
 *
 *     status = only_in_load(&only, path, &message);      // what nbatch snapshot has written
 *     intake_leave_out(intake, only_in_lacks, &only);    // they take no places
 *     source = only_in_wrap(&only, source);
 *     only_in_deinit(&only);
 *
 * Private to run/.
 */
#ifndef NB_RUN_ONLY_IN_H
#define NB_RUN_ONLY_IN_H

#include "core/keytable.h"
#include "engine/row_source.h"

struct only_in {
    struct row_source base; /* first */
    struct row_source *inner;
    const char *path;
    struct keytable places;
    bool is_loaded;
};

/* STATUS_USAGE, STATUS_NO_MEMORY, with a text. The path stays the caller's. */
enum status only_in_load(struct only_in *only, const char *path, struct buf *message) MUST_USE;

/* Whether the command's instance is not there; false where nothing was loaded: an
 * intake_leaves_out_fn with the struct as its context. */
bool only_in_lacks(const void *context, const struct command *command);

/* The source with such rows as invalid ones; `inner` itself where nothing was loaded. */
struct row_source *only_in_wrap(struct only_in *only, struct row_source *inner);

/* Takes a zeroed struct. */
void only_in_deinit(struct only_in *only);

#endif
