#include "daemon/backtesting.h"

#include "adapters/prometheus-range.h"
#include "base/nearest.h"
#include "base/settings-build.h"
#include "base/settings-rules.h"
#include "base/units.h"
#include "daemon/config-schema.h"
#include "store/history.h"
#include "store/samples-csv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

/* ---- what is found is kept ---- */

typedef struct Collector {
        BacktestReport *report;
        Backtest *backtest;
        const BacktestWish *wish;
        bool no_memory;
} Collector;

static void on_found(void *userdata, const BacktestFound *found) {
        Collector *collector = userdata;
        BacktestReport *report = collector->report;
        if (report->found_count == BACKTEST_FOUND_MAX) {
                report->found_more++;
                return;
        }
        if (report->found_count % 64 == 0) {
                BacktestFound *grown = reallocarray(report->found, report->found_count + 64, sizeof *grown);
                if (!grown) {
                        collector->no_memory = true;
                        return;
                }
                report->found = grown;
        }
        report->found[report->found_count++] = *found;
}

static int keep_real(Collector *collector, const HistoryMark *mark) {
        BacktestReport *report = collector->report;
        if (report->real_count % 64 == 0) {
                BacktestReal *grown = reallocarray(report->reals, report->real_count + 64, sizeof *grown);
                if (!grown)
                        return -ENOMEM;
                report->reals = grown;
        }
        report->reals[report->real_count++] = (BacktestReal){
                .id = mark->ref,
                .at_wall = mark->at_wall,
                .kind = mark->decision,
                .guard = mark->guard,
                .triggers = mark->triggers,
        };
        return 0;
}

/* ---- our own history ---- */

static int on_history_sample(void *userdata, const HistorySample *sample) {
        Collector *collector = userdata;
        if (!sample->during_run)
                backtest_sample(collector->backtest, &sample->sample);
        return 0;
}

static void know_deployment(Collector *collector, const HistoryMark *mark) {
        BacktestDeployment known = {
                .deployment = {.id = mark->ref, .at_wall = mark->at_wall, .symptoms_before = mark->triggers},
                .is_rollback = mark->is_rollback,
                .target_sure = mark->target_sure,
        };
        memcpy(known.deployment.version, mark->version, sizeof known.deployment.version);
        memcpy(known.deployment.previous, mark->target, sizeof known.deployment.previous);
        memcpy(known.target, mark->target, sizeof known.target);
        collector->report->deployments_known = true;
        backtest_deployment(collector->backtest, &known);
}

static int on_history_mark(void *userdata, const HistoryMark *mark) {
        Collector *collector = userdata;
        switch (mark->kind) {
        case HISTORY_STARTED:
        case HISTORY_RUN:
                backtest_restart(collector->backtest);
                return 0;
        case HISTORY_DEPLOYMENT:
                know_deployment(collector, mark);
                return 0;
        case HISTORY_DECISION:
                break;
        }
        return keep_real(collector, mark);
}

static int run_history(const Config *config, Collector *collector, Error *error) {
        const HistoryVisitor visitor = {.sample = on_history_sample, .mark = on_history_mark, .userdata = collector};
        char path[PATH_MAX];
        History *history = NULL;
        snprintf(path, sizeof path, "%s/%s", config->state, HISTORY_FILE);
        collector->report->source = "own history";
        snprintf(collector->report->where, sizeof collector->report->where, "%.255s", path);
        int r = history_open_reader(path, &history, error);
        if (r == -EACCES || r == -EPERM)
                return error_set(error, r, "%s can't be read by you: try it as root, or as the service's user", path);
        if (r == 0)
                r = history_read(history, collector->wish->from_wall, collector->wish->to_wall, &visitor, error);
        history_close(history);
        return r == -ENOMEM ? error_set(error, r, "out of memory") : r;
}

/* ---- a file ---- */

static int run_file(Collector *collector, Error *error) {
        const BacktestWish *wish = collector->wish;
        bool standard_input = strcmp(wish->csv, "-") == 0;
        const char *name = standard_input ? "standard input" : wish->csv;
        int fd = standard_input ? dup(STDIN_FILENO) : open(wish->csv, O_RDONLY | O_CLOEXEC);
        SamplesCsv *csv = NULL;
        Sample sample = {0};
        collector->report->source = "file";
        snprintf(collector->report->where, sizeof collector->report->where, "%s", name);
        if (fd < 0)
                return error_set(error, -errno, "%s: %s", name, strerror(errno));
        int r = samples_csv_open(fd, name, wish->rules.interval_us, &csv, error);
        if (r < 0)
                return r;
        while ((r = samples_csv_next(csv, &sample, error)) > 0)
                if (sample.end_wall >= wish->from_wall && sample.end_wall <= wish->to_wall)
                        backtest_sample(collector->backtest, &sample);
        samples_csv_close(csv);
        return r;
}

/* ---- a range of Prometheus ---- */

static void on_range_sample(void *userdata, const Sample *sample) {
        Collector *collector = userdata;
        backtest_sample(collector->backtest, sample);
}

static int run_prometheus(const Config *config, Collector *collector, Error *error) {
        const BacktestWish *wish = collector->wish;
        if (!config->metrics_driver || strcmp(config->metrics_driver->name, "prometheus") != 0)
                return error_set(error, -EINVAL,
                                 "--prometheus asks the one that the configuration names, but metrics.source is %s",
                                 config->metrics_driver ? config->metrics_driver->name : "none");
        collector->report->source = "Prometheus";
        snprintf(collector->report->where, sizeof collector->report->where, "%s",
                 settings_string(config->metrics_settings, "url"));
        return prometheus_range_read(config->metrics_settings, wish->rules.interval_us, wish->from_wall, wish->to_wall,
                                     on_range_sample, collector, error);
}

/* ---- the whole ---- */

int backtesting_run(const Config *config, const BacktestWish *wish, BacktestReport *ret_report, Error *error) {
        *ret_report = (BacktestReport){0};
        Collector collector = {.report = ret_report, .wish = wish};
        collector.backtest = backtest_new(&wish->rules, on_found, &collector);
        if (!collector.backtest)
                return error_set(error, -ENOMEM, "out of memory");
        int r = wish->csv          ? run_file(&collector, error)
                : wish->prometheus ? run_prometheus(config, &collector, error)
                                   : run_history(config, &collector, error);
        backtest_end(collector.backtest);
        ret_report->counts = *backtest_counts(collector.backtest);
        backtest_free(collector.backtest);
        if (r == 0 && collector.no_memory)
                r = error_set(error, -ENOMEM, "out of memory");
        if (r == 0 && ret_report->counts.samples + ret_report->counts.left_out == 0)
                r = error_set(error, -ENOENT, "%s (%s) has no sample of that time", ret_report->source,
                              ret_report->where);
        if (r < 0)
                backtesting_free(ret_report);
        return r;
}

void backtesting_free(BacktestReport *report) {
        free(report->found);
        free(report->reals);
        report->found = NULL;
        report->reals = NULL;
}

/* ---- other rules ---- */

static const char *const rule_blocks[] = {"thresholds", "decision"};

/* NULL: there is no such key, or it is none of the engine's (as how a verdict is acted on). */
static const ConfigBinding *find_binding(const char *block, const char *key) {
        for (const ConfigBinding *binding = config_bindings; binding->block; binding++)
                if (strcmp(binding->block, block) == 0 && strcmp(binding->key, key) == 0) {
                        bool of_rules = !binding->text && binding->offset >= offsetof(Config, rules) &&
                                        binding->offset < offsetof(Config, rules) + sizeof(Rules);
                        return of_rules ? binding : NULL;
                }
        return NULL;
}

static int64_t *rule_of(Rules *rules, const ConfigBinding *binding) {
        return (int64_t *)((char *)rules + (binding->offset - offsetof(Config, rules)));
}

static int refuse_rule(const char *name, Error *error) {
        const char *near = NULL;
        static char names[32][64];
        unsigned count = 0;
        size_t index;
        for (size_t i = 0; i < ARRAY_SIZE(rule_blocks); i++)
                for (const SettingSpec *spec = config_block_find(rule_blocks[i], &index)->specs;
                     spec->key && count < ARRAY_SIZE(names); spec++)
                        if (find_binding(rule_blocks[i], spec->key)) {
                                snprintf(names[count], sizeof names[count], "%s.%s", rule_blocks[i], spec->key);
                                near = nearer_word(name, near, names[count++]);
                        }
        if (near)
                return error_set(error, -EINVAL, "there is no rule '%.60s'; did you mean '%s'?", name, near);
        return error_set(error, -EINVAL,
                         "there is no rule '%.60s'; allowed are the keys of thresholds and decision, such as "
                         "thresholds.latency_p99",
                         name);
}

int backtesting_set(Rules *rules, const char *assignment, Error *error) {
        char name[128];
        const char *value = strchr(assignment, '=');
        size_t index, length = value ? (size_t)(value - assignment) : 0;
        if (!value || length == 0 || length >= sizeof name)
                return error_set(error, -EINVAL,
                                 "'%.60s' is no rule with its value, such as thresholds.latency_p99=150ms", assignment);
        snprintf(name, sizeof name, "%.*s", (int)length, assignment);
        char *key = strchr(name, '.');
        bool known = false;
        for (size_t i = 0; key && i < ARRAY_SIZE(rule_blocks); i++)
                known = known || (strlen(rule_blocks[i]) == (size_t)(key - name) &&
                                  strncmp(name, rule_blocks[i], (size_t)(key - name)) == 0);
        if (!known)
                return refuse_rule(name, error);
        *key++ = '\0';
        const SettingSpec *spec = settings_spec(config_block_find(name, &index)->specs, key);
        const ConfigBinding *binding = spec ? find_binding(name, key) : NULL;
        if (!binding) {
                key[-1] = '.';
                return refuse_rule(name, error);
        }
        return settings_parse(spec, value + 1, rule_of(rules, binding), error);
}

int backtesting_check_rules(const Rules *rules, Error *error) {
        char interval[UNITS_TEXT_MAX], window[UNITS_TEXT_MAX];
        units_format_duration(rules->interval_us, interval, sizeof interval);
        units_format_duration(rules->window_us, window, sizeof window);
        if (rules->interval_us > rules->window_us)
                return error_set(error, -EINVAL,
                                 "decision.interval is %s, longer than thresholds.degradation_window (%s)", interval,
                                 window);
        int64_t samples = rules->window_us / rules->interval_us + 1;
        if (samples > WINDOW_SAMPLES_MAX)
                return error_set(error, -EINVAL,
                                 "a window of %s with an interval of %s makes %" PRId64 " samples; allowed are %d",
                                 window, interval, samples, WINDOW_SAMPLES_MAX);
        return 0;
}

int backtesting_default_rules(Rules *ret_rules, Error *error) {
        size_t index;
        int r = 0;
        for (size_t i = 0; i < ARRAY_SIZE(rule_blocks); i++)
                for (const SettingSpec *spec = config_block_find(rule_blocks[i], &index)->specs; spec->key && r == 0;
                     spec++) {
                        const ConfigBinding *binding = find_binding(rule_blocks[i], spec->key);
                        if (binding)
                                r = settings_parse(spec, spec->fallback, rule_of(ret_rules, binding), error);
                }
        return r;
}
