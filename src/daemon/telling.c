#include "daemon/telling.h"

void telling_alert(UNUSED Controller *controller, UNUSED const Alert *alert, UNUSED bool over) {
}
void telling_run_begun(UNUSED Controller *controller, UNUSED const Run *run) {
}
void telling_run_ended(UNUSED Controller *controller, UNUSED const Run *run) {
}
void telling_incident(UNUSED Controller *controller, UNUSED const Incident *incident, UNUSED IncidentChange change) {
}
void telling_begin(UNUSED Controller *controller) {
}
void telling_cancel(UNUSED Controller *controller) {
}
