/* The settings that the HTML page shows. Private to cli/. */
#ifndef NB_CLI_OPTION_VALUES_H
#define NB_CLI_OPTION_VALUES_H

#include "cli/options.h"
#include "report/page.h"

enum { OPTION_VALUES_MAX = 128 };

/*
 * Each option of nbatch run that has a value, as it would be typed, once for each value of those
 * that may be repeated; returns how many. What says nothing of how rows are sent is left out; what
 * may hold a secret is hidden. The texts are those of table and sources.
 */
size_t option_values(const struct option_sources *sources,
                     struct page_entry entries[OPTION_VALUES_MAX]);

#endif
