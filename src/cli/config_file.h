/*
 * A configuration file as it is written: names and values with their lines. What they mean is for
 * options.c to say. It is YAML (read by libyaml), one mapping of names to texts or lists of texts:
 *
 *     rate: 20/s
 *     set:
 *       - obj_id=3311
 *       - 'data=[{"res_id":5850,"val":true}]'
 *
 * Values are taken as they are written: 010, yes and 1e3 are texts like any other.
 */
#ifndef NB_CLI_CONFIG_FILE_H
#define NB_CLI_CONFIG_FILE_H

#include "core/buf.h"

enum { CONFIG_FILE_MAX = 1024 * 1024, CONFIG_ENTRIES_MAX = 1024 };

struct config_entry {
    char *name;
    char *value; /* NULL where nothing follows the name */
    bool in_list;
    size_t line;
};

struct config_file {
    char *path; /* NULL: there is none */
    struct config_entry *entries;
    size_t count;
};

/* Reads the file; the caller frees with config_file_deinit. STATUS_USAGE with a text in `message`
 * that names file and line, STATUS_NO_MEMORY. */
enum status config_file_read(const char *path, struct buf *message,
                             struct config_file *ret_file) MUST_USE;

/* The same for a text that is in a file of this name. */
enum status config_file_parse(const char *path, struct span text, struct buf *message,
                              struct config_file *ret_file) MUST_USE;

/* Takes NULL and a zeroed struct. */
void config_file_deinit(struct config_file *file);

#endif
