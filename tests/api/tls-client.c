#include "tls-client.h"

#include "base/macros.h"
#include "http.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cmocka.h>

struct TlsClient {
        int fd;
        gnutls_session_t session;
        gnutls_certificate_credentials_t credentials;
};

TlsClient *tls_client_open(const char *where, const char *priorities, const char *certificate, const char *key) {
        const struct timeval wait = {.tv_sec = HTTP_WAIT_MS / 1000};
        TlsClient *client = calloc(1, sizeof *client);
        client->fd = http_connect(where);
        if (client->fd < 0) {
                free(client);
                return NULL;
        }
        setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        gnutls_certificate_allocate_credentials(&client->credentials);
        if (certificate)
                assert_true(gnutls_certificate_set_x509_key_file(client->credentials, certificate, key,
                                                                 GNUTLS_X509_FMT_PEM) >= 0);
        gnutls_init(&client->session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
        gnutls_priority_set_direct(client->session, priorities ? priorities : "NORMAL", NULL);
        gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, client->credentials);
        gnutls_transport_set_int(client->session, client->fd);
        int r;
        do
                r = gnutls_handshake(client->session);
        while (r < 0 && !gnutls_error_is_fatal(r));
        if (r >= 0)
                return client;
        tls_client_close(client);
        return NULL;
}

void tls_client_close(TlsClient *client) {
        if (!client)
                return;
        gnutls_deinit(client->session);
        gnutls_certificate_free_credentials(client->credentials);
        close(client->fd);
        free(client);
}

bool tls_client_send(TlsClient *client, const char *text) {
        size_t left = strlen(text);
        while (left > 0) {
                ssize_t sent = gnutls_record_send(client->session, text, left);
                if (sent < 0 && gnutls_error_is_fatal((int)sent))
                        return false;
                if (sent > 0) {
                        text += sent;
                        left -= (size_t)sent;
                }
        }
        return true;
}

void tls_client_end(TlsClient *client) {
        (void)gnutls_bye(client->session, GNUTLS_SHUT_WR);
        (void)shutdown(client->fd, SHUT_WR);
}

char *tls_client_read(TlsClient *client, const char *until) {
        char *text = calloc(1, 1);
        size_t used = 0;
        while (!(until && strstr(text, until))) {
                text = realloc(text, used + 16384 + 1);
                ssize_t got = gnutls_record_recv(client->session, text + used, 16384);
                if (got == GNUTLS_E_INTERRUPTED || got == GNUTLS_E_REHANDSHAKE)
                        continue;
                if (got <= 0)
                        break;
                used += (size_t)got;
                text[used] = '\0';
        }
        text[used] = '\0';
        return text;
}

void tls_client_peer(TlsClient *client, char *ret_name, unsigned long size) {
        unsigned count = 0;
        const gnutls_datum_t *chain = gnutls_certificate_get_peers(client->session, &count);
        gnutls_x509_crt_t certificate;
        ret_name[0] = '\0';
        if (count == 0 || gnutls_x509_crt_init(&certificate) < 0)
                return;
        if (gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER) >= 0)
                gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, ret_name, &size);
        gnutls_x509_crt_deinit(certificate);
}

char *tls_client_ask(const char *where, const char *certificate, const char *key, const char *text) {
        TlsClient *client = tls_client_open(where, NULL, certificate, key);
        if (!client)
                return strdup("");
        (void)tls_client_send(client, text);
        char *answer = tls_client_read(client, NULL);
        tls_client_close(client);
        return answer;
}

void tls_make_certificate(const char *directory, const char *name, const char *authority) {
        AUTO_FREE char *command = NULL;
        char signer[256] = "";
        if (authority)
                snprintf(signer, sizeof signer, "-CA %s/%s.pem -CAkey %s/%s.key", directory, authority, directory,
                         authority);
        assert_true(asprintf(&command,
                             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
                             "-subj /CN=%s -keyout %s/%s.key -out %s/%s.pem %s 2>/dev/null",
                             name, directory, name, directory, name, signer) > 0);
        assert_int_equal(system(command), 0);
}
