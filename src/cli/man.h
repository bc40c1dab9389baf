/* The manual page nbatch(1), made of the same tables as the help. Private to cli/. */
#ifndef NB_CLI_MAN_H
#define NB_CLI_MAN_H

#include "core/buf.h"

/* Appends the page as mdoc(7). */
void man_add_page(struct buf *out);

#endif
