#include "run/follow.h"

#include <sys/stat.h>

#include "run/observers.h"
#include "run/privacy.h"

const struct person *follow_begin(struct follow *follow, struct run_settings *settings,
                                  const struct person *person)
{
    *follow = (struct follow){.settings = settings};
    settings->following = &follow->following;
    return listener_init(&follow->listener, person);
}

static bool holds_something(const char *path)
{
    struct stat about;

    return path != NULL && stat(path, &about) == 0 && about.st_size > 0;
}

static void tell_refusal(const struct follow *follow, int exit_status)
{
    struct run_settings settings = *follow->settings;
    struct observers observers = {.input = NULL};
    struct buf message;

    /* A name that two files share may be meant for the other one: it is not made a log. */
    if (follow->following.is_shared && !holds_something(settings.log))
        settings.log = NULL;
    if (follow->following.is_shared && !holds_something(settings.metrics_file))
        settings.metrics_file = NULL;
    if (settings.input != NULL)
        privacy_follow(settings.input);
    else
        settings.input = settings.job != NULL ? settings.job : "";
    buf_init_text(&message, 64 * 1024);
    /* What cannot be opened is left: the person was told of a refusal already. */
    (void)!observers_open(&observers, &settings, follow->listener.real, &message);
    observers_close(&observers, &(struct observed_end){.message = listener_error(&follow->listener),
                                                       .exit_status = exit_status});
    buf_deinit(&message);
}

void follow_end(struct follow *follow, int exit_status)
{
    if (exit_status != 0 && !follow->following.is_told)
        tell_refusal(follow, exit_status);
    follow->settings->following = NULL;
    listener_deinit(&follow->listener);
}
