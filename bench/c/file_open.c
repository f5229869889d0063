/*
 * file_open.c - the file that is read, and aligned memory
 */
#include "file.h"
#include "harness.h"
#include "random.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void open_with(BenchFile *file, const char *path, uint32_t block,
                      int direct)
{
    struct stat st;
    int is_file;

    bench_require(path && stat(path, &st) == 0, "BENCH_FILE");
    is_file = S_ISREG(st.st_mode);
    direct = is_file ? direct : 0;
    file->fd = open(path, O_RDONLY | O_CLOEXEC | direct);
    file->block = block;
    file->buffers_size =
        block * (block == FILE_BLOCK ? FILE_DEPTH_MAX : FILE_LARGE_DEPTH);
    file->buffers = aligned_alloc(FILE_BLOCK, file->buffers_size);
    bench_require(file->fd >= 0 && file->buffers, path);
    file->state = RANDOM_SEED;
    file->blocks = is_file ? (uint32_t)(st.st_size / block) : 1;
    bench_require(file->blocks > 0, "a file of at least one block");
}

void file_open(BenchFile *file, const char *path)
{
    open_with(file, path, FILE_BLOCK, O_DIRECT);
}

void file_open_large(BenchFile *file, const char *path)
{
    open_with(file, path, FILE_LARGE_BLOCK, O_DIRECT);
}

void file_open_hot(BenchFile *file, const char *path)
{
    open_with(file, path, FILE_BLOCK, 0);
    while (read(file->fd, file->buffers, file->buffers_size) > 0) {
    }
}

void file_close(BenchFile *file)
{
    close(file->fd);
    free(file->buffers);
}

int64_t file_next_offset(BenchFile *file)
{
    return (int64_t)(next_random(&file->state) % file->blocks) * file->block;
}
