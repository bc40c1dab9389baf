/*
 * Which line of a key counts, where the results have several: an accepted line beats any other,
 * whatever the order of the lines, but for one that says that it was sent again since its accepted
 * command had ended (result_again_error), which is above the others like an accepted one. Among
 * those above, and among the others, the latest finished_at counts, then the later line. Every
 * reader of results asks here: what --resume knows, the account, --sort, the page.
 *
 *     … a first time over the lines: where a key comes once more
 *     current_watch(&current, &fields.id);
 *     … a second time, where any key is watched (current.count > 0)
 *     current_weigh(&current, &fields);
 *     … and from then on
 *     current_has(&current, &fields);      // whether this is the line that counts
 *
 * A key that is not watched has one line, which counts. Watched keys take 30–37 bytes each, the
 * others none.
 */
#ifndef NB_LEDGER_CURRENT_H
#define NB_LEDGER_CURRENT_H

#include "core/keytable.h"
#include "ledger/result_scan.h"

struct current_line; /* the best one so far */

struct current {
    struct keytable places; /* 1 + where a key's line is among `lines` */
    struct current_line *lines;
    uint32_t count, capacity;
};

void current_init(struct current *current);
void current_deinit(struct current *current);

/*
 * Whether a line beats the one that counted before it, for those who keep no times: `is_above` says
 * that it is accepted or was sent again after that, `was_above` that some line before it was, and
 * `is_latest` that no line before it ended later. *ret_unsure: it cannot be told, and the key is to
 * be watched. Pure.
 */
bool current_beats(bool is_above, bool is_latest, bool was_above, bool *ret_unsure);

/* The key has several lines. Watched already: nothing happens. STATUS_NO_MEMORY. */
enum status current_watch(struct current *current, const struct row_id *id) MUST_USE;

bool current_watches(const struct current *current, const struct row_id *id);

/* The next line in the order of the file. True where it beats those before it, or its key is not
 * watched. */
bool current_weigh(struct current *current, const struct result_fields *fields);

/* Whether this is the line of its key that counts: after all lines were weighed. */
bool current_has(const struct current *current, const struct result_fields *fields);

#endif
