/* Who asks: told by the kernel, never by the asker. Reading is for everybody on the machine, acting is for root, the user the
 * controller runs as, and members of the configured group. */
#pragma once

#include "api/api.h"

/* Fills `ret_caller` for a connected Unix socket from the credentials the peer had when it connected: later changes of its
 * user or group don't matter, and neither does the peer's death. `act_group`: (gid_t)-1 for none. */
int auth_caller(int fd, gid_t act_group, Caller *ret_caller, Error *error);
