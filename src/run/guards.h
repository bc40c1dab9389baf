/*
 * What keeps a job that nobody watches from sending the wrong file: one of another size, one that
 * is old, one that was sent before. Each returns 0 or an exit status, after the reason was said.
 * Private to run/.
 */
#ifndef NB_RUN_GUARDS_H
#define NB_RUN_GUARDS_H

#include "run/dated.h"
#include "run/person.h"
#include "run/settings.h"

/* --max-age, before the input is read. */
int guard_age(const struct run_settings *settings, const struct person *person, int64_t now_s);

/* --expect-rows, once it was checked. */
int guard_rows(const struct run_settings *settings, const struct person *person, uint64_t rows);

/* With --dated: whether the input was sent whole before. `is_other`: it goes on with a run of
 * another input, without being told so. */
int guard_repetition(const struct run_settings *settings, const struct person *person,
                     const struct dated *dated, const struct dated_input *input, bool is_other);

/* With --dated: whether rows may be sent of which that is not known. */
int guard_unknown(const struct run_settings *settings, const struct person *person);

#endif
