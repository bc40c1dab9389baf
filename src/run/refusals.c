#include "run/refusals.h"

static struct refusal_kind *find(struct refusals *refusals, const char *name)
{
    struct refusal_kind *free_one = NULL;

    for (size_t i = 0; i < REFUSAL_KINDS_MAX; i++) {
        struct refusal_kind *kind = &refusals->kinds[i];
        if (strcmp(kind->name, name) == 0)
            return kind;
        if (!kind->is_on && (free_one == NULL || kind->last_ms < free_one->last_ms))
            free_one = kind;
    }
    return free_one;
}

const struct refusal_kind *refusals_add(struct refusals *refusals, const char *name,
                                        const char *error, int64_t now_ms)
{
    struct refusal_kind *kind = find(refusals, name);

    if (kind == NULL)
        return NULL;
    bool is_new = strcmp(kind->name, name) != 0 ||
                  (!kind->is_on && now_ms - kind->first_ms >= REFUSALS_WINDOW_MS);
    if (is_new)
        *kind = (struct refusal_kind){.first_ms = now_ms};
    (void)snprintf(kind->name, sizeof(kind->name), "%s", name);
    (void)snprintf(kind->error, sizeof(kind->error), "%s", error);
    kind->count++;
    kind->last_ms = now_ms;
    bool begins = !kind->is_on && kind->count >= REFUSALS_BEGIN;
    kind->is_on = kind->is_on || begins;
    return begins ? kind : NULL;
}

const struct refusal_kind *refusals_ended(struct refusals *refusals, int64_t now_ms)
{
    for (size_t i = 0; i < REFUSAL_KINDS_MAX; i++) {
        struct refusal_kind *kind = &refusals->kinds[i];
        if (!kind->is_on || now_ms - kind->last_ms < REFUSALS_WINDOW_MS)
            continue;
        kind->is_on = false;
        kind->first_ms = INT64_MIN / 2; /* a later one begins anew */
        return kind;
    }
    return NULL;
}
