#include "platform/problem.h"

#include <assert.h>
#include <stdarg.h>
#include <xxhash.h>

#include "core/retranslate.h"
#include "core/text.h"

enum { MESSAGE_MAX = 512 }; /* bytes */

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

bool problem_code_passes(enum problem_code code)
{
    return code == PROBLEM_QUEUE || code == PROBLEM_DEVICE || code == PROBLEM_UNASKED ||
           code == PROBLEM_NOT_IN;
}

/* The row's own words are in front of the code, and may look like one. */
bool problem_reason_passes(struct span reason)
{
    char end[32];

    for (size_t i = 0; i < PROBLEM_CODE_COUNT; i++) {
        int len = snprintf(end, sizeof(end), " [%s]", codes[i].name);
        if (problem_code_passes((enum problem_code)i) && reason.len > (size_t)len &&
            memcmp(reason.ptr + (reason.len - (size_t)len), end, (size_t)len) == 0)
            return true;
    }
    return false;
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

size_t problems_total(const struct problems *problems)
{
    return problems->error_count + problems->warning_count;
}

void problems_clear(struct problems *problems, uint64_t row, uint64_t line)
{
    if (problems_total(problems) > 0)
        memset(problems->counts, 0, sizeof(problems->counts));
    problems->row = row;
    problems->line = line;
    problems->count = 0;
    problems->error_count = 0;
    problems->warning_count = 0;
    problems->doubt_count = 0;
    problems->first_doubt[0] = '\0';
    problems->name = 0;
    buf_clear(&problems->text);
}

/* Takes the last warning off the list; false where there is none. */
static bool drop_warning(struct problems *problems)
{
    struct problem *items = problems->items;
    size_t i = problems->count;

    while (i > 0 && !problem_is_warning(problems, &items[i - 1]))
        i--;
    if (i == 0)
        return false;
    problems->count--;
    memmove(&items[i - 1], &items[i], (problems->count - (i - 1)) * sizeof(*items));
    return true;
}

static struct span cut_value(struct span value)
{
    return span_of(value.ptr, value.len < PROBLEM_VALUE_MAX ? value.len : PROBLEM_VALUE_MAX);
}

static void add_to_name(struct problems *problems, enum problem_code code, struct span field,
                        struct span value)
{
    const char *name = problem_code_name(code);
    size_t at = problems->text.len;

    buf_add_printable(&problems->text, span_of(field.ptr, text_cut(field, PROBLEM_FIELD_MAX)));
    problems->name = XXH3_64bits_withSeed(name, strlen(name), problems->name);
    if (problems->text.len > at)
        problems->name =
            XXH3_64bits_withSeed(problems->text.ptr + at, problems->text.len - at, problems->name);
    else
        problems->name = XXH3_64bits_withSeed("", 0, problems->name);
    problems->name = XXH3_64bits_withSeed(value.ptr, cut_value(value).len, problems->name);
    problems->text.len = at;
}

/* The verdict, which the list has no part in; returns whether the problem has a place there. */
static bool count_problem(struct problems *problems, enum problem_code code, struct span field,
                          struct span value)
{
    bool is_error = !problem_code_is_warning(code) || problems->strict;

    problems->counts[code]++;
    if (!is_error) {
        problems->warning_count++;
        return problems->count < PROBLEMS_PER_ROW_MAX;
    }
    if (problems->error_count++ == 0)
        problems->first_error = code;
    if (problems->error_count <= PROBLEMS_NAMING)
        add_to_name(problems, code, field, value);
    return problems->count < PROBLEMS_PER_ROW_MAX || drop_warning(problems);
}

/* Cuts a message that did not fit where a character ends, and shows that it goes on. */
static size_t cut_message(char *message)
{
    static const char more[] = "\xe2\x80\xa6";
    size_t len = text_cut(span_of(message, MESSAGE_MAX - 1), MESSAGE_MAX - sizeof(more));

    memcpy(message + len, more, sizeof(more));
    return len + sizeof(more) - 1;
}

/* A message as it is shown; returns its length. */
static size_t write_message(char message[MESSAGE_MAX], const char *format, va_list args)
    PRINTF_LIKE(2, 0);

static size_t write_message(char message[MESSAGE_MAX], const char *format, va_list args)
{
    int len = vsnprintf(message, MESSAGE_MAX, format, args);

    if (len < 0)
        return 0;
    return (size_t)len < MESSAGE_MAX ? (size_t)len : cut_message(message);
}

/* The same in the language that is set; `plain` where that is English. */
static struct span translate(struct buf *buf, struct span plain, const char *format, va_list args)
    PRINTF_LIKE(3, 0);

static struct span translate(struct buf *buf, struct span plain, const char *format, va_list args)
{
    buf_init_text(buf, PROBLEMS_TEXT_MAX);
    if (!language_is_foreign)
        return plain;
    if (strcmp(format, "%s") == 0)
        retranslate(plain, buf); /* it was put together elsewhere, in English */
    else
        buf_add_format_list(buf, format, args);
    return span_of(buf->ptr, text_cut(buf_span(buf), MESSAGE_MAX - 1));
}

static void add_to_list(struct problems *problems, enum problem_code code, struct span field,
                        struct span value, struct span message, struct span shown)
{
    struct buf *text = &problems->text;
    struct problem problem = {.code = code, .line = problems->line};

    problem.field_at = text->len;
    buf_add_printable(text, span_of(field.ptr, text_cut(field, PROBLEM_FIELD_MAX)));
    problem.field_len = text->len - problem.field_at;
    problem.message_at = text->len;
    buf_add_printable(text, message);
    problem.message_len = text->len - problem.message_at;
    problem.shown_at = shown.ptr == message.ptr ? problem.message_at : text->len;
    if (shown.ptr != message.ptr)
        buf_add_printable(text, shown);
    problem.shown_len =
        shown.ptr == message.ptr ? problem.message_len : text->len - problem.shown_at;
    problem.value_at = text->len;
    buf_add(text, cut_value(value));
    problem.value_len = text->len - problem.value_at;
    problems->items[problems->count++] = problem;
}

void problem_add(struct problems *problems, enum problem_code code, struct span field,
                 struct span value, const char *format, ...)
{
    char message[MESSAGE_MAX];
    struct buf translation;
    va_list args, again;

    if (!count_problem(problems, code, field, value))
        return;
    va_start(args, format);
    va_copy(again, args);
    struct span plain = span_of(message, write_message(message, format, args));
    add_to_list(problems, code, field, value, plain, translate(&translation, plain, format, again));
    buf_deinit(&translation);
    va_end(again);
    va_end(args);
}

static void keep_first_doubt(struct problems *problems, struct span field, struct span message)
{
    struct buf words;

    buf_init(&words, 2 * PROBLEM_FIELD_MAX);
    buf_add(&words, span_of(field.ptr, text_cut(field, PROBLEM_DOUBT_MAX / 8)));
    buf_add_string(&words, ": ");
    buf_add(&words, message);
    buf_copy_printable(problems->first_doubt, PROBLEM_DOUBT_MAX, buf_span(&words));
    buf_deinit(&words);
}

void problem_add_doubt(struct problems *problems, enum problem_code code, struct span field,
                       struct span value, const char *format, ...)
{
    char text[MESSAGE_MAX];
    struct buf translation;
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    struct span message = span_of(text, write_message(text, format, args));
    struct span shown = translate(&translation, message, format, again);
    if (problems->doubt_count++ == 0)
        keep_first_doubt(problems, field, shown);
    if (count_problem(problems, code, field, value))
        add_to_list(problems, code, field, value, message, shown);
    buf_deinit(&translation);
    va_end(again);
    va_end(args);
}

size_t problems_unlisted(const struct problems *problems, enum problem_code code)
{
    size_t listed = 0;

    if (problems_total(problems) == problems->count)
        return 0;
    for (size_t i = 0; i < problems->count; i++)
        listed += problems->items[i].code == code;
    return problems->counts[code] - listed;
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

struct span problem_shown(const struct problems *problems, const struct problem *problem)
{
    return span_of(problems->text.ptr + problem->shown_at, problem->shown_len);
}

struct span problem_value(const struct problems *problems, const struct problem *problem)
{
    return span_of(problems->text.ptr + problem->value_at, problem->value_len);
}

enum problem_code problems_first_error(const struct problems *problems)
{
    assert(problems->error_count > 0);
    return problems->first_error;
}

void problems_describe(const struct problems *problems, struct buf *out)
{
    const char *separator = "";
    size_t described = 0;

    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        if (problem_is_warning(problems, problem))
            continue;
        described++;
        buf_add_string(out, separator);
        if (problem->field_len > 0) {
            buf_add(out, problem_field(problems, problem));
            buf_add_string(out, ": ");
        }
        buf_add(out, problem_message(problems, problem));
        buf_add_format(out, " [%s]", problem_code_name(problem->code));
        separator = "; ";
    }
    if (described < problems->error_count)
        buf_add_format(out, "; and %zu more", problems->error_count - described);
}
