/* What a validation is judged by: the facts, looked up where each is known, and put into words where core/validate.c has only a
 * yes or no of them. */
#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "core/words.h"
#include "daemon/baseline.h"
#include "daemon/consistency.h"
#include "daemon/incidents.h"
#include "daemon/telling.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_TAIL (64 * 1024)               /* in which the run's end is looked for */
#define COARSE_CLOCK_US (1 * USEC_PER_SEC) /* a file's time may be that much older than the line written into it */
#define NO_CONTROLLER "no controller answers"

typedef struct Gathering {
        Controller *controller;
        Run *run; /* that left the live release serving; NULL: none is known */
        int64_t now_mono, now_wall;
        ValidationInput input;
        char units[DETAIL_MAX], probe[DETAIL_MAX], health[DETAIL_MAX], baseline[DETAIL_MAX], run_words[DETAIL_MAX];
        char rows_lost[DETAIL_MAX];
        char traffic[DETAIL_MAX], source[DETAIL_MAX], byzantine[DETAIL_MAX], data[DETAIL_MAX], incidents[DETAIL_MAX],
                logs[DETAIL_MAX], alerts[DETAIL_MAX];
} Gathering;

#define SAY(gathering, member, ...) words_append((gathering)->member, sizeof(gathering)->member, __VA_ARGS__)

static Tristate known(bool yes) {
        return yes ? KNOWN_TRUE : KNOWN_FALSE;
}

static int64_t run_ended_wall(const Gathering *gathering) {
        return gathering->run ? gathering->run->ended_wall : 0;
}

/* ---- the service ---- */

static void gather_service(Gathering *gathering) {
        const Controller *controller = gathering->controller;
        const UnitsState *units = controller->watcher ? watcher_units(controller->watcher) : NULL;
        const ProbeView *probe = prober_view(controller->prober);
        ValidationInput *input = &gathering->input;
        if (units)
                SAY(gathering, units, "%s", units->detail);
        SAY(gathering, probe, "%s", prober_detail(controller->prober));
        input->units = (ValidationFact){.state = units ? known(units->active) : KNOWN_NOT, .words = gathering->units};
        input->probe = (ValidationFact){.state = probe->known ? known(probe->consecutive_failures == 0) : KNOWN_NOT,
                                        .words = gathering->probe};
}

static bool counts(const ComponentHealth *component) {
        return component->configured && component->weight > 0;
}

/* The first component whose newest check was begun before that; NULL: none. How long ago is known by the clock that isn't set. */
static const char *stale_component(const Controller *controller, int64_t since_wall) {
        const Health *health = checkup_health(controller->checkup);
        int64_t boot_wall = clock_wall_us() - clock_mono_us();
        for (unsigned i = 0; i < health->count; i++) {
                int64_t begun_mono = health->components[i].begun_mono;
                if (counts(&health->components[i]) && (begun_mono == 0 ? 0 : boot_wall + begun_mono) < since_wall)
                        return health->components[i].name;
        }
        return NULL;
}

bool validation_health_fresh(const Controller *controller, int64_t since_wall) {
        return !controller->checkup ||
               (checkup_complete(controller->checkup) && !stale_component(controller, since_wall));
}

static void describe_health(Gathering *gathering, const Health *health) {
        unsigned healthy = 0, configured = 0;
        for (unsigned i = 0; i < health->count; i++) {
                const ComponentHealth *component = &health->components[i];
                healthy += component->state == HEALTH_HEALTHY;
                configured += component->configured;
        }
        SAY(gathering, health, "%u points / weight %u; %u of %u components healthy", health->points, health->weights,
            healthy, configured);
        for (unsigned i = 0; i < health->count; i++) {
                const ComponentHealth *component = &health->components[i];
                if (component->configured && component->state != HEALTH_HEALTHY)
                        SAY(gathering, health, ", %s %s: %s", component->name, health_state_name(component->state),
                            component->reason);
        }
}

static void gather_health(Gathering *gathering) {
        const Controller *controller = gathering->controller;
        gathering->input.health_score = -1;
        gathering->input.health_score_limit = controller->config->validation_health_score;
        gathering->input.health_words = gathering->health;
        if (!controller->checkup) {
                SAY(gathering, health, "%s", controller->role == ROLE_DAEMON ? "not measured yet" : NO_CONTROLLER);
                return;
        }
        const char *stale = stale_component(controller, run_ended_wall(gathering));
        if (stale || !checkup_complete(controller->checkup)) {
                SAY(gathering, health, "%s was not checked since the run", stale ? stale : "something");
                return;
        }
        const Health *health = checkup_health(controller->checkup);
        if (health->score < 0) {
                SAY(gathering, health, "nothing that counts could be measured");
                return;
        }
        gathering->input.health_score = health->score;
        describe_health(gathering, health);
}

static void gather_baseline(Gathering *gathering) {
        Controller *controller = gathering->controller;
        char time[CLOCK_TEXT_MAX];
        Baseline baseline;
        ValidationInput *input = &gathering->input;
        input->baseline_tolerance_ppm = controller->config->baseline_tolerance_ppm;
        input->baseline_floor_us = controller->config->baseline_floor_us;
        input->baseline_p99_us = -1;
        input->baseline_words = gathering->baseline;
        if (baseline_read(controller, controller->version, &baseline) != 1) {
                SAY(gathering, baseline, "no latency of %s was recorded before the deployment",
                    controller->version[0] ? controller->version : "the live release");
                return;
        }
        input->baseline_p99_us = baseline.p99_us;
        SAY(gathering, baseline, "%" PRId64 " requests, %s", baseline.requests,
            clock_format_rfc3339(baseline.at_wall, time, sizeof time));
}

/* Also on the way back to the original: its schema may have been taken back too. */
static void gather_rows_lost(Gathering *gathering, const StepRecord *step) {
        const char *lost = strstr(step->detail, ROWS_LOST_WORDS);
        if (!lost || gathering->rows_lost[0])
                return;
        const char *end = strstr(lost, "; " SCHEMA_CHANGED_WORD);
        SAY(gathering, rows_lost, "%.*s", end ? (int)(end - lost) : DETAIL_MAX, lost);
        gathering->input.rows_lost = gathering->rows_lost;
}

static void gather_run(Gathering *gathering) {
        const Run *run = gathering->run;
        gathering->input.requests_failed = run ? run->requests_failed : -1;
        gathering->input.in_flight_cut = run ? run->in_flight_cut : 0;
        gathering->input.run_words = gathering->run_words;
        if (run) {
                gather_rows_lost(gathering, &run->steps[STEP_RESTORE_VERSION]);
                gather_rows_lost(gathering, &run->recovery[STEP_RESTORE_VERSION]);
        }
        if (!run)
                SAY(gathering, run_words, "no run of ours to go by");
        else if (run->requests_failed < 0)
                SAY(gathering, run_words, "run %" PRId64 " could not count failed requests%s", run->id,
                    gathering->controller->config->metrics_driver ? "" : " (metrics.source is none)");
}

/* ---- the cluster ---- */

/* What was asked then was asked before the run's end, on the wall's clock. */
static bool is_stale(const Gathering *gathering, int64_t at_mono) {
        return gathering->now_wall - (gathering->now_mono - at_mono) < run_ended_wall(gathering);
}

static void gather_consensus(Gathering *gathering) {
        const Controller *controller = gathering->controller;
        ValidationInput *input = &gathering->input;
        if (!controller->config->consensus_driver) {
                input->consensus.absent = input->byzantine.absent = "no cluster is watched: consensus.driver is none";
                return;
        }
        if (!controller->checkup) {
                input->consensus.words = input->byzantine.words =
                        controller->role == ROLE_DAEMON ? "not measured yet" : NO_CONTROLLER;
                return;
        }
        const ConsensusView *view = checkup_consensus_view(controller->checkup);
        const ConsensusState *state = checkup_consensus(controller->checkup);
        if (!view || !state || is_stale(gathering, state->at_mono)) {
                input->consensus.words = input->byzantine.words = "the cluster did not answer since the run";
                return;
        }
        input->consensus = (ValidationFact){.state = view->quorum, .words = view->words};
        input->byzantine.state = view->byzantine > 0 ? KNOWN_FALSE : view->data_agrees ? KNOWN_TRUE : KNOWN_NOT;
        SAY(gathering, byzantine, "%u of %u members", view->byzantine, view->count);
        for (unsigned i = 0; i < view->count && i < state->count; i++)
                if (view->is_byzantine[i])
                        SAY(gathering, byzantine, ", %s", state->members[i].name);
        if (input->byzantine.state == KNOWN_NOT)
                SAY(gathering, byzantine, ": no majority's data could be compared");
        input->byzantine.words = gathering->byzantine;
}

/* Replication: a server that doesn't answer, or a replica that isn't near, fails it. With no replica and none expected there is nothing to
 * be near. Without an adapter a component of that name may still say that the database is down. */
static void gather_database(Gathering *gathering) {
        const Controller *controller = gathering->controller;
        const Health *health = controller->checkup ? checkup_health(controller->checkup) : NULL;
        const ComponentHealth *component = health ? health_find(health, "database") : NULL;
        ValidationFact *database = &gathering->input.database;
        bool down = component && component->configured && component->state == HEALTH_UNHEALTHY;
        if (down)
                *database = (ValidationFact){.state = KNOWN_FALSE, .words = component->reason};
        else if (!controller->config->data_driver)
                database->absent = "nothing measures replication: data.driver is none";
        if (down || database->absent)
                return;
        const ReplicationView *view = controller->checkup ? checkup_replication_view(controller->checkup) : NULL;
        if (!view)
                database->words = component && component->checked_wall > 0 ? component->reason
                                  : controller->role == ROLE_DAEMON        ? "not measured yet"
                                                                           : NO_CONTROLLER;
        else if (is_stale(gathering, checkup_replication(controller->checkup)->at_mono))
                database->words = "it was not asked since the run";
        else if (view->count == 0 && view->healthy == KNOWN_TRUE)
                database->absent = "no replica is connected, and none is expected (data.postgres.replicas)";
        else
                *database = (ValidationFact){.state = view->healthy, .words = view->words};
}

/* What a consistency check said counts when it was begun after the run. */
static void gather_data(Gathering *gathering) {
        const ConsistencyView *view = consistency_view(gathering->controller);
        bool told = view->state == CONSISTENCY_PASSED || view->state == CONSISTENCY_DAMAGED;
        if (!told || view->begun_wall < run_ended_wall(gathering))
                return;
        SAY(gathering, data, "consistency check: %s", view->detail);
        gathering->input.data =
                (ValidationFact){.state = known(view->state == CONSISTENCY_PASSED), .words = gathering->data};
}

static void gather_traffic(Gathering *gathering) {
        const Controller *controller = gathering->controller;
        const Config *config = controller->config;
        ValidationFact *traffic = &gathering->input.traffic, *source = &gathering->input.source;
        const TrafficState *state = controller->watcher ? watcher_traffic(controller->watcher) : NULL;
        MetricsPulse pulse = {0};
        if (!config->traffic_driver)
                traffic->absent = "no balancer is asked: traffic.driver is none";
        else if (state)
                traffic->state = known(!state->drained);
        else if (controller->watcher)
                SAY(gathering, traffic, "the balancer's state is not known: %s",
                    watcher_traffic_problem(controller->watcher));
        traffic->words = gathering->traffic;

        if (!config->metrics_driver)
                source->absent = "nothing is measured: metrics.source is none";
        else if (controller->role != ROLE_DAEMON)
                SAY(gathering, source, NO_CONTROLLER ": nothing is measured");
        else if (controller->watcher && watcher_pulse(controller->watcher, &pulse)) {
                source->state = known(pulse.connected);
                SAY(gathering, source, "%s is %s%s%s", config->metrics_driver->name,
                    pulse.connected ? "heard" : "not heard", pulse.connected || !pulse.detail[0] ? "" : ": ",
                    pulse.connected ? "" : pulse.detail);
        } else {
                source->state = KNOWN_FALSE;
                SAY(gathering, source, "%s could not be opened", config->metrics_driver->name);
        }
        source->words = gathering->source;
}

/* ---- what watches ---- */

/* Of the rollback itself two may stand: the notice that it was done, and what an earlier validation of it said. */
static bool is_about_this(const Alert *alert) {
        return strcmp(alert->source, "rollback") == 0 || strcmp(alert->source, "validation") == 0;
}

/* The machine is to be looked at, whatever release runs: no incident of the rollback. */
static bool is_machine_review(const Alert *alert) {
        static const char *const sources[] = {"cpu", "memory", "disk", "history"};
        for (unsigned i = 0; i < ARRAY_SIZE(sources); i++)
                if (strcmp(alert->source, sources[i]) == 0)
                        return true;
        return false;
}

static bool is_incident(const Alert *alert) {
        return !is_about_this(alert) && !is_machine_review(alert);
}

/* Alerts tell of now, and die with their process; an incident that nobody has resolved outlives it. Of those only the ones about the
 * release that serves now count: what was rolled back from is over as far as the service goes, however much is left to be
 * written about it; and the rollback's own incident is what is being judged. */
static void gather_incidents(Gathering *gathering) {
        Controller *controller = gathering->controller;
        int64_t own = controller->validating.run_id ? controller->validating.run_id : controller->deployment.run_id;
        int unresolved = incidents_of_live(controller, own);
        unsigned count = 0;
        const char *separator = "; manual reviews of this machine stand: ";
        for (unsigned i = 0; i < controller->alert_count; i++)
                count += is_incident(&controller->alerts[i]);
        SAY(gathering, incidents, "%u alerts", count);
        if (unresolved >= 0)
                SAY(gathering, incidents, ", %d unresolved incidents of %s", unresolved, controller->version);
        for (unsigned i = 0; i < controller->alert_count; i++)
                if (is_incident(&controller->alerts[i]))
                        SAY(gathering, incidents, "; %s: %s", controller->alerts[i].source,
                            controller->alerts[i].message);
        for (unsigned i = 0; i < controller->alert_count; i++)
                if (is_machine_review(&controller->alerts[i])) {
                        SAY(gathering, incidents, "%s%s", separator, controller->alerts[i].source);
                        separator = ", ";
                }
        if (count == 0 && controller->role != ROLE_DAEMON) { /* alerts are its own */
                gathering->input.incidents.words = NO_CONTROLLER ": which alerts stand is not known";
                return;
        }
        gathering->input.incidents =
                (ValidationFact){.state = known(count == 0 && unresolved <= 0), .words = gathering->incidents};
}

static void gather_monitoring(Gathering *gathering) {
        const Controller *controller = gathering->controller;
        const Sample *sample = gathering->input.sample;
        int64_t answered = prober_answered_mono(controller->prober);
        gathering->input.sample_age_us = sample ? gathering->now_mono - sample->end_mono : -1;
        gathering->input.probe_age_us =
                answered > 0 && controller->role == ROLE_DAEMON ? gathering->now_mono - answered : -1;
        gathering->input.probe_interval_us =
                controller->config->health_interval_us + controller->config->health_timeout_us;
}

/* Whether the newest lines of the log tell how the run ended. */
static bool log_has_end(const char *path, off_t size, const Run *run) {
        AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        AUTO_FREE char *tail = malloc(LOG_TAIL + 1);
        char line[64];
        if (fd < 0 || !tail)
                return false;
        ssize_t length = pread(fd, tail, LOG_TAIL, size > LOG_TAIL ? size - LOG_TAIL : 0);
        tail[length > 0 ? length : 0] = '\0';
        /* as aftermath.c says it; how it began reads "run 12: manual rollback" */
        snprintf(line, sizeof line, " run %" PRId64 ": %s ", run->id,
                 run->plan.kind == RUN_ROLLBACK ? "rollback" : "deployment");
        return strstr(tail, line) != NULL;
}

static void gather_logs(Gathering *gathering) {
        const char *path = gathering->controller->config->log;
        const Run *run = gathering->run;
        struct stat status;
        char number[WORDS_MAX];
        gathering->input.logs = (ValidationFact){.state = KNOWN_FALSE, .words = gathering->logs};
        if (stat(path, &status) < 0 || !S_ISREG(status.st_mode)) {
                SAY(gathering, logs, "%s is no file", path);
                return;
        }
        if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0) {
                if (gathering->controller->role != ROLE_DAEMON)
                        gathering->input.logs.state =
                                KNOWN_NOT; /* we may not; whether the controller may isn't known */
                SAY(gathering, logs, "%s can't be written: %s", path, strerror(errno));
                return;
        }
        int64_t written = (int64_t)status.st_mtim.tv_sec * USEC_PER_SEC + status.st_mtim.tv_nsec / 1000;
        LogFileState file = {0};
        if (gathering->controller->role == ROLE_DAEMON && log_file_state(&file)) {
                written = file.written_wall;
                if (file.lost > 0) { /* they still go to systemd's journal, when there is one */
                        bool journald = getenv("JOURNAL_STREAM") != NULL;
                        gathering->input.logs.state = known(journald);
                        SAY(gathering, logs, "%" PRId64 " lines can't be written to the log file: %s%s", file.lost,
                            strerror(-file.last_errno), journald ? "; systemd's journal has them" : "");
                        return;
                }
        }
        int64_t age = gathering->now_wall > written ? gathering->now_wall - written : 0;
        bool since = written + COARSE_CLOCK_US >= run_ended_wall(gathering);
        bool gap = file.lost_wall > 0 && file.lost_wall >= run_ended_wall(gathering);
        gathering->input.logs.state = since && gap ? KNOWN_NOT : known(since);
        if (gap)
                SAY(gathering, logs, "lines since the run are missing (%s), now they are written again; ",
                    strerror(-file.last_errno));
        if (run && log_has_end(path, status.st_size, run))
                SAY(gathering, logs, "run %" PRId64 "'s end is in it; ", run->id);
        SAY(gathering, logs, "newest line %s ago", words_duration(age / USEC_PER_MSEC * USEC_PER_MSEC, number));
}

/* Whether anybody at all can be told: one who takes nothing at this moment is said, and is an alert when it lasts. Without a daemon
 * nothing is known of them but that they are configured. */
static void gather_receivers(Gathering *gathering, bool *ret_sound) {
        Controller *controller = gathering->controller;
        Outbox *outbox = controller->role == ROLE_DAEMON ? telling_outbox(controller) : NULL;
        ReceiverView view;
        for (unsigned i = 0; i < outbox_count(outbox); i++) {
                outbox_view(outbox, i, &view);
                bool failing = view.failing_wall != 0 || view.gone;
                *ret_sound = *ret_sound || !failing;
                SAY(gathering, alerts, "%s%s: %s", i ? "; " : "", view.config->name,
                    failing               ? view.error
                    : view.delivered_wall ? "took the last message"
                                          : "set, not needed yet");
        }
        if (outbox || controller->config->receiver_count == 0)
                return;
        SAY(gathering, alerts, "%u receivers are set", controller->config->receiver_count);
        *ret_sound = true;
}

static void gather_alerts(Gathering *gathering) {
        const Controller *controller = gathering->controller;
        const char *const *command = controller->config->alert_command;
        bool sound = false;
        if ((!command || !command[0]) && controller->config->receiver_count == 0) {
                gathering->input.alerts.absent = "nobody is told: neither receivers nor alerts.command are set";
                return;
        }
        gather_receivers(gathering, &sound);
        if (!command || !command[0]) {
                gathering->input.alerts = (ValidationFact){.state = known(sound), .words = gathering->alerts};
                return;
        }
        bool there = command[0][0] != '/' || faccessat(AT_FDCWD, command[0], X_OK, AT_EACCESS) == 0;
        bool failed = controller->alert_command_worked == KNOWN_FALSE;
        SAY(gathering, alerts, "%s%s: %s", gathering->alerts[0] ? "; " : "", command[0],
            !there                                           ? "can't be run"
            : failed                                         ? "failed the last time"
            : controller->alert_command_worked == KNOWN_TRUE ? "worked the last time"
                                                             : "set, not needed yet");
        gathering->input.alerts =
                (ValidationFact){.state = known((there && !failed) || sound), .words = gathering->alerts};
}

void validation_judge(Controller *controller, const Sample *sample, Validation *ret_validation) {
        Gathering gathered = {.controller = controller, .now_mono = clock_mono_us(), .now_wall = clock_wall_us()};
        Gathering *gathering = &gathered;
        Run run;
        Error error = {0};
        gathered.input.rules = &controller->config->rules;
        gathered.input.expected_version = controller->deployment_known ? controller->deployment.version : NULL;
        gathered.input.current_version = controller->version;
        gathered.input.sample = sample;
        if (controller->deployment_known && controller->deployment.run_id > 0 && controller->journal &&
            journal_run(controller->journal, controller->deployment.run_id, &run, &error) == 1)
                gathered.run = &run;
        gather_service(gathering);
        gather_health(gathering);
        gather_baseline(gathering);
        gather_run(gathering);
        gather_consensus(gathering);
        gather_database(gathering);
        gather_data(gathering);
        gather_traffic(gathering);
        gather_incidents(gathering);
        gather_monitoring(gathering);
        gather_logs(gathering);
        gather_alerts(gathering);
        validate(&gathering->input, ret_validation);
}
