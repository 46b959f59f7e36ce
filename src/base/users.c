#include "base/users.h"

#include "base/macros.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

#define PASSWD "/etc/passwd"
#define LINE_MAX_SIZE 4096

int users_find_in(const char *passwd_path, const char *name, uid_t *ret_uid, Error *error) {
        AUTO_FCLOSE FILE *passwd = fopen(passwd_path, "re");
        if (!passwd)
                return error_set(error, -errno, "cannot read %s: %s", passwd_path, strerror(errno));
        struct passwd entry, *found;
        char buffer[LINE_MAX_SIZE];
        int r;
        while ((r = fgetpwent_r(passwd, &entry, buffer, sizeof buffer, &found)) == 0)
                if (strcmp(found->pw_name, name) == 0) {
                        *ret_uid = found->pw_uid;
                        return 1;
                }
        return r == ENOENT ? 0 : error_set(error, -r, "cannot read %s: %s", passwd_path, strerror(r));
}

int users_find(const char *name, uid_t *ret_uid, Error *error) {
        return users_find_in(PASSWD, name, ret_uid, error);
}

char *users_describe(uid_t uid, char *text, size_t size) {
        snprintf(text, size, "uid %u", uid);
        AUTO_FCLOSE FILE *passwd = fopen(PASSWD, "re");
        if (!passwd)
                return text;
        struct passwd entry, *found;
        char buffer[LINE_MAX_SIZE];
        while (fgetpwent_r(passwd, &entry, buffer, sizeof buffer, &found) == 0)
                if (found->pw_uid == uid) {
                        snprintf(text, size, "%s (uid %u)", found->pw_name, uid);
                        break;
                }
        return text;
}
