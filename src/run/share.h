/*
 * What the use cases of shared jobs have in common. Each step returns 0 or an exit status, after
 * the reason was said. Private to run/.
 */
#ifndef NB_RUN_SHARE_H
#define NB_RUN_SHARE_H

#include "ledger/share/jobs.h"
#include "ledger/share/worker.h"
#include "run/observers.h"
#include "run/person.h"
#include "run/settings.h"

/* Says what went wrong with the database. Returns the exit status. */
int share_fail(const struct person *person, struct buf *message, enum status status);

/* Refuses by its name what --share and --share-only-rate have no use for, or keep otherwise. */
int share_check_options(const struct run_settings *settings, const struct person *person);

/* As database_open, with a word where that takes long. */
enum status share_connect(const struct run_settings *settings, const struct person *person,
                          struct buf *message, struct database *ret_database) MUST_USE;

/* Opens the database that --share names. */
int share_open(const struct run_settings *settings, const struct person *person,
               struct database *ret_database) MUST_USE;

/* Finds the job that --job names. */
int share_find(const struct run_settings *settings, const struct person *person,
               struct database *database, struct share_job *ret_job) MUST_USE;

/* Where the rows go, with which key, and whose that is. */
struct share_target {
    struct endpoint endpoint;
    struct credentials credentials;
    char account[KEY_FINGERPRINT_LENGTH + 1];
};

/* Checks the whole input and loads it. *ret_name is the caller's to free. */
int share_load(const struct run_settings *settings, const struct person *person,
               struct database *database, const struct share_target *target,
               char **ret_name) MUST_USE;

/* Tells the person of what a worker meets; the context is the person. */
void share_tell(void *context, enum worker_news news, const char *why, size_t count);

/* Leaves the pace to the account. */
void share_pace(struct job_options *options);

/* Whether the attempt was refused for being one too many. */
bool share_is_throttled(const struct job_attempt *attempt);

#endif
