#include "job/check.h"

static void count_row(struct check_counts *counts, const struct command *command,
                      const struct problems *problems)
{
    counts->rows++;
    counts->warnings += problems->warning_count;
    if (problems->error_count > 0) {
        counts->invalid++;
    } else {
        counts->valid++;
        counts->actions[command->action]++;
    }
}

enum status job_check(struct intake *intake, problems_fn *report, void *context,
                      struct check_counts *ret_counts)
{
    struct check_counts counts = {.rows = 0};
    struct command command;
    struct problems problems;

    command_init(&command);
    problems_init(&problems);
    enum status status = intake_start(intake, &problems);
    while (status == STATUS_OK) {
        status = intake_next(intake, &command, &problems);
        if (status != STATUS_OK)
            break;
        count_row(&counts, &command, &problems);
        if (problems.count > 0)
            report(context, &problems);
    }
    if (status == STATUS_END)
        status = STATUS_OK;
    if (status == STATUS_BAD_INPUT) {
        counts.file_is_bad = true;
        report(context, &problems);
    }
    command_deinit(&command);
    problems_deinit(&problems);
    if (status == STATUS_OK || status == STATUS_BAD_INPUT)
        *ret_counts = counts;
    return status;
}
