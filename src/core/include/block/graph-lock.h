/*
 * block/graph-lock.h - the lock of the graph of block nodes
 *
 * Every AioContext counts its readers in a BdrvGraphRWlock of its own, so that
 * taking the read side touches no cache line of another thread.
 */
#ifndef GRAPH_LOCK_H
#define GRAPH_LOCK_H

typedef struct BdrvGraphRWlock BdrvGraphRWlock;

#endif
