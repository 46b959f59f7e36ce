/* Controller: what the daemon and break glass share. It owns the world, the journal and the runner, turns what the watcher sees into
 * decisions, decisions into runs, and a run's end into what follows from it. Its parts, one file each:
 *   controller.c  life, and what is told            deciding.c   symptoms -> policy -> decision
 *   beginning.c   may a run begin?                  aftermath.c  what follows from a run's end
 *   current.c     what is live, and who changed it  validating.c did the rollback help?
 *   catalog.c     the releases and their states     readiness*.c could the target start right now?
 *   alerts.c      what a person should know         baseline.c   a release's own latency before a deployment
 *   checking.c    health of the components: what is found is told
 *   operator-drain*.c  traffic that an operator holds back
 *   operations*.c, status.c, exposition.c: the API's answers */
#pragma once

#include "api/api.h"
#include "core/policy.h"
#include "core/ready.h"
#include "core/validate.h"
#include "daemon/checkup.h"
#include "daemon/prober.h"
#include "daemon/run-log.h"
#include "daemon/runner.h"
#include "daemon/watcher.h"
#include "store/journal.h"

#define RELEASES_MAX 256
#define ALERTS_MAX 16

#define ALERT_TEXT_MAX 1536 /* what a held run says, and what to do about it */

typedef struct Alert {
        char source[64]; /* "metrics", "traffic", "current", "decision", "run" ... : one alert each at a time */
        char message[ALERT_TEXT_MAX];
        int64_t since_wall;
        Severity severity;
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
        int recovery_failed; /* why that could not be told (negative); 0: it could. Until then nothing automatic acts */
        int64_t recovery_tried_mono;
        char invocation[40]; /* of the watched units; a change that isn't ours is an observed deployment */
        char invocation_healed
                [40];        /* what it was when a healing began, for that may end before it is looked at again */
        int64_t healed_mono; /* the newest news of a healing */
        int64_t restarts;
        bool deployment_known, deployment_is_rollback;
        Deployment deployment;
        int64_t deployment_since_mono; /* when it was made */
        bool triggered_since_deployment;
        bool baked;   /* its bake is over: nothing to look up every second */
        bool flowing; /* as of the last look: the balancer gives the service requests */

        Decision *decision; /* the newest, with its evidence (it is large) */
        unsigned decided;   /* what was last decided, so that the same isn't recorded every second; 0: nothing */
        int64_t decided_mono;
        int64_t decided_id;    /* the journal's */
        int64_t refused_mono;  /* an automatic rollback was refused then; 0: none was, of this deployment */
        int64_t symptoms_mono; /* there was something to decide then; 0: not since the last run */

        RunLog run_log;
        Alert alerts[ALERTS_MAX];
        unsigned alert_count;
        struct Telling *telling;                /* the receivers and what they are told; NULL: nothing yet */
        struct AlertCommand *alert_commands;    /* those that run at this moment */
        Tristate alert_command_worked;          /* the last that ended; KNOWN_NOT: none yet */
        void (*on_alerts_told)(void *userdata); /* the last of them has ended, or a healing; may be NULL */

        struct AuditTrail *audit_trail; /* what was refused lately; NULL: nothing asked for yet */
        struct Adoption *adoption;      /* taking releases in; NULL: not under way */
        struct Readiness {
                struct ReadyRound *round; /* under way; NULL: none */
                sd_event_source *timer;
                unsigned unknown_rounds;   /* in a row that could not tell */
                char version[VERSION_MAX]; /* the target's; "": there is none, detail says why */
                Tristate ready;
                int64_t proven_mono;                        /* when it was last found ready */
                char detail[DETAIL_MAX], space[DETAIL_MAX]; /* space: why the journal's could not be reserved; "" */
                Ready target, live;         /* as last looked at: the target, and the release that is current */
                struct ReadyMemory *memory; /* NULL: nothing was looked at yet */
        } readiness;
        struct Incidents *incidents;          /* what is gathered for them; NULL: nothing yet */
        struct OperatorDrain *operator_drain; /* what an operator has asked of the balancer; NULL: nothing yet */
        struct Recorder *recorder;            /* of what is measured; NULL: nothing yet */
        struct CacheClear *cache_clear;       /* NULL: not under way */
        struct ReceiverTest *receiver_test;   /* NULL: not under way */
        struct SchemaView *schema_view;       /* what the database says of a target; NULL: not asked for yet */
        struct Election *election;            /* the leadership is being moved; NULL: it isn't */
        struct Consistency *consistency;      /* the newest consistency check of the data; NULL: none */
        struct Exposition *exposition;        /* the sums of the controller's own metrics; NULL: not asked for yet */
        struct Validating {
                int64_t run_id;     /* 0: nothing to validate */
                int64_t ended_wall; /* the run's end */
                int64_t since_mono, requests_before;
                char expected[VERSION_MAX];
                Op *op;
                bool settled; /* the first moments, in which what was parked arrives, are over */
                bool sampled;
                int64_t judged_mono; /* the newest sample that has been judged; 0: none yet */
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
        bool allow_row_loss; /* rows that the way back of the schema can't keep may go */
} RunWish;

/* Begins a run; `problem` says why not: 409 with exit code 75 when another holds the lock, 4 when it is refused. */
int controller_begin(Controller *controller, const RunWish *wish, Problem *problem);

/* The newest run that hasn't ended goes on: 1; 0: none, and what a dead process left to be done after its run is done (daemon only);
 * -EBUSY: its holder lives. */
int controller_recover(Controller *controller, LockHolder *ret_holder, Error *error);

/* An operator has looked at the run that can't be gone on with: it is put aside. -1 with `problem`. */
int controller_settle(Controller *controller, const Caller *caller, Problem *problem);

/* Raises an alert while the journal's file isn't where it was opened; cheap enough for every few seconds. */
void controller_look_at_journal(Controller *controller);

/* ---- between the parts ---- */

void controller_remember_deployment(Controller *controller); /* the newest, as the journal has it */

/* The newest deployment's age, which setting the wall clock doesn't change: deployment-age.c. */
void deployment_made_now(Controller *controller);
/* It was just read from the journal; `before_id`: the one that was known until then, 0: none. */
void deployment_remembered(Controller *controller, int64_t before_id);
int64_t deployment_age(const Controller *controller);
/* Armed for it? *ret_until_wall: 0: not, or for always; may be NULL. */
bool deployment_armed(const Controller *controller, int64_t *ret_until_wall);

void controller_tell(Controller *controller, const char *type, json_t *event); /* takes over `event` */
json_t *controller_run_json(Controller *controller, const Run *run);           /* with its validation */
void controller_tell_run(Controller *controller, const Run *run);
int controller_busy(Problem *problem, const LockHolder *holder,
                    const Error *error); /* 409, 75, who holds the run lock; -1 */
/* 409 and -1 while a run is under way, here or elsewhere. */
int controller_refuse_during_run(Controller *controller, Problem *problem);
int controller_unusable(const Controller *controller, Problem *problem); /* -1 when the journal can't be used */

/* Others may have left a run open, or made one, since the journal was last looked at for it. */
bool controller_recovery_due(const Controller *controller);
bool controller_at_rest(
        const Controller
                *controller); /* no run is under way, nor was one left open: what is seen is the service's own */

int checking_begin(Controller *controller, Error *error); /* makes the checkup */

void deciding_look(Controller *controller); /* every second, and when something changed */

/* What would forbid a rollback, if something triggered now; GUARD_NONE: nothing would. */
Guard deciding_guard(Controller *controller);

void current_look(Controller *controller); /* notices what others did: current.c */
/* Of TRIGGERS_CONSENSUS those that can't be ruled out now: unless the cluster is known to be sound, what is found later may have
 * been so before. */
unsigned controller_consensus_doubts(const Controller *controller);
void current_made(Controller *controller, const Run *run, const char *version, const char *previous);
void current_watch_units(Controller *controller);

void aftermath(Controller *controller, const Run *run);
void aftermath_catch_up(
        Controller *controller); /* of runs that ended just before their process died, or without the journal */
void aftermath_skip(Controller *controller, int64_t run_id); /* nothing follows from it */
void aftermath_remind(Controller *controller);               /* of a run that holds, after a restart */
/* What brings the service back after a run that holds: commands that work in that state. */
const char *aftermath_remedy(Controller *controller, const Run *run, char *text, size_t size);
void aftermath_release(Controller *controller); /* an operator has mended what the newest run holds for */
bool aftermath_released(Controller *controller, const Run *run);

void validating_begin(Controller *controller, const Run *run);
void validating_look(Controller *controller);
void validating_drop(Controller *controller);    /* it can't be told any more */
void validating_pick_up(Controller *controller); /* what a process before us began to validate */
void validating_answer(Controller *controller, Validation *ret_validation); /* as things stand now */
/* Every component that counts was measured after that. */
bool validation_health_fresh(const Controller *controller, int64_t since_wall);
/* Asks all that is to be asked, but for the sample. */
void validation_judge(Controller *controller, const Sample *sample, Validation *ret_validation);

/* The releases on the machine with their states; at most RELEASES_MAX of them. */
int catalog_read(Controller *controller, Release *ret_releases, unsigned *ret_count, Error *error);
int catalog_target(Controller *controller, RunMode mode, const char *wanted, Release *ret_target,
                   TargetDoubt *ret_doubt, Error *error);

/* Takes in every release that isn't yet (`again`: also those that changed). One at a time, in the background. */
#define ADOPTION_CHANGED_KEY                                                                                           \
        "adoption.changed" /* the deployment whose release changed while it was live: it doesn't bake */
int adoption_begin(Controller *controller, bool again, Error *error);
void adoption_cancel(Controller *controller);

void readiness_check(Controller *controller); /* now, and then on a timer */
void readiness_cancel(Controller *controller);
void readiness_interrupt(Controller *controller); /* a run or the loop's end begins: nothing is asked beside it */

/* Raises (message) or clears (NULL) what is wrong with `source`. Said once, not every second. */
void alert_set(Controller *controller, const char *source, const char *message);
/* The same, more or less urgent than what such an alert mostly is. */
void alert_set_as(Controller *controller, const char *source, Severity severity, const char *message);
/* Whether an alert's command still runs: it dies with us, so whoever wants to end waits for on_alerts_told first. */
bool alerts_under_way(const Controller *controller);
void alerts_cancel(Controller *controller);

/* Traffic in an operator's hands: operator-drain.c. They answer later, by api_reply(); -1 with `problem` at once. */
int operator_drain_begin(Controller *controller, const Caller *caller, int64_t timeout_us, ApiReply *reply,
                         Problem *problem);
int operator_restore_begin(Controller *controller, const Caller *caller, ApiReply *reply, Problem *problem);
void operator_drain_yield(Controller *controller); /* a run begins: nothing is given back beside it */
/* Every second: keeps what an operator has drained so, also after a restart. */
void operator_drain_look(Controller *controller);
void operator_drain_cancel(Controller *controller);
const char *operator_drain_state(const Controller *controller); /* "draining", "restoring", or NULL: neither */
Tristate operator_drain_timed_out(const Controller *controller);

void cache_clear_cancel(Controller *controller);
void receiver_test_cancel(Controller *controller);
void force_election_cancel(Controller *controller);
void exposition_free(Controller *controller);

/* What is measured is kept in the history: recorder.c. That it can't be is an alert, and harms nothing. */
void recorder_sampled(Controller *controller, const Sample *sample);
void recorder_free(Controller *controller);

extern const ApiOps controller_operations; /* `self` is the Controller */
json_t *status_answer(Controller *controller);
json_t *status_traffic(Controller *controller);
json_t *status_automatic(Controller *controller); /* would anything be rolled back automatically: status-automatic.c */
json_t *status_review(const Controller *controller);
json_t *status_hold(Controller *controller, int kind /* HoldKind */);
