/*
 * lcrosspath.h - where a walk over values stands, for messages
 */
#ifndef LCROSSPATH_H
#define LCROSSPATH_H

#include "lcross.h"

typedef enum CrossFrameKind {
    AT_VALUE,
    AT_FIELD,
    AT_KEY,
    AT_UPVALUE
} CrossFrameKind;

typedef struct CrossFrame {
    const struct CrossFrame *up;
    CrossFrameKind kind;
    int index;        /* of the value, the upvalue; where the key is */
    const char *name; /* of the upvalue */
} CrossFrame;

/* "arg 2.foo[3]" of a walk in @L. */
void cross_path(lua_State *L, const CrossWords *words, const CrossFrame *frame,
                char *buf, size_t size);
bool cross_path_has_upvalue(const CrossFrame *frame);

#endif
