/* A trial start, where the operator has allowed it (readiness.trial_command): the target is started in a sandbox on a port of its own,
 * asked for its health, and stopped. With systemd it is a transient unit of its own user, to which everything but its own temporary
 * directory is read-only and the network is loopback; it is ended by systemd itself should we be gone. Without systemd it is a child
 * process, as nobody when we are root. Done when the release has changed, and now and then; never beside a run. */
#include "daemon/readiness.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/words.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#define ASK_EVERY_US (100 * USEC_PER_MSEC)
#define ASK_BUDGET_US USEC_PER_SEC
#define STOP_BUDGET_US (10 * USEC_PER_SEC)
#define FAILED_AGAIN_US (300 * USEC_PER_SEC)
#define WORDS 64

struct ReadyTrial {
        ReadyRound *round;
        Process *process;
        HttpCall *call;
        sd_event_source *budget, *pause;
        bool systemd, stopping;
        int64_t begun_mono;
        uint16_t port;
        ReadyVerdict verdict;
        char unit[64]; /* each trial has its own: one that was cut off may still be stopping when the next begins */
        char url[512], said[DETAIL_MAX];
        unsigned word_count;
        char *words[WORDS];
};

static bool with_systemd(const ReadyRound *round) {
        return round->controller->config->units_driver->any_unit;
}

/* It outlives us: whoever asks for it may be on the way out. */
static void stop_unit(const ReadyTrial *trial) {
        const char *const argv[] = {"systemctl", "stop", trial->unit, NULL};
        const ProcessSpec spec = {.argv = argv, .output_fd = STDERR_FILENO, .service = true};
        Process *process = NULL;
        Error error = {0};
        if (process_start(trial->round->controller->event, &spec, NULL, NULL, &process, &error) >= 0)
                process_free(process);
        else
                log_warn("the trial can't be stopped, systemd will: %s: %s", trial->unit, error_text(&error));
}

void ready_trial_free(ReadyTrial *trial) {
        if (!trial)
                return;
        if (trial->process && !process_ended(trial->process) && trial->systemd)
                stop_unit(trial);
        process_free(trial->process); /* what isn't systemd's is killed by this */
        http_cancel(trial->call);
        sd_event_source_disable_unref(trial->budget);
        sd_event_source_disable_unref(trial->pause);
        for (unsigned i = 0; i < WORDS; i++)
                free(trial->words[i]);
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
        char next[DETAIL_MAX];
        round->trial = NULL;
        if (trial->verdict == READY_OK)
                ready_ok(round, "%s", trial->said);
        else if (trial->verdict == READY_FAILED)
                ready_failed(round, "start it by hand with readiness.trial_command, and mend what it says", "%s",
                             trial->said);
        else {
                snprintf(next, sizeof next, "look at it: systemctl status %s", trial->unit);
                ready_unknown(round, next, "%s", trial->said);
        }
        memory->trial = (__typeof__(memory->trial)){
                .stamp = stamp_of(round), .at_mono = clock_mono_us(), .check = round->ready.checks[item]};
        memcpy(memory->trial.version, round->ready.version, sizeof memory->trial.version);
        ready_trial_free(trial);
}

/* What was found out is told when nothing of it runs any more. */
static void stop(ReadyTrial *trial, ReadyVerdict verdict) {
        trial->verdict = verdict;
        trial->stopping = true;
        trial->call = http_cancel(trial->call);
        trial->pause = sd_event_source_disable_unref(trial->pause);
        if (process_ended(trial->process)) {
                conclude(trial);
                return;
        }
        if (trial->systemd)
                stop_unit(trial);
        else
                (void)process_kill(trial->process, SIGKILL);
        (void)sd_event_source_set_time_relative(trial->budget, (uint64_t)STOP_BUDGET_US);
        (void)sd_event_source_set_enabled(trial->budget, SD_EVENT_ONESHOT);
}

static void last_words(const ReadyTrial *trial, char *text, size_t size) {
        const char *output = process_output(trial->process);
        size_t length = strlen(output);
        while (length > 0 && (unsigned char)output[length - 1] <= ' ')
                length--;
        size_t start = length;
        while (start > 0 && output[start - 1] != '\n')
                start--;
        snprintf(text, size, "%.*s", (int)(length - start), output + start);
}

static void on_exited(void *userdata, Process *process, const ProcessExit *exit) {
        ReadyTrial *trial = userdata;
        char how[96], words[DETAIL_MAX];
        (void)process;
        if (!trial->stopping) {
                last_words(trial, words, sizeof words);
                snprintf(trial->said, sizeof trial->said, "it %s before it answered%s%.150s",
                         process_exit_format(exit, how, sizeof how), words[0] ? ": " : "", words);
                trial->verdict = READY_FAILED;
        }
        conclude(trial);
}

static int on_budget(sd_event_source *source, uint64_t usec, void *userdata) {
        ReadyTrial *trial = userdata;
        char time[WORDS_MAX];
        (void)source;
        (void)usec;
        if (trial->stopping) {
                snprintf(trial->said, sizeof trial->said, "it could not be stopped within %s",
                         words_duration(STOP_BUDGET_US, time));
                trial->verdict = READY_UNKNOWN;
                conclude(trial);
                return 0;
        }
        char last[DETAIL_MAX];
        last_words(trial, last, sizeof last);
        snprintf(trial->said, sizeof trial->said, "%.120s did not answer with 2xx within %s%s%.80s", trial->url,
                 words_duration(trial->round->controller->config->trial_timeout_us, time), last[0] ? "; it said: " : "",
                 last);
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

/* ---- the command ---- */

/* One that is free now; 0: none. */
static uint16_t free_port(void) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof address;
        AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
            getsockname(fd, (struct sockaddr *)&address, &size) < 0)
                return 0;
        return ntohs(address.sin_port);
}

/* {version} {directory} {config} {port} */
static char *expand(const ReadyTrial *trial, const char *text) {
        const Config *config = trial->round->controller->config;
        const char *version = trial->round->ready.version;
        char directory[PATH_MAX], saved[PATH_MAX] = "", port[8];
        Error error = {0};
        snprintf(directory, sizeof directory, "%s/%s", config->versions, version);
        (void)config_saved_path(config, version, saved, sizeof saved, &error);
        snprintf(port, sizeof port, "%u", trial->port);
        const struct {
                const char *place, *value;
        } places[] = {{"{version}", version}, {"{directory}", directory}, {"{config}", saved}, {"{port}", port}};
        char *whole = NULL;
        size_t size;
        FILE *out = open_memstream(&whole, &size);
        while (out && *text) {
                size_t i = 0;
                while (i < ARRAY_SIZE(places) && strncmp(text, places[i].place, strlen(places[i].place)) != 0)
                        i++;
                if (i < ARRAY_SIZE(places)) {
                        fputs(places[i].value, out);
                        text += strlen(places[i].place);
                } else
                        fputc(*text++, out);
        }
        return out && fclose(out) == 0 ? whole : NULL;
}

static void add(ReadyTrial *trial, const char *word) {
        if (trial->word_count < WORDS - 1)
                trial->words[trial->word_count++] = strdup(word);
}

static void add_sandbox(ReadyTrial *trial) {
        static const char *const sandbox[] = {"systemd-run",
                                              "--quiet",
                                              "--collect",
                                              "--wait",
                                              "--pipe",
                                              "--service-type=exec",
                                              "-pPrivateTmp=yes",
                                              "-pProtectSystem=strict",
                                              "-pProtectHome=yes",
                                              "-pPrivateDevices=yes",
                                              "-pNoNewPrivileges=yes",
                                              "-pCapabilityBoundingSet=",
                                              "-pRestrictSUIDSGID=yes",
                                              "-pIPAddressDeny=any",
                                              "-pIPAddressAllow=localhost",
                                              "-pRestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
                                              "-pTimeoutStopSec=2",
                                              "-pOOMScoreAdjust=1000",
                                              "-pNice=10"};
        static const char *const as_nobody[] = {
                "setpriv",        "--reuid=65534",   "--regid=65534",       "--clear-groups",
                "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--"};
        const Config *config = trial->round->controller->config;
        char word[PATH_MAX];
        for (size_t i = 0; trial->systemd && i < ARRAY_SIZE(sandbox); i++)
                add(trial, sandbox[i]);
        for (size_t i = 0; !trial->systemd && geteuid() == 0 && i < ARRAY_SIZE(as_nobody); i++)
                add(trial, as_nobody[i]);
        if (!trial->systemd)
                return;
        snprintf(word, sizeof word, "--unit=%s", trial->unit);
        add(trial, word);
        snprintf(word, sizeof word, "-pRuntimeMaxSec=%" PRId64,
                 (config->trial_timeout_us + STOP_BUDGET_US) / USEC_PER_SEC);
        add(trial, word);
        if (config->trial_user[0])
                snprintf(word, sizeof word, "-pUser=%s", config->trial_user);
        else
                snprintf(word, sizeof word, "-pDynamicUser=yes");
        add(trial, word);
        add(trial, "--");
}

static bool add_command(ReadyTrial *trial) {
        const char *const *command = trial->round->controller->config->trial_command;
        AUTO_FREE char *url = NULL;
        trial->port = free_port();
        add_sandbox(trial);
        for (unsigned i = 0; command[i] && trial->word_count < WORDS - 1; i++)
                trial->words[trial->word_count++] = expand(trial, command[i]);
        url = expand(trial, trial->round->controller->config->trial_url);
        snprintf(trial->url, sizeof trial->url, "%s", url ? url : "");
        bool whole = trial->port > 0 && url && trial->word_count < WORDS - 1;
        for (unsigned i = 0; i < trial->word_count; i++)
                whole &= trial->words[i] != NULL;
        return whole;
}

static int start(ReadyTrial *trial, Error *error) {
        Controller *controller = trial->round->controller;
        const ProcessSpec spec = {.argv = (const char *const *)trial->words, .output_fd = -1};
        trial->begun_mono = clock_mono_us();
        snprintf(trial->unit, sizeof trial->unit, "novacron-rollback-trial-%d-%" PRId64 ".service", (int)getpid(),
                 trial->begun_mono);
        if (!add_command(trial))
                return error_set(error, -ENOMEM, "no port is free, no memory is left, or the command has over %d words",
                                 WORDS);
        int r = sd_event_add_time_relative(controller->event, &trial->budget, CLOCK_BOOTTIME,
                                           (uint64_t)controller->config->trial_timeout_us, 0, on_budget, trial);
        if (r >= 0)
                r = sd_event_add_time_relative(controller->event, &trial->pause, CLOCK_BOOTTIME, (uint64_t)ASK_EVERY_US,
                                               0, on_pause, trial);
        if (r < 0)
                return error_set(error, r, "can't set its timer: %s", strerror(-r));
        return process_start(controller->event, &spec, on_exited, trial, &trial->process, error);
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
        round->trial = calloc(1, sizeof *round->trial);
        if (round->trial) {
                *round->trial = (ReadyTrial){.round = round, .systemd = with_systemd(round)};
                if (start(round->trial, &error) >= 0)
                        return;
        }
        ready_trial_free(TAKE_PTR(round->trial));
        ready_unknown(round, "mend readiness.trial_command", "it can't be tried: %s", error_text(&error));
}
