/*
 * timerheap.h - pending timers of one list, the earliest first
 */
#ifndef LOOP_TIMERHEAP_H
#define LOOP_TIMERHEAP_H

#include "qemu/timer.h"

typedef struct TimerHeapEntry {
    int64_t key;      /* when it is due */
    QEMUTimer *timer; /* ->sequence decides equal keys */
} TimerHeapEntry;

typedef struct TimerHeap {
    TimerHeapEntry *entries; /* entries[0] is the earliest */
    uint32_t count;
    uint32_t size;
    void *memory;
} TimerHeap;

/* timer->sequence must be set; sets timer->heap_index. */
void timerheap_insert(TimerHeap *heap, QEMUTimer *timer, int64_t key);
void timerheap_remove(TimerHeap *heap, QEMUTimer *timer);
/* To a new key, after timer->sequence has changed. */
void timerheap_move(TimerHeap *heap, QEMUTimer *timer, int64_t key);
void timerheap_free(TimerHeap *heap);
bool timerheap_is_ordered(const TimerHeap *heap); /* walks: for DCHECK */

#endif
