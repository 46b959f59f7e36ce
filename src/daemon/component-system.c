/* system: the load of this machine: processors over system.window, memory, and the file systems a rollback needs. Beyond a limit it is
 * degraded and asks for a manual review, and never for a rollback (specification, Rollback Decision Matrix). The score is the
 * share of the three that are within their limits. */
#include "adapters/host.h"
#include "base/clock.h"
#include "core/rate.h"
#include "core/words.h"
#include "daemon/component.h"

#include <errno.h>
#include <string.h>

#define DISK_EVERY_US (35 * USEC_PER_SEC) /* storage asks every 30 s, as a rule: then we never do */

enum { SOURCE_CPU, SOURCE_MEMORY, SOURCE_DISK, SOURCES };

typedef struct System {
        const ComponentContext *context;
        int64_t exceeded_mono[SOURCES]; /* the limit was last exceeded then; 0: not, or it is over */
        Rate cpu;
        SystemLoad load;
        char fullest[DETAIL_MAX];
        char disk_problem[DETAIL_MAX];
        bool looked; /* at least once: the next look has a rate */
} System;

static int open_system(const ComponentContext *context, void **ret_self, Error *error) {
        const Config *config = context->world->config;
        System *system = calloc(1, sizeof *system);
        if (!system)
                return error_set(error, -ENOMEM, "out of memory");
        *system = (System){.context = context,
                           .cpu = {.window_us = config->system_window_us},
                           .load = {.cpu_ppm = -1, .memory_ppm = -1, .disk_ppm = -1}};
        *ret_self = system;
        return 0;
}

static void close_system(void *self) {
        free(self);
}

const SystemLoad *component_system_load(const void *self) {
        const System *system = self;
        return &system->load;
}

/* ---- judging ---- */

typedef struct Verdicts {
        unsigned known, within;
        char exceeded[DETAIL_MAX], all[DETAIL_MAX];
} Verdicts;

/* What hovers about its limit is one case, not an alert each time: it is over after a quiet window. */
static void ask_for_review(System *system, unsigned source, const char *name, bool exceeded, const char *problem) {
        const ComponentContext *context = system->context;
        int64_t now = clock_mono_us(), *exceeded_mono = &system->exceeded_mono[source];
        char review[REASON_MAX];
        snprintf(review, sizeof review, "manual review: %.300s; nothing is rolled back for it", problem);
        if (exceeded)
                *exceeded_mono = now;
        else if (*exceeded_mono == 0 || now - *exceeded_mono < context->world->config->system_window_us)
                return;
        else
                *exceeded_mono = 0;
        if (context->condition)
                context->condition(context->userdata, name, exceeded ? review : NULL);
}

/* `over`: "over 60 s", "of /var/log"; or, when it isn't known, why. `whole`: enough was seen of it to be held against the limit. */
static void judge(System *system, Verdicts *verdicts, unsigned which, int64_t ppm, int64_t limit, bool whole,
                  const char *over) {
        static const char *const names[] = {[SOURCE_CPU] = "cpu", [SOURCE_MEMORY] = "memory", [SOURCE_DISK] = "disk"};
        const char *source = names[which];
        char is[WORDS_MAX], most[WORDS_MAX], problem[REASON_MAX];
        bool exceeded = whole && ppm > limit;
        words_append(verdicts->all, sizeof verdicts->all, "%s", verdicts->all[0] ? ", " : "");
        if (ppm < 0) { /* no longer known is no longer over the limit, nor within it: what was said stands */
                words_append(verdicts->all, sizeof verdicts->all, "%s unknown%s%s", source, over[0] ? ": " : "", over);
                return;
        }
        words_percent(ppm, 1, is);
        words_ratio(limit, most);
        snprintf(problem, sizeof problem, "%s %s%s%s (limit %s)", source, is, over[0] ? " " : "", over, most);
        words_append(verdicts->all, sizeof verdicts->all, "%s", problem);
        verdicts->known++;
        verdicts->within += !exceeded;
        if (exceeded)
                words_append(verdicts->exceeded, sizeof verdicts->exceeded, "%s%s", verdicts->exceeded[0] ? "; " : "",
                             problem);
        ask_for_review(system, which, source, exceeded, problem);
}

static void finish(System *system) {
        const Config *config = system->context->world->config;
        Verdicts verdicts = {0};
        RatePoint between = {0};
        char over[DETAIL_MAX] = "", text[WORDS_MAX];
        ComponentFinding finding = {.partial = system->load.cpu_ppm < 0 && !system->looked};
        system->looked = true;
        if (system->load.cpu_ppm >= 0 && rate_between(&system->cpu, &between))
                snprintf(over, sizeof over, "over %s", words_duration(between.mono / 100000 * 100000, text));
        /* the limit is one of the window: half a second after a start says little */
        bool whole = system->context->one_check || between.mono >= config->system_window_us / 10 * 9;
        judge(system, &verdicts, SOURCE_CPU, system->load.cpu_ppm, config->system_cpu_ppm, whole, over);
        judge(system, &verdicts, SOURCE_MEMORY, system->load.memory_ppm, config->system_memory_ppm, true, "");
        judge(system, &verdicts, SOURCE_DISK, system->load.disk_ppm, config->system_disk_ppm, true,
              system->load.disk_ppm < 0 ? system->disk_problem : system->fullest);
        if (verdicts.known > 0) {
                finding.score = 100 * verdicts.within / verdicts.known;
                finding.state = verdicts.within < verdicts.known ? HEALTH_DEGRADED : HEALTH_HEALTHY;
        }
        snprintf(finding.reason, sizeof finding.reason, "%s", verdicts.exceeded[0] ? verdicts.exceeded : verdicts.all);
        system->context->found(system->context->userdata, &finding);
}

/* ---- measuring ---- */

static void look_at_kernel(System *system) {
        HostCpu cpu;
        HostMemory memory;
        Error error = {0};
        RatePoint between;
        system->load.at_mono = clock_mono_us();
        system->load.cpu_ppm = system->load.memory_ppm = -1;
        if (host_cpu(HOST_PROC, &cpu, &error) == 0) {
                const RatePoint point = {.mono = system->load.at_mono, .part = cpu.busy, .whole = cpu.total};
                rate_add(&system->cpu, &point);
                if (rate_between(&system->cpu, &between) && between.whole > 0)
                        system->load.cpu_ppm = between.part * PPM / between.whole;
        }
        if (host_memory(HOST_PROC, &memory, &error) == 0)
                system->load.memory_ppm = (memory.total - memory.available) / 1024 * PPM / (memory.total / 1024);
}

static void judge_disks(System *system, const DisksSeen *seen) {
        system->load.disk_mono = seen->at_mono;
        system->load.disk_ppm = -1;
        system->disk_problem[0] = '\0';
        if (!seen->answered)
                snprintf(system->disk_problem, sizeof system->disk_problem, "%.*s", DETAIL_MAX - 1,
                         error_text(&seen->error));
        for (unsigned i = 0; seen->answered && i < seen->view.count; i++) {
                int64_t ppm = disk_used_ppm(&seen->view.disks[i]);
                if (ppm <= system->load.disk_ppm)
                        continue;
                system->load.disk_ppm = ppm;
                snprintf(system->fullest, sizeof system->fullest, "of %.100s",
                         disks_path(system->context->disks, (DiskPlace)i));
        }
}

static void on_disks(void *userdata, const DisksSeen *seen) {
        judge_disks(userdata, seen);
        finish(userdata);
}

static void check_system(void *self) {
        System *system = self;
        const ComponentContext *context = system->context;
        const DisksSeen *seen = disks_seen(context->disks);
        look_at_kernel(system);
        if (seen->at_mono == 0 || system->load.at_mono - seen->at_mono >= DISK_EVERY_US)
                disks_look(context->disks, settings_int(context->settings, "timeout"), on_disks, system);
        else
                on_disks(system, seen);
}

const ComponentKind component_system = {
        .name = "system", .open = open_system, .close = close_system, .check = check_system};
