#include "adapters/manifest.h"

#include "base/fsio.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <string.h>

#define TEXT_MAX (64 * 1024 * 1024)

static const char *const type_words[] = {
        [ENTRY_DIRECTORY] = "directory",
        [ENTRY_FILE] = "file",
        [ENTRY_LINK] = "link",
        [ENTRY_CONFIG] = "config",
};

const char *manifest_type_word(EntryType type) {
        return type_words[type];
}

char *digest_format(const uint8_t digest[DIGEST_BYTES], char buffer[DIGEST_TEXT_MAX]) {
        return sodium_bin2hex(buffer, DIGEST_TEXT_MAX, digest, DIGEST_BYTES);
}

/* ---- entries ---- */

int manifest_add(Manifest *manifest, const ManifestEntry *entry, const char *path, Error *error) {
        if (manifest->count == MANIFEST_ENTRIES_MAX)
                return error_set(error, -E2BIG, "more than %d files", MANIFEST_ENTRIES_MAX);
        if (manifest->count == manifest->capacity) {
                size_t capacity = manifest->capacity ? manifest->capacity * 2 : 64;
                ManifestEntry *entries = realloc(manifest->entries, capacity * sizeof *entries);
                if (!entries)
                        return error_set(error, -ENOMEM, "out of memory");
                manifest->entries = entries;
                manifest->capacity = capacity;
        }
        ManifestEntry copy = *entry;
        copy.path = strdup(path);
        if (!copy.path)
                return error_set(error, -ENOMEM, "out of memory");
        manifest->entries[manifest->count++] = copy;
        return 0;
}

void manifest_clear(Manifest *manifest) {
        for (size_t i = 0; i < manifest->count; i++)
                free(manifest->entries[i].path);
        free(manifest->entries);
        *manifest = (Manifest){0};
}

int manifest_compare_entries(const ManifestEntry *a, const ManifestEntry *b) {
        int config = (a->type == ENTRY_CONFIG) - (b->type == ENTRY_CONFIG);
        if (config != 0 || a->type == ENTRY_CONFIG)
                return config; /* there is one at most, wherever the settings have it now */
        return strcmp(a->path, b->path);
}

static int compare_for_sort(const void *a, const void *b) {
        return manifest_compare_entries(a, b);
}

void manifest_sort(Manifest *manifest) {
        if (manifest->count > 1)
                qsort(manifest->entries, manifest->count, sizeof manifest->entries[0], compare_for_sort);
}

void manifest_drop_config(Manifest *manifest) {
        if (manifest->count > 0 && manifest->entries[manifest->count - 1].type == ENTRY_CONFIG)
                free(manifest->entries[--manifest->count].path);
}

static int64_t nanoseconds(struct timespec time) {
        return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void manifest_entry_set_stat(ManifestEntry *entry, const struct stat *st) {
        entry->mode = st->st_mode & 07777;
        entry->size = st->st_size;
        entry->mtime_ns = nanoseconds(st->st_mtim);
        entry->ctime_ns = nanoseconds(st->st_ctim);
        entry->inode = st->st_ino;
}

bool manifest_entry_untouched(const ManifestEntry *a, const ManifestEntry *b) {
        return a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns && a->inode == b->inode;
}

/* ---- writing ---- */

static void print_path(FILE *file, const char *path) {
        for (const unsigned char *p = (const unsigned char *)path; *p != '\0'; p++)
                if (*p < 0x20 || *p == 0x7f || *p == '%')
                        fprintf(file, "%%%02X", *p);
                else
                        fputc(*p, file);
        fputc('\n', file);
}

static void print_entry(FILE *file, const ManifestEntry *entry) {
        char digest[DIGEST_TEXT_MAX];
        fprintf(file, "%s ", type_words[entry->type]);
        if (entry->type != ENTRY_LINK)
                fprintf(file, "%o ", entry->mode);
        if (entry->type != ENTRY_DIRECTORY)
                fprintf(file, "%s ", digest_format(entry->digest, digest));
        if (entry->type == ENTRY_FILE || entry->type == ENTRY_CONFIG)
                fprintf(file, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRIu64 " ", entry->size, entry->mtime_ns,
                        entry->ctime_ns, entry->inode);
        print_path(file, entry->path);
}

static void print_end(FILE *file, size_t count, const char *text, size_t size) {
        uint8_t digest[DIGEST_BYTES];
        char digest_text[DIGEST_TEXT_MAX];
        crypto_hash_sha256(digest, (const unsigned char *)text, size);
        fprintf(file, "end %zu %s\n", count, digest_format(digest, digest_text));
}

int manifest_write(const Manifest *manifest, const char *path, Error *error) {
        AUTO_FREE char *text = NULL;
        size_t size = 0;
        FILE *file = open_memstream(&text, &size);
        if (!file)
                return error_set(error, -ENOMEM, "out of memory");
        fputs("manifest 1\n", file);
        for (size_t i = 0; i < manifest->count; i++)
                print_entry(file, &manifest->entries[i]);
        int failed = fflush(file);
        if (failed == 0)
                print_end(file, manifest->count, text, size);
        failed |= fclose(file);
        if (failed != 0)
                return error_set(error, -ENOMEM, "out of memory");
        return fs_write_atomic(path, text, size, 0644, error);
}

/* ---- reading ---- */

static bool parse_digest(const char *text, uint8_t digest[DIGEST_BYTES]) {
        size_t length = 0;
        return strlen(text) == 2 * DIGEST_BYTES &&
               sodium_hex2bin(digest, DIGEST_BYTES, text, 2 * DIGEST_BYTES, NULL, &length, NULL) == 0 &&
               length == DIGEST_BYTES;
}

/* Undoes print_path() in place. */
static bool unescape(char *text) {
        char *to = text;
        for (const char *from = text; *from != '\0'; from++) {
                unsigned byte = (unsigned char)*from;
                if (*from == '%') {
                        if (sscanf(from + 1, "%2x", &byte) != 1 || byte == 0)
                                return false;
                        from += 2;
                }
                *to++ = (char)byte;
        }
        *to = '\0';
        return true;
}

static bool find_type(const char *word, EntryType *ret_type) {
        for (size_t i = 0; i < ARRAY_SIZE(type_words); i++)
                if (strcmp(type_words[i], word) == 0) {
                        *ret_type = (EntryType)i;
                        return true;
                }
        return false;
}

static bool parse_entry(char *line, Manifest *manifest, Error *error) {
        ManifestEntry entry = {0};
        char word[16], digest[80] = "";
        int at = 0, part = 0;
        if (sscanf(line, "%15s %n", word, &at) != 1 || !find_type(word, &entry.type))
                return false;
        if (entry.type != ENTRY_LINK && (sscanf(line + at, "%o %n", &entry.mode, &part) != 1 || (at += part, false)))
                return false;
        if (entry.type != ENTRY_DIRECTORY &&
            (sscanf(line + at, "%79s %n", digest, &part) != 1 || (at += part, !parse_digest(digest, entry.digest))))
                return false;
        if ((entry.type == ENTRY_FILE || entry.type == ENTRY_CONFIG) &&
            (sscanf(line + at, "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNu64 "%n", &entry.size, &entry.mtime_ns,
                    &entry.ctime_ns, &entry.inode, &part) != 4 ||
             (at += part + 1, line[at - 1] != ' ')))
                return false;
        return line[at] != '\0' && unescape(line + at) && manifest_add(manifest, &entry, line + at, error) == 0;
}

/* The last line must say how many entries there are, and the digest of everything above it. */
static bool check_end(const char *text, const char *end, size_t *ret_count) {
        uint8_t expected[DIGEST_BYTES], found[DIGEST_BYTES];
        char digest[80];
        int length = 0;
        if (sscanf(end, "end %zu %79s\n%n", ret_count, digest, &length) != 2 || end[length] != '\0' ||
            !parse_digest(digest, expected))
                return false;
        crypto_hash_sha256(found, (const unsigned char *)text, (size_t)(end - text));
        return memcmp(expected, found, sizeof found) == 0;
}

static int parse(char *text, Manifest *manifest, const char *path, Error *error) {
        char *end = strstr(text, "\nend "), *line = strchr(text, '\n'), *next;
        size_t count = 0;
        if (!end || !check_end(text, end + 1, &count))
                return error_set(error, -EBADMSG,
                                 "manifest %s is damaged or was edited; write it anew with: auto-rollback adopt", path);
        if (strncmp(text, "manifest 1\n", 11) != 0)
                return error_set(error, -EPROTO, "manifest %s was written by a newer program", path);
        end[1] = '\0';
        for (line++; *line != '\0'; line = next) {
                next = strchr(line, '\n');
                *next++ = '\0';
                if (!parse_entry(line, manifest, error))
                        return error_set(error, -EBADMSG, "manifest %s: this line means nothing: %.120s", path, line);
        }
        if (manifest->count != count)
                return error_set(error, -EBADMSG, "manifest %s has %zu entries, and says %zu", path, manifest->count,
                                 count);
        return 0;
}

int manifest_read(const char *path, Manifest *ret_manifest, Error *error) {
        AUTO_FREE char *text = NULL;
        Manifest manifest = {0};
        int r = fs_read_file(path, TEXT_MAX, &text, NULL, error);
        if (r == 0)
                r = parse(text, &manifest, path, error);
        if (r < 0) {
                manifest_clear(&manifest);
                return r;
        }
        *ret_manifest = manifest;
        return 0;
}
