#include "daemon/run-log.h"

#include "base/log.h"
#include "core/names.h"
#include "core/steps.h"

#include <string.h>

static void log_step(const Run *run, StepId id, const StepRecord *record, bool recovery) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)run->id);
        const LogField fields[] = {
                {"run", number}, {"phase", run_phase_name(run->phase)}, {"step", step_key(id)}, {NULL, NULL}};
        const char *title = step_title(id, run->plan.kind, recovery);
        double budget_s = (double)run->plan.steps[id].budget_us / (double)USEC_PER_SEC;
        double took_s = (double)(record->ended_wall - record->started_wall) / (double)USEC_PER_SEC;
        if (record->state == STEP_ACTING && record->attempt > 1) /* the detail is still that of the attempt before */
                log_event(LEVEL_WARN, fields, "step %d/8 %s: attempt %u begins, the last one failed: %s", (int)id,
                          title, record->attempt, record->detail);
        else if (record->state == STEP_ACTING)
                log_event(LEVEL_INFO, fields, "step %d/8 %s: begins (budget %g s)", (int)id, title, budget_s);
        else if (record->state == STEP_SKIPPED)
                log_event(LEVEL_DEBUG, fields, "step %d/8 %s: skipped: %s", (int)id, title, record->detail);
        else
                log_event(record->state == STEP_DONE ? LEVEL_INFO : LEVEL_WARN, fields,
                          "step %d/8 %s: %s in %.3f s%s%s", (int)id, title, step_state_name(record->state), took_s,
                          record->detail[0] ? ": " : "", record->detail);
}

void run_log_taken_over(RunLog *log, const Run *run) {
        log->run_id = run->id;
        for (unsigned id = 0; id < STEP_COUNT; id++) {
                log->logged[0][id] = (LoggedStep){run->steps[id].state, run->steps[id].attempt};
                log->logged[1][id] = (LoggedStep){run->recovery[id].state, run->recovery[id].attempt};
        }
        log_info("run %lld: taken over from a process that died: %s %s from %s to %s", (long long)run->id,
                 run_mode_name(run->plan.mode), run_kind_name(run->plan.kind),
                 run->plan.from[0] ? run->plan.from : "nothing", run->plan.to);
}

void run_log_line(const Run *run, const char *line) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)run->id);
        const LogField fields[] = {
                {"run", number}, {"phase", run_phase_name(run->phase)}, {"step", step_key(run->cursor)}, {NULL, NULL}};
        log_event(LEVEL_INFO, fields, "step %d/8 %s: %s", (int)run->cursor,
                  step_title(run->cursor, run->plan.kind, run->phase == RUN_RECOVERY), line);
}

/* What has changed since it was last logged: results before the next intent, as they share an append. */
static void log_steps(const Run *run, const StepRecord *records, LoggedStep *logged, bool recovery) {
        for (int acting = 0; acting <= 1; acting++)
                for (unsigned id = 0; id < STEP_COUNT; id++) {
                        const StepRecord *record = &records[id];
                        if ((record->state == STEP_ACTING) != acting ||
                            (record->state == logged[id].state && record->attempt == logged[id].attempt))
                                continue;
                        logged[id] = (LoggedStep){record->state, record->attempt};
                        log_step(run, (StepId)id, record, recovery);
                }
}

void run_log_progress(RunLog *log, const Run *run) {
        if (log->run_id != run->id) {
                memset(log->logged, 0, sizeof log->logged);
                log->run_id = run->id;
                log_info("run %lld: %s %s from %s to %s, by %s: %s", (long long)run->id, run_mode_name(run->plan.mode),
                         run_kind_name(run->plan.kind), run->plan.from[0] ? run->plan.from : "nothing", run->plan.to,
                         run->initiator, run->reason);
        }
        log_steps(run, run->steps, log->logged[0], false);
        log_steps(run, run->recovery, log->logged[1], true);
}
