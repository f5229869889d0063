/*
 * options.c - the command line and its environment twins
 *
 * Short options are stock lua's, with its rules: they are not combined, -e and
 * -l take the rest of the word or the next word, scanning ends at the first
 * word that is no option.  Long options are ours (longopt.c) and may stand
 * between them.  -e, -l and -W act in order, later (chunk.c); here they are
 * only checked.
 *
 * A long option on the command line wins over its AIOCTL_* twin.  -E ignores
 * the twins, as it ignores LUA_INIT.
 */
#include "host/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the environment ---------------------------------------------------- */

static bool apply_environment(HostOptions *options)
{
    for (const HostLongOption *o = host_long_options; o->name; o++) {
        const char *value = o->env ? getenv(o->env) : NULL;
        if (value != NULL && value[0] != '\0' &&
            !longopt_apply(o, options, o->env, value)) {
            return false;
        }
    }
    return true;
}

/* ---- the command line --------------------------------------------------- */

static const HostLongOption *find_long(const char *name, size_t len)
{
    for (const HostLongOption *o = host_long_options; o->name; o++) {
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0) {
            return o;
        }
    }
    return NULL;
}

static bool unknown_option(const char *word)
{
    Suggestion s;
    char name[64];

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
    suggest_begin(&s, name);
    for (const HostLongOption *o = host_long_options; o->name; o++) {
        char candidate[32];
        snprintf(candidate, sizeof(candidate), "--%s", o->name);
        suggest_offer(&s, candidate);
    }
    if (word[1] == '-' && suggest_best(&s) != NULL) {
        report_message(HOST_NAME,
                       "unrecognized option '%s' (did you mean "
                       "'%s'?)",
                       word, suggest_best(&s));
    } else {
        report_message(HOST_NAME, "unrecognized option '%s'", word);
    }
    return false;
}

static bool needs_argument(const char *word)
{
    report_message(HOST_NAME, "'%s' needs argument", word);
    return false;
}

/* One "--name", "--name=value" or "--name value" at *@i. */
static bool parse_long(Host *host, int *i, bool dry_run)
{
    const char *word = host->argv[*i];
    const char *name = word + 2;
    size_t len = strcspn(name, "=");
    const HostLongOption *option = find_long(name, len);
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    bool optional = option && option->value && option->value[0] == '[';

    if (option == NULL) {
        return unknown_option(word);
    }
    if (option->value != NULL && !optional && value == NULL) {
        if (*i + 1 >= host->argc) {
            report_message(HOST_NAME, "'%s' needs argument\n(%s: %s)", word,
                           option->value, option->summary);
            return false;
        }
        value = host->argv[++*i];
    }
    if (option->value == NULL && value != NULL) {
        report_message(HOST_NAME, "--%s takes no value", option->name);
        return false;
    }
    if (dry_run) {
        return true;
    }
    return longopt_apply(option, &host->options, word, value ? value : "");
}

/* One of stock lua's options at *@i. */
static bool parse_short(Host *host, int *i)
{
    HostOptions *options = &host->options;
    const char *word = host->argv[*i];
    const char *next = host->argv[*i + 1]; /* argv ends with NULL */

    switch (word[1]) {
    case 'e':
    case 'l':
        options->has_code = options->has_code || word[1] == 'e';
        if (word[2] == '\0') {
            if (next == NULL || next[0] == '-') {
                return needs_argument(word);
            }
            ++*i;
        }
        return true;
    case 'm':
        if (word[2] == '\0' && (next == NULL || next[0] == '-')) {
            return needs_argument(word);
        }
        options->module = word[2] ? word + 2 : host->argv[++*i];
        return true;
    default:
        break;
    }
    if (word[2] != '\0') {
        return unknown_option(word);
    }
    switch (word[1]) {
    case 'i':
        options->interactive = true;
        options->print_version = true;
        return true;
    case 'v':
        options->print_version = true;
        return true;
    case 'E':
        options->no_env = true;
        return true;
    case 'W':
        return true;
    default:
        return unknown_option(word);
    }
}

/*
 * Goes through the options once.  With @dry_run the values of long options are
 * not applied: -E must be known before the environment is, and the environment
 * before the command line.
 */
static bool scan(Host *host, bool dry_run)
{
    int i;

    for (i = 1; i < host->argc; i++) {
        const char *word = host->argv[i];
        if (word[0] != '-' || word[1] == '\0') {
            break; /* a script, or "-" */
        }
        if (strcmp(word, "--") == 0) {
            i++;
            break;
        }
        bool ok = word[1] == '-' ? parse_long(host, &i, dry_run)
                                 : parse_short(host, &i);
        if (!ok) {
            return false;
        }
        if (word[1] == 'm') {
            i++;
            break;
        }
    }
    host->options.script = i < host->argc ? i : host->argc;
    return true;
}

bool options_parse(Host *host)
{
    if (!scan(host, true)) {
        help_usage(host->progname);
        return false;
    }
    if (!host->options.no_env && !apply_environment(&host->options)) {
        return false;
    }
    return scan(host, false);
}
