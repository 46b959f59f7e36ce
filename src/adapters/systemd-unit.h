/* What systemd says of units, read property by property in one batch, and what that means for us. */
#pragma once

#include "adapters/systemd-bus.h"
#include "core/types.h"

typedef struct UnitStatus {
        char name[SYSTEMD_UNIT_MAX];
        char load_state[24];   /* "loaded" "not-found" "masked" "bad-setting" "error" */
        char load_error[128];  /* systemd's words for the last two */
        char active_state[24]; /* "active" "reloading" "inactive" "failed" "activating" "deactivating" */
        char sub_state[32];
        char result[32]; /* of a service's last run: "success" "exit-code" "signal" "start-limit-hit" "timeout" ... */
        uint8_t invocation[16];
        uint32_t job; /* queued or running, 0: none */
        uint32_t main_pid, restarts;
        int32_t exec_code,
                exec_status; /* of the last main process: CLD_EXITED and its status, or CLD_KILLED and its signal */
        uint64_t main_start_wall;
} UnitStatus;

typedef struct UnitReader UnitReader;

/* r is 0, or a negative errno with `error` filled; -EAGAIN: the connection was lost, another may do. The reader may be freed in it. */
typedef void (*UnitsRead)(void *userdata, int r, const UnitStatus *units, unsigned count, const Error *error);

/* Comes back from the loop, never from inside the call. No time-out of its own. */
int unit_reader_begin(sd_bus *bus, const UnitSet *units, UnitsRead done, void *userdata, UnitReader **ret_reader,
                      Error *error);
UnitReader *unit_reader_free(UnitReader *reader); /* no callback any more; NULL allowed */

/* ---- pure ---- */

bool unit_is_active(const UnitStatus *unit); /* active and ready */
bool unit_is_down(const UnitStatus *unit);   /* inactive or failed, and no main process left */
/* "novacron-dwcp-v3.service: failed (exit-code, status 3)"; of one that can't be loaded, why and what to do. Returns `buffer`. */
char *unit_describe(const UnitStatus *unit, char *buffer, size_t size);
void units_summarize(const UnitStatus *units, unsigned count, UnitsState *ret_state);
