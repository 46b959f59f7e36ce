/* Caches are cleared by the operator's commands: all at once, each with its own outcome. Once at a time. */
#include "api/wire.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "base/log.h"
#include "daemon/audit.h"
#include "daemon/operations.h"
#include "io/process.h"

#include <errno.h>

typedef struct CacheHook {
        struct CacheClear *clear;
        const char *name;
        Op *op;
        bool ok;
        int64_t begun_mono, ended_mono;
        char detail[ERROR_MESSAGE_MAX];
} CacheHook;

typedef struct CacheClear {
        Controller *controller;
        ApiReply *reply;
        char by[INITIATOR_MAX];
        unsigned count, running;
        CacheHook hooks[];
} CacheClear;

static json_t *describe(const CacheClear *clear, bool *ret_cleared) {
        json_t *hooks = json_array();
        *ret_cleared = true;
        for (unsigned i = 0; i < clear->count; i++) {
                const CacheHook *hook = &clear->hooks[i];
                *ret_cleared = *ret_cleared && hook->ok;
                json_array_append_new(hooks, json_pack("{s:o, s:b, s:o, s:o}", "name", wire_text(hook->name), "ok",
                                                       (int)hook->ok, "duration_ms",
                                                       wire_ms(hook->ended_mono - hook->begun_mono), "detail",
                                                       wire_text(hook->detail)));
        }
        return json_pack("{s:b, s:o}", "cleared", (int)*ret_cleared, "hooks", hooks);
}

static void finish(CacheClear *clear) {
        bool cleared;
        json_t *value = describe(clear, &cleared);
        ApiReply *reply = clear->reply;
        clear->controller->cache_clear = NULL;
        free(clear);
        api_reply(reply, 200, value, NULL);
}

static void note_end(CacheHook *hook, const OpResult *result) {
        const char *said = result->status == OP_DONE ? result->detail : error_text(&result->error);
        hook->op = NULL;
        hook->ended_mono = clock_mono_us();
        hook->ok = result->status == OP_DONE;
        snprintf(hook->detail, sizeof hook->detail, "%s", said);
        if (!hook->ok)
                log_warn("clearing the cache %s failed: %s", hook->name, hook->detail);
}

static void on_ended(void *userdata, const OpResult *result) {
        CacheHook *hook = userdata;
        note_end(hook, result);
        if (--hook->clear->running == 0)
                finish(hook->clear);
}

static void begin_hook(CacheClear *clear, const char *name, const char *const *argv) {
        const Controller *controller = clear->controller;
        CacheHook *hook = &clear->hooks[clear->count++];
        OpResult refused = {.status = OP_FAILED};
        *hook = (CacheHook){.clear = clear, .name = name, .begun_mono = clock_mono_us()};
        if (process_run(controller->event, argv, NULL, controller->config->cache_timeout_us, on_ended, hook, &hook->op,
                        &refused.error) < 0)
                note_end(hook, &refused);
        else
                clear->running++;
}

int op_cache_clear(void *self, const json_t *arguments, const Caller *caller, ApiReply *reply, Problem *problem) {
        Controller *controller = self;
        const Settings *settings = controller->config->cache_block;
        const char *name;
        const char *const *argv;
        if (!settings || !settings_map_at(settings, "clear", 0, &name, &argv))
                return problem_set(problem, 501, EXIT_CONFIG, "No caches",
                                   "no command is configured that clears a cache: name them in rollback.yaml, as "
                                   "cache: { clear: { redis: [/usr/bin/redis-cli, FLUSHALL] } }");
        if (controller->cache_clear)
                return problem_set(problem, 409, EXIT_TRY_LATER, "Caches are being cleared",
                                   "%s has begun it, and it hasn't ended yet", controller->cache_clear->by);
        unsigned count = 0;
        while (settings_map_at(settings, "clear", count, &name, &argv))
                count++;
        CacheClear *clear = calloc(1, sizeof *clear + count * sizeof clear->hooks[0]);
        if (!clear)
                return problem_set(problem, 503, EXIT_INTERNAL, "Out of memory", "no memory left to run the commands");
        controller->cache_clear = clear;
        clear->controller = controller;
        clear->reply = reply;
        snprintf(clear->by, sizeof clear->by, "%s", caller->name);
        audit_begun(controller, caller, "/api/v3/cache/clear", arguments);
        for (unsigned i = 0; i < count && settings_map_at(settings, "clear", i, &name, &argv); i++)
                begin_hook(clear, name, argv);
        if (clear->running > 0)
                return 0;
        problem_set(problem, 503, EXIT_IO, "Nothing could be run", "%s: %s", clear->hooks[0].name,
                    clear->hooks[0].detail);
        controller->cache_clear = NULL;
        free(clear);
        return -1;
}

void cache_clear_cancel(Controller *controller) {
        CacheClear *clear = controller->cache_clear;
        if (!clear)
                return;
        Problem problem = {0};
        for (unsigned i = 0; i < clear->count; i++)
                clear->hooks[i].op = op_cancel(clear->hooks[i].op);
        problem_set(&problem, 503, EXIT_UNAVAILABLE, "The controller ends", "the commands were ended with it");
        api_reply(clear->reply, 0, NULL, &problem);
        free(clear);
        controller->cache_clear = NULL;
}
