/* A cell of a CSV that nbatch writes. */
#ifndef NB_LEDGER_CELL_H
#define NB_LEDGER_CELL_H

#include "core/buf.h"

/* Appends a CSV cell. Only what needs quotes gets them; libcsv writes those. */
void cell_add(struct buf *out, struct span text);

#endif
