#include "run/descriptors.h"

#include <dirent.h>
#include <sys/resource.h>

#include "run/exit_status.h"
#include "sim/server.h"
#include "sim/setup.h"

enum {
    OWN_FILES = 32,       /* input, results, journal, log, page, the loop … */
    INHERITED_FILES = 16, /* where they cannot be counted */
    /* Beside the connection itself, while a name is looked up: libcurl's pair of sockets for the
     * thread that does it, and what that thread opens. A passing need: see send/shortage.h. */
    LOOKUP_FILES = 4,
    LANE_CONNECTIONS = 8, /* libcurl has a pair of sockets for sixteen connections */
};

/* Raises the soft limit to `wanted`, as far as the hard limit reaches; never lowers it. Returns the
 * limit that holds then. */
static uint64_t descriptors_raise(uint64_t wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    uint64_t before = limit.rlim_cur;
    if (before >= wanted)
        return before;
    limit.rlim_cur =
        limit.rlim_max == RLIM_INFINITY || limit.rlim_max > wanted ? wanted : limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

static uint64_t count_open(void)
{
    DIR *folder = opendir("/proc/self/fd");
    uint64_t count = 0;

    if (folder == NULL)
        return INHERITED_FILES;
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    return count; /* with two that are no files, and the folder */
}

/*
 * Makes room for so many connections, each with its other end in this process or not. Returns how
 * many there is room for, `connections` at most and 0 where there is none; in `ret_limit` the limit
 * and in `ret_needed` the one that all of them would need.
 */
static size_t descriptors_fit(size_t connections, bool both_ends, uint64_t *ret_limit,
                              uint64_t *ret_needed)
{
    uint64_t base = count_open() + OWN_FILES, each = both_ends ? 2 : 1;

    *ret_needed = base + connections * each + connections / LANE_CONNECTIONS;
    *ret_limit = descriptors_raise(base + connections * (each + LOOKUP_FILES));
    if (*ret_limit >= *ret_needed)
        return connections;
    if (*ret_limit <= base)
        return 0;
    return (size_t)((*ret_limit - base) * LANE_CONNECTIONS / (LANE_CONNECTIONS * each + 1));
}

int descriptors_settle(struct run_settings *settings, const struct person *person)
{
    uint64_t limit, needed;
    size_t wanted = (size_t)settings->concurrency;
    size_t room = descriptors_fit(wanted, settings->simulate != NULL, &limit, &needed);

    if (room == 0) {
        person_error(
            person,
            "this process may have %llu files open, which leaves no room for a connection; "
            "raise that with ulimit -n %llu",
            (unsigned long long)limit, (unsigned long long)needed);
        return EXIT_REFUSED;
    }
    if (settings->simulate != NULL && room > setup_connection_limit(SIM_CONNECTIONS_MAX))
        room = setup_connection_limit(SIM_CONNECTIONS_MAX);
    if (room < wanted)
        person_note(person,
                    "%zu requests at a time, not %zu: this process may have %llu files open; raise "
                    "that with ulimit -n %llu",
                    room, wanted, (unsigned long long)limit, (unsigned long long)needed);
    settings->concurrency = (int64_t)room;
    return 0;
}
