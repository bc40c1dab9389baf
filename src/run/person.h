/*
 * Who the use cases speak with: the person at a terminal, a log of a timer, or a test.
 *
 * A use case decides what is said, asked and given, and when; it makes the sentences, since it
 * knows the reason and the remedy (as every room does for its own failures). The other side decides
 * how that looks: prefix, colours, secrets, the live line, a queue for a terminal that nobody
 * reads. So a use case runs without a terminal, and a terminal knows nothing of ledger or input.
 *
 * The functions below may be called with any person; those of `ops` are only called by them, and
 * any of them may be NULL: then nothing happens, and nobody is there to answer.
 */
#ifndef NB_RUN_PERSON_H
#define NB_RUN_PERSON_H

#include "engine/job.h"
#include "input/diagnosis.h"
#include "platform/problem.h"

enum tell_kind {
    TELL_ERROR,   /* what is wrong, or what must be known */
    TELL_NOTE,    /* left out where the person is quiet */
    TELL_SUMMARY, /* several lines, as they are; likewise */
};

/* Nobody is there to be asked; no answer came: the end of the terminal's input, or a signal. */
enum consent { CONSENT_NOBODY, CONSENT_NO_ANSWER, CONSENT_NO, CONSENT_YES };

struct person;

/* What goes on, for the ones who watch. */
struct watched {
    const char *input;
    const struct tally *tally; /* rows of this run by what became of them */
    uint64_t rows;             /* to be sent; 0: not known */
    /* Says how things stand, in place of the tally's counts. NULL: those. */
    void (*add_standing)(const void *context, struct buf *out);
    const void *context;
};

struct person_ops {
    void (*tell)(const struct person *person, enum tell_kind kind, const char *text);
    enum consent (*ask)(const struct person *person, const char *question);
    /* Data that was asked for, on standard output; false after saying why it cannot be written. */
    bool (*give)(const struct person *person, struct span data);
    /* Of a row, or of the input as a whole; and at the end how many there were. */
    void (*problems)(const struct person *person, const char *input,
                     const struct problems *problems);
    void (*problem_counts)(const struct person *person);
    /* A long piece of work begins, goes on and ends: `doing` stays the caller's, `share` is 0 … 1,
     * below 0 where it is not known. */
    void (*begin)(const struct person *person, const char *doing, const struct watched *watched);
    void (*checked)(const struct person *person, uint64_t rows, double share);
    void (*event)(const struct person *person, enum job_event event,
                  const struct job_status *status);
    void (*attempt)(const struct person *person, const struct job_attempt *attempt);
    void (*end)(const struct person *person);
    /* Rows per second of late. */
    double (*pace)(const struct person *person, uint64_t rows);
    /* The call that goes on where a run ended: what is typed before and behind --resume.
     * `results` goes on; `is_moved`: the settings name another file. */
    void (*next_command)(const struct person *person, const char *results, bool is_moved,
                         struct buf *program, struct buf *words);
    /* As person_add_call. */
    void (*call)(const struct person *person, const char *command, const char *argument,
                 struct buf *out);
    /* This call with the options that the input asks for; NULL: as it is. */
    void (*fixed_command)(const struct person *person, const struct diagnosis *diagnosis,
                          struct buf *out);
};

struct person {
    const struct person_ops *ops;
    void *context;
    bool quiet;   /* only what is wrong */
    bool verbose; /* each attempt, too; also in the log */
};

void person_error(const struct person *person, const char *format, ...) PRINTF_LIKE(2, 3);
void person_note(const struct person *person, const char *format, ...) PRINTF_LIKE(2, 3);

/* Says a failure: its text, or where that is empty the status. */
void person_failure(const struct person *person, struct buf *message, enum status status);

/* Asks, and takes "yes" for consent; anything else is told as "nothing was sent". Where nobody can
 * be asked `otherwise` is told, which says which option gives consent. Whether that option was
 * given is the caller's to look at first. */
bool person_consents(const struct person *person, const char *question, const char *otherwise);

bool person_give(const struct person *person, struct span data) MUST_USE;

/*
 * Appends a call of nbatch that a person may type next: `command` ("status") with its argument, and
 * where it is this command once more with the flags of this call, else with those of them that say
 * where to and with which key. `argument` NULL: none, the shared job of this call is meant. Quoted
 * for a shell; it ends without a blank, for more options.
 */
void person_add_call(const struct person *person, const char *command, const char *argument,
                     struct buf *out);

/*
 * Likewise the run that sends once more what `what` says, as --resume=WHAT, with the results that
 * are here, for a command whose input they are; `status_file` NULL: the one beside them. Where no
 * input is beside the results that they are called after, it is said in words.
 */
void person_add_resume(const struct person *person, const char *results, const char *what,
                       const char *status_file, struct buf *out);

#endif
