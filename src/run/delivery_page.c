#include "run/delivery_page.h"

#include "ledger/undelivered.h"
#include "run/status_file.h"

typedef enum status take_line_fn(void *context, const struct status_line *line);

static enum status each_line(const char *path, take_line_fn *take, void *context,
                             struct buf *message)
{
    struct status_file file;
    struct status_line line;
    enum status status = status_file_open(&file, &disk_real, path, message);
    bool is_there = status != STATUS_END;

    while (status == STATUS_OK) {
        status = status_file_next(&file, &line);
        if (status == STATUS_OK)
            status = take(context, &line);
    }
    status_file_close(&file);
    return is_there && status == STATUS_END ? STATUS_OK : status;
}

static enum status tell(void *context, const struct status_line *line)
{
    return undelivered_tell(context, &line->id, line->uuid, true);
}

/* When the state came about, as far as it is known. */
static int64_t ended_s(const struct status_line *line)
{
    if (line->state == COMMAND_EXPIRED && line->expires_s != HISTORY_NONE)
        return line->expires_s;
    if (line->state != COMMAND_CANCELLED && line->confirmed_s != HISTORY_NONE)
        return line->confirmed_s;
    if (line->state != COMMAND_CANCELLED && line->sent_s != HISTORY_NONE)
        return line->sent_s;
    return line->checked_s;
}

struct counting {
    const struct undelivered *current; /* rows whose line has the uuid of the results' */
    struct page_delivery *delivery;
};

static enum status count(void *context, const struct status_line *line)
{
    const struct counting *counting = context;
    struct page_delivery *delivery = counting->delivery;

    if (undelivered_find(counting->current, row_id_key(&line->id)) == NULL) {
        delivery->other_lines++;
        return STATUS_OK;
    }
    const struct delivery_facts facts = status_line_facts(line, HISTORY_NONE);
    page_delivery_add(delivery, &(struct delivery_row){.state = line->state,
                                                       .confirm = line->confirm,
                                                       .is_open = !delivery_is_final(&facts),
                                                       .reason = line->reason,
                                                       .ended_s = ended_s(line),
                                                       .expires_s = line->expires_s,
                                                       .asked_s = line->checked_s});
    return STATUS_OK;
}

enum status delivery_page_read(const char *status_file, const char *results,
                               struct page_delivery *delivery, struct buf *message)
{
    struct undelivered current;
    struct counting counting = {.current = &current, .delivery = delivery};

    delivery->file = status_file;
    undelivered_init(&current);
    enum status status = each_line(status_file, tell, &current, message);
    if (status == STATUS_OK)
        status = undelivered_match(&current, &disk_real, results, message);
    if (status == STATUS_OK)
        status = each_line(status_file, count, &counting, message);
    undelivered_deinit(&current);
    return status;
}
