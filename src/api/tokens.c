#include "api/tokens.h"

#include "base/fsio.h"
#include "base/macros.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX (128 * 1024)
#define PREFIX "nvr_" /* so that one that lies around is recognised */
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789._-"

struct Tokens {
        const char *path;
        Token *list;
        size_t count;
        unsigned changes;
        struct stat seen; /* of the file that was read last, whether it was good or not */
        bool read;
        Error problem; /* of that file */
};

int tokens_new(const char *path, Tokens **ret_tokens, Error *error) {
        Tokens *tokens = sodium_init() < 0 ? NULL : calloc(1, sizeof *tokens);
        if (!tokens)
                return error_set(error, -ENOMEM, "no memory left for the tokens");
        tokens->path = path ? path : "";
        *ret_tokens = tokens;
        return 0;
}

static void forget(Token *list, size_t count) {
        if (list)
                sodium_memzero(list, count * sizeof *list);
        free(list);
}

Tokens *tokens_free(Tokens *tokens) {
        if (!tokens)
                return NULL;
        forget(tokens->list, tokens->count);
        free(tokens);
        return NULL;
}

/* ---- the file ---- */

static bool name_is_good(const char *name) {
        size_t length = strlen(name);
        return length > 0 && length < TOKEN_NAME_MAX && strspn(name, NAME_CHARACTERS) == length;
}

static int bad_line(const char *path, unsigned line, const char *what, Error *error) {
        return error_set(error, -EINVAL, "%s:%u: %s; the tokens as they were stay in force", path, line, what);
}

static int parse_line(const char *path, unsigned number, char *line, Token *list, size_t *count, Error *error) {
        static const char blanks[] = " \t\r";
        char *rest, *name = strtok_r(line, blanks, &rest);
        if (!name || name[0] == '#')
                return 0;
        const char *right = strtok_r(NULL, blanks, &rest), *hash = strtok_r(NULL, blanks, &rest);
        Token token = {0};
        size_t size = 0;
        if (!right || !hash || strtok_r(NULL, blanks, &rest))
                return bad_line(path, number, "a line is: NAME read|act HASH", error);
        if (!name_is_good(name))
                return bad_line(path, number, "a name is made of a-z, 0-9, '.', '_' and '-', 63 of them at most",
                                error);
        if (strcmp(right, "read") != 0 && strcmp(right, "act") != 0)
                return bad_line(path, number, "the right is 'read' or 'act'", error);
        if (sodium_hex2bin(token.hash, sizeof token.hash, hash, strlen(hash), NULL, &size, NULL) != 0 ||
            size != TOKEN_HASH_SIZE)
                return bad_line(path, number, "the hash is 64 hexadecimal digits: the token's SHA-256", error);
        for (size_t i = 0; i < *count; i++)
                if (strcmp(list[i].name, name) == 0 || memcmp(list[i].hash, token.hash, TOKEN_HASH_SIZE) == 0)
                        return bad_line(path, number, "this name or this hash is there already", error);
        if (*count == TOKENS_MAX)
                return bad_line(path, number, "these are too many tokens (500 at most)", error);
        snprintf(token.name, sizeof token.name, "%s", name);
        token.may_act = right[0] == 'a';
        list[(*count)++] = token;
        return 0;
}

/* Who may write it could let himself in. Our own group may read it, so that root can own it and we need not. */
static int check_file(const char *path, const struct stat *st, Error *error) {
        if (!S_ISREG(st->st_mode))
                return error_set(error, -EINVAL, "%s is not a regular file", path);
        if (st->st_uid != 0 && st->st_uid != geteuid())
                return error_set(error, -EPERM,
                                 "%s belongs to uid %u, who could let himself in; mend it with: chown %u %s", path,
                                 (unsigned)st->st_uid, (unsigned)geteuid(), path);
        bool ours = st->st_uid == geteuid(), for_group = st->st_gid == getegid();
        mode_t allowed = S_IRWXU | (for_group ? S_IRGRP : 0);
        bool closed = (st->st_mode & 0777 & ~allowed) == 0, readable = ours || (for_group && (st->st_mode & S_IRGRP));
        if (closed && (readable || geteuid() == 0))
                return 0;
        if (ours)
                return error_set(error, -EPERM, "%s is open to others (mode %04o); mend it with: chmod go= %s", path,
                                 (unsigned)(st->st_mode & 07777), path);
        return error_set(error, -EPERM, "%s is %s (mode %04o); mend it with: chgrp %u %s && chmod 640 %s", path,
                         closed ? "closed to us" : "open to others", (unsigned)(st->st_mode & 07777),
                         (unsigned)getegid(), path, path);
}

static int parse_file(const char *path, char *text, Token **ret_list, size_t *ret_count, Error *error) {
        Token *list = calloc(TOKENS_MAX, sizeof *list);
        size_t count = 0;
        unsigned number = 0;
        int r = 0;
        if (!list)
                return error_set(error, -ENOMEM, "no memory left for the tokens");
        for (char *line; r == 0 && (line = strsep(&text, "\n"));)
                r = parse_line(path, ++number, line, list, &count, error);
        if (r < 0) {
                forget(list, count);
                return r;
        }
        *ret_list = list;
        *ret_count = count;
        return 0;
}

static int read_file(Tokens *tokens, Error *error) {
        AUTO_FREE char *text = NULL;
        Token *list = NULL;
        size_t count = 0, size = 0;
        int r = fs_check_trusted(tokens->path, error);
        if (r == 0)
                r = fs_read_file(tokens->path, FILE_MAX, &text, &size, error);
        if (r == 0 && strlen(text) != size)
                r = error_set(error, -EINVAL, "%s holds a zero byte: it is no text", tokens->path);
        if (r == 0)
                r = parse_file(tokens->path, text, &list, &count, error);
        if (r < 0)
                return r;
        forget(tokens->list, tokens->count);
        tokens->list = list;
        tokens->count = count;
        tokens->changes++;
        return 0;
}

static bool same_file(const struct stat *a, const struct stat *b) {
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
               a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
               a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
               a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

int tokens_look(Tokens *tokens, Error *error) {
        struct stat now;
        if (tokens->path[0] == '\0')
                return 0;
        if (stat(tokens->path, &now) < 0) {
                int code = errno;
                tokens->read = false;
                tokens->changes += code == ENOENT && tokens->count > 0;
                if (code == ENOENT) { /* removed, so that nobody gets in by it any more */
                        forget(TAKE_PTR(tokens->list), tokens->count);
                        tokens->count = 0;
                }
                return error_set(error, -code, "cannot look at the tokens in %s: %s%s", tokens->path, strerror(code),
                                 code == ENOENT ? "; no token is accepted" : "; as they were they stay in force");
        }
        if (!tokens->read || !same_file(&now, &tokens->seen)) {
                tokens->problem = (Error){0};
                int r = check_file(tokens->path, &now, &tokens->problem);
                if (r == 0)
                        (void)read_file(tokens, &tokens->problem);
                tokens->seen = now;
                tokens->read = true;
        }
        if (tokens->problem.code == 0)
                return 0;
        if (error)
                *error = tokens->problem;
        return tokens->problem.code;
}

unsigned tokens_changes(const Tokens *tokens) {
        return tokens->changes;
}

/* ---- looking up ---- */

const Token *tokens_find_hash(const Tokens *tokens, const unsigned char hash[TOKEN_HASH_SIZE]) {
        const Token *found = NULL;
        for (size_t i = 0; i < tokens->count; i++)
                if (sodium_memcmp(tokens->list[i].hash, hash, TOKEN_HASH_SIZE) == 0)
                        found = &tokens->list[i]; /* no break: how long it takes tells nothing */
        return found;
}

const Token *tokens_find(const Tokens *tokens, const char *token) {
        unsigned char hash[TOKEN_HASH_SIZE];
        crypto_hash_sha256(hash, (const unsigned char *)token, strlen(token));
        return tokens_find_hash(tokens, hash);
}

int token_make(const char *name, bool may_act, char ret_token[TOKEN_TEXT_MAX], char ret_line[TOKEN_LINE_MAX],
               Error *error) {
        unsigned char secret[32], hash[TOKEN_HASH_SIZE];
        char text[48], digits[2 * TOKEN_HASH_SIZE + 1];
        if (!name_is_good(name))
                return error_set(error, -EINVAL,
                                 "'%.64s' can't be a token's name: use a-z, 0-9, '.', '_' and '-', 63 of them at most",
                                 name);
        if (sodium_init() < 0)
                return error_set(error, -EIO, "the system gives no random numbers");
        randombytes_buf(secret, sizeof secret);
        sodium_bin2base64(text, sizeof text, secret, sizeof secret, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        snprintf(ret_token, TOKEN_TEXT_MAX, PREFIX "%s", text);
        crypto_hash_sha256(hash, (const unsigned char *)ret_token, strlen(ret_token));
        sodium_bin2hex(digits, sizeof digits, hash, sizeof hash);
        snprintf(ret_line, TOKEN_LINE_MAX, "%s %s %s", name, may_act ? "act" : "read", digits);
        sodium_memzero(secret, sizeof secret);
        sodium_memzero(text, sizeof text);
        return 0;
}
