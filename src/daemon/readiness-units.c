/* The units load, and the programs that they name are there. systemd loads a unit whose program is missing, so that is looked at, too. */
#include "daemon/readiness.h"

#include "base/clock.h"
#include "core/words.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define QUERY_BUDGET_US (10 * USEC_PER_SEC)
#define LIBRARY_PATH "LD_LIBRARY_PATH="

static void on_units(void *userdata, const OpResult *result) {
        ReadyRound *round = userdata;
        char next[DETAIL_MAX];
        round->child = NULL;
        snprintf(next, sizeof next, "look at it: systemctl status %.200s", round->units.names[0]);
        if (result->status != OP_DONE)
                ready_unknown(round, "look whether the supervisor answers", "%s", error_text(&result->error));
        else if (!result->units.loadable)
                ready_failed(round, next, "can't be started: %s", result->units.detail);
        else
                ready_ok(round, "%s%s", round->units.names[0], round->units.count > 1 ? " and others load" : " loads");
}

void ready_check_units(ReadyRound *round) {
        Error error = {0};
        World *world = round->controller->world;
        if (world->config->units_driver->query(world->units, &round->units, QUERY_BUDGET_US, on_units, round,
                                               &round->child, &error) < 0)
                ready_unknown(round, "look whether the supervisor answers", "%s", error_text(&error));
}

/* ---- their programs ---- */

/* NULL: it can be run. */
static const char *why_not_run(const char *path) {
        struct stat st;
        if (stat(path, &st) < 0)
                return strerror(errno);
        if (!S_ISREG(st.st_mode))
                return "not a file";
        return st.st_mode & 0111 ? NULL : "not executable";
}

typedef struct Programs {
        ReadyRound *round;
        unsigned found;
        char problem[DETAIL_MAX];
} Programs;

static void look_at(Programs *programs, const char *named, bool program) {
        char path[PATH_MAX];
        struct stat st;
        if (ready_resolve(programs->round, named, path, sizeof path) < 0)
                return;
        const char *why = program ? why_not_run(path) : stat(path, &st) < 0 ? strerror(errno) : NULL;
        programs->found += program;
        if (why)
                words_append(programs->problem, sizeof programs->problem, "%s%s: %s", programs->problem[0] ? "; " : "",
                             path, why);
        else if (program)
                ready_add_program(programs->round, path);
}

static size_t word_length(const char *text) {
        return strcspn(text, " ;\n");
}

/* "ExecStart={ path=/usr/bin/python3 ; argv[]=/usr/bin/python3 /opt/novacron/current/app.py ; ignore_errors=no ; ..." An argument that
 * leads through paths.current must be there as well: a script's interpreter alone starts nothing. */
static void read_exec(Programs *programs, const char *text) {
        const char *current = programs->round->controller->config->current;
        char word[PATH_MAX];
        for (const char *at = text; (at = strstr(at, "path=")); at++) {
                snprintf(word, sizeof word, "%.*s", (int)word_length(at + 5), at + 5);
                look_at(programs, word, true);
                const char *argv = strstr(at, "argv[]="), *end = argv ? strstr(argv, " ; ") : NULL;
                for (const char *next = argv ? strchr(argv, ' ') : NULL; next && end && next < end;
                     next = strchr(next + 1, ' ')) {
                        snprintf(word, sizeof word, "%.*s", (int)word_length(next + 1), next + 1);
                        if (strncmp(word, current, strlen(current)) == 0 && word[strlen(current)] == '/')
                                look_at(programs, word, false);
                }
                at = end ? end : at;
        }
}

/* Where the loader of its programs looks first. */
static void read_library_path(ReadyRound *round, const char *text) {
        const char *at = strstr(text, LIBRARY_PATH);
        if (at)
                snprintf(round->library_path, sizeof round->library_path, "%.*s",
                         (int)strcspn(at + strlen(LIBRARY_PATH), " \"\n"), at + strlen(LIBRARY_PATH));
}

static __typeof__(((ReadyMemory *)0)->programs[0]) *remembered(const ReadyRound *round) {
        return &round->controller->readiness.memory->programs[round->of_target ? 0 : 1];
}

/* The units' files and their drop-ins' directories, where systemd looks for them. */
static uint64_t stamp_of(const ReadyRound *round) {
        static const char *const places[] = {"/etc/systemd/system", "/run/systemd/system",
                                             "/usr/local/lib/systemd/system", "/usr/lib/systemd/system"};
        char texts[2 * ARRAY_SIZE(places)][UNIT_NAME_MAX + 64];
        const char *paths[ARRAY_SIZE(texts)];
        uint64_t stamp = 0;
        for (unsigned unit = 0; unit < round->units.count; unit++) {
                for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
                        snprintf(texts[i], sizeof texts[i], "%s/%s%s", places[i / 2], round->units.names[unit],
                                 i % 2 ? ".d" : "");
                        paths[i] = texts[i];
                }
                stamp = stamp * 31 + ready_stamp(paths, ARRAY_SIZE(paths));
        }
        return stamp;
}

/* Whether what they name is there is looked at each time; what that is, which takes a child to find out, when a unit has changed. */
static void look_at_programs(ReadyRound *round, const char *output) {
        Programs programs = {.round = round};
        read_exec(&programs, output);
        read_library_path(round, output);
        if (programs.problem[0])
                ready_failed(round, "put it back, or mend ExecStart= of the unit", "%s", programs.problem);
        else if (programs.found == 0)
                ready_not_applicable(round, "%s names no program", round->units.names[0]);
        else
                ready_ok(round, "%u named by ExecStart=, there and executable", programs.found);
}

static void on_exec(ReadyRound *round, const char *output, const char *problem) {
        if (problem) {
                ready_unknown(round, "look whether systemctl works", "systemctl %s", problem);
                return;
        }
        __typeof__(*remembered(round)) *kept = remembered(round);
        memcpy(kept->version, round->ready.version, sizeof kept->version);
        kept->stamp = stamp_of(round);
        kept->at_mono = clock_mono_us();
        snprintf(kept->said, sizeof kept->said, "%s", output);
        look_at_programs(round, output);
}

/* The embedded supervisor's own command is part of what it loads. */
void ready_check_programs(ReadyRound *round) {
        const UnitsDriver *driver = round->controller->config->units_driver;
        const __typeof__(*remembered(round)) *kept = remembered(round);
        const char *argv[6 + UNITS_MAX] = {"systemctl", "show", "--no-pager", "--property=ExecStart,Environment", "--"};
        for (unsigned i = 0; i < round->units.count; i++)
                argv[5 + i] = round->units.names[i];
        if (!driver->any_unit)
                ready_not_applicable(round, "units.driver %s knows them itself", driver->name);
        else if (strcmp(kept->version, round->ready.version) == 0 && kept->stamp == stamp_of(round) &&
                 clock_mono_us() - kept->at_mono < READY_AGAIN_US)
                look_at_programs(round, kept->said);
        else
                ready_ask(round, argv, on_exec);
}
