/*
 * embedded.h - the Lua scripts that are part of the executable
 *
 * cmake/embed.cmake writes the table: one row per file under scripts/, sorted
 * by path, ended by a row whose path is NULL.  "copy.lua" is a command,
 * "aio/sync.lua" a module.
 */
#ifndef EMBEDDED_H
#define EMBEDDED_H

#include <stddef.h>

typedef struct AioctlEmbedded {
    const char *path; /* relative to scripts/ */
    const unsigned char *data;
    size_t size;
} AioctlEmbedded;

extern const AioctlEmbedded aioctl_embedded[];

#endif
