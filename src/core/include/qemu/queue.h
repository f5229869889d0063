/*
 * qemu/queue.h - intrusive lists, as macros
 *
 * Four families; the link lives in the element, so no operation allocates.
 *
 *   QSLIST    one pointer per element; push and pop at the head; lock-free
 *             push and take-all (*_ATOMIC).
 *   QLIST     doubly linked, one-pointer head; O(1) removal of any element.
 *   QSIMPLEQ  singly linked with a tail; FIFO; O(1) append and concatenation.
 *   QTAILQ    doubly linked with a tail; may be walked backwards (tailq.h).
 *
 * le_prev-style members point at the pointer that points at the element, be it
 * the head or the previous element's link: removal needs no case for the head.
 * Plain FOREACH must not remove the element it stands on; FOREACH_SAFE may.
 * *_RCU publishes with release order, so that a reader without the lock sees
 * whole elements; freeing them is the caller's business.
 */
#ifndef QEMU_QUEUE_H
#define QEMU_QUEUE_H

#include <stddef.h>

#include "qemu/atomic.h"

/* ---- QLIST -------------------------------------------------------------- */

#define QLIST_HEAD(name, type) \
    struct name {              \
        struct type *lh_first; \
    }
#define QLIST_HEAD_INITIALIZER(head) \
    {                                \
        NULL                         \
    }
#define QLIST_ENTRY(type)      \
    struct {                   \
        struct type *le_next;  \
        struct type **le_prev; \
    }

#define QLIST_INIT(head)         \
    do {                         \
        (head)->lh_first = NULL; \
    } while (0)

#define QLIST_EMPTY(head) ((head)->lh_first == NULL)
#define QLIST_EMPTY_RCU(head) (qatomic_read(&(head)->lh_first) == NULL)
#define QLIST_FIRST(head) ((head)->lh_first)
#define QLIST_NEXT(elm, field) ((elm)->field.le_next)
#define QLIST_FIRST_RCU(head) (qatomic_rcu_read(&(head)->lh_first))
#define QLIST_NEXT_RCU(elm, field) (qatomic_rcu_read(&(elm)->field.le_next))

/* Moves the whole list of @src to the empty head @dst. */
#define QLIST_SWAP(dst, src, field)                            \
    do {                                                       \
        __typeof__((dst)->lh_first) ql_tmp_ = (dst)->lh_first; \
        (dst)->lh_first = (src)->lh_first;                     \
        if ((dst)->lh_first) {                                 \
            (dst)->lh_first->field.le_prev = &(dst)->lh_first; \
        }                                                      \
        (src)->lh_first = ql_tmp_;                             \
        if ((src)->lh_first) {                                 \
            (src)->lh_first->field.le_prev = &(src)->lh_first; \
        }                                                      \
    } while (0)

#define QLIST_FIX_HEAD(head, field)                              \
    do {                                                         \
        if ((head)->lh_first) {                                  \
            (head)->lh_first->field.le_prev = &(head)->lh_first; \
        }                                                        \
    } while (0)

#define QLIST_INSERT_AFTER(listelm, elm, field)                          \
    do {                                                                 \
        (elm)->field.le_next = (listelm)->field.le_next;                 \
        if ((elm)->field.le_next) {                                      \
            (elm)->field.le_next->field.le_prev = &(elm)->field.le_next; \
        }                                                                \
        (listelm)->field.le_next = (elm);                                \
        (elm)->field.le_prev = &(listelm)->field.le_next;                \
    } while (0)

#define QLIST_INSERT_BEFORE(listelm, elm, field)          \
    do {                                                  \
        (elm)->field.le_prev = (listelm)->field.le_prev;  \
        (elm)->field.le_next = (listelm);                 \
        *(elm)->field.le_prev = (elm);                    \
        (listelm)->field.le_prev = &(elm)->field.le_next; \
    } while (0)

#define QLIST_INSERT_HEAD(head, elm, field)                              \
    do {                                                                 \
        (elm)->field.le_next = (head)->lh_first;                         \
        if ((elm)->field.le_next) {                                      \
            (elm)->field.le_next->field.le_prev = &(elm)->field.le_next; \
        }                                                                \
        (head)->lh_first = (elm);                                        \
        (elm)->field.le_prev = &(head)->lh_first;                        \
    } while (0)

#define QLIST_INSERT_HEAD_RCU(head, elm, field)                          \
    do {                                                                 \
        (elm)->field.le_prev = &(head)->lh_first;                        \
        (elm)->field.le_next = (head)->lh_first;                         \
        if ((elm)->field.le_next) {                                      \
            (elm)->field.le_next->field.le_prev = &(elm)->field.le_next; \
        }                                                                \
        qatomic_rcu_set(&(head)->lh_first, (elm));                       \
    } while (0)

#define QLIST_INSERT_AFTER_RCU(listelm, elm, field)                      \
    do {                                                                 \
        (elm)->field.le_next = (listelm)->field.le_next;                 \
        (elm)->field.le_prev = &(listelm)->field.le_next;                \
        if ((elm)->field.le_next) {                                      \
            (elm)->field.le_next->field.le_prev = &(elm)->field.le_next; \
        }                                                                \
        qatomic_rcu_set(&(listelm)->field.le_next, (elm));               \
    } while (0)

#define QLIST_INSERT_BEFORE_RCU(listelm, elm, field)      \
    do {                                                  \
        (elm)->field.le_prev = (listelm)->field.le_prev;  \
        (elm)->field.le_next = (listelm);                 \
        qatomic_rcu_set((elm)->field.le_prev, (elm));     \
        (listelm)->field.le_prev = &(elm)->field.le_next; \
    } while (0)

#define QLIST_REMOVE(elm, field)                                        \
    do {                                                                \
        if ((elm)->field.le_next) {                                     \
            (elm)->field.le_next->field.le_prev = (elm)->field.le_prev; \
        }                                                               \
        *(elm)->field.le_prev = (elm)->field.le_next;                   \
        (elm)->field.le_next = NULL;                                    \
        (elm)->field.le_prev = NULL;                                    \
    } while (0)

/* Keeps the element's own link, on which a reader may still stand. */
#define QLIST_REMOVE_RCU(elm, field)                                    \
    do {                                                                \
        if ((elm)->field.le_next) {                                     \
            (elm)->field.le_next->field.le_prev = (elm)->field.le_prev; \
        }                                                               \
        qatomic_set((elm)->field.le_prev, (elm)->field.le_next);        \
        (elm)->field.le_prev = NULL;                                    \
    } while (0)

/* Removes @elm from whatever list it is on, if any. */
#define QLIST_SAFE_REMOVE(elm, field)   \
    do {                                \
        if ((elm)->field.le_prev) {     \
            QLIST_REMOVE((elm), field); \
        }                               \
    } while (0)

/* True for an element that was inserted and not removed (zeroed: false). */
#define QLIST_IS_INSERTED(elm, field) ((elm)->field.le_prev != NULL)

#define QLIST_FOREACH(var, head, field) \
    for ((var) = (head)->lh_first; (var); (var) = (var)->field.le_next)
#define QLIST_FOREACH_FROM(var, head, field)              \
    for ((var) = (var) ? (var) : (head)->lh_first; (var); \
         (var) = (var)->field.le_next)
#define QLIST_FOREACH_SAFE(var, head, field, next_var) \
    for ((var) = (head)->lh_first;                     \
         (var) && ((next_var) = (var)->field.le_next, 1); (var) = (next_var))
#define QLIST_FOREACH_RCU(var, head, field)                  \
    for ((var) = qatomic_rcu_read(&(head)->lh_first); (var); \
         (var) = qatomic_rcu_read(&(var)->field.le_next))
#define QLIST_FOREACH_SAFE_RCU(var, head, field, next_var)                   \
    for ((var) = qatomic_rcu_read(&(head)->lh_first);                        \
         (var) && ((next_var) = qatomic_rcu_read(&(var)->field.le_next), 1); \
         (var) = (next_var))

/* ---- QSLIST ------------------------------------------------------------- */

#define QSLIST_HEAD(name, type) \
    struct name {               \
        struct type *slh_first; \
    }
#define QSLIST_HEAD_INITIALIZER(head) \
    {                                 \
        NULL                          \
    }
#define QSLIST_ENTRY(type)     \
    struct {                   \
        struct type *sle_next; \
    }

#define QSLIST_INIT(head)         \
    do {                          \
        (head)->slh_first = NULL; \
    } while (0)

#define QSLIST_EMPTY(head) ((head)->slh_first == NULL)
#define QSLIST_EMPTY_RCU(head) (qatomic_read(&(head)->slh_first) == NULL)
#define QSLIST_FIRST(head) ((head)->slh_first)
#define QSLIST_FIRST_RCU(head) (qatomic_rcu_read(&(head)->slh_first))
#define QSLIST_NEXT(elm, field) ((elm)->field.sle_next)
#define QSLIST_NEXT_RCU(elm, field) (qatomic_rcu_read(&(elm)->field.sle_next))

#define QSLIST_INSERT_HEAD(head, elm, field)       \
    do {                                           \
        (elm)->field.sle_next = (head)->slh_first; \
        (head)->slh_first = (elm);                 \
    } while (0)
#define QSLIST_INSERT_AFTER(slistelm, elm, field)           \
    do {                                                    \
        (elm)->field.sle_next = (slistelm)->field.sle_next; \
        (slistelm)->field.sle_next = (elm);                 \
    } while (0)

/* Push from any thread.  Pairs with QSLIST_MOVE_ATOMIC: never pop one element
 * of such a list while others push (ABA); take it whole. */
#define QSLIST_INSERT_HEAD_ATOMIC(head, elm, field)                          \
    do {                                                                     \
        __typeof__((head)->slh_first) qs_old_ =                              \
            qatomic_read(&(head)->slh_first);                                \
        do {                                                                 \
            qatomic_set(&(elm)->field.sle_next, qs_old_);                    \
        } while (!__atomic_compare_exchange_n(&(head)->slh_first, &qs_old_,  \
                                              (elm), true, __ATOMIC_SEQ_CST, \
                                              __ATOMIC_RELAXED));            \
    } while (0)

/* Takes all of @src at once; @dst is overwritten. */
#define QSLIST_MOVE_ATOMIC(dest, src)                                         \
    do {                                                                      \
        (dest)->slh_first =                                                   \
            qatomic_xchg(&(src)->slh_first, (__typeof__((src)->slh_first))0); \
    } while (0)

#define QSLIST_REMOVE_HEAD(head, field)                            \
    do {                                                           \
        __typeof__((head)->slh_first) qs_elm_ = (head)->slh_first; \
        (head)->slh_first = qs_elm_->field.sle_next;               \
        qs_elm_->field.sle_next = NULL;                            \
    } while (0)
#define QSLIST_REMOVE_AFTER(slistelm, field)                        \
    do {                                                            \
        __typeof__(slistelm) qs_next_ = (slistelm)->field.sle_next; \
        (slistelm)->field.sle_next = qs_next_->field.sle_next;      \
        qs_next_->field.sle_next = NULL;                            \
    } while (0)

/* O(n); @elm must be on the list. */
#define QSLIST_REMOVE(head, elm, type, field)        \
    do {                                             \
        struct type **qs_link_ = &(head)->slh_first; \
        while (*qs_link_ != (elm)) {                 \
            qs_link_ = &(*qs_link_)->field.sle_next; \
        }                                            \
        *qs_link_ = (elm)->field.sle_next;           \
        (elm)->field.sle_next = NULL;                \
    } while (0)

#define QSLIST_FOREACH(var, head, field) \
    for ((var) = (head)->slh_first; (var); (var) = (var)->field.sle_next)
#define QSLIST_FOREACH_SAFE(var, head, field, tvar) \
    for ((var) = (head)->slh_first;                 \
         (var) && ((tvar) = (var)->field.sle_next, 1); (var) = (tvar))
#define QSLIST_FOREACH_RCU(var, head, field)                  \
    for ((var) = qatomic_rcu_read(&(head)->slh_first); (var); \
         (var) = qatomic_rcu_read(&(var)->field.sle_next))

/* ---- QSIMPLEQ ----------------------------------------------------------- */

#define QSIMPLEQ_HEAD(name, type) \
    struct name {                 \
        struct type *sqh_first;   \
        struct type **sqh_last;   \
    }
#define QSIMPLEQ_HEAD_INITIALIZER(head) \
    {                                   \
        NULL, &(head).sqh_first         \
    }
#define QSIMPLEQ_ENTRY(type)   \
    struct {                   \
        struct type *sqe_next; \
    }

#define QSIMPLEQ_INIT(head)                    \
    do {                                       \
        (head)->sqh_first = NULL;              \
        (head)->sqh_last = &(head)->sqh_first; \
    } while (0)

#define QSIMPLEQ_EMPTY(head) ((head)->sqh_first == NULL)
#define QSIMPLEQ_EMPTY_ATOMIC(head) (qatomic_read(&(head)->sqh_first) == NULL)
#define QSIMPLEQ_FIRST(head) ((head)->sqh_first)
#define QSIMPLEQ_NEXT(elm, field) ((elm)->field.sqe_next)
#define QSIMPLEQ_LAST(head, type, field)                      \
    (QSIMPLEQ_EMPTY(head)                                     \
         ? NULL                                               \
         : (struct type *)(void *)((char *)(head)->sqh_last - \
                                   offsetof(struct type, field)))

#define QSIMPLEQ_INSERT_HEAD(head, elm, field)         \
    do {                                               \
        (elm)->field.sqe_next = (head)->sqh_first;     \
        if (!(elm)->field.sqe_next) {                  \
            (head)->sqh_last = &(elm)->field.sqe_next; \
        }                                              \
        (head)->sqh_first = (elm);                     \
    } while (0)
#define QSIMPLEQ_INSERT_TAIL(head, elm, field)     \
    do {                                           \
        (elm)->field.sqe_next = NULL;              \
        *(head)->sqh_last = (elm);                 \
        (head)->sqh_last = &(elm)->field.sqe_next; \
    } while (0)
#define QSIMPLEQ_INSERT_AFTER(head, listelm, elm, field)   \
    do {                                                   \
        (elm)->field.sqe_next = (listelm)->field.sqe_next; \
        if (!(elm)->field.sqe_next) {                      \
            (head)->sqh_last = &(elm)->field.sqe_next;     \
        }                                                  \
        (listelm)->field.sqe_next = (elm);                 \
    } while (0)

#define QSIMPLEQ_REMOVE_HEAD(head, field)                          \
    do {                                                           \
        __typeof__((head)->sqh_first) sq_elm_ = (head)->sqh_first; \
        (head)->sqh_first = sq_elm_->field.sqe_next;               \
        if (!(head)->sqh_first) {                                  \
            (head)->sqh_last = &(head)->sqh_first;                 \
        }                                                          \
        sq_elm_->field.sqe_next = NULL;                            \
    } while (0)

/* O(n); @elm must be on the queue. */
#define QSIMPLEQ_REMOVE(head, elm, type, field)      \
    do {                                             \
        struct type **sq_link_ = &(head)->sqh_first; \
        while (*sq_link_ != (elm)) {                 \
            sq_link_ = &(*sq_link_)->field.sqe_next; \
        }                                            \
        *sq_link_ = (elm)->field.sqe_next;           \
        if (!*sq_link_) {                            \
            (head)->sqh_last = sq_link_;             \
        }                                            \
        (elm)->field.sqe_next = NULL;                \
    } while (0)

/* Keeps @elm and what precedes it in @head; the rest goes to @removed. */
#define QSIMPLEQ_SPLIT_AFTER(head, elm, field, removed)       \
    do {                                                      \
        QSIMPLEQ_INIT(removed);                               \
        (removed)->sqh_first = (elm)->field.sqe_next;         \
        if ((removed)->sqh_first) {                           \
            if ((head)->sqh_last != &(elm)->field.sqe_next) { \
                (removed)->sqh_last = (head)->sqh_last;       \
            }                                                 \
            (head)->sqh_last = &(elm)->field.sqe_next;        \
            (elm)->field.sqe_next = NULL;                     \
        }                                                     \
    } while (0)

/* Moves all of @head2 behind / in front of @head1; @head2 ends up empty. */
#define QSIMPLEQ_CONCAT(head1, head2)                \
    do {                                             \
        if (!QSIMPLEQ_EMPTY(head2)) {                \
            *(head1)->sqh_last = (head2)->sqh_first; \
            (head1)->sqh_last = (head2)->sqh_last;   \
            QSIMPLEQ_INIT(head2);                    \
        }                                            \
    } while (0)
#define QSIMPLEQ_PREPEND(head1, head2)                 \
    do {                                               \
        if (!QSIMPLEQ_EMPTY(head2)) {                  \
            *(head2)->sqh_last = (head1)->sqh_first;   \
            if (QSIMPLEQ_EMPTY(head1)) {               \
                (head1)->sqh_last = (head2)->sqh_last; \
            }                                          \
            (head1)->sqh_first = (head2)->sqh_first;   \
            QSIMPLEQ_INIT(head2);                      \
        }                                              \
    } while (0)

#define QSIMPLEQ_FOREACH(var, head, field) \
    for ((var) = (head)->sqh_first; (var); (var) = (var)->field.sqe_next)
#define QSIMPLEQ_FOREACH_SAFE(var, head, field, next) \
    for ((var) = (head)->sqh_first;                   \
         (var) && ((next) = (var)->field.sqe_next, 1); (var) = (next))

#include "qemu/tailq.h"

#endif
