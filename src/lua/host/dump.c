/*
 * dump.c - what SIGUSR1 and --stats print: counters, handles, tasks
 *
 * The signal handler only schedules a bottom half; it prints from the loop, so
 * a script that never lets the loop run is not described.
 */
#include "host/host.h"
#include "vm.h"
#include "aioctl/context.h"

#include <inttypes.h>
#include <stdio.h>

static QEMUBH *dump_bh;

static void print_counter(const char *name, uint64_t value)
{
    if (value != 0) {
        fprintf(stderr, " %s=%" PRIu64, name, value);
    }
}

void dump_stats(LuaVM *vm)
{
    AioContextStats s;

    aio_context_get_stats(vm->home->ctx, &s);
    fprintf(stderr, HOST_NAME ": fdmon=%s", aio_context_fdmon(vm->home->ctx));
    print_counter("iterations", s.iterations);
    print_counter("blocked", s.blocked);
    print_counter("polls", s.polls);
    print_counter("poll_hits", s.poll_hits);
    print_counter("bhs", s.bhs);
    print_counter("fds", s.fds);
    print_counter("timers", s.timers);
    print_counter("coroutines", s.coroutines);
    print_counter("submitted", s.submitted);
    print_counter("completed", s.completed);
    print_counter("in_flight", s.in_flight);
    print_counter("batches", s.batches);
    print_counter("notifies", s.notifies);
    fprintf(stderr, " blocked_s=%.6f\n", (double)s.blocked_ns / 1e9);
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
