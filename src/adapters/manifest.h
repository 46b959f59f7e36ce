/* The manifest of a release: what was in it when it was taken in. A text file, so that a person can read and compare it:
 *
 *     manifest 1
 *     directory 755 bin
 *     file 755 DIGEST SIZE MTIME_NS CTIME_NS INODE bin/novacron
 *     link DIGEST lib/libx.so                              (digest of the target)
 *     config 640 DIGEST SIZE MTIME_NS CTIME_NS INODE /etc/novacron/config.v2.4.0.yaml
 *     end COUNT DIGEST                                     (of all lines above: a torn or edited manifest is noticed)
 *
 * Paths are relative to the release, sorted, with control characters and % as %XX; digests are SHA-256. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define DIGEST_BYTES 32
#define DIGEST_TEXT_MAX (2 * DIGEST_BYTES + 1)
#define MANIFEST_ENTRIES_MAX 65536

typedef enum EntryType { ENTRY_DIRECTORY, ENTRY_FILE, ENTRY_LINK, ENTRY_CONFIG } EntryType;

typedef struct ManifestEntry {
        EntryType type;
        unsigned mode;
        uint8_t digest[DIGEST_BYTES];
        int64_t size, mtime_ns, ctime_ns;
        uint64_t inode;
        char *path;   /* owned */
        bool suspect; /* not in the text: the digest isn't known, or isn't trusted until computed */
} ManifestEntry;

typedef struct Manifest {
        ManifestEntry *entries;
        size_t count, capacity;
} Manifest;

/* Copies `path`. -E2BIG: more than MANIFEST_ENTRIES_MAX. */
int manifest_add(Manifest *manifest, const ManifestEntry *entry, const char *path, Error *error);
void manifest_sort(Manifest *manifest); /* by path; the configuration, one at most, is last */
void manifest_clear(Manifest *manifest);

int manifest_compare_entries(const ManifestEntry *a, const ManifestEntry *b);
void manifest_drop_config(Manifest *manifest); /* of a sorted one */

/* Sizes, times, inode and mode from `st`. */
void manifest_entry_set_stat(ManifestEntry *entry, const struct stat *st);
/* Same size, times and inode: then the content is taken to be the same. */
bool manifest_entry_untouched(const ManifestEntry *a, const ManifestEntry *b);

const char *manifest_type_word(EntryType type); /* "file" */
char *digest_format(const uint8_t digest[DIGEST_BYTES], char buffer[DIGEST_TEXT_MAX]);

int manifest_write(const Manifest *manifest, const char *path, Error *error); /* durable, all or nothing */
/* -ENOENT: none; -EBADMSG: damaged, `error` names the line. */
int manifest_read(const char *path, Manifest *ret_manifest, Error *error);
