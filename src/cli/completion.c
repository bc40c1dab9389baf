#include "cli/completion.h"

#include "cli/help.h"
#include "cli/option_table.h"

/* What stands behind an option, as a shell can complete it. */
enum value_kind { VALUE_NONE, VALUE_ANY, VALUE_FILE, VALUE_CHOICE };

static enum value_kind kind_of(const struct option_view *option)
{
    if (option->value == NULL)
        return VALUE_NONE;
    if (strcmp(option->value, "FILE") == 0)
        return VALUE_FILE;
    bool is_word = option->value[0] >= 'a' && option->value[0] <= 'z';
    return is_word && strchr(option->value, '|') != NULL ? VALUE_CHOICE : VALUE_ANY;
}

/* csv|jsonl as "csv jsonl" */
static void add_choices(const char *value, struct buf *out)
{
    for (; *value != '\0'; value++)
        buf_add_char(out, *value == '|' ? ' ' : *value);
}

/* Every word that may stand behind nbatch. */
static void add_commands(struct buf *out)
{
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        buf_add_format(out, "%s ", subcommands[i].name);
    buf_add_string(out, "help completion");
}

/* Every word that may stand behind nbatch help. */
static void add_topics(struct buf *out)
{
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        buf_add_format(out, "%s ", subcommands[i].name);
    for (size_t i = 0; i < help_topics_count; i++)
        buf_add_format(out, "%s%s", i > 0 ? " " : "", help_topics[i].name);
}

static bool takes_input(enum subcommand subcommand)
{
    return strstr(subcommands[subcommand].usage, "INPUT") != NULL ||
           strstr(subcommands[subcommand].usage, "RESULTS") != NULL;
}

/* run:--output|run:-o) … ;; */
static void add_bash_value(const char *command, const struct option_view *option, struct buf *out)
{
    enum value_kind kind = kind_of(option);

    if (kind == VALUE_NONE || option->optional)
        return;
    buf_add_format(out, "    %s:--%s", command, option->name);
    if (option->letter != '\0')
        buf_add_format(out, "|%s:-%c", command, option->letter);
    buf_add_string(out, ") ");
    if (kind == VALUE_FILE)
        buf_add_string(out, "_nbatch_files");
    else
        buf_add_string(out, "COMPREPLY=(");
    if (kind == VALUE_CHOICE) {
        buf_add_string(out, "$(compgen -W '");
        add_choices(option->value, out);
        buf_add_string(out, "' -- \"$cur\")");
    }
    buf_add_string(out, kind == VALUE_FILE ? "; return ;;\n" : "); return ;;\n");
}

static void add_bash_command(enum subcommand subcommand, struct buf *out)
{
    struct option_view views[OPTION_VIEWS_MAX];
    size_t count = option_views(subcommand, views);

    buf_add_format(out, "    %s) options='", subcommands[subcommand].name);
    for (size_t i = 0; i < count; i++) {
        buf_add_format(out, "%s--%s", i > 0 ? " " : "", views[i].name);
        if (views[i].letter != '\0')
            buf_add_format(out, " -%c", views[i].letter);
    }
    buf_add_format(out, "'; input=%s ;;\n", takes_input(subcommand) ? "1" : "");
}

static void add_bash(struct buf *out)
{
    buf_add_string(
        out, "# bash completion for nbatch; made by \"nbatch completion bash\"\n"
             "_nbatch_files()\n{\n"
             "    compopt -o filenames 2>/dev/null\n"
             "    mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n}\n\n"
             "_nbatch()\n{\n"
             "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
             "    local command=${COMP_WORDS[1]} options= input=\n"
             "    COMPREPLY=()\n"
             "    # --name=VALUE comes as three words.\n"
             "    if [[ $cur == = ]]; then\n        cur=\n"
             "    elif [[ $prev == = ]]; then\n        prev=${COMP_WORDS[COMP_CWORD-2]}\n    fi\n"
             "    if ((COMP_CWORD == 1)); then\n        COMPREPLY=($(compgen -W '");
    add_commands(out);
    buf_add_string(out, " --help --version' -- \"$cur\"))\n        return\n    fi\n"
                        "    case $command:$prev in\n    help:help) COMPREPLY=($(compgen -W '");
    add_topics(out);
    buf_add_string(out, "' -- \"$cur\")); return ;;\n"
                        "    completion:completion) COMPREPLY=($(compgen -W 'bash zsh fish' -- "
                        "\"$cur\")); return ;;\n");
    for (size_t c = 0; c < SUBCOMMAND_COUNT; c++) {
        struct option_view views[OPTION_VIEWS_MAX];
        size_t count = option_views((enum subcommand)c, views);
        for (size_t i = 0; i < count; i++)
            add_bash_value(subcommands[c].name, &views[i], out);
    }
    buf_add_string(out, "    esac\n    case $command in\n");
    for (size_t c = 0; c < SUBCOMMAND_COUNT; c++)
        add_bash_command((enum subcommand)c, out);
    buf_add_string(out, "    esac\n    if [[ $cur == -* ]]; then\n"
                        "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
                        "    elif [[ -n $input ]]; then\n        _nbatch_files\n    fi\n}\n\n"
                        "complete -F _nbatch nbatch\n");
}

/* Text within '…' of a shell; in zsh's descriptions brackets and colons are taken, too. */
static void add_quoted(const char *text, const char *special, struct buf *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            buf_add_string(out, "'\\''");
        else if (strchr(special, *text) != NULL)
            buf_add_format(out, "\\%c", *text);
        else
            buf_add_char(out, *text);
    }
}

static void add_zsh_value(const struct option_view *option, struct buf *out)
{
    switch (kind_of(option)) {
    case VALUE_NONE:
        return;
    case VALUE_FILE:
        buf_add_string(out, ":FILE:_files");
        return;
    case VALUE_ANY:
        buf_add_string(out, option->optional ? "::" : ":");
        add_quoted(option->value, "[]:\\", out);
        buf_add_string(out, ": ");
        return;
    case VALUE_CHOICE:
        buf_add_string(out, ":value:(");
        add_choices(option->value, out);
        buf_add_char(out, ')');
        return;
    }
}

/* '(-o --output)-o+[…]:FILE:_files' '(-o --output)--output=[…]:FILE:_files' */
static void add_zsh_option(const struct option_view *option, struct buf *out)
{
    const char *const behind = option->value == NULL ? "" : option->optional ? "=-" : "=";

    for (int i = option->letter != '\0' ? 0 : 1; i < 2; i++) {
        buf_add_string(out, "                '");
        if (option->repeats)
            buf_add_char(out, '*');
        else if (option->letter != '\0')
            buf_add_format(out, "(-%c --%s)", option->letter, option->name);
        if (i == 0)
            buf_add_format(out, "-%c%s[", option->letter, option->value != NULL ? "+" : "");
        else
            buf_add_format(out, "--%s%s[", option->name, behind);
        add_quoted(option->help, "[]\\", out);
        buf_add_char(out, ']');
        add_zsh_value(option, out);
        buf_add_string(out, "' \\\n");
    }
}

static void add_zsh(struct buf *out)
{
    buf_add_string(out, "#compdef nbatch\n# made by \"nbatch completion zsh\"\n_nbatch()\n{\n"
                        "    local -a commands\n    commands=(\n");
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        buf_add_format(out, "        '%s:", subcommands[i].name);
        add_quoted(subcommands[i].purpose, ":\\", out);
        buf_add_string(out, "'\n");
    }
    buf_add_string(out, "        'help:explains a command or topic'\n"
                        "        'completion:the completions of a shell'\n    )\n"
                        "    if ((CURRENT == 2)); then\n"
                        "        _describe command commands\n        return\n    fi\n"
                        "    local command=$words[2]\n    shift words\n    ((CURRENT--))\n"
                        "    case $command in\n");
    for (size_t c = 0; c < SUBCOMMAND_COUNT; c++) {
        struct option_view views[OPTION_VIEWS_MAX];
        size_t count = option_views((enum subcommand)c, views);
        buf_add_format(out, "        %s)\n            _arguments -s -S \\\n", subcommands[c].name);
        for (size_t i = 0; i < count; i++)
            add_zsh_option(&views[i], out);
        buf_add_format(out, "                %s\n            ;;\n",
                       takes_input((enum subcommand)c) ? "'1:INPUT:_files'" : "");
    }
    buf_add_string(out, "        help) _arguments '1:topic:(");
    add_topics(out);
    buf_add_string(out, ")' ;;\n        completion) _arguments '1:shell:(bash zsh fish)' ;;\n"
                        "    esac\n}\n\n"
                        "if [[ $funcstack[1] == _nbatch ]]; then\n    _nbatch \"$@\"\nelse\n"
                        "    compdef _nbatch nbatch\nfi\n");
}

/* -d '…', the end of a line. */
static void add_fish_description(const char *text, struct buf *out)
{
    buf_add_string(out, " -d '");
    for (; *text != '\0'; text++)
        buf_add_format(out, "%s%c", *text == '\'' || *text == '\\' ? "\\" : "", *text);
    buf_add_string(out, "'\n");
}

static void add_fish_option(const char *command, const struct option_view *option, struct buf *out)
{
    enum value_kind kind = kind_of(option);

    buf_add_format(out, "complete -c nbatch -n '__fish_seen_subcommand_from %s' -l %s", command,
                   option->name);
    if (option->letter != '\0')
        buf_add_format(out, " -s %c", option->letter);
    if (kind == VALUE_FILE)
        buf_add_string(out, " -r -F");
    else if (kind != VALUE_NONE && !option->optional)
        buf_add_string(out, " -x");
    if (kind == VALUE_CHOICE) {
        buf_add_string(out, " -a '");
        add_choices(option->value, out);
        buf_add_char(out, '\'');
    }
    add_fish_description(option->help, out);
}

static void add_fish(struct buf *out)
{
    buf_add_string(out, "# fish completion for nbatch; made by \"nbatch completion fish\"\n"
                        "complete -c nbatch -f\n");
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        buf_add_format(out, "complete -c nbatch -n __fish_use_subcommand -a %s",
                       subcommands[i].name);
        add_fish_description(subcommands[i].purpose, out);
    }
    buf_add_string(out, "complete -c nbatch -n __fish_use_subcommand -a help -d "
                        "'Explains a command or topic'\n"
                        "complete -c nbatch -n __fish_use_subcommand -a completion -d "
                        "'The completions of a shell'\n"
                        "complete -c nbatch -n '__fish_seen_subcommand_from completion' "
                        "-a 'bash zsh fish'\n"
                        "complete -c nbatch -n '__fish_seen_subcommand_from help' -a '");
    add_topics(out);
    buf_add_string(out, "'\n");
    for (size_t c = 0; c < SUBCOMMAND_COUNT; c++) {
        struct option_view views[OPTION_VIEWS_MAX];
        size_t count = option_views((enum subcommand)c, views);
        if (takes_input((enum subcommand)c))
            buf_add_format(out, "complete -c nbatch -n '__fish_seen_subcommand_from %s' -F\n",
                           subcommands[c].name);
        for (size_t i = 0; i < count; i++)
            add_fish_option(subcommands[c].name, &views[i], out);
    }
}

bool completion_add(const char *shell, struct buf *out)
{
    static const struct {
        const char *name;
        void (*add)(struct buf *out);
    } shells[] = {{"bash", add_bash}, {"zsh", add_zsh}, {"fish", add_fish}};

    for (size_t i = 0; i < ARRAY_LENGTH(shells); i++) {
        if (strcmp(shell, shells[i].name) == 0) {
            shells[i].add(out);
            return true;
        }
    }
    return false;
}
