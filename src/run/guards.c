#include "run/guards.h"

#include <sys/stat.h>

#include "core/when.h"
#include "run/exit_status.h"

enum { AHEAD_MAX_S = 10 * 60 };

static int refuse_pipe(const struct person *person, const char *option, const char *what)
{
    person_error(person,
                 "%s: a pipe's %s not known before its rows are sent; write it to a file first",
                 option, what);
    return EXIT_USAGE;
}

/* Clocks differ by minutes; beyond that the time says nothing about the file's age, and what should
 * keep the file of the time before from being sent would let any pass. */
static int refuse_future(const struct run_settings *settings, const struct person *person,
                         double ahead_s)
{
    struct buf text;

    buf_init_text(&text, 1024);
    when_add_duration(ahead_s, &text);
    person_error(person,
                 "%s: by this machine's clock it was last changed %s from now, so that --max-age "
                 "cannot tell how old it is: set the clock right, or touch the file if it is the "
                 "one to be sent; nothing was sent",
                 settings->input, buf_string(&text));
    buf_deinit(&text);
    return EXIT_INPUT_INVALID;
}

int guard_age(const struct run_settings *settings, const struct person *person, int64_t now_s)
{
    struct stat about;
    struct buf text;

    if (settings->max_age_ms == 0)
        return 0;
    if (strcmp(settings->input, "-") == 0)
        return refuse_pipe(person, "--max-age", "age is");
    if (stat(settings->input, &about) != 0) /* told when it is opened */
        return 0;
    if (!S_ISREG(about.st_mode))
        return refuse_pipe(person, "--max-age", "age is");
    const double age_s = (double)(now_s - (int64_t)about.st_mtim.tv_sec);
    if (age_s < -AHEAD_MAX_S)
        return refuse_future(settings, person, -age_s);
    const double most_s = (double)settings->max_age_ms / 1000;
    if (age_s <= most_s)
        return 0;
    buf_init_text(&text, 1024);
    when_add_duration(age_s, &text);
    buf_add_string(&text, " ago, and --max-age allows ");
    when_add_duration(most_s, &text);
    person_error(person,
                 "%s: it was last changed %s: is it the file of the time before? Nothing was sent",
                 settings->input, buf_string(&text));
    buf_deinit(&text);
    return EXIT_INPUT_INVALID;
}

int guard_rows(const struct run_settings *settings, const struct person *person, uint64_t rows)
{
    const struct expected_rows *expected = &settings->expected;

    if (expected->max == 0 || (rows >= expected->min && rows <= expected->max))
        return 0;
    if (rows == 0)
        return refuse_pipe(person, "--expect-rows", "rows are");
    person_error(person, "%s: %llu row%s, and --expect-rows says %llu to %llu; nothing was sent",
                 settings->input, (unsigned long long)rows, rows == 1 ? "" : "s",
                 (unsigned long long)expected->min, (unsigned long long)expected->max);
    return EXIT_INPUT_INVALID;
}

static void refuse_known(const struct run_settings *settings, const struct person *person,
                         enum dated_match match, const char *results)
{
    switch (match) {
    case DATED_SAME_BYTES:
        person_error(person,
                     "%s: it was sent before, every byte the same: %s is complete; say --again if "
                     "it is to be sent once more; nothing was sent",
                     settings->input, results);
        break;
    case DATED_SAME_ROWS:
        person_error(person,
                     "%s: its rows were sent before, all of them and no others, in another order "
                     "or form: %s is complete; say --again if they are to be sent once more; "
                     "nothing was sent",
                     settings->input, results);
        break;
    case DATED_UNREADABLE:
        person_error(person,
                     "%s: whether it was sent before cannot be told, since %s.complete is damaged "
                     "or may not be read: move it away or make it readable, or say --again if it "
                     "was not; nothing was sent",
                     settings->input, results);
        break;
    case DATED_OTHER:
        break;
    }
}

int guard_repetition(const struct run_settings *settings, const struct person *person,
                     const struct dated *dated, const struct dated_input *input, bool is_other)
{
    char *results;

    if (settings->again || (settings->resume.on && !is_other))
        return 0;
    enum dated_match match = dated_same_input(dated, input, &results);
    refuse_known(settings, person, match, results);
    free(results);
    return match == DATED_OTHER ? 0 : EXIT_INPUT_INVALID;
}

int guard_unknown(const struct run_settings *settings, const struct person *person)
{
    if (settings->again || settings->resume.on)
        return 0;
    person_error(person, "--dated: a pipe's rows are not known before they are sent, and may have "
                         "been sent before: write them to a file first, or say --again; nothing "
                         "was sent");
    return EXIT_USAGE;
}
