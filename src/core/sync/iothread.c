/*
 * iothread.c - a thread that runs a context
 *
 * The creator makes the context, so that it can report what the system refuses;
 * the thread then becomes its home, prepares what only the home may do, and
 * says whether that worked.  From there on it makes passes until a bottom half
 * tells it to leave.
 *
 * Bottom halves run first in, first out, so what was scheduled before the stop
 * has run when the thread leaves.  What that has scheduled in turn gets some
 * more passes.
 *
 * Rule: the context outlives the thread, and only the thread polls it.
 */
#include <sched.h>

#include "aioctl/context.h"
#include "base/check.h"
#include "qemu/atomic.h"
#include "sync/iothread_int.h"

/* Enough for chains of bottom halves; one that always schedules itself should
 * have been deleted. */
enum { LAST_PASSES_MAX = 100 };

static QemuMutex registry_lock = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .initialized = true,
};
static QTAILQ_HEAD(, IOThread) registry = QTAILQ_HEAD_INITIALIZER(registry);

QEMU_DEFINE_STATIC_CO_TLS(bool, in_iothread)

/* ---- names -------------------------------------------------------------- */

static IOThread *find(const char *id)
{
    IOThread *iothread;

    QTAILQ_FOREACH(iothread, &registry, next) {
        if (strcmp(iothread->id, id) == 0) {
            return iothread;
        }
    }
    return NULL;
}

static char *first_free_name(void)
{
    char name[32];
    unsigned n = 0;

    /* Ends: there are fewer threads than numbers. */
    do {
        snprintf(name, sizeof(name), "iothread%u", n++);
    } while (find(name));
    return check_strdup(name);
}

static bool take_name(IOThread *iothread, const char *id, Error **errp)
{
    qemu_mutex_lock(&registry_lock);
    bool taken = id && find(id);
    if (!taken) {
        iothread->id = id ? check_strdup(id) : first_free_name();
        QTAILQ_INSERT_TAIL(&registry, iothread, next);
    }
    qemu_mutex_unlock(&registry_lock);
    if (taken) {
        error_setg(errp, "iothread: there is one called '%s' already", id);
    }
    return !taken;
}

static void drop_name(IOThread *iothread)
{
    qemu_mutex_lock(&registry_lock);
    QTAILQ_REMOVE(&registry, iothread, next);
    qemu_mutex_unlock(&registry_lock);
    free(iothread->id);
}

IOThread *iothread_by_id(const char *id)
{
    qemu_mutex_lock(&registry_lock);
    IOThread *iothread = find(id);
    if (iothread && !iothread->listed) {
        iothread = NULL;
    }
    qemu_mutex_unlock(&registry_lock);
    return iothread;
}

/* ---- the thread --------------------------------------------------------- */

/* The creator's, until done is posted. */
typedef struct Start {
    IOThread *iothread;
    const AioIOThreadParams *params;
    Error **errp;
    bool ok;
    QemuSemaphore done;
} Start;

static void pass(IOThread *iothread)
{
    aio_poll(iothread->ctx, true);
}

static const IOThreadRunner plain_runner = {.pass = pass};

static bool move_to_cpus(const AioIOThreadParams *params, Error **errp)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    for (unsigned i = 0; i < params->cpu_count; i++) {
        int cpu = params->cpus[i];

        if (cpu < 0 || cpu >= CPU_SETSIZE) {
            error_setg(errp, "iothread: processor %d, must be from 0 to %d",
                       cpu, CPU_SETSIZE - 1);
            return false;
        }
        CPU_SET(cpu, &set);
    }
    if (sched_setaffinity(0, sizeof(set), &set) < 0) {
        error_setg_errno(errp, errno,
                         "iothread: cannot run on processor %d%s,"
                         " see /sys/devices/system/cpu/online",
                         params->cpus[0], params->cpu_count > 1 ? ", ..." : "");
        return false;
    }
    return true;
}

static bool prepare(Start *start)
{
    const AioIOThreadParams *params = start->params;
    AioContext *ctx = start->iothread->ctx;

    return (!params->cpu_count || move_to_cpus(params, start->errp)) &&
           (!params->fdmon ||
            aio_context_set_fdmon(ctx, params->fdmon, start->errp));
}

static void run(IOThread *iothread)
{
    AioContext *ctx = iothread->ctx;

    if (iothread->body) {
        iothread->body(ctx, iothread->opaque);
    }
    while (!iothread->leaving) {
        iothread->runner->pass(iothread);
    }
    for (int i = 0; i < LAST_PASSES_MAX && aio_poll(ctx, false); i++) {
    }
    if (iothread->end) {
        iothread->end(ctx, iothread->opaque);
    }
    if (iothread->runner->end) {
        iothread->runner->end(iothread);
    }
}

static void *thread_main(void *opaque)
{
    Start *start = opaque;
    IOThread *iothread = start->iothread;

    set_in_iothread(true);
    qemu_set_current_aio_context(iothread->ctx);
    iothread->thread_id = qemu_get_thread_id();

    bool ok = prepare(start);

    if (ok && iothread->begin) {
        iothread->begin(iothread->ctx, iothread->opaque);
    }
    start->ok = ok;
    qemu_sem_post(&start->done); /* start is gone */
    if (ok) {
        run(iothread);
    }
    qemu_set_current_aio_context(NULL);
    return NULL;
}

/* ---- creation ----------------------------------------------------------- */

static void discard(IOThread *iothread)
{
    if (iothread->ctx) {
        aio_context_unref(iothread->ctx);
    }
    drop_name(iothread);
    qemu_mutex_destroy(&iothread->stop_lock);
    qemu_mutex_destroy(&iothread->lock);
    free(iothread);
}

static bool make_context(IOThread *iothread, const AioIOThreadParams *params,
                         Error **errp)
{
    Error *err = NULL;

    iothread->ctx = aio_context_new(errp);
    if (!iothread->ctx) {
        return false;
    }
    aio_context_set_poll_params(iothread->ctx, params->poll_max_ns,
                                params->poll_grow, params->poll_shrink, &err);
    error_propagate(errp, err);
    return !err;
}

static bool start_thread(IOThread *iothread, const AioIOThreadParams *params,
                         Error **errp)
{
    Start start = {.iothread = iothread, .params = params, .errp = errp};

    qemu_sem_init(&start.done, 0);
    int ret = aio_thread_create(&iothread->thread, iothread->id, thread_main,
                                &start, QEMU_THREAD_JOINABLE);
    if (ret < 0) {
        error_setg_errno(errp, -ret,
                         "iothread: cannot create thread '%s', see "
                         "ulimit -u",
                         iothread->id);
    } else {
        qemu_sem_wait(&start.done);
        if (!start.ok) {
            qemu_thread_join(&iothread->thread);
        }
    }
    qemu_sem_destroy(&start.done);
    return start.ok;
}

void aio_iothread_params_init(AioIOThreadParams *params)
{
    *params = (AioIOThreadParams){.poll_max_ns = IOTHREAD_POLL_MAX_NS_DEFAULT};
}

IOThread *aio_iothread_new(const AioIOThreadParams *params, Error **errp)
{
    IOThread *iothread = check_calloc(1, sizeof(*iothread));

    qemu_mutex_init(&iothread->stop_lock);
    qemu_mutex_init(&iothread->lock);
    iothread->runner = &plain_runner;
    iothread->begin = params->begin;
    iothread->body = params->body;
    iothread->end = params->end;
    iothread->opaque = params->opaque;
    if (!take_name(iothread, params->id, errp)) {
        qemu_mutex_destroy(&iothread->stop_lock);
        qemu_mutex_destroy(&iothread->lock);
        free(iothread);
        return NULL;
    }
    if (!make_context(iothread, params, errp) ||
        !start_thread(iothread, params, errp)) {
        discard(iothread);
        return NULL;
    }
    qemu_mutex_lock(&registry_lock);
    iothread->listed = true;
    qemu_mutex_unlock(&registry_lock);
    return iothread;
}

IOThread *iothread_create(const char *id, Error **errp)
{
    AioIOThreadParams params;

    aio_iothread_params_init(&params);
    params.id = id;
    return aio_iothread_new(&params, errp);
}

IOThread *iothread_new(void)
{
    Error *err = NULL;
    IOThread *iothread = iothread_create(NULL, &err);

    CHECKF(iothread, "%s", error_get_pretty(err));
    return iothread;
}

/* ---- the end ------------------------------------------------------------ */

static void leave(void *opaque)
{
    IOThread *iothread = opaque;

    iothread->leaving = true;
}

void iothread_stop(IOThread *iothread)
{
    CHECKF(!qemu_thread_is_self(&iothread->thread),
           "IOThread '%s' stops itself", iothread->id);
    qemu_mutex_lock(&iothread->stop_lock);
    if (!iothread->stopped) {
        aio_bh_schedule_oneshot(iothread->ctx, leave, iothread);
        qemu_thread_join(&iothread->thread);
        iothread->stopped = true;
    }
    qemu_mutex_unlock(&iothread->stop_lock);
}

void iothread_destroy(IOThread *iothread)
{
    iothread_stop(iothread);
    if (iothread->runner->free) {
        iothread->runner->free(iothread);
    }
    discard(iothread);
}

void iothread_join(IOThread *iothread)
{
    iothread_destroy(iothread);
}

/* ---- questions ---------------------------------------------------------- */

char *iothread_get_id(IOThread *iothread)
{
    return check_strdup(iothread->id);
}

AioContext *iothread_get_aio_context(IOThread *iothread)
{
    return iothread->ctx;
}

int aio_iothread_thread_id(IOThread *iothread)
{
    return iothread->thread_id;
}

bool qemu_in_iothread(void)
{
    return get_in_iothread();
}
