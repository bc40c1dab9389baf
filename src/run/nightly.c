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

    if (latest == NULL || settings->resume.on)
        return latest;
    if (!is_unfinished || settings->again) {
        free(latest);
        return NULL;
    }
    person_note(person, "going on with %s, which was not complete (--again begins anew)", latest);
    nightly->goes_on = true;
    return latest;
}

/* A name that nothing has: a start in the same second as another gets the next one's. */
static char *name_afresh(const struct dated *dated)
{
    int64_t now_s = (int64_t)time(NULL);
    char *name = dated_name(dated, now_s);

    for (int i = 1; i <= NAME_TRIES_MAX && name != NULL && !dated_is_free(name); i++) {
        free(name);
        name = dated_name(dated, now_s + i);
    }
    return name;
}

/* Whether this start may go on: no other one of the job is under way, and the link can be made. */
static int enter(struct nightly *nightly, const struct person *person)
{
    struct buf message;
    int result = 0;

    buf_init_text(&message, 64 * 1024);
    enum status status = dated_lock(&nightly->dated, &nightly->lock_fd, &message);
    if (status != STATUS_OK)
        result = status == STATUS_EXISTS ? EXIT_USAGE : EXIT_INTERNAL;
    else if (!dated_can_link(&nightly->dated, &message))
        result = EXIT_USAGE;
    if (result != 0)
        person_error(person, "--dated: %s; nothing was sent", buf_string(&message));
    buf_deinit(&message);
    return result;
}

int nightly_choose(struct nightly *nightly, struct run_settings *settings,
                   const struct person *person)
{
    nightly->lock_fd = -1;
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
    int result = enter(nightly, person);
    if (result != 0)
        return result;
    nightly->path = take_latest(nightly, settings, person);
    bool goes_on = nightly->path != NULL;
    if (settings->resume.on && !goes_on) {
        person_error(person, "--resume: there is no %s.latest%s to go on with", nightly->stem,
                     nightly->dated.tail);
        return EXIT_USAGE;
    }
    if (!goes_on)
        nightly->path = name_afresh(&nightly->dated);
    nightly->before = dated_linked(&nightly->dated);
    settings->resume.on = goes_on;
    settings->output = nightly->path;
    return nightly->path != NULL ? 0 : EXIT_INTERNAL;
}

/* With --keep removes what is complete and old. That something could not be removed is no matter
 * for the run. */
static void prune(const struct nightly *nightly, const struct run_settings *settings,
                  const struct person *person)
{
    int64_t before_s = (int64_t)time(NULL) - settings->keep_ms / 1000;
    unsigned count = dated_prune(&nightly->dated, before_s, nightly->path);

    if (count > 0)
        person_note(person, "removed %u result%s older than --keep", count,
                    count == 1 ? " file" : " files");
}

void nightly_end(const struct nightly *nightly, const struct run_settings *settings,
                 const char *moved_to, const struct person *person)
{
    enum status status = STATUS_OK;
    struct buf message;

    if (!settings->dated || nightly->path == NULL)
        return;
    buf_init_text(&message, 64 * 1024);
    if (moved_to == NULL)
        status = dated_link_back(&nightly->dated, nightly->path, nightly->before, &message);
    else if (dated_is_name(&nightly->dated, moved_to))
        status = dated_link(&nightly->dated, moved_to, &message);
    if (status != STATUS_OK)
        person_error(person, "%s", buf_string(&message));
    buf_deinit(&message);
    if (settings->keep_ms > 0 && dated_is_complete(nightly->path))
        prune(nightly, settings, person);
}

void nightly_deinit(struct nightly *nightly)
{
    if (nightly->stem != NULL && nightly->lock_fd >= 0)
        (void)close(nightly->lock_fd);
    free(nightly->stem);
    free(nightly->path);
    free(nightly->before);
}
