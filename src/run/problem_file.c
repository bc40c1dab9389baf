#include "run/problem_file.h"

#include "core/text.h"
#include "ledger/cell.h"

static const struct outfile_kind kind = {"list of problems", "--problems"};

enum status problem_file_probe(const char *path, struct buf *message)
{
    return outfile_probe(&disk_real, path, &kind, message);
}

enum status problem_file_open(struct problem_file *problem_file, const char *path,
                              struct buf *message)
{
    enum status status = outfile_create(&problem_file->file, &disk_real, path, &kind, message);

    if (status != STATUS_OK)
        return status;
    problem_file->jsonl = outfile_is_jsonl(path);
    if (!problem_file->jsonl)
        buf_add_string(&problem_file->file.out, "row,line,field,code,severity,message,value\n");
    return STATUS_OK;
}

/* One line of the file. */
struct entry {
    uint64_t row, line;
    struct span field, message, value;
    enum problem_code code;
    bool is_warning;
};

static void add_csv(struct outfile *file, const struct entry *entry)
{
    buf_add_uint64(&file->out, entry->row);
    buf_add_char(&file->out, ',');
    buf_add_uint64(&file->out, entry->line);
    buf_add_char(&file->out, ',');
    cell_add(&file->out, entry->field);
    buf_add_format(&file->out, ",%s,%s,", problem_code_name(entry->code),
                   entry->is_warning ? "warning" : "error");
    cell_add(&file->out, entry->message);
    buf_add_char(&file->out, ',');
    cell_add(&file->out, entry->value);
    buf_add_char(&file->out, '\n');
}

static void add_jsonl(struct outfile *file, const struct entry *entry)
{
    buf_add_string(&file->out, "{\"row\":");
    buf_add_uint64(&file->out, entry->row);
    buf_add_string(&file->out, ",\"line\":");
    buf_add_uint64(&file->out, entry->line);
    buf_add_string(&file->out, ",\"field\":");
    buf_add_json_string(&file->out, entry->field);
    buf_add_format(&file->out, ",\"code\":\"%s\",\"severity\":\"%s\",\"message\":",
                   problem_code_name(entry->code), entry->is_warning ? "warning" : "error");
    buf_add_json_string(&file->out, entry->message);
    buf_add_string(&file->out, ",\"value\":");
    buf_add_json_string(&file->out, entry->value);
    buf_add_string(&file->out, "}\n");
}

static void add(struct problem_file *problem_file, const struct entry *entry)
{
    if (problem_file->jsonl)
        add_jsonl(&problem_file->file, entry);
    else
        add_csv(&problem_file->file, entry);
}

/* What a row has more of than its list holds: one line for each code that says how many. */
static void add_unlisted(struct problem_file *problem_file, const struct problems *problems)
{
    for (size_t i = 0; i < PROBLEM_CODE_COUNT; i++) {
        enum problem_code code = (enum problem_code)i;
        size_t count = problems_unlisted(problems, code);
        if (count == 0)
            continue;
        char text[64];
        (void)snprintf(text, sizeof(text), "%zu more of this row %s not listed", count,
                       count == 1 ? "is" : "are");
        add(problem_file,
            &(struct entry){.row = problems->row,
                            .line = problems->line,
                            .code = code,
                            .is_warning = problem_code_is_warning(code) && !problems->strict,
                            .message = span_string(text)});
    }
}

enum status problem_file_add(struct problem_file *problem_file, const struct problems *problems)
{
    struct buf value;

    buf_init(&value, 8 * PROBLEM_VALUE_MAX);
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        buf_clear(&value);
        buf_add_printable(&value, problem_value(problems, problem)); /* it may be no UTF-8 */
        add(problem_file, &(struct entry){.row = problems->row,
                                          .line = problem->line,
                                          .field = problem_field(problems, problem),
                                          .code = problem->code,
                                          .is_warning = problem_is_warning(problems, problem),
                                          .message = problem_message(problems, problem),
                                          .value = buf_span(&value)});
    }
    if (problems_total(problems) > problems->count)
        add_unlisted(problem_file, problems);
    buf_deinit(&value);
    return outfile_settle(&problem_file->file);
}
