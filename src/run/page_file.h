/* The file of an HTML page: written whole or not at all. Private to run/. */
#ifndef NB_RUN_PAGE_FILE_H
#define NB_RUN_PAGE_FILE_H

#include "core/buf.h"

/*
 * Whether a page may be written there: no file that is not such a page is replaced, and the folder
 * is one that can be written to. STATUS_EXISTS, STATUS_IO, with a text in `message`.
 */
enum status page_file_probe(const char *path, struct buf *message) MUST_USE;

/* Writes the page beside the file and puts it in its place; "-" is standard output. As above, and
 * STATUS_NO_MEMORY. */
enum status page_file_write(const char *path, const struct buf *page, struct buf *message) MUST_USE;

#endif
