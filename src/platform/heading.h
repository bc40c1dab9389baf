/*
 * Names of columns as people write them. Where nothing can go wrong, spelling is forgiven: IMEI,
 * " imei " and ｉｍｅｉ are imei. What else a heading may mean (设备号, Device ID) is only
 * suggested. Pure.
 */
#ifndef NB_PLATFORM_HEADING_H
#define NB_PLATFORM_HEADING_H

#include "core/span.h"

enum {
    HEADING_MAX = 128,     /* bytes of a folded heading; a longer one is no name of ours */
    HEADING_NAME_MAX = 32, /* bytes of a name that a heading may mean, with its NUL */
};

/* The heading as headings are compared: small letters, full-width forms as the ASCII that they
 * stand for, without blanks and invisible characters around. A longer one comes as it is. */
struct span heading_fold(struct span heading, char out[HEADING_MAX]);

/* Whether two headings differ in case, width and the blanks around them at most. */
bool heading_equal(struct span a, struct span b);

/* The platform's name that a heading usually means: 设备号 is imei, 资源5850 is res:5850. False for
 * none that is known; also for the platform's names themselves. */
bool heading_guess(struct span heading, char out[HEADING_NAME_MAX]);

/* Whether a heading is that of a column which people have beside what they send: 序号, 备注, No. */
bool heading_is_aside(struct span heading);

#endif
