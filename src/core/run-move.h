/* Inside the run: one move, shared by run.c (events in), run-path.c (which way it goes) and run-effects.c (effects out).
 * Nobody else includes this. */
#pragma once

#include "core/run.h"

#include <stddef.h>

#define BIT(step) (1U << (step))

/* What came in, and what will go out. */
typedef struct Move {
        Run *run;
        const RunEvent *event;
        RunUpdate *update;
} Move;

/* ---- run-effects.c ---- */

void run_copy_text(char *to, size_t size, const char *text); /* cuts between characters; NULL is "" */
bool run_goes_forward(const Run *run);                       /* its records are `steps`, not `recovery` */
StepRecord *run_record_of(Run *run, StepId id);
bool record_failed(const StepRecord *record);
void run_enter(Run *run, RunPhase phase);
void run_skip(Run *run, StepId id, const char *why);
void run_skip_range(Run *run, StepId first, StepId last, const char *why); /* those that have not begun */
int64_t run_budget_left(const Run *run, StepId id, int64_t started_wall, int64_t now_wall);

void move_append(Move *move);
void move_arm_timer(Move *move, int64_t delay_us);
void move_call(Move *move, RunUpdateFlag how, StepId id, const StepRecord *record, int64_t budget_us);
void move_dispatch(Move *move);
void move_probe(Move *move);
void move_intend(Move *move, StepId id, bool again); /* announces an attempt; `again`: its clock goes on */
void move_finish(Move *move);

/* ---- run-path.c ---- */

void run_blame(Run *run, StepId id); /* it is the cause, unless there is one already */
void move_end(Move *move);
void move_settle(Move *move);
void move_undo(Move *move);
void move_recover(Move *move);
void move_recovery_advance(Move *move);
void move_advance(Move *move); /* the step at the cursor is behind us */
