/*
 * dump.c - what SIGUSR1 and --stats print: counters, handles, tasks
 *
 * The signal handler only schedules a bottom half; it prints from the loop, so
 * a script that never lets the loop run is not described.
 */
#include "host/host.h"
#include "slice.h"
#include "vm.h"
#include "aioctl/context.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static QEMUBH *dump_bh;

typedef struct Field {
    const char *name;
    uint64_t value;
} Field;

enum { FIELDS_MAX = 24 };

/* Ended by a NULL name. */
static void collect(LuaVM *vm, Field fields[FIELDS_MAX])
{
    AioContextStats s;

    aio_context_get_stats(vm->home->ctx, &s);
    const Field all[FIELDS_MAX] = {
        {"iterations", s.iterations},
        {"blocked", s.blocked},
        {"polls", s.polls},
        {"poll_hits", s.poll_hits},
        {"poll_ns_total", s.poll_ns_total},
        {"bhs", s.bhs},
        {"fds", s.fds},
        {"timers", s.timers},
        {"coroutines", s.coroutines},
        {"dispatched", s.bhs + s.fds + s.timers + s.coroutines},
        {"submitted", s.submitted},
        {"completed", s.completed},
        {"in_flight", s.in_flight},
        {"batches", s.batches},
        {"notifies", s.notifies},
        {"wakeups", s.wakeups},
        {"tasks", vm->priv->live_count},
        {"registered_buffers", s.registered_buffers},
        {"registration_failures", s.registration_failures},
        {"blocked_ns", s.blocked_ns},
        {NULL, 0},
    };
    memcpy(fields, all, sizeof(all));
}

static const double percentiles[] = {50, 90, 99, 99.9, 100};
enum { PERCENTILES = sizeof(percentiles) / sizeof(percentiles[0]) };

static void print_hist(const char *what, const Hist *h)
{
    if (h->total == 0) {
        return;
    }
    fprintf(stderr, HOST_NAME ": %-8s", what);
    for (int i = 0; i < PERCENTILES; i++) {
        double us = (double)hist_percentile(h, percentiles[i]) / 1e3;

        if (percentiles[i] < 100) {
            fprintf(stderr, "  p%g %.1f us", percentiles[i], us);
        } else {
            fprintf(stderr, "  max %.1f us\n", us);
        }
    }
}

/* What is 0 is left out; times in seconds. */
void dump_stats(LuaVM *vm)
{
    const LuaTiming *timing = vm->home->timing;
    Field fields[FIELDS_MAX];

    collect(vm, fields);
    fprintf(stderr, HOST_NAME ": fdmon=%s", aio_context_fdmon(vm->home->ctx));
    for (const Field *f = fields; f->name; f++) {
        if (f->value != 0 && !strstr(f->name, "_ns")) {
            fprintf(stderr, " %s=%" PRIu64, f->name, f->value);
        }
    }
    for (const Field *f = fields; f->name; f++) {
        if (strcmp(f->name, "blocked_ns") == 0) {
            fprintf(stderr, " blocked_s=%.6f\n", (double)f->value / 1e9);
        }
    }
    if (timing) {
        print_hist("lag", &timing->lag);
        print_hist("callback", &timing->callback);
    }
}

static void print_hist_json(const char *name, const Hist *h)
{
    fprintf(stderr, ", \"%s\": {\"count\": %" PRIu64, name, h->total);
    for (int i = 0; i < PERCENTILES && h->total; i++) {
        int64_t ns = hist_percentile(h, percentiles[i]);

        if (percentiles[i] < 100) {
            fprintf(stderr, ", \"p%g\": %" PRId64, percentiles[i], ns);
        } else {
            fprintf(stderr, ", \"max\": %" PRId64, ns);
        }
    }
    fputc('}', stderr);
}

/* One object on one line, nanoseconds, with everything. */
void dump_stats_json(LuaVM *vm)
{
    const LuaTiming *timing = vm->home->timing;
    Field fields[FIELDS_MAX];

    collect(vm, fields);
    fprintf(stderr, "{\"fdmon\": \"%s\"", aio_context_fdmon(vm->home->ctx));
    for (const Field *f = fields; f->name; f++) {
        fprintf(stderr, ", \"%s\": %" PRIu64, f->name, f->value);
    }
    if (timing) {
        print_hist_json("lag", &timing->lag);
        print_hist_json("callback", &timing->callback);
    }
    fprintf(stderr, "}\n");
}

static void dump_all(void *opaque)
{
    LuaVM *vm = opaque;
    char line[256];

    dump_stats(vm);
    for (const LuaHandle *h = vm->handles; h != NULL; h = h->next) {
        handle_describe(h, line, sizeof(line));
        fprintf(stderr, HOST_NAME ": %s%s%s\n", line, h->armed ? ", armed" : "",
                h->unrefd ? ", unref'd" : "");
    }
    vm_print_tasks(vm);
    fflush(stderr);
}

void dump_install(LuaVM *vm)
{
    dump_bh = aio_bh_new(vm->home->ctx, dump_all, vm);
}

void dump_uninstall(void)
{
    QEMUBH *bh = dump_bh;

    dump_bh = NULL;
    qemu_bh_delete(bh);
}

/* Async-signal-safe. */
void dump_request(void)
{
    if (dump_bh != NULL) {
        qemu_bh_schedule(dump_bh);
    }
}
