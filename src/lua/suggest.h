/*
 * suggest.h - "did you mean": the closest of many words
 */
#ifndef SUGGEST_H
#define SUGGEST_H

typedef struct Suggestion {
    const char *word;
    char best[64];
    unsigned distance;
} Suggestion;

/* begin, offer each candidate, best; a far one is no suggestion. */
void suggest_begin(Suggestion *s, const char *word);
void suggest_offer(Suggestion *s, const char *candidate);
const char *suggest_best(const Suggestion *s); /* or NULL */

/* All of them in one go: @names is NULL-ended. */
const char *suggest_among(Suggestion *s, const char *word,
                          const char *const *names);

#endif
