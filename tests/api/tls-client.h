/* A TLS client for tests, which believes any certificate; and certificates, made by openssl. */
#pragma once

#include <stdbool.h>

typedef struct TlsClient TlsClient;

/* `priorities`: GnuTLS's, NULL for its defaults. `certificate` and `key`: files, NULL for none. NULL: no handshake. */
TlsClient *tls_client_open(const char *where, const char *priorities, const char *certificate, const char *key);
void tls_client_close(TlsClient *client); /* NULL allowed */
bool tls_client_send(TlsClient *client, const char *text);
/* Says that nothing more is sent. */
void tls_client_end(TlsClient *client);
/* As http_read(). */
char *tls_client_read(TlsClient *client, const char *until);
/* The common name of the server's certificate; "" when there is none. */
void tls_client_peer(TlsClient *client, char *ret_name, unsigned long size);
/* One request on a connection of its own; "" when there was no handshake. */
char *tls_client_ask(const char *where, const char *certificate, const char *key, const char *text);

/* Makes DIRECTORY/NAME.pem and DIRECTORY/NAME.key, signed by itself, or by `authority` of the same directory. */
void tls_make_certificate(const char *directory, const char *name, const char *authority);
