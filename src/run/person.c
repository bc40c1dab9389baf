#include "run/person.h"

#include <stdarg.h>
#include <unistd.h>

#include "core/retranslate.h"
#include "core/shell.h"
#include "engine/interrupt.h"

enum { TOLD_MAX = 4 * 1024 * 1024 };

static void tell(const struct person *person, enum tell_kind kind, const char *format, va_list args)
{
    struct buf text;

    if (person->ops->tell == NULL || (kind != TELL_ERROR && person->quiet))
        return;
    buf_init_text(&text, TOLD_MAX);
    buf_add_format_list(&text, format, args);
    person->ops->tell(person, kind, buf_string(&text));
    buf_deinit(&text);
}

void person_error(const struct person *person, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(person, TELL_ERROR, format, args);
    va_end(args);
}

void person_note(const struct person *person, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(person, TELL_NOTE, format, args);
    va_end(args);
}

void person_failure(const struct person *person, struct buf *message, enum status status)
{
    struct buf shown;

    buf_init_text(&shown, TOLD_MAX);
    if (message->len > 0)
        retranslate(buf_span(message), &shown);
    else
        buf_add_string(&shown, status_text(status));
    person_error(person, "%s", buf_string(&shown));
    buf_deinit(&shown);
}

bool person_consents(const struct person *person, const char *question, const char *otherwise)
{
    enum consent answer =
        person->ops->ask != NULL ? person->ops->ask(person, question) : CONSENT_NOBODY;

    if (answer == CONSENT_NOBODY)
        person_error(person, "%s; nothing was sent", otherwise);
    else if (answer == CONSENT_NO_ANSWER && interrupt_signal() != 0)
        person_error(person, "%s while a question waited for its answer; nothing was sent",
                     interrupt_name(interrupt_signal()));
    else if (answer == CONSENT_NO_ANSWER)
        person_error(person, "the question got no answer, the input of the terminal has ended; "
                             "nothing was sent");
    else if (answer == CONSENT_NO)
        person_error(person, "nothing was sent");
    return answer == CONSENT_YES;
}

bool person_give(const struct person *person, struct span data)
{
    return person->ops->give != NULL && person->ops->give(person, data);
}

void person_add_call(const struct person *person, const char *command, const char *argument,
                     struct buf *out)
{
    if (person->ops->call != NULL) {
        person->ops->call(person, command, argument, out);
        return;
    }
    buf_add_format(out, "nbatch %s%s", command, argument != NULL ? " " : "");
    if (argument != NULL)
        shell_add_file(argument, out);
}

/* The run's input by the name of its results: the file that is there. False: there is none. */
static bool find_input(const char *results, struct buf *out)
{
    static const char *const extensions[] = {"csv",     "jsonl",    "xlsx",     "csv.gz",
                                             "csv.zst", "jsonl.gz", "jsonl.zst"};
    static const char *const ends[] = {".results.", ".rehearsal."};
    const char *end = NULL;

    for (size_t i = 0; i < ARRAY_LENGTH(ends) && end == NULL; i++)
        end = strstr(results, ends[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(extensions) && end != NULL; i++) {
        buf_clear(out);
        buf_add_format(out, "%.*s.%s", (int)(end - results), results, extensions[i]);
        if (access(buf_string(out), R_OK) == 0)
            return true;
    }
    return false;
}

void person_add_resume(const struct person *person, const char *results, const char *what,
                       const char *status_file, struct buf *out)
{
    struct buf input;

    buf_init(&input, 64 * 1024);
    if (find_input(results, &input)) {
        person_add_call(person, "run", buf_string(&input), out);
        buf_add_format(out, " --resume=%s --output ", what);
        shell_add_file(results, out);
        if (status_file != NULL) {
            buf_add_string(out, " --status ");
            shell_add_file(status_file, out);
        }
    } else {
        buf_add_format(out, "call the run once more, with --resume=%s", what);
    }
    buf_deinit(&input);
}
