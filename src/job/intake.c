#include "job/intake.h"

#include <xxhash.h>

struct intake {
    struct intake_options options;
    struct source *source;
    struct reader *reader;
    struct schema schema;
    uint64_t rows;
};

static enum status find_format(const struct intake_options *options, struct buf *message,
                               enum input_format *ret_format)
{
    if (options->has_format) {
        *ret_format = options->format;
        return STATUS_OK;
    }
    if (reader_format_of(options->path, ret_format))
        return STATUS_OK;
    if (strcmp(options->path, "-") == 0) {
        buf_add_string(message,
                       "standard input: say what it is with --format csv or --format jsonl");
    } else {
        buf_add_printable(message, span_string(options->path));
        buf_add_string(message, ": its name ends neither in .csv nor in .jsonl or .ndjson "
                                "(also with .gz or .zst behind it); "
                                "say what it is with --format csv or --format jsonl");
    }
    return STATUS_USAGE;
}

static enum status check_delimiter(const struct intake_options *options, enum input_format format,
                                   struct buf *message)
{
    if (options->delimiter == '\0' || format == INPUT_CSV)
        return STATUS_OK;
    buf_add_printable(message, span_string(options->path));
    buf_add_string(message, ": it is JSONL, which has no delimiter: leave --delimiter out");
    return STATUS_USAGE;
}

enum status intake_open(const struct intake_options *options, struct buf *message,
                        struct intake **ret_intake)
{
    struct intake *intake = calloc(1, sizeof(*intake));
    struct reader_options reader_options = {.max_row_bytes = options->max_row_bytes,
                                            .delimiter = options->delimiter};

    if (intake == NULL)
        return STATUS_NO_MEMORY;
    intake->options = *options;
    schema_init(&intake->schema);
    /* A wrong path is said before a wrong extension. */
    enum status status = source_open(options->path, message, &intake->source);
    if (status == STATUS_OK)
        status = find_format(options, message, &reader_options.format);
    if (status == STATUS_OK)
        status = check_delimiter(options, reader_options.format, message);
    if (status == STATUS_OK && options->encoding != NULL)
        status = source_set_encoding(intake->source, options->encoding, message);
    if (status == STATUS_OK)
        status = reader_open(intake->source, &reader_options, &intake->reader);
    if (status != STATUS_OK) {
        intake_close(intake);
        return status;
    }
    *ret_intake = intake;
    return STATUS_OK;
}

void intake_close(struct intake *intake)
{
    if (intake == NULL)
        return;
    reader_close(intake->reader);
    source_close(intake->source);
    schema_deinit(&intake->schema);
    free(intake);
}

/* Resolves the columns that the reader has met since the last time. */
static enum status learn_columns(struct intake *intake)
{
    for (size_t i = intake->schema.count; i < reader_column_count(intake->reader); i++) {
        enum status status = schema_add(&intake->schema, reader_column_name(intake->reader, i));
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status intake_start(struct intake *intake, struct problems *problems)
{
    enum status status = reader_header(intake->reader, problems);

    if (status == STATUS_OK)
        status = learn_columns(intake);
    if (status == STATUS_OK && intake->schema.count > 0)
        schema_check(&intake->schema, problems);
    if (status == STATUS_OK && problems->error_count > 0)
        status = STATUS_BAD_INPUT;
    return status;
}

/*
 * A row that could not be read has no content to name it by; what is wrong with it serves instead:
 * codes, fields and values, but not the messages, which may name lines, so that a sorted file keeps
 * its keys.
 */
static uint64_t hash_problems(const struct problems *problems)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        struct span field = problem_field(problems, problem);
        struct span value = problem_value(problems, problem);
        const char *code = problem_code_name(problem->code);
        hash = XXH3_64bits_withSeed(code, strlen(code), hash);
        hash = XXH3_64bits_withSeed(field.ptr, field.len, hash);
        hash = XXH3_64bits_withSeed(value.ptr, value.len, hash);
    }
    return hash;
}

static void name_bad_row(struct command *command, const struct row *row,
                         const struct problems *problems)
{
    command->row = row->number;
    command->line = row->line;
    command->hash = hash_problems(problems);
    command->device = 0;
    command->imei_len = command->body_len = command->target_len = 0;
    buf_clear(&command->text);
    buf_add_char(&command->text, '\0');
}

enum status intake_next(struct intake *intake, struct command *command, struct problems *problems)
{
    struct row row = {.number = 0};
    enum status status = reader_next(intake->reader, &row, problems);

    if (status == STATUS_BAD_ROW) {
        name_bad_row(command, &row, problems);
        intake->rows++;
        return command->text.status;
    }
    if (status == STATUS_END && intake->rows == 0) {
        problems_clear(problems, 0, 1);
        problem_add(problems, PROBLEM_EMPTY, span_of(NULL, 0), span_of(NULL, 0),
                    "there are no data rows in it");
        return STATUS_BAD_INPUT;
    }
    if (status != STATUS_OK)
        return status;
    intake->rows++;
    status = learn_columns(intake);
    if (status == STATUS_OK)
        status = command_build(command, &intake->schema, &row, intake->options.now_s, problems);
    return status;
}

enum status intake_rewind(struct intake *intake, struct buf *message)
{
    enum status status = source_rewind(intake->source, message);

    if (status != STATUS_OK)
        return status;
    reader_reset(intake->reader);
    schema_deinit(&intake->schema);
    schema_init(&intake->schema);
    intake->rows = 0;
    return STATUS_OK;
}

const struct source *intake_source(const struct intake *intake)
{
    return intake->source;
}
