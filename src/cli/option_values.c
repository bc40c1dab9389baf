#include "cli/option_values.h"

#include "cli/option_table.h"

/* Options that say nothing of how rows are sent; and those whose value may hold a secret, with what
 * is shown in its place. */
static const struct {
    const char *name;
    const char *shown; /* NULL: nothing */
    bool only_user;    /* only where a user stands before an @ */
} veiled[] = {
    {"help", NULL, false},
    {"version", NULL, false},
    {"quiet", NULL, false},
    {"json", NULL, false},
    {"progress", NULL, false},
    {"explain-retries", NULL, false},
    {"dry-run", NULL, false},
    {"verbose", NULL, false},
    {"no-color", NULL, false},
    {"proxy", "(not shown: it names a user)", true},
    {"api-key-command", "(not shown)", false},
};

/* What is shown for a value; NULL for nothing. */
static const char *veil(const struct option *option, const char *value)
{
    for (size_t i = 0; i < ARRAY_LENGTH(veiled); i++) {
        if (strcmp(option->name, veiled[i].name) != 0)
            continue;
        return veiled[i].only_user && strchr(value, '@') == NULL ? value : veiled[i].shown;
    }
    return value;
}

static void add_duration(int64_t ms, struct buf *out)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;

    while (i + 1 < ARRAY_LENGTH(units) && (ms == 0 || ms % units[i].ms != 0))
        i++;
    buf_add_format(out, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
}

/* Appends a number as it would be typed; nothing for a rate that is none. */
static void add_number(const struct option *option, const void *field, struct buf *out)
{
    const struct rate *rate = field;
    const int64_t *number = field;

    if (option->kind == OPTION_DURATION)
        add_duration(*number, out);
    else if (option->kind != OPTION_RATE)
        buf_add_int64(out, *number);
    else if (rate->count > 0)
        buf_add_format(out, "%lld/%s", (long long)rate->count,
                       rate->per_ms == 1000    ? "s"
                       : rate->per_ms == 60000 ? "m"
                                               : "h");
}

static void tell_option(const struct option *option, const void *field, option_tell_fn *tell,
                        void *context)
{
    const struct word_list *list = field;
    const char *text = NULL;
    struct buf number;

    buf_init(&number, 64);
    if (option->kind == OPTION_LIST) {
        for (size_t i = 0; i < list->count; i++)
            if (veil(option, list->items[i]) != NULL)
                tell(context, option->name, veil(option, list->items[i]));
    } else if (option->kind == OPTION_FLAG) {
        text = *(const bool *)field ? "yes" : NULL;
    } else if (option->kind == OPTION_TEXT || option->kind == OPTION_OPTIONAL_TEXT) {
        text = *(const char *const *)field;
        text = text != NULL && text[0] == '\0' ? "yes" : text;
    } else {
        add_number(option, field, &number);
        text = number.len > 0 ? buf_string(&number) : NULL;
    }
    text = text != NULL ? veil(option, text) : NULL;
    if (text != NULL)
        tell(context, option->name, text);
    buf_deinit(&number);
}

void options_tell(enum subcommand subcommand, const struct settings *settings, option_tell_fn *tell,
                  void *context)
{
    for (size_t i = 0; i < options_count; i++)
        if (option_is_of(&options[i], subcommand))
            tell_option(&options[i], (const char *)settings + options[i].offset, tell, context);
}
