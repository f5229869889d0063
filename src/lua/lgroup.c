/*
 * lgroup.c - aio.group: tasks that end together
 *
 * The group's function returns only when every task of the group has ended, so
 * children never outlive the userdata they point to.  The first error (of a
 * child or of the body) is kept, cancels all the others, and is raised at the
 * end, the same value.  The body is cancelled by the group's own scope.
 *
 * A body inside a user's coroutine may be dropped, or end where nobody can wait
 * (in a callback): then the children are cancelled and let go.
 */
#include "open.h"
#include "task_private.h"

struct LuaGroup {
    Scope scope; /* open while the body runs */
    uint64_t running;
    uint64_t limit;   /* 0: none */
    WaitQueue slots;  /* g:spawn() at the limit */
    LuaTask *waiting; /* the parent, once the body has ended */
    bool has_error;   /* in user value 1 */
    bool ended;
};

enum { UV_ERROR = UV_SCOPE_THREAD + 1 };

static const AluaClass group_class;

static void cancel_children(LuaGroup *g)
{
    LuaVM *vm = g->scope.object.vm;

    for (LuaTask *t = vm->priv->live; t; t = t->next) {
        if (t->group == g) {
            task_request_cancel(t);
        }
    }
    waitq_wake_all(&g->slots);
}

void group_detach(Scope *scope)
{
    LuaGroup *g = (LuaGroup *)scope;

    if (g->running > 0) {
        cancel_children(g);
        for (LuaTask *t = g->scope.object.vm->priv->live; t; t = t->next) {
            t->group = t->group == g ? NULL : t->group;
        }
        g->running = 0;
    }
    g->ended = true;
}

void group_child_ended(LuaGroup *g, LuaTask *t, TaskHandle *h)
{
    g->running--;
    t->group = NULL;
    if (h->state == TASK_FAILED && !g->has_error) {
        lua_State *L = t->L;

        task_receive(h);
        g->has_error = true;
        alua_pushanchored(L, &g->scope.object);
        task_push_handle(L, t);
        task_push_result(L, -1, h);
        lua_setiuservalue(L, -3, UV_ERROR);
        lua_pop(L, 2);
        cancel_children(g);
        if (g->scope.open) {
            task_fire(&g->scope);
        }
    } else if (h->state == TASK_FAILED) {
        task_receive(h); /* a later error: told by the first */
    }
    waitq_wake_one(&g->slots);
    if (g->running == 0 && g->waiting) {
        task_wake(g->waiting);
    }
}

/* Waits for all children.  True when the parent was cancelled meanwhile. */
static bool wait_children(LuaGroup *g, LuaTask *t)
{
    bool cancelled = false;

    g->waiting = t;
    while (g->running > 0) {
        if (cancelled) {
            task_park_uncancellable(t, PARK_ON_TASKS);
        } else if (task_park(t, PARK_ON_TASKS, -1) == PARK_CANCELLED) {
            cancelled = true;
            cancel_children(g);
        }
    }
    g->waiting = NULL;
    return cancelled;
}

/* The group is at 1, the message handler at 2; then results or the error. */
static int group_done(lua_State *L, int status, lua_KContext ctx)
{
    LuaGroup *g = lua_touserdata(L, 1);
    LuaTask *t = g->scope.object.vm->current;
    bool failed = status != LUA_OK && status != LUA_YIELD;
    bool own = false; /* the body's error is the first */

    scope_pop(&g->scope);
    if (failed && !g->has_error && !lua_rawequal(L, 1, -1)) {
        own = g->has_error = true;
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, UV_ERROR);
        cancel_children(g);
    }
    if (g->running > 0 && !task_may_park(L)) {
        group_detach(&g->scope);
        luaL_error(L, "aio.group() cannot wait for its tasks here: its body "
                      "ended in a callback");
    }
    bool cancelled = wait_children(g, t);
    g->ended = true;
    if (cancelled && !g->has_error) {
        task_throw_cancel(L, t);
    }
    if (cancelled) {
        task_unreport(t);
    }
    if (g->has_error) {
        lua_getiuservalue(L, 1, UV_ERROR);
        if (own) {
            alua_rethrow(L);
        }
        lua_error(L);
    }
    return lua_gettop(L) - 2;
}

static uint64_t limit_option(lua_State *L, int arg)
{
    static const char *const known[] = {"limit", NULL};

    if (lua_isnoneornil(L, arg)) {
        return 0;
    }
    alua_check_options(L, arg, known);
    if (lua_getfield(L, arg, "limit") == LUA_TNIL) {
        return 0;
    }
    int ok;
    lua_Integer n = lua_tointegerx(L, -1, &ok);
    luaL_argcheck(L, ok && n > 0, arg, "limit must be a positive integer");
    return (uint64_t)n;
}

/**
 * class Group (group)
 *
 * Tasks that end together.
 */

/**
 * class aio.GroupOptions
 *
 * limit?: integer - how many tasks may run at a time; more wait in `spawn`
 */

/**
 * aio.group(fn: fun(g: Group): any ..., options?: aio.GroupOptions) -> any ...
 *
 * The results of `fn(g)`, once every task of the group has ended. The first
 * error, of `fn` or of a task, cancels the others and is raised at the end,
 * the same value.
 */
static int group(lua_State *L)
{
    alua_check_callable(L, 1);
    uint64_t limit = limit_option(L, 2);
    LuaTask *t = task_check_can_park(L);

    lua_settop(L, 1);
    LuaGroup *g = alua_new(L, &group_class, sizeof(*g), 2);
    g->limit = limit;
    lua_insert(L, 1);
    lua_pushcfunction(L, alua_traceback);
    lua_insert(L, 2);
    lua_pushvalue(L, 1);
    alua_anchor(L, 1);
    scope_push(L, 1, t, SCOPE_GROUP);
    lua_toclose(L, 1);
    int status = lua_pcallk(L, 1, LUA_MULTRET, 2, 0, group_done);
    return group_done(L, status, 0);
}

/* Also when a coroutine with the group inside is closed: children lose their
 * parent, so they are cancelled, and must not point here any more. */
static int group_close(lua_State *L)
{
    LuaGroup *g = alua_check(L, 1, &group_class);

    scope_pop(&g->scope);
    group_detach(&g->scope);
    alua_unanchor(L, &g->scope.object);
    return 0;
}

static LuaGroup *check_open(lua_State *L)
{
    LuaGroup *g = alua_check(L, 1, &group_class);

    if (g->ended) {
        luaL_error(L, "the group has ended");
    }
    return g;
}

/**
 * group:spawn(fn: function, ...) -> Task
 *
 * A task of the group. Parks while `limit` of them are running.
 */
static int group_spawn(lua_State *L)
{
    LuaGroup *g = check_open(L);
    LuaVM *vm = g->scope.object.vm;

    alua_check_callable(L, 2);
    while (g->limit && g->running >= g->limit) { /* until a child ends */
        LuaTask *self = task_check_can_park(L);
        Waiter w;

        if (waitq_wait(&g->slots, &w, self, -1) == PARK_CANCELLED) {
            task_throw_cancel(L, self);
        }
        check_open(L);
    }
    LuaTask *t = task_spawn(L, vm, lua_gettop(L) - 2);
    t->group = g;
    g->running++;
    if (g->has_error) {
        task_request_cancel(t);
    }
    return 1;
}

/**
 * group:cancel() -> Group
 *
 * Cancels its tasks; `fn` goes on.
 */
static int group_cancel(lua_State *L)
{
    cancel_children(check_open(L));
    lua_settop(L, 1);
    return 1;
}

static const luaL_Reg group_methods[] = {
    {"spawn", group_spawn},
    {"cancel", group_cancel},
    {NULL, NULL},
};

/* The group itself is what its scope raises in the body. */
static int group_tostring(lua_State *L)
{
    LuaGroup *g = alua_check(L, 1, &group_class);

    lua_pushfstring(L, "aio.group (%s)",
                    g->scope.threw ? "cancelled"
                    : g->ended     ? "ended"
                                   : "open");
    return 1;
}

static const luaL_Reg group_metamethods[] = {
    {"__close", group_close},
    {"__tostring", group_tostring},
    {NULL, NULL},
};

static const AluaClass group_class = {
    .name = "aio.group",
    .methods = group_methods,
    .metamethods = group_metamethods,
};

bool group_is_cancel(lua_State *L, int arg)
{
    LuaGroup *g = alua_test(L, arg, &group_class);

    return g && g->scope.threw;
}

static const luaL_Reg functions[] = {
    {"group", group},
    {NULL, NULL},
};

void lgroup_open(lua_State *L)
{
    alua_class(L, &group_class);
    alua_setfuncs(L, functions);
}
