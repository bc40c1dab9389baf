#include "cli/option_values.h"

#include "cli/option_sources.h"

/* What is shown for a value; NULL for nothing. */
static const char *shown_for(const struct option *option, const char *value)
{
    if (option_hides(option, value))
        return option->secret == SECRET_USER ? "(not shown: it names a user)" : "(not shown)";
    if (option->kind == OPTION_FLAG && value != NULL)
        return strcmp(value, "0") == 0 || strcmp(value, "false") == 0 ? NULL : "yes";
    return value == NULL || value[0] == '\0' ? "yes" : value;
}

/* Whether another option has taken its place: a simulator that of the endpoint. */
static bool is_beaten(const struct option_sources *sources, const struct option *option)
{
    const struct option *rival =
        option->rival != NULL ? option_find(COMMAND_RUN, span_string(option->rival)) : NULL;
    return rival != NULL && option_sources_next(sources, rival, NULL) != NULL;
}

size_t option_values(const struct option_sources *sources,
                     struct page_entry entries[OPTION_VALUES_MAX])
{
    const struct option *option = NULL;
    size_t count = 0;

    while ((option = option_next(COMMAND_RUN, option)) != NULL) {
        const struct assignment *item = option_repeats(option)
                                            ? option_sources_next(sources, option, NULL)
                                            : option_sources_last(sources, option);
        const char *value = item != NULL ? item->value : option->fallback;
        if (option->is_private || (item == NULL && (value == NULL || is_beaten(sources, option))))
            continue;
        for (bool more = true; more && count < OPTION_VALUES_MAX;) {
            entries[count] = (struct page_entry){option->name, shown_for(option, value)};
            count += entries[count].value != NULL;
            item = item != NULL ? option_sources_next(sources, option, item) : NULL;
            more = item != NULL;
            value = more ? item->value : NULL;
        }
    }
    return count;
}
