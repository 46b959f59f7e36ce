/* SystemdRequest: an Op that talks to systemd in attempts. An attempt whose connection is lost is forgotten as a whole and made
 * again on the next connection (all acts are idempotent), until the budget ends. When nobody listens at all, as on a machine
 * without systemd, it gives up after about 3 s instead. */
#pragma once

#include "adapters/systemd-bus.h"
#include "io/op.h"

typedef struct SystemdRequest SystemdRequest;

typedef struct SystemdRequestType {
        int (*attempt)(SystemdRequest *request, sd_bus *bus, Error *error); /* queues the calls; < 0 ends the request */
        void (*forget)(SystemdRequest *request); /* drops what the attempt has under way; may be called at any time */
} SystemdRequestType;

struct SystemdRequest {
        Op op;
        SystemdBus *bus;
        const SystemdRequestType *type;
        sd_event_source *again;
        unsigned refused;          /* attempts in a row that found nobody */
        char subject[DETAIL_MAX];  /* "stop of novacron-dwcp-v3.service" */
        char what[2 * DETAIL_MAX]; /* the subject, and what is known: said by the time-out */
};

/* `request`: zeroed by calloc, the first member of its own struct; freed here when this fails. */
int systemd_request_begin(SystemdRequest *request, SystemdBus *bus, const SystemdRequestType *type, int64_t budget_us,
                          OpCallback callback, void *userdata, Op **ret_op, Error *error);

void systemd_request_retry(SystemdRequest *request, const char *why);
void systemd_request_fail(SystemdRequest *request, const Error *error);
/* A call was answered with an error: retries if the connection is to blame, else fails with "cannot VERB UNIT: ..." and, when systemd
 * denied it, with what to do. `verb` is systemctl's: "stop". */
void systemd_request_refused(SystemdRequest *request, const char *verb, const char *unit,
                             const sd_bus_error *bus_error);
/* "systemd does not let novacron (uid 998) stop a.service; as root, for now: systemctl stop a.service; for good: ..." */
void systemd_explain_denial(const char *verb, const char *unit, Error *error);
/* For the time-out's message. */
void systemd_request_note(SystemdRequest *request, const char *state);
/* "stop of a.service, b.service" */
void systemd_request_name(SystemdRequest *request, const char *verb, const UnitSet *units);
