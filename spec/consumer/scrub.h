/*
 * scrub.h - the disk of the scrubber, and its job
 */
#ifndef SCRUB_H
#define SCRUB_H

#include "block/aio.h"
#include "block/raw-aio.h"
#include "block/thread-pool.h"
#include "qemu/coroutine.h"
#include "qemu/osdep.h"

#define SCRUB_CHUNK (64 * KiB)
#define SCRUB_CHUNKS 64
#define SCRUB_ALIGN 4096

/* A disk whose every chunk starts with a header that has its checksum. */
typedef struct ScrubDisk {
    int fd;
    AioContext *ctx;
    const struct ScrubDriver *drv;
    CoRwlock layout; /* writers change the size or many chunks at once */
    QTAILQ_ENTRY(ScrubDisk) next;
} ScrubDisk;

typedef struct ScrubDriver {
    const char *name;
    bool (*open)(ScrubDisk *disk, Error **errp);
    int coroutine_fn (*co_rw)(ScrubDisk *disk, uint64_t offset,
                              QEMUIOVector *qiov, int type);
    int coroutine_fn (*co_flush)(ScrubDisk *disk);
    void (*plug)(ScrubDisk *disk);
    void (*unplug)(ScrubDisk *disk);
} ScrubDriver;

extern const ScrubDriver scrub_drivers[3];

/* The disk takes @fd over, but for failure. */
ScrubDisk *scrub_disk_open(int fd, AioContext *ctx, const ScrubDriver *drv,
                           Error **errp);
void scrub_disk_close(ScrubDisk *disk);

void scrub_chunk_fill(void *chunk, unsigned index);
bool scrub_chunk_is_good(const void *chunk, unsigned index);

typedef struct ScrubStats {
    unsigned checked, repaired, errors;
    unsigned in_flight, in_flight_max;
} ScrubStats;

typedef struct ScrubJob ScrubJob;

/*
 * Scrubs @disk with @workers coroutines, no more than @depth requests in
 * flight, @pause_ns between chunks.  @cb gets 0, -ECANCELED or an error.
 */
typedef struct ScrubOptions {
    unsigned workers, depth;
    int64_t pause_ns;
} ScrubOptions;

BlockAIOCB *scrub_start(ScrubDisk *disk, const ScrubOptions *opts,
                        ScrubStats *stats, BlockCompletionFunc *cb,
                        void *opaque);

#endif
