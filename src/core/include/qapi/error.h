/*
 * qapi/error.h - errors of set-up paths
 *
 * A function that may fail takes a last parameter Error **errp:
 *   NULL            the caller does not care
 *   &error_abort    cannot fail: print and abort()
 *   &error_fatal    give up: print and exit(1)
 *   &err            (err == NULL before) receives the error; the caller frees
 *                   it or passes it on
 * It sets an error at most once, and says so by its return value as well.
 *
 * A message names what failed, without a final full stop or newline.  Nothing
 * is printed by the one who sets an error.
 */
#ifndef QAPI_ERROR_H
#define QAPI_ERROR_H

#include "qemu/osdep.h"

AIOCTL_BEGIN_DECLS

extern Error *error_abort;
extern Error *error_fatal;

/* Sets a new error; printf format.  errno is preserved. */
#define error_setg(errp, fmt, ...)                                   \
    error_setg_internal((errp), __FILE__, __LINE__, __func__, (fmt), \
                        ##__VA_ARGS__)

/* The same with ": strerror(os_error)" appended; @os_error may be negative. */
#define error_setg_errno(errp, os_error, fmt, ...)                  \
    error_setg_errno_internal((errp), __FILE__, __LINE__, __func__, \
                              (os_error), (fmt), ##__VA_ARGS__)

/* "Could not open 'name': reason" */
#define error_setg_file_open(errp, os_errno, filename) \
    error_setg_errno((errp), (os_errno), "Could not open '%s'", (filename))

void error_setg_internal(Error **errp, const char *src, int line,
                         const char *func, const char *fmt, ...)
    QEMU_PRINTF(5, 6);
void error_setg_errno_internal(Error **errp, const char *src, int line,
                               const char *func, int os_error, const char *fmt,
                               ...) QEMU_PRINTF(6, 7);

/* The message; lives as long as @err. */
const char *error_get_pretty(const Error *err);

/* The positive errno the error was made from, or 0. */
int error_get_errno(const Error *err);

/* What error_append_hint() collected, or NULL. */
const char *error_get_hint(const Error *err);

/* Where it was set: file, line, function.  Any pointer may be NULL. */
void error_get_origin(const Error *err, const char **src, int *line,
                      const char **func);

/*
 * error_propagate: hand @local_err (may be NULL) to @dst_errp
 * Afterwards @local_err belongs to the receiver, or is freed when the receiver
 * does not care or already has an error.
 */
void error_propagate(Error **dst_errp, Error *local_err);
void error_propagate_prepend(Error **dst_errp, Error *local_err,
                             const char *fmt, ...) QEMU_PRINTF(3, 4);

/* Puts text in front of the message.  Nothing happens when there is none. */
void error_prepend(Error *const *errp, const char *fmt, ...) QEMU_PRINTF(2, 3);
void error_vprepend(Error *const *errp, const char *fmt, va_list ap)
    QEMU_PRINTF(2, 0);

/* Appends advice for a person, whole lines; not part of the message. */
void error_append_hint(Error *const *errp, const char *fmt, ...)
    QEMU_PRINTF(2, 3);

Error *error_copy(const Error *err);
void error_free(Error *err); /* NULL is fine */

/* Frees *errp, which must be set, and clears it: for tests. */
void error_free_or_abort(Error **errp);

/* Prints message and hint to stderr and frees @err: for programs' main parts,
 * never for libraries. */
void error_report_err(Error *err);
void error_reportf_err(Error *err, const char *fmt, ...) QEMU_PRINTF(2, 3);
void warn_report_err(Error *err);
void warn_reportf_err(Error *err, const char *fmt, ...) QEMU_PRINTF(2, 3);

/*
 * ERRP_GUARD: at the top of a function that looks at *errp
 * Makes errp point at a local variable when the caller passed NULL or
 * &error_fatal, and propagates at the end of the scope.
 */
typedef struct ErrorPropagator {
    Error *local_err;
    Error **errp;
} ErrorPropagator;

static inline void error_propagator_cleanup(ErrorPropagator *prop)
{
    error_propagate(prop->errp, prop->local_err);
}

#define ERRP_GUARD()                                   \
    __attribute__((cleanup(error_propagator_cleanup))) \
    ErrorPropagator auto_errp_prop_ = {.errp = errp};  \
    do {                                               \
        if (!errp || errp == &error_fatal) {           \
            errp = &auto_errp_prop_.local_err;         \
        }                                              \
    } while (0)

AIOCTL_END_DECLS
#endif
