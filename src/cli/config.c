#include "cli/config.h"

#include "cli/option_sources.h"
#include "core/text.h"

enum { ORIGIN_COLUMN = 44 };

/* user:password@ in the address of a proxy. The address may be one that nbatch would refuse. */
static struct span password_of(struct span url)
{
    const char *scheme = memmem(url.ptr, url.len, "://", 3);
    size_t start = scheme != NULL ? (size_t)(scheme - url.ptr) + 3 : 0;
    size_t end = url.len;

    while (end > start && url.ptr[end - 1] != '@' &&
           !span_starts_with(span_skip(url, end - 1), "%40"))
        end--;
    if (end == start)
        return span_of(NULL, 0);
    end--;
    while (start < end && url.ptr[start] != ':')
        start++;
    return start < end ? span_of(url.ptr + start + 1, end - start - 1) : span_of(NULL, 0);
}

/* Whether YAML takes the text as it is, and a person sees at once that it does. */
static bool is_plain(struct span text)
{
    static const char inside[] = "_./+=%-:$~";

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_word = is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (unsigned char)c >= 0x80;
        if (!is_word && (i == 0 ? c != '/' && c != '+' : strchr(inside, c) == NULL))
            return false;
    }
    return text.len > 0 && text.ptr[text.len - 1] != ':';
}

/* Appends a value so that --config reads it back. */
static void add_value(struct span text, struct buf *out)
{
    if (is_plain(text)) {
        buf_add(out, text);
    } else if (text_has_control(text)) {
        buf_add_json_string(out, text);
    } else {
        buf_add_char(out, '\'');
        for (size_t i = 0; i < text.len; i++) {
            if (text.ptr[i] == '\'')
                buf_add_char(out, '\'');
            buf_add_char(out, text.ptr[i]);
        }
        buf_add_char(out, '\'');
    }
}

static void add_option_value(const struct option *option, const char *value, struct buf *out)
{
    struct span text = span_string(value), password = span_of(NULL, 0);
    struct buf masked;

    if (option->secret == SECRET_USER)
        password = password_of(text);
    if (password.ptr == NULL) {
        add_value(text, out);
        return;
    }
    buf_init(&masked, 64 * 1024);
    buf_add_bytes(&masked, text.ptr, (size_t)(password.ptr - text.ptr));
    buf_add_string(&masked, "***");
    buf_add_string(&masked, password.ptr + password.len);
    add_value(buf_span(&masked), out);
    buf_deinit(&masked);
}

static void add_origin(const char *origin, size_t line_start, struct buf *out)
{
    size_t width = out->len - line_start;

    buf_add_format(out, "%*s  # %s\n", width < ORIGIN_COLUMN ? (int)(ORIGIN_COLUMN - width) : 0, "",
                   origin);
}

/* ops.yaml:3, environment NBATCH_RATE, flag */
static void add_place(const struct option_sources *sources, const struct assignment *item,
                      size_t line_start, struct buf *out)
{
    char variable[OPTION_VARIABLE_MAX];
    struct buf place;

    buf_init(&place, 64 * 1024);
    if (item->origin == ORIGIN_CONFIG) {
        buf_add_printable(&place, span_string(sources->config.path));
        buf_add_format(&place, ":%zu", item->line);
    } else if (item->origin == ORIGIN_ENVIRONMENT) {
        option_variable(item->option, variable);
        buf_add_format(&place, "environment %s", variable);
    } else {
        buf_add_string(&place, "flag");
    }
    add_origin(buf_string(&place), line_start, out);
    buf_deinit(&place);
}

/* All places' values of a list, in the order in which they are taken. */
static void add_list(const struct option_sources *sources, const struct option *option,
                     struct buf *out)
{
    const struct assignment *item = option_sources_next(sources, option, NULL);
    size_t start = out->len;

    buf_add_format(out, item != NULL ? "%s:\n" : "# %s:", option->name);
    if (item == NULL)
        add_origin("not set", start, out);
    for (; item != NULL; item = option_sources_next(sources, option, item)) {
        start = out->len;
        buf_add_string(out, "  - ");
        add_option_value(option, item->value, out);
        add_place(sources, item, start, out);
    }
}

static void add_flag(const struct option *option, const struct assignment *item, struct buf *out)
{
    bool off = item == NULL || (item->value != NULL && (strcmp(item->value, "0") == 0 ||
                                                        strcmp(item->value, "false") == 0));
    buf_add_format(out, "%s: %s", option->name, off ? "false" : "true");
}

/* What holds where nothing was set: what is in the table, or follows from another option. */
static const char *fallback_of(const struct settings *settings, const struct option *option)
{
    if (option->fallback == NULL || option->kind != OPTION_TEXT)
        return option->fallback;
    return *(const char *const *)((const char *)settings + option->offset);
}

static void add_option(const struct settings *settings, const struct option_sources *sources,
                       const struct option *option, struct buf *out)
{
    const struct assignment *item = option_sources_last(sources, option);
    size_t start = out->len;

    const char *value = item != NULL ? item->value : fallback_of(settings, option);
    if (option->kind == OPTION_FLAG)
        add_flag(option, item, out);
    else
        buf_add_format(out, "%s%s:",
                       (item == NULL && value == NULL) || option->places == IN_VARIABLE ? "# " : "",
                       option->name);
    if (option->kind != OPTION_FLAG && value != NULL) {
        buf_add_char(out, ' ');
        add_option_value(option, value, out);
    }
    if (item != NULL)
        add_place(sources, item, start, out);
    else
        add_origin(value != NULL || option->kind == OPTION_FLAG ? "default" : "not set", start,
                   out);
}

/* Where a key would be taken from that no option names; never the key. */
static void add_key_places(struct buf *out)
{
    static const char *const variables[] = {"NBATCH_API_KEY", "NBATCH_ACCESS_KEY",
                                            "CREDENTIALS_DIRECTORY"};

    for (size_t i = 0; i < ARRAY_LENGTH(variables); i++) {
        if (getenv(variables[i]) == NULL)
            continue;
        size_t start = out->len;
        buf_add_format(out, "# %s is set, and not shown", variables[i]);
        add_origin("environment", start, out);
    }
}

void config_add(const struct settings *settings, const struct option_sources *sources,
                struct buf *out)
{
    const struct option *option = NULL;

    if (settings->run.input != NULL) {
        buf_add_string(out, "# INPUT: ");
        add_value(span_string(settings->run.input), out);
        add_origin("argument", 0, out);
    }
    while ((option = option_next(COMMAND_CONFIG, option)) != NULL) {
        if (option->places == IN_FLAG_ONLY)
            continue;
        if (option_repeats(option))
            add_list(sources, option, out);
        else
            add_option(settings, sources, option, out);
    }
    add_key_places(out);
}
