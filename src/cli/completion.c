#include "cli/completion.h"

#include "cli/help.h"
#include "cli/option_table.h"

/* A word that is being typed, and where candidates for it go. */
struct typing {
    const char *word;
    size_t start; /* of the part that is completed: behind the "=" of --name=VALUE */
    struct buf *out;
};

/* Offers a word where it begins as what is typed; `help` may be NULL. A person reads it, so it is
 * in the language of the shell that asks. */
static void offer(const struct typing *typing, struct span word, const char *help)
{
    const char *typed = typing->word + typing->start;

    if (!span_starts_with(word, typed))
        return;
    buf_add_bytes(typing->out, typing->word, typing->start);
    buf_add(typing->out, word);
    if (help != NULL)
        buf_add_format(typing->out, "\t%s", language_of(help));
    buf_add_char(typing->out, '\n');
}

/* "csv|jsonl" */
static void offer_each(const struct typing *typing, const char *words)
{
    while (*words != '\0') {
        size_t len = strcspn(words, "|");
        offer(typing, span_of(words, len), NULL);
        words += len + (words[len] == '|');
    }
}

static void offer_commands(const struct typing *typing)
{
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        offer(typing, span_string(subcommands[i].name), subcommands[i].purpose);
}

static void offer_topics(const struct typing *typing)
{
    offer_commands(typing);
    for (size_t i = 0; i < help_topics_count; i++)
        offer(typing, span_string(help_topics[i].name), help_topics[i].what);
}

static void offer_first(const struct typing *typing)
{
    offer_commands(typing);
    offer(typing, SPAN_LITERAL("help"), "Explains a command or topic.");
    offer(typing, SPAN_LITERAL("completion"), "The completions of a shell.");
    if (typing->word[0] == '-')
        offer_each(typing, "--help|--version");
}

static void offer_options(const struct typing *typing, enum subcommand subcommand)
{
    const struct option *option = NULL;
    char name[80];

    while ((option = option_next(subcommand, option)) != NULL) {
        if (!option_is_used(subcommand, option))
            continue;
        (void)snprintf(name, sizeof(name), "--%s", option->name);
        offer(typing, span_string(name), option->help);
        (void)snprintf(name, sizeof(name), "-%c", option->letter);
        if (option->letter != '\0')
            offer(typing, span_string(name), option->help);
    }
}

static void offer_files(const struct typing *typing)
{
    buf_add_string(typing->out, ":files\n");
}

static void offer_values(const struct typing *typing, const struct option *option)
{
    if (option->kind == OPTION_FILE)
        offer_files(typing);
    else if (option->kind == OPTION_CHOICE)
        offer_each(typing, option->value);
}

/* The option that a word begins with: --format, --format=csv, -o or -qo. */
static const struct option *option_of(enum subcommand subcommand, const char *word)
{
    if (word[0] != '-' || word[1] == '\0')
        return NULL;
    if (word[1] != '-')
        return option_find_letter(subcommand, word[strlen(word) - 1]);
    return option_find(subcommand, span_of(word + 2, strcspn(word + 2, "=")));
}

/* Whether a word behind this one is its value. */
static bool takes_next(const struct option *option)
{
    return option != NULL && option->kind != OPTION_FLAG && !option_is_optional(option);
}

/* Behind a subcommand: `words` are those up to the one that is typed. */
static void offer_word(struct typing *typing, enum subcommand subcommand, int count,
                       const char *const *words)
{
    const char *usage = subcommands[subcommand].usage, *before = count > 1 ? words[count - 1] : "";
    bool is_split = strcmp(before, "=") == 0 && count > 2;
    const struct option *option = option_of(subcommand, is_split ? words[count - 2] : before);
    size_t name = strcspn(typing->word, "=");

    if (option != NULL && (is_split || takes_next(option))) {
        offer_values(typing, option);
    } else if (typing->word[0] == '-' && typing->word[name] == '=') {
        option = option_of(subcommand, typing->word);
        typing->start = name + 1;
        if (option != NULL)
            offer_values(typing, option);
    } else if (typing->word[0] == '-') {
        offer_options(typing, subcommand);
    } else if (strstr(usage, "INPUT") != NULL || strstr(usage, "RESULTS") != NULL) {
        offer_files(typing);
    }
}

void completion_add_candidates(int count, const char *const *words, struct buf *out)
{
    struct typing typing = {.word = count > 0 ? words[count - 1] : "", .out = out};
    enum subcommand subcommand;

    if (count > 2 && strcmp(typing.word, "=") == 0)
        typing.word = ""; /* --name= */
    else
        count--;
    if (count < 1)
        offer_first(&typing);
    else if (strcmp(words[0], "help") == 0 && count == 1)
        offer_topics(&typing);
    else if (strcmp(words[0], "completion") == 0 && count == 1)
        offer_each(&typing, "bash|zsh|fish");
    else if (subcommand_find(words[0], &subcommand))
        offer_word(&typing, subcommand, count, words);
}

static const struct {
    const char *shell;
    const char *script;
} scripts[] = {
    {"bash", "# bash completion for nbatch; made by \"nbatch completion bash\"\n"
             "_nbatch()\n{\n"
             "    local cur=${COMP_WORDS[COMP_CWORD]} line\n"
             "    COMPREPLY=()\n"
             "    while IFS= read -r line; do\n"
             "        COMPREPLY+=(\"${line%%$'\\t'*}\")\n"
             "    done < <(\"${COMP_WORDS[0]/#\\~/$HOME}\" __complete "
             "\"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
             "    if [[ ${COMPREPLY[0]} == :files ]]; then\n"
             "        [[ $cur == = ]] && cur=\n"
             "        compopt -o filenames 2>/dev/null\n"
             "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
             "    fi\n}\n\n"
             "complete -F _nbatch nbatch\n"},
    {"zsh", "#compdef nbatch\n# made by \"nbatch completion zsh\"\n"
            "_nbatch()\n{\n"
            "    local -a lines\n"
            "    lines=(\"${(@f)$(${(Q)words[1]} __complete \"${(@Q)words[2,CURRENT]}\" "
            "2>/dev/null)}\")\n"
            "    if [[ $lines[1] == :files ]]; then\n"
            "        compset -P '--*='\n"
            "        _files\n"
            "    elif [[ -n $lines[1] ]]; then\n"
            "        lines=(\"${(@)lines//:/\\\\:}\")\n"
            "        lines=(\"${(@)lines/$'\\t'/:}\")\n"
            "        _describe nbatch lines\n"
            "    fi\n}\n\n"
            "if [[ $funcstack[1] == _nbatch ]]; then\n    _nbatch \"$@\"\nelse\n"
            "    compdef _nbatch nbatch\nfi\n"},
    {"fish", "# fish completion for nbatch; made by \"nbatch completion fish\"\n"
             "function __nbatch_complete\n"
             "    set -l words (commandline -opc)\n"
             "    set -l current (commandline -ct)\n"
             "    set -l lines ($words[1] __complete $words[2..-1] \"$current\" 2>/dev/null)\n"
             "    if test \"$lines[1]\" = :files\n"
             "        __fish_complete_path (string replace -r -- '^--[^=]*=' '' \"$current\")\n"
             "    else if set -q lines[1]\n"
             "        printf '%s\\n' $lines\n"
             "    end\nend\n\n"
             "complete -c nbatch -f -a '(__nbatch_complete)'\n"},
};

bool completion_add(const char *shell, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LENGTH(scripts); i++) {
        if (strcmp(shell, scripts[i].shell) != 0)
            continue;
        buf_add_string(out, scripts[i].script);
        return true;
    }
    return false;
}
