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

static enum status set_number(const struct setting *setting, struct span value, int64_t *field)
{
    const struct option *option = setting->item->option;
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
        buf_copy_format(wanted, sizeof(wanted), "must be a whole number of %lld–%lld",
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

/* "csv, jsonl or xlsx" for csv|jsonl|xlsx */
static void add_words(const char *words, struct buf *out)
{
    while (*words != '\0') {
        size_t len = strcspn(words, "|");
        bool is_next_last = words[len] != '\0' && strchr(words + len + 1, '|') == NULL;
        buf_add_bytes(out, words, len);
        words += len + (words[len] == '|');
        if (*words != '\0')
            buf_add_string(out, is_next_last ? " or " : ", ");
    }
}

static enum status set_choice(const struct setting *setting, struct span value, int *field)
{
    const char *words = setting->item->option->value;
    struct buf wanted;
    int number = 1;

    for (const char *word = words; *word != '\0'; number++) {
        size_t len = strcspn(word, "|");
        if (span_equal(span_of(word, len), value)) {
            *field = number;
            return STATUS_OK;
        }
        word += len + (word[len] == '|');
    }
    buf_init_text(&wanted, 512);
    buf_add_string(&wanted, "must be ");
    add_words(words, &wanted);
    enum status status = refuse_value(setting, buf_string(&wanted));
    buf_deinit(&wanted);
    return status;
}

/* What an option has a function for. */
static enum status set_by_function(const struct setting *setting, struct span value)
{
    struct buf wanted;

    buf_init_text(&wanted, 4096);
    bool is_good = setting->item->option->set(setting->settings, value, &wanted);
    enum status status = is_good ? STATUS_OK : refuse_value(setting, buf_string(&wanted));
    buf_deinit(&wanted);
    return status;
}

static enum status set_simulator(const struct setting *setting, struct span value)
{
    const struct assignment *item = setting->item;

    if (item->origin == ORIGIN_CONFIG) {
        buf_add_printable(setting->message, span_string(setting->sources->config.path));
        buf_add_format(setting->message, ":%zu: ", item->line);
    }
    enum status status = sim_config_set(&setting->settings->sim, span_string(item->option->name),
                                        value, setting->message);
    if (status == STATUS_OK)
        buf_clear(setting->message);
    return status;
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

static enum status set_rate(const struct setting *setting, struct span value, struct rate *rate)
{
    *rate = (struct rate){0, 1000};
    return span_is(value, "none") || rate_parse(value, &rate->count, &rate->per_ms)
               ? STATUS_OK
               : refuse_value(setting, "must be a number and its unit, such as 20/s, 600/m or "
                                       "5000/h, or none");
}

/* Kinds that say themselves what they want instead of nothing. */
static bool may_be_empty(const struct option *option)
{
    return option->kind != OPTION_TEXT && option->kind != OPTION_FILE;
}

static enum status set_option(const struct setting *setting)
{
    const struct option *option = setting->item->option;
    const char *value = setting->item->value;
    void *field = (char *)setting->settings + option->offset;

    if (option->kind == OPTION_FLAG)
        return set_flag(setting, field);
    if (value == NULL && option_is_optional(option))
        value = "";
    if (value == NULL || (value[0] == '\0' && !may_be_empty(option)))
        return refuse_value(setting, "the value is empty");
    switch (option->kind) {
    case OPTION_TEXT:
    case OPTION_FILE:
    case OPTION_OPTIONAL_TEXT:
        *(const char **)field = value;
        return STATUS_OK;
    case OPTION_CHOICE:
        return set_choice(setting, span_string(value), field);
    case OPTION_RATE:
        return set_rate(setting, span_string(value), field);
    case OPTION_LIST:
        return add_to_list(setting, field);
    case OPTION_SET:
    case OPTION_SET_LIST:
    case OPTION_SET_OPTIONAL:
        return set_by_function(setting, span_string(value));
    case OPTION_SIMULATOR:
        return set_simulator(setting, span_string(value));
    default:
        return set_number(setting, span_string(value), field);
    }
}

/* Several rows may set one field: the subcommand's own row says what is usual, else the first. */
static bool is_usual(enum subcommand subcommand, const struct option *all, size_t count, size_t at)
{
    bool is_own = option_is_of(&all[at], subcommand);

    for (size_t i = 0; i < count && !is_own && all[at].set == NULL; i++)
        if (i != at && all[i].set == NULL && all[i].kind == all[at].kind &&
            all[i].offset == all[at].offset && (i < at || option_is_of(&all[i], subcommand)))
            return false;
    return true;
}

/* Of every option, since one subcommand may do what another does: bench sends as run. */
static enum status set_defaults(enum subcommand subcommand, struct settings *settings,
                                struct buf *message)
{
    const struct option_sources none = {.items = NULL};
    enum status status = STATUS_OK;
    size_t count;
    const struct option *all = options_all(&count);

    sim_config_init(&settings->sim);
    halt_init(&settings->run.halt);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        const struct assignment item = {.option = &all[i],
                                        .value = all[i].fallback,
                                        .origin = ORIGIN_FLAG};
        if (item.value != NULL && all[i].kind != OPTION_SIMULATOR &&
            is_usual(subcommand, all, count, i))
            status = set_option(&(struct setting){&none, &item, settings, message});
    }
    return status;
}

/* What other programs call it. */
static const char *other_name_of(struct span name)
{
    static const struct {
        const char *word, *option;
    } names[] = {{"threads", "concurrency"},
                 {"parallel", "concurrency"},
                 {"workers", "concurrency"},
                 {"jobs", "concurrency"},
                 {"connections", "concurrency"},
                 {"qps", "rate"},
                 {"rps", "rate"},
                 {"limit", "rate"},
                 {"throttle", "rate"},
                 {"retries", "max-attempts"},
                 {"retry", "max-attempts"},
                 {"out", "output"},
                 {"results", "output"},
                 {"sandbox", "simulate"},
                 {"test", "simulate"},
                 {"rehearse", "simulate"},
                 {"continue", "resume"},
                 {"force", "yes"},
                 {"url", "endpoint"},
                 {"host", "endpoint"},
                 {"silent", "quiet"},
                 {"separator", "delimiter"},
                 {"timeout", "request-timeout"},
                 {"verify", "on-ambiguous"}};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (span_is(name, names[i].word))
            return names[i].option;
    return NULL;
}

/* Where a key was meant: it would be seen in the list of processes. */
static bool is_of_key(struct span name)
{
    static const char *const words[] = {"key",   "api-key",   "apikey",   "api_key", "master-key",
                                        "token", "masterkey", "password", "secret",  "k"};

    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        if (span_is(name, words[i]))
            return true;
    return false;
}

static enum status refuse_unknown(enum subcommand subcommand, struct span name, struct buf *message)
{
    const char *other = other_name_of(name);
    const char *known[OPTIONS_MAX];
    const struct option *option = NULL;
    size_t count = 0;

    while ((option = option_next(subcommand, option)) != NULL)
        known[count++] = option->name;
    const char *nearest = text_nearest(name, known, count);
    buf_add_string(message, "unknown option --");
    buf_add_printable(message, name);
    if (other != NULL && option_find(subcommand, span_string(other)) != NULL)
        nearest = other;
    if (is_of_key(name) && option_find(subcommand, SPAN_LITERAL("api-key-file")) != NULL)
        buf_add_string(message, ": a key is not given as an argument, where other users see it; "
                                "put it into a file and say --api-key-file FILE, or set "
                                "NBATCH_API_KEY");
    else if (nearest != NULL)
        buf_add_format(message, "; did you mean --%s?", nearest);
    else
        buf_add_format(message, "; nbatch %s --help lists them", subcommands[subcommand].name);
    return STATUS_USAGE;
}

static enum status refuse_missing_value(const struct option *option, struct buf *message)
{
    buf_add_format(message, "--%s needs a value: --%s %s", option->name, option->name,
                   option->value);
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

/* --name, --name=VALUE or --name VALUE; `text` is what follows the dashes. */
static enum status take_long(struct command_line *words, const char *text)
{
    size_t len = strcspn(text, "=");
    const char *value = text[len] == '=' ? text + len + 1 : NULL;
    struct span name = span_of(text, len);
    const struct option *option = option_find(words->request->subcommand, name);

    if (option == NULL)
        return refuse_unknown(words->request->subcommand, name, words->message);
    if (option->kind == OPTION_FLAG && value != NULL) {
        buf_add_format(words->message, "--%s takes no value", option->name);
        return STATUS_USAGE;
    }
    bool needs_value = option->kind != OPTION_FLAG && !option_is_optional(option);
    if (needs_value && value == NULL && (value = next_word(words)) == NULL)
        return refuse_missing_value(option, words->message);
    return option_sources_add_flag(words->sources, option, value);
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
                return refuse_missing_value(option, words->message);
        }
        enum status status = option_sources_add_flag(words->sources, option, value);
        if (status != STATUS_OK || value != NULL)
            return status;
    }
    return STATUS_OK;
}

static enum status take_input(struct command_line *words, const char *word)
{
    enum subcommand subcommand = words->request->subcommand;

    if (subcommand == COMMAND_SIMULATE || subcommand == COMMAND_WORK ||
        subcommand == COMMAND_JOBS) {
        buf_add_format(words->message, "%s reads no input: ", subcommands[subcommand].name);
        buf_add_printable(words->message, span_string(word));
        return STATUS_USAGE;
    }
    if (words->settings->run.input != NULL) {
        buf_add_string(words->message, "one input at a time, please: ");
        buf_add_printable(words->message, span_string(words->settings->run.input));
        buf_add_string(words->message, " and ");
        buf_add_printable(words->message, span_string(word));
        return STATUS_USAGE;
    }
    words->settings->run.input = word;
    return option_sources_add_flag(words->sources, NULL, word);
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

/* Carries out what holds: options in the order of the table, and for each its values from the
 * lowest place to the highest. */
static enum status apply(enum subcommand subcommand, const struct option_sources *sources,
                         struct settings *settings, struct buf *message)
{
    const struct option *option = NULL;
    enum status status = STATUS_OK;

    while ((option = option_next(subcommand, option)) != NULL) {
        const struct assignment *item = NULL;
        while (status == STATUS_OK && (item = option_sources_next(sources, option, item)) != NULL)
            status = set_option(&(struct setting){sources, item, settings, message});
    }
    return status;
}

/* Whether a text is asked for, which nothing that is wrong elsewhere should withhold. */
static bool asks_for_text(const struct option_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++)
        if (sources->items[i].option != NULL && sources->items[i].option->is_text)
            return true;
    return false;
}

/* What is the default for the platform's dialect. Its own hosts speak one alone. */
static enum status resolve_dialect(struct run_settings *settings, struct buf *message)
{
    const char *usual = option_find(COMMAND_RUN, SPAN_LITERAL("endpoint"))->fallback;
    enum dialect host;

    settings->dialect =
        (enum dialect)(settings->api - 1); /* of a choice; the table has a default */
    if (settings->endpoint == usual)       /* the table's own text: it was not given */
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

/* Behind words that cannot be understood: what they say of who is told of that. */
static void read_observers(const struct command_line *refused, bool is_complete)
{
    static const char *const names[] = {"log", "metrics-file", "job", "dry-run", "explain-retries"};
    enum subcommand subcommand = refused->request->subcommand;
    const char *input = refused->settings->run.input;
    struct command_line words = *refused;
    struct buf message; /* the first one was told */

    buf_init_text(&message, 64 * 1024);
    words.message = &message;
    while (words.next < words.request->argc)
        (void)!read_words(&words);
    words.settings->run.input = input; /* a word behind one that is not known may be its value */
    if (!is_complete)
        (void)!option_sources_complete(words.sources, subcommand, &message);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        const struct option *option = option_find(subcommand, span_string(names[i]));
        const struct assignment *item =
            option != NULL ? option_sources_last(words.sources, option) : NULL;
        if (item != NULL)
            (void)!set_option(&(struct setting){words.sources, item, words.settings, &message});
    }
    buf_deinit(&message);
}

enum status options_parse(const struct parse_request *request, struct option_sources *sources,
                          struct buf *message, struct settings *settings)
{
    struct command_line words = {.request = request,
                                 .sources = sources,
                                 .settings = settings,
                                 .message = message};
    bool is_complete = false;

    *settings = (struct settings){.config = NULL};
    enum status status = set_defaults(request->subcommand, settings, message);
    if (status == STATUS_OK)
        status = read_words(&words);
    if (status == STATUS_OK && !asks_for_text(sources)) {
        is_complete = true;
        status = option_sources_complete(sources, request->subcommand, message);
    }
    if (status == STATUS_OK)
        status = apply(request->subcommand, sources, settings, message);
    if (status == STATUS_OK && !asks_for_text(sources))
        status = resolve_dialect(&settings->run, message);
    if (status == STATUS_USAGE && !asks_for_text(sources))
        read_observers(&words, is_complete);
    return status;
}

void settings_deinit(struct settings *settings)
{
    sim_config_deinit(&settings->sim);
}
