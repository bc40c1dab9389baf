/*
 * What reads have brought, one line a value: row,key,device,obj_id,obj_inst_id,res_id,res_inst_id,
 * value,confirm_time. CSV, or JSONL by the extension of the name. Numbers are digit for digit what
 * the platform wrote. Lines are added to what is there; a row's values are there whole or not at
 * all: what a full disk has taken in part is taken away again, and where a death or another program
 * has cut the file, the last row's lines go with it when the file is opened, and are asked for
 * anew.
 *
 *     values_file_each(path, take, context, &message);       // which rows it has already
 *     values_file_open(&file, path, &message);
 *     values_file_add(&file, &line, &value);                 // each value of a row, …
 *     values_file_flush(&file);                              // … then all of them at once
 *     values_file_close(&file); Private to run/.
 */
#ifndef NB_RUN_VALUES_FILE_H
#define NB_RUN_VALUES_FILE_H

#include "ledger/outfile.h"
#include "ledger/table_scan.h"
#include "platform/history.h"

struct values_file {
    struct outfile file;
    bool jsonl;
    uint64_t size; /* of what is whole */
};

/* What the values of a row have in common. */
struct values_row {
    struct row_id id; /* row, hash, occurrence */
    struct span device;
    int64_t confirmed_s; /* epoch; HISTORY_NONE */
};

typedef void values_row_fn(void *context, uint64_t row, struct span device);

/* Tells of each row that is there, and takes away what the file was cut off in. STATUS_END: it is
 * read, or there is none; STATUS_SYNTAX, STATUS_IO, STATUS_NO_MEMORY, each with a text. */
enum status values_file_each(const char *path, values_row_fn *each, void *context,
                             struct buf *message) MUST_USE;

/* As outfile_append. */
enum status values_file_open(struct values_file *file, const char *path,
                             struct buf *message) MUST_USE;

void values_file_add(struct values_file *file, const struct values_row *row,
                     const struct history_value *value);

/* STATUS_IO with errno: outfile_error(&file->file) says why, and nothing of what was added is left
 * in the file, as far as that can be done. */
enum status values_file_flush(struct values_file *file) MUST_USE;

/* Takes a zeroed struct. */
void values_file_deinit(struct values_file *file);

#endif
