/*
 * lcrosspath.c - where a walk over values stands, for messages
 *
 * The walk leaves a chain of frames on the C stack, innermost first; only when
 * something cannot cross is it put into words.  A path that is too long for its
 * buffer is cut.
 */
#include "lcrosspath.h"

#include <stdio.h>
#include <string.h>

static bool is_word(const char *s)
{
    size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY"
                           "Z_0123456789");

    return len > 0 && s[len] == '\0' && !(s[0] >= '0' && s[0] <= '9');
}

static int describe_key(lua_State *L, int index, char *buf, size_t size)
{
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        return snprintf(buf, size,
                        is_word(lua_tostring(L, index)) ? ".%s" : "[\"%s\"]",
                        lua_tostring(L, index));
    case LUA_TNUMBER:
        if (lua_isinteger(L, index)) {
            return snprintf(buf, size, "[%lld]",
                            (long long)lua_tointeger(L, index));
        }
        return snprintf(buf, size, "[%.14g]", lua_tonumber(L, index));
    case LUA_TBOOLEAN:
        return snprintf(buf, size, "[%s]",
                        lua_toboolean(L, index) ? "true" : "false");
    default:
        return snprintf(buf, size, "[%s]", luaL_typename(L, index));
    }
}

static int describe_value(const CrossWords *words, int index, char *buf,
                          size_t size)
{
    if (words->first && index == 1) {
        return snprintf(buf, size, "%s", words->first);
    }
    return snprintf(buf, size, "%s %d", words->rest,
                    index - (words->first != NULL));
}

typedef struct Path {
    lua_State *L;
    const CrossWords *words;
    char *buf;
    size_t size;
    size_t at; /* less than size */
} Path;

static int describe_frame(const Path *p, const CrossFrame *frame)
{
    char *buf = p->buf + p->at;
    size_t size = p->size - p->at;

    switch (frame->kind) {
    case AT_VALUE:
        return describe_value(p->words, frame->index, buf, size);
    case AT_FIELD:
        return describe_key(p->L, frame->index, buf, size);
    case AT_KEY:
        return snprintf(buf, size, ", a key of it");
    default:
        if (frame->name[0] == '(' || !frame->name[0]) { /* stripped code */
            return snprintf(buf, size, ", upvalue %d", frame->index);
        }
        return snprintf(buf, size, ", upvalue '%s'", frame->name);
    }
}

static void describe(Path *p, const CrossFrame *frame)
{
    if (frame->up) {
        describe(p, frame->up);
    }
    int len = describe_frame(p, frame);
    p->at += len > 0 ? (size_t)len : 0;
    p->at = p->at < p->size ? p->at : p->size - 1;
}

void cross_path(lua_State *L, const CrossWords *words, const CrossFrame *frame,
                char *buf, size_t size)
{
    Path p = {.L = L, .words = words, .buf = buf, .size = size};

    describe(&p, frame);
}

bool cross_path_has_upvalue(const CrossFrame *frame)
{
    while (frame && frame->kind != AT_UPVALUE) {
        frame = frame->up;
    }
    return frame != NULL;
}
