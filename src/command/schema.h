/*
 * What the columns of an input mean: each name is resolved once, rows then go by position.
 *
 *     schema_init(&schema);
 *     for each column name: schema_add(&schema, name);
 *     schema_check(&schema, &problems);       // a CSV header: unknown and missing columns, all at
 * once
 */
#ifndef NB_COMMAND_SCHEMA_H
#define NB_COMMAND_SCHEMA_H

#include "command/problem.h"
#include "command/rules.h"

enum column_role {
    COLUMN_UNKNOWN,
    COLUMN_PARAM,
    COLUMN_ACTION,
    COLUMN_DATA,
    COLUMN_ARGS,
    COLUMN_RES, /* res:<id>[:opaque|:time|:string], one item of data */
};

enum res_kind {
    RES_AUTO, /* a JSON number, true or false as such, anything else as a string */
    RES_OPAQUE,
    RES_TIME,
    RES_STRING,
};

struct column {
    char *name; /* owned */
    enum column_role role;
    enum param param;   /* COLUMN_PARAM */
    uint32_t res_id;    /* COLUMN_RES */
    enum res_kind kind; /* COLUMN_RES */
    bool bad_res;       /* unknown since it starts with res: but is none */
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

/*
 * Judges a header as a whole: adds a problem for each unknown column (naming the nearest known one)
 * and for each one that every row will need and that is not there.
 */
void schema_check(const struct schema *schema, struct problems *problems);

/* Adds the problem that an unknown column is. */
void schema_report_unknown(const struct column *column, struct problems *problems);

#endif
