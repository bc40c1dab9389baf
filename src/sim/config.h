/* How the simulator behaves: one table of settings, for `nbatch simulate --KEY VALUE` and
 * `--simulate=KEY=VALUE,…`. */
#ifndef NB_SIM_CONFIG_H
#define NB_SIM_CONFIG_H

#include "core/buf.h"

enum fault_kind {
    FAULT_NONE,
    FAULT_CLOSE,   /* the connection is closed without an answer */
    FAULT_RESET,   /* the same with a TCP reset */
    FAULT_CUT,     /* half of the answer's body, then closed */
    FAULT_GARBAGE, /* 200 with a body that is no JSON */
    FAULT_NO_UUID, /* errno 0 without a uuid */
    FAULT_HTTP,    /* an HTTP status */
    FAULT_ERRNO,   /* an errno of the platform */
};

struct sim_fault {
    enum fault_kind kind;
    bool after;         /* the command is processed before the fault strikes */
    int64_t number;     /* of FAULT_HTTP and FAULT_ERRNO */
    double probability; /* of a request */
    char name[32];
};

enum { SIM_FAULTS_MAX = 32, SIM_PATH_MAX = 4096 };

struct sim_config {
    char host[64];
    uint16_t port; /* 0: the kernel picks */
    struct sim_fault faults[SIM_FAULTS_MAX];
    size_t fault_count;
    uint64_t seed;
    uint32_t queue_limit; /* commands that wait per device; 0: no limit */
    char api_key_file[SIM_PATH_MAX];
    char audit[SIM_PATH_MAX];
};

struct sim_setting {
    const char *name;
    const char *value;
    const char *fallback; /* as it would be typed, or NULL */
    const char *help;
};

extern const struct sim_setting sim_settings[];
extern const size_t sim_settings_count;

void sim_config_init(struct sim_config *config);
void sim_config_deinit(struct sim_config *config);

/* One setting. STATUS_USAGE with a text in `message` that names key, value and remedy. */
enum status sim_config_set(struct sim_config *config, struct span key, struct span value,
                           struct buf *message) MUST_USE;

/* KEY=VALUE,KEY=VALUE…; an empty text changes nothing. */
enum status sim_config_parse(struct sim_config *config, struct span spec,
                             struct buf *message) MUST_USE;

#endif
