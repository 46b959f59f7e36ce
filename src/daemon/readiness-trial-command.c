/* What a trial start runs: the operator's words with the release's own in their places, behind those that make the sandbox. The
 * template's sandbox stands in its unit; it gets the command as a file of shell words, which its own user reads. Not by LoadCredential=:
 * that is read by root, and the file's directory is ours, so that a symlink in it would show us any file of the machine. */
#include "daemon/readiness-trial.h"

#include "base/clock.h"
#include "base/fsio.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <systemd/sd-login.h>

#define UNIT_PREFIX "novacron-rollback-trial"
#define FILE_PREFIX "trial-" /* in the runtime directory, as packaging/novacron-rollback-trial@.service has it */

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

/* ---- the sandbox ---- */

static void add(ReadyTrial *trial, const char *word) {
        if (trial->word_count < TRIAL_WORDS - 1)
                trial->words[trial->word_count++] = strdup(word);
}

/* systemd stops it with us, whatever has ended us: a command of ours that asks for it is killed with our unit. */
static void add_bond(ReadyTrial *trial) {
        AUTO_FREE char *unit = NULL;
        char word[PATH_MAX];
        if (sd_pid_get_unit(0, &unit) < 0 || !strstr(unit, ".service"))
                return; /* begun by hand */
        snprintf(word, sizeof word, "-pBindsTo=%s", unit);
        add(trial, word);
}

/* The same as in packaging/novacron-rollback-trial@.service. */
static void add_systemd_run(ReadyTrial *trial) {
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
        const Config *config = trial->round->controller->config;
        char word[PATH_MAX];
        for (size_t i = 0; i < ARRAY_SIZE(sandbox); i++)
                add(trial, sandbox[i]);
        snprintf(word, sizeof word, "--unit=%s", trial->unit);
        add(trial, word);
        add_bond(trial);
        snprintf(word, sizeof word, "-pRuntimeMaxSec=%" PRId64,
                 (config->trial_timeout_us + TRIAL_STOP_BUDGET_US) / USEC_PER_SEC);
        add(trial, word);
        if (config->trial_user[0])
                snprintf(word, sizeof word, "-pUser=%s", config->trial_user);
        else
                snprintf(word, sizeof word, "-pDynamicUser=yes");
        add(trial, word);
        add(trial, "--");
}

static void add_as_nobody(ReadyTrial *trial) {
        static const char *const as_nobody[] = {
                "setpriv",        "--reuid=65534",   "--regid=65534",       "--clear-groups",
                "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--"};
        for (size_t i = 0; i < ARRAY_SIZE(as_nobody); i++)
                add(trial, as_nobody[i]);
}

/* ---- the template's command ---- */

static char *shell_line(const ReadyTrial *trial) {
        char *whole = NULL;
        size_t size;
        FILE *out = open_memstream(&whole, &size);
        if (!out)
                return NULL;
        fputs("exec", out);
        for (unsigned i = 0; i < trial->word_count; i++) {
                fputs(" '", out);
                for (const char *at = trial->words[i]; *at; at++)
                        if (*at == '\'')
                                fputs("'\\''", out);
                        else
                                fputc(*at, out);
                fputc('\'', out);
        }
        fputc('\n', out);
        return fclose(out) == 0 ? whole : NULL;
}

/* What a controller has left behind that was killed beside its trial. */
static void sweep(const char *directory) {
        char path[PATH_MAX];
        DIR *stream = opendir(directory);
        for (struct dirent *entry; stream && (entry = readdir(stream));) {
                const char *name = entry->d_name;
                if (strncmp(name, FILE_PREFIX, strlen(FILE_PREFIX)) != 0)
                        continue;
                name += strlen(FILE_PREFIX);
                if (name[strspn(name, "0123456789-")] == '\0') {
                        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
                        (void)unlink(path);
                }
        }
        if (stream)
                closedir(stream);
}

/* Readable by the user that is made for the trial, that is by everybody: as the words of any process are. */
static int write_command(ReadyTrial *trial, const char *instance, Error *error) {
        char directory[PATH_TEXT_MAX];
        const char *given = getenv("RUNTIME_DIRECTORY");
        if (!given || given[0] != '/') {
                snprintf(trial->next, sizeof trial->next,
                         "run the controller by its packaged unit, or empty readiness.trial_command");
                return error_set(error, -ENOENT, "there is no RuntimeDirectory= to hand the command over in");
        }
        snprintf(directory, sizeof directory, "%.*s", (int)strcspn(given, ":"), given);
        sweep(directory);
        AUTO_FREE char *line = shell_line(trial);
        if (!line)
                return error_set(error, -ENOMEM, "no memory is left");
        snprintf(trial->file, sizeof trial->file, "%s/" FILE_PREFIX "%s", directory, instance);
        int r = fs_write_atomic(trial->file, line, strlen(line), 0644, error);
        if (r < 0)
                snprintf(trial->next, sizeof trial->next, "make room in %.200s", directory);
        return r;
}

/* ---- all of it ---- */

static int make_words(ReadyTrial *trial) {
        const char *const *command = trial->round->controller->config->trial_command;
        if (trial->manner == TRIAL_TRANSIENT)
                add_systemd_run(trial);
        if (trial->manner == TRIAL_CHILD && geteuid() == 0)
                add_as_nobody(trial);
        for (unsigned i = 0; command[i] && trial->word_count < TRIAL_WORDS - 1; i++)
                trial->words[trial->word_count++] = expand(trial, command[i]);
        bool whole = trial->word_count < TRIAL_WORDS - 1;
        for (unsigned i = 0; i < trial->word_count; i++)
                whole &= trial->words[i] != NULL;
        return whole ? 0 : -ENOMEM;
}

int trial_prepare(ReadyTrial *trial, Error *error) {
        const Config *config = trial->round->controller->config;
        char instance[48];
        snprintf(trial->next, sizeof trial->next, "mend readiness.trial_command");
        snprintf(instance, sizeof instance, "%d-%" PRId64, (int)getpid(), clock_mono_us());
        snprintf(trial->unit, sizeof trial->unit, UNIT_PREFIX "%s%s.service",
                 trial->manner == TRIAL_TEMPLATE ? "@" : "-", instance);
        if (trial->manner == TRIAL_TEMPLATE && config->trial_user[0]) {
                snprintf(trial->next, sizeof trial->next,
                         "empty readiness.trial_user; for a user of your own: systemctl edit " UNIT_PREFIX
                         "@.service, User=%.80s",
                         config->trial_user);
                return error_set(error, -EPERM,
                                 "only root may choose its user (readiness.trial_user is %.80s); the controller isn't",
                                 config->trial_user);
        }
        trial->port = free_port();
        AUTO_FREE char *url = expand(trial, config->trial_url);
        snprintf(trial->url, sizeof trial->url, "%s", url ? url : "");
        if (make_words(trial) < 0 || !url || !trial->port)
                return error_set(error, -ENOMEM, "no port is free, no memory is left, or the command has over %d words",
                                 TRIAL_WORDS);
        return trial->manner == TRIAL_TEMPLATE ? write_command(trial, instance, error) : 0;
}

void trial_discard(ReadyTrial *trial) {
        if (trial->file[0])
                (void)unlink(trial->file);
        for (unsigned i = 0; i < TRIAL_WORDS; i++)
                free(trial->words[i]);
}
