/* sd_notify(3)'s protocol in a few lines, so that the service needs no library: a datagram to the socket in $NOTIFY_SOCKET.
 * Nothing happens where there is no such variable. */
#pragma once

void notify(const char *state); /* "READY=1" */
