#include "daemon/healing.h"

#include "base/clock.h"
#include "core/words.h"
#include "io/process.h"

#include <errno.h>
#include <string.h>

typedef enum Stage { STAGE_REST, STAGE_CLEAR, STAGE_STOP, STAGE_START } Stage;

struct Healer {
        World *world;
        const Settings *settings;
        char name[COMPONENT_NAME_MAX];
        HealingRules rules;
        HealerHooks hooks;
        void *userdata;
        UnitSet units; /* count 0: nothing is restarted */
        Healing healing;
        Stage stage;
        Op *op;
        int64_t begun_mono;
        bool suspended;
        char words[DETAIL_MAX]; /* "clearing its cache and restarting payments.service" */
};

static void begin(Healer *healer, Stage stage);

static const char *const *clear_command(const Healer *healer) {
        return settings_list(healer->settings, "clear");
}

int healer_new(World *world, const char *name, const Settings *settings, const HealerHooks *hooks, void *userdata,
               Healer **ret_healer, Error *error) {
        *ret_healer = NULL;
        if (settings_int(settings, "heal_after") == 0)
                return 0;
        Healer *healer = calloc(1, sizeof *healer);
        if (!healer)
                return error_set(error, -ENOMEM, "out of memory");
        healer->world = world;
        healer->settings = settings;
        healer->hooks = *hooks;
        healer->userdata = userdata;
        healer->rules = (HealingRules){.after = (unsigned)settings_int(settings, "heal_after"),
                                       .limit = (unsigned)settings_int(settings, "heal_limit"),
                                       .backoff_us = settings_int(settings, "heal_backoff")};
        snprintf(healer->name, sizeof healer->name, "%s", name);
        const char *unit = settings_string(settings, "restart");
        int r = unit[0] ? config_unit(unit, &healer->units, error) : 0;
        if (r < 0) {
                free(healer);
                return r;
        }
        snprintf(healer->words, sizeof healer->words, "%s%s%s%.150s",
                 clear_command(healer)[0] ? "clearing its cache" : "",
                 clear_command(healer)[0] && unit[0] ? " and " : "", unit[0] ? "restarting " : "",
                 unit[0] ? healer->units.names[0] : "");
        *ret_healer = healer;
        return 0;
}

Healer *healer_free(Healer *healer) {
        if (!healer)
                return NULL;
        op_cancel(healer->op);
        free(healer);
        return NULL;
}

/* ---- the stages ---- */

static void end(Healer *healer, const Error *error) {
        char text[REASON_MAX], took[WORDS_MAX];
        healer->stage = STAGE_REST;
        if (error)
                snprintf(text, sizeof text, "%s failed: %.200s", healer->words, error_text(error));
        else
                snprintf(text, sizeof text, "%s is done, in %s", healer->words,
                         words_duration((clock_mono_us() - healer->begun_mono) / 1000 * 1000, took));
        healer->hooks.told(healer->userdata, text, error ? HEALING_FAILED : HEALING_DONE);
}

static void on_stage_done(void *userdata, const OpResult *result) {
        Healer *healer = userdata;
        healer->op = NULL;
        if (result->status != OP_DONE && healer->stage != STAGE_STOP) /* one that won't stop may still be startable */
                end(healer, &result->error);
        else if (healer->stage == STAGE_CLEAR && healer->units.count > 0)
                begin(healer, STAGE_STOP);
        else if (healer->stage == STAGE_STOP)
                begin(healer, STAGE_START);
        else
                end(healer, NULL);
}

static void begin(Healer *healer, Stage stage) {
        const Config *config = healer->world->config;
        const UnitsDriver *units = config->units_driver;
        Error error = {0};
        int r = 0;
        healer->stage = stage;
        if (stage == STAGE_CLEAR)
                r = process_run(healer->world->event, clear_command(healer), NULL, config->cache_timeout_us,
                                on_stage_done, healer, &healer->op, &error);
        else if (stage == STAGE_STOP)
                r = units->stop(healer->world->units, &healer->units, false, config->budgets_us[STEP_STOP_VERSION],
                                on_stage_done, healer, &healer->op, &error);
        else
                r = units->start(healer->world->units, &healer->units, config->budgets_us[STEP_START_VERSION],
                                 on_stage_done, healer, &healer->op, &error);
        if (r < 0)
                end(healer, &error);
}

static bool has_unit(const UnitSet *units, const char *name) {
        for (unsigned i = 0; i < units->count; i++)
                if (strcmp(units->names[i], name) == 0)
                        return true;
        return false;
}

/* The unit of a release that isn't live must not be started beside the one that is. */
static int check_release(const Healer *healer, Error *error) {
        const World *world = healer->world;
        AUTO_FREE char(*versions)[VERSION_MAX] = NULL;
        char current[VERSION_MAX] = "";
        size_t count = 0;
        UnitSet units;
        Error ignored = {0};
        if (healer->units.count == 0)
                return 0;
        const char *unit = healer->units.names[0];
        if (release_store_current(world->releases, current, &ignored) >= 0 &&
            config_units(world->config, current, &units, &ignored) >= 0 && has_unit(&units, unit))
                return 0;
        if (release_store_list(world->releases, &versions, &count, error) < 0)
                return error->code;
        for (size_t i = 0; i < count; i++)
                if (config_units(world->config, versions[i], &units, &ignored) >= 0 && has_unit(&units, unit))
                        return error_set(error, -EBUSY, "%.100s runs release %s, and %s is live", unit, versions[i],
                                         current[0] ? current : "no release that is known");
        return 0;
}

static void try(Healer *healer, const char *reason) {
        char text[REASON_MAX];
        Error error = {0};
        healer->begun_mono = clock_mono_us();
        snprintf(text, sizeof text, "%s, try %u of %u in 24 hours: %.200s", healer->words, healer->healing.count,
                 healer->rules.limit, reason);
        healer->stage = clear_command(healer)[0] ? STAGE_CLEAR : STAGE_STOP;
        healer->hooks.told(healer->userdata, text, HEALING_BEGUN); /* every try that counts, also in a later life */
        if (check_release(healer, &error) < 0)
                end(healer, &error);
        else
                begin(healer, healer->stage);
}

static void give_up(Healer *healer, const char *reason) {
        char text[REASON_MAX];
        snprintf(
                text, sizeof text,
                "manual review: component %s still fails after %u %s in 24 hours (%.120s); nothing more is tried: %.120s",
                healer->name, healer->healing.count, healer->healing.count == 1 ? "try" : "tries", healer->words,
                reason);
        healer->hooks.given_up(healer->userdata, text);
}

void healer_recall(Healer *healer, const int64_t *tries_mono, unsigned count) {
        if (healer)
                healing_recall(&healer->healing, tries_mono, count);
}

void healer_look(Healer *healer, HealthState found, const char *reason) {
        if (!healer || healer->suspended || healer->stage != STAGE_REST)
                return;
        switch (healing_look(&healer->healing, &healer->rules, found, clock_mono_us())) {
        case HEALING_TRY:
                try(healer, reason);
                break;
        case HEALING_GIVE_UP:
                give_up(healer, reason);
                break;
        case HEALING_WELL:
                healer->hooks.given_up(healer->userdata, NULL);
                break;
        case HEALING_NOTHING:
                break;
        }
}

/* ---- runs come first ---- */

void healer_suspend(Healer *healer) {
        if (!healer)
                return;
        healer->suspended = true;
        healer->op = op_cancel(healer->op);
        if (healer->stage == STAGE_CLEAR)
                healer->stage = STAGE_REST;
}

void healer_resume(Healer *healer) {
        if (!healer || !healer->suspended)
                return;
        healer->suspended = false;
        if (healer->stage == STAGE_REST)
                return;
        /* What was stopped is started; but the service's own units are the run's, which knows better what is to run. */
        UnitSet service;
        Error error = {0};
        char version[VERSION_MAX];
        bool known = release_store_current(healer->world->releases, version, &error) >= 0 &&
                     config_units(healer->world->config, version, &service, &error) >= 0;
        if ((known && has_unit(&service, healer->units.names[0])) || check_release(healer, &error) < 0)
                healer->stage = STAGE_REST;
        else
                begin(healer, STAGE_START);
}

bool healer_busy(const Healer *healer) {
        return healer && healer->stage != STAGE_REST;
}
