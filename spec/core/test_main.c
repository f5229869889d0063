/*
 * test_main.c - runs the tests of one program
 *
 *     handler_test                 all tests
 *     handler_test PATTERN...      those whose name contains a pattern
 *     handler_test --list          their names
 *     handler_test --no-fork NAME  in this process, for a debugger
 *
 * Each test is forked, gets an alarm, and has its descriptors counted before
 * and after.  Exit status 1 when one failed, 77 when all were skipped.
 */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_SKIP 77
#define TIMEOUT_S 30
#define SLOW_FACTOR 4

static TestCase *tests, **tests_tail = &tests;

#ifdef AIOCTL_COVERAGE
/* Writes the counts of executed lines, which only exit() does unasked. */
void __gcov_dump(void);

static void dump_counts(int sig)
{
    __gcov_dump(); /* on return the process dies of @sig, as it would have */
}

static void prepare_counts(void)
{
    struct sigaction action = {.sa_handler = dump_counts,
                               .sa_flags = SA_RESETHAND | SA_ONSTACK};

    sigaction(SIGABRT, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
}
#else
static void prepare_counts(void)
{
}
#endif

void test_exit(int status)
{
#ifdef AIOCTL_COVERAGE
    __gcov_dump();
#endif
    _exit(status);
}

void test_register(TestCase *test)
{
    *tests_tail = test;
    tests_tail = &test->next;
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    test_exit(1);
}

void test_skip(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("skipped: ", stdout);
    vprintf(fmt, ap);
    putchar('\n');
    fflush(stdout);
    va_end(ap);
    test_exit(EXIT_SKIP);
}

bool test_is_slow(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    return getenv("AIOCTL_TEST_SLOW") != NULL; /* set when under valgrind */
#endif
}

int test_count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;
    if (!dir) {
        FAIL("/proc/self/fd: %s", strerror(errno));
    }
    while (readdir(dir)) {
        n++;
    }
    closedir(dir);
    return n - 3; /* ".", ".." and the directory itself */
}

static unsigned timeout_s(void)
{
    const char *text = getenv("AIOCTL_TEST_TIMEOUT");
    unsigned s = text ? (unsigned)strtoul(text, NULL, 10) : 0;
    return s ? s : TIMEOUT_S * (test_is_slow() ? SLOW_FACTOR : 1);
}

static void run_here(const TestCase *test)
{
    int before = test_count_fds();
    test->run();
    int after = test_count_fds();
    if (after != before) {
        FAIL("%s: %d file descriptors open before, %d after", test->name,
             before, after);
    }
}

static int run_forked(const TestCase *test)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        FAIL("fork: %s", strerror(errno));
    }
    if (pid == 0) {
        alarm(timeout_s());
        run_here(test);
        exit(0); /* exit handlers: leak checkers report there */
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            FAIL("waitpid: %s", strerror(errno));
        }
    }
    return status;
}

/* Prints one line; returns 0 passed, 1 failed, EXIT_SKIP. */
static int report(const TestCase *test, int status)
{
    if (WIFSIGNALED(status)) {
        int sig = WTERMSIG(status);
        printf("not ok %s: %s\n", test->name,
               sig == SIGALRM ? "deadline exceeded" : strsignal(sig));
        return 1;
    }
    if (WEXITSTATUS(status) == EXIT_SKIP) {
        printf("ok %s # SKIP\n", test->name);
        return EXIT_SKIP;
    }
    bool ok = WEXITSTATUS(status) == 0;
    printf("%s %s\n", ok ? "ok" : "not ok", test->name);
    return ok ? 0 : 1;
}

static bool selected(const TestCase *test, char **patterns)
{
    if (!*patterns) {
        return true;
    }
    for (; *patterns; patterns++) {
        if (strstr(test->name, *patterns)) {
            return true;
        }
    }
    return false;
}

/* Reads @fd to its end into @buf, dropping what does not fit. */
static void slurp(int fd, char *buf, size_t size)
{
    size_t used = 0;
    char drop[512];
    for (;;) {
        bool full = used == size - 1;
        ssize_t n = full ? read(fd, drop, sizeof(drop))
                         : read(fd, buf + used, size - 1 - used);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        used += full ? 0 : (size_t)n;
    }
    buf[used] = '\0';
}

void test_dies(const char *file, int line, void (*fn)(void *), void *arg,
               int signal, const char *message)
{
    static char out[65536];
    int fds[2], status;
    if (pipe(fds) < 0) {
        test_fail(file, line, "pipe: %s", strerror(errno));
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        alarm(timeout_s());
        fn(arg);
        test_exit(0);
    }
    close(fds[1]);
    slurp(fds[0], out, sizeof(out));
    close(fds[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        test_fail(file, line, "fork: %s", strerror(errno));
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP) {
        test_skip("what is to die is not there: see above");
    }
    if (!WIFSIGNALED(status) || WTERMSIG(status) != signal) {
        test_fail(file, line, "died with status %#x, not of signal %d: %s",
                  status, signal, out);
    }
    if (!strstr(out, message)) {
        test_fail(file, line, "\"%s\" is not in \"%s\"", message, out);
    }
}

int main(int argc, char **argv)
{
    int failed = 0, skipped = 0, run = 0;
    char **patterns = argv + 1;
    bool list = argc > 1 && !strcmp(argv[1], "--list");
    bool here = argc > 1 && !strcmp(argv[1], "--no-fork");
    setvbuf(stdout, NULL, _IOLBF, 0);
    prepare_counts();
    patterns += list || here;
    for (TestCase *test = tests; test; test = test->next) {
        if (!selected(test, patterns)) {
            continue;
        }
        if (list) {
            puts(test->name);
            continue;
        }
        if (here) {
            run_here(test);
        }
        int outcome = report(test, here ? 0 : run_forked(test));
        run++;
        failed += outcome == 1;
        skipped += outcome == EXIT_SKIP;
    }
    if (list) {
        return 0;
    }
    printf("# %d run, %d failed, %d skipped\n", run, failed, skipped);
    return failed || !run ? 1 : skipped == run ? EXIT_SKIP : 0;
}
