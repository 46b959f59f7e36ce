#include "daemon/yaml-tree.h"

#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <yaml.h>

typedef struct Parse {
        const char *name;
        yaml_parser_t parser;
        Error *error;
} Parse;

static TreeMark mark_of(yaml_mark_t mark) {
        return (TreeMark){.line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1};
}

static int parse_error(const Parse *parse, TreeMark mark, const char *what) {
        return error_set(parse->error, -EINVAL, "%s:%u:%u: %s", parse->name, mark.line, mark.column, what);
}

static int no_memory(const Parse *parse) {
        return error_set(parse->error, -ENOMEM, "%s: no memory left to read it", parse->name);
}

/* libyaml's own complaint: a context ("while parsing a block mapping") and a problem, each of them optional. */
static int library_error(const Parse *parse) {
        const yaml_parser_t *parser = &parse->parser;
        if (parser->error == YAML_MEMORY_ERROR)
                return no_memory(parse);
        TreeMark mark = mark_of(parser->problem_mark);
        return error_set(parse->error, -EINVAL, "%s:%u:%u: not valid YAML: %s%s%s", parse->name, mark.line, mark.column,
                         parser->problem ? parser->problem : "unreadable", parser->context ? " " : "",
                         parser->context ? parser->context : "");
}

static int next_event(Parse *parse, yaml_event_t *ret_event) {
        return yaml_parser_parse(&parse->parser, ret_event) ? 0 : library_error(parse);
}

TreeNode *tree_free(TreeNode *node) {
        while (node) {
                TreeNode *next = node->next;
                tree_free(node->children);
                free(node->text);
                free(node->key);
                free(node);
                node = next;
        }
        return NULL;
}

static void cleanup_tree(TreeNode **node) {
        tree_free(*node);
}

const TreeNode *tree_member(const TreeNode *mapping, const char *key) {
        for (const TreeNode *child = mapping ? mapping->children : NULL; child; child = child->next)
                if (child->key && strcmp(child->key, key) == 0)
                        return child;
        return NULL;
}

/* What the plain part of YAML leaves out: text that stands for other text makes a configuration hard to read in an outage. */
static int refuse_fancy(const Parse *parse, const yaml_event_t *event) {
        const yaml_char_t *anchor = NULL, *tag = NULL;
        if (event->type == YAML_SCALAR_EVENT) {
                anchor = event->data.scalar.anchor;
                tag = event->data.scalar.tag;
        } else if (event->type == YAML_SEQUENCE_START_EVENT) {
                anchor = event->data.sequence_start.anchor;
                tag = event->data.sequence_start.tag;
        } else if (event->type == YAML_MAPPING_START_EVENT) {
                anchor = event->data.mapping_start.anchor;
                tag = event->data.mapping_start.tag;
        }
        TreeMark mark = mark_of(event->start_mark);
        if (event->type == YAML_ALIAS_EVENT)
                return parse_error(parse, mark, "an alias (*name) is not allowed here: write the value out");
        if (anchor)
                return parse_error(parse, mark, "an anchor (&name) is not allowed here: write the value out");
        if (tag)
                return parse_error(parse, mark, "a tag (!name) is not allowed here: write the plain value");
        return 0;
}

static int scalar_text(const Parse *parse, const yaml_event_t *event, char **ret_text) {
        size_t length = event->data.scalar.length;
        if (memchr(event->data.scalar.value, '\0', length))
                return parse_error(parse, mark_of(event->start_mark), "a NUL character is not allowed here");
        char *text = strndup((const char *)event->data.scalar.value, length);
        if (!text)
                return no_memory(parse);
        *ret_text = text;
        return 0;
}

static int parse_node(Parse *parse, const yaml_event_t *event, unsigned depth, TreeNode **ret_node);

static int parse_key(Parse *parse, const yaml_event_t *event, const TreeNode *mapping, char **ret_key) {
        TreeMark mark = mark_of(event->start_mark);
        int r = refuse_fancy(parse, event);
        if (r < 0)
                return r;
        if (event->type != YAML_SCALAR_EVENT || event->data.scalar.length == 0)
                return parse_error(parse, mark, "a key must be a plain word");
        AUTO_FREE char *key = NULL;
        r = scalar_text(parse, event, &key);
        if (r < 0)
                return r;
        const TreeNode *first = tree_member(mapping, key);
        if (first)
                return error_set(parse->error, -EINVAL,
                                 "%s:%u:%u: '%s' is set twice, the first time on line %u: keep one of them",
                                 parse->name, mark.line, mark.column, key, first->key_mark.line);
        *ret_key = TAKE_PTR(key);
        return 0;
}

/* Reads what stands inside a sequence or mapping, until its end. */
static int parse_children(Parse *parse, TreeNode *parent, unsigned depth) {
        TreeNode **tail = &parent->children;
        for (unsigned count = 0;; count++) {
                yaml_event_t event __attribute__((cleanup(yaml_event_delete))) = {0};
                yaml_event_t value __attribute__((cleanup(yaml_event_delete))) = {0};
                int r = next_event(parse, &event);
                if (r < 0)
                        return r;
                if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT)
                        return 0;
                if (count == TREE_CHILDREN_MAX)
                        return parse_error(parse, mark_of(event.start_mark), "more than 1000 entries in one place");
                AUTO_FREE char *key = NULL;
                if (parent->kind == TREE_MAPPING) {
                        r = parse_key(parse, &event, parent, &key);
                        if (r == 0)
                                r = next_event(parse, &value);
                        if (r < 0)
                                return r;
                }
                r = parse_node(parse, parent->kind == TREE_MAPPING ? &value : &event, depth, tail);
                if (r < 0)
                        return r;
                assert(*tail); /* parse_node() has hung the node there */
                (*tail)->key = TAKE_PTR(key);
                (*tail)->key_mark = mark_of(event.start_mark);
                tail = &(*tail)->next;
        }
}

static int parse_node(Parse *parse, const yaml_event_t *event, unsigned depth, TreeNode **ret_node) {
        int r = refuse_fancy(parse, event);
        if (r < 0)
                return r;
        if (depth > TREE_DEPTH_MAX)
                return error_set(parse->error, -EINVAL, "%s:%zu:%zu: nested deeper than %d levels", parse->name,
                                 event->start_mark.line + 1, event->start_mark.column + 1, TREE_DEPTH_MAX);
        TreeNode *node CLEANUP(cleanup_tree) = calloc(1, sizeof *node);
        if (!node)
                return no_memory(parse);
        node->mark = mark_of(event->start_mark);
        if (event->type == YAML_SCALAR_EVENT) {
                node->kind = TREE_SCALAR;
                r = scalar_text(parse, event, &node->text);
        } else {
                node->kind = event->type == YAML_SEQUENCE_START_EVENT ? TREE_SEQUENCE : TREE_MAPPING;
                r = parse_children(parse, node, depth + 1);
        }
        if (r < 0)
                return r;
        *ret_node = TAKE_PTR(node);
        return 0;
}

static int parse_documents(Parse *parse, TreeNode **ret_root) {
        TreeNode *root CLEANUP(cleanup_tree) = NULL;
        for (;;) {
                yaml_event_t event __attribute__((cleanup(yaml_event_delete))) = {0};
                int r = next_event(parse, &event);
                if (r < 0)
                        return r;
                if (event.type == YAML_STREAM_END_EVENT)
                        break;
                if (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_END_EVENT)
                        continue;
                if (event.type == YAML_DOCUMENT_START_EVENT) {
                        if (root)
                                return parse_error(parse, mark_of(event.start_mark),
                                                   "a second document: the file must hold one");
                        continue;
                }
                r = parse_node(parse, &event, 1, &root);
                if (r < 0)
                        return r;
        }
        if (!root) {
                root = calloc(1, sizeof *root);
                if (!root)
                        return no_memory(parse);
                root->kind = TREE_MAPPING;
                root->mark = (TreeMark){.line = 1, .column = 1};
        }
        *ret_root = TAKE_PTR(root);
        return 0;
}

/* Done before libyaml sees the text: it would take UTF-16 as well, and names bad bytes by offset only. */
static int check_utf8(const Parse *parse, const char *text, size_t size) {
        TreeMark mark = {.line = 1, .column = 1};
        for (size_t at = 0; at < size;) {
                size_t length = utf8_length(text + at, size - at);
                if (length == 0)
                        return parse_error(parse, mark, "not UTF-8: save the file as UTF-8");
                mark.column++;
                if (text[at] == '\n')
                        mark = (TreeMark){.line = mark.line + 1, .column = 1};
                at += length;
        }
        return 0;
}

int tree_parse(const char *name, const char *text, size_t size, TreeNode **ret_root, Error *error) {
        Parse parse = {.name = name, .error = error};
        if (size > TREE_SIZE_MAX)
                return error_set(error, -EFBIG, "%s:1:1: larger than %d KiB: that is no configuration", name,
                                 TREE_SIZE_MAX / 1024);
        if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) { /* a byte order mark, as some editors put one */
                text += 3;
                size -= 3;
        }
        int r = check_utf8(&parse, text, size);
        if (r < 0)
                return r;
        if (!yaml_parser_initialize(&parse.parser))
                return no_memory(&parse);
        yaml_parser_set_encoding(&parse.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&parse.parser, (const unsigned char *)text, size);
        r = parse_documents(&parse, ret_root);
        yaml_parser_delete(&parse.parser);
        return r;
}
