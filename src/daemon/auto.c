#include "daemon/auto.h"

#include "base/clock.h"
#include "base/exit-codes.h"
#include "base/fsio.h"
#include "base/log.h"
#include "daemon/controller.h"
#include "daemon/log-journald.h"
#include "daemon/telling.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#define RECOVER_AGAIN_US                                                                                               \
        (500 * USEC_PER_MSEC) /* break glass holds the run lock: what it leaves open is ours to finish */
#define FILES_EVERY_US (5 * USEC_PER_SEC)
#define STOP_EXTENSION "EXTEND_TIMEOUT_USEC=200000000"

typedef struct Daemon {
        const Config *config; /* in force */
        Config *loaded;       /* owned: what SIGHUP has loaded; NULL: the caller's is in force */
        Config *next;         /* good, and to be in force as soon as no run is under way */
        const char *config_path;
        sd_event *event;
        Controller *controller;
        ApiServer *server;
        sd_event_source *recover_timer, *files_timer;
        bool opened; /* the configuration in force has worked */
        bool stopping, adopted;
        char refused[REASON_MAX]; /* why the newest configuration isn't in force; "": it is */
        bool no_directory;        /* for the socket; said once */
} Daemon;

/* ---- logging ---- */

static int add_sink(LogSink *sink, Error *error) {
        sink->threshold = LEVEL_INFO;
        return log_add_sink(sink, error);
}

static void open_logs(const Config *config) {
        LogSink *sink = NULL;
        Error error = {0};
        bool journald = getenv("JOURNAL_STREAM") != NULL;
        int r = journald ? log_sink_journald(&sink, &error) : log_sink_text(STDERR_FILENO, true, &sink, &error);
        if (r >= 0)
                (void)add_sink(sink, &error);
        char directory[PATH_MAX];
        if (fs_directory_of(config->log, directory, sizeof directory, &error) >= 0)
                (void)fs_make_directories(directory, 0755, &error);
        if (log_sink_file(config->log, &sink, &error) < 0 || add_sink(sink, &error) < 0)
                log_warn("the log file can't be used: %s", error_text(&error)); /* never a reason not to run */
}

/* ---- stopping and reloading ---- */

static bool run_under_way(const Daemon *daemon) {
        return runner_run(daemon->controller->runner) != NULL;
}

/* A run that is under way is finished first: traffic must not be left drained. So is an alert's command, which
 * would die with us, and healing: its unit must not be left stopped. */
static int exit_when_done(Daemon *daemon) {
        bool wanted = daemon->stopping || daemon->next;
        if (!wanted || run_under_way(daemon) || alerts_under_way(daemon->controller) ||
            checkup_heals(daemon->controller->checkup))
                return 0;
        readiness_interrupt(daemon->controller); /* a trial is stopped by a process, which needs the loop */
        return sd_event_exit(daemon->event, 0);
}

static void on_alerts_told(void *userdata) {
        (void)exit_when_done(userdata);
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Daemon *daemon = userdata;
        (void)source;
        sd_notify(0, "STOPPING=1");
        daemon->stopping = true;
        if (!run_under_way(daemon))
                return exit_when_done(daemon);
        log_info("%s: a run is under way and is finished first", strsignal((int)info->ssi_signo));
        sd_notify(0, "STATUS=finishing the run that is under way\n" STOP_EXTENSION);
        return 0;
}

/* Stands until a good one is read: who restarts would be left without a controller, and who edits believes it is in force. */
static void refuse_reload(Daemon *daemon, const char *why) {
        char message[ALERT_TEXT_MAX];
        snprintf(daemon->refused, sizeof daemon->refused, "%s", why);
        snprintf(message, sizeof message, "running on the old one: %s. Mend it, then: systemctl reload %s", why,
                 "novacron-auto-rollback");
        alert_set(daemon->controller, "configuration", NULL); /* what it says is said of the newest */
        alert_set(daemon->controller, "configuration", message);
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Daemon *daemon = userdata;
        Config *next;
        Error error = {0};
        (void)source;
        (void)info;
        if (log_reopen(&error) < 0)
                log_warn("the log can't be opened again: %s", error_text(&error));
        error = (Error){0};
        if (config_load(daemon->config_path, &next, &error) < 0) {
                refuse_reload(daemon, error_text(&error));
                sd_notify(0, "STATUS=the new configuration is bad, the old one is in force");
                return 0;
        }
        if (strcmp(next->state, daemon->config->state) != 0 || strcmp(next->log, daemon->config->log) != 0) {
                refuse_reload(daemon, "paths.state and paths.log can't change under a running controller: restart it");
                config_free(next);
                return 0;
        }
        config_free(daemon->next);
        daemon->next = next;
        daemon->refused[0] = '\0';
        alert_set(daemon->controller, "configuration", NULL);
        if (!run_under_way(daemon))
                return exit_when_done(daemon);
        log_info("the new configuration will be in force when the run under way has ended");
        return 0;
}

/* ---- the controller's life ---- */

static void on_event(void *userdata, const char *type, const json_t *event) {
        const Daemon *daemon = userdata;
        api_server_calm(daemon->server, run_under_way(daemon)); /* no flood of requests delays it */
        if (daemon->server)
                api_server_publish(daemon->server, type, event);
}

static void adopt_once(Daemon *daemon) {
        Error error = {0};
        if (daemon->adopted || run_under_way(daemon))
                return;
        daemon->adopted = true;
        if (adoption_begin(daemon->controller, false, &error) < 0)
                log_warn("the releases could not be taken in: %s", error_text(&error));
}

static void on_finished(void *userdata, const Run *run) {
        Daemon *daemon = userdata;
        (void)run;
        api_server_calm(daemon->server, run_under_way(daemon));
        adopt_once(daemon);
        (void)exit_when_done(daemon);
}

static int try_recover(sd_event_source *source, uint64_t usec, void *userdata) {
        Daemon *daemon = userdata;
        LockHolder holder = {0};
        Error error = {0};
        (void)usec;
        int r = controller_recover(daemon->controller, &holder, &error);
        if (r != -EBUSY) {
                alert_set(daemon->controller, "recovery", r < 0 ? error_text(&error) : NULL);
                adopt_once(daemon);
                return 0;
        }
        log_debug("%s: waiting for it", error_text(&error));
        r = sd_event_source_set_time_relative(source, (uint64_t)RECOVER_AGAIN_US);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int make_socket_directory(const Daemon *daemon, Error *error) {
        char directory[PATH_MAX];
        int r = fs_directory_of(daemon->config->socket, directory, sizeof directory, error);
        return r < 0 ? r : fs_make_directories(directory, 0755, error);
}

/* A client certificate's common name, as `api.tls_clients` knows it. */
static bool tls_client(void *self, const char *common_name, bool *ret_may_act) {
        const Controller *controller = self;
        const char *name;
        const char *const *rights;
        for (unsigned i = 0; settings_map_at(controller->config->api_block, "tls_clients", i, &name, &rights); i++)
                if (strcmp(name, common_name) == 0) {
                        *ret_may_act = false;
                        for (; *rights; rights++)
                                *ret_may_act |= strcmp(*rights, "act") == 0;
                        return true;
                }
        return false;
}

static int open_server(Daemon *daemon, Error *error) {
        int r = make_socket_directory(daemon, error);
        if (r < 0)
                return r;
        const Config *config = daemon->config;
        const Settings *api = config->api_block;
        const ApiSettings settings = {
                .socket_path = config->socket,
                .group = config->group,
                .listen = settings_string(api, "listen"),
                .health_listen = settings_list(api, "health_listen"),
                .hosts = settings_list(api, "hosts"),
                .tokens = settings_string(api, "tokens"),
                .tls_listen = settings_string(api, "tls_listen"),
                .tls_certificate = settings_string(api, "tls_certificate"),
                .tls_key = settings_string(api, "tls_key"),
                .tls_client_ca = settings_string(api, "tls_client_ca"),
                .tls_client = tls_client,
                .readers_group = strcmp(settings_string(api, "readers"), "group") == 0,
                .connections = (unsigned)settings_int(api, "connections"),
        };
        return api_server_new(daemon->event, &settings, &controller_operations, daemon->controller, &daemon->server,
                              error);
}

static void on_api_problem(void *userdata, const char *source, const char *message) {
        alert_set(userdata, source, message);
}

/* What is removed under a live program is noticed by looking alone. */
static int on_files(sd_event_source *source, uint64_t usec, void *userdata) {
        Daemon *daemon = userdata;
        (void)usec;
        Error error = {0};
        bool no_directory = make_socket_directory(daemon, &error) < 0;
        if (no_directory && !daemon->no_directory)
                log_warn("%s", error_text(&error));
        daemon->no_directory = no_directory;
        api_server_look(daemon->server, on_api_problem, daemon->controller);
        controller_look_at_journal(daemon->controller);
        int r = sd_event_source_set_time_relative(source, (uint64_t)FILES_EVERY_US);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int open_controller(Daemon *daemon, Error *error) {
        int r = sd_event_new(&daemon->event);
        if (r < 0)
                return error_set(error, r, "cannot make an event loop: %s", strerror(-r));
        r = controller_new(daemon->event, daemon->config, ROLE_DAEMON, &daemon->controller, error);
        if (r < 0)
                return r;
        daemon->controller->on_event = on_event;
        daemon->controller->on_finished = on_finished;
        daemon->controller->on_alerts_told = on_alerts_told;
        daemon->controller->userdata = daemon;
        if (!daemon->controller->journal)
                return error_set(error, daemon->controller->journal_error.code,
                                 "%s. Until then only 'auto-rollback emergency REASON' works, without a controller",
                                 error_text(&daemon->controller->journal_error));
        r = open_server(daemon, error);
        if (r >= 0)
                r = controller_watch(daemon->controller, error);
        if (r >= 0)
                telling_begin(daemon->controller);
        if (r >= 0)
                r = sd_event_add_time_relative(daemon->event, &daemon->recover_timer, CLOCK_BOOTTIME, 0, 0, try_recover,
                                               daemon);
        if (r >= 0)
                r = sd_event_add_time_relative(daemon->event, &daemon->files_timer, CLOCK_BOOTTIME, 0,
                                               (uint64_t)USEC_PER_SEC, on_files, daemon);
        if (r >= 0)
                r = sd_event_add_signal(daemon->event, NULL, SIGTERM, on_stop, daemon);
        if (r >= 0)
                r = sd_event_add_signal(daemon->event, NULL, SIGINT, on_stop, daemon);
        if (r >= 0)
                r = sd_event_add_signal(daemon->event, NULL, SIGHUP, on_reload, daemon);
        if (r >= 0)
                r = sd_event_set_watchdog(daemon->event, true);
        return r < 0 && error->code == 0 ? error_set(error, r, "cannot set up the event loop: %s", strerror(-r)) : r;
}

static void close_controller(Daemon *daemon) {
        daemon->recover_timer = sd_event_source_disable_unref(daemon->recover_timer);
        daemon->files_timer = sd_event_source_disable_unref(daemon->files_timer);
        daemon->server = api_server_free(daemon->server);
        daemon->controller = controller_free(daemon->controller);
        daemon->event = sd_event_unref(daemon->event);
}

/* From opening to the loop's end. 0: stopped or to be opened again with the next configuration. */
static int serve(Daemon *daemon, Error *error) {
        int r = open_controller(daemon, error);
        daemon->opened = r >= 0;
        if (r >= 0) {
                log_info("watching %s (controller %s, pid %d)",
                         daemon->controller->version[0] ? daemon->controller->version : "no release yet",
                         PROJECT_VERSION, (int)getpid());
                sd_notifyf(0, "READY=1\nSTATUS=watching %s", daemon->controller->version);
                if (daemon->refused[0]) {
                        char why[sizeof daemon->refused];
                        memcpy(why, daemon->refused, sizeof why);
                        refuse_reload(daemon, why);
                }
                r = sd_event_loop(daemon->event);
                if (r < 0)
                        error_set(error, r, "the event loop failed: %s", strerror(-r));
        }
        close_controller(daemon);
        return r;
}

/* The new configuration may be well formed and still not work (another driver that can't be opened): then the old one is back. */
static int reload(Daemon *daemon, Error *error) {
        const Config *old = daemon->config;
        Config *old_loaded = daemon->loaded;
        daemon->config = daemon->loaded = TAKE_PTR(daemon->next);
        daemon->adopted = false;
        log_info("the new configuration is in force");
        int r = serve(daemon, error);
        if (daemon->opened) { /* it worked, however it ended */
                config_free(old_loaded);
                return r;
        }
        log_error("the new configuration doesn't work (%s): the old one is in force again", error_text(error));
        snprintf(daemon->refused, sizeof daemon->refused, "%s", error_text(error));
        config_free(daemon->loaded);
        daemon->config = old;
        daemon->loaded = old_loaded;
        *error = (Error){0};
        return serve(daemon, error);
}

static void block_signals(void) {
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGHUP);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        signal(SIGPIPE, SIG_IGN);
}

static int take_controller_lock(const Config *config, int *ret_fd, Error *error) {
        char path[PATH_MAX];
        int r = fs_make_directories(config->state, 0750, error);
        if (r < 0)
                return r;
        snprintf(path, sizeof path, "%s/controller.lock", config->state);
        return lock_take(path, "controller", 0, NULL, ret_fd, error);
}

static int exit_code(int r) {
        if (r >= 0)
                return EXIT_OK;
        return r == -EBUSY ? EXIT_TRY_LATER : r == -EACCES || r == -EPERM ? EXIT_PERMISSION : EXIT_IO;
}

int auto_main(const Config *config, const char *config_path) {
        Daemon daemon = {.config = config, .config_path = config_path};
        int lock_fd = -1;
        Error error = {0};
        block_signals();
        open_logs(config);
        int r = take_controller_lock(config, &lock_fd, &error);
        if (r >= 0)
                r = serve(&daemon, &error);
        while (r >= 0 && daemon.next && !daemon.stopping)
                r = reload(&daemon, &error);
        if (r < 0)
                log_error("%s", error_text(&error));
        lock_release(lock_fd);
        config_free(daemon.next);
        config_free(daemon.loaded);
        log_remove_sinks();
        return exit_code(r);
}
