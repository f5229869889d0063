/*
 * tls.h - what the files of the module aio.tls share
 *
 *   module.c    luaopen_aio_tls: context() and its options
 *   context.c   an SSL_CTX out of settings
 *   session.c   TlsOps: one connection
 */
#ifndef TLS_H
#define TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "tlsops.h"

enum { PSK_IDENTITY_MAX = 128, PSK_KEY_MAX = 64, ALPN_MAX = 255 };

/* Belongs to an SSL_CTX and is freed with it: sessions outlive the Lua object
 * they were made from. */
typedef struct TlsSettings {
    bool server;
    bool verify;
    char psk_identity[PSK_IDENTITY_MAX + 1];
    unsigned char psk_key[PSK_KEY_MAX];
    size_t psk_key_len; /* 0: none */
    unsigned char alpn[ALPN_MAX];
    unsigned alpn_len; /* 0: none; in the form of the protocol */
} TlsSettings;

typedef struct TlsFiles {
    const char *ca, *cert, *key; /* paths, or NULL */
} TlsFiles;

/* The Lua object. */
typedef struct TlsLuaContext {
    TlsContext context;
    SSL_CTX *ctx; /* NULL: closed */
} TlsLuaContext;

extern const TlsOps tls_ops;

/*
 * tls_context_new: an SSL_CTX that owns @settings
 * Returns NULL and fills in @error: "cert.pem: cannot read the certificate:
 * no such file"; @settings is freed then, too.
 */
SSL_CTX *tls_context_new(TlsSettings *settings, const TlsFiles *files,
                         char *error, size_t size);
const TlsSettings *tls_settings(const SSL_CTX *ctx);

#endif
