/* Controller: what the daemon and break glass share. It owns the world, the journal and the runner, turns what the watcher sees into
 * decisions, decisions into runs, and a run's end into what follows from it. Its parts, one file each:
 *   controller.c  life, and what is told            deciding.c   symptoms -> policy -> decision
 *   beginning.c   may a run begin?                  aftermath.c  what follows from a run's end
 *   current.c     what is live, and who changed it  validating.c did the rollback help?
 *   catalog.c     the releases and their states     readiness.c  could the target start right now?
 *   alerts.c      what a person should know         baseline.c   a release's own latency before a deployment
 *   operations*.c, status.c, exposition.c: the API's answers */
#pragma once

#include "api/api.h"
#include "core/policy.h"
#include "core/validate.h"
#include "daemon/checkup.h"
#include "daemon/prober.h"
#include "daemon/run-log.h"
#include "daemon/runner.h"
#include "daemon/watcher.h"
#include "store/journal.h"

#define RELEASES_MAX 256
#define ALERTS_MAX 16

typedef struct Alert {
        char source[64]; /* "metrics", "traffic", "current", "decision", "run" ... : one alert each at a time */
        char message[REASON_MAX];
        int64_t since_wall;
} Alert;

/* What the controller tells whoever listens: the API's event stream, or the command line in break glass. */
typedef void (*ControllerEvent)(void *userdata, const char *type, const json_t *event);

typedef enum ControllerRole {
        ROLE_DAEMON,
        ROLE_BREAKGLASS, /* one run, no daemon: nothing is decided, observed or checked beside it */
        ROLE_READER,     /* only looks: nothing is written, nobody is told */
} ControllerRole;

typedef struct Controller {
        const Config *config;
        sd_event *event;
        World *world;
        Journal *journal; /* NULL: it can't be used; journal_error says why */
        Error journal_error;
        Runner *runner;
        Prober *prober;
        Watcher *watcher;
        Checkup *checkup; /* NULL: not yet */
        int64_t begun_wall;
        ControllerRole role;

        ControllerEvent on_event; /* may be NULL */
        void (*on_finished)(void *userdata, const Run *run);
        void *userdata;

        /* what is live, as of the last look */
        char version[VERSION_MAX]; /* "": not known, version_error says why */
        Error version_error;
        bool current_seen;   /* looked at least once */
        bool recovered;      /* what others left open has been looked for since one of them last held the run lock */
        char invocation[40]; /* of the watched units; a change that isn't ours is an observed deployment */
        int64_t restarts;
        bool deployment_known, deployment_is_rollback;
        Deployment deployment;
        unsigned symptoms_at_begin; /* triggers exceeded when the run under way began */
        bool triggered_since_deployment;
        bool baked;   /* its bake is over: nothing to look up every second */
        bool flowing; /* as of the last look: the balancer gives the service requests */

        Decision *decision; /* the newest, with its evidence (it is large) */
        unsigned decided;   /* what was last decided, so that the same isn't recorded every second; 0: nothing */
        int64_t decided_mono;
        int64_t decided_id;    /* the journal's */
        int64_t symptoms_mono; /* there was something to decide then; 0: not since the last run */

        RunLog run_log;
        Alert alerts[ALERTS_MAX];
        unsigned alert_count;
        struct AlertCommand *alert_commands;    /* those that run at this moment */
        void (*on_alerts_told)(void *userdata); /* the last of them has ended; may be NULL */

        struct Adoption *adoption; /* taking releases in; NULL: not under way */
        struct Readiness {
                Op *op;
                sd_event_source *timer;
                char version[VERSION_MAX];
                Tristate ready;
                char detail[DETAIL_MAX];
        } readiness;
        struct Validating {
                int64_t run_id; /* 0: nothing to validate */
                int64_t since_mono, requests_before;
                char expected[VERSION_MAX];
                Op *op;
                bool settled; /* the first moments, in which what was parked arrives, are over */
                bool sampled;
                Sample sample;
        } validating;
} Controller;

/* Opens everything but the metrics source and the watcher. A journal that can't be opened is kept as an error: the daemon refuses
 * to start then, break glass goes on for an emergency. */
int controller_new(sd_event *event, const Config *config, ControllerRole role, Controller **ret_controller,
                   Error *error);
Controller *controller_free(Controller *controller); /* NULL allowed; returns NULL */

/* Begins to look: metrics (an alert and tried again, when its port is taken), health, units, balancer. */
int controller_watch(Controller *controller, Error *error);

typedef struct RunWish {
        RunKind kind;
        RunMode mode;
        const char *to;          /* "" or NULL: the policy chooses (rollback only) */
        const char *expect_from; /* "" or NULL: whatever is current */
        const char *reason;
        const char *initiator;
        int64_t decision_id;
} RunWish;

/* Begins a run; `problem` says why not: 409 with exit code 75 when another holds the lock, 4 when it is refused. */
int controller_begin(Controller *controller, const RunWish *wish, Problem *problem);

/* The newest run that hasn't ended goes on: 1; 0: none, and what a dead process left to be done after its run is done (daemon only);
 * -EBUSY: its holder lives. */
int controller_recover(Controller *controller, LockHolder *ret_holder, Error *error);

/* Raises an alert while the journal's file isn't where it was opened; cheap enough for every few seconds. */
void controller_look_at_journal(Controller *controller);

/* ---- between the parts ---- */

void controller_remember_deployment(Controller *controller);                   /* the newest, as the journal has it */
void controller_tell(Controller *controller, const char *type, json_t *event); /* takes over `event` */
json_t *controller_run_json(Controller *controller, const Run *run);           /* with its validation */
void controller_tell_run(Controller *controller, const Run *run);
int controller_busy(Problem *problem, const LockHolder *holder,
                    const Error *error);                                 /* 409, 75, who holds the run lock; -1 */
int controller_unusable(const Controller *controller, Problem *problem); /* -1 when the journal can't be used */

/* Others may have left a run open, or made one, since the journal was last looked at for it. */
bool controller_recovery_due(const Controller *controller);
bool controller_at_rest(
        const Controller
                *controller); /* no run is under way, nor was one left open: what is seen is the service's own */

void deciding_look(Controller *controller); /* every second, and when something changed */

void current_look(Controller *controller); /* notices what others did: current.c */
void current_made(Controller *controller, const Run *run, const char *version, const char *previous);
void current_watch_units(Controller *controller);

void aftermath(Controller *controller, const Run *run);
void aftermath_catch_up(
        Controller *controller); /* of runs that ended just before their process died, or without the journal */
void aftermath_remind(Controller *controller); /* of a run that holds, after a restart */

void validating_begin(Controller *controller, const Run *run);
void validating_look(Controller *controller);
void validating_drop(Controller *controller);    /* it can't be told any more */
void validating_pick_up(Controller *controller); /* what a process before us began to validate */
void validating_answer(Controller *controller, Validation *ret_validation); /* as things stand now */

/* The releases on the machine with their states; at most RELEASES_MAX of them. */
int catalog_read(Controller *controller, Release *ret_releases, unsigned *ret_count, Error *error);
int catalog_target(Controller *controller, RunMode mode, const char *wanted, Release *ret_target,
                   TargetDoubt *ret_doubt, Error *error);

/* Takes in every release that isn't yet (`again`: also those that changed). One at a time, in the background. */
int adoption_begin(Controller *controller, bool again, Error *error);
void adoption_cancel(Controller *controller);

void readiness_check(Controller *controller); /* now, and then on a timer */
void readiness_cancel(Controller *controller);

/* Raises (message) or clears (NULL) what is wrong with `source`. Said once, not every second. */
void alert_set(Controller *controller, const char *source, const char *message);
/* Whether an alert's command still runs: it dies with us, so whoever wants to end waits for on_alerts_told first. */
bool alerts_under_way(const Controller *controller);
void alerts_cancel(Controller *controller);

extern const ApiOps controller_operations; /* `self` is the Controller */
json_t *status_answer(Controller *controller);
json_t *status_hold(Controller *controller, int kind /* HoldKind */);
