/*
 * iov_test.c - scatter/gather lists against plain memory
 */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "qemu/iov.h"

static char memory[64];

/* 64 bytes in pieces of 5, 0, 1, 20, 30 and 8. */
static void make_pieces(struct iovec *iov)
{
    static const size_t lengths[6] = {5, 0, 1, 20, 30, 8};
    char *p = memory;
    for (int i = 0; i < 6; i++) {
        iov[i].iov_base = p;
        iov[i].iov_len = lengths[i];
        p += lengths[i];
    }
}

TEST(every_range_copies_as_plain_memory_does)
{
    struct iovec iov[6];
    char in[64], out[64], expected[64];
    make_pieces(iov);
    ASSERT_EQ(iov_size(iov, 6), 64);
    for (int i = 0; i < 64; i++) {
        in[i] = (char)(i + 1);
    }
    for (size_t from = 0; from <= 64; from++) {
        for (size_t n = 0; n <= 70; n++) {
            size_t fits = n < 64 - from ? n : 64 - from;
            size_t ask = n > 64 ? 64 : n;
            memset(memory, 0, 64);
            memset(expected, 0, 64);
            ASSERT_EQ(iov_from_buf(iov, 6, from, in, ask),
                      fits < ask ? fits : ask);
            memcpy(expected + from, in, fits);
            ASSERT_EQ(memcmp(memory, expected, 64), 0);
            memset(out, 0, 64);
            ASSERT_EQ(iov_to_buf(iov, 6, from, out, ask), fits);
            ASSERT_EQ(memcmp(out, in, fits), 0);
            ASSERT_EQ(iov_memset(iov, 6, from, 'z', n), fits);
            memset(expected + from, 'z', fits);
            ASSERT_EQ(memcmp(memory, expected, 64), 0);
        }
    }
}

TEST(discarding_shortens_at_either_end)
{
    struct iovec iov[6], *p = iov;
    unsigned cnt = 6;
    make_pieces(iov);
    ASSERT_EQ(iov_discard_front(&p, &cnt, 10), 10);
    ASSERT_EQ(cnt, 3);
    ASSERT_PTR_EQ(p->iov_base, memory + 10);
    ASSERT_EQ(p->iov_len, 16);
    ASSERT_EQ(iov_discard_back(p, &cnt, 9), 9);
    ASSERT_EQ(cnt, 2);
    ASSERT_EQ(iov_size(p, cnt), 45);
    ASSERT_EQ(iov_discard_front(&p, &cnt, 1000), 45);
    ASSERT_EQ(cnt, 0);
    ASSERT_EQ(iov_discard_back(p, &cnt, 1), 0);
}

TEST(a_copied_description_covers_the_range)
{
    struct iovec iov[6], part[6];
    make_pieces(iov);
    unsigned n = iov_copy(part, 6, iov, 6, 4, 30);
    ASSERT_EQ(iov_size(part, n), 30);
    ASSERT_PTR_EQ(part[0].iov_base, memory + 4);
    ASSERT_EQ(iov_copy(part, 1, iov, 6, 4, 30), 1);
}

TEST(a_vector_grows_concatenates_and_slices)
{
    QEMUIOVector a, b, slice;
    size_t head, tail;
    int niov;
    qemu_iovec_init(&a, 0);
    for (int i = 0; i < 8; i++) {
        qemu_iovec_add(&a, memory + 8 * i, 8);
    }
    ASSERT_EQ(a.size, 64);
    struct iovec *iov = qemu_iovec_slice(&a, 12, 30, &head, &tail, &niov);
    ASSERT_PTR_EQ(iov, a.iov + 1);
    ASSERT_EQ(head, 4);
    ASSERT_EQ(tail, 6);
    ASSERT_EQ(niov, 5);
    qemu_iovec_init_slice(&slice, &a, 12, 30);
    ASSERT_EQ(slice.size, 30);
    ASSERT_EQ(slice.niov, 5);
    ASSERT_PTR_EQ(slice.iov[0].iov_base, memory + 12);
    qemu_iovec_slice(&a, 64, 0, &head, &tail, &niov);
    ASSERT_EQ(niov, 0);
    qemu_iovec_init(&b, 1);
    qemu_iovec_concat(&b, &slice, 2, 1000);
    ASSERT_EQ(b.size, 28);
    qemu_iovec_discard_back(&b, 20);
    ASSERT_EQ(b.size, 8);
    ASSERT_EQ(iov_size(b.iov, (unsigned)b.niov), 8);
    qemu_iovec_reset(&b);
    ASSERT_EQ(b.size + (size_t)b.niov, 0);
    qemu_iovec_destroy(&slice);
    qemu_iovec_destroy(&b);
    qemu_iovec_destroy(&a);
}

TEST(zero_and_compare_find_the_first_other_byte)
{
    static char twin[64];
    QEMUIOVector a, b, buf = QEMU_IOVEC_INIT_BUF(buf, memory, 64);
    ASSERT_PTR_EQ(qemu_iovec_buf(&buf), memory);
    qemu_iovec_init(&a, 4);
    for (int i = 0; i < 4; i++) {
        qemu_iovec_add(&a, memory + 16 * i, 16);
    }
    qemu_iovec_init(&b, 4);
    qemu_iovec_clone(&b, &a, twin);
    ASSERT_EQ(qemu_iovec_compare(&a, &b), -1);
    for (size_t i = 0; i < 64; i++) {
        memset(memory, 0, 64);
        memory[i] = 1;
        ASSERT_EQ(qemu_iovec_compare(&a, &b), i);
        ASSERT(!buffer_is_zero(memory, 64));
        ASSERT(!qemu_iovec_is_zero(&buf, 0, 64));
        ASSERT(!qemu_iovec_is_zero(&a, i, 1));
        ASSERT(qemu_iovec_is_zero(&a, 0, i));
        ASSERT(qemu_iovec_is_zero(&a, i + 1, 63 - i));
    }
    ASSERT_EQ(qemu_iovec_memset(&a, 1, 7, 100), 63);
    ASSERT_EQ(qemu_iovec_to_buf(&a, 0, twin, 64), 64);
    ASSERT_EQ(memcmp(twin, memory, 64), 0);
    qemu_iovec_destroy(&a);
    qemu_iovec_destroy(&b);
}

/* Vectors of 10, 0, 20 and 34 bytes over the 64 of memory. */
static void four_pieces(struct iovec iov[4])
{
    static const size_t at[5] = {0, 10, 10, 30, 64};

    for (int i = 0; i < 4; i++) {
        iov[i] = (struct iovec){memory + at[i], at[i + 1] - at[i]};
    }
}

TEST(what_was_discarded_at_the_front_can_be_put_back)
{
    for (size_t bytes = 0; bytes <= 70; bytes++) {
        struct iovec iov[4], saved[4], *start = iov;
        unsigned n = 4;
        IOVDiscardUndo undo;

        four_pieces(iov);
        memcpy(saved, iov, sizeof(iov));
        ASSERT_EQ(iov_discard_front_undoable(&start, &n, bytes, &undo),
                  MIN(bytes, (size_t)64));
        ASSERT_EQ(iov_size(start, n), 64 - MIN(bytes, (size_t)64));
        if (n > 0) {
            ASSERT_PTR_EQ(start[0].iov_base, memory + bytes);
        }
        iov_discard_undo(&undo);
        ASSERT_EQ(memcmp(saved, iov, sizeof(iov)), 0);
        iov_discard_undo(&undo);
        ASSERT_EQ(memcmp(saved, iov, sizeof(iov)), 0);
    }
}

TEST(what_was_discarded_at_the_back_can_be_put_back)
{
    for (size_t bytes = 0; bytes <= 70; bytes++) {
        struct iovec iov[4], saved[4];
        unsigned n = 4;
        IOVDiscardUndo undo;

        four_pieces(iov);
        memcpy(saved, iov, sizeof(iov));
        ASSERT_EQ(iov_discard_back_undoable(iov, &n, bytes, &undo),
                  MIN(bytes, (size_t)64));
        ASSERT_EQ(iov_size(iov, n), 64 - MIN(bytes, (size_t)64));
        iov_discard_undo(&undo);
        ASSERT_EQ(memcmp(saved, iov, sizeof(iov)), 0);
    }
}

TEST(vectors_are_sent_and_received_from_any_offset)
{
    static char twin[64];
    struct iovec iov[4], to = {twin, sizeof(twin)};
    int fds[2];

    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    for (int i = 0; i < 64; i++) {
        memory[i] = (char)i;
    }
    four_pieces(iov);
    ASSERT_EQ(iov_recv(fds[1], &to, 1, 0, 64), -1);
    ASSERT_EQ(errno, EAGAIN);
    ASSERT_EQ(iov_send(fds[0], iov, 4, 5, 30), 30);
    ASSERT_EQ(iov_recv(fds[1], &to, 1, 4, 60), 30);
    ASSERT_EQ(memcmp(twin + 4, memory + 5, 30), 0);
    ASSERT_EQ(iov_send(fds[0], iov, 4, 60, 100), 4);
    close(fds[0]);
    ASSERT_EQ(iov_recv(fds[1], &to, 1, 0, 64), 4);
    ASSERT_EQ(iov_recv(fds[1], &to, 1, 0, 64), 0);
    ASSERT_EQ(iov_send(fds[1], iov, 4, 0, 64), -1);
    ASSERT_EQ(errno, EPIPE);
    close(fds[1]);
}

TEST(a_full_socket_takes_a_part_of_the_vector)
{
    size_t size = 4 << 20;
    char *big = calloc(1, size);
    struct iovec iov = {big, size};
    int fds[2];

    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    ssize_t sent = iov_send(fds[0], &iov, 1, 0, size);
    ASSERT_CMP(sent, >, 0);
    ASSERT_CMP(sent, <, size);
    ASSERT_EQ(iov_recv(fds[1], &iov, 1, 0, size), sent);
    close(fds[0]);
    close(fds[1]);
    free(big);
}

TEST(a_vector_over_the_callers_array_reads_writes_and_is_not_freed)
{
    static char twin[64];
    struct iovec iov[4];
    QEMUIOVector qiov, slice;

    four_pieces(iov);
    qemu_iovec_init_external(&qiov, iov, 4);
    ASSERT_EQ(qiov.size, 64);
    memset(twin, 'x', sizeof(twin));
    ASSERT_EQ(qemu_iovec_from_buf(&qiov, 8, twin, 30), 30);
    ASSERT_EQ(memcmp(memory + 8, twin, 30), 0);
    qemu_iovec_init_slice(&slice, &qiov, 9, 20);
    ASSERT_EQ(slice.size, 20);
    qemu_iovec_memset(&slice, 0, 'y', 20);
    ASSERT_EQ(memory[8], 'x');
    ASSERT_EQ(memory[9], 'y');
    ASSERT_EQ(memory[28], 'y');
    ASSERT_EQ(memory[29], 'x');
    qemu_iovec_destroy(&slice);
    qemu_iovec_destroy(&qiov);
    ASSERT_PTR_EQ(iov[0].iov_base, memory);
}

TEST(one_other_byte_anywhere_is_not_zero)
{
    char buf[200];

    for (size_t len = 1; len <= sizeof(buf); len += 7) {
        for (size_t i = 0; i < len; i++) {
            memset(buf, 0, sizeof(buf));
            ASSERT(buffer_is_zero(buf, len));
            buf[i] = 1;
            ASSERT(!buffer_is_zero(buf, len));
        }
    }
    ASSERT(buffer_is_zero(buf, 0));
}

static void slice_beyond(void *opaque)
{
    size_t head, tail;
    int niov;
    QEMUIOVector buf = QEMU_IOVEC_INIT_BUF(buf, memory, 64);
    qemu_iovec_slice(&buf, 60, 5, &head, &tail, &niov);
}

static void add_to_external(void *opaque)
{
    QEMUIOVector buf = QEMU_IOVEC_INIT_BUF(buf, memory, 64);
    qemu_iovec_add(&buf, memory, 1);
}

TEST(ranges_beyond_the_end_abort)
{
    ASSERT_ABORTS(slice_beyond, NULL, "bytes [60, +5) of a vector of 64");
    ASSERT_ABORTS(add_to_external, NULL, "the caller's array");
}
