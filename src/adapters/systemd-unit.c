#include "adapters/systemd-unit.h"

#include "base/macros.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>

#define UNIT_INTERFACE "org.freedesktop.systemd1.Unit"
#define SERVICE_INTERFACE "org.freedesktop.systemd1.Service"

/* ---- the properties ---- */

static int read_text(sd_bus_message *message, const char *signature, void *field, size_t size) {
        const char *text = NULL;
        int r = sd_bus_message_read(message, "v", signature, &text);
        if (r >= 0 && text)
                snprintf(field, size, "%s", text);
        return r;
}

static int read_number(sd_bus_message *message, const char *signature, void *field, UNUSED size_t size) {
        return sd_bus_message_read(message, "v", signature, field);
}

static int read_bytes(sd_bus_message *message, const char *signature, void *field, size_t size) {
        const void *bytes;
        size_t length;
        int r = sd_bus_message_enter_container(message, SD_BUS_TYPE_VARIANT, signature);
        if (r >= 0)
                r = sd_bus_message_read_array(message, 'y', &bytes, &length);
        if (r >= 0 && length == size) /* empty before the first start */
                memcpy(field, bytes, size);
        return r;
}

static int read_load_error(sd_bus_message *message, const char *signature, void *field, size_t size) {
        const char *name = NULL, *text = NULL;
        int r = sd_bus_message_read(message, "v", signature, &name, &text);
        if (r >= 0 && text)
                snprintf(field, size, "%s", text);
        return r;
}

static int read_job(sd_bus_message *message, const char *signature, void *field, UNUSED size_t size) {
        const char *path;
        return sd_bus_message_read(message, "v", signature, field, &path);
}

/* Read one by one: GetAll of a service's interface makes PID 1 read a dozen cgroup files for figures nobody asked for. */
typedef struct Property {
        const char *interface, *name, *signature;
        int (*read)(sd_bus_message *message, const char *signature, void *field, size_t size);
        size_t offset, size;
} Property;

#define FIELD(field) offsetof(UnitStatus, field), sizeof(((UnitStatus *)NULL)->field)
static const Property properties[] = {
        {UNIT_INTERFACE, "LoadState", "s", read_text, FIELD(load_state)},
        {UNIT_INTERFACE, "LoadError", "(ss)", read_load_error, FIELD(load_error)},
        {UNIT_INTERFACE, "ActiveState", "s", read_text, FIELD(active_state)},
        {UNIT_INTERFACE, "SubState", "s", read_text, FIELD(sub_state)},
        {UNIT_INTERFACE, "InvocationID", "ay", read_bytes, FIELD(invocation)},
        {UNIT_INTERFACE, "Job", "(uo)", read_job, FIELD(job)},
        {SERVICE_INTERFACE, "Result", "s", read_text, FIELD(result)},
        {SERVICE_INTERFACE, "MainPID", "u", read_number, FIELD(main_pid)},
        {SERVICE_INTERFACE, "NRestarts", "u", read_number, FIELD(restarts)},
        {SERVICE_INTERFACE, "ExecMainCode", "i", read_number, FIELD(exec_code)},
        {SERVICE_INTERFACE, "ExecMainStatus", "i", read_number, FIELD(exec_status)},
        {SERVICE_INTERFACE, "ExecMainStartTimestamp", "t", read_number, FIELD(main_start_wall)},
};
#undef FIELD

/* ---- reading ---- */

typedef struct PropertyCall {
        UnitReader *reader;
        UnitStatus *unit;
        const Property *property;
        sd_bus_slot *slot;
} PropertyCall;

struct UnitReader {
        UnitsRead done;
        void *userdata;
        int r; /* the first failure */
        Error error;
        unsigned count, pending;
        UnitStatus units[UNITS_MAX];
        PropertyCall calls[UNITS_MAX * ARRAY_SIZE(properties)];
};

UnitReader *unit_reader_free(UnitReader *reader) {
        if (!reader)
                return NULL;
        for (size_t i = 0; i < ARRAY_SIZE(reader->calls); i++)
                sd_bus_slot_unref(reader->calls[i].slot);
        free(reader);
        return NULL;
}

/* A unit that isn't a service has no such property: that is an answer. */
static bool is_absent(const sd_bus_error *bus_error) {
        return sd_bus_error_has_name(bus_error, SD_BUS_ERROR_UNKNOWN_INTERFACE) ||
               sd_bus_error_has_name(bus_error, SD_BUS_ERROR_UNKNOWN_PROPERTY);
}

static void note_failure(UnitReader *reader, const PropertyCall *call, int code, const char *message) {
        if (reader->r == 0)
                reader->r = error_set(&reader->error, code, "cannot read %s of %s from systemd: %s",
                                      call->property->name, call->unit->name, message);
}

static int on_property(sd_bus_message *message, void *userdata, UNUSED sd_bus_error *ret_error) {
        PropertyCall *call = userdata;
        UnitReader *reader = call->reader;
        const sd_bus_error *bus_error = sd_bus_message_get_error(message);
        if (!bus_error) {
                int r = call->property->read(message, call->property->signature,
                                             (char *)call->unit + call->property->offset, call->property->size);
                if (r < 0)
                        note_failure(reader, call, -EPROTO, strerror(-r));
        } else if (!is_absent(bus_error))
                note_failure(reader, call, systemd_error_is_transient(bus_error) ? -EAGAIN : -EIO, bus_error->message);
        if (--reader->pending == 0)
                reader->done(reader->userdata, reader->r, reader->units, reader->count, &reader->error);
        return 0;
}

static int read_unit(sd_bus *bus, UnitReader *reader, UnitStatus *unit) {
        /* Asking for a property of a unit that isn't loaded makes systemd load it. */
        AUTO_FREE char *path = NULL;
        int r = sd_bus_path_encode(SYSTEMD_OBJECT "/unit", unit->name, &path);
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(properties); i++) {
                PropertyCall *call = &reader->calls[reader->pending];
                *call = (PropertyCall){.reader = reader, .unit = unit, .property = &properties[i]};
                r = sd_bus_call_method_async(bus, &call->slot, SYSTEMD_SERVICE, path, "org.freedesktop.DBus.Properties",
                                             "Get", on_property, call, "ss", call->property->interface,
                                             call->property->name);
                reader->pending++;
        }
        return r;
}

int unit_reader_begin(sd_bus *bus, const UnitSet *units, UnitsRead done, void *userdata, UnitReader **ret_reader,
                      Error *error) {
        UnitReader *reader = calloc(1, sizeof *reader);
        if (!reader)
                return error_set(error, -ENOMEM, "cannot read the state of the units: out of memory");
        reader->done = done;
        reader->userdata = userdata;
        for (unsigned i = 0; i < units->count; i++) {
                UnitStatus *unit = &reader->units[reader->count++];
                systemd_unit_name(units->names[i], unit->name);
                int r = read_unit(bus, reader, unit);
                if (r < 0) {
                        unit_reader_free(reader);
                        return error_set(error, r, "cannot ask systemd for %s: %s", units->names[i], strerror(-r));
                }
        }
        *ret_reader = reader;
        return 0;
}

/* ---- meaning ---- */

static bool state_is(const UnitStatus *unit, const char *state) {
        return strcmp(unit->active_state, state) == 0;
}

bool unit_is_active(const UnitStatus *unit) {
        return state_is(unit, "active") || state_is(unit, "reloading");
}

bool unit_is_down(const UnitStatus *unit) {
        return (state_is(unit, "inactive") || state_is(unit, "failed")) && unit->main_pid == 0;
}

static bool is_loaded(const UnitStatus *unit) {
        return strcmp(unit->load_state, "loaded") == 0;
}

static void describe_unloadable(const UnitStatus *unit, char *buffer, size_t size) {
        const char *name = unit->name, *state = unit->load_state;
        if (strcmp(state, "not-found") == 0)
                snprintf(
                        buffer, size,
                        "%s: no such unit; expected its file as /etc/systemd/system/%s (then: systemctl daemon-reload)",
                        name, name);
        else if (strcmp(state, "masked") == 0)
                snprintf(buffer, size, "%s: masked; to allow it: systemctl unmask %s", name, name);
        else if (strcmp(state, "bad-setting") == 0)
                snprintf(buffer, size, "%s: its unit file has a bad setting; to see it: systemd-analyze verify %s",
                         name, name);
        else
                snprintf(buffer, size, "%s: cannot be loaded (%s)%s%s", name, *state ? state : "no answer",
                         unit->load_error[0] ? ": " : "", unit->load_error);
}

/* "exit-code, status 3" "signal, SIGSEGV" "start-limit-hit" */
static void describe_result(const UnitStatus *unit, char *buffer, size_t size) {
        bool killed = unit->exec_code == CLD_KILLED || unit->exec_code == CLD_DUMPED;
        if (killed && sigabbrev_np(unit->exec_status))
                snprintf(buffer, size, "%s, SIG%s", unit->result, sigabbrev_np(unit->exec_status));
        else if (unit->exec_code == CLD_EXITED && unit->exec_status != 0)
                snprintf(buffer, size, "%s, status %d", unit->result, unit->exec_status);
        else
                snprintf(buffer, size, "%s", unit->result);
}

static void describe_loaded(const UnitStatus *unit, char *buffer, size_t size) {
        char result[80], restarts[48] = "", pid[32] = "";
        describe_result(unit, result, sizeof result);
        if (unit->restarts > 0)
                snprintf(restarts, sizeof restarts, ", restarted %u time%s", unit->restarts,
                         unit->restarts == 1 ? "" : "s");
        if (unit->main_pid > 0)
                snprintf(pid, sizeof pid, ", main pid %u", unit->main_pid);
        if (state_is(unit, "failed"))
                snprintf(buffer, size, "%s: failed (%s)%s", unit->name, result, restarts);
        else if (strcmp(unit->sub_state, "auto-restart") == 0)
                snprintf(buffer, size, "%s: waiting to be restarted (%s)%s", unit->name, result, restarts);
        else
                snprintf(buffer, size, "%s: %s (%s)%s%s", unit->name, unit->active_state, unit->sub_state, pid,
                         restarts);
}

char *unit_describe(const UnitStatus *unit, char *buffer, size_t size) {
        if (is_loaded(unit) || !unit_is_down(unit)) /* one whose file is gone may still run */
                describe_loaded(unit, buffer, size);
        else
                describe_unloadable(unit, buffer, size);
        return buffer;
}

/* Every start of any unit of the set must change it; of a single unit it is systemd's own. */
static void format_invocation(const uint8_t sum[16], char *buffer, size_t size) {
        for (size_t i = 0; i < 16; i++)
                snprintf(buffer + 2 * i, size - 2 * i, "%02x", sum[i]);
}

void units_summarize(const UnitStatus *units, unsigned count, UnitsState *ret_state) {
        UnitsState state = {.loadable = count > 0, .active = count > 0};
        uint8_t sum[16] = {0};
        bool running = false;
        size_t used = 0;
        for (unsigned i = 0; i < count; i++) {
                const UnitStatus *unit = &units[i];
                char text[DETAIL_MAX];
                state.loadable &= is_loaded(unit);
                state.active &= unit_is_active(unit);
                state.alive |= unit->main_pid != 0;
                state.failed |= state_is(unit, "failed");
                state.restarts += unit->restarts;
                if (!unit_is_down(unit)) {
                        running = true;
                        for (size_t k = 0; k < sizeof sum; k++)
                                sum[k] ^= unit->invocation[k];
                }
                used += (size_t)snprintf(state.detail + used, sizeof state.detail - used, "%s%s", i ? "; " : "",
                                         unit_describe(unit, text, sizeof text));
                if (used >= sizeof state.detail)
                        used = sizeof state.detail - 1;
        }
        if (running)
                format_invocation(sum, state.invocation, sizeof state.invocation);
        if (count > 0 && units[0].main_pid != 0) {
                state.main_pid = units[0].main_pid;
                state.main_start_wall = (int64_t)units[0].main_start_wall;
        }
        *ret_state = state;
}
