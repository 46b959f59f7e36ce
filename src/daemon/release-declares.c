#include "daemon/release-declares.h"

#include "base/fsio.h"
#include "base/nearest.h"
#include "core/version.h"
#include "daemon/yaml-tree.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#define VERSION_HINT "allowed is a schema named like a release, for example v2.4.0"

typedef struct Reader {
        char name[PATH_MAX];      /* of the file, for messages */
        char directory[PATH_MAX]; /* of the release, without symlinks */
        SchemaNeeds *needs;
        Error *error;
} Reader;

static int refuse(const Reader *reader, TreeMark mark, const char *format, ...) PRINTF_LIKE(3, 4);
static int refuse(const Reader *reader, TreeMark mark, const char *format, ...) {
        char text[ERROR_MESSAGE_MAX];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        return error_set(reader->error, -EINVAL, "%s:%u:%u: %s", reader->name, mark.line, mark.column, text);
}

/* ---- pieces ---- */

static int check_keys(const Reader *reader, const TreeNode *mapping, const char *where, const char *const *keys) {
        if (mapping->kind != TREE_MAPPING)
                return refuse(reader, mapping->mark, "%s must be a mapping (key: value)", where);
        for (const TreeNode *child = mapping->children; child; child = child->next) {
                const char *near = NULL;
                bool known = false;
                for (const char *const *key = keys; *key; key++) {
                        known |= strcmp(child->key, *key) == 0;
                        near = nearer_word(child->key, near, *key);
                }
                if (!known)
                        return refuse(reader, child->key_mark, "unknown key '%.60s' in %s%s%s%s", child->key, where,
                                      near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        return 0;
}

static int take_version(const Reader *reader, const char *text, TreeMark mark, char ret_version[VERSION_MAX]) {
        if (!version_valid(text))
                return refuse(reader, mark, "'%.80s' is no version; " VERSION_HINT, text);
        snprintf(ret_version, VERSION_MAX, "%s", text);
        return 0;
}

static int take_version_of(const Reader *reader, const TreeNode *node, char ret_version[VERSION_MAX]) {
        if (node->kind != TREE_SCALAR)
                return refuse(reader, node->mark, "one version is wanted here; " VERSION_HINT);
        return take_version(reader, node->text, node->mark, ret_version);
}

static int take_works_with(const Reader *reader, const TreeNode *list) {
        SchemaNeeds *needs = reader->needs;
        snprintf(needs->works_with[needs->works_count++], VERSION_MAX, "%s", needs->version);
        if (!list)
                return 0;
        if (list->kind != TREE_SEQUENCE)
                return refuse(reader, list->mark, "'works_with' must be a list of versions such as [v2.4.0, v3.0.0]");
        for (const TreeNode *item = list->children; item; item = item->next) {
                char version[VERSION_MAX];
                int r = take_version_of(reader, item, version);
                if (r < 0)
                        return r;
                if (schema_needs_work(needs, version))
                        continue; /* its own, named as it may be */
                if (needs->works_count == SCHEMA_WORKS_MAX)
                        return refuse(reader, item->mark, "more than %d schemas to work with", SCHEMA_WORKS_MAX);
                memcpy(needs->works_with[needs->works_count++], version, sizeof version);
        }
        return 0;
}

/* ---- the scripts ---- */

static bool is_below(const char *path, const char *directory) {
        size_t length = strlen(directory);
        return strncmp(path, directory, length) == 0 && path[length] == '/';
}

/* A script that leaves the release's directory is covered by no manifest: nobody would notice when it is changed. */
static int take_script(const Reader *reader, const TreeNode *node, char ret_script[PATH_TEXT_MAX]) {
        char path[PATH_MAX], real[PATH_MAX];
        struct stat status;
        if (node->kind != TREE_SCALAR || node->text[0] == '\0')
                return refuse(reader, node->mark, "the path of a script is wanted here, such as migrations/down.sql");
        if (node->text[0] == '/')
                return refuse(reader, node->mark,
                              "'%.200s' must lie in the release's directory, and be given relative to it", node->text);
        int length = snprintf(path, sizeof path, "%s/%s", reader->directory, node->text);
        if (length >= PATH_TEXT_MAX)
                return refuse(reader, node->mark, "the script's path is longer than %d bytes", PATH_TEXT_MAX - 1);
        if (!realpath(path, real))
                return refuse(reader, node->mark, "the script '%.200s' can't be used: %s", node->text,
                              errno == ENOENT ? "there is no such file in the release" : strerror(errno));
        if (!is_below(real, reader->directory))
                return refuse(reader, node->mark, "'%.200s' leaves the release's directory: put the script into it",
                              node->text);
        if (stat(real, &status) < 0 || !S_ISREG(status.st_mode))
                return refuse(reader, node->mark, "the script '%.200s' is not a file", node->text);
        if (strlen(real) >= PATH_TEXT_MAX)
                return refuse(reader, node->mark, "the script's path is longer than %d bytes", PATH_TEXT_MAX - 1);
        memcpy(ret_script, real, strlen(real) + 1);
        return 0;
}

static int take_down(const Reader *reader, const TreeNode *down) {
        SchemaNeeds *needs = reader->needs;
        if (!down)
                return 0;
        if (down->kind != TREE_MAPPING)
                return refuse(reader, down->mark, "'down' must be a mapping such as v2.4.0: migrations/down.sql");
        for (const TreeNode *child = down->children; child; child = child->next) {
                if (needs->down_count == SCHEMA_WORKS_MAX)
                        return refuse(reader, child->key_mark, "more than %d ways back", SCHEMA_WORKS_MAX);
                int r = take_version(reader, child->key, child->key_mark, needs->down[needs->down_count].to);
                if (r == 0 && strcmp(child->key, needs->version) == 0)
                        r = refuse(reader, child->key_mark,
                                   "'%s' is the release's own schema: there is no way back to it", child->key);
                if (r == 0)
                        r = take_script(reader, child, needs->down[needs->down_count].script);
                if (r < 0)
                        return r;
                needs->down_count++;
        }
        return 0;
}

/* ---- the whole ---- */

static int take_schema(const Reader *reader, const TreeNode *schema) {
        static const char *const keys[] = {"version", "works_with", "down", NULL};
        const TreeNode *version = tree_member(schema, "version");
        int r = check_keys(reader, schema, "'schema'", keys);
        if (r < 0)
                return r;
        if (!version)
                return refuse(reader, schema->key_mark, "'schema.version' is missing; " VERSION_HINT);
        r = take_version_of(reader, version, reader->needs->version);
        if (r == 0)
                r = take_works_with(reader, tree_member(schema, "works_with"));
        if (r == 0)
                r = take_down(reader, tree_member(schema, "down"));
        if (r == 0)
                reader->needs->declared = true;
        return r;
}

static int read_tree(const Reader *reader, const TreeNode *root) {
        static const char *const keys[] = {"schema", NULL};
        int r = check_keys(reader, root, RELEASE_DECLARES_FILE, keys);
        const TreeNode *schema = tree_member(root, "schema");
        return r < 0 || !schema ? r : take_schema(reader, schema);
}

int release_declares_read(const char *directory, SchemaNeeds *ret_needs, Error *error) {
        AUTO_FREE SchemaNeeds *needs = calloc(1, sizeof *needs);
        AUTO_FREE Reader *reader = calloc(1, sizeof *reader);
        AUTO_FREE char *text = NULL;
        TreeNode *root = NULL;
        size_t size;
        Error problem = {0};
        if (!needs || !reader)
                return error_set(error, -ENOMEM, "out of memory");
        reader->needs = needs;
        reader->error = error;
        int length = snprintf(reader->name, sizeof reader->name, "%s/" RELEASE_DECLARES_FILE, directory);
        if (length < 0 || (size_t)length >= sizeof reader->name)
                return error_set(error, -ENAMETOOLONG, "%s: the path is too long", directory);
        int r = fs_read_file(reader->name, TREE_SIZE_MAX, &text, &size, &problem);
        if (r == -ENOENT) {
                *ret_needs = *needs;
                return 0;
        }
        if (r < 0)
                return error_set(error, r, "%s", error_text(&problem));
        if (!realpath(directory, reader->directory))
                return error_set(error, -errno, "%s: %s", directory, strerror(errno));
        r = tree_parse(reader->name, text, size, &root, error);
        if (r == 0)
                r = read_tree(reader, root);
        tree_free(root);
        if (r == 0)
                *ret_needs = *needs;
        return r;
}

bool schema_needs_work(const SchemaNeeds *needs, const char *schema) {
        for (unsigned i = 0; i < needs->works_count; i++)
                if (strcmp(needs->works_with[i], schema) == 0)
                        return true;
        return false;
}
