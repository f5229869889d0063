/*
 * queue_test.c - the list macros
 */
#include "test.h"

#include "qemu/queue.h"

#include <stddef.h>

typedef struct Item {
    int id;
    QLIST_ENTRY(Item) l;
    QSLIST_ENTRY(Item) s;
    QSIMPLEQ_ENTRY(Item) q;
    QTAILQ_ENTRY(Item) t;
} Item;

static QLIST_HEAD(, Item) list;

TEST(qlist_removes_any_element_and_knows_who_is_inserted)
{
    Item a = {.id = 1}, b = {.id = 2}, c = {.id = 3}, *it, *next;
    int sum = 0;
    ASSERT(!QLIST_IS_INSERTED(&a, l));
    QLIST_INSERT_HEAD(&list, &a, l);
    QLIST_INSERT_AFTER(&a, &c, l);
    QLIST_INSERT_BEFORE(&c, &b, l);
    QLIST_FOREACH(it, &list, l) {
        sum = sum * 10 + it->id;
    }
    ASSERT_EQ(sum, 123);
    QLIST_REMOVE(&b, l);
    ASSERT(!QLIST_IS_INSERTED(&b, l));
    QLIST_SAFE_REMOVE(&b, l);
    QLIST_SAFE_REMOVE(&a, l);
    ASSERT_PTR_EQ(QLIST_FIRST(&list), &c);
    QLIST_FOREACH_SAFE(it, &list, l, next) {
        QLIST_REMOVE(it, l);
    }
    ASSERT(QLIST_EMPTY(&list));
}
