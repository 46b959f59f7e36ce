/* The tables of routes and shapes fit each other and the core's words, and the description that is made of them is whole. */
#include "api/routes.h"
#include "api/shapes.h"
#include "api/wire-health.h"
#include "api/wire.h"
#include "core/health.h"
#include "core/names.h"
#include "core/plan.h"
#include "core/run.h"
#include "core/validate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SHAPES_MAX 128

static const Shape *find_shape(const char *name, size_t length) {
        const Shape *shape;
        for (unsigned i = 0; (shape = shape_at(i)); i++)
                if (strlen(shape->name) == length && strncmp(shape->name, name, length) == 0)
                        return shape;
        return NULL;
}

/* The type without what is in front and behind. */
static const char *bare(const char *type, size_t *ret_length) {
        while (strncmp(type, "[]", 2) == 0 || strncmp(type, "{}", 2) == 0)
                type += 2;
        *ret_length = strcspn(type, "?+");
        return type;
}

static void check_type(const Shape *shape, const char *member, const char *type) {
        static const char *const plain[] = {"text", "integer", "number", "boolean", "time", "any"};
        size_t length;
        const char *word = bare(type, &length);
        if (word[length] != '\0' && word[length + 1] != '\0')
                fail_msg("%s.%s: '%s' goes on behind its end", shape->name, member, type);
        if (word[0] == '#') {
                if (!find_shape(word + 1, length - 1))
                        fail_msg("%s.%s: there is no shape '%s'", shape->name, member, type);
                return;
        }
        if (word[0] == '=')
                return assert_true(length > 1 && word[length - 1] != '|' && !strstr(word, "||"));
        for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
                if (strlen(plain[i]) == length && strncmp(plain[i], word, length) == 0)
                        return;
        fail_msg("%s.%s: '%s' is no type", shape->name, member, type);
}

static void test_every_type_is_one(UNUSED void **state) {
        const Shape *shape;
        for (unsigned i = 0; (shape = shape_at(i)); i++) {
                assert_true(shape->summary && shape->summary[0]);
                assert_ptr_equal(find_shape(shape->name, strlen(shape->name)), shape); /* no name twice */
                assert_int_equal(!shape->members, shape->type != NULL);
                if (shape->type)
                        check_type(shape, "itself", shape->type);
                for (const ShapeMember *member = shape->members; member && member->name; member++) {
                        check_type(shape, member->name, member->type);
                        for (const ShapeMember *other = shape->members; other < member; other++)
                                assert_string_not_equal(other->name, member->name);
                }
        }
}

static unsigned index_of(const Shape *shape) {
        unsigned index = 0;
        while (shape_at(index) != shape)
                index++;
        assert_in_range(index, 0, SHAPES_MAX - 1);
        return index;
}

static void reach(const Shape *shape, bool *reached) {
        unsigned index = index_of(shape);
        if (reached[index])
                return;
        reached[index] = true;
        for (const ShapeMember *member = shape->members; member && member->name; member++) {
                size_t length;
                const char *word = bare(member->type, &length);
                if (word[0] == '#')
                        reach(find_shape(word + 1, length - 1), reached);
        }
}

static void test_every_answer_has_a_shape_and_no_shape_is_idle(UNUSED void **state) {
        bool reached[SHAPES_MAX] = {false};
        reach(find_shape("problem", strlen("problem")), reached); /* any route's */
        for (const Route *route = routes; route->method; route++) {
                const Shape *shape = find_shape(route->answer, strlen(route->answer));
                if (!shape)
                        fail_msg("%s %s answers '%s', which is no shape", route->method, route->pattern, route->answer);
                reach(shape, reached);
        }
        const Shape *shape;
        for (unsigned i = 0; (shape = shape_at(i)); i++)
                if (!reached[i])
                        fail_msg("no answer holds a '%s'", shape->name);
}

/* ---- the words are the core's ---- */

static const char *words_of(const char *name, const char *member_name) {
        const Shape *shape = find_shape(name, strlen(name));
        assert_non_null(shape);
        for (const ShapeMember *member = shape->members; member->name; member++)
                if (strcmp(member->name, member_name) == 0)
                        return strchr(member->type, '=') + 1;
        fail_msg("%s has no '%s'", name, member_name);
        return NULL;
}

static void check_word(const char *shape, const char *member, const char *word) {
        const char *words = words_of(shape, member);
        size_t length = strlen(word);
        for (const char *at = words; (at = strstr(at, word)); at += length)
                if ((at == words || at[-1] == '|') && strchr("|?", at[length]))
                        return;
        fail_msg("%s.%s can be '%s', which its shape doesn't know: %s", shape, member, word, words);
}

#define CHECK_WORDS(shape, member, Type, last, name_function)                                                          \
        do {                                                                                                           \
                unsigned count = 1;                                                                                    \
                for (unsigned value = 0; value <= (last); value++)                                                     \
                        check_word(shape, member, name_function((Type)value));                                         \
                for (const char *at = words_of(shape, member); *at; at++)                                              \
                        count += *at == '|';                                                                           \
                assert_int_equal(count, (last) + 1);                                                                   \
                assert_string_equal(name_function((Type)((last) + 1)), "invalid");                                     \
        } while (0)

static void test_words(UNUSED void **state) {
        CHECK_WORDS("run", "kind", RunKind, RUN_ROLLBACK, run_kind_name);
        CHECK_WORDS("run", "mode", RunMode, MODE_EMERGENCY, run_mode_name);
        CHECK_WORDS("run", "phase", RunPhase, RUN_HOLDING, run_phase_name);
        CHECK_WORDS("run", "outcome", RunOutcome, OUTCOME_HELD, run_outcome_name);
        CHECK_WORDS("step", "state", StepState, STEP_SKIPPED, step_state_name);
        CHECK_WORDS("target", "state", ReleaseState, RELEASE_FAILED, release_state_name);
        CHECK_WORDS("sample", "state", SampleState, SAMPLE_DEGRADED, sample_state_name);
        CHECK_WORDS("decision", "kind", DecisionKind, DECISION_REVIEW, decision_kind_name);
        CHECK_WORDS("decision", "guard", Guard, GUARD_SHADOW, guard_key);
        for (unsigned bit = 1; bit <= TRIGGER_BYZANTINE; bit <<= 1)
                check_word("decision", "triggers", trigger_key((Trigger)bit));
        for (unsigned verdict = 0; verdict <= CHECK_NOT_APPLICABLE; verdict++)
                check_word("check", "verdict", check_verdict_name((CheckVerdict)verdict));
        for (unsigned health = 0; health <= HEALTH_UNHEALTHY; health++)
                check_word("component", "status", health_state_name((HealthState)health));
}

/* ---- what the core's structs become ---- */

static bool type_fits(const char *type, const json_t *value);

static void check_shape(const char *name, size_t length, const json_t *value) {
        const Shape *shape = find_shape(name, length);
        size_t seen = 0;
        for (const ShapeMember *member = shape->members; member->name; member++) {
                const json_t *part = json_object_get(value, member->name);
                if (!part && member->type[strlen(member->type) - 1] == '+')
                        continue;
                if (!part)
                        fail_msg("%s has no '%s'", shape->name, member->name);
                if (!type_fits(member->type, part))
                        fail_msg("%s.%s is not %s", shape->name, member->name, member->type);
                seen++;
        }
        if (seen != json_object_size(value))
                fail_msg("%s has members that its shape doesn't know", shape->name);
}

static bool type_fits(const char *type, const json_t *value) {
        size_t length = strlen(type), i;
        const char *key;
        const json_t *item;
        if (type[length - 1] == '?') {
                if (json_is_null(value))
                        return true;
                length--;
        }
        if (strncmp(type, "[]", 2) == 0) {
                json_array_foreach((json_t *)value, i, item)
                        if (!type_fits(type + 2, item))
                                return false;
                return json_is_array(value);
        }
        if (strncmp(type, "{}", 2) == 0) {
                json_object_foreach((json_t *)value, key, item)
                        if (!type_fits(type + 2, item))
                                return false;
                return json_is_object(value);
        }
        if (type[0] == '#') {
                check_shape(type + 1, length - 1, value);
                return true;
        }
        if (strncmp(type, "integer", length) == 0)
                return json_is_integer(value);
        if (strncmp(type, "number", length) == 0)
                return json_is_number(value);
        if (strncmp(type, "boolean", length) == 0)
                return json_is_boolean(value);
        return json_is_string(value); /* that words are the core's is another test */
}

static void check_and_free(const char *name, json_t *value) {
        assert_non_null(value);
        check_shape(name, strlen(name), value);
        json_decref(value);
}

static void test_the_core_as_it_is_sent(UNUSED void **state) {
        const PlanRequest request = {.kind = RUN_ROLLBACK, .mode = MODE_MANUAL, .from = "v3.0.0", .to = "v2.4.0"};
        const Rules rules = {.window_us = USEC_PER_SEC, .interval_us = USEC_PER_SEC};
        const Sample sample = {.end_wall = USEC_PER_SEC, .measured = true, .latency_p50_us = 1, .latency_p99_us = 2};
        Plan plan;
        Error error = {0};
        assert_int_equal(plan_make(&request, &plan, &error), 0);
        AUTO_FREE Run *run = calloc(1, sizeof *run);
        AUTO_FREE Decision *decision = calloc(1, sizeof *decision);
        run_init(run, &plan, "too slow", "root (uid 0)", 0, USEC_PER_SEC);
        run->recovery[STEP_START_VERSION] = (StepRecord){.state = STEP_DONE, .started_wall = 1, .ended_wall = 2};
        *decision = (Decision){.at_wall = USEC_PER_SEC, .sample_count = 1, .samples = {sample}, .rules = rules};
        check_and_free("run", wire_run(run, NULL));
        check_and_free("plan", wire_plan(&plan));
        check_and_free("sample", wire_sample(&sample, &rules, 0));
        check_and_free("decision", wire_decision(decision));
        check_and_free("deployment", wire_deployment(&(Deployment){.version = "v2.4.0", .at_wall = USEC_PER_SEC}));
        check_and_free("thresholds", wire_thresholds(&rules));

        Health health = {.count = 2};
        health.components[0] = (ComponentHealth){
                .name = "api", .state = HEALTH_DEGRADED, .score = 50, .weight = 1, .configured = true};
        health.components[1] = (ComponentHealth){.name = "network"};
        health_sum_up(&health);
        check_and_free("health", wire_health(&health));
        check_and_free("component", wire_component(&health.components[1]));

        const ValidationInput input = {.rules = &rules, .health_score = -1, .baseline_p99_us = -1};
        Validation validation;
        validate(&input, &validation);
        check_and_free("validate", wire_validation(&validation, NULL));
}

/* ---- the description ---- */

static void check_references(const json_t *root, const json_t *value) {
        const json_t *item;
        const char *key;
        size_t i;
        json_object_foreach((json_t *)value, key, item) {
                if (strcmp(key, "$ref") == 0) {
                        char path[128];
                        const json_t *at = root;
                        snprintf(path, sizeof path, "%s", json_string_value(item) + strlen("#/"));
                        for (char *rest = path, *part; (part = strsep(&rest, "/"));)
                                at = json_object_get(at, part);
                        if (!at)
                                fail_msg("the description refers to %s, which is not in it", json_string_value(item));
                } else
                        check_references(root, item);
        }
        if (json_is_array(value))
                json_array_foreach((json_t *)value, i, item)
                        check_references(root, item);
}

static void test_the_description(UNUSED void **state) {
        json_t *document = openapi_document();
        assert_non_null(document);
        check_references(document, document);
        size_t operations = 0, wanted = 0;
        const json_t *path;
        const char *key;
        json_object_foreach(json_object_get(document, "paths"), key, path)
                operations += json_object_size(path);
        for (const Route *route = routes; route->method; route++)
                wanted++;
        assert_int_equal(operations, wanted);
        json_decref(document);
}

/* For test_openapi.py, which looks closer. */
static int print_description(void) {
        json_t *document = openapi_document();
        AUTO_FREE char *text = document ? wire_print(document) : NULL;
        json_decref(document);
        return text && fputs(text, stdout) >= 0 ? 0 : 1;
}

int main(int argc, char **argv) {
        if (argc > 1 && strcmp(argv[1], "--print") == 0)
                return print_description();
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_type_is_one),
                cmocka_unit_test(test_every_answer_has_a_shape_and_no_shape_is_idle),
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_the_core_as_it_is_sent),
                cmocka_unit_test(test_the_description),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
