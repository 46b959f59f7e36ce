/* One round: the checklist of one release, an item after the other. */
#include "base/clock.h"
#include "daemon/readiness.h"

#include "adapters/release-internal.h"
#include "core/words.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#define ASK_BUDGET_US (10 * USEC_PER_SEC)

static ReadyAct *const acts[READY_ITEMS] = {
        [READY_RELEASE] = ready_check_release,     [READY_CONFIGURATION] = ready_check_configuration,
        [READY_UNITS] = ready_check_units,         [READY_PROGRAMS] = ready_check_programs,
        [READY_LIBRARIES] = ready_check_libraries, [READY_DATABASE] = ready_check_database,
        [READY_PORT] = ready_check_port,           [READY_SPACE] = ready_check_space,
        [READY_BALANCER] = ready_check_balancer,   [READY_TRIAL] = ready_check_trial,
};

static int on_turn(sd_event_source *source, void *userdata) {
        ReadyRound *round = userdata;
        (void)source;
        unsigned items = round->of_target ? READY_ITEMS : READY_OF_RELEASE;
        if (round->item < items) {
                acts[round->item](round);
                return 0;
        }
        round->ready.at_wall = clock_wall_us();
        round->done(round->controller, &round->ready); /* frees it */
        return 0;
}

/* A turn of the loop for each item, when nothing else is to be done. */
static int next_turn(ReadyRound *round) {
        round->turn = sd_event_source_disable_unref(round->turn);
        int r = sd_event_add_defer(round->controller->event, &round->turn, on_turn, round);
        if (r >= 0)
                r = sd_event_source_set_priority(round->turn, SD_EVENT_PRIORITY_IDLE);
        return r;
}

int ready_round_begin(Controller *controller, const char *version, bool of_target,
                      void (*done)(Controller *controller, const Ready *ready), ReadyRound **ret_round, Error *error) {
        ReadyRound *round = calloc(1, sizeof *round);
        if (!round)
                return error_set(error, -ENOMEM, "out of memory");
        *round = (ReadyRound){.controller = controller, .of_target = of_target, .done = done};
        snprintf(round->ready.version, sizeof round->ready.version, "%s", version);
        for (unsigned i = READY_OF_RELEASE; !of_target && i < READY_ITEMS; i++)
                round->ready.checks[i].verdict = READY_NOT_APPLICABLE;
        int r = config_units(controller->config, version, &round->units, error);
        if (r >= 0)
                r = next_turn(round);
        if (r < 0) {
                ready_round_free(round);
                return error->code ? r : error_set(error, r, "%s can't be looked at: %s", version, strerror(-r));
        }
        *ret_round = round;
        return 0;
}

ReadyRound *ready_round_free(ReadyRound *round) {
        if (!round)
                return NULL;
        op_cancel(round->child);
        process_free(round->process);
        sd_event_source_disable_unref(round->impatient);
        ready_trial_free(round->trial);
        sd_event_source_disable_unref(round->turn);
        for (unsigned i = 0; i < round->program_count; i++)
                free(round->programs[i]);
        free(round);
        return NULL;
}

/* ---- the ends of a check ---- */

__attribute__((format(printf, 4, 0))) static void end(ReadyRound *round, ReadyVerdict verdict, const char *next,
                                                      const char *format, va_list args) {
        ReadyCheck *check = &round->ready.checks[round->item];
        char text[2 * DETAIL_MAX];
        vsnprintf(text, sizeof text, format, args);
        *check = (ReadyCheck){.verdict = verdict};
        words_append(check->measured, sizeof check->measured, "%s", text);
        words_append(check->next, sizeof check->next, "%s", next);
        round->item++;
        if (next_turn(round) < 0)
                round->item = READY_ITEMS; /* out of memory: the next round asks anew */
}

#define END(verdict, next)                                                                                             \
        do {                                                                                                           \
                va_list args;                                                                                          \
                va_start(args, format);                                                                                \
                end(round, verdict, next, format, args);                                                               \
                va_end(args);                                                                                          \
        } while (0)

void ready_ok(ReadyRound *round, const char *format, ...) {
        END(READY_OK, "");
}

void ready_not_applicable(ReadyRound *round, const char *format, ...) {
        END(READY_NOT_APPLICABLE, "");
}

void ready_failed(ReadyRound *round, const char *next, const char *format, ...) {
        END(READY_FAILED, next);
}

void ready_unknown(ReadyRound *round, const char *next, const char *format, ...) {
        END(READY_UNKNOWN, next);
}

void ready_failed_by(ReadyRound *round, const Error *error, const char *fallback) {
        char text[ERROR_MESSAGE_MAX], *last = NULL;
        snprintf(text, sizeof text, "%s", error_text(error));
        for (char *at = text; (at = strstr(at, "; ")); at += 2)
                last = at;
        if (last)
                *last = '\0';
        ready_failed(round, last ? last + 2 : fallback, "%s", text);
}

/* ---- what several checks need ---- */

static void answered(ReadyRound *round, const char *output, const char *problem) {
        Process *process = TAKE_PTR(round->process); /* `output` is its */
        round->impatient = sd_event_source_disable_unref(round->impatient);
        round->answered(round, output, problem);
        process_free(process);
}

static void on_ended(void *userdata, Process *process, const ProcessExit *exit) {
        char how[96], problem[DETAIL_MAX] = "";
        const char *output = process_output(process);
        bool good = exit->known && exit->signal == 0 && exit->code == 0;
        words_append(problem, sizeof problem, "%s: %s", process_exit_format(exit, how, sizeof how), output);
        answered(userdata, output, good ? NULL : problem);
}

static int on_impatient(sd_event_source *source, uint64_t usec, void *userdata) {
        ReadyRound *round = userdata;
        (void)source;
        (void)usec;
        (void)process_kill(round->process, SIGKILL);
        answered(round, "", "no answer within its budget");
        return 0;
}

void ready_ask(ReadyRound *round, const char *const *argv,
               void (*answered_by)(ReadyRound *round, const char *output, const char *problem)) {
        const ProcessSpec spec = {.argv = argv, .output_fd = -1};
        sd_event *event = round->controller->event;
        Error error = {0};
        round->answered = answered_by;
        int r = process_start(event, &spec, on_ended, round, &round->process, &error);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &round->impatient, CLOCK_BOOTTIME, ASK_BUDGET_US, 0, on_impatient,
                                               round);
        if (r >= 0)
                return;
        round->process = process_free(round->process);
        answered_by(round, "", error.code ? error_text(&error) : strerror(-r));
}

int ready_resolve(const ReadyRound *round, const char *path, char *ret_path, size_t size) {
        const Config *config = round->controller->config;
        size_t length = strlen(config->current);
        bool live = strncmp(path, config->current, length) == 0 && (path[length] == '/' || path[length] == '\0');
        int written = live ? snprintf(ret_path, size, "%s/%s%s", config->versions, round->ready.version, path + length)
                           : snprintf(ret_path, size, "%s", path);
        return (size_t)written < size ? 0 : -ENAMETOOLONG;
}

void ready_add_program(ReadyRound *round, const char *path) {
        for (unsigned i = 0; i < round->program_count; i++)
                if (strcmp(round->programs[i], path) == 0)
                        return;
        char *copy = round->program_count < READY_PROGRAMS_MAX ? strdup(path) : NULL;
        if (copy)
                round->programs[round->program_count++] = copy;
        else
                round->programs_left_out++;
}

/* FNV-1a */
static uint64_t mix(uint64_t stamp, uint64_t value) {
        for (unsigned i = 0; i < sizeof value; i++)
                stamp = (stamp ^ (value >> 8 * i & 0xff)) * UINT64_C(0x100000001b3);
        return stamp;
}

uint64_t ready_stamp(const char *const *paths, unsigned count) {
        uint64_t stamp = UINT64_C(0xcbf29ce484222325);
        for (unsigned i = 0; i < count; i++) {
                struct stat st = {0};
                if (stat(paths[i], &st) < 0)
                        st = (struct stat){0};
                stamp = mix(stamp, (uint64_t)st.st_ino);
                stamp = mix(stamp, (uint64_t)st.st_size);
                stamp = mix(stamp, (uint64_t)st.st_mtim.tv_sec);
                stamp = mix(stamp, (uint64_t)st.st_mtim.tv_nsec);
        }
        return stamp;
}

const char *ready_manifest_path(const ReadyRound *round, char *buffer, size_t size) {
        char path[PATH_MAX];
        if (release_manifest_path(round->controller->world->releases, round->ready.version, path, NULL) < 0)
                path[0] = '\0';
        return (size_t)snprintf(buffer, size, "%s", path) < size ? buffer : "";
}
