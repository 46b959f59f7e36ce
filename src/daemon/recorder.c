/* What is measured is kept: each sample with what was live then, and what happened between two of them. It is only for looking back:
 * whatever goes wrong here is an alert, never a reason to do anything else differently. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/controller.h"
#include "store/history.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define MEBIBYTE INT64_C(1048576)
#define OPEN_AGAIN_US (60 * USEC_PER_SEC)
#define CATCH_UP_MAX 16 /* decisions and runs between two samples; more than that nobody makes */

typedef struct Recorder {
        History *history;                              /* NULL: it can't be used at the moment */
        int64_t tried_mono;                            /* when it was last opened, or tried to be */
        int64_t run_ref, decision_ref, deployment_ref; /* the newest that stand in it */
} Recorder;

static void history_path(const Controller *controller, char path[PATH_MAX]) {
        snprintf(path, PATH_MAX, "%s/%s", controller->config->state, HISTORY_FILE);
}

/* What was before a new history began isn't told in it. */
static int begin_after(Controller *controller, Recorder *recorder, Error *error) {
        JournalNewest newest = {0};
        int r = history_newest_ref(recorder->history, HISTORY_RUN, &recorder->run_ref, error);
        if (r == 0)
                r = history_newest_ref(recorder->history, HISTORY_DECISION, &recorder->decision_ref, error);
        if (r == 0)
                r = history_newest_ref(recorder->history, HISTORY_DEPLOYMENT, &recorder->deployment_ref, error);
        if (r < 0 || !controller->journal || recorder->deployment_ref > 0)
                return r;
        r = journal_newest(controller->journal, &newest, error);
        recorder->run_ref = newest.run;
        recorder->decision_ref = newest.decision;
        return r;
}

static int open_history(Controller *controller, Recorder *recorder, Error *error) {
        const HistoryLimits limits = {
                .keep_us = controller->config->history_keep_us,
                .max_bytes = controller->config->history_size_mib * MEBIBYTE,
        };
        char path[PATH_MAX];
        bool damaged = false;
        history_path(controller, path);
        recorder->tried_mono = clock_mono_us();
        int r = history_open(path, &limits, &recorder->history, &damaged, error);
        if (r < 0)
                return r;
        if (damaged) {
                char message[REASON_MAX];
                snprintf(message, sizeof message,
                         "the history of samples was damaged: it was moved to %.300s.damaged and a new one was begun; "
                         "nothing but charts and backtests is affected",
                         path);
                alert_set(controller, "history", message);
        }
        HistoryMark started = {.kind = HISTORY_STARTED, .at_wall = controller->begun_wall};
        r = begin_after(controller, recorder, error);
        return r < 0 ? r : history_mark(recorder->history, &started, error);
}

/* ---- marks ---- */

typedef struct CatchUp {
        int64_t since; /* what is newer stands in no mark yet */
        unsigned count;
        HistoryMark marks[CATCH_UP_MAX];
} CatchUp;

static int take_decision(void *userdata, const Decision *decision) {
        CatchUp *catch_up = userdata;
        if (decision->id <= catch_up->since)
                return 1;
        HistoryMark *mark = &catch_up->marks[catch_up->count++];
        *mark = (HistoryMark){
                .kind = HISTORY_DECISION,
                .at_wall = decision->at_wall,
                .ref = decision->id,
                .triggers = decision->triggers,
                .decision = decision->kind,
                .guard = decision->guard,
        };
        memcpy(mark->version, decision->version, sizeof mark->version);
        memcpy(mark->target, decision->target, sizeof mark->target);
        return 0;
}

static int take_run(void *userdata, const Run *run) {
        CatchUp *catch_up = userdata;
        if (run->id <= catch_up->since)
                return 1;
        if (run->ended_wall == 0)
                return 0;
        HistoryMark *mark = &catch_up->marks[catch_up->count++];
        *mark = (HistoryMark){
                .kind = HISTORY_RUN,
                .at_wall = run->created_wall,
                .ended_wall = run->ended_wall,
                .ref = run->id,
                .is_rollback = run->plan.kind == RUN_ROLLBACK,
        };
        memcpy(mark->version, run->plan.from, sizeof mark->version);
        memcpy(mark->target, run->plan.to, sizeof mark->target);
        return 0;
}

/* They were taken newest first. */
static int keep_marks(History *history, CatchUp *catch_up, int64_t *ref, Error *error) {
        int r = 0;
        while (r == 0 && catch_up->count > 0) {
                HistoryMark *mark = &catch_up->marks[--catch_up->count];
                r = history_mark(history, mark, error);
                if (r == 0)
                        *ref = mark->ref;
        }
        return r;
}

static int keep_what_happened(Controller *controller, Recorder *recorder, Error *error) {
        JournalNewest newest;
        if (!controller->journal || journal_newest(controller->journal, &newest, error) < 0)
                return 0; /* the journal's own alert says so */
        CatchUp catch_up = {.since = recorder->decision_ref};
        if (newest.decision > recorder->decision_ref)
                (void)journal_decisions(controller->journal, CATCH_UP_MAX, take_decision, &catch_up, error);
        int r = keep_marks(recorder->history, &catch_up, &recorder->decision_ref, error);
        catch_up = (CatchUp){.since = recorder->run_ref};
        if (r == 0 && newest.run > recorder->run_ref && newest.run_ended_wall > 0)
                (void)journal_runs(controller->journal, CATCH_UP_MAX, take_run, &catch_up, error);
        return r < 0 ? r : keep_marks(recorder->history, &catch_up, &recorder->run_ref, error);
}

static int keep_deployment(Controller *controller, Recorder *recorder, Error *error) {
        const Deployment *deployment = &controller->deployment;
        if (!controller->deployment_known || deployment->id == recorder->deployment_ref)
                return 0;
        HistoryMark mark = {
                .kind = HISTORY_DEPLOYMENT,
                .at_wall = deployment->at_wall,
                .ref = deployment->id,
                .is_rollback = controller->deployment_is_rollback,
                .triggers = deployment->symptoms_before,
        };
        Release target = {0};
        TargetDoubt doubt = TARGET_SURE;
        Error ignored = {0};
        int found = catalog_target(controller, MODE_AUTOMATIC, NULL, &target, &doubt, &ignored);
        memcpy(mark.version, deployment->version, sizeof mark.version);
        memcpy(mark.previous, deployment->previous, sizeof mark.previous);
        if (found == 0 || found == -EPERM)
                memcpy(mark.target, target.version, sizeof mark.target);
        mark.target_sure = found == 0;
        int r = history_mark(recorder->history, &mark, error);
        if (r == 0)
                recorder->deployment_ref = deployment->id;
        return r;
}

/* ---- samples ---- */

static int keep_sample(Controller *controller, Recorder *recorder, const Sample *sample, Error *error) {
        HistorySample kept = {
                .sample = *sample,
                .deployment_id = controller->deployment_known ? controller->deployment.id : 0,
                .during_run = runner_run(controller->runner) || runner_elsewhere(controller->runner, NULL),
        };
        memcpy(kept.version, controller->version, sizeof kept.version);
        int r = keep_what_happened(controller, recorder, error);
        if (r == 0)
                r = keep_deployment(controller, recorder, error);
        return r < 0 ? r : history_add(recorder->history, &kept, error);
}

/* Damaged in the middle: only a new one helps. */
static void begin_anew(Controller *controller, Recorder *recorder) {
        char path[PATH_MAX], message[REASON_MAX];
        Error error = {0};
        history_path(controller, path);
        recorder->history = history_close(recorder->history);
        recorder->tried_mono = 0;
        int r = history_set_aside(path, &error);
        if (r < 0)
                snprintf(message, sizeof message, "the history of samples is damaged, and can't be moved aside: %.300s",
                         error_text(&error));
        else
                snprintf(message, sizeof message,
                         "the history of samples was damaged: it was moved to %.300s.damaged and a new one is begun; "
                         "nothing but charts and backtests is affected",
                         path);
        alert_set(controller, "history", message);
}

void recorder_sampled(Controller *controller, const Sample *sample) {
        Error error = {0};
        if (controller->role != ROLE_DAEMON || controller->config->history_keep_us == 0)
                return;
        if (!controller->recorder && !(controller->recorder = calloc(1, sizeof *controller->recorder)))
                return;
        Recorder *recorder = controller->recorder;
        bool due = recorder->tried_mono == 0 || clock_mono_us() - recorder->tried_mono >= OPEN_AGAIN_US;
        if (!recorder->history && !due)
                return;
        bool opened = !recorder->history;
        int r = opened ? open_history(controller, recorder, &error) : 0;
        if (r == 0)
                r = keep_sample(controller, recorder, sample, &error);
        if (r == -EBADMSG && recorder->history)
                begin_anew(controller, recorder);
        else if (r < 0) {
                recorder->history = history_close(recorder->history);
                error_prefix(&error, "samples aren't recorded");
                alert_set(controller, "history", error_text(&error));
        } else if (!opened)
                alert_set(controller, "history", NULL);
}

void recorder_free(Controller *controller) {
        if (controller->recorder)
                history_close(controller->recorder->history);
        free(controller->recorder);
        controller->recorder = NULL;
}
