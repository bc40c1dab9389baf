#include "command/problem.h"

#include <stdarg.h>

static const struct {
    const char *name;
    const char *remedy;
} codes[] = {
#define X(name, code, remedy) [PROBLEM_##name] = {(code), (remedy)},
    PROBLEM_MAP(X)
#undef X
};

const char *problem_code_name(enum problem_code code)
{
    return codes[code].name;
}

const char *problem_code_remedy(enum problem_code code)
{
    return codes[code].remedy;
}

bool problem_code_is_warning(enum problem_code code)
{
    return codes[code].name[0] == 'W';
}

void problems_init(struct problems *problems)
{
    *problems = (struct problems){.count = 0};
    buf_init(&problems->text, PROBLEMS_TEXT_MAX);
}

void problems_deinit(struct problems *problems)
{
    if (problems != NULL)
        buf_deinit(&problems->text);
}

void problems_clear(struct problems *problems, uint64_t row, uint64_t line)
{
    problems->row = row;
    problems->line = line;
    problems->count = 0;
    problems->error_count = 0;
    problems->warning_count = 0;
    buf_clear(&problems->text);
}

void problem_add(struct problems *problems, enum problem_code code, struct span field,
                 struct span value, const char *format, ...)
{
    if (problem_code_is_warning(code) && !problems->strict)
        problems->warning_count++;
    else
        problems->error_count++;
    if (problems->count == PROBLEMS_PER_ROW_MAX)
        return;

    char message[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (len < 0)
        len = 0;
    size_t message_len = (size_t)len < sizeof(message) ? (size_t)len : sizeof(message) - 1;

    struct buf *text = &problems->text;
    struct problem problem = {.code = code, .line = problems->line};
    problem.field_at = text->len;
    buf_add_printable(text, field);
    problem.field_len = text->len - problem.field_at;
    problem.message_at = text->len;
    buf_add_printable(text, span_of(message, message_len));
    problem.message_len = text->len - problem.message_at;
    problem.value_at = text->len;
    buf_add(text,
            span_of(value.ptr, value.len < PROBLEM_VALUE_MAX ? value.len : PROBLEM_VALUE_MAX));
    problem.value_len = text->len - problem.value_at;
    problems->items[problems->count++] = problem;
}

bool problem_is_warning(const struct problems *problems, const struct problem *problem)
{
    return problem_code_is_warning(problem->code) && !problems->strict;
}

struct span problem_field(const struct problems *problems, const struct problem *problem)
{
    return span_of(problems->text.ptr + problem->field_at, problem->field_len);
}

struct span problem_message(const struct problems *problems, const struct problem *problem)
{
    return span_of(problems->text.ptr + problem->message_at, problem->message_len);
}

struct span problem_value(const struct problems *problems, const struct problem *problem)
{
    return span_of(problems->text.ptr + problem->value_at, problem->value_len);
}

enum problem_code problems_first_error(const struct problems *problems)
{
    size_t i = 0;

    while (i + 1 < problems->count && problem_is_warning(problems, &problems->items[i]))
        i++;
    return problems->items[i].code;
}

void problems_describe(const struct problems *problems, struct buf *out)
{
    const char *separator = "";

    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        if (problem_is_warning(problems, problem))
            continue;
        buf_add_string(out, separator);
        if (problem->field_len > 0) {
            buf_add(out, problem_field(problems, problem));
            buf_add_string(out, ": ");
        }
        buf_add(out, problem_message(problems, problem));
        buf_add_format(out, " [%s]", problem_code_name(problem->code));
        separator = "; ";
    }
}
