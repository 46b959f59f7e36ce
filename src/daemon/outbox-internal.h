/* Between outbox-intake.c, which takes in what is to be told, and outbox.c, which delivers it. */
#pragma once

#include "daemon/outbox-send.h"
#include "daemon/outbox.h"

/* A message that is nowhere but here. */
typedef struct Unkept {
        struct Unkept *next;
        char event[96];
        NewsMessage message;
} Unkept;

typedef struct Receiver {
        Outbox *outbox;
        const struct ConfigReceiver *config;
        const AlertDriver *driver;
        Sending *sending;
        OutboxEntry entry;      /* that is on its way; id 0: one that isn't kept */
        sd_event_source *pause; /* until the next try */
        bool paused;
        unsigned failures; /* in a row */
        int64_t failing_mono;
        ReceiverView view;
        Unkept *unkept;
        unsigned unkept_count;
} Receiver;

struct Outbox {
        OutboxSettings settings;
        OutboxHooks hooks;
        void *userdata;
        sd_event_source *soon, *sweep;
        bool journal_silent; /* it can't be read; said once */
        unsigned count;
        Receiver receivers[RECEIVERS_MAX];
};

/* Sends what there is to send, from the loop's next turn: what has something to tell is never held up by telling it. */
void outbox_look(Outbox *outbox);
