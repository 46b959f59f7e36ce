/* Units under systemd, by D-Bus: no child process, no polling. */
#include "adapters/adapter.h"
#include "adapters/systemd-enable.h"
#include "adapters/systemd-jobs.h"
#include "adapters/systemd-log.h"
#include "adapters/systemd-unit.h"
#include "adapters/systemd-watch.h"
#include "base/macros.h"

#include <errno.h>
#include <string.h>

typedef struct Systemd {
        DriverContext context;
        SystemdBus *bus;
        SystemdWatch *watch;
} Systemd;

static const SettingSpec systemd_settings[] = {
        {.key = "bus",
         .type = SETTING_CHOICE,
         .fallback = "auto",
         .choices = "auto system private",
         .help = "how systemd is reached; auto: as root by its private socket if that is there, else by the system bus"},
        {0},
};

static void on_lost(void *userdata) {
        Systemd *self = userdata;
        systemd_watch_lost(self->watch);
}

static void systemd_close(void *self_) {
        Systemd *self = self_;
        if (!self)
                return;
        systemd_watch_free(self->watch);
        systemd_bus_free(self->bus);
        free(self);
}

/* Doesn't connect yet: a controller must come up, and say so, while the bus is away. */
static int systemd_open(const DriverContext *context, const Settings *settings, void **ret_self, Error *error) {
        Systemd *self = calloc(1, sizeof *self);
        if (!self)
                return error_set(error, -ENOMEM, "cannot open the systemd driver: out of memory");
        self->context = *context;
        int r = systemd_bus_new(context->event, settings_string(settings, "bus"), on_lost, self, &self->bus, error);
        if (r < 0) {
                systemd_close(self);
                return r;
        }
        *ret_self = self;
        return 0;
}

/* ---- query ---- */

typedef struct QueryRequest {
        SystemdRequest request;
        UnitSet units;
        UnitReader *reader;
} QueryRequest;

static void query_forget(SystemdRequest *request) {
        QueryRequest *query = (QueryRequest *)request;
        query->reader = unit_reader_free(query->reader);
}

static void on_units_read(void *userdata, int r, const UnitStatus *units, unsigned count, const Error *error) {
        QueryRequest *query = userdata;
        if (r == -EAGAIN) {
                systemd_request_retry(&query->request, error_text(error));
        } else if (r < 0) {
                systemd_request_fail(&query->request, error);
        } else {
                OpResult result = {.status = OP_DONE};
                units_summarize(units, count, &result.units);
                memcpy(result.detail, result.units.detail, sizeof result.detail);
                op_complete(&query->request.op, &result);
        }
}

static int query_attempt(SystemdRequest *request, sd_bus *bus, Error *error) {
        QueryRequest *query = (QueryRequest *)request;
        return unit_reader_begin(bus, &query->units, on_units_read, query, &query->reader, error);
}

static int systemd_query(void *self_, const UnitSet *units, int64_t budget_us, OpCallback callback, void *userdata,
                         Op **ret_op, Error *error) {
        static const SystemdRequestType type = {query_attempt, query_forget};
        Systemd *self = self_;
        if (units->count == 0 || units->count > UNITS_MAX)
                return error_set(error, -EINVAL, "a query needs 1 to %d units, not %u", UNITS_MAX, units->count);
        QueryRequest *query = calloc(1, sizeof *query);
        if (!query)
                return error_set(error, -ENOMEM, "cannot ask systemd for the units' state: out of memory");
        query->units = *units;
        systemd_request_name(&query->request, "state", units);
        return systemd_request_begin(&query->request, self->bus, &type, budget_us, callback, userdata, ret_op, error);
}

/* ---- acts ---- */

static int systemd_stop(void *self_, const UnitSet *units, bool force, int64_t budget_us, OpCallback callback,
                        void *userdata, Op **ret_op, Error *error) {
        Systemd *self = self_;
        return systemd_jobs_begin(self->bus, force ? JOBS_KILL : JOBS_STOP, units, budget_us, callback, userdata,
                                  ret_op, error);
}

static int systemd_start(void *self_, const UnitSet *units, int64_t budget_us, OpCallback callback, void *userdata,
                         Op **ret_op, Error *error) {
        Systemd *self = self_;
        return systemd_jobs_begin(self->bus, JOBS_START, units, budget_us, callback, userdata, ret_op, error);
}

static int systemd_enable(void *self_, const UnitSet *enable, const UnitSet *disable, int64_t budget_us,
                          OpCallback callback, void *userdata, Op **ret_op, Error *error) {
        Systemd *self = self_;
        return systemd_enable_begin(self->bus, enable, disable, budget_us, callback, userdata, ret_op, error);
}

static int systemd_watch(void *self_, const UnitSet *units, UnitsChanged changed, void *userdata, Error *error) {
        Systemd *self = self_;
        self->watch = systemd_watch_free(self->watch);
        return units ? systemd_watch_new(self->bus, &self->context, units, changed, userdata, &self->watch, error) : 0;
}

const UnitsDriver systemd_units_driver = {
        .name = "systemd",
        .settings = systemd_settings,
        .any_unit = true,
        .open = systemd_open,
        .close = systemd_close,
        .query = systemd_query,
        .stop = systemd_stop,
        .start = systemd_start,
        .enable = systemd_enable,
        .watch = systemd_watch,
        .last_lines = systemd_last_lines,
};
