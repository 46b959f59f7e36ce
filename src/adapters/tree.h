/* Walks a directory tree a few entries at a time, so that an event loop is never held up, and collects what is there: files,
 * directories and symlinks (not followed), without looking into the files. */
#pragma once

#include "adapters/manifest.h"

typedef struct TreeWalk TreeWalk;

/* -ENOENT, -ENOTDIR (also for a symlink). */
int tree_walk_begin(const char *root, TreeWalk **ret_walk, Error *error);
TreeWalk *tree_walk_end(TreeWalk *walk); /* NULL allowed; returns NULL */

/* Adds up to `count` entries to `into`. 1: there is more, 0: that was all, -EBADMSG: something that isn't a file, directory or
 * symlink; `error` names it relative to the root. Symlinks have their digest already, files are suspect. */
int tree_walk_step(TreeWalk *walk, unsigned count, Manifest *into, Error *error);

/* The root, for openat(). */
int tree_walk_root(const TreeWalk *walk);
