#include "daemon/runner.h"

#include "base/clock.h"
#include "base/fsio.h"
#include "base/log.h"
#include "core/names.h"
#include "core/steps.h"
#include "daemon/steps.h"
#include "store/sidefile.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

struct Runner {
        World *world;
        Journal *journal; /* borrowed; NULL: can't be used */
        RunnerHooks hooks;
        void *userdata;
        char side_path[PATH_MAX];
        char lock_path[PATH_MAX];

        Run run;
        bool under_way;
        int lock_fd;
        struct timespec lock_left; /* when the lock's file was written last, as we left it */
        Op *op;                    /* the act or probe that was asked for last */
        StepCall call;             /* what it is */
        bool probing;
        sd_event_source *timer;
        unsigned timer_token;
        int64_t failures_at_drain; /* of the metrics' pulse when the drain had ended; -1: not known */
        bool kept_nowhere;         /* neither the journal nor the side file could: said once */
};

/* ---- durability ---- */

/* What failed after the drain, the run made fail; what the drain gave up was in the hands of the release that leaves. */
static void count_failed_requests(Runner *runner) {
        const MetricsDriver *driver = runner->world->config->metrics_driver;
        if (!runner->world->metrics || runner->failures_at_drain < 0)
                return;
        MetricsPulse pulse;
        driver->pulse(runner->world->metrics, &pulse);
        int64_t failed = pulse.failures - runner->failures_at_drain - runner->run.in_flight_cut;
        runner->run.requests_failed = failed > 0 ? failed : 0;
}

static void note_drained(Runner *runner) {
        MetricsPulse pulse = {0};
        runner->failures_at_drain = -1;
        if (!runner->world->metrics)
                return;
        runner->world->config->metrics_driver->pulse(runner->world->metrics, &pulse);
        if (pulse.connected)
                runner->failures_at_drain = pulse.failures;
}

/* Intent before act has one exception: an emergency, or a run that is already on its way, goes on with the side file when the journal
 * can't be written. Stopping half-way would leave the service dark. */
static int make_durable(Runner *runner, Error *error) {
        Run *run = &runner->run;
        const char *note = step_key(run->cursor);
        char progress[LOCK_WHY_MAX];
        snprintf(progress, sizeof progress, "%s: %s", run_phase_name(run->phase), note);
        lock_update_progress(runner->lock_fd, progress);

        int r = runner->journal
                        ? journal_append_run(runner->journal, run, note, error)
                        : error_set(error, -EROFS, "the journal in %s can't be used", runner->world->config->state);
        if (r >= 0 || (run->id == 0 && run->plan.mode != MODE_EMERGENCY))
                return r;
        Error side_error = {0};
        if (sidefile_append(runner->side_path, run, note, &side_error) >= 0) {
                log_warn("%s; going on with the side file %s", error_text(error), runner->side_path);
                return 0;
        }
        bool first = run->id == 0;
        if (first)
                run->id = -clock_wall_us(); /* as the side file would have named it: whoever asks for it is answered */
        if (first || !runner->kept_nowhere)
                log_alert("%s; nor can the side file: %s; going on, because stopping here would leave the service dark",
                          error_text(error), error_text(&side_error));
        runner->kept_nowhere = true;
        return 0;
}

/* ---- the world's answers ---- */

static void feed(Runner *runner, const RunEvent *event);

static void on_answer(void *userdata, const OpResult *result) {
        Runner *runner = userdata;
        runner->op = NULL;
        RunEvent event = {.wall = clock_wall_us(), .token = runner->call.token, .number = result->number};
        event.detail = result->status == OP_DONE ? result->detail : error_text(&result->error);
        if (runner->probing) {
                event.type = EVENT_PROBED;
                event.answer = result->status == OP_DONE ? (ProbeAnswer)result->number : PROBE_UNKNOWN;
        } else if (result->status == OP_DONE) {
                event.type = EVENT_STEP_DONE;
                if (runner->call.step == STEP_DRAIN_TRAFFIC)
                        note_drained(runner);
        } else {
                event.type = result->status == OP_TIMED_OUT ? EVENT_TIMEOUT : EVENT_STEP_FAILED;
                event.final = result->error.code == -ENOTRECOVERABLE;
        }
        feed(runner, &event);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Runner *runner = userdata;
        (void)source;
        (void)usec;
        runner->timer = sd_event_source_disable_unref(runner->timer);
        const RunEvent event = {.type = EVENT_TIMEOUT, .wall = clock_wall_us(), .token = runner->timer_token};
        feed(runner, &event);
        return 0;
}

static void on_progress(void *userdata, const char *line) {
        Runner *runner = userdata;
        const RunEvent event = {
                .type = EVENT_PROGRESS, .wall = clock_wall_us(), .token = runner->call.token, .detail = line};
        feed(runner, &event);
        runner->hooks.progress(runner->userdata, &runner->run, line);
}

/* ---- effects ---- */

static int ask_world(Runner *runner, const RunUpdate *update, Error *error) {
        const StepTools tools = {.world = runner->world,
                                 .journal = runner->journal,
                                 .run = &runner->run,
                                 .progress = on_progress,
                                 .userdata = runner};
        runner->op = op_cancel(runner->op);
        runner->call = update->call;
        runner->probing = update->flags & UPDATE_PROBE;
        if (runner->probing)
                return step_probe(&tools, &runner->call, on_answer, runner, &runner->op, error);
        return step_act(&tools, &runner->call, on_answer, runner, &runner->op, error);
}

/* The Op has the same budget and knows better what it waited for: the run's own timer comes a moment later. */
static int arm_timer(Runner *runner, const RunUpdate *update) {
        runner->timer = sd_event_source_disable_unref(runner->timer);
        runner->timer_token = update->timer_token;
        return sd_event_add_time_relative(runner->world->event, &runner->timer, CLOCK_BOOTTIME,
                                          (uint64_t)(update->timer_us + 50 * USEC_PER_MSEC), 1000, on_timer, runner);
}

static void let_go(Runner *runner) {
        struct stat status;
        if (runner->lock_fd >= 0 && fstat(runner->lock_fd, &status) == 0)
                runner->lock_left = status.st_mtim;
        runner->lock_fd = lock_release(runner->lock_fd);
}

static void end_run(Runner *runner) {
        runner->op = op_cancel(runner->op);
        runner->timer = sd_event_source_disable_unref(runner->timer);
        runner->under_way = false;
        runner->hooks.finished(runner->userdata, &runner->run);
        let_go(runner);
}

/* One move and all that follows from it at once. Returns an error only when the very first append failed: nothing has happened. */
static int move(Runner *runner, const RunEvent *first, Error *error) {
        RunEvent event = *first;
        for (;;) {
                RunUpdate update;
                run_step(&runner->run, &event, &update);
                if (update.flags & UPDATE_APPEND) {
                        if (run_ended(&runner->run))
                                count_failed_requests(runner);
                        Error append_error = {0};
                        int r = make_durable(runner, &append_error);
                        if (r < 0) {
                                error_set(error, r, "%s", error_text(&append_error));
                                return r;
                        }
                        runner->hooks.changed(runner->userdata, &runner->run);
                }
                bool asks = update.flags & (UPDATE_PROBE | UPDATE_DISPATCH);
                Error ask_error = {0};
                int asked = asks ? ask_world(runner, &update, &ask_error) : 0;
                if (update.flags & UPDATE_ARM_TIMER && arm_timer(runner, &update) < 0)
                        log_error("cannot arm the run's timer: its steps still have their own budgets");
                if (update.flags & UPDATE_NOTIFY)
                        runner->hooks.page(runner->userdata, &runner->run, update.notify);
                if (update.flags & UPDATE_FINISH) {
                        end_run(runner);
                        return 0;
                }
                if (update.flags & UPDATE_APPEND) {
                        event = (RunEvent){.type = EVENT_PERSISTED, .wall = clock_wall_us()};
                        continue;
                }
                if (asked >= 0)
                        return 0;
                event = (RunEvent){.type = runner->probing ? EVENT_PROBED : EVENT_STEP_FAILED,
                                   .wall = clock_wall_us(),
                                   .token = update.call.token,
                                   .answer = PROBE_UNKNOWN};
                error_set(error, asked, "%s", error_text(&ask_error));
                event.detail = error_text(error);
        }
}

static void feed(Runner *runner, const RunEvent *event) {
        Error error = {0};
        if (move(runner, event, &error) < 0)
                log_alert("run %lld can't go on: %s", (long long)runner->run.id, error_text(&error));
}

/* ---- life ---- */

int runner_new(World *world, Journal *journal, const RunnerHooks *hooks, void *userdata, Runner **ret_runner,
               Error *error) {
        Runner *runner = calloc(1, sizeof *runner);
        if (!runner)
                return error_set(error, -ENOMEM, "out of memory");
        runner->world = world;
        runner->journal = journal;
        runner->hooks = *hooks;
        runner->userdata = userdata;
        runner->lock_fd = -1;
        runner->failures_at_drain = -1;
        snprintf(runner->side_path, sizeof runner->side_path, "%s/emergency.jsonl", world->config->state);
        snprintf(runner->lock_path, sizeof runner->lock_path, "%s/run.lock", world->config->state);
        *ret_runner = runner;
        return 0;
}

Runner *runner_free(Runner *runner) {
        if (!runner)
                return NULL;
        runner->op = op_cancel(runner->op);
        runner->timer = sd_event_source_disable_unref(runner->timer);
        lock_release(runner->lock_fd);
        free(runner);
        return NULL;
}

static int give_up(Runner *runner, int code) {
        runner->under_way = false;
        let_go(runner);
        return code;
}

int runner_begin(Runner *runner, const RunnerRequest *request, LockHolder *ret_holder, Error *error) {
        Plan plan;
        int r = plan_make(&request->plan, &plan, error);
        if (r < 0)
                return r;
        char why[LOCK_WHY_MAX];
        snprintf(why, sizeof why, "%s to %s: %.150s", run_kind_name(plan.kind), plan.to, request->reason);
        r = lock_take(runner->lock_path, why, 0, ret_holder, &runner->lock_fd, error);
        if (r < 0)
                return r;
        run_init(&runner->run, &plan, request->reason, request->initiator, request->decision_id, clock_wall_us());
        runner->run.symptoms_before = request->symptoms_before;
        runner->run.allow_row_loss = request->allow_row_loss;
        runner->under_way = true;
        runner->failures_at_drain = -1;
        const RunEvent start = {.type = EVENT_START, .wall = clock_wall_us()};
        r = move(runner, &start, error);
        return r < 0 ? give_up(runner, r) : 0;
}

/* 1: it is sound; 0: there is none; -EBADMSG: it can't be gone on with, `error` says why. */
static int load_open_run(const Runner *runner, Run *ret_run, Error *error) {
        Run run = {0};
        int r = runner->journal ? journal_open_run(runner->journal, &run, error) : 0;
        if (r == 0)
                r = sidefile_open_run(runner->side_path, &run, error);
        if (r <= 0)
                return r;
        const char *broken = run_check(&run);
        if (broken)
                return error_set(error, -EBADMSG,
                                 "run %lld was left open and is not sound (%s): nothing is done automatically. Look at "
                                 "what runs, put it right (auto-rollback manual VERSION), then: auto-rollback resume",
                                 (long long)run.id, broken);
        *ret_run = run;
        return 1;
}

int runner_recover(Runner *runner, LockHolder *ret_holder, Error *error) {
        if (runner->under_way)
                return 1;
        int r = lock_take(runner->lock_path, "recovering the run that was interrupted", 0, ret_holder, &runner->lock_fd,
                          error);
        if (r < 0)
                return r;
        r = load_open_run(runner, &runner->run, error);
        if (r <= 0)
                return give_up(runner, r);
        runner->under_way = true;
        runner->failures_at_drain = -1;
        runner->hooks.recovering(runner->userdata, &runner->run);
        const RunEvent recover = {.type = EVENT_RECOVER, .wall = clock_wall_us()};
        feed(runner, &recover);
        return 1;
}

int runner_put_aside(Runner *runner, const char *by, int64_t *ret_id, LockHolder *ret_holder, Error *error) {
        char why[DETAIL_MAX];
        Run run;
        Error broken = {0};
        if (runner->under_way || !runner->journal)
                return 0;
        int r = lock_take(runner->lock_path, "putting a run aside", 0, ret_holder, &runner->lock_fd, error);
        if (r < 0)
                return r;
        r = load_open_run(runner, &run, &broken);
        if (r == -EBADMSG) {
                snprintf(why, sizeof why, "put aside by %.60s: %.160s", by, error_text(&broken));
                r = journal_put_aside(runner->journal, clock_wall_us(), why, ret_id, error);
        } else
                r = r < 0 ? error_set(error, r, "%s", error_text(&broken)) : 0;
        return give_up(runner, r);
}

bool runner_cancel(Runner *runner) {
        if (!runner->under_way || !run_can_cancel(&runner->run))
                return false;
        const RunEvent cancel = {.type = EVENT_CANCEL, .wall = clock_wall_us()};
        feed(runner, &cancel);
        return true;
}

const Run *runner_run(const Runner *runner) {
        return runner->under_way ? &runner->run : NULL;
}

const Run *runner_newest(const Runner *runner) {
        return runner->run.id != 0 ? &runner->run : NULL;
}

bool runner_elsewhere(const Runner *runner, LockHolder *ret_holder) {
        LockHolder holder;
        Error error = {0};
        return !runner->under_way && runner->lock_fd < 0 &&
               lock_holder_read(runner->lock_path, ret_holder ? ret_holder : &holder, &error) == 1;
}

/* Whoever takes it writes who it is. */
bool runner_disturbed(const Runner *runner) {
        struct stat status;
        return !runner->under_way && runner->lock_fd < 0 && stat(runner->lock_path, &status) == 0 &&
               (status.st_mtim.tv_sec != runner->lock_left.tv_sec ||
                status.st_mtim.tv_nsec != runner->lock_left.tv_nsec);
}
