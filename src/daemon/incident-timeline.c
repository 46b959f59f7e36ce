/* What happened when, about one incident: its notes, and what the journal has of its deployment, decision, runs and of the alerts
 * meanwhile. */
#include "api/wire.h"
#include "base/mask.h"
#include "core/names.h"
#include "core/steps.h"
#include "core/words.h"
#include "daemon/incidents-internal.h"

#include <inttypes.h>
#include <string.h>

#define ENTRIES_MAX 500
#define RUNS_MAX 8
#define ALERTS_READ 300
#define ALERTS_SHOWN 40
#define DEPLOYMENTS_READ 200
#define AROUND_US (60 * USEC_PER_SEC) /* alerts so long before and after belong to it */

typedef struct Entry {
        int64_t at_wall;
        unsigned order; /* what happened within the same microsecond */
        char kind[24];
        char *text;
} Entry;

typedef struct Timeline {
        Controller *controller;
        const Incident *incident;
        Entry *entries;
        unsigned count;
        int64_t runs[RUNS_MAX];
        unsigned run_count, alerts;
        int64_t from_wall, to_wall; /* of what belongs to it for sure */
        bool failed;                /* out of memory */
} Timeline;

__attribute__((format(printf, 4, 5))) static void add(Timeline *timeline, int64_t at_wall, const char *kind,
                                                      const char *format, ...) {
        char text[4 * REASON_MAX], shown[4 * REASON_MAX];
        va_list args;
        if (timeline->count == ENTRIES_MAX || at_wall == 0)
                return;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        Entry *entry = &timeline->entries[timeline->count];
        *entry = (Entry){.at_wall = at_wall, .order = timeline->count};
        snprintf(entry->kind, sizeof entry->kind, "%s", kind);
        entry->text = strdup(mask_text(text, shown, sizeof shown));
        if (entry->text)
                timeline->count++;
        timeline->failed |= !entry->text;
        if (timeline->from_wall == 0 || at_wall < timeline->from_wall)
                timeline->from_wall = at_wall;
        if (at_wall > timeline->to_wall)
                timeline->to_wall = at_wall;
}

/* ---- what there is ---- */

static void want_run(Timeline *timeline, int64_t id) {
        for (unsigned i = 0; i < timeline->run_count; i++)
                if (timeline->runs[i] == id)
                        return;
        if (id != 0 && timeline->run_count < RUNS_MAX)
                timeline->runs[timeline->run_count++] = id;
}

static int on_note(void *userdata, const JournalNote *note) {
        add(userdata, note->at_wall, note->kind, "%s", note->text);
        want_run(userdata, note->ref);
        return 0;
}

static int on_deployment(void *userdata, const Deployment *deployment) {
        Timeline *timeline = userdata;
        const char *previous = deployment->previous[0] ? deployment->previous : "nothing";
        if (deployment->id != timeline->incident->deployment_id)
                return 0;
        if (deployment->run_id)
                add(timeline, deployment->at_wall, "deployment", "%s became current after %s (run %" PRId64 ")",
                    deployment->version, previous, deployment->run_id);
        else
                add(timeline, deployment->at_wall, "deployment", "somebody else made %s current after %s",
                    deployment->version, previous);
        return 1;
}

static void add_decision(Timeline *timeline) {
        AUTO_FREE Decision *decision = calloc(1, sizeof *decision);
        Error error = {0};
        if (!decision || timeline->incident->decision_id == 0 ||
            journal_decision(timeline->controller->journal, timeline->incident->decision_id, decision, &error) != 1)
                return;
        add(timeline, decision->at_wall, "decision", "decision %" PRId64 ": %s: %s%s%s", decision->id,
            decision->kind == DECISION_ROLLBACK ? "roll back" : "manual review", decision->reason,
            decision->guard == GUARD_NONE ? "" : "; not rolled back: ",
            decision->guard == GUARD_NONE ? "" : guard_text(decision->guard));
}

static void add_step(Timeline *timeline, const Run *run, StepId id, bool recovery) {
        const StepRecord *record = recovery ? &run->recovery[id] : &run->steps[id];
        char took[WORDS_MAX], again[32] = "";
        if (record->state == STEP_PENDING || record->state == STEP_SKIPPED)
                return;
        if (record->attempt > 1)
                snprintf(again, sizeof again, " at attempt %u", record->attempt);
        bool open = record->ended_wall == 0;
        add(timeline, open ? record->started_wall : record->ended_wall, "step", "%s%d. %s: %s%s%s%s%s%s",
            recovery ? "going back: " : "", (int)id, step_title(id, run->plan.kind, recovery),
            step_state_name(record->state), again, open ? "" : " after ",
            open ? "" : words_duration(record->ended_wall - record->started_wall, took), record->detail[0] ? ": " : "",
            record->detail);
}

static void add_run(Timeline *timeline, int64_t id) {
        AUTO_FREE Run *run = calloc(1, sizeof *run);
        char took[WORDS_MAX];
        Error error = {0};
        if (!run || journal_run(timeline->controller->journal, id, run, &error) != 1)
                return;
        add(timeline, run->created_wall, "run", "run %" PRId64 " begins: %s %s from %s to %s, by %s: %s", run->id,
            run_mode_name(run->plan.mode), run_kind_name(run->plan.kind),
            run->plan.from[0] ? run->plan.from : "nothing", run->plan.to, run->initiator, run->reason);
        for (unsigned lane = 0; lane < 2; lane++)
                for (unsigned i = 0; i < run->plan.count; i++)
                        add_step(timeline, run, run->plan.steps[i].id, lane == 1);
        if (run->ended_wall)
                add(timeline, run->ended_wall, "run", "run %" PRId64 " ends after %s: %s; serving: %s%s%s", run->id,
                    words_duration(run->ended_wall - run->created_wall, took), run_outcome_name(run->outcome),
                    run->serving[0] ? run->serving : "nothing that is proven", run->failure[0] ? ". " : "",
                    run->failure);
}

static int on_alert(void *userdata, const JournalAlert *alert) {
        Timeline *timeline = userdata;
        if (alert->at_wall < timeline->from_wall - AROUND_US)
                return 1;
        if (alert->at_wall > timeline->to_wall + AROUND_US)
                return 0;
        int64_t from = timeline->from_wall, to = timeline->to_wall;
        add(timeline, alert->at_wall, "alert", "alert, %s: %s", alert->source, alert->message);
        timeline->from_wall = from; /* an alert doesn't widen it */
        timeline->to_wall = to;
        return ++timeline->alerts == ALERTS_SHOWN;
}

/* ---- in order ---- */

static int compare(const void *a_, const void *b_) {
        const Entry *a = a_, *b = b_;
        if (a->at_wall != b->at_wall)
                return a->at_wall < b->at_wall ? -1 : 1;
        return (a->order > b->order) - (a->order < b->order);
}

static json_t *print(Timeline *timeline) {
        json_t *list = json_array();
        qsort(timeline->entries, timeline->count, sizeof *timeline->entries, compare);
        for (unsigned i = 0; i < timeline->count; i++) {
                Entry *entry = &timeline->entries[i];
                json_array_append_new(list, json_pack("{s:o, s:s, s:o}", "at", wire_time(entry->at_wall), "kind",
                                                      entry->kind, "text", wire_text(entry->text)));
                free(entry->text);
        }
        return list;
}

json_t *incident_timeline(Controller *controller, const Incident *incident) {
        AUTO_FREE Entry *entries = calloc(ENTRIES_MAX, sizeof *entries);
        Timeline timeline = {.controller = controller, .incident = incident, .entries = entries};
        Error error = {0};
        if (!entries)
                return NULL;
        if (incident->deployment_id)
                (void)journal_deployments(controller->journal, DEPLOYMENTS_READ, on_deployment, &timeline, &error);
        add_decision(&timeline);
        (void)journal_notes(controller->journal, incident->id, on_note, &timeline, &error);
        want_run(&timeline, incident->run_id);
        for (unsigned i = 0; i < timeline.run_count; i++)
                add_run(&timeline, timeline.runs[i]);
        (void)journal_alerts(controller->journal, ALERTS_READ, on_alert, &timeline, &error);
        json_t *list = print(&timeline);
        if (!timeline.failed)
                return list;
        json_decref(list);
        return NULL;
}
