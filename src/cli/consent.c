#include "cli/consent.h"

#include <unistd.h>

#include "cli/show.h"

static bool can_ask(const struct settings *settings)
{
    return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 &&
           strcmp(settings->input, "-") != 0;
}

bool consent_ask(const struct settings *settings, const char *question, const char *otherwise)
{
    char answer[16] = "";

    if (!can_ask(settings)) {
        show_error("%s; nothing was sent", otherwise);
        return false;
    }
    (void)fprintf(stderr, "%s Type yes: ", question);
    (void)fflush(stderr);
    if (fgets(answer, sizeof(answer), stdin) != NULL && strcmp(answer, "yes\n") == 0)
        return true;
    show_error("nothing was sent");
    return false;
}
