#include "ledger/problem_file.h"

#include "core/text.h"
#include "ledger/cell.h"

static const struct outfile_kind kind = {"list of problems", "--problems"};

enum status problem_file_probe(const char *path, struct buf *message)
{
    return outfile_probe(path, &kind, message);
}

enum status problem_file_open(struct problem_file *problem_file, const char *path,
                              struct buf *message)
{
    enum status status = outfile_create(&problem_file->file, path, &kind, message);

    if (status != STATUS_OK)
        return status;
    problem_file->jsonl = outfile_is_jsonl(path);
    if (!problem_file->jsonl)
        buf_add_string(&problem_file->file.out, "row,line,field,code,severity,message,value\n");
    return STATUS_OK;
}

static void add_csv(struct outfile *file, uint64_t row, const struct problems *problems,
                    const struct problem *problem, const char *severity, struct span value)
{
    buf_add_uint64(&file->out, row);
    buf_add_char(&file->out, ',');
    buf_add_uint64(&file->out, problem->line);
    buf_add_char(&file->out, ',');
    cell_add(&file->out, problem_field(problems, problem));
    buf_add_format(&file->out, ",%s,%s,", problem_code_name(problem->code), severity);
    cell_add(&file->out, problem_message(problems, problem));
    buf_add_char(&file->out, ',');
    cell_add(&file->out, value);
    buf_add_char(&file->out, '\n');
}

static void add_jsonl(struct outfile *file, uint64_t row, const struct problems *problems,
                      const struct problem *problem, const char *severity, struct span value)
{
    buf_add_string(&file->out, "{\"row\":");
    buf_add_uint64(&file->out, row);
    buf_add_string(&file->out, ",\"line\":");
    buf_add_uint64(&file->out, problem->line);
    buf_add_string(&file->out, ",\"field\":");
    buf_add_json_string(&file->out, problem_field(problems, problem));
    buf_add_format(&file->out, ",\"code\":\"%s\",\"severity\":\"%s\",\"message\":",
                   problem_code_name(problem->code), severity);
    buf_add_json_string(&file->out, problem_message(problems, problem));
    buf_add_string(&file->out, ",\"value\":");
    buf_add_json_string(&file->out, value);
    buf_add_string(&file->out, "}\n");
}

enum status problem_file_add(struct problem_file *problem_file, const struct problems *problems)
{
    struct outfile *file = &problem_file->file;
    struct buf value;

    buf_init(&value, 8 * PROBLEM_VALUE_MAX);
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        const char *severity = problem_is_warning(problems, problem) ? "warning" : "error";
        buf_clear(&value);
        buf_add_printable(&value, problem_value(problems, problem)); /* it may be no UTF-8 */
        if (problem_file->jsonl)
            add_jsonl(file, problems->row, problems, problem, severity, buf_span(&value));
        else
            add_csv(file, problems->row, problems, problem, severity, buf_span(&value));
    }
    buf_deinit(&value);
    return outfile_settle(file);
}
