#include "cli/again.h"

#include "core/shell.h"

enum { PROGRAM_WORDS = 2 };

enum word_kind {
    WORD_KEPT,
    WORD_DROPPED,
    WORD_OUTPUT, /* "-" is not where a run can go on */
    WORD_SECRET,
    WORD_PROXY, /* a secret where it names a user */
};

/* The options that are not taken over as they are; the others are. */
static const struct {
    const char *name;
    enum word_kind kind;
    bool has_value; /* in the next word, where none stands behind "=" */
} options[] = {
    {"--resume", WORD_DROPPED, false}, {"-o-", WORD_DROPPED, false},
    {"--output", WORD_OUTPUT, true},   {"-o", WORD_OUTPUT, true},
    {"--proxy", WORD_PROXY, true},     {"--api-key-command", WORD_SECRET, true},
};

/* The place of the option that a word is; behind the last one for a word that is kept. */
static size_t find(const char *word)
{
    size_t len = strcspn(word, "=");

    for (size_t i = 0; i < ARRAY_LENGTH(options); i++)
        if (span_is(span_of(word, len), options[i].name))
            return i;
    return ARRAY_LENGTH(options);
}

static void add_word(const char *word, struct buf *out)
{
    buf_add_char(out, ' ');
    shell_add_word(word, out);
}

/* --name 'VALUE', or what stands for it. */
static void add_option(size_t option, const char *value, struct buf *out)
{
    enum word_kind kind = options[option].kind;
    bool hides = kind == WORD_SECRET || (kind == WORD_PROXY && strchr(value, '@') != NULL);

    if (kind == WORD_OUTPUT && strcmp(value, "-") == 0)
        return;
    add_word(options[option].name, out);
    add_word(hides ? "..." : value, out);
}

void again_add_program(const struct settings *settings, struct buf *out)
{
    for (size_t i = 0; i < PROGRAM_WORDS && i < settings->word_count; i++) {
        if (i > 0)
            buf_add_char(out, ' ');
        shell_add_word(settings->words[i], out);
    }
}

void again_add_words(const struct settings *settings, const char *results, bool is_moved,
                     struct buf *out)
{
    bool from_stdin = settings->input != NULL && strcmp(settings->input, "-") == 0;
    bool has_name = settings->output != NULL && strcmp(settings->output, "-") != 0;
    bool only_inputs = false;

    if (is_moved || (from_stdin && !has_name)) {
        add_word("--output", out);
        add_word(results, out);
    }
    for (size_t i = PROGRAM_WORDS; i < settings->word_count; i++) {
        const char *word = settings->words[i];
        size_t option = only_inputs ? ARRAY_LENGTH(options) : find(word);
        if (option == ARRAY_LENGTH(options)) {
            add_word(word, out);
            only_inputs = only_inputs || strcmp(word, "--") == 0;
            continue;
        }
        const char *value = strchr(word, '=');
        if (!options[option].has_value)
            continue;
        if (value == NULL && i + 1 < settings->word_count)
            value = settings->words[++i];
        else if (value != NULL)
            value++;
        if (value != NULL && !(is_moved && options[option].kind == WORD_OUTPUT))
            add_option(option, value, out);
    }
}
