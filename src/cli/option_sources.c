#include "cli/option_sources.h"

#include <strings.h>
#include <unistd.h>

#include "core/text.h"

void option_sources_deinit(struct option_sources *sources)
{
    if (sources == NULL)
        return;
    config_file_deinit(&sources->config);
    free(sources->items);
    *sources = (struct option_sources){.items = NULL};
}

static enum status add(struct option_sources *sources, const struct assignment *assignment)
{
    struct assignment *items =
        realloc(sources->items, (sources->count + 1) * sizeof(*sources->items));

    if (items == NULL)
        return STATUS_NO_MEMORY;
    sources->items = items;
    items[sources->count++] = *assignment;
    return STATUS_OK;
}

enum status option_sources_add_flag(struct option_sources *sources, const struct option *option,
                                    const char *value)
{
    return add(sources,
               &(struct assignment){.option = option, .value = value, .origin = ORIGIN_FLAG});
}

const struct assignment *option_sources_next(const struct option_sources *sources,
                                             const struct option *option,
                                             const struct assignment *item)
{
    int origin = item != NULL ? (int)item->origin : 0;
    size_t i = item != NULL ? (size_t)(item - sources->items) + 1 : 0;

    for (; origin < ORIGIN_COUNT; origin++, i = 0)
        for (; i < sources->count; i++)
            if (sources->items[i].option == option && (int)sources->items[i].origin == origin &&
                !sources->items[i].dropped)
                return &sources->items[i];
    return NULL;
}

void option_sources_add_place(const struct option_sources *sources, const struct assignment *item,
                              struct buf *out)
{
    char variable[OPTION_VARIABLE_MAX];

    switch (item->origin) {
    case ORIGIN_CONFIG:
        buf_add_printable(out, span_string(sources->config.path));
        buf_add_format(out, ":%zu: %s", item->line, item->option->name);
        break;
    case ORIGIN_ENVIRONMENT:
        option_variable(item->option, variable);
        buf_add_string(out, variable);
        break;
    case ORIGIN_FLAG:
    case ORIGIN_COUNT:
        buf_add_format(out, "--%s", item->option->name);
        break;
    }
}

const struct assignment *option_sources_last(const struct option_sources *sources,
                                             const struct option *option)
{
    const struct assignment *last = NULL, *item = NULL;

    while ((item = option_sources_next(sources, option, item)) != NULL)
        last = item;
    return last;
}

#define VARIABLE_PREFIX "NBATCH_"

/* Whether the name is a slip of one that an option, of whatever command, or a key has; not where it
 * is such a name itself. */
static bool is_slip(const char *name, char ret_meant[OPTION_VARIABLE_MAX])
{
    static const char *const keys[] = {"NBATCH_API_KEY", "NBATCH_ACCESS_KEY"};
    size_t count, key_count = ARRAY_LENGTH(keys);
    const struct option *all = options_all(&count);
    bool found = false;

    for (size_t i = 0; i < count + key_count; i++) {
        char variable[OPTION_VARIABLE_MAX];
        if (i < count)
            option_variable(&all[i], variable);
        else
            (void)snprintf(variable, sizeof(variable), "%s", keys[i - count]);
        if (strcmp(variable, name) == 0)
            return false;
        if (text_is_slip(span_string(name), span_string(variable))) {
            memcpy(ret_meant, variable, sizeof(variable));
            found = true;
        }
    }
    return found;
}

/* A variable that is misspelled would be passed over in silence. */
static enum status refuse_misspelled(struct buf *message)
{
    char name[OPTION_VARIABLE_MAX], meant[OPTION_VARIABLE_MAX];

    for (char **item = environ; item != NULL && *item != NULL; item++) {
        size_t len = strcspn(*item, "=");
        if (strncmp(*item, VARIABLE_PREFIX, strlen(VARIABLE_PREFIX)) != 0 || len >= sizeof(name))
            continue;
        (void)snprintf(name, sizeof(name), "%.*s", (int)len, *item);
        if (!is_slip(name, meant))
            continue;
        buf_add_string(message, "the environment has ");
        buf_add_printable(message, span_string(name));
        buf_add_format(message, ", which is no variable of nbatch: did you mean %s?", meant);
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

static enum status add_variables(struct option_sources *sources, enum subcommand subcommand)
{
    const struct option *option = NULL;
    enum status status = STATUS_OK;
    char variable[OPTION_VARIABLE_MAX];

    while (status == STATUS_OK && (option = option_next(subcommand, option)) != NULL) {
        option_variable(option, variable);
        const char *value = getenv(variable);
        if (value != NULL && option->places != IN_FLAG_ONLY)
            status = add(sources, &(struct assignment){.option = option,
                                                       .value = value,
                                                       .origin = ORIGIN_ENVIRONMENT});
    }
    return status;
}

static bool is_key(const char *name)
{
    static const char *const keys[] = {"api-key",    "api_key", "access-key", "access_key",
                                       "master-key", "key",     "masterkey",  "token"};

    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        if (strcasecmp(name, keys[i]) == 0)
            return true;
    return false;
}

static enum status refuse_entry(const struct config_file *file, const struct config_entry *entry,
                                const char *why, struct buf *message)
{
    buf_add_printable(message, span_string(file->path));
    buf_add_format(message, ":%zu: ", entry->line);
    buf_add_printable(message, span_string(entry->name));
    buf_add_format(message, ": %s", why);
    return STATUS_USAGE;
}

static enum status refuse_unknown(const struct config_file *file, const struct config_entry *entry,
                                  struct buf *message)
{
    const char *known[OPTIONS_MAX];
    size_t all, count = 0;
    const struct option *options = options_all(&all);

    if (is_key(entry->name))
        return refuse_entry(file, entry,
                            "a key cannot be in a configuration file; say where it is with "
                            "api-key-file or api-key-command (or access-key-file)",
                            message);
    for (size_t i = 0; i < all; i++)
        if (options[i].places == IN_FILE_AND_VARIABLE)
            known[count++] = options[i].name;
    const char *nearest = text_nearest(span_string(entry->name), known, count);
    enum status status = refuse_entry(file, entry, "no option has this name", message);
    if (nearest != NULL)
        buf_add_format(message, "; did you mean %s?", nearest);
    else
        buf_add_string(message, "; nbatch run --help lists them");
    return status;
}

/* The option of that name that a file may set: the subcommand's, else another's, since a file may
 * serve several of them. */
static const struct option *find_entry(enum subcommand subcommand, struct span name)
{
    const struct option *option = option_find(subcommand, name);

    for (int i = 0; i < SUBCOMMAND_COUNT; i++)
        if (option == NULL || option->places != IN_FILE_AND_VARIABLE)
            option = option_find((enum subcommand)i, name);
    return option != NULL && option->places == IN_FILE_AND_VARIABLE ? option : NULL;
}

static enum status add_entry(struct option_sources *sources, enum subcommand subcommand,
                             const struct config_entry *entry, struct buf *message)
{
    const struct option *option = find_entry(subcommand, span_string(entry->name));

    if (option == NULL)
        return refuse_unknown(&sources->config, entry, message);
    if (option_find(subcommand, span_string(entry->name)) != option)
        return STATUS_OK; /* another subcommand's */
    if (entry->in_list && !option_repeats(option))
        return refuse_entry(&sources->config, entry, "takes one value, not a list", message);
    return add(sources, &(struct assignment){.option = option,
                                             .value = entry->value,
                                             .origin = ORIGIN_CONFIG,
                                             .line = entry->line});
}

static enum status add_config(struct option_sources *sources, enum subcommand subcommand,
                              struct buf *message)
{
    const struct option *option = option_find(subcommand, SPAN_LITERAL("config"));
    const struct assignment *config = option != NULL ? option_sources_last(sources, option) : NULL;

    if (config == NULL)
        return STATUS_OK;
    enum status status = config_file_read(config->value, message, &sources->config);
    for (size_t i = 0; i < sources->config.count; i++) {
        struct buf further;
        buf_init_text(&further, 64 * 1024);
        enum status added = add_entry(sources, subcommand, &sources->config.entries[i],
                                      status == STATUS_OK ? message : &further);
        status = status == STATUS_OK ? added : status;
        buf_deinit(&further);
    }
    return status;
}

/* Whether both set the same: the same option, and the same NAME of a NAME=VALUE. */
static bool sets_the_same(const struct assignment *a, const struct assignment *b)
{
    if (a->option != b->option || a->option == NULL)
        return false;
    if (!option_repeats(a->option) || a->value == NULL || b->value == NULL)
        return true;
    size_t len = strcspn(a->value, "=");
    return len == strcspn(b->value, "=") && strncmp(a->value, b->value, len) == 0;
}

static void drop_overruled(struct option_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++)
        for (size_t j = 0; j < sources->count; j++)
            if (sources->items[j].origin > sources->items[i].origin &&
                sets_the_same(&sources->items[i], &sources->items[j]))
                sources->items[i].dropped = true;
}

static void drop(struct option_sources *sources, const struct option *option)
{
    for (size_t i = 0; i < sources->count; i++)
        if (sources->items[i].option == option)
            sources->items[i].dropped = true;
}

/* Options of which one would silently take the other's place. */
static enum status resolve_rivals(struct option_sources *sources, enum subcommand subcommand,
                                  struct buf *message)
{
    const struct option *option = NULL;

    while ((option = option_next(subcommand, option)) != NULL) {
        const struct option *other =
            option->rival != NULL ? option_find(subcommand, span_string(option->rival)) : NULL;
        const struct assignment *own = option_sources_last(sources, option);
        const struct assignment *rival = other != NULL ? option_sources_last(sources, other) : NULL;
        if (own == NULL || rival == NULL)
            continue;
        if (rival->origin > own->origin) {
            drop(sources, option);
        } else if (rival->origin < own->origin && option->beats_rival) {
            drop(sources, other);
        } else {
            option_sources_add_place(sources, rival, message);
            buf_add_string(message, " and ");
            option_sources_add_place(sources, own, message);
            buf_add_string(message, " exclude each other: leave one of them out");
            return STATUS_USAGE;
        }
    }
    return STATUS_OK;
}

enum status option_sources_complete(struct option_sources *sources, enum subcommand subcommand,
                                    struct buf *message)
{
    struct buf further;
    enum status status = refuse_misspelled(message);

    /* What is wrong in one place does not keep the others from being known. */
    buf_init_text(&further, 64 * 1024);
    enum status added = add_variables(sources, subcommand);
    if (added == STATUS_OK)
        added = add_config(sources, subcommand, status == STATUS_OK ? message : &further);
    status = status == STATUS_OK ? added : status;
    drop_overruled(sources);
    buf_deinit(&further);
    return status == STATUS_OK ? resolve_rivals(sources, subcommand, message) : status;
}
