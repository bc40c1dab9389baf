/* A summary for programs: one line of JSON. */
#ifndef NB_REPORT_JSON_LINE_H
#define NB_REPORT_JSON_LINE_H

#include <cjson/cJSON.h>

#include "core/buf.h"

/* Adds it and a line end; names of files in it may be anything, and come out as UTF-8. Takes
 * `root`, which may be NULL. STATUS_NO_MEMORY, STATUS_TOO_BIG. */
enum status json_line_add(cJSON *root, struct buf *out) MUST_USE;

#endif
