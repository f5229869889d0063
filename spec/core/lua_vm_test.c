/*
 * lua_vm_test.c - the binding seen from C: several VMs, and other threads
 *
 * Lua code alone can neither make a second lua_State nor fire a waker from a
 * thread that has none; C modules can.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "block/aio.h"
#include "task.h"
#include "test.h"

int luaopen_aio_core(lua_State *L);

static lua_State *open_state(void)
{
    lua_State *L = luaL_newstate();

    luaL_openlibs(L);
    luaL_requiref(L, "aio.core", luaopen_aio_core, 0);
    lua_setglobal(L, "aio");
    return L;
}

/* Runs a chunk; fails the test when it raises. */
static void run(lua_State *L, const char *chunk)
{
    if (luaL_dostring(L, chunk) != LUA_OK) {
        FAIL("%s", luaL_tolstring(L, -1, NULL));
    }
}

static lua_Integer global(lua_State *L, const char *name)
{
    lua_getglobal(L, name);
    lua_Integer value = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return value;
}

/* ---- several VMs -------------------------------------------------------- */

TEST(two_vms_in_one_thread_do_not_know_each_other)
{
    lua_State *a = open_state(), *b = open_state();

    for (int i = 0; i < 3; i++) {
        run(a, "aio.run(function() aio.sleep(0.001) x = (x or 0) + 1 end)");
        run(b, "aio.run(function() aio.yield() x = (x or 0) + 10 end)");
    }
    ASSERT_EQ(global(a, "x"), 3);
    ASSERT_EQ(global(b, "x"), 30);
    lua_close(a);
    run(b, "aio.run(function() aio.sleep(0.001) x = x + 1 end)");
    ASSERT_EQ(global(b, "x"), 31);
    lua_close(b);
}

/* A task of one VM calls into the other, as a C module might. */
static int run_other(lua_State *L)
{
    lua_State *other = lua_touserdata(L, lua_upvalueindex(1));

    run(other, "aio.run(function() aio.sleep(0.001) x = 1 end)");
    return 0;
}

static int try_to_park_other(lua_State *L)
{
    lua_State *other = lua_touserdata(L, lua_upvalueindex(1));

    lua_pushboolean(L, luaL_dostring(other, "aio.sleep(1)") == LUA_OK);
    lua_pushstring(L, lua_tostring(other, -1));
    return 2;
}

static void push_call(lua_State *L, lua_CFunction fn, lua_State *other)
{
    lua_pushlightuserdata(L, other);
    lua_pushcclosure(L, fn, 1);
    lua_setglobal(L, "other");
}

TEST(a_task_cannot_park_by_way_of_another_vm)
{
    lua_State *a = open_state(), *b = open_state();

    push_call(a, try_to_park_other, b);
    run(a, "aio.run(function() ok, message = other() end) "
           "assert(not ok and message:find('cannot park outside of a task'))");
    lua_close(b);
    lua_close(a);
}

TEST(a_task_may_run_another_vm_to_its_end)
{
    lua_State *a = open_state(), *b = open_state();

    push_call(a, run_other, b);
    run(a, "aio.run(function() aio.spawn(function() other() end):join() "
           "aio.sleep(0.001) end)");
    ASSERT_EQ(global(b, "x"), 1);
    lua_close(a);
    lua_close(b);
}

TEST(states_close_in_any_order_with_everything_open)
{
    static const char open_all[] =
        "bh = aio.bh(function() end) bh:schedule() "
        "timer = aio.timer{fn = function() end} timer:mod(aio.now() + 100) "
        "n = aio.notifier() n:handler(function() end) "
        "ctx = aio.context{} aio.bh(print, 'x', ctx):schedule() "
        "b = aio.buf(8192) pool = aio.bufpool{count = 2, size = 4096} "
        "aio.run(function() chan = aio.sync.chan() "
        "t = aio.spawn(function() chan:get(100) end):unref() "
        "waker = aio.self():waker() bh:unref() timer:unref() n:unref() end)";
    lua_State *states[3];

    for (int i = 0; i < 3; i++) {
        states[i] = open_state();
        run(states[i], open_all);
    }
    lua_close(states[1]);
    lua_close(states[0]);
    lua_close(states[2]);
}

static void *vm_thread(void *arg)
{
    lua_State *L = open_state();

    run(L, "aio.run(function() for i = 1, 20 do aio.sleep(0.0005) "
           "aio.spawn(aio.yield):join() end x = 1 end)");
    *(lua_Integer *)arg = global(L, "x");
    lua_close(L);
    return NULL;
}

TEST(each_thread_may_have_a_vm_of_its_own)
{
    pthread_t threads[4];
    lua_Integer done[4] = {0};

    for (int i = 0; i < 4; i++) {
        ASSERT_EQ(pthread_create(&threads[i], NULL, vm_thread, &done[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        ASSERT_EQ(done[i], 1);
    }
}

/* ---- wakers from other threads ------------------------------------------ */

typedef struct Firing {
    pthread_t thread;
    LuaWaker *waker;
    atomic_int ordered; /* wakes still to be fired */
    atomic_bool stop;
    long delay_ns; /* before the thread looks for the first order */
} Firing;

static void pause_ns(long ns)
{
    nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static void *fire_on_order(void *arg)
{
    Firing *f = arg;

    pause_ns(f->delay_ns);
    while (!atomic_load(&f->stop)) {
        if (atomic_load(&f->ordered) > 0) {
            atomic_fetch_sub(&f->ordered, 1);
            waker_fire(f->waker);
        } else {
            pause_ns(1000);
        }
    }
    waker_unref(f->waker);
    return NULL;
}

/* start(waker): hands it to a thread that fires it on order() */
static int start_firing(lua_State *L)
{
    Firing *f = lua_touserdata(L, lua_upvalueindex(1));

    f->waker = waker_ref(waker_check(L, 1));
    ASSERT_EQ(pthread_create(&f->thread, NULL, fire_on_order, f), 0);
    return 0;
}

static int order_wake(lua_State *L)
{
    Firing *f = lua_touserdata(L, lua_upvalueindex(1));

    atomic_fetch_add(&f->ordered, 1);
    return 0;
}

static int stop_firing(lua_State *L)
{
    Firing *f = lua_touserdata(L, lua_upvalueindex(1));

    atomic_store(&f->stop, true);
    return 0;
}

static lua_State *open_with_firing(Firing *f)
{
    static const luaL_Reg functions[] = {{"start", start_firing},
                                         {"order", order_wake},
                                         {"stop", stop_firing},
                                         {NULL, NULL}};
    lua_State *L = open_state();

    if (getenv("AIOCTL_TEST_SLOW")) { /* valgrind: no thread runs while one
                                         waits in io_uring_enter() */
        run(L, "aio.context():set{fdmon = 'poll'}");
    }
    lua_pushglobaltable(L);
    lua_pushlightuserdata(L, f);
    luaL_setfuncs(L, functions, 1);
    lua_pop(L, 1);
    return L;
}

TEST(every_wake_from_another_thread_arrives)
{
    Firing f = {.delay_ns = 0};
    lua_State *L = open_with_firing(&f);

    lua_pushinteger(L, test_is_slow() ? 500 : 5000);
    lua_setglobal(L, "rounds");
    run(L, "aio.run(function() start(aio.self():waker()) "
           "for i = 1, rounds do order() assert(aio.park(20)) end "
           "stop() end)");
    pthread_join(f.thread, NULL);
    lua_close(L);
}

TEST(a_waker_in_another_thread_is_no_deadlock)
{
    Firing f = {.delay_ns = 5000000};
    lua_State *L = open_with_firing(&f);

    run(L, "aio.run(function() start(aio.self():waker()) "
           "order() assert(aio.park()) stop() end)");
    pthread_join(f.thread, NULL);
    lua_close(L);
}

TEST(a_deadlock_is_told_when_the_last_waker_elsewhere_is_given_up)
{
    Firing f = {.delay_ns = 5000000};
    lua_State *L = open_with_firing(&f);

    run(L, "local ok, message = pcall(aio.run, function() "
           "start(aio.self():waker()) stop() aio.park() end) "
           "assert(not ok and message:find('deadlock'))");
    pthread_join(f.thread, NULL);
    lua_close(L);
}

TEST(a_waker_elsewhere_may_outlive_its_task_and_its_vm)
{
    Firing f = {.delay_ns = 0};
    lua_State *L = open_with_firing(&f);

    run(L, "aio.run(function() aio.spawn(function() "
           "start(aio.self():waker()) order() end):join() "
           "for i = 1, 50 do order() aio.yield() end end)");
    for (int i = 0; i < 50; i++) {
        atomic_fetch_add(&f.ordered, 1);
    }
    lua_close(L);
    atomic_fetch_add(&f.ordered, 10);
    pause_ns(2000000);
    atomic_store(&f.stop, true);
    pthread_join(f.thread, NULL);
}

TEST(a_waker_elsewhere_of_a_task_that_ended_hides_no_deadlock)
{
    Firing f = {.delay_ns = 0};
    lua_State *L = open_with_firing(&f);

    run(L, "local ok, message = pcall(aio.run, function() "
           "aio.spawn(function() start(aio.self():waker()) end):join() "
           "aio.park() end) "
           "assert(not ok and message:find('deadlock'))");
    atomic_store(&f.stop, true);
    pthread_join(f.thread, NULL);
    lua_close(L);
}
