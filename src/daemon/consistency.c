#include "daemon/consistency.h"

#include "api/wire.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/words.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define KEY "consistency.newest"
#define ENDED_WITH_US "the controller ended or was reloaded while it was under way: begin it again"
#define TELL_EVERY_US (200 * USEC_PER_MSEC) /* progress; findings and ends are told at once */

struct Consistency {
        Op *op;
        int64_t told_mono;
        ConsistencyView view;
};

const char *consistency_state_name(ConsistencyState state) {
        static const char *const names[] = {
                [CONSISTENCY_NONE] = "none",       [CONSISTENCY_RUNNING] = "running", [CONSISTENCY_PASSED] = "passed",
                [CONSISTENCY_DAMAGED] = "damaged", [CONSISTENCY_FAILED] = "failed",   [CONSISTENCY_STOPPED] = "stopped",
        };
        return names[state];
}

const ConsistencyView *consistency_view(const Controller *controller) {
        static const ConsistencyView none = {.state = CONSISTENCY_NONE, .total = -1};
        return controller->consistency ? &controller->consistency->view : &none;
}

static struct Consistency *made(Controller *controller) {
        if (!controller->consistency)
                controller->consistency = calloc(1, sizeof *controller->consistency);
        return controller->consistency;
}

static void tell(Controller *controller) {
        controller->consistency->told_mono = clock_mono_us();
        controller_tell(controller, "consistency", consistency_json(&controller->consistency->view));
}

/* ---- what outlives us ---- */

/* As many findings as fit. */
static char *print_short(const ConsistencyView *view) {
        for (ConsistencyView shown = *view;; shown.finding_count--) {
                json_t *value = json_pack("{s:s, s:I, s:I, s:o, s:I, s:I, s:I, s:o, s:[]}", "state",
                                          consistency_state_name(view->state), "begun", (json_int_t)view->begun_wall,
                                          "ended", (json_int_t)view->ended_wall, "by", wire_text(view->by), "done",
                                          (json_int_t)view->done, "total", (json_int_t)view->total, "problems",
                                          (json_int_t)view->problems, "detail", wire_text(view->detail), "findings");
                for (unsigned i = 0; value && i < shown.finding_count; i++)
                        json_array_append_new(json_object_get(value, "findings"), wire_text(view->findings[i]));
                char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
                json_decref(value);
                if (!text || strlen(text) < JOURNAL_VALUE_MAX || shown.finding_count == 0)
                        return text;
                free(text);
        }
}

static void keep(Controller *controller) {
        AUTO_FREE char *text = print_short(&controller->consistency->view);
        Error error = {0};
        if (controller->journal && text && journal_set_value(controller->journal, KEY, text, &error) < 0)
                log_warn("the consistency check's result can't be kept: %s", error_text(&error));
}

static void copy_text(const json_t *value, const char *key, char *text, size_t size) {
        const char *found = json_string_value(json_object_get(value, key));
        snprintf(text, size, "%s", found ? found : "");
}

static int64_t copy_number(const json_t *value, const char *key) {
        return json_integer_value(json_object_get(value, key));
}

static void read_view(const json_t *value, ConsistencyView *view) {
        char state[16];
        copy_text(value, "state", state, sizeof state);
        *view = (ConsistencyView){.begun_wall = copy_number(value, "begun"),
                                  .ended_wall = copy_number(value, "ended"),
                                  .done = copy_number(value, "done"),
                                  .total = copy_number(value, "total"),
                                  .problems = copy_number(value, "problems")};
        for (ConsistencyState one = CONSISTENCY_NONE; one <= CONSISTENCY_STOPPED; one++)
                if (strcmp(state, consistency_state_name(one)) == 0)
                        view->state = one;
        copy_text(value, "by", view->by, sizeof view->by);
        copy_text(value, "detail", view->detail, sizeof view->detail);
        const json_t *findings = json_object_get(value, "findings");
        for (size_t i = 0; i < json_array_size(findings) && i < CONSISTENCY_FINDINGS; i++) {
                const char *text = json_string_value(json_array_get(findings, i));
                snprintf(view->findings[view->finding_count++], DETAIL_MAX, "%s", text ? text : "");
        }
}

/* Damage stays until a check has passed. */
static void feed_health(Controller *controller) {
        const ConsistencyView *view = consistency_view(controller);
        char words[DETAIL_MAX] = "", when[CLOCK_TEXT_MAX];
        if (view->state == CONSISTENCY_DAMAGED)
                words_append(words, sizeof words, "the consistency check of %s found damage: %" PRId64 " problems, %s",
                             clock_format_rfc3339(view->ended_wall, when, sizeof when), view->problems, view->detail);
        if (view->state == CONSISTENCY_DAMAGED || view->state == CONSISTENCY_PASSED) {
                alert_set(controller, "consistency", words[0] ? words : NULL);
                if (controller->checkup)
                        checkup_tell_damage(controller->checkup, words[0] ? words : NULL);
        }
}

void consistency_recall(Controller *controller) {
        char text[JOURNAL_VALUE_MAX];
        Error error = {0};
        if (!controller->journal || journal_get_value(controller->journal, KEY, text, sizeof text, &error) != 1)
                return;
        json_t *value = json_loads(text, 0, NULL);
        struct Consistency *consistency = value ? made(controller) : NULL;
        if (consistency) {
                read_view(value, &consistency->view);
                if (consistency->view.state == CONSISTENCY_RUNNING) {
                        consistency->view.state = CONSISTENCY_STOPPED;
                        snprintf(consistency->view.detail, sizeof consistency->view.detail, "%s", ENDED_WITH_US);
                        keep(controller);
                }
                feed_health(controller);
        }
        json_decref(value);
}

/* ---- while it is under way ---- */

static void end(Controller *controller, ConsistencyState state, const char *detail) {
        ConsistencyView *view = &controller->consistency->view;
        controller->consistency->op = NULL;
        view->state = state;
        view->ended_wall = clock_wall_us();
        view->now[0] = '\0';
        view->detail[0] = '\0';
        words_append(view->detail, sizeof view->detail, "%s", detail);
        keep(controller);
        log_info("consistency check: %s: %s", consistency_state_name(state), view->detail);
        tell(controller);
        feed_health(controller);
}

static void on_ended(void *userdata, const OpResult *result) {
        Controller *controller = userdata;
        ConsistencyView *view = &controller->consistency->view;
        if (result->status == OP_DONE) {
                view->problems = result->number;
                view->done = view->total > 0 ? view->total : 0;
                end(controller, result->number > 0 ? CONSISTENCY_DAMAGED : CONSISTENCY_PASSED, result->detail);
        } else if (view->problems > 0) { /* it was found, whatever came then */
                char detail[DETAIL_MAX] = "";
                words_append(detail, sizeof detail, "%" PRId64 " found, and it could not be ended: %s", view->problems,
                             error_text(&result->error));
                end(controller, CONSISTENCY_DAMAGED, detail);
        } else
                end(controller, CONSISTENCY_FAILED, error_text(&result->error));
}

static void on_news(void *userdata, const DataCheckNews *news) {
        Controller *controller = userdata;
        struct Consistency *consistency = controller->consistency;
        ConsistencyView *view = &consistency->view;
        view->done = news->done;
        view->total = news->total;
        snprintf(view->now, sizeof view->now, "%s", news->about);
        if (news->finding) {
                view->problems += news->damage;
                if (view->finding_count < CONSISTENCY_FINDINGS)
                        snprintf(view->findings[view->finding_count++], DETAIL_MAX, "%s", news->finding);
                log_warn("consistency check: %s", news->finding);
        }
        if (news->finding || clock_mono_us() - consistency->told_mono >= TELL_EVERY_US)
                tell(controller);
}

int consistency_begin(Controller *controller, const char *by, Error *error) {
        const Config *config = controller->config;
        struct Consistency *consistency = made(controller);
        if (!consistency)
                return error_set(error, -ENOMEM, "no memory left to begin a consistency check");
        if (consistency->op)
                return 0;
        const ConsistencyView before = consistency->view;
        consistency->view = (ConsistencyView){.state = CONSISTENCY_RUNNING, .begun_wall = clock_wall_us(), .total = -1};
        snprintf(consistency->view.by, sizeof consistency->view.by, "%s", by);
        int r = config->data_driver->check(controller->world->data, on_news, config->data_check_timeout_us, on_ended,
                                           controller, &consistency->op, error);
        if (r < 0) {
                consistency->view = before;
                return r;
        }
        keep(controller);
        log_info("consistency check: begun by %s", by);
        tell(controller);
        return 0;
}

void consistency_stop(Controller *controller, const char *why) {
        if (!controller->consistency || !controller->consistency->op)
                return;
        op_cancel(controller->consistency->op);
        end(controller, CONSISTENCY_STOPPED, why);
}

/* Nobody is told any more: who asks after us reads it in the journal. */
void consistency_free(Controller *controller) {
        struct Consistency *consistency = controller->consistency;
        if (consistency && consistency->op) {
                op_cancel(consistency->op);
                consistency->view.state = CONSISTENCY_STOPPED;
                consistency->view.ended_wall = clock_wall_us();
                snprintf(consistency->view.detail, sizeof consistency->view.detail, "%s", ENDED_WITH_US);
                keep(controller);
        }
        free(consistency);
        controller->consistency = NULL;
}
