/*
 * loop.c - a bottom half, an fd handler and a timer: make loop && ./loop
 *
 * Output:
 *   bottom half
 *   readable: hello
 *   timer
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <block/aio.h>
#include <qapi/error.h>

static AioContext *ctx;
static QEMUTimer timer;

static void on_timer(void *opaque)
{
    puts("timer");
    *(int *)opaque = 1;
}

static void on_readable(void *opaque) /* again and again, until it is read */
{
    char buf[64];
    ssize_t len = read(*(int *)opaque, buf, sizeof(buf));

    printf("readable: %.*s\n", (int)len, buf);
    timer_mod(&timer, qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + 5 * SCALE_MS);
}

static void on_start(void *opaque)
{
    puts("bottom half");
    if (write(*(int *)opaque, "hello", 5) != 5) {
        exit(EXIT_FAILURE);
    }
}

int main(void)
{
    int fds[2], done = 0;

    ctx = aio_context_new(&error_fatal);
    if (pipe(fds) < 0) {
        return EXIT_FAILURE;
    }
    aio_set_fd_handler(ctx, fds[0], false, on_readable, NULL, NULL, NULL, fds);
    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_NS, on_timer, &done);
    aio_bh_schedule_oneshot(ctx, on_start, &fds[1]);
    while (!done) {
        aio_poll(ctx, true);
    }
    aio_set_fd_handler(ctx, fds[0], false, NULL, NULL, NULL, NULL, NULL);
    aio_context_unref(ctx); /* what is left in it is named, and we abort */
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
