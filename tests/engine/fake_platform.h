/*
 * The platform as it may behave, and the only one who knows what it has done: its record is the
 * oracle of the simulation. A request is judged when it arrives; what becomes of it, and what the
 * sender hears of that and when, are drawn apart.
 *
 *     fake_platform_init(&platform, &dice, contents, count);
 *     fake_platform_draw(&platform);
 *     fake_platform_take(&platform, &request, now_ms, &reply);   // … wait until reply.due_ms …
 *     fake_platform_answer(&platform, &reply, now_ms, &answer);  // … and hand it to the sender
 *
 * fake_history.c is what it tells of the commands that it has.
 */
#ifndef NB_TESTS_ENGINE_FAKE_PLATFORM_H
#define NB_TESTS_ENGINE_FAKE_PLATFORM_H

#include "dice.h"
#include "platform/outcome.h"

/* X(name, whether it is processed: 0 never, 1 always, 2 by chance) */
#define REPLY_MAP(X)                                                       \
    X(ACCEPTED, 1) /* in time */                                           \
    X(ACCEPTED_SLOWLY, 1)                                                  \
    X(LOST_BEFORE, 0)    /* nothing comes; the request was lost */         \
    X(LOST_AFTER, 1)     /* nothing comes; the answer was lost */          \
    X(PROCESSED_LATE, 1) /* after the sender has given up */               \
    X(RESET_BEFORE, 0)                                                     \
    X(RESET_AFTER, 1)                                                      \
    X(NOT_CONNECTED, 0)                                                    \
    X(SHORTAGE, 0) /* of the sender's machine */                           \
    X(HTTP_500, 2)                                                         \
    X(HTTP_502, 2)                                                         \
    X(HTTP_429, 0)                                                         \
    X(HTTP_503_LATER, 0) /* with Retry-After */                            \
    X(HTTP_408_UNASKED, 2)                                                 \
    X(ERRNO_AGAIN, 0)                                                      \
    X(ERRNO_LATER, 0)                                                      \
    X(ERRNO_REJECTED, 0)                                                   \
    X(ERRNO_DOUBT, 2)                                                      \
    X(ERRNO_WITH_UUID, 1) /* a fault that hands out a uuid all the same */ \
    X(FOREIGN, 2)         /* a page of somebody else */                    \
    X(CUT_OFF, 1)         /* the answer breaks off */                      \
    X(NO_UUID, 1)         /* errno 0, and no uuid that can be read */      \
    X(REPEATED, 2)        /* the answer to an earlier request once more */ \
    X(KEY_REFUSED, 0)                                                      \
    X(DEVICE_KEY, 0) /* the device is another product's */                 \
    X(QUEUE_FULL, 0)                                                       \
    X(THROTTLED, 0) /* more than its rate */                               \
    X(OUTAGE, 2)

enum reply_kind {
#define X(name, processed) REPLY_##name,
    REPLY_MAP(X)
#undef X
        REPLY_KIND_COUNT
};

extern const char *const reply_kind_names[REPLY_KIND_COUNT];

/* What a row asks for; several rows may ask for the same. */
struct content {
    char imei[18];
    bool is_execute;
    uint32_t value; /* its place among the contents: in each request */
};

/* What the platform has processed: the oracle. */
struct processed {
    uint64_t row; /* 0: somebody else's */
    char uuid[37], imei[18];
    int64_t at_ms, shows_ms;       /* the history has it from then on */
    int64_t created_s;             /* by the platform's clock */
    bool is_execute, is_on_record; /* the latter: as a row's in doubt, by sim_checks.c */
    char args[400], content[64];   /* as the history shows them */
};

struct sending {
    uint64_t row;     /* of the input */
    uint32_t content; /* of that */
    struct span target, body;
    uint32_t key; /* its number */
    int64_t wall_s;
};

/* What becomes of one request. The texts of its answer are kept in it. */
struct fake_reply {
    enum reply_kind kind;
    uint64_t row;
    uint32_t content;
    bool is_processed, is_question;
    char uuid[37], target[320];
    int64_t begun_ms, due_ms;
    struct answer answer;
    char body[256], date[40];
};

enum { OUTAGES_MAX = 4, DEVICE_KINDS_MAX = 64, REMEMBERED_MAX = 64, TIMEOUT_MS = 30000 };

enum { LATE_MAX_MS = 60000, HISTORY_LAG_MAX_MS = 20000 }; /* processed, and shown, behind time */

struct fake_platform {
    struct prng *dice;
    const struct content *contents;
    size_t content_count;
    /* How it behaves, drawn. */
    uint32_t weights[REPLY_KIND_COUNT], weight_sum;
    int64_t latency_ms; /* as a rule */
    int64_t rate_per_s; /* 0: no limit */
    bool by_the_second; /* … of its clock; else a bucket of */
    int64_t burst;
    enum fake_refusal { REFUSAL_15, REFUSAL_7, REFUSAL_429, REFUSAL_LATER, REFUSAL_COUNT } refusal;
    struct outage {
        int64_t from_ms, to_ms;
        bool refuses; /* connections; else they hang */
    } outages[OUTAGES_MAX];
    size_t outage_count;
    uint32_t good_key;          /* the number of the key that it takes; others are refused */
    int64_t key_until_ms;       /* then it takes the next one */
    uint32_t strange_per_mille; /* of the devices are another product's */
    int64_t clock_off_s;
    bool is_calm; /* it accepts all that it can */
    enum { HISTORY_CLEAR, HISTORY_SCARRED, HISTORY_LATE } history;
    int64_t lag_ms; /* until it shows a command */
    bool is_uneven; /* … of some devices; of the others at once: the control tells nothing then */
    char page[32 * 1024];
    /* What it knows. */
    double tokens;
    int64_t tokens_ms;
    struct device_queue {
        char imei[18];
        uint32_t waiting;
    } queues[DEVICE_KINDS_MAX];
    size_t queue_count;
    uint64_t uuids;
    struct processed *processed;
    size_t processed_count, processed_capacity;
    struct remembered { /* answers that the sender has got in this run */
        uint32_t content;
        char uuid[37];
    } remembered[REMEMBERED_MAX];
    size_t remembered_count;
    uint64_t *counts;      /* of replies by kind; the caller's */
    const char *violation; /* what was sent must not have been; NULL: nothing */
};

void fake_platform_init(struct fake_platform *platform, struct prng *dice,
                        const struct content *contents, size_t count, uint64_t *counts);
void fake_platform_deinit(struct fake_platform *platform);

/* Draws how it behaves from now on. */
void fake_platform_draw(struct fake_platform *platform, int64_t now_ms);

/* From now on it behaves. */
void fake_platform_calm(struct fake_platform *platform);

/* Another run has begun: none of its connections is an earlier one's. */
void fake_platform_forget(struct fake_platform *platform);

/* A question has left. */
void fake_platform_ask(struct fake_platform *platform, const struct sending *sending,
                       int64_t now_ms, struct fake_reply *ret_reply);

/* What the answer to it is. */
void fake_history_tell(struct fake_platform *platform, struct fake_reply *reply, int64_t now_ms);

/* The answer to a question about one command; `is_whole`: with what was asked for. */
void fake_history_show(const struct processed *done, bool is_whole, struct buf *out);

/* Fills in what it will show of a command; and of one that somebody else hands in. */
void fake_history_keep(struct processed *done, const struct sending *sending);
void fake_history_add_foreign(struct fake_platform *platform, const struct processed *like);

/* A place for another one. */
struct processed *fake_platform_add(struct fake_platform *platform);

/* A request has left. */
void fake_platform_take(struct fake_platform *platform, const struct sending *sending,
                        int64_t now_ms, struct fake_reply *ret_reply);

/* Makes the answer, which lives as long as the reply. `is_cut`: it was ended from the sender's
 * side. */
void fake_platform_answer(struct fake_platform *platform, struct fake_reply *reply, int64_t now_ms,
                          int64_t wall_s, bool is_cut);

/* How often a row was processed, or will be. */
uint32_t fake_platform_count(const struct fake_platform *platform, uint64_t row);

/* The row that the uuid was given to; 0: none. */
uint64_t fake_platform_find(const struct fake_platform *platform, struct span uuid);

#endif
