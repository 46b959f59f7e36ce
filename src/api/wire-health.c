#include "api/wire-health.h"

#include "api/wire.h"
#include "base/clock.h"
#include "core/words.h"

#include <string.h>

#define FORMULA_MAX 1024

static json_t *score_or_null(bool known, int64_t score) {
        return known ? json_integer(score) : json_null();
}

json_t *wire_component(const ComponentHealth *component) {
        return json_pack("{s:s, s:s, s:o, s:i, s:b, s:b, s:o, s:o, s:o}", "name", component->name, "status",
                         health_state_name(component->state), "score",
                         score_or_null(component->state != HEALTH_UNKNOWN, component->score), "weight",
                         (int)component->weight, "critical", component->critical, "configured", component->configured,
                         "reason", wire_text(component->reason), "checked", wire_time(component->checked_wall), "since",
                         wire_time(component->since_wall));
}

static bool counts(const ComponentHealth *component) {
        return component->state != HEALTH_UNKNOWN && component->weight > 0;
}

/* "(3*100 + 1*100 + 2*50) / 6 = 83" */
static json_t *formula(const Health *health) {
        char text[FORMULA_MAX] = "(";
        bool first = true;
        if (health->weights == 0)
                return json_string("nothing that counts is known");
        for (unsigned i = 0; i < health->count; i++) {
                const ComponentHealth *component = &health->components[i];
                if (!counts(component))
                        continue;
                words_append(text, sizeof text, "%s%u*%u", first ? "" : " + ", component->weight, component->score);
                first = false;
        }
        words_append(text, sizeof text, ") / %u = %d", health->weights, health->score);
        return json_string(text);
}

static json_t *states(const Health *health) {
        json_t *object = json_object();
        for (unsigned i = 0; i < health->count; i++)
                json_object_set_new(object, health->components[i].name,
                                    json_string(health_state_name(health->components[i].state)));
        return object;
}

/* What should be measured and can't be is wrong, too; only what there is nothing of to measure isn't. */
static json_t *reasons(const Health *health) {
        json_t *list = json_array();
        for (unsigned i = 0; i < health->count; i++) {
                const ComponentHealth *component = &health->components[i];
                char text[DETAIL_MAX + HEALTH_NAME_MAX + 32] = "";
                if (component->state == HEALTH_HEALTHY || !component->configured)
                        continue;
                words_append(text, sizeof text, "%s is %s: %s", component->name, health_state_name(component->state),
                             component->reason);
                json_array_append_new(list, wire_text(text));
        }
        return list;
}

static json_t *arithmetic(const Health *health) {
        json_t *list = json_array();
        for (unsigned i = 0; i < health->count; i++)
                json_array_append_new(list, wire_component(&health->components[i]));
        return json_pack("{s:i, s:i, s:o, s:o}", "points", (int)health->points, "weights", (int)health->weights,
                         "formula", formula(health), "components", list);
}

static int64_t newest_check(const Health *health) {
        int64_t newest = 0;
        for (unsigned i = 0; i < health->count; i++)
                if (health->components[i].checked_wall > newest)
                        newest = health->components[i].checked_wall;
        return newest;
}

json_t *wire_health(const Health *health) {
        return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "status", health_state_name(health->state), "score",
                         score_or_null(health->score >= 0, health->score), "components", states(health), "reasons",
                         reasons(health), "arithmetic", arithmetic(health), "checked", wire_time(newest_check(health)));
}

/* ---- the other way ---- */

static HealthState parse_state(const char *name) {
        for (HealthState state = HEALTH_UNKNOWN; state <= HEALTH_UNHEALTHY; state++)
                if (name && strcmp(name, health_state_name(state)) == 0)
                        return state;
        return HEALTH_UNKNOWN;
}

static int64_t parse_time(const json_t *value) {
        int64_t wall = 0;
        const char *text = json_string_value(value);
        return text && clock_parse_rfc3339(text, &wall, NULL) == 0 ? wall : 0;
}

static unsigned parse_number(const json_t *value) {
        json_int_t number = json_integer_value(value);
        return number > 0 && number <= 1000 ? (unsigned)number : 0;
}

void wire_parse_health(const json_t *document, Health *ret_health) {
        const json_t *list = json_object_get(json_object_get(document, "arithmetic"), "components"), *row;
        size_t index;
        *ret_health = (Health){0};
        json_array_foreach((json_t *)list, index, row) {
                const char *name = json_string_value(json_object_get(row, "name")),
                           *reason = json_string_value(json_object_get(row, "reason"));
                if (!name || ret_health->count == HEALTH_COMPONENTS_MAX)
                        continue;
                ComponentHealth *component = &ret_health->components[ret_health->count++];
                *component = (ComponentHealth){.state = parse_state(json_string_value(json_object_get(row, "status"))),
                                               .score = parse_number(json_object_get(row, "score")),
                                               .weight = parse_number(json_object_get(row, "weight")),
                                               .critical = json_is_true(json_object_get(row, "critical")),
                                               .configured = json_is_true(json_object_get(row, "configured")),
                                               .checked_wall = parse_time(json_object_get(row, "checked")),
                                               .since_wall = parse_time(json_object_get(row, "since"))};
                snprintf(component->name, sizeof component->name, "%s", name);
                snprintf(component->reason, sizeof component->reason, "%s", reason ? reason : "");
        }
        health_sum_up(ret_health);
}
