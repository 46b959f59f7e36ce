/* The certificate that the TLS listener shows, and the authority that it believes. Replaced files are picked up: each session
 * keeps what it was begun with. */
#pragma once

#include "api/server.h"

/* Loads what the settings name. -errno: `error` names the file and what is wrong with it. */
int tls_load(const ApiSettings *settings, TlsCredentials **ret_credentials, Error *error);
TlsCredentials *tls_ref(TlsCredentials *credentials);
TlsCredentials *tls_unref(TlsCredentials *credentials); /* NULL allowed; returns NULL */

/* Whether the files are other ones than those that were loaded. */
bool tls_changed(const TlsCredentials *credentials, const ApiSettings *settings);

/* Gives the session of a new peer its credentials, before its handshake. */
void tls_begin(Peer *peer, struct MHD_Connection *connection);

/* An MHD daemon for TLS; sessions get their certificate from tls_begin(). NULL: no memory or no descriptors left. */
struct MHD_Daemon *tls_daemon(ApiServer *server, unsigned connections, MHD_NotifyConnectionCallback on_connection);
