/*
 * The settings of the simulator. One table names them all: the command line makes an option of each
 * (--latency 20ms), and nbatch run --simulate=SPEC takes them as a list.
 *
 *     sim_config_init(&config);
 *     status = sim_config_parse(&config, SPAN_LITERAL("latency=20ms,fault=reset:1%"), &message);
 *     …
 *     sim_config_deinit(&config);
 */
#ifndef NB_SIM_CONFIG_H
#define NB_SIM_CONFIG_H

#include <netinet/in.h>

#include "core/buf.h"
#include "platform/dialect.h"
#include "sim/devices.h"
#include "sim/faults.h"
#include "sim/latency.h"
#include "sim/limit.h"

/* SIM_QUEUE_LIMIT_MAX: the list of a device's waiting commands is walked for each new one. */
enum { SIM_QUEUE_LIMIT_MAX = 1000, SIM_COMMANDS_MAX = 100 * 1000 * 1000, SIM_SETTING_MAX = 4096 };

struct sim_config {
    enum dialect dialect;
    struct sockaddr_storage address; /* where to listen: a loopback address, port 0 for any */
    struct latency latency;
    struct faults faults;
    struct limit limit;
    bool has_seed; /* otherwise a random one is used: see sim_seed() */
    uint64_t seed;
    uint32_t queue_limit;           /* waiting commands per device; 0: no limit */
    bool overwrites;                /* a further one takes the place of the oldest */
    uint64_t max_commands;          /* kept with their text */
    int64_t lag_ms;                 /* a command shows in the history so much later */
    struct devices_options devices; /* its seed is the simulator's */
    char *api_key_file;             /* owned; NULL: no key is asked for */
    char *product_id;               /* owned; this one or the next, … */
    char *user_id;         /* owned; … with access_key_file: a token of this owner is asked for */
    char *access_key_file; /* owned */
    char *audit_file;      /* owned; NULL: no audit */
    char *push_target;     /* owned; NULL: nothing is pushed */
    char *state_file;      /* owned; NULL: it begins with nothing and forgets all */
};

struct sim_setting {
    const char *name;
    const char *value;    /* what stands for the value in the help */
    const char *fallback; /* the default, in words */
    const char *help;
    enum status (*set)(struct sim_config *config, struct span value, struct buf *message);
};

extern const struct sim_setting sim_settings[];
extern const size_t sim_settings_count;

/* The defaults. Allocates nothing. */
void sim_config_init(struct sim_config *config);
void sim_config_deinit(struct sim_config *config);

/*
 * Sets one setting; `fault` adds to what is there, any other replaces it. STATUS_USAGE with a text
 * in `message` that names the setting, the value and what to do; STATUS_NO_MEMORY.
 */
enum status sim_config_set(struct sim_config *config, struct span key, struct span value,
                           struct buf *message) MUST_USE;

/* Sets what a list "key=value,key=value" says. An empty list is one; a value cannot hold a comma.
 * Fails as sim_config_set. */
enum status sim_config_parse(struct sim_config *config, struct span spec,
                             struct buf *message) MUST_USE;

#endif
