#include "send/search.h"

#include <math.h>

#include "core/banned.h"

/* Neighbours nearer to each other than this are one. */
#define NEAR 1.03

void search_begin(struct search *search, double first, double max)
{
    *search = (struct search){.next = first < max ? first : max, .max = max};
}

bool search_wants(const struct search *search, double *ret_rate)
{
    bool is_settled = search->best > 0 && search->worst > 0
                          ? search->worst / search->best <= NEAR
                          : search->next < 1 || search->best >= search->max;
    *ret_rate = search->next;
    return !is_settled;
}

void search_take(struct search *search, bool keeps)
{
    if (keeps)
        search->best = search->next;
    else
        search->worst = search->next;
    if (search->worst <= 0)
        search->next = search->best * 2 < search->max ? search->best * 2 : search->max;
    else if (search->best <= 0)
        search->next = search->worst / 2;
    else
        search->next = sqrt(search->best * search->worst);
    double rounded = round(search->next); /* people's numbers, unless that is one of the two */
    if (rounded >= 20 && rounded > search->best && (search->worst <= 0 || rounded < search->worst))
        search->next = rounded;
}
