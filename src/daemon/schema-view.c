#include "daemon/schema-view.h"

#include "api/wire.h"
#include "base/clock.h"
#include "core/names.h"
#include "daemon/schema.h"

#include <string.h>

#define VIEW_BUDGET_US (4 * USEC_PER_SEC)
#define VIEW_KEPT_US (5 * USEC_PER_SEC)

struct SchemaView {
        Controller *controller;
        Op *op;
        SchemaRequest request;
        char leaving[VERSION_MAX], target[VERSION_MAX];
        int64_t known_mono; /* 0: not yet */
        SchemaGate gate;
};

static void conclude(struct SchemaView *view, SchemaVerdict verdict, const char *detail) {
        view->gate = (SchemaGate){.verdict = verdict, .estimate_us = -1};
        snprintf(view->gate.detail, sizeof view->gate.detail, "%s", detail);
        view->known_mono = clock_mono_us();
}

static void on_gate(void *userdata, const OpResult *result) {
        struct SchemaView *view = userdata;
        view->op = NULL;
        if (result->status != OP_DONE) {
                conclude(view, SCHEMA_UNKNOWN, error_text(&result->error));
                return;
        }
        view->gate = result->gate;
        view->known_mono = clock_mono_us();
}

static bool is_of(const struct SchemaView *view, const char *leaving, const char *target) {
        bool same = strcmp(view->leaving, leaving) == 0 && strcmp(view->target, target) == 0;
        bool fresh = view->known_mono != 0 && clock_mono_us() - view->known_mono < VIEW_KEPT_US;
        return same && (view->op || fresh);
}

static SchemaViewState ask(struct SchemaView *view, const char *leaving, const char *target) {
        World *world = view->controller->world;
        Error error = {0};
        view->op = op_cancel(view->op);
        view->known_mono = 0;
        snprintf(view->leaving, sizeof view->leaving, "%s", leaving);
        snprintf(view->target, sizeof view->target, "%s", target);
        if (schema_request(world, leaving, target, &view->request, &error) < 0) {
                conclude(view, SCHEMA_REFUSED, error_text(&error));
                return SCHEMA_VIEW_KNOWN;
        }
        if (!schema_gated(world, &view->request))
                return SCHEMA_VIEW_NOTHING;
        if (world->config->data_driver->gate(world->data, &view->request, VIEW_BUDGET_US, on_gate, view, &view->op,
                                             &error) >= 0)
                return SCHEMA_VIEW_PENDING;
        view->op = NULL;
        conclude(view, SCHEMA_UNKNOWN, error_text(&error));
        return SCHEMA_VIEW_KNOWN;
}

SchemaViewState schema_view(Controller *controller, const char *leaving, const char *target, SchemaGate *ret_gate) {
        if (!controller->schema_view)
                controller->schema_view = calloc(1, sizeof *controller->schema_view);
        struct SchemaView *view = controller->schema_view;
        if (!view)
                return SCHEMA_VIEW_PENDING; /* out of memory: it isn't known */
        view->controller = controller;
        SchemaViewState state = is_of(view, leaving, target) ? (view->op ? SCHEMA_VIEW_PENDING : SCHEMA_VIEW_KNOWN)
                                                             : ask(view, leaving, target);
        if (state == SCHEMA_VIEW_KNOWN)
                *ret_gate = view->gate;
        return state;
}

bool schema_view_harmless(const Controller *controller) {
        const struct SchemaView *view = controller->schema_view;
        return view && view->gate.verdict == SCHEMA_UNKNOWN &&
               schema_covers(&view->request.target, &view->request.leaving);
}

void schema_view_free(Controller *controller) {
        if (!controller->schema_view)
                return;
        controller->schema_view->op = op_cancel(controller->schema_view->op);
        free(controller->schema_view);
        controller->schema_view = NULL;
}

json_t *schema_view_json(SchemaViewState state, const SchemaGate *gate) {
        char text[REASON_MAX + DETAIL_MAX];
        if (state == SCHEMA_VIEW_NOTHING)
                return json_null();
        if (state == SCHEMA_VIEW_PENDING)
                return json_pack("{s:s, s:n, s:n, s:n, s:n, s:s}", "verdict", "pending", "current", "wanted", "script",
                                 "estimate_ms", "detail", "the database is being asked");
        return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "verdict", schema_verdict_name(gate->verdict), "current",
                         wire_text_or_null(gate->current), "wanted", wire_text_or_null(gate->wanted), "script",
                         wire_text_or_null(gate->script), "estimate_ms",
                         gate->estimate_us >= 0 ? wire_ms(gate->estimate_us) : json_null(), "detail",
                         wire_text(schema_gate_text(gate, text, sizeof text)));
}
