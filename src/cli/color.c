#include "cli/color.h"

#include <unistd.h>

#include "core/status.h"

static bool enabled;

static bool has_terminal(int fd)
{
    const char *term = getenv("TERM");

    return term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0 && isatty(fd) == 1;
}

bool color_has_terminal(void)
{
    return has_terminal(STDERR_FILENO);
}

void color_init(bool no_color, int fd)
{
    const char *variable = getenv("NO_COLOR"); /* no-color.org: set and not empty */

    enabled = !no_color && (variable == NULL || variable[0] == '\0') && has_terminal(fd);
}

const char *color(enum color color)
{
    static const char *const codes[COLOR_COUNT] = {
        [COLOR_PLAIN] = "\033[0m",
        [COLOR_BAD] = "\033[31m",
        [COLOR_CAUTION] = "\033[33m",
        [COLOR_GOOD] = "\033[32m",
    };
    return enabled ? codes[color] : "";
}
