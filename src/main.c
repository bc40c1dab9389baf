#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli/cli.h"

/*
 * A program that was started with a standard descriptor closed (>&-) would get its number for the
 * next file that it opens: messages would go into the results. The place is taken before anything
 * else happens, by something that refuses what the descriptor is for, so that whoever reads the
 * input from it, or was asked to write data to it, finds out (EBADF). Standard error alone takes
 * what is written: nobody is left to be told.
 */
static int occupy_standard_descriptors(void)
{
    static const int modes[] = {
        [STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_WRONLY};

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
            continue;
        int opened = open("/dev/null", modes[fd] | O_NOCTTY);
        if (opened < 0) /* a system without devices: a folder can be neither read nor written */
            opened = open("/", O_RDONLY | O_DIRECTORY);
        if (opened != fd)
            return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (occupy_standard_descriptors() != 0)
        return EXIT_INTERNAL;
    return cli_main(argc, argv);
}
