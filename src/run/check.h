/* The check of an input, as run_check and run_send share it. Each step returns 0 or an exit status,
 * after the reason was said. Private to run/. */
#ifndef NB_RUN_CHECK_H
#define NB_RUN_CHECK_H

#include "engine/check.h"
#include "run/person.h"
#include "run/settings.h"

/* Opens the input that the settings name, to check it only or to send it. */
int check_open(const struct run_settings *settings, const struct person *person, bool for_sending,
               struct intake **ret_intake);

/* Refuses a passed column that would pose as one of the results' own. */
int check_passed(const struct intake *intake, const struct person *person);

/* What can be known to go wrong with --problems before a large input is read. */
int check_problem_path(const struct run_settings *settings, const struct person *person);

/* Checks the whole input, shows its problems and how many there are. EXIT_INPUT_INVALID when there
 * are errors. */
int check_input(struct intake *intake, const struct run_settings *settings,
                const struct person *person, struct check_counts *ret_counts);

/* The same before rows are sent: invalid ones may be skipped. */
int check_for_sending(struct intake *intake, const struct run_settings *settings,
                      const struct person *person, struct check_counts *ret_counts);

/* What writes replace, or might not mean, is asked about. */
int check_consent(const struct run_settings *settings, const struct person *person,
                  const struct check_counts *counts);

#endif
