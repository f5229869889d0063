/*
 * lnetline.c - the input of a socket, and lines of it: recv_line
 *
 * What recv_exact() and recv_line() received beyond what they return, or before
 * they failed, stays in the input and comes first in the next call: a time-out
 * loses nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lnet.h"

enum {
    INPUT_STEP_MAX = 1024 * 1024, /* grown only by what really comes */
    LINE_MAX_DEFAULT = 1024 * 1024,
};

/* ---- input that was received ahead -------------------------------------- */

void input_drop(LuaSock *s, size_t n)
{
    s->input_at += n;
    s->line_seen = 0;
    if (s->input_at == s->input_end) {
        s->input_at = s->input_end = 0;
        if (s->input_size > SCRATCH_SIZE) {
            free(s->input);
            s->input = NULL;
            s->input_size = 0;
        }
    }
}

/* Room for @n bytes in all, contiguous.  False: no memory. */
static bool input_reserve(LuaSock *s, size_t n)
{
    size_t size = s->input_size ? s->input_size : INPUT_MIN;

    if (s->input_at > 0) {
        memmove(s->input, s->input + s->input_at, input_have(s));
        s->input_end -= s->input_at;
        s->input_at = 0;
    }
    while (size < n) {
        size *= 2;
    }
    if (size > s->input_size) {
        char *grown = realloc(s->input, size);
        if (!grown) {
            return false;
        }
        s->input = grown;
        s->input_size = size;
    }
    return true;
}

size_t input_take(LuaSock *s, void *base, size_t n)
{
    size_t take = input_have(s) < n ? input_have(s) : n;

    memcpy(base, s->input + s->input_at, take);
    input_drop(s, take);
    return take;
}

/* Receives more behind what is there, at most @most bytes.  The input stays
 * where it is as long as this task has the turn and nobody closes the socket,
 * and then it is not looked at again. */
int64_t input_fill(SockUse *use, size_t most)
{
    LuaSock *s = use->sock;

    most = most < INPUT_STEP_MAX ? most : INPUT_STEP_MAX;
    if (!input_reserve(s, input_have(s) + most)) {
        return -ENOMEM;
    }
    int64_t got = sock_read_wait(use, s->input + s->input_end, most);
    s->input_end += got > 0 ? (size_t)got : 0;
    return got;
}

void sock_check_stream(lua_State *L, const LuaSock *s)
{
    luaL_argcheck(L, sock_is_stream(s), 1,
                  "a stream expected: this socket has messages");
}

/* ---- recv_line ---------------------------------------------------------- */

typedef struct LineOptions {
    bool keep;
    size_t max;
} LineOptions;

static void line_options(lua_State *L, LineOptions *o)
{
    static const char *const known[] = {"timeout", "keep", "max", NULL};

    *o = (LineOptions){.max = LINE_MAX_DEFAULT};
    if (lua_istable(L, 2)) {
        alua_check_options(L, 2, known);
        o->keep = opt_boolean_field(L, 2, "keep", false);
        o->max = (size_t)opt_size_field(L, 2, "max", LINE_MAX_DEFAULT);
    }
}

/* Length of the line that the input begins with, its end included; 0: no end
 * of line so far. */
static size_t line_length(LuaSock *s)
{
    const char *from = s->input + s->input_at;
    const char *end =
        input_have(s) > s->line_seen
            ? memchr(from + s->line_seen, '\n', input_have(s) - s->line_seen)
            : NULL;

    s->line_seen = input_have(s);
    return end ? (size_t)(end - from) + 1 : 0;
}

static int64_t line_read(SockUse *use, size_t max, size_t *length)
{
    LuaSock *s = use->sock;
    int64_t got = 1;

    while ((*length = line_length(s)) == 0) {
        if (input_have(s) >= max) {
            return -EMSGSIZE;
        }
        got = input_fill(use, INPUT_MIN);
        if (got <= 0) {
            return got;
        }
    }
    return *length > max ? -EMSGSIZE : got;
}

static int line_push(lua_State *L, LuaSock *s, size_t n, bool keep)
{
    const char *line = s->input + s->input_at;
    size_t len = n;

    if (!keep && len > 0 && line[len - 1] == '\n') {
        len--;
        len -= len > 0 && line[len - 1] == '\r';
    }
    lua_pushlstring(L, line, len);
    input_drop(s, n);
    return 1;
}

/**
 * class aio.LineOptions
 *
 * timeout?: number - seconds
 * keep?: boolean - the line with its end
 * max?: aio.Size - longest line, `"1M"`; a longer one is an error, `EMSGSIZE`
 */

/**
 * sock:recv_line(options?: number|aio.LineOptions) -> string!
 *
 * A line without its `"\n"` or `"\r\n"`; `nil` at the end. What is left there
 * without one is a line too.
 */
static int sock_recv_line(lua_State *L)
{
    LuaSock *s = sock_check(L);
    int64_t deadline = sock_deadline(L, 2);
    size_t length = 0;
    LineOptions o;
    SockUse use;

    sock_check_stream(L, s);
    line_options(L, &o);
    int64_t got = sock_enter(L, &use, s, SIDE_READ, deadline);
    if (got < 0) {
        return sock_fail(L, s, got, "recv_line");
    }
    got = line_read(&use, o.max, &length);
    sock_leave(&use);
    if (got < 0) {
        return sock_fail(L, s, got, "recv_line");
    }
    length = length ? length : input_have(s);
    if (length == 0) {
        lua_pushnil(L);
        return 1;
    }
    return line_push(L, s, length, o.keep);
}

const luaL_Reg sock_line_methods[] = {
    {"recv_line", sock_recv_line},
    {NULL, NULL},
};
