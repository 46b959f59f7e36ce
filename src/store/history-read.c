/* The history read back, and kept within its bounds. */
#include "store/history-internal.h"

#include "store/journal-internal.h"

#include <inttypes.h>
#include <string.h>

#define SQL_MAX 2048
#define NAMES_MAX 512
#define PRUNE_EVERY 64 /* writes */
#define PRUNE_ROWS 256 /* more than come in between, so that it keeps up */

/* ---- bounds ---- */

static int64_t used_bytes(History *history, Error *error) {
        int64_t pages = 0, free_pages = 0, page = 0;
        int r = history_number(history, "PRAGMA page_count", &pages, error);
        if (r == 0)
                r = history_number(history, "PRAGMA freelist_count", &free_pages, error);
        if (r == 0)
                r = history_number(history, "PRAGMA page_size", &page, error);
        return r < 0 ? r : (pages - free_pages) * page;
}

int history_prune(History *history, int64_t now_wall, Error *error) {
        char sql[512];
        if (++history->writes < PRUNE_EVERY)
                return 0;
        history->writes = 0;
        int64_t used = used_bytes(history, error);
        if (used < 0)
                return (int)used;
        int64_t before_wall = used > history->limits.max_bytes ? INT64_MAX : now_wall - history->limits.keep_us;
        snprintf(sql, sizeof sql,
                 "DELETE FROM samples WHERE id IN (SELECT id FROM samples ORDER BY id LIMIT %d) AND end_wall < %" PRId64
                 ";"
                 "DELETE FROM marks WHERE id IN (SELECT id FROM marks ORDER BY id LIMIT %d)"
                 " AND id < (SELECT min(id) FROM samples)"
                 " AND id < (SELECT max(id) FROM marks WHERE kind = %d)",
                 PRUNE_ROWS, before_wall, PRUNE_ROWS, (int)HISTORY_DEPLOYMENT);
        return history_execute(history, sql, "remove what is old", error);
}

/* ---- reading ---- */

static int read_fields(History *history, sqlite3_stmt *statement, int first, const Field *fields, void *object,
                       Error *error) {
        return store_read_columns("history", history->path, statement, first, fields, object, error);
}

/* 1: a row; 0: no more. */
static int next_row(History *history, sqlite3_stmt *statement, Error *error) {
        int result = sqlite3_step(statement);
        return result == SQLITE_ROW ? 1 : result == SQLITE_DONE ? 0 : history_fail(history, "read it", error);
}

static int next_sample(History *history, sqlite3_stmt *statement, HistorySample *sample, Error *error) {
        int r = next_row(history, statement, error);
        if (r <= 0)
                return r;
        sample->id = sqlite3_column_int64(statement, 0);
        r = read_fields(history, statement, 1, sample_fields, &sample->sample, error);
        if (r == 0)
                r = read_fields(history, statement, 1 + (int)field_count(sample_fields), history_sample_fields, sample,
                                error);
        return r < 0 ? r : 1;
}

static int next_mark(History *history, sqlite3_stmt *statement, HistoryMark *mark, Error *error) {
        int r = next_row(history, statement, error);
        if (r <= 0)
                return r;
        mark->id = sqlite3_column_int64(statement, 0);
        r = read_fields(history, statement, 1, history_mark_fields, mark, error);
        return r < 0 ? r : 1;
}

static int select_samples(History *history, const char *rest, sqlite3_stmt **ret_statement, Error *error) {
        char names[NAMES_MAX], more[NAMES_MAX], sql[SQL_MAX];
        columns_names(sample_fields, "", names, sizeof names);
        columns_names(history_sample_fields, "", more, sizeof more);
        snprintf(sql, sizeof sql, "SELECT id, %s, %s FROM samples %s", names, more, rest);
        return history_prepare(history, sql, ret_statement, error);
}

static int select_marks(History *history, const char *rest, sqlite3_stmt **ret_statement, Error *error) {
        char names[NAMES_MAX], sql[SQL_MAX];
        columns_names(history_mark_fields, "", names, sizeof names);
        snprintf(sql, sizeof sql, "SELECT id, %s FROM marks %s", names, rest);
        return history_prepare(history, sql, ret_statement, error);
}

static int visit_sample(const HistoryVisitor *visitor, const HistorySample *sample) {
        return visitor->sample ? visitor->sample(visitor->userdata, sample) : 0;
}

static int visit_mark(const HistoryVisitor *visitor, const HistoryMark *mark) {
        return visitor->mark ? visitor->mark(visitor->userdata, mark) : 0;
}

/* Two rows at hand, the older goes first. */
static int merge(History *history, sqlite3_stmt *samples, sqlite3_stmt *marks, const HistoryVisitor *visitor,
                 Error *error) {
        HistorySample sample = {0};
        HistoryMark mark = {0};
        int has_sample = next_sample(history, samples, &sample, error),
            has_mark = next_mark(history, marks, &mark, error);
        while (has_sample > 0 || has_mark > 0) {
                if (has_sample < 0 || has_mark < 0)
                        break;
                bool mark_first = has_mark > 0 && (has_sample == 0 || mark.id < sample.id);
                int r = mark_first ? visit_mark(visitor, &mark) : visit_sample(visitor, &sample);
                if (r != 0)
                        return r;
                if (mark_first)
                        has_mark = next_mark(history, marks, &mark, error);
                else
                        has_sample = next_sample(history, samples, &sample, error);
        }
        return has_sample < 0 ? has_sample : has_mark;
}

static int tell_deployment_before(History *history, int64_t id, const HistoryVisitor *visitor, Error *error) {
        AUTO_HISTORY_STATEMENT sqlite3_stmt *statement = NULL;
        HistoryMark mark = {0};
        int r = select_marks(history, "WHERE kind = ?1 AND id < ?2 ORDER BY id DESC LIMIT 1", &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, HISTORY_DEPLOYMENT);
        sqlite3_bind_int64(statement, 2, id);
        r = next_mark(history, statement, &mark, error);
        return r > 0 ? visit_mark(visitor, &mark) : r;
}

/* The first and the last sample of that time; *ret_first 0: there is none. By the index, however many lie between. */
static int ids_within(History *history, int64_t from_wall, int64_t to_wall, int64_t *ret_first, int64_t *ret_last,
                      Error *error) {
        AUTO_HISTORY_STATEMENT sqlite3_stmt *statement = NULL;
        int r = history_prepare(
                history,
                "SELECT (SELECT id FROM samples WHERE end_wall BETWEEN ?1 AND ?2 ORDER BY end_wall LIMIT 1),"
                " (SELECT id FROM samples WHERE end_wall BETWEEN ?1 AND ?2 ORDER BY end_wall DESC LIMIT 1)",
                &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, from_wall);
        sqlite3_bind_int64(statement, 2, to_wall);
        r = next_row(history, statement, error);
        if (r < 0)
                return r;
        *ret_first = sqlite3_column_int64(statement, 0);
        *ret_last = sqlite3_column_int64(statement, 1);
        return 0;
}

int history_read(History *history, int64_t from_wall, int64_t to_wall, const HistoryVisitor *visitor, Error *error) {
        AUTO_HISTORY_STATEMENT sqlite3_stmt *samples = NULL, *marks = NULL;
        int64_t first, last;
        int r = ids_within(history, from_wall, to_wall, &first, &last, error);
        if (r < 0 || first == 0)
                return r;
        r = tell_deployment_before(history, first, visitor, error);
        if (r == 0)
                r = select_samples(history, "WHERE id BETWEEN ?1 AND ?2 AND end_wall BETWEEN ?3 AND ?4 ORDER BY id",
                                   &samples, error);
        if (r == 0)
                r = select_marks(history, "WHERE id > ?1 AND (id < ?2 OR at_wall <= ?4) AND at_wall >= ?3 ORDER BY id",
                                 &marks, error);
        if (r != 0)
                return r;
        const int64_t bounds[] = {first, last, from_wall, to_wall};
        for (int i = 0; i < 4; i++) {
                sqlite3_bind_int64(samples, i + 1, bounds[i]);
                sqlite3_bind_int64(marks, i + 1, bounds[i]);
        }
        return merge(history, samples, marks, visitor, error);
}

int history_thin(History *history, int64_t from_wall, int64_t to_wall, unsigned points, const HistoryVisitor *visitor,
                 bool *ret_thinned, Error *error) {
        AUTO_HISTORY_STATEMENT sqlite3_stmt *statement = NULL;
        HistorySample sample = {0};
        int64_t first, last, before = 0;
        int r = ids_within(history, from_wall, to_wall, &first, &last, error);
        *ret_thinned = false;
        if (r < 0 || first == 0 || points == 0)
                return r;
        int64_t step = (last - first) / points + 1;
        *ret_thinned = step > 1;
        r = select_samples(history, "WHERE id >= ?1 ORDER BY id LIMIT 1", &statement, error);
        for (int64_t id = first; r == 0 && id <= last; id += step) {
                sqlite3_bind_int64(statement, 1, id + step > last ? last : id); /* the newest is always told */
                r = next_sample(history, statement, &sample, error);
                bool within = r > 0 && sample.id > before && sample.sample.end_wall >= from_wall &&
                              sample.sample.end_wall <= to_wall;
                r = r < 0 ? r : within ? visit_sample(visitor, &sample) : 0;
                before = sample.id;
                sqlite3_reset(statement);
        }
        return r;
}
