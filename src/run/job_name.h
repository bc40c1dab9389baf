/* What a job may be called: the name becomes part of files' names, and is typed. Private to run/
 * and cli/. */
#ifndef NB_RUN_JOB_NAME_H
#define NB_RUN_JOB_NAME_H

#include <stdbool.h>
#include <string.h>

#define JOB_NAME_OTHERS "-_.@" /* beside letters and digits; the first is no full stop */

enum { JOB_NAME_MAX = 64 };

static inline bool job_name_has(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(JOB_NAME_OTHERS, c) != NULL);
}

#endif
