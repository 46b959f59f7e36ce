/* Units without systemd: for small machines and the demonstration. It starts and stops the main process of each unit and knows
 * it again after a crash of the controller; it restarts nothing, and needs no privileges. Not for a controller that itself
 * runs under systemd: its processes would be killed together with the controller's unit. */
#include "adapters/adapter.h"
#include "adapters/supervisor-child.h"
#include "adapters/supervisor-command.h"
#include "adapters/supervisor-log.h"
#include "base/fsio.h"
#include "base/macros.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

typedef struct SupervisorOp SupervisorOp;
typedef struct ChildEntry ChildEntry;

struct ChildEntry {
        Child *child;
        ChildEntry *next;
};

typedef struct Supervisor {
        DriverContext context;
        const Settings *settings; /* the configuration's; outlives the driver */
        char *directory;          /* of the records */
        ChildEntry *children;
        SupervisorOp *ops; /* under way, newest first */

        UnitsChanged changed; /* NULL: nothing is watched */
        void *userdata;
        UnitSet watched;
        sd_event_source *reporting; /* the first report, and what is found out without an event */
        bool told;
        UnitsState last;
} Supervisor;

static const SettingSpec supervisor_settings[] = {
        {.key = "command",
         .type = SETTING_LIST,
         .fallback = NULL,
         .help = "program and arguments; {current} {config} {version} {unit} are filled in"},
        {.key = "directory",
         .type = SETTING_PATH,
         .fallback = "",
         .help = "where the service runs; default: where the controller does"},
        {.key = "log",
         .type = SETTING_PATH,
         .fallback = "",
         .help = "file the service's output is appended to; default: discarded"},
        {.key = "readiness",
         .type = SETTING_CHOICE,
         .fallback = "notify",
         .choices = "notify started",
         .help = "notify: ready when it says READY=1 (sd_notify); started: as soon as it runs"},
        {0},
};

/* ---- requests ---- */

typedef enum SupervisorGoal { GOAL_STOPPED, GOAL_READY } SupervisorGoal;

struct SupervisorOp {
        Op op;
        Supervisor *self;
        SupervisorOp *next;
        SupervisorGoal goal;
        UnitSet units;
        char what[DETAIL_MAX + 32];
};

static void op_destroy(Op *op) {
        SupervisorOp *request = (SupervisorOp *)op;
        for (SupervisorOp **link = &request->self->ops; *link; link = &(*link)->next)
                if (*link == request) {
                        *link = request->next;
                        break;
                }
        op_finish_base(op);
        free(request);
}

static int request_new(Supervisor *self, const char *verb, const UnitSet *units, int64_t budget_us, OpCallback callback,
                       void *userdata, SupervisorOp **ret_request, Error *error) {
        SupervisorOp *request = calloc(1, sizeof *request);
        if (!request)
                return error_set(error, -ENOMEM, "cannot %s units: out of memory", verb);
        request->self = self;
        request->units = *units;
        snprintf(request->what, sizeof request->what, "%s of %s%s", verb, units->count ? units->names[0] : "no unit",
                 units->count > 1 ? " and others" : "");
        int r = op_begin(&request->op, self->context.event, request->what, budget_us, callback, userdata, op_destroy);
        if (r < 0) {
                error_set(error, r, "cannot begin the %s: %s", request->what, strerror(-r));
                op_destroy(&request->op);
                return r;
        }
        *ret_request = request;
        return 0;
}

/* ---- children ---- */

static void on_child_changed(void *userdata, Child *child);

/* From the loop: who asks is in the middle of something. */
static void report_soon(Supervisor *self) {
        if (self->reporting)
                (void)sd_event_source_set_enabled(self->reporting, SD_EVENT_ONESHOT);
}

static int child_get(Supervisor *self, const char *unit, Child **ret_child, Error *error) {
        for (ChildEntry *entry = self->children; entry; entry = entry->next)
                if (strcmp(child_unit(entry->child), unit) == 0) {
                        if (child_look_again(entry->child))
                                report_soon(self);
                        *ret_child = entry->child;
                        return 0;
                }
        ChildEntry *entry = calloc(1, sizeof *entry);
        if (!entry)
                return error_set(error, -ENOMEM, "cannot look after %s: out of memory", unit);
        int r = child_new(self->context.event, self->directory, unit, on_child_changed, self, &entry->child, error);
        if (r < 0) {
                free(entry);
                return r;
        }
        entry->next = self->children;
        self->children = entry;
        *ret_child = entry->child;
        return 0;
}

/* Whether the unit's program is there. One inside the current release proves nothing of another release, whose files its manifest covers. */
static bool is_loadable(const Supervisor *self, const UnitSet *units, const char *unit, char *detail, size_t size) {
        const char *const *template = settings_list(self->settings, "command");
        char **argv;
        if (strstr(template[0], "{current}") || !strchr(template[0], '/'))
                return true;
        if (supervisor_command_expand(template, &self->context, units->version, unit, &argv, NULL) < 0)
                return true;
        bool loadable = access(argv[0], X_OK) == 0;
        if (!loadable)
                snprintf(detail, size, "%s: cannot run %s: %s", unit, argv[0], strerror(errno));
        supervisor_command_free(argv);
        return loadable;
}

static void add_child(UnitsState *state, const Child *child) {
        const ChildRecord *record = child_record(child);
        state->active &= child_is_ready(child);
        state->failed |= child_has_failed(child);
        if (!child_is_alive(child))
                return;
        state->alive = true;
        if (state->main_pid == 0) {
                state->main_pid = record->pid;
                state->main_start_wall = record->start_wall;
                memcpy(state->invocation, record->invocation, sizeof state->invocation);
        }
}

static int read_state(Supervisor *self, const UnitSet *units, UnitsState *ret_state, Error *error) {
        UnitsState state = {.loadable = units->count > 0, .active = units->count > 0};
        size_t used = 0;
        for (unsigned i = 0; i < units->count; i++) {
                Child *child = NULL;
                char text[DETAIL_MAX];
                int r = child_get(self, units->names[i], &child, error);
                if (r < 0)
                        return r;
                add_child(&state, child);
                child_describe(child, text, sizeof text);
                if (!is_loadable(self, units, units->names[i], text, sizeof text))
                        state.loadable = false;
                used += (size_t)snprintf(state.detail + used, sizeof state.detail - used, "%s%s", i ? "; " : "", text);
                if (used >= sizeof state.detail)
                        used = sizeof state.detail - 1;
        }
        *ret_state = state;
        return 0;
}

/* ---- getting on ---- */

/* Fills `result` when the request is over. */
static bool is_over(SupervisorOp *request, OpResult *result) {
        UnitsState state;
        int r = read_state(request->self, &request->units, &state, &result->error);
        if (r < 0) {
                result->status = OP_FAILED;
                return true;
        }
        memcpy(result->detail, state.detail, sizeof result->detail);
        result->status = OP_DONE;
        if (request->goal == GOAL_STOPPED)
                return !state.alive;
        if (state.active)
                return true;
        for (unsigned i = 0; i < request->units.count; i++) {
                Child *child;
                if (child_get(request->self, request->units.names[i], &child, NULL) < 0 || child_is_alive(child))
                        continue;
                result->status = OP_FAILED;
                error_set(&result->error, -EIO, "%s before it was ready; its output: %s", state.detail,
                          settings_string(request->self->settings, "log")[0]
                                  ? settings_string(request->self->settings, "log")
                                  : "discarded (set units.supervisor.log)");
                return true;
        }
        return false;
}

/* A callback may begin and cancel requests, so the list is read from its head after each. */
static void complete_what_is_over(Supervisor *self) {
        for (SupervisorOp *request = self->ops; request;) {
                OpResult result = {0};
                if (!request->op.deferred && is_over(request, &result)) {
                        op_complete(&request->op, &result);
                        request = self->ops;
                } else
                        request = request->next;
        }
}

static bool same_state(const UnitsState *a, const UnitsState *b) {
        return a->active == b->active && a->alive == b->alive && a->failed == b->failed && a->main_pid == b->main_pid &&
               strcmp(a->invocation, b->invocation) == 0;
}

static void report(Supervisor *self) {
        UnitsState state;
        Error error = {0};
        if (!self->changed)
                return;
        if (read_state(self, &self->watched, &state, &error) < 0) {
                if (self->context.warn)
                        self->context.warn(self->context.userdata, "units", error_text(&error));
                return;
        }
        if (self->told && same_state(&state, &self->last))
                return;
        self->told = true;
        self->last = state;
        self->changed(self->userdata, &state);
}

static void on_child_changed(void *userdata, UNUSED Child *child) {
        Supervisor *self = userdata;
        complete_what_is_over(self);
        report(self);
}

/* Known at once, but told from the loop; else the children's events go on with it. */
static int begin_waiting(SupervisorOp *request, Op **ret_op, Error *error) {
        OpResult result = {0};
        int r = is_over(request, &result) ? op_complete_soon(&request->op, &result) : 0;
        if (r < 0) {
                op_destroy(&request->op);
                return error_set(error, r, "cannot begin: %s", strerror(-r));
        }
        request->next = request->self->ops;
        request->self->ops = request;
        *ret_op = &request->op;
        return 0;
}

/* ---- the driver's calls ---- */

static int supervisor_query(void *self_, const UnitSet *units, int64_t budget_us, OpCallback callback, void *userdata,
                            Op **ret_op, Error *error) {
        Supervisor *self = self_;
        SupervisorOp *request = NULL;
        OpResult result = {.status = OP_DONE};
        int r = read_state(self, units, &result.units, error);
        if (r == 0)
                r = request_new(self, "state", units, budget_us, callback, userdata, &request, error);
        if (r < 0)
                return r;
        memcpy(result.detail, result.units.detail, sizeof result.detail);
        r = op_complete_soon(&request->op, &result);
        if (r < 0) {
                op_destroy(&request->op);
                return error_set(error, r, "cannot tell the units' state: %s", strerror(-r));
        }
        *ret_op = &request->op;
        return 0;
}

static int supervisor_stop(void *self_, const UnitSet *units, bool force, int64_t budget_us, OpCallback callback,
                           void *userdata, Op **ret_op, Error *error) {
        Supervisor *self = self_;
        SupervisorOp *request = NULL;
        for (unsigned i = units->count; i-- > 0;) {
                Child *child;
                int r = child_get(self, units->names[i], &child, error);
                if (r == 0)
                        r = child_stop(child, force ? SIGKILL : SIGTERM, error);
                if (r < 0)
                        return r;
        }
        int r = request_new(self, force ? "kill" : "stop", units, budget_us, callback, userdata, &request, error);
        if (r < 0)
                return r;
        assert(request);
        request->goal = GOAL_STOPPED;
        return begin_waiting(request, ret_op, error);
}

/* The service must start even when its output can't be kept. */
static int open_log(const Supervisor *self) {
        const char *path = settings_string(self->settings, "log");
        int fd = path[0] ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640) : -1;
        if (fd < 0 && path[0] && self->context.warn) {
                char text[ERROR_MESSAGE_MAX];
                snprintf(text, sizeof text, "the service's output is discarded: cannot open %s: %s", path,
                         strerror(errno));
                self->context.warn(self->context.userdata, "units", text);
        }
        return fd >= 0 ? fd : open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static int start_child(Supervisor *self, const UnitSet *units, Child *child, Error *error) {
        const char *directory = settings_string(self->settings, "directory");
        char **argv;
        int r = supervisor_command_expand(settings_list(self->settings, "command"), &self->context, units->version,
                                          child_unit(child), &argv, error);
        if (r < 0)
                return r;
        AUTO_CLOSE int log = open_log(self);
        if (log < 0) {
                r = error_set(error, -errno, "cannot open /dev/null: %s", strerror(errno));
        } else {
                const ChildStart start = {.version = units->version,
                                          .argv = (const char *const *)argv,
                                          .directory = directory[0] ? directory : NULL,
                                          .log_fd = log,
                                          .notifies =
                                                  strcmp(settings_string(self->settings, "readiness"), "notify") == 0};
                r = child_start(child, &start, error);
        }
        supervisor_command_free(argv);
        return r;
}

/* One that lives is left alone: it may have been started by the controller before us. */
static int start_unless_alive(Supervisor *self, const UnitSet *units, Child *child, Error *error) {
        const ChildRecord *record = child_record(child);
        if (!child_is_alive(child))
                return start_child(self, units, child, error);
        if (record->stopping || strcmp(record->version, units->version) != 0)
                return error_set(error, -EBUSY, "%s still runs %s (pid %d): it must be stopped first",
                                 child_unit(child), record->version, record->pid);
        return 0;
}

static int supervisor_start(void *self_, const UnitSet *units, int64_t budget_us, OpCallback callback, void *userdata,
                            Op **ret_op, Error *error) {
        Supervisor *self = self_;
        SupervisorOp *request = NULL;
        for (unsigned i = 0; i < units->count; i++) {
                Child *child;
                int r = child_get(self, units->names[i], &child, error);
                if (r == 0)
                        r = start_unless_alive(self, units, child, error);
                if (r < 0)
                        return r;
        }
        int r = request_new(self, "start", units, budget_us, callback, userdata, &request, error);
        if (r < 0)
                return r;
        assert(request);
        request->goal = GOAL_READY;
        return begin_waiting(request, ret_op, error);
}

static int on_reporting(UNUSED sd_event_source *source, void *userdata) {
        report(userdata);
        return 0;
}

static int supervisor_watch(void *self_, const UnitSet *units, UnitsChanged changed, void *userdata, Error *error) {
        Supervisor *self = self_;
        self->reporting = sd_event_source_disable_unref(self->reporting);
        self->told = false;
        self->changed = units ? changed : NULL;
        if (!units)
                return 0;
        self->watched = *units;
        self->userdata = userdata;
        int r = sd_event_add_defer(self->context.event, &self->reporting, on_reporting, self);
        return r < 0 ? error_set(error, r, "cannot watch units: %s", strerror(-r)) : 0;
}

static void supervisor_close(void *self_) {
        Supervisor *self = self_;
        if (!self)
                return;
        while (self->ops)
                op_cancel(&self->ops->op);
        while (self->children) {
                ChildEntry *entry = self->children;
                self->children = entry->next;
                child_free(entry->child);
                free(entry);
        }
        sd_event_source_disable_unref(self->reporting);
        free(self->directory);
        free(self);
}

static int supervisor_open(const DriverContext *context, const Settings *settings, void **ret_self, Error *error) {
        int r = supervisor_command_check(settings_list(settings, "command"), error);
        if (r < 0)
                return r;
        Supervisor *self = calloc(1, sizeof *self);
        if (!self || asprintf(&self->directory, "%s/supervisor", context->state_directory) < 0) {
                free(self);
                return error_set(error, -ENOMEM, "cannot open the supervisor: out of memory");
        }
        self->context = *context;
        self->settings = settings;
        r = fs_make_directories(self->directory, 0700, error);
        if (r < 0) {
                supervisor_close(self);
                return r;
        }
        *ret_self = self;
        return 0;
}

const UnitsDriver supervisor_units_driver = {
        .name = "supervisor",
        .settings = supervisor_settings,
        .open = supervisor_open,
        .close = supervisor_close,
        .query = supervisor_query,
        .stop = supervisor_stop,
        .start = supervisor_start,
        .enable = NULL, /* nothing starts at boot without the controller */
        .watch = supervisor_watch,
        .last_lines = supervisor_last_lines,
};
