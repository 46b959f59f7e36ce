/* What has to be asked of the database before a release is started: its own needs and, for the way back, what the release that
 * leaves says (release-declares.h), as one request to the data driver. Steps, readiness and plan ask with the same request. */
#pragma once

#include "daemon/world.h"

/* `leaving`: "" when no script of it may be used, as in a deployment: no schema is ever taken forward by us. Fills target, leaving,
 * release and limit_us; run_id and allow_row_loss are the caller's. The target's release.yaml can't be used: a negative errno; the
 * leaving release's can't: 1, and its scripts aren't known. In both cases `error` says why. *ret_request untouched when negative. */
int schema_request(const World *world, const char *leaving, const char *target, SchemaRequest *ret_request,
                   Error *error);

/* There is something to ask: it declares its needs, and a database is configured. */
bool schema_gated(const World *world, const SchemaRequest *request);

/* Whatever schema `leaving` can have left, `target` works with it: by what both declare, without asking the database. */
bool schema_covers(const SchemaNeeds *target, const SchemaNeeds *leaving);

/* For people: what the driver has said, behind "schema v3.0.0 -> v2.4.0: " when that is what would be done. Returns `text`. */
const char *schema_gate_text(const SchemaGate *gate, char *text, size_t size);
