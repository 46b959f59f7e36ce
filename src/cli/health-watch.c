/* health-checker watch: the controller's events, or, without one, a look now and then. */
#include "api/problem.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "base/units.h"
#include "cli/health-verbs.h"
#include "cli/pick.h"
#include "cli/print-health.h"

#include <signal.h>
#include <string.h>

#define INTERVAL_DEFAULT_US (5 * USEC_PER_SEC)
#define INTERVAL_LEAST_US (100 * USEC_PER_MSEC)
#define EXIT_INTERRUPTED 130 /* 128 + SIGINT, as shells have it */

static volatile sig_atomic_t interrupted;

typedef struct HealthWatch {
        Command *command;
        HealthSource source;
        json_t *health; /* the newest; NULL: none yet */
        int64_t interval_us, asked_mono;
} HealthWatch;

static void on_interrupt(int number) {
        (void)number;
        interrupted = 1;
}

/* Takes over `health`. */
static void take(HealthWatch *watch, json_t *health) {
        const Command *command = watch->command;
        bool live = command->out.live && !command->options.json;
        if (command->options.json) {
                json_dumpf(health, stdout, JSON_COMPACT);
                fputc('\n', stdout);
                fflush(stdout);
        } else if (live) {
                Terminal out = command->out;
                terminal_measure(&out);
                fputs("\033[H\033[J", out.file);
                print_health(&out, health, watch->source);
                fflush(out.file);
        } else {
                print_health_changes(&command->out, watch->health, health);
        }
        json_decref(watch->health);
        watch->health = health;
}

static bool on_event(void *userdata, const char *type, const json_t *event) {
        HealthWatch *watch = userdata;
        if (strcmp(type, "health") == 0)
                take(watch, json_incref((json_t *)event));
        return strcmp(type, "reset") != 0;
}

static bool on_tick(void *userdata) {
        const HealthWatch *watch = userdata;
        return !interrupted && clock_mono_us() - watch->asked_mono < watch->interval_us;
}

static bool same(const json_t *a, const json_t *b) {
        return a && json_equal(pick(a, "components"), pick(b, "components")) &&
               pick_int(a, "score", -1) == pick_int(b, "score", -1);
}

/* Asked again, nothing may have changed: then only a screen is drawn anew, for its times. */
static int look(HealthWatch *watch) {
        json_t *health = NULL;
        int r = health_fetch(watch->command, &watch->source, &health);
        watch->asked_mono = clock_mono_us();
        if (r != 0)
                return r;
        if (same(watch->health, health) && (!watch->command->out.live || watch->command->options.json))
                json_decref(health);
        else
                take(watch, health);
        return 0;
}

static void wait_for_interval(const HealthWatch *watch) {
        int64_t left = watch->asked_mono + watch->interval_us - clock_mono_us();
        if (left > 0 && !interrupted)
                usleep((useconds_t)left); /* a signal ends it */
}

static int parse_interval(Command *command, int64_t *ret_us) {
        Error error = {0};
        *ret_us = INTERVAL_DEFAULT_US;
        if (!command->options.interval)
                return 0;
        if (units_parse_duration(command->options.interval, ret_us, &error) < 0)
                return command_error(command, EXIT_DATA, "--interval: %s", error_text(&error));
        if (*ret_us < INTERVAL_LEAST_US)
                return command_error(command, EXIT_DATA, "--interval: '%s' is too short; allowed is at least 100ms",
                                     command->options.interval);
        return 0;
}

int verb_health_watch(Command *command) {
        HealthWatch watch = {.command = command};
        struct sigaction action = {.sa_handler = on_interrupt};
        int r = parse_interval(command, &watch.interval_us);
        if (r != 0)
                return r;
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        const ClientListener listener = {.on_event = on_event, .on_tick = on_tick, .userdata = &watch};
        while (r == 0 && !interrupted) {
                Error error = {0};
                r = look(&watch);
                if (r == 0 && watch.source == SOURCE_CONTROLLER)
                        (void)client_follow(&command->client, &listener, &error); /* however it ended: asked again */
                if (r == 0)
                        wait_for_interval(&watch);
        }
        json_decref(watch.health);
        return interrupted ? EXIT_INTERRUPTED : r;
}
