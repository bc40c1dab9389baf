#include "cli/show.h"

#include <stdarg.h>

static void show_line(const char *prefix, const char *format, va_list args)
{
    (void)fputs(prefix, stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
}

void show_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    show_line("nbatch: ", format, args);
    va_end(args);
}

void show_note(bool quiet, const char *format, ...)
{
    va_list args;

    if (quiet)
        return;
    va_start(args, format);
    show_line("", format, args);
    va_end(args);
}

/* fleet.csv:1042: retry: 11 is outside 0–10 [E-RANGE] */
static void show_problem(const char *input, const struct problems *problems,
                         const struct problem *problem)
{
    struct span field = problem_field(problems, problem);
    struct span message = problem_message(problems, problem);

    (void)fprintf(stderr, "%s:%llu: %s%.*s%s%.*s [%s]\n", input, (unsigned long long)problem->line,
                  problem_code_is_warning(problem->code) ? "warning: " : "", SPAN_ARG(field),
                  field.len > 0 ? ": " : "", SPAN_ARG(message), problem_code_name(problem->code));
}

void show_problems(void *context, const struct problems *problems)
{
    struct problem_show *show = context;

    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        show->counts[problem->code]++;
        if (show->quiet && problem_code_is_warning(problem->code))
            continue;
        if (show->shown++ < SHOW_PROBLEMS_MAX)
            show_problem(show->input, problems, problem);
    }
}

void show_problem_counts(const struct problem_show *show)
{
    if (show->shown == 0)
        return;
    if (show->shown > SHOW_PROBLEMS_MAX)
        (void)fprintf(stderr, "… and %llu more\n",
                      (unsigned long long)(show->shown - SHOW_PROBLEMS_MAX));
    for (size_t i = 0; i < PROBLEM_CODE_COUNT; i++) {
        enum problem_code code = (enum problem_code)i;
        if (show->counts[i] > 0 && !(show->quiet && problem_code_is_warning(code)))
            (void)fprintf(stderr, "  %-16s %8llu  %s\n", problem_code_name(code),
                          (unsigned long long)show->counts[i], problem_code_remedy(code));
    }
}
