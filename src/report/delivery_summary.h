/*
 * What became of the commands of a run, for people and programs: devices first, since it is devices
 * that somebody waits for.
 *
 *     412 devices: 398 have it, 9 wait, 5 do not have it
 *     …
 */
#ifndef NB_REPORT_DELIVERY_SUMMARY_H
#define NB_REPORT_DELIVERY_SUMMARY_H

#include "platform/delivery.h"
#include "report/tally.h"

struct delivery_counts {
    uint64_t devices, devices_done, devices_waiting; /* the others do not have it */
    uint64_t commands;
    uint64_t states[COMMAND_STATE_COUNT]; /* of those that were ever asked about */
    uint64_t refused[CONFIRM_OTHER + 1];  /* by what the device said */
    uint64_t not_asked;                   /* never yet */
    uint64_t without_uuid;                /* cannot be */
    uint64_t open;                        /* not at their end, those that were never asked too */
    uint64_t overwritten;
    uint64_t resendable;    /* of DELIVERY_UNDELIVERED */
    int64_t last_expires_s; /* of those that are open; HISTORY_NONE */
    uint64_t not_accepted;  /* rows of the results that no command came of */
};

struct delivery_summary {
    const char *results, *output;
    const struct delivery_counts *counts;
    const struct tally *calls; /* by what became of them; NULL: none was made */
    uint64_t lookups, lists, retries;
    uint64_t unanswered;             /* questions without an answer that helps, of which … */
    uint64_t unreadable, of_another; /* … as struct questions has them */
    double seconds;
    const char *end;    /* "complete" … */
    const char *resume; /* the command that sends again; NULL: nothing to be sent */
    const char *watch;  /* the command that goes on asking; NULL: nothing is open */
    int exit_status;
};

/* Counts a command; `facts` is only looked at where it was asked about. */
void delivery_count(struct delivery_counts *counts, const struct delivery_facts *facts,
                    enum confirm confirm, bool is_final);

/* "398 have it, 9 wait, 5 do not" */
void delivery_add_devices(const struct delivery_counts *counts, struct buf *out);

void delivery_summary_add_text(const struct delivery_summary *summary, struct buf *out);

/* One JSON object and a line end. STATUS_NO_MEMORY. */
enum status delivery_summary_add_json(const struct delivery_summary *summary,
                                      struct buf *out) MUST_USE;

#endif
