/*
 * engines.c - the table of file engines, and the choice among them
 *
 * The only place that knows which engines there are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "engine/state.h"
#include "qapi/error.h"

/* Best first; the last one always works. */
static const AioEngine *const engines[] = {
    &engine_io_uring,
    &engine_linux_aio,
    &engine_threads,
};

enum { ENGINE_COUNT = sizeof(engines) / sizeof(engines[0]) };

_Static_assert((int)ENGINE_COUNT <= (int)ENGINES_MAX, "a reason per engine");

static const char *const engine_names[] = {
    "io_uring",
    "linux_aio",
    "threads",
    NULL,
};

const char *const *aio_engine_names(void)
{
    return engine_names;
}

const char *aio_engine_name(const AioEngine *engine)
{
    return engine->name;
}

static int find_engine(const char *name, size_t len)
{
    for (int i = 0; i < ENGINE_COUNT; i++) {
        if (strlen(engines[i]->name) == len &&
            strncmp(engines[i]->name, name, len) == 0) {
            return i;
        }
    }
    return -1;
}

static void set_unknown(const char *name, Error **errp)
{
    char list[128] = "auto";
    size_t used = strlen(list);

    for (int i = 0; i < ENGINE_COUNT; i++) {
        used += (size_t)snprintf(list + used, sizeof(list) - used, ", %s",
                                 engines[i]->name);
    }
    error_setg(errp, "unknown file engine '%s'; known are %s", name, list);
}

const AioEngine *engine_lookup(const char *name, Error **errp)
{
    int row = find_engine(name, strlen(name));

    if (row < 0) {
        set_unknown(name, errp);
        return NULL;
    }
    return engines[row];
}

bool engine_notifier_init(EventNotifier *e, const char *engine, Error **errp)
{
    int ret = event_notifier_init(e, false);

    if (ret < 0) {
        error_setg_errno(errp, -ret, "%s: completion notifier, see ulimit -n",
                         engine);
    } else if (event_notifier_get_fd(e) != event_notifier_get_wfd(e)) {
        event_notifier_cleanup(e);
        error_setg(errp,
                   "%s: the kernel reports to an eventfd, and refuses to "
                   "make one; allow the system call eventfd2",
                   engine);
        ret = -ENOSYS;
    }
    return ret == 0;
}

/* ---- readiness ---------------------------------------------------------- */

static int row_of(const AioEngine *engine)
{
    for (int i = 0; i < ENGINE_COUNT; i++) {
        if (engines[i] == engine) {
            return i;
        }
    }
    return -1;
}

static bool make_ready(AioContext *ctx, int row, Error **errp)
{
    EngineState *state = engine_state(ctx);

    if (!(state->ready_engines & (1u << row))) {
        if (!engines[row]->setup(ctx, errp)) {
            return false;
        }
        state->ready_engines |= 1u << row;
    }
    return true;
}

bool engine_is_ready(AioContext *ctx, const AioEngine *engine)
{
    EngineState *state = ctx->engine_state;
    int row = row_of(engine);

    CHECK(row >= 0);
    if (likely(state && (state->ready_engines & (1u << row)))) {
        return true;
    }
    return make_ready(ctx, row, NULL);
}

void engine_flush_all(AioContext *ctx)
{
    unsigned ready = ctx->engine_state ? ctx->engine_state->ready_engines : 0;

    for (int i = 0; ready >> i; i++) {
        if ((ready & (1u << i)) && engines[i]->flush) {
            engines[i]->flush(ctx);
        }
    }
}

void engine_before_wait_all(AioContext *ctx)
{
    unsigned ready = ctx->engine_state->ready_engines;

    for (int i = 0; ready >> i; i++) {
        if (!(ready & (1u << i))) {
            continue;
        }
        if (engines[i]->before_wait) {
            engines[i]->before_wait(ctx);
        } else if (engines[i]->flush) {
            engines[i]->flush(ctx);
        }
    }
}

void engine_destroy_all(AioContext *ctx)
{
    for (int i = 0; i < ENGINE_COUNT; i++) {
        if (engines[i]->destroy) {
            engines[i]->destroy(ctx);
        }
    }
}

/* ---- choosing ----------------------------------------------------------- */

/* Keeps the text as long as the context, so that callers need not free it. */
static void keep_reason(EngineState *state, int row, const char *reason)
{
    if (!state->reason[row] || strcmp(state->reason[row], reason) != 0) {
        free(state->reason[row]);
        state->reason[row] = check_strdup(reason);
    }
}

static bool usable(AioContext *ctx, int row, bool direct)
{
    EngineState *state = engine_state(ctx);
    Error *err = NULL;

    if (engines[row]->direct_only && !direct) {
        keep_reason(state, row,
                    "linux_aio: would block, the file is not open "
                    "with O_DIRECT; open it with direct I/O");
        return false;
    }
    if (!make_ready(ctx, row, &err)) {
        keep_reason(state, row, error_get_pretty(err));
        error_free(err);
        return false;
    }
    return true;
}

/* The first usable row from @row on; there is one: the last. */
static int first_usable(AioContext *ctx, int row, bool direct)
{
    while (!usable(ctx, row, direct)) {
        row++;
        CHECK(row < ENGINE_COUNT);
    }
    return row;
}

const AioEngine *aio_engine_get(AioContext *ctx, const char *name, bool direct,
                                const char **fallback, Error **errp)
{
    size_t len = strlen(name);
    bool strict = len > 0 && name[len - 1] == '!';
    int wanted, got;

    if (fallback) {
        *fallback = NULL;
    }
    len -= strict;
    if (len == 4 && strncmp(name, "auto", len) == 0) {
        return engines[first_usable(ctx, 0, direct)];
    }
    wanted = find_engine(name, len);
    if (wanted < 0) {
        set_unknown(name, errp);
        return NULL;
    }
    if (strict && !usable(ctx, wanted, direct)) {
        error_setg(errp, "%s", ctx->engine_state->reason[wanted]);
        return NULL;
    }
    got = first_usable(ctx, wanted, direct);
    if (got != wanted && fallback) {
        *fallback = ctx->engine_state->reason[wanted];
    }
    return engines[got];
}

bool aio_engine_probe(const char *name, char **why)
{
    int row = find_engine(name, strlen(name));
    Error *err = NULL;

    if (row < 0) {
        set_unknown(name, &err);
    } else if (engines[row]->probe(&err)) {
        return true;
    }
    if (why) {
        *why = check_strdup(error_get_pretty(err));
    }
    error_free(err);
    return false;
}
