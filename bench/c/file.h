/*
 * file.h - what both sides of the file benchmarks read, and into what
 */
#ifndef BENCH_FILE_H
#define BENCH_FILE_H

#include <stdint.h>

enum {
    FILE_BLOCK = 4096,
    FILE_DEPTH_MAX = 128,
    FILE_BUFFERS_SIZE = FILE_BLOCK * FILE_DEPTH_MAX,
    FILE_LARGE_BLOCK = 1 << 20,
    FILE_LARGE_DEPTH = 16,
};

typedef struct BenchFile {
    int fd;
    int slot; /* of the registered buffers */
    uint32_t blocks;
    uint32_t state;
    uint32_t block;
    uint32_t buffers_size;
    char *buffers; /* one block for each request */
} BenchFile;

/* @path must not be NULL; O_DIRECT if it is a file. */
void file_open(BenchFile *file, const char *path);
/* The same with blocks of FILE_LARGE_BLOCK. */
void file_open_large(BenchFile *file, const char *path);
/* The same as file_open() without O_DIRECT, after reading all of it into the
 * page cache. */
void file_open_hot(BenchFile *file, const char *path);
void file_close(BenchFile *file);

/* A random block's. */
int64_t file_next_offset(BenchFile *file);

#endif
