/* No daemon-reload follows: the links count at the next boot, which reads them afresh. A reload in the middle of a rollback
 * would run every generator, and would put into force whatever else somebody has left half-edited on the machine.
 *
 * First enable, then disable: whoever dies between them leaves both enabled. Then the next boot may start one too many, which
 * its port or Conflicts= sorts out and the recovered run corrects; the other order could leave a machine that starts nothing.
 *
 * polkit cannot limit "manage unit files" to certain units (systemd 252 doesn't name the unit), and who may enable any unit is
 * root. So a controller that isn't root is denied here, and starts novacron-rollback-enable@UNIT.service instead, which polkit can
 * limit and which does just that; see packaging/. */
#include "adapters/systemd-enable.h"

#include "adapters/systemd-jobs.h"
#include "base/macros.h"

#include <errno.h>
#include <string.h>

#define HELPER_PREFIX "novacron-rollback-"

typedef enum EnablePhase { PHASE_ENABLE, PHASE_DISABLE, PHASE_COUNT } EnablePhase;

typedef struct EnableRequest {
        SystemdRequest request;
        UnitSet sets[PHASE_COUNT]; /* full names */
        EnablePhase phase;
        unsigned
                at; /* the unit of that phase's set; one call each, so that one that is gone doesn't keep the others back */
        bool without_install; /* a unit to be enabled has no [Install] section */
        sd_bus *connection;
        sd_bus_slot *call;
        Op *helper;
        Error denied;
        int64_t end_mono; /* of the budget */
} EnableRequest;

static const char *const verbs[PHASE_COUNT] = {"enable", "disable"};

static void enable_forget(SystemdRequest *request) {
        EnableRequest *self = (EnableRequest *)request;
        self->call = sd_bus_slot_unref(self->call);
        self->connection = sd_bus_unref(self->connection);
        self->helper = op_cancel(self->helper);
}

static int64_t now_mono(const EnableRequest *self) {
        uint64_t now = 0;
        sd_event_now(self->request.op.event, CLOCK_BOOTTIME, &now);
        return (int64_t)now;
}

static void list_names(const UnitSet *set, char *buffer, size_t size) {
        size_t used = 0;
        buffer[0] = '\0';
        for (unsigned i = 0; i < set->count && used < size; i++)
                used += (size_t)snprintf(buffer + used, size - used, "%s%s", i ? " " : "", set->names[i]);
}

static int change_unit(EnableRequest *self);

static const char *unit_now(const EnableRequest *self) {
        return self->sets[self->phase].names[self->at];
}

static void finish(EnableRequest *self) {
        char detail[DETAIL_MAX + 64], names[DETAIL_MAX];
        list_names(&self->sets[PHASE_ENABLE], names, sizeof names);
        snprintf(detail, sizeof detail,
                 self->without_install ? "a reboot will not start %s: its file has no [Install] section"
                                       : "a reboot starts %s",
                 names);
        op_succeed(&self->request.op, detail);
}

static void next_unit(EnableRequest *self) {
        self->at++;
        int r = change_unit(self);
        if (r < 0)
                systemd_request_retry(&self->request, strerror(-r));
}

/* ---- for who may not manage unit files ---- */

static void on_helper(void *userdata, const OpResult *result) {
        EnableRequest *self = userdata;
        self->helper = NULL;
        if (result->status == OP_DONE)
                next_unit(self);
        else
                systemd_request_fail(&self->request, &self->denied);
}

/* "novacron-rollback-enable@novacron-dwcp-v2.service" for novacron-dwcp-v2.service */
static int helper_unit(const char *unit, const char *verb, UnitSet *ret_units) {
        size_t length = strlen(unit);
        if (length > 8 && strcmp(unit + length - 8, ".service") == 0)
                length -= 8;
        ret_units->count = 1;
        int n = snprintf(ret_units->names[0], UNIT_NAME_MAX, HELPER_PREFIX "%s@%.*s.service", verb, (int)length, unit);
        return n < 0 || n >= UNIT_NAME_MAX ? -ENAMETOOLONG : 0;
}

static void try_helper(EnableRequest *self) {
        UnitSet units = {0};
        systemd_explain_denial(verbs[self->phase], unit_now(self), &self->denied);
        int64_t left = self->end_mono - now_mono(self);
        int r = helper_unit(unit_now(self), verbs[self->phase], &units);
        if (r == 0)
                r = systemd_jobs_begin(self->request.bus, JOBS_RUN, &units, left > 1 ? left : 1, on_helper, self,
                                       &self->helper, NULL);
        if (r < 0)
                systemd_request_fail(&self->request, &self->denied);
}

/* ---- for who may ---- */

static bool is_gone(const sd_bus_error *bus_error) {
        return systemd_error_is_no_unit(bus_error) || sd_bus_error_has_name(bus_error, SD_BUS_ERROR_FILE_NOT_FOUND);
}

static int on_changed(sd_bus_message *message, void *userdata, UNUSED sd_bus_error *ret_error) {
        EnableRequest *self = userdata;
        const sd_bus_error *bus_error = sd_bus_message_get_error(message);
        int has_install = 1;
        if (bus_error && systemd_error_is_denied(bus_error)) {
                try_helper(self);
        } else if (bus_error && !(self->phase == PHASE_DISABLE && is_gone(bus_error))) {
                systemd_request_refused(&self->request, verbs[self->phase], unit_now(self), bus_error);
        } else {
                if (self->phase == PHASE_ENABLE && sd_bus_message_read(message, "b", &has_install) >= 0)
                        self->without_install |= !has_install;
                next_unit(self);
        }
        return 0;
}

/* The unit at the cursor, or the end. */
static int change_unit(EnableRequest *self) {
        while (self->phase < PHASE_COUNT && self->at >= self->sets[self->phase].count) {
                self->phase++;
                self->at = 0;
        }
        if (self->phase == PHASE_COUNT) {
                finish(self);
                return 0;
        }
        const char *unit = unit_now(self);
        self->call = sd_bus_slot_unref(self->call);
        if (self->phase == PHASE_ENABLE) /* not for this boot only; replace links that lead elsewhere */
                return sd_bus_call_method_async(self->connection, &self->call, SYSTEMD_SERVICE, SYSTEMD_OBJECT,
                                                SYSTEMD_MANAGER, "EnableUnitFiles", on_changed, self, "asbb", 1, unit,
                                                false, true);
        return sd_bus_call_method_async(self->connection, &self->call, SYSTEMD_SERVICE, SYSTEMD_OBJECT, SYSTEMD_MANAGER,
                                        "DisableUnitFiles", on_changed, self, "asb", 1, unit, false);
}

static int enable_attempt(SystemdRequest *request, sd_bus *bus, Error *error) {
        EnableRequest *self = (EnableRequest *)request;
        self->connection = sd_bus_ref(bus);
        self->phase = PHASE_ENABLE;
        self->at = 0;
        self->without_install = false;
        int r = change_unit(self);
        return r < 0 ? error_set(error, r, "%s: cannot ask systemd: %s", request->subject, strerror(-r)) : 0;
}

/* ---- beginning ---- */

static bool contains(const UnitSet *set, const char *name) {
        for (unsigned i = 0; i < set->count; i++)
                if (strcmp(set->names[i], name) == 0)
                        return true;
        return false;
}

static int copy_names(const UnitSet *from, const UnitSet *except, UnitSet *ret_to) {
        for (unsigned i = 0; i < from->count; i++) {
                char unit[SYSTEMD_UNIT_MAX];
                systemd_unit_name(from->names[i], unit);
                if (strlen(unit) >= UNIT_NAME_MAX)
                        return -ENAMETOOLONG;
                if (!except || !contains(except, unit))
                        snprintf(ret_to->names[ret_to->count++], UNIT_NAME_MAX, "%.*s", UNIT_NAME_MAX - 1, unit);
        }
        return 0;
}

int systemd_enable_begin(SystemdBus *bus, const UnitSet *enable, const UnitSet *disable, int64_t budget_us,
                         OpCallback callback, void *userdata, Op **ret_op, Error *error) {
        static const SystemdRequestType type = {enable_attempt, enable_forget};
        EnableRequest *self = calloc(1, sizeof *self);
        if (!self)
                return error_set(error, -ENOMEM, "cannot enable units: out of memory");
        int r = copy_names(enable, NULL, &self->sets[PHASE_ENABLE]);
        if (r == 0)
                r = copy_names(disable, &self->sets[PHASE_ENABLE], &self->sets[PHASE_DISABLE]);
        if (r == 0 && self->sets[PHASE_ENABLE].count == 0)
                r = -EINVAL;
        if (r < 0) {
                free(self);
                return error_set(error, r, "cannot enable units: %s",
                                 r == -EINVAL ? "none are named" : "a name is too long");
        }
        uint64_t now = 0;
        sd_event_now(systemd_bus_event(bus), CLOCK_BOOTTIME, &now);
        self->end_mono = (int64_t)now + budget_us;
        systemd_request_name(&self->request, "enabling", enable);
        return systemd_request_begin(&self->request, bus, &type, budget_us, callback, userdata, ret_op, error);
}
