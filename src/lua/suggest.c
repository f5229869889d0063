/*
 * suggest.c - "did you mean": the closest of many words
 *
 * The distance is the number of single-character edits, a swap of neighbours
 * counting as one (optimal string alignment); case does not matter.  A
 * candidate is close when at most a third of the longer word is wrong, and
 * never more than three letters.
 */
#include "suggest.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define WORD_MAX (sizeof(((Suggestion *)0)->best) - 1)

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

static bool differ(char a, char b)
{
    return tolower((unsigned char)a) != tolower((unsigned char)b);
}

static unsigned edit_distance(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    unsigned rows[3][sizeof(((Suggestion *)0)->best) + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];

    for (size_t j = 0; j <= nb; j++) {
        last[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= na; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned differs = differ(a[i - 1], b[j - 1]);
            row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + differs);
            if (i > 1 && j > 1 && !differ(a[i - 1], b[j - 2]) &&
                !differ(a[i - 2], b[j - 1]) && before[j - 2] + 1 < row[j]) {
                row[j] = before[j - 2] + 1;
            }
        }
        unsigned *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[nb];
}

void suggest_begin(Suggestion *s, const char *word)
{
    s->word = word;
    s->best[0] = '\0';
    s->distance = 4;
}

void suggest_offer(Suggestion *s, const char *candidate)
{
    size_t na = strlen(s->word), nb = strlen(candidate);

    if (na > WORD_MAX || nb > WORD_MAX || nb == 0) {
        return;
    }
    unsigned distance = edit_distance(s->word, candidate);
    size_t longer = na > nb ? na : nb;
    if (distance < s->distance && distance * 3 <= longer) {
        s->distance = distance;
        snprintf(s->best, sizeof(s->best), "%s", candidate);
    }
}

const char *suggest_best(const Suggestion *s)
{
    return s->best[0] ? s->best : NULL;
}

const char *suggest_among(Suggestion *s, const char *word,
                          const char *const *names)
{
    for (suggest_begin(s, word); *names; names++) {
        suggest_offer(s, *names);
    }
    return suggest_best(s);
}
