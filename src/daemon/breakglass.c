#include "daemon/breakglass.h"

#include "api/problem.h"
#include "api/wire.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "base/fsio.h"
#include "base/fsowner.h"
#include "base/log.h"
#include "daemon/audit.h"
#include "daemon/controller.h"
#include "daemon/hung-holder.h"
#include "daemon/incidents.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#define LOOK_BUDGET_US                                                                                                 \
        (3 * USEC_PER_SEC) /* how long a reader waits for the first answers of units, balancer and health */

typedef struct BreakGlass {
        const Config *config;
        sd_event *event;
        Controller *controller;
        void (*on_event)(void *userdata, const char *type, const json_t *event);
        void *userdata;
        json_t *answer;        /* of the run that has ended */
        bool given;            /* what the run has made is the service user's */
        int64_t waiting_since; /* for another's lock (mono); 0: not */
} BreakGlass;

/* Root's hands in the service user's state: what was created here must not lock the controller out. */
void breakglass_leave_no_trace(const Config *config) {
        char log_directory[PATH_MAX];
        Error error = {0};
        if (fs_give_to_owner(config->state, &error) < 0)
                log_warn("%s", error_text(&error));
        if (fs_directory_of(config->log, log_directory, sizeof log_directory, &error) >= 0 &&
            fs_give_to_owner(log_directory, &error) < 0)
                log_warn("%s", error_text(&error));
}

static void tell(void *userdata, const char *type, const json_t *event) {
        BreakGlass *glass = userdata;
        if (!glass->given && strcmp(type, "run") == 0) { /* the first append has made its lock and its files */
                glass->given = true;
                breakglass_leave_no_trace(glass->config);
        }
        if (glass->on_event)
                glass->on_event(glass->userdata, type, event);
}

static void on_finished(void *userdata, const Run *run) {
        BreakGlass *glass = userdata;
        json_decref(glass->answer);
        glass->answer = wire_run(run, NULL);
        if (!alerts_under_way(glass->controller) && !incidents_under_way(glass->controller))
                sd_event_exit(glass->event, 0);
}

/* A page that was begun goes out before we end. */
static void on_alerts_told(void *userdata) {
        const BreakGlass *glass = userdata;
        if (glass->answer && !alerts_under_way(glass->controller) && !incidents_under_way(glass->controller))
                sd_event_exit(glass->event, 0);
}

static Caller ourselves(void) {
        Caller caller = {.uid = getuid(),
                         .gid = getgid(),
                         .pid = getpid(),
                         .whence = "this machine, without a controller",
                         .may_read = true,
                         .may_act = true};
        const struct passwd *user = getpwuid(getuid());
        snprintf(caller.name, sizeof caller.name, "%.60s (uid %u)", user ? user->pw_name : "unknown",
                 (unsigned)getuid());
        return caller;
}

static int not_allowed(Problem *problem, const Error *error) {
        return problem_set(
                problem, 403, EXIT_PERMISSION, "Not allowed",
                "%s. No controller answers, and doing it without one needs root or the service's user: type the same line with sudo",
                error_text(error));
}

/* Who may not write there can't do anything: said before anything is tried, and before it looks like a broken journal. What isn't
 * there, or what nobody can write to, is another matter. */
int breakglass_may(const Config *config, Problem *problem) {
        const char *const names[] = {"", "/journal.db", "/run.lock"};
        char path[PATH_MAX];
        Error error = {0};
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                snprintf(path, sizeof path, "%s%s", config->state, names[i]);
                if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0 || (errno != EACCES && errno != EPERM))
                        continue;
                error_set(&error, -errno, "%s can't be written to: %s", path, strerror(errno));
                return not_allowed(problem, &error);
        }
        return 0;
}

static int open_glass(BreakGlass *glass, ControllerRole role, Problem *problem) {
        Error error = {0};
        int r = sd_event_new(&glass->event);
        if (r >= 0)
                r = controller_new(glass->event, glass->config, role, &glass->controller, &error);
        if (r == -EACCES || r == -EPERM)
                return not_allowed(problem, &error);
        if (r < 0)
                return problem_set(problem, 503, EXIT_UNAVAILABLE, "Break glass failed", "%s",
                                   error.code ? error_text(&error) : strerror(-r));
        breakglass_leave_no_trace(glass->config); /* already now: this process may be killed, too */
        glass->controller->on_event = tell;
        glass->controller->on_finished = on_finished;
        glass->controller->on_alerts_told = on_alerts_told;
        glass->controller->userdata = glass;
        return 0;
}

static void close_glass(BreakGlass *glass) {
        breakglass_leave_no_trace(glass->config);
        controller_free(glass->controller);
        sd_event_unref(glass->event);
        json_decref(glass->answer);
}

/* ---- reading ---- */

/* `health`: the components, too. */
static bool all_known(const Controller *controller, bool health) {
        bool traffic = !controller->config->traffic_driver || watcher_traffic(controller->watcher) ||
                       watcher_traffic_problem(controller->watcher)[0];
        return watcher_units(controller->watcher) && prober_view(controller->prober)->known && traffic &&
               (!health || !controller->checkup || checkup_complete(controller->checkup));
}

static int look_around(BreakGlass *glass, bool health, Problem *problem) {
        Error error = {0};
        if (controller_watch(glass->controller, &error) < 0)
                return problem_set(problem, 503, EXIT_UNAVAILABLE, "Nothing can be watched", "%s", error_text(&error));
        current_look(glass->controller);
        int64_t deadline = clock_mono_us() + LOOK_BUDGET_US;
        for (int64_t left = LOOK_BUDGET_US; left > 0 && !all_known(glass->controller, health);
             left = deadline - clock_mono_us()) {
                int r = sd_event_run(glass->event, (uint64_t)left);
                if (r < 0)
                        return problem_set(problem, 500, EXIT_INTERNAL, "The event loop failed", "%s", strerror(-r));
        }
        return 0;
}

/* In the middle of another's run things look odd ("nothing is left to go back to"): then that is what has to be said. */
static int blame_other_run(const BreakGlass *glass, Problem *problem) {
        char path[PATH_MAX], since[CLOCK_TEXT_MAX];
        LockHolder holder = {0};
        Error error = {0};
        snprintf(path, sizeof path, "%s/run.lock", glass->config->state);
        if (lock_holder_read(path, &holder, &error) != 1 || !holder.known)
                return -1;
        error_set(&error, -EBUSY, "%s is held by process %d since %s: %s; try again later", path, (int)holder.pid,
                  clock_format_rfc3339(holder.since_wall, since, sizeof since), holder.why);
        json_decref(problem->extra);
        return controller_busy(problem, &holder, &error);
}

/* A plan asks the database, and says so while it hasn't answered. */
static bool database_pending(const json_t *answer) {
        const char *verdict = json_string_value(json_object_get(json_object_get(answer, "database"), "verdict"));
        return verdict && strcmp(verdict, "pending") == 0;
}

static int read_only(BreakGlass *glass, ApiOperation *operation, const json_t *arguments, json_t **ret_answer,
                     Problem *problem) {
        const Caller caller = ourselves();
        bool health = operation == controller_operations.validate;
        if (open_glass(glass, ROLE_READER, problem) < 0 || look_around(glass, health, problem) < 0)
                return -1;
        int64_t deadline = clock_mono_us() + LOOK_BUDGET_US;
        int r = operation(glass->controller, arguments, &caller, ret_answer, problem);
        for (int64_t left = LOOK_BUDGET_US; r >= 0 && left > 0 && database_pending(*ret_answer);
             left = deadline - clock_mono_us()) {
                json_decref(*ret_answer);
                *ret_answer = NULL;
                if (sd_event_run(glass->event, (uint64_t)left) < 0)
                        return problem_set(problem, 500, EXIT_INTERNAL, "The event loop failed", "try again");
                r = operation(glass->controller, arguments, &caller, ret_answer, problem);
        }
        return r < 0 ? blame_other_run(glass, problem) : r;
}

/* ---- the run ---- */

static int loop_until_finished(BreakGlass *glass, Problem *problem) {
        int r = sd_event_loop(glass->event);
        if (r >= 0)
                return 0;
        return problem_set(problem, 500, EXIT_INTERNAL, "The event loop failed",
                           "%s; the run is in the journal: type the same line again", strerror(-r));
}

/* First what a dead process left open: 1 it was finished (or undone) here, 0 there was nothing. */
static int finish_what_was_open(BreakGlass *glass, bool emergency, Problem *problem) {
        for (;;) {
                LockHolder holder = {0};
                Error error = {0};
                int r = controller_recover(glass->controller, &holder, &error);
                if (r == 0)
                        return 0;
                if (r > 0)
                        return runner_run(glass->controller->runner) && loop_until_finished(glass, problem) < 0 ? -1
                                                                                                                : 1;
                if (r == -EBADMSG && emergency)
                        return 0; /* what can't be gone on with is no reason to wait */
                if (r == -EBUSY && !emergency)
                        return controller_busy(problem, &holder, &error);
                if (r == -EBUSY && hung_holder_wait(glass->controller, &glass->waiting_since, &holder, &error) >= 0)
                        continue;
                if (r == -EACCES || r == -EPERM)
                        return not_allowed(problem, &error);
                return problem_set(problem, 503, EXIT_IO, "The run lock or an open run can't be taken", "%s",
                                   error_text(&error));
        }
}

static bool reached(const json_t *run, const char *wanted) {
        const char *phase = json_string_value(json_object_get(run, "phase")),
                   *kind = json_string_value(json_object_get(run, "kind"));
        const char *to = json_string_value(json_object_get(run, "to"));
        return phase && strcmp(phase, "succeeded") == 0 && kind && strcmp(kind, "rollback") == 0 &&
               (wanted[0] == '\0' || strcmp(to, wanted) == 0);
}

/* What is done without a controller is in the same trail. */
static void acted(const BreakGlass *glass, const json_t *arguments, int status, const char *outcome) {
        const Caller caller = ourselves();
        op_acted(glass->controller, &caller, "POST", "/api/v3/rollback", arguments, status, outcome);
}

static int start_fresh(BreakGlass *glass, const json_t *arguments, Problem *problem) {
        const Caller caller = ourselves();
        json_t *begun = NULL;
        json_decref(glass->answer);
        glass->answer = NULL;
        glass->controller = controller_free(glass->controller);
        glass->event = sd_event_unref(glass->event); /* a loop that was exited can't be run again */
        if (open_glass(glass, ROLE_BREAKGLASS, problem) < 0)
                return -1;
        int r = controller_operations.rollback(glass->controller, arguments, &caller, &begun, problem);
        json_decref(begun);
        acted(glass, arguments, r < 0 ? problem->status : 200, r < 0 ? problem->title : "200");
        return r < 0 ? r : loop_until_finished(glass, problem);
}

/* What is done here belongs into the same log as what the controller does; the terminal gets its own words. */
static void open_log(const Config *config) {
        LogSink *sink = NULL;
        Error error = {0};
        if (log_sink_file(config->log, &sink, &error) >= 0)
                (void)log_add_sink(sink, &error);
}

static void say_journal_unusable(const BreakGlass *glass) {
        char message[ERROR_MESSAGE_MAX + PATH_MAX + 64];
        if (glass->controller->journal)
                return;
        snprintf(message, sizeof message,
                 "going on with the side file %s/emergency.jsonl, which the journal takes in later: %s",
                 glass->config->state, error_text(&glass->controller->journal_error));
        controller_tell(glass->controller, "alert",
                        json_pack("{s:s, s:o}", "source", "journal", "message", wire_text(message)));
}

static int roll_back(BreakGlass *glass, const json_t *arguments, json_t **ret_answer, Problem *problem) {
        const char *mode = json_string_value(json_object_get(arguments, "mode")),
                   *to = json_string_value(json_object_get(arguments, "to"));
        bool emergency = mode && strcmp(mode, "emergency") == 0;
        if (open_glass(glass, ROLE_BREAKGLASS, problem) < 0)
                return -1;
        if (emergency)
                say_journal_unusable(glass);
        int finished = finish_what_was_open(glass, emergency, problem);
        if (finished < 0) {
                acted(glass, arguments, problem->status, problem->title);
                return -1;
        }
        bool done = finished > 0 && reached(glass->answer, to ? to : "");
        if (done)
                acted(glass, arguments, 200, "a run that was open already has been finished");
        else if (start_fresh(glass, arguments, problem) < 0)
                return -1;
        *ret_answer = TAKE_PTR(glass->answer);
        return *ret_answer ? 0
                           : problem_set(problem, 500, EXIT_INTERNAL, "Out of memory", "the answer could not be built");
}

int breakglass_call(const Config *config, const char *operation, const json_t *arguments,
                    void (*on_event)(void *userdata, const char *type, const json_t *event), void *userdata,
                    json_t **ret_answer, Problem *problem) {
        static const struct {
                const char *name;
                size_t offset;
        } readers[] = {
                {"status", offsetof(ApiOps, status)},     {"plan", offsetof(ApiOps, plan)},
                {"validate", offsetof(ApiOps, validate)}, {"history", offsetof(ApiOps, history)},
                {"audit", offsetof(ApiOps, audit)},       {"incidents", offsetof(ApiOps, incidents)},
                {"incident", offsetof(ApiOps, incident)},
        };
        BreakGlass glass = {.config = config, .on_event = on_event, .userdata = userdata};
        int r = -1;
        bool known = strcmp(operation, "rollback") == 0;
        if (known) {
                open_log(config);
                r = roll_back(&glass, arguments, ret_answer, problem);
                log_remove_sinks();
        }
        for (size_t i = 0; !known && i < ARRAY_SIZE(readers); i++) {
                if (strcmp(operation, readers[i].name) != 0)
                        continue;
                ApiOperation *const *function =
                        (ApiOperation *const *)((const char *)&controller_operations + readers[i].offset);
                r = read_only(&glass, *function, arguments, ret_answer, problem);
                known = true;
        }
        if (!known)
                problem_set(
                        problem, 503, EXIT_UNAVAILABLE, "No controller answers",
                        "'%s' needs the controller: systemctl start novacron-auto-rollback, or 'auto-rollback auto'",
                        operation);
        close_glass(&glass);
        return r;
}
