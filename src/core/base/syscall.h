/*
 * base/syscall.h - the system calls of every event, without libc
 *
 * They return what the kernel does, a negative errno included, and leave errno
 * alone; so signal handlers may use them.
 *
 * Inlined where we know how.  A kernel that is built against speculation
 * through returns leaves the processor's predictions of them useless, so that
 * each return from a function that made a system call costs 10 to 15 ns: as
 * much as a hundred instructions, and libc's are such functions.  TSan has to
 * see libc's, to know of the order that they establish.
 */
#ifndef AIOCTL_BASE_SYSCALL_H
#define AIOCTL_BASE_SYSCALL_H

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SYSCALL_BY_LIBC
#endif
#endif
#if defined(__SANITIZE_THREAD__) || !defined(__x86_64__) || !defined(__LP64__)
#define SYSCALL_BY_LIBC
#endif

#ifndef SYSCALL_BY_LIBC

/* The fifth and the sixth argument are always 0. */
static inline long syscall_inlined(long number, long a, long b, long c, long d)
{
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = 0;
    register long sixth __asm__("r9") = 0;
    long ret;

    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth),
                       "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return ret;
}

/* preadv2(2): an offset is one argument here, the fifth is for 32 bits. */
static inline ssize_t syscall_preadv2(int fd, const struct iovec *iov,
                                      int count, int64_t offset, int flags)
{
    register long fourth __asm__("r10") = offset;
    register long fifth __asm__("r8") = 0;
    register long sixth __asm__("r9") = flags;
    long ret;

    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"((long)SYS_preadv2), "D"((long)fd), "S"(iov),
                       "d"((long)count), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return ret;
}

static inline ssize_t syscall_read(int fd, void *buf, size_t count)
{
    return syscall_inlined(SYS_read, fd, (long)buf, (long)count, 0);
}

static inline ssize_t syscall_write(int fd, const void *buf, size_t count)
{
    return syscall_inlined(SYS_write, fd, (long)buf, (long)count, 0);
}

static inline ssize_t syscall_recv(int fd, void *buf, size_t count, int flags)
{
    return syscall_inlined(SYS_recvfrom, fd, (long)buf, (long)count, flags);
}

static inline ssize_t syscall_send(int fd, const void *buf, size_t count,
                                   int flags)
{
    return syscall_inlined(SYS_sendto, fd, (long)buf, (long)count, flags);
}

static inline int syscall_epoll_wait(int fd, struct epoll_event *events,
                                     int count, int timeout_ms)
{
    return (int)syscall_inlined(SYS_epoll_wait, fd, (long)events, count,
                                timeout_ms);
}

static inline int syscall_io_uring_enter(int fd, unsigned submit,
                                         unsigned wait_for, unsigned flags)
{
    return (int)syscall_inlined(SYS_io_uring_enter, fd, submit, wait_for,
                                flags);
}

#else

#define SYSCALL_KEEP_ERRNO(call)         \
    ({                                   \
        int before_ = errno;             \
        __typeof__(call) ret_ = (call);  \
                                         \
        ret_ = ret_ < 0 ? -errno : ret_; \
        errno = before_;                 \
        ret_;                            \
    })

static inline ssize_t syscall_preadv2(int fd, const struct iovec *iov,
                                      int count, int64_t offset, int flags)
{
    return SYSCALL_KEEP_ERRNO(preadv2(fd, iov, count, offset, flags));
}

static inline ssize_t syscall_read(int fd, void *buf, size_t count)
{
    return SYSCALL_KEEP_ERRNO(read(fd, buf, count));
}

static inline ssize_t syscall_write(int fd, const void *buf, size_t count)
{
    return SYSCALL_KEEP_ERRNO(write(fd, buf, count));
}

static inline ssize_t syscall_recv(int fd, void *buf, size_t count, int flags)
{
    return SYSCALL_KEEP_ERRNO(recv(fd, buf, count, flags));
}

static inline ssize_t syscall_send(int fd, const void *buf, size_t count,
                                   int flags)
{
    return SYSCALL_KEEP_ERRNO(send(fd, buf, count, flags));
}

static inline int syscall_epoll_wait(int fd, struct epoll_event *events,
                                     int count, int timeout_ms)
{
    return SYSCALL_KEEP_ERRNO(epoll_wait(fd, events, count, timeout_ms));
}

static inline int syscall_io_uring_enter(int fd, unsigned submit,
                                         unsigned wait_for, unsigned flags)
{
    return (int)SYSCALL_KEEP_ERRNO(syscall(SYS_io_uring_enter, fd, submit,
                                           wait_for, flags, NULL, (size_t)0));
}

#endif
#endif
