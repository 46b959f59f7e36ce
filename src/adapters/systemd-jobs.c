#include "adapters/systemd-jobs.h"

#include "adapters/systemd-unit.h"
#include "base/macros.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* How often the units are looked at while their jobs run. The signal JobRemoved normally tells the end; looking makes up for one
 * that was lost while PID 1 or the bus changed hands, and notes the state for the time-out's message. */
#define LOOK_INTERVAL_US (250 * USEC_PER_MSEC)

typedef struct JobsRequest JobsRequest;

typedef struct UnitJob {
        JobsRequest *request;
        char unit[SYSTEMD_UNIT_MAX];
        sd_bus_slot *call, *kill;
        char path[64];   /* of the job; "": systemd has not answered yet */
        char result[32]; /* how it ended: "done" "failed" "canceled" "timeout" "dependency" "skipped" */
        bool settled;
        bool queued_at_look; /* its path was known when the newest look began */
} UnitJob;

struct JobsRequest {
        SystemdRequest request;
        JobsGoal goal;
        UnitSet units;
        unsigned count;
        UnitJob jobs[UNITS_MAX];
        sd_bus *connection; /* of this attempt; a reference */
        sd_bus_slot *removed;
        UnitReader *reader;
        sd_event_source *look;
};

typedef enum Verdict { VERDICT_WAIT, VERDICT_REACHED, VERDICT_FAILED, VERDICT_LOST } Verdict;

static const char *goal_verb(const JobsRequest *self) {
        return self->goal == JOBS_START || self->goal == JOBS_RUN ? "start" : "stop";
}

static void jobs_forget(SystemdRequest *request) {
        JobsRequest *self = (JobsRequest *)request;
        for (unsigned i = 0; i < self->count; i++) {
                UnitJob *job = &self->jobs[i];
                job->call = sd_bus_slot_unref(job->call);
                job->kill = sd_bus_slot_unref(job->kill);
                job->settled = false;
                job->path[0] = job->result[0] = '\0';
        }
        self->removed = sd_bus_slot_unref(self->removed);
        self->reader = unit_reader_free(self->reader);
        self->look = sd_event_source_disable_unref(self->look);
        self->connection = sd_bus_unref(self->connection);
}

/* ---- judging ---- */

/* The job is neither queued nor did we hear of its end: the signal was lost. */
static bool end_was_lost(const UnitJob *job, const UnitStatus *unit) {
        return !job->settled && job->queued_at_look && unit->job == 0;
}

static Verdict judge_stop(const UnitJob *job, const UnitStatus *unit, Error *error) {
        if (unit_is_down(unit))
                return VERDICT_REACHED;
        if (end_was_lost(job, unit))
                return VERDICT_LOST;
        if (!job->settled)
                return VERDICT_WAIT;
        char text[DETAIL_MAX];
        error_set(error, -EIO, "%s was not stopped (its stop job: %s)%s; now %s", job->unit, job->result,
                  strcmp(job->result, "done") == 0 || strcmp(job->result, "canceled") == 0
                          ? ", somebody else started it"
                          : "",
                  unit_describe(unit, text, sizeof text));
        return VERDICT_FAILED;
}

static Verdict judge_start(const UnitJob *job, const UnitStatus *unit, Error *error) {
        if (unit_is_active(unit) && (job->settled || unit->job == 0))
                return VERDICT_REACHED;
        bool lost = end_was_lost(job, unit);
        if (!job->settled && !lost)
                return VERDICT_WAIT;
        if (lost && strcmp(unit->active_state, "failed") != 0)
                return VERDICT_LOST;
        char text[DETAIL_MAX];
        unit_describe(unit, text, sizeof text);
        if (strcmp(job->result, "done") == 0 && strcmp(unit->active_state, "inactive") == 0)
                error_set(
                        error, -EIO,
                        "%s; its start job was done all the same: a condition of the unit is not met, or it is no lasting service; see: systemctl status %s",
                        text, job->unit);
        else
                error_set(error, -EIO, "%s; its start job: %s; see: journalctl -u %s", text,
                          lost ? "not known" : job->result, job->unit);
        return VERDICT_FAILED;
}

static Verdict judge_run(const UnitJob *job, const UnitStatus *unit, Error *error) {
        if (end_was_lost(job, unit))
                return VERDICT_LOST; /* runs once more: they are idempotent */
        if (!job->settled)
                return VERDICT_WAIT;
        if (strcmp(job->result, "done") == 0)
                return VERDICT_REACHED;
        char text[DETAIL_MAX];
        error_set(error, -EIO, "%s; see: journalctl -u %s", unit_describe(unit, text, sizeof text), job->unit);
        return VERDICT_FAILED;
}

static Verdict judge(JobsGoal goal, const UnitJob *job, const UnitStatus *unit, Error *error) {
        switch (goal) {
        case JOBS_START:
                return judge_start(job, unit, error);
        case JOBS_RUN:
                return judge_run(job, unit, error);
        case JOBS_STOP:
        case JOBS_KILL:
        default:
                return judge_stop(job, unit, error);
        }
}

/* Killed by us it ends as "failed", which would look like a crash for as long as it is loaded. */
static void forgive_kill(JobsRequest *self, const UnitStatus *unit) {
        if (unit->exec_code == CLD_KILLED && unit->exec_status == SIGKILL)
                (void)sd_bus_call_method_async(self->connection, NULL, SYSTEMD_SERVICE, SYSTEMD_OBJECT, SYSTEMD_MANAGER,
                                               "ResetFailedUnit", NULL, NULL, "s", unit->name);
}

static void succeed(JobsRequest *self, const UnitStatus *units) {
        UnitsState state;
        for (unsigned i = 0; i < self->count && self->goal == JOBS_KILL; i++)
                forgive_kill(self, &units[i]);
        units_summarize(units, self->count, &state);
        op_succeed(&self->request.op, state.detail);
}

static void on_units_read(void *userdata, int r, const UnitStatus *units, unsigned count, const Error *error) {
        JobsRequest *self = userdata;
        if (r < 0) {
                if (r == -EAGAIN)
                        systemd_request_retry(&self->request, error_text(error));
                else
                        systemd_request_fail(&self->request, error);
                return;
        }
        unsigned reached = 0;
        Error failure = {0};
        for (unsigned i = 0; i < count; i++) {
                Verdict verdict = judge(self->goal, &self->jobs[i], &units[i], &failure);
                if (verdict == VERDICT_FAILED) {
                        systemd_request_fail(&self->request, &failure);
                        return;
                }
                if (verdict == VERDICT_LOST) {
                        systemd_request_retry(&self->request, "the end of its job was not heard");
                        return;
                }
                reached += verdict == VERDICT_REACHED;
        }
        if (reached == count) {
                succeed(self, units);
                return;
        }
        UnitsState state;
        units_summarize(units, count, &state);
        systemd_request_note(&self->request, state.detail);
        self->reader = unit_reader_free(self->reader);
}

/* ---- acting ---- */

static void look(JobsRequest *self) {
        Error error = {0};
        self->reader = unit_reader_free(self->reader);
        for (unsigned i = 0; i < self->count; i++)
                self->jobs[i].queued_at_look = self->jobs[i].path[0] != '\0';
        if (unit_reader_begin(self->connection, &self->units, on_units_read, self, &self->reader, &error) < 0)
                systemd_request_retry(&self->request, error_text(&error));
}

static bool all_settled(const JobsRequest *self) {
        for (unsigned i = 0; i < self->count; i++)
                if (!self->jobs[i].settled)
                        return false;
        return true;
}

static void settle(UnitJob *job, const char *result) {
        job->settled = true;
        snprintf(job->result, sizeof job->result, "%s", result);
        if (all_settled(job->request))
                look(job->request);
}

static int on_job_removed(sd_bus_message *message, void *userdata, UNUSED sd_bus_error *ret_error) {
        JobsRequest *self = userdata;
        const char *path, *result;
        if (sd_bus_message_read(message, "uoss", NULL, &path, NULL, &result) < 0)
                return 0;
        for (unsigned i = 0; i < self->count; i++) {
                UnitJob *job = &self->jobs[i];
                if (!job->settled && strcmp(job->path, path) == 0) {
                        settle(job, result);
                        break; /* it may have ended the request */
                }
        }
        return 0;
}

static int on_job_queued(sd_bus_message *message, void *userdata, UNUSED sd_bus_error *ret_error) {
        UnitJob *job = userdata;
        const sd_bus_error *bus_error = sd_bus_message_get_error(message);
        const char *path = "";
        bool stops = job->request->goal == JOBS_STOP || job->request->goal == JOBS_KILL;
        if (bus_error && systemd_error_is_no_unit(bus_error) && stops)
                settle(job, "done"); /* not loaded: nothing runs */
        else if (bus_error)
                systemd_request_refused(&job->request->request, goal_verb(job->request), job->unit, bus_error);
        else if (sd_bus_message_read(message, "o", &path) >= 0)
                snprintf(job->path, sizeof job->path, "%s", path);
        return 0;
}

static int call_unit(JobsRequest *self, sd_bus_slot **slot, const char *method, sd_bus_message_handler_t handler,
                     UnitJob *job, const char *mode) {
        *slot = sd_bus_slot_unref(*slot);
        return sd_bus_call_method_async(self->connection, slot, SYSTEMD_SERVICE, SYSTEMD_OBJECT, SYSTEMD_MANAGER,
                                        method, handler, job, "ss", job->unit, mode);
}

/* What is gone by now answers with an error, and that is as well. */
static int on_killed(UNUSED sd_bus_message *message, UNUSED void *userdata, UNUSED sd_bus_error *ret_error) {
        return 0;
}

static int kill_processes(JobsRequest *self, UnitJob *job) {
        job->kill = sd_bus_slot_unref(job->kill);
        return sd_bus_call_method_async(self->connection, &job->kill, SYSTEMD_SERVICE, SYSTEMD_OBJECT, SYSTEMD_MANAGER,
                                        "KillUnit", on_killed, job, "ssi", job->unit, "all", (int32_t)SIGKILL);
}

/* Again and again for JOBS_KILL: an ExecStopPost= started after the first SIGKILL can hang as well. */
static int on_look(sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        JobsRequest *self = userdata;
        for (unsigned i = 0; i < self->count && self->goal == JOBS_KILL; i++)
                (void)kill_processes(self, &self->jobs[i]);
        sd_event_source_set_time_relative(source, LOOK_INTERVAL_US);
        sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        if (!self->reader)
                look(self);
        return 0;
}

static int on_reset(UNUSED sd_bus_message *message, void *userdata, UNUSED sd_bus_error *ret_error) {
        UnitJob *job = userdata;
        int r = call_unit(job->request, &job->call, "StartUnit", on_job_queued, job, "replace");
        if (r < 0)
                systemd_request_retry(&job->request->request, strerror(-r));
        return 0;
}

static int queue_unit(JobsRequest *self, UnitJob *job) {
        if (self->goal == JOBS_START || self->goal == JOBS_RUN) {
                /* Starts by hand count towards the start limit too, and a release that was tried often must still start now. If
                 * that is refused, the start will be too, and tells it better. */
                return sd_bus_call_method_async(self->connection, &job->call, SYSTEMD_SERVICE, SYSTEMD_OBJECT,
                                                SYSTEMD_MANAGER, "ResetFailedUnit", on_reset, job, "s", job->unit);
        }
        /* The stop first: it keeps Restart= from answering the SIGKILL. */
        int r = call_unit(self, &job->call, "StopUnit", on_job_queued, job, "replace");
        return r >= 0 && self->goal == JOBS_KILL ? kill_processes(self, job) : r;
}

static int jobs_attempt(SystemdRequest *request, sd_bus *bus, Error *error) {
        JobsRequest *self = (JobsRequest *)request;
        self->connection = sd_bus_ref(bus);
        /* All signals are asked for before anything is queued, so none is missed. */
        int r = systemd_match(bus, NULL, SYSTEMD_MANAGER, "JobRemoved", on_job_removed, self, &self->removed);
        if (r >= 0)
                r = systemd_subscribe(bus, NULL, NULL, NULL);
        for (unsigned i = 0; r >= 0 && i < self->count; i++) {
                /* started in the order of the set, stopped in the reverse; systemd's own ordering comes first */
                bool stops = self->goal == JOBS_STOP || self->goal == JOBS_KILL;
                unsigned at = stops ? self->count - 1 - i : i;
                r = queue_unit(self, &self->jobs[at]);
        }
        if (r >= 0)
                r = sd_event_add_time_relative(request->op.event, &self->look, CLOCK_BOOTTIME, LOOK_INTERVAL_US, 1000,
                                               on_look, self);
        return r < 0 ? error_set(error, r, "%s: cannot ask systemd: %s", request->subject, strerror(-r)) : 0;
}

int systemd_jobs_begin(SystemdBus *bus, JobsGoal goal, const UnitSet *units, int64_t budget_us, OpCallback callback,
                       void *userdata, Op **ret_op, Error *error) {
        static const SystemdRequestType type = {jobs_attempt, jobs_forget};
        if (units->count == 0 || units->count > UNITS_MAX)
                return error_set(error, -EINVAL, "a job needs 1 to %d units, not %u", UNITS_MAX, units->count);
        JobsRequest *self = calloc(1, sizeof *self);
        if (!self)
                return error_set(error, -ENOMEM, "cannot ask systemd for a job: out of memory");
        self->goal = goal;
        self->units = *units;
        self->count = units->count;
        for (unsigned i = 0; i < self->count; i++) {
                self->jobs[i].request = self;
                systemd_unit_name(units->names[i], self->jobs[i].unit);
        }
        systemd_request_name(&self->request, goal == JOBS_KILL ? "kill" : goal_verb(self), units);
        return systemd_request_begin(&self->request, bus, &type, budget_us, callback, userdata, ret_op, error);
}
