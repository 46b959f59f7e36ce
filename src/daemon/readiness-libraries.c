/* What the release's programs need to be started at all: a script its interpreter, a program its loader and shared libraries. The loader
 * itself is asked (--list), for it alone knows where it will look; it maps what it finds and runs nothing of it. As root it is asked
 * as nobody, who may only read; a program that names a module for its loader to run (DT_AUDIT) isn't asked about. */
#include "daemon/readiness.h"

#include "adapters/manifest.h"
#include "base/clock.h"
#include "base/program.h"
#include "core/words.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define PATHS "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define NEXT "install what is missing, or roll back to another release: --to VERSION"

static void append(char text[DETAIL_MAX], const char *program, const char *problem) {
        const char *name = strrchr(program, '/');
        words_append(text, DETAIL_MAX, "%s%s: %s", text[0] ? "; " : "", name ? name + 1 : program, problem);
}
static void note(ReadyRound *round, const char *program, const char *problem) {
        append(round->problems, program, problem);
}
static void doubt(ReadyRound *round, const char *program, const char *problem) {
        append(round->doubts, program, problem);
}

/* ---- which programs ---- */

/* The executables of the release, besides those that the units name. */
static void add_executables(ReadyRound *round) {
        char path[PATH_MAX];
        Manifest manifest = {0};
        Error error = {0};
        if (manifest_read(ready_manifest_path(round, path, sizeof path), &manifest, &error) < 0)
                return; /* the release's own check says so */
        for (size_t i = 0; i < manifest.count; i++) {
                const ManifestEntry *entry = &manifest.entries[i];
                if (entry->type != ENTRY_FILE || !(entry->mode & 0111))
                        continue;
                int length = snprintf(path, sizeof path, "%s/%s/%s", round->controller->config->versions,
                                      round->ready.version, entry->path);
                if ((size_t)length < sizeof path)
                        ready_add_program(round, path);
        }
        manifest_clear(&manifest);
}

/* ---- the stamp ---- */

/* The directory of our own loader is where the system's libraries are. */
static void library_directory(char ret_path[PATH_MAX]) {
        ProgramNeeds needs;
        Error error = {0};
        ret_path[0] = '\0';
        if (program_needs("/proc/self/exe", &needs, &error) < 0 || !realpath(needs.interpreter, ret_path))
                return;
        char *slash = strrchr(ret_path, '/');
        if (slash)
                *slash = '\0';
}

static uint64_t stamp_of(ReadyRound *round) {
        char manifest[PATH_MAX], directory[PATH_MAX];
        library_directory(directory);
        const char *const paths[] = {ready_manifest_path(round, manifest, sizeof manifest), directory,
                                     "/etc/ld.so.cache", "/usr/local/lib"};
        return ready_stamp(paths, ARRAY_SIZE(paths));
}

/* ---- one program after the other ---- */

static void ask_next(ReadyRound *round);

#define FATAL "error while loading shared libraries: "

/* What the loader says of what it lacks: a library, or a version of one. The rest of its line is what people need. */
static bool find_missing(const char *output, char line[DETAIL_MAX]) {
        const char *fatal = strstr(output, FATAL), *found = fatal ? fatal + strlen(FATAL) : strstr(output, "not found");
        if (!found)
                return false;
        while (!fatal && found > output && found[-1] != '\n')
                found--;
        found += strspn(found, " \t");
        snprintf(line, DETAIL_MAX, "%.*s", (int)strcspn(found, "\n"), found);
        return true;
}

static void on_listed(ReadyRound *round, const char *output, const char *problem) {
        const char *program = round->programs[round->program];
        char line[DETAIL_MAX];
        if (find_missing(output, line))
                note(round, program, line);
        else if (problem)
                doubt(round, program, problem);
        round->program++;
        ask_next(round);
}

static void ask_loader(ReadyRound *round, const char *loader) {
        static const char *const as_nobody[] = {"setpriv",
                                                "--reuid=65534",
                                                "--regid=65534",
                                                "--clear-groups",
                                                "--no-new-privs",
                                                "--inh-caps=-all,+dac_read_search",
                                                "--ambient-caps=-all,+dac_read_search",
                                                "--bounding-set=-all,+dac_read_search"};
        const char *argv[ARRAY_SIZE(as_nobody) + 8];
        char library_path[PATH_TEXT_MAX + 32];
        unsigned count = 0;
        while (geteuid() == 0 && count < ARRAY_SIZE(as_nobody)) {
                argv[count] = as_nobody[count];
                count++;
        }
        argv[count++] = "env";
        argv[count++] = "-i";
        snprintf(library_path, sizeof library_path, "LD_LIBRARY_PATH=%s", round->library_path);
        if (round->library_path[0])
                argv[count++] = library_path;
        argv[count++] = loader;
        argv[count++] = "--list";
        argv[count++] = round->programs[round->program];
        argv[count] = NULL;
        ready_ask(round, argv, on_listed);
}

static bool in_paths(const char *name) {
        char path[PATH_MAX];
        for (const char *at = PATHS; *at; at += strcspn(at, ":") + (at[strcspn(at, ":")] == ':')) {
                snprintf(path, sizeof path, "%.*s/%s", (int)strcspn(at, ":"), at, name);
                if (access(path, X_OK) == 0)
                        return true;
        }
        return false;
}

static void look_at_script(ReadyRound *round, const char *program, const ProgramNeeds *needs) {
        char problem[PATH_MAX + 64], interpreter[PATH_MAX];
        const char *name = strrchr(needs->interpreter, '/');
        if (ready_resolve(round, needs->interpreter, interpreter, sizeof interpreter) < 0)
                return;
        if (access(interpreter, X_OK) < 0)
                snprintf(problem, sizeof problem, "its interpreter %s: %s", interpreter, strerror(errno));
        else if (name && strcmp(name, "/env") == 0 && needs->argument[0] && needs->argument[0] != '-' &&
                 !in_paths(needs->argument))
                snprintf(problem, sizeof problem, "its interpreter %s is in none of " PATHS, needs->argument);
        else
                return;
        note(round, program, problem);
}

/* True: an answer is awaited. */
static bool look_at_program(ReadyRound *round) {
        const char *program = round->programs[round->program];
        ProgramNeeds needs;
        Error error = {0};
        if (program_needs(program, &needs, &error) < 0) {
                note(round, program, error_text(&error));
                return false;
        }
        if (needs.kind == PROGRAM_SCRIPT)
                look_at_script(round, program, &needs);
        if (needs.kind != PROGRAM_DYNAMIC)
                return false;
        char problem[PATH_MAX + 128];
        struct stat st = {0};
        bool there = stat(needs.interpreter, &st) == 0, roots = st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH));
        snprintf(problem, sizeof problem, "its loader %s %s", needs.interpreter,
                 !there          ? "is missing"
                 : needs.audited ? "would run a module that it names, so it isn't asked"
                                 : "can be changed by others than root, so it isn't asked");
        if (!there)
                note(round, program, problem);
        else if (needs.audited || !roots)
                doubt(round, program, problem);
        else
                ask_loader(round, needs.interpreter);
        return there && !needs.audited && roots;
}

static void conclude(ReadyRound *round) {
        unsigned item = round->item;
        if (round->problems[0])
                ready_failed(round, NEXT, "%s", round->problems);
        else if (round->doubts[0])
                ready_unknown(round, "look at it by hand: ldd PROGRAM", "%s", round->doubts);
        else if (round->programs_left_out > 0)
                ready_ok(round, "%u programs have what they need; %u more were not looked at", round->program_count,
                         round->programs_left_out);
        else if (round->program_count == 0)
                ready_not_applicable(round, "the release holds no program");
        else
                ready_ok(round, "%u program%s what %s", round->program_count,
                         round->program_count == 1 ? " has" : "s have",
                         round->program_count == 1 ? "it needs" : "they need");
        ReadyMemory *memory = round->controller->readiness.memory;
        __typeof__(memory->libraries[0]) *kept = &memory->libraries[round->of_target ? 0 : 1];
        *kept = (__typeof__(*kept)){
                .stamp = stamp_of(round), .at_mono = clock_mono_us(), .check = round->ready.checks[item]};
        memcpy(kept->version, round->ready.version, sizeof kept->version);
}

static void ask_next(ReadyRound *round) {
        while (round->program < round->program_count && !look_at_program(round))
                round->program++;
        if (round->program >= round->program_count)
                conclude(round);
}

void ready_check_libraries(ReadyRound *round) {
        ReadyMemory *memory = round->controller->readiness.memory;
        const __typeof__(memory->libraries[0]) *kept = &memory->libraries[round->of_target ? 0 : 1];
        if (strcmp(kept->version, round->ready.version) == 0 && kept->stamp == stamp_of(round) &&
            kept->check.verdict == READY_OK && clock_mono_us() - kept->at_mono < READY_AGAIN_US) {
                ready_ok(round, "%s", kept->check.measured);
                return;
        }
        add_executables(round);
        round->problems[0] = round->doubts[0] = '\0';
        round->program = 0;
        ask_next(round);
}
