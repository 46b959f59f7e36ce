#include "adapters/systemd-bus.h"

#include "base/macros.h"

#include <errno.h>
#include <string.h>

struct SystemdBus {
        sd_event *event;
        bool allow_private, require_private;
        sd_bus *bus;
        void (*lost)(void *userdata);
        void *userdata;
};

int systemd_bus_new(sd_event *event, const char *choice, void (*lost)(void *userdata), void *userdata,
                    SystemdBus **ret_self, Error *error) {
        SystemdBus *self = calloc(1, sizeof *self);
        if (!self)
                return error_set(error, -ENOMEM, "cannot prepare the connection to systemd: out of memory");
        self->event = sd_event_ref(event);
        self->require_private = strcmp(choice, "private") == 0;
        self->allow_private = self->require_private || strcmp(choice, "auto") == 0;
        self->lost = lost;
        self->userdata = userdata;
        *ret_self = self;
        return 0;
}

SystemdBus *systemd_bus_free(SystemdBus *self) {
        if (!self)
                return NULL;
        systemd_bus_drop(self);
        sd_event_unref(self->event);
        free(self);
        return NULL;
}

void systemd_bus_drop(SystemdBus *self) {
        sd_bus_close(self->bus);
        self->bus = sd_bus_unref(self->bus);
}

sd_event *systemd_bus_event(const SystemdBus *self) {
        return self->event;
}

static int on_disconnected(UNUSED sd_bus_message *message, void *userdata, UNUSED sd_bus_error *error) {
        SystemdBus *self = userdata;
        self->bus = sd_bus_unref(self->bus);
        if (self->lost)
                self->lost(self->userdata);
        return 0;
}

static bool use_private(const SystemdBus *self) {
        return self->require_private ||
               (self->allow_private && geteuid() == 0 && access(SYSTEMD_PRIVATE_SOCKET, F_OK) == 0);
}

static int connect_private(sd_bus **ret_bus) {
        sd_bus *bus = NULL;
        int r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, "unix:path=" SYSTEMD_PRIVATE_SOCKET);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0) {
                sd_bus_unref(bus);
                return r;
        }
        *ret_bus = bus;
        return 0;
}

static int explain(const SystemdBus *self, int code, Error *error) {
        const char *where = use_private(self) ? SYSTEMD_PRIVATE_SOCKET : "the system bus";
        const char *advice = code == -EACCES || code == -EPERM ? "; only root may use it, set units.systemd.bus: system"
                             : code == -ENOENT ? "; where systemd doesn't run, set units.driver: supervisor"
                                               : "";
        return error_set(error, code, "cannot reach systemd by %s: %s%s", where, strerror(-code), advice);
}

int systemd_bus_get(SystemdBus *self, sd_bus **ret_bus, Error *error) {
        if (self->bus && sd_bus_is_open(self->bus) <= 0) /* its end is known already, but wasn't told yet */
                systemd_bus_drop(self);
        if (!self->bus) {
                sd_bus *bus = NULL;
                int r = use_private(self) ? connect_private(&bus) : sd_bus_open_system(&bus);
                if (r >= 0)
                        r = sd_bus_match_signal(bus, NULL, NULL, "/org/freedesktop/DBus/Local",
                                                "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, self);
                /* Else sd_event_exit() flushes, and that waits without end for a PID 1 that hangs: we could not even leave. */
                if (r >= 0)
                        r = sd_bus_set_close_on_exit(bus, false);
                if (r >= 0)
                        r = sd_bus_attach_event(bus, self->event, SD_EVENT_PRIORITY_NORMAL);
                if (r < 0) {
                        sd_bus_close_unref(bus);
                        return explain(self, r, error);
                }
                self->bus = bus;
        }
        *ret_bus = self->bus;
        return 0;
}

int systemd_subscribe(sd_bus *bus, sd_bus_message_handler_t handler, void *userdata, sd_bus_slot **ret_slot) {
        return sd_bus_call_method_async(bus, ret_slot, SYSTEMD_SERVICE, SYSTEMD_OBJECT, SYSTEMD_MANAGER, "Subscribe",
                                        handler, userdata, "");
}

int systemd_match(sd_bus *bus, const char *path, const char *interface, const char *member,
                  sd_bus_message_handler_t handler, void *userdata, sd_bus_slot **ret_slot) {
        /* on the private socket messages have no sender */
        const char *sender = sd_bus_is_bus_client(bus) > 0 ? SYSTEMD_SERVICE : NULL;
        return sd_bus_match_signal_async(bus, ret_slot, sender, path ? path : SYSTEMD_OBJECT, interface, member,
                                         handler, NULL, userdata);
}

static bool has_name(const sd_bus_error *bus_error, const char *const *names, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (sd_bus_error_has_name(bus_error, names[i]))
                        return true;
        return false;
}

bool systemd_error_is_transient(const sd_bus_error *bus_error) {
        static const char *const names[] = {
                SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_DISCONNECTED,      SD_BUS_ERROR_SERVICE_UNKNOWN,
                SD_BUS_ERROR_TIMEOUT,  SD_BUS_ERROR_NAME_HAS_NO_OWNER, SD_BUS_ERROR_NO_SERVER,
                SD_BUS_ERROR_IO_ERROR, "System.Error.ECONNRESET",      "System.Error.ENOTCONN",
                "System.Error.EPIPE",  "System.Error.ECONNREFUSED"};
        /* The bus tries to start who has no name on it yet, and fails: systemd is not started by a bus. */
        return has_name(bus_error, names, ARRAY_SIZE(names)) ||
               (bus_error->name && strncmp(bus_error->name, "org.freedesktop.DBus.Error.Spawn.", 33) == 0);
}

bool systemd_error_is_denied(const sd_bus_error *bus_error) {
        static const char *const names[] = {SD_BUS_ERROR_ACCESS_DENIED, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                                            SD_BUS_ERROR_AUTH_FAILED};
        return has_name(bus_error, names, ARRAY_SIZE(names));
}

bool systemd_error_is_no_unit(const sd_bus_error *bus_error) {
        return sd_bus_error_has_name(bus_error, "org.freedesktop.systemd1.NoSuchUnit");
}

void systemd_unit_name(const char *name, char ret_unit[SYSTEMD_UNIT_MAX]) {
        static const char *const suffixes[] = {".service",   ".socket", ".target", ".timer", ".path",  ".mount",
                                               ".automount", ".slice",  ".scope",  ".swap",  ".device"};
        const char *dot = strrchr(name, '.');
        bool complete = false;
        for (size_t i = 0; dot && i < ARRAY_SIZE(suffixes); i++)
                complete = complete || strcmp(dot, suffixes[i]) == 0;
        snprintf(ret_unit, SYSTEMD_UNIT_MAX, "%s%s", name, complete ? "" : ".service");
}
