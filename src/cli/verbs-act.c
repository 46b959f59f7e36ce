/* The verbs that act. */
#include "api/api.h"
#include "base/exit-codes.h"
#include "base/text.h"
#include "cli/ask-plan.h"
#include "cli/pick.h"
#include "cli/print.h"
#include "cli/verbs.h"
#include "core/version.h"
#include "daemon/auto.h"

#include <inttypes.h>
#include <string.h>

int verb_auto(Command *command) {
        return auto_main(command->config, command->options.config_path);
}

/* ---- arguments ---- */

/* Said here, before anything is asked: an invalid version could not even be put into a path. */
static int check_version(const Command *command, const char *version) {
        if (!version || version_valid(version))
                return 0;
        return command_error(command, EXIT_DATA, "'%s' is no version; allowed is for example v2.4.0", version);
}

static bool is_blank(const char *text) {
        return text[strspn(text, " \t\r\n")] == '\0';
}

static int check_reason(const Command *command, const char *reason) {
        char line[REASON_TYPED_MAX + 1];
        if (is_blank(reason))
                return command_error(command, EXIT_DATA, "a reason is needed: others will read it");
        if (strlen(reason) > REASON_TYPED_MAX)
                return command_error(command, EXIT_DATA, "the reason is too long; allowed are %d bytes",
                                     REASON_TYPED_MAX);
        if (text_to_line(reason, line, sizeof line))
                return command_error(command, EXIT_DATA,
                                     "the reason must be one line of UTF-8, without control characters");
        return 0;
}

/* In an outage nobody is sent back over a word: what can't be kept of the reason is left out. */
static const char *mend_reason(const Command *command, const char *reason, char line[REASON_TYPED_MAX + 1]) {
        if (is_blank(reason)) {
                command_error(command, 0, "an empty reason is kept as '%s'", REASON_NONE);
                return REASON_NONE;
        }
        if (text_to_line(reason, line, REASON_TYPED_MAX + 1))
                command_error(command, 0, "the reason is kept as one line of UTF-8 of at most %d bytes: %s",
                              REASON_TYPED_MAX, line);
        return line;
}

/* ---- plans ---- */

static int ask_plan_of(Command *command, const char *kind, const char *mode, const char *to, json_t **ret_plan) {
        char query[160];
        snprintf(query, sizeof query, "?kind=%s&mode=%s%s%s", kind, mode, to ? "&to=" : "", to ? to : "");
        json_t *arguments = json_pack("{s:s, s:s, s:s*}", "kind", kind, "mode", mode, "to", to);
        const Question question = {
                .path = "/api/v3/plan", .query = query, .breakglass = "plan", .arguments = arguments};
        int r = ask_plan(command, &question, ret_plan);
        json_decref(arguments);
        return r;
}

static int dry_run(Command *command, const char *kind, const char *mode, const char *to) {
        json_t *plan = NULL;
        int r = ask_plan_of(command, kind, mode, to, &plan);
        if (r != 0)
                return r;
        if (command->options.json)
                print_json(stdout, plan);
        else
                print_plan(&command->out, plan);
        r = pick_text(plan, "refused")[0] ? EXIT_REFUSED : EXIT_OK;
        json_decref(plan);
        return r;
}

/* ---- runs ---- */

static int begin(Command *command, const char *path, json_t *body, const char *breakglass) {
        const Question question = {
                .path = path, .query = "", .body = body, .breakglass = breakglass, .arguments = body};
        json_t *run = NULL;
        bool alone = false;
        int r = body ? command_ask(command, &question, &run, &alone)
                     : command_error(command, EXIT_INTERNAL, "no memory left to ask");
        if (r == 0 && pick_text(run, "warning")[0])
                terminal_say(&command->err, TONE_DOUBT, "Warning: %s: %s\n", pick_text(run, "to"),
                             pick_text(run, "warning"));
        if (r == 0)
                r = alone ? command_ended(command, run) : command_watch(command, run);
        json_decref(run);
        json_decref(body);
        return r;
}

static void print_quoted(FILE *file, const char *text) {
        fputc('\'', file);
        for (; *text; text++)
                fputs(*text == '\'' ? "'\\''" : (char[]){*text, '\0'}, file);
        fputc('\'', file);
}

/* Nobody can be asked: says the line that needs no answer. */
static int refuse_to_ask(const Command *command, const char *reason, const char *why) {
        command_error(command, EXIT_USAGE_ERROR,
                      "a manual rollback must be confirmed, and %s. To confirm beforehand:", why);
        fprintf(command->err.file, "  " PROGRAM " ");
        if (command->options.config_given)
                fprintf(command->err.file, "--config %s ", command->options.config_path);
        fprintf(command->err.file, "manual --yes %s%s%s%s", command->options.allow_row_loss ? "--allow-row-loss " : "",
                command->options.to ? "--to " : "", command->options.to ? command->options.to : "",
                command->options.to ? " " : "");
        print_quoted(command->err.file, reason);
        fputc('\n', command->err.file);
        return EXIT_USAGE_ERROR;
}

/* The specification's words ("Step 3: Execute Manual Rollback"); only "yes" confirms. */
static int confirm(const Command *command, const json_t *plan, const char *reason) {
        FILE *file = command->err.file;
        char answer[16] = "";
        const char *from = pick_text(plan, "from");
        fprintf(file, "Current version: %s\n", from[0] ? from : "unknown");
        fprintf(file, "Target version: %s\n", pick_text(plan, "to"));
        print_database(&command->err, plan);
        terminal_say(&command->err, TONE_PLAIN, "Reason: %s", reason);
        if (command->options.allow_row_loss)
                terminal_say(&command->err, TONE_DOUBT,
                             "\nRows that the way back can't keep may go (--allow-row-loss)");
        fprintf(file, "\n\nConfirm rollback? (yes/no): ");
        fflush(file);
        if (!fgets(answer, sizeof answer, stdin))
                fputc('\n', file);
        answer[strcspn(answer, "\r\n")] = '\0';
        if (strcmp(answer, "yes") == 0)
                return 0;
        fprintf(file, "Not confirmed: nothing was touched.\n");
        return EXIT_CANCELLED;
}

/* Only sent when it was typed, so that a controller from before it still answers. */
static json_t *row_loss(const Command *command) {
        return command->options.allow_row_loss ? json_true() : NULL;
}

static void warn_about(const Command *command, const json_t *plan) {
        if (pick_text(plan, "target_warning")[0])
                terminal_say(&command->err, TONE_DOUBT, "Warning: %s: %s\n", pick_text(plan, "to"),
                             pick_text(plan, "target_warning"));
        if (pick_text(plan, "refused")[0])
                terminal_say(&command->err, TONE_DOUBT, "Warning: it would be refused now: %s\n",
                             pick_text(plan, "refused"));
}

int verb_manual(Command *command) {
        const char *reason = command->argv[0], *to = command->options.to;
        int r = check_reason(command, reason);
        if (r == 0)
                r = check_version(command, to);
        if (r != 0)
                return r;
        if (command->options.dry_run)
                return dry_run(command, "rollback", "manual", to);
        if (!command->options.yes && command->options.no_input)
                return refuse_to_ask(command, reason, "--no-input forbids to ask");
        if (!command->options.yes && !isatty(STDIN_FILENO))
                return refuse_to_ask(command, reason, "there is no terminal to ask on");
        json_t *plan = NULL;
        r = ask_plan_of(command, "rollback", "manual", to, &plan);
        if (r != 0)
                return r;
        warn_about(command, plan);
        r = command->options.yes ? 0 : confirm(command, plan, reason);
        /* what was shown is what is done: not another target, nor another release that was made current meanwhile */
        json_t *body = r == 0 ? json_pack("{s:s, s:s, s:s*, s:s*, s:o*}", "mode", "manual", "reason", reason, "to",
                                          json_string_value(pick(plan, "to")), "expect_from",
                                          pick_text(plan, "from")[0] ? pick_text(plan, "from") : NULL, "allow_row_loss",
                                          row_loss(command))
                              : NULL;
        json_decref(plan);
        return r == 0 ? begin(command, "/api/v3/rollback", body, "rollback") : r;
}

int verb_emergency(Command *command) {
        char line[REASON_TYPED_MAX + 1];
        const char *to = command->options.to;
        int r = check_version(command, to);
        if (r != 0)
                return r;
        if (command->options.dry_run)
                return dry_run(command, "rollback", "emergency", to);
        const char *reason = command->argc > 0 ? mend_reason(command, command->argv[0], line) : REASON_NONE;
        return begin(command, "/api/v3/rollback",
                     json_pack("{s:s, s:s, s:s*, s:o*}", "mode", "emergency", "reason", reason, "to", to,
                               "allow_row_loss", row_loss(command)),
                     "rollback");
}

/* Whether the way back may be burnt; what can't be asked for now is refused by the controller itself. */
static int ask_none_left(Command *command, const char *version, bool *ret_accepted) {
        char query[160], answer[16] = "";
        FILE *file = command->err.file;
        json_t *plan = NULL;
        snprintf(query, sizeof query, "?kind=deployment&mode=manual&to=%s", version);
        const Question question = {.path = "/api/v3/plan", .query = query};
        bool asks = command_peek(command, &question, &plan) && pick_text(plan, "none_left")[0];
        if (asks)
                terminal_say(&command->err, TONE_DOUBT,
                             "Warning: after this deployment no target that is proven ready would be left: %s.\n",
                             pick_text(plan, "none_left"));
        json_decref(plan);
        if (!asks)
                return 0;
        if (command->options.no_input || !isatty(STDIN_FILENO)) {
                command_error(
                        command, EXIT_REFUSED,
                        "nothing was touched; what is wrong in full: auto-rollback ready. To deploy all the same:");
                fprintf(file, "  " PROGRAM " ");
                if (command->options.config_given)
                        fprintf(file, "--config %s ", command->options.config_path);
                fprintf(file, "deploy --yes %s\n", version);
                return EXIT_REFUSED;
        }
        fprintf(file, "Deploy all the same? (yes/no): ");
        fflush(file);
        if (!fgets(answer, sizeof answer, stdin))
                fputc('\n', file);
        answer[strcspn(answer, "\r\n")] = '\0';
        *ret_accepted = strcmp(answer, "yes") == 0;
        if (!*ret_accepted)
                fprintf(file, "Not confirmed: nothing was touched.\n");
        return *ret_accepted ? 0 : EXIT_CANCELLED;
}

int verb_deploy(Command *command) {
        const char *version = command->argv[0];
        int r = check_version(command, version);
        if (r != 0)
                return r;
        if (command->options.dry_run)
                return dry_run(command, "deployment", "manual", version);
        bool accepted = command->options.yes;
        r = accepted ? 0 : ask_none_left(command, version, &accepted);
        return r != 0 ? r
                      : begin(command, "/api/v3/deploy",
                              json_pack("{s:s, s:o*}", "version", version, "accept_no_target",
                                        accepted ? json_true() : NULL),
                              NULL);
}

static int newest_run_id(Command *command, int64_t *ret_id) {
        const Question question = {.path = "/api/v3/rollback", .query = ""};
        json_t *run = NULL;
        int r = command_ask(command, &question, &run, NULL);
        *ret_id = pick_int(run, "id", 0);
        json_decref(run);
        return r;
}

int verb_cancel(Command *command) {
        int64_t id = 0;
        int r = 0;
        if (command->argc > 0) {
                char *end;
                id = strtoll(command->argv[0], &end, 10);
                if (*end != '\0' || id <= 0)
                        return command_error(
                                command, EXIT_USAGE_ERROR,
                                "'%s' is no run's number: that is positive; auto-rollback history lists them",
                                command->argv[0]);
        } else
                r = newest_run_id(command, &id);
        if (r != 0)
                return r;
        char path[64];
        snprintf(path, sizeof path, "/api/v3/rollback/%" PRId64 "/cancel", id);
        json_t *answer = NULL, *nothing = json_object();
        const Question question = {.path = path, .query = "", .body = nothing};
        r = command_ask(command, &question, &answer, NULL);
        json_decref(nothing);
        if (r != 0)
                return r;
        if (command->options.json)
                print_json(stdout, answer);
        else {
                terminal_say(&command->out, pick_true(answer, "cancelled") ? TONE_GOOD : TONE_DOUBT, "%s%s",
                             pick_true(answer, "cancelled") ? "Cancelled: " : "Not cancelled: ",
                             pick_text(answer, "detail"));
                fputc('\n', command->out.file);
        }
        r = pick_true(answer, "cancelled") ? EXIT_OK : EXIT_REFUSED;
        json_decref(answer);
        return r;
}

/* ---- deployments and releases ---- */

static void print_deployments(const Terminal *out, const json_t *deployments) {
        bool paused = pick_true(deployments, "paused");
        const char *why = pick_text(deployments, "why");
        terminal_say(out, paused ? TONE_DOUBT : TONE_GOOD,
                     paused ? "Deployments are paused" : "Deployments are allowed");
        if (paused)
                terminal_say(out, TONE_PLAIN, " by %s%s%s", pick_text(deployments, "by"), why[0] ? ": " : "", why);
        fputs(".\n", out->file);
}

static int post(Command *command, const char *path, json_t *body,
                void (*print)(const Terminal *out, const json_t *answer)) {
        const Question question = {.path = path, .query = "", .body = body};
        json_t *answer = NULL;
        int r = body ? command_ask(command, &question, &answer, NULL)
                     : command_error(command, EXIT_INTERNAL, "no memory left to ask");
        if (r == 0 && command->options.json)
                print_json(stdout, answer);
        else if (r == 0)
                print(&command->out, answer);
        json_decref(answer);
        json_decref(body);
        return r;
}

int verb_pause(Command *command) {
        const char *why = command->argc > 0 && !is_blank(command->argv[0]) ? command->argv[0] : NULL;
        int r = why ? check_reason(command, why) : 0;
        return r != 0 ? r
                      : post(command, "/api/v3/deployment/pause", json_pack("{s:s*}", "why", why), print_deployments);
}

int verb_resume(Command *command) {
        return post(command, "/api/v3/deployment/resume", json_object(), print_deployments);
}

/* ---- traffic ---- */

#define DRAIN_DEFAULT_S 30
#define DRAIN_MAX_S 3600
#define SLOW_MARGIN_MS 10000 /* until the controller has really said it */

static void print_traffic(const Terminal *out, const json_t *traffic) {
        bool flows = pick_is(traffic, "state", "flowing"), timed_out = pick_true(traffic, "timed_out");
        terminal_say(out, flows ? TONE_GOOD : TONE_DOUBT, "%s",
                     flows       ? "Traffic flows"
                     : timed_out ? "Traffic is held back, but the time is over"
                                 : "Traffic is drained");
        if (!flows)
                terminal_say(out, TONE_PLAIN, ": %s", pick_text(traffic, "detail"));
        fputs(".\n", out->file);
}

int verb_drain(Command *command) {
        int64_t seconds = DRAIN_DEFAULT_S;
        char *end = NULL;
        if (command->argc > 0)
                seconds = strtoll(command->argv[0], &end, 10);
        if ((end && (*end != '\0' || end == command->argv[0])) || seconds < 1 || seconds > DRAIN_MAX_S)
                return command_error(command, EXIT_USAGE_ERROR, "'%s' isn't a number of seconds from 1 to %d",
                                     command->argv[0], DRAIN_MAX_S);
        json_t *body = json_pack("{s:I}", "timeout_seconds", (json_int_t)seconds), *traffic = NULL;
        const Question question = {.path = "/api/v3/traffic/drain", .query = "", .body = body};
        command->client.patience_ms = seconds * 1000 + SLOW_MARGIN_MS;
        int r = body ? command_ask(command, &question, &traffic, NULL)
                     : command_error(command, EXIT_INTERNAL, "no memory left to ask");
        if (r == 0 && command->options.json)
                print_json(stdout, traffic);
        else if (r == 0)
                print_traffic(&command->out, traffic);
        if (r == 0 && pick_true(traffic, "timed_out"))
                r = EXIT_TRY_LATER;
        json_decref(traffic);
        json_decref(body);
        return r;
}

int verb_restore(Command *command) {
        command->client.patience_ms = SLOW_MARGIN_MS;
        return post(command, "/api/v3/traffic/restore", json_object(), print_traffic);
}

int verb_adopt(Command *command) {
        return post(command, "/api/v3/adopt", json_object(), print_releases);
}
