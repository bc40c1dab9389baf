#include "run/online.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "core/figure.h"
#include "core/when.h"
#include "engine/check.h"
#include "engine/interrupt.h"
#include "run/descriptors.h"
#include "run/embargo.h"
#include "run/exit_status.h"
#include "run/job_ends.h"
#include "run/sending.h"
#include "run/target.h"
#include "run/threads.h"

void online_init(struct online *online, const struct run_settings *settings,
                 const struct person *person)
{
    *online = (struct online){.settings = *settings, .person = person};
    waiting_init(&online->waiting);
}

void online_deinit(struct online *online)
{
    places_deinit(&online->places);
    asking_close(&online->asking, 0);
    waiting_deinit(&online->waiting);
}

int online_fits(const struct run_settings *settings, const struct person *person,
                const struct intake *intake)
{
    if (!settings->online || source_is_seekable(intake_source(intake)))
        return 0;
    person_error(person,
                 "--online looks for the devices first, and then checks the rows: it wants a file, "
                 "since %s cannot be read twice",
                 source_name(intake_source(intake)));
    return EXIT_USAGE;
}

/* Which devices there are. */

static enum status on_tick(void *context, const struct intake *intake, uint64_t rows)
{
    const struct online *online = context;
    const struct source *source = intake_source(intake);
    uint64_t bytes = source_taken(source), all = source_size(source);
    bool is_known = all > 0 && bytes <= all;

    online->person->ops->checked(online->person, rows, is_known ? (double)bytes / (double)all : -1);
    return interrupt_signal() == 0 ? STATUS_OK : STATUS_INTERRUPTED;
}

static int find_devices(struct online *online, struct intake *intake,
                        struct check_counts *ret_counts)
{
    const struct person *person = online->person;
    const struct check_hooks hooks = {.tick = on_tick, .context = online};
    const char *name = source_name(intake_source(intake));
    struct buf doing;

    buf_init_text(&doing, 64 * 1024);
    buf_add_format(&doing, "looking for the devices of %s", name);
    person->ops->begin(person, buf_string(&doing), NULL);
    enum status status = job_check(intake, &hooks, ret_counts);
    int error = errno;
    person->ops->end(person);
    buf_deinit(&doing);
    if (status == STATUS_OK || status == STATUS_BAD_INPUT)
        return 0;
    if (status == STATUS_INTERRUPTED)
        return EXIT_SIGNAL + interrupt_signal();
    person_error(person, "%s: %s", name,
                 status == STATUS_IO ? strerror(error) : status_text(status));
    return EXIT_INTERNAL;
}

/* Asking. */

static void on_event(void *context, enum job_event event, const struct job_status *status)
{
    struct online *online = context;

    (void)event;
    online->places.clock_off_s = status->clock_off_s;
}

static void add_standing(const void *context, struct buf *out)
{
    const struct places *places = &((const struct online *)context)->places;

    buf_add_format(out, "%s commands wait at %s devices", figure(places->commands).text,
                   figure(places->users).text);
}

static void announce(const struct online *online, uint64_t devices)
{
    double rate = sending_rate_per_s(&online->settings);
    struct buf text;

    buf_init_text(&text, 4096);
    buf_add_format(&text,
                   devices == 1 ? "asking %s device what waits there: a call, and more for long "
                                  "lists and for waiting writes"
                                : "asking %s devices what waits there: a call for each, and more "
                                  "for long lists and for waiting writes",
                   figure(devices).text);
    if (rate > 0) {
        buf_add_string(&text, "; at least ");
        when_add_duration((double)devices / rate, &text);
        buf_add_format(&text, " at %s", figure_rate(rate, "").text);
    }
    person_note(online->person, "%s", buf_string(&text));
    buf_deinit(&text);
}

static void tell(const struct online *online)
{
    const struct places *places = &online->places;
    struct buf text;

    buf_init_text(&text, 4096);
    buf_add_format(&text,
                   "devices asked: %s, with an answer: %s; commands that wait: %s, at %s of them",
                   figure(places->devices).text, figure(places->answered).text,
                   figure(places->commands).text, figure(places->users).text);
    if (places->full > 0)
        buf_add_format(&text, "; without a place: %s", figure(places->full).text);
    if (places->refused > 0)
        buf_add_format(&text, "; refused by the platform: %s", figure(places->refused).text);
    if (places->unknown > 0)
        buf_add_format(&text, "; not known: %s", figure(places->unknown).text);
    person_note(online->person, "%s", buf_string(&text));
    buf_deinit(&text);
}

/* The settings of a run are about rows: steps, rules to halt and attempts in doubt are not for
 * questions. */
static struct run_settings settings_of(const struct run_settings *given)
{
    struct run_settings settings = *given;

    settings.canary = (struct canary){.rows = 0};
    settings.halt = (struct halt){.rule_count = 0};
    settings.on_ambiguous = 0;
    return settings;
}

/* Where nobody has answered, it is not the fault of the rows, however few they are. */
static int judge_answers(const struct online *online)
{
    const struct asking *asking = &online->asking;

    if (asking->job.end != JOB_COMPLETE)
        return EXIT_HALTED;
    if (online->places.answered > 0)
        return 0;
    if (asking->tally.attempts == 0) {
        job_tell_never_reached(online->person);
        return EXIT_REFUSED;
    }
    person_error(online->person, "the platform could not be reached, or failed, each time");
    return EXIT_HALTED;
}

static int ask(struct online *online, struct intake *intake, const struct asking_door *door,
               const struct known_commands *own)
{
    const struct run_settings settings = settings_of(&online->settings);
    const struct places_options options = {.dialect = settings.dialect,
                                           .fleet = intake_fleet(intake),
                                           .own = own,
                                           .waiting = &online->waiting};
    const struct asking_subject subject = {.doing = "asking",
                                           .input = source_name(intake_source(intake)),
                                           .calls = intake_device_count(intake),
                                           .add_standing = add_standing,
                                           .context = online};

    announce(online, subject.calls);
    places_init(&online->places, &options);
    asking_join(&online->asking, &settings, online->person, door);
    online->asking.event = on_event;
    online->asking.event_context = online;
    online->has_asked = true;
    int result = asking_run(&online->asking, &online->places.base, &subject);
    if (result == 0)
        result = judge_answers(online);
    if (result == 0)
        tell(online);
    else
        person_error(online->person, "%s of %s devices have answered; nothing was sent",
                     figure(online->places.answered).text, figure(subject.calls).text);
    return result;
}

int online_find(struct online *online, struct intake *intake, bool is_for_all,
                struct check_counts *ret_counts)
{
    int result = find_devices(online, intake, ret_counts);

    online->asks = intake_device_count(intake) > 0 && !ret_counts->file_is_bad &&
                   (is_for_all || ret_counts->invalid == 0);
    return result;
}

int online_ask(struct online *online, struct intake *intake, const struct asking_door *door,
               const struct known_commands *own)
{
    struct buf message;
    int result = online->asks ? ask(online, intake, door, own) : 0;

    if (result != 0)
        return result;
    buf_init_text(&message, 64 * 1024);
    enum status status = intake_restart(intake, &online->waiting, (int64_t)time(NULL), &message);
    if (status != STATUS_OK)
        person_failure(online->person, &message, status);
    buf_deinit(&message);
    return status == STATUS_OK ? 0 : EXIT_INPUT_INVALID;
}

int online_check(struct online *online, struct intake *intake, struct check_counts *ret_counts)
{
    struct run_settings *settings = &online->settings;
    const struct person *person = online->person;
    struct endpoint endpoint = {.origin = NULL};
    struct credentials credentials = {0};
    const struct asking_door door = {&endpoint, &credentials, NULL};
    struct sim *sim = NULL;
    bool is_rehearsal = settings->simulate != NULL;
    int result = online_fits(settings, person, intake);

    interrupt_watch();
    if (result == 0)
        result = descriptors_settle(settings, person);
    if (result == 0)
        result = threads_check(person);
    if (result == 0 && is_rehearsal)
        result = target_simulate(settings, person, &sim, &endpoint);
    if (result == 0 && !is_rehearsal)
        result = target_choose(settings, person, &endpoint);
    if (result == 0 && !is_rehearsal)
        result = target_load_key(settings, person, &credentials);
    if (result == 0)
        result = online_find(online, intake, true, ret_counts);
    if (result == 0)
        result = embargo_check(settings, person, intake_embargo_s(intake), ret_counts->valid);
    if (result == 0)
        result = online_ask(online, intake, &door, NULL);
    sim_stop(sim);
    credentials_deinit(&credentials);
    endpoint_deinit(&endpoint);
    return result;
}

void online_add_json(const struct online *online, struct buf *out)
{
    const struct places *places = &online->places;

    if (!online->has_asked)
        return;
    buf_add_format(out, ",\"online\":{\"devices\":%llu,\"devices_answered\":%llu",
                   (unsigned long long)places->devices, (unsigned long long)places->answered);
    buf_add_format(out, ",\"lists\":%llu,\"lookups\":%llu", (unsigned long long)places->lists,
                   (unsigned long long)places->lookups);
    buf_add_format(out, ",\"waiting\":%llu,\"devices_waiting\":%llu,\"devices_full\":%llu",
                   (unsigned long long)places->commands, (unsigned long long)places->users,
                   (unsigned long long)places->full);
    buf_add_format(out, ",\"devices_refused\":%llu,\"devices_unknown\":%llu}",
                   (unsigned long long)places->refused, (unsigned long long)places->unknown);
}
