/* demo-service: a small durable HTTP service in two releases, for the demo, the tests and the bench. Which release it is says
 * the file VERSION beside its bin/ directory, so that the same program serves as every version. */
#include "notify.h"
#include "service.h"

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

static const char usage[] =
        "Usage: demo-service [--config FILE] [--listen ADDRESS:PORT] [--data DIRECTORY] [--label VERSION]\n"
        "\n"
        "A small HTTP service whose writes are durable. GET / reads, POST /write stores \"<client> <sequence>\",\n"
        "GET /writes lists what is stored, GET /health and GET /metrics say how it does.\n"
        "\n"
        "  --config FILE     \"key: value\" lines; read again on SIGHUP. Keys and faults: examples/service/settings.h\n"
        "  --listen, --data  override the file's keys of the same name\n"
        "  --label VERSION   overrides the release directory's VERSION file\n";

/* The release directory is where the program really lies: <release>/bin/demo-service. */
static int read_release_version(char ret_version[64], Error *error) {
        char path[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof "/VERSION");
        if (n < 0)
                return error_set(error, -errno, "cannot tell where this program lies: %s", strerror(errno));
        path[n] = '\0';
        char *release = dirname(dirname(path));
        char file_path[PATH_MAX];
        snprintf(file_path, sizeof file_path, "%s/VERSION", release);
        AUTO_FCLOSE FILE *file = fopen(file_path, "re");
        if (!file || fscanf(file, "%63s", ret_version) != 1)
                return error_set(error, -ENOENT, "%s holds no version; write one there or give --label", file_path);
        return 0;
}

static bool version_valid(const char *version) {
        return version[0] != '\0' && version[strspn(version, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                             "0123456789.+-")] == '\0';
}

typedef struct Options {
        const char *config, *listen, *data, *label;
} Options;

/* Returns -1 when there is something to do, else the exit code. */
static int parse_options(int argc, char **argv, Options *options) {
        static const struct option table[] = {
                {"config", required_argument, NULL, 'c'}, {"listen", required_argument, NULL, 'l'},
                {"data", required_argument, NULL, 'd'},   {"label", required_argument, NULL, 'v'},
                {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
        for (int option; (option = getopt_long(argc, argv, "h", table, NULL)) != -1;) {
                switch (option) {
                case 'c':
                        options->config = optarg;
                        break;
                case 'l':
                        options->listen = optarg;
                        break;
                case 'd':
                        options->data = optarg;
                        break;
                case 'v':
                        options->label = optarg;
                        break;
                case 'h':
                        fputs(usage, stdout);
                        return EX_OK;
                default:
                        fputs(usage, stderr);
                        return EX_USAGE;
                }
        }
        return optind == argc ? -1 : (fputs(usage, stderr), EX_USAGE);
}

static int override(char *field, size_t size, const char *value, Error *error) {
        if (!value)
                return 0;
        if (strlen(value) >= size)
                return error_set(error, -EINVAL, "'%s' is longer than %zu characters", value, size - 1);
        memcpy(field, value, strlen(value) + 1);
        return 0;
}

/* The file first, the command line over it, the release's own version when nobody names one. */
static int load_settings(const Options *options, Service *service, Error *error) {
        ServiceSettings *settings = &service->settings;
        *settings = service_settings_default;
        service->config_path = options->config;
        int r = options->config ? service_settings_load(options->config, settings, error) : 0;
        if (r == 0)
                r = override(settings->listen, sizeof settings->listen, options->listen, error);
        if (r == 0)
                r = override(settings->data, sizeof settings->data, options->data, error);
        if (r == 0)
                r = override(settings->version, sizeof settings->version, options->label, error);
        if (r == 0 && settings->version[0] == '\0')
                r = read_release_version(settings->version, error);
        if (r == 0 && !version_valid(settings->version))
                r = error_set(error, -EINVAL, "version is '%s'; allowed are letters, digits, '.', '+' and '-'",
                              settings->version);
        if (r == 0 && settings->data[0] == '\0')
                r = error_set(error, -EINVAL, "no data directory: give \"data:\" in the configuration or --data");
        return r;
}

/* Waits, but not for somebody who was told to stop. */
static bool pause_unless_stopped(int64_t ms, bool stoppable) {
        sigset_t stop;
        sigemptyset(&stop);
        if (stoppable) {
                sigaddset(&stop, SIGTERM);
                sigaddset(&stop, SIGINT);
        }
        struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
        return ms == 0 || sigtimedwait(&stop, NULL, &left) < 0;
}

static int serve(Service *service, Error *error) {
        const ServiceSettings *settings = &service->settings;
        int r = ledger_open(settings->data, &service->ledger, error);
        if (r < 0)
                return r;
        if (!pause_unless_stopped(settings->slow_start_ms, !settings->ignore_sigterm))
                return 0;
        r = server_new(settings->listen, settings->version, &service_hooks, service, &service->server, error);
        if (r < 0)
                return r;
        service_begin_faults(service);
        notify("READY=1");
        fprintf(stderr, "demo-service %s: serving at %s, %lld writes stored\n", settings->version, settings->listen,
                (long long)service->ledger->last_committed);
        r = server_run(service->server, error);
        if (r == 0)
                pause_unless_stopped(service->settings.slow_stop_ms, false);
        return r;
}

static int exit_code(int r) {
        switch (r) {
        case 0:
                return EX_OK;
        case -EBUSY:
                return EX_TEMPFAIL;
        case -EBADMSG:
                return EX_DATAERR;
        default:
                return EX_UNAVAILABLE;
        }
}

int main(int argc, char **argv) {
        Options options = {0};
        int code = parse_options(argc, argv, &options);
        if (code >= 0)
                return code;
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGHUP);
        sigprocmask(SIG_BLOCK, &signals, NULL);

        static Service service; /* too large for the stack */
        Error error = {0};
        int r = load_settings(&options, &service, &error);
        if (r == 0) {
                r = serve(&service, &error);
                service.server = server_free(service.server);
                service.ledger = ledger_close(service.ledger);
                code = exit_code(r);
        } else
                code = EX_CONFIG;
        if (r < 0)
                fprintf(stderr, "demo-service: %s\n", error_text(&error));
        return code;
}
