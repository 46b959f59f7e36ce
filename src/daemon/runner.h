/* Runner: carries one run through the world. It feeds events to the core's step function, makes its appends durable and lets its
 * effects act, in that order. The controller and break glass both use it, so a rollback is the same whoever does it. */
#pragma once

#include "base/lock.h"
#include "core/plan.h"
#include "core/run.h"
#include "daemon/world.h"
#include "store/journal.h"

typedef struct Runner Runner;

typedef struct RunnerHooks {
        void (*recovering)(void *userdata, const Run *run);                 /* a dead process's run is about to go on */
        void (*changed)(void *userdata, const Run *run);                    /* after every durable move */
        void (*progress)(void *userdata, const Run *run, const char *line); /* the act under way says how far it is */
        /* Still under the run lock, so that nobody begins another before what follows from this one is written; nor may it. */
        void (*finished)(void *userdata, const Run *run);
        void (*page)(void *userdata, const Run *run, const char *message);
} RunnerHooks;

/* `journal` may be NULL: only an emergency can run then, on the side file. */
int runner_new(World *world, Journal *journal, const RunnerHooks *hooks, void *userdata, Runner **ret_runner,
               Error *error);
/* A run under way stays open in the journal, for a successor to finish. NULL allowed; returns NULL. */
Runner *runner_free(Runner *runner);

typedef struct RunnerRequest {
        PlanRequest plan;
        const char *reason;
        const char *initiator;
        int64_t decision_id;
        unsigned symptoms_before; /* as Run's */
        bool allow_row_loss;      /* as Run's */
} RunnerRequest;

/* Takes the run lock and begins. -EBUSY: another process holds it, *ret_holder says who, since when and why. */
int runner_begin(Runner *runner, const RunnerRequest *request, LockHolder *ret_holder, Error *error);

/* Goes on with what a dead process left open in the journal: 1 it does, 0 nothing was open, -EBUSY as above; -EBADMSG: what was left
 * open isn't sound. */
int runner_recover(Runner *runner, LockHolder *ret_holder, Error *error);

/* Ends an open run that isn't sound, on an operator's word: 1 and its id; 0: there is none. */
int runner_put_aside(Runner *runner, const char *by, int64_t *ret_id, LockHolder *ret_holder, Error *error);

/* True: the run is being undone. False: it is past the point where that is safe (or there is none), and will finish. */
bool runner_cancel(Runner *runner);

const Run *runner_run(const Runner *runner);    /* NULL: none under way */
const Run *runner_newest(const Runner *runner); /* under way, or the one that ended last in this process; NULL: none */

/* Another process (break glass) has a run under way: what it does to the service is no symptom. `ret_holder` may be NULL. */
bool runner_elsewhere(const Runner *runner, LockHolder *ret_holder);

/* Somebody has held the run lock since we did; also when we slept over it all. */
bool runner_disturbed(const Runner *runner);
