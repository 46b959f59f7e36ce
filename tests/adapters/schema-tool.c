/* Drives the schema side of a data driver from a pipe, so that a script can put it before a real server:
 *   schema-tool DRIVER STATE_DIRECTORY KEY=VALUE...
 * then one command a line on stdin, as JSON:
 *   {"verb": "gate" | "restore", "budget_ms": N, "release": V, "target": NEEDS, "leaving": NEEDS, "allow_row_loss": B, "run_id": N,
 *    "limit_ms": N}       NEEDS: {"version": V, "works_with": [V...], "down": [{"to": V, "script": PATH}...]}
 * and lines of JSON as the answer: {"progress": TEXT}... and the result. */
#include "adapters/adapter.h"

#include <errno.h>
#include <string.h>

#include "tool-line.h"

static sd_event *event;
static const DataDriver *data;
static void *driver;
static Op *op;
static bool gating;

static void on_progress(void *userdata, const char *line) {
        (void)userdata;
        tool_tell(json_pack("{ss}", "progress", line));
}

static void on_done(void *userdata, const OpResult *result) {
        static const char *const verdicts[] = {"unknown", "compatible", "reversible", "refused"};
        (void)userdata;
        op = NULL;
        json_t *answer = tool_result(result);
        const SchemaGate *gate = &result->gate;
        if (gating && result->status == OP_DONE)
                json_object_update_new(answer, json_pack("{ss ss ss ss sI ss ss}", "verdict", verdicts[gate->verdict],
                                                         "current", gate->current, "wanted", gate->wanted, "script",
                                                         gate->script, "estimate_us", (json_int_t)gate->estimate_us,
                                                         "detail", gate->detail, "doubt", gate->doubt));
        tool_tell(answer);
}

static void copy(char *to, size_t size, const json_t *from) {
        snprintf(to, size, "%s", json_is_string(from) ? json_string_value(from) : "");
}

static void read_needs(const json_t *from, SchemaNeeds *needs) {
        size_t i;
        json_t *item;
        needs->declared = json_is_object(from);
        copy(needs->version, sizeof needs->version, json_object_get(from, "version"));
        json_array_foreach(json_object_get(from, "works_with"), i, item)
                copy(needs->works_with[needs->works_count++], VERSION_MAX, item);
        json_array_foreach(json_object_get(from, "down"), i, item) {
                copy(needs->down[needs->down_count].to, VERSION_MAX, json_object_get(item, "to"));
                copy(needs->down[needs->down_count].digest, sizeof needs->down->digest,
                     json_object_get(item, "digest"));
                copy(needs->down[needs->down_count++].script, PATH_TEXT_MAX, json_object_get(item, "script"));
        }
}

static void act(const char *line) {
        static SchemaRequest request;
        Error error = {0};
        json_t *command = json_loads(line, 0, NULL);
        int64_t budget_us = json_integer_value(json_object_get(command, "budget_ms")) * USEC_PER_MSEC;
        request = (SchemaRequest){
                .allow_row_loss = json_is_true(json_object_get(command, "allow_row_loss")),
                .run_id = json_integer_value(json_object_get(command, "run_id")),
                .limit_us = json_integer_value(json_object_get(command, "limit_ms")) * USEC_PER_MSEC,
        };
        copy(request.release, sizeof request.release, json_object_get(command, "release"));
        read_needs(json_object_get(command, "target"), &request.target);
        read_needs(json_object_get(command, "leaving"), &request.leaving);
        gating = strcmp(json_string_value(json_object_get(command, "verb")), "gate") == 0;
        int r = gating ? data->gate(driver, &request, budget_us, on_done, NULL, &op, &error)
                       : data->restore(driver, &request, on_progress, budget_us, on_done, NULL, &op, &error);
        if (r < 0)
                tool_tell(tool_refused(&error));
        json_decref(command);
}

int main(int argc, char **argv) {
        if (argc < 3)
                return 64;
        Error error = {0};
        Settings *settings = NULL;
        data = data_driver_find(argv[1]);
        int r = data ? settings_new(data->settings, &settings, &error) : error_set(&error, -EINVAL, "no such driver");
        for (int i = 3; i < argc && r >= 0; i++)
                r = tool_set(settings, data->settings, argv[i], &error);
        if (r >= 0)
                r = sd_event_new(&event);
        const DriverContext context = {.event = event, .state_directory = argv[2]};
        if (r >= 0)
                r = data->open(&context, settings, &driver, &error);
        tool_tell(r < 0 ? tool_refused(&error) : tool_open());
        if (r >= 0)
                r = tool_serve(event, act);
        op_cancel(op);
        if (driver)
                data->close(driver);
        settings_free(settings);
        sd_event_unref(event);
        return r < 0;
}
