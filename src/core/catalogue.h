/* The catalogues, made of src/po by msgfmt. Private to language.c. */
#ifndef NB_CORE_CATALOGUE_H
#define NB_CORE_CATALOGUE_H

#include <stddef.h>

extern const char zh_CN_mo[];
extern const size_t zh_CN_mo_len;

#endif
