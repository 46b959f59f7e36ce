/* Incidents: listed, shown, reported, acknowledged and resolved. */
#include "base/exit-codes.h"
#include "daemon/incident-report.h"
#include "daemon/incidents.h"
#include "daemon/operations.h"

#include <string.h>

#define LIMIT_DEFAULT 20
#define LIMIT_MAX 1000

typedef struct Collect {
        Controller *controller;
        json_t *list;
        int64_t unresolved;
} Collect;

static int collect(void *userdata, const Incident *incident) {
        const Collect *collecting = userdata;
        return json_array_append_new(collecting->list, incident_json(collecting->controller, incident)) < 0 ? 1 : 0;
}

static int count(void *userdata, const Incident *incident) {
        Collect *collecting = userdata;
        (void)incident;
        collecting->unresolved++;
        return 0;
}

int op_incidents(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        Controller *controller = self;
        Collect collecting = {.controller = controller};
        int64_t limit = number_of(arguments, "limit", LIMIT_DEFAULT);
        Error error = {0};
        (void)caller;
        if (controller_unusable(controller, problem) < 0)
                return -1;
        limit = limit < 1 ? 1 : limit > LIMIT_MAX ? LIMIT_MAX : limit;
        collecting.list = json_array();
        int r = journal_incidents(controller->journal, (unsigned)limit, false, collect, &collecting, &error);
        if (r == 0)
                r = journal_incidents(controller->journal, JOURNAL_INCIDENTS_KEPT, true, count, &collecting, &error);
        json_t *value = r == 0 ? json_pack("{s:O, s:I}", "incidents", collecting.list, "unresolved",
                                           (json_int_t)collecting.unresolved)
                               : NULL;
        json_decref(collecting.list);
        return r < 0 ? journal_failed(problem, &error) : answer(value, ret_answer, problem);
}

static int details_of(Controller *controller, const json_t *arguments, json_t **ret_details, Problem *problem) {
        Incident incident;
        if (incident_find(controller, number_of(arguments, "id", 0), &incident, problem) < 0)
                return -1;
        return answer(incident_details(controller, &incident), ret_details, problem);
}

int op_incident(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        (void)caller;
        return details_of(self, arguments, ret_answer, problem);
}

int op_incident_report(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                       Problem *problem) {
        json_t *details = NULL;
        (void)caller;
        if (details_of(self, arguments, &details, problem) < 0)
                return -1;
        AUTO_FREE char *text = incident_report(details, PICTURES_OF_API);
        json_decref(details);
        return answer(text ? json_string(text) : NULL, ret_answer, problem);
}

static bool is_plot(const char *name) {
        for (const char *const *known = incident_plots; *known; known++)
                if (strcmp(*known, name) == 0)
                        return true;
        return false;
}

int op_incident_plot(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        const char *name = text_of(arguments, "name");
        json_t *details = NULL;
        (void)caller;
        if (!is_plot(name))
                return problem_set(problem, 404, EXIT_NO_INPUT, "No such plot",
                                   "there is no plot '%.40s'; there are error-rate, latency-p99 and success-rate",
                                   name);
        if (details_of(self, arguments, &details, problem) < 0)
                return -1;
        AUTO_FREE char *text = incident_plot(details, name);
        json_decref(details);
        return answer(text ? json_string(text) : NULL, ret_answer, problem);
}

int op_incident_acknowledge(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                            Problem *problem) {
        Incident incident;
        if (incident_acknowledge(self, number_of(arguments, "id", 0), caller, &incident, problem) < 0)
                return -1;
        return answer(incident_json(self, &incident), ret_answer, problem);
}

int op_incident_resolve(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                        Problem *problem) {
        Incident incident;
        if (incident_resolve(self, number_of(arguments, "id", 0), text_of(arguments, "note"), caller, &incident,
                             problem) < 0)
                return -1;
        return answer(incident_json(self, &incident), ret_answer, problem);
}
