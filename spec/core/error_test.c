/*
 * error_test.c - Error objects
 */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "qapi/error.h"

TEST(an_error_keeps_message_errno_hint_and_origin)
{
    Error *err = NULL;
    const char *src, *func;
    int line, here = __LINE__ + 2;
    errno = EXDEV;
    error_setg_errno(&err, -ENOENT, "open '%s'", "x");
    ASSERT_EQ(errno, EXDEV);
    ASSERT_STR_EQ(error_get_pretty(err), "open 'x': No such file or directory");
    ASSERT_EQ(error_get_errno(err), ENOENT);
    error_get_origin(err, &src, &line, &func);
    ASSERT(strstr(src, "error_test.c"));
    ASSERT_EQ(line, here);
    ASSERT(strstr(func, "an_error_keeps"));
    ASSERT_PTR_EQ(error_get_hint(err), NULL);
    error_append_hint(&err, "try %d\n", 1);
    error_append_hint(&err, "or 2\n");
    ASSERT_STR_EQ(error_get_hint(err), "try 1\nor 2\n");
    error_prepend(&err, "%s: ", "disk");
    Error *copy = error_copy(err);
    error_free(err);
    ASSERT_STR_EQ(error_get_pretty(copy),
                  "disk: open 'x': No such file or directory");
    error_free(copy);
}

TEST(errors_nobody_wants_are_dropped)
{
    Error *err = NULL, *second = NULL;
    error_setg(NULL, "unseen");
    error_prepend(NULL, "unseen");
    error_append_hint(NULL, "unseen");
    error_propagate(NULL, NULL);
    error_setg(&err, "first");
    error_setg(&second, "second");
    error_propagate(&err, second); /* the first one stays */
    ASSERT_STR_EQ(error_get_pretty(err), "first");
    error_propagate(NULL, err);
    err = second = NULL;
    error_setg(&second, "freed");
    error_free_or_abort(&second);
    ASSERT_PTR_EQ(second, NULL);
    error_setg(&second, "inner");
    error_propagate_prepend(&err, second, "%s: ", "outer");
    ASSERT_STR_EQ(error_get_pretty(err), "outer: inner");
    error_free(err);
}

static bool guarded(Error **errp)
{
    ERRP_GUARD();
    error_setg(errp, "seen inside");
    return *errp != NULL;
}

TEST(errp_guard_lets_a_function_look_at_its_error)
{
    Error *err = NULL;
    ASSERT(guarded(NULL));
    ASSERT(guarded(&err));
    ASSERT_STR_EQ(error_get_pretty(err), "seen inside");
    error_free(err);
}

static void set_abort(void *opaque)
{
    error_setg(&error_abort, "impossible %d", 1);
}

static void propagate_abort(void *opaque)
{
    Error *err = NULL;
    error_setg(&err, "impossible 2");
    error_propagate(&error_abort, err);
}

static void set_twice(void *opaque)
{
    Error *err = NULL;
    error_setg(&err, "one");
    error_setg(&err, "two");
}

static void fail_check(void *opaque)
{
    int answer = 41;
    CHECKF(answer == 42, "the answer is %d", answer);
}

static void report_all(void *opaque)
{
    Error *err = NULL;
    error_setg(&err, "bad");
    error_append_hint(&err, "hint\n");
    error_report_err(error_copy(err));
    error_reportf_err(error_copy(err), "pre%d: ", 1);
    warn_report_err(error_copy(err));
    warn_reportf_err(err, "w: ");
    abort();
}

TEST(programmer_errors_abort_with_all_that_is_known)
{
    ASSERT_ABORTS(set_abort, NULL, "in set_abort() at core/error_test.c:");
    ASSERT_ABORTS(propagate_abort, NULL, "impossible 2");
    ASSERT_ABORTS(set_twice, NULL, "sets an error over \"one\"");
    ASSERT_ABORTS(fail_check, NULL, "aioctl: core/error_test.c:");
    ASSERT_ABORTS(fail_check, NULL,
                  "CHECK(answer == 42) failed: the answer is 41\n");
    ASSERT_ABORTS(report_all, NULL,
                  "bad\nhint\npre1: bad\nhint\n"
                  "warning: bad\nhint\nwarning: w: bad\nhint\n");
}

static void set_fatal(void)
{
    error_setg(&error_fatal, "no disk");
}

static void propagate_fatal(void)
{
    Error *err = NULL;
    error_setg(&err, "no disk");
    error_append_hint(&err, "try another\n");
    error_propagate(&error_fatal, err);
}

static void set_fatal_under_guard(void)
{
    guarded(&error_fatal);
}

/* Exit status of a child that runs @fn; its stderr comes to @text. */
static int status_of(void (*fn)(void), char *text, size_t size)
{
    int fds[2], status;
    ASSERT_EQ(pipe(fds), 0);
    pid_t pid = fork();
    ASSERT_CMP(pid, >=, 0);
    if (pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        fn();
        test_exit(0);
    }
    close(fds[1]);
    size_t used = 0;
    ssize_t n;
    while ((n = read(fds[0], text + used, size - 1 - used)) > 0) {
        used += (size_t)n;
    }
    ASSERT_EQ(n, 0);
    text[used] = '\0';
    close(fds[0]);
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT(WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(fatal_errors_are_printed_and_end_the_program_with_1)
{
    char text[256];
    ASSERT_EQ(status_of(set_fatal, text, sizeof(text)), 1);
    ASSERT_STR_EQ(text, "no disk\n");
    ASSERT_EQ(status_of(propagate_fatal, text, sizeof(text)), 1);
    ASSERT(strstr(text, "no disk\n"));
    ASSERT_EQ(status_of(set_fatal_under_guard, text, sizeof(text)), 1);
    ASSERT_STR_EQ(text, "seen inside\n");
}
