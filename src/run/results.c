#include "ledger/results.h"
#include "ledger/outfile.h"
#include "run/outputs.h"
#include "run/use_cases.h"

/* Lines on their way to a file, or to standard output. Where some row has several, each line comes
 * twice, and counts the second time alone (results_each_current). */
struct printing {
    const struct run_settings *settings;
    bool is_first; /* lines are only looked at */
    bool has_several;
    bool counts; /* the lines that come now do */
    struct outfile file;
};

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
    buf_add(&printing->file.out, fields->line);
    return outfile_settle(&printing->file);
}

static enum status print_lines(struct printing *printing, struct results *results)
{
    printing->is_first = true;
    enum status status = results_each_current(results, NULL, NULL, take_line, printing);

    printing->is_first = false;
    printing->counts = !printing->has_several;
    if (status == STATUS_OK && !results->jsonl)
        buf_add(&printing->file.out, buf_span(&results->first));
    if (status == STATUS_OK)
        status = results_each_current(results, NULL, NULL, take_line, printing);
    return status;
}

/* Lines are given as they are, and so the file has to be of the same kind. */
static enum status print_to(struct printing *printing, struct results *results, struct buf *message)
{
    static const struct outfile_kind kind = {"file", "--output"};
    const char *output = printing->settings->output, *path = output != NULL ? output : "-";

    if (strcmp(path, "-") != 0 && outfile_is_jsonl(path) != results->jsonl) {
        buf_add_format(message, "--output %s: the results are %s, and are given as they are", path,
                       results->jsonl ? "JSONL (.jsonl)" : "CSV");
        return STATUS_USAGE;
    }
    enum status status = outfile_create(&printing->file, &disk_real, path, &kind, message);
    if (status == STATUS_OK)
        status = print_lines(printing, results);
    if (outfile_close(&printing->file) != STATUS_OK) {
        status = STATUS_IO;
        buf_clear(message);
        buf_add_string(message, outfile_error(&printing->file));
    }
    outfile_deinit(&printing->file);
    return status;
}

int run_results(const struct run_settings *settings, const struct person *person)
{
    struct printing printing = {.settings = settings};
    struct results results;
    struct buf message;

    if (outputs_check(settings, settings->output, person) != 0)
        return EXIT_USAGE;
    buf_init_text(&message, 64 * 1024);
    enum status status = results_open(&results, &disk_real, settings->input, &message);
    bool is_open = status == STATUS_OK;
    if (is_open)
        status = print_to(&printing, &results, &message);
    if (status != STATUS_OK && message.len > 0)
        person_error(person, "%s", buf_string(&message));
    else if (status == STATUS_OK && results.is_cut)
        person_note(person, "%s: its last line is not whole, and is left out", settings->input);
    results_close(&results);
    buf_deinit(&message);
    if (status == STATUS_OK)
        return EXIT_ALL_ACCEPTED;
    if (status == STATUS_SYNTAX)
        return EXIT_INPUT_INVALID;
    bool is_refused = !is_open || status == STATUS_USAGE || status == STATUS_EXISTS;
    return is_refused ? EXIT_USAGE : EXIT_INTERNAL;
}
