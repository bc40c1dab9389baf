/*
 * Colours where a person looks: on a terminal that is not dumb, and neither NO_COLOR nor --no-color
 * says otherwise. Private to cli/.
 */
#ifndef NB_CLI_COLOR_H
#define NB_CLI_COLOR_H

#include <stdbool.h>

enum color { COLOR_PLAIN, COLOR_BAD, COLOR_CAUTION, COLOR_GOOD, COLOR_COUNT };

/* Whether standard error is a terminal that can do more than print. */
bool color_has_terminal(void);

/* Decides for the process, by the descriptor that most is written to; before this everything is
 * plain. */
void color_init(bool no_color, int fd);

/* What switches the colour on, or back with COLOR_PLAIN; "" where there are none. */
const char *color(enum color color);

#endif
