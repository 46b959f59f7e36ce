/* How urgent something is (specification, Appendix B and "Emergency Rollback"): P0 pages a person at once. */
#pragma once

#include "core/types.h"

/* Of a run that has begun, or (its outcome isn't open) ended. */
Severity severity_of_run(const Run *run);

/* Of its beginning, whatever it has come to since. */
Severity severity_of_begun(const Run *run);

/* Of an alert, by what it is about (Alert.source), unless who raises it knows better. */
Severity severity_of_alert(const char *source);
