/*
 * editor.c - a line editor on the terminal, libedit's, that waits elsewhere
 *
 * The user's locale decides how keys become characters, but a program's own
 * locale is the script's business: ours is in force only inside libedit, never
 * while something else runs.
 *
 * Signals stay with the program: libedit installs no handler.  The size of the
 * window is looked at whenever a key comes.
 */
#include "editor.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_LINES = 2000 };

struct Editor {
    EditLine *edit;
    History *history;
    EditorHooks hooks;
    locale_t locale;
    locale_t outside; /* what was in force before we were called */
    const char *prompt;
    struct winsize size;
    bool gave_up;
};

static Editor *editor_of(EditLine *edit)
{
    Editor *e = NULL;

    el_get(edit, EL_CLIENTDATA, &e);
    return e;
}

static void enter(Editor *e)
{
    e->outside = uselocale(e->locale);
}

static void leave(Editor *e)
{
    uselocale(e->outside);
}

/* ---- keys --------------------------------------------------------------- */

static void follow_window(Editor *e)
{
    struct winsize now;

    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &now) == 0 &&
        (now.ws_col != e->size.ws_col || now.ws_row != e->size.ws_row)) {
        e->size = now;
        el_resize(e->edit);
    }
}

/* One byte: 1, 0 at the end, -1 when there is none to be had. */
static int next_byte(Editor *e, char *byte)
{
    for (;;) { /* ends with a byte, the end, an error, or hooks.wait() */
        fflush(stdout);
        leave(e);
        bool go_on = e->hooks.wait(e->hooks.opaque);
        enter(e);
        if (!go_on) {
            e->gave_up = true;
            return -1;
        }
        ssize_t n = read(STDIN_FILENO, byte, 1);
        if (n >= 0 || (errno != EINTR && errno != EAGAIN)) {
            return (int)n;
        }
    }
}

/* libedit's el_rfunc_t: how many characters were read, at most one */
static int next_key(EditLine *edit, wchar_t *key)
{
    Editor *e = editor_of(edit);
    mbstate_t state;
    char byte;

    memset(&state, 0, sizeof(state));
    for (;;) { /* one byte of a character after the other */
        int n = next_byte(e, &byte);
        if (n <= 0) {
            return n;
        }
        size_t used = mbrtowc(key, &byte, 1, &state);
        if (used == (size_t)-2) {
            continue;
        }
        if (used == (size_t)-1) { /* no character: pass the byte as it is */
            *key = (unsigned char)byte;
        }
        follow_window(e);
        return 1;
    }
}

/* ---- completion --------------------------------------------------------- */

static unsigned char complete(EditLine *edit, int key)
{
    Editor *e = editor_of(edit);
    const LineInfo *line = el_line(edit);
    bool redraw = false;

    leave(e);
    const char *more =
        e->hooks.complete(e->hooks.opaque, line->buffer,
                          (size_t)(line->cursor - line->buffer), &redraw);
    enter(e);
    if (more != NULL && more[0] != '\0' && el_insertstr(edit, more) == 0) {
        return redraw ? CC_REDISPLAY : CC_REFRESH;
    }
    return redraw ? CC_REDISPLAY : CC_ERROR;
}

/* ---- the editor --------------------------------------------------------- */

static char *prompt_of(EditLine *edit)
{
    return (char *)editor_of(edit)->prompt; /* libedit only reads it */
}

static bool set_up(Editor *e)
{
    HistEvent event;

    history(e->history, &event, H_SETSIZE, HISTORY_LINES);
    history(e->history, &event, H_SETUNIQUE, 1);
    return el_set(e->edit, EL_CLIENTDATA, e) == 0 &&
           el_set(e->edit, EL_SIGNAL, 0) == 0 &&
           el_set(e->edit, EL_PROMPT, prompt_of) == 0 &&
           el_set(e->edit, EL_GETCFN, next_key) == 0 &&
           el_set(e->edit, EL_EDITOR, "emacs") == 0 &&
           el_set(e->edit, EL_HIST, history, e->history) == 0 &&
           el_set(e->edit, EL_ADDFN, "lua-complete",
                  "complete names and fields", complete) == 0 &&
           el_set(e->edit, EL_BIND, "^I", "lua-complete", NULL) == 0 &&
           el_set(e->edit, EL_BIND, "^R", "em-inc-search-prev", NULL) == 0;
}

Editor *editor_new(const char *program, const EditorHooks *hooks)
{
    Editor *e = calloc(1, sizeof(*e));

    if (e == NULL) {
        return NULL;
    }
    e->hooks = *hooks;
    e->prompt = "";
    e->locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    if (e->locale == (locale_t)0) { /* a name that is not installed */
        e->locale = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
    }
    e->history = history_init();
    if (e->locale == (locale_t)0 || e->history == NULL) {
        errno = ENOMEM;
        editor_free(e);
        return NULL;
    }
    enter(e);
    e->edit = el_init(program, stdin, stdout, stderr);
    if (e->edit == NULL || !set_up(e)) {
        leave(e);
        editor_free(e);
        errno = ENOTTY;
        return NULL;
    }
    el_source(e->edit, NULL); /* the user's ~/.editrc, if there is one */
    leave(e);
    return e;
}

void editor_free(Editor *e)
{
    if (e->edit != NULL) {
        enter(e);
        el_end(e->edit);
        leave(e);
    }
    if (e->history != NULL) {
        history_end(e->history);
    }
    if (e->locale != (locale_t)0) {
        freelocale(e->locale);
    }
    free(e);
}

const char *editor_line(Editor *e, const char *prompt, size_t *len,
                        bool *gave_up)
{
    int count = 0;

    e->prompt = prompt;
    e->gave_up = false;
    enter(e);
    /* First: a key that comes after the prompt means what it says. */
    el_set(e->edit, EL_PREP_TERM, 1);
    const char *line = el_gets(e->edit, &count);
    leave(e);
    e->prompt = "";
    *gave_up = e->gave_up;
    if (line == NULL || count <= 0 || e->gave_up) {
        return NULL;
    }
    *len = (size_t)count;
    if (line[*len - 1] == '\n') {
        --*len;
    }
    return line;
}

bool editor_remember(Editor *e, const char *line)
{
    HistEvent event;

    enter(e);
    bool ok = history(e->history, &event, H_ENTER, line) >= 0;
    leave(e);
    return ok;
}
