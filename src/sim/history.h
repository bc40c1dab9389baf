/*
 * What the simulated platform says of commands that it holds, and how it takes them back
 * (platform/README.md, "Calls"): a device's list, one command, its log, cancel and cancel all.
 *
 * Some of it is as real platforms were seen to do it: a uuid in the list has a blank behind it,
 * times in answers have a space where parameters have a T, members without a value are absent.
 * Where the documents leave it open: a list has 30 commands a page and 100 at most; a command can
 * be taken back until it is sent, also when its valid_time has come; one that cannot be is answered
 * errno 5106.
 */
#ifndef NB_SIM_HISTORY_H
#define NB_SIM_HISTORY_H

#include "sim/platform.h"

enum { HISTORY_PER_PAGE = 30, HISTORY_PER_PAGE_MAX = 100 };

/*
 * Answers a call that is no command: CALL_HISTORY (newest first unless sort=ASC; page counts from
 * 1; total_count counts what lies between start and end), CALL_HISTORY_ONE (with args, content and,
 * once the device has taken it, cmd_result), CALL_LOG, CALL_CANCEL, CALL_CANCEL_ALL. errno 3
 * without imei, and a list without start; 5108 for other bad parameters and for a uuid that the
 * device has no command of.
 */
void history_answer(struct platform *platform, const struct call *call, int64_t now_ms,
                    struct platform_answer *answer);

#endif
