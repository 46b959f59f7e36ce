#include "core/severity.h"

#include "base/macros.h"

#include <string.h>

Severity severity_of_begun(const Run *run) {
        if (run->plan.kind == RUN_DEPLOYMENT)
                return SEVERITY_P3;
        return run->plan.mode == MODE_EMERGENCY ? SEVERITY_P0 : SEVERITY_P1;
}

/* Nobody waits for an automatic one's answer, so what it could not do is somebody's business now. */
static Severity of_untouched(const Run *run) {
        if (run->plan.kind == RUN_DEPLOYMENT)
                return SEVERITY_P2;
        return run->plan.mode == MODE_AUTOMATIC ? SEVERITY_P0 : SEVERITY_P1;
}

Severity severity_of_run(const Run *run) {
        bool rollback = run->plan.kind == RUN_ROLLBACK;
        switch (run->outcome) {
        case OUTCOME_OPEN:
                return severity_of_begun(run);
        case OUTCOME_SUCCEEDED:
                return rollback ? SEVERITY_P1 : SEVERITY_P3;
        case OUTCOME_REFUSED:
        case OUTCOME_CANCELLED:
        case OUTCOME_UNDONE:
                return of_untouched(run);
        case OUTCOME_PUT_BACK:
                return rollback ? SEVERITY_P0 : SEVERITY_P1;
        case OUTCOME_HELD:
                return SEVERITY_P0;
        }
        return SEVERITY_P0;
}

Severity severity_of_alert(const char *source) {
        static const struct {
                const char *source;
                Severity severity;
        } rows[] = {
                {"holding", SEVERITY_P0},    {"drain", SEVERITY_P0},    {"run", SEVERITY_P0},
                {"validation", SEVERITY_P0}, {"recovery", SEVERITY_P0}, {"rollback", SEVERITY_P1},
                {"metrics", SEVERITY_P1},    {"current", SEVERITY_P1},  {"journal", SEVERITY_P1},
                {"readiness", SEVERITY_P1},  {"space", SEVERITY_P1},    {"units", SEVERITY_P1},
                {"traffic", SEVERITY_P1},    {"telling", SEVERITY_P1},
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (strcmp(rows[i].source, source) == 0)
                        return rows[i].severity;
        return SEVERITY_P2;
}
