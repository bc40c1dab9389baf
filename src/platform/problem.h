/*
 * What is wrong with a row: a list of problems, each with a stable code, the field, the value and a
 * message. All problems of a row are listed, not only the first.
 *
 *     problems_clear(&problems, row->number, row->line);
 *     problem_add(&problems, PROBLEM_RANGE, SPAN_LITERAL("retry"), value,
 *                 "%.*s is outside 0–10", SPAN_ARG(value));
 *     if (problems.error_count > 0) …
 */
#ifndef NB_PLATFORM_PROBLEM_H
#define NB_PLATFORM_PROBLEM_H

#include "core/buf.h"

/* X(name, code, remedy). A code that starts with W is a warning, all others are errors. Codes are
 * stable: scripts go by them. */
#define PROBLEM_MAP(X)                                                                             \
    X(EMPTY, "E-EMPTY", "give a file with a header row and at least one data row")                 \
    X(ENCODING, "E-ENCODING", "leave --encoding out, or save the file as UTF-8")                   \
    X(COMPRESSED, "E-COMPRESSED",                                                                  \
      "look at the file with gzip -t or zstd -t, and copy or make it again")                       \
    X(UTF8, "E-UTF8",                                                                              \
      "say what it is with --encoding, or save it as UTF-8 (in Excel: \"CSV UTF-8\")")             \
    X(NUL, "E-NUL", "remove the NUL; the file may be damaged, or --encoding utf-16")               \
    X(ROW_SIZE, "E-ROW-SIZE", "look for a quote that is never closed, or raise --max-row-bytes")   \
    X(QUOTE, "E-QUOTE",                                                                            \
      "write a quote inside a quoted cell as two quotes, and quote the whole cell")                \
    X(DELIMITER, "E-DELIMITER", "name the character between the cells with --delimiter")           \
    X(CELLS, "E-CELLS",                                                                            \
      "give the row as many cells as the header has; quote a cell with the delimiter")             \
    X(XLSX, "E-XLSX", "save the workbook again as .xlsx, or the sheet as CSV UTF-8")               \
    X(CELL, "E-CELL", "correct the cell in the spreadsheet, and save it again")                    \
    X(JSON, "E-JSON", "write valid JSON (RFC 8259), one object per line for JSONL")                \
    X(DUPLICATE, "E-DUPLICATE", "name each column and member once")                                \
    X(COLUMN, "E-COLUMN", "rename or remove the column; nbatch help columns lists the known ones") \
    X(COLUMN_MISSING, "E-COLUMN-MISSING", "add the column, or give all rows one value with --set") \
    X(REQUIRED, "E-REQUIRED", "fill in the value")                                                 \
    X(NOT_ALLOWED, "E-NOT-ALLOWED", "leave the value out for this action")                         \
    X(TYPE, "E-TYPE", "give a value of the type that is asked for")                                \
    X(RANGE, "E-RANGE", "give a value within the range")                                           \
    X(IMEI, "E-IMEI", "give the 15 digits; in a spreadsheet, format the column as text")           \
    X(ACTION, "E-ACTION", "use write, read or execute")                                            \
    X(TIME, "E-TIME", "use 2030-01-31T08:00:00 (UTC+8), RFC 3339 with an offset, or +24h")         \
    X(TIME_PAST, "E-TIME-PAST", "give a time in the future; times without an offset are UTC+8")    \
    X(TIME_ORDER, "E-TIME-ORDER", "let expired_time be later than valid_time")                     \
    X(DATA, "E-DATA", "give a JSON array of items such as [{\"res_id\":5850,\"val\":true}]")       \
    X(DATA_TWICE, "E-DATA-TWICE", "use either data or res: columns in one row")                    \
    X(DATA_SIZE, "E-DATA-SIZE", "split the command: the platform takes 2048 bytes")                \
    X(HEX, "E-HEX", "give pairs of hexadecimal digits")                                            \
    X(NUMBER, "E-NUMBER", "give a number that a 64-bit integer or a double can hold")              \
    X(SPREADSHEET, "E-SPREADSHEET",                                                                \
      "correct the cell and export again; what is meant as text goes into res:<id>:string")        \
    X(DOUBT, "E-DOUBT",                                                                            \
      "correct the value, or say --yes where it is meant (of a file the check asks instead)")      \
    X(QUEUE, "E-QUEUE", "send at most ten commands for one device at a time: split the file")      \
    X(DEVICE, "E-DEVICE",                                                                          \
      "look whether the number is right, and whether the device is one of this product")           \
    X(UNASKED, "E-UNASKED", "ask once more, or send it without --online, not knowing what waits")  \
    X(REPLACE, "E-REPLACE", "use mode 2, or say --allow-replace when everything else is to go")    \
    X(EXPIRED, "E-EXPIRED", "give a later expired_time, and send the row again")                   \
    X(NOT_IN, "E-NOT-IN", "take a snapshot of what it writes to, or send it without --only-in")    \
    X(LATE, "W-LATE", "give a later time, or send faster")                                         \
    X(IMEI_CHECK, "W-IMEI-CHECK", "check the number: a digit may be mistyped")                     \
    X(TWICE, "W-TWICE", "remove one of the two, unless the device is to get the command twice")    \
    X(CONFLICT, "W-CONFLICT",                                                                      \
      "remove one of the two: the later one wins, once both are delivered")                        \
    X(REPLACES, "W-REPLACES", "use mode 2 unless all that is not named is to be deleted")          \
    X(RES_TWICE, "W-RES-TWICE",                                                                    \
      "name each resource once: which value wins is the platform's choice")                        \
    X(BOOLEAN, "W-BOOLEAN",                                                                        \
      "say --true and --false, or write true and false; for the text, name it res:<id>:string")    \
    X(MIXED, "W-MIXED", "correct the values, name the column res:<id>:string, or say --yes")       \
    X(INVISIBLE, "W-INVISIBLE",                                                                    \
      "remove the characters, name the column res:<id>:string, or say --yes")                      \
    X(MINUS_ZERO, "W-NUMBER", "write 0, or -0.0 where a double is meant")                          \
    X(TIME_FRACTION, "W-TIME-FRACTION", "give whole seconds: the platform's times have no others") \
    X(NO_INSTANCE, "W-NO-INSTANCE",                                                                \
      "give obj_inst_id as well: an older document says that res_id means nothing without it")     \
    X(TIME_UNIT, "W-TIME-UNIT", "give seconds since 1970, not milliseconds")                       \
    X(CONTROL, "W-CONTROL", "check the text: line breaks and control characters are rarely meant")

enum problem_code {
#define X(name, code, remedy) PROBLEM_##name,
    PROBLEM_MAP(X)
#undef X
        PROBLEM_CODE_COUNT
};

const char *problem_code_name(enum problem_code code);
const char *problem_code_remedy(enum problem_code code);
bool problem_code_is_warning(enum problem_code code);

/* Whether it is about what else there was at the time, and not about the row: that may be sent
 * later as it is. And the same of what problems_describe makes of a row's problems: such a code
 * comes with no other error. */
bool problem_code_passes(enum problem_code code);
bool problem_reason_passes(struct span reason);

enum {
    PROBLEMS_PER_ROW_MAX = 64, /* further ones of the same row are counted, not listed */
    PROBLEM_VALUE_MAX = 200,   /* bytes of a value that are kept */
    PROBLEM_FIELD_MAX = 1024,  /* bytes of a field's name, likewise */
    PROBLEM_DOUBT_MAX = 640,   /* bytes of the first doubt */
    PROBLEMS_NAMING = 64,      /* errors of a row that name it; keys on record rest on it */
    /* Bytes of all messages of a row, or of a header: more than they can come to, so that none is
     * lost. */
    PROBLEMS_TEXT_MAX = 4 * 1024 * 1024,
};

/* Offsets into problems.text; use the accessors. */
struct problem {
    enum problem_code code;
    uint64_t line; /* usually the row's; a JSON or CSV error may know better */
    size_t field_at, field_len;
    size_t message_at, message_len; /* in English, as results and lists of problems have it */
    size_t shown_at, shown_len;     /* in the language that is set */
    size_t value_at, value_len;
};

/*
 * The list is what is shown; it may be shorter than what was found. The verdict (the counts, the
 * first error and the first doubt) is kept apart from it and knows all: whatever is decided or
 * remembered goes by the verdict.
 */
struct problems {
    uint64_t row; /* 0 for what concerns the file */
    uint64_t line;
    struct problem items[PROBLEMS_PER_ROW_MAX]; /* errors go before warnings where not all fit */
    size_t count;                               /* of the list */
    bool strict;                                /* warnings count as errors */
    size_t error_count;
    size_t warning_count;
    enum problem_code first_error;       /* where there is one */
    uint32_t counts[PROBLEM_CODE_COUNT]; /* all that were found, by code */
    size_t doubt_count; /* what a person should look at before anything is sent, … */
    char first_doubt[PROBLEM_DOUBT_MAX]; /* … and the first of it: "res:5850: holds …"; or "" */
    /* A hash of the first PROBLEMS_NAMING errors, in place of the content of a row that cannot be
     * read: of codes, fields and values, but not of messages, which may name lines, so that a
     * sorted file keeps its keys. */
    uint64_t name;
    struct buf text;
};

void problems_init(struct problems *problems);
void problems_deinit(struct problems *problems);

/* Empties the list and sets the row and line that the next problems belong to. */
void problems_clear(struct problems *problems, uint64_t row, uint64_t line);

/* Adds a problem. `field` names the column (may be empty), `value` is what is there (may be empty);
 * both are copied. Where the list is full, an error takes the place of the last warning. A message
 * that is too long ends in "…". */
void problem_add(struct problems *problems, enum problem_code code, struct span field,
                 struct span value, const char *format, ...) PRINTF_LIKE(5, 6);

/* The same for a doubt: what a person is asked about before anything is sent. */
void problem_add_doubt(struct problems *problems, enum problem_code code, struct span field,
                       struct span value, const char *format, ...) PRINTF_LIKE(5, 6);

/* How many were found. */
size_t problems_total(const struct problems *problems);

/* How many of this code were found and are not in the list. */
size_t problems_unlisted(const struct problems *problems, enum problem_code code);

/* Whether it is a warning, here and now: with `strict` none is. */
bool problem_is_warning(const struct problems *problems, const struct problem *problem);

struct span problem_field(const struct problems *problems, const struct problem *problem);
struct span problem_message(const struct problems *problems, const struct problem *problem);
struct span problem_value(const struct problems *problems, const struct problem *problem);

/* The message as a person is to read it. */
struct span problem_shown(const struct problems *problems, const struct problem *problem);

/* The code of the first error that was found; there must be one. */
enum problem_code problems_first_error(const struct problems *problems);

/* Appends the errors of the row as one line: "retry: 11 is outside 0–10 [E-RANGE]; …; and 3 more".
 * Warnings are left out. */
void problems_describe(const struct problems *problems, struct buf *out);

#endif
