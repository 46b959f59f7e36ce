/* Runs against the fake world: for every seed a plan of faults, and for every plan a crash at every append and every act, before
 * and after it; with --long also every pair of crashes, and many more seeds. A failure prints the line that repeats it. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Totals {
        uint64_t runs, crashes, outcomes[OUTCOME_HELD + 1];
} Totals;

static Plan plan_of(uint64_t seed) {
        static const struct {
                RunMode mode;
                const char *from, *to;
        } kinds[] = {
                {MODE_AUTOMATIC, "v3.0.0", "v2.4.0"},
                {MODE_EMERGENCY, "v3.0.0", "v2.4.0"},
                {MODE_MANUAL, "v2.4.0", "v3.0.0"},
                {MODE_MANUAL, "", "v1.0.0"},
        };
        unsigned kind = (unsigned)(seed % 8); /* half of the runs are of the first kind */
        if (kind > 3)
                kind = 0;
        PlanRequest request = {RUN_ROLLBACK, kinds[kind].mode, kinds[kind].from, kinds[kind].to, NULL, 0};
        Plan plan;
        if (plan_make(&request, &plan, NULL) < 0)
                abort();
        return plan;
}

static unsigned play(uint64_t seed, unsigned first, unsigned second, Totals *totals) {
        static const unsigned percents[] = {0, 5, 15, 30, 60};
        static Sim sim;
        memset(&sim, 0, sizeof sim);
        sim.seed = seed;
        sim.fault_percent = percents[seed / 8 % 5];
        sim.gate_opens = seed / 40 % 2;
        sim.cancel = seed / 80 % 4 == 3;
        sim.clock_jumps = seed / 320 % 4 == 3;
        sim.crash_at[0] = first;
        sim.crash_at[1] = second;
        sim.now = 1000 * USEC_PER_SEC;
        Plan plan = plan_of(seed);
        world_init(&sim.world, &plan);
        if (!sim_play(&sim, &plan, "simulated")) {
                printf("BROKEN: %s\nrepeat with: sim-runs --seed %llu %u %u\n", sim.broken, (unsigned long long)seed,
                       first, second);
                exit(1);
        }
        totals->runs++;
        totals->crashes += sim.crashes;
        totals->outcomes[sim.run.outcome]++;
        return sim.points;
}

static void play_seed(uint64_t seed, bool pairs, Totals *totals) {
        unsigned points = play(seed, NEVER_CRASH, NEVER_CRASH, totals);
        for (unsigned first = 0; first < points; first++) {
                unsigned more = play(seed, first, NEVER_CRASH, totals);
                for (unsigned second = first + 1; pairs && second < more; second++)
                        play(seed, first, second, totals);
        }
}

int main(int argc, char **argv) {
        Totals totals = {0};
        if (argc >= 3 && strcmp(argv[1], "--seed") == 0) {
                unsigned first = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : NEVER_CRASH;
                unsigned second = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : NEVER_CRASH;
                play(strtoull(argv[2], NULL, 10), first, second, &totals);
                return 0;
        }
        bool is_long = argc > 1 && strcmp(argv[1], "--long") == 0;
        uint64_t seeds = is_long ? 20000 : 2560, paired = is_long ? 1280 : 40;
        for (uint64_t seed = 0; seed < seeds; seed++)
                play_seed(seed, seed < paired, &totals);
        printf("%llu seeds, %llu runs, %llu crashes: %llu succeeded, %llu refused, %llu cancelled, %llu undone, %llu put back, %llu held\n",
               (unsigned long long)seeds, (unsigned long long)totals.runs, (unsigned long long)totals.crashes,
               (unsigned long long)totals.outcomes[OUTCOME_SUCCEEDED],
               (unsigned long long)totals.outcomes[OUTCOME_REFUSED],
               (unsigned long long)totals.outcomes[OUTCOME_CANCELLED],
               (unsigned long long)totals.outcomes[OUTCOME_UNDONE],
               (unsigned long long)totals.outcomes[OUTCOME_PUT_BACK],
               (unsigned long long)totals.outcomes[OUTCOME_HELD]);
        for (unsigned i = OUTCOME_SUCCEEDED; i <= OUTCOME_HELD; i++)
                if (totals.outcomes[i] == 0) {
                        printf("BROKEN: no run ended as outcome %u: the seeds miss something\n", i);
                        return 1;
                }
        return 0;
}
