/*
 * uring_backlog.c - requests that the ring has no room for, in order
 */
#include "engine/uring_int.h"

#ifdef CONFIG_LINUX_IO_URING

void uring_backlog_push(LuringState *s, AioRequest *req)
{
    req->next = NULL;
    private_of(req)->prev = s->backlog_tail;
    private_of(req)->flags |= REQ_BACKLOG;
    if (s->backlog_tail) {
        s->backlog_tail->next = req;
    } else {
        s->backlog = req;
    }
    s->backlog_tail = req;
}

void uring_backlog_remove(LuringState *s, AioRequest *req)
{
    AioRequest *prev = private_of(req)->prev;

    if (prev) {
        prev->next = req->next;
    } else {
        s->backlog = req->next;
    }
    if (req->next) {
        private_of(req->next)->prev = prev;
    } else {
        s->backlog_tail = prev;
    }
    req->next = NULL;
    private_of(req)->flags &= ~REQ_BACKLOG;
}
#endif
