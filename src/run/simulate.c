#include <signal.h>

#include "run/use_cases.h"
#include "sim/server.h"

static int exit_status_of(enum status status)
{
    if (status == STATUS_CREDENTIALS)
        return EXIT_REFUSED;
    return status == STATUS_USAGE || status == STATUS_SYNTAX || status == STATUS_IO ? EXIT_USAGE
                                                                                    : EXIT_INTERNAL;
}

/* An audit with holes is no evidence: whoever relies on it must know. */
static int report_audit(struct sim *sim, const struct person *person)
{
    struct sim_stats stats;

    sim_stats(sim, &stats);
    if (stats.audit_lost == 0)
        return 0;
    person_error(person, "%llu lines of the audit could not be written",
                 (unsigned long long)stats.audit_lost);
    return EXIT_INTERNAL;
}

/* Stops serving, and keeps what is to be kept. */
static int save(struct sim *sim, const struct person *person)
{
    struct buf message;

    buf_init_text(&message, 16 * 1024);
    enum status status = sim_finish(sim, &message);
    if (status != STATUS_OK)
        person_error(person, "%s", buf_string(&message));
    buf_deinit(&message);
    return status == STATUS_OK ? 0 : EXIT_INTERNAL;
}

static int wait_for_signal(const sigset_t *signals)
{
    int signal_number = 0;
    return sigwait(signals, &signal_number) == 0 ? 0 : EXIT_INTERNAL;
}

int run_simulate(const struct sim_config *config, const struct person *person)
{
    struct buf message;
    struct sim *sim = NULL;
    sigset_t signals;
    char url[128];

    /* Blocked before the server's thread is made, so that it inherits the mask and only sigwait
     * sees them. */
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    buf_init_text(&message, 64 * 1024);
    enum status status = sim_start(config, &message, &sim);
    if (status != STATUS_OK) {
        person_failure(person, &message, status);
        buf_deinit(&message);
        return exit_status_of(status);
    }
    buf_deinit(&message);
    sim_url(sim, url, sizeof(url));
    /* On standard output, alone on its line: a script reads the port from it. */
    size_t len = strlen(url);
    url[len] = '\n';
    bool is_told = person_give(person, span_of(url, len + 1));
    url[len] = '\0';
    person_note(person, "a simulated OneNET platform listens (seed %llu); stop it with Ctrl-C",
                (unsigned long long)sim_seed(sim));
    int result = is_told ? wait_for_signal(&signals) : EXIT_INTERNAL;
    int state = save(sim, person);
    int audit = report_audit(sim, person);
    sim_stop(sim);
    return result != 0 ? result : state != 0 ? state : audit;
}
