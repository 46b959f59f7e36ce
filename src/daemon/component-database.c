/* The database: there is no adapter for it yet, so nothing is known of it, and that is said. */
#include "daemon/component.h"

static int open_database(const ComponentContext *context, void **ret_self, Error *error) {
        (void)error;
        *ret_self = (void *)context;
        return 0;
}

static void close_database(void *self) {
        (void)self;
}

static void check_database(void *self) {
        const ComponentContext *context = self;
        const ComponentFinding finding = {.not_configured = true, .reason = "no data adapter configured"};
        context->found(context->userdata, &finding);
}

const ComponentKind component_database = {
        .name = "database", .open = open_database, .close = close_database, .check = check_database};
