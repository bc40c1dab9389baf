#include "cli/option_sources.h"

#include <strings.h>

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
                                    const struct sim_setting *sim, const char *value)
{
    return add(sources, &(struct assignment){
                            .option = option, .sim = sim, .value = value, .origin = ORIGIN_FLAG});
}

static const char *name_of(const struct assignment *item)
{
    return item->option != NULL ? item->option->name : item->sim->name;
}

void option_sources_add_place(const struct option_sources *sources, const struct assignment *item,
                              struct buf *out)
{
    char variable[OPTION_VARIABLE_MAX];

    switch (item->origin) {
    case ORIGIN_CONFIG:
        buf_add_printable(out, span_string(sources->config.path));
        buf_add_format(out, ":%zu: %s", item->line, name_of(item));
        break;
    case ORIGIN_ENVIRONMENT:
        option_variable(name_of(item), variable);
        buf_add_string(out, variable);
        break;
    case ORIGIN_FLAG:
    case ORIGIN_COUNT:
        buf_add_format(out, "--%s", name_of(item));
        break;
    }
}

/* Whether several values of it add up. */
static bool repeats(const struct assignment *item)
{
    return item->option != NULL ? item->option->kind == OPTION_LIST
                                : strcmp(item->sim->name, "fault") == 0;
}

static enum status add_variables(struct option_sources *sources, enum subcommand subcommand)
{
    enum status status = STATUS_OK;
    char variable[OPTION_VARIABLE_MAX];

    for (size_t i = 0; i < options_count && status == STATUS_OK; i++) {
        option_variable(options[i].name, variable);
        const char *value = getenv(variable);
        if (value != NULL && option_is_of(&options[i], subcommand) &&
            option_has_variable(&options[i]))
            status = add(sources, &(struct assignment){.option = &options[i],
                                                       .value = value,
                                                       .origin = ORIGIN_ENVIRONMENT});
    }
    for (size_t i = 0;
         i < sim_settings_count && status == STATUS_OK && subcommand == COMMAND_SIMULATE; i++) {
        option_variable(sim_settings[i].name, variable);
        const char *value = getenv(variable);
        if (value != NULL)
            status = add(sources, &(struct assignment){.sim = &sim_settings[i],
                                                       .value = value,
                                                       .origin = ORIGIN_ENVIRONMENT});
    }
    return status;
}

/* An option of any subcommand may stand in the file, which may serve several of them. */
static const struct option *find_any(const char *name)
{
    for (size_t i = 0; i < options_count; i++)
        if (option_in_config(&options[i]) && strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
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
    const char *known[OPTIONS_MAX + OPTION_SIM_SETTINGS_MAX];
    size_t count = 0;

    if (is_key(entry->name))
        return refuse_entry(file, entry,
                            "a key must not stand in a configuration; say where it is to be had "
                            "with api-key-file or api-key-command (or access-key-file)",
                            message);
    for (size_t i = 0; i < options_count; i++)
        if (option_in_config(&options[i]))
            known[count++] = options[i].name;
    for (size_t i = 0; i < sim_settings_count; i++)
        known[count++] = sim_settings[i].name;
    const char *nearest = text_nearest(span_string(entry->name), known, count);
    enum status status = refuse_entry(file, entry, "no option has this name", message);
    if (nearest != NULL)
        buf_add_format(message, "; did you mean %s?", nearest);
    else
        buf_add_string(message, "; nbatch run --help lists them");
    return status;
}

static enum status add_entry(struct option_sources *sources, enum subcommand subcommand,
                             const struct config_entry *entry, struct buf *message)
{
    const struct option *option = find_any(entry->name);
    const struct sim_setting *sim = option_find_sim_setting(span_string(entry->name));
    struct assignment item = {.value = entry->value, .origin = ORIGIN_CONFIG, .line = entry->line};

    if (option == NULL && sim == NULL)
        return refuse_unknown(&sources->config, entry, message);
    if (subcommand == COMMAND_SIMULATE && sim != NULL)
        item.sim = sim;
    else if (option != NULL && option_is_of(option, subcommand))
        item.option = option;
    else
        return STATUS_OK; /* another subcommand's */
    if (entry->in_list && !repeats(&item))
        return refuse_entry(&sources->config, entry, "takes one value, not a list", message);
    return add(sources, &item);
}

/* The value of an option that has one text, by what goes before; NULL where it was not set. */
static const struct assignment *find_last(const struct option_sources *sources, const char *name)
{
    const struct assignment *found = NULL;

    for (size_t i = 0; i < sources->count; i++) {
        const struct assignment *item = &sources->items[i];
        if (item->option != NULL && !item->dropped && strcmp(item->option->name, name) == 0 &&
            (found == NULL || item->origin >= found->origin))
            found = item;
    }
    return found;
}

static enum status add_config(struct option_sources *sources, enum subcommand subcommand,
                              struct buf *message)
{
    const struct assignment *config = find_last(sources, "config");

    if (config == NULL)
        return STATUS_OK;
    enum status status = config_file_read(config->value, message, &sources->config);
    for (size_t i = 0; i < sources->config.count && status == STATUS_OK; i++)
        status = add_entry(sources, subcommand, &sources->config.entries[i], message);
    return status;
}

/* Whether both set the same: the same option, and the same NAME of a NAME=VALUE. */
static bool sets_the_same(const struct assignment *a, const struct assignment *b)
{
    if (a->option != b->option || a->sim != b->sim)
        return false;
    if (!repeats(a) || a->value == NULL || b->value == NULL)
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
static enum status settle_conflicts(struct option_sources *sources, struct buf *message)
{
    static const struct {
        const char *first, *second;
        bool first_may_lose; /* to a second one in a higher place */
    } pairs[] = {{"simulate", "endpoint", false},
                 {"simulate", "api-key-file", false},
                 {"simulate", "api-key-command", false},
                 {"simulate", "product-id", false},
                 {"simulate", "user-id", false},
                 {"simulate", "access-key-file", false},
                 {"simulate", "cacert", false},
                 {"simulate", "proxy", false},
                 {"simulate", "http2", false},
                 {"rate", "ramp", true},
                 {"dry-run", "resume", false}};

    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
        const struct assignment *first = find_last(sources, pairs[i].first);
        const struct assignment *second = find_last(sources, pairs[i].second);
        if (first == NULL || second == NULL)
            continue;
        if (first->origin > second->origin) {
            drop(sources, second->option);
        } else if (first->origin < second->origin && pairs[i].first_may_lose) {
            drop(sources, first->option);
        } else {
            option_sources_add_place(sources, first, message);
            buf_add_string(message, " and ");
            option_sources_add_place(sources, second, message);
            buf_add_string(message, " exclude each other: leave one of them out");
            return STATUS_USAGE;
        }
    }
    return STATUS_OK;
}

enum status option_sources_complete(struct option_sources *sources, enum subcommand subcommand,
                                    struct buf *message)
{
    enum status status = add_variables(sources, subcommand);

    if (status == STATUS_OK)
        status = add_config(sources, subcommand, message);
    drop_overruled(sources);
    return status == STATUS_OK ? settle_conflicts(sources, message) : status;
}
