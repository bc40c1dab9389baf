/* A row on its way to a command: what command.c and its parts share. Private to them. */
#ifndef NB_PLATFORM_COMMAND_IMPL_H
#define NB_PLATFORM_COMMAND_IMPL_H

#include "platform/command.h"

/* What the row says, by meaning instead of by position. */
struct draft {
    struct command *command;
    const struct schema *schema;
    const struct row *row;
    struct problems *problems;
    int64_t now_s, later_s;
    int64_t embargo_s;
    bool check_only;
    bool nameless;
    bool any_device;
    enum dialect dialect;
    bool has_blanks; /* the body holds texts with blanks around them, which the key leaves out */
    const struct fleet *fleet;
    struct footprint *footprint;
    const struct cell *parts[PART_COUNT];     /* what is given; NULL: nothing */
    const struct column *columns[PART_COUNT]; /* where it is */
    size_t res_count;
    bool valid_time_good, expired_time_good; /* of a good row: it has one */
    int64_t times_s[PARAM_COUNT];            /* for parameters that are times */
    int64_t ints[PARAM_COUNT]; /* and for those that are good numbers; else the default */
    enum status status;        /* STATUS_NO_MEMORY where the row could not be checked */
};

/* What the input calls a part: messages name the column as people know it. */
struct span draft_field(const struct draft *draft, size_t part);

/* Checks every parameter, alone and beside the others, and takes the good ones into the draft. */
void draft_check_params(struct draft *draft);

/* Appends the body, with its checks. */
void draft_add_body(struct draft *draft, struct buf *out);

/* Appends the body without the blanks around its texts. */
void draft_add_key_body(const struct draft *draft, struct buf *out);

#endif
