#include "api/wire-health.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define CHECKED INT64_C(1795365825000000) /* 2026-11-22T16:43:45Z */

static Health health_of_four(void) {
        Health health = {
                .count = 4,
                .components =
                        {
                                {.name = "consensus",
                                 .state = HEALTH_HEALTHY,
                                 .score = 100,
                                 .weight = 3,
                                 .critical = true,
                                 .configured = true,
                                 .reason = "3 of 3 members answer",
                                 .checked_wall = CHECKED,
                                 .since_wall = CHECKED - 1000000},
                                {.name = "payments",
                                 .state = HEALTH_DEGRADED,
                                 .score = 50,
                                 .weight = 2,
                                 .configured = true,
                                 .reason = "no answer"},
                                {.name = "database", .weight = 1, .reason = "no data adapter configured"},
                                {.name = "network", .weight = 1, .configured = true, .reason = "not measured yet"},
                        },
        };
        health_sum_up(&health);
        return health;
}

static void test_shape(UNUSED void **state) {
        const Health health = health_of_four();
        json_t *document = wire_health(&health), *arithmetic = json_object_get(document, "arithmetic");
        json_t *states = json_object_get(document, "components"), *reasons = json_object_get(document, "reasons");
        assert_string_equal(json_string_value(json_object_get(document, "status")), "degraded");
        assert_int_equal(json_integer_value(json_object_get(document, "score")), 80);
        assert_string_equal(json_string_value(json_object_get(arithmetic, "formula")), "(3*100 + 2*50) / 5 = 80");
        assert_string_equal(json_string_value(json_object_get(states, "payments")), "degraded");
        assert_string_equal(json_string_value(json_object_get(states, "database")), "unknown");
        assert_int_equal(json_array_size(reasons), 2); /* that there is no database to measure is no flaw */
        assert_string_equal(json_string_value(json_array_get(reasons, 0)), "payments is degraded: no answer");
        assert_string_equal(json_string_value(json_array_get(reasons, 1)), "network is unknown: not measured yet");
        assert_string_equal(json_string_value(json_object_get(document, "checked")), "2026-11-22T16:43:45.000Z");
        json_t *network = json_array_get(json_object_get(arithmetic, "components"), 3);
        assert_true(json_is_null(json_object_get(network, "score"))); /* unknown is null, never 0 */
        assert_true(json_is_null(json_object_get(network, "checked")));
        json_decref(document);
}

static void test_nothing_is_known(UNUSED void **state) {
        Health health = {.count = 1, .components = {{.name = "api", .weight = 1, .configured = true}}};
        health_sum_up(&health);
        json_t *document = wire_health(&health);
        assert_string_equal(json_string_value(json_object_get(document, "status")), "unknown");
        assert_true(json_is_null(json_object_get(document, "score")));
        assert_true(json_is_null(json_object_get(document, "checked")));
        assert_string_equal(json_string_value(json_object_get(json_object_get(document, "arithmetic"), "formula")),
                            "nothing that counts is known");
        json_decref(document);
}

static void test_there_and_back(UNUSED void **state) {
        const Health health = health_of_four();
        Health back;
        json_t *document = wire_health(&health);
        wire_parse_health(document, &back);
        json_decref(document);
        assert_int_equal(back.count, health.count);
        assert_int_equal(back.score, health.score);
        assert_int_equal(back.state, health.state);
        for (unsigned i = 0; i < health.count; i++) {
                const ComponentHealth *a = &health.components[i], *b = &back.components[i];
                assert_string_equal(a->name, b->name);
                assert_string_equal(a->reason, b->reason);
                assert_int_equal(a->state, b->state);
                assert_int_equal(a->weight, b->weight);
                assert_int_equal(a->critical, b->critical);
                assert_int_equal(a->configured, b->configured);
                assert_true(a->checked_wall == b->checked_wall && a->since_wall == b->since_wall);
        }
}

static void test_nonsense_is_left_out(UNUSED void **state) {
        static const char *const texts[] = {"{}", "[]", "{\"arithmetic\": 5}",
                                            "{\"arithmetic\": {\"components\": [5, {}, {\"name\": 1}]}}"};
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                Health back;
                json_t *document = json_loads(texts[i], 0, NULL);
                wire_parse_health(document, &back);
                json_decref(document);
                assert_int_equal(back.count, 0);
                assert_int_equal(back.state, HEALTH_UNKNOWN);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_shape),
                cmocka_unit_test(test_nothing_is_known),
                cmocka_unit_test(test_there_and_back),
                cmocka_unit_test(test_nonsense_is_left_out),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
