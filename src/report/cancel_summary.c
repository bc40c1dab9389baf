#include "report/cancel_summary.h"

typedef unsigned long long big;

static void add_headline(const struct cancel_summary *summary, struct buf *out)
{
    uint64_t total = summary->left, taken = summary->outcomes[CANCEL_CANCELLED];

    for (size_t i = 0; i < CANCEL_OUTCOME_COUNT; i++)
        total += summary->outcomes[i];
    if (total == taken && total > 0)
        buf_add_format(out, "\nall %llu command%s taken back\n", (big)total,
                       total == 1 ? " was" : "s were");
    else
        buf_add_format(out, "\n%llu of %llu commands are taken back\n", (big)taken, (big)total);
}

static void add_outcomes(const struct cancel_summary *summary, struct buf *out)
{
    for (size_t i = 0; i < CANCEL_OUTCOME_COUNT; i++) {
        if (summary->outcomes[i] == 0)
            continue;
        buf_add_format(out, "  %-9s %9llu  %s", cancel_words[i].word, (big)summary->outcomes[i],
                       cancel_words[i].meaning);
        if (summary->before[i] > 0)
            buf_add_format(out, "; %llu of them known before", (big)summary->before[i]);
        buf_add_char(out, '\n');
    }
    if (summary->left > 0)
        buf_add_format(out, "  %-9s %9llu  no request left for them: they may wait still\n",
                       "not asked", (big)summary->left);
    if (summary->doubtful > 0)
        buf_add_format(out,
                       "%llu row%s in doubt, or without a uuid: what the platform holds of %s "
                       "cannot be taken back from here\n",
                       (big)summary->doubtful, summary->doubtful == 1 ? " is" : "s are",
                       summary->doubtful == 1 ? "it" : "them");
    if (summary->twice > 0)
        buf_add_format(out,
                       "%llu device%s may hold a command twice; the other one is not known by its "
                       "uuid, and was not taken back\n",
                       (big)summary->twice, summary->twice == 1 ? "" : "s");
}

static void add_step(const char *what, const char *command, struct buf *out)
{
    if (command != NULL)
        buf_add_format(out, "- %s\n    %s\n", what, command);
}

void cancel_summary_add_text(const struct cancel_summary *summary, struct buf *out)
{
    add_headline(summary, out);
    add_outcomes(summary, out);
    if (summary->puts + summary->lookups > 0)
        buf_add_format(out, "%llu request%s and %llu look-up%s in %.2f s", (big)summary->puts,
                       summary->puts == 1 ? "" : "s", (big)summary->lookups,
                       summary->lookups == 1 ? "" : "s", summary->seconds);
    else
        buf_add_format(out, "no request left in %.2f s", summary->seconds);
    if (summary->retries > 0 && summary->puts + summary->lookups > 0)
        buf_add_format(out, ", %llu more attempt%s", (big)summary->retries,
                       summary->retries == 1 ? "" : "s");
    buf_add_string(out, "\nwhat came of each: ");
    buf_add_printable(out, span_string(summary->output));
    buf_add_char(out, '\n');
    if (summary->again != NULL || summary->resume != NULL)
        buf_add_string(out, "\nwhat to do now:\n");
    add_step("ask once more for what is open", summary->again, out);
    add_step("send after all what was taken back", summary->resume, out);
}

void cancel_summary_add_json(const struct cancel_summary *summary, struct buf *out)
{
    buf_add_string(out, "{\"command\":\"cancel\",\"results\":");
    buf_add_json_string(out, span_string(summary->results));
    buf_add_string(out, ",\"output\":");
    buf_add_json_string(out, span_string(summary->output));
    for (size_t i = 0; i < CANCEL_OUTCOME_COUNT; i++)
        buf_add_format(out, ",\"%s\":%llu", cancel_words[i].word, (big)summary->outcomes[i]);
    buf_add_string(out, ",\"before\":{");
    for (size_t i = 0; i < CANCEL_OUTCOME_COUNT; i++)
        buf_add_format(out, "%s\"%s\":%llu", i > 0 ? "," : "", cancel_words[i].word,
                       (big)summary->before[i]);
    buf_add_format(out,
                   "},\"not_asked\":%llu,\"doubtful_rows\":%llu,\"maybe_twice\":%llu,\"puts\":%llu,"
                   "\"lookups\":%llu,\"retries\":%llu,\"seconds\":%.3f,\"end\":\"%s\","
                   "\"exit_status\":%d}\n",
                   (big)summary->left, (big)summary->doubtful, (big)summary->twice,
                   (big)summary->puts, (big)summary->lookups, (big)summary->retries,
                   summary->seconds, summary->end, summary->exit_status);
}
