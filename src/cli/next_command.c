#include "cli/next_command.h"

#include "cli/option_table.h"
#include "core/shell.h"

static void add_word(const char *word, struct buf *out)
{
    buf_add_char(out, ' ');
    shell_add_word(word, out);
}

static void add_file(const char *name, struct buf *out)
{
    buf_add_char(out, ' ');
    shell_add_file(name, out);
}

static bool is_dash(const struct assignment *item)
{
    return item->value != NULL && strcmp(item->value, "-") == 0;
}

/* --name, --name VALUE, or --name=VALUE where the value is optional. */
static void add_option(const struct option *option, const char *value, struct buf *out)
{
    buf_add_format(out, " --%s", option->name);
    if (value == NULL)
        return;
    buf_add_char(out, option_is_optional(option) ? '=' : ' ');
    shell_add_word(option_hides(option, value) ? "..." : value, out);
}

void next_command_add_program(const char *program, struct buf *out)
{
    bool was_text = buf_set_text(out, false);

    shell_add_word(program, out);
    buf_add_format(out, " %s", subcommands[COMMAND_RUN].name);
    (void)buf_set_text(out, was_text);
}

/* Whether the diagnosis says of an option another value than was given. */
static bool is_replaced(const struct option *option, const struct diagnosis *diagnosis)
{
    for (size_t i = 0; diagnosis != NULL && option != NULL && i < diagnosis->count; i++)
        if (!option_repeats(option) && strcmp(option->name, diagnosis->options[i].name) == 0)
            return true;
    return false;
}

void next_command_add_fixed(const char *program, enum subcommand subcommand,
                            const struct option_sources *sources, const struct diagnosis *diagnosis,
                            struct buf *out)
{
    bool was_text = buf_set_text(out, false);

    shell_add_word(program, out);
    buf_add_format(out, " %s", subcommands[subcommand].name);
    for (size_t i = 0; i < sources->count; i++) {
        const struct assignment *item = &sources->items[i];
        if (item->origin != ORIGIN_FLAG || is_replaced(item->option, diagnosis) ||
            (item->option != NULL && strcmp(item->option->name, "fix") == 0))
            continue;
        if (item->option == NULL)
            add_file(item->value, out);
        else
            add_option(item->option, item->value, out);
    }
    for (size_t i = 0; diagnosis != NULL && i < diagnosis->count; i++) {
        buf_add_format(out, " --%s", diagnosis->options[i].name);
        add_word(diagnosis->options[i].value, out);
    }
    (void)buf_set_text(out, was_text);
}

/* Whether a call of another command is to have it: the same platform, key and configuration, and
 * where there is no file, the shared job. */
static bool is_shared(const struct option *option, bool has_job)
{
    return strcmp(option->name, "config") == 0 ||
           (has_job && (strcmp(option->name, "share") == 0 || strcmp(option->name, "job") == 0)) ||
           strcmp(option_group(option), OPTION_GROUP_TARGET) == 0;
}

void next_command_add_call(const char *program, enum subcommand from, enum subcommand to,
                           const struct option_sources *sources, const char *argument,
                           struct buf *out)
{
    bool was_text = buf_set_text(out, false);

    shell_add_word(program, out);
    buf_add_format(out, " %s", subcommands[to].name);
    if (argument != NULL)
        add_file(argument, out);
    for (size_t i = 0; i < sources->count; i++) {
        const struct assignment *item = &sources->items[i];
        const struct option *option = item->option;
        if (item->origin != ORIGIN_FLAG || option == NULL || option->carry == CARRY_NOT ||
            (from != to && !is_shared(option, argument == NULL)))
            continue;
        option = option_find(to, span_string(option->name));
        if (option != NULL)
            add_option(option, item->value, out);
    }
    (void)buf_set_text(out, was_text);
}

void next_command_add_words(const struct option_sources *sources, const char *results,
                            bool is_moved, struct buf *out)
{
    bool was_text = buf_set_text(out, false);
    bool from_stdin = false, has_name = false;

    for (size_t i = 0; i < sources->count; i++) {
        const struct assignment *item = &sources->items[i];
        from_stdin = from_stdin || (item->option == NULL && is_dash(item));
        has_name = has_name ||
                   (item->option != NULL && item->option->carry == CARRY_RESULTS && !is_dash(item));
    }
    if (is_moved || (from_stdin && !has_name)) {
        add_word("--output", out);
        add_file(results, out);
    }
    for (size_t i = 0; i < sources->count; i++) {
        const struct assignment *item = &sources->items[i];
        const struct option *option = item->option;
        if (item->origin != ORIGIN_FLAG || (option != NULL && option->carry == CARRY_NOT))
            continue;
        if (option == NULL)
            add_file(item->value, out);
        else if (option->carry != CARRY_RESULTS || !(is_moved || is_dash(item)))
            add_option(option, item->value, out);
    }
    (void)buf_set_text(out, was_text);
}
