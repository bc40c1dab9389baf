/*
 * The start of the file is read without an encoding. Lines that are not UTF-8 tell the encoding;
 * then each of the first lines is split by each usual delimiter, and the one whose cells are most
 * often names of columns, or what such are usually called, is the header; where there are none, the
 * one above the first IMEI. What its headings mean is held against the same rules that read the
 * file (layout_check). A heading that says nothing may be understood by the cells below it.
 */
#include "input/diagnosis_impl.h"

#include "core/text.h"
#include "input/sample_text.h"

void diagnosis_init(struct diagnosis *diagnosis)
{
    *diagnosis = (struct diagnosis){.count = 0};
    buf_init_text(&diagnosis->findings, FINDINGS_MAX);
    buf_init_text(&diagnosis->unknown, FINDINGS_MAX);
}

void diagnosis_deinit(struct diagnosis *diagnosis)
{
    for (size_t i = 0; i < diagnosis->count; i++)
        free(diagnosis->options[i].value);
    buf_deinit(&diagnosis->findings);
    buf_deinit(&diagnosis->unknown);
    diagnosis->count = 0;
}

static enum status append_option(struct diagnosis *diagnosis, const char *name, char *value)
{
    if (value == NULL)
        return STATUS_NO_MEMORY;
    if (diagnosis->count == DIAGNOSIS_OPTIONS_MAX)
        free(value);
    else
        diagnosis->options[diagnosis->count++] = (struct diagnosis_option){name, value};
    return STATUS_OK;
}

void diagnosis_add_option(struct work *work, const char *name, const char *format, ...)
{
    struct buf value;
    va_list args;

    buf_init(&value, FINDINGS_MAX);
    va_start(args, format);
    buf_add_format_list(&value, format, args);
    va_end(args);
    if (append_option(work->result, name, strdup(buf_string(&value))) != STATUS_OK)
        work->status = STATUS_NO_MEMORY;
    buf_deinit(&value);
}

void diagnosis_add_line(struct buf *lines, const char *format, ...)
{
    va_list args;

    buf_add_string(lines, lines->len > 0 ? "\n" : "");
    va_start(args, format);
    buf_add_format_list(lines, format, args);
    va_end(args);
}

enum status diagnosis_add_words(struct diagnosis *diagnosis, struct span trues, struct span falses)
{
    enum status status = STATUS_OK;

    if (trues.len > 0) {
        diagnosis_add_line(&diagnosis->findings, "words for true in its cells: %.*s",
                           SPAN_ARG(trues));
        status = append_option(diagnosis, "true", strndup(trues.ptr, trues.len));
    }
    if (falses.len > 0 && status == STATUS_OK) {
        diagnosis_add_line(&diagnosis->findings, "words for false in its cells: %.*s",
                           SPAN_ARG(falses));
        status = append_option(diagnosis, "false", strndup(falses.ptr, falses.len));
    }
    return status;
}
/* Drops what was found: it does not help. */
static void forget(struct diagnosis *diagnosis)
{
    diagnosis_deinit(diagnosis);
    diagnosis->is_complete = false;
}

static bool is_given_word(const struct work *work, struct span word)
{
    const struct word_list *const lists[] = {work->given->trues, work->given->falses};

    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++)
        for (size_t j = 0; lists[i] != NULL && j < lists[i]->count; j++)
            for (struct span rest = span_string(lists[i]->items[j]); rest.len > 0;)
                if (span_equal(text_take_piece(&rest), word))
                    return true;
    return false;
}

/* The words for true, or for false, of the columns that hold nothing but such and numbers. */
static void find_words(const struct work *work, bool value, struct buf *ret_words)
{
    struct buf all;

    buf_init(&all, FINDINGS_MAX);
    for (size_t i = 0; i < work->cell_count; i++)
        if (work->is_value[i] && work->seen[i].words > 0 &&
            work->seen[i].values == work->seen[i].cells)
            sample_add_words(work->rows, work->delimiter, work->sample.is_workbook, i, value, &all);
    for (struct span rest = buf_span(&all); rest.len > 0;) {
        struct span word = text_take_piece(&rest);
        if (!is_given_word(work, word))
            text_add_item(word, ret_words);
    }
    buf_deinit(&all);
}

static enum status add_boolean_words(struct work *work)
{
    struct buf trues, falses;

    buf_init(&trues, FINDINGS_MAX);
    buf_init(&falses, FINDINGS_MAX);
    find_words(work, true, &trues);
    find_words(work, false, &falses);
    enum status status = diagnosis_add_words(work->result, buf_span(&trues), buf_span(&falses));
    buf_deinit(&trues);
    buf_deinit(&falses);
    return status;
}

static enum status find_all(struct work *work, struct problems *problems)
{
    struct diagnosis *result = work->result;
    struct candidate first, best;
    enum status status = diagnosis_find_header(work, &best, &first);

    if (status != STATUS_OK)
        return status;
    if (best.points == 0) {
        forget(result);
        diagnosis_describe_headless(work, &first);
        return STATUS_OK;
    }
    diagnosis_add_place(work, &best, &first);
    size_t before = result->count;
    if (!diagnosis_split_header(work, &best) || !diagnosis_settle_headings(work, problems))
        forget(result);
    /* Where names alone are wrong and what they are is open, the problems say it one by one. */
    if (before == 0 && work->has_unclear)
        forget(result);
    return result->count > 0 ? add_boolean_words(work) : STATUS_OK;
}

enum status diagnosis_find(const struct diagnosis_given *given, struct diagnosis *ret_diagnosis)
{
    struct work *work = calloc(1, sizeof(*work));
    struct problems *problems = calloc(1, sizeof(*problems));

    diagnosis_init(ret_diagnosis);
    enum status status = STATUS_NO_MEMORY;
    if (work != NULL && problems != NULL) {
        problems_init(problems);
        work->given = given;
        work->result = ret_diagnosis;
        buf_init(&work->text, 16 * SOURCE_BLOCK_BYTES);
        status = diagnosis_take_sample(given, given->sheet, &work->sample);
        if (status == STATUS_OK)
            diagnosis_find_text(work);
        if (status == STATUS_OK && work->status == STATUS_OK)
            diagnosis_find_format(work);
        if (status == STATUS_OK && work->status == STATUS_OK && !diagnosis_is_jsonl(work))
            status = find_all(work, problems);
        else if (status == STATUS_OK)
            ret_diagnosis->is_complete = true;
        status = work->status == STATUS_NO_MEMORY ? STATUS_NO_MEMORY : status;
        diagnosis_drop_sample(&work->sample);
        buf_deinit(&work->text);
        problems_deinit(problems);
    }
    free(work);
    free(problems);
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}
