#include "ledger/results.h"
#include "run/use_cases.h"

enum { GIVEN_AT_ONCE = 64 * 1024 };

/* Lines on their way to standard output. Where some row has several, each line comes twice, and
 * counts the second time alone (results_each_current). */
struct printing {
    const struct run_settings *settings;
    const struct person *person;
    bool is_first; /* lines are only looked at */
    bool has_several;
    bool counts; /* the lines that come now do */
    struct buf out;
};

static enum status give(struct printing *printing)
{
    bool is_given = printing->out.status == STATUS_OK &&
                    person_give(printing->person, buf_span(&printing->out));

    buf_clear(&printing->out);
    return is_given ? STATUS_OK : STATUS_IO;
}

static enum status take_line(void *context, const struct result_fields *fields)
{
    struct printing *printing = context;
    const struct run_settings *settings = printing->settings;

    if (fields == NULL)
        printing->has_several = printing->counts = true;
    if (fields == NULL || printing->is_first || !printing->counts ||
        (settings->has_statuses && !settings->statuses[fields->status]) ||
        (settings->ambiguous && fields->ambiguous == 0))
        return STATUS_OK;
    buf_add(&printing->out, fields->line);
    return printing->out.len < GIVEN_AT_ONCE ? STATUS_OK : give(printing);
}

static enum status print_lines(struct printing *printing, struct results *results)
{
    printing->is_first = true;
    enum status status = results_each_current(results, NULL, NULL, take_line, printing);

    printing->is_first = false;
    printing->counts = !printing->has_several;
    if (status == STATUS_OK && !results->jsonl)
        buf_add(&printing->out, buf_span(&results->first));
    if (status == STATUS_OK)
        status = results_each_current(results, NULL, NULL, take_line, printing);
    return status == STATUS_OK ? give(printing) : status;
}

int run_results(const struct run_settings *settings, const struct person *person)
{
    struct printing printing = {.settings = settings, .person = person};
    struct results results;
    struct buf message;

    buf_init(&message, 64 * 1024);
    buf_init_data(&printing.out, 2 * (size_t)RESULT_LINE_MAX);
    enum status status = results_open(&results, &disk_real, settings->input, &message);
    if (status == STATUS_OK)
        status = print_lines(&printing, &results);
    if (status != STATUS_OK && message.len > 0)
        person_error(person, "%s", buf_string(&message));
    else if (status == STATUS_OK && results.is_cut)
        person_note(person, "%s: its last line is not whole, and is left out", settings->input);
    results_close(&results);
    buf_deinit(&printing.out);
    buf_deinit(&message);
    if (status == STATUS_OK)
        return EXIT_ALL_ACCEPTED;
    return status == STATUS_SYNTAX ? EXIT_INPUT_INVALID : EXIT_INTERNAL;
}
