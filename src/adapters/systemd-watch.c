#include "adapters/systemd-watch.h"

#include "adapters/systemd-unit.h"
#include "base/macros.h"

#include <errno.h>
#include <string.h>

/* A unit that fails must be seen within a second, also when the bus was away. */
#define PAUSE_FIRST_US (50 * USEC_PER_MSEC)
#define PAUSE_LONGEST_US (800 * USEC_PER_MSEC)
#define ANSWER_MAX_US (5 * USEC_PER_SEC) /* then the connection is taken for dead */

struct SystemdWatch {
        SystemdBus *bus;
        const DriverContext *context;
        UnitSet units;
        UnitsChanged changed;
        void *userdata;

        sd_bus *connection; /* a reference; NULL while there is none */
        sd_bus_slot *subscribed, *owner, *signals[UNITS_MAX];
        UnitReader *reader;
        bool stale; /* something changed while we were reading */
        bool heard; /* systemd has answered on this connection */
        sd_event_source *guard, *again;
        int64_t pause_us;
        bool warned;

        bool told;
        UnitsState last;
};

static void start(SystemdWatch *watch);

static void forget(SystemdWatch *watch) {
        watch->reader = unit_reader_free(watch->reader);
        watch->subscribed = sd_bus_slot_unref(watch->subscribed);
        watch->owner = sd_bus_slot_unref(watch->owner);
        for (size_t i = 0; i < ARRAY_SIZE(watch->signals); i++)
                watch->signals[i] = sd_bus_slot_unref(watch->signals[i]);
        watch->guard = sd_event_source_disable_unref(watch->guard);
        watch->connection = sd_bus_unref(watch->connection);
        watch->heard = false;
}

static int on_again(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        start(userdata);
        return 0;
}

static void start_again(SystemdWatch *watch) {
        forget(watch);
        watch->again = sd_event_source_disable_unref(watch->again);
        (void)sd_event_add_time_relative(watch->context->event, &watch->again, CLOCK_BOOTTIME,
                                         (uint64_t)watch->pause_us, 1000, on_again, watch);
        watch->pause_us = watch->pause_us * 2 < PAUSE_LONGEST_US ? watch->pause_us * 2 : PAUSE_LONGEST_US;
}

/* A connection that only ends is made again in silence; what is said, and once, is that the next one doesn't work either. */
static void warn_and_start_again(SystemdWatch *watch, const char *why) {
        if (watch->heard) {
                start_again(watch);
                return;
        }
        if (!watch->warned && watch->context->warn) {
                char text[ERROR_MESSAGE_MAX];
                snprintf(text, sizeof text, "a failing unit would not be noticed now: %s; trying again", why);
                watch->context->warn(watch->context->userdata, "units", text);
        }
        watch->warned = true;
        start_again(watch);
}

/* ---- reading ---- */

static bool differs(const UnitsState *a, const UnitsState *b) {
        return a->active != b->active || a->failed != b->failed || a->alive != b->alive || a->loadable != b->loadable ||
               a->restarts != b->restarts || a->main_pid != b->main_pid || strcmp(a->invocation, b->invocation) != 0;
}

static void read_units(SystemdWatch *watch);

static void on_read(void *userdata, int r, const UnitStatus *units, unsigned count, const Error *error) {
        SystemdWatch *watch = userdata;
        if (r < 0) {
                warn_and_start_again(watch, error_text(error));
                return;
        }
        UnitsState state;
        units_summarize(units, count, &state);
        watch->guard = sd_event_source_disable_unref(watch->guard);
        watch->reader = unit_reader_free(watch->reader);
        watch->heard = true;
        watch->warned = false;
        watch->pause_us = PAUSE_FIRST_US;
        bool tell = !watch->told || differs(&state, &watch->last);
        watch->told = true;
        watch->last = state;
        if (watch->stale)
                read_units(watch);
        if (tell)
                watch->changed(watch->userdata, &state); /* last: it may replace the watch */
}

static int on_silence(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        SystemdWatch *watch = userdata;
        SystemdBus *bus = watch->bus;
        watch->heard = false;
        warn_and_start_again(watch, "systemd does not answer");
        systemd_bus_drop(bus);
        return 0;
}

static void read_units(SystemdWatch *watch) {
        Error error = {0};
        watch->stale = false;
        watch->guard = sd_event_source_disable_unref(watch->guard);
        watch->reader = unit_reader_free(watch->reader);
        int r = unit_reader_begin(watch->connection, &watch->units, on_read, watch, &watch->reader, &error);
        if (r >= 0)
                r = sd_event_add_time_relative(watch->context->event, &watch->guard, CLOCK_BOOTTIME, ANSWER_MAX_US,
                                               1000, on_silence, watch);
        if (r < 0)
                warn_and_start_again(watch, error.code ? error_text(&error) : strerror(-r));
}

/* The signal may repeat a state or carry only some of it, so it is only the reason to look. */
static int on_properties_changed(UNUSED sd_bus_message *message, void *userdata, UNUSED sd_bus_error *ret_error) {
        SystemdWatch *watch = userdata;
        if (watch->reader)
                watch->stale = true;
        else
                read_units(watch);
        return 0;
}

/* ---- being told ---- */

static int on_subscribed(sd_bus_message *message, void *userdata, UNUSED sd_bus_error *ret_error) {
        const sd_bus_error *bus_error = sd_bus_message_get_error(message);
        if (bus_error &&
            systemd_error_is_transient(bus_error)) /* systemd is not on the bus yet, and would never signal us */
                warn_and_start_again(userdata, bus_error->message);
        return 0;
}

/* PID 1 left the bus or came back (re-executed, or the bus was restarted). What it told meanwhile is lost. */
static int on_owner_changed(UNUSED sd_bus_message *message, void *userdata, UNUSED sd_bus_error *ret_error) {
        SystemdWatch *watch = userdata;
        if (watch->heard)
                start_again(watch);
        return 0;
}

static int connect_signals(SystemdWatch *watch) {
        int r = 0;
        for (unsigned i = 0; r >= 0 && i < watch->units.count; i++) {
                AUTO_FREE char *path = NULL;
                char unit[SYSTEMD_UNIT_MAX];
                systemd_unit_name(watch->units.names[i], unit);
                r = sd_bus_path_encode(SYSTEMD_OBJECT "/unit", unit, &path);
                if (r >= 0)
                        r = systemd_match(watch->connection, path, "org.freedesktop.DBus.Properties",
                                          "PropertiesChanged", on_properties_changed, watch, &watch->signals[i]);
        }
        if (r >= 0 && sd_bus_is_bus_client(watch->connection) > 0)
                r = sd_bus_add_match_async(
                        watch->connection, &watch->owner,
                        "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                        "arg0='" SYSTEMD_SERVICE "'",
                        on_owner_changed, NULL, watch);
        return r < 0 ? r : systemd_subscribe(watch->connection, on_subscribed, watch, &watch->subscribed);
}

static void start(SystemdWatch *watch) {
        sd_bus *bus;
        Error error = {0};
        if (systemd_bus_get(watch->bus, &bus, &error) < 0) {
                warn_and_start_again(watch, error_text(&error));
                return;
        }
        watch->connection = sd_bus_ref(bus);
        int r = connect_signals(watch);
        if (r < 0)
                warn_and_start_again(watch, strerror(-r));
        else
                read_units(watch); /* behind the matches, so that nothing falls between */
}

int systemd_watch_new(SystemdBus *bus, const DriverContext *context, const UnitSet *units, UnitsChanged changed,
                      void *userdata, SystemdWatch **ret_watch, Error *error) {
        if (units->count == 0 || units->count > UNITS_MAX)
                return error_set(error, -EINVAL, "a watch needs 1 to %d units, not %u", UNITS_MAX, units->count);
        SystemdWatch *watch = calloc(1, sizeof *watch);
        if (!watch)
                return error_set(error, -ENOMEM, "cannot watch units: out of memory");
        watch->bus = bus;
        watch->context = context;
        watch->units = *units;
        watch->changed = changed;
        watch->userdata = userdata;
        watch->pause_us = PAUSE_FIRST_US;
        start(watch);
        *ret_watch = watch;
        return 0;
}

SystemdWatch *systemd_watch_free(SystemdWatch *watch) {
        if (!watch)
                return NULL;
        forget(watch);
        sd_event_source_disable_unref(watch->again);
        free(watch);
        return NULL;
}

void systemd_watch_lost(SystemdWatch *watch) {
        if (watch)
                start_again(watch);
}
