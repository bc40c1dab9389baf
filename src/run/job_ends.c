#include "run/job_ends.h"

#include "run/exit_status.h"

static const struct {
    const char *name;
    int exit_status;
} ends[] = {
    [JOB_COMPLETE] = {"complete", EXIT_ALL_ACCEPTED},
    [JOB_FAILED] = {"failed", EXIT_INTERNAL},
    [JOB_HALTED] = {"halted", EXIT_HALTED},
    [JOB_OUTAGE] = {"outage", EXIT_HALTED},
    [JOB_REFUSED] = {"refused", EXIT_REFUSED},
    [JOB_INTERRUPTED] = {"interrupted", EXIT_SIGNAL},
    [JOB_CHANGED] = {"changed", EXIT_INPUT_INVALID},
    [JOB_UNREADABLE] = {"unreadable", EXIT_INPUT_INVALID},
    [JOB_CANARY] = {"canary", EXIT_HALTED},
    [JOB_SHORTAGE] = {"shortage", EXIT_HALTED},
    [JOB_UNDELIVERED] = {"undelivered", EXIT_HALTED},
};

const char *job_end_name(enum job_end end)
{
    return ends[end].name;
}

int job_exit_status(const struct ending *ending)
{
    int status = ends[ending->end].exit_status;

    if (ending->end == JOB_INTERRUPTED)
        return status + ending->signal_number;
    if (status != EXIT_ALL_ACCEPTED && status != EXIT_HALTED)
        return status;
    if (ending->never_reached)
        return EXIT_REFUSED;
    if (ending->in_doubt)
        return EXIT_IN_DOUBT;
    if (status == EXIT_HALTED || ending->all_accepted)
        return status;
    return EXIT_SOME_NOT_ACCEPTED;
}

void job_tell_never_reached(const struct person *person)
{
    person_error(person, "the endpoint could not be reached at all: no request has left");
}
