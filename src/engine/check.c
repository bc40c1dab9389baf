#include "engine/check.h"

struct check {
    struct intake *intake;
    const struct check_hooks *hooks;
    struct check_counts counts;
    struct command command;
    struct problems problems;
};

static void tell_problems(struct check *check)
{
    const struct problems *problems = &check->problems;

    if (problems->count == 0)
        return;
    for (size_t i = 0; i < PROBLEM_CODE_COUNT; i++)
        check->counts.codes[i] += problems->counts[i];
    if (check->hooks->problems != NULL)
        check->hooks->problems(check->hooks->context, problems);
}

static void note_times(struct check *check)
{
    struct check_counts *counts = &check->counts;
    const struct command *command = &check->command;
    int64_t in_s = command->valid_at_s - intake_now_s(check->intake);

    if (!command->expires_is_relative &&
        (counts->expires_at_s == 0 || command->expires_at_s < counts->expires_at_s)) {
        counts->expires_at_s = command->expires_at_s;
        counts->expires_line = command->line;
    }
    if (command->valid_is_given && in_s > counts->valid_in_s) {
        counts->valid_in_s = in_s;
        counts->valid_line = command->line;
    }
}

static enum status take_row(struct check *check)
{
    struct check_counts *counts = &check->counts;
    const struct check_hooks *hooks = check->hooks;
    bool is_lost = intake_is_lost(check->intake);
    bool is_valid = check->problems.error_count == 0 && !is_lost;

    counts->rows++;
    if (check->command.hash != 0)
        counts->content += row_id_mix(check->command.hash, 1);
    counts->warnings += check->problems.warning_count;
    if (intake_known(check->intake)->verdict == STORE_SETTLED && !is_lost) {
        counts->settled++;
    } else if (is_valid) {
        counts->valid++;
        counts->actions[check->command.action]++;
        note_times(check);
    } else {
        counts->invalid++;
    }
    tell_problems(check);
    enum status status = STATUS_OK;
    if (hooks->tick != NULL && counts->rows % CHECK_TICK_ROWS == 0)
        status = hooks->tick(hooks->context, check->intake, counts->rows);
    if (status != STATUS_OK)
        return status;
    return hooks->row != NULL ? hooks->row(hooks->context, check->intake, is_valid) : STATUS_OK;
}

static enum status read_rows(struct check *check)
{
    enum status status = intake_start(check->intake, &check->problems);

    while (status == STATUS_OK) {
        status = intake_next(check->intake, &check->command, &check->problems);
        if (status == STATUS_OK)
            status = take_row(check);
    }
    return status;
}

/* What concerns the file as a whole, once it is read. */
static void judge_file(struct check *check)
{
    struct check_counts *counts = &check->counts;
    struct problems *problems = &check->problems;

    counts->devices = intake_device_count(check->intake);
    counts->replaced = intake_replaced_count(check->intake);
    problems_clear(problems, 0, 0);
    intake_judge_file(check->intake, problems);
    counts->doubts = problems->doubt_count;
    memcpy(counts->first_doubt, problems->first_doubt, sizeof(counts->first_doubt));
    counts->warnings += problems->warning_count;
    counts->file_is_bad = problems->error_count > 0;
    tell_problems(check);
}

enum status job_check(struct intake *intake, const struct check_hooks *hooks,
                      struct check_counts *ret_counts)
{
    struct check *check = calloc(1, sizeof(*check));

    if (check == NULL)
        return STATUS_NO_MEMORY;
    check->intake = intake;
    check->hooks = hooks;
    command_init(&check->command);
    problems_init(&check->problems);
    enum status status = read_rows(check);
    if (status == STATUS_END) {
        judge_file(check);
        status = STATUS_OK;
    } else if (status == STATUS_BAD_INPUT) {
        check->counts.file_is_bad = check->counts.is_unreadable = true;
        tell_problems(check);
    }
    if (status == STATUS_OK || status == STATUS_BAD_INPUT)
        *ret_counts = check->counts;
    command_deinit(&check->command);
    problems_deinit(&check->problems);
    free(check);
    return status;
}
