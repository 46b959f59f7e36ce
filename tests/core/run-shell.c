#include "run-shell.h"

#include "core/names.h"
#include "core/steps.h"

#include <string.h>

void run_shell_init(RunShell *shell, RunKind kind, RunMode mode, const char *from, const char *to) {
        memset(shell, 0, sizeof *shell);
        PlanRequest request = {.kind = kind, .mode = mode, .from = from, .to = to};
        Plan plan;
        assert_int_equal(plan_make(&request, &plan, NULL), 0);
        run_init(&shell->run, &plan, "5 % errors", "controller", 1, 0);
        for (unsigned i = 0; i < STEP_COUNT; i++)
                shell->took[i] = (i + 1) * 10 * MSEC;
}

static void trace_line(RunShell *shell, const char *what, const char *text) {
        words_append(shell->trace, sizeof shell->trace, "%4d.%03d  %-9s %s\n", (int)(shell->now / SEC),
                     (int)(shell->now / MSEC % 1000), what, text);
}

static void trace_event(RunShell *shell, const RunEvent *event) {
        static const char *const names[] = {
                [EVENT_START] = "START",     [EVENT_RECOVER] = "RECOVER",     [EVENT_PERSISTED] = "PERSISTED",
                [EVENT_PROBED] = "PROBED",   [EVENT_STEP_DONE] = "STEP_DONE", [EVENT_STEP_FAILED] = "STEP_FAILED",
                [EVENT_TIMEOUT] = "TIMEOUT", [EVENT_CANCEL] = "CANCEL",       [EVENT_PROGRESS] = "PROGRESS",
        };
        char text[DETAIL_MAX] = "";
        if (event->type == EVENT_PROBED)
                words_append(text, sizeof text, "%s",
                             event->answer == PROBE_YES  ? "yes"
                             : event->answer == PROBE_NO ? "no"
                                                         : "unknown");
        else
                words_append(text, sizeof text, "%s", event->detail ? event->detail : "");
        char line[DETAIL_MAX + 32] = "";
        words_append(line, sizeof line, "%s%s%s", names[event->type], *text ? ": " : "", text);
        trace_line(shell, "event", line);
}

static void trace_call(RunShell *shell, const char *what, const StepCall *call) {
        char text[DETAIL_MAX] = "", budget[WORDS_MAX];
        words_append(text, sizeof text, "%s (%s), attempt %u%s, %s -> %s, budget %s", step_key(call->step),
                     step_title(call->step, shell->run.plan.kind, call->recovery), call->attempt,
                     call->forced ? " FORCED" : "", call->leaving[0] ? call->leaving : "nothing",
                     call->target[0] ? call->target : "nothing", words_duration(call->budget_us, budget));
        trace_line(shell, what, text);
}

static void trace_append(RunShell *shell) {
        const Run *run = &shell->run;
        char text[DETAIL_MAX] = "";
        words_append(text, sizeof text, "%s", run_phase_name(run->phase));
        if (run->outcome != OUTCOME_OPEN)
                words_append(text, sizeof text, "/%s", run_outcome_name(run->outcome));
        if (!run_ended(run))
                words_append(text, sizeof text, ", %s %s", step_key(run->cursor),
                             step_state_name(run_record(run, run->cursor)->state));
        if (run->outstanding)
                words_append(text, sizeof text, ", outstanding 0x%x", run->outstanding);
        trace_line(shell, "append", text);
}

void run_shell_event(RunShell *shell, RunEvent event) {
        event.wall = shell->now;
        trace_event(shell, &event);
        run_step(&shell->run, &event, &shell->update);
        const char *broken = run_check(&shell->run);
        if (broken)
                fail_msg("%s", broken);
}

static void crash(RunShell *shell, bool acted) {
        trace_line(shell, "CRASH", acted ? "after the act" : "before the act");
        shell->run = shell->durable;
        shell->run.waiting = WAIT_NOTHING;
        shell->run.appends = 0;
        shell->acted = acted;
        shell->now += 500 * MSEC;
        run_shell_event(shell, (RunEvent){.type = EVENT_RECOVER});
}

static Fault *find_fault(RunShell *shell, const StepCall *call) {
        for (size_t i = 0; i < ARRAY_SIZE(shell->faults); i++) {
                Fault *fault = &shell->faults[i];
                if (fault->times > 0 && fault->step == call->step && fault->recovery == call->recovery) {
                        fault->times--;
                        return fault;
                }
        }
        return NULL;
}

static void act(RunShell *shell, const StepCall *call) {
        RunEvent done = {
                .type = EVENT_STEP_DONE,
                .token = call->token,
                .detail = "done",
                .number = call->step == STEP_DRAIN_TRAFFIC ? shell->drain_cuts : 0,
        };
        const Fault *fault = find_fault(shell, call);
        if (!fault) {
                shell->now += shell->took[call->step];
                run_shell_event(shell, done);
                return;
        }
        switch (fault->kind) {
        case FAULT_FAILS:
        case FAULT_FAILS_FOR_GOOD:
                shell->now += shell->took[call->step];
                run_shell_event(shell, (RunEvent){.type = EVENT_STEP_FAILED,
                                                  .token = call->token,
                                                  .detail = "it broke",
                                                  .final = fault->kind == FAULT_FAILS_FOR_GOOD});
                break;
        case FAULT_TIMES_OUT:
                shell->now += call->budget_us;
                run_shell_event(shell, (RunEvent){.type = EVENT_TIMEOUT, .token = call->token});
                break;
        case FAULT_CANCEL_MEANWHILE:
                run_shell_event(shell, (RunEvent){.type = EVENT_CANCEL, .detail = "root (uid 0)"});
                break;
        case FAULT_CRASH_BEFORE:
        case FAULT_CRASH_AFTER:
                crash(shell, fault->kind == FAULT_CRASH_AFTER);
                break;
        }
}

static void note_step(RunShell *shell, char mark, const StepCall *call) {
        char text[16] = "";
        words_append(text, sizeof text, "%s%.1s%s%u%s", shell->steps[0] ? " " : "", mark == '?' ? "?" : "",
                     call->recovery ? "r" : "", (unsigned)call->step, call->forced ? "!" : "");
        words_append(shell->steps, sizeof shell->steps, "%s", text);
}

static void act_or_answer_late(RunShell *shell, const StepCall *call) {
        unsigned token = shell->run.token;
        act(shell, call);
        /* A cancel in the middle of a step that can't be cancelled: the step itself still goes on and answers. */
        if (shell->run.token == token && shell->run.waiting == WAIT_STEP && !(shell->update.flags & UPDATE_DISPATCH)) {
                while (shell->update.flags & UPDATE_APPEND) {
                        trace_append(shell);
                        shell->durable = shell->run;
                        run_shell_event(shell, (RunEvent){.type = EVENT_PERSISTED});
                }
                act(shell, call);
        }
}

static void carry_out(RunShell *shell) {
        RunUpdate update = shell->update;
        shell->update.flags = 0;
        if (update.flags & UPDATE_NOTIFY) {
                words_append(shell->notified, sizeof shell->notified, "%s", update.notify);
                trace_line(shell, "notify", update.notify);
        }
        if (update.flags & UPDATE_FINISH) {
                trace_line(shell, "finish", run_outcome_name(shell->run.outcome));
                shell->finished = true;
        } else if (update.flags & UPDATE_APPEND) {
                assert_false(update.flags & (UPDATE_DISPATCH | UPDATE_PROBE));
                trace_append(shell);
                shell->durable = shell->run;
                run_shell_event(shell, (RunEvent){.type = EVENT_PERSISTED});
        } else if (update.flags & UPDATE_PROBE) {
                note_step(shell, '?', &update.call);
                trace_call(shell, "probe", &update.call);
                shell->now += MSEC;
                run_shell_event(shell, (RunEvent){.type = EVENT_PROBED,
                                                  .token = update.call.token,
                                                  .detail = "found done",
                                                  .answer = shell->acted ? PROBE_YES : shell->probe_says});
        } else if (update.flags & UPDATE_DISPATCH) {
                assert_true(update.call.budget_us > 0);
                note_step(shell, ' ', &update.call);
                trace_call(shell, "dispatch", &update.call);
                act_or_answer_late(shell, &update.call);
        } else if (update.flags & UPDATE_ARM_TIMER) {
                shell->now += update.timer_us;
                run_shell_event(shell, (RunEvent){.type = EVENT_TIMEOUT, .token = update.timer_token});
        } else {
                fail_msg("the run fell asleep after:\n%s", shell->trace);
        }
}

void run_shell_play(RunShell *shell) {
        for (unsigned moves = 0; !shell->finished; moves++) {
                if (moves > 1000)
                        fail_msg("the run never ends:\n%s", shell->trace);
                carry_out(shell);
        }
}
