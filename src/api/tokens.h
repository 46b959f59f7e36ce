/* The tokens that programs elsewhere act by: a file of their hashes, read again whenever it has changed.
 *
 *   # name       right  hash (SHA-256 of the token, 64 hexadecimal digits)
 *   deploy-bot   act    9f86d081...
 *
 * A token is 256 random bits, so a fast hash keeps it: nobody can try them through, and there is nothing to salt. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define TOKEN_NAME_MAX 64
#define TOKEN_TEXT_MAX 64 /* of a token as it is typed */
#define TOKEN_HASH_SIZE 32
#define TOKEN_LINE_MAX 160
#define TOKENS_MAX 500

typedef struct Token {
        char name[TOKEN_NAME_MAX];
        unsigned char hash[TOKEN_HASH_SIZE];
        bool may_act; /* each may read */
} Token;

typedef struct Tokens Tokens;

int tokens_new(const char *path, Tokens **ret_tokens,
               Error *error);        /* `path` is borrowed; "" or NULL: no tokens at all */
Tokens *tokens_free(Tokens *tokens); /* NULL allowed; returns NULL */

/* Looks whether the file has changed, and reads it. One that can't be used leaves the former set in force: negative, and the
 * message says file and line, as long as that lasts. Only a file that is gone ends them all. */
int tokens_look(Tokens *tokens, Error *error);

/* Another number whenever the set in force has become another. */
unsigned tokens_changes(const Tokens *tokens);

/* The entry of a token that somebody showed, or NULL. All entries are compared, each in constant time. */
const Token *tokens_find(const Tokens *tokens, const char *token);
/* The same by the hash, e.g. of the token a session was begun with: it may be gone, or have lost its right. */
const Token *tokens_find_hash(const Tokens *tokens, const unsigned char hash[TOKEN_HASH_SIZE]);

/* A new token, and the line that the file wants for it. -EINVAL: the name isn't [a-z0-9._-]. */
int token_make(const char *name, bool may_act, char ret_token[TOKEN_TEXT_MAX], char ret_line[TOKEN_LINE_MAX],
               Error *error);
