#include "cli/runbook-facts.h"

#include "cli/pick.h"
#include "cli/print.h"
#include "core/version.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define RUNS_LOOKED_AT "?limit=50"

void runbook_ask(Command *command, RunbookSources *ret) {
        const struct {
                const char *path, *query, *breakglass;
                json_t **into;
        } questions[] = {
                {"/api/v3/status", "", "status", &ret->status},
                {"/api/v3/history", RUNS_LOOKED_AT, "history", &ret->history},
                {"/api/v3/ready", "", NULL, &ret->ready},
                {"/api/v3/consensus/status", "", NULL, &ret->consensus},
                {"/api/v3/incidents", RUNS_LOOKED_AT, NULL, &ret->incidents},
        };
        *ret = (RunbookSources){0};
        for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
                const Question question = {
                        .path = questions[i].path, .query = questions[i].query, .breakglass = questions[i].breakglass};
                if (!command_peek(command, &question, questions[i].into))
                        *questions[i].into = NULL;
        }
}

void runbook_release(RunbookSources *sources) {
        json_decref(sources->status);
        json_decref(sources->history);
        json_decref(sources->ready);
        json_decref(sources->consensus);
        json_decref(sources->incidents);
        *sources = (RunbookSources){0};
}

/* ---- values ---- */

static void set(RunbookMatter *matter, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);
static void set(RunbookMatter *matter, const char *name, const char *format, ...) {
        if (matter->count == RUNBOOK_VALUES)
                return;
        char *text = matter->texts[matter->count];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof matter->texts[0], format, args);
        va_end(args);
        matter->values[matter->count++] = (RunbookValue){name, text};
}

static void set_id(RunbookMatter *matter, const char *name, const json_t *document, const char *path) {
        int64_t id = pick_int(document, path, 0);
        if (id > 0)
                set(matter, name, "%" PRId64, id);
}

static void set_units(RunbookMatter *matter, const char *name, const Config *config, const char *version) {
        AUTO_FREE UnitSet *units = calloc(1, sizeof *units);
        char text[REASON_MAX] = "";
        Error error = {0};
        if (!units || !config || !version_valid(version) || config_units(config, version, units, &error) < 0)
                return;
        for (unsigned i = 0; i < units->count && strlen(text) + UNIT_NAME_MAX < sizeof text; i++)
                snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? " " : "", units->names[i]);
        set(matter, name, "%s", text);
}

/* ---- which run, which incident ---- */

static bool is_rollback(const json_t *run) {
        return pick_is(run, "kind", "rollback");
}
static bool is_automatic(const json_t *run) {
        return is_rollback(run) && pick_is(run, "mode", "automatic");
}
static bool was_untouched(const json_t *run) {
        return pick_is(run, "outcome", "refused") || pick_is(run, "outcome", "cancelled") ||
               pick_is(run, "outcome", "undone");
}
/* The controller wanted it, and came to nothing: that an operator's own was refused he has read at once. */
static bool came_to_nothing(const json_t *run) {
        return is_automatic(run) && (pick_is(run, "outcome", "refused") || pick_is(run, "outcome", "undone"));
}
static bool has_failed(const json_t *run) {
        return came_to_nothing(run) ||
               (is_rollback(run) && (pick_is(run, "outcome", "held") || pick_is(run, "outcome", "put_back") ||
                                     pick_is(run, "validation", "failed"))) ||
               pick_is(run, "phase", "holding");
}

typedef bool Fits(const json_t *run);

static const json_t *newest(const RunbookSources *sources, Fits *fits) {
        const json_t *runs = pick(sources->history, "runs"), *run;
        size_t index;
        json_array_foreach((json_t *)runs, index, run)
                if (fits(run) && (!was_untouched(run) || fits == has_failed))
                        return run;
        run = pick(sources->status, "last_run"); /* of a history that can't be told */
        return !runs && run && fits(run) ? run : NULL;
}

/* The one that asked for help must not be hidden by an older one of its kind. */
static const json_t *run_for(const Runbook *runbook, const RunbookSources *sources) {
        const json_t *found = NULL;
        if (strcmp(runbook->key, "1") == 0)
                return newest(sources, is_automatic);
        if (strcmp(runbook->key, "3") == 0 || strcmp(runbook->key, "issue-1") == 0)
                found = newest(sources, has_failed);
        return found ? found : newest(sources, is_rollback);
}

static const json_t *incident_for(const RunbookSources *sources, const json_t *run) {
        const json_t *incidents = pick(sources->incidents, "incidents"), *incident;
        size_t index;
        json_array_foreach((json_t *)incidents, index, incident)
                if (run && pick_int(incident, "run", -1) == pick_int(run, "id", 0))
                        return incident;
        return NULL;
}

/* The newest of the worst that nobody has resolved; its run is found by its id, and may be none. */
static const json_t *unresolved_p0(const RunbookSources *sources) {
        const json_t *incidents = pick(sources->incidents, "incidents"), *incident;
        size_t index;
        json_array_foreach((json_t *)incidents, index, incident)
                if (pick_is(incident, "severity", "P0") && !pick_is(incident, "state", "resolved"))
                        return incident;
        return NULL;
}

static const json_t *run_of(const RunbookSources *sources, const json_t *incident) {
        const json_t *runs = pick(sources->history, "runs"), *run;
        size_t index;
        json_array_foreach((json_t *)runs, index, run)
                if (pick_int(run, "id", 0) == pick_int(incident, "run", -1))
                        return run;
        return NULL;
}

static bool has_succeeded_since(const RunbookSources *sources, const json_t *since, const char *kind) {
        const json_t *runs = pick(sources->history, "runs"), *run;
        size_t index;
        json_array_foreach((json_t *)runs, index, run)
                if (pick_int(run, "id", 0) > pick_int(since, "id", INT64_MAX) &&
                    (kind[0] == '\0' || pick_is(run, "kind", kind)) && pick_is(run, "outcome", "succeeded"))
                        return true;
        return false;
}

/* ---- facts ---- */

static Tristate tri(bool known, bool value) {
        return !known ? KNOWN_NOT : value ? KNOWN_TRUE : KNOWN_FALSE;
}

static Tristate word(const json_t *document, const char *path, const char *good) {
        const char *text = pick_text(document, path);
        return tri(text[0] && strcmp(text, "unknown") != 0, strcmp(text, good) == 0);
}

static Tristate truth(const json_t *document, const char *path) {
        const json_t *value = pick(document, path);
        return tri(json_is_boolean(value), json_is_true(value));
}

static bool stands(const json_t *status, const char *source) {
        const json_t *alerts = pick(status, "alerts"), *alert;
        size_t index;
        json_array_foreach((json_t *)alerts, index, alert)
                if (pick_is(alert, "source", source))
                        return true;
        return false;
}

static Tristate both(Tristate a, Tristate b) {
        if (a == KNOWN_FALSE || b == KNOWN_FALSE)
                return KNOWN_FALSE;
        return a == KNOWN_TRUE && b == KNOWN_TRUE ? KNOWN_TRUE : KNOWN_NOT;
}

static Tristate validated(const json_t *run) {
        const char *verdict = pick_text(run, "validation");
        if (strcmp(verdict, "passed") == 0)
                return KNOWN_TRUE;
        return strcmp(verdict, "failed") == 0 ? KNOWN_FALSE : KNOWN_NOT;
}

static Tristate paged(const RunbookSources *sources, const RunbookMatter *matter) {
        if (pick_is(matter->incident, "severity", "P0") || stands(sources->status, "holding") ||
            stands(sources->status, "run") || stands(sources->status, "validation"))
                return KNOWN_TRUE;
        return KNOWN_NOT;
}

/* What the compatibility gate last said of the release that is current; NULL: it wasn't asked yet. */
static const json_t *schema_check(const RunbookSources *sources) {
        const json_t *checks = pick(sources->ready, "current.checks"), *check;
        size_t index;
        json_array_foreach((json_t *)checks, index, check)
                if (pick_is(check, "key", "database"))
                        return check;
        return NULL;
}

static Tristate schema_fits(const RunbookSources *sources) {
        const json_t *check = schema_check(sources);
        bool good = pick_is(check, "verdict", "ok") || pick_is(check, "verdict", "not_applicable");
        return tri(good || pick_is(check, "verdict", "failed"), good);
}

static Tristate nodes_answer(const json_t *consensus) {
        const json_t *members = pick(consensus, "members"), *member;
        size_t index;
        json_array_foreach((json_t *)members, index, member)
                if (pick_is(member, "state", "unreachable"))
                        return KNOWN_FALSE;
        return tri(json_array_size(members) > 0, true);
}

/* Nothing is left of it: it was released, what came later succeeded, or it changed nothing and its incident is resolved. */
static Tristate mended(const RunbookSources *sources, const json_t *run, const json_t *incident) {
        if (!sources->status || pick(sources->status, "run"))
                return tri(sources->status != NULL, false);
        if (!run || !has_failed(run))
                return run ? KNOWN_TRUE : KNOWN_NOT;
        return tri(true, pick_true(run, "released") || has_succeeded_since(sources, run, "") ||
                                 (came_to_nothing(run) && pick_is(incident, "state", "resolved")));
}

static void read_facts(const RunbookSources *sources, RunbookMatter *matter) {
        const json_t *status = sources->status, *run = matter->run, *incident = matter->incident;
        Tristate *known = matter->facts.known;
        const char *state = pick_text(incident, "state");
        known[FACT_ROLLED_BACK] =
                tri(sources->history || status, is_rollback(run) && pick_is(run, "outcome", "succeeded") &&
                                                        !has_succeeded_since(sources, run, "deployment"));
        known[FACT_ACKNOWLEDGED] = tri(incident, strcmp(state, "open") != 0);
        known[FACT_RESOLVED] = tri(incident, strcmp(state, "resolved") == 0);
        known[FACT_PAGED] = paged(sources, matter);
        known[FACT_HEALTHY] = word(status, "score.status", "healthy");
        known[FACT_DIRECT] = word(status, "health.state", "healthy");
        known[FACT_SERVING] = both(word(status, "units.state", "active"), known[FACT_DIRECT]);
        known[FACT_VALIDATED] = validated(run);
        known[FACT_TRAFFIC] = word(status, "traffic.state", "flowing");
        known[FACT_ALLOWED] = tri(status, !pick_true(status, "deployments.paused"));
        known[FACT_MENDED] = mended(sources, run, incident);
        known[FACT_READY] = status && !pick(status, "target") ? KNOWN_FALSE : truth(status, "target.ready");
        known[FACT_REDEPLOYED] = tri(sources->history && run, has_succeeded_since(sources, run, "deployment"));
        known[FACT_SCHEMA] = schema_fits(sources);
        matter->facts.absent[FACT_SCHEMA] = pick_is(schema_check(sources), "verdict", "not_applicable");
        known[FACT_BALANCER] =
                tri(status && pick_true(status, "traffic.configured"), !pick_is(status, "traffic.state", "unknown"));
        known[FACT_LEADER] = truth(sources->consensus, "leader_elected");
        known[FACT_QUORUM] = truth(sources->consensus, "quorum_healthy");
        known[FACT_NODES] = nodes_answer(sources->consensus);
}

/* It failed, and something of it is left to do. */
static bool is_left(const RunbookSources *sources, const json_t *run, const json_t *incident) {
        return run && has_failed(run) &&
               (mended(sources, run, incident) != KNOWN_TRUE || (incident && !pick_is(incident, "state", "resolved")));
}

/* ---- is the situation there? ---- */

static Tristate not(Tristate value) {
        return value == KNOWN_NOT ? KNOWN_NOT : value == KNOWN_TRUE ? KNOWN_FALSE : KNOWN_TRUE;
}

static Tristate is_concerned(const Runbook *runbook, const RunbookSources *sources, const RunbookMatter *matter) {
        const Tristate *known = matter->facts.known;
        static const struct {
                const char *key;
                RunbookFact unless;
        } rows[] = {{"issue-2", FACT_HEALTHY}, {"issue-3", FACT_SCHEMA}, {"issue-4", FACT_TRAFFIC}};
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (strcmp(runbook->key, rows[i].key) == 0)
                        return not(known[rows[i].unless]);
        if (strcmp(runbook->key, "issue-5") == 0 && json_is_false(pick(sources->consensus, "configured")))
                return KNOWN_FALSE;
        if (strcmp(runbook->key, "issue-5") == 0)
                return not(both(known[FACT_LEADER], known[FACT_QUORUM]));
        if (strcmp(runbook->key, "1") == 0)
                return tri(sources->history, matter->run && known[FACT_RESOLVED] != KNOWN_TRUE);
        if (strcmp(runbook->key, "2") == 0)
                return tri(sources->status,
                           known[FACT_ROLLED_BACK] != KNOWN_TRUE || known[FACT_VALIDATED] != KNOWN_TRUE);
        bool failed =
                is_left(sources, matter->run, matter->incident) ||
                (strcmp(runbook->key, "3") == 0 && matter->incident && matter->incident == unresolved_p0(sources));
        return tri(sources->status, pick(sources->status, "run") || failed);
}

/* ---- the values in words ---- */

/* "Mend the cause, then: systemctl start X; auto-rollback restore": a line each. */
static void set_remedy(RunbookMatter *matter, const char *remedy) {
        const char *commands = strstr(remedy, "then: ");
        char text[REASON_MAX] = "";
        for (const char *at = commands ? commands + strlen("then: ") : remedy; *at;) {
                const char *end = strstr(at, "; ");
                size_t length = end ? (size_t)(end - at) : strlen(at);
                snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.*s", text[0] ? "\n" : "", (int)length,
                         at);
                at += length + (end ? strlen("; ") : 0);
        }
        set(matter, "remedy", "%s", text);
}

static void read_run(RunbookMatter *matter, const Config *config, const RunbookSources *sources) {
        const json_t *run = matter->run;
        if (!run) {
                const json_t *incident = matter->incident;
                if (!incident) {
                        set(matter, "run_words", "There is no such run in the history");
                        return;
                }
                set(matter, "run_words", "Incident %" PRId64 ": %s", pick_int(incident, "id", 0),
                    pick_text(incident, "title"));
                set(matter, "failure", "%s", pick_text(incident, "outcome"));
                return;
        }
        set_id(matter, "run", run, "id");
        set(matter, "run_words", "Run %" PRId64 ": %s %s from %s to %s, %s%s", pick_int(run, "id", 0),
            pick_text(run, "mode"), pick_text(run, "kind"),
            pick_text(run, "from")[0] ? pick_text(run, "from") : "nothing", pick_text(run, "to"),
            run_outcome_words(run), pick_true(run, "released") ? ", released" : "");
        set(matter, "reason", "%s", pick_text(run, "reason"));
        set(matter, "failure", "%s", pick_text(run, "failure")[0] ? pick_text(run, "failure") : "No step failed");
        set_units(matter, "to_units", config, pick_text(run, "to"));
        set(matter, "failed", "%s", pick_text(run, "from"));
        set(matter, "serving", "%s", pick_text(run, "serving"));
        set(matter, "validation", "%s",
            pick_text(run, "validation")[0] ? pick_text(run, "validation") : "not validated");
        set_remedy(matter, pick_text(run, "remedy"));
        set_id(matter, "decision", run, "decision");
        set_units(matter, "failed_units", config, pick_text(run, "from"));
        bool down = pick_is(sources->status, "units.state", "failed") ||
                    pick_is(sources->status, "units.state", "inactive");
        const char *version = pick_text(sources->status, "version");
        set(matter, "recovery_command", "auto-rollback emergency %s%s%s\"Failed rollback recovery\"",
            down && version[0] ? "--to " : "", down ? version : "", down && version[0] ? " " : "");
}

static void read_state(RunbookMatter *matter, const Config *config, const RunbookSources *sources) {
        const json_t *status = sources->status, *target = pick(status, "target");
        const char *version = pick_text(status, "version");
        set(matter, "version", "%s", version);
        set_units(matter, "units", config, version);
        set(matter, "live_link", "Current is %s.", version[0] ? version : pick_text(status, "version_problem"));
        if (target)
                set(matter, "target_words", "A rollback would go to %s: %s", pick_text(target, "version"),
                    pick_text(target, "detail"));
        else
                set(matter, "target_words", "%s",
                    !status || pick_is(status, "controller.state", "breakglass")
                            ? "What a rollback would go to is not known"
                            : "There is no release that a rollback could go to");
        set(matter, "units_words", "%s, %s", pick_text(status, "units.state"), pick_text(status, "units.detail"));
        const char *state = pick_text(status, "traffic.state"), *detail = pick_text(status, "traffic.detail");
        bool more = detail[0] && strcmp(state, detail) != 0;
        set(matter, "traffic_words", "%s%s%s", state, more ? ": " : "", more ? detail : "");
        set(matter, "traffic_by", "%s",
            pick_text(status, "traffic.by")[0] ? pick_text(status, "traffic.by") : "nobody");
        set(matter, "balancer_words", "The balancer %s",
            matter->facts.known[FACT_BALANCER] == KNOWN_TRUE ? "answers" : "doesn't answer, or none is configured");
        set(matter, "deployments", "%s%s", pick_true(status, "deployments.paused") ? "paused by " : "allowed",
            pick_text(status, "deployments.by"));
        const char *reason = pick_text(status, "score.reason");
        set(matter, "health_words", "Health is %s%s%s%s",
            pick(status, "score") ? pick_text(status, "score.status") : "not known", reason[0] ? " (" : "", reason,
            reason[0] ? ")" : "");
        set(matter, "bad_components", "%s", reason[0] ? reason : "No component is worse than healthy");
        char component[64] = "";
        snprintf(component, sizeof component, "%.*s", (int)strcspn(reason, ":"), reason);
        if (component[0])
                set(matter, "component_units", "novacron-%s", component);
        set(matter, "probe_words", "%s: %s", pick_text(status, "health.url"), pick_text(status, "health.detail"));
        set(matter, "health_url", "%s", pick_text(status, "health.url"));
}

static void read_rest(RunbookMatter *matter, const Config *config, const RunbookSources *sources) {
        const json_t *members = pick(sources->consensus, "members"), *member;
        char unreachable[REASON_MAX] = "";
        size_t index;
        const json_t *database = schema_check(sources);
        set(matter, "schema_words", "%s",
            database ? pick_text(database, "measured") : "nothing is known of its database");
        json_array_foreach((json_t *)members, index, member)
                if (pick_is(member, "state", "unreachable"))
                        snprintf(unreachable + strlen(unreachable), sizeof unreachable - strlen(unreachable), "%s%s",
                                 unreachable[0] ? ", " : "", pick_text(member, "name"));
        set(matter, "unreachable", "%s", unreachable[0] ? unreachable : "none that is known");
        set(matter, "consensus_words", "%s",
            pick_text(sources->consensus, "detail")[0] ? pick_text(sources->consensus, "detail")
                                                       : "Nothing is known of the cluster");
        set_id(matter, "incident", matter->incident, "id");
        set(matter, "balancer", "%s", config && config->traffic_driver ? config->traffic_driver->name : "haproxy");
        set(matter, "log", "%s", config ? config->log : "/var/log/novacron/rollback.log");
        set(matter, "versions", "%s", config ? config->versions : "/opt/novacron/versions");
        set(matter, "current", "%s", config ? config->current : "/opt/novacron/current");
        const char *listen = config ? settings_string(config->api_block, "listen") : "";
        set(matter, "api", "http://%s", listen[0] ? listen : "localhost:8080");
}

static void set_all_units(RunbookMatter *matter) {
        const char *names[] = {"units", "to_units", "failed_units"};
        char text[REASON_MAX] = "";
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                for (unsigned j = 0; j < matter->count; j++)
                        if (strcmp(matter->values[j].name, names[i]) == 0 && !strstr(text, matter->values[j].value) &&
                            strlen(text) + strlen(matter->values[j].value) + 2 < sizeof text)
                                snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", text[0] ? " " : "",
                                         matter->values[j].value);
        set(matter, "all_units", "%s", text);
}

void runbook_read(const Runbook *runbook, const RunbookSources *sources, const Config *config, RunbookMatter *ret) {
        *ret = (RunbookMatter){0};
        ret->run = run_for(runbook, sources);
        ret->incident = incident_for(sources, ret->run);
        const json_t *worst = unresolved_p0(sources);
        if (strcmp(runbook->key, "3") == 0 && worst && !is_left(sources, ret->run, ret->incident)) {
                ret->incident = worst;
                ret->run = run_of(sources, worst);
        }
        read_facts(sources, ret);
        ret->facts.concerned = is_concerned(runbook, sources, ret);
        read_run(ret, config, sources);
        read_state(ret, config, sources);
        read_rest(ret, config, sources);
        set_all_units(ret);
        ret->facts.values = ret->values;
}
