/*
 * A column is looked at as a whole. A cell of a res: column is sent as a number, a boolean or a
 * text by what it looks like: one "1,234.50" among numbers goes out as a text, one 12E5 among hex
 * texts as a number, and no row by itself shows that. So the kinds of values are counted for each
 * column.
 *
 *     kinds_init(&kinds);
 *     for each good row: kinds_add(&kinds, &schema, &row, command.object_id, &footprint);
 *     kinds_judge(&kinds, &schema, &problems);                  // once the file is read
 *     kinds_deinit(&kinds);
 *
 * Memory: about 1 KB for each column that is judged, and 18 KB for data arrays, however many rows.
 */
#ifndef NB_PLATFORM_KINDS_H
#define NB_PLATFORM_KINDS_H

#include "platform/data.h"

enum value_kind {
    KIND_NUMBER,
    KIND_BOOLEAN,
    KIND_TEXT,
    KIND_WORD,      /* a text that a spreadsheet means as true or false: TRUE */
    KIND_WRITTEN,   /* one that a person may mean so: 开, off, √; beside other texts it is one of
                     * them */
    KIND_NUMERAL,   /* a text that is a number for a person: 1,234; beside what is none, a text */
    KIND_HEX,       /* beside KIND_NUMBER: a number such as 12E5 */
    KIND_INVISIBLE, /* beside its kind: holds characters that nobody sees */
    KIND_COUNT
};

enum { KIND_SAMPLES = 3, KIND_SHOWN_MAX = 48, KIND_WORDS_MAX = 8 };

/* How many there were, and the first ones as evidence. */
struct kind_tally {
    uint64_t count;
    uint64_t lines[KIND_SAMPLES];
    char shown[KIND_SAMPLES][KIND_SHOWN_MAX];
};

/* A word for true or false, as it is in a cell. */
struct kind_word {
    char text[KIND_SHOWN_MAX];
    bool value;
};

struct column_kinds {
    struct kind_tally of[KIND_COUNT];
    struct kind_word words[KIND_WORDS_MAX]; /* the first different ones */
    size_t word_count;
};

enum {
    KINDS_COLUMNS_MAX = 2048,  /* those of the input, and those that --set adds */
    KINDS_RESOURCES_MAX = 256, /* of data arrays; values of further ones are not judged */
};

/* A resource that data arrays write. */
struct resource_kinds {
    uint64_t place; /* object and resource, and that there is one; 0: empty */
    uint64_t counts[FOOTPRINT_KIND_COUNT];
    uint64_t lines[FOOTPRINT_KIND_COUNT]; /* of the first one of each kind */
    uint64_t invisible, invisible_line;   /* texts with such characters, and the first one's line */
};

struct kinds {
    uint16_t judged[KINDS_COLUMNS_MAX]; /* positions of the columns that are looked at */
    size_t judged_count;
    size_t known_count; /* columns of the schema that have been looked at for that */
    struct column_kinds *columns[KINDS_COLUMNS_MAX]; /* by position in the schema; NULL: no value */
    struct resource_kinds resources[KINDS_RESOURCES_MAX];
};

void kinds_init(struct kinds *kinds);

/* Takes NULL. */
void kinds_deinit(struct kinds *kinds);

/* Counts the values of a good row, as the schema describes it. STATUS_NO_MEMORY. */
enum status kinds_add(struct kinds *kinds, const struct schema *schema, const struct row *row,
                      uint16_t object_id, const struct footprint *footprint) MUST_USE;

/*
 * For rows that leave as they come: adds PROBLEM_DOUBT for each value of the row that would make
 * kinds_judge speak, given the rows that were added before. To be called before kinds_add.
 */
void kinds_doubt(struct kinds *kinds, const struct schema *schema, const struct row *row,
                 uint16_t object_id, const struct footprint *footprint, struct problems *problems);

/* Adds a warning for each column, or resource of data arrays, whose values are of several kinds or
 * hold what is rarely meant: a doubt, all but numbers beside booleans. */
void kinds_judge(const struct kinds *kinds, const struct schema *schema, struct problems *problems);

/* The words that --true (`value`) or --false would have to name so that none of the columns above
 * asks for its words: "开,是"; appends nothing where there are none. */
void kinds_add_words(const struct kinds *kinds, bool value, struct buf *out);

#endif
