/*
 * main.c - a consumer of the original API: echo server, disk scrubber, GLib
 */
#include "qemu/osdep.h"

#include "consumer.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"

int scratch_file(int flags, Error **errp)
{
    g_autofree char *name = g_strdup_printf("scrub-%d.tmp", (int)getpid());
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | flags, 0600);

    if (fd < 0) {
        error_setg_file_open(errp, errno, name);
        return -1;
    }
    unlink(name);
    return fd;
}

static int open_fds(void)
{
    GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
    int n = 0;

    while (g_dir_read_name(dir)) {
        n++;
    }
    g_dir_close(dir);
    return n;
}

static const struct {
    const char *name;
    void (*run)(void);
} parts[] = {
    {"echo", echo_selftest},
    {"scrub", scrub_selftest},
    {"embed", embed_selftest},
};

int main(int argc, char **argv)
{
    int before;

    alarm(60);
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    g_main_context_default(); /* GLib keeps it for ever */
    before = open_fds();
    qemu_init_main_loop(&error_fatal);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (argc < 2 || g_str_equal(argv[1], parts[i].name)) {
            parts[i].run();
            printf("ok %s\n", parts[i].name);
        }
    }
    aio_context_unref(qemu_get_aio_context());
    g_assert_cmpint(open_fds(), ==, before);
    return 0;
}
