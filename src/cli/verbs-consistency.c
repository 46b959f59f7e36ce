/* The consistency check: begun (or found under way), followed to its end, and summed up. Interrupting this leaves the check to the
 * controller. */
#include "api/problem.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "cli/pick.h"
#include "cli/print.h"
#include "cli/verbs.h"

#include <inttypes.h>
#include <string.h>

#define PATH "/api/v3/admin/consistency-check"
#define ABSENT_MAX_US (30 * USEC_PER_SEC) /* a controller that is started again is back sooner */
#define ABSENT_PAUSE_US (250 * USEC_PER_MSEC)
#define NO_NEWS_MAX_US (10 * USEC_PER_SEC) /* then it is asked */

typedef struct Following {
        Command *command;
        json_t *check; /* as it was last told */
        bool missed;   /* events: ask again */
        int64_t news_mono;
        size_t told; /* findings that were printed */
        bool drawn;  /* the line on the terminal is ours */
} Following;

static bool is_running(const Following *following) {
        return pick_is(following->check, "state", "running");
}

static void wipe(Following *following) {
        if (following->drawn)
                fputs("\r\033[K", following->command->err.file);
        following->drawn = false;
}

/* Findings stay; what is being looked at is drawn again in place, on a terminal. */
static void show(Following *following) {
        const Terminal *err = &following->command->err;
        const json_t *findings = pick(following->check, "findings");
        wipe(following);
        for (; following->told < json_array_size(findings); following->told++)
                terminal_say(err, TONE_BAD, "%s\n", json_string_value(json_array_get(findings, following->told)));
        int64_t total = pick_int(following->check, "total", -1);
        if (err->live && is_running(following) && total >= 0) {
                char line[512];
                snprintf(line, sizeof line, "%" PRId64 " of %" PRId64 ": %s", pick_int(following->check, "done", 0),
                         total, pick_text(following->check, "now"));
                terminal_text(err, TONE_FAINT, line, err->columns > 1 ? err->columns - 1 : 0, false);
                following->drawn = true;
        }
        fflush(err->file);
}

static void take(Following *following, const json_t *check) {
        json_t *copy = json_incref((json_t *)check);
        json_decref(following->check);
        following->check = copy;
        following->news_mono = clock_mono_us();
        if (!following->command->options.json)
                show(following);
}

static bool on_event(void *userdata, const char *type, const json_t *event) {
        Following *following = userdata;
        following->missed |= strcmp(type, "reset") == 0;
        if (strcmp(type, "consistency") == 0)
                take(following, event);
        return !following->missed && is_running(following);
}

static bool on_tick(void *userdata) {
        const Following *following = userdata;
        return clock_mono_us() - following->news_mono < NO_NEWS_MAX_US;
}

/* 0, or the exit code when it can't be followed to its end. */
static int ask_again(Following *following) {
        Command *command = following->command;
        int64_t end_mono = clock_mono_us() + ABSENT_MAX_US;
        for (;;) {
                json_t *check = NULL;
                Problem problem = {0};
                Error error = {0};
                ClientResult result = client_call(&command->client, PATH, "", NULL, &check, &problem, &error);
                if (result == CLIENT_ANSWERED)
                        take(following, check);
                json_decref(check);
                if (result == CLIENT_REFUSED)
                        return command_refused(command, &problem);
                if (result == CLIENT_ANSWERED)
                        return 0;
                if (clock_mono_us() >= end_mono)
                        return command_error(command, EXIT_UNAVAILABLE, "%s; what the check came to is not known",
                                             error_text(&error));
                usleep(ABSENT_PAUSE_US);
        }
}

static int follow(Following *following) {
        const ClientListener listener = {.on_event = on_event, .on_tick = on_tick, .userdata = following};
        int r = 0;
        while (r == 0 && is_running(following)) {
                Error error = {0};
                following->missed = false;
                (void)client_follow(&following->command->client, &listener, &error); /* however it ended: it is asked */
                if (is_running(following))
                        r = ask_again(following);
        }
        wipe(following);
        return r;
}

static int sum_up(const Command *command, const json_t *check) {
        const Terminal *out = &command->out;
        const char *detail = pick_text(check, "detail");
        if (command->options.json)
                print_json(stdout, check);
        if (pick_is(check, "state", "passed")) {
                if (!command->options.json)
                        terminal_say(out, TONE_GOOD, "No damage found: %s.\n", detail);
                return EXIT_OK;
        }
        if (pick_is(check, "state", "damaged")) {
                if (!command->options.json)
                        terminal_say(out, TONE_BAD, "DAMAGE FOUND, %" PRId64 " problems: %s\n",
                                     pick_int(check, "problems", 0), detail);
                return EXIT_VALIDATION_FAILED;
        }
        bool stopped = pick_is(check, "state", "stopped");
        if (!command->options.json)
                terminal_say(out, TONE_DOUBT, "%s: %s\n", stopped ? "Stopped" : "It could not be told", detail);
        return stopped ? EXIT_CANCELLED : EXIT_NOT_VERIFIED;
}

int verb_consistency_check(Command *command) {
        Following following = {.command = command};
        json_t *body = json_object(), *check = NULL;
        const Question question = {.path = PATH, .query = "", .body = body};
        int r = body ? command_ask(command, &question, &check, NULL)
                     : command_error(command, EXIT_INTERNAL, "no memory left to ask");
        if (r == 0) {
                take(&following, check);
                r = follow(&following);
        }
        if (r == 0)
                r = sum_up(command, following.check);
        json_decref(following.check);
        json_decref(check);
        json_decref(body);
        return r;
}
