/* Incidents: the record that an automatic or emergency rollback, a hold or a manual review opens. Opened and added to by what happens;
 * acknowledged and resolved by people. One incident for a case: what else happens to the same deployment until it is resolved
 * belongs to it. Its parts:
 *   incidents.c          opening, escalating, what happens     incident-capture.c   what is gathered at the time, in the background
 *   incident-people.c    acknowledged, resolved                incident-json.c      all of one incident, from the journal
 *   incident-timeline.c  what happened when                    incident-report.c    the same as Markdown, with pictures (plot.c)
 * All of it is in the journal; `<state>/incidents/<id>/` holds the report made of it, for people. */
#pragma once

#include "daemon/controller.h"

void incidents_run_begun(Controller *controller, const Run *run); /* a rollback that opens one */
void incidents_run_ended(Controller *controller, const Run *run); /* its outcome; a hold opens one */
/* A guard forbade the rollback. How urgent the case is now. */
Severity incidents_review(Controller *controller, const Decision *decision);
void incidents_condition(Controller *controller, const char *source,
                         const char *message); /* CPU, memory, disk; NULL: over */
void incidents_validated(Controller *controller, const Run *run, const Validation *validation);
void incidents_sampled(Controller *controller, const Sample *sample);

void incidents_catch_up(Controller *controller); /* what a life before us has opened and not told, or not gathered */
bool incidents_under_way(
        const Controller *controller); /* something is being gathered or written; on_alerts_told follows */
void incidents_free(Controller *controller);

/* Incidents that nobody has resolved and that are about the release which is live, but for that of the run. -1: not known. */
int incidents_of_live(Controller *controller, int64_t run_id);

/* Changed by a person: 0 with it as it stands now (also when somebody had done so before), or -1 with `problem`. */
int incident_acknowledge(Controller *controller, int64_t id, const Caller *caller, Incident *ret_incident,
                         Problem *problem);
int incident_resolve(Controller *controller, int64_t id, const char *note, const Caller *caller, Incident *ret_incident,
                     Problem *problem);
/* 404 when there is none. */
int incident_find(Controller *controller, int64_t id, Incident *ret_incident, Problem *problem);

/* The shapes `incident` and `incident_details` of api/shapes.h; NULL: out of memory. */
json_t *incident_json(Controller *controller, const Incident *incident);
json_t *incident_details(Controller *controller, const Incident *incident);
json_t *incident_timeline(Controller *controller, const Incident *incident);
