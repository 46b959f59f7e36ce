/* The release is what was taken in, its switch is laid ready, and its configuration can be read. */
#include "daemon/readiness.h"

#include "adapters/release-internal.h"
#include "base/fsio.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#define VERIFY_BUDGET_US (300 * USEC_PER_SEC) /* hashing much on a slow disk must come to its end */
#define CONFIG_SIZE_MAX (4 * 1024 * 1024)

static void on_verified(void *userdata, const OpResult *result) {
        ReadyRound *round = userdata;
        ReleaseStore *releases = round->controller->world->releases;
        Error error = {0};
        round->child = NULL;
        if (result->status != OP_DONE) {
                ready_failed_by(round, &result->error, "put back what changed, or take it in: auto-rollback adopt");
                return;
        }
        if (round->of_target && release_store_prepare(releases, round->ready.version, &error) < 0) {
                ready_failed_by(round, &error, "mend what is named, so that the switch can be laid ready");
                return;
        }
        if (result->number > 0)
                ready_ok(round, "complete, %lld files hashed anew%s", (long long)result->number,
                         round->of_target ? "; its switch is prepared" : "");
        else
                ready_ok(round, "complete, nothing has changed%s", round->of_target ? "; its switch is prepared" : "");
}

void ready_check_release(ReadyRound *round) {
        Error error = {0};
        if (release_store_verify(round->controller->world->releases, round->ready.version, false, VERIFY_BUDGET_US,
                                 on_verified, round, &round->child, &error) < 0)
                ready_failed_by(round, &error, "mend what is named");
}

/* ---- the configuration ---- */

/* Where and why it is no YAML; false: it is some. */
static bool yaml_broken(const char *text, size_t size, char *why, size_t why_size) {
        yaml_parser_t parser;
        yaml_event_t event;
        bool broken = false, over = false;
        if (!yaml_parser_initialize(&parser))
                return false;
        yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
        while (!broken && !over) {
                broken = !yaml_parser_parse(&parser, &event);
                if (broken)
                        snprintf(why, why_size, "line %zu: %s", parser.problem_mark.line + 1,
                                 parser.problem ? parser.problem : "can't be read");
                else {
                        over = event.type == YAML_STREAM_END_EVENT;
                        yaml_event_delete(&event);
                }
        }
        yaml_parser_delete(&parser);
        return broken;
}

static bool json_broken(const char *text, size_t size, char *why, size_t why_size) {
        json_error_t error;
        json_t *document = json_loadb(text, size, JSON_DECODE_ANY, &error);
        if (!document)
                snprintf(why, why_size, "line %d: %s", error.line, error.text);
        json_decref(document);
        return !document;
}

static const struct {
        const char *suffix, *name;
        bool (*broken)(const char *text, size_t size, char *why, size_t why_size);
} formats[] = {{".yaml", "YAML", yaml_broken}, {".yml", "YAML", yaml_broken}, {".json", "JSON", json_broken}};

static void judge_text(ReadyRound *round, const char *path, const char *text, size_t size) {
        char why[DETAIL_MAX];
        const char *suffix = strrchr(path, '.');
        for (size_t i = 0; suffix && i < ARRAY_SIZE(formats); i++) {
                if (strcmp(suffix, formats[i].suffix) != 0)
                        continue;
                if (formats[i].broken(text, size, why, sizeof why))
                        ready_failed(round, "mend the file, then: auto-rollback adopt", "%s is no %s: %s", path,
                                     formats[i].name, why);
                else
                        ready_ok(round, "%s is there, and is %s (%zu bytes)", path, formats[i].name, size);
                return;
        }
        ready_ok(round, "%s is there (%zu bytes); its format isn't known, so it isn't parsed", path, size);
}

void ready_check_configuration(ReadyRound *round) {
        char path[PATH_MAX] = "";
        size_t size;
        AUTO_FREE char *text = NULL;
        Error error = {0};
        const Config *config = round->controller->config;
        if (config->saved_config[0] == '\0') {
                ready_not_applicable(round, "releases have none of their own (paths.saved_config)");
                return;
        }
        int r = release_saved_config_path(round->controller->world->releases, round->ready.version, path, &error);
        if (r == 0)
                r = fs_read_file(path, CONFIG_SIZE_MAX, &text, &size, &error);
        bool missing = r == -ENOENT || r == -ENOTDIR;
        if (missing && strcmp(round->ready.version, round->controller->version) == 0)
                ready_ok(round, "%s isn't there; what is live is kept when the release is left", path);
        else if (missing && round->ready.checks[READY_RELEASE].verdict != READY_OK)
                ready_failed(round, "put it back, then: auto-rollback adopt", "%s is missing", path);
        else if (missing) /* the switch knows where else it may come from, and was prepared */
                ready_ok(round, "%s isn't there; what was live when the release was left is used", path);
        else if (r < 0)
                ready_failed(round, "make it a file that can be read", "%s", error_text(&error));
        else
                judge_text(round, path, text, size);
}
