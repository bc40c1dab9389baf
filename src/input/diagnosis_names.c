#include "input/diagnosis_impl.h"

#include "core/text.h"
#include "platform/device.h"
#include "platform/heading.h"
#include "platform/layout.h"
#include "platform/look.h"

enum {
    SHOWN_MAX = 80,
    NEAR_LENGTH = 5, /* bytes; a shorter name is near to too many words */
};

/* The map that was given for a column of this heading, or for this name; NULL for none. */
const char *diagnosis_given_map(const struct work *work, struct span text, bool is_heading)
{
    const struct word_list *maps = work->given->maps;

    for (size_t i = 0; maps != NULL && i < maps->count; i++) {
        const char *equals = strchr(maps->items[i], '=');
        struct span own = equals == NULL ? span_of(NULL, 0)
                          : is_heading   ? span_string(equals + 1)
                                       : span_of(maps->items[i], (size_t)(equals - maps->items[i]));
        if (own.len > 0 && heading_equal(own, text))
            return maps->items[i];
    }
    return NULL;
}

/* Whether a name is what some column is already, by itself, by what was said or was found. */
static bool is_taken(const struct work *work, const char *name)
{
    const struct diagnosis *result = work->result;
    size_t len = strlen(name);

    if (diagnosis_given_map(work, span_string(name), false) != NULL)
        return true;
    for (size_t i = 0; i < result->count; i++)
        if (strcmp(result->options[i].name, "map") == 0 &&
            strncmp(result->options[i].value, name, len) == 0 &&
            result->options[i].value[len] == '=')
            return true;
    for (size_t i = 0; i < work->cell_count; i++)
        if (heading_equal(work->cells[i], span_string(name)) &&
            diagnosis_given_map(work, work->cells[i], true) == NULL)
            return true;
    return false;
}

/* The name that this heading alone may mean; false where there is none, or several may mean it. */
static bool guess_alone(const struct work *work, size_t cell, char name[HEADING_NAME_MAX])
{
    char other[HEADING_NAME_MAX];

    if (!heading_guess(work->cells[cell], name) || is_taken(work, name))
        return false;
    for (size_t i = 0; i < work->cell_count; i++)
        if (i != cell && heading_guess(work->cells[i], other) && strcmp(name, other) == 0)
            return false;
    return true;
}

/* Whether the layout, as the options so far have it, knows what the column is. */
static bool is_known(const struct layout *layout, size_t cell)
{
    return layout->schema.columns[layout->set_count + cell].role != COLUMN_UNKNOWN;
}

static enum status add_words(struct layout *layout, const struct word_list *words,
                             enum status (*add)(struct layout *, const char *, struct buf *),
                             struct buf *message)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; words != NULL && i < words->count && status == STATUS_OK; i++)
        status = add(layout, words->items[i], message);
    return status;
}

/* Reads the header by all options, those that were given and those that were found. */
static enum status lay_out(struct work *work, struct layout *layout, struct problems *problems)
{
    const struct diagnosis_given *given = work->given;
    const struct diagnosis *result = work->result;
    struct buf message;

    buf_init_text(&message, FINDINGS_MAX);
    layout_init(layout);
    enum status status = add_words(layout, given->sets, layout_add_set, &message);
    if (status == STATUS_OK)
        status = add_words(layout, given->maps, layout_add_map, &message);
    if (status == STATUS_OK)
        status = add_words(layout, given->passes, layout_add_pass, &message);
    for (size_t i = 0; i < result->count && status == STATUS_OK; i++) {
        if (strcmp(result->options[i].name, "map") == 0)
            status = layout_add_map(layout, result->options[i].value, &message);
        else if (strcmp(result->options[i].name, "pass") == 0)
            status = layout_add_pass(layout, result->options[i].value, &message);
    }
    for (size_t i = 0; i < work->cell_count && status == STATUS_OK; i++)
        status = layout_add_column(layout, work->cells[i]);
    problems_clear(problems, 0, 0);
    if (status == STATUS_OK)
        layout_check(layout, problems);
    buf_deinit(&message);
    return status;
}

/* The only column of unknown meaning whose cells are all IMEIs; of several, the only one whose
 * check digits fit. SIZE_MAX for none. */
static size_t find_devices(const struct work *work, const struct layout *layout)
{
    size_t found[2] = {SIZE_MAX, SIZE_MAX}, count[2] = {0, 0};

    for (size_t i = 0; i < work->cell_count; i++) {
        const struct column_seen *seen = &work->seen[i];
        if (is_known(layout, i) || seen->cells == 0 || seen->devices < seen->cells)
            continue;
        for (size_t n = 0; n < 1 + (size_t)(seen->fitting == seen->devices); n++) {
            found[n] = i;
            count[n]++;
        }
    }
    return count[0] == 1 ? found[0] : count[1] == 1 ? found[1] : SIZE_MAX;
}

static void add_map(struct work *work, const char *name, size_t cell)
{
    char shown[SHOWN_MAX], guess[HEADING_NAME_MAX];
    bool is_by_heading = heading_guess(work->cells[cell], guess);

    look_show(work->cells[cell], shown, sizeof(shown));
    diagnosis_add_option(work, "map", "%s=%.*s", name, SPAN_ARG(work->cells[cell]));
    diagnosis_add_line(&work->result->findings,
                       is_by_heading ? "%s is %s"
                                     : "%s holds numbers of 15 digits, as IMEIs are: it is %s",
                       shown, name);
}

/* --map for the headings that have a meaning which is nobody else's, and for the column of IMEIs.
 */
static void add_maps(struct work *work, const struct layout *layout)
{
    char name[HEADING_NAME_MAX];
    size_t devices = is_taken(work, DEVICE_COLUMN) ? SIZE_MAX : find_devices(work, layout);

    for (size_t i = 0; i < work->cell_count; i++) {
        if (i == devices)
            add_map(work, DEVICE_COLUMN, i);
        else if (!is_known(layout, i) && guess_alone(work, i, name) &&
                 (devices == SIZE_MAX || strcmp(name, DEVICE_COLUMN) != 0))
            add_map(work, name, i);
    }
}

/* Whether a heading looks like a name that is misspelt, or means one that another column may be as
 * well: to pass it over would be a guess. */
static bool is_unclear(const struct work *work, struct span cell)
{
    char folded[HEADING_MAX], guess[HEADING_NAME_MAX];
    struct span name = heading_fold(cell, folded);
    const char *nearest = schema_nearest(name);

    if (span_starts_with(name, "res:") || (heading_guess(cell, guess) && !is_taken(work, guess)))
        return true;
    return nearest != NULL && name.len >= NEAR_LENGTH && strlen(nearest) >= NEAR_LENGTH &&
           name.ptr[0] == nearest[0] && !is_taken(work, nearest);
}

/* Whether an unknown column's cells look like what a resource is set to: numbers, true and false.
 * A number of the rows is none. */
static bool may_be_value(const struct work *work, size_t cell)
{
    const struct column_seen *seen = &work->seen[cell];

    return seen->cells > 0 && seen->values == seen->cells && seen->devices == 0 &&
           !heading_is_aside(work->cells[cell]);
}

/* Marks the unknown columns that may be the resource that is missing: all of them where none looks
 * like one. */
static void mark_values(struct work *work, const struct layout *layout)
{
    bool has_any = false;

    for (size_t i = 0; i < work->cell_count; i++) {
        work->is_value[i] =
            !is_known(layout, i) && !is_unclear(work, work->cells[i]) && may_be_value(work, i);
        has_any = has_any || work->is_value[i];
    }
    for (size_t i = 0; i < work->cell_count && !has_any; i++)
        work->is_value[i] = !is_known(layout, i) && !is_unclear(work, work->cells[i]) &&
                            !heading_is_aside(work->cells[i]);
}

/* Marks the columns whose cells become what they look like. */
static void mark_resources(struct work *work, const struct layout *layout)
{
    for (size_t i = 0; i < work->cell_count; i++) {
        const struct column *column = &layout->schema.columns[layout->set_count + i];
        if (column->judged && !column->judged_as_text && column->role != COLUMN_PART)
            work->is_value[i] = true;
    }
}

/* Says what becomes of the columns that mean nothing to the platform. */
static void say_passed(struct work *work, size_t count, struct buf *names, struct buf *values)
{
    struct diagnosis *result = work->result;

    if (values->len > 0)
        diagnosis_add_line(
            &result->unknown,
            "the number of the resource that each of these columns sets: %s; a column that "
            "sets none goes into --pass instead",
            buf_string(values));
    if (names->len > 0)
        diagnosis_add_line(&result->findings,
                           count == 1 ? "%s is not sent, and goes into the results"
                                      : "%s are not sent, and go into the results",
                           buf_string(names));
}

/* --pass for the columns that mean nothing to the platform; where a value is missing, which of them
 * is one is for a person to say. False where one cannot be named so. */
static bool add_passes(struct work *work, const struct layout *layout, bool lacks_value)
{
    struct buf names, shown, values;
    char text[SHOWN_MAX];
    bool can_be_named = true;
    size_t passed = 0;

    buf_init(&names, FINDINGS_MAX);
    buf_init(&shown, FINDINGS_MAX);
    buf_init(&values, FINDINGS_MAX);
    if (lacks_value)
        mark_values(work, layout);
    mark_resources(work, layout);
    for (size_t i = 0; i < work->cell_count; i++) {
        struct span cell = work->cells[i];
        if (is_known(layout, i))
            continue;
        can_be_named = can_be_named && memchr(cell.ptr, ',', cell.len) == NULL;
        look_show(cell, text, sizeof(text));
        if (is_unclear(work, cell)) {
            diagnosis_add_option(work, "map", "...=%.*s", SPAN_ARG(cell));
            diagnosis_add_line(&work->result->unknown, "what %s is", text);
            work->has_unclear = true;
        } else if (work->is_value[i]) {
            diagnosis_add_option(work, "map", "res:...=%.*s", SPAN_ARG(cell));
            buf_add_format(&values, "%s%s", values.len > 0 ? ", " : "", text);
        } else {
            passed++;
            buf_add_format(&names, "%s%.*s", names.len > 0 ? "," : "", SPAN_ARG(cell));
            buf_add_format(&shown, "%s%s", shown.len > 0 ? ", " : "", text);
        }
    }
    if (names.len > 0 && can_be_named)
        diagnosis_add_option(work, "pass", "%s", buf_string(&names));
    say_passed(work, passed, &shown, &values);
    buf_deinit(&names);
    buf_deinit(&shown);
    buf_deinit(&values);
    return can_be_named;
}

static bool asks_for_a_column(const struct diagnosis *diagnosis)
{
    for (size_t i = 0; i < diagnosis->count; i++)
        if (strncmp(diagnosis->options[i].value, "res:...=", strlen("res:...=")) == 0)
            return true;
    return false;
}

/* What the header lacks is for a person to say. False where something else is wrong with it. */
static bool add_missing(struct work *work, const struct problems *problems)
{
    struct diagnosis *result = work->result;
    bool asks = asks_for_a_column(result);
    struct buf names;

    buf_init(&names, FINDINGS_MAX);
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        struct span name = problem_field(problems, problem);
        bool is_missing = problem->code == PROBLEM_COLUMN_MISSING && schema_knows(name);
        if (!is_missing &&
            (problem->code != PROBLEM_COLUMN || problems->count < problems_total(problems))) {
            buf_deinit(&names);
            return false;
        }
        if (is_missing && span_is(name, DEVICE_COLUMN)) {
            diagnosis_add_option(work, "map", "%s=...", DEVICE_COLUMN);
            diagnosis_add_line(&result->unknown, "which column holds the IMEIs");
        } else if (is_missing && !span_is(name, "data")) {
            diagnosis_add_option(work, "set", "%.*s=...", SPAN_ARG(name));
            buf_add_format(&names, "%s%.*s", names.len > 0 ? ", " : "", SPAN_ARG(name));
        } else if (is_missing && !asks) {
            diagnosis_add_option(work, "set", "res:...=...");
            diagnosis_add_line(&result->unknown, "the resource that all rows set, and its value");
        }
    }
    if (names.len > 0)
        diagnosis_add_line(&result->unknown, "the values that all rows share: %s",
                           buf_string(&names));
    buf_deinit(&names);
    return true;
}

static bool lacks_value(const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        if (span_is(problem_field(problems, &problems->items[i]), "data"))
            return true;
    return false;
}

/* Says what the headings are. False where no option makes a good header of them. */
bool diagnosis_settle_headings(struct work *work, struct problems *problems)
{
    struct layout layout;
    bool is_good = false;
    enum status status = lay_out(work, &layout, problems);

    if (status == STATUS_OK) {
        add_maps(work, &layout);
        layout_deinit(&layout);
        status = lay_out(work, &layout, problems);
    }
    if (status == STATUS_OK && add_passes(work, &layout, lacks_value(problems))) {
        work->result->is_complete = false;
        is_good = add_missing(work, problems);
    }
    layout_deinit(&layout);
    if (status == STATUS_OK && is_good && work->result->unknown.len == 0) {
        status = lay_out(work, &layout, problems);
        is_good = status == STATUS_OK && problems->error_count == 0;
        work->result->is_complete = is_good;
        layout_deinit(&layout);
    }
    if (status == STATUS_NO_MEMORY)
        work->status = status;
    return is_good && status == STATUS_OK;
}
