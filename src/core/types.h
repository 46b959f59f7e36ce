/* The shapes everybody shares: plain data, no behaviour, so that a test can print them and the journal can keep them.
 * Units: times are microseconds. `wall` times are CLOCK_REALTIME (they are shown and kept), `mono` times CLOCK_BOOTTIME (they
 * are compared). Ratios are parts per million (1.0 % = 10000), so that every comparison is exact and can be replayed bit for
 * bit. Words as in the README's glossary; numbers from the specification ("Automatic Rollback", "Rollback Execution Steps"). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define USEC_PER_MSEC INT64_C(1000)
#define USEC_PER_SEC INT64_C(1000000)
#define PPM INT64_C(1000000)

#define VERSION_MAX 64 /* "v2.4.0", terminator included */
#define REASON_MAX 512
#define DETAIL_MAX 256
#define INITIATOR_MAX 96
#define UNITS_MAX 8
#define UNIT_NAME_MAX 256
#define WINDOW_SAMPLES_MAX 128 /* window / interval + 1 may not exceed it */

typedef enum Tristate { KNOWN_NOT, KNOWN_FALSE, KNOWN_TRUE } Tristate;

/* ---- measuring ---- */

/* One measurement of the service over [start, end). Client aborts are not in `requests` (they waited for nobody's fault), unless
 * they waited longer than ten times the latency limit: then they are in `requests` but not in `successes`. */
typedef struct Sample {
        int64_t start_mono, end_mono, end_wall;
        bool measured;          /* false: the source failed, the numbers below mean nothing, `note` says why */
        int64_t requests;       /* finished requests that count */
        int64_t errors;         /* 5xx or cut by the server side */
        int64_t successes;      /* answered well; 4xx is a success */
        int64_t latency_p50_us; /* -1: unknown */
        int64_t latency_p99_us; /* -1: unknown */
        int64_t dropped;        /* requests the source knows it lost sight of */
        char note[DETAIL_MAX];
} Sample;

typedef enum MetricState { METRIC_UNKNOWN, METRIC_HEALTHY, METRIC_EXCEEDED } MetricState;
typedef enum SampleState { SAMPLE_UNKNOWN, SAMPLE_HEALTHY, SAMPLE_DEGRADED } SampleState;

/* What can cause an automatic rollback. The values are bits of a set. */
typedef enum Trigger {
        TRIGGER_ERROR_RATE = 1 << 0,
        TRIGGER_LATENCY_P99 = 1 << 1,
        TRIGGER_SUCCESS_RATE = 1 << 2,
        TRIGGER_SERVICE_FAILED = 1 << 3, /* a unit failed or keeps restarting */
        TRIGGER_OUTAGE = 1 << 4,         /* no request succeeds and the health probe agrees */
        TRIGGER_QUORUM = 1 << 5,         /* the consensus cluster has lost its quorum */
        TRIGGER_BYZANTINE = 1 << 6,      /* a member's data or leader differs from the majority's */
} Trigger;
#define TRIGGERS_CONSENSUS (TRIGGER_QUORUM | TRIGGER_BYZANTINE)
#define TRIGGERS_SUSTAINED (TRIGGER_ERROR_RATE | TRIGGER_LATENCY_P99 | TRIGGER_SUCCESS_RATE)

/* The rules a decision follows. Defaults are the specification's; a copy is kept with every decision. */
typedef struct Rules {
        int64_t error_rate_ppm;     /* more is degraded */
        int64_t latency_p99_us;     /* more is degraded */
        int64_t success_rate_ppm;   /* less is degraded */
        int64_t window_us;          /* degradation_window */
        int64_t interval_us;        /* one sample */
        int64_t degraded_share_ppm; /* of the expected samples: 75 % */
        int64_t min_requests;       /* a sample with fewer is unknown */
        int64_t outage_window_us;
        int64_t restart_limit;     /* restarts within outage_window that mean "failed" */
        int64_t armed_for_us;      /* after a deployment; 0: always armed */
        int64_t bake_for_us;       /* a deployment that lived this long without a trigger is good */
        int64_t rollbacks_per_day; /* automatic ones */
} Rules;

/* ---- releases and deployments ---- */

typedef enum ReleaseState {
        RELEASE_UNPROVEN, /* found on the machine, or never lived through a bake */
        RELEASE_BAKING,
        RELEASE_GOOD,
        RELEASE_FAILED, /* rolled back from; never an automatic target again */
} ReleaseState;

typedef struct Release {
        char version[VERSION_MAX];
        ReleaseState state;
        int64_t since_wall; /* in this state since */
        bool present;       /* its directory is there */
} Release;

/* A release was made current: by a run of ours, or observed. */
typedef struct Deployment {
        int64_t id;
        int64_t run_id; /* 0: observed, somebody else did it */
        char version[VERSION_MAX];
        char previous[VERSION_MAX]; /* "" when there was none */
        int64_t at_wall;
        unsigned symptoms_before; /* triggers already exceeded when it was made, or not known to be absent */
        bool rolled_back;         /* an automatic rollback was begun for it: never twice */
} Deployment;

/* ---- runs ---- */

typedef enum RunKind { RUN_DEPLOYMENT, RUN_ROLLBACK } RunKind;
typedef enum RunMode { MODE_AUTOMATIC, MODE_MANUAL, MODE_EMERGENCY } RunMode;

/* The steps, numbered as in the specification; 0 proves the target before anything is touched. */
typedef enum StepId {
        STEP_PREFLIGHT = 0,
        STEP_PAUSE_DEPLOYMENTS,
        STEP_DRAIN_TRAFFIC,
        STEP_STOP_VERSION,
        STEP_RESTORE_VERSION,
        STEP_START_VERSION,
        STEP_VERIFY_HEALTH,
        STEP_RESTORE_TRAFFIC,
        STEP_RESUME_DEPLOYMENTS,
} StepId;
#define STEP_COUNT 9

typedef struct PlanStep {
        StepId id;
        int64_t budget_us;
        bool critical;
} PlanStep;

/* The ordered steps of a run: steps[0] is the preflight. */
typedef struct Plan {
        RunKind kind;
        RunMode mode;
        char from[VERSION_MAX]; /* the original, running when the run begins; "" when nothing is current */
        char to[VERSION_MAX];   /* the target */
        unsigned count;
        PlanStep steps[STEP_COUNT];
} Plan;

typedef enum StepState {
        STEP_PENDING,
        STEP_ACTING, /* its intent is durable, its result isn't known yet */
        STEP_DONE,
        STEP_FAILED,
        STEP_TIMED_OUT,
        STEP_SKIPPED,
} StepState;

typedef struct StepRecord {
        StepState state;
        unsigned attempt; /* 1 for the first */
        int64_t started_wall, ended_wall;
        char detail[DETAIL_MAX]; /* what the adapter reported: "3 in flight finished", or why it failed */
} StepRecord;

typedef enum RunPhase {
        RUN_NEW,
        RUN_PREFLIGHT,
        RUN_FORWARD,  /* towards plan.to */
        RUN_UNDO,     /* cancelled or failed before anything was stopped: traffic and deployments back */
        RUN_RECOVERY, /* a critical step failed: the original is put back */
        RUN_SETTLE,   /* all is decided; a non-critical step that failed is retried until it holds */
        RUN_SUCCEEDED,
        RUN_FAILED,
        RUN_HOLDING, /* nothing safe left to do: a person was paged */
} RunPhase;

/* Why a run ended as it did; finer than the phase, for exit codes and reports. */
typedef enum RunOutcome {
        OUTCOME_OPEN,
        OUTCOME_SUCCEEDED,
        OUTCOME_REFUSED,   /* preflight said no: nothing was touched */
        OUTCOME_CANCELLED, /* undone before the current release was stopped */
        OUTCOME_UNDONE,    /* failed before anything was stopped: the original never stopped serving */
        OUTCOME_PUT_BACK,  /* failed later; the original was put back and is serving */
        OUTCOME_HELD,
} RunOutcome;

/* What a run waits for, besides its journal. */
typedef enum RunWait {
        WAIT_NOTHING,
        WAIT_STEP,  /* the answer to a dispatch */
        WAIT_PROBE, /* the answer to a probe */
        WAIT_DRAIN, /* after a crash: traffic is drained again before the run goes on */
        WAIT_PAUSE, /* settling: the timer until the next try */
} RunWait;

typedef struct Run {
        int64_t id; /* the journal's; 0 until the first append */
        Plan plan;
        char reason[REASON_MAX];
        char initiator[INITIATOR_MAX]; /* "controller", or "root (uid 0)" */
        int64_t decision_id;           /* of an automatic rollback, else 0 */
        unsigned symptoms_before;      /* triggers already exceeded when it began, or not known to be absent */
        bool allow_row_loss;           /* an operator has said so: rows that the way back can't keep may go */
        RunPhase phase;
        RunOutcome outcome;
        StepId cursor;
        unsigned token;       /* of the newest dispatch or probe; answers to older ones are ignored */
        unsigned outstanding; /* bit (1 << StepId): non-critical steps that failed and are to be retried */
        unsigned settle_tries;
        bool cancel_requested;
        StepRecord steps[STEP_COUNT];    /* preflight and forward */
        StepRecord recovery[STEP_COUNT]; /* undo, recovery and settle */
        int64_t created_wall, ended_wall;
        char failure[REASON_MAX];  /* the first critical failure, in words */
        char serving[VERSION_MAX]; /* set at the end: which release serves; "" for none that is proven */
        int64_t in_flight_cut;     /* requests given up by the drain; they were in the bad release's hands */
        int64_t requests_failed;   /* requests that failed while the run was under way; -1: no source could tell */

        /* What run_step() keeps between two events; never journalled, EVENT_RECOVER starts it afresh. */
        RunWait waiting;
        unsigned appends; /* not answered by EVENT_PERSISTED yet */
} Run;

/* ---- deciding ---- */

typedef enum DecisionKind {
        DECISION_NONE,     /* nothing to do */
        DECISION_ROLLBACK, /* roll back to `target` now */
        DECISION_REVIEW,   /* it would, but a guard forbids: alert and manual review */
} DecisionKind;

typedef enum Guard {
        GUARD_NONE,
        GUARD_NOT_ARMED,
        GUARD_NO_TARGET,
        GUARD_TARGET_UNPROVEN,
        GUARD_BUDGET_SPENT,
        GUARD_ALREADY_ROLLED_BACK, /* this deployment had its automatic rollback */
        GUARD_SAME_BEFORE,         /* the same symptoms were there before the deployment */
        GUARD_DRAINED_BY_OPERATOR,
        GUARD_RUN_UNSOUND,
        GUARD_SHADOW, /* nothing else forbids it: the engine is only to say what it would do */
} Guard;

/* A decision and its evidence. */
typedef struct Decision {
        int64_t id; /* the journal's */
        int64_t at_wall;
        DecisionKind kind;
        unsigned triggers; /* set of Trigger */
        Guard guard;
        char version[VERSION_MAX]; /* what was current */
        char target[VERSION_MAX];
        unsigned expected, needed, degraded, unknown; /* samples of the window */
        unsigned sample_count;
        Sample samples[WINDOW_SAMPLES_MAX];
        Rules rules;
        char reason[REASON_MAX]; /* names the triggers with their numbers */
        unsigned rule_version;   /* RULE_VERSION of the program that decided (core/policy.h) */
} Decision;

/* ---- incidents ---- */

/* How urgent; the decision matrix (specification, Appendix B and "Emergency Rollback"): P0 pages. */
typedef enum Severity {
        SEVERITY_P0, /* held, failed, or an emergency: a person now */
        SEVERITY_P1, /* rolled back automatically: a person today */
        SEVERITY_P2, /* a manual review is asked for */
        SEVERITY_P3, /* worth knowing */
} Severity;

typedef enum IncidentCause { INCIDENT_AUTOMATIC, INCIDENT_EMERGENCY, INCIDENT_HOLD, INCIDENT_REVIEW } IncidentCause;
typedef enum IncidentState { INCIDENT_OPEN, INCIDENT_ACKNOWLEDGED, INCIDENT_RESOLVED } IncidentState;

/* The record a rollback opens. What belongs to it (timeline, difference of the releases, the unit's log) is kept beside it. */
typedef struct Incident {
        int64_t id; /* the journal's */
        IncidentCause cause;
        Severity severity;
        IncidentState state;
        int64_t opened_wall, acknowledged_wall, resolved_wall; /* 0: not yet */
        char acknowledged_by[INITIATOR_MAX], resolved_by[INITIATOR_MAX];
        char title[DETAIL_MAX];                         /* one line for people */
        char version[VERSION_MAX], target[VERSION_MAX]; /* what misbehaved; what it was rolled back to, "": nothing */
        int64_t deployment_id, decision_id, run_id;     /* the newest of the case; 0: none */
        char source[64];          /* of a review of the machine: "cpu", "memory", "disk"; "": it is about a release */
        char outcome[REASON_MAX]; /* how it stands, in words */
        char told[8];             /* the severity that was last told to the receivers; "": none yet */
} Incident;

/* ---- the world's state, as adapters report it ---- */

typedef struct UnitSet {
        char version[VERSION_MAX];
        unsigned count;
        char names[UNITS_MAX][UNIT_NAME_MAX];
} UnitSet;

typedef struct UnitsState {
        bool loadable;    /* every unit of the set can be loaded */
        bool active;      /* every unit of the set is active and ready */
        bool alive;       /* a main process of any unit of the set lives (perhaps stopping, perhaps not ready) */
        bool failed;      /* a unit of the set is in state failed */
        int64_t restarts; /* sum of the automatic restarts counted by the supervisor since the unit was started by hand */
        int64_t main_pid;        /* of the first unit; 0: none */
        int64_t main_start_wall; /* when that process was started; 0: unknown */
        char invocation[40];     /* changes with every start; "" when not running */
        char detail[DETAIL_MAX]; /* for people: "novacron-dwcp-v3.service: failed (exit code 3)" */
} UnitsState;

typedef struct TrafficState {
        bool drained;        /* no new request reaches the service now */
        bool gated;          /* requests are parked meanwhile, not refused; while flowing: a drain would park them */
        int64_t in_flight;   /* requests being served; -1: the balancer can't tell */
        int64_t parked;      /* requests waiting at the gate; -1: not known */
        int64_t limit;       /* connections it lets through at most; -1: none, or not known */
        int64_t park_max_us; /* gated: a request waits so long, then it is refused; -1: not known */
        char detail[DETAIL_MAX];
} TrafficState;

/* One member of the consensus cluster, as it answered (or didn't) just now. Facts alone; core/consensus.h judges them. */
typedef struct ConsensusMember {
        char name[64];
        char address[128]; /* where it is asked */
        uint64_t id;       /* 0: not known */
        bool learner;      /* has no vote yet */
        bool reachable;
        uint64_t term, leader; /* the leader it claims; 0: none */
        int64_t applied;       /* raft index that it has applied; -1: not known */
        int64_t revision;      /* of its data; -1: not known */
        bool hashed;           /* the three below are known, and of one moment. Hashing is dear: not at each look */
        int64_t hash_revision, compact_revision;
        uint32_t hash; /* of its data at hash_revision */
        /* The lag: until it had applied what the leader had when that was asked. At most `lag_us`, which ends when it was seen to
         * and so includes the way there and back; at least `lag_least_us`, when it was last seen not to. -1: not known */
        int64_t lag_us, lag_least_us;
        int64_t behind; /* raft entries that it still lacked when the asking ended, after lag_us; then nothing is "at most" */
        char detail[128]; /* why it isn't reachable, or why its data wasn't hashed */
} ConsensusMember;

/* What a release says of the database, in its release.yaml (README, "The database"). Schemas are named like releases. */
#define SCHEMA_WORKS_MAX 16
#define SCRIPT_NOT_KNOWN "altered" /* as a digest: no text has it */
#define PATH_TEXT_MAX 512
/* What a data driver's restore says: "rows were lost, as allowed: TABLES; schema v3.0.0 -> v2.4.0, ...". The first part only when rows
 * went that an operator had allowed to go. */
#define ROWS_LOST_WORDS "rows were lost, as allowed: "
#define SCHEMA_CHANGED_WORD "schema "
typedef struct SchemaNeeds {
        bool declared;             /* false: it says nothing, and is not gated */
        char version[VERSION_MAX]; /* the schema it is made for */
        unsigned works_count;      /* the schemas it can work with; its own is one of them */
        char works_with[SCHEMA_WORKS_MAX][VERSION_MAX];
        unsigned down_count; /* how to go back from its own schema: to which, by which script */
        struct {
                char to[VERSION_MAX];
                char script[PATH_TEXT_MAX]; /* absolute */
                char digest[65];            /* SHA-256 that it must have; "": not known, any will do */
        } down[SCHEMA_WORKS_MAX];
} SchemaNeeds;

typedef enum SchemaVerdict {
        SCHEMA_UNKNOWN,    /* the database could not be asked */
        SCHEMA_COMPATIBLE, /* nothing to do */
        SCHEMA_REVERSIBLE, /* a script is there and applies */
        SCHEMA_REFUSED,    /* the release can't work with what is there, and there is no safe way back */
} SchemaVerdict;

/* What the compatibility gate says of a release. */
typedef struct SchemaGate {
        SchemaVerdict verdict;
        char current[VERSION_MAX], wanted[VERSION_MAX]; /* schema versions; "": not known */
        char script[PATH_TEXT_MAX];                     /* of a reversible one: our checked copy */
        int64_t estimate_us;                            /* what restoring will take; -1: not known */
        char detail[REASON_MAX];                        /* for people: what goes, or why not and what to do */
        char doubt[DETAIL_MAX];                         /* of a reversible one: what may yet stop it; "" */
} SchemaGate;

/* A standby, as the primary and (if it may be asked) the standby itself report it. */
typedef struct Replica {
        char name[64], address[64], state[16], sync[16];
        bool paused;       /* replay is paused */
        bool stale;        /* lag_us is older than what it lacks: nothing was replayed since */
        bool missing;      /* expected, but the primary doesn't know it */
        int64_t lag_us;    /* 0: it lacks nothing; -1: not known. While it is stale: at least so much */
        int64_t lag_bytes; /* of WAL not replayed yet; -1: not known */
        int64_t idle_us; /* since the transaction it replayed last, as it says itself: grows while nothing is written; -1 */
        char detail[128];
} Replica;

#define REPLICAS_MAX 8

typedef struct ReplicationState {
        int64_t at_mono;
        bool primary;                       /* the server asked is no standby itself */
        unsigned count, expected, left_out; /* left_out: of those that are there, more than fit in here */
        Replica replicas[REPLICAS_MAX];
        char detail[DETAIL_MAX]; /* what is to be known of the server asked, or "" */
} ReplicationState;

#define MEMBERS_MAX 9

typedef struct ConsensusState {
        int64_t at_mono;
        unsigned count;
        ConsensusMember members[MEMBERS_MAX];
} ConsensusState;

/* Running totals of a metrics source, cheap enough to ask every second. */
typedef struct MetricsPulse {
        bool connected;             /* the source is being heard */
        int64_t requests, failures; /* since the source was opened; failures: not successes */
        int64_t errors;             /* of the failures: 5xx, or cut by the server's side or the gate */
        int64_t from_mono;          /* of a scraped source: the newest scrape added what lies from here */
        int64_t as_of_mono;         /* to here; both 0: counted all along */
        int64_t last_success_mono;  /* 0: none yet */
        int64_t first_failure_mono; /* the first since the last success; 0: none */
        int64_t failures_since_success;
        int64_t parked, parked_longest_us; /* requests that waited at the gate, and the longest wait, since opened */
        char detail[DETAIL_MAX];           /* why it isn't connected */
} MetricsPulse;
