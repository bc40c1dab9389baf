/*
 * What the platform's refusals mean: the one table of its error numbers and texts (README.md,
 * "Error numbers"). Outcomes, retries, the simulator, the help, the summary, the page and the
 * README all go by it.
 *
 * Two pages of the platform give the same numbers other meanings: 1 is a wrong key on the NB-IoT
 * page and an internal error on the platform-wide one. The text tells them apart, so a refusal is
 * looked up by both:
 *
 *     enum meaning_class class;
 *     const struct meaning *meaning =
 *         meaning_find(DIALECT_V1, 3, SPAN_LITERAL("auth failed"), &class);
 *
 * Texts are compared without regard to case, blanks and punctuation, and by what they contain, in
 * English or Chinese.
 */
#ifndef NB_PLATFORM_MEANING_H
#define NB_PLATFORM_MEANING_H

#include "platform/dialect.h"

/* What follows from an answer of the platform. Of none but MEANING_AMBIGUOUS may the command have
 * been processed, except where it was accepted. */
enum meaning_class {
    MEANING_ACCEPTED,
    MEANING_LATER,      /* it has too much to do: again, and slower */
    MEANING_AGAIN,      /* a fault of the service: again */
    MEANING_REJECTED,   /* it would say the same again */
    MEANING_KEY,        /* the key is refused, and so it would be for any other row */
    MEANING_DEVICE_KEY, /* the key does not fit the device; perhaps it fits no other either */
    MEANING_AMBIGUOUS,  /* it may have been processed, or not */
};

struct meaning {
    int64_t number;
    const char *name; /* the platform's text */
    const char *meaning;
    const char *remedy;
    enum meaning_class class;
    enum dialect dialect; /* that documents the number; 0 means the same in all */
};

/*
 * The entry of a number and a text, which may be empty, or NULL for a number that the dialect does
 * not document and a text that says nothing; `ret_class` is set in either case. A text that says
 * nothing goes by the number, as the NB-IoT page has it. Where number and text are of different
 * entries, the class is the more careful of the two; a number that is not documented says nothing
 * that could be relied on, so that a text which promises a good end later makes the answer
 * ambiguous. A newer dialect takes the texts of the older ones.
 */
const struct meaning *meaning_find(enum dialect dialect, int64_t number, struct span text,
                                   enum meaning_class *ret_class);

/* The first entry of a number: what it means without a text. NULL where there is none. */
const struct meaning *meaning_of_number(enum dialect dialect, int64_t number);

/* All entries, a dialect after the other, each in the order of their numbers. */
const struct meaning *meaning_all(size_t *ret_count);

static inline bool meaning_is_key(enum meaning_class class)
{
    return class == MEANING_KEY || class == MEANING_DEVICE_KEY;
}

/* Whether rows that were answered so are sent again whatever --on-ambiguous says. */
static inline bool meaning_is_again(enum meaning_class class)
{
    return class == MEANING_LATER || class == MEANING_AGAIN;
}

#endif
