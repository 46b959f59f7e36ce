#include "base/mask-secrets.h"

#include "base/macros.h"
#include "base/mask.h"

#include <ctype.h>
#include <string.h>

#define RANDOM_LEAST 20 /* characters: less than that can't be told from a name */

/* ---- words ---- */

static bool ends_with(const char *text, const char *end) {
        size_t length = strlen(text), wanted = strlen(end);
        return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

static bool part_is_secret(const char *part) {
        static const char *const parts[] = {"pass", "pwd", "pw",   "key",   "keys", "dsn", "dsns", "auth", "salt",
                                            "otp",  "pin", "cred", "creds", "psk",  "jwt", "sas",  "hmac"};
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
                if (strcmp(part, parts[i]) == 0)
                        return true;
        return false;
}

/* The parts of "db_masterKey-v2.path" are db, master, key, v2 and path. */
static bool any_part_is_secret(const char *name) {
        char part[NAME_MAX_LENGTH];
        size_t used = 0;
        for (const char *at = name;; at++) {
                bool hump = at > name && isupper((unsigned char)*at) && islower((unsigned char)at[-1]);
                if (!isalnum((unsigned char)*at) || hump) {
                        part[used] = '\0';
                        if (used > 0 && part_is_secret(part))
                                return true;
                        used = 0;
                }
                if (*at == '\0')
                        return false;
                if (isalnum((unsigned char)*at) && used + 1 < sizeof part)
                        part[used++] = (char)tolower((unsigned char)*at);
        }
}

bool mask_is_secret_name(const char *name) {
        static const char *const words[] = {"passw",
                                            "passphrase",
                                            "secret",
                                            "token",
                                            "credential",
                                            "private",
                                            "apikey",
                                            "api_key",
                                            "api-key",
                                            "accesskey",
                                            "authorization",
                                            "cookie",
                                            "bearer",
                                            "signature",
                                            "connectionstring",
                                            "connection_string",
                                            "connection-string",
                                            "conn_str",
                                            "pgpass"};
        char lower[NAME_MAX_LENGTH];
        size_t used = 0;
        for (const char *at = name; *at && used + 1 < sizeof lower; at++)
                lower[used++] = (char)tolower((unsigned char)*at);
        lower[used] = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (strstr(lower, words[i]))
                        return true;
        return ends_with(lower, "pass") || ends_with(lower, "pwd") || ends_with(lower, "key") ||
               ends_with(lower, "auth") || any_part_is_secret(name);
}

static bool is_one_of(const char *word, const char *const *list, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (strcasecmp(word, list[i]) == 0)
                        return true;
        return false;
}

bool mask_names_something(const char *word) {
        static const char *const words[] = {"name", "key", "variable", "env", "id", "option", "property"};
        return is_one_of(word, words, ARRAY_SIZE(words));
}

bool mask_holds_the_value(const char *word) {
        static const char *const words[] = {"value", "val", "content", "data", "default", "stringvalue"};
        return is_one_of(word, words, ARRAY_SIZE(words));
}

bool mask_is_harmless_word(const char *word) {
        static const char *const words[] = {"true", "false", "null", "none", "~", "yes", "no", "on", "off"};
        return is_one_of(word, words, ARRAY_SIZE(words));
}

bool mask_is_scheme(const char *word) {
        static const char *const words[] = {"bearer", "basic", "digest", "negotiate"};
        return is_one_of(word, words, ARRAY_SIZE(words));
}

bool mask_is_user_flag(const char *word) {
        static const char *const flags[] = {"-u", "--user", "-U", "--proxy-user"};
        return is_one_of(word, flags, ARRAY_SIZE(flags));
}

/* ---- strings ---- */

bool mask_is_random(const char *text, size_t length) {
        unsigned lower = 0, upper = 0, digit = 0, hex = 0, changes = 0, counts[128] = {0}, distinct = 0;
        if (length < RANDOM_LEAST)
                return false;
        for (size_t i = 0; i < length; i++) {
                unsigned char c = (unsigned char)text[i];
                lower += islower(c) != 0;
                upper += isupper(c) != 0;
                digit += isdigit(c) != 0;
                hex += isxdigit(c) != 0;
                distinct += c < 128 && counts[c]++ == 0;
                if (i > 0) {
                        unsigned char before = (unsigned char)text[i - 1];
                        changes += (isdigit(c) != 0) != (isdigit(before) != 0) ||
                                   (isalpha(c) && isalpha(before) && (isupper(c) != 0) != (isupper(before) != 0));
                }
        }
        if (distinct < 8)
                return false;
        if (hex == length && length >= 32 && digit > 0 && lower + upper > 0)
                return true;
        if (lower && upper && digit)
                return changes * 5 >= length;
        return digit ? changes * 4 >= length : lower && upper && changes * 5 >= length * 2;
}

bool mask_is_known_token(const char *text, size_t length) {
        static const struct {
                const char *prefix;
                size_t least;
        } shapes[] = {{"AKIA", 16},      {"ASIA", 16},     {"ghp_", 20},   {"gho_", 20},        {"ghs_", 20},
                      {"ghu_", 20},      {"ghr_", 20},     {"glpat-", 16}, {"github_pat_", 20}, {"xoxa-", 12},
                      {"xoxb-", 12},     {"xoxp-", 12},    {"xoxs-", 12},  {"sk-", 20},         {"sk_live_", 12},
                      {"rk_live_", 12},  {"sk_test_", 12}, {"eyJ", 20},    {"AIza", 30},        {"hvs.", 16},
                      {"dckr_pat_", 16}, {"npm_", 20},     {"pypi-", 20},  {"$2a$", 20},        {"$2b$", 20},
                      {"$2y$", 20},      {"$argon2", 20},  {"$6$", 20},    {"$5$", 20}};
        for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
                size_t prefix = strlen(shapes[i].prefix);
                if (length >= shapes[i].least && length > prefix && strncmp(text, shapes[i].prefix, prefix) == 0)
                        return true;
        }
        return false;
}
