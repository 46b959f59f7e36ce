#include "adapters/postgres-script.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define WORDS_KEPT 6 /* of a statement's beginning; enough to tell what it is */
#define WORD_MAX 32  /* a longer word is no keyword */
#define KEY_MAX 128  /* of \restrict */

typedef struct Scan {
        const char *text;
        size_t size, at;
        unsigned line;
        Error *error;

        /* The statement being read. */
        bool begun;
        unsigned words; /* bare words so far */
        char word[WORDS_KEPT][WORD_MAX];
        char last[WORD_MAX]; /* the newest bare word or quoted text */
        unsigned depth;      /* of parentheses; a semicolon within ends nothing */
        bool from, to;       /* the newest word outside parentheses was FROM, TO */
        bool copies_in, copies_out;
        char key[KEY_MAX]; /* of the \restrict that is open; "": none */
} Scan;

static int refuse(Scan *scan, unsigned line, const char *why) {
        return error_set(scan->error, -EINVAL, "line %u: %s", line, why);
}

/* ---- characters ---- */

static char peek(const Scan *scan, size_t ahead) {
        return scan->at + ahead < scan->size ? scan->text[scan->at + ahead] : '\0';
}

static bool at_end(const Scan *scan) {
        return scan->at >= scan->size;
}

static void step(Scan *scan) {
        if (scan->text[scan->at++] == '\n')
                scan->line++;
}

static bool begins_word(char c) {
        return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool in_word(char c) {
        return begins_word(c) || isdigit((unsigned char)c) || c == '$';
}

static int check_bytes(Scan *scan) {
        unsigned line = 1;
        for (size_t at = 0; at < scan->size;) {
                size_t length = utf8_length(scan->text + at, scan->size - at);
                if (length == 0 || scan->text[at] == '\0')
                        return refuse(scan, line, "this isn't text in UTF-8");
                line += scan->text[at] == '\n';
                at += length;
        }
        return 0;
}

/* ---- what is skipped ---- */

/* A carriage return alone ends it too. */
static int skip_line_comment(Scan *scan) {
        while (!at_end(scan) && peek(scan, 0) != '\n' && peek(scan, 0) != '\r')
                step(scan);
        return 0;
}

static int skip_comment(Scan *scan) {
        unsigned begun = scan->line, depth = 0;
        do {
                if (at_end(scan))
                        return refuse(scan, begun, "the comment that begins here does not end");
                if (peek(scan, 0) == '/' && peek(scan, 1) == '*') {
                        depth++;
                        step(scan);
                } else if (peek(scan, 0) == '*' && peek(scan, 1) == '/') {
                        depth--;
                        step(scan);
                }
                step(scan);
        } while (depth > 0);
        return 0;
}

static void keep_last(Scan *scan, const char *text, size_t length) {
        memset(scan->last, 0, sizeof scan->last);
        if (length < sizeof scan->last)
                memcpy(scan->last, text, length);
}

#define ELSEWHERE                                                                                                      \
        "it reaches beyond this database, and what is done there is not undone when something fails here: do it by hand"
#define DBLINK "dblink" /* so begin the names of all its functions */
#define DBLINK_LENGTH (sizeof DBLINK - 1)

/* The name at `at`, and the parenthesis behind it. */
static bool calls_dblink(const char *text, size_t size, size_t at) {
        if (size - at < DBLINK_LENGTH || strncasecmp(text + at, DBLINK, DBLINK_LENGTH) != 0)
                return false;
        at += DBLINK_LENGTH;
        while (at < size && in_word(text[at]))
                at++;
        at += at < size && text[at] == '"';
        while (at < size && isspace((unsigned char)text[at]))
                at++;
        return at < size && text[at] == '(';
}

static int refuse_dblink(Scan *scan, unsigned line) {
        return refuse(scan, line, DBLINK ": " ELSEWHERE);
}

/* A quoted text may be the body of a function. */
static int check_body(Scan *scan, size_t from, size_t to, unsigned line) {
        for (size_t at = from; at < to; at++) {
                if ((at == from || !in_word(scan->text[at - 1])) && calls_dblink(scan->text, to, at))
                        return refuse_dblink(scan, line);
                line += scan->text[at] == '\n';
        }
        return 0;
}

/* From the opening quote. A plain string with an odd number of backslashes before its quote would end elsewhere with
 * standard_conforming_strings off: refused, so that it doesn't matter how that is set. */
static int skip_quoted(Scan *scan, bool escapes) {
        unsigned begun = scan->line;
        size_t opened = scan->at + 1;
        char quote = peek(scan, 0);
        bool odd = false; /* backslashes just before */
        step(scan);
        for (;; step(scan)) {
                if (at_end(scan))
                        return refuse(scan, begun, "the quote that opens here does not end");
                char c = peek(scan, 0);
                if (c == quote && odd && quote == '\'' && !escapes)
                        return refuse(scan, scan->line,
                                      "write E'...' with doubled backslashes: a backslash before a "
                                      "quote is read in two ways");
                if (c == quote && !(odd && escapes)) {
                        if (peek(scan, 1) != quote)
                                break;
                        step(scan); /* a doubled one belongs to it */
                        odd = false;
                } else
                        odd = c == '\\' && !odd;
        }
        keep_last(scan, scan->text + opened, scan->at - opened);
        size_t closed = scan->at;
        step(scan);
        if (quote == '"')
                return calls_dblink(scan->text, scan->size, opened) ? refuse_dblink(scan, begun) : 0;
        return check_body(scan, opened, closed, begun);
}

/* The length of the tag at `$`, both dollars counted; 0: it is none. */
static size_t dollar_tag(const Scan *scan) {
        size_t length = 1;
        if (begins_word(peek(scan, length)))
                while (in_word(peek(scan, length)) && peek(scan, length) != '$')
                        length++;
        return peek(scan, length) == '$' ? length + 1 : 0;
}

static int skip_dollar_quoted(Scan *scan, size_t tag) {
        unsigned begun = scan->line;
        const char *opening = scan->text + scan->at;
        for (size_t i = 0; i < tag; i++)
                step(scan);
        size_t body = scan->at;
        while (!at_end(scan)) {
                if (scan->size - scan->at >= tag && memcmp(scan->text + scan->at, opening, tag) == 0) {
                        size_t end = scan->at;
                        scan->at += tag; /* a tag has no newline */
                        return check_body(scan, body, end, begun);
                }
                step(scan);
        }
        return refuse(scan, begun, "the dollar quote that opens here does not end");
}

/* ---- statements ---- */

typedef struct Forbidden {
        const char *words; /* a statement that begins so; "*": any word */
        const char *why;
} Forbidden;

#define ENDS "it would end the transaction in which all of it is undone when something fails: leave it out"
#define WHOSE "whose session it is must not change"
#define COUNTS "by these counts it is known which rows the script has touched: leave it out"
#define BEYOND "it can't be undone by a rollback of this database's transaction"

static const Forbidden forbidden[] = {
        {"BEGIN", ENDS},
        {"START TRANSACTION", ENDS},
        {"COMMIT", ENDS},
        {"END", ENDS},
        {"ROLLBACK", ENDS},
        {"ABORT", ENDS},
        {"SAVEPOINT", ENDS},
        {"RELEASE", ENDS},
        {"PREPARE TRANSACTION", ENDS},
        {"SET TRANSACTION", ENDS},
        {"SET LOCAL TRANSACTION", ENDS},
        {"SET SESSION CHARACTERISTICS", ENDS},
        {"SET CONSTRAINTS ALL IMMEDIATE", "name the constraints: our own guard is a deferred one"},
        {"SET SESSION AUTHORIZATION", WHOSE},
        {"SET LOCAL SESSION AUTHORIZATION", WHOSE},
        {"RESET SESSION AUTHORIZATION", WHOSE},
        {"SET track_counts", COUNTS},
        {"SET LOCAL track_counts", COUNTS},
        {"SET SESSION track_counts", COUNTS},
        {"RESET ALL", "the limits that are set around it must stay"},
        {"DISCARD", "what is kept of before in temporary tables must stay"},
        {"ALTER SYSTEM", BEYOND},
        {"ALTER DATABASE", BEYOND},
        {"CREATE DATABASE", BEYOND},
        {"DROP DATABASE", BEYOND},
        {"CREATE TABLESPACE", BEYOND},
        {"DROP TABLESPACE", BEYOND},
        {"ALTER TABLESPACE", BEYOND},
        {"CREATE SUBSCRIPTION", BEYOND},
        {"ALTER SUBSCRIPTION", BEYOND},
        {"DROP SUBSCRIPTION", BEYOND},
        {"CHECKPOINT", BEYOND},
        {"CREATE SERVER", ELSEWHERE},
        {"ALTER SERVER", ELSEWHERE},
        {"CREATE USER MAPPING", ELSEWHERE},
        {"CREATE FOREIGN DATA WRAPPER", ELSEWHERE},
        {"IMPORT FOREIGN SCHEMA", ELSEWHERE},
        {"CREATE EXTENSION dblink", ELSEWHERE},
        {"CREATE EXTENSION IF NOT EXISTS dblink", ELSEWHERE},
        {"CREATE EXTENSION postgres_fdw", ELSEWHERE},
        {"CREATE EXTENSION IF NOT EXISTS postgres_fdw", ELSEWHERE},
        {"LOAD", "it would load code into the server"},
        {"VACUUM", "it can't run inside a transaction"},
        {"REINDEX DATABASE", "it can't run inside a transaction"},
        {"REINDEX SYSTEM", "it can't run inside a transaction"},
};

static bool begins_with(const Scan *scan, const char *words) {
        for (unsigned i = 0; *words; i++) {
                size_t length = strcspn(words, " ");
                if (i >= scan->words || i >= WORDS_KEPT || strlen(scan->word[i]) != length ||
                    strncasecmp(scan->word[i], words, length) != 0)
                        return false;
                words += length + (words[length] == ' ');
        }
        return true;
}

static bool mentions(const Scan *scan, const char *word) {
        for (unsigned i = 0; i < scan->words && i < WORDS_KEPT; i++)
                if (strcasecmp(scan->word[i], word) == 0)
                        return true;
        return false;
}

static int check_beginning(Scan *scan) {
        char why[256];
        for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
                if (begins_with(scan, forbidden[i].words)) {
                        snprintf(why, sizeof why, "%s: %s", forbidden[i].words, forbidden[i].why);
                        return refuse(scan, scan->line, why);
                }
        return 0;
}

/* A setting by which the rest of the script would be read otherwise than here. */
static int check_setting(Scan *scan) {
        if (!begins_with(scan, "SET"))
                return 0;
        if (mentions(scan, "standard_conforming_strings") && strcasecmp(scan->last, "on") != 0)
                return refuse(scan, scan->line, "standard_conforming_strings must stay on");
        if ((mentions(scan, "client_encoding") || mentions(scan, "NAMES")) && strcasecmp(scan->last, "UTF8") != 0 &&
            strcasecmp(scan->last, "UTF-8") != 0 && strcasecmp(scan->last, "SQL_ASCII") != 0)
                return refuse(scan, scan->line, "client_encoding must stay UTF8");
        return 0;
}

static int add_word(Scan *scan, const char *word, size_t length) {
        char text[WORD_MAX] = "";
        if (length < sizeof text)
                memcpy(text, word, length);
        if (strcasecmp(text, "CONCURRENTLY") == 0)
                return refuse(scan, scan->line, "CONCURRENTLY can't run inside a transaction: leave it out");
        keep_last(scan, text, strlen(text));
        if (scan->words < WORDS_KEPT)
                memcpy(scan->word[scan->words], text, sizeof text);
        scan->words++;
        if (strcasecmp(text, "BEGIN") == 0 && begins_with(scan, "CREATE"))
                return refuse(scan, scan->line,
                              "BEGIN: write the function's body as a text, AS $$ ... $$, not as BEGIN ATOMIC");
        if (scan->depth == 0) {
                scan->copies_in |= scan->from && strcasecmp(text, "STDIN") == 0;
                scan->copies_out |= scan->to && strcasecmp(text, "STDOUT") == 0;
                scan->from = strcasecmp(text, "FROM") == 0;
                scan->to = strcasecmp(text, "TO") == 0;
        }
        return scan->words <= WORDS_KEPT ? check_beginning(scan) : 0;
}

static void begin_statement(Scan *scan) {
        scan->words = 0;
        scan->depth = 0;
        scan->begun = scan->from = scan->to = scan->copies_in = scan->copies_out = false;
        scan->last[0] = '\0';
}

/* The lines behind COPY ... FROM stdin; up to `\.` alone on its line. */
static int skip_copied(Scan *scan) {
        unsigned begun = scan->line;
        for (; !at_end(scan) && peek(scan, 0) != '\n'; step(scan))
                if (!isspace((unsigned char)peek(scan, 0)))
                        return refuse(scan, scan->line, "nothing may follow COPY ... FROM stdin; on its line");
        while (!at_end(scan)) {
                step(scan); /* the newline before */
                const char *line = scan->text + scan->at;
                while (!at_end(scan) && peek(scan, 0) != '\n')
                        step(scan);
                size_t length = (size_t)(scan->text + scan->at - line);
                if (length > 0 && line[length - 1] == '\r')
                        length--;
                if (length == 2 && memcmp(line, "\\.", 2) == 0)
                        return 0;
        }
        return refuse(scan, begun, "the data that begins behind this line does not end with \\.");
}

static int end_statement(Scan *scan) {
        bool copy = begins_with(scan, "COPY");
        if (copy && !scan->copies_in && !scan->copies_out)
                return refuse(scan, scan->line,
                              "COPY may read from stdin only: not a file of the server, and no PROGRAM");
        int r = check_setting(scan);
        if (r == 0 && copy && scan->copies_in)
                r = skip_copied(scan);
        begin_statement(scan);
        return r;
}

/* ---- psql's own ---- */

static int take_restrict(Scan *scan, const char *key, size_t length, bool opens) {
        if (length == 0 || length >= KEY_MAX)
                return refuse(scan, scan->line, "\\restrict and \\unrestrict need a key of letters and digits");
        bool same = strlen(scan->key) == length && memcmp(scan->key, key, length) == 0;
        if (opens ? scan->key[0] != '\0' : !same)
                return refuse(scan, scan->line, "\\restrict and \\unrestrict don't belong together");
        memset(scan->key, 0, sizeof scan->key);
        if (opens)
                memcpy(scan->key, key, length);
        return 0;
}

/* From the backslash to the end of its line. */
static int read_command(Scan *scan) {
        static const char opens[] = "\\restrict ", closes[] = "\\unrestrict ";
        const char *command = scan->text + scan->at;
        bool first = scan->at == 0 || command[-1] == '\n';
        while (!at_end(scan) && peek(scan, 0) != '\n')
                scan->at++;
        size_t length = (size_t)(scan->text + scan->at - command);
        if (length > 0 && command[length - 1] == '\r')
                length--;
        bool opening = length >= sizeof opens && memcmp(command, opens, sizeof opens - 1) == 0;
        bool closing = length >= sizeof closes && memcmp(command, closes, sizeof closes - 1) == 0;
        if (!first || scan->begun || (!opening && !closing))
                return refuse(scan, scan->line,
                              "a backslash begins a command of psql itself: only pg_dump's \\restrict "
                              "and \\unrestrict may stand here");
        size_t name = (opening ? sizeof opens : sizeof closes) - 1;
        for (size_t i = name; i < length; i++)
                if (!isalnum((unsigned char)command[i]))
                        return refuse(scan, scan->line, "the key of \\restrict has letters and digits only");
        return take_restrict(scan, command + name, length - name, opening);
}

/* ---- all of it ---- */

static int read_word(Scan *scan) {
        const char *word = scan->text + scan->at;
        while (in_word(peek(scan, 0)))
                scan->at++;
        size_t length = (size_t)(scan->text + scan->at - word);
        if (calls_dblink(scan->text, scan->size, (size_t)(word - scan->text)))
                return refuse_dblink(scan, scan->line);
        if (peek(scan, 0) == '\'')
                return skip_quoted(scan, length == 1 && (*word == 'e' || *word == 'E'));
        return add_word(scan, word, length);
}

static void read_number(Scan *scan) {
        while (isalnum((unsigned char)peek(scan, 0)) || peek(scan, 0) == '_' || peek(scan, 0) == '.')
                scan->at++;
}

static int read_colon(Scan *scan) {
        if (peek(scan, 1) == ':' || peek(scan, 1) == '=') {
                scan->at += 2;
                return 0;
        }
        scan->at++;
        char next = peek(scan, 0);
        if (in_word(next) ? !isdigit((unsigned char)next) : next == '\'' || next == '"' || next == '{')
                return refuse(scan, scan->line,
                              "psql would take what follows the colon for one of its variables: put a space between");
        return 0;
}

static int read_one(Scan *scan) {
        char c = peek(scan, 0);
        size_t tag = c == '$' ? dollar_tag(scan) : 0;
        if (c == '-' && peek(scan, 1) == '-')
                return skip_line_comment(scan);
        if (c == '/' && peek(scan, 1) == '*')
                return skip_comment(scan);
        if (c == '\\')
                return read_command(scan);
        scan->begun |= !isspace((unsigned char)c) && c != ';';
        if (c == '\'' || c == '"')
                return skip_quoted(scan, false);
        if (tag > 0)
                return skip_dollar_quoted(scan, tag);
        if (begins_word(c))
                return read_word(scan);
        if (c == ':')
                return read_colon(scan);
        if (isdigit((unsigned char)c)) {
                read_number(scan);
                return 0;
        }
        step(scan);
        if (c == ';' && scan->depth == 0)
                return end_statement(scan);
        if (c == '(')
                scan->depth++;
        else if (c == ')' && scan->depth > 0)
                scan->depth--;
        return 0;
}

int pg_script_check(const char *text, size_t size, Error *error) {
        Scan scan = {.text = text, .size = size, .line = 1, .error = error};
        int r = size > PG_SCRIPT_MAX ? refuse(&scan, 1, "the script is too long") : check_bytes(&scan);
        while (r == 0 && !at_end(&scan))
                r = read_one(&scan);
        if (r == 0 && scan.begun)
                return refuse(&scan, scan.line, "the last statement doesn't end with a semicolon");
        if (r == 0 && scan.key[0])
                return refuse(&scan, scan.line, "\\restrict without its \\unrestrict");
        return r;
}
