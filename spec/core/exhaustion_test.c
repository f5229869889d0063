/*
 * exhaustion_test.c - out of descriptors, out of memory for the ring: reported
 * with the remedy, or done without
 */
#include <errno.h>
#include <sys/resource.h>

#include "loop/context.h"
#include "qapi/error.h"
#include "everywhere.h"

#ifdef CONFIG_LINUX_IO_URING
#include <dlfcn.h>
#include <liburing.h>

static int ring_errno; /* what io_uring_setup() answers, or 0 */

/* In place of liburing's: the tests link the core statically. */
int io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                               struct io_uring_params *params)
{
    int (*real)(unsigned, struct io_uring *, struct io_uring_params *) =
        (int (*)(unsigned, struct io_uring *, struct io_uring_params *))(
            uintptr_t)dlsym(RTLD_NEXT, "io_uring_queue_init_params");

    ASSERT(real);
    return ring_errno ? -ring_errno : real(entries, ring, params);
}
#endif

static struct rlimit before;

/* No descriptor can be opened until fds_allow(); those that are open are below
 * the limit, as ppoll() wants it. */
static void fds_deny(void)
{
    struct rlimit none;
    int next = dup(STDERR_FILENO);

    close(next);
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = (rlim_t)next;
    setrlimit(RLIMIT_NOFILE, &none);
}

static void fds_allow(void)
{
    setrlimit(RLIMIT_NOFILE, &before);
}

static void expect_error(Error *err, const char *what, const char *remedy)
{
    ASSERT(err);
    if (!strstr(error_get_pretty(err), what) ||
        !strstr(error_get_pretty(err), remedy)) {
        FAIL("\"%s\" lacks \"%s\" or \"%s\"", error_get_pretty(err), what,
             remedy);
    }
    error_free(err);
}

TEST(context_without_a_descriptor_for_its_notifier_is_an_error)
{
    Error *err = NULL;

    fds_deny();
    AioContext *ctx = aio_context_new(&err);
    fds_allow();
    ASSERT_PTR_EQ(ctx, NULL);
    ASSERT_EQ(error_get_errno(err), EMFILE);
    expect_error(err, "event notifier", "ulimit -n");
}

TEST(monitor_without_a_descriptor_is_an_error_or_replaced)
{
    unsetenv("AIOCTL_NO_IO_URING"); /* it is descriptors that shall lack */
    AioContext *ctx = aio_context_new(NULL);
    Error *err = NULL;
    Side side = {.fd = new_event()};

    fds_deny();
    ASSERT(!aio_context_set_fdmon(ctx, "epoll!", &err));
    expect_error(err, "epoll", "ulimit -n");
    set_reader(ctx, &side, on_read_drain);
    poke(side.fd);
    ASSERT(aio_poll(ctx, true)); /* chooses by itself, and works */
    ASSERT_STR_EQ(aio_context_fdmon(ctx), "poll");
#ifdef CONFIG_LINUX_IO_URING /* else what is named is that this is missing */
    ASSERT(strstr(aio_context_fdmon_fallback(ctx), "ulimit -n"));
#endif
    fds_allow();
    ASSERT_EQ(side.reads, 1);
    ASSERT(aio_context_set_fdmon(ctx, "epoll!", &err)); /* and recovers */
    poke(side.fd);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(side.reads, 2);
    unset(ctx, side.fd);
    close(side.fd);
    aio_context_unref(ctx);
}

TEST(ring_without_descriptor_or_memory_is_an_error_with_the_remedy)
{
#ifdef CONFIG_LINUX_IO_URING
    static const struct {
        int number;
        const char *remedy;
    } answers[] = {
        {EMFILE, "ulimit -n"},  {ENFILE, "ulimit -n"},
        {ENOMEM, "ulimit -l"},  {EPERM, "io_uring_setup"},
        {ENOSYS, "Linux 5.11"},
    };
    AioContext *ctx = aio_context_new(NULL);

    unsetenv("AIOCTL_NO_IO_URING");
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        Error *err = NULL;
        char *why = NULL;

        ring_errno = answers[i].number;
        ASSERT(!aio_context_set_fdmon(ctx, "io_uring!", &err));
        expect_error(err, "io_uring: ", answers[i].remedy);
        ASSERT(!aio_fdmon_probe("io_uring", &why));
        ASSERT(strstr(why, answers[i].remedy));
        free(why);
        ASSERT(aio_context_set_fdmon(ctx, "io_uring", NULL));
        ASSERT_STR_EQ(aio_context_fdmon(ctx), "epoll");
        ASSERT(strstr(aio_context_fdmon_fallback(ctx), answers[i].remedy));
    }
    aio_context_unref(ctx);
#else
    SKIP("built without liburing");
#endif
}

/* ---- fds that a monitor cannot take ------------------------------------- */

static int epoll_chain(int bottom, int *fds, int length)
{
    for (int i = 0; i < length; i++) {
        struct epoll_event event = {.events = EPOLLIN};

        fds[i] = epoll_create1(EPOLL_CLOEXEC);
        ASSERT_EQ(epoll_ctl(fds[i], EPOLL_CTL_ADD, bottom, &event), 0);
        bottom = fds[i];
    }
    return bottom;
}

static int passes_of(AioContext *ctx, int64_t ns)
{
    bool fired = false;
    QEMUTimer timer;
    int passes = 0;

    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_NS, set_flag,
                   &fired);
    timer_mod_ns(&timer, qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + ns);
    while (!fired) {
        aio_poll(ctx, true);
        passes++;
    }
    return passes;
}

static void drain_event(void *opaque)
{
    Side *side = opaque;
    uint64_t value;

    side->reads++;
    ASSERT_EQ(read(side->other->fd, &value, sizeof(value)), sizeof(value));
}

/* Epolls in epolls, deeper than another one takes (ELOOP): neither always
 * ready, as regular files are, nor something that may be left out. */
EVERYWHERE(fd_that_epoll_refuses_is_waited_for_and_costs_nothing_meanwhile)
{
    Side bottom = {.fd = new_event()}, plain = {.fd = new_event()};
    int chain[5];
    Side side = {.fd = epoll_chain(bottom.fd, chain, 5), .other = &bottom};

    set_reader(ctx, &side, drain_event);
    set_reader(ctx, &plain, on_read_drain);
    ASSERT_CMP(passes_of(ctx, 5 * SCALE_MS), <=, 8);
    ASSERT_EQ(side.reads, 0);
    for (int i = 1; i <= 3; i++) {
        poke(bottom.fd);
        poke(plain.fd);
        while (side.reads < i || plain.reads < i) {
            ASSERT(aio_poll(ctx, true));
        }
        ASSERT(!aio_poll(ctx, false));
    }
    ASSERT_EQ(side.reads, 3);
    unset(ctx, side.fd);
    unset(ctx, plain.fd);
    for (int i = 0; i < 5; i++) {
        close(chain[i]);
    }
    close(bottom.fd);
    close(plain.fd);
}

/* Ready for what was asked, and gone with its handler. */
EVERYWHERE(regular_file_and_directory_are_ready_for_what_was_asked_only)
{
    Side file = {.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
    Side folder = {.fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};

    aio_set_fd_handler(ctx, file.fd, false, NULL, on_write, NULL, NULL, &file);
    set_reader(ctx, &folder, on_read);
    for (int i = 0; i < 4; i++) {
        ASSERT(aio_poll(ctx, true));
    }
    ASSERT_CMP(file.writes, >=, 2);
    ASSERT_CMP(folder.reads, >=, 2);
    ASSERT_EQ(file.reads + folder.writes, 0);
    unset(ctx, file.fd);
    unset(ctx, folder.fd);
    ASSERT_CMP(passes_of(ctx, 3 * SCALE_MS), <=, 6);
    close(file.fd);
    close(folder.fd);
}
