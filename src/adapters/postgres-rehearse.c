/* The rehearsal: the database's schema without its rows is loaded into a scratch database, the script is run there, and the
 * catalogue is compared. All of it in one transaction that is rolled back, so the scratch database stays empty and needs no
 * tidying. What a script writes to shows in the locks it took, even where there is no row to be written. */
#include "adapters/postgres-schema.h"

#include <errno.h>
#include <string.h>

#define REHEARSAL_LOCK "5728931002746" /* in the scratch database, where nothing but rehearsals happens */

struct PgRehearsal {
        const Postgres *postgres;
        const PgWay *way;
        int64_t budget_us;
        char scratch[128], key[PG_KEY_MAX];
        PgRehearsed done;
        void *userdata;
        PgQuery *query;
        PgChild *child;
        PgFeed feed;
        json_t *tables;
        char version[VERSION_MAX]; /* what the script leaves behind */
        bool whole;                /* all lines came */
        json_t *held;              /* by the table's oid: those with whose views the script ran too */
        bool loaded;               /* the schema is in, the script's turn has come */
};

PgRehearsal *pg_rehearsal_cancel(PgRehearsal *rehearsal) {
        if (!rehearsal)
                return NULL;
        rehearsal->query = pg_query_cancel(rehearsal->query);
        rehearsal->child = pg_child_free(rehearsal->child);
        pg_feed_close(&rehearsal->feed);
        json_decref(rehearsal->tables);
        json_decref(rehearsal->held);
        free(rehearsal);
        return NULL;
}

static void finish(PgRehearsal *rehearsal, PgPlan *plan, const Error *error) {
        PgRehearsed done = rehearsal->done;
        void *userdata = rehearsal->userdata;
        Error copy = error ? *error : (Error){0};
        pg_rehearsal_cancel(rehearsal);
        done(userdata, plan, plan ? NULL : &copy);
}

/* ---- what it prints ---- */

static const char *after_word(const char *text, const char *word) {
        size_t length = strlen(word);
        return strncmp(text, word, length) == 0 ? text + length : NULL;
}

static const char *oid_of(const json_t *table) {
        const char *oid = json_string_value(json_object_get(table, "after_id"));
        return oid ? oid : "";
}

static void add_held(PgRehearsal *rehearsal, json_t *held) {
        json_object_set_new(rehearsal->held, oid_of(held), held);
}

static void on_line(void *userdata, const char *line) {
        PgRehearsal *rehearsal = userdata;
        const char *said = after_word(line, rehearsal->key), *rest;
        if (!said)
                return; /* the script's own */
        if ((rest = after_word(said, " version ")))
                snprintf(rehearsal->version, sizeof rehearsal->version, "%s", rest);
        else if ((rest = after_word(said, " table ")))
                json_array_append_new(rehearsal->tables, json_loads(rest, JSON_REJECT_DUPLICATES, NULL));
        else if (strcmp(said, " loaded") == 0)
                rehearsal->loaded = true;
        else if (strcmp(said, " whole") == 0)
                rehearsal->whole = true;
        else if ((rest = after_word(said, " holds ")))
                add_held(rehearsal, json_loads(rest, JSON_REJECT_DUPLICATES, NULL));
}

/* Without a mark, the view is left out of the real run. */
static void mark_held(PgRehearsal *rehearsal) {
        size_t i;
        json_t *table;
        json_array_foreach(rehearsal->tables, i, table)
                json_object_update(table, json_object_get(rehearsal->held, oid_of(table)));
}

static int make_plan(PgRehearsal *rehearsal, PgPlan *plan, Error *error) {
        const PgWay *way = rehearsal->way;
        if (strcmp(rehearsal->version, way->wanted) != 0)
                return error_set(error, -EPROTO, "%s leaves %s at '%s', not at %s: let it update it", way->original,
                                 pg_setting(rehearsal->postgres, "version_table"), rehearsal->version, way->wanted);
        mark_held(rehearsal);
        json_t *document = json_pack("{si ss ss ss ss sO}", "form", PG_PLAN_FORM, "script", way->digest, "catalogue",
                                     way->facts.catalogue, "current", way->facts.version, "wanted", way->wanted,
                                     "tables", rehearsal->tables);
        return pg_plan_read(document, plan, error);
}

/* Whether asking again would not help: the script failed (psql's status 3), or a right is missing. */
static bool is_final(const ProcessExit *exit, const char *said) {
        if (strstr(said, "lock timeout") || strstr(said, "statement timeout") || strstr(said, "deadlock detected"))
                return false;
        return exit->code == 3 || strstr(said, "permission denied") || strstr(said, "must be owner");
}

/* Only a superuser may make most of them; true: that is why. */
static bool explain_extension(const PgRehearsal *rehearsal, const char *said, Error *error) {
        static const char denied[] = "permission denied to create extension \"";
        const char *at = strstr(said, denied);
        if (!at)
                return false;
        at += strlen(denied);
        int length = (int)strcspn(at, "\"\n");
        error_set(
                error, -EPROTO,
                "the schema needs the extension %.*s, which the role %s may not create in the database '%s', where the "
                "way back is rehearsed; as a superuser, once: psql -d %s -c 'CREATE EXTENSION \"%.*s\"'",
                length, at, rehearsal->postgres->server.user, rehearsal->scratch, rehearsal->scratch, length, at);
        return true;
}

static void on_rehearsed(void *userdata, const ProcessExit *exit, const char *said) {
        PgRehearsal *rehearsal = userdata;
        Error error = {0};
        PgPlan plan = {0};
        if (!rehearsal->whole) {
                pg_feed_error(&rehearsal->feed, rehearsal->way->original, said, exit, &error);
                error.code = is_final(exit, said) ? -EPROTO : -EIO;
                if (!rehearsal->loaded && error.code == -EPROTO && !explain_extension(rehearsal, said, &error))
                        error_prefix(&error,
                                     "the schema can't be loaded into the database '%s', where the way back is "
                                     "rehearsed: make it anew with createdb -O %s %s. It said",
                                     rehearsal->scratch, rehearsal->postgres->server.user, rehearsal->scratch);
                finish(rehearsal, NULL, &error);
                return;
        }
        finish(rehearsal, make_plan(rehearsal, &plan, &error) < 0 ? NULL : &plan, &error);
}

/* ---- one after the other ---- */

static void run_script(PgRehearsal *rehearsal) {
        static const char *const arguments[] = {"-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-f", "-", NULL};
        Error error = {0};
        const PgTransaction transaction = {.postgres = rehearsal->postgres,
                                           .way = rehearsal->way,
                                           .key = rehearsal->key,
                                           .limit_us = rehearsal->budget_us};
        pg_sql_rehearsal(&rehearsal->feed, &transaction);
        int r = pg_feed_check(&rehearsal->feed, &error);
        const PgChildSpec spec = {.program = "psql",
                                  .arguments = arguments,
                                  .database = rehearsal->scratch,
                                  .name = "auto-rollback rehearsal",
                                  .input_fd = rehearsal->feed.fd,
                                  .line = on_line,
                                  .ended = on_rehearsed,
                                  .userdata = rehearsal};
        if (r == 0)
                r = pg_child_start(rehearsal->postgres, &spec, &rehearsal->child, &error);
        if (r < 0)
                finish(rehearsal, NULL, &error);
}

static bool dump_failed(PgRehearsal *rehearsal, const ProcessExit *exit, const char *said) {
        char text[300];
        unsigned line;
        Error error = {0};
        if (exit->code == 0) {
                rehearsal->child = pg_child_free(rehearsal->child);
                return false;
        }
        error_set(&error, is_final(exit, said) ? -EPROTO : -EIO, "pg_dump could not read the schema: %s",
                  pg_child_error(said, text, sizeof text, &line));
        finish(rehearsal, NULL, &error);
        return true;
}

static void dump(PgRehearsal *rehearsal, const char *const *arguments, PgChildEnded ended) {
        Error error = {0};
        const PgChildSpec spec = {.program = "pg_dump",
                                  .arguments = arguments,
                                  .name = "auto-rollback rehearsal",
                                  .output_fd = rehearsal->feed.fd,
                                  .ended = ended,
                                  .userdata = rehearsal};
        if (pg_child_start(rehearsal->postgres, &spec, &rehearsal->child, &error) < 0)
                finish(rehearsal, NULL, &error);
}

static void on_version_dumped(void *userdata, const ProcessExit *exit, const char *said) {
        if (!dump_failed(userdata, exit, said))
                run_script(userdata);
}

static void on_schema_dumped(void *userdata, const ProcessExit *exit, const char *said) {
        PgRehearsal *rehearsal = userdata;
        if (dump_failed(rehearsal, exit, said))
                return;
        const char *const arguments[] = {"--data-only", "-w", "-t", pg_setting(rehearsal->postgres, "version_table"),
                                         NULL};
        dump(rehearsal, arguments, on_version_dumped);
}

static void dump_schema(PgRehearsal *rehearsal) {
        const char *const arguments[] = {"--schema-only",
                                         "-w",
                                         "-e",
                                         rehearsal->way->facts.used_extensions,
                                         "--no-comments", /* on an extension only its owner may say one */
                                         "--no-owner",
                                         "--no-privileges",
                                         "--no-tablespaces",
                                         "--no-publications",
                                         "--no-subscriptions",
                                         NULL};
        PgFeed *feed = &rehearsal->feed;
        pg_feed_format(feed, "BEGIN;\nSET LOCAL client_min_messages = warning;\nSET LOCAL lock_timeout = '10s';\n"
                             "SELECT pg_catalog.pg_advisory_xact_lock(" REHEARSAL_LOCK ");\n");
        dump(rehearsal, arguments, on_schema_dumped);
}

static void on_created(void *userdata, const PgAnswer *answer) {
        PgRehearsal *rehearsal = userdata;
        rehearsal->query = NULL;
        /* Somebody else has made it meanwhile: before this was begun, or while it was under way. */
        bool there =
                strcmp(answer->sqlstate, "42P04") == 0 ||
                (strcmp(answer->sqlstate, "23505") == 0 && strstr(answer->error.message, "pg_database_datname_index"));
        if (answer->error.code && !there)
                finish(rehearsal, NULL, &answer->error);
        else
                dump_schema(rehearsal);
}

static int create_scratch(PgRehearsal *rehearsal, Error *error) {
        char sql[300];
        AUTO_FREE char *name = pg_quote_name(rehearsal->scratch);
        if (!name)
                return error_set(error, -ENOMEM, "out of memory");
        snprintf(sql, sizeof sql, "CREATE DATABASE %s", name);
        return pg_query_begin(rehearsal->postgres->context.event, &rehearsal->postgres->server, sql,
                              rehearsal->budget_us, on_created, NULL, rehearsal, &rehearsal->query, error);
}

int pg_rehearsal_begin(const Postgres *postgres, const PgWay *way, int64_t budget_us, PgRehearsed done, void *userdata,
                       PgRehearsal **ret_rehearsal, Error *error) {
        PgRehearsal *rehearsal = calloc(1, sizeof *rehearsal);
        if (!rehearsal)
                return error_set(error, -ENOMEM, "out of memory");
        rehearsal->postgres = postgres;
        rehearsal->way = way;
        rehearsal->budget_us = budget_us;
        rehearsal->done = done;
        rehearsal->userdata = userdata;
        rehearsal->tables = json_array();
        rehearsal->held = json_object();
        pg_random_key(rehearsal->key);
        pg_scratch_name(postgres, rehearsal->scratch, sizeof rehearsal->scratch);
        int r = pg_feed_open(&rehearsal->feed, error);
        if (r == 0 && !way->facts.scratch && !way->facts.may_create)
                r = error_set(error, -EPROTO,
                              "the way back can't be proven: there is no database '%s' to rehearse it in, and the role "
                              "%s may not make one: createdb -O %s %s",
                              rehearsal->scratch, postgres->server.user, postgres->server.user, rehearsal->scratch);
        *ret_rehearsal = rehearsal;
        if (r == 0 && !way->facts.scratch)
                r = create_scratch(rehearsal, error);
        else if (r == 0)
                dump_schema(rehearsal);
        if (r < 0) {
                *ret_rehearsal = NULL;
                pg_rehearsal_cancel(rehearsal);
        }
        return r;
}
