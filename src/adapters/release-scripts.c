/* What the manifest of a release says of its scripts: who reads one later compares what he has read, so that nothing else is run. */
#include "adapters/release-internal.h"

#include "base/fsio.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define DECLARES_MAX ((size_t)1024 * 1024)

static const ManifestEntry *find_file(const Manifest *manifest, const char *root, const char *path) {
        char real[PATH_MAX];
        size_t length = strlen(root);
        if (!realpath(path, real) || strncmp(real, root, length) != 0 || real[length] != '/')
                return NULL;
        for (size_t i = 0; i < manifest->count; i++)
                if (manifest->entries[i].type == ENTRY_FILE &&
                    strcmp(manifest->entries[i].path, real + length + 1) == 0)
                        return &manifest->entries[i];
        return NULL;
}

static bool is_unaltered(const Manifest *manifest, const char *root, const char *path) {
        AUTO_FREE char *text = NULL;
        size_t size = 0;
        uint8_t digest[DIGEST_BYTES];
        const ManifestEntry *entry = find_file(manifest, root, path);
        if (!entry || fs_read_file(path, DECLARES_MAX, &text, &size, NULL) < 0)
                return false;
        crypto_hash_sha256(digest, (const unsigned char *)text, size);
        return memcmp(digest, entry->digest, sizeof digest) == 0;
}

void release_store_expect_scripts(ReleaseStore *store, const char *version, const char *declares, SchemaNeeds *needs) {
        char path[PATH_MAX], root[PATH_MAX];
        Manifest manifest = {0};
        int r = release_manifest_path(store, version, path, NULL);
        if (r == 0)
                r = manifest_read(path, &manifest, NULL);
        if (r == -ENOENT)
                return;
        bool known = r == 0 && release_path(store, version, path, NULL) == 0 && realpath(path, root) &&
                     is_unaltered(&manifest, root, declares);
        for (unsigned i = 0; i < needs->down_count; i++) {
                const ManifestEntry *entry = known ? find_file(&manifest, root, needs->down[i].script) : NULL;
                if (entry)
                        digest_format(entry->digest, needs->down[i].digest);
                else
                        snprintf(needs->down[i].digest, sizeof needs->down[i].digest, SCRIPT_NOT_KNOWN);
        }
        manifest_clear(&manifest);
}
