/* What the database says of a target, for people who look before they act: asked when somebody wants to know it, and kept for a while.
 * The steps ask anew. */
#pragma once

#include "daemon/controller.h"

typedef enum SchemaViewState {
        SCHEMA_VIEW_NOTHING, /* there is nothing to ask: no database is configured, or the target declares nothing */
        SCHEMA_VIEW_PENDING, /* it is being asked: look again in a moment */
        SCHEMA_VIEW_KNOWN,
} SchemaViewState;

/* Never waits. `leaving` as of schema_request(). What is wrong with a release.yaml is SCHEMA_REFUSED. */
SchemaViewState schema_view(Controller *controller, const char *leaving, const char *target, SchemaGate *ret_gate);
/* Of what was asked last: an emergency goes on though the database can't be asked. */
bool schema_view_harmless(const Controller *controller);
void schema_view_free(Controller *controller);

/* The shape "schema_gate"; null when there is nothing to ask. */
json_t *schema_view_json(SchemaViewState state, const SchemaGate *gate);
