/* A YAML file as a small tree that remembers where everything stood, so that what is wrong can be said with its line and
 * column. Only the plain part of YAML is let in: one document, mappings, sequences and scalars. Aliases, anchors, tags, more
 * than one document, a key set twice, nesting deeper than TREE_DEPTH_MAX, more than TREE_CHILDREN_MAX entries in one place and
 * bytes that aren't UTF-8 are refused. */
#pragma once

#include "base/error.h"

#include <stddef.h>

#define TREE_DEPTH_MAX 8
#define TREE_CHILDREN_MAX 1000 /* finding a key twice looks at all of them */
#define TREE_SIZE_MAX (1024 * 1024)

typedef enum TreeKind { TREE_SCALAR, TREE_SEQUENCE, TREE_MAPPING } TreeKind;

/* Lines and columns count from 1. */
typedef struct TreeMark {
        unsigned line, column;
} TreeMark;

typedef struct TreeNode TreeNode;
struct TreeNode {
        TreeKind kind;
        TreeMark mark;
        char *text; /* of a scalar; "" for one that was left empty */
        char *key;  /* in a mapping: the key this value stands under */
        TreeMark key_mark;
        TreeNode *children; /* of a sequence or mapping, in the file's order */
        TreeNode *next;
};

/* `name` is what messages call the file. An empty file is an empty mapping. */
int tree_parse(const char *name, const char *text, size_t size, TreeNode **ret_root, Error *error);
TreeNode *tree_free(TreeNode *node); /* with its children and what follows it; NULL allowed; returns NULL */

const TreeNode *tree_member(const TreeNode *mapping, const char *key); /* NULL: not there, or `mapping` is NULL */
