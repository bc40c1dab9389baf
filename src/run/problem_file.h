/*
 * All problems of an input as a file, for a program or for whoever made the input: CSV or JSONL
 * with row,line,field,code,severity,message,value. Row 0 is the file itself. Of a row with more
 * than PROBLEMS_PER_ROW_MAX, a line for each code says how many more there are.
 */
#ifndef NB_RUN_PROBLEM_FILE_H
#define NB_RUN_PROBLEM_FILE_H

#include "ledger/outfile.h"
#include "platform/problem.h"

struct problem_file {
    struct outfile file;
    bool jsonl;
};

/* Creates the file; JSONL when the name ends in .jsonl or .ndjson, "-" is standard output as CSV.
 * As outfile_create. */
enum status problem_file_open(struct problem_file *problem_file, const char *path,
                              struct buf *message) MUST_USE;

enum status problem_file_probe(const char *path, struct buf *message) MUST_USE;

/* Adds the problems of a row; STATUS_IO once something could not be written. */
enum status problem_file_add(struct problem_file *problem_file,
                             const struct problems *problems) MUST_USE;

#endif
