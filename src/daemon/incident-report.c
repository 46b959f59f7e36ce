#include "daemon/incident-report.h"

#include "base/clock.h"
#include "base/fsio.h"
#include "base/macros.h"
#include "daemon/plot.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <string.h>

#define POINTS_MAX 200
#define MARKS_MAX 8
#define STEPS_MAX 9

static const json_t *pick(const json_t *object, const char *key) {
        const json_t *value = json_object_get(object, key);
        return json_is_null(value) ? NULL : value;
}

static const char *text_at(const json_t *object, const char *key) {
        const char *text = json_string_value(pick(object, key));
        return text ? text : "";
}

static int64_t wall_at(const json_t *object, const char *key) {
        int64_t wall = 0;
        Error ignored = {0};
        const char *text = text_at(object, key);
        return text[0] && clock_parse_rfc3339(text, &wall, &ignored) == 0 ? wall : 0;
}

/* ---- pictures ---- */

static const struct Metric {
        const char *name, *title, *unit, *member, *limit;
        bool below_is_bad;
} metrics[] = {
        {"error-rate", "Error rate", "%", "error_rate_percent", "error_rate_percent", false},
        {"latency-p99", "Latency, p99", "ms", "latency_p99_ms", "latency_p99_ms", false},
        {"success-rate", "Success rate", "%", "success_rate_percent", "success_rate_percent", true},
};

const char *const incident_plots[] = {"error-rate", "latency-p99", "success-rate", NULL};

typedef struct Picture {
        PlotPoint points[POINTS_MAX];
        PlotMark marks[MARKS_MAX];
        PlotStep steps[STEPS_MAX];
        char labels[MARKS_MAX][96];
        Plot plot;
} Picture;

static void take_points(Picture *picture, const json_t *details, const struct Metric *metric) {
        const json_t *sample;
        size_t index;
        json_array_foreach((json_t *)pick(details, "samples"), index, sample) {
                const json_t *value = pick(sample, metric->member);
                const char *state = text_at(sample, "state");
                if (picture->plot.point_count == POINTS_MAX)
                        return;
                picture->points[picture->plot.point_count++] =
                        (PlotPoint){.at_wall = wall_at(sample, "end"),
                                    .value = json_number_value(value),
                                    .known = value && strcmp(state, "unknown") != 0};
        }
}

static void add_mark(Picture *picture, int64_t at_wall, const char *format, const char *word) {
        size_t at = picture->plot.mark_count;
        if (at_wall == 0 || at == MARKS_MAX)
                return;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(picture->labels[at], sizeof picture->labels[at], format, word);
#pragma GCC diagnostic pop
        picture->marks[at] = (PlotMark){.at_wall = at_wall, .label = picture->labels[at]};
        picture->plot.mark_count++;
}

static int64_t first_of(const json_t *details, const char *kind) {
        const json_t *entry;
        size_t index;
        json_array_foreach((json_t *)pick(details, "timeline"), index, entry)
                if (strcmp(text_at(entry, "kind"), kind) == 0)
                        return wall_at(entry, "at");
        return 0;
}

static void take_marks(Picture *picture, const json_t *details) {
        const json_t *run = pick(details, "run_record"), *trigger = pick(details, "trigger");
        add_mark(picture, first_of(details, "deployment"), "%.40s deployed", text_at(details, "version"));
        if (trigger)
                add_mark(picture, wall_at(trigger, "at"), "%s",
                         strcmp(text_at(trigger, "kind"), "rollback") == 0 ? "rollback decided" : "review asked for");
        else
                add_mark(picture, wall_at(run, "created"), "%s", "rollback begun");
        if (pick(run, "serving"))
                add_mark(picture, wall_at(run, "ended"), "%.40s serves", text_at(run, "serving"));
        add_mark(picture, first_of(details, "validation"), "validation: %.20s", text_at(run, "validation"));
}

static void take_steps(Picture *picture, const json_t *details) {
        const json_t *step;
        size_t index;
        json_array_foreach((json_t *)pick(pick(details, "run_record"), "steps"), index, step) {
                int64_t from = wall_at(step, "started"), to = wall_at(step, "ended");
                const char *state = text_at(step, "state");
                if (from == 0 || to < from || picture->plot.step_count == STEPS_MAX)
                        continue;
                picture->steps[picture->plot.step_count++] =
                        (PlotStep){.from_wall = from,
                                   .to_wall = to,
                                   .number = (unsigned)json_integer_value(pick(step, "step")),
                                   .title = text_at(step, "title"),
                                   .failed = strcmp(state, "failed") == 0 || strcmp(state, "timed_out") == 0};
        }
}

static char *draw(const json_t *details, const struct Metric *metric) {
        AUTO_FREE Picture *picture = calloc(1, sizeof *picture);
        if (!picture)
                return NULL;
        picture->plot = (Plot){.title = metric->title,
                               .unit = metric->unit,
                               .points = picture->points,
                               .marks = picture->marks,
                               .steps = picture->steps,
                               .threshold = json_number_value(pick(pick(details, "thresholds"), metric->limit)),
                               .below_is_bad = metric->below_is_bad};
        take_points(picture, details, metric);
        take_marks(picture, details);
        take_steps(picture, details);
        return plot_svg(&picture->plot);
}

char *incident_plot(const json_t *details, const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(metrics); i++)
                if (strcmp(metrics[i].name, name) == 0)
                        return draw(details, &metrics[i]);
        return NULL;
}

/* ---- Markdown ---- */

/* What others have said is shown as it is: nothing in it is markup, or ends a table's cell. */
static void put(FILE *file, const char *text) {
        for (const char *at = text; *at; at++) {
                if (strchr("\\`*_[]<>|#&~", *at))
                        fputc('\\', file);
                fputc((unsigned char)*at < ' ' || *at == 0x7F ? ' ' : *at, file);
        }
}

/* Between fences that are longer than any in it. */
static void put_block(FILE *file, const char *language, const char *text) {
        size_t longest = 2, run = 0;
        for (const char *at = text; *at; at++) {
                run = *at == '`' ? run + 1 : 0;
                longest = run > longest ? run : longest;
        }
        for (unsigned i = 0; i < 2; i++) {
                for (size_t k = 0; k <= longest; k++)
                        fputc('`', file);
                fprintf(file, "%s\n", i == 0 ? language : "");
                if (i == 0)
                        fprintf(file, "%s%s", text, text[0] && text[strlen(text) - 1] == '\n' ? "" : "\n");
        }
}

static void put_row(FILE *file, const char *name, const char *text) {
        if (text[0] == '\0')
                return;
        fprintf(file, "| %s | ", name);
        put(file, text);
        fputs(" |\n", file);
}

static void put_person(FILE *file, const json_t *details, const char *name, const char *when, const char *who) {
        char text[256];
        if (!pick(details, when)) {
                put_row(file, name, "not yet");
                return;
        }
        snprintf(text, sizeof text, "%s, by %s", text_at(details, when), text_at(details, who));
        put_row(file, name, text);
}

static void put_heading(FILE *file, const json_t *details) {
        char text[512];
        fprintf(file, "# Incident %" JSON_INTEGER_FORMAT ": ", json_integer_value(pick(details, "id")));
        put(file, text_at(details, "title"));
        fputs("\n\n| | |\n|---|---|\n", file);
        put_row(file, "Severity", text_at(details, "severity"));
        put_row(file, "State", text_at(details, "state"));
        put_row(file, "Cause", text_at(details, "cause"));
        put_row(file, "Opened", text_at(details, "opened"));
        put_person(file, details, "Acknowledged", "acknowledged", "acknowledged_by");
        put_person(file, details, "Resolved", "resolved", "resolved_by");
        snprintf(text, sizeof text, "%s%s%s%s", text_at(details, "version"), pick(details, "release_state") ? " (" : "",
                 text_at(details, "release_state"), pick(details, "release_state") ? " now)" : "");
        put_row(file, "Release", text);
        put_row(file, "Rolled back to", text_at(details, "target"));
        put_row(file, "Outcome", text_at(details, "outcome"));
        fputc('\n', file);
}

/* ---- what triggered ---- */

static void put_number(FILE *file, const json_t *object, const char *key, const char *unit) {
        const json_t *value = pick(object, key);
        if (value)
                fprintf(file, " %.4g%s%s |", json_number_value(value), unit[0] ? " " : "", unit);
        else
                fputs(" unknown |", file);
}

static void put_samples(FILE *file, const json_t *trigger) {
        const json_t *sample;
        size_t index;
        fputs("\n| Sample ended | State | Requests | Errors | Error rate | p99 | Success rate |\n"
              "|---|---|---:|---:|---:|---:|---:|\n",
              file);
        json_array_foreach((json_t *)pick(trigger, "samples"), index, sample) {
                fprintf(file, "| %s | %s |", text_at(sample, "end"), text_at(sample, "state"));
                put_number(file, sample, "requests", "");
                put_number(file, sample, "errors", "");
                put_number(file, sample, "error_rate_percent", "%");
                put_number(file, sample, "latency_p99_ms", "ms");
                put_number(file, sample, "success_rate_percent", "%");
                fputc('\n', file);
        }
}

static void put_trigger(FILE *file, const json_t *details) {
        const json_t *trigger = pick(details, "trigger");
        fputs("## What triggered it\n\n", file);
        if (!trigger) {
                fputs("No decision of the controller: ", file);
                put(file, text_at(details, "title"));
                fputs("\n\n", file);
                return;
        }
        put(file, text_at(trigger, "reason"));
        fputs(".", file);
        if (strcmp(text_at(trigger, "guard"), "none") != 0) {
                fputs(" Not rolled back automatically: ", file);
                put(file, text_at(trigger, "guard_text"));
                fputs(".", file);
        }
        fprintf(file,
                "\n\nDecision %" JSON_INTEGER_FORMAT ": %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
                " samples degraded, %" JSON_INTEGER_FORMAT " needed. `auto-rollback explain %" JSON_INTEGER_FORMAT
                "` tells why, `auto-rollback replay %" JSON_INTEGER_FORMAT "` recomputes it.\n",
                json_integer_value(pick(trigger, "id")), json_integer_value(pick(trigger, "degraded")),
                json_integer_value(pick(trigger, "expected")), json_integer_value(pick(trigger, "needed")),
                json_integer_value(pick(trigger, "id")), json_integer_value(pick(trigger, "id")));
        if (json_array_size(pick(trigger, "samples")) > 0)
                put_samples(file, trigger);
        fputc('\n', file);
}

/* ---- the rest ---- */

static int put_picture(FILE *file, const json_t *details, const struct Metric *metric, ReportPictures pictures) {
        if (pictures != PICTURES_EMBEDDED) {
                fprintf(file, "![%s](%s%s%s)\n\n", metric->title, pictures == PICTURES_OF_API ? "plot/" : "",
                        metric->name, pictures == PICTURES_OF_API ? "" : ".svg");
                return 0;
        }
        AUTO_FREE char *svg = draw(details, metric);
        if (!svg)
                return -ENOMEM;
        size_t size = sodium_base64_ENCODED_LEN(strlen(svg), sodium_base64_VARIANT_ORIGINAL);
        AUTO_FREE char *encoded = malloc(size);
        if (!encoded)
                return -ENOMEM;
        sodium_bin2base64(encoded, size, (const unsigned char *)svg, strlen(svg), sodium_base64_VARIANT_ORIGINAL);
        fprintf(file, "![%s](data:image/svg+xml;base64,%s)\n\n", metric->title, encoded);
        return 0;
}

static int put_pictures(FILE *file, const json_t *details, ReportPictures pictures) {
        int r = 0;
        if (json_array_size(pick(details, "samples")) == 0)
                return 0;
        fputs("## Metrics\n\n", file);
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(metrics); i++)
                r = put_picture(file, details, &metrics[i], pictures);
        return r;
}

static void put_timeline(FILE *file, const json_t *details) {
        const json_t *entry;
        size_t index;
        fputs("## Timeline\n\nAll times are UTC.\n\n| When | | What |\n|---|---|---|\n", file);
        json_array_foreach((json_t *)pick(details, "timeline"), index, entry) {
                fprintf(file, "| %s | %s | ", text_at(entry, "at"), text_at(entry, "kind"));
                put(file, text_at(entry, "text"));
                fputs(" |\n", file);
        }
        fputc('\n', file);
}

static void put_size(FILE *file, const json_t *entry, const char *key) {
        const json_t *value = pick(entry, key);
        if (value)
                fprintf(file, " %" JSON_INTEGER_FORMAT " |", json_integer_value(value));
        else
                fputs(" |", file);
}

static void put_files(FILE *file, const json_t *difference) {
        const json_t *entry;
        size_t index;
        int64_t left_out = json_integer_value(pick(difference, "left_out"));
        if (json_array_size(pick(difference, "files")) == 0)
                return;
        fputs("| File | | Bytes before | Bytes after |\n|---|---|---:|---:|\n", file);
        json_array_foreach((json_t *)pick(difference, "files"), index, entry) {
                fputs("| ", file);
                put(file, text_at(entry, "path"));
                fprintf(file, " | %s |", text_at(entry, "change"));
                put_size(file, entry, "size_before");
                put_size(file, entry, "size_after");
                fputc('\n', file);
        }
        if (left_out > 0)
                fprintf(file, "\n%" PRId64 " more are left out.\n", left_out);
        fputc('\n', file);
}

static void put_difference(FILE *file, const json_t *details) {
        const json_t *difference = pick(details, "difference"), *item;
        size_t index;
        if (!difference)
                return;
        fputs("## What ", file);
        put(file, text_at(difference, "after"));
        fputs(" changed against ", file);
        put(file, text_at(difference, "before"));
        fprintf(file,
                "\n\n%" JSON_INTEGER_FORMAT " files added, %" JSON_INTEGER_FORMAT " removed, %" JSON_INTEGER_FORMAT
                " changed. Secrets are masked.\n\n",
                json_integer_value(pick(difference, "added")), json_integer_value(pick(difference, "removed")),
                json_integer_value(pick(difference, "changed")));
        json_array_foreach((json_t *)pick(difference, "notes"), index, item) {
                fputs("- ", file);
                put(file, json_string_value(item));
                fputs("\n", file);
        }
        if (json_array_size(pick(difference, "notes")) > 0)
                fputc('\n', file);
        json_array_foreach((json_t *)pick(difference, "texts"), index, item) {
                fputs("### ", file);
                put(file, text_at(item, "name"));
                fputs("\n\n", file);
                put_block(file, "diff", text_at(item, "diff"));
                fprintf(file, "%s\n", json_is_true(pick(item, "cut")) ? "There is more.\n" : "");
        }
        put_files(file, difference);
}

static int put_log(FILE *file, const json_t *log, const char *title) {
        const json_t *item;
        size_t index;
        AUTO_FREE char *text = NULL;
        size_t size;
        if (!log)
                return 0;
        FILE *lines = open_memstream(&text, &size);
        if (!lines)
                return -ENOMEM;
        json_array_foreach((json_t *)pick(log, "lines"), index, item)
                fprintf(lines, "%s%s%s\n", text_at(item, "at"), pick(item, "at") ? " " : "", text_at(item, "text"));
        if (fclose(lines) != 0)
                return -ENOMEM;
        fprintf(file, "## %s ", title);
        put(file, text_at(log, "version"));
        fputs("\n\n", file);
        if (text[0])
                put_block(file, "text", text);
        if (text_at(log, "note")[0]) {
                fputs(text[0] ? "\n" : "", file);
                put(file, text_at(log, "note"));
                fputc('\n', file);
        }
        fputc('\n', file);
        return 0;
}

char *incident_report(const json_t *details, ReportPictures pictures) {
        char *text = NULL;
        size_t size;
        FILE *file = open_memstream(&text, &size);
        if (!file)
                return NULL;
        put_heading(file, details);
        put_trigger(file, details);
        int r = put_pictures(file, details, pictures);
        put_timeline(file, details);
        put_difference(file, details);
        if (r == 0)
                r = put_log(file, pick(details, "log"), "The last lines of");
        if (r == 0)
                r = put_log(file, pick(details, "target_log"),
                            "Of the release that should have replaced it, the last lines of");
        bool failed = ferror(file) != 0 || r < 0;
        if (fclose(file) != 0 || failed) {
                free(text);
                return NULL;
        }
        return text;
}

/* ---- files ---- */

static int write_one(const char *directory, const char *name, char *text, Error *error) {
        char path[PATH_MAX];
        int n = snprintf(path, sizeof path, "%s/%s", directory, name);
        int r = !text                      ? error_set(error, -ENOMEM, "%s/%s: out of memory", directory, name)
                : (size_t)n >= sizeof path ? error_set(error, -ENAMETOOLONG, "path is too long: %.200s", directory)
                                           : fs_write_atomic(path, text, strlen(text), 0640, error);
        free(text);
        return r;
}

int incident_report_write(const json_t *details, const char *directory, Error *error) {
        int r = 0;
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(metrics); i++) {
                char name[32];
                snprintf(name, sizeof name, "%s.svg", metrics[i].name);
                r = write_one(directory, name, draw(details, &metrics[i]), error);
        }
        if (r == 0)
                r = write_one(directory, "report.json", json_dumps(details, JSON_INDENT(2) | JSON_REAL_PRECISION(9)),
                              error);
        if (r == 0) /* last: what it shows is there by then */
                r = write_one(directory, INCIDENT_REPORT_NAME, incident_report(details, PICTURES_BESIDE), error);
        return r;
}
