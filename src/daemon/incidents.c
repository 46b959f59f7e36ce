#include "daemon/incidents.h"

void incidents_run_begun(UNUSED Controller *controller, UNUSED const Run *run) {
}
void incidents_run_ended(UNUSED Controller *controller, UNUSED const Run *run) {
}
void incidents_review(UNUSED Controller *controller, UNUSED const Decision *decision) {
}
void incidents_condition(UNUSED Controller *controller, UNUSED const char *source, UNUSED const char *message) {
}
void incidents_validated(UNUSED Controller *controller, UNUSED const Run *run, UNUSED const Validation *validation) {
}
