#include "api/shapes.h"

#include "api/shapes-tables.h"
#include "base/macros.h"

/* The order is that of openapi.json. */
static const Shape *const tables[] = {
        status_shapes, run_shapes,     decision_shapes, incident_shapes, release_shapes,
        health_shapes, cluster_shapes, acting_shapes,   event_shapes,
};

const Shape *shape_at(unsigned index) {
        for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
                for (const Shape *shape = tables[i]; shape->name; shape++)
                        if (index-- == 0)
                                return shape;
        return NULL;
}
