/*
 * lcross.h - what crosses from one VM to another
 *
 *   lcross.c         messages, and the classes whose objects cross
 *   lcrosspack.c     values of a Lua state -> message
 *   lcrossplain.c    the same, for plain values: what most messages are
 *   lcrossunpack.c   message -> values of another state
 *   lcrosscode.c     functions -> code -> functions, each once
 *   lcrossnames.c    modules and functions that every state has of its own
 *
 * A message is one block of memory with copies of plain data, the code of
 * functions, and the objects that travel with it.  It belongs to no VM: any
 * thread may pass it on or free it.  Tables that occur twice, or in a circle,
 * do so again on the other side; so do upvalues that functions share.
 *
 * Nothing of the sender is changed before all of a message is packed: a message
 * that cannot be packed moves nothing.
 */
#ifndef LCROSS_H
#define LCROSS_H

#include "alua.h"

typedef struct CrossClass CrossClass;

typedef struct CrossObject {
    const CrossClass *cls;
    void *what;       /* NULL once it has arrived */
    AluaObject *from; /* the sender's, while it may be restored */
} CrossObject;

/* How objects of one class travel. */
struct CrossClass {
    const AluaClass *cls;
    /* Take what the object at @arg sends (a reference, a duplicate).  NULL:
     * it cannot, *why says what it is and what to do instead. */
    void *(*take)(lua_State *L, int arg, const char **why);
    /* The message is complete: let go of what was moved.  May be NULL. */
    void (*commit)(AluaObject *from, void *what);
    /* It was not sent after all: give @from back what commit() took, and free
     * @what.  NULL with commit. */
    void (*restore)(AluaObject *from, void *what);
    /* Push the receiver's object and set o->what to NULL once it owns it. */
    void (*arrive)(lua_State *L, CrossObject *o);
    void (*drop)(void *what); /* any thread */
    bool loopless;            /* can be used where there is no loop */
};

extern const CrossClass waker_cross, remote_cross, chan_cross, buf_cross,
    file_cross, sock_cross, context_cross;

typedef struct CrossPack CrossPack;

struct CrossPack {
    size_t len, size; /* of data: used, allocated */
    unsigned count;   /* values */
    bool has_refs;    /* something occurs twice */
    bool light;       /* few values, and to push them allocates nothing */
    unsigned nobjects;
    CrossObject first, *more; /* see cross_object() */
    CrossPack *next_spare;    /* of who keeps it to use it again */
    unsigned char data[];
};

static inline CrossObject *cross_object(CrossPack *pack, unsigned i)
{
    return i == 0 ? &pack->first : &pack->more[i - 1];
}

/* What the values are called in messages: the first one (NULL: like the rest)
 * and the rest, which are numbered. */
typedef struct CrossWords {
    const char *first, *rest;
    bool loopless; /* the receiver has no loop */
} CrossWords;

/*
 * cross_pack: copy the @count values on top of @L into a message
 *
 * Leaves them there.  Raises what cannot cross, with its path: "arg 2.foo[3]: a
 * coroutine cannot be sent to another thread".
 */
CrossPack *cross_pack(lua_State *L, int count, const CrossWords *words);

/*
 * cross_pack_held: the same for a message that might not be sent
 *
 * Pushes what keeps the objects that moved; while it is there cross_restore()
 * can give them back.
 */
CrossPack *cross_pack_held(lua_State *L, int count, const CrossWords *words);
/* Instead of sending it; frees it. */
void cross_restore(CrossPack *pack);

/*
 * cross_pack_into: as cross_pack(), into the memory of @old when that will do
 *
 * @old (or NULL) has been unpacked.  It is used up, unless this raises: then it
 * is the caller's still.
 */
CrossPack *cross_pack_into(lua_State *L, int count, const CrossWords *words,
                           CrossPack *old);

/* Raises what cross_pack() would; moves nothing. */
void cross_check(lua_State *L, int count, const CrossWords *words);

/* Push the values of @pack, which is freed whatever happens; their number. */
int cross_unpack(lua_State *L, CrossPack *pack);

/* The same, but @pack remains the caller's, to be freed or used again. */
int cross_unpack_kept(lua_State *L, CrossPack *pack);

/* Any thread; NULL: nothing. */
void cross_free(CrossPack *pack);
/* Drops what travelled with it; its memory may be used again. */
void cross_reset(CrossPack *pack);

/* ---- between the files of this group ------------------------------------ */

enum CrossTag {
    CROSS_NIL,
    CROSS_FALSE,
    CROSS_TRUE,
    CROSS_INTEGER,  /* lua_Integer */
    CROSS_NUMBER,   /* lua_Number */
    CROSS_STRING,   /* size_t, bytes */
    CROSS_TABLE,    /* uint32_t array, hash; key, value ... CROSS_NIL */
    CROSS_PLAIN,    /* uint32_t index in objects: a function without state */
    CROSS_FUNCTION, /* uint32_t index in objects; uint8_t n; n upvalues */
    CROSS_SHARED,   /* an upvalue: uint32_t function, uint8_t its upvalue */
    CROSS_OBJECT,   /* uint32_t index in objects */
    CROSS_KNOWN,    /* size_t, name: see lcrossnames.c */
    CROSS_AGAIN,    /* uint32_t: the n-th table, function or object */
};

enum { CROSS_FIRST_SIZE = 256 - sizeof(CrossPack) };

/* The code of a function; counted, shared by messages and states. */
typedef struct CrossCode {
    int refs;       /* atomic */
    lua_Integer id; /* nothing else ever has it */
    bool plain;     /* no upvalues, or _ENV only */
    bool env;       /* _ENV */
    size_t len;
    char bytes[];
} CrossCode;

extern const CrossClass code_cross; /* in messages only */

/* Of the Lua function at @index, as long as that lives; raises. */
CrossCode *cross_code_of(lua_State *L, int index);
/* The same, but NULL when it was never asked for before; never raises. */
CrossCode *cross_code_known(lua_State *L, int index);
CrossCode *cross_code_ref(CrossCode *code);
/* Room for one more, which does not count yet; NULL: no memory. */
CrossObject *cross_reserve_object(CrossPack *pack);
/* Keeps the object at @index, number @n of a message, in the table at @held,
 * nil at first. */
void cross_hold(lua_State *L, int held, int index, unsigned n);
/* Pushes why it cannot be sent to a state without a loop. */
const char *cross_push_loopless(lua_State *L, const CrossClass *cls);
/* Pushes a function with that code; raises.  @stateless: none of its upvalues
 * keeps anything, so one function may serve for all of the same code. */
void cross_push_function(lua_State *L, const CrossCode *code, bool stateless);
typedef enum PackPurpose {
    PACK_TO_SEND,
    PACK_TO_OFFER, /* what moved may come back; pushes what keeps it */
    PACK_TO_CHECK, /* moves nothing */
} PackPurpose;

/* Packs whatever can be sent; raises. */
CrossPack *cross_pack_all(lua_State *L, int count, const CrossWords *words,
                          PackPurpose why);
/* Packs without raising, or returns NULL: then @old is empty. */
CrossPack *cross_pack_plain(lua_State *L, int count, CrossPack *old);
/* The row of the object at @arg, or NULL. */
const CrossClass *cross_class_of(lua_State *L, int arg);
/* The name of the module or function at @arg, or NULL.  @rebuild: look at what
 * was loaded since.  Pushes one value. */
const char *cross_name_of(lua_State *L, int arg, bool rebuild);
/* Pushes this state's own. */
void cross_push_named(lua_State *L, const char *name);

#endif
