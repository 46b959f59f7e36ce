/* The compatibility gate: can the release work with the schema that is there, or is there a proven way back? */
#include "daemon/readiness.h"
#include "daemon/schema.h"

#define GATE_BUDGET_US (10 * USEC_PER_SEC)

static void on_gate(void *userdata, const OpResult *result) {
        ReadyRound *round = userdata;
        const SchemaGate *gate = &result->gate;
        char text[REASON_MAX];
        round->child = NULL;
        if (result->status != OP_DONE) {
                ready_unknown(round, "look whether the database answers", "%s", error_text(&result->error));
                return;
        }
        switch (gate->verdict) {
        case SCHEMA_COMPATIBLE:
        case SCHEMA_REVERSIBLE:
                if (gate->doubt[0]) {
                        ready_unknown(round, "see to it that where dumps lie has room, and answers", "%s", gate->doubt);
                        break;
                }
                ready_ok(round, "%s", schema_gate_text(gate, text, sizeof text));
                break;
        case SCHEMA_REFUSED:
                ready_failed(round, "a rollback to it would be refused: mend what is named, or roll back to another",
                             "%s", schema_gate_text(gate, text, sizeof text));
                break;
        case SCHEMA_UNKNOWN:
                ready_unknown(round, "look whether the database answers", "%s",
                              schema_gate_text(gate, text, sizeof text));
                break;
        }
}

void ready_check_database(ReadyRound *round) {
        const Controller *controller = round->controller;
        World *world = controller->world;
        /* the scripts of the release that is to come aren't known yet: what is current is asked as things stand */
        const char *leaving = round->of_target ? controller->version : "";
        AUTO_FREE SchemaRequest *request = calloc(1, sizeof *request);
        Error error = {0};
        if (!request) {
                ready_unknown(round, "", "out of memory");
                return;
        }
        if (schema_request(world, leaving, round->ready.version, request, &error) < 0)
                ready_failed(round, "mend the release's release.yaml, then: auto-rollback adopt", "%s",
                             error_text(&error));
        else if (!world->data)
                ready_not_applicable(round, "no database is configured (data.driver)");
        else if (!schema_gated(world, request))
                ready_not_applicable(round, "%s declares no schema (release.yaml)", round->ready.version);
        else if (world->config->data_driver->gate(world->data, request, GATE_BUDGET_US, on_gate, round, &round->child,
                                                  &error) < 0)
                ready_unknown(round, "look whether the database answers", "%s", error_text(&error));
}
