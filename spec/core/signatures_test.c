/*
 * signatures_test.c - what block/aio.h declares, name for name
 */
#include "block/aio.h"
#include "signature.h"

#if !defined(aio_bh_schedule_oneshot) || !defined(aio_bh_new) || \
    !defined(QEMU_AIO_H)
#error "a macro of block/aio.h is missing"
#endif

TEST(types)
{
    TYPE(struct AioContext, AioContext);
    TYPE(struct AioHandler, AioHandler);
    TYPE(struct AIOCBInfo, AIOCBInfo);
    TYPE(struct BlockAIOCB, BlockAIOCB);
    TYPE(struct BlockDriverState, BlockDriverState);
    TYPE(struct BHListSlice, BHListSlice);
    TYPE(struct QEMUBH, QEMUBH);
    TYPE(struct _GSource, GSource);
    TYPE(void(void *, int), BlockCompletionFunc);
    TYPE(void(void *), QEMUBHFunc);
    TYPE(bool(void *), AioPollFn);
    TYPE(void(void *), IOHandler);
    COMPLETE(AioHandlerList);
    COMPLETE(AioHandlerSList);
    COMPLETE(BHList);
    COMPLETE(FDMonOps);
    FIELD(AioHandlerSList, slh_first, AioHandler *);
    FIELD(BHList, slh_first, QEMUBH *);
    FIELD(BHListSlice, bh_list, BHList);

    /* Declared, no more. */
    struct ThreadPool *pool = NULL;
    struct LinuxAioState *laio = NULL;
    struct LuringState *luring = NULL;
    ASSERT(!pool && !laio && !luring);
}

TEST(fields_of_requests)
{
    FIELD(AIOCBInfo, cancel_async, void (*)(BlockAIOCB *));
    FIELD(AIOCBInfo, get_aio_context, AioContext * (*)(BlockAIOCB *));
    FIELD(AIOCBInfo, aiocb_size, size_t);
    FIELD(BlockAIOCB, aiocb_info, const AIOCBInfo *);
    FIELD(BlockAIOCB, bs, BlockDriverState *);
    FIELD(BlockAIOCB, cb, BlockCompletionFunc *);
    FIELD(BlockAIOCB, opaque, void *);
    FIELD(BlockAIOCB, refcnt, int);
}

TEST(fields_of_monitors)
{
    FIELD(FDMonOps, update, void (*)(AioContext *, AioHandler *, AioHandler *));
    FIELD(FDMonOps, wait, int (*)(AioContext *, AioHandlerList *, int64_t));
    FIELD(FDMonOps, need_wait, bool (*)(AioContext *));
}

TEST(requests)
{
    FUNCTION(void *, qemu_aio_get, const AIOCBInfo *, BlockDriverState *,
             BlockCompletionFunc *, void *);
    FUNCTION(void, qemu_aio_unref, void *);
    FUNCTION(void, qemu_aio_ref, void *);
}

TEST(contexts)
{
    FUNCTION(AioContext *, aio_context_new, Error **);
    FUNCTION(void, aio_context_ref, AioContext *);
    FUNCTION(void, aio_context_unref, AioContext *);
    FUNCTION(void, aio_context_acquire, AioContext *);
    FUNCTION(void, aio_context_release, AioContext *);
    FUNCTION(void, aio_context_setup, AioContext *);
    FUNCTION(void, aio_context_destroy, AioContext *);
    FUNCTION(void, aio_context_use_g_source, AioContext *);
    FUNCTION(GSource *, aio_get_g_source, AioContext *);
    FUNCTION(AioContext *, qemu_get_current_aio_context, void);
    FUNCTION(void, qemu_set_current_aio_context, AioContext *);
}

TEST(bottom_halves)
{
    FUNCTION(void, aio_bh_schedule_oneshot_full, AioContext *, QEMUBHFunc *,
             void *, const char *);
    FUNCTION(QEMUBH *, aio_bh_new_full, AioContext *, QEMUBHFunc *, void *,
             const char *);
    FUNCTION(void, aio_bh_call, QEMUBH *);
    FUNCTION(int, aio_bh_poll, AioContext *);
    FUNCTION(void, qemu_bh_schedule, QEMUBH *);
    FUNCTION(void, qemu_bh_cancel, QEMUBH *);
    FUNCTION(void, qemu_bh_delete, QEMUBH *);
}

TEST(running)
{
    FUNCTION(void, aio_notify, AioContext *);
    FUNCTION(void, aio_notify_accept, AioContext *);
    FUNCTION(bool, aio_prepare, AioContext *);
    FUNCTION(bool, aio_pending, AioContext *);
    FUNCTION(void, aio_dispatch, AioContext *);
    FUNCTION(bool, aio_poll, AioContext *, bool);
    FUNCTION(int64_t, aio_compute_timeout, AioContext *);
    FUNCTION(bool, aio_poll_disabled, AioContext *);
}

TEST(handlers)
{
    FUNCTION(void, aio_set_fd_handler, AioContext *, int, bool, IOHandler *,
             IOHandler *, AioPollFn *, IOHandler *, void *);
    FUNCTION(void, aio_set_fd_poll, AioContext *, int, IOHandler *,
             IOHandler *);
    FUNCTION(void, aio_set_event_notifier, AioContext *, EventNotifier *, bool,
             EventNotifierHandler *, AioPollFn *, EventNotifierHandler *);
    FUNCTION(void, aio_set_event_notifier_poll, AioContext *, EventNotifier *,
             EventNotifierHandler *, EventNotifierHandler *);
    FUNCTION(void, aio_disable_external, AioContext *);
    FUNCTION(void, aio_enable_external, AioContext *);
    FUNCTION(bool, aio_external_disabled, AioContext *);
    FUNCTION(bool, aio_node_check, AioContext *, bool);
}

TEST(engines)
{
    FUNCTION(struct ThreadPool *, aio_get_thread_pool, AioContext *);
    FUNCTION(struct LinuxAioState *, aio_setup_linux_aio, AioContext *,
             Error **);
    FUNCTION(struct LinuxAioState *, aio_get_linux_aio, AioContext *);
    FUNCTION(struct LuringState *, aio_setup_linux_io_uring, AioContext *,
             Error **);
    FUNCTION(struct LuringState *, aio_get_linux_io_uring, AioContext *);
}

TEST(timers)
{
    FUNCTION(QEMUTimer *, aio_timer_new_with_attrs, AioContext *, QEMUClockType,
             int, int, QEMUTimerCB *, void *);
    FUNCTION(QEMUTimer *, aio_timer_new, AioContext *, QEMUClockType, int,
             QEMUTimerCB *, void *);
    FUNCTION(void, aio_timer_init_with_attrs, AioContext *, QEMUTimer *,
             QEMUClockType, int, int, QEMUTimerCB *, void *);
    FUNCTION(void, aio_timer_init, AioContext *, QEMUTimer *, QEMUClockType,
             int, QEMUTimerCB *, void *);
}

TEST(coroutines)
{
    FUNCTION(void, aio_co_schedule, AioContext *, Coroutine *);
    FUNCTION(void, aio_co_reschedule_self, AioContext *);
    FUNCTION(void, aio_co_wake, Coroutine *);
    FUNCTION(void, aio_co_enter, AioContext *, Coroutine *);
}

TEST(settings)
{
    FUNCTION(void, aio_context_set_poll_params, AioContext *, int64_t, int64_t,
             int64_t, Error **);
    FUNCTION(void, aio_context_set_aio_params, AioContext *, int64_t, Error **);
    FUNCTION(void, aio_context_set_thread_pool_params, AioContext *, int64_t,
             int64_t, Error **);
}

static void count(void *opaque)
{
    (*(int *)opaque)++;
}

/* Macros can only be tried. */
TEST(macros)
{
    AioContext *ctx = aio_context_new(NULL);
    int calls = 0;
    QEMUBH *bh = aio_bh_new(ctx, count, &calls);

    TYPE(QEMUBH *, __typeof__(aio_bh_new(ctx, count, &calls)));
    TYPE(void, __typeof__(aio_bh_schedule_oneshot(ctx, count, &calls)));
    aio_bh_schedule_oneshot(ctx, count, &calls);
    qemu_bh_schedule(bh);
    aio_poll(ctx, false);
    ASSERT_EQ(calls, 2);
    qemu_bh_delete(bh);
    aio_poll(ctx, false);
    aio_context_unref(ctx);
}
