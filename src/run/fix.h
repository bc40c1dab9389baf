/*
 * How an input can be read that cannot be read as it is, and which words of its cells can be made
 * booleans: what a check says of that beside its problems. Private to run/.
 *
 *     struct fix fix = {.settings = settings, .person = person, .input = name};
 *     … while rows are checked: fix_is_of_header(&fix, problems) …
 *     fix_take_rows(&fix, intake, &counts);
 *     fix_show(&fix);  … the counts of the problems …  fix_show_words(&fix);
 *     fix_deinit(&fix);
 */
#ifndef NB_RUN_FIX_H
#define NB_RUN_FIX_H

#include "engine/check.h"
#include "input/diagnosis.h"
#include "run/person.h"
#include "run/settings.h"

struct fix {
    const struct run_settings *settings;
    const struct person *person;
    const char *input; /* its name */
    bool has_rows;     /* the caller's: one was met */
    bool is_diagnosed; /* there is something to say, in place of the header's problems */
    struct diagnosis diagnosis;
    uint32_t codes[PROBLEM_CODE_COUNT]; /* how many of these there were */
};

void fix_deinit(struct fix *fix);

/* Where the name of the file does not tell what it is, its content may: appends that. */
void fix_add_format(const struct run_settings *settings, const struct person *person,
                    struct buf *message);

/* A header that cannot be used is one problem, whatever is wrong with it: the way to read it goes
 * before its details. Whether these are that, and so not to be shown. */
bool fix_is_of_header(struct fix *fix, const struct problems *problems);

/* Finds how the input can be read where its rows show that it was not; and which words of its cells
 * can be made booleans. STATUS_NO_MEMORY. */
enum status fix_take_rows(struct fix *fix, const struct intake *intake,
                          const struct check_counts *counts) MUST_USE;

/* Says how the input can be read, where it could not; also to who is quiet. */
void fix_show(const struct fix *fix);

/* The command that makes booleans of words, below the problems that name them. */
void fix_show_words(const struct fix *fix);

/* With --fix: gives the command that reads the input, and nothing else. Returns the exit status. */
int fix_give(struct fix *fix, bool is_unreadable);

/* With --fix: whether the file's name tells what it is, and the command where it does not. */
bool fix_knows_format(const struct run_settings *settings);
int fix_give_format(const struct run_settings *settings, const struct person *person);

#endif
