/*
 * lua_blocks_test.c - blocks that wait for a state's next request are bounded,
 * large enough, and freed with the state
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "alua.h"
#include "test.h"

typedef struct Memory {
    size_t live;  /* bytes */
    size_t calls; /* that allocate */
} Memory;

static void *allocate(void *ud, void *ptr, size_t old, size_t size)
{
    Memory *m = ud;

    m->live -= ptr ? malloc_usable_size(ptr) : 0;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    void *result = realloc(ptr, size);
    ASSERT(result != NULL);
    m->live += malloc_usable_size(result);
    m->calls += ptr == NULL;
    return result;
}

static lua_State *open_state(Memory *m)
{
    lua_State *L = lua_newstate(allocate, m);

    ASSERT(L != NULL);
    alua_keep_blocks(L);
    luaL_openlibs(L);
    return L;
}

static void run(lua_State *L, const char *code)
{
    if (luaL_dostring(L, code) != LUA_OK) {
        FAIL("%s", lua_tostring(L, -1));
    }
}

TEST(all_blocks_are_freed_with_the_state)
{
    Memory m = {0};
    lua_State *L = open_state(&m);

    run(L, "local t = {} for i = 1, 20000 do t[i] = { i } end t = nil "
           "collectgarbage() for i = 1, 1000 do t = { tostring(i) } end");
    lua_close(L);
    ASSERT(m.live == 0);
}

/* Each object is filled to its end, and so are those that follow it. */
TEST(a_block_holds_every_size_of_its_class)
{
    Memory m = {0};
    lua_State *L = open_state(&m);

    run(L, "for _ = 1, 3 do local all = {} "
           "for n = 1, 300 do all[n] = ('x'):rep(n) .. n end "
           "for n = 1, 300 do assert(all[n] == ('x'):rep(n) .. n) end "
           "all = nil collectgarbage() end");
    lua_close(L);
    ASSERT(m.live == 0);
}

TEST(what_is_kept_is_bounded)
{
    Memory m = {0};
    lua_State *L = open_state(&m);

    run(L, "collectgarbage()");
    size_t before = m.live;
    run(L, "local t = {} for i = 1, 500000 do t[i] = {} end t = nil "
           "collectgarbage() collectgarbage()");
    ASSERT(m.live - before < 16 * (512 << 10)); /* of 28 MB */
    lua_close(L);
}

TEST(blocks_are_used_again_where_malloc_rounds)
{
    Memory m = {0};
    lua_State *L = open_state(&m);
    void *probe = malloc(25);
    bool rounds = probe && malloc_usable_size(probe) >= 40;

    free(probe);
    run(L, "collectgarbage('stop') for _ = 1, 3000 do local _ = {} end "
           "collectgarbage()");
    size_t before = m.calls;
    run(L, "for _ = 1, 1000 do local _ = {} end");
    if (rounds) {
        ASSERT(m.calls - before < 100);
    }
    lua_close(L);
    ASSERT(m.live == 0);
}
