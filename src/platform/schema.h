/*
 * What the columns of an input mean: each name is resolved once, rows then go by position.
 *
 *     schema_init(&schema);
 *     for each column name: schema_add(&schema, name);
 *     schema_check(&schema, &problems);     // a CSV header: every unknown or missing column
 */
#ifndef NB_PLATFORM_SCHEMA_H
#define NB_PLATFORM_SCHEMA_H

#include "platform/problem.h"
#include "platform/rules.h"

/* What a row can say once: each of the platform's parameters, and what is beside them. */
enum part { PART_ACTION = PARAM_COUNT, PART_DATA, PART_ARGS, PART_COUNT };

enum column_role {
    COLUMN_UNKNOWN,
    COLUMN_PART,
    COLUMN_RES,     /* res:<id>[:opaque|:time|:string], one item of data */
    COLUMN_CARRIED, /* nothing to the platform: passed into the results, or used by a --set */
};

enum res_kind {
    RES_AUTO, /* a JSON number, true or false as such, anything else as a string */
    RES_OPAQUE,
    RES_TIME,
    RES_STRING,
};

struct column {
    char *name; /* owned; what messages call it */
    enum column_role role;
    size_t part;         /* COLUMN_PART: an enum param or an enum part */
    uint32_t res_id;     /* COLUMN_RES */
    enum res_kind kind;  /* COLUMN_RES */
    bool is_fallback;    /* from --set: gives way to the input's own column */
    bool judged;         /* kinds.h looks at its values as a whole */
    bool judged_as_text; /* likewise, but as texts in any case */
    bool is_text;        /* its name ends with :string: its values are meant as they are */
    bool bad_res;        /* unknown since it starts with res: but is none */
    bool is_loose;       /* known only since spelling is forgiven (heading.h) */
};

struct schema {
    struct column *columns;
    size_t count;
    size_t capacity;
};

void schema_init(struct schema *schema);
void schema_deinit(struct schema *schema);

/* Adds the next column. The name is copied. STATUS_NO_MEMORY. */
enum status schema_add(struct schema *schema, struct span name) MUST_USE;

/* The same for a column that stands for the one called `meaning`. */
enum status schema_add_as(struct schema *schema, struct span name, struct span meaning) MUST_USE;

/* Says once more what a column stands for; with an empty `meaning`, that it stands for nothing. */
void schema_mean(struct column *column, struct span meaning);

/* The same as schema_add_as for a value that every row gets that has none of its own. */
enum status schema_add_fallback(struct schema *schema, struct span name,
                                struct span meaning) MUST_USE;

/* Whether the name ends with :string, which says that the column's values are texts and meant. */
bool schema_is_text(struct span name);

/* Whether a column of that name means something to the platform, however it is spelt; and the name
 * of the nearest one that does, or NULL. */
bool schema_knows(struct span name);
const char *schema_nearest(struct span name);

/*
 * Judges a header as a whole: adds a problem for each unknown column (naming the nearest known one)
 * and for each one that every row will need and that is not there or is there twice.
 */
void schema_check(const struct schema *schema, struct problems *problems);

/* The platform's name of a part: "imei", "data". */
const char *schema_part_name(size_t part);

/* Adds the problem that an unknown column is. */
void schema_report_unknown(const struct column *column, struct problems *problems);

#endif
