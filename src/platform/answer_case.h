/*
 * The cases that the ends of attempts fall under: one table, by which they are told apart, sent
 * again or not, slowed down for, counted and explained (README.md, "Is it sent again?").
 *
 *     const struct answer_case *found = answer_case_of(&outcome);
 *
 * The class of a case says whether it is sent again; the cases of a class differ in what people are
 * told, and in whether the platform says that it gets too much.
 */
#ifndef NB_PLATFORM_ANSWER_CASE_H
#define NB_PLATFORM_ANSWER_CASE_H

#include "platform/outcome.h"

/* A case: its class, and the statuses or meanings that it covers. */
struct answer_case {
    const char *name; /* for people: what happened */
    const char *why;
    enum outcome_class class;
    enum answer_case_by { CASE_BY_CLASS, CASE_BY_HTTP, CASE_BY_MEANING } by;
    int from, to;   /* HTTP statuses, or a meaning (platform/meaning.h) */
    bool throttles; /* the platform says that it gets too much */
};

enum { ANSWER_CASE_COUNT = 27 };

/* The table, in the order in which its cases are tried; the last of each class covers the rest. */
extern const struct answer_case answer_cases[ANSWER_CASE_COUNT];

/* The case of an outcome. */
const struct answer_case *answer_case_of(const struct outcome *outcome);

#endif
