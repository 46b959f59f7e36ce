/* Taking a release in, and verifying it: both walk its tree and hash files in slices on the event loop, so that nothing else waits
 * for them longer than a slice. */
#include "adapters/release-internal.h"
#include "adapters/tree.h"
#include "base/fsio.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#define SLICE_ENTRIES 64
#define SLICE_BYTES (256 * 1024) /* about a millisecond */

typedef enum CheckMode { CHECK_VERIFY, CHECK_TAKE_IN } CheckMode;

typedef struct Check Check;
struct Check {
        Op op; /* first */
        ReleaseStore *store;
        sd_event_source *turn;
        CheckMode mode;
        bool again, thorough;
        char version[VERSION_MAX];
        int (*stage)(Check *check, Error *error); /* 1: call again in the next turn; 0: finished */

        TreeWalk *walk;
        Manifest found; /* what is there; digests of what was hashed, or taken on trust from `known` */
        Manifest known; /* the manifest, when there is one to compare with */
        bool compare;
        bool times_differ; /* `known` has the right contents, but other times: it is written anew */

        size_t next; /* of found.entries, to be hashed */
        int fd;      /* of the file being hashed; -1: none */
        crypto_hash_sha256_state hash;
        int64_t hashed_files, hashed_bytes;
};

/* ---- words ---- */

#define WAYS_OUT "; put the release back as it was, or accept what is there with: auto-rollback adopt"

/* The content isn't what was taken in. */
static int altered(const Check *check, const char *path, const char *what, Error *error) {
        if (check->mode == CHECK_TAKE_IN)
                return error_set(
                        error, -ESTALE,
                        "release %s was changed since it was taken in: %s %s; it is taken in anew only when told to",
                        check->version, path, what);
        return error_set(error, -EBADMSG, "release %s is altered: %s %s" WAYS_OUT, check->version, path, what);
}

static int incomplete(const Check *check, const char *path, Error *error) {
        if (check->mode == CHECK_TAKE_IN)
                return altered(check, path, "is missing", error);
        return error_set(error, -EBADMSG, "release %s is incomplete: %s is missing" WAYS_OUT, check->version, path);
}

/* ---- comparing ---- */

static int compare_entry(Check *check, ManifestEntry *found, const ManifestEntry *known, Error *error) {
        char what[96];
        bool config = found->type == ENTRY_CONFIG;
        if (found->type != known->type) {
                snprintf(what, sizeof what, "is a %s, not a %s any more", manifest_type_word(found->type),
                         manifest_type_word(known->type));
                return altered(check, found->path, what, error);
        }
        if (found->type == ENTRY_LINK)
                return memcmp(found->digest, known->digest, DIGEST_BYTES) == 0
                               ? 0
                               : altered(check, found->path, "points elsewhere", error);
        if (found->mode != known->mode && !config) {
                snprintf(what, sizeof what, "has mode %04o instead of %04o", found->mode, known->mode);
                return altered(check, found->path, what, error);
        }
        if (found->type == ENTRY_DIRECTORY)
                return 0;
        if (found->size != known->size) {
                snprintf(what, sizeof what, "has %" PRId64 " bytes instead of %" PRId64, found->size, known->size);
                return altered(check, found->path, what, error);
        }
        memcpy(found->digest, known->digest, DIGEST_BYTES);
        bool untouched = manifest_entry_untouched(found, known);
        check->times_differ |= !untouched;
        found->suspect = !untouched || check->thorough;
        return 0;
}

static int no_config_known(const Check *check, const char *path, Error *error) {
        return error_set(
                error, -ENODATA,
                "release %s was taken in without its configuration %s; take it in again with: auto-rollback adopt",
                check->version, path);
}

/* Both are sorted: what is only in one of them is missing, or too much. */
static int compare_manifests(Check *check, Error *error) {
        size_t i = 0, j = 0;
        while (i < check->found.count || j < check->known.count) {
                ManifestEntry *found = i < check->found.count ? &check->found.entries[i] : NULL;
                const ManifestEntry *known = j < check->known.count ? &check->known.entries[j] : NULL;
                int order = !found ? 1 : !known ? -1 : manifest_compare_entries(found, known);
                assert(found || known); /* the loop's condition */
                if (order > 0)
                        return incomplete(check, known->path, error);
                if (order < 0 && found->type == ENTRY_CONFIG)
                        return no_config_known(check, found->path, error);
                if (order < 0)
                        return altered(check, found->path, "was added", error);
                int r = compare_entry(check, found, known, error);
                if (r < 0)
                        return r;
                i++;
                j++;
        }
        return 0;
}

/* ---- the last stage ---- */

static int write_manifest(Check *check, Error *error) {
        char path[PATH_MAX];
        int r = release_manifest_path(check->store, check->version, path, error);
        if (r == 0)
                r = fs_make_directories(check->store->manifests, 0755, error);
        return r < 0 ? r : manifest_write(&check->found, path, error);
}

static int finish(Check *check, Error *error) {
        if (check->mode == CHECK_TAKE_IN && !check->compare)
                return write_manifest(check, error);
        /* same contents, other times (a copy, a restored backup): remembered, so that the next verification is quick. A disk that is
         * full is no reason to say that the release isn't what it was. */
        if (check->times_differ)
                (void)write_manifest(check, NULL);
        return 0;
}

/* ---- hashing ---- */

static int open_entry(const Check *check, const ManifestEntry *entry) {
        int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
        if (entry->type == ENTRY_CONFIG)
                return open(entry->path, flags);
        return openat(tree_walk_root(check->walk), entry->path, flags | O_NOFOLLOW);
}

static int unreadable(const Check *check, const ManifestEntry *entry, int code, Error *error) {
        return error_set(error, code, "release %s: can't read %s: %s", check->version, entry->path, strerror(-code));
}

/* A file that changes while it is read has no digest. */
static int end_file(Check *check, ManifestEntry *entry, Error *error) {
        ManifestEntry after = {0};
        struct stat st;
        uint8_t digest[DIGEST_BYTES];
        if (fstat(check->fd, &st) < 0)
                return unreadable(check, entry, -errno, error);
        close(check->fd);
        check->fd = -1;
        manifest_entry_set_stat(&after, &st);
        if (!manifest_entry_untouched(&after, entry))
                return error_set(error, -EAGAIN,
                                 "release %s: %s is being written right now; try again when it is complete",
                                 check->version, entry->path);
        crypto_hash_sha256_final(&check->hash, digest);
        check->hashed_files++;
        entry->suspect = false;
        if (check->compare && memcmp(digest, entry->digest, DIGEST_BYTES) != 0)
                return altered(check, entry->path, "has another content", error);
        memcpy(entry->digest, digest, DIGEST_BYTES);
        return 0;
}

static int begin_file(Check *check, const ManifestEntry *entry, Error *error) {
        check->fd = open_entry(check, entry);
        if (check->fd < 0)
                return unreadable(check, entry, -errno, error);
        crypto_hash_sha256_init(&check->hash);
        return 0;
}

/* One slice: a part of a big file, or a handful of small ones. */
static int hash_stage(Check *check, Error *error) {
        static unsigned char buffer[64 * 1024]; /* one thread, and nothing is kept in it between two reads */
        int64_t slice = SLICE_BYTES;
        unsigned entries = SLICE_ENTRIES;
        while (check->next < check->found.count) {
                ManifestEntry *entry = &check->found.entries[check->next];
                if (!entry->suspect) {
                        check->next++;
                        continue;
                }
                int r = check->fd < 0 ? begin_file(check, entry, error) : 0;
                if (r < 0)
                        return r;
                ssize_t got = read(check->fd, buffer, sizeof buffer);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return unreadable(check, entry, -errno, error);
                crypto_hash_sha256_update(&check->hash, buffer, (unsigned long long)got);
                check->hashed_bytes += got;
                slice -= got;
                if (got == 0) {
                        r = end_file(check, entry, error);
                        if (r < 0)
                                return r;
                        check->next++;
                        entries--;
                }
                if (slice <= 0 || entries == 0)
                        return 1;
        }
        return finish(check, error);
}

/* ---- looking what is there ---- */

static int add_config(Check *check, Error *error) {
        char path[PATH_MAX];
        struct stat st;
        ManifestEntry entry = {.type = ENTRY_CONFIG, .suspect = true};
        int r = release_saved_config_path(check->store, check->version, path, error);
        if (r < 0 || path[0] == '\0')
                return r;
        if (stat(path, &st) < 0)
                return error_set(error, -errno, "release %s: saved configuration %s %s; put it back, then try again",
                                 check->version, path, errno == ENOENT ? "is missing" : strerror(errno));
        if (!S_ISREG(st.st_mode) || st.st_size == 0)
                return error_set(error, -EBADMSG, "release %s: saved configuration %s %s; put it back, then try again",
                                 check->version, path, S_ISREG(st.st_mode) ? "is empty" : "is not a file");
        manifest_entry_set_stat(&entry, &st);
        return manifest_add(&check->found, &entry, path, error);
}

/* Reads the manifest when there is one to compare with. */
static int load_known(Check *check, Error *error) {
        char path[PATH_MAX];
        int r = release_manifest_path(check->store, check->version, path, error);
        if (r < 0)
                return r;
        if (check->mode == CHECK_TAKE_IN && check->again)
                return 0;
        r = manifest_read(path, &check->known, error);
        if (r == -ENOENT && check->mode == CHECK_TAKE_IN)
                return 0;
        if (r == -ENOENT)
                return error_set(
                        error, -ENODATA,
                        "release %s was never taken in, so nothing proves that it is complete; take it in with: auto-rollback adopt",
                        check->version);
        if (r < 0)
                return r;
        check->compare = true;
        if (!release_has_config(check->store)) /* the settings say that releases have none any more */
                manifest_drop_config(&check->known);
        return 0;
}

static int walk_stage(Check *check, Error *error) {
        Error problem = {0};
        int r = tree_walk_step(check->walk, SLICE_ENTRIES, &check->found, &problem);
        if (r > 0)
                return r;
        if (r < 0)
                return error_set(error, r, "release %s: %s", check->version, error_text(&problem));
        r = add_config(check, error);
        if (r < 0)
                return r;
        manifest_sort(&check->found);
        r = check->compare ? compare_manifests(check, error) : 0;
        check->stage = hash_stage;
        return r < 0 ? r : 1;
}

static int begin_stage(Check *check, Error *error) {
        char path[PATH_MAX];
        Error problem = {0};
        int r = release_path(check->store, check->version, path, error);
        if (r < 0)
                return r;
        r = tree_walk_begin(path, &check->walk, &problem);
        if (r == -ENOENT)
                return error_set(error, r, "release %s: %s is missing; put it back, or choose another release",
                                 check->version, path);
        if (r < 0)
                return error_set(error, r, "release %s: %s", check->version, error_text(&problem));
        r = load_known(check, error);
        check->stage = walk_stage;
        return r < 0 ? r : 1;
}

/* ---- the Op ---- */

static void check_destroy(Op *op) {
        Check *check = (Check *)op;
        check->turn = sd_event_source_disable_unref(check->turn);
        op_finish_base(op);
        tree_walk_end(check->walk);
        manifest_clear(&check->found);
        manifest_clear(&check->known);
        if (check->fd >= 0)
                close(check->fd);
        free(check);
}

static void complete(Check *check) {
        OpResult result = {.status = OP_DONE};
        char bytes[UNITS_TEXT_MAX];
        result.number = check->mode == CHECK_TAKE_IN ? (int64_t)check->found.count : check->hashed_files;
        snprintf(result.detail, sizeof result.detail, "%s %s: %zu entries, %" PRId64 " files hashed (%s)",
                 check->version, check->mode == CHECK_TAKE_IN ? "taken in" : "verified", check->found.count,
                 check->hashed_files, units_format_bytes(check->hashed_bytes, bytes, sizeof bytes));
        op_complete(&check->op, &result);
}

static int schedule(Check *check);

static int on_turn(UNUSED sd_event_source *source, void *userdata) {
        Check *check = userdata;
        Error error = {0};
        check->turn = sd_event_source_disable_unref(check->turn);
        int r = check->stage(check, &error);
        if (r == 0) {
                complete(check);
                return 0;
        }
        if (r > 0 && (r = schedule(check)) < 0)
                error_set(&error, r, "can't go on looking at release %s: %s", check->version, strerror(-r));
        if (r < 0)
                op_fail(&check->op, &error);
        return 0;
}

/* A source of its own for each turn: one that stays on would stand before all others of its priority until the end. */
static int schedule(Check *check) {
        bool urgent = check->mode == CHECK_VERIFY && !check->thorough;
        int r = sd_event_add_defer(check->store->event, &check->turn, on_turn, check);
        /* a preflight shares the loop fairly; the rest waits until nothing else is to be done */
        if (r >= 0 && !urgent)
                r = sd_event_source_set_priority(check->turn, SD_EVENT_PRIORITY_IDLE);
        return r;
}

static int begin_check(ReleaseStore *store, const Check *wanted, const char *version, int64_t budget_us,
                       OpCallback callback, void *userdata, Op **ret_op, Error *error) {
        char path[PATH_MAX];
        int r = release_path(store, version, path, error); /* a name that isn't a version is the caller's mistake */
        if (r < 0)
                return r;
        Check *check = malloc(sizeof *check);
        if (!check)
                return error_set(error, -ENOMEM, "out of memory");
        *check = *wanted;
        check->store = store;
        check->fd = -1;
        check->stage = begin_stage;
        snprintf(check->version, sizeof check->version, "%s", version);
        r = op_begin(&check->op, store->event,
                     check->mode == CHECK_VERIFY ? "verifying the release" : "taking the release in", budget_us,
                     callback, userdata, check_destroy);
        if (r >= 0)
                r = schedule(check);
        if (r < 0) {
                op_cancel(&check->op);
                return error_set(error, r, "can't begin to look at release %s: %s", version, strerror(-r));
        }
        *ret_op = &check->op;
        return 0;
}

int release_store_take_in(ReleaseStore *store, const char *version, bool again, int64_t budget_us, OpCallback callback,
                          void *userdata, Op **ret_op, Error *error) {
        const Check wanted = {.mode = CHECK_TAKE_IN, .again = again};
        return begin_check(store, &wanted, version, budget_us, callback, userdata, ret_op, error);
}

int release_store_verify(ReleaseStore *store, const char *version, bool thorough, int64_t budget_us,
                         OpCallback callback, void *userdata, Op **ret_op, Error *error) {
        const Check wanted = {.mode = CHECK_VERIFY, .thorough = thorough};
        return begin_check(store, &wanted, version, budget_us, callback, userdata, ret_op, error);
}
