/* Masks secrets in configuration files and log lines before they are kept or shown: a report is mailed around. It would rather mask
 * too much than too little. What is taken for a secret:
 *   - the value of a key whose name speaks of one (password, secret, token, key, credential, private, dsn, authorization ...), in
 *     YAML, JSON, INI, TOML, XML, shell, HTTP headers, queries and flags; also over several lines, and as {name: KEY, value: ...}
 *   - what stands before the @ of an URL or a DSN
 *   - PEM blocks
 *   - well-known shapes of tokens, and strings that look random
 * What is random but short, or a secret in plain words under a harmless name, can't be known. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define MASKED "[masked]"
#define MASK_LINE_MAX 4096 /* of a longer line the rest is not shown */

/* From line to line of one text; zero at its beginning. */
typedef struct Mask {
        bool pem;        /* inside a PEM block */
        bool below;      /* what stands deeper than `indent` belongs to a secret key */
        size_t indent;   /* of that key */
        bool continued;  /* a value goes on after a backslash */
        char quote;      /* a quoted value isn't closed yet; 0: none */
        unsigned quotes; /* 1, or 3 */
        bool element;    /* an element of XML isn't closed yet */
        bool named;      /* the name of a secret was said; its value comes as "value" */
        unsigned count;  /* lines in which something was masked */
} Mask;

/* One line, without its newline. Returns `buffer`, which holds it masked and cut to `size`. */
char *mask_line(Mask *mask, const char *line, char *buffer, size_t size);

/* One text of a single line, with nothing before it. */
char *mask_text(const char *text, char *buffer, size_t size);

/* An address without user, password and query, and what looks like a token in its path masked. */
char *mask_url(const char *url, char *buffer, size_t size);

bool mask_is_secret_name(const char *name);
