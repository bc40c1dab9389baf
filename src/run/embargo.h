/*
 * The embargo (--embargo): until when no device gets anything, so that all of it can be taken back.
 * Private to run/.
 */
#ifndef NB_RUN_EMBARGO_H
#define NB_RUN_EMBARGO_H

#include "run/person.h"
#include "run/settings.h"

/* When an embargo that begins at a time, epoch, is over; 0 where there is none. */
int64_t embargo_end(const struct run_settings *settings, int64_t start_s);

/* How much longer an embargo lasts than the sending of so many rows is predicted to take; `left_s`:
 * how long it lasts from now. False where the rate, and so the prediction, is not known. Pure. */
bool embargo_spare(const struct run_settings *settings, uint64_t rows, double left_s,
                   double *ret_spare_s);

/* Refuses an embargo that ends before the last row is predicted to leave. 0 or an exit status,
 * after the reason was said; 0 where there is no embargo. `end_s` as embargo_end gave it. */
int embargo_check(const struct run_settings *settings, const struct person *person, int64_t end_s,
                  uint64_t rows);

#endif
