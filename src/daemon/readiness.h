/* Readiness: could the rollback target be started right now? Proven on a timer, ahead of the bad day: a round asks the checklist
 * (core/ready.h) of one release, an item after the other, each in a turn of the loop of its own; what needs the world is an Op or a child
 * process. The target is asked for everything, the release that is current (which the next deployment makes the target) for what
 * is about the release alone.
 *   readiness.c         when, of which release, and what follows     readiness-round.c      one round
 *   readiness-release.c digests, switch, configuration               readiness-units.c      units load, and their programs
 *   readiness-libraries.c  what the programs link with               readiness-machine.c    port, disk, balancer
 *   readiness-database.c   the compatibility gate                    readiness-trial.c      a start in a sandbox */
#pragma once

#include "core/ready.h"
#include "daemon/controller.h"
#include "io/process.h"

#define READY_PROGRAMS_MAX 64

typedef struct ReadyRound ReadyRound;
typedef void ReadyAct(ReadyRound *round);
typedef struct ReadyTrial ReadyTrial;

struct ReadyRound {
        Controller *controller;
        Ready ready;
        bool of_target; /* else only what is about the release itself */
        unsigned item;  /* being asked */
        UnitSet units;
        sd_event_source *turn;
        Op *child;
        Process *process;           /* a command that is asked; its end is told to `answered` */
        sd_event_source *impatient; /* its budget */
        void (*answered)(ReadyRound *round, const char *output, const char *problem);
        ReadyTrial *trial;
        unsigned program_count, programs_left_out, program; /* `program`: being asked */
        char *programs[READY_PROGRAMS_MAX];                 /* absolute paths, as of when the release is live */
        char library_path[PATH_TEXT_MAX];                   /* LD_LIBRARY_PATH of its units; "": not set */
        char problems[DETAIL_MAX], doubts[DETAIL_MAX];      /* of the check that asks several */
        void (*done)(Controller *controller, const Ready *ready);
};

/* `version` was checked by whoever named it. */
int ready_round_begin(Controller *controller, const char *version, bool of_target,
                      void (*done)(Controller *controller, const Ready *ready), ReadyRound **ret_round, Error *error);
ReadyRound *ready_round_free(ReadyRound *round); /* nothing of it acts any more; NULL allowed; returns NULL */

/* ---- for the checks: each ends by exactly one of these ---- */

void ready_ok(ReadyRound *round, const char *format, ...) PRINTF_LIKE(2, 3);
void ready_not_applicable(ReadyRound *round, const char *format, ...) PRINTF_LIKE(2, 3);
/* `next`: what to do about it. */
void ready_failed(ReadyRound *round, const char *next, const char *format, ...) PRINTF_LIKE(3, 4);
void ready_unknown(ReadyRound *round, const char *next, const char *format, ...) PRINTF_LIKE(3, 4);

/* Runs a command that only looks; `problem` NULL: it ended with 0 and said `output` (PROCESS_OUTPUT_MAX at most), else why not. */
void ready_ask(ReadyRound *round, const char *const *argv,
               void (*answered)(ReadyRound *round, const char *output, const char *problem));

/* An error's text reads "what is wrong; what to do": that becomes `next`, else `fallback`. */
void ready_failed_by(ReadyRound *round, const Error *error, const char *fallback);

void ready_add_program(ReadyRound *round, const char *path);
/* `path` as it will be when the release is live: what leads through paths.current leads into the release. */
int ready_resolve(const ReadyRound *round, const char *path, char *ret_path, size_t size);

ReadyAct ready_check_release, ready_check_configuration, ready_check_units, ready_check_programs, ready_check_libraries,
        ready_check_database, ready_check_port, ready_check_space, ready_check_balancer, ready_check_trial;

/* What need not be found out again while what it was found from is the same; kept by the controller. */
typedef struct ReadyMemory {
        struct {
                char version[VERSION_MAX];
                uint64_t stamp; /* of the units' files */
                int64_t at_mono;
                char said[PROCESS_OUTPUT_MAX + 1]; /* by systemctl, of what its units start */
        } programs[2];
        struct {
                char version[VERSION_MAX];
                uint64_t stamp; /* of the manifest, the loader's cache and its directories */
                int64_t at_mono;
                ReadyCheck check;
        } libraries[2]; /* of the target, of the release that is current */
        struct {
                char version[VERSION_MAX];
                uint64_t stamp;
                int64_t at_mono;
                ReadyCheck check;
        } trial;
} ReadyMemory;

#define READY_AGAIN_US                                                                                                 \
        (600 * USEC_PER_SEC) /* at the latest: what is remembered can change without what it is known by */

/* A number that differs when one of these files does (size, times, inode); a missing one counts, too. */
uint64_t ready_stamp(const char *const *paths, unsigned count);
/* The manifest of the round's release, for ready_stamp(); "" when it can't be named. */
const char *ready_manifest_path(const ReadyRound *round, char *buffer, size_t size);

void ready_trial_free(ReadyTrial *trial); /* stops what it started; NULL allowed */

/* ---- what the others ask ---- */

json_t *readiness_checks_json(const Ready *ready); /* of a target */
json_t *readiness_json(Controller *controller);    /* GET /api/v3/ready */
/* Whether a rollback could go to its target now; none is a no. */
Tristate readiness_target(const Controller *controller);
/* Why the deployment of `version` would leave no target that is proven ready; false: it would leave one, or nothing is known yet
 * that speaks against it. */
bool readiness_none_left(const Controller *controller, const char *version, char *why, size_t size);
