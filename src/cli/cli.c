#include "cli/cli.h"

#include <locale.h>
#include <signal.h>
#include <unistd.h>

#include "cli/show.h"
#include "cli/subcommands.h"
#include "command/json.h"
#include "command/problem.h"

static int print(struct buf *text)
{
    bool written = text->status == STATUS_OK &&
                   fwrite(text->ptr, 1, text->len, stdout) == text->len && fflush(stdout) == 0;
    buf_deinit(text);
    return written ? EXIT_ALL_ACCEPTED : EXIT_INTERNAL;
}

static int print_version(void)
{
    return printf("nbatch %s\n", NBATCH_VERSION) > 0 && fflush(stdout) == 0 ? EXIT_ALL_ACCEPTED
                                                                            : EXIT_INTERNAL;
}

static int print_help(enum subcommand subcommand)
{
    struct buf text;
    buf_init(&text, 1024 * 1024);
    options_add_help(subcommand, &text);
    return print(&text);
}

/* Every code that a check can give, with what to do. */
static int print_problems(void)
{
    struct buf text;

    buf_init(&text, 1024 * 1024);
    for (size_t i = 0; i < PROBLEM_CODE_COUNT; i++)
        buf_add_format(&text, "%-16s  %s\n", problem_code_name((enum problem_code)i),
                       problem_code_remedy((enum problem_code)i));
    return print(&text);
}

static int print_overview(void)
{
    struct buf text;
    buf_init(&text, 1024 * 1024);
    options_add_overview(&text);
    return print(&text);
}

static int refuse_subcommand(const char *word)
{
    const char *nearest = subcommand_nearest(word);

    if (access(word, R_OK) == 0)
        show_error("say what to do with %s: nbatch run %s, or nbatch check %s", word, word, word);
    else if (nearest != NULL)
        show_error("unknown command %s; did you mean nbatch %s?", word, nearest);
    else
        show_error("unknown command %s; nbatch --help lists them", word);
    return EXIT_USAGE;
}

static enum status set_sim_config(void *context, struct span name, struct span value,
                                  struct buf *message)
{
    return sim_config_set(context, name, value, message);
}

static int run_subcommand(enum subcommand subcommand, const struct settings *settings,
                          const struct sim_config *sim)
{
    if (settings->help)
        return print_help(subcommand);
    if (settings->version)
        return print_version();
    if (subcommand == COMMAND_SIMULATE)
        return cli_simulate(settings, sim);
    if (subcommand == COMMAND_BENCH)
        return cli_bench(settings);
    if (settings->input == NULL && !settings->explain_retries) {
        show_error(
            "which input? nbatch %s FILE, or - for standard input; nbatch %s --help says more",
            subcommand == COMMAND_RUN ? "run" : "check",
            subcommand == COMMAND_RUN ? "run" : "check");
        return EXIT_USAGE;
    }
    return subcommand == COMMAND_CHECK || settings->dry_run ? cli_check(settings)
                                                            : cli_run(settings);
}

static int parse_and_run(enum subcommand subcommand, int argc, char **argv)
{
    struct sim_config sim;
    struct settings settings;
    struct buf message;
    struct parse_request request = {.subcommand = subcommand,
                                    .argc = argc,
                                    .argv = argv,
                                    .sim_setting = set_sim_config,
                                    .sim_context = &sim};

    sim_config_init(&sim);
    buf_init(&message, 64 * 1024);
    int result = EXIT_USAGE;
    if (options_parse(&request, &message, &settings) == STATUS_OK)
        result = run_subcommand(subcommand, &settings, &sim);
    else
        show_error("%s", buf_string(&message));
    buf_deinit(&message);
    sim_config_deinit(&sim);
    return result;
}

/* nbatch help [TOPIC] */
static int help(int argc, char **argv)
{
    enum subcommand subcommand;

    if (argc == 0)
        return print_overview();
    if (strcmp(argv[0], "problems") == 0)
        return print_problems();
    if (subcommand_find(argv[0], &subcommand))
        return print_help(subcommand);
    show_error("there is help for run, check, simulate, bench and problems, not for %s", argv[0]);
    return EXIT_USAGE;
}

int cli_main(int argc, char **argv)
{
    enum subcommand subcommand;

    (void)setlocale(LC_CTYPE, "C.UTF-8");
    (void)signal(SIGPIPE, SIG_IGN);
    json_use_arena();
    if (argc < 2) {
        show_error("what shall be done? nbatch run FILE, nbatch check FILE, nbatch simulate or "
                   "nbatch bench; nbatch --help says more");
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "help") == 0)
        return help(argc - 2, argv + 2);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_overview();
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
        return print_version();
    if (!subcommand_find(argv[1], &subcommand))
        return refuse_subcommand(argv[1]);
    return parse_and_run(subcommand, argc - 2, argv + 2);
}
