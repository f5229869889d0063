/*
 * osdep.h - all that a porter adds: the original's osdep.h brings GLib along
 */
#include <glib.h>
#include_next "qemu/osdep.h"
