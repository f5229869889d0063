/*
 * base/check.c - the reports of CHECK(), and allocation that does not fail
 *
 * The report is built in one buffer and written with one write(2): it works in
 * signal handlers and on a nearly exhausted stack, and lines of two threads do
 * not mix.  These are the core's only words on stderr: the process is dying.
 */
#include "base/check.h"

const char *check_short_path(const char *file)
{
    const char *start = file, *p;
    for (p = file; *p; p++) {
        if (*p == '/') {
            const char *q = strchr(p + 1, '/');
            if (q && !strchr(q + 1, '/')) {
                start = p + 1;
            }
        }
    }
    return start;
}

static void report_and_abort(const char *file, int line, const char *cond,
                             const char *message)
{
    char buf[1024];
    int n = snprintf(
        buf, sizeof(buf) - 1, "aioctl: %s:%d: CHECK(%s) failed%s%s",
        check_short_path(file), line, cond, *message ? ": " : "", message);
    if (n > (int)sizeof(buf) - 2) {
        n = sizeof(buf) - 2;
    }
    buf[n++] = '\n';
    if (write(STDERR_FILENO, buf, (size_t)n) < 0) {
        /* Nowhere to report to. */
    }
    abort();
}

void check_failed(const char *file, int line, const char *cond)
{
    report_and_abort(file, line, cond, "");
    __builtin_unreachable();
}

void check_failedf(const char *file, int line, const char *cond,
                   const char *fmt, ...)
{
    char message[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    report_and_abort(file, line, cond, message);
    __builtin_unreachable();
}

static void *allocated(void *ptr, size_t size)
{
    CHECKF(ptr, "out of memory allocating %zu bytes", size);
    return ptr;
}

void *check_malloc(size_t size)
{
    return allocated(malloc(size ? size : 1), size);
}

void *check_calloc(size_t n, size_t size)
{
    bool empty = n == 0 || size == 0;
    return allocated(calloc(empty ? 1 : n, empty ? 1 : size), n * size);
}

void *check_realloc(void *ptr, size_t size)
{
    return allocated(realloc(ptr, size ? size : 1), size);
}

char *check_strdup(const char *s)
{
    return allocated(strdup(s), strlen(s) + 1);
}
