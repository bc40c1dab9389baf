#include "run/listener.h"

#include "core/original.h"
#include "core/redact.h"

static void hear(const struct person *person, enum tell_kind kind, const char *text)
{
    struct listener *listener = (struct listener *)(void *)person;

    if (kind == TELL_ERROR && listener->error == NULL) {
        struct buf english;
        buf_init(&english, LISTENER_ERROR_MAX);
        original_add(span_string(text), &english);
        listener->error = strdup(buf_string(&english));
        buf_deinit(&english);
        if (listener->error != NULL)
            redact_string(listener->error, REDACT_MIN);
    }
    listener->real->ops->tell(listener->real, kind, text);
}

const struct person *listener_init(struct listener *listener, const struct person *person)
{
    *listener = (struct listener){.person = *person, .ops = *person->ops, .real = person};
    if (person->ops->tell != NULL)
        listener->ops.tell = hear;
    listener->person.ops = &listener->ops;
    listener->keeps = !original_is_kept();
    if (listener->keeps)
        original_keep(true);
    return &listener->person;
}

void listener_deinit(struct listener *listener)
{
    if (listener->keeps)
        original_keep(false);
    free(listener->error);
}

const char *listener_error(const struct listener *listener)
{
    return listener->error != NULL ? listener->error : "";
}
