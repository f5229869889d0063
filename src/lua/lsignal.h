/*
 * lsignal.h - signals, as the context needs to know them
 */
#ifndef LSIGNAL_H
#define LSIGNAL_H

#include "vm.h"

/* Put the signal dispositions back; before the home context is closed. */
void lsignal_close(LuaVM *vm);

#endif
