#include "cli/terminal.h"

#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "cli/color.h"
#include "cli/console.h"
#include "cli/next_command.h"
#include "core/figure.h"
#include "core/retranslate.h"
#include "core/when.h"

/* What a person reads while rows are checked and sent, in the words of a terminal. */

static void add_limit(const struct job_status *status, struct buf *out)
{
    if (status->rate_per_hour > 0)
        buf_add_string(out, figure_rate((double)status->rate_per_hour / 3600, "").text);
    else
        buf_add_format(out, "%zu at a time", status->concurrency);
}

/* What the progress line says; `terminal->watched.rows` is 0 for a pipe. */
static struct progress_facts facts_of(const struct terminal *terminal,
                                      const struct job_status *status)
{
    static const char *const reasons[] = {
        [PACER_GO] = NULL,
        [PACER_RATE] = NULL,
        [PACER_HOST] = "paused: the platform asked for it (Retry-After)",
        [PACER_OUTAGE] = "paused: the platform fails, one row at a time probes",
        [PACER_PAUSED] = "paused: SIGUSR2 goes on",
        [PACER_SHORTAGE] = "paused: this machine is short of something",
        [PACER_READER] = "paused: standard output is not read",
        [PACER_DISK] = "the disk is waited for",
    };
    struct progress_facts facts = {
        .doing = terminal->progress.doing,
        .done = status->rows,
        .total = terminal->watched.rows,
        .share =
            terminal->watched.rows > 0 ? (double)status->rows / (double)terminal->watched.rows : -1,
        .rate = progress_rate(&terminal->progress, status->rows),
        .eta_s = -1,
        .is_sending = true,
        .in_flight = status->in_flight,
        .retries = status->retries,
        .add_standing = terminal->watched.add_standing,
        .context = terminal->watched.context,
        .wait = reasons[status->wait],
        .wait_s = status->wait_ms > 0 ? (double)status->wait_ms / 1000 : -1,
        .held_per_s = status->wait == PACER_RATE ? (double)status->rate_per_hour / 3600 : 0,
        .is_limited = status->is_limited,
    };

    if (facts.wait == NULL && status->canary->state == CANARY_WAITING)
        facts.wait = "waiting for the canary";
    if (facts.wait == NULL && status->canary_wait_ms >= 0) {
        facts.wait = "paused after the canary";
        facts.wait_s = (double)status->canary_wait_ms / 1000;
    }
    memcpy(facts.ended, terminal->watched.tally->rows, sizeof(facts.ended));
    if (terminal->watched.rows > status->rows && facts.rate > 0 && facts.wait == NULL)
        facts.eta_s = (double)(terminal->watched.rows - status->rows) / facts.rate;
    return facts;
}

static void add_canary(const struct job_status *status, struct buf *out)
{
    unsigned long long rows = status->canary->ended;

    buf_add_format(out, "the first %llu row%s ended: ", rows, rows == 1 ? " has" : "s have");
    canary_describe(status->canary, out);
}

/* this machine's clock is 3600 s behind the platform's: … */
static void add_clock(int64_t off_s, struct buf *out)
{
    buf_add_format(out,
                   "this machine's clock is %lld s %s the platform's: times such as +24h go by the "
                   "platform's; set the clock",
                   (long long)llabs(off_s), off_s > 0 ? "behind" : "ahead of");
}

/* the endpoint cannot be reached (…): tried again for 1 min */
static void add_outage(const struct job_status *status, struct buf *out)
{
    struct buf why;

    buf_init_text(&why, 4096);
    retranslate(span_string(status->why), &why);
    const char *what =
        status->was_reached ? "the platform fails" : "the endpoint cannot be reached";
    if (why.len > 0)
        buf_add_format(out, "%s (%s): rows wait, and one at a time is tried, for ", what,
                       buf_string(&why));
    else /* where half of the rows fail, it may be a good answer that completes the count */
        buf_add_format(out, "%s: rows wait, and one at a time is tried, for ", what);
    buf_deinit(&why);
    when_add_duration((double)status->outage_wait_ms / 1000, out);
    buf_add_string(out, " at most");
}

/* What is always said in the same words. */
static const char *const event_words[] = {
    [JOB_EVENT_PAUSED] = "paused; SIGUSR2 goes on",
    [JOB_EVENT_RESUMED] = "going on",
    [JOB_EVENT_OUTAGE_OVER] = "the platform answers again: going on",
    [JOB_EVENT_VALID_NOW] = ("valid_time has come before the row's turn: such rows are sent "
                             "without it, and can be delivered at once"),
    [JOB_EVENT_KEY] = "the key was refused; its source gives another one: going on with that",
};

static void add_event(const struct terminal *terminal, enum job_event event,
                      const struct job_status *status, struct buf *out)
{
    struct progress_facts facts;

    switch (event) {
    case JOB_EVENT_STATUS:
        facts = facts_of(terminal, status);
        progress_line_add_plain(&facts, out);
        break;
    case JOB_EVENT_SLOWER:
        buf_add_string(out, "the platform asks for less: finding out how much it takes");
        break;
    case JOB_EVENT_OUTAGE:
        add_outage(status, out);
        break;
    case JOB_EVENT_RECOVERED:
        buf_add_string(out, "back to ");
        add_limit(status, out);
        break;
    case JOB_EVENT_CANARY_PAUSE:
        add_canary(status, out);
        buf_add_string(out, "; the others follow in ");
        when_add_duration((double)status->canary->pause_ms / 1000, out);
        break;
    case JOB_EVENT_CANARY:
        add_canary(status, out);
        buf_add_string(out, ": going on with the others");
        break;
    case JOB_EVENT_SHORTAGE:
        buf_add_format(out, "this machine is short of %s; rows wait, and %zu at a time go on",
                       status->shortage, status->concurrency);
        break;
    case JOB_EVENT_CLOCK:
        add_clock(status->clock_off_s, out);
        break;
    case JOB_EVENT_DRAINING:
        buf_add_format(out,
                       "stopping: %zu requests are under way and are waited for; a second signal "
                       "stops at once",
                       status->in_flight);
        break;
    case JOB_EVENT_ABORTING:
        buf_add_format(out, "stopping at once: %zu attempts are ended", status->in_flight);
        break;
    default: /* the others; those that are told at the end, or not at all, have no words */
        if ((size_t)event < ARRAY_LENGTH(event_words) && event_words[event] != NULL)
            buf_add_string(out, event_words[event]);
        break;
    }
}

static void on_tick(struct terminal *terminal, const struct job_status *status)
{
    if (!progress_tick(&terminal->progress, status->rows))
        return;
    struct progress_facts facts = facts_of(terminal, status);
    progress_show(&terminal->progress, &facts);
}

static void on_event(const struct person *person, enum job_event event,
                     const struct job_status *status)
{
    struct terminal *terminal = person->context;
    struct buf text;

    if (event == JOB_EVENT_TICK)
        on_tick(terminal, status);
    bool is_wanted = event == JOB_EVENT_STATUS || event == JOB_EVENT_OUTAGE;
    if (event == JOB_EVENT_TICK || (person->quiet && !is_wanted))
        return;
    buf_init_text(&text, 4096);
    add_event(terminal, event, status, &text);
    if (text.len > 0) {
        progress_hide(&terminal->progress);
        show_note("%s", buf_string(&text));
    }
    buf_deinit(&text);
}

/* fleet.csv:18: attempt 1: errno 5117 rpc error [errno 5117]: again in 143 ms */
static void on_attempt(const struct person *person, const struct job_attempt *attempt)
{
    struct terminal *terminal = person->context;
    const struct outcome *outcome = attempt->outcome;
    char class[RETRY_CASE_NAME_MAX + 1];
    struct buf text;

    if (!person->verbose || person->quiet)
        return;
    retry_case_name(attempt->decision->rule, outcome, class);
    buf_init_text(&text, 8192);
    buf_add_format(&text, "%s:%llu: ", terminal->watched.input, (unsigned long long)attempt->line);
    if (!operation_is_submit(attempt->operation))
        buf_add_format(&text, "%s, ", operations[attempt->operation].name);
    buf_add_format(&text, "attempt %u: ", (unsigned)attempt->number);
    if (outcome->has_errno && outcome->class != OUTCOME_ACCEPTED)
        buf_add_format(&text, "errno %lld ", (long long)outcome->platform_errno);
    if (outcome->class == OUTCOME_ACCEPTED) {
        buf_add_format(&text, "accepted in %.1f ms", (double)attempt->latency_us / 1000);
    } else {
        retranslate(span_string(outcome->error), &text);
        buf_add_format(&text, " [%s]", class);
    }
    if (attempt->decision->again)
        buf_add_format(&text, ": again in %lld ms", (long long)attempt->decision->delay_ms);
    progress_hide(&terminal->progress);
    show_passing("%s", buf_string(&text));
    buf_deinit(&text);
}

static void on_tell(const struct person *person, enum tell_kind kind, const char *text)
{
    (void)person;
    if (kind == TELL_ERROR)
        show_error("%s", text);
    else if (kind == TELL_NOTE)
        show_note("%s", text);
    else
        console_write(span_string(text), CONSOLE_KEPT);
}

static enum consent on_ask(const struct person *person, const char *question)
{
    const struct terminal *terminal = person->context;
    char answer[16] = "";
    struct buf prompt;

    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1 || terminal->reads_input)
        return CONSENT_NOBODY;
    buf_init_text(&prompt, 64 * 1024);
    buf_add_format(&prompt, "%s Type yes: ", question);
    (void)fputs(buf_string(&prompt), stderr);
    (void)fflush(stderr);
    /* One letter is typed too easily; it gets a second chance, since it was no no. */
    bool is_there = fgets(answer, sizeof(answer), stdin) != NULL;
    if (is_there && strcasecmp(answer, "y\n") == 0) {
        buf_clear(&prompt);
        buf_add_string(&prompt, "If that is meant, type the whole word yes: ");
        (void)fputs(buf_string(&prompt), stderr);
        (void)fflush(stderr);
        is_there = fgets(answer, sizeof(answer), stdin) != NULL;
    }
    buf_deinit(&prompt);
    if (!is_there)
        return CONSENT_NO_ANSWER;
    return strcasecmp(answer, "yes\n") == 0 ? CONSENT_YES : CONSENT_NO;
}

static bool on_give(const struct person *person, struct span data)
{
    (void)person;
    return show_data(data);
}

static void on_problems(const struct person *person, const char *input,
                        const struct problems *problems)
{
    struct terminal *terminal = person->context;

    terminal->problems.input = input;
    terminal->problems.quiet = person->quiet;
    if (show_problems_is_needed(&terminal->problems, problems))
        progress_hide(&terminal->progress);
    show_problems(&terminal->problems, problems);
}

static void on_problem_counts(const struct person *person)
{
    struct terminal *terminal = person->context;

    show_problem_counts(&terminal->problems);
    terminal->problems = (struct problem_show){.input = NULL};
}

static void on_begin(const struct person *person, const char *doing, const struct watched *watched)
{
    struct terminal *terminal = person->context;

    progress_init(&terminal->progress, person->quiet ? PROGRESS_NEVER : terminal->mode, doing);
    if (watched == NULL)
        return;
    terminal->watched = *watched;
    console_start(); /* nothing that is sent waits for who reads */
}

static void on_checked(const struct person *person, uint64_t rows, double share)
{
    struct terminal *terminal = person->context;

    if (!progress_tick(&terminal->progress, rows))
        return;
    struct progress_facts facts = {.done = rows,
                                   .share = share,
                                   .rate = progress_rate(&terminal->progress, rows),
                                   .eta_s = -1};
    progress_show(&terminal->progress, &facts);
}

static void on_end(const struct person *person)
{
    struct terminal *terminal = person->context;
    progress_hide(&terminal->progress);
}

static double on_pace(const struct person *person, uint64_t rows)
{
    const struct terminal *terminal = person->context;
    return progress_rate(&terminal->progress, rows);
}

static void on_next_command(const struct person *person, const char *results, bool is_moved,
                            struct buf *program, struct buf *words)
{
    const struct terminal *terminal = person->context;

    next_command_add_program(terminal->program, program);
    next_command_add_words(terminal->sources, results, is_moved, words);
}

static void on_call(const struct person *person, const char *command, const char *argument,
                    struct buf *out)
{
    const struct terminal *terminal = person->context;
    enum subcommand to = terminal->subcommand;

    (void)subcommand_find(command, &to);
    next_command_add_call(terminal->program, terminal->subcommand, to, terminal->sources, argument,
                          out);
}

static void on_fixed_command(const struct person *person, const struct diagnosis *diagnosis,
                             struct buf *out)
{
    const struct terminal *terminal = person->context;

    next_command_add_fixed(terminal->program, terminal->subcommand, terminal->sources, diagnosis,
                           out);
}

struct person terminal_person(struct terminal *terminal)
{
    static const struct person_ops ops = {.tell = on_tell,
                                          .ask = on_ask,
                                          .give = on_give,
                                          .problems = on_problems,
                                          .problem_counts = on_problem_counts,
                                          .begin = on_begin,
                                          .checked = on_checked,
                                          .event = on_event,
                                          .attempt = on_attempt,
                                          .end = on_end,
                                          .pace = on_pace,
                                          .next_command = on_next_command,
                                          .call = on_call,
                                          .fixed_command = on_fixed_command};
    return (struct person){.ops = &ops, .context = terminal};
}
