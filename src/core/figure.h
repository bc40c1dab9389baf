/*
 * Numbers as a person reads them.
 *
 *     buf_add_format(&out, "%s rows", figure(rows).text);         // 1,000,000 rows
 *     buf_add_format(&out, "at %s", figure_rate(7.0 / 60, "").text);  // at 7/m
 */
#ifndef NB_CORE_FIGURE_H
#define NB_CORE_FIGURE_H

#include "core/span.h"

struct figure {
    char text[48];
};

/* A count; from 10,000 on with commas between thousands. */
struct figure figure(uint64_t count);

/* So many a second: 3,000/s, 2.5/s; where that is less than one, a minute or an hour: 7/m. `what`
 * is counted, " rows", or ""; in the language that is set. */
struct figure figure_rate(double per_s, const char *what);

#endif
