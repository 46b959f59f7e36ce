/* Following a run. The controller carries it out; if it dies meanwhile its successor finishes it, and is waited for. */
#include "api/problem.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "cli/command.h"
#include "cli/pick.h"
#include "cli/print.h"
#include "cli/progress.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#define ABSENT_MAX_US (30 * USEC_PER_SEC) /* a controller that is started again is back sooner */
#define ABSENT_PAUSE_US (250 * USEC_PER_MSEC)
#define VALIDATION_SLACK_US (30 * USEC_PER_SEC) /* beyond the window, in which a sample is awaited */
#define WINDOW_DEFAULT_US (120 * USEC_PER_SEC)
#define NO_NEWS_MAX_US (10 * USEC_PER_SEC) /* of the run; then it is asked about */
#define EXIT_INTERRUPTED 130               /* 128 + SIGINT, as shells have it */

static volatile sig_atomic_t interrupted;

typedef struct Watch {
        Command *command;
        json_t *run;
        int64_t id;
        Progress progress;
        bool drawing;                     /* until the run has ended */
        bool missed;                      /* events: ask again */
        int64_t news_mono;                /* the run was last told about */
        int64_t validation_deadline_mono; /* 0: not waiting for it */
} Watch;

static void on_interrupt(int number) {
        (void)number;
        interrupted = 1;
}

static bool pending(const Watch *watch) {
        return pick_is(watch->run, "validation", "pending");
}

static bool finished(const Watch *watch) {
        if (!run_ended_json(watch->run))
                return false;
        return watch->drawing || !pending(watch) || clock_mono_us() >= watch->validation_deadline_mono;
}

static void take_run(Watch *watch, const json_t *run) {
        if (pick_int(run, "id", 0) != watch->id)
                return;
        json_t *copy = json_incref((json_t *)run);
        json_decref(watch->run);
        watch->run = copy;
        watch->news_mono = clock_mono_us();
        if (watch->drawing)
                progress_update(&watch->progress, watch->run);
}

/* ---- while the controller answers ---- */

static bool on_event(void *userdata, const char *type, const json_t *event) {
        Watch *watch = userdata;
        watch->missed |= strcmp(type, "reset") == 0;
        if (strcmp(type, "run") == 0)
                take_run(watch, event);
        return !watch->missed && !finished(watch);
}

static bool on_tick(void *userdata) {
        Watch *watch = userdata;
        if (watch->drawing)
                progress_tick(&watch->progress);
        bool quiet = clock_mono_us() - watch->news_mono >= NO_NEWS_MAX_US;
        return !interrupted && !quiet && !finished(watch);
}

/* ---- while it doesn't ---- */

static ClientResult fetch(Watch *watch) {
        char path[64];
        json_t *run = NULL;
        Problem problem = {0};
        Error error = {0};
        snprintf(path, sizeof path, "/api/v3/rollback/%" PRId64, watch->id);
        ClientResult result = client_call(&watch->command->client, path, "", NULL, &run, &problem, &error);
        if (result == CLIENT_ANSWERED)
                take_run(watch, run);
        json_decref(run);
        problem_clear(&problem);
        return result;
}

/* true: it answers again. */
static bool wait_for_controller(Watch *watch) {
        int64_t deadline = clock_mono_us() + ABSENT_MAX_US;
        bool told = false;
        while (fetch(watch) != CLIENT_ANSWERED) {
                if (!told)
                        progress_note(
                                &watch->progress,
                                "The controller does not answer; its successor finishes the run. Waiting for it.");
                told = true;
                if (interrupted || clock_mono_us() >= deadline)
                        return false;
                usleep(ABSENT_PAUSE_US);
        }
        if (told)
                progress_note(&watch->progress, "%s", "");
        return true;
}

static int given_up(Watch *watch) {
        const Command *command = watch->command;
        progress_end(&watch->progress);
        terminal_say(&command->err, TONE_BAD,
                     "The controller has not answered for %d s. Run %" PRId64 " stands as shown above.\n",
                     (int)(ABSENT_MAX_US / USEC_PER_SEC), watch->id);
        fprintf(command->err.file,
                "A controller that is started again finishes the run by itself:\n"
                "  systemctl status novacron-auto-rollback\n"
                "If it does not come back, this finishes it without a controller:\n"
                "  " PROGRAM " emergency \"the controller died in run %" PRId64 "\"\n",
                watch->id);
        return EXIT_UNAVAILABLE;
}

static int stopped_watching(Watch *watch) {
        progress_end(&watch->progress);
        fprintf(watch->command->err.file,
                "\nYou stopped watching; run %" PRId64 " goes on.\n  " PROGRAM " status    shows it\n  " PROGRAM
                " cancel    cancels it\n",
                watch->id);
        return EXIT_INTERRUPTED;
}

/* 0, or the exit code when watching came to an end before the run did. */
static int follow(Watch *watch) {
        const ClientListener listener = {.on_event = on_event, .on_tick = on_tick, .userdata = watch};
        Error error = {0};
        while (!finished(watch)) {
                (void)client_follow(&watch->command->client, &listener,
                                    &error); /* however it ended, what counts is the run */
                if (interrupted)
                        return stopped_watching(watch);
                if (finished(watch))
                        break;
                watch->missed = false;
                if (!wait_for_controller(watch))
                        return interrupted ? stopped_watching(watch) : given_up(watch);
        }
        return 0;
}

/* ---- the end ---- */

static int64_t window_us(const Command *command) {
        return command->config ? command->config->rules.window_us : WINDOW_DEFAULT_US;
}

static json_t *ask_quietly(Command *command, const char *path) {
        json_t *answer = NULL;
        Problem problem = {0};
        Error error = {0};
        bool asked = client_call(&command->client, path, "", NULL, &answer, &problem, &error) == CLIENT_ANSWERED;
        problem_clear(&problem);
        if (asked)
                return answer;
        json_decref(answer);
        return NULL;
}

/* As things stand now; when that is another verdict already, as they were when it was given. */
static void print_validation_of(Command *command, const json_t *run) {
        const char *verdict = pick_text(run, "validation");
        char path[64];
        json_t *now = ask_quietly(command, "/api/v3/validate"), *kept = NULL;
        const json_t *validation = now;
        if (!pick_is(now, "verdict", verdict)) {
                snprintf(path, sizeof path, "/api/v3/rollback/%" PRId64, pick_int(run, "id", 0));
                kept = ask_quietly(command, path);
                validation = pick(kept, "validated");
        }
        if (pick_is(validation, "verdict", verdict))
                print_validation(&command->out, validation);
        else
                fprintf(command->out.file, "Rollback validation: %s\n",
                        strcmp(verdict, "passed") == 0   ? "PASSED"
                        : strcmp(verdict, "failed") == 0 ? "FAILED"
                                                         : "NOT VERIFIED");
        json_decref(now);
        json_decref(kept);
}

/* Why a run's failed requests weren't counted. Without the configuration that can't be told. */
static const char *why_not_counted(const Command *command) {
        return !command->config                   ? ""
               : !command->config->metrics_driver ? "nothing measures them (metrics.source is none)"
                                                  : "measuring was interrupted";
}

int command_ended(Command *command, const json_t *run) {
        if (command->options.json)
                print_json(stdout, run);
        else
                print_run_end(&command->out, run, why_not_counted(command));
        int exit_code = run_exit_code(run);
        bool verdict = pick(run, "validation") && !pick_is(run, "validation", "pending");
        if (exit_code == EXIT_NOT_VERIFIED && !verdict && !command->options.json)
                fprintf(command->out.file, "Whether it helped is not verified yet: " PROGRAM " validate\n");
        return exit_code;
}

/* The service is back already; what is awaited is only whether it does well. */
static int await_validation(Watch *watch) {
        Command *command = watch->command;
        if (!command->options.json) {
                print_run_end(&command->out, watch->run, why_not_counted(command));
                fflush(command->out.file);
        }
        watch->validation_deadline_mono = clock_mono_us() + window_us(command) + VALIDATION_SLACK_US;
        fprintf(command->err.file, "Validating: waiting for a sample with enough requests, at most %d s.\n",
                (int)((window_us(command) + VALIDATION_SLACK_US) / USEC_PER_SEC));
        int r = follow(watch);
        if (r != 0)
                return r == EXIT_INTERRUPTED ? r : EXIT_NOT_VERIFIED;
        if (command->options.json)
                print_json(stdout, watch->run);
        else if (pending(watch))
                fprintf(command->out.file, "Whether it helped is not verified yet: " PROGRAM " validate\n");
        else
                print_validation_of(command, watch->run);
        return run_exit_code(watch->run);
}

int command_watch(Command *command, json_t *run) {
        Watch watch = {.command = command,
                       .run = json_incref(run),
                       .id = pick_int(run, "id", 0),
                       .drawing = true,
                       .news_mono = clock_mono_us()};
        struct sigaction action = {.sa_handler = on_interrupt};
        sigaction(SIGINT, &action, NULL);
        progress_init(&watch.progress, command->err.file);
        progress_update(&watch.progress, run);
        int r = follow(&watch);
        if (r == 0) {
                progress_end(&watch.progress);
                watch.drawing = false;
                bool rollback = pick_is(watch.run, "kind", "rollback") && pick_is(watch.run, "outcome", "succeeded");
                /* the validation begins when the run has ended, and may not be in this event yet */
                if (rollback && !pick(watch.run, "validation"))
                        (void)fetch(&watch);
                if (rollback && pending(&watch))
                        r = await_validation(&watch);
                else {
                        r = command_ended(command, watch.run);
                        if (rollback && pick(watch.run, "validation") && !command->options.json)
                                print_validation_of(command, watch.run);
                }
        }
        json_decref(watch.run);
        return r;
}
