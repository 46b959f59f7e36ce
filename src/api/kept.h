/* Answers that may be given again for a moment, to whoever has the right: what is asked many times a second is made a few times. */
#pragma once

#include "api/routes.h"
#include "api/server.h"

int kept_new(Kept **ret_kept, Error *error);
Kept *kept_free(Kept *kept); /* NULL allowed; returns NULL */

/* `variant`: 0 or 1, of an answer that comes in two forms. NULL: nothing is kept, or it is old. Borrowed. */
struct MHD_Response *kept_find(const ApiServer *server, const Route *route, const char *name, unsigned variant,
                               unsigned *ret_status);
/* Takes over `response`: to be sent from here by MHD_queue_response(). */
void kept_put(ApiServer *server, const Route *route, const char *name, unsigned variant, unsigned status,
              struct MHD_Response *response);
