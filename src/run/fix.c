#include "run/fix.h"

#include <string.h>

#include "run/exit_status.h"

void fix_deinit(struct fix *fix)
{
    diagnosis_deinit(&fix->diagnosis);
}

/* Looks what it takes to read the input; false where there is nothing to be said of that. */
static bool diagnose(const struct run_settings *settings, struct diagnosis *diagnosis)
{
    const struct diagnosis_given given = {.path = settings->input,
                                          .sheet = settings->sheet,
                                          .encoding = settings->encoding,
                                          .format = settings->format,
                                          .delimiter = settings->delimiter,
                                          .header_line = (uint64_t)settings->header_line,
                                          .sets = &settings->sets,
                                          .maps = &settings->maps,
                                          .passes = &settings->passes,
                                          .trues = &settings->trues,
                                          .falses = &settings->falses};

    *diagnosis = (struct diagnosis){.count = 0};
    return strcmp(settings->input, "-") != 0 && diagnosis_find(&given, diagnosis) == STATUS_OK &&
           diagnosis->findings.len + diagnosis->unknown.len > 0;
}

/* Each line of a list, indented. */
static void add_list(struct span lines, struct buf *out)
{
    while (lines.len > 0) {
        const char *end = memchr(lines.ptr, '\n', lines.len);
        size_t len = end != NULL ? (size_t)(end - lines.ptr) : lines.len;
        buf_add_format(out, "\n  - %.*s", (int)len, lines.ptr);
        lines = span_skip(lines, len + (end != NULL));
    }
}

/* What was found, then what only a person knows, and last the command that goes by it. */
static void add_diagnosis(const struct person *person, const struct diagnosis *diagnosis,
                          struct buf *out)
{
    add_list(buf_span(&diagnosis->findings), out);
    if (diagnosis->unknown.len > 0)
        buf_add_string(out, "\nwhat only you know goes in place of the dots:");
    add_list(buf_span(&diagnosis->unknown), out);
    if (diagnosis->count == 0 || person->ops->fixed_command == NULL)
        return;
    if (diagnosis->is_complete)
        buf_add_string(out, "\nthis command reads it:");
    buf_add_string(out, "\n    ");
    person->ops->fixed_command(person, diagnosis, out);
}

/* The codes of the problems that a diagnosis is about. */
static void add_header_codes(const uint32_t codes[PROBLEM_CODE_COUNT], struct buf *out)
{
    for (size_t i = 0; i < PROBLEM_CODE_COUNT; i++)
        if (codes[i] > 0)
            buf_add_format(out, " [%s]", problem_code_name((enum problem_code)i));
}

bool fix_knows_format(const struct run_settings *settings)
{
    enum input_format format;

    return settings->format > 0 || reader_format_of(settings->input, &format) ||
           reader_is_spreadsheet(settings->input);
}

void fix_add_format(const struct run_settings *settings, const struct person *person,
                    struct buf *message)
{
    struct diagnosis diagnosis = {.count = 0};

    if (fix_knows_format(settings))
        return;
    if (diagnose(settings, &diagnosis) && diagnosis.count > 0)
        add_diagnosis(person, &diagnosis, message);
    diagnosis_deinit(&diagnosis);
}

bool fix_is_of_header(struct fix *fix, const struct problems *problems)
{
    if (problems->row > 0 || problems->error_count == 0 || fix->has_rows || fix->is_diagnosed)
        return false;
    fix->is_diagnosed = diagnose(fix->settings, &fix->diagnosis);
    if (fix->is_diagnosed)
        memcpy(fix->codes, problems->counts, sizeof(fix->codes));
    else
        diagnosis_deinit(&fix->diagnosis);
    return fix->is_diagnosed;
}

/* Whether rows show that the encoding is another one than the header let on. */
static bool may_be_misread(const struct run_settings *settings, const struct check_counts *counts)
{
    return counts->codes[PROBLEM_UTF8] > 0 || counts->codes[PROBLEM_NUL] > 0 ||
           (settings->encoding != NULL && counts->codes[PROBLEM_INVISIBLE] > 0);
}

enum status fix_take_rows(struct fix *fix, const struct intake *intake,
                          const struct check_counts *counts)
{
    struct diagnosis *diagnosis = &fix->diagnosis;
    struct buf trues, falses;

    if (!fix->is_diagnosed && may_be_misread(fix->settings, counts))
        fix->is_diagnosed = diagnose(fix->settings, diagnosis);
    if (fix->is_diagnosed || counts->is_unreadable)
        return STATUS_OK;
    diagnosis_deinit(diagnosis);
    diagnosis_init(diagnosis);
    buf_init(&trues, 64 * 1024);
    buf_init(&falses, 64 * 1024);
    intake_add_words(intake, true, &trues);
    intake_add_words(intake, false, &falses);
    enum status status = diagnosis_add_words(diagnosis, buf_span(&trues), buf_span(&falses));
    buf_deinit(&trues);
    buf_deinit(&falses);
    diagnosis->is_complete = true;
    return status;
}

void fix_show(const struct fix *fix)
{
    const struct person *person = fix->person;
    struct buf text;

    if (!fix->is_diagnosed || fix->settings->fix)
        return;
    buf_init_text(&text, 256 * 1024);
    buf_add_printable(&text, span_string(fix->input));
    buf_add_string(&text, ": cannot be read as it is");
    add_header_codes(fix->codes, &text);
    buf_add_char(&text, ':');
    add_diagnosis(person, &fix->diagnosis, &text);
    person->ops->tell(person, TELL_NOTE, buf_string(&text));
    buf_deinit(&text);
}

void fix_show_words(const struct fix *fix)
{
    const struct person *person = fix->person;
    struct buf text;

    if (fix->is_diagnosed || fix->diagnosis.count == 0 || person->ops->fixed_command == NULL)
        return;
    buf_init_text(&text, 256 * 1024);
    person->ops->fixed_command(person, &fix->diagnosis, &text);
    person_note(person, "this command sends the words as booleans:\n    %s", buf_string(&text));
    buf_deinit(&text);
}

int fix_give(struct fix *fix, bool is_unreadable)
{
    const struct person *person = fix->person;
    struct diagnosis *diagnosis = &fix->diagnosis;
    struct buf text;

    buf_init_text(&text, 256 * 1024);
    if (is_unreadable && !fix->is_diagnosed) {
        person_error(person, "%s: no options are known by which it can be read", fix->input);
    } else if (fix->is_diagnosed && !diagnosis->is_complete) {
        add_diagnosis(person, diagnosis, &text);
        person_error(person, "%s: cannot be read as it is:%s", fix->input, buf_string(&text));
    } else {
        person->ops->fixed_command(person, diagnosis, &text);
        buf_add_char(&text, '\n');
        bool is_given = text.status == STATUS_OK && person_give(person, buf_span(&text));
        buf_deinit(&text);
        return is_given ? 0 : EXIT_INTERNAL;
    }
    buf_deinit(&text);
    return EXIT_INPUT_INVALID;
}

int fix_give_format(const struct run_settings *settings, const struct person *person)
{
    struct fix fix = {.settings = settings, .person = person, .input = settings->input};

    fix.is_diagnosed = diagnose(settings, &fix.diagnosis);
    int result = fix_give(&fix, true);
    diagnosis_deinit(&fix.diagnosis);
    return result;
}
