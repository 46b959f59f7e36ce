/* What is gathered for an incident at the time, because later the releases may be gone and the log rotated: what differs between the
 * two, the last lines of the unit that failed, the samples. What reads files or writes them does so in a process of its own,
 * one at a time, so that neither the loop nor a step ever waits for a disk. */
#include "api/wire.h"
#include "base/clock.h"
#include "base/fsio.h"
#include "base/log.h"
#include "base/mask.h"
#include "base/text.h"
#include "daemon/incident-report.h"
#include "daemon/incidents-internal.h"
#include "daemon/release-diff.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define CAPTURE_BUDGET_US (10 * USEC_PER_SEC)
#define REPORT_BUDGET_US (10 * USEC_PER_SEC)
#define LOG_BYTES_MAX (96 * 1024) /* of all lines */
#define SHOWN_LINE_MAX 1000
#define ROOM_LEFT_BYTES (16 * 1024 * 1024)     /* a report isn't written when less is left: others need it more */
#define OBSERVED_AFTER_US (60 * USEC_PER_SEC)  /* what others deploy is noticed a little later */
#define LOG_BEFORE_US (10 * 60 * USEC_PER_SEC) /* when it isn't known since when the release runs */

char *incident_directory(const Config *config, int64_t id, char *buffer, size_t size) {
        snprintf(buffer, size, "%s/incidents/%" PRId64, config->state, id);
        return buffer;
}

static void next_task(Controller *controller);

/* ---- samples ---- */

static void keep_samples(Controller *controller, const struct Incidents *incidents) {
        Error error = {0};
        AUTO_FREE char *text = json_dumps(incidents->collected, JSON_COMPACT | JSON_REAL_PRECISION(9));
        if (text && journal_set_part(controller->journal, incidents->collecting_id, "samples", text, &error) < 0)
                log_warn("the samples of incident %" PRId64 " could not be journalled: %s", incidents->collecting_id,
                         error_text(&error));
}

void incident_collect(Controller *controller, const Incident *incident) {
        struct Incidents *incidents = incidents_of(controller);
        const Rules *rules = &controller->config->rules;
        if (!incidents || controller->role != ROLE_DAEMON || incident->source[0] != '\0')
                return;
        bool other = incidents->collecting_id != incident->id;
        incidents->collecting_id = incident->id;
        incidents->collecting_until_mono = clock_mono_us() + 2 * rules->window_us;
        if (!other)
                return;
        json_decref(incidents->collected);
        incidents->collected = json_array();
        for (unsigned i = 0; i < incidents->sample_count; i++)
                json_array_append_new(incidents->collected, wire_sample(&incidents->samples[i], rules, 0));
        keep_samples(controller, incidents);
}

void incident_collect_until(Controller *controller, int64_t id, int64_t from_now_us) {
        struct Incidents *incidents = controller->incidents;
        if (incidents && incidents->collecting_id == id)
                incidents->collecting_until_mono = clock_mono_us() + from_now_us;
}

void incidents_sampled(Controller *controller, const Sample *sample) {
        struct Incidents *incidents =
                controller->role == ROLE_DAEMON && controller->journal ? incidents_of(controller) : NULL;
        if (!incidents)
                return;
        if (incidents->sample_count == INCIDENT_SAMPLES_BEFORE)
                memmove(incidents->samples, incidents->samples + 1, --incidents->sample_count * sizeof *sample);
        incidents->samples[incidents->sample_count++] = *sample;
        if (incidents->collecting_id == 0)
                return;
        json_array_append_new(incidents->collected, wire_sample(sample, &controller->config->rules, 0));
        keep_samples(controller, incidents);
        if (clock_mono_us() < incidents->collecting_until_mono &&
            json_array_size(incidents->collected) < INCIDENT_SAMPLES_MAX)
                return;
        incident_queue(controller, incidents->collecting_id, TASK_REPORT);
        incidents->collecting_id = 0;
        json_decref(incidents->collected);
        incidents->collected = NULL;
}

/* ---- in the other process: gathering ---- */

typedef struct Gather {
        const Config *config;
        unsigned what;
        char before[VERSION_MAX], after[VERSION_MAX]; /* of the difference; "": there is none to make */
        char logged[VERSION_MAX], target[VERSION_MAX];
        int64_t since_wall, until_wall; /* of the log of what misbehaved */
        int64_t target_since_wall;
} Gather;

typedef struct Lines {
        json_t *list;
        Mask mask;
        size_t bytes;
        bool cut;
} Lines;

static void take_line(void *userdata, int64_t at_wall, const char *text) {
        Lines *lines = userdata;
        char shown[SHOWN_LINE_MAX], line[MASK_LINE_MAX];
        (void)text_to_line(text, line, sizeof line);
        (void)mask_line(&lines->mask, line, shown, sizeof shown);
        lines->bytes += strlen(shown) + 40;
        lines->cut = lines->cut || lines->bytes > LOG_BYTES_MAX;
        if (!lines->cut)
                json_array_append_new(lines->list,
                                      json_pack("{s:o, s:o}", "at", wire_time(at_wall), "text", wire_text(shown)));
}

/* The shape `unit_log`. */
static json_t *gather_log(const Gather *gather, const char *version, int64_t since_wall, int64_t until_wall) {
        const UnitsDriver *driver = gather->config->units_driver;
        AUTO_FREE UnitSet *units = calloc(1, sizeof *units);
        Lines lines = {.list = json_array()};
        Error error = {0};
        json_t *names = json_array();
        int r = units ? config_units(gather->config, version, units, &error) : -ENOMEM;
        for (unsigned i = 0; r >= 0 && i < units->count; i++)
                json_array_append_new(names, wire_text(units->names[i]));
        if (r >= 0)
                r = driver->last_lines
                            ? driver->last_lines(gather->config->units_settings, units, since_wall, until_wall,
                                                 (unsigned)gather->config->incident_log_lines, take_line, &lines,
                                                 &error)
                            : error_set(&error, -EOPNOTSUPP, "the log of a %s unit isn't known", driver->name);
        const char *problem = r < 0       ? error_text(&error)
                              : lines.cut ? "there is more: the lines are too long"
                              : json_array_size(lines.list) == 0
                                      ? "nothing was logged, or this user may not read it (group systemd-journal)"
                                      : "";
        return json_pack("{s:s, s:o, s:o, s:o}", "version", version, "units", names, "lines", lines.list, "note",
                         wire_text(problem));
}

static int write_all(int fd, const char *text) {
        for (size_t left = strlen(text); left > 0;) {
                ssize_t n = write(fd, text, left);
                if (n < 0)
                        return -errno;
                text += n;
                left -= (size_t)n;
        }
        return 0;
}

static int gather_job(void *argument, int output) {
        const Gather *gather = argument;
        json_t *all = json_object();
        if (gather->what & TASK_CAPTURE) {
                json_object_set_new(all, "difference",
                                    gather->before[0] ? release_diff(gather->config, gather->before, gather->after)
                                                      : json_null());
                if (gather->logged[0])
                        json_object_set_new(all, "log",
                                            gather_log(gather, gather->logged, gather->since_wall, gather->until_wall));
        }
        if (gather->what & TASK_TARGET_LOG && gather->target[0])
                json_object_set_new(all, "target_log",
                                    gather_log(gather, gather->target, gather->target_since_wall, clock_wall_us()));
        AUTO_FREE char *text = json_dumps(all, JSON_COMPACT);
        return text && write_all(output, text) == 0 ? 0 : 1;
}

/* ---- what is to be gathered ---- */

/* A deployment is noted when it is done; its release was started before that. */
static int64_t live_since(Controller *controller, const Incident *incident) {
        const Deployment *deployment = &controller->deployment;
        AUTO_FREE Run *run = calloc(1, sizeof *run);
        Error error = {0};
        if (!controller->deployment_known || deployment->id != incident->deployment_id)
                return incident->opened_wall - LOG_BEFORE_US;
        if (run && deployment->run_id && journal_run(controller->journal, deployment->run_id, run, &error) == 1)
                return run->created_wall;
        return deployment->at_wall - OBSERVED_AFTER_US;
}

/* What the release that misbehaves brought, against the one it is rolled back to; else against the one before it. */
static void choose_releases(Controller *controller, const Incident *incident, Gather *gather) {
        const Deployment *deployment = &controller->deployment;
        const char *before = incident->target;
        if (before[0] == '\0' && controller->deployment_known && deployment->id == incident->deployment_id)
                before = deployment->previous;
        if (incident->source[0] != '\0')
                return;
        memcpy(gather->logged, incident->version, sizeof gather->logged);
        memcpy(gather->target, incident->target, sizeof gather->target);
        if (before[0] == '\0' || incident->version[0] == '\0' || strcmp(before, incident->version) == 0)
                return;
        snprintf(gather->before, sizeof gather->before, "%s", before);
        memcpy(gather->after, incident->version, sizeof gather->after);
}

static void set_part(Controller *controller, int64_t id, const char *kind, const json_t *value) {
        Error error = {0};
        AUTO_FREE char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        if (!text || journal_set_part(controller->journal, id, kind, text, &error) < 0)
                log_warn("the %s of incident %" PRId64 " could not be journalled: %s", kind, id, error_text(&error));
}

static void on_gathered(void *userdata, const char *output, UNUSED size_t size, const Error *error) {
        Controller *controller = userdata;
        struct Incidents *incidents = controller->incidents;
        incidents->worker = NULL;
        json_t *all = error->code == 0 ? json_loads(output, 0, NULL) : NULL, *part;
        const char *kind;
        if (!all)
                log_warn("what belongs to incident %" PRId64 " could not be gathered: %s", incidents->current.id,
                         error->code ? error_text(error) : "the answer isn't whole");
        json_object_foreach(all, kind, part)
                set_part(controller, incidents->current.id, kind, part);
        json_decref(all);
        incidents->current.what &= TASK_REPORT;
        next_task(controller);
}

static int begin_gathering(Controller *controller, const Incident *incident, unsigned what, Error *error) {
        struct Incidents *incidents = controller->incidents;
        Gather gather = {.config = controller->config,
                         .what = what,
                         .since_wall = live_since(controller, incident),
                         .until_wall = incident->opened_wall,
                         .target_since_wall = incident->opened_wall};
        choose_releases(controller, incident, &gather);
        return worker_begin(controller->event, "gathering what belongs to an incident", gather_job, &gather,
                            3 * JOURNAL_PART_MAX, CAPTURE_BUDGET_US, on_gathered, controller, &incidents->worker,
                            error);
}

/* ---- the report ---- */

typedef struct Writing {
        const char *state, *directory;
        const json_t *details;
} Writing;

/* Where root writes into another's directory (break glass), that one could put links in its way: it is written with his rights. */
static int become_owner(const char *directory, Error *error) {
        struct stat owner;
        if (geteuid() != 0)
                return 0;
        if (stat(directory, &owner) < 0)
                return error_set(error, -errno, "%s: %s", directory, strerror(errno));
        if (owner.st_uid == 0)
                return 0;
        if (setgroups(0, NULL) < 0 || setresgid(owner.st_gid, owner.st_gid, owner.st_gid) < 0 ||
            setresuid(owner.st_uid, owner.st_uid, owner.st_uid) < 0)
                return error_set(error, -errno, "%s: its owner's rights can't be taken on: %s", directory,
                                 strerror(errno));
        return 0;
}

/* In the other process. */
static int write_job(void *argument, int output) {
        const Writing *writing = argument;
        struct statvfs space;
        Error error = {0};
        int r = become_owner(writing->state, &error);
        if (r >= 0)
                r = fs_make_directories(writing->directory, 0750, &error);
        if (r >= 0 && statvfs(writing->directory, &space) == 0 &&
            (uint64_t)space.f_bavail * space.f_frsize < ROOM_LEFT_BYTES)
                r = error_set(&error, -ENOSPC, "%s: too little room is left for a report", writing->directory);
        if (r >= 0)
                r = incident_report_write(writing->details, writing->directory, &error);
        if (r >= 0)
                return 0;
        (void)write_all(output, error_text(&error));
        return 0;
}

static void on_written(void *userdata, const char *output, size_t size, const Error *error) {
        Controller *controller = userdata;
        struct Incidents *incidents = controller->incidents;
        incidents->worker = NULL;
        if (error->code != 0 || size > 0)
                log_warn("the report of incident %" PRId64 " could not be written: %s", incidents->current.id,
                         error->code ? error_text(error) : output);
        incidents->current.what = 0;
        next_task(controller);
}

static int begin_writing(Controller *controller, const Incident *incident, Error *error) {
        struct Incidents *incidents = controller->incidents;
        char directory[PATH_MAX];
        json_t *details = incident_details(controller, incident);
        if (!details)
                return error_set(error, -ENOMEM, "out of memory");
        Writing writing = {.state = controller->config->state,
                           .directory =
                                   incident_directory(controller->config, incident->id, directory, sizeof directory),
                           .details = details};
        int r = worker_begin(controller->event, "writing an incident's report", write_job, &writing, 4096,
                             REPORT_BUDGET_US, on_written, controller, &incidents->worker, error);
        json_decref(details); /* the other process has its own */
        return r;
}

/* ---- one after the other ---- */

static int begin_task(Controller *controller, struct IncidentTask *task) {
        Incident incident;
        Error error = {0};
        int r = journal_incident(controller->journal, task->id, &incident, &error);
        if (r == 0)
                return 0;
        if (r > 0 && task->what & (TASK_CAPTURE | TASK_TARGET_LOG))
                r = begin_gathering(controller, &incident, task->what, &error);
        else if (r > 0)
                r = begin_writing(controller, &incident, &error);
        if (r < 0)
                log_warn("incident %" PRId64 ": %s", task->id, error_text(&error));
        return r < 0 ? 0 : 1;
}

static void next_task(Controller *controller) {
        struct Incidents *incidents = controller->incidents;
        while (!incidents->worker) {
                if (incidents->current.what == 0) {
                        if (incidents->task_count == 0)
                                break;
                        incidents->current = incidents->tasks[0];
                        incidents->task_count--;
                        memmove(incidents->tasks, incidents->tasks + 1,
                                incidents->task_count * sizeof incidents->tasks[0]);
                }
                if (begin_task(controller, &incidents->current) == 0) /* then at least a report of what there is */
                        incidents->current.what &=
                                incidents->current.what & (TASK_CAPTURE | TASK_TARGET_LOG) ? TASK_REPORT : 0;
        }
        if (!incidents->worker && controller->role == ROLE_BREAKGLASS && controller->on_alerts_told &&
            !alerts_under_way(controller))
                controller->on_alerts_told(controller->userdata);
}

void incident_queue(Controller *controller, int64_t id, unsigned what) {
        struct Incidents *incidents = incidents_of(controller);
        if (!incidents || !controller->journal)
                return;
        unsigned i = 0;
        while (i < incidents->task_count && incidents->tasks[i].id != id)
                i++;
        if (i == INCIDENT_TASKS_MAX) {
                log_warn("incident %" PRId64 " isn't gathered for: too many wait", id);
                return;
        }
        if (i == incidents->task_count)
                incidents->tasks[incidents->task_count++] = (struct IncidentTask){.id = id};
        incidents->tasks[i].what |= what;
        if (!incidents->worker)
                next_task(controller);
}

bool incidents_under_way(const Controller *controller) {
        return controller->incidents && controller->incidents->worker;
}

void incidents_free(Controller *controller) {
        struct Incidents *incidents = controller->incidents;
        if (!incidents)
                return;
        sd_event_source_disable_unref(incidents->soon);
        worker_cancel(incidents->worker);
        json_decref(incidents->collected);
        free(incidents);
        controller->incidents = NULL;
}
