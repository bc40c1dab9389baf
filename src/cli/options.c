#include "cli/options.h"

#include "cli/option_sources.h"
#include "core/text.h"
#include "core/when.h"
#include "send/ramp.h"

/* An assignment that is carried out. */
struct setting {
    const struct option_sources *sources;
    const struct assignment *item;
    struct settings *settings;
    struct buf *message;
};

/* "--concurrency 0: …", "NBATCH_CONCURRENCY=0: …" or "ops.yaml:3: concurrency: 0: …". */
static enum status refuse_value(const struct setting *setting, const char *wanted)
{
    static const char *const separators[ORIGIN_COUNT] = {": ", "=", " "};
    const struct assignment *item = setting->item;

    option_sources_add_place(setting->sources, item, setting->message);
    if (item->value != NULL) {
        buf_add_string(setting->message, separators[item->origin]);
        buf_add_printable(setting->message, span_string(item->value));
    }
    buf_add_format(setting->message, ": %s", wanted);
    return STATUS_USAGE;
}

static enum status parse_bytes(struct span text, int64_t *ret_bytes)
{
    int64_t factor = 1, value = 0;

    if (text.len > 0 && (text.ptr[text.len - 1] == 'K' || text.ptr[text.len - 1] == 'k'))
        factor = 1024;
    else if (text.len > 0 && (text.ptr[text.len - 1] == 'M' || text.ptr[text.len - 1] == 'm'))
        factor = 1024 * 1024;
    if (factor > 1)
        text.len--;
    enum status status = span_to_int64(text, &value);
    if (status != STATUS_OK)
        return status;
    if (value > INT64_MAX / factor)
        return STATUS_RANGE;
    *ret_bytes = value * factor;
    return STATUS_OK;
}

static enum status set_number(const struct setting *setting, int64_t *field)
{
    const struct option *option = setting->item->option;
    struct span value = span_string(setting->item->value);
    int64_t number = 0;
    char wanted[128];
    enum status status;

    if (option->kind == OPTION_DURATION) {
        status = when_parse_duration(value, &number);
        if (status != STATUS_OK || number < option->min)
            return refuse_value(setting, "must be a duration such as 500ms, 30s, 5m or 24h");
    } else {
        status = option->kind == OPTION_BYTES ? parse_bytes(value, &number)
                                              : span_to_int64(value, &number);
        (void)snprintf(wanted, sizeof(wanted), "must be a whole number of %lld–%lld",
                       (long long)option->min, (long long)option->max);
        if (status != STATUS_OK || number < option->min || number > option->max)
            return refuse_value(setting, wanted);
    }
    *field = number;
    return STATUS_OK;
}

static enum status add_to_list(const struct setting *setting, struct word_list *list)
{
    if (list->count == WORD_LIST_MAX)
        return refuse_value(setting, "it is given too often");
    list->items[list->count++] = setting->item->value;
    return STATUS_OK;
}

/* A flag among the words has no value; elsewhere it must have one. */
static enum status set_flag(const struct setting *setting, bool *field)
{
    const char *value = setting->item->value;
    bool on = value == NULL || strcmp(value, "1") == 0 || strcmp(value, "true") == 0;

    if ((value == NULL && setting->item->origin != ORIGIN_FLAG) ||
        (!on && strcmp(value, "0") != 0 && strcmp(value, "false") != 0))
        return refuse_value(setting, "must be true or false (or 1 or 0)");
    *field = on;
    return STATUS_OK;
}

static enum status set_option(const struct setting *setting)
{
    const struct option *option = setting->item->option;
    const char *value = setting->item->value;
    void *field = (char *)setting->settings + option->offset;
    struct rate *rate;

    if (option->kind == OPTION_FLAG)
        return set_flag(setting, field);
    if (option->kind == OPTION_OPTIONAL_TEXT) {
        *(const char **)field = value != NULL ? value : "";
        return STATUS_OK;
    }
    if (value == NULL || (option->kind == OPTION_TEXT && value[0] == '\0'))
        return refuse_value(setting, "the value is empty");
    switch (option->kind) {
    case OPTION_TEXT:
        *(const char **)field = value;
        return STATUS_OK;
    case OPTION_RATE:
        rate = field;
        *rate = (struct rate){0, 1000};
        if (strcmp(value, "none") != 0 &&
            !rate_parse(span_string(value), &rate->count, &rate->per_ms))
            return refuse_value(setting,
                                "must be a number and its unit, such as 20/s, 600/m or 5000/h, or "
                                "none");
        return STATUS_OK;
    case OPTION_LIST:
        return add_to_list(setting, field);
    default:
        return set_number(setting, field);
    }
}

static enum status set_defaults(struct settings *settings, struct buf *message)
{
    const struct option_sources none = {.items = NULL};
    enum status status = STATUS_OK;

    for (size_t i = 0; i < options_count && status == STATUS_OK; i++) {
        const struct assignment item = {.option = &options[i],
                                        .value = options[i].fallback,
                                        .origin = ORIGIN_FLAG};
        if (item.value != NULL)
            status = set_option(&(struct setting){&none, &item, settings, message});
    }
    return status;
}

static enum status refuse_unknown(enum subcommand subcommand, struct span name, struct buf *message)
{
    const char *known[OPTIONS_MAX + OPTION_SIM_SETTINGS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < options_count; i++)
        if (option_is_of(&options[i], subcommand))
            known[count++] = options[i].name;
    for (size_t i = 0; subcommand == COMMAND_SIMULATE && i < sim_settings_count; i++)
        known[count++] = sim_settings[i].name;
    const char *nearest = text_nearest(name, known, count);
    buf_add_string(message, "unknown option --");
    buf_add_printable(message, name);
    if (nearest != NULL)
        buf_add_format(message, "; did you mean --%s?", nearest);
    else
        buf_add_format(message, "; nbatch %s --help lists them", subcommands[subcommand].name);
    return STATUS_USAGE;
}

static enum status refuse_missing_value(const char *name, const char *placeholder,
                                        struct buf *message)
{
    buf_add_format(message, "--%s needs a value: --%s %s", name, name, placeholder);
    return STATUS_USAGE;
}

struct command_line {
    const struct parse_request *request;
    int next;
    struct option_sources *sources;
    struct settings *settings;
    struct buf *message;
};

static char *next_word(struct command_line *words)
{
    return words->next < words->request->argc ? words->request->argv[words->next++] : NULL;
}

static enum status take_sim_setting(struct command_line *words, const struct sim_setting *setting,
                                    const char *value)
{
    if (value == NULL)
        value = next_word(words);
    if (value == NULL)
        return refuse_missing_value(setting->name, setting->value, words->message);
    return option_sources_add_flag(words->sources, NULL, setting, value);
}

/* --name, --name=VALUE or --name VALUE; `text` is what stands behind the dashes. */
static enum status take_long(struct command_line *words, const char *text)
{
    size_t len = strcspn(text, "=");
    const char *value = text[len] == '=' ? text + len + 1 : NULL;
    struct span name = span_of(text, len);
    const struct option *option = option_find(words->request->subcommand, name);

    if (option == NULL && words->request->subcommand == COMMAND_SIMULATE) {
        const struct sim_setting *setting = option_find_sim_setting(name);
        if (setting != NULL)
            return take_sim_setting(words, setting, value);
    }
    if (option == NULL)
        return refuse_unknown(words->request->subcommand, name, words->message);
    if (option->kind == OPTION_FLAG && value != NULL) {
        buf_add_format(words->message, "--%s takes no value", option->name);
        return STATUS_USAGE;
    }
    if (option->kind != OPTION_FLAG && option->kind != OPTION_OPTIONAL_TEXT && value == NULL)
        value = next_word(words);
    if (option->kind != OPTION_FLAG && option->kind != OPTION_OPTIONAL_TEXT && value == NULL)
        return refuse_missing_value(option->name, option->value, words->message);
    return option_sources_add_flag(words->sources, option, NULL, value);
}

/* -q, -c 8, -c8, -qc8: letters; the first one with a value takes the rest. */
static enum status take_letters(struct command_line *words, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        const struct option *option = option_find_letter(words->request->subcommand, *letters);
        if (option == NULL) {
            buf_add_format(words->message, "unknown option -");
            buf_add_printable(words->message, span_of(letters, 1));
            buf_add_format(words->message, "; nbatch %s --help lists them",
                           subcommands[words->request->subcommand].name);
            return STATUS_USAGE;
        }
        const char *value = NULL;
        if (option->kind != OPTION_FLAG) {
            value = letters[1] != '\0' ? letters + 1 : next_word(words);
            if (value == NULL)
                return refuse_missing_value(option->name, option->value, words->message);
        }
        enum status status = option_sources_add_flag(words->sources, option, NULL, value);
        if (status != STATUS_OK || value != NULL)
            return status;
    }
    return STATUS_OK;
}

static enum status take_input(struct command_line *words, const char *word)
{
    enum subcommand subcommand = words->request->subcommand;

    if (subcommand == COMMAND_SIMULATE || subcommand == COMMAND_BENCH) {
        buf_add_format(words->message, "%s reads no input: ", subcommands[subcommand].name);
        buf_add_printable(words->message, span_string(word));
        return STATUS_USAGE;
    }
    if (words->settings->input != NULL) {
        buf_add_string(words->message, "one input at a time, please: ");
        buf_add_printable(words->message, span_string(words->settings->input));
        buf_add_string(words->message, " and ");
        buf_add_printable(words->message, span_string(word));
        return STATUS_USAGE;
    }
    words->settings->input = word;
    return STATUS_OK;
}

static enum status read_words(struct command_line *words)
{
    enum status status = STATUS_OK;
    bool only_inputs = false;
    const char *word;

    while (status == STATUS_OK && (word = next_word(words)) != NULL) {
        if (only_inputs || word[0] != '-' || word[1] == '\0')
            status = take_input(words, word);
        else if (strcmp(word, "--") == 0)
            only_inputs = true;
        else if (word[1] == '-')
            status = take_long(words, word + 2);
        else
            status = take_letters(words, word + 1);
    }
    return status;
}

static enum status set_sim(const struct parse_request *request, const struct setting *setting)
{
    const struct assignment *item = setting->item;

    if (item->value == NULL)
        return refuse_value(setting, "the value is empty");
    if (item->origin == ORIGIN_CONFIG) {
        buf_add_printable(setting->message, span_string(setting->sources->config.path));
        buf_add_format(setting->message, ":%zu: ", item->line);
    }
    enum status status = request->sim_setting(request->sim_context, span_string(item->sim->name),
                                              span_string(item->value), setting->message);
    if (status == STATUS_OK)
        buf_clear(setting->message);
    return status;
}

/* Carries out what holds, from the lowest place to the highest. */
static enum status apply(const struct parse_request *request, const struct option_sources *sources,
                         struct settings *settings, struct buf *message)
{
    enum status status = STATUS_OK;

    for (int origin = 0; origin < ORIGIN_COUNT; origin++) {
        for (size_t i = 0; i < sources->count && status == STATUS_OK; i++) {
            const struct assignment *item = &sources->items[i];
            const struct setting setting = {sources, item, settings, message};
            if (item->dropped || (int)item->origin != origin)
                continue;
            status = item->sim != NULL ? set_sim(request, &setting) : set_option(&setting);
        }
    }
    return status;
}

/* Whether a text is asked for, which nothing that is wrong elsewhere should withhold. */
static bool asks_for_text(const struct option_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++)
        if (sources->items[i].option != NULL && option_asks_for_text(sources->items[i].option))
            return true;
    return false;
}

/* The platform's dialect, and what is the default for it. Its own hosts speak one alone. */
static enum status resolve_dialect(struct settings *settings, struct buf *message)
{
    const char *usual = option_find(COMMAND_RUN, SPAN_LITERAL("endpoint"))->fallback;
    enum dialect host;

    if (!dialect_find(span_string(settings->api), &settings->dialect)) {
        buf_add_string(message, "--api ");
        buf_add_printable(message, span_string(settings->api));
        buf_add_string(message, ": must be v1 or v2");
        return STATUS_USAGE;
    }
    if (settings->endpoint == usual) /* the table's own text: it was not given */
        settings->endpoint = dialects[settings->dialect].endpoint;
    const char *given =
        settings->bench_endpoint != NULL ? settings->bench_endpoint : settings->endpoint;
    if (dialect_of_url(span_string(given), &host) && host != settings->dialect) {
        buf_add_string(message, "endpoint ");
        buf_add_printable(message, span_string(given));
        buf_add_format(message, " speaks --api %s, not %s: say --api %s, or give another endpoint",
                       dialects[host].name, dialects[settings->dialect].name, dialects[host].name);
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

enum status options_parse(const struct parse_request *request, struct option_sources *sources,
                          struct buf *message, struct settings *ret_settings)
{
    struct settings settings = {.input = NULL};
    struct command_line words = {.request = request,
                                 .sources = sources,
                                 .settings = &settings,
                                 .message = message};

    enum status status = set_defaults(&settings, message);
    if (status == STATUS_OK)
        status = read_words(&words);
    if (status == STATUS_OK && !asks_for_text(sources))
        status = option_sources_complete(sources, request->subcommand, message);
    if (status == STATUS_OK)
        status = apply(request, sources, &settings, message);
    if (status == STATUS_OK && !asks_for_text(sources))
        status = resolve_dialect(&settings, message);
    if (status == STATUS_OK)
        *ret_settings = settings;
    return status;
}
