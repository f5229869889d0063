/*
 * ring.h - the io_uring of a context: one ring, shared by the io_uring monitor
 * and the io_uring file engine
 *
 * Both fetch submission entries with ring_sqe() and tag them with the kind of
 * completion; ring_reap() sorts completions to the function registered for the
 * tag.  Those functions only queue (ready list, finished requests): they run no
 * user code and take no submission entry, so reaping is safe anywhere.
 *
 * Everything is for the home thread: the ring is made with SINGLE_ISSUER where
 * the kernel has it, and refuses other threads.
 */
#ifndef LOOP_RING_H
#define LOOP_RING_H

#ifdef CONFIG_LINUX_IO_URING
#include <liburing.h>

#include "base/fork.h"
#include "base/syscall.h"
#include "loop/context.h"

typedef struct Ring Ring;

/* In the low bits of user_data: the rest is a pointer aligned to 8. */
typedef enum RingTag {
    RING_REQUEST, /* a file request */
    RING_RETRY,   /* the wait for an fd of a request that got EAGAIN */
    RING_POLL,    /* a monitored fd */
    RING_IGNORE,  /* removals and cancellations: their target answers */
    RING_TAG__MAX,
} RingTag;

enum { RING_TAG_MASK = 7 };

typedef void RingCqeFunc(AioContext *ctx, void *ptr, int32_t res,
                         uint32_t flags);

enum {
    RING_SQ_ENTRIES = 256,
    RING_CQ_ENTRIES = 4096,
    RING_BUFFERS_MAX = 1024,
    RING_FILES_MAX = 1024,
};

struct Ring {
    struct io_uring uring;
    AioContext *ctx;
    unsigned enter_flags;  /* of each call that looks for completions */
    unsigned users;        /* monitor, engine */
    unsigned generation;   /* grows with each rebuild */
    uint64_t owner;        /* the thread that made uring */
    unsigned fork_count;   /* forks before uring was made */
    LoopThread *home;      /* ctx->home when ring_is_mine() was last true */
    unsigned in_flight;    /* file requests, counted by the engine */
    bool completes_inline; /* the last submission had ended when it returned */
    bool reaping;
    RingCqeFunc *on_cqe[RING_TAG__MAX];

    /* Registered buffers; base NULL: free slot.  Kept to rebuild the table. */
    struct iovec *buffers;
    unsigned buffers_end;   /* slots ever used */
    unsigned buffers_count; /* slots in use */
    bool buffers_ready;     /* the kernel has the (sparse) table */

    /* Registered files, the same: an fd per slot, see ring_files.c. */
    int *files;
    unsigned files_size;
    unsigned files_free; /* no slot below it is free */
    bool files_ready;
};

/*
 * ring_use: the context's ring for one more user, made when there is none
 * Returns: NULL with @errp set to cause and remedy.
 */
Ring *ring_use(AioContext *ctx, Error **errp);

/* Pairs with ring_use(); the last one closes the ring. */
void ring_unuse(AioContext *ctx);

/* Can rings be made on this machine?  Any thread. */
bool ring_probe(Error **errp);

/*
 * ring_ensure_mine: rebuild the ring if another thread, or this process before
 * a fork, made it
 *
 * Whoever has polls in the ring compares generations afterwards.  Registered
 * buffers and files move along.
 */
void ring_ensure_mine(Ring *ring);

/* ring_is_mine() without a call: false means to ask it. */
static inline bool ring_is_surely_mine(const Ring *ring)
{
    return ring->home == ring->ctx->home && ring->home &&
           ring->fork_count == fork_count;
}

/* The same for hot paths: a full check follows before waiting. */
static inline void ring_ensure_mine_fast(Ring *ring)
{
    if (unlikely(!ring_is_surely_mine(ring))) {
        ring_ensure_mine(ring);
    }
}

/* Its work: a new ring in place of the old one, without what is registered. */
void ring_reopen(Ring *ring);

/* Whether the calling thread may enter the ring. */
bool ring_is_mine(const Ring *ring);

/*
 * ring_make_room: is there an entry to be had, if need be after submitting?
 *
 * False: the kernel accepts nothing now; come back later.  May reap.
 */
bool ring_make_room(Ring *ring);

/* The entry that ring_make_room() promised. */
static inline struct io_uring_sqe *ring_sqe(Ring *ring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

    CHECK(sqe && !ring->reaping);
    return sqe;
}

static inline void ring_tag(struct io_uring_sqe *sqe, void *ptr, RingTag tag)
{
    sqe->user_data = (uintptr_t)ptr | tag;
}

/* Submit what is queued, without waiting. */
void ring_submit(Ring *ring);

/* Sort what has completed; returns how many. */
unsigned ring_reap(Ring *ring);

/*
 * ring_is_ready: would ring_get_events() and ring_reap() find something?
 *
 * With DEFER_TASKRUN the completion queue stays empty until we enter the
 * kernel, and IORING_SQ_TASKRUN says that it would not stay so.
 */
static inline bool ring_is_ready(const Ring *ring)
{
    unsigned flags = __atomic_load_n(ring->uring.sq.kflags, __ATOMIC_RELAXED);

    return (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) ||
           io_uring_cq_ready(&ring->uring) > 0;
}

/* ---- entering, inlined as base/syscall.h says ---------------------------- */

/* Aborts unless it is a failure that passes. */
void ring_enter_failed(int ret);

static inline void ring_check_enter(int ret)
{
    if (unlikely(ret < 0)) {
        ring_enter_failed(ret);
    }
}

/* Submits what is queued and waits for @count completions, as liburing does
 * for a ring that no kernel thread polls. */
static inline void ring_enter(Ring *ring, unsigned count)
{
    struct io_uring_sq *sq = &ring->uring.sq;

    sq->sqe_head = sq->sqe_tail;
    /* Pairs with the kernel's load: it sees the entries. */
    __atomic_store_n(sq->ktail, sq->sqe_tail, __ATOMIC_RELEASE);
    ring_check_enter(syscall_io_uring_enter(ring->uring.enter_ring_fd,
                                            io_uring_sq_ready(&ring->uring),
                                            count, ring->enter_flags));
}

/* Make completions that the kernel holds back visible to ring_reap(). */
static inline void ring_get_events(Ring *ring)
{
    unsigned flags = __atomic_load_n(ring->uring.sq.kflags, __ATOMIC_RELAXED);

    if (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) {
        ring_check_enter(syscall_io_uring_enter(ring->uring.enter_ring_fd, 0, 0,
                                                ring->enter_flags));
    }
}

/* For ring_wait(). */
void ring_wait_timed(Ring *ring, int64_t timeout);

/*
 * ring_wait: submit what is queued, and wait until something completes
 * @timeout: nanoseconds; 0: only look; -1: for ever
 *
 * At most one system call, none when there is nothing to do.
 */
static QEMU_ALWAYS_INLINE inline void ring_wait(Ring *ring, int64_t timeout)
{
    unsigned queued = io_uring_sq_ready(&ring->uring);

    ring->ctx->stats.batches += queued > 0;
    if (timeout == 0 || ring_is_ready(ring)) {
        if (queued > 0) {
            ring_enter(ring, 0);
        } else {
            ring_get_events(ring);
        }
    } else if (timeout < 0) {
        ring_enter(ring, 1);
    } else {
        ring_wait_timed(ring, timeout);
    }
}

/* Can a request name @slot?  (A rebuilt ring may not get all buffers again.) */
static inline bool ring_has_buffer(const Ring *ring, int slot)
{
    return slot >= 0 && (unsigned)slot < ring->buffers_end &&
           ring->buffers[slot].iov_len > 0;
}

/* A slot of the registered-buffer table, or a negative errno. */
int ring_register_buffer(Ring *ring, void *base, size_t len);
void ring_unregister_buffer(Ring *ring, int slot);

/* Does @slot stand for @fd?  (A rebuilt ring may not get all files again.) */
static inline bool ring_has_file(const Ring *ring, int slot, int fd)
{
    return slot > 0 && (unsigned)slot < ring->files_size &&
           ring->files[slot] == fd;
}

/* A slot of the registered-file table, from 1, or a negative errno. */
int ring_register_file(Ring *ring, int fd);
void ring_unregister_file(Ring *ring, int slot);
/* After ring_reopen(). */
void ring_restore_files(Ring *ring);

#endif
#endif
