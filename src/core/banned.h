/*
 * Makes the functions that have cost C programs most a compile error. Included by status.h, and so
 * by every file. System headers that use these names must be included before this one.
 */
#ifndef NB_CORE_BANNED_H
#define NB_CORE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BANNED(name) nbatch_banned_##name

#undef strcpy
#define strcpy(dest, src) BANNED(strcpy)
#undef strcat
#define strcat(dest, src) BANNED(strcat)
#undef strncpy
#define strncpy(dest, src, n) BANNED(strncpy)
#undef strncat
#define strncat(dest, src, n) BANNED(strncat)
#undef sprintf
#define sprintf(...) BANNED(sprintf)
#undef vsprintf
#define vsprintf(dest, format, args) BANNED(vsprintf)
#undef strtok
#define strtok(text, delimiters) BANNED(strtok)
#undef atoi
#define atoi(text) BANNED(atoi)
#undef atol
#define atol(text) BANNED(atol)
#undef atoll
#define atoll(text) BANNED(atoll)
#undef atof
#define atof(text) BANNED(atof)
#undef gets
#define gets(dest) BANNED(gets)
#undef alloca
#define alloca(size) BANNED(alloca)

#endif
