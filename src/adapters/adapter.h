/* What an adapter is: one table of functions for one kind of thing in the world. Adapters don't know each other; registry.c
 * lists them. A new balancer, supervisor or metrics source is one new file and one line there.
 *
 * Every call that waits for the world is an Op (io/op.h): it has a budget, it calls back once, it can be cancelled. `begin`
 * functions return 0 and set *ret_op, or a negative errno with `error` filled (then no callback comes). All acts are
 * idempotent: doing one twice, or finding it done, is success. Adapters never log; what a person should know travels in
 * OpResult.detail, in Error, or by DriverContext.warn for what happens outside a call. The settings a driver was opened with
 * outlive it. */
#pragma once

#include "base/error.h"
#include "base/settings.h"
#include "core/types.h"
#include "io/http-client.h"
#include "io/op.h"

#include <systemd/sd-event.h>

typedef struct DriverContext {
        sd_event *event;
        HttpClient *http;
        const char *state_directory; /* durable, ours alone */
        const char *current_path;    /* the symlink that names the live release */
        const char *config_path;     /* the live configuration file */
        void (*warn)(void *userdata, const char *source, const char *message);
        void *userdata;
} DriverContext;

/* ---- units: what runs the service ---- */

/* Called when something of the watched units changed by itself: failed, restarted, a new invocation. */
typedef void (*UnitsChanged)(void *userdata, const UnitsState *state);

/* A line that a unit has logged; `at_wall` 0: not known when. */
typedef void (*UnitsLine)(void *userdata, int64_t at_wall, const char *text);

typedef struct UnitsDriver {
        const char *name;            /* `units.driver` */
        const SettingSpec *settings; /* of the block `units.<name>` */
        bool any_unit;               /* knows every unit of this machine by its name, not only the service's */
        int (*open)(const DriverContext *context, const Settings *settings, void **ret_self, Error *error);
        void (*close)(void *self); /* leaves the service running */
        /* Result: OpResult.units. Says what is; changes nothing. */
        int (*query)(void *self, const UnitSet *units, int64_t budget_us, OpCallback callback, void *userdata,
                     Op **ret_op, Error *error);
        /* Done when no main process of the set lives any more. `force`: SIGKILL at once (specification, step 3 at its budget). */
        int (*stop)(void *self, const UnitSet *units, bool force, int64_t budget_us, OpCallback callback,
                    void *userdata, Op **ret_op, Error *error);
        /* Done when every unit is active and has said it is ready itself. Clears a start limit first. */
        int (*start)(void *self, const UnitSet *units, int64_t budget_us, OpCallback callback, void *userdata,
                     Op **ret_op, Error *error);
        /* So that a reboot starts `enable` and not `disable`. Shared names are enabled only. NULL where it has no meaning. */
        int (*enable)(void *self, const UnitSet *enable, const UnitSet *disable, int64_t budget_us, OpCallback callback,
                      void *userdata, Op **ret_op, Error *error);
        /* Watches one set, replacing the last; `units` NULL: watches none. The first report comes by itself. */
        int (*watch)(void *self, const UnitSet *units, UnitsChanged changed, void *userdata, Error *error);
        /* What the units have logged between the two moments (as far as that can be told apart): the last `max` lines, oldest
         * first. Blocks, for as long as the disk does: to be called in a process of its own (io/worker.h). NULL: not known. */
        int (*last_lines)(const Settings *settings, const UnitSet *units, int64_t since_wall, int64_t until_wall,
                          unsigned max, UnitsLine visit, void *userdata, Error *error);
} UnitsDriver;

/* ---- traffic: what stands before the service ---- */

typedef struct TrafficDriver {
        const char *name;
        const SettingSpec *settings;
        int (*open)(const DriverContext *context, const Settings *settings, void **ret_self, Error *error);
        void (*close)(void *self);
        /* Lets no new request through, and is done when nothing is in flight. With a gate, requests are parked; then what is
         * still in flight after `park_cut_us` is given up: OpResult.number says how many, 0 for a clean drain. Negative: nothing
         * is ever cut; when the budget is nearly spent it is done all the same, and the number says how many are still in
         * flight. Without a gate, OpResult.detail says that requests are refused meanwhile. Keeps the gate's deadline extended
         * until restored. */
        int (*drain)(void *self, int64_t park_cut_us, int64_t budget_us, OpCallback callback, void *userdata,
                     Op **ret_op, Error *error);
        /* `everything`: also what somebody else has taken out, at the balancer itself; else only what a drain did. */
        int (*restore)(void *self, bool everything, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op,
                       Error *error);
        /* Result: OpResult.traffic. */
        int (*query)(void *self, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op, Error *error);
} TrafficDriver;

/* ---- metrics: how the service does, seen from outside ---- */

typedef struct MetricsDriver {
        const char *name;
        const SettingSpec *settings;
        int (*open)(const DriverContext *context, const Settings *settings, const Rules *rules, void **ret_self,
                    Error *error);
        void (*close)(void *self);
        /* Result: OpResult.sample over [the last collect or open, now); `measured` false with a note when the source failed. A
         * dead, hanging or nonsensical source is a sample that was not measured, never an Op that fails. */
        int (*collect)(void *self, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op, Error *error);
        /* Totals so far; no waiting. */
        void (*pulse)(void *self, MetricsPulse *ret_pulse);
} MetricsDriver;

/* ---- consensus: the cluster the service keeps its state in ---- */

#define CONSENSUS_QUESTIONS 4

typedef struct ConsensusDriver {
        const char *name;
        const SettingSpec *settings;
        int (*open)(const DriverContext *context, const Settings *settings, void **ret_self, Error *error);
        void (*close)(void *self);
        /* Result: OpResult.consensus. A member that hasn't answered within `member_us` is one that isn't reachable, never an Op
         * that fails; it fails only when not even the list of members is known. A query asks each member a few times, one
         * after the other: give it a budget of CONSENSUS_QUESTIONS times member_us and a little more. */
        int (*query)(void *self, int64_t member_us, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op,
                     Error *error);
        /* Moves the leadership from the member `from` to `to` (ids, as a query has found them). Done when `to` says itself that
         * it leads. */
        int (*move_leader)(void *self, uint64_t from, uint64_t to, int64_t budget_us, OpCallback callback,
                           void *userdata, Op **ret_op, Error *error);
} ConsensusDriver;

/* ---- data: the database the service keeps its rows in ---- */

typedef struct SchemaRequest {
        char release[VERSION_MAX];   /* that is to be started */
        SchemaNeeds target, leaving; /* what it needs; what the release that leaves says (for its down scripts) */
        bool allow_row_loss;         /* an operator has said so for this run */
        int64_t run_id;              /* names the safety dump; 0: only asked, not to be done */
        int64_t limit_us;            /* what a restore may take; an estimate beyond it is refused */
} SchemaRequest;

/* A line for people while something long is under way: "digest of public.orders: 4.1 of 10.0 million rows". */
typedef void (*DataProgress)(void *userdata, const char *line);

/* Of a consistency check: the next one begins, or the newest has found something. */
typedef struct DataCheckNews {
        unsigned done, total;
        const char *about;   /* "index public.orders_pkey" */
        const char *finding; /* NULL: nothing yet; else what was found, or why it couldn't be checked */
        bool damage;         /* false: it couldn't be checked */
} DataCheckNews;
typedef void (*DataCheckProgress)(void *userdata, const DataCheckNews *news);

typedef struct DataDriver {
        const char *name;
        const SettingSpec *settings;
        /* Refuses what no row of the settings can, without asking anybody; *ret_key: the setting that is wrong. NULL: nothing to say. */
        int (*check_settings)(const Settings *settings, const char **ret_key, Error *error);
        int (*open)(const DriverContext *context, const Settings *settings, void **ret_self, Error *error);
        void (*close)(void *self);
        /* Result: OpResult.gate. Changes nothing in the service's database. A database that can't be asked is SCHEMA_UNKNOWN, never
         * an Op that fails. */
        int (*gate)(void *self, const SchemaRequest *request, int64_t budget_us, OpCallback callback, void *userdata,
                    Op **ret_op, Error *error);
        /* Brings the schema to what the target needs; done at once when it already works with what is there. Afterwards the schema
         * is wholly old or wholly new, whoever is killed meanwhile. `progress` may be NULL. -ENOTRECOVERABLE: rows would be lost, and
         * would be at the next try. */
        int (*restore)(void *self, const SchemaRequest *request, DataProgress progress, int64_t budget_us,
                       OpCallback callback, void *userdata, Op **ret_op, Error *error);
        /* Result: OpResult.replication. */
        int (*replication)(void *self, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op,
                           Error *error);
        /* Looks for damage; OpResult.number: problems found, OpResult.detail: the first or "N checks passed". It fails when it can't
         * be told. `progress` is told of each check as it begins and of each finding. */
        int (*check)(void *self, DataCheckProgress progress, int64_t budget_us, OpCallback callback, void *userdata,
                     Op **ret_op, Error *error);
} DataDriver;

/* ---- alerts: who is told, and in which form ---- */

typedef enum NewsKind {
        NEWS_ALERT,      /* raised; stands */
        NEWS_ALERT_OVER, /* is over since ended_wall */
        NEWS_RUN_BEGUN,
        NEWS_RUN_ENDED,
        NEWS_DEPLOYED, /* a release became current, by us or somebody else; not by a rollback */
        NEWS_INCIDENT_OPENED,
        NEWS_INCIDENT_ACKNOWLEDGED,
        NEWS_INCIDENT_RESOLVED,
        NEWS_TEST, /* an operator wants to see it arrive */
} NewsKind;

/* Something that took a time within a run: a step, on the way to the target or back. */
typedef struct NewsSpan {
        const char *name, *detail;
        bool recovery, failed, critical;
        unsigned attempt; /* the last; 1 for the first */
        int64_t from_wall, to_wall;
} NewsSpan;

typedef struct NewsMoment {
        const char *text;
        int64_t at_wall;
} NewsMoment;

/* What happened, for every form it may take. All texts are one line of UTF-8, never NULL, "" where there is none, and the caller's. */
typedef struct News {
        NewsKind kind;
        Severity severity;
        char event[96]; /* names it: the same at each try, after each restart */
        char id[40];    /* the same as an UUID */
        char chain
                [40]; /* UUID of what belongs together, from a deployment to its rollback and the incident's end; "" */
        const char *text;
        const char *source;          /* of an alert: what it is about. Else "run", "deployment", "incident", "test" */
        bool told_elsewhere;         /* of an alert: the news of a run says the same, for who hears of runs */
        int64_t at_wall, ended_wall; /* when it began; when it ended, 0: not yet */
        int64_t run_id, incident_id; /* 0: none */
        const char *from, *to;       /* releases: what was left or misbehaved, and what serves now or should */
        const char *run_kind;        /* "rollback" "deployment"; "" */
        const char *mode, *outcome, *reason, *by;
        bool ends_p0;   /* its beginning was P0: who heard of that hears of this, however urgent this is */
        bool failed;    /* of a run that ended: it did not do what it was begun for */
        char trace[33]; /* of a run that ended: hexadecimal, as W3C Trace Context has it */
        unsigned span_count, moment_count;
        const NewsSpan *spans;
        const NewsMoment *moments; /* what the journal notes of it */
} News;

/* Who tells. */
typedef struct NewsSender {
        const char *service, *environment;
        const char *artifact; /* a package URL; {version} is replaced */
        const char *host, *program_version;
} NewsSender;

/* A message as it is sent, over and over if need be; the texts are malloc()ed. */
typedef struct NewsMessage {
        char path[64]; /* behind the receiver's address; "" none */
        char *headers; /* lines "Name: value"; may be NULL */
        char *body;
} NewsMessage;

void news_message_clear(NewsMessage *message);

typedef enum TellVerdict {
        TELL_DELIVERED,
        TELL_AGAIN,   /* not now */
        TELL_REFUSED, /* this message never */
        TELL_GONE,    /* nothing at all any more */
} TellVerdict;

/* A driver only formats: it neither waits nor looks at anything, so it is tested with plain data. */
typedef struct AlertDriver {
        const char *name; /* the key of a receiver's block that holds its address */
        bool repeats;     /* what stands is said again and again, else the receiver takes it to be over */
        /* 1 and the message, 0: nothing for such a receiver, negative. More than one: alerts alone, and all in one message. */
        int (*format)(const NewsSender *sender, const News *news, unsigned count, NewsMessage *ret_message);
        /* The header that only the moment of sending can make; NULL: there is none. `secret` "": none is configured. 1, 0: none
         * is needed. */
        int (*sign)(const char *secret, const char *body, int64_t now_wall, char *ret_header, size_t size);
        /* What became of it; `ret_detail` in words. */
        TellVerdict (*judge)(const HttpAnswer *answer, char *ret_detail, size_t size);
} AlertDriver;

/* ---- the registry ---- */

extern const UnitsDriver *const units_drivers[]; /* NULL-terminated, as the others */
extern const TrafficDriver *const traffic_drivers[];
extern const MetricsDriver *const metrics_drivers[];
extern const ConsensusDriver *const consensus_drivers[];
extern const DataDriver *const data_drivers[];
extern const AlertDriver *const alert_drivers[];

const UnitsDriver *units_driver_find(const char *name); /* NULL: no such driver */
const TrafficDriver *traffic_driver_find(const char *name);
const MetricsDriver *metrics_driver_find(const char *name);
const ConsensusDriver *consensus_driver_find(const char *name);
const DataDriver *data_driver_find(const char *name);
const AlertDriver *alert_driver_find(const char *name);
