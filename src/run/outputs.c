#include "run/outputs.h"

#include <stdio.h>

#include "ledger/disk.h"
#include "run/exit_status.h"

enum { OUTPUTS_MAX = 6 };

/* The file itself; or where there is none yet, its folder and name. To be freed. */
static char *name_of(const char *path)
{
    char *target = disk_real.follow(&disk_real, path), *name = NULL;
    char *folder = target != NULL ? disk_folder_of(target) : NULL;
    char *resolved = folder != NULL ? disk_real.resolve(&disk_real, folder) : NULL;
    const char *slash = target != NULL ? strrchr(target, '/') : NULL;

    if (resolved != NULL &&
        asprintf(&name, "%s/%s", resolved, slash != NULL ? slash + 1 : target) < 0)
        name = NULL;
    free(folder);
    free(resolved);
    free(target);
    return name;
}

static bool is_follower(const struct run_settings *settings, const char *path)
{
    return path == settings->log || path == settings->metrics_file;
}

int outputs_check(const struct run_settings *settings, const char *results,
                  const struct person *person)
{
    const struct {
        const char *what, *path;
    } files[OUTPUTS_MAX] = {
        {"the input", settings->input},     {"the results", results},
        {"--log", settings->log},           {"--metrics-file", settings->metrics_file},
        {"--problems", settings->problems}, {"--report", settings->report},
    };
    char *names[OUTPUTS_MAX] = {NULL};
    int result = 0;

    for (size_t i = 0; i < OUTPUTS_MAX; i++) {
        bool is_file = files[i].path != NULL && strcmp(files[i].path, "-") != 0;
        names[i] = is_file ? name_of(files[i].path) : NULL;
        for (size_t j = 0; j < i && names[i] != NULL && result == 0; j++) {
            if (names[j] == NULL || strcmp(names[i], names[j]) != 0)
                continue;
            person_error(person, "%s and %s are the same file, %s: give one another name",
                         files[j].what, files[i].what, files[i].path);
            result = EXIT_USAGE;
            if (settings->following != NULL)
                settings->following->is_shared =
                    is_follower(settings, files[i].path) || is_follower(settings, files[j].path);
        }
    }
    for (size_t i = 0; i < OUTPUTS_MAX; i++)
        free(names[i]);
    return result;
}
