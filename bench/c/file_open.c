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

static void open_with(BenchFile *file, const char *path, int direct)
{
    struct stat st;
    int is_file;

    bench_require(path && stat(path, &st) == 0, "BENCH_FILE");
    is_file = S_ISREG(st.st_mode);
    direct = is_file ? direct : 0;
    file->fd = open(path, O_RDONLY | O_CLOEXEC | direct);
    file->buffers = aligned_alloc(FILE_BLOCK, FILE_BUFFERS_SIZE);
    bench_require(file->fd >= 0 && file->buffers, path);
    file->state = RANDOM_SEED;
    file->blocks = is_file ? (uint32_t)(st.st_size / FILE_BLOCK) : 1;
    bench_require(file->blocks > 0, "a file of at least one block");
}

void file_open(BenchFile *file, const char *path)
{
    open_with(file, path, O_DIRECT);
}

void file_open_hot(BenchFile *file, const char *path)
{
    open_with(file, path, 0);
    while (read(file->fd, file->buffers, FILE_BUFFERS_SIZE) > 0) {
    }
}

void file_close(BenchFile *file)
{
    close(file->fd);
    free(file->buffers);
}

int64_t file_next_offset(BenchFile *file)
{
    return (int64_t)(next_random(&file->state) % file->blocks) * FILE_BLOCK;
}
