/* Who belongs to a group, read from /etc/passwd and /etc/group themselves: getgrouplist() may ask a directory service, and in an
 * outage that would hang the controller. So a user or a membership that only such a service knows counts for nothing here. */
#pragma once

#include "base/error.h"

#include <sys/types.h>

/* 1: `uid` is a member, by its own group in /etc/passwd or by its name in /etc/group; 0: it isn't; or why nobody can tell. */
int groups_has_user(gid_t group, uid_t uid, Error *error);

/* 1: the group's number, from /etc/group; 0: there is none of that name. */
int groups_find(const char *name, gid_t *ret_group, Error *error);

/* groups_has_user() with other files, for tests. */
int groups_has_user_in(const char *passwd_path, const char *group_path, gid_t group, uid_t uid, Error *error);
