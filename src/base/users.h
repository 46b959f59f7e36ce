/* Users by name, read from /etc/passwd itself: getpwnam() and getpwuid() may ask a directory service, and in an outage that would
 * hang the controller. So a user that only such a service knows has no name here. */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <sys/types.h>

#define USERS_TEXT_MAX 64

/* 1: the user's number; 0: there is none of that name; or why nobody can tell. */
int users_find(const char *name, uid_t *ret_uid, Error *error);

/* "root (uid 0)"; "uid 1234" for users without a name. Returns `text`. */
char *users_describe(uid_t uid, char *text, size_t size);

/* The same with another file, for tests. */
int users_find_in(const char *passwd_path, const char *name, uid_t *ret_uid, Error *error);
