/*
 * signature.h - statements about what a public header declares
 *
 * Each is checked when it is compiled; a function must be in the library, too.
 */
#ifndef SIGNATURE_H
#define SIGNATURE_H

#include "test.h"

/* FUNCTION(int, f, char *): f is a function that takes a char * and returns an
 * int. */
#define FUNCTION(ret, name, ...)                                              \
    do {                                                                      \
        _Static_assert(                                                       \
            __builtin_types_compatible_p(__typeof__(name), ret(__VA_ARGS__)), \
            #name "() has another signature");                                \
        void (*volatile address)(void) = (void (*)(void))(name);              \
        ASSERT(address);                                                      \
    } while (0)

/* TYPE(int *, T): T is another name of int *. */
#define TYPE(type, name)                                     \
    _Static_assert(__builtin_types_compatible_p(type, name), \
                   #name " is another type")

/* FIELD(struct s, f, int): the field f of struct s is an int. */
#define FIELD(type, name, of)                                            \
    _Static_assert(                                                      \
        __builtin_types_compatible_p(__typeof__(((type *)0)->name), of), \
        #type "." #name " is of another type")

/* COMPLETE(T): T can be embedded. */
#define COMPLETE(type) _Static_assert(sizeof(type) > 0, #type)

/* VALUE(c, 7): the constant c is 7. */
#define VALUE(name, value) _Static_assert((name) == (value), #name)

#endif
