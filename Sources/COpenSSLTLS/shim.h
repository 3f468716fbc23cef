// Daypass. SPDX-License-Identifier: Apache-2.0
//
// libssl as Swift sees it, and functions for what libssl offers only as macros.
#ifndef DAYPASS_COPENSSLTLS_H
#define DAYPASS_COPENSSLTLS_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

/// TLS 1.2 at least, no renegotiation, nothing kept for another connection, buffers given back while they are empty.
static inline int daypass_tls_configure(SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(context,
        SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

/// Names the host that is meant (RFC 6066, section 3).
static inline int daypass_tls_set_name(SSL *connection, const char *host)
{
    return (int)SSL_set_tlsext_host_name(connection, host);
}

/// The number of certificates in a list, and one of them.
static inline int daypass_tls_count(STACK_OF(X509) *list) { return list ? sk_X509_num(list) : 0; }
static inline X509 *daypass_tls_certificate(STACK_OF(X509) *list, int index) { return sk_X509_value(list, index); }

#endif
