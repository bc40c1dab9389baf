/*
 * The language in which people are spoken to. Sentences are written in English where they are
 * needed, and are translated where they are put together: in a buffer of buf_init_text,
 * buf_add_format, buf_add_string and buf_add_wrapped look up each text of the program's own: the
 * format, and the words that it is given (`count == 1 ? "row" : "rows"`, a remedy out of a table).
 * What comes from outside (names of files, values, replies) is never looked up: it lies neither in
 * the program's image nor among the C library's texts for errno.
 *
 * What programs read is English in any language: results, JSON, logs, metrics, requests. It is made
 * with snprintf and cJSON, or in a buffer of buf_init, which looks nothing up; a person is shown it
 * by retranslate.h. So what is forgotten stays English.
 *
 * The catalogue is part of the program (po/zh_CN.po through msgfmt). gettext(3) would find it only
 * where the locale is installed, which zh_CN.UTF-8 is not on a minimal system: there setlocale
 * fails, and the locale C translates nothing, whatever LANGUAGE says. Pure: reads what is linked
 * in.
 */
#ifndef NB_CORE_LANGUAGE_H
#define NB_CORE_LANGUAGE_H

#include "core/span.h"

enum language { LANGUAGE_ENGLISH, LANGUAGE_CHINESE, LANGUAGE_COUNT };

/* The names as --lang takes them: "en", "zh". */
#define LANGUAGE_NAMES "en|zh"

/* Before other threads start. English until then. */
void language_set(enum language language);

/* Whether texts are to be looked up. */
extern bool language_is_foreign;

/* The language that a variable such as LANG asks for: "zh_CN.UTF-8", and for LANGUAGE "zh_CN:en";
 * "zh-cn" is understood as well.
 * English for any other; a NULL or "" says nothing and is false. */
bool language_of_variable(const char *value, enum language *ret_language);

/* The translation of one of the program's own texts; the text itself where there is none, or where
 * it comes from elsewhere. Valid as long as the program runs. */
const char *language_look_up(const char *text);

static inline const char *language_of(const char *text)
{
    return language_is_foreign ? language_look_up(text) : text;
}

/* The same for a text wherever it comes from: one that was read back, such as a page's. NULL where
 * there is no translation. */
const char *language_find(struct span text);

/* The i-th text of the catalogue with its translation, from 0 on; false behind the last. */
bool language_entry(size_t i, struct span *ret_text, struct span *ret_translation);

#endif
