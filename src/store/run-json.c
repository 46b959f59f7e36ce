#include "store/run-json.h"

#include "store/fields-json.h"

json_t *run_to_json(const Run *run) {
        json_t *object = json_object();
        if (json_object_set_new(object, "id", json_integer(run->id)) < 0 ||
            fields_to_json(object, run_fields, run) < 0 ||
            fields_to_json_array(object, "plan", plan_step_fields, run->plan.steps, sizeof run->plan.steps[0],
                                 run->plan.count) < 0 ||
            fields_to_json_array(object, "steps", step_record_fields, run->steps, sizeof run->steps[0], STEP_COUNT) <
                    0 ||
            fields_to_json_array(object, "recovery", step_record_fields, run->recovery, sizeof run->recovery[0],
                                 STEP_COUNT) < 0) {
                json_decref(object);
                return NULL;
        }
        return object;
}

int run_from_json(const json_t *document, Run *ret_run, Error *error) {
        Run run = {.id = json_integer_value(json_object_get(document, "id"))};
        int r = fields_from_json(document, run_fields, &run, error);
        if (r == 0)
                r = fields_from_json_array(document, "plan", plan_step_fields, run.plan.steps, sizeof run.plan.steps[0],
                                           STEP_COUNT, NULL, error);
        if (r == 0)
                r = fields_from_json_array(document, "steps", step_record_fields, run.steps, sizeof run.steps[0],
                                           STEP_COUNT, NULL, error);
        if (r == 0)
                r = fields_from_json_array(document, "recovery", step_record_fields, run.recovery,
                                           sizeof run.recovery[0], STEP_COUNT, NULL, error);
        if (r == 0)
                *ret_run = run;
        return r;
}
