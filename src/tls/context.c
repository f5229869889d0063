/*
 * context.c - an SSL_CTX out of settings: certificates, keys, PSK, ALPN
 *
 * TLS 1.2 and 1.3.  A client verifies the server unless told not to, against
 * the system's authorities unless others are named.
 */
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tls.h"

static int settings_index = -1;

static void settings_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad,
                          int index, long argl, void *argp)
{
    free(ptr);
}

const TlsSettings *tls_settings(const SSL_CTX *ctx)
{
    return SSL_CTX_get_ex_data(ctx, settings_index);
}

/* ---- pre-shared keys ---------------------------------------------------- */

static unsigned psk_client(SSL *ssl, const char *hint, char *identity,
                           unsigned identity_max, unsigned char *psk,
                           unsigned psk_max)
{
    const TlsSettings *s = tls_settings(SSL_get_SSL_CTX(ssl));

    if (strlen(s->psk_identity) >= identity_max || s->psk_key_len > psk_max) {
        return 0;
    }
    strcpy(identity, s->psk_identity);
    memcpy(psk, s->psk_key, s->psk_key_len);
    return (unsigned)s->psk_key_len;
}

static unsigned psk_server(SSL *ssl, const char *identity, unsigned char *psk,
                           unsigned psk_max)
{
    const TlsSettings *s = tls_settings(SSL_get_SSL_CTX(ssl));

    if (strcmp(identity, s->psk_identity) != 0 || s->psk_key_len > psk_max) {
        return 0;
    }
    memcpy(psk, s->psk_key, s->psk_key_len);
    return (unsigned)s->psk_key_len;
}

/* ---- ALPN --------------------------------------------------------------- */

/* The server's order decides; nothing in common ends the handshake. */
static int alpn_select(SSL *ssl, const unsigned char **out,
                       unsigned char *out_len, const unsigned char *in,
                       unsigned in_len, void *arg)
{
    const TlsSettings *s = tls_settings(SSL_get_SSL_CTX(ssl));
    unsigned char *chosen;
    int ret = SSL_select_next_proto(&chosen, out_len, s->alpn, s->alpn_len, in,
                                    in_len);

    *out = chosen;
    return ret == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK
                                         : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- files -------------------------------------------------------------- */

static bool fail(char *error, size_t size, const char *file, const char *what)
{
    unsigned long code = ERR_peek_error(); /* the first: the cause */
    const char *reason = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code))
                                                : ERR_reason_error_string(code);

    snprintf(error, size, "%s: %s: %s", file, what,
             reason ? reason : "no reason given");
    return false;
}

static bool load_authorities(SSL_CTX *ctx, const char *path, char *error,
                             size_t size)
{
    struct stat st;
    int ok;

    if (!path) {
        return SSL_CTX_set_default_verify_paths(ctx) == 1 ||
               fail(error, size, "system", "cannot read the authorities");
    }
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        ok = SSL_CTX_load_verify_dir(ctx, path);
    } else {
        ok = SSL_CTX_load_verify_file(ctx, path);
    }
    return ok == 1 || fail(error, size, path, "cannot read the authorities");
}

static bool load_certificate(SSL_CTX *ctx, const TlsFiles *files, char *error,
                             size_t size)
{
    const char *key = files->key ? files->key : files->cert;

    if (SSL_CTX_use_certificate_chain_file(ctx, files->cert) != 1) {
        return fail(error, size, files->cert, "cannot read the certificate");
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
        return fail(error, size, key, "cannot read the private key");
    }
    return SSL_CTX_check_private_key(ctx) == 1 ||
           fail(error, size, key, "the key is not that of the certificate");
}

/* Authorities are read only by who verifies: that takes milliseconds. */
static bool load_files(SSL_CTX *ctx, const TlsSettings *s,
                       const TlsFiles *files, char *error, size_t size)
{
    if (s->verify && (files->ca || !s->psk_key_len) &&
        !load_authorities(ctx, files->ca, error, size)) {
        return false;
    }
    return !files->cert || load_certificate(ctx, files, error, size);
}

/* ---- the context -------------------------------------------------------- */

static void set_modes(SSL_CTX *ctx)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    /* A repeated write may come from another address (same bytes). */
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1);
}

static void set_verify(SSL_CTX *ctx, const TlsSettings *s)
{
    int mode = SSL_VERIFY_NONE;

    if (s->verify) {
        mode = SSL_VERIFY_PEER;
        mode |= s->server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    }
    SSL_CTX_set_verify(ctx, mode, NULL);
    if (s->server) { /* of a client it would not match its pre-shared key */
        SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"aioctl", 6);
    }
}

static void set_extensions(SSL_CTX *ctx, const TlsSettings *s)
{
    if (s->psk_key_len && s->server) {
        SSL_CTX_set_psk_server_callback(ctx, psk_server);
    } else if (s->psk_key_len) {
        SSL_CTX_set_psk_client_callback(ctx, psk_client);
    }
    if (s->alpn_len && s->server) {
        SSL_CTX_set_alpn_select_cb(ctx, alpn_select, NULL);
    } else if (s->alpn_len) {
        SSL_CTX_set_alpn_protos(ctx, s->alpn, s->alpn_len);
    }
}

SSL_CTX *tls_context_new(TlsSettings *settings, const TlsFiles *files,
                         char *error, size_t size)
{
    if (settings_index < 0) {
        settings_index =
            SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, settings_free);
    }
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(settings->server ? TLS_server_method()
                                                : TLS_client_method());
    if (!ctx || SSL_CTX_set_ex_data(ctx, settings_index, settings) != 1) {
        fail(error, size, "TLS", "cannot make a context");
        free(settings);
        SSL_CTX_free(ctx);
        return NULL;
    }
    set_modes(ctx);
    set_verify(ctx, settings);
    set_extensions(ctx, settings);
    if (!load_files(ctx, settings, files, error, size)) {
        SSL_CTX_free(ctx); /* and the settings */
        return NULL;
    }
    return ctx;
}
