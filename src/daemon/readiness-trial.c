/* A trial start, where the operator has allowed it (readiness.trial_command): the target is started in a sandbox on a port of its own,
 * asked for its health, and stopped. With systemd it is a unit of its own user, to which everything but its own temporary directory is
 * read-only and the network is loopback; it is ended by systemd itself should we be gone. Who isn't root may not make such a unit, and
 * starts an instance of the packaged one. Without systemd it is a child process, as nobody when we are root. Done when the release has
 * changed, and now and then; never beside a run. */
#include "daemon/readiness-trial.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/words.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#define ASK_EVERY_US (100 * USEC_PER_MSEC)
#define ASK_BUDGET_US USEC_PER_SEC
#define FAILED_AGAIN_US (300 * USEC_PER_SEC)

static TrialManner manner_of(const ReadyRound *round) {
        if (!round->controller->config->units_driver->any_unit)
                return TRIAL_CHILD;
        return geteuid() == 0 ? TRIAL_TRANSIENT : TRIAL_TEMPLATE;
}

/* Nobody waits for it: it outlives us, who may be on the way out. */
static void tell_systemd(const ReadyTrial *trial, const char *verb, const char *unit) {
        const char *const argv[] = {"systemctl", "--no-ask-password", verb, unit, NULL};
        const ProcessSpec spec = {.argv = argv, .output_fd = STDERR_FILENO, .service = true};
        Process *process = NULL;
        Error error = {0};
        if (process_start(trial->round->controller->event, &spec, NULL, NULL, &process, &error) >= 0)
                process_free(process);
        else
                log_warn("systemctl %s %s: %s", verb, unit, error_text(&error));
}

void ready_trial_free(ReadyTrial *trial) {
        if (!trial)
                return;
        if (trial->process && !process_ended(trial->process) && trial->manner != TRIAL_CHILD)
                tell_systemd(trial, "stop", trial->unit);
        process_free(trial->process); /* what isn't systemd's is killed by this */
        http_cancel(trial->call);
        sd_event_source_disable_unref(trial->budget);
        sd_event_source_disable_unref(trial->pause);
        trial_discard(trial);
        free(trial);
}

static uint64_t stamp_of(const ReadyRound *round) {
        char manifest[PATH_MAX];
        const char *const paths[] = {ready_manifest_path(round, manifest, sizeof manifest)};
        return ready_stamp(paths, ARRAY_SIZE(paths));
}

/* Takes the trial apart, and says how it went. */
static void conclude(ReadyTrial *trial) {
        ReadyRound *round = trial->round;
        ReadyMemory *memory = round->controller->readiness.memory;
        unsigned item = round->item;
        round->trial = NULL;
        /* Of all that have failed, also under a controller of before: systemd would remember them until the next boot. */
        if (trial->manner == TRIAL_TEMPLATE)
                tell_systemd(trial, "reset-failed", "novacron-rollback-trial@*.service");
        if (trial->verdict == READY_OK)
                ready_ok(round, "%s", trial->said);
        else if (trial->verdict == READY_FAILED)
                ready_failed(round, trial->next, "%s", trial->said);
        else
                ready_unknown(round, trial->next, "%s", trial->said);
        memory->trial = (__typeof__(memory->trial)){
                .stamp = stamp_of(round), .at_mono = clock_mono_us(), .check = round->ready.checks[item]};
        memcpy(memory->trial.version, round->ready.version, sizeof memory->trial.version);
        ready_trial_free(trial);
}

static void set_next(ReadyTrial *trial, ReadyVerdict verdict) {
        trial->verdict = verdict;
        if (verdict == READY_UNKNOWN)
                snprintf(trial->next, sizeof trial->next, "look at it: systemctl status %s", trial->unit);
        else if (trial->manner == TRIAL_TEMPLATE)
                snprintf(trial->next, sizeof trial->next, "mend what it says: journalctl -u %s", trial->unit);
        else
                snprintf(trial->next, sizeof trial->next,
                         "start it by hand with readiness.trial_command, and mend what it says");
}

static void fall_silent(ReadyTrial *trial) {
        trial->call = http_cancel(trial->call);
        trial->pause = sd_event_source_disable_unref(trial->pause);
        (void)sd_event_source_set_time_relative(trial->budget, (uint64_t)TRIAL_STOP_BUDGET_US);
        (void)sd_event_source_set_enabled(trial->budget, SD_EVENT_ONESHOT);
}

/* The newest line of what it said, or the first of what systemctl did: that is what went wrong, the others are advice. */
static void last_words(const ReadyTrial *trial, char *text, size_t size) {
        const char *output = process_output(trial->process);
        size_t length = trial->manner == TRIAL_TEMPLATE ? strcspn(output, "\n") : strlen(output);
        while (length > 0 && (unsigned char)output[length - 1] <= ' ')
                length--;
        size_t start = length;
        while (start > 0 && output[start - 1] != '\n')
                start--;
        snprintf(text, size, "%.*s", (int)(length - start), output + start);
}

static void say_ended(ReadyTrial *trial, const ProcessExit *exit, const char *words) {
        char how[96];
        snprintf(trial->said, sizeof trial->said, "it %s before it answered%s%.150s",
                 process_exit_format(exit, how, sizeof how), words[0] ? ": " : "", words);
        set_next(trial, READY_FAILED);
}

static void on_exited(void *userdata, Process *process, const ProcessExit *exit);

/* ---- its end ---- */

/* systemctl, that started the template, ends when the stop begins; the one that stops ends with it. */
static void stop_template(ReadyTrial *trial) {
        const char *const argv[] = {"systemctl", "--no-ask-password", "stop", trial->unit, NULL};
        const ProcessSpec spec = {.argv = argv, .output_fd = -1, .service = true};
        Error error = {0};
        trial->process = process_free(trial->process);
        if (process_start(trial->round->controller->event, &spec, on_exited, trial, &trial->process, &error) >= 0)
                return;
        snprintf(trial->said, sizeof trial->said, "it could not be stopped: %.200s", error_text(&error));
        set_next(trial, READY_UNKNOWN);
        conclude(trial);
}

/* What was found out is told when nothing of it runs any more. */
static void stop(ReadyTrial *trial, ReadyVerdict verdict) {
        set_next(trial, verdict);
        trial->stopping = true;
        fall_silent(trial);
        if (trial->manner == TRIAL_TEMPLATE)
                stop_template(trial);
        else if (process_ended(trial->process))
                conclude(trial);
        else if (trial->manner == TRIAL_TRANSIENT)
                tell_systemd(trial, "stop", trial->unit);
        else
                (void)process_kill(trial->process, SIGKILL);
}

/* ---- what became of a unit of the template ---- */

/* "7" of "Name=7" in what systemctl shows; "" when it doesn't show that. */
static const char *property(const char *output, const char *name, char *value, size_t size) {
        size_t length = strlen(name);
        value[0] = '\0';
        for (; *output; output += strcspn(output, "\n"), output += *output == '\n')
                if (strncmp(output, name, length) == 0 && output[length] == '=')
                        snprintf(value, size, "%.*s", (int)strcspn(output + length + 1, "\n"), output + length + 1);
        return value;
}

/* A release that was never begun has not failed: systemd refused it, couldn't make the sandbox, or somebody has stopped it. */
static void on_shown(void *userdata, Process *process, const ProcessExit *shown) {
        ReadyTrial *trial = userdata;
        const char *output = process_output(process);
        char value[32];
        (void)shown;
        (void)property(output, "Result", value, sizeof value);
        bool failed = value[0] && strcmp(value, "success") != 0;
        bool by_itself = failed && strcmp(value, "timeout") != 0;
        (void)property(output, "ExecMainStartTimestampMonotonic", value, sizeof value);
        bool ran = strtoull(value, NULL, 10) > 0;
        if (trial->late) {
                if (!ran)
                        snprintf(trial->said, sizeof trial->said, "systemd did not begin it in time");
                stop(trial, ran ? READY_FAILED : READY_UNKNOWN);
                return;
        }
        if (by_itself && ran) {
                int status = atoi(property(output, "ExecMainStatus", value, sizeof value));
                bool exited = atoi(property(output, "ExecMainCode", value, sizeof value)) == CLD_EXITED;
                const ProcessExit exit = {.known = true, .code = exited ? status : -1, .signal = exited ? 0 : status};
                say_ended(trial, &exit, "");
        } else if (failed)
                snprintf(trial->next, sizeof trial->next, "see why: journalctl -u %s", trial->unit);
        conclude(trial);
}

static void ask_systemd(ReadyTrial *trial) {
        const char *const argv[] = {"systemctl", "show",
                                    "--property=Result,ExecMainCode,ExecMainStatus,ExecMainStartTimestampMonotonic",
                                    trial->unit, NULL};
        const ProcessSpec spec = {.argv = argv, .output_fd = -1};
        Error error = {0};
        trial->verdict = READY_UNKNOWN;
        trial->asking = true;
        fall_silent(trial);
        trial->process = process_free(trial->process);
        if (process_start(trial->round->controller->event, &spec, on_shown, trial, &trial->process, &error) >= 0)
                return;
        tell_systemd(trial, "stop", trial->unit);
        conclude(trial);
}

/* systemctl has failed to start it; what it said is all there is when nothing more can be had. */
static void ask_why(ReadyTrial *trial) {
        char words[DETAIL_MAX];
        last_words(trial, words, sizeof words);
        snprintf(trial->said, sizeof trial->said, "it could not be tried: %.200s", words);
        snprintf(trial->next, sizeof trial->next,
                 "install novacron-rollback-trial@.service and polkit's 50-novacron-rollback.rules as packaged, or "
                 "empty readiness.trial_command");
        ask_systemd(trial);
}

static void on_exited(void *userdata, Process *process, const ProcessExit *exit) {
        ReadyTrial *trial = userdata;
        char words[DETAIL_MAX];
        (void)process;
        if (!trial->stopping && trial->manner == TRIAL_TEMPLATE && exit->code != 0) {
                ask_why(trial);
                return;
        }
        last_words(trial, words, sizeof words);
        if (!trial->stopping)
                say_ended(trial, exit, words);
        else if (trial->manner == TRIAL_TEMPLATE && exit->code != 0) {
                snprintf(trial->said, sizeof trial->said, "it could not be stopped: %.200s", words);
                set_next(trial, READY_UNKNOWN);
        }
        conclude(trial);
}

/* ---- its budget ---- */

static int on_budget(sd_event_source *source, uint64_t usec, void *userdata) {
        ReadyTrial *trial = userdata;
        char time[WORDS_MAX];
        (void)source;
        (void)usec;
        if (trial->stopping) {
                snprintf(trial->said, sizeof trial->said, "it could not be stopped within %s",
                         words_duration(TRIAL_STOP_BUDGET_US, time));
                set_next(trial, READY_UNKNOWN);
                conclude(trial);
                return 0;
        }
        if (trial->asking) {
                conclude(trial);
                return 0;
        }
        char last[DETAIL_MAX];
        last_words(trial, last, sizeof last);
        snprintf(trial->said, sizeof trial->said, "%.120s did not answer with 2xx within %s%s%.80s", trial->url,
                 words_duration(trial->round->controller->config->trial_timeout_us, time), last[0] ? "; it said: " : "",
                 last);
        trial->late = true;
        if (trial->manner == TRIAL_TEMPLATE)
                ask_systemd(trial); /* whether it was begun at all */
        else
                stop(trial, READY_FAILED);
        return 0;
}

/* ---- its health ---- */

static void on_answer(void *userdata, const HttpAnswer *answer) {
        ReadyTrial *trial = userdata;
        char time[WORDS_MAX];
        trial->call = NULL;
        if (answer->code >= 200 && answer->code < 300) {
                int64_t took = (clock_mono_us() - trial->begun_mono) / USEC_PER_MSEC * USEC_PER_MSEC;
                snprintf(trial->said, sizeof trial->said, "started in a sandbox, healthy on port %u after %s, stopped",
                         trial->port, words_duration(took, time));
                stop(trial, READY_OK);
                return;
        }
        (void)sd_event_source_set_time_relative(trial->pause, (uint64_t)ASK_EVERY_US);
        (void)sd_event_source_set_enabled(trial->pause, SD_EVENT_ONESHOT);
}

static int on_pause(sd_event_source *source, uint64_t usec, void *userdata) {
        ReadyTrial *trial = userdata;
        const HttpRequest request = {.url = trial->url};
        Error error = {0};
        (void)usec;
        if (http_begin(trial->round->controller->world->http, &request, ASK_BUDGET_US, on_answer, trial, &trial->call,
                       &error) >= 0)
                return 0;
        int r = sd_event_source_set_time_relative(source, (uint64_t)ASK_EVERY_US);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* ---- its begin ---- */

static int start(ReadyTrial *trial, Error *error) {
        sd_event *event = trial->round->controller->event;
        const Config *config = trial->round->controller->config;
        const char *const of_template[] = {"systemctl", "--no-ask-password", "start", trial->unit, NULL};
        const ProcessSpec spec = {.argv = trial->manner == TRIAL_TEMPLATE ? of_template
                                                                          : (const char *const *)trial->words,
                                  .output_fd = -1};
        int r = trial_prepare(trial, error);
        if (r < 0)
                return r;
        trial->begun_mono = clock_mono_us();
        r = sd_event_add_time_relative(event, &trial->budget, CLOCK_BOOTTIME, (uint64_t)config->trial_timeout_us, 0,
                                       on_budget, trial);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &trial->pause, CLOCK_BOOTTIME, (uint64_t)ASK_EVERY_US, 0,
                                               on_pause, trial);
        if (r < 0)
                return error_set(error, r, "can't set its timer: %s", strerror(-r));
        return process_start(event, &spec, on_exited, trial, &trial->process, error);
}

void ready_check_trial(ReadyRound *round) {
        const Config *config = round->controller->config;
        const ReadyMemory *memory = round->controller->readiness.memory;
        Error error = {0};
        if (!config->trial_command[0]) {
                ready_not_applicable(round, "none is allowed (readiness.trial_command)");
                return;
        }
        int64_t age = clock_mono_us() - memory->trial.at_mono;
        bool good = memory->trial.check.verdict == READY_OK;
        if (strcmp(memory->trial.version, round->ready.version) == 0 && memory->trial.stamp == stamp_of(round) &&
            age < (good ? config->trial_every_us : FAILED_AGAIN_US)) {
                const ReadyCheck *kept = &memory->trial.check;
                if (good)
                        ready_ok(round, "%s", kept->measured);
                else if (kept->verdict == READY_FAILED)
                        ready_failed(round, kept->next, "%s", kept->measured);
                else
                        ready_unknown(round, kept->next, "%s", kept->measured);
                return;
        }
        ReadyTrial *trial = calloc(1, sizeof *trial);
        if (!trial) {
                ready_unknown(round, "free memory", "it can't be tried: no memory is left");
                return;
        }
        *trial = (ReadyTrial){.round = round, .manner = manner_of(round)};
        if (start(trial, &error) >= 0) {
                round->trial = trial;
                return;
        }
        ready_unknown(round, trial->next, "it can't be tried: %s", error_text(&error));
        ready_trial_free(trial);
}
