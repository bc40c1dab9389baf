#include "engine/engine_impl.h"
#include "platform/surplus.h"

/*
 * --on-ambiguous verify: a row of which a request may have been processed is looked for in the
 * platform's history (platform/history_search.h) before it is sent again. Its item asks the
 * questions itself, as attempts like any other: they take a place in flight, keep to the pace, are
 * retried within the budget, and the commands for its device wait behind it. Between two looks it
 * is in backoff. It stays marked in the record: whoever dies or stops meanwhile leaves it in doubt.
 *
 *     attempt ─ in doubt ─ settle ─▶ look ─ found ────────────────────▶ accepted
 *        ▲                             ├──── missing twice, or sent too often ─▶ failed
 *        └───────── not processed ─────┤
 *                                      └──── it cannot be told ───────▶ in_doubt
 */

static int64_t due_ms(const struct engine *engine, const struct verification *verification)
{
    return history_search_due_ms(verification->search, engine->options.verify.settle_ms,
                                 verification->ended_ms, engine_now_ms(engine));
}

void engine_end_verification(struct item *item)
{
    if (item->verification == NULL)
        return;
    history_search_free(item->verification->search);
    command_deinit(&item->verification->command);
    free(item->verification);
    item->verification = NULL;
}

static void add_row(const struct engine *engine, const struct item *item,
                    struct history_search *search)
{
    const struct likeness_request request = {(enum action)item->operation,
                                             command_target(&item->command),
                                             command_body(&item->command)};

    history_search_add_row(search, item->so_far.ambiguous, item->doubts_before == 0);
    history_search_add_request(search, &request, item->first_ms / 1000 + engine->clock_off_s,
                               engine->now.wall_ms / 1000 + engine->clock_off_s);
}

bool engine_verify(struct engine *engine, struct item *item)
{
    struct verification *verification = calloc(1, sizeof(*verification));

    if (verification == NULL)
        return false;
    item->verification = verification;
    command_init(&verification->command);
    verification->ended_ms = engine_now_ms(engine);
    verification->clock_off_s = engine->clock_off_s;
    if (history_search_new(engine->options.verify.known, item->id.device, 1, 1,
                           &verification->search) != STATUS_OK) {
        engine_end_verification(item);
        return false;
    }
    add_row(engine, item, verification->search);
    engine->result.verified.rows++;
    scheduler_retry(&engine->scheduler, &item->task, due_ms(engine, verification));
    (void)history_search_begin(verification->search); /* it has a request: it asks */
    return true;
}

bool engine_put_question(struct engine *engine, struct item *item)
{
    struct verification *verification = item->verification;
    struct question question;

    if (verification->is_put) /* once more */
        return true;
    verification->is_put = true;
    history_search_ask(verification->search, &verification->operation, &question);
    engine->result.verified.lists += verification->operation == OPERATION_LIST;
    engine->result.verified.lookups += verification->operation == OPERATION_LOOKUP;
    return command_ask(&verification->command, engine->options.dialect, verification->operation,
                       &question) == STATUS_OK;
}

/* It was not processed: it goes again, as if the attempt had not left. */
static void send_again(struct engine *engine, struct item *item)
{
    item->so_far.ambiguous = item->doubts_before;
    engine_unmark(engine, item);
    scheduler_retry(&engine->scheduler, &item->task, engine_now_ms(engine));
}

/* Takes no more of the surplus than whole uuids. */
static void cut(char *error)
{
    char *comma = strlen(error) == OUTCOME_ERROR_MAX ? strrchr(error, ',') : NULL;

    if (comma != NULL)
        *comma = '\0';
}

/* Records what the history has told of a row. */
static void record(struct engine *engine, struct item *item, const struct search_found *found)
{
    struct outcome outcome = {.status = ROW_IN_DOUBT};
    struct buf text;

    buf_init(&text, 1024 * 1024);
    surplus_describe(found, &text);
    (void)snprintf(outcome.error, sizeof(outcome.error), "%s", buf_string(&text));
    cut(outcome.error);
    buf_deinit(&text);
    if (found->claim != CLAIM_UNCLEAR)
        item->so_far.ambiguous = item->doubts_before + (found->surplus.len > 0);
    if (found->claim == CLAIM_FOUND) {
        outcome.status = ROW_ACCEPTED;
        outcome.class = OUTCOME_ACCEPTED;
        outcome.has_errno = true;
        (void)snprintf(outcome.uuid, sizeof(outcome.uuid), "%s", found->uuid);
    } else if (found->claim == CLAIM_NONE) {
        outcome.status = ROW_FAILED;
    }
    engine_record_outcome(engine, item, &outcome, -1);
    engine_end_item(engine, item);
}

static void settle(struct engine *engine, struct item *item)
{
    struct verified *verified = &engine->result.verified;
    struct search_found found;

    history_search_found(item->verification->search, 0, &found);
    verified->found += found.claim == CLAIM_FOUND;
    verified->missing += found.claim == CLAIM_NONE;
    verified->unclear += found.claim == CLAIM_UNCLEAR;
    if (found.claim == CLAIM_NONE && !engine_is_stopping(engine) &&
        item->so_far.tries < engine->options.retry.max_attempts) {
        engine_end_verification(item);
        send_again(engine, item);
    } else {
        record(engine, item, &found);
    }
}

void engine_give_up_verification(struct engine *engine, struct item *item)
{
    engine->result.verified.unclear++;
    engine_record_given_up(engine, item,
                           "an attempt may have been processed, and the run was stopped before the "
                           "platform's history had told");
    engine_end_item(engine, item);
}

static void go_on(struct engine *engine, struct item *item, enum search_step step)
{
    struct verification *verification = item->verification;
    int64_t at_ms = engine_now_ms(engine);

    verification->so_far = (struct retry_row){.tries = 0};
    verification->is_put = false;
    if (step == SEARCH_END) {
        settle(engine, item);
        return;
    }
    if (engine_is_stopping(engine)) {
        engine_give_up_verification(engine, item);
        return;
    }
    if (step == SEARCH_LATER) {
        at_ms = due_ms(engine, verification);
        (void)history_search_begin(verification->search);
    }
    scheduler_retry(&engine->scheduler, &item->task, at_ms);
}

/* Where it is the first answer of all, its Date tells when the request was sent. */
static void set_clock(const struct engine *engine, struct verification *verification)
{
    history_search_shift(verification->search, engine->clock_off_s - verification->clock_off_s);
    verification->clock_off_s = engine->clock_off_s;
}

void engine_take_told(struct engine *engine, const struct event *event,
                      const struct outcome *outcome, const struct retry_decision *decision)
{
    struct item *item = event->item;
    bool is_told = outcome->status == ROW_ACCEPTED;

    set_clock(engine, item->verification);
    if (decision->end == RETRY_END_STOP)
        engine_stop(engine, JOB_REFUSED, outcome->error);
    if (decision->again)
        scheduler_retry(&engine->scheduler, &item->task,
                        engine_now_ms(engine) + decision->delay_ms);
    else
        go_on(engine, item,
              history_search_take(item->verification->search,
                                  is_told ? event->answer.answer->body : span_of(NULL, 0),
                                  is_told ? "" : outcome->error));
}
