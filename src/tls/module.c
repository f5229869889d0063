/*
 * module.c - the Lua module aio.tls: context{...}
 *
 * Loaded by scripts/aio/net/options.lua when TLS is first asked for.  What is
 * wrong with the options raises; what is wrong with the files is returned.
 */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "tls.h"

static const char *opt_string(lua_State *L, const char *key)
{
    int type = lua_getfield(L, 1, key);

    if (type != LUA_TNIL && type != LUA_TSTRING) {
        luaL_error(L, "option '%s': a string expected, got %s", key,
                   luaL_typename(L, -1));
    }
    const char *value = lua_tostring(L, -1);
    lua_pop(L, 1); /* the options keep it */
    return value;
}

/* nil: @fallback */
static bool opt_flag(lua_State *L, const char *key, bool fallback)
{
    int type = lua_getfield(L, 1, key);

    if (type != LUA_TNIL && type != LUA_TBOOLEAN) {
        luaL_error(L, "option '%s': a boolean expected, got %s", key,
                   luaL_typename(L, -1));
    }
    bool value = type == LUA_TNIL ? fallback : lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

static void add_protocol(lua_State *L, TlsSettings *s)
{
    size_t len;
    const char *name = lua_tolstring(L, -1, &len);

    if (!name || len == 0 || s->alpn_len + 1 + len > ALPN_MAX) {
        luaL_error(L, "option 'alpn': names of 1 to 254 bytes in all expected");
    }
    s->alpn[s->alpn_len] = (unsigned char)len;
    memcpy(s->alpn + s->alpn_len + 1, name, len);
    s->alpn_len += (unsigned)len + 1;
}

static void opt_alpn(lua_State *L, TlsSettings *s)
{
    if (lua_getfield(L, 1, "alpn") != LUA_TNIL) {
        if (!lua_istable(L, -1)) {
            luaL_error(L, "option 'alpn': a list of names expected, got %s",
                       luaL_typename(L, -1));
        }
        for (lua_Integer i = 1; lua_geti(L, -1, i) != LUA_TNIL; i++) {
            add_protocol(L, s);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void opt_psk(lua_State *L, TlsSettings *s)
{
    size_t identity_len = 0, key_len = 0;

    if (lua_getfield(L, 1, "psk") == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    if (!lua_istable(L, -1)) {
        luaL_error(L, "option 'psk': a table expected, got %s",
                   luaL_typename(L, -1));
    }
    lua_getfield(L, -1, "identity");
    lua_getfield(L, -2, "key");
    const char *identity = lua_tolstring(L, -2, &identity_len);
    const char *key = lua_tolstring(L, -1, &key_len);
    if (!identity || identity_len == 0 || identity_len > PSK_IDENTITY_MAX ||
        strlen(identity) != identity_len || !key || key_len < 16 ||
        key_len > PSK_KEY_MAX) {
        luaL_error(L, "option 'psk': {identity = 1 to 128 bytes, key = 16 to "
                      "64 bytes} expected");
    }
    strcpy(s->psk_identity, identity);
    memcpy(s->psk_key, key, key_len);
    s->psk_key_len = key_len;
    lua_pop(L, 3);
}

/*
 * tls.context{server=, ca=, cert=, key=, verify=, alpn=, psk=} -> context
 * or nil, message, errno
 */
static int module_context(lua_State *L)
{
    char error[512];

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    TlsFiles files = {
        .ca = opt_string(L, "ca"),
        .cert = opt_string(L, "cert"),
        .key = opt_string(L, "key"),
    };
    TlsSettings settings = {.server = opt_flag(L, "server", false)};
    settings.verify =
        opt_flag(L, "verify", !settings.server || files.ca != NULL);
    opt_alpn(L, &settings);
    opt_psk(L, &settings);
    if (settings.server && !files.cert && !settings.psk_key_len) {
        return luaL_error(L, "a TLS server needs the options cert and key, "
                             "or psk");
    }
    TlsLuaContext *c = lua_newuserdatauv(L, sizeof(*c), 0);
    *c = (TlsLuaContext){.context = {.ops = &tls_ops}};
    luaL_setmetatable(L, TLS_CONTEXT_CLASS);
    TlsSettings *copy = malloc(sizeof(*copy));
    if (!copy) {
        return luaL_error(L, "not enough memory");
    }
    *copy = settings;
    c->ctx = tls_context_new(copy, &files, error, sizeof(error));
    if (!c->ctx) {
        lua_pushnil(L);
        lua_pushfstring(L, "EINVAL: %s (TLS)", error);
        lua_pushinteger(L, EINVAL);
        return 3;
    }
    return 1;
}

static int context_gc(lua_State *L)
{
    TlsLuaContext *c = luaL_checkudata(L, 1, TLS_CONTEXT_CLASS);

    SSL_CTX_free(c->ctx);
    c->ctx = NULL;
    return 0;
}

__attribute__((visibility("default"))) int luaopen_aio_tls(lua_State *L);

int luaopen_aio_tls(lua_State *L)
{
    static const luaL_Reg functions[] = {{"context", module_context},
                                         {NULL, NULL}};

    luaL_newmetatable(L, TLS_CONTEXT_CLASS);
    lua_pushcfunction(L, context_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    lua_pushstring(L, OpenSSL_version(OPENSSL_VERSION_STRING));
    lua_setfield(L, -2, "version");
    return 1;
}
