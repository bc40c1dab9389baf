/* Every word that the program's tables have (statuses, states, columns, codes, faults, what it ends
 * with), for nbatch help WORD. Private to cli/. */
#ifndef NB_CLI_GLOSSARY_H
#define NB_CLI_GLOSSARY_H

#include "core/buf.h"

/* Appends what the word means, each time that a table has it; false where none has. Case does not
 * matter. */
bool glossary_add(const char *word, struct buf *out);

/* Appends the nearest word of a table, a command, a topic or an option; nothing where none is near.
 */
void glossary_add_nearest(const char *word, struct buf *out);

#endif
