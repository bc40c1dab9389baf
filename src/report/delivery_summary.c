#include "report/delivery_summary.h"

#include "core/when.h"
#include "report/json_line.h"

typedef unsigned long long big;

void delivery_count(struct delivery_counts *counts, const struct delivery_facts *facts,
                    enum confirm confirm, bool is_final)
{
    counts->states[facts->state]++;
    counts->refused[confirm] += facts->state == COMMAND_REFUSED;
    counts->overwritten += facts->state == COMMAND_MISSING && is_final;
    counts->resendable += is_final && delivery_is_in(facts, DELIVERY_UNDELIVERED);
    counts->open += !is_final;
    if (!is_final && facts->expires_s > counts->last_expires_s)
        counts->last_expires_s = facts->expires_s;
}

void delivery_add_devices(const struct delivery_counts *counts, struct buf *out)
{
    uint64_t others = counts->devices - counts->devices_done - counts->devices_waiting;

    buf_add_format(out, "%llu have it, %llu wait", (big)counts->devices_done,
                   (big)counts->devices_waiting);
    if (others > 0)
        buf_add_format(out, ", %llu do not have it", (big)others);
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* A state or reason, so many, and what it means and helps. */
static void add_count(const char *word, uint64_t count, const char *meaning, const char *remedy,
                      struct buf *out)
{
    if (count == 0)
        return;
    buf_add_format(out, "  %-10s %9llu  %s%s%s\n", word, (big)count, meaning,
                   remedy[0] != '\0' ? "; " : "", remedy);
}

static void add_states(const struct delivery_counts *counts, struct buf *out)
{
    for (size_t i = 0; i < COMMAND_STATE_COUNT; i++) {
        const struct delivery *delivery = &deliveries[i];
        add_count(delivery->word, counts->states[i], delivery->meaning,
                  i == COMMAND_REFUSED ? "" : delivery->remedy, out);
        for (size_t j = 0; i == COMMAND_REFUSED && j <= CONFIRM_OTHER; j++)
            if (counts->refused[j] > 0)
                buf_add_format(out, "    %s: %llu: %s; %s\n", history_confirm_name((enum confirm)j),
                               (big)counts->refused[j], delivery_answers[j].meaning,
                               delivery_answers[j].remedy);
    }
    add_count("not asked", counts->not_asked, "nothing is known yet", "", out);
    add_count("no uuid", counts->without_uuid, "accepted without a uuid: it cannot be asked for",
              "", out);
}

static void add_calls(const struct delivery_summary *summary, struct buf *out)
{
    uint64_t calls = summary->lookups + summary->lists;

    if (summary->calls == NULL)
        return;
    if (calls > 0)
        buf_add_format(out, "%llu call%s in ", (big)calls, plural(calls));
    else
        buf_add_string(out, "no call left in ");
    when_add_duration(summary->seconds, out);
    if (summary->unanswered > 0)
        buf_add_format(out, ", %llu without an answer that helps", (big)summary->unanswered);
    buf_add_char(out, '\n');
    if (summary->unreadable > 0)
        buf_add_format(out,
                       "  %llu: the answer cannot be read whole; what it did not say stays open\n",
                       (big)summary->unreadable);
    if (summary->of_another > 0)
        buf_add_format(out, "  %llu: the answer was about another device or command\n",
                       (big)summary->of_another);
    for (size_t i = 0; i < summary->calls->reason_count && summary->unanswered > 0; i++)
        buf_add_format(out, "  %llu: %s\n", (big)summary->calls->reasons[i].count,
                       summary->calls->reasons[i].text);
}

static void add_next(const struct delivery_summary *summary, struct buf *out)
{
    if (summary->resume != NULL)
        buf_add_format(out, "to send again what ended undelivered: %s\n", summary->resume);
    if (summary->watch != NULL)
        buf_add_format(out, "to ask again: %s\n", summary->watch);
}

void delivery_summary_add_text(const struct delivery_summary *summary, struct buf *out)
{
    const struct delivery_counts *counts = summary->counts;
    char time[WHEN_PLATFORM_LENGTH + 1];

    buf_add_format(out, "%llu device%s: ", (big)counts->devices, plural(counts->devices));
    delivery_add_devices(counts, out);
    buf_add_format(out, "\n%llu command%s:\n", (big)counts->commands, plural(counts->commands));
    add_states(counts, out);
    if (counts->open > 0 && counts->last_expires_s > 0 &&
        when_is_writable(counts->last_expires_s)) {
        when_format_platform(counts->last_expires_s, time);
        buf_add_format(out, "the last that waits gives up at %s (UTC+8)\n", time);
    }
    if (counts->not_accepted > 0)
        buf_add_format(out, "%llu row%s of the results %s no command: not accepted\n",
                       (big)counts->not_accepted, plural(counts->not_accepted),
                       counts->not_accepted == 1 ? "is" : "are");
    if (counts->states[COMMAND_MISSING] == counts->commands && counts->commands > 0)
        buf_add_string(out, "the platform knows none of them: are these results of this product, "
                            "and of this platform?\n");
    add_calls(summary, out);
    buf_add_format(out, "each command is in %s\n", summary->output);
    add_next(summary, out);
}

static bool add_number(cJSON *object, const char *name, uint64_t number)
{
    return cJSON_AddNumberToObject(object, name, (double)number) != NULL;
}

static bool add_text(cJSON *object, const char *name, const char *text)
{
    return (text != NULL ? cJSON_AddStringToObject(object, name, text)
                         : cJSON_AddNullToObject(object, name)) != NULL;
}

static bool fill_counts(const struct delivery_counts *counts, cJSON *object)
{
    cJSON *devices = cJSON_AddObjectToObject(object, "devices");
    cJSON *commands = cJSON_AddObjectToObject(object, "commands");
    cJSON *refused = cJSON_AddObjectToObject(object, "refused");
    bool ok = devices != NULL && commands != NULL && refused != NULL &&
              add_number(devices, "total", counts->devices) &&
              add_number(devices, "done", counts->devices_done) &&
              add_number(devices, "waiting", counts->devices_waiting) &&
              add_number(commands, "total", counts->commands);

    for (size_t i = 0; i < COMMAND_STATE_COUNT && ok; i++)
        ok = add_number(commands, deliveries[i].word, counts->states[i]);
    for (size_t i = 0; i <= CONFIRM_OTHER && ok; i++)
        ok = counts->refused[i] == 0 ||
             add_number(refused, history_confirm_name((enum confirm)i), counts->refused[i]);
    return ok && add_number(commands, "not_asked", counts->not_asked) &&
           add_number(commands, "without_uuid", counts->without_uuid) &&
           add_number(object, "open", counts->open) &&
           add_number(object, "not_accepted", counts->not_accepted);
}

static bool fill(const struct delivery_summary *summary, cJSON *object)
{
    int64_t last_s = summary->counts->open > 0 ? summary->counts->last_expires_s : 0;
    char time[WHEN_PLATFORM_LENGTH + sizeof("+08:00")];

    if (last_s > 0 && when_is_writable(last_s)) {
        when_format_platform(last_s, time);
        memcpy(time + WHEN_PLATFORM_LENGTH, "+08:00", sizeof("+08:00"));
    }
    return add_text(object, "results", summary->results) &&
           add_text(object, "output", summary->output) && add_text(object, "end", summary->end) &&
           fill_counts(summary->counts, object) &&
           add_text(object, "last_expires", last_s > 0 ? time : NULL) &&
           add_number(object, "lookups", summary->lookups) &&
           add_number(object, "lists", summary->lists) &&
           add_number(object, "unanswered", summary->unanswered) &&
           add_number(object, "unreadable", summary->unreadable) &&
           add_number(object, "of_another", summary->of_another) &&
           add_number(object, "retries", summary->retries) &&
           cJSON_AddNumberToObject(object, "seconds", summary->seconds) != NULL &&
           add_text(object, "resume", summary->resume) &&
           add_number(object, "exit_status", (uint64_t)summary->exit_status);
}

enum status delivery_summary_add_json(const struct delivery_summary *summary, struct buf *out)
{
    cJSON *object = cJSON_CreateObject();

    if (object != NULL && !fill(summary, object)) {
        cJSON_Delete(object);
        object = NULL;
    }
    return json_line_add(object, out);
}
