/*
 * ring_files.c - the registered files of a ring
 *
 * The kernel looks a registered file up once instead of once per request.  Its
 * table is made with the first file; ring->files mirrors it, so that a rebuilt
 * ring gets the same files in the same slots.  A table of -1 is how every
 * kernel since 5.5 takes a sparse one.
 *
 * The table holds files open.  So whoever closes an fd gives up its slot first:
 * else the file would outlive its fd, locks and disk space included, and the
 * slot would stand for it when the number has become another file's.
 */
#include "loop/ring.h"

#ifdef CONFIG_LINUX_IO_URING

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { NO_FILE = -1, LOST_FILE = -2 };

/* The kernel takes no table that is longer than the limit of open files. */
static unsigned table_size(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
        limit.rlim_cur > RING_FILES_MAX) {
        return RING_FILES_MAX;
    }
    return (unsigned)limit.rlim_cur;
}

static int table_make(Ring *ring)
{
    int none[RING_FILES_MAX];
    int ret = 0;

    if (!ring->files_ready) {
        for (unsigned i = 0; i < ring->files_size; i++) {
            none[i] = NO_FILE;
        }
        ret = io_uring_register_files(&ring->uring, none, ring->files_size);
        ring->files_ready = ret == 0;
    }
    return ret;
}

static int table_set(Ring *ring, unsigned slot, int fd)
{
    int ret = io_uring_register_files_update(&ring->uring, slot, &fd, 1);

    return ret < 0 ? ret : 0;
}

/* Slot 0 is left out: in a request it means that there is none. */
static int make_mirror(Ring *ring)
{
    if (ring->files) {
        return 0;
    }
    ring->files_size = table_size();
    if (ring->files_size < 2) {
        return -EMFILE;
    }
    ring->files = check_calloc(ring->files_size, sizeof(*ring->files));
    for (unsigned i = 0; i < ring->files_size; i++) {
        ring->files[i] = NO_FILE;
    }
    ring->files_free = 1;
    return 0;
}

/* No slot below files_free is free. */
static int free_slot(Ring *ring)
{
    while (ring->files_free < ring->files_size &&
           ring->files[ring->files_free] != NO_FILE) {
        ring->files_free++;
    }
    return ring->files_free < ring->files_size ? (int)ring->files_free
                                               : -ENOSPC;
}

int ring_register_file(Ring *ring, int fd)
{
    int slot, ret;

    CHECK(fd >= 0);
    ring_ensure_mine(ring);
    ret = make_mirror(ring);
    slot = ret < 0 ? ret : free_slot(ring);
    if (slot < 0) {
        return slot;
    }
    ret = table_make(ring);
    if (ret == 0) {
        ret = table_set(ring, (unsigned)slot, fd);
    }
    if (ret < 0) {
        return ret;
    }
    ring->files[slot] = fd;
    return slot;
}

void ring_unregister_file(Ring *ring, int slot)
{
    CHECK(slot > 0 && ring->files && (unsigned)slot < ring->files_size);
    CHECKF(ring->files[slot] != NO_FILE,
           "slot %d of the registered files is not in use", slot);
    ring->files[slot] = NO_FILE;
    if ((unsigned)slot < ring->files_free) {
        ring->files_free = (unsigned)slot;
    }
    if (ring_is_mine(ring) && ring->files_ready) {
        table_set(ring, (unsigned)slot, NO_FILE);
    }
}

/* A file that cannot be had again keeps its slot, which no request uses. */
void ring_restore_files(Ring *ring)
{
    bool have_table = ring->files && table_make(ring) == 0;

    for (unsigned i = 1; i < ring->files_size; i++) {
        int *fd = &ring->files[i];

        if (*fd >= 0 && (!have_table || table_set(ring, i, *fd) < 0)) {
            *fd = LOST_FILE;
        }
    }
}
#endif
