/* A controller that says what it is told: fake-controller SOCKET DIRECTORY. It serves the real API; each operation answers with
 * DIRECTORY/<operation>.json (a problem when that has a title), and notes what it was asked in DIRECTORY/asked. After
 * `rollback` or `deploy` it publishes the lines of DIRECTORY/events, 20 ms apart: {"type": ..., "event": ...}, or "die". */
#include "api/problem.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#define PAUSE_US 20000

static ApiServer *server;
static const char *directory;
static FILE *events;
static json_t *newest_run;
static sd_event_source *publisher;

static json_t *load(const char *name) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s.json", directory, name);
        return json_load_file(path, 0, NULL);
}

static void note(const char *name, const json_t *arguments, const Caller *caller) {
        char path[512];
        snprintf(path, sizeof path, "%s/asked", directory);
        AUTO_FREE char *text = json_dumps(arguments, JSON_COMPACT | JSON_SORT_KEYS);
        AUTO_FCLOSE FILE *file = fopen(path, "ae");
        if (file)
                fprintf(file, "%s %s%s\n", name, text, caller->may_act ? "" : " (may not act)");
}

static int answer(const char *name, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                  Problem *problem) {
        note(name, arguments, caller);
        json_t *document = load(name);
        if (!document)
                return problem_set(problem, 501, 70, "Not told", "there is no %s.json", name);
        if (problem_parse(document, problem) == 0) {
                json_decref(document);
                return -1;
        }
        *ret_answer = document;
        return 0;
}

static int on_publish(sd_event_source *source, UNUSED uint64_t usec, UNUSED void *userdata) {
        char line[16384];
        if (!fgets(line, sizeof line, events))
                return 0;
        if (strncmp(line, "die", 3) == 0)
                _exit(9);
        json_t *told = json_loads(line, 0, NULL), *event = json_object_get(told, "event");
        const char *type = json_string_value(json_object_get(told, "type"));
        if (type && strcmp(type, "run") == 0) {
                json_decref(newest_run);
                newest_run = json_incref(event);
        }
        if (type)
                api_server_publish(server, type, event);
        json_decref(told);
        sd_event_source_set_time_relative(source, PAUSE_US);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int begin_run(const char *name, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                     Problem *problem) {
        int r = answer(name, arguments, caller, ret_answer, problem);
        if (r == 0 && events) {
                rewind(events);
                json_decref(newest_run);
                newest_run = NULL;
                sd_event_source_set_time_relative(publisher, PAUSE_US);
                sd_event_source_set_enabled(publisher, SD_EVENT_ONESHOT);
        }
        return r;
}

#define OPERATION(name)                                                                                                \
        static int op_##name(UNUSED void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,    \
                             Problem *problem) {                                                                       \
                return answer(#name, arguments, caller, ret_answer, problem);                                          \
        }
OPERATION(status)
OPERATION(version)
OPERATION(plan)
OPERATION(ready)
OPERATION(incidents)
OPERATION(receivers)
OPERATION(run_cancel)
OPERATION(history)
OPERATION(decisions)
OPERATION(explain)
OPERATION(validate)
OPERATION(pause)
OPERATION(resume)
OPERATION(deployment_status)
OPERATION(adopt)

#define SLOW_OPERATION(name)                                                                                           \
        static int op_##name(UNUSED void *self, const json_t *arguments, const Caller *caller, ApiReply *reply,        \
                             Problem *problem) {                                                                       \
                json_t *value = NULL;                                                                                  \
                if (answer(#name, arguments, caller, &value, problem) < 0)                                             \
                        return -1;                                                                                     \
                api_reply(reply, 0, value, NULL);                                                                      \
                return 0;                                                                                              \
        }
SLOW_OPERATION(traffic_drain)
SLOW_OPERATION(traffic_restore)

/* As the controller: unhealthy comes with 503. */
static int op_health(UNUSED void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                     Problem *problem) {
        int r = answer("health", arguments, caller, ret_answer, problem);
        const char *status = r == 0 ? json_string_value(json_object_get(*ret_answer, "status")) : NULL;
        return status && strcmp(status, "unhealthy") == 0 ? 503 : r;
}

static int op_rollback(UNUSED void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                       Problem *problem) {
        return begin_run("rollback", arguments, caller, ret_answer, problem);
}
static int op_deploy(UNUSED void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                     Problem *problem) {
        return begin_run("deploy", arguments, caller, ret_answer, problem);
}
static int op_run_show(UNUSED void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                       Problem *problem) {
        if (!newest_run)
                return answer("run_show", arguments, caller, ret_answer, problem);
        *ret_answer = json_incref(newest_run);
        return 0;
}

static const ApiOps ops = {
        .status = op_status,
        .version = op_version,
        .plan = op_plan,
        .ready = op_ready,
        .incidents = op_incidents,
        .receivers = op_receivers,
        .rollback = op_rollback,
        .deploy = op_deploy,
        .run_show = op_run_show,
        .run_cancel = op_run_cancel,
        .history = op_history,
        .decisions = op_decisions,
        .explain = op_explain,
        .validate = op_validate,
        .pause = op_pause,
        .resume = op_resume,
        .deployment_status = op_deployment_status,
        .adopt = op_adopt,
        .health = op_health,
        .traffic_drain = op_traffic_drain,
        .traffic_restore = op_traffic_restore,
};

int main(int argc, char **argv) {
        sd_event *event = NULL;
        Error error = {0};
        sigset_t signals;
        char path[512];
        if (argc != 3)
                return 64;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        directory = argv[2];
        snprintf(path, sizeof path, "%s/events", directory);
        events = fopen(path, "re");
        if (sd_event_new(&event) < 0 || sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL) < 0 ||
            sd_event_add_time_relative(event, &publisher, CLOCK_MONOTONIC, 0, 1000, on_publish, NULL) < 0 ||
            sd_event_source_set_enabled(publisher, SD_EVENT_OFF) < 0 ||
            api_server_new(event, &(ApiSettings){.socket_path = argv[1]}, &ops, NULL, &server, &error) < 0) {
                fprintf(stderr, "fake-controller: %s\n", error_text(&error));
                return 1;
        }
        puts("ready");
        fflush(stdout);
        int r = sd_event_loop(event);
        server = api_server_free(server);
        sd_event_source_disable_unref(publisher);
        sd_event_unref(event);
        json_decref(newest_run);
        if (events)
                fclose(events);
        return r < 0;
}
