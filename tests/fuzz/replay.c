/* Runs a fuzz target over the files of a folder, where libFuzzer is not linked in. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *folder, const char *name)
{
    char path[4096];
    uint8_t *data = malloc(4 * 1024 * 1024);

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL || data == NULL) {
        perror(path);
        exit(1);
    }
    size_t size = fread(data, 1, 4 * 1024 * 1024, file);
    (void)fclose(file);
    uint8_t *exact =
        malloc(size > 0 ? size : 1); /* so that a sanitizer sees a read beyond the end */
    for (size_t i = 0; exact != NULL && i < size; i++)
        exact[i] = data[i];
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    free(data);
    return 1;
}

int main(int argc, char **argv)
{
    int count = 0;
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    const struct dirent *entry;

    if (folder == NULL) {
        (void)fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 1;
    }
    while ((entry = readdir(folder)) != NULL)
        if (entry->d_name[0] != '.')
            count += replay(argv[1], entry->d_name);
    (void)closedir(folder);
    printf("%d inputs replayed\n", count);
    return count >= 50 ? 0 : 1; /* a corpus that is gone is a failure */
}
