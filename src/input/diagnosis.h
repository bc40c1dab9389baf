/*
 * What it takes to read a file that is not as it was said to be: its encoding, what separates its
 * cells, on which line and on which sheet its header is, and what its headings mean. Looks at the
 * start of the file, once more; decides nothing: it gives options for a person to agree to.
 *
 *     status = diagnosis_find(&given, &diagnosis);
 *     … diagnosis.findings in words, diagnosis.options to be typed …
 *     diagnosis_deinit(&diagnosis);
 */
#ifndef NB_INPUT_DIAGNOSIS_H
#define NB_INPUT_DIAGNOSIS_H

#include "core/buf.h"
#include "core/word_list.h"
#include "input/reader.h"

enum {
    DIAGNOSIS_LOOK_BYTES = 64 * 1024, /* of text that are looked at */
    DIAGNOSIS_LINES = 40,             /* of it that may be the header */
    DIAGNOSIS_SHEETS = 16,
    DIAGNOSIS_OPTIONS_MAX = 2 * WORD_LIST_MAX,
};

/* What was said of the input. */
struct diagnosis_given {
    const char *path;
    const char *sheet; /* NULL, 0: not said */
    const char *encoding;
    int format; /* enum input_format and 1 */
    char delimiter;
    uint64_t header_line;
    const struct word_list *sets, *maps, *passes, *trues, *falses;
};

/* --name value */
struct diagnosis_option {
    const char *name;
    char *value; /* owned */
};

struct diagnosis {
    struct diagnosis_option options[DIAGNOSIS_OPTIONS_MAX];
    size_t count;
    struct buf findings; /* a line each, "its text is gb18030"; empty: nothing was found */
    struct buf unknown;  /* likewise, what only a person knows: the options for it have "..." */
    bool is_complete;    /* with these options the header is good */
};

void diagnosis_init(struct diagnosis *diagnosis);

/* `given` is what the input was opened with and could not be read by. STATUS_OK, also where nothing
 * is found; STATUS_NO_MEMORY. Inits `ret_diagnosis` first; it is to be deinited in any case. */
enum status diagnosis_find(const struct diagnosis_given *given,
                           struct diagnosis *ret_diagnosis) MUST_USE;

/* A diagnosis of what somebody else has found: the words that options make booleans of. Adds
 * --true and --false and says so; either may be empty, none is added then. STATUS_NO_MEMORY. */
enum status diagnosis_add_words(struct diagnosis *diagnosis, struct span trues,
                                struct span falses) MUST_USE;

void diagnosis_deinit(struct diagnosis *diagnosis);

#endif
