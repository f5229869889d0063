/*
 * base/iov.c - operations on arrays of struct iovec
 *
 * Everything that walks bytes goes through one cursor: position on an element,
 * then take the largest piece that lies in it.
 */
#include "qemu/iov.h"

#include "base/check.h"

typedef struct IovCursor {
    const struct iovec *iov, *end;
    size_t offset; /* into *iov */
    size_t left;   /* bytes still wanted */
} IovCursor;

static IovCursor cursor_at(const struct iovec *iov, unsigned int iov_cnt,
                           size_t offset, size_t bytes)
{
    IovCursor c = {.iov = iov, .end = iov + iov_cnt, .left = bytes};
    while (c.iov < c.end && offset >= c.iov->iov_len) {
        offset -= c.iov->iov_len;
        c.iov++;
    }
    CHECKF(c.iov < c.end || offset == 0, "offset %zu bytes past the end",
           offset);
    c.offset = offset;
    return c;
}

/* The next piece, or false when the range or the vector is exhausted. */
static bool cursor_next(IovCursor *c, struct iovec *piece)
{
    if (c->left == 0 || c->iov == c->end) {
        return false;
    }
    piece->iov_base = (char *)c->iov->iov_base + c->offset;
    piece->iov_len = MIN(c->iov->iov_len - c->offset, c->left);
    c->left -= piece->iov_len;
    c->offset = 0;
    c->iov++;
    return true;
}

size_t iov_size(const struct iovec *iov, unsigned int iov_cnt)
{
    size_t size = 0;
    for (unsigned int i = 0; i < iov_cnt; i++) {
        size += iov[i].iov_len;
    }
    return size;
}

size_t iov_from_buf(const struct iovec *iov, unsigned int iov_cnt,
                    size_t offset, const void *buf, size_t bytes)
{
    IovCursor c = cursor_at(iov, iov_cnt, offset, bytes);
    const char *src = buf;
    struct iovec piece;
    while (cursor_next(&c, &piece)) {
        memcpy(piece.iov_base, src, piece.iov_len);
        src += piece.iov_len;
    }
    return bytes - c.left;
}

size_t iov_to_buf(const struct iovec *iov, unsigned int iov_cnt, size_t offset,
                  void *buf, size_t bytes)
{
    IovCursor c = cursor_at(iov, iov_cnt, offset, bytes);
    char *dst = buf;
    struct iovec piece;
    while (cursor_next(&c, &piece)) {
        memcpy(dst, piece.iov_base, piece.iov_len);
        dst += piece.iov_len;
    }
    return bytes - c.left;
}

size_t iov_memset(const struct iovec *iov, unsigned int iov_cnt, size_t offset,
                  int fillc, size_t bytes)
{
    IovCursor c = cursor_at(iov, iov_cnt, offset, bytes);
    struct iovec piece;
    while (cursor_next(&c, &piece)) {
        memset(piece.iov_base, fillc, piece.iov_len);
    }
    return bytes - c.left;
}

unsigned int iov_copy(struct iovec *dst_iov, unsigned int dst_iov_cnt,
                      const struct iovec *iov, unsigned int iov_cnt,
                      size_t offset, size_t bytes)
{
    IovCursor c = cursor_at(iov, iov_cnt, offset, bytes);
    struct iovec piece;
    unsigned int n = 0;
    while (n < dst_iov_cnt && cursor_next(&c, &piece)) {
        dst_iov[n++] = piece;
    }
    return n;
}

size_t iov_discard_front(struct iovec **iov, unsigned int *iov_cnt,
                         size_t bytes)
{
    size_t left = bytes;
    while (*iov_cnt > 0 && left >= (*iov)->iov_len) {
        left -= (*iov)->iov_len;
        (*iov)++;
        (*iov_cnt)--;
    }
    if (*iov_cnt > 0) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + left;
        (*iov)->iov_len -= left;
        left = 0;
    }
    return bytes - left;
}

size_t iov_discard_back(struct iovec *iov, unsigned int *iov_cnt, size_t bytes)
{
    size_t left = bytes;
    while (*iov_cnt > 0 && left >= iov[*iov_cnt - 1].iov_len) {
        left -= iov[*iov_cnt - 1].iov_len;
        (*iov_cnt)--;
    }
    if (*iov_cnt > 0) {
        iov[*iov_cnt - 1].iov_len -= left;
        left = 0;
    }
    return bytes - left;
}

/* Whole elements are stepped over; one at most is changed in place. */
static void note(IOVDiscardUndo *undo, struct iovec *iov)
{
    undo->modified_iov = iov;
    undo->orig = *iov;
}

size_t iov_discard_front_undoable(struct iovec **iov, unsigned int *iov_cnt,
                                  size_t bytes, IOVDiscardUndo *undo)
{
    size_t size = iov_size(*iov, *iov_cnt);
    IovCursor c = cursor_at(*iov, *iov_cnt, MIN(bytes, size), 0);

    undo->modified_iov = NULL;
    if (c.iov < c.end) {
        note(undo, *iov + (c.iov - *iov));
    }
    return iov_discard_front(iov, iov_cnt, bytes);
}

size_t iov_discard_back_undoable(struct iovec *iov, unsigned int *iov_cnt,
                                 size_t bytes, IOVDiscardUndo *undo)
{
    size_t size = iov_size(iov, *iov_cnt);

    undo->modified_iov = NULL;
    if (bytes < size) {
        IovCursor c = cursor_at(iov, *iov_cnt, size - bytes - 1, 1);
        note(undo, iov + (c.iov - iov));
    }
    return iov_discard_back(iov, iov_cnt, bytes);
}

void iov_discard_undo(IOVDiscardUndo *undo)
{
    if (undo->modified_iov) {
        *undo->modified_iov = undo->orig;
        undo->modified_iov = NULL;
    }
}

bool buffer_is_zero(const void *buf, size_t len)
{
    const unsigned char *p = buf;
    uint64_t words[8];
    /* Most data differ from zero early: look at both ends first. */
    if (len == 0) {
        return true;
    }
    if (p[0] | p[len - 1] | p[len / 2]) {
        return false;
    }
    for (; len >= sizeof(words); p += sizeof(words), len -= sizeof(words)) {
        memcpy(words, p, sizeof(words));
        if (words[0] | words[1] | words[2] | words[3] | words[4] | words[5] |
            words[6] | words[7]) {
            return false;
        }
    }
    for (; len > 0; p++, len--) {
        if (*p) {
            return false;
        }
    }
    return true;
}
