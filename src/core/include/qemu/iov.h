/*
 * qemu/iov.h - scatter/gather lists
 *
 * iov_*() work on plain arrays of struct iovec; QEMUIOVector is an array with
 * its length, its total size, and room to grow.  Offsets beyond the end are a
 * programmer error; byte counts beyond the end are cut, and the number of bytes
 * really done is returned.
 */
#ifndef QEMU_IOV_H
#define QEMU_IOV_H

#include <sys/uio.h>

#include "qemu/osdep.h"

struct QEMUIOVector {
    struct iovec *iov;
    int niov;
    int nalloc;             /* -1: iov belongs to the caller, cannot grow */
    size_t size;            /* sum of the lengths */
    struct iovec local_iov; /* iov of a one-buffer vector */
};

#define QEMU_IOVEC_INIT_BUF(self, buf, len)                               \
    {                                                                     \
        .iov = &(self).local_iov, .niov = 1, .nalloc = -1, .size = (len), \
        .local_iov = {                                                    \
            .iov_base = (void *)(buf),                                    \
            .iov_len = (len),                                             \
        },                                                                \
    }

AIOCTL_BEGIN_DECLS

size_t iov_size(const struct iovec *iov, unsigned int iov_cnt);

/* Copy into / out of the vector, starting @offset bytes into it. */
size_t iov_from_buf(const struct iovec *iov, unsigned int iov_cnt,
                    size_t offset, const void *buf, size_t bytes);
size_t iov_to_buf(const struct iovec *iov, unsigned int iov_cnt, size_t offset,
                  void *buf, size_t bytes);
size_t iov_memset(const struct iovec *iov, unsigned int iov_cnt, size_t offset,
                  int fillc, size_t bytes);

/* Describes @bytes bytes of @iov from @offset on in @dst_iov without copying;
 * returns the number of elements used (at most @dst_iov_cnt). */
unsigned int iov_copy(struct iovec *dst_iov, unsigned int dst_iov_cnt,
                      const struct iovec *iov, unsigned int iov_cnt,
                      size_t offset, size_t bytes);

/* Shorten the vector in place, at its start (*iov moves) or its end; return
 * the number of bytes dropped. */
size_t iov_discard_front(struct iovec **iov, unsigned int *iov_cnt,
                         size_t bytes);
size_t iov_discard_back(struct iovec *iov, unsigned int *iov_cnt, size_t bytes);

/* The same two, noting in @undo what was changed: iov_discard_undo() puts it
 * back, once, before anybody else changes the array. */
typedef struct IOVDiscardUndo {
    struct iovec *modified_iov;
    struct iovec orig;
} IOVDiscardUndo;
size_t iov_discard_front_undoable(struct iovec **iov, unsigned int *iov_cnt,
                                  size_t bytes, IOVDiscardUndo *undo);
size_t iov_discard_back_undoable(struct iovec *iov, unsigned int *iov_cnt,
                                 size_t bytes, IOVDiscardUndo *undo);
void iov_discard_undo(IOVDiscardUndo *undo);

/*
 * iov_send_recv: transfer @bytes bytes, from @offset bytes into the vector on
 *
 * Blocks when @sockfd does.
 * Returns: the bytes transferred, less than asked for at end of file, after an
 * error, or when the socket would block; -1 with errno when there were none.
 */
ssize_t iov_send_recv(int sockfd, const struct iovec *iov, unsigned iov_cnt,
                      size_t offset, size_t bytes, bool do_send);
#define iov_recv(sockfd, iov, iov_cnt, offset, bytes) \
    iov_send_recv((sockfd), (iov), (iov_cnt), (offset), (bytes), false)
#define iov_send(sockfd, iov, iov_cnt, offset, bytes) \
    iov_send_recv((sockfd), (iov), (iov_cnt), (offset), (bytes), true)

/* True when all @len bytes at @buf are zero. */
bool buffer_is_zero(const void *buf, size_t len);

/* Empty, able to hold @alloc_hint elements before it grows. */
void qemu_iovec_init(QEMUIOVector *qiov, int alloc_hint);
/* Looks at the caller's array; qemu_iovec_destroy() does not free it. */
void qemu_iovec_init_external(QEMUIOVector *qiov, struct iovec *iov, int niov);
/* One buffer, no allocation. */
void qemu_iovec_init_buf(QEMUIOVector *qiov, void *buf, size_t len);
/* A new vector over @len bytes of @source from @offset on. */
void qemu_iovec_init_slice(QEMUIOVector *qiov, QEMUIOVector *source,
                           size_t offset, size_t len);
void qemu_iovec_destroy(QEMUIOVector *qiov);
/* Empties the vector, keeps its room.  Not for external vectors. */
void qemu_iovec_reset(QEMUIOVector *qiov);

void qemu_iovec_add(QEMUIOVector *qiov, void *base, size_t len);
/* Appends (without copying data) @sbytes bytes of @src from @soffset on. */
void qemu_iovec_concat(QEMUIOVector *dst, QEMUIOVector *src, size_t soffset,
                       size_t sbytes);
size_t qemu_iovec_concat_iov(QEMUIOVector *dst, struct iovec *src_iov,
                             unsigned int src_cnt, size_t soffset,
                             size_t sbytes);
/* Drops @bytes bytes at the end. */
void qemu_iovec_discard_back(QEMUIOVector *qiov, size_t bytes);

/*
 * qemu_iovec_slice: the elements that cover [offset, offset + len)
 * @head: receives the bytes of the first element before the range
 * @tail: receives the bytes of the last element after it
 * @niov: receives the number of elements
 */
struct iovec *qemu_iovec_slice(QEMUIOVector *qiov, size_t offset, size_t len,
                               size_t *head, size_t *tail, int *niov);

size_t qemu_iovec_to_buf(QEMUIOVector *qiov, size_t offset, void *buf,
                         size_t bytes);
size_t qemu_iovec_from_buf(QEMUIOVector *qiov, size_t offset, const void *buf,
                           size_t bytes);
size_t qemu_iovec_memset(QEMUIOVector *qiov, size_t offset, int fillc,
                         size_t bytes);
bool qemu_iovec_is_zero(QEMUIOVector *qiov, size_t offset, size_t bytes);
/* Offset of the first difference between vectors of the same shape, or -1. */
ssize_t qemu_iovec_compare(QEMUIOVector *a, QEMUIOVector *b);
/* Makes @dest a copy of @src's shape over memory at @buf. */
void qemu_iovec_clone(QEMUIOVector *dest, const QEMUIOVector *src, void *buf);

static inline void *qemu_iovec_buf(QEMUIOVector *qiov)
{
    /* Only for vectors made by qemu_iovec_init_buf(). */
    assert(qiov->nalloc == -1 && qiov->iov == &qiov->local_iov);
    return qiov->local_iov.iov_base;
}

AIOCTL_END_DECLS
#endif
