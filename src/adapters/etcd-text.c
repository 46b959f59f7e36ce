#include "adapters/etcd-text.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>

static void release_json(json_t **json) {
        json_decref(*json);
}
#define AUTO_JSON CLEANUP(release_json)

static int load(const char *text, size_t size, json_t **ret_root, Error *error) {
        json_error_t why;
        json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
        if (!root)
                return error_set(error, -EBADMSG, "not a JSON answer (%.60s)", why.text);
        if (!json_is_object(root)) {
                json_decref(root);
                return error_set(error, -EBADMSG, "not a JSON object");
        }
        *ret_root = root;
        return 0;
}

/* ---- numbers ---- */

static bool parse_digits(const char *text, uint64_t *ret_value) {
        uint64_t value = 0;
        if (*text == '\0')
                return false;
        for (; *text; text++)
                if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, UINT64_C(10), &value) ||
                    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
                        return false;
        *ret_value = value;
        return true;
}

/* Absent is zero. */
static int get_u64(const json_t *object, const char *key, uint64_t *ret_value, Error *error) {
        const json_t *value = json_object_get(object, key);
        uint64_t number = 0;
        bool good = !value;
        if (json_is_string(value)) {
                good = parse_digits(json_string_value(value), &number);
        } else if (json_is_integer(value)) {
                good = json_integer_value(value) >= 0;
                number = (uint64_t)json_integer_value(value);
        }
        if (!good)
                return error_set(error, -EBADMSG, "'%s' isn't a number", key);
        *ret_value = number;
        return 0;
}

static int get_count(const json_t *object, const char *key, int64_t *ret_value, Error *error) {
        uint64_t number = 0;
        int r = get_u64(object, key, &number, error);
        if (r < 0)
                return r;
        if (number > INT64_MAX)
                return error_set(error, -EBADMSG, "'%s' is %" PRIu64 ", which is no count", key, number);
        *ret_value = (int64_t)number;
        return 0;
}

/* Zero would mean that it was left out. */
static int get_id(const json_t *object, const char *key, uint64_t *ret_id, Error *error) {
        int r = get_u64(object, key, ret_id, error);
        if (r == 0 && *ret_id == 0)
                r = error_set(error, -EBADMSG, "no '%s' in the answer", key);
        return r;
}

static int get_header(const json_t *root, const json_t **ret_header, Error *error) {
        const json_t *header = json_object_get(root, "header");
        if (!json_is_object(header))
                return error_set(error, -EBADMSG, "no 'header' in the answer");
        *ret_header = header;
        return 0;
}

/* ---- the members ---- */

/* A URL that we can put a path behind: printable, without user, query or path. */
static bool take_url(const json_t *value, char buffer[static ETCD_URL_SIZE]) {
        const char *text = json_string_value(value);
        if (!text)
                return false;
        size_t length = strlen(text);
        size_t prefix = strncmp(text, "http://", 7) == 0 ? 7 : strncmp(text, "https://", 8) == 0 ? 8 : 0;
        if (prefix == 0)
                return false;
        if (text[length - 1] == '/')
                length--;
        if (length <= prefix || length >= ETCD_URL_SIZE)
                return false;
        for (size_t i = prefix; i < length; i++)
                if (text[i] <= ' ' || text[i] > '~' || strchr("/?#@\\\"'", text[i]))
                        return false;
        memcpy(buffer, text, length);
        buffer[length] = '\0';
        return true;
}

static int take_urls(const json_t *entry, const char *key, char urls[static ETCD_URLS_MAX][ETCD_URL_SIZE],
                     unsigned *ret_count, Error *error) {
        const json_t *list = json_object_get(entry, key);
        unsigned count = 0;
        if (list && !json_is_array(list))
                return error_set(error, -EBADMSG, "'%s' isn't a list", key);
        for (size_t i = 0; i < json_array_size(list) && count < ETCD_URLS_MAX; i++)
                count += take_url(json_array_get(list, i), urls[count]);
        *ret_count = count;
        return 0;
}

static int take_member(const json_t *entry, EtcdMember *member, Error *error) {
        const json_t *name = json_object_get(entry, "name"), *learner = json_object_get(entry, "isLearner");
        if (!json_is_object(entry) || (name && !json_is_string(name)) || (learner && !json_is_boolean(learner)))
                return error_set(error, -EBADMSG, "a member in the answer isn't one");
        int r = get_id(entry, "ID", &member->id, error);
        if (r == 0)
                r = take_urls(entry, "clientURLs", member->client_urls, &member->client_count, error);
        if (r == 0)
                r = take_urls(entry, "peerURLs", member->peer_urls, &member->peer_count, error);
        (void)text_to_line(name ? json_string_value(name) : "", member->name, sizeof member->name);
        member->learner = json_is_true(learner);
        return r;
}

/* In its place by name, then by id; -EBADMSG when it is there already. */
static int insert_member(EtcdMembers *members, const EtcdMember *member, Error *error) {
        unsigned at = 0;
        for (unsigned i = 0; i < members->count; i++) {
                const EtcdMember *other = &members->members[i];
                int order = strcmp(other->name, member->name);
                if (other->id == member->id)
                        return error_set(error, -EBADMSG, "member %" PRIx64 " is in the answer twice", member->id);
                if (order < 0 || (order == 0 && other->id < member->id))
                        at = i + 1;
        }
        memmove(&members->members[at + 1], &members->members[at], (members->count - at) * sizeof *member);
        members->members[at] = *member;
        members->count++;
        return 0;
}

int etcd_parse_members(const char *text, size_t size, EtcdMembers *ret_members, Error *error) {
        AUTO_JSON json_t *root = NULL;
        const json_t *header = NULL, *list;
        EtcdMembers members = {0};
        int r = load(text, size, &root, error);
        if (r == 0)
                r = get_header(root, &header, error);
        if (r == 0)
                r = get_id(header, "cluster_id", &members.cluster, error);
        if (r < 0)
                return r;
        list = json_object_get(root, "members");
        if (json_array_size(list) == 0)
                return error_set(error, -EBADMSG, "no 'members' in the answer");
        if (json_array_size(list) > MEMBERS_MAX)
                return error_set(error, -EBADMSG, "%zu members; at most %d can be watched", json_array_size(list),
                                 MEMBERS_MAX);
        for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
                EtcdMember member = {0};
                r = take_member(json_array_get(list, i), &member, error);
                if (r == 0)
                        r = insert_member(&members, &member, error);
        }
        if (r == 0)
                *ret_members = members;
        return r;
}

/* ---- the others ---- */

int etcd_parse_status(const char *text, size_t size, EtcdStatus *ret_status, Error *error) {
        AUTO_JSON json_t *root = NULL;
        const json_t *header = NULL;
        EtcdStatus status = {0};
        int r = load(text, size, &root, error);
        if (r == 0)
                r = get_header(root, &header, error);
        if (r == 0)
                r = get_id(header, "cluster_id", &status.cluster, error);
        if (r == 0)
                r = get_id(header, "member_id", &status.member, error);
        if (r == 0)
                r = get_count(header, "revision", &status.revision, error);
        if (r == 0)
                r = get_u64(root, "raftTerm", &status.term, error);
        if (r == 0)
                r = get_u64(root, "leader", &status.leader, error);
        if (r == 0)
                r = get_count(root, "raftAppliedIndex", &status.applied, error);
        /* a member that has a revision has applied something, and one that has done so belongs to a term */
        if (r == 0 && (status.revision == 0 || status.applied == 0 || status.term == 0))
                r = error_set(error, -EBADMSG, "no '%s' in the answer",
                              status.revision == 0  ? "revision"
                              : status.applied == 0 ? "raftAppliedIndex"
                                                    : "raftTerm");
        if (r == 0)
                *ret_status = status;
        return r;
}

int etcd_parse_hash(const char *text, size_t size, EtcdHash *ret_hash, Error *error) {
        AUTO_JSON json_t *root = NULL;
        EtcdHash answer = {0};
        uint64_t hash = 0;
        int r = load(text, size, &root, error);
        if (r < 0)
                return r;
        if (!json_object_get(root, "hash"))
                return error_set(error, -EBADMSG, "no 'hash' in the answer");
        r = get_u64(root, "hash", &hash, error);
        if (r == 0 && hash > UINT32_MAX)
                r = error_set(error, -EBADMSG, "'hash' is too long");
        /* -1 is how it says: never compacted */
        const json_t *compact = json_object_get(root, "compact_revision");
        bool never = (json_is_integer(compact) && json_integer_value(compact) == -1) ||
                     (json_is_string(compact) && strcmp(json_string_value(compact), "-1") == 0);
        if (r == 0 && !never)
                r = get_count(root, "compact_revision", &answer.compact_revision, error);
        if (r < 0)
                return r;
        answer.hash = (uint32_t)hash;
        *ret_hash = answer;
        return 0;
}

void etcd_parse_refusal(const char *text, size_t size, char *buffer, size_t buffer_size) {
        AUTO_JSON json_t *root = json_loadb(text, size, 0, NULL);
        const char *said = json_string_value(json_object_get(root, "error"));
        char line[256];
        size_t length = size < sizeof line ? size : sizeof line - 1;
        memcpy(line, text, length);
        line[length] = '\0';
        line[strcspn(line, "\r\n")] = '\0';
        (void)text_to_line(said ? said : line, buffer, buffer_size);
}
