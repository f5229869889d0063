/*
 * streams.c - standard streams that are closed, full or gone
 *
 * A descriptor below 3 that is closed when we start would be handed to the
 * next file that is opened: what is printed would land in it.  Each is filled
 * with /dev/null opened the wrong way round, so that using it still fails with
 * EBADF, as on a closed one.
 *
 * What a command or an option prints is its whole purpose: when it cannot be
 * written the status says so.  A script's output is the script's own affair,
 * as in stock lua.
 */
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void streams_open(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            /* The lowest free descriptor, which is fd. */
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

bool streams_flush(const char *progname)
{
    bool failed = ferror(stdout) != 0;

    errno = 0;
    if (fflush(stdout) == 0 && !failed) {
        return true;
    }
    report_message(progname, "cannot write to standard output: %s",
                   errno ? strerror(errno) : "it is closed, or full");
    return false;
}
