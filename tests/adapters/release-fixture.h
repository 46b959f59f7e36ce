/* A small world for the release store: versions/, current, a live configuration and a saved one for each release. */
#pragma once

#include "adapters/release.h"
#include "base/fsio.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static char directory[32];

static inline const char *in(const char *name) {
        static char paths[8][PATH_MAX];
        static unsigned next;
        char *path = paths[next++ % ARRAY_SIZE(paths)];
        snprintf(path, PATH_MAX, "%s/%.255s", directory, name);
        return path;
}

static inline void put(const char *name, const char *text) {
        AUTO_FCLOSE FILE *file = fopen(in(name), "we");
        if (!file || fputs(text, file) < 0)
                abort();
}

static inline char *get(const char *name) {
        static char text[4][4096];
        static unsigned next;
        char *buffer = text[next++ % ARRAY_SIZE(text)];
        AUTO_FCLOSE FILE *file = fopen(in(name), "re");
        buffer[file ? fread(buffer, 1, sizeof text[0] - 1, file) : 0] = '\0';
        return file ? buffer : NULL;
}

static inline void make_release(const char *version) {
        char name[256], text[128];
        snprintf(name, sizeof name, "versions/%s/bin", version);
        if (fs_make_directories(in(name), 0755, NULL) < 0)
                abort();
        snprintf(name, sizeof name, "versions/%s/bin/service", version);
        snprintf(text, sizeof text, "#!/bin/sh\n# %s\n", version);
        put(name, text);
        chmod(in(name), 0755);
        snprintf(name, sizeof name, "versions/%s/notes %%\n.txt", version);
        put(name, "odd name\n");
        snprintf(name, sizeof name, "versions/%s/latest", version);
        if (symlink("bin/service", in(name)) < 0)
                abort();
        snprintf(name, sizeof name, "etc/config.%s.yaml", version);
        snprintf(text, sizeof text, "version: %s\n", version);
        put(name, text);
}

/* v3.0.0 is live, v2.4.0 came before. */
static inline void make_world(void) {
        if (fs_make_directories(in("versions"), 0755, NULL) < 0 || fs_make_directories(in("etc"), 0755, NULL) < 0 ||
            fs_make_directories(in("state"), 0755, NULL) < 0)
                abort();
        make_release("v2.4.0");
        make_release("v3.0.0");
        if (symlink(in("versions/v3.0.0"), in("current")) < 0)
                abort();
        put("etc/config.yaml", "version: v3.0.0\nedited: by hand\n");
}

static inline void clear_world(void) {
        char command[PATH_MAX * 2];
        snprintf(command, sizeof command, "rm -rf '%s'; mkdir -m 0700 '%s'", directory, directory);
        if (system(command) != 0)
                abort();
}

static inline ReleaseStore *open_store(sd_event *event) {
        const ReleasePaths paths = {
                .versions = in("versions"),
                .current = in("current"),
                .live_config = in("etc/config.yaml"),
                .saved_config = in("etc/config.{version}.yaml"),
                .state_directory = in("state"),
        };
        ReleaseStore *store = NULL;
        if (release_store_open(event, &paths, &store, NULL) < 0)
                abort();
        return store;
}

static inline const char *current_target(void) {
        static char target[PATH_MAX];
        ssize_t length = readlink(in("current"), target, sizeof target - 1);
        target[length < 0 ? 0 : length] = '\0';
        const char *slash = strrchr(target, '/');
        return slash ? slash + 1 : target;
}

/* How many files of etc/ begin with `prefix`, and the content of the last of them. */
static inline int count_in_etc(const char *prefix, char **ret_text) {
        char command[PATH_MAX * 2], name[PATH_MAX];
        int count = 0;
        snprintf(command, sizeof command, "ls -A '%s' 2>/dev/null", in("etc"));
        FILE *list = popen(command, "re");
        while (list && fgets(name, sizeof name, list)) {
                name[strcspn(name, "\n")] = '\0';
                if (strncmp(name, prefix, strlen(prefix)) != 0)
                        continue;
                count++;
                char path[PATH_MAX];
                snprintf(path, sizeof path, "etc/%.200s", name);
                if (ret_text)
                        *ret_text = get(path);
        }
        if (list)
                pclose(list);
        return count;
}

/* In memory where that can be had: hundreds of switches with all their syncs would take half a minute on a disk. */
static inline int make_directory(UNUSED void **state) {
        snprintf(directory, sizeof directory, "%s/test-release-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        return mkdtemp(directory) ? 0 : -1;
}

static inline int remove_directory(UNUSED void **state) {
        clear_world();
        return rmdir(directory);
}
