#include "run/share_rate.h"
#include "run/use_cases.h"

/* A build without jobs that several machines share. */
static int refuse(const struct person *person)
{
    person_error(person, "this nbatch was built without shared jobs (-DNBATCH_SHARE=OFF): use one "
                         "that was built with libpq");
    return EXIT_USAGE;
}

int run_share_init(const struct run_settings *settings, const struct person *person)
{
    (void)settings;
    return refuse(person);
}

int run_share_send(const struct run_settings *settings, const struct person *person)
{
    (void)settings;
    return refuse(person);
}

int run_work(const struct run_settings *settings, const struct person *person)
{
    (void)settings;
    return refuse(person);
}

int run_jobs(const struct run_settings *settings, const struct person *person)
{
    (void)settings;
    return refuse(person);
}

int run_share_results(const struct run_settings *settings, const struct person *person)
{
    (void)settings;
    return refuse(person);
}

int run_share_borrowed(const struct run_settings *settings, const struct person *person,
                       use_case_fn *use_case)
{
    (void)settings;
    (void)use_case;
    return refuse(person);
}

int share_rate_begin(const struct run_settings *settings, const struct person *person,
                     const struct credentials *credentials, struct job_options *options,
                     struct share_rate **ret_rate)
{
    (void)credentials;
    (void)options;
    *ret_rate = NULL;
    return settings->share_only_rate ? refuse(person) : 0;
}

void share_rate_attempt(struct share_rate *rate, const struct job_attempt *attempt)
{
    (void)rate;
    (void)attempt;
}

void share_rate_end(struct share_rate *rate)
{
    (void)rate;
}
