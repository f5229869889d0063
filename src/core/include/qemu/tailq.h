/*
 * qemu/tailq.h - QTAILQ: doubly linked lists with a tail, as macros
 *
 * The head and every link have the same two words (QTailQLink), and each link
 * points back at the previous link: that is what makes walking backwards
 * possible without knowing the element's type.
 */
#ifndef QEMU_TAILQ_H
#define QEMU_TAILQ_H

typedef struct QTailQLink {
    void *tql_next;
    struct QTailQLink *tql_prev;
} QTailQLink;

#define QTAILQ_HEAD(name, type) \
    union name {                \
        struct type *tqh_first; \
        QTailQLink tqh_circ;    \
    }
#define QTAILQ_HEAD_INITIALIZER(head)          \
    {                                          \
        .tqh_circ = { NULL, &(head).tqh_circ } \
    }
#define QTAILQ_ENTRY(type)     \
    union {                    \
        struct type *tqe_next; \
        QTailQLink tqe_circ;   \
    }

#define QTAILQ_INIT(head)                              \
    do {                                               \
        (head)->tqh_first = NULL;                      \
        (head)->tqh_circ.tql_prev = &(head)->tqh_circ; \
    } while (0)

#define QTAILQ_EMPTY(head) ((head)->tqh_first == NULL)
#define QTAILQ_FIRST(head) ((head)->tqh_first)
#define QTAILQ_NEXT(elm, field) ((elm)->field.tqe_next)
#define QTAILQ_IN_USE(elm, field) ((elm)->field.tqe_circ.tql_prev != NULL)
#define QTAILQ_LINK_PREV(link) ((link).tql_prev->tql_prev->tql_next)
#define QTAILQ_LAST(head) \
    ((__typeof__((head)->tqh_first))QTAILQ_LINK_PREV((head)->tqh_circ))
#define QTAILQ_PREV(elm, field) \
    ((__typeof__((elm)->field.tqe_next))QTAILQ_LINK_PREV((elm)->field.tqe_circ))

#define QTAILQ_INSERT_HEAD(head, elm, field)                    \
    do {                                                        \
        (elm)->field.tqe_next = (head)->tqh_first;              \
        if ((elm)->field.tqe_next) {                            \
            (elm)->field.tqe_next->field.tqe_circ.tql_prev =    \
                &(elm)->field.tqe_circ;                         \
        } else {                                                \
            (head)->tqh_circ.tql_prev = &(elm)->field.tqe_circ; \
        }                                                       \
        (head)->tqh_first = (elm);                              \
        (elm)->field.tqe_circ.tql_prev = &(head)->tqh_circ;     \
    } while (0)
#define QTAILQ_INSERT_TAIL(head, elm, field)                        \
    do {                                                            \
        (elm)->field.tqe_next = NULL;                               \
        (elm)->field.tqe_circ.tql_prev = (head)->tqh_circ.tql_prev; \
        (head)->tqh_circ.tql_prev->tql_next = (elm);                \
        (head)->tqh_circ.tql_prev = &(elm)->field.tqe_circ;         \
    } while (0)
#define QTAILQ_INSERT_AFTER(head, listelm, elm, field)               \
    do {                                                             \
        (elm)->field.tqe_next = (listelm)->field.tqe_next;           \
        if ((elm)->field.tqe_next) {                                 \
            (elm)->field.tqe_next->field.tqe_circ.tql_prev =         \
                &(elm)->field.tqe_circ;                              \
        } else {                                                     \
            (head)->tqh_circ.tql_prev = &(elm)->field.tqe_circ;      \
        }                                                            \
        (listelm)->field.tqe_next = (elm);                           \
        (elm)->field.tqe_circ.tql_prev = &(listelm)->field.tqe_circ; \
    } while (0)
#define QTAILQ_INSERT_BEFORE(listelm, elm, field)                            \
    do {                                                                     \
        (elm)->field.tqe_circ.tql_prev = (listelm)->field.tqe_circ.tql_prev; \
        (elm)->field.tqe_next = (listelm);                                   \
        (listelm)->field.tqe_circ.tql_prev->tql_next = (elm);                \
        (listelm)->field.tqe_circ.tql_prev = &(elm)->field.tqe_circ;         \
    } while (0)

#define QTAILQ_REMOVE(head, elm, field)                                   \
    do {                                                                  \
        if ((elm)->field.tqe_next) {                                      \
            (elm)->field.tqe_next->field.tqe_circ.tql_prev =              \
                (elm)->field.tqe_circ.tql_prev;                           \
        } else {                                                          \
            (head)->tqh_circ.tql_prev = (elm)->field.tqe_circ.tql_prev;   \
        }                                                                 \
        (elm)->field.tqe_circ.tql_prev->tql_next = (elm)->field.tqe_next; \
        (elm)->field.tqe_circ.tql_next = NULL;                            \
        (elm)->field.tqe_circ.tql_prev = NULL;                            \
    } while (0)

#define QTAILQ_FOREACH(var, head, field) \
    for ((var) = (head)->tqh_first; (var); (var) = (var)->field.tqe_next)
#define QTAILQ_FOREACH_SAFE(var, head, field, next_var) \
    for ((var) = (head)->tqh_first;                     \
         (var) && ((next_var) = (var)->field.tqe_next, 1); (var) = (next_var))
#define QTAILQ_FOREACH_REVERSE(var, head, field) \
    for ((var) = QTAILQ_LAST(head); (var); (var) = QTAILQ_PREV(var, field))
#define QTAILQ_FOREACH_REVERSE_SAFE(var, head, field, prev_var) \
    for ((var) = QTAILQ_LAST(head);                             \
         (var) && ((prev_var) = QTAILQ_PREV(var, field), 1);    \
         (var) = (prev_var))

#endif
