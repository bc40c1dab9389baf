/*
 * --online: before an input is checked, the platform is asked what waits at its devices. The input
 * is read once more for that: which devices it names is known at its end. Private to run/.
 *
 *     online_init(&online, settings, person);
 *     result = online_find(&online, intake, is_for_all, &counts);
 *     result = online_ask(&online, intake, &door, own);     // behind it comes the check, as ever
 *     … online_add_json(&online, &out) …
 *     online_deinit(&online);                               // once rows are not checked any more
 */
#ifndef NB_RUN_ONLINE_H
#define NB_RUN_ONLINE_H

#include "engine/check.h"
#include "platform/history_search.h"
#include "run/asking.h"
#include "run/places.h"

struct online {
    struct run_settings settings;
    const struct person *person;
    struct asking asking;
    struct places places;
    struct waiting waiting;
    bool asks; /* devices are asked about, or will be */
    bool has_asked;
};

void online_init(struct online *online, const struct run_settings *settings,
                 const struct person *person);
void online_deinit(struct online *online);

/* Whether the intake can be read so often. Returns 0 or an exit status, after the reason was said.
 */
int online_fits(const struct run_settings *settings, const struct person *person,
                const struct intake *intake) MUST_USE;

/*
 * Looks for the devices of the good rows. `is_for_all`: they are asked about also where some rows
 * are bad by themselves; what is wrong with these is told by the check that follows. Returns 0 or
 * an exit status, after the reason was said.
 */
int online_find(struct online *online, struct intake *intake, bool is_for_all,
                struct check_counts *ret_counts) MUST_USE;

/*
 * Asks about them, and lets the intake be read from its beginning by what was learnt. `own`: whose
 * commands are the rows', NULL: none are known. Likewise.
 */
int online_ask(struct online *online, struct intake *intake, const struct asking_door *door,
               const struct known_commands *own) MUST_USE;

/* Both for a check, which has no door of its own open. */
int online_check(struct online *online, struct intake *intake,
                 struct check_counts *ret_counts) MUST_USE;

/* Appends a member "online" with what was learnt, a comma before it. */
void online_add_json(const struct online *online, struct buf *out);

#endif
