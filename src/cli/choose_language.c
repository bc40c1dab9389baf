#include "cli/choose_language.h"

#include <stdlib.h>
#include <strings.h>

#include "cli/option_table.h"

/* The first language of a list such as "zh_CN:en" that there is a catalogue for. */
static enum language first_of_list(const char *list)
{
    enum language language = LANGUAGE_ENGLISH;

    for (;;) {
        bool is_chinese = language_of_variable(list, &language) && language == LANGUAGE_CHINESE;
        if (is_chinese || strncmp(list, "en", 2) == 0 || strchr(list, ':') == NULL)
            return language;
        list = strchr(list, ':') + 1;
    }
}

/* What the environment asks for, as gettext(3) reads it: LC_ALL, LC_MESSAGES or LANG, whichever is
 * the first that is set, and LANGUAGE in their place unless that is C. A locale need not be
 * installed. */
static enum language language_of_environment(void)
{
    static const char *const variables[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    enum language language = LANGUAGE_ENGLISH;
    const char *locale = NULL, *list = getenv("LANGUAGE");

    for (size_t i = 0; locale == NULL && i < ARRAY_LENGTH(variables); i++)
        if (language_of_variable(getenv(variables[i]), &language))
            locale = getenv(variables[i]);
    if (locale == NULL || strcmp(locale, "C") == 0 || strcmp(locale, "POSIX") == 0)
        return LANGUAGE_ENGLISH;
    return list != NULL && list[0] != '\0' ? first_of_list(list) : language;
}

/* Whether what is shown is read as UTF-8, by the character set that the locale names ("zh_CN.GBK");
 * where it names none it is. Elsewhere Chinese would be gibberish, and English is not. */
static bool is_read_as_utf8(void)
{
    static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    const char *locale = NULL;

    for (size_t i = 0; i < ARRAY_LENGTH(variables) && (locale == NULL || locale[0] == '\0'); i++)
        locale = getenv(variables[i]);
    const char *set = locale != NULL ? strchr(locale, '.') : NULL;
    return set == NULL || strncasecmp(set, ".utf-8", 6) == 0 || strncasecmp(set, ".utf8", 5) == 0;
}

static bool set_by_name(const char *name)
{
    bool is_known = strcmp(name, "zh") == 0 || strcmp(name, "en") == 0;

    if (is_known)
        language_set(name[0] == 'z' ? LANGUAGE_CHINESE : LANGUAGE_ENGLISH);
    return is_known;
}

/* How many words --lang takes here: "--lang zh", "--lang=zh"; 0: it is something else. */
static int words_of_language(char **word)
{
    if (strncmp(word[0], "--lang=", 7) == 0)
        return set_by_name(word[0] + 7) ? 1 : 0;
    return strcmp(word[0], "--lang") == 0 && word[1] != NULL && set_by_name(word[1]) ? 2 : 0;
}

void choose_language(int *argc, char **argv)
{
    enum subcommand subcommand;
    const char *variable = getenv("NBATCH_LANG");
    bool takes_options = *argc > 1 && subcommand_find(argv[1], &subcommand);

    language_set(is_read_as_utf8() ? language_of_environment() : LANGUAGE_ENGLISH);
    if (variable != NULL)
        (void)set_by_name(variable);
    for (int i = 1; i < *argc && strcmp(argv[i], "--") != 0;) {
        int words = words_of_language(argv + i);
        if (words == 0 || takes_options) {
            i += words > 0 ? words : 1;
            continue;
        }
        memmove(argv + i, argv + i + words, (size_t)(*argc - i - words + 1) * sizeof(*argv));
        *argc -= words;
    }
}
