/* What earlier lives' rows own, read as the program reads it (run/owned.h). */
#ifndef NB_TESTS_ENGINE_FAKE_KNOWN_H
#define NB_TESTS_ENGINE_FAKE_KNOWN_H

#include "ledger/disk.h"
#include "platform/history_search.h"

enum status fake_known_read(struct disk *disk, const char *path, struct known_commands *known,
                            struct buf *message);

#endif
