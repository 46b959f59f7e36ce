/* Holding traffic back, and keeping it so. One procedure for the first time and for every extension: look, then say what has to
 * be said. So an HAProxy that was restarted meanwhile, and knows nothing any more, is told again. */
#include "adapters/haproxy-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define COMMANDS_MAX 8192

void haproxy_hold_cancel(HaproxyHold *hold) {
        hold->call = line_cancel(hold->call);
}

static void hold_finish(HaproxyHold *hold, const Error *error) {
        static const Error none = {0};
        if (!error && !hold->haproxy->held) {
                hold->haproxy->held = true;
                hold->haproxy->total_when_empty = -1;
        }
        hold->callback(hold->userdata, error ? error : &none);
}

static int append_entry(const Haproxy *haproxy, char *line, size_t size, HaproxyMap known, const char *key,
                        int64_t value) {
        /* `set map` changes an entry, `add map` would add a second one of the same key */
        const char *verb = known == HAPROXY_MAP_VALUE ? "set" : "add";
        return haproxy_append(line, size, "%s map %s %s %" PRId64, verb, haproxy->gate_map, key, value);
}

static int compose_gate(const Haproxy *haproxy, const HaproxyView *view, char *line, size_t size) {
        int64_t park_ms = haproxy->park_max_us / USEC_PER_MSEC;
        int64_t deadline_ms = haproxy_wall_ms(haproxy) + haproxy->horizon_us / USEC_PER_MSEC;
        int r = 0;
        if (view->park_map != HAPROXY_MAP_VALUE || view->park_ms != park_ms)
                r = append_entry(haproxy, line, size, view->park_map, haproxy->park_key, park_ms);
        return r < 0 ? r : append_entry(haproxy, line, size, view->map, haproxy->backend, deadline_ms);
}

static int compose_plain(const Haproxy *haproxy, const HaproxyView *view, char *line, size_t size) {
        int r = 0;
        for (unsigned i = 0; i < view->backend.count && r == 0; i++) {
                const HaproxyServer *server = &view->backend.servers[i];
                if (haproxy_is_ours(haproxy, server->name) &&
                    (server->state == HAPROXY_UP || server->state == HAPROXY_DOWN))
                        r = haproxy_append(line, size, "set server %s/%s state drain", haproxy->backend, server->name);
        }
        return r;
}

static void warn_missing_map(Haproxy *haproxy) {
        if (haproxy->map_missing_warned || !haproxy->context.warn)
                return;
        haproxy->map_missing_warned = true;
        char message[ERROR_MESSAGE_MAX];
        snprintf(
                message, sizeof message,
                "HAProxy at %s has not loaded the gate's map %s: requests are refused while drained, not parked; haproxy.cfg.example shows the rules it needs",
                haproxy->socket, haproxy->gate_map);
        haproxy->context.warn(haproxy->context.userdata, "haproxy", message);
}

static void on_said(void *userdata, const LineAnswer *answer) {
        HaproxyHold *hold = userdata;
        Error error = {0};
        char said[160];
        hold->call = NULL;
        if (answer->error.code < 0)
                error_set(&error, answer->error.code, "HAProxy: %s", error_text(&answer->error));
        else if (haproxy_complaint(answer->text, said, sizeof said)[0])
                error_set(&error, -EPROTO, "HAProxy at %s refused to hold backend \"%s\": %s%s", hold->haproxy->socket,
                          hold->haproxy->backend, said,
                          strstr(said, "ermission") ? " (the stats socket needs `level admin`)" : "");
        hold_finish(hold, error.code < 0 ? &error : NULL);
}

static void on_seen(void *userdata, const LineAnswer *answer) {
        HaproxyHold *hold = userdata;
        Haproxy *haproxy = hold->haproxy;
        HaproxyView view = {0};
        Error error = {0};
        char line[COMMANDS_MAX] = "";
        hold->call = NULL;
        int r = haproxy_view_read(haproxy, answer, &view, &error);
        if (r >= 0 && !haproxy->held) {
                haproxy->plain = view.map == HAPROXY_MAP_UNKNOWN;
                if (haproxy->plain && haproxy->gate_map[0])
                        warn_missing_map(haproxy);
                haproxy_backend_free(&haproxy->before);
                haproxy->before = view.backend;
                view.backend = (HaproxyBackend){0};
        }
        if (r >= 0) {
                const HaproxyView seen = {haproxy->held ? view.backend : haproxy->before, view.map, view.deadline_ms,
                                          view.park_map, view.park_ms};
                if (!haproxy->plain && view.map == HAPROXY_MAP_UNKNOWN)
                        r = error_set(&error, -EPROTO, "HAProxy at %s has lost the gate's map %s", haproxy->socket,
                                      haproxy->gate_map);
                else if ((haproxy->plain ? compose_plain : compose_gate)(haproxy, &seen, line, sizeof line) < 0)
                        r = error_set(&error, -E2BIG,
                                      "HAProxy at %s: too many servers in backend \"%s\" to drain at once",
                                      haproxy->socket, haproxy->backend);
        }
        haproxy_view_done(&view);
        int64_t left_us = hold->begun_us + hold->budget_us - haproxy_mono_us(haproxy);
        if (r >= 0 && line[0])
                r = haproxy_ask(haproxy, line, left_us > USEC_PER_MSEC ? left_us : USEC_PER_MSEC, on_said, hold,
                                &hold->call, &error);
        if (r < 0 || !line[0])
                hold_finish(hold, r < 0 ? &error : NULL);
}

int haproxy_hold_begin(HaproxyHold *hold, Haproxy *haproxy, int64_t budget_us, HaproxyHeld callback, void *userdata,
                       Error *error) {
        *hold = (HaproxyHold){
                .haproxy = haproxy,
                .budget_us = budget_us,
                .begun_us = haproxy_mono_us(haproxy),
                .callback = callback,
                .userdata = userdata,
        };
        return haproxy_ask(haproxy, haproxy->view_command, budget_us, on_seen, hold, &hold->call, error);
}

/* ---- keeping it ---- */

static int64_t keep_interval_us(const Haproxy *haproxy) {
        return haproxy->horizon_us / 4;
}

static void arm_keep(Haproxy *haproxy, int64_t in_us) {
        (void)sd_event_source_set_time_relative(haproxy->keep_timer, (uint64_t)in_us);
        (void)sd_event_source_set_enabled(haproxy->keep_timer, SD_EVENT_ONESHOT);
}

/* One that failed is tried again sooner: an HAProxy that is restarting lets requests through until it is told. */
static void on_kept(void *userdata, const Error *error) {
        Haproxy *haproxy = userdata;
        bool failed = error->code < 0;
        if (failed && !haproxy->keep_failing && haproxy->context.warn) {
                char message[ERROR_MESSAGE_MAX];
                snprintf(message, sizeof message, "cannot keep traffic held back, trying again: %s", error_text(error));
                haproxy->context.warn(haproxy->context.userdata, "haproxy", message);
        }
        haproxy->keep_failing = failed;
        if (haproxy->keep_timer)
                arm_keep(haproxy, failed ? keep_interval_us(haproxy) / 8 : keep_interval_us(haproxy));
}

static int on_keep_timer(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        Haproxy *haproxy = userdata;
        Error error = {0};
        if (haproxy_hold_begin(&haproxy->keep, haproxy, keep_interval_us(haproxy), on_kept, haproxy, &error) < 0)
                on_kept(haproxy, &error);
        return 0;
}

int haproxy_keep_start(Haproxy *haproxy) {
        if (haproxy->keep_timer)
                return 0;
        haproxy->keep_failing = false;
        return sd_event_add_time_relative(haproxy->context.event, &haproxy->keep_timer, CLOCK_BOOTTIME,
                                          (uint64_t)keep_interval_us(haproxy), 1000, on_keep_timer, haproxy);
}

void haproxy_keep_stop(Haproxy *haproxy) {
        haproxy_hold_cancel(&haproxy->keep);
        haproxy->keep_timer = sd_event_source_disable_unref(haproxy->keep_timer);
}
