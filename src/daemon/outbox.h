/* The outbox: who is to be told, what waits for them in the journal, and its delivery. For each receiver in order, one message at a time;
 * what isn't taken is tried again with a growing pause, until it is or is too old. A message is noted as delivered after its receiver
 * said so, so it may come twice (with the same id), but is never lost. What can't be kept is sent all the same, once. */
#pragma once

#include "adapters/adapter.h"
#include "daemon/config.h"
#include "store/journal.h"

#define OUTBOX_ALERT "telling" /* source of the alert that a receiver takes nothing */

typedef struct Outbox Outbox;

typedef struct OutboxHooks {
        bool (*hurry)(void *userdata);                        /* a run is under way: nobody gets long */
        void (*idle)(void *userdata);                         /* nothing is on its way any more; may be NULL */
        void (*failing)(void *userdata, const char *message); /* who hasn't taken anything for long; NULL: nobody */
} OutboxHooks;

typedef struct OutboxSettings {
        sd_event *event;
        HttpClient *http;
        const Config *config;
        Journal *journal; /* NULL: nothing can be kept */
        NewsSender sender;
        /* No life of its own: only what pages and was made since then (wall) is sent, once; the rest is for the next controller.
         * 0: a daemon. */
        int64_t pages_since_wall;
} OutboxSettings;

int outbox_new(const OutboxSettings *settings, const OutboxHooks *hooks, void *userdata, Outbox **ret_outbox,
               Error *error);
Outbox *outbox_free(Outbox *outbox); /* what isn't delivered stays in the journal; NULL allowed; returns NULL */

/* Kept for each receiver that hears of such news, then sent. */
void outbox_put(Outbox *outbox, const News *news);
/* Alerts as they stand and those that are over, said again to who needs that; not kept. */
void outbox_repeat(Outbox *outbox, const News *news, unsigned count);

bool outbox_busy(const Outbox *outbox); /* something is on its way at this moment; NULL allowed */

/* How a receiver does. */
typedef struct ReceiverView {
        const struct ConfigReceiver *config;
        int64_t waiting, oldest_wall;       /* -1: the journal can't tell; 0: none */
        int64_t delivered_wall;             /* when it last took something; 0: not since we began */
        int64_t failing_wall;               /* since when it takes nothing; 0: it does, as far as is known */
        char error[DETAIL_MAX];             /* what it last said, or why it could not be asked */
        bool gone;                          /* it wants nothing any more */
        int64_t delivered, failed, dropped; /* messages, tries, messages; since we began */
} ReceiverView;

unsigned outbox_count(const Outbox *outbox); /* NULL allowed */
const NewsSender *outbox_sender(const Outbox *outbox);
void outbox_view(Outbox *outbox, unsigned index, ReceiverView *ret_view);
