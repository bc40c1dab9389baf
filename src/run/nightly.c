#include "run/nightly.h"

#include <time.h>
#include <unistd.h>

#include "run/exit_status.h"
#include "run/recording.h"

enum { NAME_TRIES_MAX = 60 };

static int refuse(const struct person *person, const char *why)
{
    person_error(person, "--dated: %s", why);
    return EXIT_USAGE;
}

/* The results that are there, where this start goes on with them. */
static char *take_latest(struct nightly *nightly, const struct run_settings *settings,
                         const struct person *person)
{
    bool is_unfinished;
    char *latest = dated_latest(&nightly->dated, &is_unfinished);

    if (latest != NULL && !settings->resume.on && (!is_unfinished || settings->again)) {
        free(latest);
        return NULL;
    }
    if (latest != NULL && !settings->resume.on)
        person_note(person, "going on with %s, which was not complete (--again begins anew)",
                    latest);
    return latest;
}

/* A name that nothing has: a start in the same second as another gets the next one's. */
static char *name_afresh(const struct dated *dated)
{
    int64_t now_s = (int64_t)time(NULL);
    char *name = dated_name(dated, now_s);

    for (int i = 1; i <= NAME_TRIES_MAX && name != NULL && access(name, F_OK) == 0; i++) {
        free(name);
        name = dated_name(dated, now_s + i);
    }
    return name;
}

int nightly_choose(struct nightly *nightly, struct run_settings *settings,
                   const struct person *person)
{
    if (!settings->dated)
        return 0;
    if (settings->output != NULL)
        return refuse(person, "it names the results itself: leave --output out, and give the job a "
                              "name with --job NAME");
    nightly->stem = recording_stem(settings);
    if (nightly->stem == NULL)
        return refuse(person, "standard input has no name to call the results by: give the job one "
                              "with --job NAME");
    nightly->dated = (struct dated){.stem = nightly->stem, .tail = recording_tail(settings)};
    nightly->path = take_latest(nightly, settings, person);
    bool goes_on = nightly->path != NULL;
    if (settings->resume.on && !goes_on) {
        person_error(person, "--resume: there is no %s.latest%s to go on with", nightly->stem,
                     nightly->dated.tail);
        return EXIT_USAGE;
    }
    if (!goes_on)
        nightly->path = name_afresh(&nightly->dated);
    settings->resume.on = goes_on;
    settings->output = nightly->path;
    return nightly->path != NULL ? 0 : EXIT_INTERNAL;
}

void nightly_follow(const struct nightly *nightly, const char *path, const struct person *person)
{
    struct buf message;

    buf_init_text(&message, 64 * 1024);
    if (dated_is_name(&nightly->dated, path) &&
        dated_link(&nightly->dated, path, &message) != STATUS_OK)
        person_error(person, "%s", buf_string(&message));
    buf_deinit(&message);
}

void nightly_prune(const struct nightly *nightly, const struct run_settings *settings,
                   const struct person *person)
{
    if (!settings->dated || settings->keep_ms == 0)
        return;
    unsigned count =
        dated_prune(&nightly->dated, (int64_t)time(NULL) - settings->keep_ms / 1000, nightly->path);
    if (count > 0)
        person_note(person, "removed %u result%s older than --keep", count,
                    count == 1 ? " file" : " files");
}

void nightly_deinit(struct nightly *nightly)
{
    free(nightly->stem);
    free(nightly->path);
}
