/* What each step does to the world, and how to tell whether it has already been done: one row a step, beside the table of their
 * budgets in core/steps. All acts are idempotent, so an unsure probe may be answered by acting again. */
#pragma once

#include "daemon/step-op.h"

int step_act(const StepTools *tools, const StepCall *call, OpCallback callback, void *userdata, Op **ret_op,
             Error *error);

/* Result: OpResult.number is a ProbeAnswer. */
int step_probe(const StepTools *tools, const StepCall *call, OpCallback callback, void *userdata, Op **ret_op,
               Error *error);

/* ---- the stages, by file ---- */
StepStage step_preflight;          /* step-preflight.c */
StepStage step_pause, step_resume; /* step-holds.c: deployments */
StepStage step_probe_pause, step_probe_resume;
StepStage step_drain, step_restore_traffic; /* step-traffic.c */
StepStage step_probe_restore_traffic;
StepStage step_stop, step_start; /* step-units.c */
StepStage step_probe_stop, step_probe_start;
StepStage step_restore, step_probe_restore; /* step-release.c */
StepStage step_verify;                      /* step-health.c */
