#include "cli/cli.h"

#include <locale.h>
#include <signal.h>
#include <strings.h>
#include <unistd.h>

#include "cli/choose_language.h"
#include "cli/color.h"
#include "cli/column_help.h"
#include "cli/completion.h"
#include "cli/config.h"
#include "cli/console.h"
#include "cli/glossary.h"
#include "cli/help.h"
#include "cli/man.h"
#include "cli/option_table.h"
#include "cli/option_values.h"
#include "cli/show.h"
#include "cli/terminal.h"
#include "core/original.h"
#include "run/follow.h"
#include "run/privacy.h"
#include "run/use_cases.h"

static int print(struct buf *text)
{
    bool written = text->status == STATUS_OK && show_data(buf_span(text));

    buf_deinit(text);
    return written ? EXIT_ALL_ACCEPTED : EXIT_INTERNAL;
}

static int print_version(void)
{
    return show_data(SPAN_LITERAL("nbatch " NBATCH_VERSION "\n")) ? EXIT_ALL_ACCEPTED
                                                                  : EXIT_INTERNAL;
}

static int print_help(enum subcommand subcommand)
{
    struct buf text;
    buf_init_text(&text, 1024 * 1024);
    help_add_subcommand(subcommand, &text);
    return print(&text);
}

static int print_overview(void)
{
    struct buf text;
    buf_init_text(&text, 1024 * 1024);
    help_add_overview(&text);
    return print(&text);
}

/* What other programs call it, and what to type here. */
static const char *other_name_of(const char *word)
{
    static const struct {
        const char *word, *command;
    } names[] = {
        {"run", "run FILE"},
        {"check", "check FILE"},
        {"send", "run FILE"},
        {"submit", "run FILE"},
        {"start", "run FILE"},
        {"resume", "run FILE --resume"},
        {"continue", "run FILE --resume"},
        {"retry", "run FILE --resume=failed"},
        {"rehearse", "run FILE --simulate"},
        {"dry-run", "check FILE"},
        {"validate", "check FILE"},
        {"lint", "check FILE"},
        {"test", "check FILE"},
        {"serve", "simulate"},
        {"simulator", "simulate"},
        {"benchmark", "bench"},
        {"html", "report RESULTS"},
        {"show", "report RESULTS"},
        {"man", "help man"},
        {"errno", "help errno"},
        {"options", "run --help"},
        {"commands", "help"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (strcasecmp(word, names[i].word) == 0)
            return names[i].command;
    return NULL;
}

static int refuse_subcommand(const char *word)
{
    const char *other = other_name_of(word), *nearest = subcommand_nearest(word);

    if (word[0] == '-')
        show_error("%s comes behind a command: nbatch run FILE %s; nbatch --help lists the "
                   "commands",
                   word, word);
    else if (access(word, R_OK) == 0)
        show_error("say what to do with %s: nbatch run %s, or nbatch check %s", word, word, word);
    else if (other != NULL)
        show_error("unknown command %s; did you mean nbatch %s?", word, other);
    else if (nearest != NULL)
        show_error("unknown command %s; did you mean nbatch %s?", word, nearest);
    else
        show_error("unknown command %s; nbatch --help lists them", word);
    return EXIT_USAGE;
}

static int print_config(const struct settings *settings, const struct option_sources *sources)
{
    struct buf text;
    buf_init(&text, 1024 * 1024);
    config_add(settings, sources, &text);
    return print(&text);
}

/* A use case that takes results: a file, or those of a shared job. */
static int use_results(enum subcommand subcommand, use_case_fn *use_case,
                       const struct run_settings *run, const struct person *person)
{
    const char *name = subcommands[subcommand].name;

    if (run->input != NULL && run->job != NULL)
        person_error(person, "whose results: of %s, or of the job %s? Leave one of them out",
                     run->input, run->job);
    else if (run->input == NULL && run->job == NULL)
        person_error(person,
                     "which results? nbatch %s FILE.results.csv, or --share URI --job NAME; nbatch "
                     "%s --help says more",
                     name, name);
    else if (run->input != NULL)
        return use_case(run, person);
    else if (subcommand == COMMAND_RESULTS)
        return run_share_results(run, person);
    else
        return run_share_borrowed(run, person, use_case);
    return EXIT_USAGE;
}

/* The use case behind a subcommand. */
static int run_use_case(enum subcommand subcommand, const struct settings *settings,
                        const struct run_settings *run, const struct person *person)
{
    static use_case_fn *const of_results[SUBCOMMAND_COUNT] = {
        [COMMAND_STATUS] = run_status,   [COMMAND_CANCEL] = run_cancel,
        [COMMAND_VERIFY] = run_verify,   [COMMAND_REPORT] = run_report,
        [COMMAND_RESULTS] = run_results,
    };
    static use_case_fn *const shared[SUBCOMMAND_COUNT] = {
        [COMMAND_WORK] = run_work,
        [COMMAND_JOBS] = run_jobs,
        [COMMAND_SHARE] = run_share_init,
    };

    if (subcommand == COMMAND_SIMULATE)
        return run_simulate(&settings->sim, person);
    if (subcommand == COMMAND_BENCH)
        return run_bench(run, person);
    if (shared[subcommand] != NULL)
        return shared[subcommand](run, person);
    if (subcommand == COMMAND_RUN && settings->explain_retries)
        return run_explain_retries(run, person);
    if (of_results[subcommand] != NULL)
        return use_results(subcommand, of_results[subcommand], run, person);
    if (run->input == NULL) {
        person_error(person,
                     "which input? nbatch %s FILE, or - for standard input; nbatch %s --help says "
                     "more",
                     subcommands[subcommand].name, subcommands[subcommand].name);
        return EXIT_USAGE;
    }
    if (subcommand == COMMAND_SNAPSHOT)
        return run_snapshot(run, person);
    if (subcommand == COMMAND_CHECK || settings->dry_run)
        return run_check(run, person);
    return run->share != NULL && !run->share_only_rate ? run_share_send(run, person)
                                                       : run_send(run, person, NULL);
}

static bool is_followed(const struct settings *settings)
{
    const struct run_settings *run = &settings->run;

    return (run->log != NULL || run->metrics_file != NULL) && !settings->dry_run &&
           !settings->explain_retries;
}

/* The same; the log and the metrics are told of whatever it refuses. */
static int run_followed(enum subcommand subcommand, const struct settings *settings,
                        struct run_settings *run, const struct person *person)
{
    struct follow follow;

    if (!is_followed(settings))
        return run_use_case(subcommand, settings, run, person);
    person = follow_begin(&follow, run, person);
    int result = run_use_case(subcommand, settings, run, person);
    follow_end(&follow, result);
    return result;
}

/* Words that cannot be understood, which the message says. */
static void refuse_settings(enum subcommand subcommand, struct settings *settings,
                            const struct option_sources *sources, const char *message)
{
    struct terminal terminal = {.subcommand = subcommand, .sources = sources};
    struct person own = terminal_person(&terminal);
    const struct person *person = &own;
    struct follow follow;

    if (is_followed(settings))
        person = follow_begin(&follow, &settings->run, person);
    person_error(person, "%s", message);
    if (is_followed(settings))
        follow_end(&follow, EXIT_USAGE);
}

/* Whether what a check finds is what was asked for on standard output, and nothing else is. */
static bool reports_on_stdout(enum subcommand subcommand, const struct settings *settings)
{
    const struct run_settings *run = &settings->run;
    bool lists_there = run->problems != NULL && strcmp(run->problems, "-") == 0;

    return (subcommand == COMMAND_CHECK || (subcommand == COMMAND_RUN && settings->dry_run)) &&
           !run->json && !run->fix && !lists_there;
}

/* Whether there is nothing to bring to an end once nobody reads what is printed. */
static bool only_prints(enum subcommand subcommand, const struct settings *settings)
{
    const struct run_settings *run = &settings->run;
    bool has_file = run->split_valid != NULL || run->split_invalid != NULL ||
                    (run->problems != NULL && strcmp(run->problems, "-") != 0);

    return settings->help || settings->version || subcommand == COMMAND_CONFIG ||
           subcommand == COMMAND_RESULTS || subcommand == COMMAND_REPORT ||
           ((subcommand == COMMAND_CHECK || settings->dry_run) && !has_file);
}

/* nbatch … | head: ends as any program that is not read any more. */
static void end_with_the_reader(void)
{
    (void)signal(SIGPIPE, SIG_DFL);
}

static int run_subcommand(enum subcommand subcommand, const struct settings *settings,
                          const struct option_sources *sources, const char *program)
{
    struct page_entry shown[OPTION_VALUES_MAX];
    struct run_settings run = settings->run;
    struct terminal terminal = {.mode = (enum progress_mode)settings->progress,
                                .reads_input = run.input != NULL && strcmp(run.input, "-") == 0,
                                .program = program,
                                .subcommand = subcommand,
                                .sources = sources};
    struct person person = terminal_person(&terminal);

    if (only_prints(subcommand, settings))
        end_with_the_reader();
    if (settings->help)
        return print_help(subcommand);
    if (settings->version)
        return print_version();
    if (subcommand == COMMAND_CONFIG)
        return print_config(settings, sources);
    if (reports_on_stdout(subcommand, settings)) {
        color_init(settings->no_color, STDOUT_FILENO);
        show_notes_on_stdout();
    }
    person.quiet = settings->quiet;
    person.verbose = settings->verbose;
    run.shown = shown;
    run.shown_count = option_values(sources, shown);
    int result = run_followed(subcommand, settings, &run, &person);
    console_finish();
    if (show_reader_is_gone())
        return EXIT_SIGNAL + SIGPIPE;
    return show_notes_are_written() ? result : EXIT_INTERNAL;
}

static int parse_and_run(enum subcommand subcommand, int argc, char **argv)
{
    struct settings settings;
    struct option_sources sources = {.items = NULL};
    struct buf message;
    const struct parse_request request = {.subcommand = subcommand,
                                          .argc = argc - 2,
                                          .argv = argv + 2};

    buf_init_text(&message, 64 * 1024);
    int result = EXIT_USAGE;
    original_keep(true);              /* of what is wrong, for the log */
    color_init(false, STDERR_FILENO); /* of what is wrong with the words */
    enum status status = options_parse(&request, &sources, &message, &settings);
    if (status == STATUS_OK) {
        original_keep(false);
        color_init(settings.no_color, STDERR_FILENO);
        if (settings.language != 0)
            language_set((enum language)(settings.language - 1));
        result = run_subcommand(subcommand, &settings, &sources, argv[0]);
    } else {
        refuse_settings(subcommand, &settings, &sources,
                        message.len > 0 ? buf_string(&message) : status_text(status));
        original_keep(false);
    }
    buf_deinit(&message);
    option_sources_deinit(&sources);
    settings_deinit(&settings);
    return result;
}

static int refuse_words(void)
{
    show_error("nbatch help explains one command, topic or word; nbatch --help lists them");
    return EXIT_USAGE;
}

/* nbatch help rate, nbatch help in_doubt, nbatch help E-IMEI, nbatch help 5106 … */
static int explain_word(const char *word)
{
    struct buf text;

    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return print_overview();
    buf_init_text(&text, 1024 * 1024);
    if (help_add_word(word, &text))
        return print(&text);
    buf_clear(&text);
    glossary_add_nearest(word, &text);
    if (text.len > 0)
        show_error("%s is no word of nbatch's; did you mean nbatch help %s?", word,
                   buf_string(&text));
    else
        show_error("%s is no word of nbatch's: nbatch help explains a command, a topic, an option "
                   "(nbatch help rate), a status (in_doubt), a column, a code (E-IMEI) or an errno "
                   "(5106)",
                   word);
    buf_deinit(&text);
    return EXIT_USAGE;
}

/* A manual page is roff: on a terminal man shows it. */
static int show_manual(struct buf *page)
{
    if (isatty(STDOUT_FILENO) != 1)
        return print(page);
    (void)signal(SIGPIPE, SIG_IGN); /* man may be left early, or not be there */
    FILE *man = popen("man -l - 2>/dev/null", "w");
    bool is_open = man != NULL;
    if (is_open)
        (void)!fwrite(page->ptr, 1, page->len, man);
    int ended = is_open ? pclose(man) : -1;
    buf_deinit(page);
    if (ended == 0)
        return EXIT_ALL_ACCEPTED;
    show_error("man could not show the page (it comes with the package man-db); nbatch help man > "
               "nbatch.1 writes it to a file, and nbatch help lists shorter texts");
    return EXIT_INTERNAL;
}

/* nbatch help TOPIC [WORD] */
static int explain(const struct help_topic *topic, const char *word)
{
    struct buf text;

    buf_init_text(&text, 1024 * 1024);
    if (topic->add(word, &text))
        return topic->add == man_add_page ? show_manual(&text) : print(&text);
    buf_deinit(&text);
    return word != NULL ? explain_word(word) : EXIT_INTERNAL;
}

/* nbatch help [COMMAND|TOPIC [WORD]|OPTION|CODE|ERRNO] */
static int help(int argc, char **argv)
{
    enum subcommand subcommand;

    if (argc == 0)
        return print_overview();
    const struct help_topic *topic = help_topic_find(argv[0]);
    if (topic != NULL && argc <= 2)
        return explain(topic, argc == 2 ? argv[1] : NULL);
    if (argc == 1 && subcommand_find(argv[0], &subcommand))
        return print_help(subcommand);
    return argc == 1 ? explain_word(argv[0]) : refuse_words();
}

static int version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return print_version();
}

/* nbatch completion SHELL */
static int complete(int argc, char **argv)
{
    struct buf text;

    buf_init(&text, 1024 * 1024);
    if (argc == 1 && completion_add(argv[0], &text))
        return print(&text);
    buf_deinit(&text);
    show_error("which shell? nbatch completion bash, zsh or fish");
    return EXIT_USAGE;
}

/* nbatch template [ACTION] */
static int template(int argc, char **argv)
{
    enum action action = ACTION_WRITE;
    struct buf text;

    if (argc > 1 || (argc == 1 && !action_find(span_string(argv[0]), &action))) {
        show_error("a template of what? nbatch template write, read or execute");
        return EXIT_USAGE;
    }
    buf_init(&text, 64 * 1024);
    column_help_add_template(action, &text);
    return print(&text);
}

/* nbatch __complete WORD…: what the scripts of nbatch completion ask. */
static int complete_words(int argc, char **argv)
{
    struct buf text;

    buf_init(&text, 1024 * 1024);
    completion_add_candidates(argc, (const char *const *)argv, &text);
    return print(&text);
}

/* The words that are no subcommand, since they take no options. */
static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} words[] = {{"help", help},         {"--help", help},         {"-h", help},
             {"template", template}, {"version", version},     {"--version", version},
             {"-V", version},        {"completion", complete}, {"__complete", complete_words}};

int cli_main(int argc, char **argv)
{
    enum subcommand subcommand;

    privacy_protect_keys();
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    choose_language(&argc, argv);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a write says that the file is too large */
    if (argc < 2) {
        show_error("which command? nbatch run FILE, nbatch check FILE, nbatch simulate or nbatch "
                   "bench; nbatch --help lists all");
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (strcmp(argv[1], words[i].name) != 0)
            continue;
        end_with_the_reader();
        return words[i].run(argc - 2, argv + 2);
    }
    if (!subcommand_find(argv[1], &subcommand))
        return refuse_subcommand(argv[1]);
    return parse_and_run(subcommand, argc, argv);
}
