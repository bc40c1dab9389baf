#include "run/trace.h"

#include <errno.h>
#include <stdlib.h>

/* One device's turn. */
struct tracing {
    size_t first, count; /* rows */
    struct history_search *search;
    struct buf texts;              /* of its requests */
    int64_t due_ms;                /* its next look, while that waits */
    struct tracing *next;          /* in its queue */
    struct tracing *newer, *older; /* among all */
};

static void end_tracing(struct trace *trace, struct tracing *tracing)
{
    if (tracing->newer != NULL)
        tracing->newer->older = tracing->older;
    if (tracing->older != NULL)
        tracing->older->newer = tracing->newer;
    if (trace->all == tracing)
        trace->all = tracing->older;
    history_search_free(tracing->search);
    buf_deinit(&tracing->texts);
    free(tracing);
}

static void append(struct trace_queue *queue, struct tracing *tracing)
{
    tracing->next = NULL;
    if (queue->head == NULL)
        queue->head = tracing;
    else
        queue->tail->next = tracing;
    queue->tail = tracing;
}

static struct tracing *take_first(struct trace_queue *queue)
{
    struct tracing *tracing = queue->head;

    if (tracing != NULL)
        queue->head = tracing->next;
    return tracing;
}

/* Keeps what came of each row. */
static void finish(struct trace *trace, struct tracing *tracing, int64_t now_ms)
{
    struct search_found found;

    for (size_t r = 0; r < tracing->count && trace->error == 0; r++) {
        history_search_found(tracing->search, r, &found);
        errno = 0;
        if (!trace->options.keep(trace->options.context, &trace->options.rows[tracing->first + r],
                                 &found, now_ms))
            trace->error = errno != 0 ? errno : EIO;
    }
    end_tracing(trace, tracing);
}

/* What a row has asked for, and when. */
static enum status take_doubts(const struct trace *trace, struct tracing *tracing,
                               const struct trace_row *row)
{
    const struct trace_options *options = &trace->options;
    struct doubt doubt;

    history_search_add_row(tracing->search, row->ambiguous,
                           row->is_covered && row->doubt_count > 0);
    for (size_t i = 0; i < row->doubt_count; i++) {
        enum status status =
            options->load(options->context, row->doubt + i, &tracing->texts, &doubt);
        if (status != STATUS_OK)
            return status;
        const struct likeness_request request = {(enum action)doubt.operation, doubt.target,
                                                 doubt.body};
        if (operation_is_submit((enum operation)doubt.operation)) /* each row is */
            history_search_add_request(tracing->search, &request,
                                       doubt.first_ms / 1000 + doubt.clock_off_s,
                                       doubt.last_ms / 1000 + doubt.clock_off_s);
    }
    return STATUS_OK;
}

static bool is_of_device(const struct trace *trace, size_t row, size_t first)
{
    const struct trace_options *options = &trace->options;

    return row < options->row_count &&
           options->rows[row].id.device == options->rows[first].id.device;
}

/* When the last request of a device's rows had ended. */
static int64_t last_of(const struct trace *trace, size_t first)
{
    const struct trace_options *options = &trace->options;
    int64_t last_ms = options->rows[first].last_ms;

    for (size_t i = first + 1; is_of_device(trace, i, first); i++)
        if (options->rows[i].last_ms > last_ms)
            last_ms = options->rows[i].last_ms;
    return last_ms;
}

/* Begins with the next device. */
static enum status begin(struct trace *trace, struct tracing **ret_tracing)
{
    const struct trace_options *options = &trace->options;
    struct tracing *tracing = calloc(1, sizeof(*tracing));
    size_t doubts = 0, bytes = 0, at = trace->at;

    if (tracing == NULL)
        return STATUS_NO_MEMORY;
    *tracing = (struct tracing){.first = at, .older = trace->all};
    if (trace->all != NULL)
        trace->all->newer = tracing;
    trace->all = *ret_tracing = tracing;
    buf_init(&tracing->texts, SIZE_MAX / 2);
    for (; is_of_device(trace, at, tracing->first); at++, tracing->count++)
        for (size_t d = 0; d < options->rows[at].doubt_count; d++, doubts++)
            bytes += options->size(options->context, options->rows[at].doubt + d);
    enum status status = history_search_new(options->known, options->rows[tracing->first].id.device,
                                            tracing->count, doubts, &tracing->search);
    if (status == STATUS_OK && !buf_reserve(&tracing->texts, bytes + 1))
        status = tracing->texts.status;
    if (status == STATUS_OK)
        history_search_sent_until(tracing->search, last_of(trace, tracing->first));
    while (trace->at < at && status == STATUS_OK)
        status = take_doubts(trace, tracing, &options->rows[trace->at++]);
    return status;
}

/* When the last request had ended, by this machine's clock. One that was set back keeps nobody
 * waiting for longer than it takes. */
static int64_t ended_of(const struct trace *trace, size_t first)
{
    int64_t last_ms = last_of(trace, first);

    return last_ms < trace->begun_ms ? last_ms : trace->begun_ms;
}

static void go_on(struct trace *trace, struct tracing *tracing, enum search_step step,
                  int64_t now_ms)
{
    if (step == SEARCH_END) {
        finish(trace, tracing, now_ms);
        return;
    }
    if (step == SEARCH_LATER)
        tracing->due_ms = history_search_due_ms(tracing->search, trace->options.settle_ms,
                                                ended_of(trace, tracing->first), now_ms);
    append(step == SEARCH_ASK ? &trace->next : &trace->later, tracing);
}

/* Begins the looks that are due. *ret_due_ms: when there is another. */
static enum status begin_looks(struct trace *trace, int64_t now_ms, int64_t *ret_due_ms)
{
    struct tracing *tracing = trace->later.head;

    *ret_due_ms = tracing != NULL ? tracing->due_ms : INT64_MAX;
    if (tracing != NULL && *ret_due_ms <= now_ms) {
        (void)take_first(&trace->later);
    } else if (trace->at < trace->options.row_count) {
        int64_t first_ms = ended_of(trace, trace->at) + trace->options.settle_ms[0];
        if (first_ms < *ret_due_ms)
            *ret_due_ms = first_ms;
        if (first_ms > now_ms)
            return STATUS_OK;
        enum status status = begin(trace, &tracing);
        if (status != STATUS_OK)
            return status;
    } else {
        return STATUS_OK;
    }
    go_on(trace, tracing, history_search_begin(tracing->search), now_ms);
    return STATUS_OK;
}

static enum status ask(struct trace *trace, struct tracing *tracing, struct item *item)
{
    const struct row_id *first = &trace->options.rows[tracing->first].id;
    struct question question;

    history_search_ask(tracing->search, &item->operation, &question);
    item->id = (struct row_id){.hash = (uintptr_t)tracing,
                               .device = question.device,
                               .row = first->row,
                               .line = first->line,
                               .occurrence = 1};
    trace->lists += item->operation == OPERATION_LIST;
    trace->lookups += item->operation == OPERATION_LOOKUP;
    enum status status =
        command_ask(&item->command, trace->options.dialect, item->operation, &question);
    trace->under_way += status == STATUS_OK;
    return status;
}

static enum status next(struct row_source *base, struct source_row *row, struct engine_time now)
{
    struct trace *trace = (struct trace *)base;
    int64_t due = 0;

    if (trace->begun_ms == 0)
        trace->begun_ms = now.wall_ms;
    while (trace->error == 0 && trace->next.head == NULL && due <= now.wall_ms) {
        enum status status = begin_looks(trace, now.wall_ms, &due);
        if (status != STATUS_OK)
            return status;
    }
    errno = trace->error;
    if (trace->error != 0)
        return STATUS_IO;
    if (trace->next.head != NULL)
        return ask(trace, take_first(&trace->next), row->item);
    row->again_ns = due == INT64_MAX ? due : now.ns + (due - now.wall_ms) * 1000000;
    return due == INT64_MAX && trace->under_way == 0 ? STATUS_END : STATUS_AGAIN;
}

static void ended(struct row_source *base, const struct source_end *end)
{
    struct trace *trace = (struct trace *)base;
    struct tracing *tracing = (void *)(uintptr_t)end->item->id.hash;
    bool is_answered = end->outcome->status == ROW_ACCEPTED;
    struct span body = is_answered ? end->body : span_of(NULL, 0);

    trace->under_way--;
    go_on(trace, tracing,
          history_search_take(tracing->search, body, is_answered ? "" : end->outcome->error),
          end->now.wall_ms);
}

static struct source_place place(struct row_source *base)
{
    (void)base;
    return (struct source_place){.line = 0};
}

void trace_init(struct trace *trace, const struct trace_options *options)
{
    *trace = (struct trace){
        .base = {.name = "the questions", .fd = -1, .next = next, .place = place, .ended = ended},
        .options = *options};
}

void trace_deinit(struct trace *trace)
{
    while (trace->all != NULL)
        end_tracing(trace, trace->all);
}
