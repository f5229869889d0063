/*
 * queue_test.c - the list macros
 */
#include "test.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#include "qemu/queue.h"

typedef struct Item {
    int id;
    QLIST_ENTRY(Item) l;
    QSLIST_ENTRY(Item) s;
    QSIMPLEQ_ENTRY(Item) q;
    QTAILQ_ENTRY(Item) t;
} Item;

typedef QLIST_HEAD(, Item) ItemList;
typedef QSLIST_HEAD(, Item) ItemSList;
typedef QSIMPLEQ_HEAD(, Item) ItemQueue;
typedef QTAILQ_HEAD(, Item) ItemTailq;

static Item item[6] = {{.id = 0}, {.id = 1}, {.id = 2},
                       {.id = 3}, {.id = 4}, {.id = 5}};

/* 123 for a list of items 1, 2, 3. */
#define DIGITS(FOREACH, head, field)          \
    ({                                        \
        Item *it_;                            \
        int digits_ = 0;                      \
        FOREACH(it_, head, field)             \
        {                                     \
            digits_ = digits_ * 10 + it_->id; \
        }                                     \
        digits_;                              \
    })

TEST(qlist_inserts_and_removes_anywhere)
{
    ItemList list = QLIST_HEAD_INITIALIZER(list), other;
    ASSERT(!QLIST_IS_INSERTED(&item[1], l));
    QLIST_INSERT_HEAD(&list, &item[1], l);
    QLIST_INSERT_AFTER(&item[1], &item[3], l);
    QLIST_INSERT_BEFORE(&item[3], &item[2], l);
    QLIST_INSERT_BEFORE(&item[1], &item[5], l);
    ASSERT_EQ(DIGITS(QLIST_FOREACH, &list, l), 5123);
    QLIST_REMOVE(&item[2], l);
    QLIST_REMOVE(&item[5], l);
    ASSERT_EQ(DIGITS(QLIST_FOREACH_RCU, &list, l), 13);
    ASSERT(QLIST_IS_INSERTED(&item[3], l));
    QLIST_REMOVE(&item[3], l);
    ASSERT(!QLIST_IS_INSERTED(&item[3], l));
    QLIST_INIT(&other);
    QLIST_SWAP(&other, &list, l);
    ASSERT(QLIST_EMPTY(&list));
    QLIST_REMOVE(&item[1], l);
    ASSERT(QLIST_EMPTY(&other));
}

TEST(qlist_safe_remove_may_be_repeated_and_foreach_safe_may_remove)
{
    ItemList list = QLIST_HEAD_INITIALIZER(list);
    Item *it, *next;
    QLIST_SAFE_REMOVE(&item[1], l);
    for (int i = 4; i > 0; i--) {
        QLIST_INSERT_HEAD_RCU(&list, &item[i], l);
    }
    QLIST_FOREACH_SAFE(it, &list, l, next) {
        if (it->id % 2) {
            QLIST_SAFE_REMOVE(it, l);
            QLIST_SAFE_REMOVE(it, l);
        }
    }
    ASSERT_EQ(DIGITS(QLIST_FOREACH, &list, l), 24);
    QLIST_REMOVE_RCU(&item[2], l);
    ASSERT_PTR_EQ(QLIST_NEXT(&item[2], l), &item[4]);
    ASSERT_PTR_EQ(QLIST_FIRST(&list), &item[4]);
}

TEST(qslist_is_a_stack)
{
    ItemSList list = QSLIST_HEAD_INITIALIZER(list);
    for (int i = 4; i > 0; i--) {
        QSLIST_INSERT_HEAD(&list, &item[i], s);
    }
    QSLIST_INSERT_AFTER(&item[2], &item[5], s);
    ASSERT_EQ(DIGITS(QSLIST_FOREACH, &list, s), 12534);
    QSLIST_REMOVE(&list, &item[5], Item, s);
    QSLIST_REMOVE(&list, &item[4], Item, s);
    QSLIST_REMOVE_AFTER(&item[2], s);
    QSLIST_REMOVE_HEAD(&list, s);
    ASSERT_EQ(DIGITS(QSLIST_FOREACH, &list, s), 2);
}

static ItemSList shared;

static void *push_many(void *opaque)
{
    Item *items = opaque;
    for (int i = 0; i < 10000; i++) {
        QSLIST_INSERT_HEAD_ATOMIC(&shared, &items[i], s);
    }
    return NULL;
}

TEST(qslist_atomic_push_and_take_all_lose_nothing)
{
    pthread_t threads[3];
    Item *items[3], *it;
    int taken = 0;
    for (int i = 0; i < 3; i++) {
        items[i] = calloc(10000, sizeof(Item));
        pthread_create(&threads[i], NULL, push_many, items[i]);
    }
    while (taken < 30000) {
        ItemSList mine;
        QSLIST_MOVE_ATOMIC(&mine, &shared);
        QSLIST_FOREACH(it, &mine, s) {
            ASSERT_EQ(it->id, 0);
            it->id = 1;
            taken++;
        }
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        free(items[i]);
    }
    ASSERT(QSLIST_EMPTY(&shared));
}

TEST(qsimpleq_is_fifo_and_keeps_its_tail)
{
    ItemQueue queue = QSIMPLEQ_HEAD_INITIALIZER(queue);
    ASSERT_PTR_EQ(QSIMPLEQ_LAST(&queue, Item, q), NULL);
    QSIMPLEQ_INSERT_TAIL(&queue, &item[2], q);
    QSIMPLEQ_INSERT_HEAD(&queue, &item[1], q);
    QSIMPLEQ_INSERT_AFTER(&queue, &item[2], &item[3], q);
    QSIMPLEQ_INSERT_TAIL(&queue, &item[4], q);
    ASSERT_EQ(DIGITS(QSIMPLEQ_FOREACH, &queue, q), 1234);
    ASSERT_PTR_EQ(QSIMPLEQ_LAST(&queue, Item, q), &item[4]);
    QSIMPLEQ_REMOVE(&queue, &item[4], Item, q);
    QSIMPLEQ_INSERT_TAIL(&queue, &item[5], q);
    ASSERT_EQ(DIGITS(QSIMPLEQ_FOREACH, &queue, q), 1235);
    while (!QSIMPLEQ_EMPTY(&queue)) {
        QSIMPLEQ_REMOVE_HEAD(&queue, q);
    }
    QSIMPLEQ_INSERT_TAIL(&queue, &item[1], q);
    ASSERT_EQ(DIGITS(QSIMPLEQ_FOREACH, &queue, q), 1);
}

static void fill(ItemQueue *queue, int from, int to)
{
    QSIMPLEQ_INIT(queue);
    for (int i = from; i <= to; i++) {
        QSIMPLEQ_INSERT_TAIL(queue, &item[i], q);
    }
}

TEST(qsimpleq_concat_prepend_and_split_keep_both_tails)
{
    ItemQueue a, b;
    fill(&a, 1, 2);
    fill(&b, 3, 4);
    QSIMPLEQ_CONCAT(&a, &b);
    ASSERT(QSIMPLEQ_EMPTY(&b));
    QSIMPLEQ_CONCAT(&a, &b);
    QSIMPLEQ_SPLIT_AFTER(&a, &item[3], q, &b);
    QSIMPLEQ_INSERT_TAIL(&b, &item[5], q);
    ASSERT_EQ(DIGITS(QSIMPLEQ_FOREACH, &a, q), 123);
    ASSERT_EQ(DIGITS(QSIMPLEQ_FOREACH, &b, q), 45);
    QSIMPLEQ_PREPEND(&a, &b);
    ASSERT_EQ(DIGITS(QSIMPLEQ_FOREACH, &a, q), 45123);
    QSIMPLEQ_SPLIT_AFTER(&a, &item[3], q, &b);
    ASSERT(QSIMPLEQ_EMPTY(&b));
    QSIMPLEQ_PREPEND(&b, &a);
    ASSERT(QSIMPLEQ_EMPTY(&a));
    QSIMPLEQ_REMOVE(&b, &item[2], Item, q);
    QSIMPLEQ_INSERT_TAIL(&b, &item[2], q);
    ASSERT_EQ(DIGITS(QSIMPLEQ_FOREACH, &b, q), 45132);
}

TEST(qtailq_walks_both_ways)
{
    ItemTailq queue = QTAILQ_HEAD_INITIALIZER(queue);
    Item *it, *other;
    ASSERT_PTR_EQ(QTAILQ_LAST(&queue), NULL);
    QTAILQ_INSERT_TAIL(&queue, &item[3], t);
    QTAILQ_INSERT_HEAD(&queue, &item[1], t);
    QTAILQ_INSERT_AFTER(&queue, &item[3], &item[4], t);
    QTAILQ_INSERT_BEFORE(&item[3], &item[2], t);
    ASSERT_EQ(DIGITS(QTAILQ_FOREACH, &queue, t), 1234);
    ASSERT_EQ(DIGITS(QTAILQ_FOREACH_REVERSE, &queue, t), 4321);
    ASSERT(QTAILQ_IN_USE(&item[4], t));
    QTAILQ_REMOVE(&queue, &item[4], t);
    ASSERT(!QTAILQ_IN_USE(&item[4], t));
    ASSERT_PTR_EQ(QTAILQ_LAST(&queue), &item[3]);
    ASSERT_PTR_EQ(QTAILQ_PREV(&item[1], t), NULL);
    QTAILQ_FOREACH_REVERSE_SAFE(it, &queue, t, other)
    {
        QTAILQ_REMOVE(&queue, it, t);
    }
    ASSERT(QTAILQ_EMPTY(&queue));
}
