#include "cli/show.h"

#include <errno.h>
#include <stdarg.h>

#include "cli/color.h"
#include "cli/console.h"
#include "core/figure.h"
#include "core/redact.h"

enum { SHOWN_MAX_BYTES = 4 * 1024 * 1024 };

/* A message may have lines; any other control character is one of a name or an argument. */
static void add_lines(struct span text, struct buf *out)
{
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;
        buf_add_printable(out, span_of(text.ptr, len));
        if (end != NULL)
            buf_add_char(out, '\n');
        text = span_skip(text, len + (end != NULL));
    }
}

static bool notes_on_stdout, notes_are_lost, reader_is_gone;

void show_notes_on_stdout(void)
{
    notes_on_stdout = true;
}

bool show_notes_are_written(void)
{
    return !notes_are_lost;
}

static void write_note(struct span line)
{
    if (!notes_on_stdout)
        console_write(line, CONSOLE_KEPT);
    else if (!notes_are_lost)
        notes_are_lost = !show_data(line);
}

static void show_line(const char *prefix, enum console_kind kind, bool hides_secrets,
                      const char *format, va_list args)
{
    bool has_color = prefix[0] != '\0' && color(COLOR_BAD)[0] != '\0' && color_has_terminal();
    bool is_note = prefix[0] == '\0' && kind == CONSOLE_KEPT;
    struct buf line, text;

    buf_init_text(&line, SHOWN_MAX_BYTES);
    buf_init_text(&text, SHOWN_MAX_BYTES);
    buf_add_format(&line, "%s%s%s", has_color ? color(COLOR_BAD) : "", prefix,
                   has_color ? color(COLOR_PLAIN) : "");
    buf_add_format_list(&text, format, args);
    if (hides_secrets)
        redact_text(text.ptr, &text.len, REDACT_MIN);
    add_lines(buf_span(&text), &line);
    buf_add_char(&line, '\n');
    if (is_note)
        write_note(buf_span(&line));
    else
        console_write(buf_span(&line), kind);
    buf_deinit(&text);
    buf_deinit(&line);
}

void show_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    show_line("nbatch: ", CONSOLE_KEPT, true, format, args);
    va_end(args);
}

void show_note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    show_line("", CONSOLE_KEPT, false, format, args);
    va_end(args);
}

void show_passing(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    show_line("", CONSOLE_PASSING, true, format, args);
    va_end(args);
}

static bool write_out(struct span text)
{
    return fwrite(text.ptr, 1, text.len, stdout) == text.len && fflush(stdout) == 0;
}

bool show_data(struct span text)
{
    if (write_out(text))
        return true;
    reader_is_gone = reader_is_gone || errno == EPIPE;
    if (errno != EPIPE)
        show_error("standard output: what was asked for could not be written: %s", strerror(errno));
    return false;
}

bool show_reader_is_gone(void)
{
    return reader_is_gone;
}

/* fleet.csv:1042: retry: 11 is outside 0–10 [E-RANGE] */
static void show_problem(const char *input, const struct problems *problems,
                         const struct problem *problem)
{
    struct span field = problem_field(problems, problem);
    struct span message = problem_shown(problems, problem);
    bool warns = problem_is_warning(problems, problem);
    struct buf text;

    buf_init_text(&text, SHOWN_MAX_BYTES);
    buf_add_printable(&text, span_string(input));
    if (problem->line > 0)
        buf_add_format(&text, ":%llu", (unsigned long long)problem->line);
    buf_add_format(&text, ": %s%s%s", warns ? color(COLOR_CAUTION) : "", warns ? "warning: " : "",
                   warns ? color(COLOR_PLAIN) : "");
    buf_add_printable(&text, field);
    buf_add_string(&text, field.len > 0 ? ": " : "");
    buf_add_printable(&text, message);
    buf_add_format(&text, " [%s%s%s]\n", color(warns ? COLOR_CAUTION : COLOR_BAD),
                   problem_code_name(problem->code), color(COLOR_PLAIN));
    write_note(buf_span(&text));
    buf_deinit(&text);
}

/* Whether a problem is shown. A code that is everywhere must not hide the others; what concerns the
 * file is always shown. */
static bool is_shown(const struct problem_show *show, const struct problems *problems,
                     const struct problem *problem)
{
    if (show->quiet && problem_is_warning(problems, problem))
        return false;
    return problems->row == 0 || (show->counts[problem->code] < SHOW_PROBLEMS_PER_CODE &&
                                  show->shown < SHOW_PROBLEMS_MAX);
}

bool show_problems_is_needed(const struct problem_show *show, const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        if (is_shown(show, problems, &problems->items[i]))
            return true;
    return false;
}

/* Those that the list of a row had no place for. */
static void count_unlisted(struct problem_show *show, const struct problems *problems)
{
    if (problems_total(problems) == problems->count)
        return;
    for (size_t i = 0; i < PROBLEM_CODE_COUNT; i++) {
        enum problem_code code = (enum problem_code)i;
        if (show->quiet && problem_code_is_warning(code) && !problems->strict)
            continue;
        show->counts[i] += problems_unlisted(problems, code);
        show->total += problems_unlisted(problems, code);
    }
}

void show_problems(void *context, const struct problems *problems)
{
    struct problem_show *show = context;

    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        if (show->quiet && problem_is_warning(problems, problem))
            continue;
        bool shown = is_shown(show, problems, problem);
        show->counts[problem->code]++;
        show->total++;
        if (!shown)
            continue;
        show->shown++;
        show_problem(show->input, problems, problem);
    }
    count_unlisted(show, problems);
}

void show_problem_counts(const struct problem_show *show)
{
    if (show->total == 0)
        return;
    if (show->total > show->shown)
        show_note("… and %s more, which --problems FILE lists; all of them by code:",
                  figure(show->total - show->shown).text);
    for (size_t i = 0; i < PROBLEM_CODE_COUNT; i++) {
        enum problem_code code = (enum problem_code)i;
        if (show->counts[i] > 0)
            show_note("  %8s  %-16s  %s", figure(show->counts[i]).text, problem_code_name(code),
                      problem_code_remedy(code));
    }
}
