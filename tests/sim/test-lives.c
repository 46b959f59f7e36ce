/* The life of a service over days: releases come, good and bad ones, the engine judges its samples, the policy decides, the run
 * acts in a world where acts fail and the controller is killed. What must never happen: a rollback to a release that has not
 * proven itself, two for one deployment, one that answers another rollback, or more in a day than allowed. And every decision comes
 * out the same again when it is made from its evidence. */
#include "sim.h"

#include "core/engine.h"
#include "core/policy.h"
#include "core/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEC USEC_PER_SEC
#define HOUR (3600 * SEC)
#define RELEASES 24
#define ROLLBACKS_KEPT 256

typedef enum Sickness { SICK_NOT, SICK_ERRORS, SICK_LATENCY, SICK_CRASHES } Sickness;

typedef struct Life {
        Sim sim;
        Rules rules;
        Engine engine;
        Verdict verdict;
        Decision decision, again;
        Evidence evidence;
        ReplayRoom room;
        Release releases[RELEASES];
        Sickness sickness[RELEASES];
        unsigned release_count;
        Deployment deployment;
        bool deployment_is_rollback;
        bool triggered_since;
        bool sick_anyway; /* the cause lies outside: every release looks bad */
        int64_t rollbacks[ROLLBACKS_KEPT];
        unsigned rollback_count, deployment_count, refused_count, held_count, replay_count;
} Life;

static Rules spec_rules(void) {
        return (Rules){10000, 100 * USEC_PER_MSEC, 990000, 120 * SEC, 30 * SEC, 750000, 100, 10 * SEC,
                       3,     24 * HOUR,           HOUR,   3};
}

static void __attribute__((noreturn)) broken(const Life *life, const char *what) {
        printf("BROKEN: %s\nrepeat with: sim-lives --seed %llu\n", what, (unsigned long long)life->sim.seed);
        exit(1);
}

static unsigned index_of(const Life *life, const char *version) {
        for (unsigned i = 0; i < life->release_count; i++)
                if (strcmp(life->releases[i].version, version) == 0)
                        return i;
        broken(life, "a version that was never released");
}

static unsigned add_release(Life *life, ReleaseState state, Sickness sickness) {
        unsigned i = life->release_count++;
        life->releases[i] = (Release){.state = state, .present = true};
        snprintf(life->releases[i].version, VERSION_MAX, "v1.%u.0", i);
        life->sickness[i] = sickness;
        return i;
}

static void deployed(Life *life, const char *version, const char *previous, bool is_rollback) {
        int64_t id = life->deployment.id + 1;
        memset(&life->deployment, 0, sizeof life->deployment);
        life->deployment.id = id;
        life->deployment.at_wall = life->sim.now;
        snprintf(life->deployment.version, VERSION_MAX, "%s", version);
        snprintf(life->deployment.previous, VERSION_MAX, "%s", previous);
        life->deployment_is_rollback = is_rollback;
        life->triggered_since = false;
}

/* Plays one run with its faults and crashes; afterwards the world is as the run left it, or as a person mended it. */
static RunPhase play(Life *life, RunKind kind, RunMode mode, const char *from, const char *to) {
        Sim *sim = &life->sim;
        PlanRequest request = {.kind = kind, .mode = mode, .from = from, .to = to};
        Plan plan;
        if (plan_make(&request, &plan, NULL) < 0)
                broken(life, "no plan could be made");
        world_init(&sim->world, &plan);
        sim->points = sim->crashes = 0;
        sim->cut = 0;
        sim->crash_at[0] = sim_draw(sim, 60);
        sim->crash_at[1] = sim_draw(sim, 120);
        sim->gate_opens = sim_draw(sim, 2);
        if (!sim_play(sim, &plan, life->decision.reason))
                broken(life, sim->broken);
        engine_restart(&life->engine, sim->now);
        if (!sim->in_journal)
                return RUN_NEW;
        life->held_count += sim->run.phase == RUN_HOLDING;
        return sim->run.phase;
}

static void deploy(Life *life) {
        if (life->release_count == RELEASES)
                return;
        char from[VERSION_MAX];
        memcpy(from, life->deployment.version, VERSION_MAX);
        unsigned i = add_release(life, RELEASE_UNPROVEN, (Sickness)(sim_draw(&life->sim, 6) % 4));
        life->deployment_count++;
        if (play(life, RUN_DEPLOYMENT, MODE_MANUAL, from, life->releases[i].version) == RUN_SUCCEEDED) {
                life->releases[i].state = RELEASE_BAKING;
                deployed(life, life->releases[i].version, from, false);
        }
}

static int64_t rollbacks_of_the_day(const Life *life) {
        int64_t count = 0;
        for (unsigned i = 0; i < life->rollback_count; i++)
                count += life->rollbacks[i] > life->sim.now - DAY_US;
        return count;
}

static void check_decision(const Life *life) {
        const Decision *decision = &life->decision;
        const Release *target = &life->releases[index_of(life, decision->target)];
        if (target->state != RELEASE_GOOD)
                broken(life, "a rollback to a release that has not proven itself");
        if (strcmp(decision->target, life->deployment.version) == 0)
                broken(life, "a rollback to what is current");
        if (life->deployment.rolled_back || life->deployment_is_rollback)
                broken(life, "a second rollback for one deployment");
        if (rollbacks_of_the_day(life) >= life->rules.rollbacks_per_day)
                broken(life, "more rollbacks in a day than allowed");
        if (life->sim.now > life->deployment.at_wall + life->rules.armed_for_us)
                broken(life, "a rollback long after the deployment");
        if (decision->reason[0] == '\0')
                broken(life, "a rollback without a reason");
}

static void roll_back(Life *life) {
        char from[VERSION_MAX], to[VERSION_MAX];
        memcpy(from, life->deployment.version, VERSION_MAX);
        memcpy(to, life->decision.target, VERSION_MAX);
        check_decision(life);
        life->deployment.rolled_back = true;
        if (life->rollback_count < ROLLBACKS_KEPT)
                life->rollbacks[life->rollback_count++] = life->sim.now;
        if (play(life, RUN_ROLLBACK, MODE_AUTOMATIC, from, to) == RUN_SUCCEEDED) {
                life->releases[index_of(life, from)].state = RELEASE_FAILED;
                deployed(life, to, from, true);
        }
}

static Sample measure(Life *life, int64_t start) {
        Sickness sickness = life->sick_anyway ? SICK_ERRORS : life->sickness[index_of(life, life->deployment.version)];
        Sample sample = {.start_mono = start,
                         .end_mono = life->sim.now,
                         .measured = sim_draw(&life->sim, 50) > 0,
                         .requests = 6000};
        sample.errors = sickness == SICK_ERRORS ? 250 + sim_draw(&life->sim, 100) : sim_draw(&life->sim, 5);
        sample.successes = sample.requests - sample.errors;
        sample.latency_p99_us = sickness == SICK_LATENCY ? 250400 : 20000;
        return sample;
}

/* Made again from what would be kept. */
static void check_replay(Life *life, const PolicyInput *input) {
        char words[DETAIL_MAX];
        evidence_of_input(input, &life->evidence);
        replay_decide(&life->decision, &life->evidence, &life->room, &life->again);
        if (!replay_same(&life->again, &life->decision, words, sizeof words))
                broken(life, words);
        if (memcmp(life->again.reason, life->decision.reason, sizeof life->again.reason) != 0)
                broken(life, "a decision that isn't the same bit for bit");
        life->replay_count++;
}

static void decide(Life *life) {
        bool crashed = life->sickness[index_of(life, life->deployment.version)] == SICK_CRASHES &&
                       sim_draw(&life->sim, 20) == 0;
        char unit_failure[REASON_MAX];
        RestartWatch restarts = {0};
        life->evidence.units = (UnitsLook){.asked = true,
                                           .now_mono = life->sim.now,
                                           .units = {.failed = crashed, .detail = "the unit has failed"}};
        engine_units(&life->rules, &restarts, &life->evidence.units.units, life->sim.now, unit_failure,
                     sizeof unit_failure);
        engine_verdict(&life->engine, life->sim.now, &life->verdict);
        PolicyInput input = {
                .rules = &life->rules,
                .now_wall = life->sim.now,
                .version = life->deployment.version,
                .deployment = &life->deployment,
                .deployment_age_us = life->sim.now - life->deployment.at_wall,
                .deployment_is_rollback = life->deployment_is_rollback,
                .releases = life->releases,
                .release_count = life->release_count,
                .rollbacks_today = rollbacks_of_the_day(life),
                .verdict = &life->verdict,
                .unit_failure = unit_failure,
        };
        policy_decide(&input, &life->decision);
        check_replay(life, &input);
        life->triggered_since |= life->decision.triggers != 0;
        life->refused_count += life->decision.kind == DECISION_REVIEW;
        Release *current = &life->releases[index_of(life, life->deployment.version)];
        if (life->decision.kind == DECISION_ROLLBACK)
                roll_back(life);
        else if (current->state == RELEASE_BAKING &&
                 policy_bake(&life->rules, &life->deployment, input.deployment_age_us, life->triggered_since, true,
                             true))
                current->state = RELEASE_GOOD;
}

static void live(Life *life, uint64_t seed, unsigned hours) {
        memset(life, 0, sizeof *life);
        life->sim.seed = seed;
        life->sim.fault_percent = (unsigned)(seed % 3) * 3;
        life->sim.now = 1000 * HOUR;
        life->rules = spec_rules();
        engine_init(&life->engine, &life->rules);
        unsigned first = add_release(life, RELEASE_GOOD, SICK_NOT);
        deployed(life, life->releases[first].version, "", false);
        int64_t end = life->sim.now + hours * HOUR, next_deployment = life->sim.now + 2 * HOUR;
        while (life->sim.now < end) {
                int64_t start = life->sim.now;
                life->sim.now += life->rules.interval_us;
                Sample sample = measure(life, start);
                engine_add(&life->engine, &sample);
                decide(life);
                if (life->sim.now >= next_deployment) {
                        life->sick_anyway = sim_draw(&life->sim, 5) == 0;
                        next_deployment = life->sim.now + (1 + sim_draw(&life->sim, 4)) * HOUR;
                        deploy(life);
                }
        }
}

int main(int argc, char **argv) {
        static Life life;
        bool is_long = argc > 1 && strcmp(argv[1], "--long") == 0;
        if (argc > 2 && strcmp(argv[1], "--seed") == 0) {
                live(&life, strtoull(argv[2], NULL, 10), 48);
                return 0;
        }
        unsigned seeds = is_long ? 2000 : 60, deployments = 0, rollbacks = 0, refused = 0, held = 0, replays = 0;
        for (unsigned seed = 0; seed < seeds; seed++) {
                live(&life, seed, 48);
                deployments += life.deployment_count;
                rollbacks += life.rollback_count;
                refused += life.refused_count;
                held += life.held_count;
                replays += life.replay_count;
        }
        printf("%u lives of 48 hours: %u deployments, %u automatic rollbacks, %u forbidden by a guard, %u runs held; %u decisions made "
               "again\n",
               seeds, deployments, rollbacks, refused, held, replays);
        if (rollbacks == 0 || refused == 0) {
                printf("BROKEN: nothing was ever rolled back, or no guard ever said no: the seeds miss something\n");
                return 1;
        }
        return 0;
}
