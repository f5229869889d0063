/*
 * trace.c - writes Chrome's trace event format: a JSON array, an event a line
 *
 * Each event is formatted on the stack and written by one fwrite(), which locks
 * the stream; so threads may trace at the same time, and a file that was cut
 * short (the program was killed) is still read by the viewers, which do not
 * insist on the closing bracket.
 *
 * Rule: every "B" of a thread gets its "E" in the same thread.
 */
#include "trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "qemu/atomic.h"

enum { BUFFER_SIZE = 1 << 20, EVENT_MAX = 1024, NAME_MAX_BYTES = 512 };

bool trace_on;

static FILE *trace_file;
static char *trace_path;
static uint64_t trace_ids;
static int trace_errno; /* of the first event that was lost */

static void lost(void)
{
    int none = 0;

    __atomic_compare_exchange_n(&trace_errno, &none, errno, false,
                                __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static __attribute__((format(printf, 1, 2))) void write_event(const char *fmt,
                                                              ...)
{
    char event[EVENT_MAX];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(event, sizeof(event), fmt, ap);
    va_end(ap);
    if (n > 0 && fwrite(event, 1, (size_t)n, trace_file) != (size_t)n) {
        lost();
    }
}

/* As the inside of a JSON string; too long ones are cut. */
static const char *escape(const char *text, char *out)
{
    size_t n = 0;

    for (; *text && n < NAME_MAX_BYTES - 7; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\') {
            out[n++] = '\\';
            out[n++] = *text;
        } else if (c < ' ') {
            n += (size_t)snprintf(out + n, 7, "\\u%04x", c);
        } else {
            out[n++] = *text;
        }
    }
    out[n] = '\0';
    return out;
}

/* ---- opening and closing ------------------------------------------------ */

static void write_metadata(void)
{
    write_event("[\n{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%d,"
                "\"tid\":%d,\"args\":{\"name\":\"aioctl\"}}",
                (int)getpid(), (int)gettid());
}

bool trace_open(const char *path, Error **errp)
{
    trace_file = fopen(path, "we");
    if (!trace_file) {
        error_setg_errno(errp, errno, "--trace: cannot write %s", path);
        return false;
    }
    setvbuf(trace_file, NULL, _IOFBF, BUFFER_SIZE);
    trace_path = strdup(path);
    trace_errno = 0;
    write_metadata();
    trace_on = true;
    return true;
}

bool trace_close(Error **errp)
{
    if (!trace_on) {
        return true;
    }
    trace_on = false;
    write_event("\n]\n");
    if (fclose(trace_file) != 0) {
        lost();
    }
    trace_file = NULL;
    if (trace_errno) {
        error_setg_errno(errp, trace_errno, "--trace: %s is not complete",
                         trace_path);
    }
    free(trace_path);
    trace_path = NULL;
    return trace_errno == 0;
}

/* ---- events ------------------------------------------------------------- */

static double microseconds(int64_t ns)
{
    return (double)ns / 1000;
}

void trace_begin(const char *category, const char *name)
{
    char escaped[NAME_MAX_BYTES];

    write_event(",\n{\"ph\":\"B\",\"cat\":\"%s\",\"name\":\"%s\",\"ts\":%.3f,"
                "\"pid\":%d,\"tid\":%d}",
                category, escape(name, escaped),
                microseconds(clock_monotonic_ns()), (int)getpid(),
                (int)gettid());
}

void trace_end(void)
{
    write_event(",\n{\"ph\":\"E\",\"ts\":%.3f,\"pid\":%d,\"tid\":%d}",
                microseconds(clock_monotonic_ns()), (int)getpid(),
                (int)gettid());
}

void trace_slice(const char *category, const char *name, int64_t start_ns,
                 int64_t ns)
{
    write_event(",\n{\"ph\":\"X\",\"cat\":\"%s\",\"name\":\"%s\",\"ts\":%.3f,"
                "\"dur\":%.3f,\"pid\":%d,\"tid\":%d}",
                category, name, microseconds(start_ns), microseconds(ns),
                (int)getpid(), (int)gettid());
}

uint64_t trace_async_begin(const char *category, const char *name, int fd,
                           int64_t offset, int64_t length)
{
    uint64_t id = __atomic_add_fetch(&trace_ids, 1, __ATOMIC_RELAXED);

    write_event(
        ",\n{\"ph\":\"b\",\"cat\":\"%s\",\"name\":\"%s\",\"id\":%" PRIu64
        ",\"ts\":%.3f,\"pid\":%d,\"tid\":%d,\"args\":{\"fd\":%d,"
        "\"offset\":%" PRId64 ",\"length\":%" PRId64 "}}",
        category, name, id, microseconds(clock_monotonic_ns()), (int)getpid(),
        (int)gettid(), fd, offset, length);
    return id;
}

void trace_async_end(const char *category, const char *name, uint64_t id,
                     int64_t result)
{
    write_event(
        ",\n{\"ph\":\"e\",\"cat\":\"%s\",\"name\":\"%s\",\"id\":%" PRIu64
        ",\"ts\":%.3f,\"pid\":%d,\"tid\":%d,\"args\":{\"result\":%" PRId64 "}}",
        category, name, id, microseconds(clock_monotonic_ns()), (int)getpid(),
        (int)gettid(), result);
}
