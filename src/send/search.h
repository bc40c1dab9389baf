/*
 * The search for the highest rate that keeps a promise: the rate is doubled until one fails, then
 * the gap between the two is halved (on a logarithmic scale). Pure.
 *
 *     search_begin(&search, 100, 50000);
 *     while (search_wants(&search, &rate))
 *         search_take(&search, whether the rate keeps it);
 *     … search.best is the answer, 0 where none keeps it …
 */
#ifndef NB_SEND_SEARCH_H
#define NB_SEND_SEARCH_H

#include <stdbool.h>

struct search {
    double best;  /* the highest that was seen to keep it; 0: none */
    double worst; /* the lowest that was seen to fail; 0: none */
    double next;  /* to be tried */
    double max;   /* none above is tried */
};

/* Both ≥ 1. */
void search_begin(struct search *search, double first, double max);

/* Whether another rate is to be tried. The answer is right to 3 %, and no rate below 1/s is tried.
 */
bool search_wants(const struct search *search, double *ret_rate);

void search_take(struct search *search, bool keeps);

#endif
