/* Any bytes as a script: taken, or refused with a reason. That psql reads what is taken the same way is shown on a real one. */
#include "adapters/postgres-script.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Error error = {0};
        int r = pg_script_check((const char *)data, size, &error);
        if ((r == 0) != (error.message[0] == '\0'))
                abort();
        return 0;
}
