/*
 * module.c - the Lua module aio.edit: editor(program, wait, complete)
 *
 * wait() returns when standard input is readable, and may park; what it raises
 * ends the line and is raised again by editor:line().  complete(text) returns
 * what to insert at the cursor, or nil, and true if it has printed something.
 *
 * Loaded by scripts/aio/repl/init.lua.
 */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <string.h>
#include <unistd.h>

#include "editor.h"

#define EDITOR_CLASS "aio.editor"

enum { UV_WAIT = 1, UV_COMPLETE, UV_TEXT, UV_COUNT = UV_TEXT };

typedef struct LuaEditor {
    Editor *editor;   /* NULL: closed */
    lua_State *L;     /* of the call of line(), while it runs */
    const char *text; /* what complete() returned: user value UV_TEXT */
} LuaEditor;

static LuaEditor *check_editor(lua_State *L)
{
    LuaEditor *self = luaL_checkudata(L, 1, EDITOR_CLASS);

    luaL_argcheck(L, self->editor != NULL, 1, "the editor is closed");
    return self;
}

/* ---- hooks: called by libedit inside line(), must not raise ------------- */

/* What wait() raised stays on the stack: line() raises it again. */
static bool wait_for_key(void *opaque)
{
    LuaEditor *self = opaque;
    lua_State *L = self->L;

    lua_getiuservalue(L, 1, UV_WAIT);
    return lua_pcall(L, 0, 0, 0) == LUA_OK;
}

/* self, light pointer to the text, its length -> text to insert, printed */
static int run_complete(lua_State *L)
{
    const char *text = lua_touserdata(L, 2);
    size_t len = (size_t)lua_tointeger(L, 3);

    lua_getiuservalue(L, 1, UV_COMPLETE);
    lua_pushlstring(L, text, len);
    lua_call(L, 1, 2);
    LuaEditor *self = lua_touserdata(L, 1);
    self->text = lua_tostring(L, -2);
    lua_pushvalue(L, -2);
    lua_setiuservalue(L, 1, UV_TEXT); /* keeps the text */
    return 1;                         /* printed */
}

/* A completion that fails completes nothing: the line goes on. */
static const char *complete_line(void *opaque, const char *text, size_t len,
                                 bool *redraw)
{
    LuaEditor *self = opaque;
    lua_State *L = self->L;

    self->text = NULL;
    lua_pushcfunction(L, run_complete);
    lua_pushvalue(L, 1);
    lua_pushlightuserdata(L, (void *)text); /* only read */
    lua_pushinteger(L, (lua_Integer)len);
    bool ok = lua_pcall(L, 3, 1, 0) == LUA_OK;
    *redraw = ok && lua_toboolean(L, -1);
    lua_pop(L, 1);
    return ok ? self->text : NULL;
}

/* ---- methods ------------------------------------------------------------ */

/* editor:line(prompt) -> the line, or nil at the end of the input */
static int editor_read(lua_State *L)
{
    LuaEditor *self = check_editor(L);
    const char *prompt = luaL_checkstring(L, 2);
    size_t len;
    bool gave_up;

    luaL_argcheck(L, self->L == NULL, 1, "another task is reading a line");
    lua_settop(L, 2);
    luaL_checkstack(L, 2 * LUA_MINSTACK, "no room for the hooks");
    self->L = L;
    const char *line = editor_line(self->editor, prompt, &len, &gave_up);
    self->L = NULL;
    if (gave_up) {
        return lua_error(L);
    }
    if (line == NULL) {
        return 0;
    }
    lua_pushlstring(L, line, len);
    return 1;
}

/* editor:remember(line) */
static int editor_add(lua_State *L)
{
    LuaEditor *self = check_editor(L);

    if (!editor_remember(self->editor, luaL_checkstring(L, 2))) {
        return luaL_error(L, "not enough memory");
    }
    return 0;
}

/* Not while a line is read: libedit is further up some stack. */
static int editor_close(lua_State *L)
{
    LuaEditor *self = luaL_checkudata(L, 1, EDITOR_CLASS);

    if (self->editor != NULL && self->L == NULL) {
        editor_free(self->editor);
        self->editor = NULL;
    }
    return 0;
}

/* editor(program, wait, complete) -> editor, or nil and why not */
static int new_editor(lua_State *L)
{
    const char *program = luaL_checkstring(L, 1);

    luaL_checktype(L, 2, LUA_TFUNCTION);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    LuaEditor *self = lua_newuserdatauv(L, sizeof(*self), UV_COUNT);
    memset(self, 0, sizeof(*self));
    luaL_setmetatable(L, EDITOR_CLASS);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, UV_WAIT);
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, -2, UV_COMPLETE);
    EditorHooks hooks = {
        .wait = wait_for_key, .complete = complete_line, .opaque = self};
    self->editor = editor_new(program, &hooks);
    if (self->editor == NULL) {
        lua_pushnil(L);
        lua_pushfstring(L, "no line editor: %s", strerror(errno));
        return 2;
    }
    return 1;
}

/* is_terminal() -> whether a person types and reads */
static int is_terminal(lua_State *L)
{
    lua_pushboolean(L, isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
    return 1;
}

__attribute__((visibility("default"))) int luaopen_aio_edit(lua_State *L);

int luaopen_aio_edit(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"line", editor_read},
        {"remember", editor_add},
        {"close", editor_close},
        {NULL, NULL},
    };
    static const luaL_Reg functions[] = {
        {"editor", new_editor},
        {"is_terminal", is_terminal},
        {NULL, NULL},
    };

    luaL_newmetatable(L, EDITOR_CLASS);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, editor_close);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, editor_close);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
