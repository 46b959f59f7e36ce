/* An incident in the hands of people. */
#include "api/problem.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "daemon/incidents-internal.h"

#include <inttypes.h>
#include <string.h>

int incident_find(Controller *controller, int64_t id, Incident *ret_incident, Problem *problem) {
        Error error = {0};
        if (controller_unusable(controller, problem) < 0)
                return -1;
        int r = journal_incident(controller->journal, id, ret_incident, &error);
        if (r < 0)
                return problem_set(problem, 503, EXIT_IO, "Journal unreadable", "%s", error_text(&error));
        if (r == 0)
                return problem_set(problem, 404, EXIT_NO_INPUT, "No such incident",
                                   "there is no incident %" PRId64 "; auto-rollback incidents lists them", id);
        return 0;
}

static int keep(Controller *controller, Incident *incident, const JournalNote *note, IncidentChange change,
                Problem *problem) {
        Error error = {0};
        if (incident_keep(controller, incident, note, &error) < 0)
                return problem_set(problem, 503, EXIT_IO, "It could not be kept", "%s; nothing has changed: try again",
                                   error_text(&error));
        incident_tell(controller, incident, change);
        incident_queue(controller, incident->id, TASK_REPORT);
        return 0;
}

int incident_acknowledge(Controller *controller, int64_t id, const Caller *caller, Incident *ret_incident,
                         Problem *problem) {
        if (incident_find(controller, id, ret_incident, problem) < 0)
                return -1;
        if (ret_incident->state != INCIDENT_OPEN)
                return 0; /* somebody was first: the answer says who */
        ret_incident->state = INCIDENT_ACKNOWLEDGED;
        ret_incident->acknowledged_wall = clock_wall_us();
        snprintf(ret_incident->acknowledged_by, sizeof ret_incident->acknowledged_by, "%s", caller->name);
        const JournalNote note = incident_note("acknowledged", 0, "acknowledged by %s", caller->name);
        return keep(controller, ret_incident, &note, INCIDENT_WAS_ACKNOWLEDGED, problem);
}

int incident_resolve(Controller *controller, int64_t id, const char *text, const Caller *caller, Incident *ret_incident,
                     Problem *problem) {
        const Run *run = runner_run(controller->runner);
        if (incident_find(controller, id, ret_incident, problem) < 0)
                return -1;
        if (ret_incident->state == INCIDENT_RESOLVED)
                return 0;
        if (run && run->id == ret_incident->run_id)
                return problem_set(problem, 409, EXIT_TRY_LATER, "Its run is under way",
                                   "run %" PRId64 " belongs to incident %" PRId64 " and hasn't ended", run->id, id);
        ret_incident->state = INCIDENT_RESOLVED;
        ret_incident->resolved_wall = clock_wall_us();
        snprintf(ret_incident->resolved_by, sizeof ret_incident->resolved_by, "%s", caller->name);
        const JournalNote note =
                incident_note("resolved", 0, "resolved by %s%s%s", caller->name, text[0] ? ": " : "", text);
        return keep(controller, ret_incident, &note, INCIDENT_WAS_RESOLVED, problem);
}
