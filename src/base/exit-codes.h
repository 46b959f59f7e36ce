/* What the command line exits with: sysexits where they fit, and small numbers of our own for how a run ended. The controller
 * names them too (api/api.h, Problem), so that daemon and break glass end alike. */
#pragma once

enum {
        EXIT_OK = 0,              /* done; a rollback: succeeded and validated */
        EXIT_HEALTH_DEGRADED = 1, /* these three: health-checker alone, as monitoring plugins have it */
        EXIT_HEALTH_UNHEALTHY = 2,
        EXIT_HEALTH_UNKNOWN = 3,
        EXIT_VALIDATION_FAILED = 3, /* rolled back, but it did not help */
        EXIT_REFUSED = 4,           /* refused before anything was touched */
        EXIT_PUT_BACK = 5,          /* failed; the original release serves */
        EXIT_HELD = 6,              /* nothing safe left to do: a person is needed */
        EXIT_CANCELLED = 7,
        EXIT_NOT_VERIFIED = 8,    /* rolled back; what should be measured could not be */
        EXIT_NOT_AS_RECORDED = 9, /* replayed, a decision differs; or a record was changed, removed or inserted */

        EXIT_USAGE_ERROR = 64,
        EXIT_DATA = 65,
        EXIT_NO_INPUT = 66,
        EXIT_UNAVAILABLE = 69,
        EXIT_INTERNAL = 70,
        EXIT_CANT_CREATE = 73,
        EXIT_IO = 74,
        EXIT_TRY_LATER = 75, /* somebody else holds the lock, or deployments are paused */
        EXIT_PERMISSION = 77,
        EXIT_CONFIG = 78,
};
