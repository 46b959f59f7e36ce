#include "adapters/postgres-plan.h"

#include "base/fsio.h"

#include <errno.h>
#include <string.h>

#define PLAN_MAX ((size_t)16 * 1024 * 1024)

void pg_plan_clear(PgPlan *plan) {
        json_decref(plan->document);
        free(plan->tables);
        *plan = (PgPlan){0};
}

static const char *text_at(const json_t *object, const char *key) {
        return json_string_value(json_object_get(object, key));
}

static bool read_finding(const char *word, PgFinding *ret_finding) {
        static const char *const words[] = {
                [PG_KEPT] = "kept", [PG_DIGEST] = "digest", [PG_DROPPED] = "dropped", [PG_EMPTIED] = "emptied"};
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (word && strcmp(word, words[i]) == 0) {
                        *ret_finding = (PgFinding)i;
                        return true;
                }
        return false;
}

static void add_gone(PgPlan *plan, const PgTable *table, const json_t *columns) {
        size_t i;
        json_t *column;
        json_array_foreach(columns, i, column) {
                size_t used = strlen(plan->gone);
                snprintf(plan->gone + used, sizeof plan->gone - used, "%s%s.%s", used ? ", " : "", table->name,
                         json_string_value(column));
        }
}

static bool read_table(PgPlan *plan, const json_t *row, PgTable *table) {
        table->schema = text_at(row, "schema");
        table->name = text_at(row, "name");
        table->after_schema = text_at(row, "after_schema");
        table->after_name = text_at(row, "after_name");
        table->before = text_at(row, "before");
        table->after = text_at(row, "after");
        table->after_parts = json_is_true(json_object_get(row, "after_parts"));
        table->in_place = json_is_true(json_object_get(row, "in_place"));
        if (!table->before || !table->after)
                table->before = table->after = "";
        table->held = text_at(row, "held");
        table->rest_before = text_at(row, "rest_before");
        table->rest_after = text_at(row, "rest_after");
        table->shape = text_at(row, "shape");
        table->view = text_at(row, "view");
        if (!read_finding(text_at(row, "finding"), &table->finding) || !table->schema || !table->name ||
            (table->finding == PG_DIGEST && (!table->after_schema || !table->after_name)))
                return false;
        if (table->finding != PG_DIGEST || !table->rest_before || !table->rest_after || !table->shape || !table->view)
                table->held = NULL;
        if (table->after_name)
                add_gone(plan, table, json_object_get(row, "gone"));
        return true;
}

int pg_plan_read(json_t *document, PgPlan *ret_plan, Error *error) {
        PgPlan plan = {.document = document,
                       .script = text_at(document, "script"),
                       .catalogue = text_at(document, "catalogue"),
                       .current = text_at(document, "current"),
                       .wanted = text_at(document, "wanted")};
        const json_t *rows = json_object_get(document, "tables");
        bool good = json_integer_value(json_object_get(document, "form")) == PG_PLAN_FORM && plan.script &&
                    plan.catalogue && plan.current && plan.wanted && json_is_array(rows);
        plan.tables = good ? calloc(json_array_size(rows) + 1, sizeof *plan.tables) : NULL;
        good = good && plan.tables;
        for (size_t i = 0; good && i < json_array_size(rows); i++)
                good = read_table(&plan, json_array_get(rows, i), &plan.tables[plan.count++]);
        if (!good) {
                pg_plan_clear(&plan);
                return error_set(error, -EPROTO, "the rehearsal's result can't be read");
        }
        *ret_plan = plan;
        return 0;
}

int pg_plan_load(const char *path, PgPlan *ret_plan, Error *error) {
        AUTO_FREE char *text = NULL;
        size_t size = 0;
        int r = fs_read_file(path, PLAN_MAX, &text, &size, error);
        if (r < 0)
                return r;
        json_t *document = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        r = pg_plan_read(document, ret_plan, error);
        return r < 0 ? error_prefix(error, "%s", path) : 0;
}

int pg_plan_save(const PgPlan *plan, const char *path, Error *error) {
        AUTO_FREE char *text = json_dumps(plan->document, JSON_COMPACT);
        if (!text)
                return error_set(error, -ENOMEM, "%s: out of memory", path);
        return fs_write_atomic(path, text, strlen(text), 0600, error);
}
