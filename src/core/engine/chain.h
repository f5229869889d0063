/*
 * chain.h - requests that run one after another: what request.c calls
 */
#ifndef ENGINE_CHAIN_H
#define ENGINE_CHAIN_H

#include "engine/state.h"

/* @req, which names a chain and its engine, is its last from now on. */
void chain_submit(AioRequest *req);
void chain_cancel(AioRequest *req);

/* @req has ended: calls back, in order, and hands the next piece on. */
void chain_ended(AioRequest *req);

/* Before waiting, and when the outermost plug ends. */
void chain_start_all(EngineState *state);

#endif
