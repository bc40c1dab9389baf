/*
 * Which language to speak, before anything is said: --lang among the words, NBATCH_LANG, or what
 * the environment says of the locale. A configuration file is read later. Private to cli/.
 */
#ifndef NB_CLI_CHOOSE_LANGUAGE_H
#define NB_CLI_CHOOSE_LANGUAGE_H

#include "core/language.h"

/* Sets the language. Where the first word is no subcommand, --lang is taken out of the words: the
 * others take no options. */
void choose_language(int *argc, char **argv);

#endif
