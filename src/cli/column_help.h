/* The columns of an input, as the rules of the platform have them: explained, and as a file to
 * begin with. Private to cli/. */
#ifndef NB_CLI_COLUMN_HELP_H
#define NB_CLI_COLUMN_HELP_H

#include "core/buf.h"
#include "platform/rules.h"

struct column_text {
    char name[32];
    char needed[64]; /* "yes", "no", or the actions that need it */
    char what[1024];
};

enum { COLUMN_TEXTS_MAX = 32 };

/* All columns that there are, the needed ones first; how many. */
size_t column_help_texts(struct column_text texts[COLUMN_TEXTS_MAX]);

/* Appends a CSV for commands of the action: the columns that it takes, and a model row. */
void column_help_add_template(enum action action, struct buf *out);

#endif
