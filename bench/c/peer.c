/*
 * peer.c - the same work done by what others would use
 *
 * libuv and GLib, where the machine has them.  Each case has a twin in core.c;
 * bench/groups says which.
 */
#include "harness.h"

#ifdef HAVE_LIBUV
#include <uv.h>
#endif
#ifdef CONFIG_GLIB
#include <glib.h>
#endif

enum { BATCH = 100 };

#ifdef HAVE_LIBUV
/* ---- libuv -------------------------------------------------------------- */

static uv_loop_t uv;
static uv_idle_t idles[BATCH];
static uint64_t events;

static void on_idle(uv_idle_t *idle)
{
    events++;
}

static void open_idles(int batch)
{
    uv_loop_init(&uv);
    for (int i = 0; i < batch; i++) {
        uv_idle_init(&uv, &idles[i]);
        uv_idle_start(&idles[i], on_idle);
    }
}

static void open_idle1(void)
{
    open_idles(1);
}

static void open_idle100(void)
{
    open_idles(BATCH);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    uv_close(handle, NULL);
}

static void close_uv(void)
{
    uv_walk(&uv, close_handle, NULL);
    uv_run(&uv, UV_RUN_DEFAULT);
    uv_loop_close(&uv);
}

static uint64_t run_uv(uint64_t n)
{
    uint64_t start = events;

    while (events - start < n) {
        uv_run(&uv, UV_RUN_NOWAIT);
    }
    return events - start;
}
#endif

#ifdef CONFIG_GLIB
/* ---- GLib --------------------------------------------------------------- */

static uint64_t glib_events;

static gboolean on_glib_idle(gpointer opaque)
{
    glib_events++;
    return G_SOURCE_CONTINUE;
}

static void open_glib(void)
{
    for (int i = 0; i < BATCH; i++) {
        g_idle_add(on_glib_idle, NULL);
    }
}

static uint64_t run_glib(uint64_t n)
{
    uint64_t start = glib_events;

    while (glib_events - start < n) {
        g_main_context_iteration(NULL, FALSE);
    }
    return glib_events - start;
}
#endif

const BenchCase bench_cases[] = {
#ifdef HAVE_LIBUV
    {"uv_idle1", run_uv, open_idle1, close_uv},
    {"uv_idle100", run_uv, open_idle100, close_uv},
#endif
#ifdef CONFIG_GLIB
    {"glib_idle100", run_glib, open_glib, NULL},
#endif
    {NULL, NULL, NULL, NULL},
};
