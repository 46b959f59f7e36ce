#include "base/clock.h"
#include "base/log.h"
#include "base/mask.h"
#include "core/names.h"
#include "core/words.h"
#include "daemon/incidents-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define OPEN_LOOKED_AT 100

struct Incidents *incidents_of(Controller *controller) {
        if (!controller->incidents)
                controller->incidents = calloc(1, sizeof *controller->incidents);
        return controller->incidents;
}

/* What is typed or said by others may hold a secret, and a report is passed around. */
JournalNote incident_note(const char *kind, int64_t run_id, const char *format, ...) {
        JournalNote note = {.at_wall = clock_wall_us(), .ref = run_id};
        char text[2 * REASON_MAX];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        snprintf(note.kind, sizeof note.kind, "%s", kind);
        (void)mask_text(text, note.text, sizeof note.text);
        return note;
}

/* ---- keeping and telling ---- */

static void journal_worked(Controller *controller, int r, const Error *error) {
        struct Incidents *incidents = incidents_of(controller);
        if (r < 0 && incidents && !incidents->failing)
                log_warn("the incident is only in the log for now: %s", error_text(error));
        if (incidents)
                incidents->failing = r < 0;
}

int incident_keep(Controller *controller, Incident *incident, const JournalNote *note, Error *error) {
        int r = journal_change_incident(controller->journal, incident, note, error);
        journal_worked(controller, r, error);
        return r;
}

/* What was told is noted after it: a controller that dies in between tells it again, and the receivers know it by its id. */
void incident_tell(Controller *controller, Incident *incident, IncidentChange change) {
        Error error = {0};
        telling_incident(controller, incident, change);
        controller_tell(controller, "incident", incident_json(controller, incident));
        const char *severity = severity_name(incident->severity);
        if (strcmp(incident->told, severity) == 0)
                return;
        snprintf(incident->told, sizeof incident->told, "%s", severity);
        (void)incident_keep(controller, incident, NULL, &error);
}

static void tell_new(Controller *controller, Incident *incident) {
        log_warn("incident %" PRId64 " (%s): %s", incident->id, severity_name(incident->severity), incident->title);
        incident_tell(controller, incident, INCIDENT_OPENED);
        incident_collect(controller, incident);
        incident_queue(controller, incident->id, TASK_CAPTURE | TASK_REPORT);
}

static bool writes(const Controller *controller) {
        return controller->journal && controller->role != ROLE_READER;
}

/* 0: opened; 1: it was there; negative: it could not be kept, which is said. */
static int open_one(Controller *controller, const JournalCase *its_case, Incident *incident, int64_t run_id) {
        Error error = {0};
        const JournalNote note = incident_note("opened", run_id, "incident opened (%s): %.400s",
                                               severity_name(incident->severity), incident->title);
        int r = journal_open_incident(controller->journal, its_case, incident, &note, &error);
        journal_worked(controller, r, &error);
        if (r == 0)
                tell_new(controller, incident);
        return r;
}

/* More urgent, never less. True: it has changed. */
static bool escalate(Incident *incident, Severity severity) {
        if (severity >= incident->severity)
                return false;
        incident->severity = severity;
        return true;
}

static void keep_and_tell(Controller *controller, Incident *incident, bool escalated, const JournalNote *note) {
        Error error = {0};
        if (incident_keep(controller, incident, note, &error) < 0)
                return;
        if (escalated)
                log_warn("incident %" PRId64 " is %s now: %s", incident->id, severity_name(incident->severity),
                         incident->title);
        incident_tell(controller, incident, INCIDENT_CHANGED);
        incident_queue(controller, incident->id, TASK_REPORT);
}

/* ---- runs ---- */

static bool is_emergency(const Run *run) {
        return run->plan.mode == MODE_EMERGENCY;
}

/* A rollback nobody asked for, or in an emergency; and whatever holds. */
static bool opens_one(const Run *run) {
        bool rollback = run->plan.kind == RUN_ROLLBACK && run->plan.mode != MODE_MANUAL;
        return rollback || run->phase == RUN_HOLDING;
}

static bool has_failed(const Run *run) {
        bool ended = run->outcome != OUTCOME_OPEN;
        return run->outcome == OUTCOME_HELD || (ended && run->plan.mode == MODE_AUTOMATIC &&
                                                run->outcome != OUTCOME_SUCCEEDED && run->outcome != OUTCOME_CANCELLED);
}

static Severity severity_of(const Run *run) {
        return is_emergency(run) || has_failed(run) || run->phase == RUN_HOLDING ? SEVERITY_P0 : SEVERITY_P1;
}

static JournalCase case_of_run(const Controller *controller, const Run *run) {
        JournalCase its_case = {.run_id = run->id, .decision_id = run->decision_id};
        const Deployment *deployment = &controller->deployment;
        const char *about = run->plan.from[0] ? run->plan.from : run->plan.to; /* what was down is started again */
        bool about_it = controller->deployment_known && run->plan.kind == RUN_ROLLBACK &&
                        deployment->run_id != run->id && strcmp(deployment->version, about) == 0;
        if (!about_it)
                return its_case;
        its_case.deployment_id = deployment->id;
        if (controller->deployment_is_rollback)
                its_case.deployment_run_id = deployment->run_id;
        return its_case;
}

static void describe_run(const Run *run, Incident *incident) {
        const char *kind = run_kind_name(run->plan.kind), *from = run->plan.from, *to = run->plan.to;
        bool deployment = run->plan.kind == RUN_DEPLOYMENT;
        char title[2 * REASON_MAX];
        if (run->phase == RUN_HOLDING && run->plan.mode == MODE_MANUAL)
                snprintf(title, sizeof title, "%s to %s holds: %s", kind, to, run->failure);
        else
                snprintf(title, sizeof title, "%s rollback of %s to %s: %s", run_mode_name(run->plan.mode),
                         from[0] ? from : to, to, run->reason);
        (void)mask_text(title, incident->title, sizeof incident->title);
        snprintf(incident->version, sizeof incident->version, "%s", deployment || !from[0] ? to : from);
        snprintf(incident->target, sizeof incident->target, "%s", deployment ? from : to);
        snprintf(incident->outcome, sizeof incident->outcome, "run %" PRId64 " is under way", run->id);
}

static void outcome_of_run(const Run *run, char *text, size_t size) {
        char took[WORDS_MAX], plain[2 * REASON_MAX] = "";
        const char *to = run->plan.to;
        if (run->outcome == OUTCOME_SUCCEEDED) {
                words_append(plain, sizeof plain, "run %" PRId64 ": %s to %s succeeded in %s; %s serves", run->id,
                             run_kind_name(run->plan.kind), to,
                             words_duration(run->ended_wall - run->created_wall, took), run->serving);
                if (run->requests_failed >= 0)
                        words_append(plain, sizeof plain, "; %" PRId64 " requests failed by it", run->requests_failed);
        } else
                words_append(plain, sizeof plain, "run %" PRId64 ": %s to %s ended %s; serving: %s. %s", run->id,
                             run_kind_name(run->plan.kind), to, run_outcome_name(run->outcome),
                             run->serving[0] ? run->serving : "nothing that is proven", run->failure);
        (void)mask_text(plain, text, size);
}

/* The incident of this run: a new one, one that was there, or (0 in its id) none. */
static void find_for_run(Controller *controller, const Run *run, Incident *ret_incident, bool *ret_attached) {
        const JournalCase its_case = case_of_run(controller, run);
        Error error = {0};
        Incident incident = {.cause = is_emergency(run)                  ? INCIDENT_EMERGENCY
                                      : run->plan.mode == MODE_AUTOMATIC ? INCIDENT_AUTOMATIC
                                                                         : INCIDENT_HOLD,
                             .severity = severity_of(run),
                             .opened_wall = clock_wall_us(),
                             .deployment_id = its_case.deployment_id,
                             .decision_id = run->decision_id,
                             .run_id = run->id};
        *ret_attached = false;
        describe_run(run, &incident);
        int r = opens_one(run) ? open_one(controller, &its_case, &incident, run->id)
                               : journal_find_incident(controller->journal, &its_case, &incident, &error);
        bool found = opens_one(run) ? r >= 0 : r > 0;
        *ret_incident = found ? incident : (Incident){0};
        *ret_attached = r > 0 && run->id > incident.run_id && incident.state != INCIDENT_RESOLVED;
}

/* What was asked to be reviewed is rolled back now, or the rollback is tried again: it is that case. */
static void attach(Controller *controller, const Run *run, Incident *incident) {
        Incident now = {0};
        describe_run(run, &now);
        bool escalated = opens_one(run) && escalate(incident, severity_of(run));
        incident->run_id = run->id;
        if (run->decision_id)
                incident->decision_id = run->decision_id;
        if (opens_one(run))
                memcpy(incident->title, now.title, sizeof incident->title);
        memcpy(incident->target, now.target, sizeof incident->target);
        memcpy(incident->outcome, now.outcome, sizeof incident->outcome);
        const JournalNote note =
                incident_note("run", run->id, "run %" PRId64 " belongs to it: %s %s to %s", run->id,
                              run_mode_name(run->plan.mode), run_kind_name(run->plan.kind), run->plan.to);
        keep_and_tell(controller, incident, escalated, &note);
        incident_collect(controller, incident);
}

static void take_run(Controller *controller, const Run *run, Incident *ret_incident) {
        bool attached;
        find_for_run(controller, run, ret_incident, &attached);
        if (attached)
                attach(controller, run, ret_incident);
}

static int on_soon(UNUSED sd_event_source *source, void *userdata) {
        Controller *controller = userdata;
        struct Incidents *incidents = controller->incidents;
        const Run *run = runner_run(controller->runner);
        Incident incident;
        incidents->soon = sd_event_source_disable_unref(incidents->soon);
        if (run && run->id > 0)
                take_run(controller, run, &incident);
        return 0;
}

void incidents_run_begun(Controller *controller, const Run *run) {
        struct Incidents *incidents = writes(controller) ? incidents_of(controller) : NULL;
        if (!incidents || run->plan.kind != RUN_ROLLBACK || incidents->soon)
                return;
        int r = sd_event_add_defer(controller->event, &incidents->soon, on_soon, controller);
        if (r >= 0)
                r = sd_event_source_set_priority(incidents->soon, SD_EVENT_PRIORITY_IDLE);
        if (r < 0) /* its end opens it, too */
                log_warn("the incident of the run is opened at its end: %s", strerror(-r));
}

void incidents_run_ended(Controller *controller, const Run *run) {
        char outcome[REASON_MAX];
        Incident incident;
        if (!writes(controller) || run->id <= 0)
                return;
        take_run(controller, run, &incident);
        if (incident.id == 0 || incident.run_id != run->id)
                return;
        outcome_of_run(run, outcome, sizeof outcome);
        if (strncmp(incident.outcome, outcome, strlen(outcome)) == 0)
                return; /* done before its process died */
        memcpy(incident.outcome, outcome, sizeof incident.outcome);
        bool escalated = has_failed(run) && escalate(&incident, SEVERITY_P0);
        const JournalNote note = incident_note("escalated", run->id, "P0 now: %s", outcome);
        keep_and_tell(controller, &incident, escalated, escalated ? &note : NULL);
        if (run->outcome == OUTCOME_HELD || run->outcome == OUTCOME_PUT_BACK)
                incident_queue(controller, incident.id, TASK_TARGET_LOG | TASK_REPORT);
        incident_collect_until(controller, incident.id,
                               controller->config->rules.window_us + 2 * controller->config->rules.interval_us);
}

/* ---- reviews ---- */

Severity incidents_review(Controller *controller, const Decision *decision) {
        const Deployment *deployment = &controller->deployment;
        char title[2 * REASON_MAX];
        if (!writes(controller))
                return SEVERITY_P2;
        bool about_it = controller->deployment_known && strcmp(deployment->version, decision->version) == 0;
        const JournalCase its_case = {.decision_id = decision->id,
                                      .deployment_id = about_it ? deployment->id : 0,
                                      .deployment_run_id =
                                              about_it && controller->deployment_is_rollback ? deployment->run_id : 0};
        Incident incident = {.cause = INCIDENT_REVIEW,
                             .severity = SEVERITY_P2,
                             .opened_wall = clock_wall_us(),
                             .deployment_id = its_case.deployment_id,
                             .decision_id = decision->id};
        snprintf(title, sizeof title, "manual review of %s: %s", decision->version, decision->reason);
        (void)mask_text(title, incident.title, sizeof incident.title);
        memcpy(incident.version, decision->version, sizeof incident.version);
        memcpy(incident.target, decision->target, sizeof incident.target);
        snprintf(incident.outcome, sizeof incident.outcome, "not rolled back automatically: %s",
                 guard_text(decision->guard));
        int r = open_one(controller, &its_case, &incident, 0);
        if (r <= 0 || incident.decision_id == decision->id)
                return incident.severity;
        /* what it was rolled back to misbehaves, too: the rollback has not helped */
        bool escalated = its_case.deployment_run_id != 0 && incident.run_id == its_case.deployment_run_id &&
                         escalate(&incident, SEVERITY_P0);
        const JournalNote note =
                incident_note(escalated ? "escalated" : "review", 0,
                              "%sdecision %" PRId64 ": %.300s; not rolled back automatically: %.150s",
                              escalated ? "P0 now: " : "", decision->id, decision->reason, guard_text(decision->guard));
        keep_and_tell(controller, &incident, escalated, &note);
        return incident.severity;
}

static const char *const machine_sources[] = {"cpu", "memory", "disk"};

static unsigned bit_of(const char *source) {
        for (unsigned i = 0; i < ARRAY_SIZE(machine_sources); i++)
                if (strcmp(source, machine_sources[i]) == 0)
                        return 1U << i;
        return 0;
}

static void condition_is_over(Controller *controller, const char *source) {
        const JournalCase its_case = {.source = source};
        Incident incident;
        Error error = {0};
        if (journal_find_incident(controller->journal, &its_case, &incident, &error) != 1)
                return;
        snprintf(incident.outcome, sizeof incident.outcome, "%s is within its limit again", source);
        const JournalNote note = incident_note("over", 0, "%s", incident.outcome);
        keep_and_tell(controller, &incident, false, &note);
}

void incidents_condition(Controller *controller, const char *source, const char *message) {
        struct Incidents *incidents = writes(controller) ? incidents_of(controller) : NULL;
        unsigned bit = bit_of(source);
        if (!incidents || controller->role != ROLE_DAEMON || bit == 0 ||
            (message != NULL) == ((incidents->standing & bit) != 0))
                return;
        if (!message) {
                incidents->standing &= ~bit;
                condition_is_over(controller, source);
                return;
        }
        const JournalCase its_case = {.source = source};
        Incident incident = {.cause = INCIDENT_REVIEW, .severity = SEVERITY_P2, .opened_wall = clock_wall_us()};
        snprintf(incident.source, sizeof incident.source, "%s", source);
        snprintf(incident.title, sizeof incident.title, "%.200s", message);
        snprintf(incident.outcome, sizeof incident.outcome, "nothing is rolled back for it");
        memcpy(incident.version, controller->version, sizeof incident.version);
        int r = open_one(controller, &its_case, &incident, 0);
        incidents->standing |= r >= 0 ? bit : 0;
        if (r <= 0)
                return;
        snprintf(incident.outcome, sizeof incident.outcome, "nothing is rolled back for it");
        const JournalNote note = incident_note("review", 0, "again: %s", message);
        keep_and_tell(controller, &incident, false, &note);
}

/* ---- what follows ---- */

static void append_failed(const Validation *validation, char *text, size_t size) {
        const char *separator = "; failed: ";
        for (unsigned i = 0; i < VALIDATE_COUNT; i++) {
                const ValidationCheck *check = &validation->checks[i];
                if (check->verdict != CHECK_FAILED)
                        continue;
                words_append(text, size, "%s%s (%s, wanted %s)", separator, check->title, check->measured,
                             check->limit);
                separator = ", ";
        }
}

/* A rollback that did not help is a failed one (specification, runbook 3). */
void incidents_validated(Controller *controller, const Run *run, const Validation *validation) {
        const JournalCase its_case = {.run_id = run->id};
        Incident incident;
        Error error = {0};
        char text[REASON_MAX] = "";
        if (!writes(controller) || journal_find_incident(controller->journal, &its_case, &incident, &error) != 1)
                return;
        bool escalated = validation->verdict == CHECK_FAILED && escalate(&incident, SEVERITY_P0);
        words_append(text, sizeof text, "%svalidation %s: %u of %u checks passed", escalated ? "P0 now: " : "",
                     check_verdict_name(validation->verdict), validation->passed,
                     validation->passed + validation->failed + validation->not_verified);
        append_failed(validation, text, sizeof text);
        words_append(incident.outcome, sizeof incident.outcome, "; validation: %s",
                     check_verdict_name(validation->verdict));
        const JournalNote note = incident_note(escalated ? "escalated" : "validation", 0, "%s", text);
        keep_and_tell(controller, &incident, escalated, &note);
}

/* ---- after a restart ---- */

static int catch_up(void *userdata, const Incident *found) {
        Controller *controller = userdata;
        Incident incident = *found;
        AUTO_FREE char *part = NULL;
        Error error = {0};
        if (strcmp(incident.told, severity_name(incident.severity)) != 0)
                incident_tell(controller, &incident, incident.told[0] ? INCIDENT_CHANGED : INCIDENT_OPENED);
        if (journal_part(controller->journal, incident.id, "difference", &part, &error) == 0)
                incident_queue(controller, incident.id, TASK_CAPTURE | TASK_REPORT);
        return 0;
}

void incidents_catch_up(Controller *controller) {
        Error error = {0};
        if (writes(controller) &&
            journal_incidents(controller->journal, INCIDENT_TASKS_MAX, true, catch_up, controller, &error) < 0)
                log_warn("open incidents could not be read: %s", error_text(&error));
}

typedef struct Counting {
        const Controller *controller;
        int64_t run_id;
        int count;
} Counting;

static int count_live(void *userdata, const Incident *incident) {
        Counting *counting = userdata;
        counting->count += incident->source[0] == '\0' && incident->run_id != counting->run_id &&
                           strcmp(incident->version, counting->controller->version) == 0;
        return 0;
}

int incidents_of_live(Controller *controller, int64_t run_id) {
        Counting counting = {.controller = controller, .run_id = run_id};
        Error error = {0};
        if (!controller->journal || controller->version[0] == '\0')
                return -1;
        int r = journal_incidents(controller->journal, OPEN_LOOKED_AT, true, count_live, &counting, &error);
        return r < 0 ? -1 : counting.count;
}
