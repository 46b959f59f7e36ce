/* When readiness is asked for, of which release, and what follows from the answer. */
#include "daemon/readiness.h"
#include "base/clock.h"

#include "api/wire.h"
#include "core/words.h"
#include "daemon/operations.h"
#include "store/sidefile.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define AGAIN_US (2 * USEC_PER_SEC) /* what could not be told is asked for again so soon, then ever more rarely */

/* ---- the timer ---- */

/* A round is under way, or was cut off by a run: its end asks for the next. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Controller *controller = userdata;
        (void)source;
        (void)usec;
        if (!controller->readiness.round)
                readiness_check(controller);
        return 0;
}

static int64_t until_next(struct Readiness *readiness, int64_t interval_us) {
        int64_t wait = AGAIN_US;
        if (readiness->ready != KNOWN_NOT || readiness->version[0] == '\0') {
                readiness->unknown_rounds = 0;
                return interval_us;
        }
        for (unsigned i = 0; i < readiness->unknown_rounds && wait < interval_us; i++)
                wait *= 2;
        readiness->unknown_rounds++;
        return wait < interval_us ? wait : interval_us;
}

static void set_timer(Controller *controller) {
        struct Readiness *readiness = &controller->readiness;
        uint64_t wait = (uint64_t)until_next(readiness, controller->config->readiness_interval_us);
        int r = 0;
        if (!readiness->timer)
                r = sd_event_add_time_relative(controller->event, &readiness->timer, CLOCK_BOOTTIME, wait,
                                               (uint64_t)USEC_PER_SEC / 10, on_timer, controller);
        else
                r = sd_event_source_set_time_relative(readiness->timer, wait);
        if (r >= 0)
                (void)sd_event_source_set_enabled(readiness->timer, SD_EVENT_ONESHOT);
}

/* ---- rounds ---- */

static void on_live_done(Controller *controller, const Ready *ready) {
        controller->readiness.live = *ready;
        controller->readiness.round = ready_round_free(controller->readiness.round);
        set_timer(controller);
}

/* What the next deployment would make the target. */
static void begin_live(Controller *controller) {
        struct Readiness *readiness = &controller->readiness;
        Error error = {0};
        if (strcmp(readiness->live.version, controller->version) != 0)
                readiness->live = (Ready){0};
        if (controller->version[0] == '\0' ||
            ready_round_begin(controller, controller->version, false, on_live_done, &readiness->round, &error) < 0)
                set_timer(controller);
}

static const ReadyCheck *first_failed(const Ready *ready) {
        for (unsigned i = 0; i < READY_ITEMS; i++)
                if (ready->checks[i].verdict == READY_FAILED)
                        return &ready->checks[i];
        return NULL;
}

static void conclude(Controller *controller) {
        struct Readiness *readiness = &controller->readiness;
        char message[ALERT_TEXT_MAX];
        readiness->ready = ready_judge(&readiness->target, readiness->detail, sizeof readiness->detail);
        const ReadyCheck *failed = first_failed(&readiness->target);
        if (failed)
                snprintf(message, sizeof message, "%s could not be started now: %s. What to do: %s", readiness->version,
                         readiness->detail, failed->next);
        if (readiness->ready == KNOWN_TRUE)
                readiness->proven_mono = clock_mono_us();
        if (failed || readiness->ready == KNOWN_TRUE) /* what isn't known neither raises nor clears */
                alert_set(controller, "readiness", failed ? message : NULL);
}

static void on_target_done(Controller *controller, const Ready *ready) {
        controller->readiness.target = *ready;
        controller->readiness.round = ready_round_free(controller->readiness.round);
        conclude(controller);
        begin_live(controller);
}

/* Space is part of it: the side file and the journal's reserve. */
static void prepare_space(Controller *controller) {
        char path[PATH_MAX];
        Error error = {0};
        snprintf(path, sizeof path, "%s/emergency.jsonl", controller->config->state);
        int r = sidefile_prepare(path, &error);
        if (r >= 0 && controller->journal)
                r = journal_prepare_space(controller->journal, &error);
        snprintf(controller->readiness.space, sizeof controller->readiness.space, "%.*s", DETAIL_MAX - 1,
                 r < 0 ? error_text(&error) : "");
        alert_set(controller, "space", r < 0 ? error_text(&error) : NULL);
}

/* Nothing to go back to is shown, it isn't a fault. */
static void note_no_target(Controller *controller, const Error *error) {
        struct Readiness *readiness = &controller->readiness;
        readiness->version[0] = '\0';
        readiness->ready = KNOWN_NOT;
        readiness->target = (Ready){0};
        snprintf(readiness->detail, sizeof readiness->detail, "%.*s", DETAIL_MAX - 1, error_text(error));
        alert_set(controller, "readiness", NULL);
        begin_live(controller);
}

/* Until the new answer is there the old one stands; of another release nothing is known. */
static void forget_other(struct Readiness *readiness, const char *version) {
        if (strcmp(readiness->version, version) == 0)
                return;
        snprintf(readiness->version, sizeof readiness->version, "%s", version);
        readiness->ready = KNOWN_NOT;
        readiness->target = (Ready){0};
        readiness->unknown_rounds = 0;
        snprintf(readiness->detail, sizeof readiness->detail, "not yet looked at");
}

void readiness_check(Controller *controller) {
        struct Readiness *readiness = &controller->readiness;
        Release target = {0};
        TargetDoubt doubt;
        Error error = {0};
        if (controller->role != ROLE_DAEMON)
                return;
        if (runner_run(controller->runner) || controller->adoption) { /* asked for again at their end */
                set_timer(controller);
                return;
        }
        if (!readiness->memory && !(readiness->memory = calloc(1, sizeof *readiness->memory))) {
                set_timer(controller);
                return;
        }
        readiness->round = ready_round_free(readiness->round);
        prepare_space(controller);
        if (catalog_target(controller, MODE_EMERGENCY, NULL, &target, &doubt, &error) < 0) {
                note_no_target(controller, &error);
                return;
        }
        forget_other(readiness, target.version);
        if (ready_round_begin(controller, target.version, true, on_target_done, &readiness->round, &error) >= 0)
                return;
        readiness->ready = KNOWN_FALSE;
        snprintf(readiness->detail, sizeof readiness->detail, "%.*s", DETAIL_MAX - 1, error_text(&error));
        alert_set(controller, "readiness", readiness->detail);
        set_timer(controller);
}

void readiness_interrupt(Controller *controller) {
        controller->readiness.round = ready_round_free(controller->readiness.round);
        if (controller->readiness.timer)
                set_timer(controller);
}

void readiness_cancel(Controller *controller) {
        controller->readiness.round = ready_round_free(controller->readiness.round);
        controller->readiness.timer = sd_event_source_disable_unref(controller->readiness.timer);
        free(controller->readiness.memory);
        controller->readiness.memory = NULL;
}

/* ---- what is asked of it ---- */

bool readiness_none_left(const Controller *controller, const char *version, char *why, size_t size) {
        const Ready *live = &controller->readiness.live;
        char words[DETAIL_MAX];
        why[0] = '\0';
        if (controller->version[0] == '\0' || strcmp(version, controller->version) == 0 || live->at_wall == 0 ||
            strcmp(live->version, controller->version) != 0 || ready_judge(live, words, sizeof words) == KNOWN_TRUE)
                return false;
        words_append(why, size,
                     "%s would then be what a rollback goes to, and it is not proven that it could be started: %s",
                     live->version, words);
        return true;
}

static json_t *checks_json(const Ready *ready, unsigned items) {
        json_t *list = json_array();
        for (unsigned i = 0; i < items && ready->at_wall != 0; i++) {
                const ReadyCheck *check = &ready->checks[i];
                json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o, s:o}", "key", ready_item_key((ReadyItem)i),
                                                      "title", ready_item_title((ReadyItem)i), "verdict",
                                                      ready_verdict_name(check->verdict), "measured",
                                                      wire_text(check->measured), "next", wire_text(check->next)));
        }
        return list;
}

json_t *readiness_checks_json(const Ready *ready) {
        return checks_json(ready, READY_ITEMS);
}

static json_t *tristate(Tristate value) {
        return value == KNOWN_NOT ? json_null() : json_boolean(value == KNOWN_TRUE);
}

Tristate readiness_target(const Controller *controller) {
        const struct Readiness *readiness = &controller->readiness;
        bool no_target = readiness->version[0] == '\0' && readiness->detail[0] != '\0';
        return no_target ? KNOWN_FALSE : readiness->ready;
}

json_t *readiness_json(Controller *controller) {
        const struct Readiness *readiness = &controller->readiness;
        char words[DETAIL_MAX];
        const Ready *live = &readiness->live;
        Tristate left = ready_judge(live, words, sizeof words);
        return json_pack(
                "{s:o, s:o, s:o, s:o, s:o, s:o}", "ready", tristate(readiness_target(controller)), "version",
                wire_text_or_null(readiness->version), "detail",
                wire_text(readiness->detail[0] ? readiness->detail : "not yet looked at"), "checked",
                wire_time(readiness->target.at_wall), "checks", readiness_checks_json(&readiness->target), "current",
                live->version[0] ? json_pack("{s:s, s:o, s:o, s:o, s:o}", "version", live->version, "ready",
                                             tristate(left), "detail", wire_text(words), "checked",
                                             wire_time(live->at_wall), "checks", checks_json(live, READY_OF_RELEASE))
                                 : json_null());
}

int op_ready(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        (void)arguments;
        (void)caller;
        return answer(readiness_json(self), ret_answer, problem);
}
