/* The table of options: whatever is in it can be set in every place, is documented, completed,
 * shown by nbatch config, and either carried over into the next command or said not to be. */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/completion.h"
#include "cli/config.h"
#include "cli/help.h"
#include "cli/man.h"
#include "cli/next_command.h"
#include "cli/option_sources.h"
#include "cli/option_values.h"

/* A value that the option takes and is not its default. */
static const char *sample(const struct option *option)
{
    static const struct {
        const char *name, *value;
    } samples[] = {{"resume", "failed"},
                   {"delimiter", ";"},
                   {"concurrency", "8"},
                   {"ramp", "1/s..2/s:1m"},
                   {"canary", "5"},
                   {"canary-accept", "90%"},
                   {"rollout", "1%,100%:delivered=95%,wait=1d"},
                   {"halt", "failed=5%,min=7"},
                   {"expect-rows", "9..11"},
                   {"config", "/dev/null"},
                   {"rate", "20/s"},
                   {"find", "p99=1s"},
                   {"job", "meters"},
                   {"watch", "2m"},
                   {"settle", "1s,5s"},
                   {"status", "in_doubt"}};
    static char text[32];

    for (size_t i = 0; i < ARRAY_LENGTH(samples); i++)
        if (strcmp(option->name, samples[i].name) == 0)
            return samples[i].value;
    switch (option->kind) {
    case OPTION_FLAG:
        return "true";
    case OPTION_COUNT:
        (void)snprintf(text, sizeof(text), "%lld", (long long)option->min + 1);
        return text;
    case OPTION_BYTES:
        return "1K";
    case OPTION_DURATION:
        return "77s";
    case OPTION_RATE:
        return "20/s";
    case OPTION_CHOICE: /* the last word */
        (void)snprintf(text, sizeof(text), "%s", strrchr(option->value, '|') + 1);
        return text;
    case OPTION_SIMULATOR:
        return option->fallback;
    default:
        return "x=y";
    }
}

struct parsed {
    struct option_sources sources;
    struct settings settings;
    struct buf message;
    enum status status;
};

static void parse(struct parsed *parsed, enum subcommand subcommand, int argc, char **argv)
{
    const struct parse_request request = {.subcommand = subcommand, .argc = argc, .argv = argv};

    *parsed = (struct parsed){.status = STATUS_OK};
    buf_init(&parsed->message, 64 * 1024);
    parsed->status = options_parse(&request, &parsed->sources, &parsed->message, &parsed->settings);
}

static void release(struct parsed *parsed)
{
    option_sources_deinit(&parsed->sources);
    settings_deinit(&parsed->settings);
    buf_deinit(&parsed->message);
}

/* What goes with an option so that it can be used at all. */
static const char *companion(const struct option *option)
{
    if (strcmp(option->name, "canary-accept") == 0)
        return "--canary=9";
    return strcmp(option->name, "quiet") == 0 ? "--no-color" : "--quiet";
}

/* The option as one word: --name=VALUE or --name. */
static void word_of(const struct option *option, char word[256])
{
    (void)snprintf(word, 256, option->kind == OPTION_FLAG ? "--%s" : "--%s=%s", option->name,
                   sample(option));
}

static bool has_default(const struct option *option)
{
    return option->kind == OPTION_SIMULATOR || option->fallback != NULL;
}

/* Whether the field of an option differs from what it is without. */
static bool is_set(const struct option *option, const struct settings *settings)
{
    struct parsed without;

    parse(&without, COMMAND_RUN, 0, NULL);
    bool differs = memcmp(settings, &without.settings, sizeof(*settings)) != 0;
    release(&without);
    return differs || has_default(option);
}

typedef void each_fn(enum subcommand subcommand, const struct option *option);

/* All options of all subcommands but config, whose are those of run and check. */
static void for_each(each_fn *test)
{
    for (int i = 0; i < SUBCOMMAND_COUNT; i++) {
        const struct option *option = NULL;
        while (i != COMMAND_CONFIG && (option = option_next((enum subcommand)i, option)) != NULL)
            test((enum subcommand)i, option);
    }
}

static void by_flag(enum subcommand subcommand, const struct option *option)
{
    char word[256];
    struct parsed parsed;

    if (option->kind == OPTION_SIMULATOR) /* their values are the simulator's to test */
        return;
    word_of(option, word);
    parse(&parsed, subcommand, 2, (char *[]){(char *)(uintptr_t)companion(option), word});
    assert_int_equal(parsed.status, STATUS_OK);
    assert_true(is_set(option, &parsed.settings));
    assert_ptr_equal(parsed.sources.items[1].option, option);
    release(&parsed);
}

static void test_every_option_is_taken_as_a_flag(void **state)
{
    (void)state;
    for_each(by_flag);
}

static void by_variable(enum subcommand subcommand, const struct option *option)
{
    char variable[OPTION_VARIABLE_MAX];
    struct parsed parsed;

    if (option->kind == OPTION_SIMULATOR)
        return;
    option_variable(option, variable);
    assert_int_equal(setenv(variable, sample(option), 1), 0);
    parse(&parsed, subcommand, 1, (char *[]){(char *)(uintptr_t)companion(option)});
    assert_int_equal(unsetenv(variable), 0);
    assert_int_equal(parsed.status, STATUS_OK);
    const struct assignment *item = option_sources_last(&parsed.sources, option);
    assert_int_equal(item != NULL && item->origin == ORIGIN_ENVIRONMENT,
                     option->places != IN_FLAG_ONLY);
    release(&parsed);
}

static void test_every_option_is_taken_from_its_variable(void **state)
{
    (void)state;
    for_each(by_variable);
}

/* Whether a file may set an option of that name, of whatever subcommand: one file serves several.
 */
static bool is_for_files(const char *name)
{
    size_t count;
    const struct option *all = options_all(&count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].name, name) == 0 && all[i].places == IN_FILE_AND_VARIABLE)
            return true;
    return false;
}

static void by_file(enum subcommand subcommand, const struct option *option)
{
    char path[] = "/tmp/nbatch-options-XXXXXX", line[300], config[64];
    struct parsed parsed;

    if (option->kind == OPTION_SIMULATOR || option_find(subcommand, SPAN_LITERAL("config")) == NULL)
        return;
    int fd = mkstemp(path);
    int len = snprintf(line, sizeof(line), "%s: '%s'\n", option->name, sample(option));
    assert_true(fd >= 0 && write(fd, line, (size_t)len) == len && close(fd) == 0);
    (void)snprintf(config, sizeof(config), "--config=%s", path);
    parse(&parsed, subcommand, 2, (char *[]){config, (char *)(uintptr_t)companion(option)});
    assert_int_equal(unlink(path), 0);
    assert_int_equal(parsed.status == STATUS_OK, is_for_files(option->name));
    const struct assignment *item = option_sources_last(&parsed.sources, option);
    assert_int_equal(item != NULL && item->origin == ORIGIN_CONFIG,
                     option->places == IN_FILE_AND_VARIABLE);
    release(&parsed);
}

static void test_every_option_is_taken_from_a_file(void **state)
{
    (void)state;
    for_each(by_file);
}

static void assert_in(const struct buf *text, const char *wanted)
{
    if (memmem(text->ptr, text->len, wanted, strlen(wanted)) == NULL)
        fail_msg("\"%s\" is missing", wanted);
}

static void is_documented(enum subcommand subcommand, const struct option *option)
{
    const char *letter = (char[]){'-', option->letter, '\0'}, *words[2];
    struct buf help, candidates;
    char name[80];

    if (!option_is_used(subcommand, option)) /* check takes those of run, and says so as a whole */
        return;

    (void)snprintf(name, sizeof(name), "--%s", option->name);
    buf_init(&help, 1024 * 1024);
    help_add_subcommand(subcommand, &help);
    assert_in(&help, name);
    assert_in(&help, option_group(option));
    words[0] = subcommands[subcommand].name;
    buf_init(&candidates, 64 * 1024);
    words[1] = name;
    completion_add_candidates(2, words, &candidates);
    assert_in(&candidates, name);
    if (option->letter != '\0') {
        buf_clear(&candidates);
        words[1] = letter;
        completion_add_candidates(2, words, &candidates);
        assert_in(&candidates, letter);
    }
    buf_deinit(&candidates);
    buf_deinit(&help);
}

static void test_every_option_is_in_help_and_completions(void **state)
{
    (void)state;
    for_each(is_documented);
}

static void test_every_option_is_in_the_manual_page(void **state)
{
    struct buf page;
    size_t count;
    const struct option *options = options_all(&count);

    (void)state;
    buf_init(&page, 1024 * 1024);
    assert_true(man_add_page(NULL, &page));
    for (size_t i = 0; i < count; i++) {
        char tag[80];
        (void)snprintf(tag, sizeof(tag), "Fl \\-%s", options[i].name);
        assert_in(&page, tag);
    }
    buf_deinit(&page);
}

static void is_carried(enum subcommand subcommand, const struct option *option)
{
    char word[256], name[80];
    struct parsed parsed;
    struct buf words;

    if (subcommand != COMMAND_RUN)
        return;
    word_of(option, word);
    parse(&parsed, subcommand, 2, (char *[]){(char *)(uintptr_t)companion(option), word});
    buf_init(&words, 64 * 1024);
    next_command_add_words(&parsed.sources, "results.csv", false, &words);
    (void)snprintf(name, sizeof(name), " --%s", option->name);
    assert_int_equal(strstr(buf_string(&words), name) != NULL, option->carry != CARRY_NOT);
    bool tells = option->kind != OPTION_FLAG && strstr(buf_string(&words), sample(option)) != NULL;
    assert_int_equal(tells, option->kind != OPTION_FLAG && option->carry != CARRY_NOT &&
                                option->secret != SECRET_VALUE);
    buf_deinit(&words);
    release(&parsed);
}

static void test_every_option_is_carried_over_or_said_not_to_be(void **state)
{
    (void)state;
    for_each(is_carried);
}

static void is_shown(enum subcommand subcommand, const struct option *option)
{
    struct page_entry entries[OPTION_VALUES_MAX];
    char word[256];
    struct parsed parsed;
    struct buf config;
    bool is_on_page = false;

    if (subcommand != COMMAND_RUN)
        return;
    word_of(option, word);
    parse(&parsed, subcommand, 2, (char *[]){(char *)(uintptr_t)companion(option), word});
    size_t count = option_values(&parsed.sources, entries);
    for (size_t i = 0; i < count; i++)
        is_on_page = is_on_page || strcmp(entries[i].name, option->name) == 0;
    assert_int_equal(is_on_page, !option->is_private);
    buf_init(&config, 1024 * 1024);
    config_add(&parsed.settings, &parsed.sources, &config);
    if (option->places != IN_FLAG_ONLY)
        assert_in(&config, option->name);
    buf_deinit(&config);
    release(&parsed);
}

static void test_every_option_is_shown_by_config_and_page_or_private(void **state)
{
    (void)state;
    for_each(is_shown);
}

static void test_no_two_options_of_a_command_have_the_same_name_or_letter(void **state)
{
    (void)state;
    for (int i = 0; i < SUBCOMMAND_COUNT; i++) {
        const struct option *option = NULL;
        while ((option = option_next((enum subcommand)i, option)) != NULL) {
            assert_ptr_equal(option_find((enum subcommand)i, span_string(option->name)), option);
            if (option->letter != '\0')
                assert_ptr_equal(option_find_letter((enum subcommand)i, option->letter), option);
            if (option->rival != NULL) /* a subcommand need not have it */
                assert_non_null(option_find(COMMAND_RUN, span_string(option->rival)));
        }
    }
}

static void assert_candidates(const char *wanted, int count, const char *const *words)
{
    struct buf candidates;

    buf_init(&candidates, 64 * 1024);
    completion_add_candidates(count, words, &candidates);
    assert_string_equal(buf_string(&candidates), wanted);
    buf_deinit(&candidates);
}

#define CANDIDATES(wanted, ...)                                                        \
    assert_candidates(wanted, (int)ARRAY_LENGTH(((const char *const[]){__VA_ARGS__})), \
                      (const char *const[]){__VA_ARGS__})

static void test_values_are_completed_by_their_kind(void **state)
{
    (void)state;
    CANDIDATES("csv\n", "run", "--format", "c");
    CANDIDATES("csv\n", "run", "--format", "=", "c");
    CANDIDATES("csv\njsonl\nxlsx\n", "run", "--format", "=");
    CANDIDATES("--format=csv\n", "run", "--format=c");
    CANDIDATES(":files\n", "run", "--output", "");
    CANDIDATES(":files\n", "run", "-qo", "");
    CANDIDATES(":files\n", "run", "--quiet", "");
    CANDIDATES("", "run", "--rate", "");
    CANDIDATES("", "simulate", "");
    CANDIDATES("bash\n", "completion", "b");
    CANDIDATES("", "nonsense", "");
    CANDIDATES("errno\twhat the platform's error numbers mean, and what to do\n", "help", "err");
}

/* A field that is another option's, copied with its row. */
static void test_no_two_options_have_the_same_field(void **state)
{
    size_t count;
    const struct option *options = options_all(&count);

    (void)state;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) {
            bool has_fields = options[i].set == NULL && options[j].set == NULL &&
                              options[j].kind != OPTION_SIMULATOR;
            if (has_fields && strcmp(options[i].name, options[j].name) != 0)
                assert_int_not_equal(options[i].offset, options[j].offset);
        }
}

/* The rate of status and cancel is not that of a run, nor of bench, which has no such option. */
static void test_what_is_usual_for_one_command_is_not_for_another(void **state)
{
    static const struct {
        enum subcommand subcommand;
        int64_t rate;
    } usual[] = {{COMMAND_RUN, 0},      {COMMAND_CHECK, 0},    {COMMAND_BENCH, 0},
                 {COMMAND_STATUS, 100}, {COMMAND_CANCEL, 100}, {COMMAND_CONFIG, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(usual); i++) {
        char word[] = "x.csv", *words[] = {word};
        struct parsed parsed;
        parse(&parsed, usual[i].subcommand, usual[i].subcommand == COMMAND_BENCH ? 0 : 1, words);
        assert_int_equal(parsed.status, STATUS_OK);
        assert_int_equal(parsed.settings.run.rate.count, usual[i].rate);
        assert_int_equal(parsed.settings.run.concurrency, 64);
        release(&parsed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_option_is_taken_as_a_flag),
        cmocka_unit_test(test_every_option_is_taken_from_its_variable),
        cmocka_unit_test(test_every_option_is_taken_from_a_file),
        cmocka_unit_test(test_every_option_is_in_help_and_completions),
        cmocka_unit_test(test_every_option_is_in_the_manual_page),
        cmocka_unit_test(test_every_option_is_carried_over_or_said_not_to_be),
        cmocka_unit_test(test_every_option_is_shown_by_config_and_page_or_private),
        cmocka_unit_test(test_no_two_options_of_a_command_have_the_same_name_or_letter),
        cmocka_unit_test(test_no_two_options_have_the_same_field),
        cmocka_unit_test(test_values_are_completed_by_their_kind),
        cmocka_unit_test(test_what_is_usual_for_one_command_is_not_for_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
