/*
 * Which language to speak, before anything is said: --lang among the words, NBATCH_LANG, or what
 * the environment says of the locale. A configuration file is read later. Private to cli/.
 */
#ifndef NB_CLI_CHOOSE_LANGUAGE_H
#define NB_CLI_CHOOSE_LANGUAGE_H

#include "core/language.h"

/* What the environment asks for, as gettext(3) reads it: LC_ALL, LC_MESSAGES or LANG, whichever is
 * the first that is set, and LANGUAGE in their place unless that is C. A locale need not be
 * installed. */
enum language language_of_environment(void);

/* Sets the language. Where the first word is no subcommand, --lang is taken out of the words: the
 * others take no options. */
void choose_language(int *argc, char **argv);

#endif
