/*
 * The history of a device's commands, as far as the store has kept them (platform/README.md,
 * "What became of a command"). start, end and sort are taken and not acted upon. No command is ever
 * delivered here: send_status is 1 (waiting), or 4 once expired_time is past.
 */
#ifndef NB_SIM_HISTORY_H
#define NB_SIM_HISTORY_H

#include "sim/platform.h"

enum { HISTORY_PER_PAGE = 30, HISTORY_PER_PAGE_MAX = 1000 };

/*
 * Answers CALL_HISTORY (newest first; page counts from 1; total_count also counts commands that
 * were not kept) or CALL_HISTORY_ONE (with args and content). errno 3 without imei, 5108 for other
 * bad parameters and for a uuid that the device has no kept command of.
 */
void history_answer(struct platform *platform, const struct call *call, int64_t now_s,
                    struct platform_answer *answer);

#endif
