/* What the parts of a diagnosis share: the way from bytes to a header (diagnosis_header.c), what
 * its headings mean (diagnosis_names.c), and the order of it all (diagnosis.c). Private to them. */
#ifndef NB_INPUT_DIAGNOSIS_IMPL_H
#define NB_INPUT_DIAGNOSIS_IMPL_H

#include "input/diagnosis.h"
#include "input/sample_text.h"
#include "platform/problem.h"

enum { FINDINGS_MAX = 64 * 1024 };

/* The start of an input. */
struct sample {
    bool is_workbook;
    size_t sheets;
    bool has_mark;
    struct buf head; /* as it comes without an encoding */
    struct buf odd;  /* lines of all of it that are not UTF-8 */
};

/* A line that may be the header. */
struct candidate {
    struct span line;
    struct span rows; /* what is below it */
    uint64_t number;
    char delimiter;
    size_t points;
};

/* A diagnosis under way. */
struct work {
    const struct diagnosis_given *given;
    struct diagnosis *result;
    struct sample sample;
    struct buf text; /* of the head, as UTF-8 */
    struct span cells[READER_COLUMNS_MAX];
    size_t cell_count;
    struct span rows; /* the lines below the header */
    char delimiter;
    struct column_seen seen[READER_COLUMNS_MAX];
    bool is_value[READER_COLUMNS_MAX]; /* the column is a resource's, or may be */
    bool has_unclear;                  /* a column may be one of several */
    enum status status;
};

/* --name, to be typed. */
void diagnosis_add_option(struct work *work, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* A line of what was found, or of what is unknown. */
void diagnosis_add_line(struct buf *lines, const char *format, ...) PRINTF_LIKE(2, 3);

/* The way to the header. */
enum status diagnosis_take_sample(const struct diagnosis_given *given, const char *sheet,
                                  struct sample *sample) MUST_USE;
void diagnosis_drop_sample(struct sample *sample);
void diagnosis_find_text(struct work *work);
void diagnosis_find_format(struct work *work);
bool diagnosis_is_jsonl(const struct work *work);
/* The line whose cells are names most often, on whatever sheet; and the first one that is not
 * blank.
 */
enum status diagnosis_find_header(struct work *work, struct candidate *ret_best,
                                  struct candidate *ret_first) MUST_USE;
void diagnosis_add_place(struct work *work, const struct candidate *best,
                         const struct candidate *first);
/* False where it has what no option helps against. */
bool diagnosis_split_header(struct work *work, const struct candidate *best);
void diagnosis_describe_headless(struct work *work, const struct candidate *first);

/* What the headings mean. */
/* The map that was given for a column of this heading, or for this name; NULL for none. */
const char *diagnosis_given_map(const struct work *work, struct span text, bool is_heading);
/* Says what the headings are. False where no option makes a good header of them. */
bool diagnosis_settle_headings(struct work *work, struct problems *problems);

#endif
