#include "run/exit_status.h"
#include "run/share.h"

/* Options that say nothing to a shared job, or to the account's rate: each is refused by its name,
 * so that none is left out in silence. tests/e2e/test_share_options.py holds that there is no third
 * kind. */
int share_check_options(const struct run_settings *settings, const struct person *person)
{
    static const char anew[] = "nbatch work goes on with a job, and results are read with "
                               "nbatch results",
                      dated[] = "give each job a name with --job",
                      pace[] = "--rate is the account's", slower[] = "it goes slower for all";
    bool only_rate = settings->share_only_rate;
    const struct {
        bool is_given;
        const char *name, *instead;
    } options[] = {
        {!only_rate && settings->output != NULL, "--output",
         "nbatch results writes them to a file"},
        {!only_rate && settings->resume.on, "--resume", anew},
        {!only_rate && settings->status != NULL, "--status", anew},
        {!only_rate && settings->sort, "--sort", "nbatch results are in the order of the input"},
        {!only_rate && settings->report != NULL, "--report",
         "nbatch report --share makes one of a job"},
        {!only_rate && (settings->canary.rows > 0 || settings->canary_step.rows > 0), "--canary",
         "load a short file as a job of its own first"},
        {!only_rate && settings->rollout.count > 0, "--rollout",
         "load each step as a job of its own"},
        {!only_rate && settings->only_in != NULL, "--only-in",
         "leave the other rows out of the file"},
        {!only_rate && settings->dated, "--dated", dated},
        {!only_rate && settings->again, "--again", dated},
        {!only_rate && settings->has_settle, "--settle", "nbatch verify --job takes it"},
        {!only_rate && settings->keep_ms > 0, "--keep", "nbatch jobs --remove removes one"},
        {settings->simulate != NULL, "--simulate",
         "rehearse against nbatch simulate, with --endpoint"},
        {settings->online, "--online", "ask with nbatch check --online before"},
        {settings->ramp.ms > 0, "--ramp", pace},
        {settings->no_adaptive, "--no-adaptive", slower},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(options); i++) {
        if (!options[i].is_given)
            continue;
        person_error(person,
                     only_rate ? "%s is not for a shared rate: %s"
                               : "%s is not for a shared job: %s",
                     options[i].name, options[i].instead);
        return EXIT_USAGE;
    }
    return 0;
}
