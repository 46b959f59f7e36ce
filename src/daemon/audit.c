#include "daemon/audit.h"

#include "api/wire.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/operations.h"

#include <inttypes.h>
#include <string.h>

#define AUDIT_DEFAULT 50

typedef struct Source {
        char who[96], address[64];
        unsigned refused, left_out; /* in this window */
} Source;

typedef struct AuditTrail {
        int64_t window_mono;
        Source sources[AUDIT_SOURCES + 1]; /* the last one stands for all that have no place */
        unsigned count;
        unsigned refused; /* of all, in this window */
        bool failing;     /* the journal can't take it; said once */
} AuditTrail;

/* ---- keeping ---- */

static void keep_in_journal(Controller *controller, AuditTrail *trail, JournalAudit *entry) {
        Error error = {0};
        if (controller->role == ROLE_READER || !controller->journal)
                return; /* it is in the log */
        bool failed = journal_add_audit(controller->journal, entry, &error) < 0;
        if (failed && !trail->failing)
                log_warn("the audit trail is only in the log for now: %s", error_text(&error));
        trail->failing = failed;
}

static void keep_in_log(const JournalAudit *entry, const Caller *caller) {
        char pid[24];
        snprintf(pid, sizeof pid, "%d", (int)caller->pid);
        const LogField fields[] = {
                {"by", entry->who}, {"whence", entry->whence}, {caller->pid ? "pid" : NULL, pid}, {0}};
        bool refused = entry->status >= 400; /* else the outcome is the status */
        log_event(refused ? LEVEL_WARN : LEVEL_INFO, fields, "%s %s%s%s: %d%s%s", entry->method, entry->path,
                  entry->arguments[0] ? " " : "", entry->arguments, entry->status, refused ? " " : "",
                  refused ? entry->outcome : "");
}

static void arguments_text(const json_t *arguments, char *text, size_t size) {
        char *whole = arguments ? json_dumps(arguments, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
        text[0] = '\0';
        if (whole && strlen(whole) < size)
                memcpy(text, whole, strlen(whole) + 1);
        else if (whole)
                snprintf(text, size, "{\"left_out_bytes\":%zu}", strlen(whole));
        free(whole);
}

/* ---- refusals, bounded ---- */

static void say_left_out(Controller *controller, AuditTrail *trail, Source *source) {
        if (source->left_out == 0)
                return;
        JournalAudit entry = {.at_wall = clock_wall_us(), .uid = -1, .status = 429};
        const Caller nobody = {.uid = (uid_t)-1};
        snprintf(entry.who, sizeof entry.who, "%s", source->who);
        snprintf(entry.whence, sizeof entry.whence, "%s", source->address);
        snprintf(entry.outcome, sizeof entry.outcome, "%u more requests were refused within a minute",
                 source->left_out);
        snprintf(entry.method, sizeof entry.method, "any");
        source->left_out = 0;
        keep_in_log(&entry, &nobody);
        keep_in_journal(controller, trail, &entry);
}

static void end_window(Controller *controller, AuditTrail *trail) {
        for (unsigned i = 0; i <= AUDIT_SOURCES; i++)
                say_left_out(controller, trail, &trail->sources[i]);
        memset(trail->sources, 0, sizeof trail->sources);
        trail->count = trail->refused = 0;
}

/* The port of an address is another one each time, and doesn't count. */
static Source *source_of(AuditTrail *trail, const Caller *caller) {
        char address[sizeof trail->sources->address];
        snprintf(address, sizeof address, "%s", caller->whence);
        char *port = strrchr(address, ':');
        if (port)
                *port = '\0';
        for (unsigned i = 0; i < trail->count; i++)
                if (strcmp(trail->sources[i].who, caller->name) == 0 && strcmp(trail->sources[i].address, address) == 0)
                        return &trail->sources[i];
        Source *source = &trail->sources[trail->count];
        if (trail->count == AUDIT_SOURCES) {
                snprintf(source->who, sizeof source->who, "others");
                return source;
        }
        trail->count++;
        snprintf(source->who, sizeof source->who, "%s", caller->name);
        memcpy(source->address, address, sizeof source->address);
        return source;
}

/* Whether another refusal of this source is written down, or only counted. */
static bool has_room(AuditTrail *trail, const Caller *caller) {
        Source *source = source_of(trail, caller);
        if (source->refused >= AUDIT_REFUSED_EACH || trail->refused >= AUDIT_REFUSED_ALL) {
                source->left_out++;
                return false;
        }
        source->refused++;
        trail->refused++;
        return true;
}

static AuditTrail *trail_of(Controller *controller) {
        if (!controller->audit_trail)
                controller->audit_trail = calloc(1, sizeof *controller->audit_trail);
        AuditTrail *trail = controller->audit_trail;
        int64_t now = clock_mono_us();
        if (trail && now - trail->window_mono >= AUDIT_WINDOW_US) {
                end_window(controller, trail);
                trail->window_mono = now;
        }
        return trail;
}

void op_acted(void *self, const Caller *caller, const char *method, const char *path, const json_t *arguments,
              int status, const char *outcome) {
        Controller *controller = self;
        AuditTrail *trail = trail_of(controller);
        if (!trail || (status >= 400 && !has_room(trail, caller)))
                return;
        JournalAudit entry = {.at_wall = clock_wall_us(),
                              .uid = caller->uid == (uid_t)-1 ? -1 : (int64_t)caller->uid,
                              .status = status};
        snprintf(entry.who, sizeof entry.who, "%s", caller->name);
        snprintf(entry.whence, sizeof entry.whence, "%s", caller->whence);
        snprintf(entry.method, sizeof entry.method, "%s", method);
        snprintf(entry.path, sizeof entry.path, "%s", path);
        snprintf(entry.outcome, sizeof entry.outcome, "%s", outcome);
        arguments_text(arguments, entry.arguments, sizeof entry.arguments);
        keep_in_log(&entry, caller);
        keep_in_journal(controller, trail, &entry);
}

void audit_begun(Controller *controller, const Caller *caller, const char *path, const json_t *arguments) {
        op_acted(controller, caller, "POST", path, arguments, JOURNAL_BEGUN, "begun");
}

void audit_healing(Controller *controller, const char *component, const char *what, HealingNews news) {
        static const struct {
                int status;
                const char *outcome;
        } outcomes[] = {[HEALING_BEGUN] = {JOURNAL_BEGUN, "begun"},
                        [HEALING_DONE] = {200, "200"},
                        [HEALING_FAILED] = {500, "failed"}};
        AuditTrail *trail = trail_of(controller);
        JournalAudit entry = {.at_wall = clock_wall_us(),
                              .uid = -1,
                              .who = "controller",
                              .whence = "healing",
                              .method = JOURNAL_HEAL,
                              .status = outcomes[news].status};
        json_t *arguments = json_pack("{s:o}", "what", wire_text(what));
        snprintf(entry.path, sizeof entry.path, "%s", component);
        snprintf(entry.outcome, sizeof entry.outcome, "%s", outcomes[news].outcome);
        arguments_text(arguments, entry.arguments, sizeof entry.arguments);
        json_decref(arguments);
        if (trail)
                keep_in_journal(controller, trail, &entry);
}

void audit_free(Controller *controller) {
        if (controller->audit_trail)
                end_window(controller, controller->audit_trail);
        free(controller->audit_trail);
        controller->audit_trail = NULL;
}

/* ---- reading ---- */

static int collect(void *userdata, const JournalAudit *audit) {
        json_t *arguments = audit->arguments[0] ? json_loads(audit->arguments, JSON_DECODE_ANY, NULL) : NULL;
        json_t *uid = audit->uid < 0 ? json_null() : json_integer(audit->uid);
        json_array_append_new(userdata, json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o}", "id",
                                                  (json_int_t)audit->id, "at", wire_time(audit->at_wall), "who",
                                                  wire_text(audit->who), "uid", uid, "whence", wire_text(audit->whence),
                                                  "method", wire_text(audit->method), "path", wire_text(audit->path),
                                                  "arguments", arguments ? arguments : json_null(), "status",
                                                  audit->status, "outcome", wire_text(audit->outcome)));
        return 0;
}

int op_audit(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        Controller *controller = self;
        Error error = {0};
        (void)caller;
        if (controller_unusable(controller, problem) < 0)
                return -1;
        int64_t limit = number_of(arguments, "limit", AUDIT_DEFAULT);
        json_t *entries = json_array();
        if (journal_audits(controller->journal, limit < 1 ? 1 : (unsigned)limit, collect, entries, &error) >= 0)
                return answer(json_pack("{s:o}", "entries", entries), ret_answer, problem);
        json_decref(entries);
        return journal_failed(problem, &error);
}
