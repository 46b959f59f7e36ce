#include "api/groups.h"

#include "base/macros.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define FIELDS_MAX 8

/* "a:b:c" in place, empty fields kept; what is missing is "". */
static void split(char *line, char *fields[FIELDS_MAX]) {
        line[strcspn(line, "\n")] = '\0';
        for (int i = 0; i < FIELDS_MAX; i++) {
                fields[i] = line;
                line += strcspn(line, ":");
                if (*line == ':')
                        *line++ = '\0';
        }
}

static bool is_number(const char *text, unsigned number) {
        char *end;
        unsigned long long value = strtoull(text, &end, 10);
        return text[0] >= '0' && text[0] <= '9' && *end == '\0' && value == number;
}

static bool has_member(const char *members, const char *name) {
        size_t length = strlen(name);
        for (const char *at = members; *at;) {
                size_t here = strcspn(at, ",");
                if (here == length && memcmp(at, name, length) == 0)
                        return true;
                at += here + (at[here] == ',');
        }
        return false;
}

/* Several lines may stand for one group. */
static int group_names(const char *path, gid_t group, const char *user, Error *error) {
        AUTO_FCLOSE FILE *file = fopen(path, "re");
        if (!file)
                return error_set(error, -errno, "cannot read %s: %s", path, strerror(errno));
        AUTO_FREE char *line = NULL;
        size_t room = 0;
        while (getline(&line, &room, file) > 0) {
                char *fields[FIELDS_MAX]; /* name:password:gid:members */
                split(line, fields);
                if (is_number(fields[2], group) && has_member(fields[3], user))
                        return 1;
        }
        return ferror(file) ? error_set(error, -EIO, "cannot read %s", path) : 0;
}

/* Several names may stand for one user. */
int groups_has_user_in(const char *passwd_path, const char *group_path, gid_t group, uid_t uid, Error *error) {
        AUTO_FCLOSE FILE *file = fopen(passwd_path, "re");
        if (!file)
                return error_set(error, -errno, "cannot read %s: %s", passwd_path, strerror(errno));
        AUTO_FREE char *line = NULL;
        size_t room = 0;
        while (getline(&line, &room, file) > 0) {
                char *fields[FIELDS_MAX]; /* name:password:uid:gid:... */
                split(line, fields);
                if (fields[0][0] == '\0' || !is_number(fields[2], uid))
                        continue;
                int r = is_number(fields[3], group) ? 1 : group_names(group_path, group, fields[0], error);
                if (r != 0)
                        return r;
        }
        return ferror(file) ? error_set(error, -EIO, "cannot read %s", passwd_path) : 0;
}

int groups_find(const char *name, gid_t *ret_group, Error *error) {
        AUTO_FCLOSE FILE *file = fopen("/etc/group", "re");
        if (!file)
                return error_set(error, -errno, "cannot read /etc/group: %s", strerror(errno));
        AUTO_FREE char *line = NULL;
        size_t room = 0;
        while (getline(&line, &room, file) > 0) {
                char *fields[FIELDS_MAX], *end;
                split(line, fields);
                unsigned long number = strtoul(fields[2], &end, 10);
                if (strcmp(fields[0], name) != 0 || fields[2][0] < '0' || fields[2][0] > '9' || *end != '\0')
                        continue;
                *ret_group = (gid_t)number;
                return 1;
        }
        return ferror(file) ? error_set(error, -EIO, "cannot read /etc/group") : 0;
}

int groups_has_user(gid_t group, uid_t uid, Error *error) {
        return groups_has_user_in("/etc/passwd", "/etc/group", group, uid, error);
}
