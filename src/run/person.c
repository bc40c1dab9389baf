#include "run/person.h"

#include <stdarg.h>

enum { TOLD_MAX = 4 * 1024 * 1024 };

static void tell(const struct person *person, enum tell_kind kind, const char *format, va_list args)
{
    struct buf text;

    if (person->ops->tell == NULL || (kind != TELL_ERROR && person->quiet))
        return;
    buf_init(&text, TOLD_MAX);
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
    person_error(person, "%s", message->len > 0 ? buf_string(message) : status_text(status));
}

bool person_consents(const struct person *person, const char *question, const char *otherwise)
{
    enum consent answer =
        person->ops->ask != NULL ? person->ops->ask(person, question) : CONSENT_NOBODY;

    if (answer == CONSENT_NOBODY)
        person_error(person, "%s; nothing was sent", otherwise);
    else if (answer == CONSENT_NO)
        person_error(person, "nothing was sent");
    return answer == CONSENT_YES;
}

bool person_give(const struct person *person, struct span data)
{
    return person->ops->give != NULL && person->ops->give(person, data);
}
