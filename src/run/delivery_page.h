/*
 * Brings the status file of some results into their HTML page. Private to run/.
 */
#ifndef NB_RUN_DELIVERY_PAGE_H
#define NB_RUN_DELIVERY_PAGE_H

#include "report/page_delivery.h"

/*
 * Counts the lines of the status file whose uuid is that of the row's current result. `delivery` is
 * zeroed, and keeps the name. STATUS_END: there is no such file. Else as status_file_open and
 * results_open, with a text in `message`. Takes 28–42 bytes of memory a row meanwhile, and 24 more.
 */
enum status delivery_page_read(const char *status_file, const char *results,
                               struct page_delivery *delivery, struct buf *message) MUST_USE;

#endif
