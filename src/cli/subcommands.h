/* The subcommands, one file each. Each takes parsed settings and returns the exit status. Private
 * to cli/. */
#ifndef NB_CLI_SUBCOMMANDS_H
#define NB_CLI_SUBCOMMANDS_H

#include "cli/cli.h"
#include "cli/options.h"
#include "engine/check.h"
#include "report/tally.h"
#include "sim/config.h"

int cli_run(const struct settings *settings);
int cli_check(const struct settings *settings);
int cli_config(const struct settings *settings, const struct option_sources *sources);
int cli_bench(const struct settings *settings);
int cli_report(const struct settings *settings);
int cli_simulate(const struct settings *settings, const struct sim_config *config);

/* What a run came to, for who measures it. All zero where nothing was sent. */
struct run_figures {
    struct tally tally;
    double seconds;         /* of sending, as in the summary */
    double simulator_cpu_s; /* of the simulator in the process */
};

/* As cli_run. */
int cli_run_measured(const struct settings *settings, struct run_figures *ret_figures);

/* Opens the input that the settings name, to check it only or to send it; an exit status other than
 * 0 after the reason was said. */
int cli_open_intake(const struct settings *settings, bool for_sending, struct intake **ret_intake);

/* What can be known to go wrong with --problems before a large input is read: 0 or an exit status,
 * after the reason was said. */
int cli_check_problem_path(const struct settings *settings);

/*
 * Checks the whole input, shows its problems and how many there are. 0, EXIT_INPUT_INVALID when
 * there are errors, or EXIT_INTERNAL after the reason was said.
 */
int cli_check_input(struct intake *intake, const struct settings *settings,
                    struct check_counts *ret_counts);

#endif
