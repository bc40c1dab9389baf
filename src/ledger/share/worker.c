#include "ledger/share/worker_impl.h"

#include "core/retranslate.h"
#include "ledger/share/database.h"

static struct worker *worker_of(struct peer *peer)
{
    return (struct worker *)peer;
}

void worker_tell(const struct worker *worker, enum worker_news news, const char *why, size_t count)
{
    if (worker->options.tell != NULL)
        worker->options.tell(worker->options.tell_context, news, why, count);
}

void worker_fail(struct worker *worker, const char *why)
{
    if (worker->store.has_failed)
        return;
    worker->store.has_failed = true;
    buf_add_format(&worker->error, "the database: %s", why);
    if (worker->is_syncing) {
        worker->is_syncing = worker->store.is_syncing = false;
        worker->hooks.synced(worker->hooks.context, false);
    }
    worker->hooks.news(worker->hooks.context);
}

/* The account's rate. */

static void take_starts(struct worker *worker);

static void on_rate_timer(uv_timer_t *timer)
{
    take_starts(timer->data);
}

static void on_taken(void *context, const PGresult *result)
{
    struct worker *worker = context;

    worker->is_taking = false;
    if (result == NULL || PQntuples(result) == 0 || worker->is_closed)
        return;
    int64_t count = int_at(result, 0, 0);
    if (count == 0) { /* others have taken them */
        int64_t wait_ms = (int_at(result, 0, 3) + 999) / 1000;
        (void)uv_timer_start(&worker->rate_timer, on_rate_timer, (uint64_t)wait_ms, 0);
        return;
    }
    worker->wants_starts = false;
    worker->has_no_rate = int_at(result, 0, 2) == 0;
    worker->hooks.granted(worker->hooks.context, clock_loop_ns() + int_at(result, 0, 1) * 1000,
                          int_at(result, 0, 2) * 1000, count);
}

/* As many as there are rows for, so that the others do not wait for starts which nobody uses: at
 * the end of a job its rows are with few workers, or with one. */
static int64_t starts_wanted(const struct worker *worker)
{
    if (worker->options.job == 0 || worker->has_no_rate)
        return TAKE_MAX;
    int64_t wanted = (int64_t)shards_rows(worker) - worker->covered;

    if (wanted <= 0)
        return worker->covered == 0; /* a row that waits has no other way to start */
    return wanted < TAKE_MAX ? wanted : TAKE_MAX;
}

static void take_starts(struct worker *worker)
{
    int64_t wanted = starts_wanted(worker);
    const struct text max = text_of(wanted), ms = text_of(TAKE_MS),
                      burst = text_of(worker->options.burst);
    const char *values[] = {
        worker->options.account, max.text, burst.text, ms.text, worker->rate, worker->job};

    worker->wants_starts = worker->wants_starts && wanted > 0;
    if (!worker->wants_starts || worker->is_paused || worker->is_stopped || worker->is_taking ||
        worker->id[0] == '\0' || !link_is_up(worker->link) ||
        uv_is_active((const uv_handle_t *)&worker->rate_timer))
        return;
    worker->is_taking = link_call(worker->link, CALL_rate_take, values, false, on_taken, worker);
}

static void want(struct peer *peer, int64_t covered)
{
    struct worker *worker = worker_of(peer);

    worker->covered = covered;
    worker->wants_starts = true;
    take_starts(worker);
}

void worker_throttle(struct worker *worker)
{
    int64_t now_ns = clock_loop_ns();

    if (!link_is_up(worker->link) || now_ns - worker->throttled_ns < 1000000000)
        return;
    worker->throttled_ns = now_ns;
    (void)!link_call(worker->link, CALL_rate_throttle, &worker->options.account, false, NULL,
                     worker);
}

/* Leases. */

static void on_added(void *context, const PGresult *result)
{
    struct worker *worker = context;

    worker->is_adding = false;
    if (result == NULL || PQntuples(result) == 0)
        return;
    (void)snprintf(worker->id, sizeof(worker->id), "%s", PQgetvalue(result, 0, 0));
    worker->until_ns = fence_end_ns(worker->asked_ns, worker->options.lease_ms);
    worker->renew_ns = worker->asked_ns + fence_renew_ms(worker->options.lease_ms) * 1000000;
    worker->asked_ns = 0;
    worker_pump(worker);
}

static void add_worker(struct worker *worker)
{
    const char *values[] = {worker->options.account, worker->job, worker->name, worker->rate};

    worker->asked_ns = clock_boot_ns();
    worker->is_adding = link_call(worker->link, CALL_worker_add, values, false, on_added, worker);
}

static struct shard *find_shard(struct worker *worker, int number, int epoch)
{
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        struct shard *shard = &worker->shards[i];
        if (shard->is_used && shard->number == number && shard->epoch == epoch)
            return shard;
    }
    return NULL;
}

/* What is not among the shards that were renewed has another worker. */
static void compare_shards(struct worker *worker, const PGresult *result)
{
    bool kept[SHARDS_MAX] = {false}, had[SHARDS_MAX];
    size_t lost = 0;

    for (size_t i = 0; i < SHARDS_MAX; i++)
        had[i] = worker->shards[i].is_used;
    for (int i = 0; i < PQntuples(result); i++) {
        int number = (int)int_at(result, i, 0), epoch = (int)int_at(result, i, 1);
        const struct shard *shard = find_shard(worker, number, epoch);
        if (shard != NULL)
            kept[shard - worker->shards] = true;
        else /* the answer that told of it was lost */
            shards_add(worker, number, epoch, (uint64_t)int_at(result, i, 2));
    }
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        struct shard *shard = &worker->shards[i];
        if (!had[i] || kept[i] || shard->is_lost)
            continue;
        shard->is_lost = true;
        bool had_rows = shards_forget_rows(worker, shard);
        lost += had_rows || !shard->is_read || shard->open > 0;
    }
    if (lost > 0)
        worker_tell(worker, WORKER_LOST, "", lost);
}

static void on_renewed(void *context, const PGresult *result)
{
    struct worker *worker = context;
    int64_t asked_ns = worker->asked_ns;

    worker->asked_ns = 0;
    if (result == NULL)
        return;
    compare_shards(worker, result);
    worker->until_ns = fence_end_ns(asked_ns, worker->options.lease_ms);
    worker->renew_ns = asked_ns + fence_renew_ms(worker->options.lease_ms) * 1000000;
    worker_pump(worker);
}

static void on_looked(void *context, const PGresult *result)
{
    struct worker *worker = context;

    worker->is_looking = false;
    if (result == NULL)
        return;
    const char *state = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "stopped";
    bool is_paused = strcmp(state, "paused") == 0;
    worker->is_complete = strcmp(state, "complete") == 0;
    bool was_stopped = worker->is_stopped;
    worker->is_stopped = strcmp(state, "stopped") == 0;
    if (worker->is_stopped && !was_stopped) /* rows that wait for their start are given back */
        worker->hooks.granted(worker->hooks.context, clock_loop_ns(), 0,
                              (int64_t)worker->options.stride);
    if (is_paused != worker->is_paused)
        worker_tell(worker, is_paused ? WORKER_PAUSED : WORKER_RESUMED, "", 0);
    worker->is_paused = is_paused;
    worker->hooks.news(worker->hooks.context);
}

void worker_look(struct worker *worker)
{
    const char *job = worker->job;

    if (worker->options.job == 0 || worker->is_looking)
        return;
    worker->look_ns = clock_loop_ns() + LOOK_MS * INT64_C(1000000);
    worker->is_looking = link_call(worker->link, CALL_job_state, &job, false, on_looked, worker);
}

static void renew(struct worker *worker)
{
    const char *values[] = {worker->id, worker->job, worker->options.account, worker->name,
                            worker->rate};

    worker->asked_ns = clock_boot_ns();
    if (!link_call(worker->link, CALL_worker_renew, values, false, on_renewed, worker))
        worker->asked_ns = 0;
    worker_look(worker);
}

void worker_pump(struct worker *worker)
{
    if (worker->is_closed || !link_is_up(worker->link) || worker->store.has_failed)
        return;
    if (worker->id[0] == '\0') {
        if (!worker->is_adding)
            add_worker(worker);
        return;
    }
    if (worker->asked_ns == 0 && clock_boot_ns() >= worker->renew_ns)
        renew(worker);
    take_starts(worker);
    if (worker->options.job == 0)
        return;
    record_pump(worker);
    shards_pump(worker);
}

/* It is back once it takes what it has refused. */
static void see_whether_back(struct worker *worker)
{
    if (!worker->is_away || !link_is_well(worker->link))
        return;
    worker->is_away = false;
    worker_tell(worker, WORKER_BACK, "", 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct worker *worker = timer->data;

    see_whether_back(worker);
    if (clock_loop_ns() >= worker->look_ns && link_is_up(worker->link) && worker->id[0] != '\0')
        worker_look(worker);
    worker_pump(worker);
}

/* The connection. */

static void on_changed(void *context, bool is_up, const char *why)
{
    struct worker *worker = context;

    if (!is_up) {
        if (worker->is_away)
            return;
        worker->is_away = true;
        record_keep(worker); /* what comes from now on is kept as it comes */
        worker_tell(worker, WORKER_AWAY, why, 0);
        return;
    }
    see_whether_back(worker);
    worker->renew_ns = 0;
    if (worker->id[0] != '\0')
        renew(worker); /* goes first: what is lost is known when the others are answered */
    record_call_again(worker);
    worker_pump(worker);
}

static void on_failed(void *context, const char *state, const char *why)
{
    struct buf text;

    buf_init_text(&text, 4096);
    if (strcmp(state, "23503") == 0) /* what everything refers to */
        buf_add_string(&text, "the job was removed");
    else
        retranslate_said(span_string(why), &text);
    if (strcmp(state, DATABASE_DENIED) == 0)
        buf_add_string(&text, database_denied);
    worker_fail(context, buf_string(&text));
    buf_deinit(&text);
}

static enum status open_peer(struct peer *peer, uv_loop_t *loop, const struct peer_hooks *hooks)
{
    struct worker *worker = worker_of(peer);
    const struct link_options options = {.loop = loop,
                                         .where = worker->options.where,
                                         .changed = on_changed,
                                         .failed = on_failed,
                                         .context = worker};

    worker->loop = loop;
    worker->hooks = *hooks;
    enum status status = link_open(&options, &worker->link);
    if (status != STATUS_OK)
        return status;
    (void)uv_timer_init(loop, &worker->timer);
    (void)uv_timer_init(loop, &worker->rate_timer);
    worker->timer.data = worker->rate_timer.data = worker;
    (void)uv_timer_start(&worker->timer, on_timer, TICK_MS, TICK_MS);
    return STATUS_OK;
}

/* Behind the end of the loop nobody is told of anything. */

static void ignore_news(void *context)
{
    (void)context;
}

static void ignore_sync(void *context, bool ok)
{
    (void)context;
    (void)ok;
}

static void ignore_grant(void *context, int64_t at_ns, int64_t step_ns, int64_t count)
{
    (void)context;
    (void)at_ns;
    (void)step_ns;
    (void)count;
}

static void close_peer(struct peer *peer)
{
    struct worker *worker = worker_of(peer);

    worker->is_closed = true;
    worker->hooks =
        (struct peer_hooks){.news = ignore_news, .synced = ignore_sync, .granted = ignore_grant};
    link_stop(worker->link);
    uv_close((uv_handle_t *)&worker->timer, NULL);
    uv_close((uv_handle_t *)&worker->rate_timer, NULL);
}

/* Nobody waits for long for a database that is away, or does not answer, once the run is to end. */
static void tick(struct peer *peer, bool is_stopping)
{
    struct worker *worker = worker_of(peer);
    int64_t now_ns = clock_loop_ns();

    if (!is_stopping || !worker->is_syncing) {
        worker->waits_since_ns = 0;
        return;
    }
    if (worker->waits_since_ns == 0)
        worker->waits_since_ns = now_ns;
    if (!worker->is_away && now_ns - worker->waits_since_ns < STOP_MS * INT64_C(1000000))
        return;
    worker->has_given_up = true;
    link_give_up(worker->link);
    worker_fail(worker, worker->is_away ? "it is away, and the run was to end"
                                        : "it does not answer, and the run was to end");
}

enum status worker_new(const struct worker_options *options, struct worker **ret_worker)
{
    struct worker *worker = calloc(1, sizeof(*worker));

    if (worker == NULL)
        return STATUS_NO_MEMORY;
    worker->options = *options;
    worker->peer =
        (struct peer){.open = open_peer, .close = close_peer, .want = want, .tick = tick};
    if (options->job > 0) {
        worker->peer.sync = record_sync;
        worker->peer.may_send = record_may_send;
    }
    (void)snprintf(worker->job, sizeof(worker->job), "%d", options->job);
    if (options->rate > 0 && asprintf(&worker->rate, "%.9g", options->rate) < 0) {
        free(worker);
        return STATUS_NO_MEMORY;
    }
    clock_worker_name(worker->name, sizeof(worker->name));
    if (record_init(worker) != STATUS_OK) {
        worker_free(worker);
        return STATUS_NO_MEMORY;
    }
    *ret_worker = worker;
    return STATUS_OK;
}

struct peer *worker_peer(struct worker *worker)
{
    return &worker->peer;
}

struct store *worker_store(struct worker *worker)
{
    return &worker->store;
}

bool worker_has_given_up(const struct worker *worker)
{
    return worker->has_given_up;
}

bool worker_was_stopped(const struct worker *worker)
{
    return worker->is_stopped;
}

static void leave(struct worker *worker)
{
    const char *id = worker->id;

    if (!link_is_up(worker->link) || worker->id[0] == '\0')
        return;
    if (link_call(worker->link, CALL_worker_leave, &id, false, NULL, worker))
        (void)link_drain(worker->link, LEAVE_MAX_MS);
    worker->id[0] = '\0';
}

void worker_free(struct worker *worker)
{
    if (worker == NULL)
        return;
    leave(worker);
    link_free(worker->link);
    shards_free(worker);
    record_deinit(worker);
    free(worker->rate);
    free(worker);
}
