#include "run/share_rate.h"

#include <stdlib.h>

#include "ledger/share/statements.h"
#include "run/exit_status.h"
#include "run/sending.h"
#include "run/share.h"

struct share_rate {
    char account[KEY_FINGERPRINT_LENGTH + 1];
    struct worker *worker;
};

static enum status join(const struct run_settings *settings, const struct person *person,
                        struct share_rate *rate, struct buf *message)
{
    struct database database = {.connection = NULL};
    const char *account = rate->account;
    enum status status = share_connect(settings, person, message, &database);

    if (status == STATUS_OK)
        status = database_query(&database, sql_account_add, 1, &account, message, NULL);
    const struct worker_options options = {.where = settings->share,
                                           .account = rate->account,
                                           .lease_ms = database.lease_ms,
                                           .rate = sending_rate_per_s(settings),
                                           .burst = settings->burst,
                                           .stride = 1,
                                           .tell = share_tell,
                                           .tell_context = (void *)(uintptr_t)person};
    database_close(&database);
    return status == STATUS_OK ? worker_new(&options, &rate->worker) : status;
}

int share_rate_begin(const struct run_settings *settings, const struct person *person,
                     const struct credentials *credentials, struct job_options *options,
                     struct share_rate **ret_rate)
{
    struct buf message;

    *ret_rate = NULL;
    if (!settings->share_only_rate)
        return 0;
    int refused = share_check_options(settings, person);
    if (refused != 0)
        return refused;
    if (settings->share == NULL) {
        person_error(person, "--share-only-rate wants the database of the account: --share URI");
        return EXIT_USAGE;
    }
    if (credentials->key == NULL) {
        person_error(person, "--share-only-rate keeps the limit of an account, and without a key "
                             "there is none");
        return EXIT_USAGE;
    }
    struct share_rate *rate = calloc(1, sizeof(*rate));
    if (rate == NULL)
        return EXIT_INTERNAL;
    buf_init_text(&message, 64 * 1024);
    enum status status =
        key_fingerprint(span_of(credentials->key, credentials->key_len), rate->account);
    if (status == STATUS_OK)
        status = join(settings, person, rate, &message);
    int result = status == STATUS_OK ? 0 : share_fail(person, &message, status);
    buf_deinit(&message);
    if (result != 0) {
        free(rate);
        return result;
    }
    options->peer = worker_peer(rate->worker);
    share_pace(options);
    *ret_rate = rate;
    return 0;
}

void share_rate_attempt(struct share_rate *rate, const struct job_attempt *attempt)
{
    if (rate != NULL && share_is_throttled(attempt))
        worker_throttle(rate->worker);
}

void share_rate_end(struct share_rate *rate)
{
    if (rate == NULL)
        return;
    worker_free(rate->worker);
    free(rate);
}
