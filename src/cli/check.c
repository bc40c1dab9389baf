#include <errno.h>
#include <time.h>

#include "cli/show.h"
#include "cli/subcommands.h"
#include "job/check.h"

int cli_open_intake(const struct settings *settings, struct intake **ret_intake)
{
    struct intake_options options = {
        .path = settings->input,
        .encoding = settings->encoding,
        .max_row_bytes = (size_t)settings->max_row_bytes,
        .now_s = (int64_t)time(NULL),
    };
    struct buf message;

    if (settings->format != NULL) {
        options.has_format = true;
        options.format = strcmp(settings->format, "jsonl") == 0 ? INPUT_JSONL : INPUT_CSV;
        if (strcmp(settings->format, "jsonl") != 0 && strcmp(settings->format, "csv") != 0) {
            show_error("--format %s: must be csv or jsonl", settings->format);
            return EXIT_USAGE;
        }
    }
    if (settings->delimiter != NULL &&
        !reader_delimiter_of(settings->delimiter, &options.delimiter)) {
        show_error("--delimiter %s: must be one ASCII character that is no letter, digit, space or "
                   "double quote, or comma, semicolon, tab, pipe",
                   settings->delimiter);
        return EXIT_USAGE;
    }
    buf_init(&message, 64 * 1024);
    enum status status = intake_open(&options, &message, ret_intake);
    if (status != STATUS_OK)
        show_error("%s", message.len > 0 ? buf_string(&message) : status_text(status));
    buf_deinit(&message);
    if (status == STATUS_OK)
        return 0;
    return status == STATUS_USAGE ? EXIT_USAGE : EXIT_INTERNAL;
}

int cli_check_input(struct intake *intake, const struct settings *settings,
                    struct check_counts *ret_counts)
{
    const char *name = source_name(intake_source(intake));
    struct problem_show show = {.input = name, .quiet = settings->quiet};
    struct check_counts counts = {.rows = 0};
    enum status status = job_check(intake, show_problems, &show, &counts);

    if (status != STATUS_OK && status != STATUS_BAD_INPUT) {
        show_error("%s: %s", name, status == STATUS_IO ? strerror(errno) : status_text(status));
        return EXIT_INTERNAL;
    }
    show_problem_counts(&show);
    if (!counts.file_is_bad)
        show_note(settings->quiet, "%s: %llu rows, %llu valid, %llu invalid, %llu warnings", name,
                  (unsigned long long)counts.rows, (unsigned long long)counts.valid,
                  (unsigned long long)counts.invalid, (unsigned long long)counts.warnings);
    *ret_counts = counts;
    return counts.file_is_bad || counts.invalid > 0 ? EXIT_INPUT_INVALID : 0;
}

static int print_json(const char *name, const struct check_counts *counts, int exit_status)
{
    struct buf out;

    buf_init(&out, 64 * 1024);
    buf_add_string(&out, "{\"command\":\"check\",\"input\":");
    buf_add_json_string(&out, span_string(name));
    buf_add_format(&out, ",\"rows\":%llu,\"valid\":%llu,\"invalid\":%llu,\"warnings\":%llu",
                   (unsigned long long)counts->rows, (unsigned long long)counts->valid,
                   (unsigned long long)counts->invalid, (unsigned long long)counts->warnings);
    buf_add_format(&out, ",\"usable\":%s,\"exit_status\":%d}",
                   counts->file_is_bad ? "false" : "true", exit_status);
    bool written = puts(buf_string(&out)) >= 0 && fflush(stdout) == 0;
    buf_deinit(&out);
    return written ? exit_status : EXIT_INTERNAL;
}

int cli_check(const struct settings *settings)
{
    struct intake *intake = NULL;
    struct check_counts counts = {.rows = 0};
    int result = cli_open_intake(settings, &intake);

    if (result == 0) {
        result = cli_check_input(intake, settings, &counts);
        if (settings->json && result != EXIT_INTERNAL)
            result = print_json(source_name(intake_source(intake)), &counts, result);
    }
    intake_close(intake);
    return result;
}
