/*
 * handler_test.c - the table of handlers, apart from what monitors do
 */
#include <sys/resource.h>

#include "loop/context.h"
#include "everywhere.h"

typedef struct Seen {
    AioContext *ctx;
    AioHandler *node;
    int fd;
    int reads;
    int others;
} Seen;

static void count_read(void *opaque)
{
    ((Seen *)opaque)->reads++;
}

static void count_other(void *opaque)
{
    ((Seen *)opaque)->others++;
}

static bool never(void *opaque)
{
    return false;
}

static AioHandler *find(AioContext *ctx, int fd)
{
    AioHandler *node;

    qemu_mutex_lock(&ctx->list_lock);
    node = handler_find(ctx, fd);
    qemu_mutex_unlock(&ctx->list_lock);
    return node;
}

static void set(AioContext *ctx, int fd, IOHandler *io_read, void *opaque)
{
    aio_set_fd_handler(ctx, fd, false, io_read, NULL, NULL, NULL, opaque);
}

EVERYWHERE(handler_is_found_by_its_fd_however_large)
{
    struct rlimit limit;
    int fd = eventfd(0, EFD_CLOEXEC), high;

    getrlimit(RLIMIT_NOFILE, &limit);
    high = (int)(limit.rlim_cur < 5000 ? limit.rlim_cur : 5000) - 1;
    ASSERT_EQ(dup2(fd, high), high);
    set(ctx, high, count_read, NULL);
    set(ctx, fd, count_read, NULL);
    ASSERT_EQ(find(ctx, high)->fd, high);
    ASSERT_EQ(find(ctx, fd)->fd, fd);
    ASSERT_PTR_EQ(find(ctx, high + 1), NULL);
    ASSERT_PTR_EQ(find(ctx, high - 1), NULL);
    set(ctx, high, NULL, NULL);
    set(ctx, fd, NULL, NULL);
    ASSERT_PTR_EQ(find(ctx, high), NULL);
    close(high);
    close(fd);
}

EVERYWHERE(
    change_at_home_keeps_the_node_and_one_from_afar_its_polling_callbacks)
{
    int fd = eventfd(0, EFD_CLOEXEC);

    aio_poll(ctx, false);
    set(ctx, fd, count_read, NULL);
    AioHandler *node = find(ctx, fd);
    aio_set_fd_poll(ctx, fd, count_read, count_other);
    set(ctx, fd, count_other, NULL);
    ASSERT_PTR_EQ(find(ctx, fd), node);
    ASSERT_PTR_EQ((void *)node->io_poll_end, (void *)count_other);
    set(ctx, fd, NULL, NULL);
    aio_set_fd_poll(ctx, fd, count_read, count_other); /* nobody there */
    close(fd);
}

static void *change_from_afar(void *opaque)
{
    Seen *seen = opaque;

    set(seen->ctx, seen->fd, count_other, seen);
    return NULL;
}

EVERYWHERE(handler_replaced_by_another_thread_is_called_with_its_own_opaque)
{
    Seen old = {.ctx = ctx, .fd = eventfd(1, EFD_CLOEXEC)};
    Seen new = {.ctx = ctx, .fd = old.fd};
    pthread_t thread;

    aio_poll(ctx, false);
    set(ctx, old.fd, count_read, &old);
    aio_set_fd_poll(ctx, old.fd, count_read, count_other);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(old.reads, 1);
    pthread_create(&thread, NULL, change_from_afar, &new);
    pthread_join(thread, NULL);
    ASSERT_PTR_EQ((void *)find(ctx, old.fd)->io_poll_begin, (void *)count_read);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(old.reads + old.others, 1);
    ASSERT_EQ(new.others, 1);
    ASSERT_EQ(new.reads, 0);
    set(ctx, old.fd, NULL, NULL);
    close(old.fd);
}

EVERYWHERE(io_poll_without_io_poll_ready_is_ignored)
{
    int fd = eventfd(0, EFD_CLOEXEC);

    ASSERT(!aio_poll_disabled(ctx));
    aio_set_fd_handler(ctx, fd, false, count_read, NULL, never, NULL, NULL);
    ASSERT(aio_poll_disabled(ctx));
    aio_set_fd_handler(ctx, fd, false, count_read, NULL, never, count_other,
                       NULL);
    ASSERT(!aio_poll_disabled(ctx));
    aio_set_fd_handler(ctx, fd, false, NULL, NULL, never, NULL, NULL);
    ASSERT_PTR_EQ(find(ctx, fd), NULL); /* nothing was left of it */
    close(fd);
}

static void enable_once_too_often(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);

    aio_disable_external(ctx);
    aio_enable_external(ctx);
    aio_enable_external(ctx);
}

TEST(external_handlers_are_enabled_as_often_as_disabled)
{
    AioContext *ctx = aio_context_new(NULL);

    ASSERT(aio_node_check(ctx, true));
    aio_disable_external(ctx);
    ASSERT(!aio_node_check(ctx, true));
    ASSERT(aio_node_check(ctx, false));
    aio_enable_external(ctx);
    ASSERT(aio_node_check(ctx, true));
    aio_context_unref(ctx);
    ASSERT_ABORTS(enable_once_too_often, NULL, "aio_enable_external()");
}

static void ready_again(void *opaque)
{
    Seen *seen = opaque;

    if (++seen->reads < 5) {
        ASSERT(handler_make_ready(seen->ctx, &seen->ctx->ready_list, seen->node,
                                  EPOLLIN));
        ASSERT(!handler_make_ready(seen->ctx, &seen->ctx->ready_list,
                                   seen->node, EPOLLIN));
    }
}

EVERYWHERE(pseudo_handler_that_makes_itself_ready_runs_once_per_pass)
{
    Seen seen = {.ctx = ctx};

    aio_poll(ctx, false);
    seen.node = handler_new_pseudo(ctx, ready_again, &seen);
    ASSERT(handler_make_ready(ctx, &ctx->ready_list, seen.node, EPOLLIN));
    ASSERT_EQ(aio_compute_timeout(ctx), 0);
    for (int i = 1; i <= 5; i++) {
        ASSERT(aio_poll(ctx, true));
        ASSERT_EQ(seen.reads, i);
    }
    ASSERT(!aio_poll(ctx, false));
    ASSERT(handler_make_ready(ctx, &ctx->ready_list, seen.node, EPOLLIN));
    handler_free_pseudo(ctx, seen.node); /* ready, but gone */
    ASSERT(!aio_poll(ctx, false));
    ASSERT_EQ(seen.reads, 5);
}

static void free_self(void *opaque)
{
    Seen *seen = opaque;

    seen->reads++;
    handler_free_pseudo(seen->ctx, seen->node);
}

EVERYWHERE(pseudo_handler_may_free_itself)
{
    Seen seen = {.ctx = ctx};

    aio_poll(ctx, false);
    seen.node = handler_new_pseudo(ctx, free_self, &seen);
    handler_make_ready(ctx, &ctx->ready_list, seen.node, EPOLLIN);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(seen.reads, 1);
}

static void negative_fd(void *opaque)
{
    aio_set_fd_handler(aio_context_new(NULL), -1, false, count_read, NULL, NULL,
                       NULL, NULL);
}

TEST(negative_fd_aborts)
{
    ASSERT_ABORTS(negative_fd, NULL, "handler for fd -1, set at negative_fd");
}

TEST(removing_a_negative_fd_does_nothing)
{
    AioContext *ctx = aio_context_new(NULL);

    aio_set_fd_handler(ctx, -1, false, NULL, NULL, NULL, NULL, NULL);
    aio_context_unref(ctx);
}

static void *register_and_remove(void *opaque)
{
    Seen *seen = opaque;

    for (int i = 0; i < 500; i++) {
        set(seen->ctx, seen->fd, count_read, seen);
        set(seen->ctx, seen->fd, count_other, seen);
        set(seen->ctx, seen->fd, NULL, NULL);
    }
    return NULL;
}

EVERYWHERE(threads_may_register_and_remove_while_the_loop_runs)
{
    Seen seen[3];
    pthread_t threads[3];

    aio_poll(ctx, false);
    for (int i = 0; i < 3; i++) {
        seen[i] = (Seen){.ctx = ctx, .fd = eventfd(1, EFD_CLOEXEC)};
        pthread_create(&threads[i], NULL, register_and_remove, &seen[i]);
    }
    for (int i = 0; i < 500; i++) {
        aio_poll(ctx, false);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        close(seen[i].fd);
    }
    ASSERT(!aio_poll(ctx, false));
    ASSERT_EQ(ctx->handler_count, 0);
    ASSERT_EQ(ctx->poll_disable_cnt, 0);
}
