#include "judge.h"

#include <stdlib.h>

enum {
    COLUMN_ROW,
    COLUMN_KEY = 2,
    COLUMN_STATUS = 4,
    COLUMN_UUID,
    COLUMN_ATTEMPTS = 9,
    COLUMN_AMBIGUOUS,
    COLUMN_FINISHED = 12,
    COLUMN_COUNT,
    CELL_MAX = 80
};

/* The next cell of a CSV line, cut at CELL_MAX; false behind the last one. */
static bool next_cell(struct span *line, char out[CELL_MAX])
{
    bool is_quoted = line->len > 0 && line->ptr[0] == '"';
    size_t at = is_quoted, len = 0;

    if (line->ptr == NULL)
        return false;
    for (; at < line->len; at++) {
        char c = line->ptr[at];
        if (is_quoted && c == '"' && at + 1 < line->len && line->ptr[at + 1] == '"')
            at++;
        else if (is_quoted && c == '"')
            is_quoted = false;
        else if (!is_quoted && c == ',')
            break;
        if (len < CELL_MAX - 1)
            out[len++] = c;
    }
    out[len] = '\0';
    *line = at < line->len ? span_skip(*line, at + 1) : span_of(NULL, 0);
    return true;
}

static bool read_line(struct result *result, struct span line)
{
    char cells[COLUMN_COUNT][CELL_MAX];

    for (size_t i = 0; i < COLUMN_COUNT; i++)
        if (!next_cell(&line, cells[i]))
            return false;
    *result = (struct result){.row = strtoull(cells[COLUMN_ROW], NULL, 10),
                              .attempts = (uint32_t)strtoul(cells[COLUMN_ATTEMPTS], NULL, 10),
                              .ambiguous = (uint32_t)strtoul(cells[COLUMN_AMBIGUOUS], NULL, 10)};
    (void)snprintf(result->key, sizeof(result->key), "%s", cells[COLUMN_KEY]);
    (void)snprintf(result->uuid, sizeof(result->uuid), "%s", cells[COLUMN_UUID]);
    (void)snprintf(result->finished_at, sizeof(result->finished_at), "%s", cells[COLUMN_FINISHED]);
    while (strcmp(row_status_name(result->status), cells[COLUMN_STATUS]) != 0)
        if (++result->status == ROW_STATUS_COUNT)
            return false;
    return result->row >= 1 && result->row <= FAKE_ROWS_MAX;
}

/* An accepted line beats any other; then the latest counts, then the later line. */
static bool beats(const struct result *line, const struct result *before)
{
    bool is_accepted = line->status == ROW_ACCEPTED, was_accepted = before->status == ROW_ACCEPTED;

    if (is_accepted != was_accepted)
        return is_accepted;
    return strcmp(line->finished_at, before->finished_at) >= 0;
}

const char *judge_read(struct results *results, struct span text)
{
    results->count = 0;
    memset(results->of_row, 0, sizeof(results->of_row));
    for (bool is_header = true; text.len > 0; is_header = false) {
        const char *end = memchr(text.ptr, '\n', text.len);
        if (end == NULL)
            return "the results end within a line";
        struct span line = span_of(text.ptr, (size_t)(end - text.ptr));
        text = span_skip(text, line.len + 1);
        if (is_header)
            continue;
        struct result *result = &results->lines[results->count++];
        if (results->count == RESULTS_MAX || !read_line(result, line))
            return "a line of the results cannot be read";
        const struct result **current = &results->of_row[result->row];
        if (*current != NULL && strcmp((*current)->key, result->key) != 0)
            return "a row has two keys";
        if (*current == NULL || beats(result, *current))
            *current = result;
    }
    return NULL;
}

static const char *judge_accepted(const struct result *result, const struct judgement *judgement)
{
    if (result->uuid[0] == '\0')
        return fake_platform_count(judgement->platform, result->row) > 0
                   ? NULL
                   : "an accepted row was not processed";
    const struct fake_row *rows = judgement->input->rows;
    uint64_t row = fake_platform_find(judgement->platform, span_string(result->uuid));
    /* Of rows that ask for the same, whose was found cannot be told, and need not. */
    bool is_equal = judgement->policy == ON_AMBIGUOUS_VERIFY && row > 0 &&
                    rows[row - 1].content == rows[result->row - 1].content;
    return row == result->row || is_equal ? NULL
                                          : "an accepted row has a uuid that was not given to it";
}

/* What a result says by itself. */
static const char *judge_result(const struct result *result, const struct judgement *judgement)
{
    enum row_status status = result->status;

    if (!judgement->input->rows[result->row - 1].is_good && status != ROW_INVALID)
        return "an invalid row has another result";
    if (status == ROW_INVALID && result->attempts > 0)
        return "an invalid row was sent";
    if (result->ambiguous > result->attempts)
        return "more attempts may have been processed than there were";
    if ((status == ROW_REJECTED || status == ROW_FAILED) && result->ambiguous > 0)
        return "a row that may have been processed is called neither accepted nor in doubt";
    return status == ROW_ACCEPTED ? judge_accepted(result, judgement) : NULL;
}

/* How often a row may have been processed, by what its result says. */
static uint32_t allowed_by(const struct result *result)
{
    if (result->status == ROW_ACCEPTED)
        return 1 + result->ambiguous;
    return result->status == ROW_IN_DOUBT ? result->ambiguous : 0;
}

static bool is_held(enum on_ambiguous policy, const struct content *content)
{
    return policy == ON_AMBIGUOUS_HOLD || policy == ON_AMBIGUOUS_VERIFY ||
           (policy == ON_AMBIGUOUS_BY_ACTION && content->is_execute);
}

static const char *judge_row(const struct result *result, const struct judgement *judgement,
                             uint64_t row)
{
    const struct fake_input *input = judgement->input;
    const struct content *content = &input->contents[input->rows[row - 1].content];
    uint32_t done = fake_platform_count(judgement->platform, row);
    const char *wrong = result != NULL ? judge_result(result, judgement) : NULL;

    if (wrong != NULL)
        return wrong;
    if (is_held(judgement->policy, content) && done > 1)
        return "processed twice, though it was to be held";
    if (done > 0 && (result == NULL || allowed_by(result) == 0))
        return "processed, and neither accepted nor in doubt";
    if (done > 0 && done > allowed_by(result) + judgement->uncounted[row])
        return "processed more often than the result counts";
    return result == NULL && judgement->is_complete ? "no result" : NULL;
}

static const char *judge_uuids(const struct results *results, const struct judgement *judgement,
                               uint64_t *ret_row)
{
    for (size_t i = 1; i <= judgement->input->row_count; i++) {
        const struct result *result = results->of_row[i];
        *ret_row = i;
        for (size_t j = 1; j < i && result != NULL && result->uuid[0] != '\0'; j++)
            if (results->of_row[j] != NULL && results->of_row[j]->status == ROW_ACCEPTED &&
                result->status == ROW_ACCEPTED &&
                strcmp(results->of_row[j]->uuid, result->uuid) == 0)
                return "two rows have one uuid";
    }
    return NULL;
}

const char *judge(const struct results *results, const struct judgement *judgement,
                  uint64_t *ret_row)
{
    const char *wrong = NULL;

    for (size_t i = 1; i <= judgement->input->row_count && wrong == NULL; i++) {
        *ret_row = i;
        wrong = judge_row(results->of_row[i], judgement, i);
    }
    return wrong != NULL ? wrong : judge_uuids(results, judgement, ret_row);
}
