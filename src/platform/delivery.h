/*
 * What became of a command that the platform has taken, for people and programs: the one table of
 * the states that a command can be in, and the one table of what devices answer. `nbatch status`,
 * the status file, --resume's words, the summary, the page, the help and the README read both
 * (README.md, "What became of a command").
 *
 *     enum command_state state = delivery_judge(&entry, now_s);   // COMMAND_MISSING: no entry
 *     printf("%s: %s", deliveries[state].word, deliveries[state].meaning);
 *     const struct delivery_facts facts = {.state = state, .remain = entry.remain, …};
 *     if (delivery_is_final(&facts)) …                            // never asked for again
 *     delivery_answers[entry.confirm].remedy;                     // of COMMAND_REFUSED
 *
 * All times are epoch seconds of the platform's clock; HISTORY_NONE: not known. Pure.
 */
#ifndef NB_PLATFORM_DELIVERY_H
#define NB_PLATFORM_DELIVERY_H

#include "platform/history.h"

enum {
    /* The platform may expire a command a little later than it said. */
    DELIVERY_GRACE_S = 5 * 60,
    /* After this the platform forgets a command. */
    DELIVERY_KEPT_S = 180 * 24 * 3600,
};

/* Why a missing command will not be found again: ten later ones took the device's places. What the
 * column `reason` says then. */
#define DELIVERY_OVERWRITTEN "overwritten"

/* Whether a command in a state can get into another one. */
enum delivery_end {
    DELIVERY_OPEN,    /* it will */
    DELIVERY_DEPENDS, /* see delivery_is_final */
    DELIVERY_FINAL,
};

struct delivery {
    const char *word;    /* in the column `state` */
    const char *meaning; /* a clause without an end: "the device has not reported in yet" */
    const char *remedy;  /* an instruction, likewise; "" where there is nothing to do */
    enum delivery_end end;
};

/* By enum command_state. */
extern const struct delivery deliveries[COMMAND_STATE_COUNT];

/* What a device's answer means: by enum confirm. The word is history_confirm_name's. */
struct delivery_answer {
    const char *meaning, *remedy;
};

extern const struct delivery_answer delivery_answers[CONFIRM_OTHER + 1];

/* Reads a state's word. False where it is none. */
bool delivery_read(struct span word, enum command_state *ret_state);

/* Reads an answer's word, as history_confirm_name gives it; empty: CONFIRM_NONE. False where it is
 * none. */
bool delivery_read_answer(struct span word, enum confirm *ret_confirm);

/* The state of a command by its entry: as history_state, and what still waits or is on its way more
 * than DELIVERY_GRACE_S after its end has expired. */
enum command_state delivery_judge(const struct history_entry *entry, int64_t now_s);

struct delivery_facts {
    enum command_state state;
    int64_t remain;    /* tries that are left, of COMMAND_FAILED */
    int64_t expires_s; /* likewise */
    int64_t created_s; /* of COMMAND_MISSING: at the latest, when it was accepted */
    int64_t asked_s;   /* when the state was told */
    struct span reason;
};

/*
 * Whether the state is the last one. Failed: no try is left, or it had expired when it was asked.
 * Unclear: only once it had expired, since nobody knows what the word means that it goes by.
 * Missing: it was overwritten, or the platform has forgotten it.
 */
bool delivery_is_final(const struct delivery_facts *facts);

/* The commands that a person may want to send again. */
enum delivery_group {
    DELIVERY_EXPIRED,     /* gave up */
    DELIVERY_UNDELIVERED, /* expired, refused, missing, and failed for good */
    DELIVERY_CANCELLED,   /* taken back */
    DELIVERY_GROUP_COUNT
};

/* Their words, as --resume takes them. */
extern const char *const delivery_group_names[DELIVERY_GROUP_COUNT];

/* Whether a command belongs to a group. A failed one that the platform will try again does not:
 * sent again, it would be there twice. */
bool delivery_is_in(const struct delivery_facts *facts, enum delivery_group group);

/* What came of taking a command back: the column `outcome` of nbatch cancel's file. */
enum cancel_outcome {
    CANCEL_CANCELLED,
    CANCEL_TOO_LATE,
    CANCEL_EXPIRED,
    CANCEL_MISSING,
    CANCEL_IN_DOUBT,
    CANCEL_FAILED,
    CANCEL_OUTCOME_COUNT
};

struct cancel_word {
    const char *word, *meaning;
    bool is_final; /* nothing more can come of it: it is not asked for again */
};

extern const struct cancel_word cancel_words[CANCEL_OUTCOME_COUNT];

/* Reads an outcome's word. False where it is none. */
bool cancel_outcome_read(struct span word, enum cancel_outcome *ret_outcome);

/* What taking a command back would come to that has come to its end. */
enum cancel_outcome cancel_outcome_of(enum command_state state);

#endif
