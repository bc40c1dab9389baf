/*
 * A command: what one row asks of the platform, checked, with its request ready to send.
 *
 *     command_init(&command);
 *     status = command_build(&command, &context, &row, NULL, &problems);
 *     if (status == STATUS_OK && problems.error_count == 0)
 *         … send command_target(&command) and command_body(&command) …
 *     command_deinit(&command);
 */
#ifndef NB_PLATFORM_COMMAND_H
#define NB_PLATFORM_COMMAND_H

#include "core/row.h"
#include "platform/data.h"
#include "platform/operation.h"
#include "platform/schema.h"

enum {
    COMMAND_IMEI_SHOWN_MAX = 64, /* bytes of what replaces an IMEI that the results repeat */
};

struct command {
    uint64_t row, line;
    enum action action;
    uint64_t device;      /* see device.h; 0 when it is none */
    uint64_t hash;        /* the content of the row as given, before relative times are resolved */
    uint64_t meaning;     /* of a good row in a check (context.fleet): a hash of what is asked for,
                             equal where two requests differ in nothing but spelling */
    int64_t shifted_s;    /* what command_shift has added */
    int64_t valid_at_s;   /* epoch; the run's start when not given */
    int64_t expires_at_s; /* epoch; 0 when it is not known */
    bool valid_is_given;
    bool valid_is_relative, expires_is_relative; /* given as +24h, or by the embargo */
    uint16_t object_id, instance_id;
    bool replaces;                          /* a write with mode 1: deletes what it does not name */
    uint32_t valid_time_at, valid_time_len; /* where the target has that parameter, its & included;
                                               0: nowhere */
    struct buf text;                        /* body, target, NUL, imei, passed cells */
    size_t body_len, target_len, device_len;
    size_t passed_count;
};

void command_init(struct command *command);
void command_deinit(struct command *command);

struct fleet;

/* What all rows of an input have in common. */
struct command_context {
    const struct schema *schema;
    int64_t now_s;     /* the run's start, epoch: times are compared with it */
    int64_t later_s;   /* relative times, and the embargo, count from so much later: from the start
                          of a step (send/rollout.h) */
    int64_t embargo_s; /* the valid_time of rows that give none, later than now; 0: none. It
                          is no part of the row's content, and moves with the clock as a
                          relative time does */
    bool check_only;   /* no request is built */
    bool nameless;     /* nobody asks for the row's hash: it stays 0 */
    enum dialect dialect;      /* whose paths the request takes */
    bool any_device;           /* test devices too: 4 to 17 digits, whatever the first */
    const struct fleet *fleet; /* that the command will be added to; NULL: none */
};

/*
 * Checks a row and builds its request: URL path with parameters in the platform's order,
 * percent-encoded, and the body. Every problem of the row is added to `problems`, which the caller
 * has cleared for it. Row, line, hash and imei are set for bad rows too, the request only for good
 * ones. What a good write writes is noted in `ret_footprint`, unless that is NULL. Memory of an
 * earlier command is used again. STATUS_OK (also with problems) or STATUS_NO_MEMORY.
 */
enum status command_build(struct command *command, const struct command_context *context,
                          const struct row *row, struct footprint *ret_footprint,
                          struct problems *problems) MUST_USE;

/*
 * Makes the request of a question about commands (operation.h) in its place: device and request are
 * set, it is good at any time, and the rest is 0. STATUS_RANGE and STATUS_NO_MEMORY as
 * operation_request.
 */
enum status command_ask(struct command *command, enum dialect dialect, enum operation operation,
                        const struct question *question) MUST_USE;

/* Adds a cell that goes into the results untouched, behind those that were added before; to be
 * called after command_build. STATUS_NO_MEMORY. */
enum status command_add_passed(struct command *command, const struct cell *cell) MUST_USE;

/* The cells that were added, `max` at most; valid as long as the command. The result is how many.
 */
size_t command_passed(const struct command *command, struct cell *ret_cells, size_t max);

/* The same cells as the command keeps them (numbers as this kind of machine has them), and read
 * from that: as many as are whole. */
struct span command_passed_bytes(const struct command *command);
size_t command_cells(struct span bytes, struct cell *ret_cells, size_t max);

/* The texts of a command that was kept elsewhere. */
struct command_texts {
    struct span target, body, device, passed;
};

/* A command that was built before: numbers and times as in `facts`, whose own text is not looked
 * at. Memory of an earlier command is used again. STATUS_NO_MEMORY, STATUS_TOO_BIG. */
enum status command_restore(struct command *command, const struct command *facts,
                            const struct command_texts *texts) MUST_USE;

/*
 * Moves the times that were given as relative ones, in the request as well, so that they are off by
 * so many seconds from what they were built as: the clock that they were reckoned by is. Where one
 * cannot be moved, or would come to be on the other side of one that is given, nothing changes.
 */
void command_shift(struct command *command, int64_t off_s);

struct span command_device_text(const struct command *command);

/* Path and query, NUL-terminated behind its end. */
struct span command_target(const struct command *command);

/*
 * Leaves valid_time out of the target: what the platform takes for "now". For a command whose
 * valid_time has come before it leaves, which the platform would refuse. False where there is none.
 */
bool command_drop_valid_time(struct command *command);

/* Appends the target without its times: what is known of a request that an earlier run made of the
 * same row, since that reckoned relative times by its own start. */
void command_add_timeless_target(const struct command *command, struct buf *out);

/* Empty for a command without a body. */
struct span command_body(const struct command *command);

#endif
