#include "api/tls.h"

#include "base/fsio.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/socket.h>

#define FILE_MAX (256 * 1024)
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

enum { CERTIFICATE, KEY, CLIENT_CA, FILES };

struct TlsCredentials {
        unsigned references;
        gnutls_certificate_credentials_t value;
        bool asks_clients;
        struct stat files[FILES];
};

static const char *path_of(const ApiSettings *settings, int file) {
        const char *path = file == CERTIFICATE ? settings->tls_certificate
                           : file == KEY       ? settings->tls_key
                                               : settings->tls_client_ca;
        return path && path[0] != '\0' ? path : NULL;
}

static const char *const setting_of[FILES] = {"api.tls_certificate", "api.tls_key", "api.tls_client_ca"};

/* ---- loading ---- */

static int read_pem(const ApiSettings *settings, int file, TlsCredentials *credentials, gnutls_datum_t *ret_pem,
                    Error *error) {
        const char *path = path_of(settings, file);
        char *data;
        size_t size;
        if (!path)
                return error_set(error, -EINVAL, "api.tls_listen needs %s: set it", setting_of[file]);
        if (stat(path, &credentials->files[file]) < 0)
                return error_set(error, -errno, "cannot read %s (%s): %s", path, setting_of[file], strerror(errno));
        int r = fs_read_file(path, FILE_MAX, &data, &size, error);
        if (r < 0)
                return error_prefix(error, "%s", setting_of[file]);
        *ret_pem = (gnutls_datum_t){.data = (unsigned char *)data, .size = (unsigned)size};
        return 0;
}

static void drop_pem(gnutls_datum_t *pem) {
        if (pem->data)
                explicit_bzero(pem->data, pem->size);
        free(pem->data);
}

static int set_pair(const ApiSettings *settings, TlsCredentials *credentials, const gnutls_datum_t *certificate,
                    const gnutls_datum_t *key, Error *error) {
        int code = gnutls_certificate_set_x509_key_mem(credentials->value, certificate, key, GNUTLS_X509_FMT_PEM);
        if (code == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
                return error_set(error, -EINVAL, "the certificate %s doesn't belong to the key %s: replace both",
                                 settings->tls_certificate, settings->tls_key);
        if (code < 0)
                return error_set(error, -EINVAL, "cannot use the certificate %s with the key %s: %s",
                                 settings->tls_certificate, settings->tls_key, gnutls_strerror(code));
        return 0;
}

static int load_pair(const ApiSettings *settings, TlsCredentials *credentials, Error *error) {
        gnutls_datum_t certificate = {0}, key = {0};
        int r = read_pem(settings, CERTIFICATE, credentials, &certificate, error);
        if (r >= 0)
                r = read_pem(settings, KEY, credentials, &key, error);
        if (r >= 0)
                r = set_pair(settings, credentials, &certificate, &key, error);
        drop_pem(&certificate);
        drop_pem(&key);
        return r;
}

static int load_client_ca(const ApiSettings *settings, TlsCredentials *credentials, Error *error) {
        gnutls_datum_t pem = {0};
        if (!path_of(settings, CLIENT_CA))
                return 0;
        int r = read_pem(settings, CLIENT_CA, credentials, &pem, error);
        if (r < 0)
                return r;
        int count = gnutls_certificate_set_x509_trust_mem(credentials->value, &pem, GNUTLS_X509_FMT_PEM);
        drop_pem(&pem);
        if (count <= 0)
                return error_set(error, -EINVAL, "%s (api.tls_client_ca) holds no certificate: %s",
                                 settings->tls_client_ca, count < 0 ? gnutls_strerror(count) : "it is empty");
        credentials->asks_clients = true;
        return 0;
}

int tls_load(const ApiSettings *settings, TlsCredentials **ret_credentials, Error *error) {
        TlsCredentials *credentials = calloc(1, sizeof *credentials);
        if (!credentials || gnutls_certificate_allocate_credentials(&credentials->value) < 0) {
                free(credentials);
                return error_set(error, -ENOMEM, "no memory left for the TLS certificate");
        }
        credentials->references = 1;
        int r = load_pair(settings, credentials, error);
        if (r >= 0)
                r = load_client_ca(settings, credentials, error);
        if (r < 0) {
                tls_unref(credentials);
                return r;
        }
        *ret_credentials = credentials;
        return 0;
}

TlsCredentials *tls_ref(TlsCredentials *credentials) {
        credentials->references++;
        return credentials;
}

TlsCredentials *tls_unref(TlsCredentials *credentials) {
        if (!credentials || --credentials->references > 0)
                return NULL;
        gnutls_certificate_free_credentials(credentials->value);
        free(credentials);
        return NULL;
}

bool tls_changed(const TlsCredentials *credentials, const ApiSettings *settings) {
        for (int file = 0; file < FILES; file++) {
                struct stat found, loaded = credentials->files[file];
                const char *path = path_of(settings, file);
                if (path && (stat(path, &found) < 0 || found.st_dev != loaded.st_dev || found.st_ino != loaded.st_ino ||
                             found.st_size != loaded.st_size || found.st_mtim.tv_sec != loaded.st_mtim.tv_sec ||
                             found.st_mtim.tv_nsec != loaded.st_mtim.tv_nsec))
                        return true;
        }
        return false;
}

/* ---- serving ---- */

/* What the peer has sent. MHD takes a handshake that waits for more for one that can go on, and would try it again and again without a
 * pause; here it is seen to wait. */
static ssize_t on_pull(gnutls_transport_ptr_t userdata, void *data, size_t size) {
        Peer *peer = userdata;
        ssize_t got = recv(peer->fd, data, size, 0);
        if (got < 0 && errno == EAGAIN && peer->shaking_hands)
                peer->server->handshakes_waiting++;
        return got;
}

static int on_finished(gnutls_session_t session, UNUSED unsigned type, UNUSED unsigned when, unsigned incoming,
                       UNUSED const gnutls_datum_t *message) {
        gnutls_transport_ptr_t peer, fd;
        gnutls_transport_get_ptr2(session, &peer, &fd);
        if (incoming)
                ((Peer *)peer)->shaking_hands = false;
        return 0;
}

void tls_begin(Peer *peer, struct MHD_Connection *connection) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        gnutls_session_t session = info->tls_session;
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, peer->credentials->value);
        if (peer->credentials->asks_clients)
                gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
        peer->shaking_hands = true;
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): what sends takes the descriptor for a pointer */
        gnutls_transport_set_ptr2(session, peer, (gnutls_transport_ptr_t)(intptr_t)peer->fd);
        gnutls_transport_set_pull_function(session, on_pull);
        gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST, on_finished);
}

/* MHD wants to know where certificates come from before there is a session. */
static int no_certificate(UNUSED gnutls_session_t session, UNUSED const gnutls_datum_t *authorities,
                          UNUSED int authority_count, UNUSED const gnutls_pk_algorithm_t *algorithms,
                          UNUSED int algorithm_count, UNUSED gnutls_pcert_st **certificates,
                          UNUSED unsigned *certificate_count, UNUSED gnutls_privkey_t *key) {
        return -1;
}

struct MHD_Daemon *tls_daemon(ApiServer *server, unsigned connections, MHD_NotifyConnectionCallback on_connection) {
        return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_TLS, 0,
                                NULL, NULL, request_handle, server, MHD_OPTION_CONNECTION_LIMIT, connections,
                                MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
                                MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
                                MHD_OPTION_NOTIFY_COMPLETED, request_done, server, MHD_OPTION_NOTIFY_CONNECTION,
                                on_connection, server, MHD_OPTION_HTTPS_PRIORITIES, PRIORITIES,
                                MHD_OPTION_HTTPS_CERT_CALLBACK, no_certificate, MHD_OPTION_END);
}
