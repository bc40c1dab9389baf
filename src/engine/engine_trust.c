#include "engine/engine_impl.h"

/*
 * What an answer says about the run as a whole: the key, whoever answers, and the clock. The
 * decisions are those of send/trust.h; here they are carried out.
 *
 * A row that is refused for the key has no result until it is known whether the key is to blame: it
 * is held, and so are the commands for its device behind it. If the key is still good for what
 * started after the refusal, the row is rejected; if there is another key, it goes again with that;
 * if the run stops, it was never sent.
 *
 * While the key's source is read, nothing starts. What is in flight is answered meanwhile, and may
 * show that the key is good after all: then no other key is no reason to stop.
 */

static struct item *held(const struct engine *engine)
{
    return (struct item *)scheduler_held(&engine->scheduler);
}

/* Ends the rows that were refused before attempt number `start` began. */
static void reject_held(struct engine *engine, uint64_t start)
{
    struct item *item;

    while ((item = held(engine)) != NULL && item->refusal->known_at < start) {
        engine_record_outcome(engine, item, &item->refusal->outcome, item->refusal->latency_us);
        free(item->refusal);
        item->refusal = NULL;
        engine_end_item(engine, item);
    }
}

/* False where there is no memory for it: then the row ends as it was refused. */
static bool hold(struct engine *engine, struct item *item, const struct answer *answer,
                 const struct outcome *outcome)
{
    item->refusal = malloc(sizeof(*item->refusal));
    if (item->refusal == NULL)
        return false;
    *item->refusal = (struct refusal){.known_at = engine->starts,
                                      .outcome = *outcome,
                                      .latency_us = answer->latency_us};
    scheduler_hold(&engine->scheduler, &item->task);
    engine_unmark(engine, item);
    return true;
}

/* The refusal was the old key's, and is none of the row's attempts. */
static void forgive_attempt(struct engine *engine, struct item *item)
{
    if (item_tries(item)->tries > 0)
        item_tries(item)->tries--;
    engine->retry.retries++;
}

static void send_again(struct engine *engine, struct item *item)
{
    forgive_attempt(engine, item);
    engine_unmark(engine, item);
    scheduler_retry(&engine->scheduler, &item->task, engine_now_ms(engine));
}

/* Has the key's source read again, once for each time that the key is refused. */
static bool renew(struct engine *engine, enum renewal renewal)
{
    if (!engine->options.can_renew || !trust_ask(&engine->trust))
        return false;
    engine->renewal = renewal;
    engine_perform(engine, EFFECT_RENEW, NULL);
    return true;
}

/* `why`: what is to be said about the key's source; "" for nothing. */
static void stop_for_key(struct engine *engine, const struct outcome *outcome, const char *why)
{
    struct buf *message = engine->message;

    trust_explain_key(&engine->trust, outcome, message);
    if (why[0] != '\0')
        buf_add_format(message, "; %s", why);
    if (engine->clock_off_s != 0)
        buf_add_format(message,
                       "; this machine's clock is %lld s %s the platform's, which makes tokens "
                       "invalid",
                       (long long)llabs(engine->clock_off_s),
                       engine->clock_off_s > 0 ? "behind" : "ahead of");
    engine_stop(engine, JOB_REFUSED, NULL);
}

/* The key is refused, and not only for this row. True when the row is held until its source has
 * been read; a proxy's credentials have no source. */
static bool judge_key(struct engine *engine, struct item *item, const struct answer *answer,
                      const struct outcome *outcome)
{
    bool is_read = outcome->http_status != 407 &&
                   (engine->renewal != RENEWAL_NONE || renew(engine, RENEWAL_OR_STOP));

    if (is_read && hold(engine, item, answer, outcome))
        return true;
    stop_for_key(engine, outcome, "");
    return false;
}

static void take_other_key(struct engine *engine)
{
    engine->key_number++;
    trust_renew(&engine->trust);
    for (struct task *task = scheduler_held(&engine->scheduler); task != NULL; task = task->next)
        forgive_attempt(engine, (struct item *)task);
    engine_release_held(engine);
    engine_tell(engine, JOB_EVENT_KEY);
}

static const struct outcome *last_refusal(const struct engine *engine)
{
    return &((const struct item *)engine->scheduler.aside.tail)->refusal->outcome;
}

void engine_take_key(struct engine *engine, const struct event *event)
{
    enum renewal renewal = engine->renewal;
    const char *why = event->key.why;

    engine->renewal = RENEWAL_NONE;
    if (engine_is_stopping(engine) || renewal == RENEWAL_NONE)
        return;
    if (event->key.result == JOB_KEY_SAME)
        why = "the key's source was read again and gives no other";
    if (event->key.result == JOB_KEY_OTHER)
        take_other_key(engine);
    else if (renewal == RENEWAL_OR_REJECT)
        reject_held(engine, UINT64_MAX);
    else if (engine->trust.refusals > 0 && held(engine) != NULL)
        stop_for_key(engine, last_refusal(engine), why != NULL ? why : "");
}

/* The platform's clock, from the first answer that is its own. Its header has whole seconds, and is
 * about as old as the answer was on its way. */
static void watch_clock(struct engine *engine, const struct event *event)
{
    if (engine->has_clock || !event->answer.has_date)
        return;
    engine->has_clock = true;
    int64_t off_s = event->answer.date_s - engine->now.wall_ms / 1000;
    if (llabs(off_s) <= JOB_CLOCK_OFF_MAX_S)
        return;
    engine->clock_off_s = off_s;
    engine_tell(engine, JOB_EVENT_CLOCK);
}

void engine_set_clock(const struct engine *engine, struct item *item)
{
    if (item->so_far.ambiguous == 0)
        command_shift(&item->command, engine->clock_off_s);
}

/* The scout told the clock, and was refused: that may be for times that the clock has put wrong. */
static bool is_misdated(const struct engine *engine, const struct item *item,
                        const struct outcome *outcome)
{
    const struct command *command = &item->command;

    return outcome->class == OUTCOME_REFUSED && outcome->meaning == MEANING_REJECTED &&
           item->so_far.ambiguous == 0 && command->shifted_s != engine->clock_off_s &&
           (command->valid_is_relative || command->expires_is_relative);
}

bool engine_watch_answer(struct engine *engine, const struct event *event,
                         const struct outcome *outcome)
{
    struct item *item = event->item;
    const struct answer *answer = event->answer.answer;

    if (engine_is_stopping(engine))
        return false;
    if (outcome_refuses_key(outcome) && item->key_number != engine->key_number) {
        send_again(engine, item);
        return true;
    }
    bool is_scout = outcome->voice == VOICE_PLATFORM && !engine->has_clock;
    if (is_scout)
        watch_clock(engine, event);
    if (is_scout && is_misdated(engine, item, outcome)) {
        (void)trust_add(&engine->trust, outcome);
        send_again(engine, item);
        return true;
    }
    switch (trust_add(&engine->trust, outcome)) {
    case TRUST_GO_ON:
        break;
    case TRUST_GOOD:
        reject_held(engine, item->start_number);
        break;
    case TRUST_HOLD:
        return hold(engine, item, answer, outcome);
    case TRUST_NO_KEY:
        return judge_key(engine, item, answer, outcome);
    case TRUST_FOREIGN:
        trust_explain_foreign(engine->options.dialect, engine->options.target_path, answer, outcome,
                              engine->message);
        engine_stop(engine, JOB_REFUSED, NULL);
        break;
    }
    return false;
}

void engine_settle_idle(struct engine *engine)
{
    const struct scheduler *scheduler = &engine->scheduler;
    bool is_idle = held(engine) != NULL && !engine_is_stopping(engine) &&
                   engine->renewal == RENEWAL_NONE && scheduler->in_flight == 0 &&
                   scheduler->ready == 0 && scheduler->coming == 0 &&
                   scheduler_next_due_ms(scheduler) == INT64_MAX;

    if (is_idle && !renew(engine, RENEWAL_OR_REJECT))
        reject_held(engine, UINT64_MAX);
}
