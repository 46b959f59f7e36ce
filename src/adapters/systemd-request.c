#include "adapters/systemd-request.h"

#include "base/macros.h"
#include "base/users.h"

#include <errno.h>
#include <string.h>

#define PAUSE_FIRST_US (25 * USEC_PER_MSEC)
#define PAUSE_LONGEST_US (400 * USEC_PER_MSEC)
#define REFUSED_MAX 10 /* 25 + 50 + 100 + 200 + 6 x 400 ms: longer than PID 1 takes to re-execute itself */

#define POLKIT_RULE "the polkit rule 50-novacron-rollback.rules"

static void destroy(Op *op) {
        SystemdRequest *request = (SystemdRequest *)op;
        request->type->forget(request);
        request->again = sd_event_source_disable_unref(request->again);
        op_finish_base(op);
        free(request);
}

void systemd_request_note(SystemdRequest *request, const char *state) {
        snprintf(request->what, sizeof request->what, "%s%s%s%s", request->subject, *state ? " (" : "", state,
                 *state ? ")" : "");
}

void systemd_request_name(SystemdRequest *request, const char *verb, const UnitSet *units) {
        size_t used = (size_t)snprintf(request->subject, sizeof request->subject, "%s", verb);
        for (unsigned i = 0; i < units->count && used < sizeof request->subject; i++) {
                char unit[SYSTEMD_UNIT_MAX];
                systemd_unit_name(units->names[i], unit);
                used += (size_t)snprintf(request->subject + used, sizeof request->subject - used, "%s%s",
                                         i ? ", " : " of ", unit);
        }
        systemd_request_note(request, "");
}

void systemd_request_fail(SystemdRequest *request, const Error *error) {
        OpResult result = {.status = OP_FAILED, .error = *error}; /* a copy: it may belong to what is forgotten now */
        request->type->forget(request);
        request->again = sd_event_source_disable_unref(request->again);
        /* From the next turn: this may be the call that began the request. Without memory the deadline tells it. */
        if (!request->op.deferred)
                (void)op_complete_soon(&request->op, &result);
}

static void attempt(SystemdRequest *request);

static int on_again(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        attempt(userdata);
        return 0;
}

void systemd_request_retry(SystemdRequest *request, const char *why) {
        systemd_request_note(request, why); /* first: it may belong to what is forgotten now */
        request->type->forget(request);
        unsigned shift = request->refused < 4 ? request->refused : 4;
        int64_t pause = PAUSE_FIRST_US << shift;
        if (pause > PAUSE_LONGEST_US)
                pause = PAUSE_LONGEST_US;
        request->again = sd_event_source_disable_unref(request->again);
        int r = sd_event_add_time_relative(request->op.event, &request->again, CLOCK_BOOTTIME, (uint64_t)pause, 1000,
                                           on_again, request);
        if (r < 0) {
                Error error = {0};
                error_set(&error, r, "%s: cannot try again: %s", request->what, strerror(-r));
                systemd_request_fail(request, &error);
        }
}

static void attempt(SystemdRequest *request) {
        sd_bus *bus;
        Error error = {0};
        int r = systemd_bus_get(request->bus, &bus, &error);
        if (r < 0 && ++request->refused < REFUSED_MAX) {
                systemd_request_retry(request, error_text(&error));
                return;
        }
        if (r >= 0) {
                request->refused = 0;
                r = request->type->attempt(request, bus, &error);
        }
        if (r < 0)
                systemd_request_fail(request, &error);
}

int systemd_request_begin(SystemdRequest *request, SystemdBus *bus, const SystemdRequestType *type, int64_t budget_us,
                          OpCallback callback, void *userdata, Op **ret_op, Error *error) {
        request->bus = bus;
        request->type = type;
        int r = op_begin(&request->op, systemd_bus_event(bus), request->what, budget_us, callback, userdata, destroy);
        if (r < 0) {
                error_set(error, r, "%s: cannot begin: %s", request->subject, strerror(-r));
                destroy(&request->op);
                return r;
        }
        attempt(request);
        *ret_op = &request->op;
        return 0;
}

void systemd_explain_denial(const char *verb, const char *unit, Error *error) {
        char name[USERS_TEXT_MAX];
        error_set(error, -EACCES,
                  "systemd does not let %s %s %s; as root, for now: systemctl %s %s; for good: let " POLKIT_RULE
                  " allow %s",
                  users_describe(geteuid(), name, sizeof name), verb, unit, verb, unit, unit);
}

void systemd_request_refused(SystemdRequest *request, const char *verb, const char *unit,
                             const sd_bus_error *bus_error) {
        if (systemd_error_is_transient(bus_error)) {
                systemd_request_retry(request, bus_error->message);
                return;
        }
        Error error = {0};
        if (systemd_error_is_denied(bus_error))
                systemd_explain_denial(verb, unit, &error);
        else
                error_set(&error, -EIO, "cannot %s %s: %s", verb, unit,
                          bus_error->message ? bus_error->message : bus_error->name);
        systemd_request_fail(request, &error);
}
