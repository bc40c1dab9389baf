/*
 * Taking commands back, as an engine's source of rows (engine/row_source.h): one PUT for each uuid,
 * never for a device as a whole, since others put commands there too. What the PUT leaves open is
 * settled by a LOOKUP: a refusal (the command does not wait any more, or the platform does not know
 * it), and no answer. A command that still waits after a PUT without an answer is asked for once
 * more. Reads no clock and touches no file.
 *
 *     takeback_init(&takeback, &options);
 *     job_run(&takeback.base, &job, &blank_store, …);
 *     takeback_deinit(&takeback);
 *
 * Private to run/.
 */
#ifndef NB_RUN_TAKEBACK_H
#define NB_RUN_TAKEBACK_H

#include "engine/row_source.h"
#include "run/cancelled_file.h"

enum { TAKEBACK_PUTS_MAX = 3 }; /* of one command, that got no answer */

struct takeback_command {
    struct row_id id; /* of its row; with the device */
    char uuid[REPLY_UUID_MAX + 1];
};

struct takeback_result {
    enum cancel_outcome outcome;
    bool has_errno; /* of the PUT, where it was refused */
    int64_t platform_errno;
    const char *error; /* "" for none */
    int64_t finished_ms;
};

struct takeback_options {
    enum dialect dialect;
    void *context;
    /* The next command. STATUS_END; STATUS_IO with errno. */
    enum status (*next)(void *context, struct takeback_command *ret_command);
    /* What came of it. False: that could not be kept, and all ends with STATUS_IO, by errno. */
    bool (*keep)(void *context, const struct takeback_command *command,
                 const struct takeback_result *result);
};

struct errand; /* a command that is being taken back */

struct takeback {
    struct row_source base; /* first */
    struct takeback_options options;
    struct errand *all, *unused;
    struct errand *next, *last; /* those that go on, in their order */
    size_t under_way;
    int64_t clock_off_s;    /* the platform's clock less this machine's, as far as it is known */
    int error;              /* errno; 0: all could be kept */
    bool has_ended;         /* there are no more commands */
    uint64_t puts, lookups; /* that left */
};

void takeback_init(struct takeback *takeback, const struct takeback_options *options);
void takeback_deinit(struct takeback *takeback);

#endif
