#include "sim.h"

#include "core/steps.h"

#include <string.h>

unsigned sim_draw(Sim *sim, unsigned limit) {
        uint64_t x =
                sim->seed * UINT64_C(0x9E3779B97F4A7C15) + ++sim->draws * UINT64_C(0xD1B54A32D192ED03); /* splitmix64 */
        x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
        x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
        return (unsigned)((x ^ x >> 31) % limit);
}

static void check(Sim *sim, const char *broken) {
        if (broken && !sim->broken)
                sim->broken = broken;
}

static RunUpdate feed(Sim *sim, RunEvent event) {
        RunUpdate update;
        if (sim->clock_jumps && sim_draw(sim, 4) == 0)
                sim->skew = ((int64_t)sim_draw(sim, 2001) - 1000) * 60 * USEC_PER_SEC;
        event.wall = sim->now + sim->skew;
        run_step(&sim->run, &event, &update);
        check(sim, world_check(&sim->world));
        return update;
}

/* One of the places where a controller can be killed. */
static bool crashes_here(Sim *sim) {
        unsigned point = sim->points++;
        return point == sim->crash_at[0] || point == sim->crash_at[1];
}

static RunUpdate crash(Sim *sim) {
        sim->crashes++;
        sim->now += 300 * USEC_PER_MSEC;
        if (sim->gate_opens)
                sim->world.drained = 0;
        if (!sim->in_journal) {
                sim->world.finished = 1; /* nobody will ever know of it: nothing may have been touched */
                check(sim, sim->world.paused || sim->world.drained ? "touched before the first append" : NULL);
                return (RunUpdate){0};
        }
        sim->run = sim->journal;
        return feed(sim, (RunEvent){.type = EVENT_RECOVER});
}

static RunUpdate do_append(Sim *sim) {
        if (crashes_here(sim))
                return crash(sim);
        sim->journal = sim->run;
        sim->journal.waiting = WAIT_NOTHING;
        sim->journal.appends = 0;
        sim->in_journal = true;
        if (crashes_here(sim))
                return crash(sim);
        sim->now += USEC_PER_MSEC;
        return feed(sim, (RunEvent){.type = EVENT_PERSISTED});
}

static void check_call(Sim *sim, const StepCall *call) {
        check(sim, world_check_intent(sim->in_journal ? &sim->journal : NULL, &sim->run, call));
        int64_t most = call->forced ? STOP_KILL_GRACE_US : sim->run.plan.steps[call->step].budget_us;
        if (call->budget_us <= 0 || call->budget_us > most)
                check(sim, "an act with another budget than the plan's");
}

/* The act has its fate: it may fail or hang, with or without having taken effect; and it takes its time. */
static RunEvent act(Sim *sim, const StepCall *call) {
        RunEvent event = {.type = EVENT_STEP_DONE, .token = call->token};
        bool fault = sim_draw(sim, 100) < sim->fault_percent;
        unsigned kind = sim_draw(sim, 4); /* bit 0: hangs instead of failing; bit 1: it took effect all the same */
        int64_t took = (int64_t)sim_draw(sim, (unsigned)(call->budget_us / USEC_PER_MSEC) + 1) * USEC_PER_MSEC;
        bool refused = (!fault || (kind & 2)) && !world_act(&sim->world, &sim->run.plan, call);
        if (call->step == STEP_DRAIN_TRAFFIC && !fault)
                event.number = sim_draw(sim, 3);
        if (fault || refused)
                event.type = fault && (kind & 1) ? EVENT_TIMEOUT : EVENT_STEP_FAILED;
        sim->now += event.type == EVENT_TIMEOUT ? call->budget_us : took;
        return event;
}

static RunUpdate do_act(Sim *sim, const StepCall *call) {
        check_call(sim, call);
        if (crashes_here(sim))
                return crash(sim);
        if (feed(sim, (RunEvent){.type = EVENT_PROGRESS, .token = call->token, .detail = "half of it"}).flags != 0)
                check(sim, "how far an act is has moved the run");
        RunEvent event = act(sim, call);
        if (crashes_here(sim))
                return crash(sim);
        if (sim->cancel && call->step <= STEP_STOP_VERSION && sim_draw(sim, 3) == 0) {
                bool can = run_can_cancel(&sim->run);
                sim->cancel = false;
                RunUpdate update = feed(sim, (RunEvent){.type = EVENT_CANCEL});
                if (can || !(update.flags & UPDATE_APPEND))
                        return update;
                unsigned crashes = sim->crashes;
                update = do_append(sim); /* too late: recorded, and the act answers as if nothing had been said */
                if (sim->crashes > crashes)
                        return update;
        }
        sim->cut += event.type == EVENT_STEP_DONE ? event.number : 0;
        return feed(sim, event);
}

static RunUpdate do_probe(Sim *sim, const StepCall *call) {
        RunEvent event = {.type = EVENT_PROBED, .token = call->token};
        bool truth = world_holds(&sim->world, &sim->run.plan, call);
        event.answer = sim_draw(sim, 4) == 0 ? PROBE_UNKNOWN : truth ? PROBE_YES : PROBE_NO;
        if (sim_draw(sim, 8) == 0)
                event.type = EVENT_TIMEOUT;
        if (crashes_here(sim))
                return crash(sim);
        sim->now += USEC_PER_MSEC;
        return feed(sim, event);
}

static RunUpdate carry_out(Sim *sim, const RunUpdate *update) {
        if (update->flags & UPDATE_NOTIFY)
                sim->world.paged = 1;
        if (update->flags & UPDATE_FINISH) {
                sim->world.finished = 1;
                check(sim, sim->run.phase == sim->journal.phase ? NULL : "it finished before its end was durable");
                return (RunUpdate){0};
        }
        if (update->flags & UPDATE_APPEND)
                return do_append(sim);
        if (update->flags & UPDATE_DISPATCH)
                return do_act(sim, &update->call);
        if (update->flags & UPDATE_PROBE)
                return do_probe(sim, &update->call);
        if (!(update->flags & UPDATE_ARM_TIMER)) {
                check(sim, "the run fell asleep");
                return (RunUpdate){0};
        }
        sim->now += update->timer_us;
        return feed(sim, (RunEvent){.type = EVENT_TIMEOUT, .token = update->timer_token});
}

/* Forward, back and settling, each at its longest; crashes give the step under way its time again. */
static int64_t longest(const Sim *sim) {
        const Plan *plan = &sim->run.plan;
        int64_t there = plan->steps[STEP_PREFLIGHT].budget_us + plan_ceiling(plan) + STOP_KILL_GRACE_US;
        int64_t settling = SETTLE_TRIES_MAX * (SETTLE_PAUSE_US + plan->steps[STEP_RESTORE_TRAFFIC].budget_us +
                                               plan->steps[STEP_RESUME_DEPLOYMENTS].budget_us);
        int64_t crashes = (int64_t)sim->crashes * (60 * USEC_PER_SEC + 2 * PROBE_BUDGET_US + USEC_PER_SEC);
        return 2 * there + settling + crashes + USEC_PER_SEC; /* and a second for a hundred appends */
}

bool sim_play(Sim *sim, const Plan *plan, const char *reason) {
        int64_t began = sim->now;
        run_init(&sim->run, plan, reason, "controller", 0, sim->now);
        sim->in_journal = false;
        sim->world.finished = 0;
        RunUpdate update = feed(sim, (RunEvent){.type = EVENT_START});
        for (unsigned moves = 0; !sim->world.finished && !sim->broken; moves++) {
                check(sim, moves > 2000 ? "the run never ends" : NULL);
                update = carry_out(sim, &update);
        }
        if (sim->broken || !sim->in_journal)
                return !sim->broken;
        check(sim, world_check_end(&sim->world, &sim->run));
        if (!sim->clock_jumps && sim->now - began > longest(sim))
                check(sim, "it took longer than its budgets together");
        if (sim->crashes == 0 && sim->run.in_flight_cut != sim->cut)
                check(sim, "requests were cut and not counted");
        return !sim->broken;
}
