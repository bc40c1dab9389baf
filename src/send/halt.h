/*
 * When to stop starting rows because too many have gone wrong: the rules of --halt.
 *
 *     halt_init(&halt);
 *     if (halt_parse(&halt, text, &message) != STATUS_OK) … usage …      as often as it is given
 *     … for each row that has ended:
 *     halt_add(&halt, &fact);
 *     if (halt_crossed(&halt, &why)) … stop starting rows …
 *
 * The rules, with commas between them; the first one that is reached stops the run:
 *
 *     failed=5%      rows with this status: failed, rejected, in_doubt or invalid
 *     rejected=100   so many in the whole run
 *     errno:7=3%     rows that ended with this number of the platform's
 *     min=200        no percentage counts before so many rows have ended (HALT_MIN_DEFAULT)
 *
 * A percentage, with up to four decimals, is reached by the last HALT_WINDOW rows, so that trouble
 * that begins late shows, or by all rows of the run, so that trouble that comes and goes does.
 * Reached is reached: with failed=5% the 50th failed row of 1000 stops the run.
 */
#ifndef NB_SEND_HALT_H
#define NB_SEND_HALT_H

#include "core/buf.h"
#include "platform/outcome.h"

enum { HALT_RULES_MAX = 16, HALT_WINDOW = 1000, HALT_MIN_DEFAULT = 100 };

/* How a row has ended. */
struct halt_fact {
    enum row_status status;
    bool has_errno;
    int64_t platform_errno;
};

struct halt_rule {
    bool by_errno;
    bool is_share;
    enum row_status status;
    int64_t number;  /* the platform's errno */
    uint64_t most;   /* rows, or for a share millionths */
    uint64_t in_run; /* rows that it covers */
    uint32_t in_window;
};

struct halt {
    struct halt_rule rules[HALT_RULES_MAX];
    size_t rule_count;
    uint64_t min;
    bool has_min;
    uint64_t ended; /* rows so far */
    uint16_t
        window[HALT_WINDOW]; /* for each of the last rows, a bit for each rule that covers it */
    const struct halt_rule *crossed; /* the first one that was reached; the counts stay from then */
    bool crossed_in_window;
};

/* No rules: nothing is ever crossed. The struct must not be moved once a row has been added. */
void halt_init(struct halt *halt);

/* Adds the rules of a text. STATUS_USAGE, with the piece and the remedy in `message`, leaves those
 * before the piece added. */
enum status halt_parse(struct halt *halt, struct span text, struct buf *message) MUST_USE;

/* Counts a row that has ended. */
void halt_add(struct halt *halt, const struct halt_fact *fact);

/* Whether a rule has been reached; if so, appends which and by what, as one sentence without its
 * point. */
bool halt_crossed(const struct halt *halt, struct buf *why);

#endif
