/* The audit trail: every request to act, who asked, whence, for what, and what came of it; in the log and in the journal. What was
 * refused is in it, too, but bounded, so that a flood of it can't fill the disk: what is left out is counted, and the count told. */
#pragma once

#include "daemon/controller.h"

#define AUDIT_WINDOW_US INT64_C(60000000)
#define AUDIT_REFUSED_EACH 20 /* lines a window of one source (who, and from which address) */
#define AUDIT_REFUSED_ALL 200 /* and of all */
#define AUDIT_SOURCES 32      /* further ones count as one */

/* ApiOps' `acted`. A trail that can't be kept in the journal (full disk, no journal) is said in the log, and stops nothing. */
void op_acted(void *self, const Caller *caller, const char *method, const char *path, const json_t *arguments,
              int status, const char *outcome);

/* What takes time, right before it is begun: a controller that dies in the middle has it in its trail. */
void audit_begun(Controller *controller, const Caller *caller, const char *path, const json_t *arguments);
/* What healing does, before it does it, and how it ended. The first is what journal_heal_tries() finds. */
void audit_healing(Controller *controller, const char *component, const char *what, HealingNews news);

ApiOperation op_audit; /* GET /api/v3/audit */

void audit_free(Controller *controller); /* tells what was left out; before the journal is closed */
