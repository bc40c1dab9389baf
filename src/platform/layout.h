/*
 * How the operator's words bring an input into the platform's columns: --map says what a column
 * means, --set gives every row a value that it lacks, --pass carries a column into the results. A
 * row goes in as it was read, and comes out with the columns that the schema describes.
 *
 *     layout_init(&layout);
 *     layout_add_set(&layout, "data=[{\"res_id\":1,\"val\":${level}}]", &message);
 *     for each column of the input: layout_add_column(&layout, name);
 *     layout_check(&layout, &problems);                      // a CSV header
 *     for each row: layout_apply(&layout, &row, &shaped, &problems); command_build(… &shaped …);
 */
#ifndef NB_PLATFORM_LAYOUT_H
#define NB_PLATFORM_LAYOUT_H

#include "core/row.h"
#include "platform/schema.h"

enum { LAYOUT_SETS_MAX = 64, LAYOUT_MAPS_MAX = 64, LAYOUT_PASSES_MAX = 64, LAYOUT_WORDS_MAX = 64 };

struct layout_set;

/* A column of the input that goes by another name here (--map), or into the results (--pass). */
struct layout_column {
    struct span name;  /* of the column that it stands for; of a --pass, the same as `input` */
    struct span input; /* what the input calls it */
    size_t index;      /* among the input's columns; SIZE_MAX while it has none of that name */
};

/* What the operator calls true or false. */
struct layout_word {
    struct span text;
    bool value;
};

struct layout {
    struct schema schema; /* of the rows that come out: the sets' columns first */
    struct layout_set *sets[LAYOUT_SETS_MAX];
    size_t set_count;
    struct layout_column maps[LAYOUT_MAPS_MAX];
    size_t map_count;
    struct layout_column passes[LAYOUT_PASSES_MAX];
    size_t pass_count;
    struct layout_word words[LAYOUT_WORDS_MAX];
    size_t word_count;
    size_t input_count; /* columns of the input that are known so far */
    struct cell *cells; /* of the row that came out last, when there are sets or words */
    size_t cell_capacity;
};

void layout_init(struct layout *layout);

/* Takes NULL. */
void layout_deinit(struct layout *layout);

/*
 * NAME=VALUE, NAME=COLUMN and NAME[,NAME…]. The texts stay the caller's and are used until
 * layout_deinit. STATUS_USAGE with a text in `message`: no "=", a name that is no column of the
 * platform's (and the nearest one), a bad template, one name twice, too many. STATUS_NO_MEMORY.
 */
enum status layout_add_set(struct layout *layout, const char *text, struct buf *message) MUST_USE;
enum status layout_add_map(struct layout *layout, const char *text, struct buf *message) MUST_USE;
enum status layout_add_pass(struct layout *layout, const char *text, struct buf *message) MUST_USE;

/*
 * WORD[,WORD…]: cells of res: columns, and of columns that a data template refers to outside of
 * strings, that mean true or false; they are booleans from then on. Failures as above.
 */
enum status layout_add_true(struct layout *layout, const char *text, struct buf *message) MUST_USE;
enum status layout_add_false(struct layout *layout, const char *text, struct buf *message) MUST_USE;

/* Adds the input's next column. To be called after all sets, maps and passes. STATUS_NO_MEMORY. */
enum status layout_add_column(struct layout *layout, struct span name) MUST_USE;

/* Forgets the input's columns. STATUS_NO_MEMORY. */
enum status layout_restart(struct layout *layout) MUST_USE;

/*
 * Judges a header, whose columns are all known: schema_check, and whether every column is there
 * that a set, map or pass names. One that is not, but for its spelling (heading.h), is found where
 * there is only one.
 */
void layout_check(struct layout *layout, struct problems *problems);

/*
 * The row as the schema describes it. Cells belong to `row`'s owner or to the layout and are valid
 * until the next row is read. A reference to a column that has no value in this row is a problem.
 * STATUS_NO_MEMORY.
 */
enum status layout_apply(struct layout *layout, const struct row *row, struct row *ret_row,
                         struct problems *problems) MUST_USE;

/* The cell of the row that layout_apply was given that goes into the results as passes[index]. */
struct cell layout_passed(const struct layout *layout, const struct row *row, size_t index);

#endif
