/*
 * lua_policy_test.c - the policy aio.policy.qemu against the rule in C
 *
 * Two contexts get the same settings and the same waits, in random sequences:
 * one decides by itself, the other one by the script, through ctx:policy().
 * After each wait both must have the same budget.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>

#include "loop/context.h"
#include "test.h"
#include "vm.h"

int luaopen_aio_core(lua_State *L);

static uint64_t seed = 88172645463325252u;

static uint64_t draw(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

/* Of any magnitude up to 2^@bits. */
static int64_t draw_ns(unsigned bits)
{
    return (int64_t)draw(1ull << (draw(bits) + 1));
}

/* A Lua state whose global ctx has the policy of the file. */
static lua_State *open_state(void)
{
    lua_State *L = luaL_newstate();

    luaL_openlibs(L);
    luaL_requiref(L, "aio.core", luaopen_aio_core, 0);
    lua_setglobal(L, "aio");
    if (luaL_dostring(L, "ctx = aio.context{fdmon = 'poll'} ctx:policy("
                         "assert(dofile('scripts/aio/policy/qemu.lua')))")) {
        FAIL("%s", lua_tostring(L, -1));
    }
    return L;
}

static LuaContext *context_of(lua_State *L)
{
    lua_getglobal(L, "ctx");
    LuaContext *c = lua_touserdata(L, -1);

    lua_pop(L, 1);
    return c;
}

static void draw_settings(AioContext *a, AioContext *b)
{
    int64_t max = draw(8) ? draw_ns(30) : 0;
    int64_t grow = (int64_t)draw(5), shrink = (int64_t)draw(5);

    aio_context_set_poll_params(a, max, grow, shrink, NULL);
    aio_context_set_poll_params(b, max, grow, shrink, NULL);
    busypoll_allowed(a); /* takes them over */
    busypoll_allowed(b);
}

static void wait_once(AioContext *ctx, int64_t block_ns, bool hit)
{
    if (hit) {
        busypoll_hit(ctx, block_ns);
    } else {
        busypoll_adjust(ctx, block_ns);
    }
}

TEST(the_script_decides_as_the_loop_does_on_random_traces)
{
    lua_State *L = open_state();
    LuaContext *scripted = context_of(L);
    AioContext *plain = aio_context_new(NULL);
    int traces = test_is_slow() ? 50 : 500;
    int64_t budgets_seen = 0;

    ASSERT(scripted->ctx->poll_policy != NULL);
    for (int trace = 0; trace < traces; trace++) {
        draw_settings(scripted->ctx, plain);
        for (int i = 0; i < 200; i++) {
            int64_t block_ns = draw_ns(31);
            bool hit = draw(4) == 0;

            wait_once(scripted->ctx, block_ns, hit);
            wait_once(plain, block_ns, hit);
            ASSERT_EQ(scripted->ctx->poll_ns, plain->poll_ns);
            budgets_seen += plain->poll_ns > 4000;
        }
    }
    ASSERT(scripted->policy != NULL);    /* or the default was compared */
    ASSERT_CMP(budgets_seen, >, traces); /* polling grew, too */
    aio_context_unref(plain);
    lua_close(L);
}

TEST(the_budget_of_a_script_is_kept_within_the_settings)
{
    static const char *const makers[] = {
        "return function() return 1e300 end",
        "return function() return -5 end",
        "return function(s) return s.poll_max_ns / 3 end",
    };
    static const int64_t expected[] = {90000, 0, 30000};
    lua_State *L = open_state();
    AioContext *ctx = context_of(L)->ctx;

    for (int i = 0; i < 3; i++) {
        ASSERT_EQ(luaL_dostring(L, makers[i]), LUA_OK);
        lua_setglobal(L, "fn");
        ASSERT_EQ(luaL_dostring(L, "ctx:policy{poll_ns = fn, "
                                   "set = {poll_max_ns = 90000}}"),
                  LUA_OK);
        ctx->poll_ns = 1; /* so that one processor does not matter */
        busypoll_adjust(ctx, 5000);
        ASSERT_EQ(ctx->poll_ns, expected[i]);
    }
    lua_close(L);
}

TEST(a_script_that_raises_leaves_the_rule_in_c)
{
    lua_State *L = open_state();
    LuaContext *c = context_of(L);

    ASSERT_EQ(luaL_dostring(L, "ctx:policy(nil):set{poll_max_ns = 90000}"
                               ":policy{poll_ns = function() error'x' end}"),
              LUA_OK);
    busypoll_allowed(c->ctx);
    c->ctx->poll_ns = 4000;
    busypoll_adjust(c->ctx, 5000);
    ASSERT_EQ(c->ctx->poll_ns, 8000); /* this very wait, too */
    ASSERT(c->policy == NULL && c->ctx->poll_policy == NULL);
    lua_close(L);
}
