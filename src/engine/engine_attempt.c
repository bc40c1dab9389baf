#include "core/redact.h"
#include "core/when.h"
#include "engine/engine_impl.h"

/*
 * The end of an attempt: what it says of the platform goes to the policies of send/, and the row
 * goes on to the next attempt, is held, or ends. The end of a row is its one result in the record,
 * and a fact for the rules that may stop the run.
 */

/* Counts a row that has come to its end for the rules that may stop the run. */
static void watch_end(struct engine *engine, const struct halt_fact *fact)
{
    struct halt *halt = engine->options.halt;

    if (halt == NULL)
        return;
    halt_add(halt, fact);
    if (!engine_is_stopping(engine) && halt_crossed(halt, engine->message))
        engine_stop(engine, JOB_HALTED, NULL);
}

static void record(struct engine *engine, const struct effect *effect, const struct halt_fact *fact)
{
    engine->options.perform(engine->options.context, effect);
    engine->recorded++;
    engine->unsynced++;
    engine->is_recording = true;
    engine_turn_soon(engine);
    watch_end(engine, fact);
    if (effect->item->number > 0 && effect->item->number <= engine->canary.rows)
        engine_watch_canary(engine, fact->status);
}

/* The uuid of an accepted row is its own. */
static enum status know(struct engine *engine, const struct item *item, struct span uuid)
{
    struct known_commands *known = engine->options.verify.known;

    return item->verification != NULL ? known_commands_own(known, uuid)
                                      : known_commands_add(known, item->id.device, uuid);
}

void engine_record_outcome(struct engine *engine, struct item *item, struct outcome *outcome,
                           int64_t latency_us)
{
    outcome->status = retry_row_status(&item->so_far, outcome->status);
    if (engine->options.verify.known != NULL && outcome->status == ROW_ACCEPTED &&
        know(engine, item, span_string(outcome->uuid)) != STATUS_OK)
        engine_fail(engine, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
    const struct effect effect = {.kind = EFFECT_RECORD,
                                  .item = item,
                                  .record = {.outcome = outcome,
                                             .latency_us = latency_us,
                                             .clock_off_s = engine->clock_off_s}};
    record(engine, &effect,
           &(struct halt_fact){outcome->status, outcome->has_errno, outcome->platform_errno});
}

/* Records a row that was sent, and that will not be sent again although it could have been. */
void engine_record_given_up(struct engine *engine, struct item *item, const char *why)
{
    struct outcome outcome = {.status = item->so_far.ambiguous > 0 ? ROW_IN_DOUBT : ROW_FAILED};

    (void)snprintf(outcome.error, sizeof(outcome.error), "%s", why);
    engine_record_outcome(engine, item, &outcome, -1);
}

void engine_record_expired(struct engine *engine, struct item *item)
{
    record(engine, &(struct effect){.kind = EFFECT_RECORD_EXPIRED, .item = item},
           &(struct halt_fact){.status = ROW_INVALID});
}

void engine_record_invalid(struct engine *engine, struct item *item,
                           const struct problems *problems)
{
    const struct effect effect = {.kind = EFFECT_RECORD_INVALID,
                                  .item = item,
                                  .problems = problems};

    record(engine, &effect, &(struct halt_fact){.status = ROW_INVALID});
}

void engine_unmark(struct engine *engine, struct item *item)
{
    if (item->so_far.ambiguous == 0)
        engine_perform(engine, EFFECT_UNMARK, item);
}

/* Tells the run's pace of the end of an attempt, and acts on what follows. */
static void take_pace(struct engine *engine, struct item *item, const struct outcome *outcome,
                      int64_t host_wait_ms)
{
    const struct pacer_attempt attempt = {.outcome = outcome,
                                          .ticket = item->pacer_ticket,
                                          .number = item->start_number,
                                          .row = &item->paced,
                                          .started_ns = item->started_ns,
                                          .host_wait_ms = host_wait_ms};
    struct pacer_news news;

    if (breaker_kind_of(outcome) == BREAKER_OK)
        budget_return(&engine->budget);
    pacer_end(&engine->pacer, &attempt, engine->now.ns, &news);
    engine_set_concurrency(engine);
    if (news.pace == PACE_LOWERED)
        engine_tell(engine, JOB_EVENT_SLOWER);
    else if (news.pace == PACE_FREED)
        engine_tell(engine, JOB_EVENT_RECOVERED);
    if (news.breaker_changed)
        engine_tell_outage(engine, outcome);
}

/* It was not the platform's doing that nothing left: no attempt is counted. */
static void take_back(struct engine *engine, struct item *item)
{
    pacer_cancel(&engine->pacer, item->pacer_ticket, engine_now_ms(engine));
    if (item_tries(item)->tries > 0)
        budget_refund(&engine->budget);
}

/* The row's time was over: whoever the record gives it to sends it. */
static void give_up(struct engine *engine, struct item *item)
{
    take_back(engine, item);
    engine_perform(engine, EFFECT_DROP, item);
    engine->room++;
    engine_end_item(engine, item);
}

/* The row waits. */
static void put_off(struct engine *engine, struct item *item, int shortage)
{
    int64_t now_ms = engine_now_ms(engine);

    take_back(engine, item);
    engine_unmark(engine, item);
    scheduler_retry(&engine->scheduler, &item->task, now_ms + SHORTAGE_PAUSE_MS);
    engine_take_shortage(engine, shortage);
}

static void tell_attempt(struct engine *engine, struct item *item, const struct answer *answer,
                         const struct outcome *outcome, const struct retry_decision *decision)
{
    const struct job_attempt attempt = {.row = item->id.row,
                                        .line = item->id.line,
                                        .operation = item_operation(item),
                                        .number = item_tries(item)->tries,
                                        .outcome = outcome,
                                        .decision = decision,
                                        .latency_us = answer->latency_us,
                                        .left = answer->state != ANSWER_NOT_SENT};

    engine->options.perform(engine->options.context,
                            &(struct effect){.kind = EFFECT_TELL_ATTEMPT, .attempt = &attempt});
}

/* What an attempt tells of the platform. One that was ended from here tells nothing. */
static void take_facts(struct engine *engine, struct item *item, const struct answer *answer,
                       const struct outcome *outcome, const struct retry_decision *decision)
{
    if (answer->state != ANSWER_NOT_SENT) {
        engine->left++;
        shortage_sent(&engine->shortage, engine_now_ms(engine));
    }
    tell_attempt(engine, item, answer, outcome, decision);
    if (!engine->result.aborted)
        take_pace(engine, item, outcome, decision->host_wait_ms);
    else if (answer->state == ANSWER_IN_DOUBT)
        engine->result.cut_off++;
}

/* A uuid that another command was given before tells that one of the two answers was not its row's.
 * What else comes over that connection would be a row late, too. */
static bool disbelieve(struct engine *engine, const struct item *item, struct outcome *outcome)
{
    const struct command *command = &item->command;

    if (outcome->class != OUTCOME_ACCEPTED || outcome->uuid[0] == '\0' ||
        !operation_is_submit(item_operation(item)))
        return false;
    uint64_t request = uuid_memory_request(command_target(command), command_body(command));
    if (uuid_memory_add(engine->uuids, span_string(outcome->uuid), request) != UUID_FOREIGN)
        return false;
    outcome_disbelieve(outcome);
    engine_perform(engine, EFFECT_DISTRUST, NULL);
    return true;
}

/* Says for how long the platform wants to be left alone, where a row does not wait so long. */
static void add_wait(struct outcome *outcome, int64_t wait_ms)
{
    size_t len = strlen(outcome->error);
    struct buf wait;

    buf_init(&wait, 64);
    when_add_duration((double)wait_ms / 1000, &wait);
    (void)snprintf(outcome->error + len, sizeof(outcome->error) - len,
                   "; it asks to wait %s, longer than a row waits", buf_string(&wait));
    buf_deinit(&wait);
}

static void decide(struct engine *engine, struct item *item, const struct answer *answer,
                   struct outcome *outcome, struct retry_decision *ret_decision)
{
    enum operation operation = item_operation(item);

    outcome_judge(engine->options.dialect, operation, answer, outcome);
    bool disbelieved = disbelieve(engine, item, outcome);
    redact_string(outcome->error, REDACT_MIN);
    redact_string(outcome->uuid, REDACT_ID_MIN);
    const struct retry_attempt attempt = {
        .outcome = outcome,
        .idempotent = operation_is_idempotent(operation),
        .is_question = !operation_is_submit(operation),
        .held = disbelieved,
        .all_refused = pacer_refuses_all(&engine->pacer, &item->paced),
        .unreachable = breaker_is_unreachable(&engine->pacer.breaker),
        .has_retry_after = answer->has_retry_after,
        .retry_after_ms = answer->retry_after_ms,
    };
    retry_decide(&engine->retry, &attempt, item_tries(item), ret_decision);
    if (ret_decision->end == RETRY_END_TOO_LONG)
        add_wait(outcome, answer->retry_after_ms);
    if (engine_is_stopping(engine))
        ret_decision->again = false;
}

/* Ends a row that is not sent again. */
static void end_row(struct engine *engine, struct item *item, const struct retry_decision *decision,
                    struct outcome *outcome, int64_t latency_us)
{
    if (decision->end == RETRY_END_STOP)
        engine_stop(engine, JOB_REFUSED, outcome->error);
    /* A row that is certain not to have been processed, and that the run's end keeps from another
     * attempt, has no result: it was not sent. */
    bool may_go_later = decision->end == RETRY_END_NONE || decision->end == RETRY_END_STOP ||
                        (outcome_refuses_key(outcome) && engine_is_stopping(engine));
    if (!may_go_later || item->so_far.ambiguous > 0) {
        engine_record_outcome(engine, item, outcome, latency_us);
    } else {
        engine_perform(engine, EFFECT_DROP, item);
        engine->room++;
    }
    engine_end_item(engine, item);
}

void engine_take_answer(struct engine *engine, const struct event *event)
{
    struct item *item = event->item;
    const struct answer *answer = event->answer.answer;
    struct outcome outcome;
    struct retry_decision decision;

    if (answer->is_late) {
        give_up(engine, item);
        return;
    }
    if (shortage_is(answer->os_error) && !engine_is_stopping(engine)) {
        put_off(engine, item, answer->os_error);
        return;
    }
    decide(engine, item, answer, &outcome, &decision);
    take_facts(engine, item, answer, &outcome, &decision);
    if (engine_watch_answer(engine, event, &outcome))
        return;
    if (item->verification != NULL) {
        engine_take_told(engine, event, &outcome, &decision);
        return;
    }
    if (decision.end == RETRY_END_LOOK && !engine_is_stopping(engine) &&
        engine_verify(engine, item))
        return;
    if (decision.again) {
        engine_unmark(engine, item);
        scheduler_retry(&engine->scheduler, &item->task, engine_now_ms(engine) + decision.delay_ms);
        return;
    }
    end_row(engine, item, &decision, &outcome, answer->latency_us);
}
