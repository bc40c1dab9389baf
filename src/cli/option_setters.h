/*
 * The options whose value no type of the table (cli/option_table.h) reads: each takes it into the
 * settings. False where it is none, and `wanted` gets what it has to be: "must be …". Private to
 * cli/.
 */
#ifndef NB_CLI_OPTION_SETTERS_H
#define NB_CLI_OPTION_SETTERS_H

#include "cli/option_table.h"

bool option_set_resume(struct settings *settings, struct span value, struct buf *wanted);
bool option_set_watch(struct settings *settings, struct span value, struct buf *wanted);
bool option_set_settle(struct settings *settings, struct span value, struct buf *wanted);
bool option_set_delimiter(struct settings *settings, struct span value, struct buf *wanted);
bool option_set_expected(struct settings *settings, struct span value, struct buf *wanted);
bool option_set_statuses(struct settings *settings, struct span value, struct buf *wanted);
bool option_set_job(struct settings *settings, struct span value, struct buf *wanted);
bool option_set_levels(struct settings *settings, struct span value, struct buf *wanted);
bool option_set_rates(struct settings *settings, struct span value, struct buf *wanted);
bool option_set_find(struct settings *settings, struct span value, struct buf *wanted);
bool option_set_ramp(struct settings *settings, struct span value, struct buf *wanted);
bool option_set_canary(struct settings *settings, struct span value, struct buf *wanted);
bool option_set_rollout(struct settings *settings, struct span value, struct buf *wanted);
bool option_set_canary_accept(struct settings *settings, struct span value, struct buf *wanted);
bool option_set_halt(struct settings *settings, struct span value, struct buf *wanted);

#endif
