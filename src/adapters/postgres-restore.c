/* The way back, done: the gate once more, a safety dump, and one psql whose transaction either holds all of it or nothing. Whoever is
 * killed meanwhile (we, psql, the server), the schema is wholly old or wholly new; doing it again finds out which. */
#include "adapters/postgres-schema.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

typedef enum Phase { PHASE_NONE, PHASE_LOCK, PHASE_CHECK, PHASE_SCRIPT, PHASE_COMPARE, PHASE_COMMIT } Phase;

typedef struct Restore {
        Op op;
        const Postgres *postgres;
        SchemaRequest request;
        DataProgress progress;
        PgGate *gate;
        PgDump *dump;
        PgChild *child;
        PgQuery *query;
        PgFeed feed;
        PgWay way;
        PgPlan plan;
        char key[PG_KEY_MAX], name[PG_NAME_MAX];
        char dumped[PATH_MAX];
        uint64_t begun, digest_begun;
        Phase phase;
        bool committed;
        bool again;       /* the script did more than what the views let be seen */
        bool all_columns; /* so all are compared, without views */
        char refused[300], lost[300], holder[128];
        char losses[150]; /* all that was lost, in the detail's first half: it is short */
        unsigned unnamed; /* that found no room in it */
        unsigned compared, proven;
        Error failure; /* of psql, until the database has said which schema it has */
} Restore;

static void restore_destroy(Op *op) {
        Restore *restore = (Restore *)op;
        restore->gate = pg_gate_cancel(restore->gate);
        restore->dump = pg_dump_cancel(restore->dump);
        restore->child = pg_child_free(restore->child);
        restore->query = pg_query_cancel(restore->query);
        pg_feed_close(&restore->feed);
        pg_way_clear(&restore->way);
        pg_plan_clear(&restore->plan);
        op_finish_base(op);
        free(restore);
}

static uint64_t now_us(const Restore *restore) {
        uint64_t now = 0;
        (void)sd_event_now(restore->op.event, CLOCK_BOOTTIME, &now);
        return now;
}

static int64_t left_us(const Restore *restore) {
        int64_t left = restore->op.budget_us - (int64_t)(now_us(restore) - restore->begun);
        return left > USEC_PER_MSEC ? left : USEC_PER_MSEC;
}

static void tell(const Restore *restore, const char *format, ...) PRINTF_LIKE(2, 3);
static void tell(const Restore *restore, const char *format, ...) {
        char line[DETAIL_MAX * 2];
        va_list args;
        if (!restore->progress)
                return;
        va_start(args, format);
        vsnprintf(line, sizeof line, format, args);
        va_end(args);
        restore->progress(restore->op.userdata, line);
}

/* ---- what psql tells ---- */

static void told_phase(Restore *restore, const char *word) {
        static const char *const words[] = {
                [PHASE_NONE] = "",         [PHASE_LOCK] = "lock",       [PHASE_CHECK] = "check",
                [PHASE_SCRIPT] = "script", [PHASE_COMPARE] = "compare", [PHASE_COMMIT] = "commit"};
        for (unsigned i = PHASE_LOCK; i < ARRAY_SIZE(words); i++)
                if (strcmp(word, words[i]) == 0)
                        restore->phase = (Phase)i;
        if (restore->phase == PHASE_SCRIPT)
                tell(restore, "schema %s -> %s: running %s", restore->way.facts.version, restore->way.wanted,
                     restore->way.original);
}

static const PgTable *table_at(const Restore *restore, const char *number) {
        unsigned long i = strtoul(number, NULL, 10);
        return i < restore->plan.count ? &restore->plan.tables[i] : NULL;
}

static void count_text(long long rows, char *text, size_t size) {
        if (rows >= 1000000)
                snprintf(text, size, "%.1f million rows", (double)rows / 1e6);
        else
                snprintf(text, size, "%lld rows", rows);
}

static void told_digest(Restore *restore, const char *rest, const char *when) {
        const PgTable *table = table_at(restore, rest);
        char rows[64];
        rest += strcspn(rest, " ");
        count_text(strtoll(rest, NULL, 10), rows, sizeof rows);
        if (table)
                tell(restore, "digest of %s.%s %s the change: %s in %.1f s", table->schema, table->name, when, rows,
                     (double)(now_us(restore) - restore->digest_begun) / USEC_PER_SEC);
        restore->compared += strcmp(when, "after") == 0;
}

static void told_begin(Restore *restore, const char *rest) {
        const PgTable *table = table_at(restore, rest);
        restore->digest_begun = now_us(restore);
        if (table)
                tell(restore, "digest of %s.%s begins", table->schema, table->name);
}

static void told_proven(Restore *restore, const char *rest) {
        const PgTable *table = table_at(restore, rest);
        restore->proven++;
        if (table)
                tell(restore, "%s.%s: no row was touched, says the catalogue", table->schema, table->name);
}

/* All that went, as long as there is room; the log has each. */
static void add_loss(Restore *restore, const char *what) {
        size_t used = strlen(restore->losses);
        int more = snprintf(restore->losses + used, sizeof restore->losses - used, "%s%s", used ? ", " : "", what);
        if (more < 0 || (size_t)more >= sizeof restore->losses - used) {
                restore->losses[used] = '\0';
                restore->unnamed++;
        }
}

static const char *after_word(const char *text, const char *word) {
        size_t length = strlen(word);
        return strncmp(text, word, length) == 0 ? text + length : NULL;
}

static void on_line(void *userdata, const char *line) {
        Restore *restore = userdata;
        const char *said = after_word(line, restore->key), *rest;
        if (!said)
                return; /* the script's own */
        if ((rest = after_word(said, " phase ")))
                told_phase(restore, rest);
        else if ((rest = after_word(said, " begin ")))
                told_begin(restore, rest);
        else if ((rest = after_word(said, " before ")))
                told_digest(restore, rest, "before");
        else if ((rest = after_word(said, " after ")))
                told_digest(restore, rest, "after");
        else if ((rest = after_word(said, " proven ")))
                told_proven(restore, rest);
        else if ((rest = after_word(said, " holder ")))
                snprintf(restore->holder, sizeof restore->holder, "%s", rest);
        else if ((rest = after_word(said, " refused ")))
                snprintf(restore->refused, sizeof restore->refused, "%s", rest);
        else if (strcmp(said, " again") == 0)
                restore->again = true;
        else if ((rest = after_word(said, " lost "))) {
                snprintf(restore->lost, sizeof restore->lost, "%s", rest);
                tell(restore, "%s%s", rest, restore->request.allow_row_loss ? " (allowed for this run)" : "");
                add_loss(restore, rest);
        } else if (strcmp(said, " committed") == 0)
                restore->committed = true;
}

/* ---- the outcome ---- */

static void succeed(Restore *restore) {
        AUTO_FREE char *detail = NULL;
        char undo[PATH_MAX * 2], lost[DETAIL_MAX] = "", more[48] = "";
        if (restore->unnamed)
                snprintf(more, sizeof more, " and %u more, named in the log", restore->unnamed);
        if (restore->lost[0])
                snprintf(lost, sizeof lost, ROWS_LOST_WORDS "%s%s; ", restore->losses, more);
        if (asprintf(&detail, "%s" SCHEMA_CHANGED_WORD "%s -> %s, %u table%s compared; undone by %s", lost,
                     restore->way.facts.version, restore->way.wanted, restore->compared,
                     restore->compared == 1 ? "" : "s",
                     pg_dump_undo(restore->postgres, restore->dumped, undo, sizeof undo)) < 0)
                detail = NULL;
        tell(restore, "schema %s is in place", restore->way.wanted);
        op_succeed(&restore->op, detail);
}

static void fail(Restore *restore, int code, const char *what) {
        Error error = {0};
        error_set(&error, code, "%s; the schema is as it was, %s", what, restore->way.facts.version);
        op_fail(&restore->op, &error);
}

/* The server may have committed without being able to say so. */
static void on_asked_again(void *userdata, const PgAnswer *answer) {
        Restore *restore = userdata;
        char what[300];
        restore->query = NULL;
        bool known = answer->count > 1 && PQntuples(answer->rows[0]) == 0 && PQntuples(answer->rows[1]) == 1;
        if (answer->error.code || !known) {
                Error error = {0};
                error_set(&error, -EIO,
                          "whether schema %s is in place isn't known (it is wholly, or not at all): %.150s; %.150s",
                          restore->way.wanted, error_text(&restore->failure),
                          answer->error.code ? error_text(&answer->error) : "the server has not ended it yet");
                op_fail(&restore->op, &error);
                return;
        }
        if (strcmp(PQgetvalue(answer->rows[1], 0, 0), restore->way.wanted) == 0) {
                succeed(restore);
                return;
        }
        snprintf(what, sizeof what, "%s", error_text(&restore->failure));
        fail(restore, -EPROTO, what);
}

static void ask_again(Restore *restore) {
        AUTO_FREE char *sql = NULL, *unfinished = pg_sql_unfinished(restore->postgres, false);
        Error error = {0};
        int r = !unfinished ? -1
                            : asprintf(&sql, "%s;\nSELECT version FROM %s", unfinished,
                                       pg_setting(restore->postgres, "version_table"));
        if (r < 0) {
                sql = NULL;
                error_set(&error, -ENOMEM, "out of memory");
        } else
                r = pg_query_begin(restore->op.event, &restore->postgres->server, sql, left_us(restore), on_asked_again,
                                   NULL, restore, &restore->query, &error);
        if (r < 0)
                op_fail(&restore->op, &error);
}

static void explain_lock(const Restore *restore, char *what, size_t size) {
        snprintf(what, size,
                 "another migrator is at work on %s (advisory lock %" PRId64
                 ", held by process %s): wait for it, or end it",
                 restore->postgres->server.database, settings_int(restore->postgres->settings, "advisory_lock"),
                 restore->holder[0] ? restore->holder : "that has gone meanwhile");
}

static int run_psql(Restore *restore, Error *error);

/* More than in the rehearsal may well be right. */
static void run_again(Restore *restore) {
        Error error = {0};
        tell(restore, "the script does more than in its rehearsal: once more, with all columns compared");
        restore->again = false;
        restore->all_columns = true;
        restore->phase = PHASE_NONE;
        restore->compared = restore->proven = 0;
        restore->holder[0] = '\0';
        restore->child = pg_child_free(restore->child);
        pg_feed_close(&restore->feed);
        if (run_psql(restore, &error) < 0)
                fail(restore, error.code, error_text(&error));
}

static void on_psql_ended(void *userdata, const ProcessExit *exit, const char *said) {
        Restore *restore = userdata;
        char what[400];
        if (restore->committed) {
                succeed(restore);
                return;
        }
        bool by_a_view = restore->phase == PHASE_SCRIPT && strstr(said, PG_HOLDS);
        if (!restore->all_columns && (restore->again || by_a_view)) {
                run_again(restore);
                return;
        }
        pg_feed_error(&restore->feed, restore->way.original, said, exit, &restore->failure);
        if (restore->phase >= PHASE_COMMIT) {
                ask_again(restore);
                return;
        }
        bool over_rows = restore->lost[0] && !restore->request.allow_row_loss;
        if (restore->phase == PHASE_LOCK && strstr(said, "lock timeout"))
                explain_lock(restore, what, sizeof what);
        else if (restore->refused[0])
                snprintf(what, sizeof what, "%s", restore->refused);
        else if (over_rows)
                snprintf(what, sizeof what,
                         "%s: allow the loss of rows for this run (--allow-row-loss) if that is what you want",
                         restore->lost);
        else
                snprintf(what, sizeof what, "%.390s", error_text(&restore->failure));
        fail(restore, over_rows ? -ENOTRECOVERABLE : -EPROTO, what);
}

/* ---- one after the other ---- */

static int run_psql(Restore *restore, Error *error) {
        static const char *const arguments[] = {"-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-f", "-", NULL};
        pg_random_key(restore->key);
        pg_restore_name(restore->postgres, restore->name);
        const PgTransaction transaction = {.postgres = restore->postgres,
                                           .way = &restore->way,
                                           .plan = &restore->plan,
                                           .key = restore->key,
                                           .allow_row_loss = restore->request.allow_row_loss,
                                           .all_columns = restore->all_columns || restore->request.allow_row_loss,
                                           .limit_us = left_us(restore)};
        int r = pg_feed_open(&restore->feed, error);
        if (r < 0)
                return r;
        pg_sql_transaction(&restore->feed, &transaction, restore->name);
        r = pg_feed_check(&restore->feed, error);
        const PgChildSpec spec = {.program = "psql",
                                  .arguments = arguments,
                                  .name = restore->name,
                                  .input_fd = restore->feed.fd,
                                  .line = on_line,
                                  .ended = on_psql_ended,
                                  .userdata = restore};
        return r < 0 ? r : pg_child_start(restore->postgres, &spec, &restore->child, error);
}

static void on_dumped(void *userdata, const char *path, const Error *error) {
        Restore *restore = userdata;
        Error failure = *error;
        restore->dump = NULL;
        snprintf(restore->dumped, sizeof restore->dumped, "%s", path);
        if (failure.code == 0) {
                char undo[PATH_MAX * 2];
                tell(restore, "safety dump: %s; to put it back: %s", path,
                     pg_dump_undo(restore->postgres, path, undo, sizeof undo));
                (void)run_psql(restore, &failure);
        }
        if (failure.code)
                op_fail(&restore->op, &failure);
}

static void on_gated(void *userdata, const SchemaGate *gate, PgWay *way, PgPlan *plan) {
        Restore *restore = userdata;
        Error error = {0};
        restore->gate = NULL;
        restore->way = *way;
        restore->plan = *plan;
        if (gate->verdict == SCHEMA_COMPATIBLE)
                op_succeed(&restore->op, gate->detail);
        else if (gate->verdict != SCHEMA_REVERSIBLE) {
                error_set(&error, gate->verdict == SCHEMA_UNKNOWN ? -EHOSTUNREACH : -EPROTO, "%s", gate->detail);
                op_fail(&restore->op, &error);
        } else {
                tell(restore, "safety dump of %s begins", restore->postgres->server.database);
                if (pg_dump_begin(restore->postgres, restore->request.run_id, restore->way.facts.own_extensions,
                                  on_dumped, restore, &restore->dump, &error) < 0)
                        op_fail(&restore->op, &error);
        }
}

int postgres_restore(void *self, const SchemaRequest *request, DataProgress progress, int64_t budget_us,
                     OpCallback callback, void *userdata, Op **ret_op, Error *error) {
        const Postgres *postgres = self;
        Restore *restore = calloc(1, sizeof *restore);
        if (!restore)
                return error_set(error, -ENOMEM, "PostgreSQL restore: out of memory");
        restore->postgres = postgres;
        restore->request = *request;
        restore->progress = progress;
        int r = op_begin(&restore->op, postgres->context.event, "the way back of the database's schema", budget_us,
                         callback, userdata, restore_destroy);
        if (r < 0)
                error_set(error, r, "PostgreSQL restore: %s", strerror(-r));
        restore->begun = r < 0 ? 0 : now_us(restore);
        if (r == 0 && !request->target.declared) {
                OpResult result = {.status = OP_DONE};
                snprintf(result.detail, sizeof result.detail, "%s declares no schema", request->release);
                r = op_complete_soon(&restore->op, &result);
        } else if (r == 0)
                r = pg_gate_begin(postgres, request, true, budget_us, on_gated, restore, &restore->gate, error);
        if (r < 0) {
                restore_destroy(&restore->op);
                return r;
        }
        *ret_op = &restore->op;
        return 0;
}
