/* Incidents: the record that an automatic or emergency rollback, a hold or a manual review opens. Opened and added to by what happens;
 * acknowledged and resolved by people. */
#pragma once

#include "daemon/controller.h"

void incidents_run_begun(Controller *controller, const Run *run);        /* a rollback that opens one */
void incidents_run_ended(Controller *controller, const Run *run);        /* its outcome; a hold opens one */
void incidents_review(Controller *controller, const Decision *decision); /* a guard forbade the rollback */
void incidents_condition(Controller *controller, const char *source,
                         const char *message); /* CPU, memory, disk; NULL: over */
void incidents_validated(Controller *controller, const Run *run, const Validation *validation);
