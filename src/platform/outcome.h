/*
 * What became of an attempt, and what that means for its row. The transport reports how far the
 * attempt came (struct answer); outcome_judge says what follows, by
 * state, not by error code (README.md, "Is it sent again?").
 */
#ifndef NB_PLATFORM_OUTCOME_H
#define NB_PLATFORM_OUTCOME_H

#include "core/row_status.h"
#include "platform/meaning.h"
#include "platform/operation.h"
#include "platform/reply.h"

enum answer_state {
    ANSWER_NOT_SENT, /* the request never left: certainly not processed */
    ANSWER_IN_DOUBT, /* it may have left, and no whole header block came back */
    ANSWER_ANSWERED, /* a final header block is complete: status and body decide */
};

/* The end of an attempt, as the transport saw it. */
struct answer {
    enum answer_state state;
    bool hopeless;       /* not sent, and no other row could be: a configuration that cannot work */
    int os_error;        /* errno by which it was not sent; 0: none is known */
    bool is_late;        /* not sent: its time was over, and the row is somebody else's by now */
    bool is_whole;       /* answered, and the body came as its framing promised */
    int http_status;     /* 0 when there is none */
    int proxy_status;    /* of an answer to CONNECT that opened no tunnel; 0: none */
    bool may_be_unasked; /* the status is one that servers also send where nothing was asked */
    bool has_retry_after;
    int64_t retry_after_ms; /* what it asks to wait from now; -1 where there is none, or none that
                               can be read */
    struct span body;       /* as much as came, up to the transport's maximum; a readable byte
                                   is behind it */
    struct span date;       /* the headers Date and Location as they came, cut at a maximum; */
    struct span location;   /* empty: none */
    struct span detail;     /* the transport's words, for people */
    int64_t latency_us;
};

/* The classes by which an attempt is sent again or not (README.md, "Is it sent again?"). */
enum outcome_class {
    OUTCOME_ACCEPTED,
    OUTCOME_REFUSED,   /* processed or not, sending it again changes nothing */
    OUTCOME_AGAIN,     /* certainly not processed, and may succeed later */
    OUTCOME_HOPELESS,  /* not sent, and no row can be */
    OUTCOME_AMBIGUOUS, /* may have been processed */
    OUTCOME_UNKNOWN,   /* likewise, and the answer is of a form that nobody has seen: sending again
                          would be a guess, whatever is asked for */
};

enum { OUTCOME_ERROR_MAX = 511, OUTCOME_SHOWN_MAX = 80 };

/* Who speaks in an answer. */
enum outcome_voice {
    VOICE_NONE,     /* nobody, or somebody on the way who says that it does not go on: an outage */
    VOICE_PLATFORM, /* it has an errno */
    VOICE_FOREIGN,  /* a whole answer that is not the platform's: a login page, another service */
};

struct outcome {
    enum row_status status; /* what the row is if this attempt was its last */
    enum outcome_class class;
    enum outcome_voice voice;
    bool has_errno;
    int64_t platform_errno;
    enum meaning_class meaning; /* where it has an errno */
    int http_status;
    char uuid[REPLY_UUID_MAX + 1];
    char error[OUTCOME_ERROR_MAX + 1];
};

/* What a status of 407 says, for people. */
#define OUTCOME_PROXY_REFUSES \
    "the proxy wants credentials: put them into its URL (--proxy http://USER:PASSWORD@HOST:PORT)"

/* Whether the key was refused, or a proxy's credentials: the command was certainly not processed,
 * and so it may be for any other row. */
bool outcome_refuses_key(const struct outcome *outcome);

/* Judges the end of an attempt: what was asked in a dialect, and what came of it. Pure. */
void outcome_judge(enum dialect dialect, enum operation operation, const struct answer *answer,
                   struct outcome *ret_outcome);

/* The answer is not believed: its uuid is another command's of this run. Pure. */
void outcome_disbelieve(struct outcome *outcome);

#endif
