#include "base/mask.h"

#include "base/mask-secrets.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* A line on its way: what is read, and what is written of it. */
typedef struct Line {
        Mask *mask;
        const char *text, *at;
        size_t indent, key_indent; /* of what stands first; the same behind a list's dash */
        bool first;                /* the key at hand is what its line begins with */
        char *out;
        size_t used, size;
} Line;

/* ---- writing ---- */

static void put(Line *line, const char *text, size_t length) {
        size_t room = line->size - 1 - line->used;
        size_t count = length < room ? length : room;
        memcpy(line->out + line->used, text, count);
        line->used += count;
        line->out[line->used] = '\0';
}

static void put_until(Line *line, const char *end) {
        put(line, line->at, (size_t)(end - line->at));
        line->at = end;
}

static void put_masked(Line *line, const char *end) {
        put(line, MASKED, strlen(MASKED));
        line->at = end;
}

static const char *line_end(const Line *line) {
        return line->at + strlen(line->at);
}

static bool is_name(char c) {
        return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

/* ---- values ---- */

static const char *skip_blanks(const char *at) {
        return at + strspn(at, " \t");
}

/* The end of a quoted value: behind its closing quote, or NULL. `escaped`: the quotes themselves have a backslash (JSON in JSON). */
static const char *quote_end(const char *at, char quote, unsigned quotes, bool escaped) {
        for (; *at; at++) {
                if (*at == '\\' && !escaped && at[1] != '\0' && quote != '\'') {
                        at++;
                        continue;
                }
                if (escaped) {
                        if (*at == '\\' && at[1] == quote)
                                return at;
                        continue;
                }
                if (*at != quote)
                        continue;
                if (quotes == 3) {
                        if (at[1] == quote && at[2] == quote)
                                return at + 3;
                        continue;
                }
                if (at[1] == quote) { /* doubled: it stands for itself */
                        at++;
                        continue;
                }
                return at + 1;
        }
        return NULL;
}

static void open_quote(Line *line, char quote, unsigned quotes) {
        line->mask->quote = quote;
        line->mask->quotes = quotes;
        put_masked(line, line_end(line));
}

static void mask_quoted(Line *line) {
        bool escaped = *line->at == '\\';
        const char *begin = line->at + strspn(line->at, "\\");
        char quote = *begin;
        bool empty = begin[1] == quote && begin[2] != quote && !escaped;
        unsigned quotes = begin[1] == quote && begin[2] == quote ? 3 : 1;
        if (empty) {
                put_until(line, begin + 2);
                return;
        }
        put_until(line, begin + quotes);
        const char *end = quote_end(line->at, quote, quotes, escaped);
        if (!end) {
                open_quote(line, quote, quotes);
                return;
        }
        put_masked(line, end - (escaped ? 0 : quotes));
        put_until(line, end);
        /* 'abc'"def"ghi is one word to a shell */
        const char *glued = line->at + strcspn(line->at, " \t,;)}]>&|\\");
        if (glued > line->at)
                put_masked(line, glued);
}

static void look_below(const Line *line) {
        line->mask->below = true;
        line->mask->indent = line->key_indent;
}

/* {...} or [...]: to its end on this line, else what follows deeper belongs to it. */
static void mask_bracketed(Line *line) {
        unsigned depth = 0;
        for (const char *at = line->at; *at; at++) {
                depth += strchr("[{", *at) != NULL;
                if (strchr("]}", *at) && --depth == 0) {
                        put_until(line, line->at + 1);
                        put_masked(line, at);
                        return;
                }
        }
        put_until(line, line->at + 1);
        look_below(line);
        if (*line->at)
                put_masked(line, line_end(line));
}

/* What can't be a secret, so that "tokens_enabled: true" stays readable. */
static bool is_plain_word(const char *value) {
        char word[8];
        size_t length = strcspn(value, " \t,;}]#");
        const char *rest = skip_blanks(value + length);
        if (length == 0 || length >= sizeof word || (*rest && !strchr(",;}]#", *rest)))
                return false;
        memcpy(word, value, length);
        word[length] = '\0';
        return mask_is_harmless_word(word);
}

static bool is_quote(const char *at) {
        at += strspn(at, "\\");
        return *at && strchr("\"'`", *at);
}

/* What isn't quoted may hold blanks and commas: to the end of the line, and what is deeper below goes on with it. */
static void mask_to_end(Line *line) {
        const char *end = line_end(line);
        line->mask->continued = end > line->at && end[-1] == '\\';
        if (line->first)
                look_below(line);
        put_masked(line, end);
}

static void mask_value(Line *line) {
        put_until(line, skip_blanks(line->at));
        if (*line->at == '\0' || *line->at == '|' ||
            (*line->at == '>' && line->at[1] != '\0' && strchr("-+0123456789", line->at[1])) ||
            strcmp(line->at, ">") == 0) {
                put_until(line, line_end(line)); /* "key:" or "key: |": its value stands below */
                look_below(line);
        } else if (is_quote(line->at))
                mask_quoted(line);
        else if (*line->at == '[' || *line->at == '{')
                mask_bracketed(line);
        else if (is_plain_word(line->at))
                put_until(line, line->at + strcspn(line->at, " \t,;}]#"));
        else if (*line->at == ',' || *line->at == ';') /* "key=, next=..." */
                put_until(line, line->at + 1);
        else
                mask_to_end(line);
}

/* ---- what looks random ---- */

static bool is_token_char(char c) {
        return isalnum((unsigned char)c) || (c && strchr("+/_-.~$", c));
}

/* A path is shown but for the part that looks random; of anything else all goes, as its pieces would belong to the same secret. */
static bool mask_random(Line *line, const char *end) {
        bool path = *line->at == '/' || *line->at == '.';
        if (mask_is_known_token(line->at, (size_t)(end - line->at))) {
                put_masked(line, end);
                return true;
        }
        if (!path && mask_is_random(line->at, (size_t)(end - line->at))) {
                put_masked(line, end);
                return true;
        }
        bool any = false;
        for (const char *part = line->at; part < end;) {
                size_t length = strcspn(part, "/.");
                const char *part_end = part + length < end ? part + length : end;
                if (mask_is_random(part, (size_t)(part_end - part))) {
                        any = true;
                        if (!path) {
                                put_masked(line, end);
                                return true;
                        }
                        put_until(line, part);
                        put_masked(line, part_end);
                }
                part = part_end < end ? part_end + 1 : end;
        }
        if (any)
                put_until(line, end);
        return any;
}

/* ---- what stands before an @ ---- */

/* "://user:password@host": a password may hold @ and / where somebody has forgotten to escape them. */
static bool mask_userinfo(Line *line) {
        if (strncmp(line->at, "://", 3) != 0)
                return false;
        const char *from = line->at + 3, *end = from + strcspn(from, " \t\"'<>`"), *sign = NULL;
        for (const char *at = from; at < end; at++)
                if (*at == '@')
                        sign = at;
        put_until(line, from);
        if (sign)
                put_masked(line, sign);
        return true;
}

/* "user:password@host", "user:password@tcp(host:3306)/db" */
static bool mask_bare_userinfo(Line *line) {
        if (*line->at != ':' || line->at == line->text || !is_name(line->at[-1]))
                return false;
        const char *from = line->at + 1, *end = from + strcspn(from, " \t\"'<>`"), *sign = NULL;
        for (const char *at = from; at < end; at++)
                if (*at == '@')
                        sign = at;
        if (!sign || sign == from || strncmp(from, "//", 2) == 0 ||
            !(isalnum((unsigned char)sign[1]) || sign[1] == '[' || sign[1] == '('))
                return false;
        put_until(line, from);
        put_masked(line, sign);
        return true;
}

/* ---- words ---- */

static bool is_separator(const char *at) {
        return *at == '=' || *at == ':' || (*at == '-' && at[1] == '>');
}

/* Behind a key: its closing quote or bracket, blanks, and the separator. NULL: it is no key. */
static const char *value_of(const char *key_end) {
        const char *at = key_end + strspn(key_end, "\\");
        at += strspn(at, "\"'`])}*");
        at = skip_blanks(at);
        if (!is_separator(at) || strncmp(at, "://", 3) == 0)
                return NULL;
        at += strspn(at, ":=->");
        return at;
}

/* <password>...</password>, also with attributes */
static bool mask_element(Line *line, const char *word_end) {
        if (line->at == line->text || line->at[-1] != '<')
                return false;
        const char *open = strchr(word_end, '>');
        if (!open || (open > line->at && open[-1] == '/'))
                return false;
        put_until(line, open + 1);
        const char *close = strchr(line->at, '<');
        if (!close) {
                look_below(line);
                line->mask->element = true;
        }
        if (close != line->at && *line->at)
                put_masked(line, close ? close : line_end(line));
        return true;
}

static const char *token_end(const char *at) {
        if (*at && strchr("\"'", *at)) {
                const char *end = quote_end(at + 1, *at, 1, false);
                return end ? end : at + strlen(at);
        }
        return at + strcspn(at, " \t");
}

/* "--password x", "requirepass x", "login y password z": the word behind it, when it is a flag or the line ends with that. */
static bool mask_next_word(Line *line, const char *word, const char *word_end) {
        const char *next = skip_blanks(word_end);
        if (next == word_end || *next == '\0')
                return false;
        const char *end = token_end(next);
        bool last = *skip_blanks(end) == '\0';
        bool first = line->at == line->text + strspn(line->text, " \t");
        bool sure = strstr(word, "passw") || strstr(word, "secret") || strstr(word, "passphrase");
        bool quoted = sure && strchr("\"'", *next);
        if (word[0] != '-' && !quoted && !(last && (first || sure)))
                return false;
        put_until(line, next);
        put_masked(line, end);
        return true;
}

/* A token behind "Bearer" isn't prose: it is long. */
static bool mask_credentials(Line *line, const char *word, const char *word_end) {
        const char *next = skip_blanks(word_end);
        if (!mask_is_scheme(word) || next == word_end || strcspn(next, " \t\"',") < 8)
                return false;
        put_until(line, next);
        put_masked(line, next + strcspn(next, " \t\"',"));
        return true;
}

/* "-u name:password", "mysql -ppassword" */
static bool mask_short_flag(Line *line, const char *word, const char *word_end) {
        const char *next = skip_blanks(word_end), *end = next + strcspn(next, " \t");
        const char *colon = memchr(next, ':', (size_t)(end - next));
        bool client = strstr(line->text, "mysql") || strstr(line->text, "mariadb");
        if (client && strncmp(word, "-p", 2) == 0 && strlen(word) > 2) {
                put_until(line, line->at + 2);
                put_masked(line, line->at + strcspn(line->at, " \t"));
                return true;
        }
        if (next == word_end || !colon || colon[1] == '/' || colon + 1 >= end || !mask_is_user_flag(word))
                return false;
        put_until(line, colon + 1);
        put_masked(line, end);
        return true;
}

/* define("PASSWORD", "..."), setenv("TOKEN", "...") */
static bool mask_argument(Line *line, const char *word_end) {
        const char *next = word_end;
        if (line->at < line->text + 2 || line->at[-2] != '(' || !is_quote(line->at - 1) || *next != line->at[-1])
                return false;
        next = skip_blanks(next + 1);
        if (*next != ',' || !is_quote(skip_blanks(next + 1)))
                return false;
        put_until(line, skip_blanks(next + 1));
        mask_quoted(line);
        return true;
}

/* The name that stands at `from`; true: it is that of a secret. */
static bool says_secret(const char *from, const char **ret_end) {
        char name[NAME_MAX_LENGTH];
        size_t count = 0;
        while (is_name(from[count]) && count + 1 < sizeof name) {
                name[count] = from[count];
                count++;
        }
        name[count] = '\0';
        *ret_end = from + count;
        return count > 0 && mask_is_secret_name(name) && !value_of(from + count);
}

/* {"value": "...", "name": "PASSWORD"}: the name comes behind it, in the same brackets. */
static bool named_behind(const char *at) {
        for (at += strcspn(at, ",; }>"); *at && *at != '}' && *at != '>'; at++) {
                char word[16];
                size_t length = 0;
                if (is_name(at[-1]))
                        continue;
                while (is_name(at[length]) && length + 1 < sizeof word) {
                        word[length] = at[length];
                        length++;
                }
                word[length] = '\0';
                const char *value = length > 0 && mask_names_something(word) ? value_of(at + length) : NULL, *end;
                if (!value)
                        continue;
                value = skip_blanks(value);
                if (says_secret(value + strspn(value, "\\\"'"), &end))
                        return true;
        }
        return false;
}

/* <entry key="password">...</entry> */
static void mask_content(Line *line) {
        const char *open = line->at + strspn(line->at, "\"' ");
        if (*open != '>' || open[1] == '\0' || open[1] == '<')
                return;
        put_until(line, open + 1);
        put_masked(line, line->at + strcspn(line->at, "<"));
        line->mask->named = false;
}

static void mask_word(Line *line) {
        char word[NAME_MAX_LENGTH];
        const char *end = line->at;
        while (is_name(*end))
                end++;
        size_t length = (size_t)(end - line->at);
        /* of a longer name its end tells: some.long.prefix.password */
        size_t kept = length < sizeof word ? length : sizeof word - 1;
        memcpy(word, end - kept, kept);
        word[kept] = '\0';
        const char *value = value_of(end), *name_end;
        bool secret = mask_is_secret_name(word);
        line->first = line->at <= line->text + line->key_indent + 1; /* behind its quote */
        if (line->mask->named && mask_holds_the_value(word) && mask_element(line, end)) {
                line->mask->named = false;
                return;
        }
        if (value && mask_holds_the_value(word) && (line->mask->named || named_behind(value))) {
                line->mask->named = false;
                put_until(line, value);
                mask_value(line);
                return;
        }
        if (secret && mask_element(line, end))
                return;
        if (value && mask_names_something(word) &&
            (!secret || is_quote(skip_blanks(value)) || strcasecmp(word, "key") == 0)) {
                /* "key: abc" is a secret, unless a name of something is said with it */
                const char *from = skip_blanks(value);
                from += strspn(from, "\\\"'");
                line->mask->named = says_secret(from, &name_end);
                if (line->mask->named || strcasecmp(word, "key") != 0) {
                        put_until(line, from);
                        if (line->mask->named) {
                                put_until(line, name_end);
                                mask_content(line);
                        }
                        return;
                }
        }
        if (secret && value) {
                put_until(line, value);
                mask_value(line);
                return;
        }
        if ((secret && (mask_argument(line, end) || mask_next_word(line, word, end))) ||
            mask_credentials(line, word, end) || mask_short_flag(line, word, end))
                return;
        const char *token = line->at;
        while (is_token_char(*token))
                token++;
        if (!mask_random(line, token))
                put_until(line, end);
}

static void mask_pem(Line *line) {
        const char *end = strstr(line->at, "-----END");
        if (!end) {
                line->mask->pem = true;
                put_masked(line, line_end(line));
                return;
        }
        const char *close = strstr(end + 8, "-----");
        put_masked(line, close ? close + 5 : line_end(line));
}

static void mask_rest(Line *line) {
        while (*line->at) {
                const char *before = line->at;
                bool begins = line->at == line->text || !is_name(line->at[-1]);
                if (strncmp(line->at, "-----BEGIN", 10) == 0)
                        mask_pem(line);
                else if (mask_userinfo(line) || mask_bare_userinfo(line))
                        continue;
                else if (begins && (is_name(*line->at)))
                        mask_word(line);
                else if (begins && *line->at != '~' && is_token_char(*line->at)) {
                        const char *token = line->at;
                        while (is_token_char(*token))
                                token++;
                        if (!mask_random(line, token))
                                put_until(line, line->at + 1);
                } else
                        put_until(line, line->at + 1);
                if (line->at == before) /* can't be; but a line that never ends would be worse than one shown in part */
                        line->at++;
        }
}

/* ---- lines ---- */

/* No deeper than its key: a text in quotes that is no key itself, or what stands before an element's end. */
static bool is_value_alone(const Mask *mask, const char *begin) {
        if (mask->element)
                return strncmp(begin, "</", 2) != 0;
        const char *end = strchr("\"'", *begin) ? quote_end(begin + 1, *begin, 1, false) : NULL;
        return end && !value_of(end);
}

/* What belongs to a key of an earlier line. True: all of this line does. */
static bool mask_carried(Line *line) {
        Mask *mask = line->mask;
        const char *begin = line->text + line->indent;
        if (mask->pem) {
                mask->pem = strstr(line->text, "-----END") == NULL;
                put_masked(line, line_end(line));
                return true;
        }
        if (mask->quote) {
                const char *end = quote_end(line->text, mask->quote, mask->quotes, false);
                if (!end) {
                        put_masked(line, line_end(line));
                        return true;
                }
                put_masked(line, end - mask->quotes);
                mask->quote = 0;
                return false;
        }
        if (mask->continued) {
                size_t length = strlen(line->text);
                mask->continued = length > 0 && line->text[length - 1] == '\\';
                put_masked(line, line_end(line));
                return true;
        }
        if (!mask->below || *begin == '\0')
                return false;
        bool item = line->indent == mask->indent && begin[0] == '-' && (begin[1] == ' ' || begin[1] == '\0');
        if (line->indent <= mask->indent && !item && !is_value_alone(mask, begin)) {
                mask->below = mask->element = false;
                return false;
        }
        put_until(line, begin);
        put_masked(line, line_end(line));
        return true;
}

char *mask_line(Mask *mask, const char *text, char *buffer, size_t size) {
        char copy[MASK_LINE_MAX];
        size_t length = strnlen(text, sizeof copy - 1);
        memcpy(copy, text, length);
        copy[length] = '\0';
        Line line = {
                .mask = mask, .text = copy, .at = copy, .indent = strspn(copy, " \t"), .out = buffer, .size = size};
        line.key_indent = line.indent;
        while (strncmp(copy + line.key_indent, "- ", 2) == 0)
                line.key_indent += 1 + strspn(copy + line.key_indent + 1, " ");
        buffer[0] = '\0';
        if (!mask_carried(&line))
                mask_rest(&line);
        mask->count += strstr(buffer, MASKED) != NULL;
        return buffer;
}

char *mask_text(const char *text, char *buffer, size_t size) {
        Mask mask = {0};
        return mask_line(&mask, text, buffer, size);
}

char *mask_url(const char *url, char *buffer, size_t size) {
        char path[MASK_LINE_MAX], shown[MASK_LINE_MAX];
        const char *host = strstr(url, "://");
        host = host ? host + 3 : url;
        size_t authority = strcspn(host, "/?#");
        const char *at = memrchr(host, '@', authority), *rest = at ? at + 1 : host, *end = host + authority;
        snprintf(path, sizeof path, "%.*s", (int)strcspn(end, "?#"), end);
        snprintf(buffer, size, "%.*s%.*s%s", (int)(host - url), url, (int)(end - rest), rest,
                 mask_text(path, shown, sizeof shown));
        return buffer;
}
