#include "cli/options.h"

#include "cli/option_table.h"
#include "core/text.h"
#include "core/when.h"
#include "send/ramp.h"

/* "--concurrency 0: …", or "NBATCH_CONCURRENCY=0: …". */
static enum status refuse_value(const struct option *option, const char *origin, const char *value,
                                const char *wanted, struct buf *message)
{
    if (origin != NULL)
        buf_add_format(message, "%s=", origin);
    else
        buf_add_format(message, "--%s ", option->name);
    buf_add_printable(message, span_string(value));
    buf_add_format(message, ": %s", wanted);
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

static enum status set_number(const struct option *option, const char *origin, const char *value,
                              struct settings *settings, struct buf *message)
{
    int64_t number = 0;
    char wanted[128];
    enum status status;

    if (option->kind == OPTION_DURATION) {
        status = when_parse_duration(span_string(value), &number);
        if (status != STATUS_OK || number < option->min)
            return refuse_value(option, origin, value,
                                "must be a duration such as 500ms, 30s, 5m or 24h", message);
    } else {
        status = option->kind == OPTION_BYTES ? parse_bytes(span_string(value), &number)
                                              : span_to_int64(span_string(value), &number);
        (void)snprintf(wanted, sizeof(wanted), "must be a whole number of %lld–%lld",
                       (long long)option->min, (long long)option->max);
        if (status != STATUS_OK || number < option->min || number > option->max)
            return refuse_value(option, origin, value, wanted, message);
    }
    *(int64_t *)(void *)((char *)settings + option->offset) = number;
    return STATUS_OK;
}

static enum status add_to_list(const struct option *option, const char *origin, const char *value,
                               struct word_list *list, struct buf *message)
{
    if (list->count == WORD_LIST_MAX)
        return refuse_value(option, origin, value, "it is given too often", message);
    list->items[list->count++] = value;
    return STATUS_OK;
}

/* Sets an option from its text; `origin` names the environment variable that it comes from, NULL
 * for a flag. */
static enum status set_option(const struct option *option, const char *origin, const char *value,
                              struct settings *settings, struct buf *message)
{
    void *field = (char *)settings + option->offset;
    struct rate *rate;

    switch (option->kind) {
    case OPTION_FLAG:
        if (value != NULL && strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
            return refuse_value(option, origin, value, "must be 0 or 1", message);
        *(bool *)field = value == NULL || strcmp(value, "1") == 0;
        return STATUS_OK;
    case OPTION_TEXT:
        if (value[0] == '\0')
            return refuse_value(option, origin, value, "the value is empty", message);
        *(const char **)field = value;
        return STATUS_OK;
    case OPTION_OPTIONAL_TEXT:
        *(const char **)field = value != NULL ? value : "";
        return STATUS_OK;
    case OPTION_RATE:
        rate = field;
        if (!rate_parse(span_string(value), &rate->count, &rate->per_ms))
            return refuse_value(option, origin, value,
                                "must be a number and its unit, such as 20/s, 600/m or 5000/h",
                                message);
        return STATUS_OK;
    case OPTION_LIST:
        return add_to_list(option, origin, value, field, message);
    case OPTION_COUNT:
    case OPTION_BYTES:
    case OPTION_DURATION:
        break;
    }
    return set_number(option, origin, value, settings, message);
}

static enum status set_defaults(enum subcommand subcommand, struct settings *settings,
                                struct buf *message)
{
    char variable[64];

    for (size_t i = 0; i < options_count; i++) {
        const struct option *option = &options[i];
        enum status status = STATUS_OK;
        if (option->fallback != NULL)
            status = set_option(option, NULL, option->fallback, settings, message);
        if (status != STATUS_OK)
            return status;
        if (!option_is_of(option, subcommand) || !option_has_variable(option))
            continue;
        option_variable(option, variable);
        const char *value = getenv(variable);
        if (value != NULL)
            status = set_option(option, variable, value, settings, message);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status refuse_unknown(enum subcommand subcommand, struct span name, struct buf *message)
{
    const char *known[OPTIONS_MAX + 32];
    size_t count = 0;

    for (size_t i = 0; i < options_count; i++)
        if (option_is_of(&options[i], subcommand))
            known[count++] = options[i].name;
    for (size_t i = 0; subcommand == COMMAND_SIMULATE && i < sim_settings_count && i < 32; i++)
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
    bool given[OPTIONS_MAX]; /* which options stand among the words */
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
    return words->request->sim_setting(words->request->sim_context, span_string(setting->name),
                                       span_string(value), words->message);
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
    words->given[option - options] = true;
    if (option->kind == OPTION_FLAG && value != NULL) {
        buf_add_format(words->message, "--%s takes no value", option->name);
        return STATUS_USAGE;
    }
    if (option->kind != OPTION_FLAG && option->kind != OPTION_OPTIONAL_TEXT && value == NULL)
        value = next_word(words);
    if (option->kind != OPTION_FLAG && option->kind != OPTION_OPTIONAL_TEXT && value == NULL)
        return refuse_missing_value(option->name, option->value, words->message);
    return set_option(option, NULL, value, words->settings, words->message);
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
        enum status status = set_option(option, NULL, value, words->settings, words->message);
        if (status != STATUS_OK || value != NULL)
            return status;
    }
    return STATUS_OK;
}

static enum status take_input(struct command_line *words, const char *word)
{
    if (words->request->subcommand == COMMAND_SIMULATE) {
        buf_add_string(words->message, "simulate reads no input: ");
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

/* Options of which one would silently take the other's place. The environment may set one of them.
 */
static enum status check_conflicts(const struct command_line *words)
{
    static const char *const pairs[][2] = {{"simulate", "endpoint"},
                                           {"simulate", "api-key-file"},
                                           {"simulate", "api-key-command"},
                                           {"simulate", "product-id"},
                                           {"simulate", "access-key-file"},
                                           {"simulate", "cacert"},
                                           {"simulate", "proxy"},
                                           {"simulate", "http2"},
                                           {"rate", "ramp"}};

    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
        bool both = true;
        for (size_t j = 0; j < 2 && both; j++) {
            const struct option *option = option_find(COMMAND_RUN, span_string(pairs[i][j]));
            both = option != NULL && words->given[option - options];
        }
        if (both) {
            buf_add_format(words->message,
                           "--%s and --%s exclude each other: leave one of them out", pairs[i][0],
                           pairs[i][1]);
            return STATUS_USAGE;
        }
    }
    return STATUS_OK;
}

enum status options_parse(const struct parse_request *request, struct buf *message,
                          struct settings *ret_settings)
{
    struct settings settings = {.input = NULL};
    struct command_line words = {.request = request, .settings = &settings, .message = message};
    bool only_inputs = false;
    const char *word;

    enum status status = set_defaults(request->subcommand, &settings, message);
    while (status == STATUS_OK && (word = next_word(&words)) != NULL) {
        if (only_inputs || word[0] != '-' || word[1] == '\0')
            status = take_input(&words, word);
        else if (strcmp(word, "--") == 0)
            only_inputs = true;
        else if (word[1] == '-')
            status = take_long(&words, word + 2);
        else
            status = take_letters(&words, word + 1);
    }
    if (status == STATUS_OK)
        status = check_conflicts(&words);
    if (status == STATUS_OK)
        *ret_settings = settings;
    return status;
}
