/* One message on its way to one receiver, once: its address, what signs it, whom to trust, and what became of it. */
#pragma once

#include "adapters/adapter.h"
#include "daemon/config.h"

/* `retry_after_us` -1: not said. `detail` in words, for people; never has a secret in it. */
typedef void (*SentCallback)(void *userdata, TellVerdict verdict, int64_t retry_after_us, const char *detail);
typedef struct Sending Sending;

/* The callback comes once, from the loop. Everything is copied. Negative: it can't be sent now (a secret that can't be read); `error`
 * says why. */
int sending_begin(HttpClient *http, const struct ConfigReceiver *receiver, const char *path, const char *headers,
                  const char *body, int64_t budget_us, SentCallback callback, void *userdata, Sending **ret_sending,
                  Error *error);
Sending *sending_cancel(Sending *sending); /* no callback any more; NULL allowed; returns NULL */

/* A file's one line, which nobody else may read. `ret_secret` "" when `path` is "". */
int secret_read(const char *path, char *ret_secret, size_t size, Error *error);
