/*
 * tlsops.h - what a TLS library has to do for a socket
 *
 * The seam between the binding and the module aio.tls, which is loaded only
 * when somebody asks for TLS; neither links the other.  The module's contexts
 * are userdata of the class TLS_CONTEXT_CLASS that begin with a TlsContext.
 *
 * A session works on a non-blocking socket and never waits.  All functions are
 * for the thread of the VM.
 */
#ifndef TLSOPS_H
#define TLSOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_CONTEXT_CLASS "aio.tls.context"

typedef struct TlsSession TlsSession;
typedef struct TlsContext TlsContext;

enum {
    TLS_OPS_VERSION = 1,
    TLS_WANT_READ = -200001,  /* call again when the socket is readable */
    TLS_WANT_WRITE = -200002, /* ... writable */
    TLS_BROKEN = -200003,     /* see reason() */
};

typedef struct TlsOps {
    int version;

    /* NULL: no memory.  @servername: may be NULL. */
    TlsSession *(*session_new)(TlsContext *context, int fd, bool server,
                               const char *servername);
    void (*session_free)(TlsSession *session);

    /* 0: done; TLS_*, or a negative errno of the socket. */
    int64_t (*handshake)(TlsSession *session);
    /* Bytes; 0 for read: the peer has said that this is the end. */
    int64_t (*read)(TlsSession *session, void *base, size_t n);
    int64_t (*write)(TlsSession *session, const void *base, size_t n);
    /* Decrypted bytes that wait inside. */
    size_t (*pending)(const TlsSession *session);
    /* Says goodbye; as handshake(). */
    int64_t (*goodbye)(TlsSession *session);

    /* Why TLS_BROKEN: "certificate verify failed: certificate has expired". */
    const char *(*reason)(const TlsSession *session);
    /* Facts for socket:tls(): protocol, cipher, alpn, subject, issuer; NULL
     * when there is no such fact.  Valid until the next call. */
    const char *(*fact)(TlsSession *session, const char *name);
} TlsOps;

struct TlsContext {
    const TlsOps *ops;
};

#endif
