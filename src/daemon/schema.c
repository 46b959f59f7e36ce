#include "daemon/schema.h"

#include "core/names.h"
#include "daemon/release-declares.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static int declared_by(const World *world, const char *version, SchemaNeeds *ret_needs, Error *error) {
        char directory[PATH_MAX];
        int length = snprintf(directory, sizeof directory, "%s/%s", world->config->versions, version);
        if (length < 0 || (size_t)length >= sizeof directory)
                return error_set(error, -ENAMETOOLONG, "%s/%s: the path is too long", world->config->versions, version);
        return release_declares_read(directory, ret_needs, error);
}

/* It serves, so nobody verifies it any more: its scripts must still be what was taken in when they are run. */
static void expect_scripts(const World *world, const char *version, SchemaNeeds *needs) {
        char declares[PATH_MAX];
        int length =
                snprintf(declares, sizeof declares, "%s/%s/" RELEASE_DECLARES_FILE, world->config->versions, version);
        if (length > 0 && (size_t)length < sizeof declares && needs->down_count > 0)
                release_store_expect_scripts(world->releases, version, declares, needs);
}

int schema_request(const World *world, const char *leaving, const char *target, SchemaRequest *ret_request,
                   Error *error) {
        AUTO_FREE SchemaRequest *request = calloc(1, sizeof *request);
        if (!request)
                return error_set(error, -ENOMEM, "out of memory");
        snprintf(request->release, sizeof request->release, "%s", target);
        request->limit_us = world->config->data_restore_limit_us;
        int r = declared_by(world, target, &request->target, error);
        if (r < 0)
                return r;
        if (leaving[0] != '\0' && declared_by(world, leaving, &request->leaving, error) < 0)
                r = 1;
        else if (leaving[0] != '\0')
                expect_scripts(world, leaving, &request->leaving);
        memcpy(ret_request, request, sizeof *request);
        return r;
}

bool schema_gated(const World *world, const SchemaRequest *request) {
        return world->data && request->target.declared;
}

bool schema_covers(const SchemaNeeds *target, const SchemaNeeds *leaving) {
        for (unsigned i = 0; i < leaving->works_count; i++)
                if (!schema_needs_work(target, leaving->works_with[i]))
                        return false;
        return target->declared && leaving->declared;
}

const char *schema_gate_text(const SchemaGate *gate, char *text, size_t size) {
        bool changes = gate->verdict == SCHEMA_REVERSIBLE && gate->current[0] && gate->wanted[0];
        if (changes)
                snprintf(text, size, "schema %s -> %s%s%s%s%s", gate->current, gate->wanted,
                         gate->detail[0] ? ": " : "", gate->detail, gate->doubt[0] ? "; but " : "", gate->doubt);
        else if (gate->detail[0])
                snprintf(text, size, "%s", gate->detail);
        else
                snprintf(text, size, "schema %s: %s", gate->current[0] ? gate->current : "not known",
                         schema_verdict_name(gate->verdict));
        return text;
}
