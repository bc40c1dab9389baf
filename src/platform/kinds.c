#include "platform/kinds.h"

#include <stdarg.h>

#include "core/jsonlex.h"
#include "core/text.h"
#include "platform/look.h"

static const struct {
    const char *one, *many;
} words[] = {
    [KIND_NUMBER] = {"number", "numbers"}, [KIND_BOOLEAN] = {"boolean", "booleans"},
    [KIND_TEXT] = {"text", "texts"},       [KIND_WORD] = {"text", "texts"},
    [KIND_WRITTEN] = {"text", "texts"},    [KIND_NUMERAL] = {"text", "texts"},
};

enum { PROBES_MAX = 16 }; /* so that a full table costs a row little */

enum { SENTENCE_MAX = 440 }; /* of the 512 bytes that a message may have */

/* What is said of a column, put together bit by bit. */
struct sentence {
    char text[SENTENCE_MAX];
    size_t len;
};

void kinds_init(struct kinds *kinds)
{
    memset(kinds, 0, sizeof(*kinds));
}

void kinds_deinit(struct kinds *kinds)
{
    if (kinds == NULL)
        return;
    for (size_t i = 0; i < KINDS_COLUMNS_MAX; i++)
        free(kinds->columns[i]);
    kinds_init(kinds);
}

/* Who writes JSON has true and false: what is a string there is meant as one, unless a spreadsheet
 * wrote it. */
static enum value_kind kind_of_text(const struct cell *cell)
{
    bool value;
    enum look_word word = look_word(cell->text, &value);

    if (word == WORD_EXPORTED)
        return KIND_WORD;
    if (cell->kind != CELL_TEXT)
        return KIND_TEXT;
    return word == WORD_WRITTEN          ? KIND_WRITTEN
           : look_is_numeral(cell->text) ? KIND_NUMERAL
                                         : KIND_TEXT;
}

static enum value_kind kind_of(const struct cell *cell)
{
    bool is_bare = cell->kind == CELL_TEXT;

    if (cell->kind == CELL_NUMBER || (is_bare && jsonlex_is_number(cell->text)))
        return KIND_NUMBER;
    if (cell->kind == CELL_BOOL || (is_bare && jsonlex_is_bool(cell->text)))
        return KIND_BOOLEAN;
    return kind_of_text(cell);
}

static void count(struct column_kinds *column, enum value_kind kind, uint64_t line,
                  struct span text)
{
    struct kind_tally *tally = &column->of[kind];

    if (tally->count < KIND_SAMPLES) {
        tally->lines[tally->count] = line;
        look_show(text, tally->shown[tally->count], KIND_SHOWN_MAX);
    }
    tally->count++;
}

static bool is_word(enum value_kind kind)
{
    return kind == KIND_WORD || kind == KIND_WRITTEN;
}

static void keep_word(struct column_kinds *column, struct span text)
{
    struct kind_word *word = &column->words[column->word_count];

    for (size_t i = 0; i < column->word_count; i++)
        if (span_is(text, column->words[i].text))
            return;
    if (column->word_count == KIND_WORDS_MAX || text.len >= KIND_SHOWN_MAX ||
        look_word(text, &word->value) == WORD_NONE)
        return;
    memcpy(word->text, text.ptr, text.len);
    word->text[text.len] = '\0';
    column->word_count++;
}

static enum status add_cell(struct kinds *kinds, size_t index, uint64_t line,
                            const struct cell *cell, enum value_kind kind)
{
    struct column_kinds *column = kinds->columns[index];
    if (column == NULL) {
        column = kinds->columns[index] = calloc(1, sizeof(*column));
        if (column == NULL)
            return STATUS_NO_MEMORY;
    }
    count(column, kind, line, cell->text);
    if (is_word(kind))
        keep_word(column, cell->text);
    if (kind == KIND_NUMBER && look_is_hex_number(cell->text))
        count(column, KIND_HEX, line, cell->text);
    else if (kind >= KIND_TEXT && look_has_invisible(cell_as_given(cell)))
        count(column, KIND_INVISIBLE, line, cell_as_given(cell));
    return STATUS_OK;
}

static uint64_t place_of(uint16_t object_id, uint16_t res_id)
{
    return UINT64_C(1) << 32 | (uint64_t)object_id << 16 | res_id;
}

/* The resource's place in the table, or a free one; NULL where there is neither. */
static struct resource_kinds *find_resource(const struct kinds *kinds, uint64_t place)
{
    size_t at = (size_t)((place ^ place >> 16) % KINDS_RESOURCES_MAX);

    for (size_t i = 0; i < PROBES_MAX; i++) {
        const struct resource_kinds *found = &kinds->resources[(at + i) % KINDS_RESOURCES_MAX];
        if (found->place == place || found->place == 0)
            return (struct resource_kinds *)found;
    }
    return NULL;
}

static void add_items(struct kinds *kinds, uint64_t line, uint16_t object_id,
                      const struct footprint *footprint)
{
    for (size_t i = 0; i < footprint->count; i++) {
        const struct footprint_item *item = &footprint->items[i];
        if (item->kind == FOOTPRINT_OTHER)
            continue;
        uint64_t place = place_of(object_id, item->res_id);
        struct resource_kinds *resource = find_resource(kinds, place);
        if (resource == NULL)
            continue;
        resource->place = place;
        if (resource->counts[item->kind]++ == 0)
            resource->lines[item->kind] = line;
        if (item->invisible && resource->invisible++ == 0)
            resource->invisible_line = line;
    }
}

/* Whether the row's data are an array of its own: one that --set makes is judged by the columns
 * that it takes its values from. */
static bool is_own_data(const struct column *column)
{
    return column->role == COLUMN_PART && column->part == PART_DATA;
}

static enum value_kind kind_in(const struct column *column, const struct cell *cell)
{
    return column->judged_as_text ? KIND_TEXT : kind_of(cell);
}

/* Which columns are looked at is asked once, not for each row. */
static void find_judged(struct kinds *kinds, const struct schema *schema)
{
    for (; kinds->known_count < schema->count && kinds->known_count < KINDS_COLUMNS_MAX;
         kinds->known_count++) {
        const struct column *column = &schema->columns[kinds->known_count];
        if (column->judged || column->role == COLUMN_RES)
            kinds->judged[kinds->judged_count++] = (uint16_t)kinds->known_count;
    }
}

/* What the cell has been found to be when its item was made. */
static enum value_kind kind_of_item(const struct footprint *footprint, size_t item,
                                    const struct cell *cell)
{
    if (item >= footprint->count || footprint->items[item].kind == FOOTPRINT_TEXT)
        return kind_of(cell);
    return footprint->items[item].kind == FOOTPRINT_NUMBER ? KIND_NUMBER : KIND_BOOLEAN;
}

enum status kinds_add(struct kinds *kinds, const struct schema *schema, const struct row *row,
                      uint16_t object_id, const struct footprint *footprint)
{
    enum status status = STATUS_OK;
    size_t item = 0; /* of the next res: cell */

    if (kinds->known_count < schema->count)
        find_judged(kinds, schema);
    for (size_t n = 0; n < kinds->judged_count && status == STATUS_OK; n++) {
        size_t i = kinds->judged[n];
        const struct column *column = &schema->columns[i];
        const struct cell *cell = &row->cells[i];
        if (i >= row->cell_count || !cell_is_given(cell))
            continue;
        if (column->role == COLUMN_RES) {
            if (column->judged)
                status = add_cell(kinds, i, row->line, cell, kind_of_item(footprint, item, cell));
            item++;
        } else if (is_own_data(column)) {
            add_items(kinds, row->line, object_id, footprint);
        } else if (cell->kind != CELL_JSON) {
            status = add_cell(kinds, i, row->line, cell, kind_in(column, cell));
        }
    }
    return status;
}

static void say(struct sentence *sentence, const char *format, ...) PRINTF_LIKE(2, 3);

/* Appends; what does not fit is left out as a whole. */
static void say(struct sentence *sentence, const char *format, ...)
{
    size_t room = sizeof(sentence->text) - sentence->len;
    va_list args;

    va_start(args, format);
    int len = vsnprintf(sentence->text + sentence->len, room, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= room)
        sentence->text[sentence->len] = '\0';
    else
        sentence->len += (size_t)len;
}

/* "1,234.50" on line 5, "12%" on line 9 */
static void say_samples(struct sentence *sentence, const struct kind_tally *tally, bool in_quotes,
                        size_t max)
{
    const char *quote = in_quotes ? "\"" : "";

    for (size_t i = 0; i < tally->count && i < max; i++)
        say(sentence, "%s%s%s%s on line %llu", i > 0 ? ", " : "", quote, tally->shown[i], quote,
            (unsigned long long)tally->lines[i]);
    if (tally->count > max)
        say(sentence, ", …");
}

static void say_kind(struct sentence *sentence, const struct column_kinds *column,
                     enum value_kind kind, const char *separator)
{
    const struct kind_tally *tally = &column->of[kind];
    bool is_text = kind == KIND_TEXT || kind == KIND_WORD;

    say(sentence, "%s%llu %s (", separator, (unsigned long long)tally->count,
        tally->count == 1 ? words[kind].one : words[kind].many);
    say_samples(sentence, tally, is_text, is_text ? KIND_SAMPLES : 1);
    say(sentence, ")");
}

/* The samples of both, as their lines come. */
static void merge_tally(struct kind_tally *into, const struct kind_tally *other)
{
    const struct kind_tally own = *into;
    size_t a = 0, b = 0;

    into->count += other->count;
    for (size_t i = 0; i < KIND_SAMPLES && i < into->count; i++) {
        bool is_own = b == other->count || (a < own.count && own.lines[a] < other->lines[b]);
        const struct kind_tally *from = is_own ? &own : other;
        size_t at = is_own ? a++ : b++;
        into->lines[i] = from->lines[at];
        memcpy(into->shown[i], from->shown[at], KIND_SHOWN_MAX);
    }
}

static bool is_all_numerals(const struct column_kinds *column)
{
    for (size_t i = 0; i < KIND_INVISIBLE; i++)
        if (i != KIND_NUMERAL && i != KIND_HEX && column->of[i].count > 0)
            return false;
    return true;
}

/* The column as it is judged: 开 beside texts that mean nothing is one of them, and so is 1,234
 * beside whatever there is. */
static struct column_kinds settle_written(const struct column_kinds *column)
{
    struct column_kinds settled = *column;

    if (!is_all_numerals(column)) {
        merge_tally(&settled.of[KIND_TEXT], &column->of[KIND_NUMERAL]);
        settled.of[KIND_NUMERAL].count = 0;
    }
    if (settled.of[KIND_TEXT].count > 0) {
        merge_tally(&settled.of[KIND_TEXT], &column->of[KIND_WRITTEN]);
        settled.of[KIND_WRITTEN].count = 0;
    } else {
        merge_tally(&settled.of[KIND_WORD], &column->of[KIND_WRITTEN]);
    }
    return settled;
}

/* Which of number, boolean and text the column holds. */
static size_t main_kinds(const struct column_kinds *column, enum value_kind ret_kinds[3])
{
    static const enum value_kind all[] = {KIND_NUMBER, KIND_BOOLEAN, KIND_TEXT};
    size_t found = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        if (column->of[all[i]].count > 0)
            ret_kinds[found++] = all[i];
    return found;
}

/* A column, or a resource, whose values are of several kinds. */
static void add_mixture(bool is_doubt, struct span field, const char *value, const char *words_of,
                        struct problems *problems)
{
    if (is_doubt)
        problem_add_doubt(problems, PROBLEM_MIXED, field, span_string(value), "%s", words_of);
    else
        problem_add(problems, PROBLEM_MIXED, field, span_string(value), "%s", words_of);
}

static void judge_mixture(const struct column_kinds *column, struct span field,
                          struct problems *problems)
{
    enum value_kind found[3];
    size_t kinds = main_kinds(column, found);
    struct sentence sentence = {.len = 0};

    if (kinds > 1) {
        for (size_t i = 0; i < kinds; i++)
            say_kind(&sentence, column, found[i],
                     i == 0          ? "holds "
                     : i + 1 < kinds ? ", "
                                     : " and ");
        say(&sentence, ": each is sent as what it looks like");
    } else if (column->of[KIND_HEX].count > 0) {
        say(&sentence, "holds what is sent as a number and may be hex: ");
        say_samples(&sentence, &column->of[KIND_HEX], false, KIND_SAMPLES);
    } else {
        return;
    }
    const struct kind_tally *shown =
        kinds > 1 ? &column->of[found[kinds - 1]] : &column->of[KIND_HEX];
    /* Numbers beside true and false are odd, but each is what it says. */
    add_mixture(kinds == 1 || column->of[KIND_TEXT].count > 0, field, shown->shown[0],
                sentence.text, problems);
}

/* The words of a column that asks for them, if they are not in the list yet. */
static void add_words_of(const struct column_kinds *column, bool value, struct buf *out)
{
    bool ignored;

    for (size_t i = 0; i < column->word_count; i++) {
        struct span word = span_string(column->words[i].text);
        bool is_text = column->of[KIND_TEXT].count > 0 && look_word(word, &ignored) == WORD_WRITTEN;
        if (column->words[i].value == value && !is_text)
            text_add_item(word, out);
    }
}

void kinds_add_words(const struct kinds *kinds, bool value, struct buf *out)
{
    for (size_t i = 0; i < KINDS_COLUMNS_MAX; i++)
        if (kinds->columns[i] != NULL)
            add_words_of(kinds->columns[i], value, out);
}

/* --true 开,是 --false 关 */
static void say_options(struct sentence *sentence, const struct column_kinds *column)
{
    static const char *const options[] = {"--false", "--true"};
    const char *separator = "";

    for (size_t i = ARRAY_LENGTH(options); i-- > 0;) {
        struct buf list;
        buf_init(&list, SENTENCE_MAX);
        add_words_of(column, i == 1, &list);
        if (list.len > 0) {
            say(sentence, "%s%s %s", separator, options[i], buf_string(&list));
            separator = " ";
        }
        buf_deinit(&list);
    }
}

static void judge_words(const struct column_kinds *column, struct span field,
                        struct problems *problems)
{
    const struct kind_tally *tally = &column->of[KIND_WORD];
    struct sentence samples = {.len = 0}, options = {.len = 0}, sentence = {.len = 0};

    if (tally->count == 0)
        return;
    say_samples(&samples, tally, true, KIND_SAMPLES);
    say_options(&options, column);
    say(&sentence,
        tally->count == 1
            ? "%llu cell looks like true or false, and is sent as a text: %s; to send "
              "a boolean, add %s"
            : "%llu cells look like true or false, and are sent as texts: %s; to send "
              "booleans, add %s",
        (unsigned long long)tally->count, samples.text, options.text);
    problem_add_doubt(problems, PROBLEM_BOOLEAN, field, span_string(tally->shown[0]), "%s",
                      sentence.text);
}

static void judge_numerals(const struct column_kinds *column, struct span field,
                           struct problems *problems)
{
    const struct kind_tally *tally = &column->of[KIND_NUMERAL];
    struct sentence samples = {.len = 0}, sentence = {.len = 0};

    if (tally->count == 0)
        return;
    say_samples(&samples, tally, true, KIND_SAMPLES);
    say(&sentence,
        tally->count == 1 ? "%llu cell looks like a number, and is sent as a text: %s"
                          : "%llu cells look like numbers, and are sent as texts: %s",
        (unsigned long long)tally->count, samples.text);
    problem_add_doubt(problems, PROBLEM_MIXED, field, span_string(tally->shown[0]), "%s",
                      sentence.text);
}

static void judge_invisible(const struct column_kinds *column, struct span field,
                            struct problems *problems)
{
    const struct kind_tally *tally = &column->of[KIND_INVISIBLE];
    struct sentence sentence = {.len = 0};

    if (tally->count == 0)
        return;
    say(&sentence, "%llu cell%s invisible characters: ", (unsigned long long)tally->count,
        tally->count == 1 ? " holds" : "s hold");
    say_samples(&sentence, tally, true, KIND_SAMPLES);
    problem_add_doubt(problems, PROBLEM_INVISIBLE, field, span_string(tally->shown[0]), "%s",
                      sentence.text);
}

static void judge_resource(const struct resource_kinds *resource, struct problems *problems)
{
    struct sentence sentence = {.len = 0};
    size_t kinds = 0;

    say(&sentence,
        "gives resource %u values of several kinds: ", (unsigned)(resource->place & 0xffff));
    for (size_t i = 0; i < FOOTPRINT_KIND_COUNT; i++) {
        uint64_t number = resource->counts[i];
        if (number == 0)
            continue;
        say(&sentence, "%s%llu %s (the first on line %llu)", kinds > 0 ? ", " : "",
            (unsigned long long)number, number == 1 ? words[i].one : words[i].many,
            (unsigned long long)resource->lines[i]);
        kinds++;
    }
    if (kinds > 1)
        add_mixture(resource->counts[FOOTPRINT_TEXT] > 0, SPAN_LITERAL("data"), "", sentence.text,
                    problems);
}

static void judge_invisible_data(const struct resource_kinds *resource, struct problems *problems)
{
    if (resource->invisible == 0)
        return;
    problem_add_doubt(
        problems, PROBLEM_INVISIBLE, SPAN_LITERAL("data"), span_of(NULL, 0),
        "gives resource %u %llu text%s with invisible characters, the first on line %llu",
        (unsigned)(resource->place & 0xffff), (unsigned long long)resource->invisible,
        resource->invisible == 1 ? "" : "s", (unsigned long long)resource->invisible_line);
}

void kinds_judge(const struct kinds *kinds, const struct schema *schema, struct problems *problems)
{
    for (size_t i = 0; i < schema->count && i < KINDS_COLUMNS_MAX; i++) {
        struct span field = span_string(schema->columns[i].name);
        if (kinds->columns[i] == NULL)
            continue;
        const struct column_kinds column = settle_written(kinds->columns[i]);
        judge_mixture(&column, field, problems);
        judge_words(&column, field, problems);
        judge_numerals(&column, field, problems);
        judge_invisible(&column, field, problems);
    }
    for (size_t i = 0; i < KINDS_RESOURCES_MAX; i++) {
        if (kinds->resources[i].place == 0)
            continue;
        judge_resource(&kinds->resources[i], problems);
        judge_invisible_data(&kinds->resources[i], problems);
    }
}

/* A text beside what is none: what a person is asked about. */
static bool is_odd_beside(size_t kind, size_t other)
{
    return (kind == KIND_TEXT) != (other == KIND_TEXT);
}

/* A kind that the column has had and that `own` is odd beside; KIND_COUNT for none. */
static enum value_kind earlier_kind(const struct column_kinds *column, enum value_kind own)
{
    enum value_kind found[3];
    size_t kinds = column != NULL ? main_kinds(column, found) : 0;

    for (size_t i = 0; i < kinds; i++)
        if (is_odd_beside(own, found[i]))
            return found[i];
    return KIND_COUNT;
}

static void doubt_cell(const struct column_kinds *column, struct span field,
                       const struct cell *cell, enum value_kind kind, struct problems *problems)
{
    char shown[KIND_SHOWN_MAX];
    bool value;

    bool is_beside = column != NULL && (column->of[KIND_TEXT].count > 0 ||
                                        (kind == KIND_NUMERAL && !is_all_numerals(column)));
    if ((kind == KIND_WRITTEN || kind == KIND_NUMERAL) && is_beside)
        kind = KIND_TEXT;
    enum value_kind other = earlier_kind(column, kind);

    look_show(cell_as_given(cell), shown, sizeof(shown));
    if (is_word(kind) && look_word(cell->text, &value) != WORD_NONE)
        problem_add(problems, PROBLEM_DOUBT, field, cell->text,
                    value ? "%s would be sent as a text; to send a boolean, add --true %s"
                          : "%s would be sent as a text; to send a boolean, add --false %s",
                    shown, shown);
    else if (kind == KIND_NUMERAL)
        problem_add(problems, PROBLEM_DOUBT, field, cell->text,
                    "\"%s\" looks like a number, and would be sent as a text", shown);
    else if (other != KIND_COUNT)
        problem_add(problems, PROBLEM_DOUBT, field, cell->text,
                    "\"%s\" is a %s, and %s on line %llu is a %s", shown, words[kind].one,
                    column->of[other].shown[0], (unsigned long long)column->of[other].lines[0],
                    words[other].one);
    else if (kind == KIND_NUMBER && look_is_hex_number(cell->text))
        problem_add(problems, PROBLEM_DOUBT, field, cell->text,
                    "%s would be sent as a number, and may be hex", shown);
    if (kind != KIND_NUMBER && look_has_invisible(cell_as_given(cell)))
        problem_add(problems, PROBLEM_DOUBT, field, cell->text, "\"%s\" holds invisible characters",
                    shown);
}

static void doubt_items(const struct kinds *kinds, uint16_t object_id,
                        const struct footprint *footprint, struct problems *problems)
{
    for (size_t i = 0; i < footprint->count; i++) {
        const struct footprint_item *item = &footprint->items[i];
        if (item->kind == FOOTPRINT_OTHER)
            continue;
        if (item->invisible)
            problem_add(problems, PROBLEM_DOUBT, SPAN_LITERAL("data"), span_of(NULL, 0),
                        "gives resource %u a text with invisible characters",
                        (unsigned)item->res_id);
        const struct resource_kinds *resource =
            find_resource(kinds, place_of(object_id, item->res_id));
        for (size_t j = 0; resource != NULL && j < FOOTPRINT_KIND_COUNT; j++)
            if (is_odd_beside(item->kind, j) && resource->counts[j] > 0)
                problem_add(problems, PROBLEM_DOUBT, SPAN_LITERAL("data"), span_of(NULL, 0),
                            "gives resource %u a %s; on line %llu it was a %s",
                            (unsigned)item->res_id, words[item->kind].one,
                            (unsigned long long)resource->lines[j], words[j].one);
    }
}

void kinds_doubt(struct kinds *kinds, const struct schema *schema, const struct row *row,
                 uint16_t object_id, const struct footprint *footprint, struct problems *problems)
{
    find_judged(kinds, schema);
    for (size_t n = 0; n < kinds->judged_count; n++) {
        size_t i = kinds->judged[n];
        const struct column *column = &schema->columns[i];
        const struct cell *cell = &row->cells[i];
        if (i >= row->cell_count || !column->judged || !cell_is_given(cell))
            continue;
        if (is_own_data(column))
            doubt_items(kinds, object_id, footprint, problems);
        else if (cell->kind != CELL_JSON)
            doubt_cell(kinds->columns[i], span_string(column->name), cell, kind_in(column, cell),
                       problems);
    }
}
