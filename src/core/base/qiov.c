/*
 * base/qiov.c - QEMUIOVector
 *
 * size is always the sum of the lengths.  nalloc is the capacity of iov, or -1
 * when iov belongs to somebody else (the caller's array, or local_iov): then
 * nothing is added and nothing freed.
 */
#include "base/check.h"
#include "qemu/iov.h"

void qemu_iovec_init(QEMUIOVector *qiov, int alloc_hint)
{
    CHECKF(alloc_hint >= 0, "vector with room for %d elements", alloc_hint);
    qiov->iov = check_calloc((size_t)alloc_hint, sizeof(struct iovec));
    qiov->niov = 0;
    qiov->nalloc = alloc_hint;
    qiov->size = 0;
}

void qemu_iovec_init_external(QEMUIOVector *qiov, struct iovec *iov, int niov)
{
    CHECKF(niov >= 0, "vector of %d elements", niov);
    qiov->iov = iov;
    qiov->niov = niov;
    qiov->nalloc = -1;
    qiov->size = iov_size(iov, (unsigned int)niov);
}

void qemu_iovec_init_buf(QEMUIOVector *qiov, void *buf, size_t len)
{
    *qiov = (QEMUIOVector)QEMU_IOVEC_INIT_BUF(*qiov, buf, len);
}

void qemu_iovec_init_slice(QEMUIOVector *qiov, QEMUIOVector *source,
                           size_t offset, size_t len)
{
    size_t head, tail;
    int niov;
    qemu_iovec_slice(source, offset, len, &head, &tail, &niov);
    qemu_iovec_init(qiov, niov);
    qemu_iovec_concat(qiov, source, offset, len);
}

void qemu_iovec_destroy(QEMUIOVector *qiov)
{
    if (qiov->nalloc != -1) {
        free(qiov->iov);
    }
    memset(qiov, 0, sizeof(*qiov));
}

void qemu_iovec_reset(QEMUIOVector *qiov)
{
    CHECKF(qiov->nalloc != -1, "vector over the caller's array");
    qiov->niov = 0;
    qiov->size = 0;
}

void qemu_iovec_add(QEMUIOVector *qiov, void *base, size_t len)
{
    CHECKF(qiov->nalloc != -1, "vector over the caller's array");
    CHECK(qiov->niov < INT_MAX / 2);
    if (qiov->niov == qiov->nalloc) {
        qiov->nalloc = 2 * qiov->nalloc + 1;
        qiov->iov = check_realloc(qiov->iov,
                                  (size_t)qiov->nalloc * sizeof(struct iovec));
    }
    qiov->iov[qiov->niov].iov_base = base;
    qiov->iov[qiov->niov].iov_len = len;
    qiov->size += len;
    qiov->niov++;
}

size_t qemu_iovec_concat_iov(QEMUIOVector *dst, struct iovec *src_iov,
                             unsigned int src_cnt, size_t soffset,
                             size_t sbytes)
{
    size_t left = sbytes;
    for (unsigned int i = 0; i < src_cnt && left > 0; i++) {
        size_t len = src_iov[i].iov_len;
        if (soffset >= len) {
            soffset -= len;
            continue;
        }
        size_t piece = MIN(len - soffset, left);
        qemu_iovec_add(dst, (char *)src_iov[i].iov_base + soffset, piece);
        soffset = 0;
        left -= piece;
    }
    CHECKF(soffset == 0, "offset %zu bytes past the end", soffset);
    return sbytes - left;
}

void qemu_iovec_concat(QEMUIOVector *dst, QEMUIOVector *src, size_t soffset,
                       size_t sbytes)
{
    qemu_iovec_concat_iov(dst, src->iov, (unsigned int)src->niov, soffset,
                          sbytes);
}

void qemu_iovec_discard_back(QEMUIOVector *qiov, size_t bytes)
{
    unsigned int niov = (unsigned int)qiov->niov;
    CHECKF(bytes <= qiov->size, "dropping %zu of %zu bytes", bytes, qiov->size);
    qiov->size -= iov_discard_back(qiov->iov, &niov, bytes);
    qiov->niov = (int)niov;
}

struct iovec *qemu_iovec_slice(QEMUIOVector *qiov, size_t offset, size_t len,
                               size_t *head, size_t *tail, int *niov)
{
    struct iovec *first = qiov->iov, *last;
    CHECKF(offset <= qiov->size && len <= qiov->size - offset,
           "bytes [%zu, +%zu) of a vector of %zu", offset, len, qiov->size);
    *niov = 0;
    *tail = 0;
    while (offset > 0 && offset >= first->iov_len) {
        offset -= first->iov_len;
        first++;
    }
    *head = offset;
    len += offset;
    for (last = first; len > 0; last++) {
        *tail = last->iov_len > len ? last->iov_len - len : 0;
        len -= MIN(len, last->iov_len);
        (*niov)++;
    }
    return first;
}

size_t qemu_iovec_to_buf(QEMUIOVector *qiov, size_t offset, void *buf,
                         size_t bytes)
{
    return iov_to_buf(qiov->iov, (unsigned int)qiov->niov, offset, buf, bytes);
}

size_t qemu_iovec_from_buf(QEMUIOVector *qiov, size_t offset, const void *buf,
                           size_t bytes)
{
    return iov_from_buf(qiov->iov, (unsigned int)qiov->niov, offset, buf,
                        bytes);
}

size_t qemu_iovec_memset(QEMUIOVector *qiov, size_t offset, int fillc,
                         size_t bytes)
{
    return iov_memset(qiov->iov, (unsigned int)qiov->niov, offset, fillc,
                      bytes);
}

bool qemu_iovec_is_zero(QEMUIOVector *qiov, size_t offset, size_t bytes)
{
    size_t head, tail;
    int niov;
    struct iovec *iov =
        qemu_iovec_slice(qiov, offset, bytes, &head, &tail, &niov);
    for (int i = 0; i < niov; i++) {
        size_t skip = i == 0 ? head : 0;
        size_t cut = i == niov - 1 ? tail : 0;
        if (!buffer_is_zero((char *)iov[i].iov_base + skip,
                            iov[i].iov_len - skip - cut)) {
            return false;
        }
    }
    return true;
}

static size_t first_difference(const char *a, const char *b, size_t len)
{
    size_t i = 0;
    while (i < len && a[i] == b[i]) {
        i++;
    }
    return i;
}

ssize_t qemu_iovec_compare(QEMUIOVector *a, QEMUIOVector *b)
{
    size_t offset = 0;
    CHECK(a->niov == b->niov);
    for (int i = 0; i < a->niov; i++) {
        size_t len = a->iov[i].iov_len;
        CHECKF(len == b->iov[i].iov_len, "element %d has other lengths", i);
        size_t same =
            first_difference(a->iov[i].iov_base, b->iov[i].iov_base, len);
        if (same < len) {
            return (ssize_t)(offset + same);
        }
        offset += len;
    }
    return -1;
}

void qemu_iovec_clone(QEMUIOVector *dest, const QEMUIOVector *src, void *buf)
{
    char *p = buf;
    for (int i = 0; i < src->niov; i++) {
        qemu_iovec_add(dest, p, src->iov[i].iov_len);
        p += src->iov[i].iov_len;
    }
}
