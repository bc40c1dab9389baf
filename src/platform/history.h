/*
 * What the platform tells of commands that it was given (README.md, "What became of a command"):
 * the answers to OPERATION_LIST, OPERATION_LOOKUP and OPERATION_CANCEL_ALL, which outcome_judge has
 * found to be acceptances. OPERATION_CANCEL is answered without any data.
 *
 *     status = history_read_list(body, take_entry, context, &total);
 *     status = history_read_one(body, &entry);
 *     … history_state(&entry), history_confirm_name(entry.confirm) …
 *
 * Both forms that the documents show are read: total_count or count, times with a T or a space,
 * words or numbers for a kind and a confirm_status, and numbers as texts. Pure.
 */
#ifndef NB_PLATFORM_HISTORY_H
#define NB_PLATFORM_HISTORY_H

#include "platform/reply.h"
#include "platform/rules.h"

/* What the device answered. X(name), in the order of the platform's numbers, from 0. */
#define CONFIRM_MAP(X)            \
    X(SUCCESS)                    \
    X(METHOD_NOT_ALLOWED)         \
    X(FORBIDDEN)                  \
    X(NOT_FOUND)                  \
    X(INTERNAL_SERVER_ERROR)      \
    X(TIME_OUT)                   \
    X(REQ_PARAM_ERROR)            \
    X(RESP_ERROR)                 \
    X(UNAUTHORIZED)               \
    X(BAD_REQUEST)                \
    X(NOT_ACCEPTABLE)             \
    X(UNSUPPORTED_CONTENT_FORMAT) \
    X(OFFLINE)                    \
    X(ADDR_OCCUPIED)

enum confirm {
#define X(name) CONFIRM_##name,
    CONFIRM_MAP(X)
#undef X
        CONFIRM_NONE, /* nothing yet */
    CONFIRM_OTHER,    /* a word or number that is not documented; the entry has it */
};

/* The platform's word; "" for CONFIRM_NONE, "?" for CONFIRM_OTHER. */
const char *history_confirm_name(enum confirm confirm);

/* What the platform says of a delivery, by its own numbers. */
enum send_status {
    SEND_WAITING = 1,
    SEND_CANCELLED = 2,
    SEND_SENT = 3, /* to the device, which has not confirmed it */
    SEND_EXPIRED = 4,
    SEND_SUCCESS = 5, /* the device has answered: see the confirm_status */
    SEND_FAILED = 6,
    SEND_TIMED_OUT = 7, /* an older document's */
    SEND_UNDEFINED = 8,
};

/* How far a command has come. */
enum command_state {
    COMMAND_WAITING,   /* the device has not reported in */
    COMMAND_SENT,      /* on its way, not confirmed */
    COMMAND_DELIVERED, /* the device has done it */
    COMMAND_REFUSED,   /* the device got it, and said no */
    COMMAND_FAILED,    /* not delivered */
    COMMAND_EXPIRED,
    COMMAND_CANCELLED,
    COMMAND_UNCLEAR, /* by a send_status or an answer that is not documented */
    COMMAND_MISSING, /* the platform does not know it: no entry says so */
    COMMAND_STATE_COUNT
};

enum history_time {
    HISTORY_CREATED,
    HISTORY_VALID,
    HISTORY_EXPIRES,
    HISTORY_SENT,
    HISTORY_CONFIRMED,
    HISTORY_TIME_COUNT
};

enum { HISTORY_NONE = -1, HISTORY_WORD_MAX = 47 };

struct history_entry {
    char uuid[REPLY_UUID_MAX + 1]; /* without the blanks around it; "" where there is none */
    bool names_device;             /* which may not be the one that was asked about: … */
    uint64_t device;               /* … this one; 0: that cannot be read */
    bool has_action;
    enum action action;
    int send_status; /* as the platform has it; HISTORY_NONE */
    enum confirm confirm;
    char word[HISTORY_WORD_MAX + 1];     /* of CONFIRM_OTHER, as far as it can be shown */
    int64_t remain;                      /* deliveries that are left to try; HISTORY_NONE */
    int64_t times_s[HISTORY_TIME_COUNT]; /* epoch; HISTORY_NONE */
};

/* An answer that is not documented is neither a success nor a refusal: COMMAND_UNCLEAR. */
enum command_state history_state(const struct history_entry *entry);

/* Whether the entry speaks of another device or command than these. An empty uuid is not compared;
 * what the entry does not name it does not contradict. */
bool history_is_of_another(const struct history_entry *entry, uint64_t device, struct span uuid);

/* The entry is the caller's during the call. */
typedef void history_entry_fn(void *context, const struct history_entry *entry);

/*
 * Reads a page: each entry, and how many there are on all pages. An item that is no object comes as
 * an entry without a uuid, and one whose send_status cannot be read with HISTORY_NONE for it: such
 * an item may be any command. STATUS_SYNTAX for a body that is no page, STATUS_NO_MEMORY. `body`
 * has one readable byte behind it, as for reply_parse.
 */
enum status history_read_list(struct span body, history_entry_fn *each, void *context,
                              uint64_t *ret_total) MUST_USE;

/* Reads one command. Likewise. */
enum status history_read_one(struct span body, struct history_entry *ret_entry) MUST_USE;

enum { HISTORY_RESOURCES_MAX = COMMAND_CONTENT_MAX / 8 };

/* Where a command writes. */
struct history_write {
    int64_t object, instance; /* HISTORY_NONE: it is not told */
    bool replaces;            /* its mode is 1. Where none is shown, that is not known */
    bool is_unclear;          /* its resources cannot be read */
    size_t count;
    uint16_t resources[HISTORY_RESOURCES_MAX];
};

/* Reads of the answer about one command, which is a write, where it writes. STATUS_SYNTAX,
 * STATUS_NO_MEMORY. */
enum status history_read_write(struct span body, struct history_write *ret_write) MUST_USE;

/* A value that a read has brought. Ids that are not told are HISTORY_NONE. */
struct history_value {
    int64_t obj_id, obj_inst_id, res_id, res_inst_id;
    struct span text; /* a string's value; anything else as it was written, digit for digit */
    bool is_string;
};

typedef void history_value_fn(void *context, const struct history_value *value);

/*
 * Reads the values that the answer about one command has, in its cmd_result: none where it is no
 * read, or not done. A text that is JSON itself is read as such. STATUS_SYNTAX, STATUS_NO_MEMORY.
 */
enum status history_read_values(struct span body, history_value_fn *each, void *context) MUST_USE;

/* The end of a command as the platform pushes it. */
struct history_push {
    uint64_t device;            /* 0: it names none */
    struct history_entry entry; /* of its times: SENT and CONFIRMED */
    struct span values;         /* its confirm_body, for history_read_pushed; empty: none */
};

typedef void history_push_fn(void *context, const struct history_push *push);

/*
 * Reads what was posted: {"msg": {…} or [{…}, …], …}, such a message alone, or a list of either,
 * also as a text that is JSON. Messages of other kinds than a command's end are passed over. `body`
 * has one readable byte behind it. STATUS_SYNTAX, STATUS_NO_MEMORY.
 */
enum status history_read_push(struct span body, history_push_fn *each, void *context) MUST_USE;

/* Reads the values of a push. Likewise. */
enum status history_read_pushed(struct span values, history_value_fn *each, void *context) MUST_USE;

/* Reads which commands of a device were cancelled, and which not. Likewise. */
typedef void history_cancelled_fn(void *context, struct span uuid, bool is_cancelled);
enum status history_read_cancelled(struct span body, history_cancelled_fn *each,
                                   void *context) MUST_USE;

#endif
