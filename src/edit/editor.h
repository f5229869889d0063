/*
 * editor.h - a line editor on the terminal, libedit's, that waits elsewhere
 *
 * libedit asks for one key at a time; the caller says how to wait for it, and
 * may run anything meanwhile.  One thread; not re-entrant.
 */
#ifndef EDITOR_H
#define EDITOR_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Editor Editor;

typedef struct EditorHooks {
    /* Returns when standard input is readable; false: give the line up. */
    bool (*wait)(void *opaque);
    /*
     * The tab key.  @text up to the cursor; returns what to insert there (valid
     * until the next call), NULL for nothing.  It may print on lines of its
     * own and then sets *@redraw.
     */
    const char *(*complete)(void *opaque, const char *text, size_t len,
                            bool *redraw);
    void *opaque;
} EditorHooks;

/* NULL with errno set: no memory, or a terminal nobody knows. */
Editor *editor_new(const char *program, const EditorHooks *hooks);
void editor_free(Editor *e);

/*
 * editor_line: the edited line without its newline, valid until the next call;
 * NULL at the end of the input, or when hooks.wait() gave up (*@gave_up).
 */
const char *editor_line(Editor *e, const char *prompt, size_t *len,
                        bool *gave_up);

/* One line of history, which the arrow keys bring back. False: no memory. */
bool editor_remember(Editor *e, const char *line);

#endif
