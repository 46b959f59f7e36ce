/* Whose files are whose: what root writes into a directory of another user must not lock that user out. */
#pragma once

#include "base/error.h"

/* As root: gives the regular files in `directory` and one level below it that belong to root to the directory's owner. Links, files
 * with several names and other owners' files are left alone. Not root, or root's directory: nothing to do. */
int fs_give_to_owner(const char *directory, Error *error);
