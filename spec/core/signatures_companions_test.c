/*
 * signatures_companions_test.c - what the headers beside block/aio.h declare
 */
#include <sys/uio.h>

#include "block/aio-wait.h"
#include "block/block.h"
#include "block/graph-lock.h"
#include "block/raw-aio.h"
#include "block/thread-pool.h"
#include "qapi/error.h"
#include "qemu/coroutine.h"
#include "qemu/event_notifier.h"
#include "qemu/iov.h"
#include "qemu/lockable.h"
#include "qemu/lockcnt.h"
#include "qemu/main-loop.h"
#include "qemu/memalign.h"
#include "qemu/queue.h"
#include "qemu/thread.h"
#include "qemu/timer.h"
#include "signature.h"
#include "sysemu/iothread.h"

#if !defined(error_setg) || !defined(error_setg_errno) || !defined(ERRP_GUARD)
#error "a macro of qapi/error.h is missing"
#endif
#if !defined(QEMU_MAKE_LOCKABLE) || !defined(QEMU_MAKE_LOCKABLE_NONNULL) || \
    !defined(QEMU_LOCK_GUARD) || !defined(WITH_QEMU_LOCK_GUARD)
#error "a macro of qemu/lockable.h is missing"
#endif
#if !defined(qemu_co_queue_wait) || !defined(qemu_co_enter_next) || \
    !defined(qemu_co_enter_all) || !defined(qemu_co_send) ||        \
    !defined(qemu_co_recv) || !defined(qemu_co_sendv) ||            \
    !defined(qemu_co_recvv)
#error "a macro of qemu/coroutine.h is missing"
#endif
#if !defined(AIO_WAIT_WHILE) || !defined(AIO_WAIT_WHILE_UNLOCKED) || \
    !defined(AIO_WAIT_WHILE_INTERNAL)
#error "a macro of block/aio-wait.h is missing"
#endif
#if !defined(GRAPH_RDLOCK_GUARD) || !defined(WITH_GRAPH_RDLOCK_GUARD) || \
    !defined(GRAPH_RDLOCK_GUARD_MAINLOOP) || !defined(GRAPH_RDLOCK) ||   \
    !defined(GRAPH_WRLOCK)
#error "a macro of block/graph-lock.h is missing"
#endif
#if !defined(qemu_bh_new) || !defined(GLOBAL_STATE_CODE) || \
    !defined(IO_CODE) || !defined(IO_OR_GS_CODE) ||         \
    !defined(QEMU_IOTHREAD_LOCK_GUARD)
#error "a macro of qemu/main-loop.h is missing"
#endif

/* What can be embedded in the user's own structures. */
COMPLETE(AioWait);
COMPLETE(CoMutex);
COMPLETE(CoQueue);
COMPLETE(CoRwlock);
COMPLETE(EventNotifier);
COMPLETE(QEMUIOVector);
COMPLETE(QEMUTimer);
COMPLETE(QEMUTimerListGroup);
COMPLETE(QemuCoSleep);
COMPLETE(QemuCond);
COMPLETE(QemuEvent);
COMPLETE(QemuLockCnt);
COMPLETE(QemuLockable);
COMPLETE(QemuMutex);
COMPLETE(QemuRecMutex);
COMPLETE(QemuSemaphore);
COMPLETE(QemuSpin);
COMPLETE(QemuThread);

TEST(errors)
{
    TYPE(struct Error, Error);
    FUNCTION(const char *, error_get_pretty, const Error *);
    FUNCTION(void, error_free, Error *);
    FUNCTION(Error *, error_copy, const Error *);
    FUNCTION(void, error_propagate, Error **, Error *);
    FUNCTION(void, error_prepend, Error *const *, const char *, ...);
    FUNCTION(void, error_append_hint, Error *const *, const char *, ...);
    FUNCTION(void, error_report_err, Error *);
    FUNCTION(void, warn_report_err, Error *);
    FUNCTION(void, error_reportf_err, Error *, const char *, ...);
    FUNCTION(void, error_free_or_abort, Error **);
    TYPE(Error *, __typeof__(error_abort));
    TYPE(Error *, __typeof__(error_fatal));
}

TEST(clocks)
{
    VALUE(QEMU_CLOCK_REALTIME, 0);
    VALUE(QEMU_CLOCK_VIRTUAL, 1);
    VALUE(QEMU_CLOCK_HOST, 2);
    VALUE(QEMU_CLOCK_VIRTUAL_RT, 3);
    VALUE(QEMU_CLOCK_MAX, 4);
    VALUE(SCALE_MS, 1000000);
    VALUE(SCALE_US, 1000);
    VALUE(SCALE_NS, 1);
    VALUE(QEMU_TIMER_ATTR_EXTERNAL, 1);
    VALUE(NANOSECONDS_PER_SECOND, 1000000000);
    FUNCTION(void, init_clocks, QEMUTimerListNotifyCB *);
    FUNCTION(int64_t, qemu_clock_get_ns, QEMUClockType);
    FUNCTION(int64_t, qemu_clock_get_us, QEMUClockType);
    FUNCTION(int64_t, qemu_clock_get_ms, QEMUClockType);
    FUNCTION(void, qemu_clock_enable, QEMUClockType, bool);
    FUNCTION(void, qemu_clock_notify, QEMUClockType);
    FUNCTION(bool, qemu_clock_has_timers, QEMUClockType);
    FUNCTION(bool, qemu_clock_expired, QEMUClockType);
    FUNCTION(bool, qemu_clock_use_for_deadline, QEMUClockType);
    FUNCTION(int64_t, qemu_clock_deadline_ns_all, QEMUClockType, int);
    FUNCTION(bool, qemu_clock_run_timers, QEMUClockType);
    FUNCTION(bool, qemu_clock_run_all_timers, void);
    FUNCTION(int64_t, qemu_soonest_timeout, int64_t, int64_t);
    FUNCTION(int, qemu_timeout_ns_to_ms, int64_t);
    FUNCTION(int64_t, get_clock, void);
    FUNCTION(int64_t, get_clock_realtime, void);
}

TEST(timer_lists)
{
    TYPE(void(void *), QEMUTimerCB);
    TYPE(void(void *, QEMUClockType), QEMUTimerListNotifyCB);
    FUNCTION(QEMUTimerList *, timerlist_new, QEMUClockType,
             QEMUTimerListNotifyCB *, void *);
    FUNCTION(void, timerlist_free, QEMUTimerList *);
    FUNCTION(bool, timerlist_has_timers, QEMUTimerList *);
    FUNCTION(bool, timerlist_expired, QEMUTimerList *);
    FUNCTION(int64_t, timerlist_deadline_ns, QEMUTimerList *);
    FUNCTION(QEMUClockType, timerlist_get_clock, QEMUTimerList *);
    FUNCTION(bool, timerlist_run_timers, QEMUTimerList *);
    FUNCTION(void, timerlist_notify, QEMUTimerList *);
    FUNCTION(void, timerlistgroup_init, QEMUTimerListGroup *,
             QEMUTimerListNotifyCB *, void *);
    FUNCTION(void, timerlistgroup_deinit, QEMUTimerListGroup *);
    FUNCTION(bool, timerlistgroup_run_timers, QEMUTimerListGroup *);
    FUNCTION(int64_t, timerlistgroup_deadline_ns, QEMUTimerListGroup *);
}

TEST(timers)
{
    FUNCTION(void, timer_init_full, QEMUTimer *, QEMUTimerListGroup *,
             QEMUClockType, int, int, QEMUTimerCB *, void *);
    FUNCTION(void, timer_init, QEMUTimer *, QEMUClockType, int, QEMUTimerCB *,
             void *);
    FUNCTION(void, timer_init_ns, QEMUTimer *, QEMUClockType, QEMUTimerCB *,
             void *);
    FUNCTION(void, timer_init_us, QEMUTimer *, QEMUClockType, QEMUTimerCB *,
             void *);
    FUNCTION(void, timer_init_ms, QEMUTimer *, QEMUClockType, QEMUTimerCB *,
             void *);
    FUNCTION(QEMUTimer *, timer_new_full, QEMUTimerListGroup *, QEMUClockType,
             int, int, QEMUTimerCB *, void *);
    FUNCTION(QEMUTimer *, timer_new, QEMUClockType, int, QEMUTimerCB *, void *);
    FUNCTION(QEMUTimer *, timer_new_ns, QEMUClockType, QEMUTimerCB *, void *);
    FUNCTION(QEMUTimer *, timer_new_us, QEMUClockType, QEMUTimerCB *, void *);
    FUNCTION(QEMUTimer *, timer_new_ms, QEMUClockType, QEMUTimerCB *, void *);
    FUNCTION(void, timer_deinit, QEMUTimer *);
    FUNCTION(void, timer_free, QEMUTimer *);
    FUNCTION(void, timer_del, QEMUTimer *);
    FUNCTION(void, timer_mod, QEMUTimer *, int64_t);
    FUNCTION(void, timer_mod_ns, QEMUTimer *, int64_t);
    FUNCTION(void, timer_mod_anticipate, QEMUTimer *, int64_t);
    FUNCTION(void, timer_mod_anticipate_ns, QEMUTimer *, int64_t);
    FUNCTION(bool, timer_pending, QEMUTimer *);
    FUNCTION(bool, timer_expired, QEMUTimer *, int64_t);
    FUNCTION(uint64_t, timer_expire_time_ns, QEMUTimer *);
}

TEST(event_notifiers)
{
    TYPE(void(EventNotifier *), EventNotifierHandler);
    FUNCTION(int, event_notifier_init, EventNotifier *, int);
    FUNCTION(void, event_notifier_init_fd, EventNotifier *, int);
    FUNCTION(void, event_notifier_cleanup, EventNotifier *);
    FUNCTION(int, event_notifier_set, EventNotifier *);
    FUNCTION(int, event_notifier_test_and_clear, EventNotifier *);
    FUNCTION(int, event_notifier_get_fd, const EventNotifier *);
    FUNCTION(int, event_notifier_get_wfd, const EventNotifier *);
}

TEST(locks)
{
    FUNCTION(void, qemu_mutex_init, QemuMutex *);
    FUNCTION(void, qemu_mutex_destroy, QemuMutex *);
    FUNCTION(void, qemu_mutex_lock, QemuMutex *);
    FUNCTION(int, qemu_mutex_trylock, QemuMutex *);
    FUNCTION(void, qemu_mutex_unlock, QemuMutex *);
    FUNCTION(void, qemu_rec_mutex_init, QemuRecMutex *);
    FUNCTION(void, qemu_rec_mutex_destroy, QemuRecMutex *);
    FUNCTION(void, qemu_rec_mutex_lock, QemuRecMutex *);
    FUNCTION(int, qemu_rec_mutex_trylock, QemuRecMutex *);
    FUNCTION(void, qemu_rec_mutex_unlock, QemuRecMutex *);
    FUNCTION(void, qemu_spin_init, QemuSpin *);
    FUNCTION(void, qemu_spin_destroy, QemuSpin *);
    FUNCTION(void, qemu_spin_lock, QemuSpin *);
    FUNCTION(bool, qemu_spin_trylock, QemuSpin *);
    FUNCTION(bool, qemu_spin_locked, QemuSpin *);
    FUNCTION(void, qemu_spin_unlock, QemuSpin *);
    FUNCTION(void, qemu_lockable_lock, QemuLockable *);
    FUNCTION(void, qemu_lockable_unlock, QemuLockable *);
    FUNCTION(void, qemu_lockcnt_init, QemuLockCnt *);
    FUNCTION(void, qemu_lockcnt_destroy, QemuLockCnt *);
    FUNCTION(void, qemu_lockcnt_inc, QemuLockCnt *);
    FUNCTION(void, qemu_lockcnt_dec, QemuLockCnt *);
    FUNCTION(bool, qemu_lockcnt_dec_and_lock, QemuLockCnt *);
    FUNCTION(bool, qemu_lockcnt_dec_if_lock, QemuLockCnt *);
    FUNCTION(void, qemu_lockcnt_lock, QemuLockCnt *);
    FUNCTION(void, qemu_lockcnt_unlock, QemuLockCnt *);
    FUNCTION(void, qemu_lockcnt_inc_and_unlock, QemuLockCnt *);
    FUNCTION(unsigned, qemu_lockcnt_count, QemuLockCnt *);
}

TEST(threads)
{
    VALUE(QEMU_THREAD_JOINABLE, 0);
    VALUE(QEMU_THREAD_DETACHED, 1);
    FUNCTION(void, qemu_cond_init, QemuCond *);
    FUNCTION(void, qemu_cond_destroy, QemuCond *);
    FUNCTION(void, qemu_cond_signal, QemuCond *);
    FUNCTION(void, qemu_cond_broadcast, QemuCond *);
    FUNCTION(void, qemu_cond_wait, QemuCond *, QemuMutex *);
    FUNCTION(bool, qemu_cond_timedwait, QemuCond *, QemuMutex *, int);
    FUNCTION(void, qemu_sem_init, QemuSemaphore *, int);
    FUNCTION(void, qemu_sem_destroy, QemuSemaphore *);
    FUNCTION(void, qemu_sem_post, QemuSemaphore *);
    FUNCTION(void, qemu_sem_wait, QemuSemaphore *);
    FUNCTION(int, qemu_sem_timedwait, QemuSemaphore *, int);
    FUNCTION(void, qemu_event_init, QemuEvent *, bool);
    FUNCTION(void, qemu_event_destroy, QemuEvent *);
    FUNCTION(void, qemu_event_set, QemuEvent *);
    FUNCTION(void, qemu_event_reset, QemuEvent *);
    FUNCTION(void, qemu_event_wait, QemuEvent *);
    FUNCTION(void, qemu_thread_create, QemuThread *, const char *,
             void *(*)(void *), void *, int);
    FUNCTION(void *, qemu_thread_join, QemuThread *);
    FUNCTION(void, qemu_thread_get_self, QemuThread *);
    FUNCTION(bool, qemu_thread_is_self, QemuThread *);
    FUNCTION(void, qemu_thread_exit, void *);
    FUNCTION(int, qemu_get_thread_id, void);
}

TEST(coroutines)
{
    TYPE(void(void *), CoroutineEntry);
    FUNCTION(Coroutine *, qemu_coroutine_create, CoroutineEntry *, void *);
    FUNCTION(void, qemu_coroutine_enter, Coroutine *);
    FUNCTION(void, qemu_coroutine_enter_if_inactive, Coroutine *);
    FUNCTION(void, qemu_aio_coroutine_enter, AioContext *, Coroutine *);
    FUNCTION(void, qemu_coroutine_yield, void);
    FUNCTION(AioContext *, qemu_coroutine_get_aio_context, Coroutine *);
    FUNCTION(Coroutine *, qemu_coroutine_self, void);
    FUNCTION(bool, qemu_in_coroutine, void);
    FUNCTION(bool, qemu_coroutine_entered, Coroutine *);
    FUNCTION(void, qemu_coroutine_inc_pool_size, unsigned int);
    FUNCTION(void, qemu_coroutine_dec_pool_size, unsigned int);
    FUNCTION(void, qemu_co_sleep, QemuCoSleep *);
    FUNCTION(void, qemu_co_sleep_ns, QEMUClockType, int64_t);
    FUNCTION(void, qemu_co_sleep_ns_wakeable, QemuCoSleep *, QEMUClockType,
             int64_t);
    FUNCTION(void, qemu_co_sleep_wake, QemuCoSleep *);
    FUNCTION(int, qemu_co_timeout, CoroutineEntry *, void *, uint64_t,
             CleanupFunc *);
    FUNCTION(void, yield_until_fd_readable, int);
    FUNCTION(ssize_t, qemu_co_sendv_recvv, int, struct iovec *, unsigned,
             size_t, size_t, bool);
    FUNCTION(ssize_t, qemu_co_send_recv, int, void *, size_t, bool);
}

TEST(coroutine_locks)
{
    FUNCTION(void, qemu_co_mutex_init, CoMutex *);
    FUNCTION(void, qemu_co_mutex_lock, CoMutex *);
    FUNCTION(void, qemu_co_mutex_unlock, CoMutex *);
    FUNCTION(void, qemu_co_mutex_assert_locked, CoMutex *);
    FUNCTION(void, qemu_co_queue_init, CoQueue *);
    FUNCTION(void, qemu_co_queue_wait_impl, CoQueue *, QemuLockable *, int);
    FUNCTION(bool, qemu_co_queue_next, CoQueue *);
    FUNCTION(void, qemu_co_queue_restart_all, CoQueue *);
    FUNCTION(bool, qemu_co_enter_next_impl, CoQueue *, QemuLockable *);
    FUNCTION(void, qemu_co_enter_all_impl, CoQueue *, QemuLockable *);
    FUNCTION(bool, qemu_co_queue_empty, CoQueue *);
    FUNCTION(void, qemu_co_rwlock_init, CoRwlock *);
    FUNCTION(void, qemu_co_rwlock_rdlock, CoRwlock *);
    FUNCTION(void, qemu_co_rwlock_wrlock, CoRwlock *);
    FUNCTION(void, qemu_co_rwlock_upgrade, CoRwlock *);
    FUNCTION(void, qemu_co_rwlock_downgrade, CoRwlock *);
    FUNCTION(void, qemu_co_rwlock_unlock, CoRwlock *);
}

TEST(vectors)
{
    FIELD(QEMUIOVector, iov, struct iovec *);
    FIELD(QEMUIOVector, niov, int);
    FIELD(QEMUIOVector, size, size_t);
    FUNCTION(size_t, iov_size, const struct iovec *, unsigned int);
    FUNCTION(ssize_t, iov_send_recv, int, const struct iovec *, unsigned,
             size_t, size_t, bool);
    FUNCTION(size_t, iov_discard_front_undoable, struct iovec **,
             unsigned int *, size_t, IOVDiscardUndo *);
    FUNCTION(size_t, iov_discard_back_undoable, struct iovec *, unsigned int *,
             size_t, IOVDiscardUndo *);
    FUNCTION(void, iov_discard_undo, IOVDiscardUndo *);
    FUNCTION(void *, qemu_memalign, size_t, size_t);
    FUNCTION(void *, qemu_try_memalign, size_t, size_t);
    FUNCTION(void, qemu_vfree, void *);
    FUNCTION(void, qemu_iovec_init, QEMUIOVector *, int);
    FUNCTION(void, qemu_iovec_init_external, QEMUIOVector *, struct iovec *,
             int);
    FUNCTION(void, qemu_iovec_init_buf, QEMUIOVector *, void *, size_t);
    FUNCTION(void, qemu_iovec_init_slice, QEMUIOVector *, QEMUIOVector *,
             size_t, size_t);
    FUNCTION(void, qemu_iovec_add, QEMUIOVector *, void *, size_t);
    FUNCTION(void, qemu_iovec_concat, QEMUIOVector *, QEMUIOVector *, size_t,
             size_t);
    FUNCTION(bool, qemu_iovec_is_zero, QEMUIOVector *, size_t, size_t);
    FUNCTION(void, qemu_iovec_destroy, QEMUIOVector *);
    FUNCTION(void, qemu_iovec_reset, QEMUIOVector *);
    FUNCTION(size_t, qemu_iovec_to_buf, QEMUIOVector *, size_t, void *, size_t);
    FUNCTION(size_t, qemu_iovec_from_buf, QEMUIOVector *, size_t, const void *,
             size_t);
    FUNCTION(size_t, qemu_iovec_memset, QEMUIOVector *, size_t, int, size_t);
    FUNCTION(ssize_t, qemu_iovec_compare, QEMUIOVector *, QEMUIOVector *);
    FUNCTION(void, qemu_iovec_clone, QEMUIOVector *, const QEMUIOVector *,
             void *);
}

TEST(main_loop)
{
    FUNCTION(int, qemu_init_main_loop, Error **);
    FUNCTION(void, main_loop_wait, int);
    FUNCTION(AioContext *, qemu_get_aio_context, void);
    FUNCTION(void, qemu_notify_event, void);
    FUNCTION(void, qemu_set_fd_handler, int, IOHandler *, IOHandler *, void *);
    FUNCTION(void, event_notifier_set_handler, EventNotifier *,
             EventNotifierHandler *);
    FUNCTION(AioContext *, iohandler_get_aio_context, void);
    FUNCTION(GSource *, iohandler_get_g_source, void);
    FUNCTION(bool, qemu_mutex_iothread_locked, void);
    FUNCTION(bool, qemu_in_main_thread, void);
    FUNCTION(void, qemu_cond_wait_iothread, QemuCond *);
    FUNCTION(QEMUBH *, qemu_bh_new_full, QEMUBHFunc *, void *, const char *);
    FUNCTION(void, qemu_bh_schedule_idle, QEMUBH *);
    FUNCTION(void, aio_wait_kick, void);
    FUNCTION(void, aio_wait_bh_oneshot, AioContext *, QEMUBHFunc *, void *);
    FUNCTION(bool, in_aio_context_home_thread, AioContext *);
    TYPE(AioWait, __typeof__(global_aio_wait));
}

TEST(graph_lock)
{
    FUNCTION(void, register_aiocontext, AioContext *);
    FUNCTION(void, unregister_aiocontext, AioContext *);
    FUNCTION(void, bdrv_graph_wrlock, void);
    FUNCTION(void, bdrv_graph_wrunlock, void);
    FUNCTION(void, bdrv_graph_co_rdlock, void);
    FUNCTION(void, bdrv_graph_co_rdunlock, void);
    FUNCTION(void, bdrv_graph_rdlock_main_loop, void);
    FUNCTION(void, bdrv_graph_rdunlock_main_loop, void);
    FUNCTION(void, assert_bdrv_graph_readable, void);
    FUNCTION(void, assert_bdrv_graph_writable, void);
}

TEST(iothreads)
{
    FUNCTION(IOThread *, iothread_create, const char *, Error **);
    FUNCTION(void, iothread_stop, IOThread *);
    FUNCTION(void, iothread_destroy, IOThread *);
    FUNCTION(char *, iothread_get_id, IOThread *);
    FUNCTION(IOThread *, iothread_by_id, const char *);
    FUNCTION(AioContext *, iothread_get_aio_context, IOThread *);
    FUNCTION(struct _GMainContext *, iothread_get_g_main_context, IOThread *);
    FUNCTION(bool, qemu_in_iothread, void);
    FUNCTION(IOThread *, iothread_new, void);
    FUNCTION(void, iothread_join, IOThread *);
}

TEST(file_engines)
{
    TYPE(int(void *), ThreadPoolFunc);
    FUNCTION(ThreadPool *, thread_pool_new, struct AioContext *);
    FUNCTION(void, thread_pool_free, ThreadPool *);
    FUNCTION(BlockAIOCB *, thread_pool_submit_aio, ThreadPool *,
             ThreadPoolFunc *, void *, BlockCompletionFunc *, void *);
    FUNCTION(int, thread_pool_submit_co, ThreadPool *, ThreadPoolFunc *,
             void *);
    FUNCTION(void, thread_pool_submit, ThreadPool *, ThreadPoolFunc *, void *);
    FUNCTION(void, thread_pool_update_params, ThreadPool *,
             struct AioContext *);
    FUNCTION(LinuxAioState *, laio_init, Error **);
    FUNCTION(void, laio_cleanup, LinuxAioState *);
    FUNCTION(int, laio_co_submit, BlockDriverState *, LinuxAioState *, int,
             uint64_t, QEMUIOVector *, int, uint64_t);
    FUNCTION(void, laio_detach_aio_context, LinuxAioState *, AioContext *);
    FUNCTION(void, laio_attach_aio_context, LinuxAioState *, AioContext *);
    FUNCTION(void, laio_io_plug, BlockDriverState *, LinuxAioState *);
    FUNCTION(void, laio_io_unplug, BlockDriverState *, LinuxAioState *,
             uint64_t);
    FUNCTION(LuringState *, luring_init, Error **);
    FUNCTION(void, luring_cleanup, LuringState *);
    FUNCTION(int, luring_co_submit, BlockDriverState *, LuringState *, int,
             uint64_t, QEMUIOVector *, int);
    FUNCTION(void, luring_detach_aio_context, LuringState *, AioContext *);
    FUNCTION(void, luring_attach_aio_context, LuringState *, AioContext *);
    FUNCTION(void, luring_io_plug, BlockDriverState *, LuringState *);
    FUNCTION(void, luring_io_unplug, BlockDriverState *, LuringState *);
    FUNCTION(void, bdrv_aio_cancel, BlockAIOCB *);
    FUNCTION(void, bdrv_aio_cancel_async, BlockAIOCB *);
}
