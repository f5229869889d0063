/*
 * test.h - C tests: one process each
 *
 *     TEST(bh_runs_once_however_often_scheduled)
 *     {
 *         ASSERT_EQ(count, 1);
 *     }
 *
 * A test's name is a sentence stating behaviour.  Each runs in a process of its
 * own, under an alarm (30 s; AIOCTL_TEST_TIMEOUT overrides), and must close
 * every file descriptor it opens.
 */
#ifndef TEST_H
#define TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct TestCase TestCase;
struct TestCase {
    const char *name;
    void (*run)(void);
    TestCase *next;
};

void test_register(TestCase *test);
void test_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
void test_skip(const char *fmt, ...)
    __attribute__((noreturn, format(printf, 1, 2)));

/* _exit() for children that a test has forked. */
void test_exit(int status) __attribute__((noreturn));

/* Runs fn(arg) in a child; fails unless it dies of SIGABRT (or of @signal)
 * with @message somewhere in what it printed to stderr. */
void test_dies(const char *file, int line, void (*fn)(void *), void *arg,
               int signal, const char *message);

/* True under valgrind, ASan or TSan: use smaller numbers. */
bool test_is_slow(void);

/* Open file descriptors of this process. */
int test_count_fds(void);

#define TEST(name)                                                 \
    static void name(void);                                        \
    static TestCase name##_case = {#name, name, NULL};             \
    static __attribute__((constructor)) void name##_register(void) \
    {                                                              \
        test_register(&name##_case);                               \
    }                                                              \
    static void name(void)

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...) test_skip(__VA_ARGS__)

#define ASSERT(cond)                     \
    do {                                 \
        if (!(cond)) {                   \
            FAIL("not true: %s", #cond); \
        }                                \
    } while (0)

/* Integers and enums. */
#define ASSERT_CMP(a, op, b)                                     \
    do {                                                         \
        int64_t left_ = (int64_t)(a), right_ = (int64_t)(b);     \
        if (!(left_ op right_)) {                                \
            FAIL("not true: %s %s %s (%lld, %lld)", #a, #op, #b, \
                 (long long)left_, (long long)right_);           \
        }                                                        \
    } while (0)
#define ASSERT_EQ(a, b) ASSERT_CMP(a, ==, b)

#define ASSERT_PTR_EQ(a, b)                                       \
    do {                                                          \
        const void *left_ = (a), *right_ = (b);                   \
        if (left_ != right_) {                                    \
            FAIL("%s is %p, not %s (%p)", #a, left_, #b, right_); \
        }                                                         \
    } while (0)

#define ASSERT_STR_EQ(a, b)                                                \
    do {                                                                   \
        const char *left_ = (a), *right_ = (b);                            \
        if (!left_ || !right_ || strcmp(left_, right_) != 0) {             \
            FAIL("%s is \"%s\", not \"%s\"", #a, left_ ? left_ : "(null)", \
                 right_ ? right_ : "(null)");                              \
        }                                                                  \
    } while (0)

#define ASSERT_ABORTS(fn, arg, message) \
    test_dies(__FILE__, __LINE__, (fn), (arg), 6, (message))

#endif
