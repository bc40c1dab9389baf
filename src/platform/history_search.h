/*
 * The search in a device's history for what its requests became (README.md, "What became of a
 * command"): which question is next, and what the answers come to. A LIST with all its pages, from
 * a day before the first attempt on, and a LOOKUP of each command of the right kind that is
 * nobody's. What is found is compared by meaning (likeness.h) and shared out (claims.h). Where
 * something is missing, the device is looked at once more, later; before that, a command that was
 * accepted meanwhile is looked for, the control: where the history does not know it, it is late, or
 * another platform's: it is looked at some more times, and then nothing is called missing. The
 * control must be in its own device's LIST, and is newer than what is missing; where there is none
 * such, and for an execute, somebody must know how soon the history tells.
 *
 *     history_search_new(&known, device, rows, requests, &search);
 *     r = history_search_add_row(search, attempts, is_covered);
 *     history_search_add_request(search, &request, from_s, to_s);         // of that row
 *     … history_search_begin(search, &step) …                             // a look
 *     while (step == SEARCH_ASK)
 *         history_search_ask(search, &operation, &question);
 *         … and its answer: step = history_search_take(search, body, error) …
 *     … SEARCH_LATER: begin again when it is time …
 *     … SEARCH_END: history_search_found for each row …
 *     history_search_free(search);
 *
 * A command that is equal, but was created at a time at which the row cannot have been sent, is not
 * claimed, and keeps the row in doubt: a platform's clock may be of another zone than is thought.
 * Pure: reads no clock, asks nobody.
 */
#ifndef NB_PLATFORM_HISTORY_SEARCH_H
#define NB_PLATFORM_HISTORY_SEARCH_H

#include "core/keytable.h"
#include "platform/claims.h"
#include "platform/operation.h"
#include "platform/reply.h"

enum {
    SEARCH_BACK_S = 26 * 3600, /* the list begins so much before the first attempt */
    SEARCH_MARGIN_S = 120,     /* a command's creation may be this much before or after it */
    SEARCH_ENTRIES_MAX = 4096, /* commands of a device that are looked up */
    SEARCH_LOOKS = 2,
    SEARCH_LOOKS_MAX = 4, /* where the history does not know the control yet */
};

/* A command that was accepted. */
struct accepted_command {
    uint64_t device; /* 0: there is none */
    int64_t at_ms;   /* when that was on record, epoch; 0: not known */
    char uuid[REPLY_UUID_MAX + 1];
};

/* What is known of commands that are not looked for. */
struct known_commands {
    struct keytable owned;          /* the uuids of accepted rows */
    struct accepted_command last;   /* the latest of them */
    struct accepted_command seen;   /* the history is known to have this one */
    struct history_search *waiting; /* for the next one that is accepted: it is their control */
    bool is_prompt; /* the history is known to tell by the second look, without a control, too */
};

void known_commands_init(struct known_commands *known);
void known_commands_deinit(struct known_commands *known);

/* The uuid is an accepted row's. STATUS_NO_MEMORY. */
enum status known_commands_own(struct known_commands *known, struct span uuid) MUST_USE;

/* The same of one that was accepted just now: it is a control. One that the history has told of is
 * none: it may have been there for long. */
enum status known_commands_add(struct known_commands *known, uint64_t device,
                               struct span uuid) MUST_USE;

/* Whether it is an accepted row's. */
bool known_commands_has(const struct known_commands *known, struct span uuid);

/* It was accepted by an earlier run, and may be the control. */
void known_commands_note(struct known_commands *known, uint64_t device, struct span uuid,
                         int64_t at_ms);

enum search_step {
    SEARCH_ASK,
    SEARCH_LATER, /* there is to be another look, later */
    SEARCH_END,
};

struct search_found {
    enum claim claim;
    const char *uuid;    /* of CLAIM_FOUND */
    struct span surplus; /* further ones of equal commands, with ", " between them; empty: none */
    const char *why;     /* of CLAIM_UNCLEAR; as are the others, valid until the search ends */
};

struct history_search;

/* For so many rows and requests at the most. `known` outlives the search. STATUS_NO_MEMORY. */
enum status history_search_new(struct known_commands *known, uint64_t device, size_t rows,
                               size_t requests, struct history_search **ret_search) MUST_USE;

/* Takes NULL. */
void history_search_free(struct history_search *search);

/* Adds a row, of which so many requests may have been processed. `is_covered`: all of these will be
 * added. */
void history_search_add_row(struct history_search *search, unsigned attempts, bool is_covered);

/* Adds a request of the last row, whose texts outlive the search, and when it was under way, by the
 * platform's clock. Later ones come later. */
void history_search_add_request(struct history_search *search,
                                const struct likeness_request *request, int64_t from_s,
                                int64_t to_s);

/* The last request of all had ended then, by the clock of known_commands_note: a command that was
 * on record later is a control. */
void history_search_sent_until(struct history_search *search, int64_t last_ms);

/* The platform's clock was thought to be so much less than it is. */
void history_search_shift(struct history_search *search, int64_t by_s);

/* Begins a look. SEARCH_END where no request is known. */
enum search_step history_search_begin(struct history_search *search);

/* When the next look comes, by the clock of both times: the first two so long after the last
 * attempt, which had ended at `ended_ms`, the others so long after the one before. */
int64_t history_search_due_ms(const struct history_search *search,
                              const int64_t settle_ms[SEARCH_LOOKS], int64_t ended_ms,
                              int64_t now_ms);

/* The question that is next. Its uuid is valid until the answer is taken. */
void history_search_ask(struct history_search *search, enum operation *ret_operation,
                        struct question *ret_question);

/* Takes the answer, with one readable byte behind it; a NULL body: there is none, `error` says why.
 */
enum search_step history_search_take(struct history_search *search, struct span body,
                                     const char *error);

/* What came of a row, from 0, at the end. */
void history_search_found(struct history_search *search, size_t row,
                          struct search_found *ret_found);

#endif
