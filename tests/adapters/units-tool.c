/* Drives a UnitsDriver from the command line, for the tests that run it on a host:
 *
 *     units-tool [-s KEY=VALUE]... [-c WORD]... [-b BUDGET_MS] DRIVER STATE_DIRECTORY VERB UNIT[,UNIT...] [UNIT,...]
 *
 * -c adds a word to the supervisor's `command`. VERB: query stop start force-stop enable watch hold cycle. `enable` takes the units
 * to disable as second list. `watch` prints every change until it is killed; `hold` starts, and stays with the driver open;
 * `cycle` stops and starts on one connection and prints the medians of 100.
 * One JSON object a line on stdout: { "verb", "status" "done|failed|timed_out", "ms", "detail", "error", and the state }. */
#include "adapters/adapter.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/settings-build.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

extern const UnitsDriver systemd_units_driver, supervisor_units_driver;

#define CYCLES 100

typedef struct Tool {
        const UnitsDriver *driver;
        void *self;
        UnitSet units;
        int64_t budget_us;
        sd_event *event;
        unsigned acts;
        int64_t act_begun, stops[CYCLES], starts[CYCLES];
        const char *verb;
        int64_t begun;
        bool stay;
} Tool;

static void print_text(const char *key, const char *text) {
        printf(", \"%s\": \"", key);
        for (; *text; text++) {
                if (*text == '"' || *text == '\\')
                        putchar('\\');
                putchar(*text);
        }
        putchar('"');
}

static void print_state(const UnitsState *state) {
        printf(", \"loadable\": %s, \"active\": %s, \"alive\": %s, \"failed\": %s, \"restarts\": %" PRId64
               ", \"main_pid\": %" PRId64 ", \"main_start_wall\": %" PRId64,
               state->loadable ? "true" : "false", state->active ? "true" : "false", state->alive ? "true" : "false",
               state->failed ? "true" : "false", state->restarts, state->main_pid, state->main_start_wall);
        print_text("invocation", state->invocation);
        print_text("state_detail", state->detail);
}

static void begin_line(const Tool *tool, const char *status) {
        printf("{\"verb\": \"%s\", \"status\": \"%s\", \"ms\": %.3f", tool->verb, status,
               (double)(clock_mono_us() - tool->begun) / 1000);
}

static void end_line(void) {
        printf("}\n");
        fflush(stdout);
}

static void on_result(void *userdata, const OpResult *result) {
        Tool *tool = userdata;
        static const char *const words[] = {"done", "failed", "timed_out"};
        begin_line(tool, words[result->status]);
        print_text("detail", result->detail);
        if (result->status != OP_DONE)
                print_text("error", error_text(&result->error));
        else if (strcmp(tool->verb, "query") == 0)
                print_state(&result->units);
        end_line();
        if (!tool->stay)
                sd_event_exit(tool->event, result->status);
}

static void on_changed(void *userdata, const UnitsState *state) {
        begin_line(userdata, "changed");
        print_state(state);
        end_line();
}

static void on_warning(void *userdata, const char *source, const char *message) {
        begin_line(userdata, "warning");
        print_text("source", source);
        print_text("detail", message);
        end_line();
}

static int compare(const void *a, const void *b) {
        const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
        return (x > y) - (x < y);
}

static void on_cycled(void *userdata, const OpResult *result) {
        Tool *tool = userdata;
        Op *op;
        Error error = {0};
        int64_t *times = tool->acts % 2 ? tool->starts : tool->stops;
        times[tool->acts++ / 2] = clock_mono_us() - tool->act_begun;
        if (result->status != OP_DONE) {
                on_result(tool, result);
        } else if (tool->acts == 2 * CYCLES) {
                qsort(tool->stops, CYCLES, sizeof *tool->stops, compare);
                qsort(tool->starts, CYCLES, sizeof *tool->starts, compare);
                begin_line(tool, "done");
                printf(", \"stop_ms\": %.3f, \"start_ms\": %.3f", (double)tool->stops[CYCLES / 2] / 1000,
                       (double)tool->starts[CYCLES / 2] / 1000);
                end_line();
                sd_event_exit(tool->event, 0);
        } else {
                tool->act_begun = clock_mono_us();
                if (tool->acts % 2)
                        (void)tool->driver->start(tool->self, &tool->units, tool->budget_us, on_cycled, tool, &op,
                                                  &error);
                else
                        (void)tool->driver->stop(tool->self, &tool->units, false, tool->budget_us, on_cycled, tool, &op,
                                                 &error);
        }
}

static UnitSet parse_units(char *list) {
        UnitSet units = {.version = "v1.0.0"};
        for (char *name = strtok(list, ","); name && units.count < UNITS_MAX; name = strtok(NULL, ","))
                snprintf(units.names[units.count++], UNIT_NAME_MAX, "%s", name);
        return units;
}

static int begin(Tool *tool, const UnitsDriver *driver, void *self, const UnitSet *units, const UnitSet *disable,
                 int64_t budget_us, Error *error) {
        Op *op;
        const char *verb = tool->verb;
        if (strcmp(verb, "query") == 0)
                return driver->query(self, units, budget_us, on_result, tool, &op, error);
        if (strcmp(verb, "stop") == 0 || strcmp(verb, "force-stop") == 0)
                return driver->stop(self, units, verb[0] == 'f', budget_us, on_result, tool, &op, error);
        if (strcmp(verb, "start") == 0 || strcmp(verb, "hold") == 0)
                return driver->start(self, units, budget_us, on_result, tool, &op, error);
        if (strcmp(verb, "cycle") == 0) {
                *tool = (Tool){.driver = driver,
                               .self = self,
                               .units = *units,
                               .budget_us = budget_us,
                               .event = tool->event,
                               .verb = verb,
                               .begun = tool->begun,
                               .act_begun = clock_mono_us()};
                return driver->stop(self, units, false, budget_us, on_cycled, tool, &op, error);
        }
        if (strcmp(verb, "enable") == 0)
                return driver->enable(self, units, disable, budget_us, on_result, tool, &op, error);
        return driver->watch(self, units, on_changed, tool, error);
}

static int set_up_settings(const UnitsDriver *driver, int argc, char **argv, Settings **ret_settings,
                           int64_t *ret_budget_us, const char ***ret_command) {
        Error error = {0};
        int option, words = 0;
        static const char *command[32];
        if (settings_new(driver->settings, ret_settings, &error) < 0)
                return -1;
        optind = 1;
        while ((option = getopt(argc, argv, "+s:c:b:")) != -1) {
                char *value = optarg ? strchr(optarg, '=') : NULL;
                if (option == 'b')
                        *ret_budget_us = atoll(optarg) * USEC_PER_MSEC;
                else if (option == 'c' && words < 31)
                        command[words++] = optarg;
                else if (option == 's' && value) {
                        *value = '\0';
                        if (settings_set(*ret_settings, optarg, value + 1, &error) < 0)
                                return fprintf(stderr, "%s\n", error_text(&error)), -1;
                        *value = '=';
                }
        }
        *ret_command = command;
        return words > 0 && settings_set_list(*ret_settings, "command", command, &error) < 0 ? -1 : 0;
}

static const UnitsDriver *find_driver(int argc, char **argv) {
        while (getopt(argc, argv, "+s:c:b:") != -1)
                ;
        if (argc - optind < 4)
                return NULL;
        return strcmp(argv[optind], "systemd") == 0 ? &systemd_units_driver : &supervisor_units_driver;
}

int main(int argc, char **argv) {
        Tool tool = {.begun = clock_mono_us()};
        const UnitsDriver *driver = find_driver(argc, argv);
        int64_t budget_us = 5 * USEC_PER_SEC;
        const char **command;
        Settings *settings;
        if (!driver || set_up_settings(driver, argc, argv, &settings, &budget_us, &command) < 0 ||
            sd_event_default(&tool.event) < 0)
                return 64;
        argv += optind;
        tool.verb = argv[2];
        tool.stay = strcmp(tool.verb, "hold") == 0 || strcmp(tool.verb, "watch") == 0;
        UnitSet units = parse_units(argv[3]), disable = argv[4] ? parse_units(argv[4]) : (UnitSet){0};

        const DriverContext context = {.event = tool.event,
                                       .state_directory = argv[1],
                                       .current_path = "/opt/novacron/current",
                                       .config_path = "/etc/novacron/config.yaml",
                                       .warn = on_warning,
                                       .userdata = &tool};
        Error error = {0};
        void *self = NULL;
        int r = driver->open(&context, settings, &self, &error);
        if (r == 0)
                r = begin(&tool, driver, self, &units, &disable, budget_us, &error);
        if (r < 0) {
                begin_line(&tool, "refused");
                print_text("error", error_text(&error));
                end_line();
        } else {
                sigset_t end;
                sigemptyset(&end);
                sigaddset(&end, SIGTERM);
                sigprocmask(SIG_BLOCK, &end, NULL);
                sd_event_add_signal(tool.event, NULL, SIGTERM, NULL, NULL);
                r = sd_event_loop(tool.event);
        }
        if (self)
                driver->close(self);
        settings_free(settings);
        sd_event_unref(tool.event);
        return r < 0 ? 1 : r;
}
