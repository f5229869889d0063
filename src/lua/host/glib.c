/*
 * glib.c - --glib: GLib's default main loop waits, and runs ours as a source
 *
 * The core's gsource.c is linked in, but not GLib: that is loaded when it is
 * asked for, so nobody else pays for it at start, or must have it.  The
 * functions of GLib that gsource.c calls are defined here, and pass the call on
 * to the library.  They are not exported: a module that links GLib gets GLib's
 * own, which is the same library and so the same main loop.
 *
 * Rule: what gsource.c calls of GLib is in GLIB_FUNCTIONS, or this does not
 * link; and nobody calls it before glib_driver() has succeeded.
 */
#include "host/host.h"
#include "qapi/error.h"
#include "vm.h"

#ifdef CONFIG_GLIB

#include "loop/gsource.h"

#include <dlfcn.h>
#include <glib-unix.h>

#define GLIB_LIBRARY "libglib-2.0.so.0"

/* X(result, name, parameters, arguments) */
#define GLIB_FUNCTIONS(X)                                                     \
    X(GSource *, g_main_context_find_source_by_id,                            \
      (GMainContext * c, guint id), (c, id))                                  \
    X(gint, g_main_depth, (void), ())                                         \
    X(gboolean, g_main_context_iteration, (GMainContext * c, gboolean block), \
      (c, block))                                                             \
    X(void, g_main_context_wakeup, (GMainContext * c), (c))                   \
    X(gpointer, g_source_add_unix_fd,                                         \
      (GSource * s, gint fd, GIOCondition events), (s, fd, events))           \
    X(guint, g_source_attach, (GSource * s, GMainContext * c), (s, c))        \
    X(void, g_source_destroy, (GSource * s), (s))                             \
    X(GMainContext *, g_source_get_context, (GSource * s), (s))               \
    X(gboolean, g_source_is_destroyed, (GSource * s), (s))                    \
    X(GSource *, g_source_new, (GSourceFuncs * f, guint size), (f, size))     \
    X(GSource *, g_source_ref, (GSource * s), (s))                            \
    X(void, g_source_remove_unix_fd, (GSource * s, gpointer tag), (s, tag))   \
    X(void, g_source_set_can_recurse, (GSource * s, gboolean can), (s, can))  \
    X(void, g_source_set_name, (GSource * s, const char *name), (s, name))    \
    X(void, g_source_unref, (GSource * s), (s))

#define POINTER(result, name, parameters, arguments) result(*name) parameters;
static struct {
    GLIB_FUNCTIONS(POINTER)
} glib;

#define PASS_ON(result, name, parameters, arguments) \
    result(name) parameters                          \
    {                                                \
        return glib.name arguments;                  \
    }
GLIB_FUNCTIONS(PASS_ON)

/* The address of a function, by way of the pointer it is stored in. */
static bool find_function(void *library, const char *name, void *pointer,
                          Error **errp)
{
    void *address = dlsym(library, name);

    if (address == NULL) {
        error_setg(errp,
                   "--glib: %s is too old, it has no %s(): install a newer one",
                   GLIB_LIBRARY, name);
        return false;
    }
    *(void **)pointer = address;
    return true;
}

const LoopDriver *glib_driver(Error **errp)
{
    static const LoopDriver driver = {
        .poll = gsource_poll,
        .may_act = gsource_may_act,
        .in_callback = gsource_in_foreign_callback,
        .end = gsource_end,
    };
    void *library = dlopen(GLIB_LIBRARY, RTLD_NOW | RTLD_LOCAL);

    if (library == NULL) {
        error_setg(errp,
                   "--glib: GLib cannot be loaded (%s): install it (package "
                   "libglib2.0-0), or run without --glib",
                   dlerror());
        return NULL;
    }
#define FIND(result, name, parameters, arguments) \
    &&find_function(library, #name, &glib.name, errp)
    return true GLIB_FUNCTIONS(FIND) ? &driver : NULL;
}
#else

const LoopDriver *glib_driver(Error **errp)
{
    error_setg(errp, "--glib: this " HOST_NAME " was built without GLib: "
                     "install libglib2.0-dev and build it again");
    return NULL;
}
#endif
