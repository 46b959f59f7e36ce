#include "fixture.h"

#include "api/problem.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

char fixture_directory[64];
char fixture_socket[96];
pid_t fixture_pid;

/* ---- the server's process ---- */

static sd_event *event;
static ApiServer *server;
static json_t *acted, *looked;
static ApiReply *kept_back, *held[64];
static size_t held_count;
static int health_status;

static int op_health(UNUSED void *self, UNUSED const json_t *arguments, UNUSED const Caller *caller,
                     json_t **ret_answer, UNUSED Problem *problem) {
        static int asked;
        *ret_answer = json_pack("{s:i, s:O}", "asked", ++asked, "arguments", arguments);
        return health_status;
}

static int op_status(UNUSED void *self, UNUSED const json_t *arguments, UNUSED const Caller *caller,
                     json_t **ret_answer, UNUSED Problem *problem) {
        static int asked;
        *ret_answer = json_pack("{s:i}", "asked", ++asked);
        return 0;
}

static int op_seen(UNUSED void *self, UNUSED const json_t *arguments, UNUSED const Caller *caller, json_t **ret_answer,
                   UNUSED Problem *problem) {
        *ret_answer = json_pack("{s:i, s:O, s:O}", "pending", (int)api_server_pending(server), "acted", acted, "looked",
                                looked);
        return 0;
}

static int op_echo(UNUSED void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                   UNUSED Problem *problem) {
        *ret_answer =
                json_pack("{s:O, s:s, s:s}", "arguments", arguments, "caller", caller->name, "whence", caller->whence);
        return 0;
}

static int op_exposition(UNUSED void *self, UNUSED const json_t *arguments, UNUSED const Caller *caller,
                         json_t **ret_answer, UNUSED Problem *problem) {
        *ret_answer = json_string("# HELP rollback_runs Runs.\n# TYPE rollback_runs counter\nrollback_runs_total 1\n"
                                  "# TYPE rollback_build info\n# HELP rollback_build What runs.\n"
                                  "rollback_build_info{version=\"1\"} 1\n"
                                  "# TYPE rollback_ready gauge\n# UNIT rollback_ready x\nrollback_ready 1\n# EOF\n");
        return 0;
}

static void note_problem(UNUSED void *userdata, const char *source, const char *message) {
        json_object_set_new(looked, source, message ? json_string(message) : json_null());
}

static void reply_done(ApiReply *reply) {
        api_reply(reply, 0, json_pack("{s:b}", "done", 1), NULL);
}

static int op_deploy(UNUSED void *self, const json_t *arguments, UNUSED const Caller *caller, json_t **ret_answer,
                     UNUSED Problem *problem) {
        const char *word = json_string_value(json_object_get(arguments, "version"));
        if (strcmp(word, "calm") == 0 || strcmp(word, "busy") == 0)
                api_server_calm(server, word[0] == 'c');
        if (strcmp(word, "unhealthy") == 0)
                health_status = 503;
        if (strcmp(word, "look") == 0)
                api_server_look(server, note_problem, NULL);
        if (strcmp(word, "publish") == 0)
                api_server_publish(server, "tick", arguments);
        while (strcmp(word, "release") == 0 && held_count > 0)
                reply_done(held[--held_count]);
        *ret_answer = json_pack("{s:s}", "done", word);
        return 0;
}

static int op_rollback(UNUSED void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                       Problem *problem) {
        (void)op_echo(NULL, arguments, caller, ret_answer, problem);
        return 202;
}

static int op_drain(UNUSED void *self, UNUSED const json_t *arguments, UNUSED const Caller *caller, ApiReply *reply,
                    Problem *problem) {
        if (held_count == ARRAY_SIZE(held))
                return problem_set(problem, 503, 75, "Too many", "at once");
        held[held_count++] = reply;
        return 0;
}

static int op_restore(UNUSED void *self, UNUSED const json_t *arguments, UNUSED const Caller *caller, ApiReply *reply,
                      UNUSED Problem *problem) {
        reply_done(reply);
        return 0;
}

static int op_refuse(UNUSED void *self, UNUSED const json_t *arguments, UNUSED const Caller *caller,
                     UNUSED ApiReply *reply, Problem *problem) {
        return problem_set(problem, 409, 75, "Busy", "not now");
}

static int on_refused(sd_event_source *source, void *userdata) {
        Problem problem = {0};
        problem_set(&problem, 503, 75, "No quorum", "2 of 3 members are away");
        problem_add(&problem, "members", json_integer(3));
        sd_event_source_unref(source);
        api_reply(userdata, 0, NULL, &problem);
        return 0;
}

static int op_refuse_later(UNUSED void *self, UNUSED const json_t *arguments, UNUSED const Caller *caller,
                           ApiReply *reply, UNUSED Problem *problem) {
        sd_event_source *source;
        return sd_event_add_defer(event, &source, on_refused, reply);
}

static int op_keep_back(UNUSED void *self, UNUSED const json_t *arguments, UNUSED const Caller *caller, ApiReply *reply,
                        UNUSED Problem *problem) {
        kept_back = reply;
        return 0;
}

static void note_acted(UNUSED void *self, const Caller *caller, const char *method, const char *path,
                       const json_t *arguments, int status, const char *outcome) {
        json_array_append_new(acted,
                              json_pack("{s:s, s:s, s:s, s:O?, s:i, s:s}", "caller", caller->name, "method", method,
                                        "path", path, "arguments", arguments, "status", status, "outcome", outcome));
}

static const ApiOps ops = {
        .health = op_health,
        .status = op_status,
        .version = op_status,
        .history = op_seen,
        .plan = op_echo,
        .rollback = op_rollback,
        .exposition = op_exposition,
        .deploy = op_deploy,
        .traffic_drain = op_drain,
        .traffic_restore = op_restore,
        .cache_clear = op_refuse,
        .force_election = op_refuse_later,
        .receiver_test = op_keep_back,
        .acted = note_acted,
};

static int serve(const ApiSettings *settings, int ready_fd) {
        Error error = {0};
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        acted = json_array();
        looked = json_object();
        if (sd_event_new(&event) < 0 || sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL) < 0 ||
            api_server_new(event, settings, &ops, NULL, &server, &error) < 0) {
                fprintf(stderr, "server: %s\n", error_text(&error));
                return 1;
        }
        if (write(ready_fd, "r", 1) != 1)
                return 1;
        int r = sd_event_loop(event);
        server = api_server_free(server);
        if (kept_back)
                reply_done(kept_back);
        while (held_count > 0)
                reply_done(held[--held_count]);
        json_decref(acted);
        json_decref(looked);
        sd_event_unref(event);
        return r < 0 ? 2 : 0;
}

/* ---- the test's side ---- */

int fixture_start(const ApiSettings *settings) {
        return fixture_start_without(settings, -1);
}

int fixture_start_without(const ApiSettings *settings, int fd) {
        ApiSettings all = *settings;
        int ready[2];
        char byte;
        snprintf(fixture_directory, sizeof fixture_directory, "/tmp/test-api.XXXXXX");
        if (!mkdtemp(fixture_directory) || chmod(fixture_directory, 0755) < 0 || pipe(ready) < 0)
                return -1;
        snprintf(fixture_socket, sizeof fixture_socket, "%s/socket", fixture_directory);
        all.socket_path = fixture_socket;
        fflush(NULL);
        fixture_pid = fork();
        if (fixture_pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(ready[0]);
                if (fd >= 0)
                        close(fd);
                exit(serve(&all, ready[1]));
        }
        close(ready[1]);
        ssize_t got = read(ready[0], &byte, 1);
        close(ready[0]);
        return got == 1 ? 0 : -1;
}

int fixture_stop(void) {
        int status;
        struct stat found;
        kill(fixture_pid, SIGTERM);
        if (waitpid(fixture_pid, &status, 0) != fixture_pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                fprintf(stderr, "the server ended with status %#x\n", status);
                return -1;
        }
        if (lstat(fixture_socket, &found) == 0) {
                fprintf(stderr, "the server left its socket behind\n");
                return -1;
        }
        return rmdir(fixture_directory);
}

int64_t fixture_cpu_us(void) {
        char path[64];
        uint64_t ns = 0;
        snprintf(path, sizeof path, "/proc/%d/schedstat", fixture_pid);
        AUTO_FCLOSE FILE *file = fopen(path, "r");
        assert_int_equal(fscanf(file, "%" SCNu64, &ns), 1);
        return (int64_t)(ns / 1000);
}

void fixture_pick(const char *address, char *ret_address, size_t size) {
        bool v6 = strchr(address, ':') != NULL;
        struct sockaddr_storage any = {.ss_family = v6 ? AF_INET6 : AF_INET};
        socklen_t length = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
        void *binary = v6 ? (void *)&((struct sockaddr_in6 *)&any)->sin6_addr
                          : (void *)&((struct sockaddr_in *)&any)->sin_addr;
        AUTO_CLOSE int fd = socket(any.ss_family, SOCK_STREAM, 0);
        assert_int_equal(inet_pton(any.ss_family, address, binary), 1);
        assert_int_equal(bind(fd, (struct sockaddr *)&any, length), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &length), 0);
        unsigned port = ntohs(v6 ? ((struct sockaddr_in6 *)&any)->sin6_port : ((struct sockaddr_in *)&any)->sin_port);
        snprintf(ret_address, size, v6 ? "[%s]:%u" : "%s:%u", address, port);
}

void assert_holds(const char *text, const char *wanted) {
        if (!strstr(text, wanted))
                fail_msg("wanted: %s\nin: %s", wanted, text);
}
