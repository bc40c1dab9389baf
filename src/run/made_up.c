#include "run/made_up.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "platform/device.h"
#include "run/exit_status.h"

enum { MADE_UP_ROW_MAX = 1024 };

/* A command for each of so many devices; their IMEIs start with 00, which is for tests alone. */
static bool write_rows(FILE *file, uint64_t first, uint64_t rows)
{
    char imei[32];

    (void)fputs("imei,obj_id,obj_inst_id,mode,expired_time,data\n", file);
    for (uint64_t row = first; row < first + rows; row++) {
        (void)snprintf(imei, sizeof(imei), "%014llu", (unsigned long long)row + 1);
        (void)fprintf(file,
                      "%.14s%c,3311,0,2,+7d,\"[{\"\"res_id\"\":5850,\"\"val\"\":true},"
                      "{\"\"res_id\"\":5851,\"\"val\"\":%llu}]\"\n",
                      imei, device_check_digit(imei), (unsigned long long)row);
    }
    return ferror(file) == 0;
}

int made_up_open(struct made_up *made_up, const struct person *person)
{
    const char *parent = getenv("TMPDIR");
    int len = snprintf(made_up->folder, sizeof(made_up->folder), "%s/nbatch-bench.XXXXXX",
                       parent != NULL && parent[0] != '\0' ? parent : "/tmp");

    if (len < 0 || (size_t)len >= sizeof(made_up->folder) || mkdtemp(made_up->folder) == NULL) {
        person_error(person, "no temporary folder can be made as %s: %s", made_up->folder,
                     strerror(errno));
        made_up->folder[0] = '\0';
        return EXIT_INTERNAL;
    }
    (void)snprintf(made_up->input, sizeof(made_up->input), "%s/input.csv", made_up->folder);
    (void)snprintf(made_up->output, sizeof(made_up->output), "%s/results.csv", made_up->folder);
    return 0;
}

int made_up_write(const struct made_up *made_up, uint64_t first, uint64_t rows,
                  const struct person *person)
{
    FILE *file = fopen(made_up->input, "we");
    bool written = file != NULL && write_rows(file, first, rows);

    if (file != NULL && fclose(file) != 0)
        written = false;
    if (!written)
        person_error(person, "%s: %s", made_up->input, strerror(errno));
    return written ? 0 : EXIT_INTERNAL;
}

void made_up_choose(const struct made_up *made_up, struct run_settings *settings)
{
    const struct word_list none = {.count = 0};

    settings->input = made_up->input;
    settings->sheet = settings->encoding = NULL;
    settings->format = 0;
    settings->delimiter = '\0';
    settings->header_line = 0;
    settings->max_row_bytes = MADE_UP_ROW_MAX;
    settings->maps = settings->passes = settings->trues = settings->falses = none;
    settings->imei = IMEI_ANY; /* its own begin with 0 */
    settings->strict = settings->skip_invalid = false;
}

/* Removes what a run has left in the folder; all of it, with the folder, when that is asked for. */
void made_up_clear(const struct made_up *made_up, bool wholly)
{
    DIR *folder = made_up->folder[0] != '\0' ? opendir(made_up->folder) : NULL;
    struct dirent *entry;

    if (folder == NULL)
        return;
    while ((entry = readdir(folder)) != NULL)
        if (wholly || strcmp(entry->d_name, "input.csv") != 0)
            (void)unlinkat(dirfd(folder), entry->d_name, 0); /* fails for . and .. */
    (void)closedir(folder);
    if (wholly)
        (void)rmdir(made_up->folder);
}
