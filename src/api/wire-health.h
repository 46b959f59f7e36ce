/* Health as JSON: the shapes "health" and "component". As in wire.h a new reference, or NULL when memory is gone. */
#pragma once

#include "core/health.h"

#include <jansson.h>

json_t *wire_health(const Health *health);
json_t *wire_component(const ComponentHealth *component);

/* The other way, for a client: the components of a "health". What can't be understood is left out. */
void wire_parse_health(const json_t *document, Health *ret_health);
