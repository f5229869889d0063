/*
 * refusal_test.c - system calls that the kernel refuses, as it does in
 * containers and on old machines
 *
 * A seccomp filter of the test's own process answers with an errno.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "everywhere.h"

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

/* System call @number answers @err from here on. */
static void refuse(long number, int err)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)err),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {ARRAY_SIZE(code), code};

    if (getenv("AIOCTL_TEST_SLOW")) {
        SKIP("valgrind does not emulate seccomp");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
        SKIP("no seccomp filters here: %s", strerror(errno));
    }
}

/* The monitor is refused with @reason, and another one does its work. */
static void check_ring_refused(int err, const char *reason)
{
    Error *error = NULL;
    char *why = NULL;

#ifndef CONFIG_LINUX_IO_URING
    SKIP("this build has no io_uring");
#endif
    refuse(SYS_io_uring_setup, err);
    AioContext *ctx = aio_context_new(NULL);
    Side side = {.fd = new_event()};
    ASSERT(!aio_fdmon_probe("io_uring", &why));
    if (!strstr(why, reason)) {
        FAIL("\"%s\" is not in \"%s\"", reason, why);
    }
    free(why);
    ASSERT(!aio_context_set_fdmon(ctx, "io_uring!", &error));
    ASSERT(strstr(error_get_pretty(error), reason));
    error_free(error);
    ASSERT(aio_context_set_fdmon(ctx, "io_uring", NULL));
    ASSERT_STR_EQ(aio_context_fdmon(ctx), "epoll");
    ASSERT(strstr(aio_context_fdmon_fallback(ctx), reason));
    error = NULL;
    ASSERT_PTR_EQ(aio_setup_linux_io_uring(ctx, &error), NULL);
    ASSERT(strstr(error_get_pretty(error), reason));
    error_free(error);
    set_reader(ctx, &side, on_read_drain);
    poke(side.fd);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(side.reads, 1);
    unset(ctx, side.fd);
    close(side.fd);
    aio_context_unref(ctx);
}

TEST(a_kernel_without_io_uring_is_named_and_epoll_takes_over)
{
    check_ring_refused(ENOSYS, "this kernel has none");
}

TEST(a_filter_that_forbids_io_uring_is_named_and_epoll_takes_over)
{
    check_ring_refused(EPERM, "io_uring: refused");
}

TEST(a_ring_beyond_locked_memory_names_the_limit_and_epoll_takes_over)
{
    check_ring_refused(ENOMEM, "ulimit -l");
}

TEST(a_ring_beyond_open_files_names_the_limit_and_epoll_takes_over)
{
    check_ring_refused(ENFILE, "ulimit -n");
}

TEST(a_ring_that_fails_in_another_way_says_how_and_epoll_takes_over)
{
    check_ring_refused(EIO, "cannot make a ring: Input/output error");
}

static void check_linux_aio_refused(int err, const char *reason)
{
    Error *error = NULL;

    refuse(SYS_io_setup, err);
    AioContext *ctx = aio_context_new(NULL);
    ASSERT_PTR_EQ(aio_setup_linux_aio(ctx, &error), NULL);
    if (!strstr(error_get_pretty(error), reason)) {
        FAIL("\"%s\" is not in \"%s\"", reason, error_get_pretty(error));
    }
    error_free(error);
    aio_context_unref(ctx);
}

TEST(a_kernel_without_linux_aio_is_named)
{
    check_linux_aio_refused(ENOSYS, "linux_aio: refused");
}

TEST(linux_aio_beyond_the_machines_limit_names_it)
{
    check_linux_aio_refused(EAGAIN, "/proc/sys/fs/aio-max-nr");
}

TEST(linux_aio_that_fails_in_another_way_says_how)
{
    check_linux_aio_refused(ENOMEM, "Cannot allocate memory");
}

static AioContext *context_with_epoll(void)
{
    AioContext *ctx = aio_context_new(NULL);

    ASSERT(aio_context_set_fdmon(ctx, "epoll!", NULL));
    return ctx;
}

TEST(epoll_without_nanoseconds_does_not_wake_before_a_deadline)
{
    bool rang = false;

    refuse(SYS_epoll_pwait2, ENOSYS);
    AioContext *ctx = context_with_epoll();
    QEMUTimer *timer =
        aio_timer_new(ctx, QEMU_CLOCK_REALTIME, SCALE_NS, set_flag, &rang);

    for (int i = 0; i < 5; i++) {
        int64_t deadline = qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + 1200000;
        rang = false;
        timer_mod_ns(timer, deadline);
        while (!rang) {
            aio_poll(ctx, true);
        }
        ASSERT_CMP(qemu_clock_get_ns(QEMU_CLOCK_REALTIME), >=, deadline);
    }
    timer_free(timer);
    aio_context_unref(ctx);
}

TEST(without_an_epoll_set_the_reason_is_given_and_another_takes_over)
{
    Error *error = NULL;
    char *why = NULL;

    refuse(SYS_epoll_create1, EMFILE);
    AioContext *ctx = aio_context_new(NULL);
    ASSERT(!aio_fdmon_probe("epoll", &why));
    ASSERT(strstr(why, "ulimit -n"));
    free(why);
    ASSERT(!aio_context_set_fdmon(ctx, "epoll!", &error));
    error_free(error);
    ASSERT(aio_context_set_fdmon(ctx, "epoll", NULL));
    ASSERT(strcmp(aio_context_fdmon(ctx), "epoll") != 0);
    ASSERT(strstr(aio_context_fdmon_fallback(ctx), "ulimit -n"));
    aio_poll(ctx, false);
    aio_context_unref(ctx);
}

TEST(without_eventfds_a_context_wakes_through_a_pipe)
{
    bool ran = false;

    refuse(SYS_eventfd2, ENOSYS);
    AioContext *ctx = aio_context_new(NULL);
    ASSERT(ctx);
    aio_bh_schedule_oneshot(ctx, set_flag, &ran);
    ASSERT(aio_poll(ctx, true));
    ASSERT(ran);
    aio_context_unref(ctx);
}

TEST(a_context_without_a_notifier_is_an_error_that_names_it)
{
    Error *error = NULL;

    refuse(SYS_eventfd2, ENFILE);
    ASSERT_PTR_EQ(aio_context_new(&error), NULL);
    ASSERT(strstr(error_get_pretty(error), "notifier"));
    error_free(error);
}
