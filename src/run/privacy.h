/*
 * Who may read what a run writes: results, journal, log, report, problems and halves hold what the
 * input holds, and so nobody may read them who may not read the input.
 */
#ifndef NB_RUN_PRIVACY_H
#define NB_RUN_PRIVACY_H

/* From now on this process makes no file that more people may read than `path`; "-" is standard
 * input. A file that is not there changes nothing. */
void privacy_follow(const char *path);

/* At the start of the program: a key in the environment gets into no core file. */
void privacy_protect_keys(void);

/* What the umask was before: for what is meant for others, and holds no rows. */
unsigned privacy_given_umask(void);

#endif
