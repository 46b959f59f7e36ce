/* Telling: what happened becomes messages for whoever is configured to hear of it (alerts: receivers), kept in the journal's outbox
 * before anything is sent, and delivered from there until the receiver has them: outbox.c. Nothing here waits, so no step is
 * ever delayed by it. What can't be kept (full disk, no journal) is sent all the same, once, and said. */
#pragma once

#include "daemon/controller.h"
#include "daemon/outbox.h"

typedef enum IncidentChange {
        INCIDENT_OPENED,
        INCIDENT_CHANGED,
        INCIDENT_WAS_ACKNOWLEDGED,
        INCIDENT_WAS_RESOLVED
} IncidentChange;

void telling_alert(Controller *controller, const Alert *alert, bool over);
void telling_run_begun(Controller *controller, const Run *run);
void telling_run_ended(Controller *controller, const Run *run); /* also its trace */
/* A release became current: by a run that isn't a rollback, or by somebody else. */
void telling_deployed(Controller *controller, const Deployment *deployment);
/* INCIDENT_CHANGED sends nothing: what makes an incident more urgent is an alert or a run, and those page. */
void telling_incident(Controller *controller, const Incident *incident, IncidentChange change);

void telling_begin(Controller *controller);  /* the daemon's: what an earlier life left is sent */
void telling_cancel(Controller *controller); /* what isn't delivered stays in the outbox */

/* Break glass alone: a page is on its way, and whoever wants to end waits for Controller.on_alerts_told first. */
bool telling_under_way(const Controller *controller);

Outbox *telling_outbox(Controller *controller); /* NULL: there are no receivers */
/* A message that says it is a test, as the receiver would get it. -EOPNOTSUPP: its form has none. */
int telling_test(Controller *controller, const struct ConfigReceiver *receiver, const char *by,
                 NewsMessage *ret_message);
