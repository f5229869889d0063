/*
 * base/error.c - Error objects
 *
 * &error_abort and &error_fatal are recognised by address; the variables
 * themselves are always NULL.  An error is set at most once: setting it over
 * another one is a programmer error and aborts with the first message.
 * Setters keep errno, so that a caller may report and then return -errno.
 */
#include "qapi/error.h"

#include "base/check.h"

struct Error {
    char *msg;
    char *hint;
    const char *src;
    const char *func;
    int line;
    int os_errno;
};

Error *error_abort;
Error *error_fatal;

/* printf into new memory. */
static char *format_text(const char *fmt, va_list ap)
{
    char *text = NULL;
    int n = vasprintf(&text, fmt, ap);
    CHECKF(n >= 0, "out of memory formatting a message");
    return text;
}

/* @head with @tail after it; @head is freed. */
static char *append_text(char *head, const char *tail)
{
    size_t used = head ? strlen(head) : 0, more = strlen(tail);
    head = check_realloc(head, used + more + 1);
    memcpy(head + used, tail, more + 1);
    return head;
}

static void write_report(const char *prefix, const Error *err)
{
    fprintf(stderr, "%s%s\n", prefix, err->msg);
    if (err->hint) {
        fputs(err->hint, stderr);
    }
}

/* @err reached one of the two receivers that end the program. */
static void end_program_if_asked(Error **errp, Error *err)
{
    if (errp == &error_abort) {
        fprintf(stderr, "Unexpected error in %s() at %s:%d:\n", err->func,
                check_short_path(err->src), err->line);
        write_report("", err);
        abort();
    }
    if (errp == &error_fatal) {
        write_report("", err);
        exit(1);
    }
}

static void set_error(Error **errp, Error origin, const char *fmt, va_list ap)
{
    int saved_errno = errno;
    if (!errp) {
        return;
    }
    CHECKF(!*errp, "%s() sets an error over \"%s\"", origin.func, (*errp)->msg);
    Error *err = check_malloc(sizeof(*err));
    *err = origin;
    err->msg = format_text(fmt, ap);
    if (err->os_errno) {
        err->msg = append_text(err->msg, ": ");
        err->msg = append_text(err->msg, strerror(err->os_errno));
    }
    end_program_if_asked(errp, err);
    *errp = err;
    errno = saved_errno;
}

void error_setg_internal(Error **errp, const char *src, int line,
                         const char *func, const char *fmt, ...)
{
    Error origin = {.src = src, .line = line, .func = func};
    va_list ap;
    va_start(ap, fmt);
    set_error(errp, origin, fmt, ap);
    va_end(ap);
}

void error_setg_errno_internal(Error **errp, const char *src, int line,
                               const char *func, int os_error, const char *fmt,
                               ...)
{
    Error origin = {.src = src, .line = line, .func = func};
    va_list ap;
    origin.os_errno = os_error < 0 ? -os_error : os_error;
    va_start(ap, fmt);
    set_error(errp, origin, fmt, ap);
    va_end(ap);
}

const char *error_get_pretty(const Error *err)
{
    return err->msg;
}

int error_get_errno(const Error *err)
{
    return err->os_errno;
}

const char *error_get_hint(const Error *err)
{
    return err->hint;
}

void error_get_origin(const Error *err, const char **src, int *line,
                      const char **func)
{
    if (src) {
        *src = err->src;
    }
    if (line) {
        *line = err->line;
    }
    if (func) {
        *func = err->func;
    }
}

void error_propagate(Error **dst_errp, Error *local_err)
{
    if (!local_err) {
        return;
    }
    end_program_if_asked(dst_errp, local_err);
    if (dst_errp && !*dst_errp) {
        *dst_errp = local_err;
    } else {
        error_free(local_err);
    }
}

void error_propagate_prepend(Error **dst_errp, Error *local_err,
                             const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    error_vprepend(&local_err, fmt, ap);
    va_end(ap);
    error_propagate(dst_errp, local_err);
}

void error_vprepend(Error *const *errp, const char *fmt, va_list ap)
{
    if (errp && *errp) {
        char *old = (*errp)->msg;
        (*errp)->msg = append_text(format_text(fmt, ap), old);
        free(old);
    }
}

void error_prepend(Error *const *errp, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    error_vprepend(errp, fmt, ap);
    va_end(ap);
}

void error_append_hint(Error *const *errp, const char *fmt, ...)
{
    int saved_errno = errno;
    va_list ap;
    if (!errp || !*errp) {
        return;
    }
    va_start(ap, fmt);
    char *text = format_text(fmt, ap);
    va_end(ap);
    (*errp)->hint = append_text((*errp)->hint, text);
    free(text);
    errno = saved_errno;
}

Error *error_copy(const Error *err)
{
    Error *copy = check_malloc(sizeof(*copy));
    *copy = *err;
    copy->msg = check_strdup(err->msg);
    copy->hint = err->hint ? check_strdup(err->hint) : NULL;
    return copy;
}

void error_free(Error *err)
{
    if (err) {
        free(err->msg);
        free(err->hint);
        free(err);
    }
}

void error_free_or_abort(Error **errp)
{
    CHECK(errp && *errp);
    error_free(*errp);
    *errp = NULL;
}

/* Prints prefix (printf), message and hint; frees @err. */
static void vreport(Error *err, const char *kind, const char *fmt, va_list ap)
{
    char *text = format_text(fmt, ap);
    char *prefix = append_text(check_strdup(kind), text);
    write_report(prefix, err);
    free(prefix);
    free(text);
    error_free(err);
}

void error_reportf_err(Error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vreport(err, "", fmt, ap);
    va_end(ap);
}

void warn_reportf_err(Error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vreport(err, "warning: ", fmt, ap);
    va_end(ap);
}

void error_report_err(Error *err)
{
    write_report("", err);
    error_free(err);
}

void warn_report_err(Error *err)
{
    write_report("warning: ", err);
    error_free(err);
}
