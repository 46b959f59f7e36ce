/* Break glass: the command line does the work itself when no controller answers, with the same engine, journal and locks. An
 * emergency must not depend on a daemon. Answers have the shapes of api/shapes.h, so that the command line prints both alike. */
#pragma once

#include "api/api.h"
#include "daemon/config.h"

/* `operation` is "status", "plan", "rollback", "validate" or "history"; `arguments` are those of the API's operation of that
 * name. `on_event` (may be NULL) is called from inside as things happen, with the event stream's types: "run", "alert".
 * Runs an event loop of its own and blocks until the answer is there; for "rollback" until the run has ended, whatever
 * its outcome: the answer is the run. Returns 0 and a new reference in *ret_answer, or -1 with `problem` filled (exit_code 77
 * when the caller may not do it, 75 when somebody else holds the lock). */
int breakglass_call(const Config *config, const char *operation, const json_t *arguments,
                    void (*on_event)(void *userdata, const char *type, const json_t *event), void *userdata,
                    json_t **ret_answer, Problem *problem);

/* Before anything is tried: -1 with `problem` (exit_code 77) when this user may not do it. */
int breakglass_may(const Config *config, Problem *problem);

/* What root's hands have made in the service user's state is given to that user: it must not lock the controller out. */
void breakglass_leave_no_trace(const Config *config);
