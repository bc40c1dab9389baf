/*
 * What the platform takes, as tables: the actions, and every URL parameter of theirs with its type,
 * range and who needs it (README.md, "Commands"). The check, the request, the simulator and the
 * help read them; paths and methods are in operation.h.
 */
#ifndef NB_PLATFORM_RULES_H
#define NB_PLATFORM_RULES_H

#include "core/span.h"

enum action { ACTION_WRITE, ACTION_READ, ACTION_EXECUTE, ACTION_COUNT };

enum method { METHOD_GET, METHOD_POST, METHOD_PUT };

enum body_kind {
    BODY_NONE,
    BODY_DATA, /* {"data":[…]}, required */
    BODY_ARGS, /* {"args":"…"}, optional */
};

struct action_rule {
    const char *name;
    enum body_kind body;
    bool idempotent; /* done twice leaves the same state */
};

extern const struct action_rule action_rules[ACTION_COUNT];

/* The action of that name; false when there is none. */
bool action_find(struct span name, enum action *ret_action);

/* In the order in which they are in the URL: that of the platform's own example. */
enum param {
    PARAM_IMEI,
    PARAM_VALID_TIME,
    PARAM_EXPIRED_TIME,
    PARAM_OBJ_ID,
    PARAM_OBJ_INST_ID,
    PARAM_RES_ID,
    PARAM_MODE,
    PARAM_RETRY,
    PARAM_TIMEOUT,
    PARAM_TRIGGER_MSG,
    PARAM_BIN2HEX,
    PARAM_COUNT
};

enum param_type { PARAM_TYPE_IMEI, PARAM_TYPE_INT, PARAM_TYPE_TIME, PARAM_TYPE_BOOL };

#define FOR_ACTION(action) (1u << (action))
#define FOR_ALL_ACTIONS    ((1u << ACTION_COUNT) - 1)

struct param_rule {
    const char *name;
    enum param_type type;
    unsigned allowed; /* bit set of actions: FOR_ACTION(…) */
    unsigned required;
    int64_t min, max;     /* for PARAM_TYPE_INT */
    const char *fallback; /* what the platform assumes when it is absent, or NULL */
    const char *meaning;
};

extern const struct param_rule param_rules[PARAM_COUNT];

/* The parameter of that name; false when there is none. */
bool param_find(struct span name, enum param *ret_param);

enum {
    COMMAND_CONTENT_MAX =
        2048,             /* bytes of the data array, or of args ("Command content at most 2 KB") */
    LWM2M_ID_MAX = 65535, /* object, instance and resource ids are 16-bit in LwM2M */
    DEFAULT_RETRY = 3,    /* what the platform assumes where the parameter is absent: the */
    DEFAULT_TIMEOUT = 25, /* fallbacks of param_rules as numbers */
    DEFAULT_TRIGGER_MSG = 7,
    COMMAND_MODE_REPLACE = 1, /* mode of a write: what it does not name is deleted */
    DEVICE_QUEUE_MAX = 10,    /* cached commands that wait per device: see README.md, "Limits" */
};

#endif
