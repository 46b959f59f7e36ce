/* Telling: what happened becomes messages for whoever is configured to hear of it (alerts: receivers), kept in the journal's outbox
 * before anything is sent, and delivered from there until the receiver has them: outbox.c. Nothing here waits, so no step is
 * ever delayed by it. What can't be kept (full disk, no journal) is sent all the same, once, and said. */
#pragma once

#include "daemon/controller.h"

typedef enum IncidentChange {
        INCIDENT_OPENED,
        INCIDENT_CHANGED,
        INCIDENT_WAS_ACKNOWLEDGED,
        INCIDENT_WAS_RESOLVED
} IncidentChange;

void telling_alert(Controller *controller, const Alert *alert, bool over);
void telling_run_begun(Controller *controller, const Run *run);
void telling_run_ended(Controller *controller, const Run *run); /* also its trace */
void telling_incident(Controller *controller, const Incident *incident, IncidentChange change);

void telling_begin(Controller *controller);  /* the daemon's: what an earlier life left is sent */
void telling_cancel(Controller *controller); /* what isn't delivered stays in the outbox */
