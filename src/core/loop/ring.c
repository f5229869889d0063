/*
 * ring.c - making, entering and reaping the io_uring of a context
 *
 * A ring is made lazily, by its home thread, with the best set of flags that
 * the kernel takes (setups[]).  It is rebuilt when the context has moved
 * to another thread or the process has forked: the old one is of no use there.
 *
 * The rule that keeps it right: the kernel tells of waiting completions either
 * in the completion queue or in the flags of the submission queue, and whoever
 * looks must look at both (ring_is_ready()).
 */
#include "loop/ring.h"

#ifdef CONFIG_LINUX_IO_URING

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/feature.h"
#include "base/fork.h"
#include "qapi/error.h"

/* Best first; newer kernels take the first. */
static const struct {
    unsigned flags;
    Feature needs;
} setups[] = {
    /* 6.1 */
    {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
         IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
     FEATURE_DEFER_TASKRUN},
    /* 5.19 */
    {IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
         IORING_SETUP_SUBMIT_ALL,
     FEATURE_COOP_TASKRUN},
    {0, FEATURE_IO_URING},
};

enum {
    FEATURES_NEEDED = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG |
                      IORING_FEAT_RW_CUR_POS | IORING_FEAT_SUBMIT_STABLE,
};

/* ---- who may enter ------------------------------------------------------ */

/* Not inlined: a coroutine may call it in one thread, then in another. */
static __attribute__((noinline)) uint64_t this_thread(void)
{
    static uint64_t last;
    static __thread uint64_t id;

    if (!id) {
        id = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
    }
    return id;
}

bool ring_is_mine(const Ring *ring)
{
    return ring->owner == this_thread() && ring->fork_count == fork_count;
}

/* ---- making ------------------------------------------------------------- */

static int sysctl_io_uring_disabled(void)
{
    FILE *f = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    int value = 0;

    if (f) {
        if (fscanf(f, "%d", &value) != 1) {
            value = 0;
        }
        fclose(f);
    }
    return value;
}

static void set_refused(Error **errp)
{
    int disabled = sysctl_io_uring_disabled();

    if (disabled) {
        error_setg(errp,
                   "io_uring: refused, the sysctl kernel.io_uring_disabled is "
                   "%d; set it to 0",
                   disabled);
    } else {
        error_setg(errp, "io_uring: refused, probably by a seccomp filter; "
                         "allow the system calls io_uring_setup, "
                         "io_uring_enter and io_uring_register");
    }
}

static void set_setup_error(int ret, Error **errp)
{
    switch (-ret) {
    case ENOSYS:
        error_setg(errp, "io_uring: this kernel has none (or a seccomp filter "
                         "hides it); Linux 5.11 or later is needed");
        break;
    case EPERM:
    case EACCES:
        set_refused(errp);
        break;
    case ENOMEM:
        error_setg(errp, "io_uring: not enough lockable memory for the ring; "
                         "raise RLIMIT_MEMLOCK (ulimit -l)");
        break;
    case EMFILE:
    case ENFILE:
        error_setg_errno(errp, -ret,
                         "io_uring: no file descriptor for the ring; raise "
                         "RLIMIT_NOFILE (ulimit -n)");
        break;
    default:
        error_setg_errno(errp, -ret, "io_uring: cannot make a ring");
    }
}

/*
 * One ring's memory is often mapped where another thread's just was.  The
 * kernel orders the two, but TSan does not see it: liburing makes its system
 * calls without libc.  So we say it: each unmapping releases, each mapping
 * acquires.
 */
static unsigned unmapped; /* atomic */

static int try_flags(struct io_uring *uring, unsigned flags)
{
    struct io_uring_params params = {
        .flags = flags | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE,
        .cq_entries = RING_CQ_ENTRIES,
    };
    int ret = io_uring_queue_init_params(RING_SQ_ENTRIES, uring, &params);

    (void)qatomic_load_acquire(&unmapped);
    return ret;
}

static void uring_exit(struct io_uring *uring)
{
    qatomic_inc(&unmapped);
    io_uring_queue_exit(uring);
}

/* Older kernels say EINVAL to flags they do not know. */
static bool uring_init(struct io_uring *uring, Error **errp)
{
    int ret = -EINVAL;

    if (feature_refused(FEATURE_IO_URING)) {
        error_setg(errp, "io_uring: the environment says %s=1; unset it",
                   feature_variable(FEATURE_IO_URING));
        return false;
    }
    for (size_t i = 0; ret == -EINVAL && i < ARRAY_SIZE(setups); i++) {
        if (!feature_refused(setups[i].needs)) {
            ret = try_flags(uring, setups[i].flags);
        }
    }
    if (ret < 0) {
        set_setup_error(ret, errp);
        return false;
    }
    if ((uring->features & FEATURES_NEEDED) != FEATURES_NEEDED) {
        uring_exit(uring);
        error_setg(errp, "io_uring: this kernel's is too old; Linux 5.11 or "
                         "later is needed");
        return false;
    }
    return true;
}

bool ring_probe(Error **errp)
{
    struct io_uring uring;

    if (!uring_init(&uring, errp)) {
        return false;
    }
    uring_exit(&uring);
    return true;
}

static bool ring_open(Ring *ring, Error **errp)
{
    if (!uring_init(&ring->uring, errp)) {
        return false;
    }
    /* Spares looking the fd up in every call; works without, before 5.18. */
    ring->enter_flags = IORING_ENTER_GETEVENTS;
    if (io_uring_register_ring_fd(&ring->uring) == 1) {
        ring->enter_flags |= IORING_ENTER_REGISTERED_RING;
    }
    ring->owner = this_thread();
    ring->fork_count = fork_count;
    ring->buffers_ready = false;
    ring->files_ready = false;
    ring->completes_inline = false;
    return true;
}

static void ring_close(Ring *ring)
{
    if (!ring_is_mine(ring)) {
        /* The registered fd is a number in the owner's table, not in ours:
         * there it may stand for another ring. */
        ring->uring.enter_ring_fd = ring->uring.ring_fd;
        ring->uring.int_flags = 0;
    }
    uring_exit(&ring->uring);
}

void ring_reopen(Ring *ring)
{
    Error *err = NULL;

    /* In this process the old thread could still tell us how they end; after
     * a fork only our parent will know. */
    CHECKF(ring->in_flight == 0 || ring->fork_count != fork_count,
           "a context moves to another thread with %u file requests in flight",
           ring->in_flight);
    if (ring->fork_count == fork_count) {
        ring_reap(ring); /* connections that the kernel has accepted */
    }
    ring_close(ring);
    CHECKF(ring_open(ring, &err), "cannot rebuild the ring: %s",
           error_get_pretty(err));
    ring->in_flight = 0;
    ring->generation++;
}

Ring *ring_use(AioContext *ctx, Error **errp)
{
    Ring *ring = ctx->ring;

    if (!ring) {
        ring = check_calloc(1, sizeof(*ring));
        ring->ctx = ctx;
        if (!ring_open(ring, errp)) {
            free(ring);
            return NULL;
        }
        ctx->ring = ring;
    }
    ring->users++;
    return ring;
}

void ring_unuse(AioContext *ctx)
{
    Ring *ring = ctx->ring;

    CHECK(ring && ring->users > 0);
    if (--ring->users == 0) {
        ring_close(ring);
        free(ring->buffers);
        free(ring->files);
        free(ring);
        ctx->ring = NULL;
    }
}

/* ---- entering ----------------------------------------------------------- */

/*
 * What may go wrong while entering is: a signal, a kernel short of memory
 * (EAGAIN) or short of room in our completion queue (EBUSY).  The entries stay
 * queued then, and the next call takes them along.
 */
void ring_enter_failed(int ret)
{
    CHECKF(ret == -EINTR || ret == -EAGAIN || ret == -EBUSY || ret == -ETIME ||
               ret == -ENOMEM,
           "io_uring_enter: %s", strerror(-ret));
}

void ring_submit(Ring *ring)
{
    unsigned queued = io_uring_sq_ready(&ring->uring);
    unsigned before = io_uring_cq_ready(&ring->uring);
    int ret;

    if (queued == 0) {
        return;
    }
    ret = io_uring_submit(&ring->uring);
    ring_check_enter(ret);
    if (ret == -EBUSY && !ring->reaping) {
        ring_get_events(ring);
        ring_reap(ring);
        ret = io_uring_submit(&ring->uring);
        ring_check_enter(ret);
        return;
    }
    if (ret > 0) {
        unsigned ended = io_uring_cq_ready(&ring->uring) - before;

        ring->ctx->stats.batches++;
        ring->completes_inline = ended * 2 >= (unsigned)ret;
    }
}

bool ring_make_room(Ring *ring)
{
    if (likely(io_uring_sq_space_left(&ring->uring) > 0)) {
        return true;
    }
    ring_submit(ring);
    return io_uring_sq_space_left(&ring->uring) > 0;
}

void ring_wait_timed(Ring *ring, int64_t timeout)
{
    struct __kernel_timespec ts = {
        .tv_sec = timeout / CLOCK_NS_PER_S,
        .tv_nsec = timeout % CLOCK_NS_PER_S,
    };
    struct io_uring_cqe *cqe;

    ring_check_enter(
        io_uring_submit_and_wait_timeout(&ring->uring, &cqe, 1, &ts, NULL));
}

unsigned ring_reap(Ring *ring)
{
    struct io_uring_cqe *cqe;
    unsigned head, count = 0;

    CHECK(!ring->reaping);
    ring->reaping = true;
    io_uring_for_each_cqe(&ring->uring, head, cqe)
    {
        unsigned tag = cqe->user_data & RING_TAG_MASK;
        void *ptr = (void *)(uintptr_t)(cqe->user_data & ~RING_TAG_MASK);

        if (tag != RING_IGNORE) {
            CHECK(tag < RING_TAG__MAX && ring->on_cqe[tag]);
            ring->on_cqe[tag](ring->ctx, ptr, cqe->res, cqe->flags);
        }
        count++;
    }
    io_uring_cq_advance(&ring->uring, count);
    ring->reaping = false;
    return count;
}
#endif
