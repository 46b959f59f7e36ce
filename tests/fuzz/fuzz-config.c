/* Any bytes as a configuration: it is taken whole or refused with a place, and never crashes, hangs or leaks. */
#include "core/version.h"
#include "daemon/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const Config *config) {
        UnitSet units;
        char path[256];
        (void)config_units(config, "v2.4.0", &units, NULL);
        (void)config_saved_path(config, "v2.4.0", path, sizeof path, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Config *config = NULL;
        Error error = {0};
        int r = config_load_text("input", (const char *)data, size, &config, &error);
        if (r == 0) {
                use(config);
                config_free(config);
        } else if (config || error.code >= 0 || strncmp(error.message, "input:", 6) != 0)
                abort();
        return 0;
}
