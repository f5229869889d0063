/*
 * session.c - TlsOps: one connection over a non-blocking socket
 *
 * The library reads and writes through a BIO of ours: send() with MSG_NOSIGNAL,
 * and no receive after a short one within one call, which would only find
 * EAGAIN.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tls.h"

struct TlsSession {
    SSL *ssl;
    int fd;
    int err;      /* errno of the socket, of this call */
    bool drained; /* the last receive of this call was short */
    bool verify;
    char reason[256];
    char fact[256];
};

/* ---- the BIO ------------------------------------------------------------ */

static int bio_result(BIO *bio, TlsSession *s, ssize_t ret, int retry)
{
    if (ret < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
    } else if (ret < 0) {
        s->err = errno;
    }
    return (int)ret;
}

static int bio_read(BIO *bio, char *base, int n)
{
    TlsSession *s = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (s->drained) {
        BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
        return -1;
    }
    ssize_t got = recv(s->fd, base, (size_t)n, MSG_DONTWAIT);
    s->drained = got != 0 && got < n;
    return bio_result(bio, s, got, BIO_FLAGS_READ);
}

static int bio_write(BIO *bio, const char *base, int n)
{
    TlsSession *s = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    ssize_t sent = send(s->fd, base, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
    return bio_result(bio, s, sent, BIO_FLAGS_WRITE);
}

static long bio_control(BIO *bio, int command, long num, void *ptr)
{
    return command == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static const BIO_METHOD *bio_method(void)
{
    static BIO_METHOD *method;

    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
                              "aio.socket");
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_ctrl(method, bio_control);
        BIO_meth_set_create(method, bio_create);
    }
    return method;
}

/* ---- results ------------------------------------------------------------ */

static int64_t broken(TlsSession *s)
{
    unsigned long code = ERR_peek_error();
    long verified = SSL_get_verify_result(s->ssl);
    const char *text = ERR_reason_error_string(code);

    if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        text = "the peer has ended without saying goodbye";
    }
    text = text ? text : "protocol error";
    if (s->verify && verified != X509_V_OK &&
        ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        snprintf(s->reason, sizeof(s->reason), "%s: %s", text,
                 X509_verify_cert_error_string(verified));
    } else {
        snprintf(s->reason, sizeof(s->reason), "%s", text);
    }
    return TLS_BROKEN;
}

static void begin(TlsSession *s)
{
    ERR_clear_error();
    s->err = 0;
    s->drained = false;
}

static int64_t failure(TlsSession *s, int ret)
{
    switch (SSL_get_error(s->ssl, ret)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        if (s->err) {
            return -s->err;
        }
        snprintf(s->reason, sizeof(s->reason),
                 "the peer has ended without saying goodbye");
        return TLS_BROKEN;
    default:
        return broken(s);
    }
}

static int64_t session_handshake(TlsSession *s)
{
    begin(s);
    int ret = SSL_do_handshake(s->ssl);
    if (ret == 1) {
        return 0;
    }
    int64_t why = failure(s, ret);
    if (why == 0) { /* a goodbye instead of a handshake */
        snprintf(s->reason, sizeof(s->reason), "the peer has ended");
        return TLS_BROKEN;
    }
    return why;
}

static int64_t session_read(TlsSession *s, void *base, size_t n)
{
    size_t got;

    begin(s);
    int ret = SSL_read_ex(s->ssl, base, n, &got);
    return ret == 1 ? (int64_t)got : failure(s, ret);
}

static int64_t session_write(TlsSession *s, const void *base, size_t n)
{
    size_t sent;

    begin(s);
    int ret = SSL_write_ex(s->ssl, base, n, &sent);
    int64_t why = ret == 1 ? (int64_t)sent : failure(s, ret);
    return why == 0 && ret != 1 ? -EPIPE : why;
}

/* Partial records count: the next read finds out. */
static size_t session_pending(const TlsSession *s)
{
    return SSL_has_pending(s->ssl) || !s->drained;
}

static int64_t session_goodbye(TlsSession *s)
{
    if (!SSL_is_init_finished(s->ssl) ||
        (SSL_get_shutdown(s->ssl) & SSL_SENT_SHUTDOWN)) {
        return 0;
    }
    begin(s);
    int ret = SSL_shutdown(s->ssl);
    return ret >= 0 ? 0 : failure(s, ret);
}

/* ---- life --------------------------------------------------------------- */

static bool is_number(const char *host)
{
    unsigned char address[16];

    return inet_pton(AF_INET, host, address) == 1 ||
           inet_pton(AF_INET6, host, address) == 1;
}

static bool set_name(SSL *ssl, const char *name)
{
    if (is_number(name)) { /* numbers are not announced, but verified */
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    }
    return SSL_set_tlsext_host_name(ssl, name) == 1 &&
           SSL_set1_host(ssl, name) == 1;
}

static void session_free(TlsSession *s)
{
    SSL_free(s->ssl); /* and its BIO */
    free(s);
}

static TlsSession *session_new(TlsContext *context, int fd, bool server,
                               const char *servername)
{
    SSL_CTX *ctx = ((TlsLuaContext *)context)->ctx;
    TlsSession *s = calloc(1, sizeof(*s));
    SSL *ssl = s && ctx ? SSL_new(ctx) : NULL;
    BIO *bio = ssl ? BIO_new(bio_method()) : NULL;

    if (!bio || (!server && servername && !set_name(ssl, servername))) {
        BIO_free(bio);
        SSL_free(ssl);
        free(s);
        return NULL;
    }
    *s =
        (TlsSession){.ssl = ssl, .fd = fd, .verify = tls_settings(ctx)->verify};
    BIO_set_data(bio, s);
    SSL_set_bio(ssl, bio, bio);
    if (server) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
    }
    return s;
}

/* ---- facts -------------------------------------------------------------- */

static const char *fact_alpn(TlsSession *s)
{
    const unsigned char *name;
    unsigned len;

    SSL_get0_alpn_selected(s->ssl, &name, &len);
    if (!name) {
        return NULL;
    }
    snprintf(s->fact, sizeof(s->fact), "%.*s", (int)len, (const char *)name);
    return s->fact;
}

static const char *fact_name(TlsSession *s, bool subject)
{
    X509 *cert = SSL_get0_peer_certificate(s->ssl);

    if (!cert) {
        return NULL;
    }
    X509_NAME_oneline(subject ? X509_get_subject_name(cert)
                              : X509_get_issuer_name(cert),
                      s->fact, sizeof(s->fact));
    return s->fact;
}

static const char *session_fact(TlsSession *s, const char *name)
{
    if (strcmp(name, "protocol") == 0) {
        return SSL_get_version(s->ssl);
    }
    if (strcmp(name, "cipher") == 0) {
        return SSL_get_cipher(s->ssl);
    }
    if (strcmp(name, "alpn") == 0) {
        return fact_alpn(s);
    }
    return fact_name(s, strcmp(name, "subject") == 0);
}

static const char *session_reason(const TlsSession *s)
{
    return s->reason[0] ? s->reason : NULL;
}

const TlsOps tls_ops = {
    .version = TLS_OPS_VERSION,
    .session_new = session_new,
    .session_free = session_free,
    .handshake = session_handshake,
    .read = session_read,
    .write = session_write,
    .pending = session_pending,
    .goodbye = session_goodbye,
    .reason = session_reason,
    .fact = session_fact,
};
