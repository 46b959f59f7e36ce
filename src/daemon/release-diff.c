#include "daemon/release-diff.h"

#include "adapters/manifest.h"
#include "api/wire.h"
#include "base/fsio.h"
#include "base/mask.h"
#include "base/text-diff.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

#define FILES_MAX 200               /* that are listed */
#define TEXT_BYTES_MAX (256 * 1024) /* of a file that is compared line by line */
#define TEXTS_MAX 20                /* files */
#define DIFF_BYTES_MAX (16 * 1024)  /* of each */
#define DIFF_BYTES_ALL (64 * 1024)
#define CONTEXT_LINES 2
#define SHOWN_LINE_MAX 400

typedef struct Difference {
        const Config *config;
        const char *before, *after;
        json_t *files, *texts, *notes;
        unsigned added, removed, changed, left_out;
        size_t shown; /* bytes of all texts */
} Difference;

__attribute__((format(printf, 2, 3))) static void note(Difference *difference, const char *format, ...) {
        char text[1024];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        json_array_append_new(difference->notes, wire_text(text));
}

/* ---- lines ---- */

typedef struct Side {
        char *text, **lines; /* as they are: what is compared */
        char **masked;       /* what is shown */
        size_t count;
        bool present;
} Side;

static void cleanup_side(Side *side) {
        for (size_t i = 0; side->masked && i < side->count; i++)
                free(side->masked[i]);
        free(side->masked);
        free(side->lines);
        free(side->text);
}
#define AUTO_SIDE CLEANUP(cleanup_side)

/* Each line masked with all that stands before it: a secret may have begun lines above what is shown. */
static int mask_lines(Side *side) {
        Mask mask = {0};
        char masked[MASK_LINE_MAX], shown[SHOWN_LINE_MAX];
        side->masked = calloc(side->count + 1, sizeof *side->masked);
        for (size_t i = 0; side->masked && i < side->count; i++) {
                (void)text_to_line(mask_line(&mask, side->lines[i], masked, sizeof masked), shown, sizeof shown);
                side->masked[i] = strdup(shown);
                if (!side->masked[i])
                        return -ENOMEM;
        }
        return side->masked ? 0 : -ENOMEM;
}

/* A link in a release's place could show any file of the machine to whoever reads the report: none is followed. */
static int read_within(const char *root, const char *path, char **ret_text, size_t *ret_size, Error *error) {
        struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
        char opened[64];
        AUTO_CLOSE int directory = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        AUTO_CLOSE int fd = directory < 0 ? -1 : (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
        if (fd < 0)
                return error_set(error, -errno, "%s/%s: %s", root, path,
                                 errno == ELOOP ? "a link is in its place" : strerror(errno));
        snprintf(opened, sizeof opened, "/proc/self/fd/%d", fd);
        return fs_read_file(opened, TEXT_BYTES_MAX, ret_text, ret_size, error);
}

/* 1: a text; 0: there is none such file, or it isn't text; negative: why it can't be told. `root` "": the path is the operator's. */
static int read_side(const char *root, const char *path, Side *side, Error *error) {
        size_t size = 0;
        int r = root[0] ? read_within(root, path, &side->text, &size, error)
                        : fs_read_file(path, TEXT_BYTES_MAX, &side->text, &size, error);
        if (r == -ENOENT || r == -ENOTDIR)
                return 0;
        if (r < 0)
                return r;
        side->present = true;
        if (memchr(side->text, '\0', size))
                return 0;
        r = text_lines(side->text, &side->lines, &side->count);
        if (r == 0)
                r = mask_lines(side);
        return r < 0 ? error_set(error, r, "out of memory") : 1;
}

typedef struct Printing {
        const Side *before, *after;
        FILE *file;
        bool cut;
} Printing;

static int print_line(void *userdata, const DiffLine *line) {
        Printing *printing = userdata;
        if (ftell(printing->file) > DIFF_BYTES_MAX) {
                printing->cut = true;
                return 1;
        }
        if (line->kind == '@')
                fprintf(printing->file, "@@ -%zu,%zu +%zu,%zu @@\n", line->at + (line->count > 0), line->count,
                        line->new_at + (line->new_count > 0), line->new_count);
        else
                fprintf(printing->file, "%c%s\n", line->kind,
                        line->kind == '+' ? printing->after->masked[line->new_at] : printing->before->masked[line->at]);
        return 0;
}

/* The difference as a text to free(); "" when there is none; NULL: out of memory. */
static char *print_difference(const Side *before, const Side *after, bool *ret_cut) {
        char *text = NULL;
        size_t size;
        Printing printing = {.before = before, .after = after, .file = open_memstream(&text, &size)};
        if (!printing.file)
                return NULL;
        int r = text_diff((const char *const *)before->lines, before->count, (const char *const *)after->lines,
                          after->count, CONTEXT_LINES, print_line, &printing);
        *ret_cut = printing.cut;
        if (fclose(printing.file) != 0 || r < 0) {
                free(text);
                return NULL;
        }
        return text;
}

typedef struct Place {
        char root[PATH_MAX], path[PATH_MAX];
} Place;

static void compare_texts(Difference *difference, const char *name, const Place *before_place,
                          const Place *after_place) {
        AUTO_SIDE Side before = {0};
        AUTO_SIDE Side after = {0};
        Error error = {0};
        int r = read_side(before_place->root, before_place->path, &before, &error);
        int s = r < 0 ? r : read_side(after_place->root, after_place->path, &after, &error);
        if (s < 0) {
                note(difference, "%s was not compared: %s", name, error_text(&error));
                return;
        }
        if ((before.present && r == 0) || (after.present && s == 0) || (!before.present && !after.present))
                return; /* no text */
        bool cut = false;
        AUTO_FREE char *text = print_difference(&before, &after, &cut);
        if (!text || text[0] == '\0')
                return;
        if (json_array_size(difference->texts) >= TEXTS_MAX || difference->shown + strlen(text) > DIFF_BYTES_ALL) {
                note(difference, "%s differs, too: not shown, there is too much", name);
                return;
        }
        difference->shown += strlen(text);
        json_array_append_new(difference->texts, json_pack("{s:o, s:o, s:b}", "name", wire_text(name), "diff",
                                                           wire_text(text), "cut", (int)cut));
}

/* ---- files ---- */

static bool configures(const char *path) {
        static const char *const ends[] = {".yaml",       ".yml", ".json", ".conf", ".cfg",    ".ini",     ".toml",
                                           ".properties", ".env", ".xml",  ".cnf",  ".config", ".service", ".socket"};
        const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
        const char *dot = strrchr(name, '.');
        for (size_t i = 0; dot && i < ARRAY_SIZE(ends); i++)
                if (strcasecmp(dot, ends[i]) == 0)
                        return true;
        return strcmp(name, "VERSION") == 0 || strncmp(path, "etc/", 4) == 0 || strstr(path, "/etc/") != NULL;
}

static json_t *size_of(const ManifestEntry *entry) {
        return entry && (entry->type == ENTRY_FILE || entry->type == ENTRY_CONFIG) ? json_integer(entry->size)
                                                                                   : json_null();
}

static bool place_in(const Difference *difference, const char *version, const ManifestEntry *entry, Place *ret_place) {
        int n = snprintf(ret_place->root, sizeof ret_place->root, "%s/%s", difference->config->versions, version);
        int m = snprintf(ret_place->path, sizeof ret_place->path, "%s", entry->path);
        return (size_t)n < sizeof ret_place->root && (size_t)m < sizeof ret_place->path;
}

static void tell_file(Difference *difference, const ManifestEntry *before, const ManifestEntry *after) {
        const ManifestEntry *entry = after ? after : before;
        const char *change = !before ? "added" : !after ? "removed" : "changed";
        *(!before ? &difference->added : !after ? &difference->removed : &difference->changed) += 1;
        if (json_array_size(difference->files) >= FILES_MAX) {
                difference->left_out++;
                return;
        }
        json_array_append_new(difference->files,
                              json_pack("{s:o, s:s, s:s, s:o, s:o}", "path", wire_text(entry->path), "change", change,
                                        "type", manifest_type_word(entry->type), "size_before", size_of(before),
                                        "size_after", size_of(after)));
        if (entry->type != ENTRY_FILE || !configures(entry->path))
                return;
        Place old_place, new_place;
        if (place_in(difference, difference->before, entry, &old_place) &&
            place_in(difference, difference->after, entry, &new_place))
                compare_texts(difference, entry->path, &old_place, &new_place);
}

static bool same_entry(const ManifestEntry *a, const ManifestEntry *b) {
        bool content = a->type == ENTRY_DIRECTORY || memcmp(a->digest, b->digest, sizeof a->digest) == 0;
        return a->type == b->type && content && (a->type == ENTRY_LINK || a->mode == b->mode);
}

/* Both are sorted. The configuration, which comes last and under another path each, is compared by itself. */
static void compare_manifests(Difference *difference, const Manifest *before, const Manifest *after) {
        size_t i = 0, k = 0;
        while (i < before->count || k < after->count) {
                const ManifestEntry *a = i < before->count ? &before->entries[i] : NULL,
                                    *b = k < after->count ? &after->entries[k] : NULL;
                int order = !a ? 1 : !b ? -1 : manifest_compare_entries(a, b);
                i += order <= 0;
                k += order >= 0;
                if ((a && a->type == ENTRY_CONFIG && order <= 0) || (b && b->type == ENTRY_CONFIG && order >= 0))
                        continue;
                if (order == 0 ? same_entry(a, b) : (order < 0 ? a : b)->type == ENTRY_DIRECTORY)
                        continue; /* the files in it tell */
                tell_file(difference, order <= 0 ? a : NULL, order >= 0 ? b : NULL);
        }
}

static int read_manifest(Difference *difference, const char *version, Manifest *ret_manifest) {
        char path[PATH_MAX];
        Error error = {0};
        snprintf(path, sizeof path, "%s/manifests/%s.manifest", difference->config->state, version);
        int r = manifest_read(path, ret_manifest, &error);
        if (r == -ENOENT)
                note(difference, "the files are not compared: %s was never taken in (auto-rollback adopt)", version);
        else if (r < 0)
                note(difference, "the files are not compared: %s", error_text(&error));
        return r;
}

static void compare_files(Difference *difference) {
        Manifest before = {0}, after = {0};
        if (read_manifest(difference, difference->before, &before) == 0 &&
            read_manifest(difference, difference->after, &after) == 0)
                compare_manifests(difference, &before, &after);
        manifest_clear(&before);
        manifest_clear(&after);
}

static void compare_configurations(Difference *difference) {
        Place before = {0}, after = {0};
        Error error = {0};
        if (config_saved_path(difference->config, difference->before, before.path, sizeof before.path, &error) < 0 ||
            config_saved_path(difference->config, difference->after, after.path, sizeof after.path, &error) < 0)
                note(difference, "the configurations are not compared: %s", error_text(&error));
        else if (before.path[0] != '\0')
                compare_texts(difference, "configuration", &before, &after);
}

json_t *release_diff(const Config *config, const char *before, const char *after) {
        Difference difference = {.config = config,
                                 .before = before,
                                 .after = after,
                                 .files = json_array(),
                                 .texts = json_array(),
                                 .notes = json_array()};
        compare_configurations(
                &difference); /* first: it is what is looked for most, and there is room for only so much */
        compare_files(&difference);
        return json_pack("{s:s, s:s, s:i, s:i, s:i, s:o, s:i, s:o, s:o}", "before", before, "after", after, "added",
                         (int)difference.added, "removed", (int)difference.removed, "changed", (int)difference.changed,
                         "files", difference.files, "left_out", (int)difference.left_out, "texts", difference.texts,
                         "notes", difference.notes);
}
