/* Runs a fuzz target over files instead of a fuzzer's inputs: every corpus is an ordinary test. Directories are walked. */
#include "base/macros.h"

#include <dirent.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static int replay_file(const char *path) {
        AUTO_FCLOSE FILE *file = fopen(path, "rb");
        if (!file) {
                perror(path);
                return -1;
        }
        AUTO_FREE char *data = NULL;
        size_t size = 0, chunk;
        do {
                char *larger = realloc(data, size + 65536);
                if (!larger)
                        return -1;
                data = larger;
                chunk = fread(data + size, 1, 65536, file);
                size += chunk;
        } while (chunk > 0);
        LLVMFuzzerTestOneInput((const uint8_t *)data, size);
        replayed++;
        return 0;
}

static int replay_directory(const char *path) {
        DIR *directory = opendir(path);
        if (!directory)
                return replay_file(path);
        int r = 0;
        for (struct dirent *entry; r == 0 && (entry = readdir(directory));) {
                AUTO_FREE char *name = NULL;
                if (entry->d_name[0] != '.')
                        r = asprintf(&name, "%s/%s", path, entry->d_name) < 0 ? -1 : replay_file(name);
        }
        closedir(directory);
        return r;
}

int main(int argc, char **argv) {
        for (int i = 1; i < argc; i++)
                if (replay_directory(argv[i]) < 0)
                        return EXIT_FAILURE;
        printf("%u inputs\n", replayed);
        return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
